"""Notebook 04: an explorer of labels per class, layer and classifier, with learning curve and confusion matrix."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

from helpers.explorers.shell import Drawing, Explorer, Guess, LiveFigure, choice
from helpers.plots import PALETTE, plot_confusion


def features_explorer(
    grid: Mapping[tuple[str, str, int], np.ndarray],
    labels: np.ndarray,
    *,
    class_names: Sequence[str],
    part: str = "test",
) -> Explorer:
    """Return an explorer of layer, classifier and labels per class: learning curve and confusion matrix.

    `grid` holds predictions (draws, tests) by (layer, classifier, labels per class), from
    `helpers.features.classifier_grid`; `labels` are the true classes (tests,); `part` names the part of
    the data that they come from. All was fitted before, so a move of a control only draws.
    """
    from sklearn.metrics import confusion_matrix

    layers, classifiers, counts = (list(dict.fromkeys(column)) for column in zip(*grid, strict=True))
    live, update = _curve_and_confusion(counts, class_names, part=part)

    def draw(layer: str, classifier: str, labels_per_class: int) -> Drawing:
        accuracy = np.stack([(grid[layer, classifier, count] == labels).mean(axis=1) for count in counts], axis=1)
        position, answers = counts.index(labels_per_class), grid[layer, classifier, labels_per_class]
        classes = range(len(class_names))
        update(accuracy, position, confusion_matrix(np.tile(labels, len(answers)), answers.ravel(), labels=classes))
        here = accuracy[:, position]
        return live, (
            f"{layer}, {classifier}, {labels_per_class} labels per class: mean accuracy {here.mean():.2f}, "
            + (f"from {here.min():.2f} to {here.max():.2f} over {len(here)} draws." if np.ptp(here) else "in every draw.")
        )

    controls = {
        "labels_per_class": choice("labels per class", counts),
        "layer": choice("layer", [(layer.removesuffix("_pool"), layer) for layer in layers], value=layers[-1]),
        "classifier": choice("classifier", classifiers, kind="menu"),
    }
    name = "Learning curve and confusion matrix of a classifier on cached features"
    means = {layer: (grid[layer, classifiers[0], counts[0]] == labels).mean() for layer in layers}
    best = max(means, key=means.get).removesuffix("_pool")
    measured = ", ".join(f"{layer.removesuffix('_pool')} {mean:.2f}" for layer, mean in means.items())
    question = f"With {counts[0]} labelled picture of each class and {classifiers[0]}: which layer gives the best features?"
    guess = Guess(question, replace(controls["layer"], label="my guess", start=0), f"{best} (accuracy: {measured})")
    return Explorer(draw, controls, name=name, guess=guess)


def _curve_and_confusion(
    counts: Sequence[int], class_names: Sequence[str], *, part: str
) -> tuple[LiveFigure, Callable[..., None]]:
    """Return a figure with a learning curve and a confusion matrix, and the function that gives both new values."""
    figure = Figure(figsize=(9.6, 4.4), layout="constrained")
    curve, matrix = figure.subplots(1, 2, width_ratios=(1, 1.15))
    curve.set(xscale="log", xlabel="labels per class", title="learning curve")
    curve.set(ylabel=f"{part} accuracy", ylim=(0, 1.02))
    curve.set_xticks(counts, [str(count) for count in counts], minor=False)
    curve.minorticks_off()
    curve.set_xlim(counts[0] * 0.85, counts[-1] * 1.18)
    (mean,) = curve.plot(counts, np.zeros(len(counts)), "o-", color=PALETTE[0])
    dots = curve.plot(counts, np.zeros((len(counts), 8)), "_", color=PALETTE[0], alpha=0.6)
    (here,) = curve.plot([counts[0]], [0], "o", markersize=14, markerfacecolor="none", color=PALETTE[1])
    plot_confusion(np.array([], dtype=int), np.array([], dtype=int), class_names=class_names, ax=matrix)
    matrix.set_title("confusion matrix, all draws added up")
    (cells,) = matrix.images
    size = range(len(class_names))
    texts = [[matrix.text(column, row, "", ha="center", va="center", fontsize=8) for column in size] for row in size]
    live = LiveFigure(figure, moving=[*dots, mean, here, cells, *(text for row in texts for text in row)])

    def update(accuracy: np.ndarray, position: int, table: np.ndarray) -> None:
        mean.set_ydata(accuracy.mean(axis=0))
        here.set_data([counts[position]], [accuracy[:, position].mean()])
        for index, line in enumerate(dots):
            line.set_ydata(accuracy[min(index, len(accuracy) - 1)])
        cells.set(data=table, clim=(0, table.sum(axis=1).max()))
        for row, column in np.ndindex(table.shape):
            count = table[row, column]
            color = "white" if 2 * count > table[row].sum() else "black"
            texts[row][column].set(text=str(count) if count else "", color=color)

    return live, update
