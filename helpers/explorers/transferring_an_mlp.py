"""The explorers of notebook 03: methods of transfer on two digit sets, and the strength of L2-SP.

Both only look up runs that the notebook has trained before, so a move of a control costs a redraw and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from helpers.explorers.shell import Explorer, LiveFigure, build_explorer, choice
from helpers.plots import PALETTE

SCRATCH = "from scratch"


def methods_explorer(
    grid: Mapping[tuple[str, str, int, int], np.ndarray], *, steps: Sequence[int], counts: Sequence[int]
) -> Explorer:
    """Return an explorer of label count, frozen layers, output layer and pictures: accuracy over steps and over labels.

    `grid` holds accuracies (runs, len(steps)) by (pictures, output layer, frozen layers, labels per class); instead of
    an output layer, `SCRATCH` with no frozen layer has to be there for all pictures, and is drawn beside the rest.
    Names of more than ten letters don't fit beside a slider.
    """
    pictures = list(dict.fromkeys(key[0] for key in grid))
    outputs = list(dict.fromkeys(key[1] for key in grid if key[1] != SCRATCH))
    return build_explorer(
        methods_figure(grid, steps=steps, counts=counts),
        controls={
            "labels_per_class": choice("labels per class", list(counts), value=counts[len(counts) // 2]),
            "frozen": choice("frozen layers", sorted({key[2] for key in grid})),
            "output": choice("output layer", outputs),
            "pictures": choice("pictures", pictures),
        },
        name="Transfer against training from scratch on the digits of the target task",
    )


def methods_figure(
    grid: Mapping[tuple[str, str, int, int], np.ndarray], *, steps: Sequence[int], counts: Sequence[int]
) -> Callable[..., tuple[LiveFigure, str]]:
    """Return the drawing function of `methods_explorer`: values of the controls in, figure and sentence out."""
    figure = Figure(figsize=(9.6, 4.0), layout="constrained")
    over_steps, over_labels = figure.subplots(1, 2)
    runs = len(next(iter(grid.values())))
    _style(over_steps, steps, xlabel="steps of training", title="training, at this label count")
    _style(over_labels, counts, xlabel="labels per class", title="end of training")
    over_labels.set_ylim(_floor([values[:, -1] for values in grid.values()]), 1.01)
    artists = []
    for axes, places in ((over_steps, steps), (over_labels, counts)):
        for marker, color, name in (("s", PALETTE[1], SCRATCH), ("o", PALETTE[0], "transfer, as chosen")):
            dots = axes.plot(range(len(places)), np.zeros((len(places), runs)), "_", color=color, alpha=0.5)
            (mean,) = axes.plot(range(len(places)), np.zeros(len(places)), marker + "-", color=color, label=name)
            artists.append((mean, dots))
        axes.legend(loc="lower right")
    (ring,) = over_labels.plot([0], [0], "o", markersize=16, markerfacecolor="none", color="black")
    live = LiveFigure(figure, moving=[*(line for mean, dots in artists for line in (*dots, mean)), ring])

    def draw(labels_per_class: int, frozen: int, output: str, pictures: str) -> tuple[LiveFigure, str]:
        keys = ((pictures, SCRATCH, 0), (pictures, output, frozen))
        ends = [np.stack([grid[(*key, count)][:, -1] for count in counts], axis=1) for key in keys]
        curves = [grid[(*key, labels_per_class)] for key in keys]
        for (mean, dots), values in zip(artists, [*curves, *ends], strict=True):
            mean.set_ydata(values.mean(axis=0))
            for line, run in zip(dots, values, strict=True):
                line.set_ydata(run)
        place = list(counts).index(labels_per_class)
        ring.set_data([place], [ends[1][:, place].mean()])
        return live, _sentence(ends[1][:, place], ends[0][:, place], labels_per_class)

    return draw


def _sentence(transfer: np.ndarray, scratch: np.ndarray, labels_per_class: int) -> str:
    """Return what the figure shows at this number of labels, in words."""
    gain = transfer - scratch
    wins, runs = int((gain > 0).sum()), len(gain)
    error = gain.std(ddof=1) / np.sqrt(runs)
    verdict = "no clear difference"
    if abs(gain.mean()) > 2 * error:
        verdict = "transfer helps" if gain.mean() > 0 else "negative transfer"
    return (
        f"{labels_per_class} labels per class: transfer {transfer.mean():.3f}, from scratch {scratch.mean():.3f}; "
        f"transfer is ahead in {wins} of {runs} runs, by {gain.mean():+.3f} on average: {verdict}."
    )


def strength_explorer(
    grid: Mapping[tuple[str, float, int], tuple[np.ndarray, np.ndarray]],
    *,
    strengths: Sequence[float],
    counts: Sequence[int],
) -> Explorer:
    """Return an explorer of the strength of L2-SP: accuracy, and how far the weights went from the source.

    `grid` holds (accuracies (runs,), distances (runs,)) by (pictures, strength, labels per class).
    """
    pictures = list(dict.fromkeys(key[0] for key in grid))
    return build_explorer(
        strength_figure(grid, strengths=strengths, counts=counts),
        controls={
            "strength": choice("strength", [(f"{value:g}", value) for value in strengths]),
            "labels_per_class": choice("labels per class", list(counts)),
            "pictures": choice("pictures", pictures),
        },
        name="The strength of L2-SP, the pull towards the weights of the source",
    )


def strength_figure(
    grid: Mapping[tuple[str, float, int], tuple[np.ndarray, np.ndarray]],
    *,
    strengths: Sequence[float],
    counts: Sequence[int],
) -> Callable[..., tuple[LiveFigure, str]]:
    """Return the drawing function of `strength_explorer`: values of the controls in, figure and sentence out."""
    figure = Figure(figsize=(9.6, 3.8), layout="constrained")
    panels = figure.subplots(1, 2)
    names = [f"{value:g}" for value in strengths]
    largest = max(distance.max() for _, distance in grid.values())
    _style(panels[0], names, xlabel="strength of the pull", title="accuracy at the end")
    _style(panels[1], names, xlabel="strength of the pull", title="distance from the source weights")
    panels[0].set_ylim(_floor([right for right, _ in grid.values()]), 1.01)
    panels[1].set(ylabel="distance (Euclidean)", ylim=(0, 1.08 * largest))
    runs, places = len(next(iter(grid.values()))[0]), range(len(strengths))
    artists, moving = [], []
    for axes, marker, color in zip(panels, "os", PALETTE, strict=False):
        dots = axes.plot(places, np.zeros((len(strengths), runs)), "_", color=color, alpha=0.5)
        (mean,) = axes.plot(places, np.zeros(len(strengths)), marker + "-", color=color)
        (ring,) = axes.plot([0], [0], "o", markersize=16, markerfacecolor="none", color="black")
        artists.append((mean, dots, ring))
        moving += [*dots, mean, ring]
    live = LiveFigure(figure, moving=moving)

    def draw(strength: float, labels_per_class: int, pictures: str) -> tuple[LiveFigure, str]:
        place = list(strengths).index(strength)
        for which, (mean, dots, ring) in enumerate(artists):
            values = np.stack([grid[pictures, s, labels_per_class][which] for s in strengths], axis=1)
            mean.set_ydata(values.mean(axis=0))
            for line, run in zip(dots, values, strict=True):
                line.set_ydata(run)
            ring.set_data([place], [values[:, place].mean()])
        right, far = (values.mean() for values in grid[pictures, strength, labels_per_class])
        return live, (
            f"strength {strength:g}, {labels_per_class} labels per class: mean accuracy {right:.3f}; the hidden layers "
            f"end {far:.2f} away from the source on average."
        )

    return draw


def _style(axes, places, *, xlabel, title):
    axes.set(xlabel=xlabel, ylabel="accuracy", title=title, ylim=(0, 1.02))
    axes.set_xticks(range(len(places)), [str(place) for place in places])


def _floor(accuracies):
    """Return the lower end of an axis that shows all accuracies: a multiple of 0.1 below the smallest."""
    return max(0.0, np.floor(10 * min(values.min() for values in accuracies) - 0.2) / 10)
