"""Notebook 08: a film of damage: what a dose does to filters, to a map, to accuracy on a target, and to scores."""

import base64
import functools
import json
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from helpers.explorers.shell import Drawing, Explorer, Guess, LiveFigure, choice
from helpers.plots import PALETTE
from helpers.training import RUNS_FOLDER

TARGETS = (("digits, 10 labels", "digits"), ("textures, 10 labels", "textures"), ("clothes, 20 labels", "clothing_64"))
COUNTS = {"digits": 10, "textures": 10, "clothing_64": 20}
DOSES = {"noise": (0, 0.5, 1, 2, 4, 8), "shuffle": (0, 0.1, 0.25, 0.5, 0.75, 0.9), "prune": (0, 0.1, 0.25, 0.5, 0.75, 0.9)}
TITLES = {"noise": "noise", "shuffle": "shuffled channels", "prune": "pruning"}
WORDS = {
    "noise": "noise of {:g} times the size of each kernel",
    "shuffle": "{:.0%} of the input channels shuffled",
    "prune": "{:.0%} of the filters set to zero",
}
PLACES = [f"noise {noise:g}, share {share:g}" for noise, share in zip(DOSES["noise"], DOSES["shuffle"], strict=True)]
ASKED = {"target": "clothing_64", "block": 4, "kind": "noise"}  # the setting of the guess; the first picture is another
SHOWN = {"nearest neighbour": 1, "logistic probe": 2}  # scores, and their places in the palette


def damage_name(kind: str, place: int) -> str:
    """Return the name of the source with this damage; at place 0 it is ImageNet itself."""
    return f"{kind} {DOSES[kind][place]:g}" if place else "imagenet"


@functools.cache
def recorded() -> dict[str, Any]:
    """Return the file of records."""
    return json.loads((RUNS_FOLDER / "sources.json").read_text(encoding="utf-8"))


def values(target: str, block: int, name: str, key: str) -> np.ndarray:
    """Return accuracies or scores of five draws of labels, (5,), of the first network of a source."""
    wanted = {"stage": "frozen", "target": target, "block": block, "source": name, "network": 0}
    wanted |= {"labels_per_class": COUNTS[target]}
    (run,) = (run for run in recorded()["runs"] if wanted.items() <= run.items())
    return np.array(run[key])


def as_random(target: str, block: int, kind: str) -> str:
    """Return at which of the recorded doses the mean accuracy first is no higher than that of the random network."""
    place = first_as_random(target, block, kind)
    if place is None:
        return "at none of these doses"
    return f"at {DOSES[kind][place]:g}" if place else "without any damage"


def first_as_random(target: str, block: int, kind: str) -> int | None:
    """Return the place of this dose; None where the mean accuracy is higher than the random network's at all of them."""
    level = values(target, block, "random", "test_accuracy").mean()
    below = (values(target, block, damage_name(kind, place), "test_accuracy").mean() <= level for place in range(6))
    return next((place for place, one in enumerate(below) if one), None)


def verdict(target: str, block: int, kind: str) -> str:
    """Return the sentence that says how much of this damage makes a block no better than that of the random network."""
    place, damage = first_as_random(target, block, kind), TITLES[kind]
    if place is None:
        return f"With {damage}, block {block} stays above the random network at each of these doses."
    if not place:
        return f"Block {block} is no better than the random network's, even without damage."
    dose = f"a {'dose' if kind == 'noise' else 'share'} of {DOSES[kind][place]:g}"
    return f"With {damage}, block {block} first falls to the level of the random network at {dose}."


def damage_explorer() -> Explorer:
    """Return a film of damaged VGG16s: target, block that is read, kind and dose of the damage."""
    live, move = _figure()

    def draw(target: str, block: int, kind: str, place: int) -> Drawing:
        names = damage_name(kind, place), "random"
        means = {
            key: [f"{values(target, block, name, key).mean():.2f}" for name in names] for key in ("test_accuracy", *SHOWN)
        }
        move(target, block, kind, place)
        what = WORDS[kind].format(DOSES[kind][place]) if place else "ImageNet, undamaged"
        said = [f"{key.replace('_', ' ')} {now} (random {random})" for key, (now, random) in means.items()]
        return live, f"{what}: {', '.join(said)}. {verdict(target, block, kind)}"

    question = "Clothes, block 4, noise in every block: at which dose is ImageNet no better than a random network?"
    guess = Guess(question, choice("my guess", [float(dose) for dose in DOSES["noise"][1:]]), as_random(**ASKED))
    controls = {
        "target": choice("target", TARGETS, kind="menu"),
        "block": choice("block that is read", [1, 2, 3, 4, 5], value=ASKED["block"]),
        "kind": choice("damage", [(TITLES[kind], kind) for kind in DOSES], kind="menu"),
        "place": choice("dose", [("none", 0), *((PLACES[place], place) for place in range(1, 6))], value=2),
    }
    return Explorer(draw, controls, name="How much damage until random is as good?", guess=guess)


def picture(name: str, place: int) -> np.ndarray:
    """Return a recorded picture of a source in ten greys: 0 is sixteen filters (15, 15), green weights; 1 to 5 are maps."""
    flat = np.frombuffer(base64.b64decode(recorded()["pictures"][name][place]), "uint8") / 255
    grey = np.round(9 * flat) / 9  # few, so that a film can keep them
    if place:
        side = round(len(flat) ** 0.5)
        return grey.reshape(side, side)
    grid = np.ones((16, 16))
    for number, kernel in enumerate(grey.reshape(16, 3, 3, 3)[..., 1]):
        row, column = 4 * (number // 4), 4 * (number % 4)
        grid[row : row + 3, column : column + 3] = kernel
    return grid[:15, :15]


def _figure() -> tuple[LiveFigure, Any]:
    """Return the figure, and the function that moves it to a setting."""
    figure = Figure(figsize=(9.2, 3.5), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1.1, 1))
    (filters, maps), (accuracy, scores) = left.subplots(1, 2), right.subplots(2, 1, sharex=True)
    images = [
        axes.imshow(np.ones((2, 2)), cmap="gray", vmin=0, vmax=1, extent=(0, 1, 0, 1), interpolation="nearest")
        for axes in (filters, maps)
    ]
    for axes, title in ((filters, "16 filters of the first layer"), (maps, "a cat, one map of the block")):
        axes.set_title(title, fontsize=9)
        axes.axis("off")
    drawn = {"test_accuracy": (accuracy, 0)} | {key: (scores, color) for key, color in SHOWN.items()}
    for key, (axes, color) in drawn.items():
        level = axes.plot([], [], "--", color=PALETTE[color], linewidth=1.2, aa=False)[0]
        drawn[key] = axes.plot([], [], "o-", color=PALETTE[color], label=key, aa=False)[0], level
    rims = accuracy.plot([], [], color=PALETTE[0], linewidth=0.8, aa=False)
    for axes, name in ((accuracy, "test accuracy"), (scores, "two scores")):
        axes.set(xlim=(-0.3, 5.3), ylim=(0, 1.03 if axes is accuracy else 1.4), yticks=(0, 0.5, 1), ylabel=name)
    accuracy.set_title("thin: lowest and highest of five draws\ndashed: a random network, same block", fontsize=9)
    scores.legend(handles=[drawn[key][0] for key in SHOWN], fontsize=7, ncols=2, loc="upper right")
    scores.set(xlabel="dose of noise, or share shuffled or pruned", xticks=range(6))
    scores.set_xticklabels(["none", *(place.removeprefix("noise ").replace(", share ", "\n") for place in PLACES[1:])])
    cursors = [axes.axvline(0, color="black", linewidth=1) for axes in (accuracy, scores)]

    def move(target: str, block: int, kind: str, place: int) -> None:
        for image, number in zip(images, (0, block), strict=True):
            image.set_data(picture(damage_name(kind, place), number))
        for key, (line, level) in drawn.items():
            runs = np.array([values(target, block, damage_name(kind, at), key) for at in range(6)])
            line.set_data(range(6), runs.mean(axis=1))
            level.set_data([-0.3, 5.3], [values(target, block, "random", key).mean()] * 2)
            if key == "test_accuracy":
                rims[0].set_data([*range(6), np.nan, *range(6)], [*runs.min(axis=1), np.nan, *runs.max(axis=1)])
        for cursor in cursors:
            cursor.set_xdata([place, place])

    return LiveFigure(figure, moving=[*images, *rims, *(one for pair in drawn.values() for one in pair), *cursors]), move
