"""The explorers of notebook 03, which look up runs trained before: methods of transfer, and the strength of L2-SP."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.stats import t

from helpers.explorers.shell import Draw, Explorer, Guess, LiveFigure, choice
from helpers.plots import PALETTE

SCRATCH = "from scratch"
MethodRuns = Mapping[tuple[str, str, int, int], np.ndarray]
StrengthRuns = Mapping[tuple[str, float, int], tuple[np.ndarray, np.ndarray]]


def methods_explorer(grid: MethodRuns, *, steps: Sequence[int], counts: Sequence[int]) -> Explorer:
    """Return an explorer of label count, frozen layers, output layer and pictures: accuracy over steps and over labels.

    `grid` holds accuracies (runs, len(steps)) by (pictures, output layer, frozen layers, labels per class); for all
    pictures, `SCRATCH` and 0 have to be there, too. Names of more than ten letters don't fit beside a slider.
    """
    controls = {
        "labels_per_class": choice("labels per class", list(counts)),
        "frozen": choice("frozen layers", sorted({key[2] for key in grid})),
        "output": choice("output layer", list(dict.fromkeys(key[1] for key in grid if key[1] != SCRATCH))),
        "pictures": choice("pictures", list(dict.fromkeys(key[0] for key in grid))),
    }
    name = "Transfer against training from scratch on the digits of the target task"
    start = {key: control.values[control.start] for key, control in controls.items()}
    ends = [grid[start["pictures"], *key, counts[0]][:, -1] for key in ((SCRATCH, 0), (start["output"], start["frozen"]))]
    question = (
        f"Pictures {start['pictures']}, output layer {start['output']}, {start['frozen']} frozen layers, {counts[0]} labels "
        "per class: by how much is transfer ahead of training from scratch?"
    )
    gains = [(f"{gain / 20:+.2f}", gain) for gain in range(-8, 9)]
    guess = Guess(question, choice("my guess", gains, value=0), f"{(ends[1] - ends[0]).mean():+.2f}")
    return Explorer(_methods_figure(grid, steps, counts), controls, name=name, guess=guess)


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
    pictures, most = controls["pictures"].values[0], counts[-1]
    strongest, none = (grid[pictures, value, most][0].mean() for value in (strengths[-1], strengths[0]))
    question = (
        f"Pictures {pictures}, {most} labels per class: what does the pull of strength {strengths[-1]:g} change in the mean "
        f"accuracy, against {strengths[0]:g}?"
    )
    changes = [(f"{change / 50:+.2f}", change) for change in range(-5, 6)]
    guess = Guess(question, choice("my guess", changes, value=0), f"{strongest - none:+.3f}")
    return Explorer(_strength_figure(grid, strengths), controls, name=name, guess=guess)


def _methods_figure(grid: MethodRuns, steps: Sequence[int], counts: Sequence[int]) -> Draw:
    figure = Figure(figsize=(9.6, 4.0), layout="constrained")
    over_steps, over_labels = figure.subplots(1, 2)
    _style(over_steps, steps, xlabel="steps of training", title="training, at this label count")
    _style(over_labels, counts, xlabel="labels per class", title="end of training")
    over_labels.set_ylim(_floor(values[:, -1] for values in grid.values()), 1.01)
    series = [
        _add_series(axes, len(places), style, color=color, label=label)
        for axes, places in ((over_steps, steps), (over_labels, counts))
        for style, color, label in (("s-", PALETTE[1], SCRATCH), ("o-", PALETTE[0], "transfer, as chosen"))
    ]
    over_steps.legend(loc="lower right")
    over_labels.legend(loc="lower right")
    live = LiveFigure(figure, moving=sum(series, []))

    def draw(labels_per_class: int, frozen: int, output: str, pictures: str) -> tuple[LiveFigure, str]:
        keys = ((pictures, SCRATCH, 0), (pictures, output, frozen))
        ends = [np.stack([grid[(*key, count)][:, -1] for count in counts], axis=1) for key in keys]
        shown, place = [*(grid[(*key, labels_per_class)] for key in keys), *ends], list(counts).index(labels_per_class)
        for lines, values, ring_at in zip(series, shown, ([], [], [], [place]), strict=True):
            _move_series(lines, values, ring_at=ring_at)
        scratch, transfer = (end[:, place] for end in ends)
        gain, verdict = transfer - scratch, "no clear difference"
        margin = t.ppf(0.975, len(gain) - 1) * gain.std(ddof=1) / np.sqrt(len(gain))
        if abs(gain.mean()) > margin:
            verdict = "transfer helps" if gain.mean() > 0 else "negative transfer"
        return live, (
            f"{labels_per_class} labels per class: transfer {transfer.mean():.3f}, from scratch {scratch.mean():.3f}; "
            f"difference {gain.mean():+.3f} ± {margin:.3f} (95 % interval), transfer ahead in {(gain > 0).sum()} of "
            f"{len(gain)} runs: {verdict}."
        )

    return draw


def _strength_figure(grid: StrengthRuns, strengths: Sequence[float]) -> Draw:
    figure = Figure(figsize=(9.6, 3.8), layout="constrained")
    panels, names = figure.subplots(1, 2), [f"{value:g}" for value in strengths]
    _style(panels[0], names, xlabel="strength of the pull", title="accuracy at the end")
    _style(panels[1], names, xlabel="strength of the pull", title="distance from the source weights")
    panels[0].set_ylim(_floor(right for right, _ in grid.values()), 1.01)
    panels[1].set(ylabel="distance (Euclidean)", ylim=(0, 1.08 * max(far.max() for _, far in grid.values())))
    looks = zip(panels, ("o-", "s-"), PALETTE, strict=False)
    series = [_add_series(axes, len(strengths), style, color=color) for axes, style, color in looks]
    live = LiveFigure(figure, moving=sum(series, []))

    def draw(strength: float, labels_per_class: int, pictures: str) -> tuple[LiveFigure, str]:
        columns = [grid[pictures, other, labels_per_class] for other in strengths]
        for lines, values in zip(series, zip(*columns, strict=True), strict=True):
            _move_series(lines, np.stack(values, axis=1), ring_at=[list(strengths).index(strength)])
        right, far = (values.mean() for values in grid[pictures, strength, labels_per_class])
        return live, (
            f"strength {strength:g}, {labels_per_class} labels per class: mean accuracy {right:.3f}; the hidden layers "
            f"end {far:.2f} away from the source on average."
        )

    return draw


def _add_series(axes: Axes, places: int, style: str, **look: str) -> list[Line2D]:
    """Return a dash for each run and place, the mean of the runs in the given style, and a ring around one place."""
    dashes = axes.plot([], [], "_", color=look["color"], alpha=0.5)
    mean = axes.plot(range(places), np.zeros(places), style, **look)
    return dashes + mean + axes.plot([], [], "o", markersize=16, markerfacecolor="none", color="black")


def _move_series(series: list[Line2D], values: np.ndarray, *, ring_at: list[int]) -> None:
    """Show values (runs, places) with what `_add_series` returned."""
    dashes, mean, ring = series
    dashes.set_data(np.indices(values.shape)[1].ravel(), values.ravel())
    mean.set_ydata(values.mean(axis=0))
    ring.set_data(ring_at, values[:, ring_at].mean(axis=0))


def _style(axes: Axes, places: Sequence[object], *, xlabel: str, title: str) -> None:
    axes.set(xlabel=xlabel, ylabel="accuracy", title=title, ylim=(0, 1.02))
    axes.set_xticks(range(len(places)), [str(place) for place in places])


def _floor(accuracies: Iterable[np.ndarray]) -> float:
    """Return the lower end of an axis that shows all accuracies: a multiple of 0.1 below the smallest."""
    return max(0.0, np.floor(10 * min(values.min() for values in accuracies) - 0.2) / 10)
