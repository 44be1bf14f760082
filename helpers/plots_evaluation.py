"""Plots of notebook 06: calibration, and where in an image a network looked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from helpers.evaluation import Calibration
from helpers.plots import PALETTE, new_axes, plot_images

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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


def plot_heatmaps(
    images: np.ndarray, heatmaps: np.ndarray, *, titles: Sequence[str] | None = None, width: float = 1.6
) -> np.ndarray:
    """Return the Axes of a row of images (n, height, width, 3), each under its map (n, height, width) from 0 to 1."""
    if np.shape(heatmaps) != np.shape(images)[:3]:
        raise ValueError(
            f"images {np.shape(images)} and heatmaps {np.shape(heatmaps)} do not belong together."
        )
    grid = plot_images(images, titles=titles, columns=len(images), width=width)
    for axes, heat in zip(grid, heatmaps, strict=False):
        axes.imshow(heat, cmap="inferno", alpha=0.55, vmin=0, vmax=1)
    return grid
