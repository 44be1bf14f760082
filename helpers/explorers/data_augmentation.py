"""Notebook 05: an explorer of one picture and all changes, and one of many pictures, one change and who still reads them.

The draws come from the very layers of Keras that `helpers.augmentation.build_augmentation` puts together. They keep their
seed while a control moves, so the learner sees one thing change: twice the range is twice the same angle.
"""

import functools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from helpers.augmentation import FILL_MODES, augmented_views, build_augmentation
from helpers.explorers.shell import Draw, Drawing, Explorer, Guess, LiveFigure, choice
from helpers.plots import PALETTE, new_axes

DRAWS = 7  # beside the picture itself
CLASSIC = {"rotation": 40, "shift": 0.2, "shear": 0.2, "zoom": 0.2}
DOSES = {  # from nothing on; "all together" counts in classic ranges, without the flip
    "rotation": ("0°", "10°", "20°", "40°", "90°", "180°"),
    **dict.fromkeys(("shift", "shear", "zoom"), ("0%", "10%", "20%", "40%", "60%", "80%")),
    "all together": ("0 x", "0.25 x", "0.5 x", "1 x", "1.5 x", "2 x"),
}


Judged = tuple[np.ndarray, np.ndarray, Sequence[str], Callable[[np.ndarray], np.ndarray]]


def augmentation_explorer(pictures: Mapping[str, np.ndarray]) -> Explorer:
    """Return an explorer of the ranges of an augmentation pipeline, for named pictures (height, width, 3) uint8.

    All have one size; about 100 pixels are enough. It starts with the classic ranges.
    """
    angles = [(f"{angle} degrees", angle) for angle in (0, 10, 20, 40, 90, 180)]
    shares = [(f"{share:.0%}", share) for share in (0.0, 0.1, 0.2, 0.4)]
    controls = {
        "rotation": choice("rotation", angles, value=40),
        **{name: choice(name, shares, value=0.2) for name in ("shift", "shear", "zoom")},
        "brightness": choice("brightness", shares),
        "flip": choice("flip", [("no", False), ("yes", True)], value=True),
        "fill_mode": choice("fill mode", FILL_MODES, kind="menu"),
        "picture": choice("picture", list(pictures), kind="menu"),
        "seed": choice("draws", [(f"number {number}", number) for number in range(1, 11)]),
    }
    name = "A picture and seven random draws of an augmentation pipeline"
    part = {
        "rotation": choice("rotation", [angle for angle in angles if angle[1] in (0, 40, 90, 180)]),
        **{name: choice(name, [shares[0]]) for name in ("shear", "zoom")},
        "shift": choice("shift", [shares[0], shares[-1]]),
        "flip": choice("flip", [("no", False), ("yes", True)]),
        "picture": controls["picture"],
    }
    return Explorer(augmentation_figure(pictures), controls, name=name, part=part, photographs=True)


def augmentation_figure(pictures: Mapping[str, np.ndarray]) -> Draw:
    """Return `draw(picture, **ranges)`: the picture as it is and seven draws, and the ranges in words."""
    if len(shapes := {np.shape(picture) for picture in pictures.values()}) != 1:
        raise ValueError(f"pictures have the shapes {sorted(shapes)}; wanted one shape (height, width, 3).")
    grid, cells = new_axes(rows=2, columns=4, size=(7.0, 3.8)).reshape(-1), []
    for number, axes in enumerate(grid):
        axes.axis("off")
        axes.set_title(f"draw {number}" if number else "as it is", fontsize=9, loc="center", weight="normal")
        cells.append(axes.imshow(next(iter(pictures.values()))))
    live = LiveFigure(grid[0].get_figure(), moving=cells)

    remembered = functools.lru_cache(64)(lambda picture, **ranges: draw_views(pictures[picture], **ranges))

    def draw(picture: str, **ranges: float | bool | str) -> Drawing:
        for cell, view in zip(cells, (pictures[picture], *remembered(picture, **ranges)), strict=True):
            cell.set_data(view)
        return live, f"{picture}: {describe(ranges)}"

    return draw


def draw_views(picture: np.ndarray, *, seed: int, **ranges: float | bool | str) -> np.ndarray:
    """Return seven draws of one picture, (7, height, width, 3) uint8; `ranges` are those of `build_augmentation`."""
    augment = build_augmentation(**ranges, seed=seed)
    copies = np.repeat(picture[np.newaxis], DRAWS, axis=0)
    return augmented_views(copies, augment=augment, views=1, seed=seed, keep_first=False)[0]


def describe(ranges: Mapping[str, float | bool | str]) -> str:
    """Return the ranges in words, without those that do nothing."""
    parts = [f"rotation up to {ranges['rotation']:g} degrees"] * (ranges["rotation"] > 0)
    parts += [f"{name} up to {ranges[name]:.0%}" for name in ("shift", "shear", "zoom", "brightness") if ranges[name] > 0]
    changes = ", ".join(parts + ["flipped in half of the cases"] * ranges["flip"]) or "nothing is changed"
    return f"{changes}; fill mode {ranges['fill_mode']}, draws number {ranges['seed']}."


def dose_explorer(judged: Mapping[str, Judged]) -> Explorer:
    """Return an explorer of one change and its dose: eight pictures, what a classifier says, and its accuracy on all.

    `judged` maps names to pictures (n, height, width, 3), classes (n,), class names, and what gives answers (n, classes).
    """
    controls = {
        "subject": choice("pictures, judge", list(judged), kind="menu"),
        "change": choice("change", list(DOSES), kind="menu"),
        "step": choice("dose", [(f"step {step}", step) for step in range(6)], value=3),
    }
    measure, first = functools.cache(lambda subject, change: measure_doses(*judged[subject], change)), next(iter(judged))
    name, share = "The dose of a change, and who still reads the pictures", measure(first, "rotation")[2][-1]
    question = f"{first}, each turned by up to 180°: how many in ten does the judge still name right?"
    guess = Guess(question, choice("my guess", range(11), value=5), f"{10 * share:.0f} (accuracy {share:.2f})")
    return Explorer(dose_figure(judged, measure), controls, name=name, guess=guess)


def measure_doses(
    images: np.ndarray, labels: np.ndarray, names: Sequence[str], judge: Callable, change: str
) -> tuple[np.ndarray, ...]:
    """Return pictures (6, n, ...), answers (6, n, classes) and accuracies (6,) for the six doses of a change."""
    views = []
    for text in DOSES[change]:
        dose = float(text.rstrip("°% x")) / (100 if "%" in text else 1)
        ranges = {name: dose * (most if change == "all together" else name == change) for name, most in CLASSIC.items()}
        augment = build_augmentation(**ranges, flip=False)
        views += [*augmented_views(images, augment=augment, views=1, keep_first=False)]
    answers = np.reshape(judge(np.concatenate(views)), (6, len(images), len(names)))
    return np.stack(views), answers, (answers.argmax(axis=-1) == labels).mean(axis=1)


def dose_figure(judged: Mapping[str, Judged], measure: Callable[[str, str], tuple[np.ndarray, ...]]) -> Draw:
    """Return `draw(subject, change, step)`: pictures with the probability of their class, and accuracy over the dose."""
    figure = Figure(figsize=(7.6, 2.4))
    right = figure.add_axes((0.67, 0.15, 0.31, 0.72), xlim=(-0.3, 5.3), ylim=(0, 1.03), title="accuracy over the dose")
    places = [(0.01 + 0.15 * column, 0.54 - 0.49 * row, 0.13, 0.37) for row, column in np.ndindex(2, 4)]
    cells = [figure.add_axes(place, xticks=[], yticks=[]) for place in places]
    images = [axes.imshow(np.zeros((2, 2, 3)), extent=(0, 1, 0, 1)) for axes in cells]
    texts = [axes.set_title("", fontsize=8, loc="center", weight="normal") for axes in cells]
    (curve,), (here,) = right.plot([], [], "o-"), right.plot([], [], "o", ms=14, mfc="none", color=PALETTE[1])
    right.set_xticks(range(6), [""] * 6)
    live = LiveFigure(figure, moving=[*images, *texts, curve, here, *(ticks := right.get_xticklabels())])

    def draw(subject: str, change: str, step: int) -> Drawing:
        (views, answers, accuracy), (_, labels, names, _) = measure(subject, change), judged[subject]
        for place, (image, text) in enumerate(zip(images, texts, strict=True)):
            said, label = answers[step, place].argmax(), labels[place]
            image.set_data(views[step, place])
            text.set_text(f"{answers[step, place, label]:.0%}" + (f" ({names[said][:11]}?)" if said != label else ""))
            text.set_color("black" if said == label else PALETTE[1])
        curve.set_data(range(6), accuracy)
        here.set_data([step], [accuracy[step]])
        _ = [tick.set_text(dose) for tick, dose in zip(ticks, DOSES[change], strict=True)]
        now, before = (round(accuracy[place] * len(labels)) for place in (step, 0))
        many = f"{now} of {len(labels)} are named right; as they are, {before}."
        return live, f"{subject}, {change} up to {DOSES[change][step]}: {many}"

    return draw
