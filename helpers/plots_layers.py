"""Diagrams of networks, layer by layer: what is frozen, what is trained, what is new. One row for each network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from matplotlib.patches import FancyBboxPatch

from helpers.plots import new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Colour and line of each state. The word stands in the box as well, so that nothing hangs on the colour.
STATES = {
    "": ("#FFFFFF", "-"),
    "frozen": ("#D3E4F2", "-"),
    "trained": ("#F6C37A", "-"),
    "new": ("#8FD3BC", "-"),
    "held back": ("#FBE3BF", "--"),
}
WIDTH, HEIGHT, STEP = 1.0, 0.62, 1.25  # of a box, and from one box to the next


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
                ends = {"xy": (STEP * column, -row), "xytext": (STEP * (column - 1) + WIDTH, -row)}
                ax.annotate("", **ends, arrowprops={"arrowstyle": "->", "color": "#444444"})
    ax.set(xlim=(-2.0, STEP * longest), ylim=(0.5 - len(networks), 0.5))
    ax.axis("off")
    return ax


def vgg16_states(first_trained: str, *, head: str = "new") -> dict[str, str]:
    """Return the layers of VGG16 with a head, frozen up to the one where training begins: "block 5", say, or "head"."""
    layers = [f"block {number}" for number in range(1, 6)] + ["head"]
    if first_trained not in layers:
        raise ValueError(f"first_trained is {first_trained!r}; choose from {', '.join(layers)}.")
    at = layers.index(first_trained)
    return {layer: "frozen" if index < at else "trained" for index, layer in enumerate(layers)} | {
        "head": head
    }


def _box(ax: Axes, left: float, middle: float, layer: str, state: str) -> None:
    if state not in STATES:
        raise ValueError(f"{layer} is {state!r}; choose from {', '.join(map(repr, STATES))}.")
    colour, line_style = STATES[state]
    box = FancyBboxPatch(
        (left, middle - HEIGHT / 2), WIDTH, HEIGHT, boxstyle="round,pad=0,rounding_size=0.08"
    )
    box.set(facecolor=colour, edgecolor="#444444", linestyle=line_style)
    ax.add_patch(box)
    first, _, second = layer.partition("\n")
    label = "\n".join(line for line in (second, state) if line)
    place = {"ha": "center", "va": "center", "color": "black"}
    ax.text(left + WIDTH / 2, middle + (0.12 if label else 0), first, fontsize=9, weight="bold", **place)
    ax.text(left + WIDTH / 2, middle - 0.13, label, fontsize=7.5, linespacing=1.0, **place)
