"""Notebook 07: an explorer of how deep, and how fast, VGG16 was allowed to change, over runs that were recorded."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from helpers.explorers.shell import Draw, Drawing, Explorer, LiveFigure, choice
from helpers.plots import PALETTE
from helpers.training import load_runs

DEPTHS = (("head only", "predictions"), ("block 5", "block5"), ("blocks 4, 5", "block4"), ("all", "block1"))
RATES = (("0.00001", 1e-5), ("0.0001", 1e-4), ("0.001", 1e-3))
TARGETS = tuple(
    (f"{name} {count}", (data, count))  # a read-out has room for ten letters
    for name, data, counts in (("photos", "textures", (2, 10)), ("digits", "digits", (2, 10, 50)))
    for count in counts
)
SUBJECTS = {"textures": "photographs of materials", "digits": "digits"}
BLOCKS = ("block1", "block2", "block3", "block4", "block5")


def fine_tuning_explorer() -> Explorer:
    """Return an explorer of recorded runs: validation accuracy after every epoch, test accuracy, and what moved."""
    controls = {
        "target": choice("target, labels", TARGETS, value=("digits", 10)),
        "first_trainable": choice("unfrozen", DEPTHS, value="block5"),
        "learning_rate": choice("learning rate", RATES, value=1e-4),
    }
    name = "Fine-tuning VGG16: blocks unfrozen and learning rate"
    return Explorer(fine_tuning_figure(), controls, name=name)


def fine_tuning_figure() -> Draw:
    """Return `draw(target, first_trainable, learning_rate)`: the course of training, and how far each block moved."""
    figure = Figure(figsize=(9.6, 3.8), layout="constrained")
    course, bars = figure.subplots(1, 2, width_ratios=(1.5, 1))
    course.set(xlabel="epoch of fine-tuning (0: the head alone)", ylabel="validation accuracy")
    course.set(xlim=(-0.2, 8.2), ylim=(0, 1.02), title="each line one seed, the thick one their mean")
    bars.set(xlabel="relative distance from ImageNet's weights", xscale="log", xlim=(1e-4, 2))
    bars.set_yticks(range(len(BLOCKS)), [name.replace("block", "block ") for name in BLOCKS])
    bars.set(ylim=(len(BLOCKS) - 0.5, -0.5), title="how far each block moved")
    lines = course.plot(np.zeros((1, 3)), "-", color=PALETTE[0], linewidth=1, alpha=0.6)
    (mean,) = course.plot([], [], "o-", color=PALETTE[0])
    (head,) = course.plot([], [], ":", color="black", label="the head alone")
    course.legend(loc="lower right")
    rows = [bars.plot([], [], "-", color=PALETTE[1], linewidth=9, solid_capstyle="butt")[0] for _ in BLOCKS]
    live = LiveFigure(figure, moving=[*lines, mean, head, *rows])

    def draw(target: tuple[str, int], first_trainable: str, learning_rate: float) -> Drawing:
        runs = _runs(*target, first_trainable, learning_rate)
        epochs = 0 if first_trainable == "predictions" else 8
        curves = [[run["first_validation_accuracy"], *run["val_accuracy"]][: epochs + 1] for run in runs]
        for line, curve in zip(lines, curves or [[]] * len(lines), strict=False):
            line.set_data(range(len(curve)), curve)
        average = np.mean(curves, axis=0) if runs else []
        mean.set_data(range(len(average)), average)
        head.set_data([0, 8] if runs else [], [average[0]] * 2 if runs else [])
        for row, block in enumerate(BLOCKS):
            moved = _distance(runs, block) if epochs else 0
            rows[row].set_data([1e-4, moved] if moved > 1e-4 else [], [row, row] if moved > 1e-4 else [])
        return live, f"{SUBJECTS[target[0]]}, {target[1]} labels per class: {_verdict(runs, first_trainable)}"

    return draw


def _runs(data: str, labels_per_class: int, first_trainable: str, learning_rate: float) -> list[dict[str, Any]]:
    """Return the recorded runs of one setting, or none."""
    if first_trainable == "predictions":  # every run began with the head alone; those of one setting say it all
        first_trainable, learning_rate = "block5", 1e-4
    wanted = {"labels_per_class": labels_per_class, "first_trainable": first_trainable, "head_start": "trained"}
    try:
        return load_runs("fine_tuning", data=data, learning_rate=learning_rate, **wanted)
    except ValueError:
        return []


def _verdict(runs: list[dict[str, Any]], first_trainable: str) -> str:
    """Return the test accuracy before and after fine-tuning, in words."""
    if not runs:
        return "not recorded: so deep, with so many pictures of this size, a run takes too long."
    head = np.mean([run["head_test_accuracy"] for run in runs])
    if first_trainable == "predictions":
        return f"the head alone, at any rate here, reaches a test accuracy of {head:.2f}, mean of {len(runs)} seeds."
    test = np.array([run["test_accuracy"] for run in runs])
    spread = f"{test.min():.2f} to {test.max():.2f} over {len(runs)} seeds"
    return f"test accuracy {test.mean():.2f} ({spread}); the head alone had {head:.2f}."


def _distance(runs: list[dict[str, Any]], block: str) -> float:
    """Return the mean distance that the layers of a block moved, over all runs."""
    values = [value for run in runs for name, value in run["distances"].items() if name.startswith(block)]
    return float(np.mean(values)) if values else 0.0
