"""The calculations and pictures behind notebook 02: a graph of two weights, losses of two weights, gradient norms."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm

from helpers.numpy_mlp import ACTIVATIONS, Layers, softmax
from helpers.plots import MARKERS, PALETTE, SEQUENTIAL, new_axes

GRAPH_STEPS = 20
PATH_STEPS = 40
EXAMPLE = {"x": 1.0, "t": 1.0, "w1": 0.5, "w2": -0.5}


def graph_values(weights: tuple[float, float], *, x: float = 1.0, target: float = 1.0) -> dict[str, float]:
    """Return all values of the graph z = w1 x, h = sigmoid(z), y = w2 h, L = (y - t)^2 / 2, and all derivatives.

    Keys are the names of the nodes, "dL/d" and a name for the derivative of the loss, and "slope" for the sigmoid's.
    """
    w1, w2 = weights
    z = w1 * x
    h = float(ACTIVATIONS["sigmoid"][0](np.float64(z)))
    y, slope = w2 * h, h * (1 - h)
    values = {"x": x, "w1": w1, "w2": w2, "z": z, "h": h, "y": y, "t": target, "L": 0.5 * (y - target) ** 2}
    d_y = y - target
    d_z = d_y * w2 * slope
    back = {"dL/dy": d_y, "dL/dw2": d_y * h, "dL/dh": d_y * w2, "dL/dz": d_z, "dL/dw1": d_z * x}
    return values | back | {"slope": slope}


def graph_run(*, learning_rate: float, steps: int = GRAPH_STEPS) -> list[dict[str, float]]:
    """Return the values of the graph before each of `steps` gradient steps, and after the last."""
    weights, run = (EXAMPLE["w1"], EXAMPLE["w2"]), []
    for _ in range(steps + 1):
        run.append(graph_values(weights, x=EXAMPLE["x"], target=EXAMPLE["t"]))
        weights = tuple(run[-1][name] - learning_rate * run[-1][f"dL/d{name}"] for name in ("w1", "w2"))
    return run


def bowl(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the loss (w1^2 + 10 w2^2) / 2 and its gradient, for weights (..., 2)."""
    curvature = np.array([1.0, 10.0])
    return 0.5 * (curvature * weights**2).sum(axis=-1), curvature * weights


_INPUTS = np.array([-2.0, -1.0, -0.5, 0.5, 1.0, 2.0])
_TARGETS = np.tanh(1.5 * _INPUTS)


def two_valleys(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return half the mean squared error of the network w2 tanh(w1 x) and its gradient, for weights (..., 2).

    Six examples made with w1 = 1.5, w2 = 1; since tanh is odd, w1 = -1.5, w2 = -1 fits as well.
    """
    w1, w2 = weights[..., :1], weights[..., 1:]
    hidden = np.tanh(w1 * _INPUTS)
    error = w2 * hidden - _TARGETS
    d_w1, d_w2 = error * w2 * (1 - hidden**2) * _INPUTS, error * hidden
    return 0.5 * (error**2).mean(axis=-1), np.stack([d_w1.mean(axis=-1), d_w2.mean(axis=-1)], axis=-1)


SURFACES: Mapping[str, tuple[Callable, tuple[float, float]]] = {
    "a long bowl": (bowl, (-4.0, 1.5)),
    "two valleys": (two_valleys, (-0.4, 2.5)),
}


def descend(
    surface: str, *, learning_rate: float, momentum: float = 0.0, steps: int = PATH_STEPS
) -> tuple[np.ndarray, np.ndarray]:
    """Return the path (steps + 1, 2) of gradient descent from the start of a surface, and the loss at each point.

    With momentum the move is `momentum` times the last move, minus the learning rate times the gradient (Polyak, 1964).
    """
    loss_and_gradient, start = SURFACES[surface]
    path, move = [np.array(start)], np.zeros(2)
    for _ in range(steps):
        move = momentum * move - learning_rate * loss_and_gradient(path[-1])[1]
        path.append(path[-1] + move)
    return np.array(path), loss_and_gradient(np.array(path))[0]


def gradient_norms(
    images: np.ndarray,
    targets: np.ndarray,
    *,
    depth: int,
    activation: str,
    scale: float,
    width: int = 32,
    seeds: int = 5,
) -> np.ndarray:
    """Return the norm of the gradient of each weight matrix (seeds, depth + 1), all seeds computed at once.

    `images` (n, inputs), `targets` one-hot (n, classes); `depth` hidden layers of `width` neurons, softmax and
    cross-entropy; weights are normal with the deviation `scale` / sqrt(inputs of the layer), biases zero.
    """
    function, slope = ACTIVATIONS[activation]
    random = np.random.default_rng(0)
    sizes = [images.shape[1], *[width] * depth, targets.shape[1]]
    shapes = list(zip(sizes[:-1], sizes[1:], strict=True))
    weights = [
        random.normal(0, scale / np.sqrt(inputs), (seeds, inputs, outputs)) for inputs, outputs in shapes
    ]
    values, sums = [np.broadcast_to(images, (seeds, *images.shape))], []
    for matrix in weights:
        sums.append(values[-1] @ matrix)
        values.append(function(sums[-1]))
    delta, norms = (softmax(sums[-1]) - targets) / len(targets), []
    for layer in reversed(range(depth + 1)):
        norms.append(np.linalg.norm(values[layer].swapaxes(1, 2) @ delta, axis=(1, 2)))
        if layer:
            delta = delta @ weights[layer].swapaxes(1, 2) * slope(sums[layer - 1])
    return np.stack(norms[::-1], axis=1)


def plot_tangent(x: np.ndarray, y: np.ndarray, *, at: float, slope: float) -> Axes:
    """Return Axes with a loss y over one weight x and the straight line of the given slope that touches it."""
    axes, height, near = new_axes(), np.interp(at, x, y), np.array([at - 1.5, at + 1.5])
    axes.plot(x, y, label="loss")
    axes.plot(near, height + slope * (near - at), "--", label=f"its slope at w = {at:g}")
    axes.plot([at], [height], "s", color="black")
    axes.set(xlabel="weight w", ylabel="loss", title="one neuron, one weight")
    axes.legend()
    return axes


def plot_losses(losses: Mapping[str, Sequence[float]]) -> Axes:
    """Return Axes with one loss curve for each name; the first is broad and pale, so that one on top of it shows."""
    axes = new_axes()
    for index, (name, values) in enumerate(losses.items()):
        style = (
            {"linewidth": 6, "alpha": 0.4} if index == 0 else {"linestyle": ("--", "-.", ":")[index % 3 - 1]}
        )
        axes.plot(values, label=name, **style)
    axes.set(xlabel="step", ylabel="training loss")
    axes.legend()
    return axes


def plot_ends(ends: Mapping[int, np.ndarray], *, stuck: float) -> Axes:
    """Return Axes with the last losses of all starts, sorted, by the number of hidden neurons."""
    axes = new_axes()
    for (hidden, losses), marker in zip(ends.items(), MARKERS, strict=False):
        axes.plot(range(1, len(losses) + 1), np.sort(losses), marker, label=f"{hidden} hidden neurons")
    axes.axhline(stuck, color="0.4", linestyle=":", label="half of the points undecided")
    axes.set(xlabel="start, sorted by its end", ylabel="loss at the end", ylim=(-0.02, 0.45))
    axes.set_xticks(range(1, len(losses) + 1))
    axes.legend(loc="center left")
    return axes


def mix_layers(a: Layers, b: Layers, c: Layers, *, to_b: float, to_c: float) -> Layers:
    """Return the network a + to_b (b - a) + to_c (c - a): a point of the plane through three networks."""
    return [
        tuple(p + to_b * (q - p) + to_c * (r - p) for p, q, r in zip(*layer, strict=True))
        for layer in zip(a, b, c, strict=True)
    ]


def plot_slice(loss: Callable[[Layers], float], a: Layers, b: Layers, c: Layers) -> Axes:
    """Return Axes with the loss on the plane through three networks, which are marked A, B and C."""
    steps = np.linspace(-0.4, 1.4, 61)
    heights = [[loss(mix_layers(a, b, c, to_b=x, to_c=y)) for x in steps] for y in steps]
    axes = new_axes(size=(6.4, 4.6))
    levels = [0, 0.05, 0.15, 0.3, 0.4, 0.6, 0.8, 1.2, 2, 8]
    shades = axes.contourf(
        steps, steps, np.clip(heights, 0, 7.9), levels=levels, cmap=SEQUENTIAL, norm=BoundaryNorm(levels, 256)
    )
    axes.get_figure().colorbar(shades, label="loss (dark is low)")
    for name, x, y in (("A", 0, 0), ("B", 1, 0), ("C", 0, 1)):
        axes.plot([x], [y], "o", markersize=18, color=PALETTE[1])
        axes.text(x, y, name, ha="center", va="center", color="white", weight="bold")
    axes.set(xlabel="from A toward B", ylabel="from A toward C")
    axes.grid(visible=False)
    return axes
