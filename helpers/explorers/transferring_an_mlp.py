"""The explorers of notebook 03: methods of transfer on two digit sets, and the strength of L2-SP.

Both only look up runs that the notebook has trained before, so a move of a control costs a redraw and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from helpers.explorers.shell import Draw, Explorer, LiveFigure, build_explorer, choice
from helpers.plots import PALETTE

SCRATCH = "from scratch"
MethodRuns = Mapping[tuple[str, str, int, int], np.ndarray]
StrengthRuns = Mapping[tuple[str, float, int], tuple[np.ndarray, np.ndarray]]


def methods_explorer(grid: MethodRuns, *, steps: Sequence[int], counts: Sequence[int]) -> Explorer:
    """Return an explorer of label count, frozen layers, output layer and pictures: accuracy over steps and over labels.

    `grid` holds accuracies (runs, len(steps)) by (pictures, output layer, frozen layers, labels per class); instead of
    an output layer, `SCRATCH` with no frozen layer has to be there for all pictures, and is drawn beside the rest.
    Names of more than ten letters don't fit beside a slider.
    """
    controls = {
        "labels_per_class": choice("labels per class", list(counts), value=counts[len(counts) // 2]),
        "frozen": choice("frozen layers", sorted({key[2] for key in grid})),
        "output": choice("output layer", list(dict.fromkeys(key[1] for key in grid if key[1] != SCRATCH))),
        "pictures": choice("pictures", list(dict.fromkeys(key[0] for key in grid))),
    }
    name = "Transfer against training from scratch on the digits of the target task"
    return build_explorer(_methods_figure(grid, steps, counts), controls=controls, name=name)


def strength_explorer(grid: StrengthRuns, *, strengths: Sequence[float], counts: Sequence[int]) -> Explorer:
    """Return an explorer of the strength of L2-SP: accuracy, and how far the weights went from the source.

    `grid` holds (accuracies (runs,), distances (runs,)) by (pictures, strength, labels per class).
    """
    controls = {
        "strength": choice("strength", [(f"{value:g}", value) for value in strengths]),
        "labels_per_class": choice("labels per class", list(counts)),
        "pictures": choice("pictures", list(dict.fromkeys(key[0] for key in grid))),
    }
    name = "The strength of L2-SP, the pull towards the weights of the source"
    return build_explorer(_strength_figure(grid, strengths), controls=controls, name=name)


def _methods_figure(grid: MethodRuns, steps: Sequence[int], counts: Sequence[int]) -> Draw:
    figure = Figure(figsize=(9.6, 4.0), layout="constrained")
    over_steps, over_labels = figure.subplots(1, 2)
    runs = len(next(iter(grid.values())))
    _style(over_steps, steps, xlabel="steps of training", title="training, at this label count")
    _style(over_labels, counts, xlabel="labels per class", title="end of training")
    over_labels.set_ylim(_floor(values[:, -1] for values in grid.values()), 1.01)
    series = [
        _add_series(axes, len(places), runs, style, color=color, label=label)
        for axes, places in ((over_steps, steps), (over_labels, counts))
        for style, color, label in (("s-", PALETTE[1], SCRATCH), ("o-", PALETTE[0], "transfer, as chosen"))
    ]
    over_steps.legend(loc="lower right")
    over_labels.legend(loc="lower right")
    live = LiveFigure(figure, moving=sum(series, []))

    def draw(labels_per_class: int, frozen: int, output: str, pictures: str) -> tuple[LiveFigure, str]:
        keys = ((pictures, SCRATCH, 0), (pictures, output, frozen))
        ends = [np.stack([grid[(*key, count)][:, -1] for count in counts], axis=1) for key in keys]
        for lines, key in zip(series[:2], keys, strict=True):
            _move_series(lines, grid[(*key, labels_per_class)])
        place = list(counts).index(labels_per_class)
        _move_series(series[2], ends[0])
        _move_series(series[3], ends[1], ring_at=place)
        return live, _sentence(ends[1][:, place], ends[0][:, place], labels_per_class)

    return draw


def _sentence(transfer: np.ndarray, scratch: np.ndarray, labels_per_class: int) -> str:
    """Return what the figure shows at this number of labels, in words."""
    gain, verdict = transfer - scratch, "no clear difference"
    if abs(gain.mean()) > 2 * gain.std(ddof=1) / np.sqrt(len(gain)):
        verdict = "transfer helps" if gain.mean() > 0 else "negative transfer"
    return (
        f"{labels_per_class} labels per class: transfer {transfer.mean():.3f}, from scratch {scratch.mean():.3f}; transfer "
        f"is ahead in {(gain > 0).sum()} of {len(gain)} runs, by {gain.mean():+.3f} on average: {verdict}."
    )


def _strength_figure(grid: StrengthRuns, strengths: Sequence[float]) -> Draw:
    figure = Figure(figsize=(9.6, 3.8), layout="constrained")
    panels, names = figure.subplots(1, 2), [f"{value:g}" for value in strengths]
    _style(panels[0], names, xlabel="strength of the pull", title="accuracy at the end")
    _style(panels[1], names, xlabel="strength of the pull", title="distance from the source weights")
    panels[0].set_ylim(_floor(right for right, _ in grid.values()), 1.01)
    panels[1].set(ylabel="distance (Euclidean)", ylim=(0, 1.08 * max(far.max() for _, far in grid.values())))
    runs = len(next(iter(grid.values()))[0])
    looks = zip(panels, ("o-", "s-"), PALETTE, strict=False)
    series = [_add_series(axes, len(strengths), runs, style, color=color) for axes, style, color in looks]
    live = LiveFigure(figure, moving=sum(series, []))

    def draw(strength: float, labels_per_class: int, pictures: str) -> tuple[LiveFigure, str]:
        columns = [grid[pictures, other, labels_per_class] for other in strengths]
        for lines, values in zip(series, zip(*columns, strict=True), strict=True):
            _move_series(lines, np.stack(values, axis=1), ring_at=list(strengths).index(strength))
        right, far = (values.mean() for values in grid[pictures, strength, labels_per_class])
        return live, (
            f"strength {strength:g}, {labels_per_class} labels per class: mean accuracy {right:.3f}; the hidden layers "
            f"end {far:.2f} away from the source on average."
        )

    return draw


def _add_series(axes: Axes, places: int, runs: int, style: str, **look: str) -> list[Line2D]:
    """Return lines over the places: a dash for each run, their mean in the given style, and a ring around one place."""
    dashes = axes.plot(range(places), np.zeros((places, runs)), "_", color=look["color"], alpha=0.5)
    mean = axes.plot(range(places), np.zeros(places), style, **look)
    return dashes + mean + axes.plot([], [], "o", markersize=16, markerfacecolor="none", color="black")


def _move_series(lines: list[Line2D], values: np.ndarray, *, ring_at: int | None = None) -> None:
    """Show values (runs, places) with the lines of `_add_series`."""
    *lines, ring = lines
    for line, heights in zip(lines, [*values, values.mean(axis=0)], strict=True):
        line.set_ydata(heights)
    if ring_at is not None:
        ring.set_data([ring_at], [values[:, ring_at].mean()])


def _style(axes: Axes, places: Sequence[object], *, xlabel: str, title: str) -> None:
    axes.set(xlabel=xlabel, ylabel="accuracy", title=title, ylim=(0, 1.02))
    axes.set_xticks(range(len(places)), [str(place) for place in places])


def _floor(accuracies: Iterable[np.ndarray]) -> float:
    """Return the lower end of an axis that shows all accuracies: a multiple of 0.1 below the smallest."""
    return max(0.0, np.floor(10 * min(values.min() for values in accuracies) - 0.2) / 10)
