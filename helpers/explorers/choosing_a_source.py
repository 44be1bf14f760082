"""Notebook 08: a film of damage: what a dose does to filters, to a map, to accuracy on a target, and to a score."""

import base64
import functools
import json
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from helpers.explorers.shell import Drawing, Explorer, Guess, LiveFigure, choice
from helpers.plots import PALETTE
from helpers.training import RUNS_FOLDER

TARGETS = (("digits, 10 labels", "digits"), ("clothes, 20 labels", "clothing_64"))
COUNTS = {"digits": 10, "clothing_64": 20}
DOSES = {"noise": (0, 0.5, 1, 2, 4, 8), "shuffle": (0, 0.1, 0.25, 0.5, 0.75, 0.9), "prune": (0, 0.1, 0.25, 0.5, 0.75, 0.9)}
WORDS = {
    "noise": "noise of {:g} times the size of each kernel",
    "shuffle": "{:.0%} of the input channels shuffled",
    "prune": "{:.0%} of the filters set to zero",
}
PLACES = [f"noise {noise:g}, share {share:g}" for noise, share in zip(DOSES["noise"], DOSES["shuffle"], strict=True)]
ASKED = {"target": "clothing_64", "block": 4, "kind": "noise"}  # the setting of the guess, and of the first picture
SCORE = "nearest neighbour"


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
    level = values(target, block, "random", "test_accuracy").mean()
    for place, dose in enumerate(DOSES[kind]):
        if values(target, block, damage_name(kind, place), "test_accuracy").mean() <= level:
            return f"at {dose:g}" if place else "without any damage"
    return "at none of these doses"


def damage_explorer() -> Explorer:
    """Return a film of damaged VGG16s: target, block that is read, kind and dose of the damage."""
    live, move = _figure()

    def draw(target: str, block: int, kind: str, place: int) -> Drawing:
        now = {key: values(target, block, damage_name(kind, place), key).mean() for key in ("test_accuracy", SCORE)}
        random = {key: values(target, block, "random", key).mean() for key in now}
        move(target, block, kind, place)
        what = WORDS[kind].format(DOSES[kind][place]) if place else "ImageNet, undamaged"
        right = f"test accuracy {now['test_accuracy']:.2f} (random {random['test_accuracy']:.2f})"
        score = f"nearest-neighbour score {now[SCORE]:.2f} (random {random[SCORE]:.2f})"
        first = f"With {kind}, block {block} is down to the random network {as_random(target, block, kind)}"
        return live, f"{what}: {right}, {score}. {first}."

    question = "Clothes, block 4, noise in every block: at which dose is ImageNet no better than a random network?"
    guess = Guess(question, choice("my guess", [float(dose) for dose in DOSES["noise"][1:]]), as_random(**ASKED))
    controls = {
        "target": choice("target", TARGETS, value=ASKED["target"], kind="menu"),
        "block": choice("block that is read", [1, 2, 3, 4, 5], value=ASKED["block"]),
        "kind": choice("damage", list(DOSES), value=ASKED["kind"], kind="menu"),
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
    (filters, maps), (accuracy, score) = left.subplots(1, 2), right.subplots(2, 1, sharex=True)
    images = [
        axes.imshow(np.ones((2, 2)), cmap="gray", vmin=0, vmax=1, extent=(0, 1, 0, 1), interpolation="nearest")
        for axes in (filters, maps)
    ]
    for axes, title in ((filters, "16 filters of the first layer"), (maps, "a cat, one map of the block")):
        axes.set_title(title, fontsize=9)
        axes.axis("off")
    lines, levels, rims = [], [], []
    for axes, name, color in ((accuracy, "test accuracy", PALETTE[0]), (score, "nearest-\nneighbour score", PALETTE[1])):
        lines.append(axes.plot([], [], "o-", color=color, aa=False)[0])
        rims.append(axes.plot([], [], color=color, linewidth=0.8, aa=False)[0])
        levels.append(axes.plot([], [], "--", color="0.3", linewidth=1.5, aa=False)[0])
        axes.set(xlim=(-0.3, 5.3), ylim=(0, 1.03), ylabel=name)
    accuracy.set_title("thin: lowest and highest of five draws\ndashed: a random network, same block", fontsize=9)
    score.set(xlabel="dose of noise, or share shuffled or pruned", xticks=range(6))
    score.set_xticklabels(["none", *(place.removeprefix("noise ").replace(", share ", "\n") for place in PLACES[1:])])
    cursors = [axes.axvline(0, color="black", linewidth=1) for axes in (accuracy, score)]

    def move(target: str, block: int, kind: str, place: int) -> None:
        for image, number in zip(images, (0, block), strict=True):
            image.set_data(picture(damage_name(kind, place), number))
        for line, level, rim, cursor, key in zip(lines, levels, rims, cursors, ("test_accuracy", SCORE), strict=True):
            runs = np.array([values(target, block, damage_name(kind, at), key) for at in range(6)])
            line.set_data(range(6), runs.mean(axis=1))
            rim.set_data([*range(6), np.nan, *range(6)], [*runs.min(axis=1), np.nan, *runs.max(axis=1)])
            level.set_data([-0.3, 5.3], [values(target, block, "random", key).mean()] * 2)
            cursor.set_xdata([place, place])

    return LiveFigure(figure, moving=[*images, *rims, *lines, *levels, *cursors]), move
