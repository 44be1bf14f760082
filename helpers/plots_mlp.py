"""Pictures of small networks: the neurons themselves, points of two classes, and what a network says about the plane.

Class 0 is drawn as white circles and class 1 as black squares, on orange (low) to purple (high), so that no colour has to
be told apart. Notebook 01 and its explorers use them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, product
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import ListedColormap
from matplotlib.image import AxesImage

from helpers.numpy_mlp import Layers, predict, softmax
from helpers.plots import PALETTE, new_axes

EDGE = 3.0  # the plane goes from -EDGE to EDGE in both directions
POINT_STYLES: list[dict[str, Any]] = [
    {"marker": "o", "color": "white", "edgecolor": "black"},
    {"marker": "s", "color": "black", "edgecolor": "white"},
]


def plot_network(sizes: Sequence[int], *, ax: Axes | None = None) -> Axes:
    """Return Axes with a column of neurons for each size, each neuron joined to all of the next column."""
    ax = ax if ax is not None else new_axes(size=(6, 3))
    places = [[(index, row - (size - 1) / 2) for row in range(size)] for index, size in enumerate(sizes)]
    for before, after in pairwise(places):
        for ends in product(before, after):
            ax.plot(*np.transpose(ends), color="0.6", linewidth=1)
    names = ["input layer", *["hidden layer"] * (len(sizes) - 2), "output layer"]
    below = -max(sizes) / 2 - 0.4
    for layer, name in zip(places, names, strict=True):
        ax.plot(*np.transpose(layer), "o", markersize=22, color=PALETTE[4], markeredgecolor="black")
        ax.text(layer[0][0], below, name, ha="center")
    ax.axis("off")
    ax.set(xlim=(-0.3, len(sizes) - 0.7), ylim=(below - 0.2, max(sizes) / 2 + 0.1))
    return ax


def plot_points(
    points: np.ndarray, labels: np.ndarray, *, size: float = 26, ax: Axes | None = None
) -> list[PathCollection]:
    """Return the marks of class 0 and of class 1; points are (n, 2), labels 0 or 1, `size` is that of a mark."""
    ax = ax if ax is not None else new_axes(size=(4, 3.6))
    ax.set(xlabel="input x1", ylabel="input x2")
    return [
        ax.scatter(
            *points[labels == label].T, s=size, linewidth=size**0.5 / 6, **style, label=f"class {label}"
        )
        for label, style in enumerate(POINT_STYLES)
    ]


def plot_plane(values: np.ndarray, *, limits: tuple[float, float] = (0, 1), ax: Axes) -> AxesImage:
    """Return the image of `values` (size, size) on the plane, from orange (low limit) to purple (high)."""
    pale = ListedColormap(colormaps["PuOr"](np.linspace(0.2, 0.8, 256)))
    ax.grid(visible=False)
    extent = (-EDGE, EDGE, -EDGE, EDGE)
    image = ax.imshow(values, origin="lower", extent=extent, cmap=pale, clim=limits)
    image.set_interpolation("bilinear")
    return image


def plane_places(size: int) -> np.ndarray:
    """Return places (size * size, 2) that cover the plane, row by row from below."""
    line = np.linspace(-EDGE, EDGE, size)
    return np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)


def plot_regions(
    layers: Layers,
    points: np.ndarray,
    labels: np.ndarray,
    *,
    activation: str = "tanh",
    ax: Axes | None = None,
) -> Axes:
    """Return Axes that show the probability of class 1 at every place, as a network sees it, and the points."""
    ax = ax if ax is not None else new_axes(size=(4, 3.6))
    shares = softmax(predict(layers, plane_places(80), activation=activation))[:, 1]
    plot_plane(shares.reshape(80, 80), ax=ax)
    plot_points(points, labels, size=14, ax=ax)
    return ax
