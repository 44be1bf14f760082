"""The pictures of the workbook: one style, one palette, and the plots that more than one notebook draws.

Every `plot_` function takes `ax=None`, draws, and returns the Axes; none of them shows anything. `show` puts a finished
figure into the page, with the alternative text that a screen reader reads out. Importing this module sets the style.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from helpers.evaluation import Calibration

if TYPE_CHECKING:
    from matplotlib.axes import Axes

matplotlib.rcParams.update(matplotlib.rc_params_from_file(Path(__file__).with_name("workbook.mplstyle"), False, False))
PALETTE = tuple(matplotlib.rcParams["axes.prop_cycle"].by_key()["color"])
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
SEQUENTIAL = matplotlib.rcParams["image.cmap"]

# Colour and line of each state of a layer. The word stands in the box as well, so that nothing hangs on the colour.
STATES = {
    "": ("#FFFFFF", "-"),
    "frozen": ("#D3E4F2", "-"),
    "trained": ("#F6C37A", "-"),
    "new": ("#8FD3BC", "-"),
    "held back": ("#FBE3BF", "--"),
}
WIDTH, HEIGHT, STEP = 1.0, 0.62, 1.25  # of the box of a layer, and from one box to the next


def new_axes(*, rows: int = 1, columns: int = 1, size: tuple[float, float] | None = None) -> Any:
    """Return the Axes of a new figure (an array of them when there is more than one), outside pyplot.

    `size` is in inches. The figure belongs to nobody but its Axes, so nothing is shown twice and nothing stays in memory.
    """
    return Figure(figsize=size, layout="constrained").subplots(rows, columns)


def figure_png(figure: Figure) -> bytes:
    """Return the figure as the bytes of a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", pil_kwargs={"compress_level": 3})
    return buffer.getvalue()


def image_html(png: bytes, *, alt: str) -> str:
    """Return an `<img>` element that holds the picture itself and its alternative text."""
    data = base64.b64encode(png).decode("ascii")
    return f'<img style="max-width: 100%" alt="{html.escape(alt)}" src="data:image/png;base64,{data}">'


def show(plot: Axes | Figure | np.ndarray, *, alt: str) -> None:
    """Put a plot into the notebook, with alternative text.

    JupyterLab shows an inline figure without any alternative text; the same picture inside HTML keeps it. The bare PNG
    goes along for pages that show no HTML. `alt` says in one sentence what is to be seen, without measured digits (they
    differ from machine to machine, and this text is compared when the notebook is tested).
    """
    from IPython.display import display

    if not alt.strip():
        raise ValueError("alt is empty: say in one sentence what the picture shows.")
    first = np.asarray(plot, dtype=object).reshape(-1)[0]
    png = figure_png(first if isinstance(first, Figure) else first.get_figure(root=True))
    bundle = {"text/plain": f"[picture] {alt}", "text/html": image_html(png, alt=alt), "image/png": png}
    display(bundle, raw=True)


def plot_images(
    images: np.ndarray,
    *,
    titles: Sequence[str] | None = None,
    columns: int = 8,
    width: float = 1.05,
    cmap: str = "gray",
) -> np.ndarray:
    """Return the Axes of a grid that shows images, in reading order.

    `images` is (n, height, width, 3) in 0..255 (uint8) or 0..1 (float), or (n, height, width) in any range. `width` is
    that of one image and its margin in inches; long titles want more.
    """
    count = len(images)
    if count == 0:
        raise ValueError("there is no image to plot: `images` is empty.")
    if titles is not None and len(titles) != count:
        raise ValueError(f"received {count} images and {len(titles)} titles: give one title for each image.")
    columns = min(columns, count)
    rows = -(-count // columns)
    lines = 0 if titles is None else 1 + max(title.count("\n") for title in titles)
    size = (width * columns, (width + 0.2 * lines) * rows)
    grid = np.atleast_1d(new_axes(rows=rows, columns=columns, size=size)).reshape(-1)
    for axes in grid:
        axes.axis("off")
    for axes, image, title in zip(grid, images, [""] * count if titles is None else titles, strict=False):
        axes.imshow(image, cmap=cmap)
        axes.set_title(title, fontsize=8, loc="center", weight="normal")
    return grid


def plot_curves(
    x: Sequence[float],
    curves: Mapping[str, np.ndarray],
    *,
    xlabel: str,
    ylabel: str = "test accuracy",
    chance: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Return Axes with one line for each named curve and a band from its lowest to its highest run.

    A curve is (runs, len(x)): the line is the mean over runs (usually seeds). Lines differ by marker as well as colour.
    `chance` draws the level that guessing reaches.
    """
    ax = ax if ax is not None else new_axes()
    for index, (name, values) in enumerate(curves.items()):
        values = np.atleast_2d(np.asarray(values, dtype="float64"))
        if values.shape[1] != len(x):
            raise ValueError(f"curve {name!r} has {values.shape[1]} values a run for {len(x)} positions on the x axis.")
        color, marker = PALETTE[index % len(PALETTE)], MARKERS[index % len(MARKERS)]
        ax.plot(x, values.mean(axis=0), color=color, marker=marker, label=name)
        ax.fill_between(x, values.min(axis=0), values.max(axis=0), color=color, alpha=0.15, linewidth=0)
    if chance is not None:
        ax.axhline(chance, color="0.4", linestyle=":", linewidth=1.5, label="guessing")
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.legend(loc="best")
    return ax


def plot_bars(
    values: Mapping[str, np.ndarray],
    *,
    xlabel: str = "test accuracy",
    chance: float | None = None,
    decimals: int = 2,
    ax: Axes | None = None,
) -> Axes:
    """Return Axes with one horizontal bar for each name: the mean over runs, written beside it, and every run as a dot.

    Each value is one number, which gets no dot, or an array with one number for each run (usually seeds).
    """
    names = list(values)
    ax = ax if ax is not None else new_axes(size=(7.0, 0.7 + 0.42 * len(names)))
    for row, name in enumerate(names):
        runs = np.atleast_1d(np.asarray(values[name], dtype="float64"))
        ax.barh(row, runs.mean(), color=PALETTE[4], height=0.65)
        if len(runs) > 1:
            ax.plot(runs, np.full(len(runs), row), "o", color="black", markersize=3.5)
        beside = {"xytext": (6, 0), "textcoords": "offset points", "va": "center", "fontsize": 9}
        ax.annotate(f"{runs.mean():.{decimals}f}", (max(runs.max(), 0), row), **beside)
    if chance is not None:
        ax.axvline(chance, color="black", linestyle=":", linewidth=1.5)
        xlabel += " (dotted: guessing)"
    ax.set_yticks(range(len(names)), names)
    ax.set(xlabel=xlabel)
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    return ax


def plot_confusion(
    labels: np.ndarray, predictions: np.ndarray, *, class_names: Sequence[str], ax: Axes | None = None
) -> Axes:
    """Return Axes with the confusion matrix: rows are true classes, columns are predicted ones, cells are counts."""
    from sklearn.metrics import confusion_matrix

    count = len(class_names)
    counts = np.zeros((count, count), dtype=int)
    if len(labels):  # scikit-learn wants at least one
        counts = confusion_matrix(labels, predictions, labels=range(count))
    if counts.sum() != len(labels):
        raise ValueError(f"labels or predictions hold classes outside 0 to {count - 1}, the places in class_names.")
    ax = ax if ax is not None else new_axes(size=(0.42 * count + 2.0, 0.36 * count + 1.6))
    largest = counts.sum(axis=1).max()
    ax.imshow(counts, cmap="Blues", vmin=0, vmax=max(1, largest))
    for row, column in np.argwhere(counts):
        number = counts[row, column]
        color = "white" if number > 0.5 * largest else "black"
        ax.text(column, row, number, ha="center", va="center", fontsize=8, color=color)
    ax.set_xticks(range(count), class_names, rotation=45, ha="right", fontsize=8)
    ax.set_yticks(range(count), class_names, fontsize=8)
    ax.set(xlabel="predicted", ylabel="true")
    ax.grid(visible=False)
    return ax


def plot_layers(networks: Mapping[str, Mapping[str, str]], *, ax: Axes | None = None) -> Axes:
    """Return Axes with one row of boxes for each network: layers from left to right, and what happens to each.

    `networks` maps the name of a row to its layers, and each layer to a state of `STATES`: "frozen", "trained" (goes on from
    the weights that it has), "new" (starts at random or at zero), "held back" (pulled towards the weights that it had), or
    "" for data. A line break in the name of a layer starts a second line. Raises ValueError for any other state.
    """
    longest = max(map(len, networks.values()))
    ax = ax if ax is not None else new_axes(size=(1.7 + 1.05 * longest, 0.25 + 0.75 * len(networks)))
    for row, (name, layers) in enumerate(networks.items()):
        ax.text(-0.15, -row, name, ha="right", va="center", weight="bold", fontsize=9)
        for column, (layer, state) in enumerate(layers.items()):
            _box(ax, STEP * column, -row, layer, state)
            if column:
                before, arrow = STEP * (column - 1) + WIDTH, {"arrowstyle": "->", "color": "#444444"}
                ax.annotate("", xy=(STEP * column, -row), xytext=(before, -row), arrowprops=arrow)
    ax.set(xlim=(-2.0, STEP * longest), ylim=(0.5 - len(networks), 0.5))
    ax.axis("off")
    return ax


def vgg16_states(first_trained: str, *, head: str = "new") -> dict[str, str]:
    """Return the layers of VGG16 with a head, frozen up to the one where training begins: "block 5", say, or "head"."""
    layers = [f"block {number}" for number in range(1, 6)] + ["head"]
    if first_trained not in layers:
        raise ValueError(f"first_trained is {first_trained!r}; choose from {', '.join(layers)}.")
    at = layers.index(first_trained)
    return {layer: "frozen" if index < at else "trained" for index, layer in enumerate(layers)} | {"head": head}


def _box(ax: Axes, left: float, middle: float, layer: str, state: str) -> None:
    if state not in STATES:
        raise ValueError(f"{layer} is {state!r}; choose from {', '.join(map(repr, STATES))}.")
    colour, line_style = STATES[state]
    box = FancyBboxPatch((left, middle - HEIGHT / 2), WIDTH, HEIGHT, boxstyle="round,pad=0,rounding_size=0.08")
    box.set(facecolor=colour, edgecolor="#444444", linestyle=line_style)
    ax.add_patch(box)
    first, _, second = layer.partition("\n")
    label = "\n".join(line for line in (second, state) if line)
    place = {"ha": "center", "va": "center", "color": "black"}
    ax.text(left + WIDTH / 2, middle + (0.12 if label else 0), first, fontsize=9, weight="bold", **place)
    ax.text(left + WIDTH / 2, middle - 0.13, label, fontsize=7.5, linespacing=1.0, **place)


def plot_calibration(calibration: Calibration, *, label: str | None = None, ax: Axes | None = None) -> Axes:
    """Return Axes with accuracy over confidence, one dot for each bin, its size the number of answers in it."""
    ax = ax if ax is not None else new_axes(size=(4.6, 4.2))
    filled = calibration.count > 0
    if not ax.lines:
        ax.plot([0, 1], [0, 1], ":", color="0.4", linewidth=1.5, label="as sure as right")
    color = PALETTE[(len(ax.lines) - 1) % len(PALETTE)]
    ax.plot(calibration.confidence[filled], calibration.accuracy[filled], "-", color=color, label=label)
    sizes = 20 + 180 * calibration.count[filled] / calibration.count.max()
    ax.scatter(calibration.confidence[filled], calibration.accuracy[filled], s=sizes, color=color, alpha=0.7)
    ax.set(xlabel="confidence of the answer", ylabel="share of right answers", xlim=(0, 1.03), ylim=(0, 1.05))
    ax.legend(loc="upper left")
    return ax


def plot_repeat(record: Mapping[str, Any], mine: Mapping[str, Any], *, ax: Axes | None = None) -> Axes:
    """Return Axes with what a recorded run of `run_arm` (wide) and one just made (thin) reached on validation.

    A trained arm has one value for each check, a classical one for each of its four `C`.
    """
    ax = ax if ax is not None else new_axes(size=(6.5, 3.2))
    for name, run, width in (("recorded", record, 7), ("just now", mine, 2)):
        trained = "curve" in run
        steps, values = np.array(run["curve"]).T[[0, 3]] if trained else (range(1, 5), run["candidates"])
        label = f"{name}: test accuracy {run['test_accuracy']:.3f}, {run['seconds']:.0f} s"
        ax.plot(steps, values, "o-", linewidth=width, alpha=0.7, label=label)
    ax.set(xlabel="step" if trained else "number of C", ylabel="validation accuracy", ylim=(0, 1.02))
    ax.legend(loc="lower right")
    return ax


def plot_heatmaps(
    images: np.ndarray, heatmaps: np.ndarray, *, titles: Sequence[str] | None = None, width: float = 1.6
) -> np.ndarray:
    """Return the Axes of a row of images (n, height, width, 3), each under its map (n, height, width) from 0 to 1."""
    if np.shape(heatmaps) != np.shape(images)[:3]:
        raise ValueError(f"images {np.shape(images)} and heatmaps {np.shape(heatmaps)} do not belong together.")
    grid = plot_images(images, titles=titles, columns=len(images), width=width)
    for axes, heat in zip(grid, heatmaps, strict=False):
        axes.imshow(heat, cmap="inferno", alpha=0.55, vmin=0, vmax=1)
    return grid
