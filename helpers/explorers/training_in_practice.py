"""Notebook 02b: explorers of losses of two weights and of gradient norms, and its own pictures."""

from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from helpers.explorers.shell import Drawing, Explorer, Guess, LiveFigure, choice, numbers
from helpers.networks import Layers, backward
from helpers.plots import MARKERS, PALETTE, new_axes

FORWARD, BACKWARD, PATH_STEPS = PALETTE[0], PALETTE[1], 40
WIDTH, STARTS = 32, 5  # neurons in each hidden layer of a deep network, and how many such networks


def bowl(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the loss (w1^2 + 10 w2^2) / 2 and its gradient, for weights (..., 2)."""
    curvature = np.array([1.0, 10.0])
    return 0.5 * (curvature * weights**2).sum(axis=-1), curvature * weights


def two_valleys(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return half the mean squared error of the network w2 tanh(w1 x) and its gradient, for weights (..., 2).

    Six examples made with w1 = 1.5, w2 = 1; since tanh is odd, w1 = -1.5, w2 = -1 fits as well.
    """
    x = np.array([-2.0, -1.0, -0.5, 0.5, 1.0, 2.0])
    w1, w2 = weights[..., :1], weights[..., 1:]
    hidden = np.tanh(w1 * x)
    error = w2 * hidden - np.tanh(1.5 * x)
    d_w1, d_w2 = error * w2 * (1 - hidden**2) * x, error * hidden
    return 0.5 * (error**2).mean(axis=-1), np.stack([d_w1.mean(axis=-1), d_w2.mean(axis=-1)], axis=-1)


SURFACES = {"a long bowl": (bowl, (-4.0, 1.5)), "two valleys": (two_valleys, (-0.4, 2.5))}


def descend(surface: str, *, learning_rate: float, momentum: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return the path (PATH_STEPS + 1, 2) of gradient descent from the start of a surface, and the loss at each point.

    With momentum the move is `momentum` times the last move, minus the learning rate times the gradient (Polyak, 1964).
    """
    loss_and_gradient, start = SURFACES[surface]
    path, move = [np.array(start)], np.zeros(2)
    for _ in range(PATH_STEPS):
        move = momentum * move - learning_rate * loss_and_gradient(path[-1])[1]
        path.append(path[-1] + move)
    return np.array(path), loss_and_gradient(np.array(path))[0]


def gradient_norms(images: np.ndarray, targets: np.ndarray, *, depth: int, activation: str, scale: float) -> np.ndarray:
    """Return the norm of the gradient of each weight matrix (STARTS, depth + 1), for several random starts.

    `images` (n, inputs), `targets` one-hot (n, classes); `depth` hidden layers of `WIDTH` neurons, softmax and
    cross-entropy; weights are normal with the deviation `scale` / sqrt(inputs of the layer), biases zero.
    """
    random, labels, norms = np.random.default_rng(0), targets.argmax(axis=1), []
    shapes = pairwise([images.shape[1], *[WIDTH] * depth, targets.shape[1]])
    weights = [random.normal(0, scale / np.sqrt(inputs), (STARTS, inputs, outputs)) for inputs, outputs in shapes]
    for matrices in zip(*weights, strict=True):
        layers = [(matrix, np.zeros(matrix.shape[1])) for matrix in matrices]
        _, gradients = backward(layers, images, labels, activation=activation)
        norms.append([np.linalg.norm(slopes) for slopes, _ in gradients])
    return np.array(norms)


def plot_ends(ends: Mapping[int, np.ndarray], *, stuck: float) -> Axes:
    """Return Axes with the last losses of all starts, sorted, by the number of hidden neurons."""
    axes = new_axes()
    for (hidden, losses), marker, size in zip(ends.items(), MARKERS, (7, 3), strict=False):
        axes.plot(range(1, len(losses) + 1), np.sort(losses), marker, markersize=size, label=f"{hidden} hidden neurons")
    axes.axhline(stuck, color="0.4", linestyle=":", label="half of the points undecided")
    axes.set(xlabel="start, sorted by its end", ylabel="loss at the end", ylim=(-0.02, 0.75))
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
    heights = np.clip([[loss(mix_layers(a, b, c, to_b=x, to_c=y)) for x in steps] for y in steps], 0, 7.9)
    axes = new_axes(size=(6.4, 4.6))
    levels = [0, 0.05, 0.15, 0.3, 0.4, 0.6, 0.8, 1.2, 2, 8]
    shades = axes.contourf(steps, steps, heights, levels=levels, norm=BoundaryNorm(levels, 256))
    axes.get_figure().colorbar(shades, label="loss (dark is low)")
    for name, x, y in (("A", 0, 0), ("B", 1, 0), ("C", 0, 1)):
        axes.plot([x], [y], "o", markersize=18, color=PALETTE[1])
        axes.text(x, y, name, ha="center", va="center", color="white", weight="bold")
    axes.set(xlabel="from A toward B", ylabel="from A toward C")
    axes.grid(visible=False)
    return axes


def _panel_and_losses(*, size: tuple[float, float], steps: int, highest: float, **grid: object) -> tuple[Axes, Line2D]:
    """Return the empty axes of a new figure and, in axes below or beside them, a line for the loss at each step."""
    panel, curve = Figure(figsize=size, layout="constrained").subplots(**grid)
    curve.set(xlabel="step", ylabel="loss", yscale="log", xlim=(-steps / 40, steps * 41 / 40), ylim=(1e-6, highest))
    return panel, curve.plot(range(steps + 1), np.ones(steps + 1), "o-", color=FORWARD, markersize=4)[0]


def learning_rate_explorer() -> Explorer:
    """Return an explorer of gradient descent on a loss of two weights: surface, learning rate, momentum."""
    figures = {surface: _surface_figure(surface) for surface in SURFACES}

    def draw(surface: str, learning_rate: float, momentum: float) -> Drawing:
        path, losses = descend(surface, learning_rate=learning_rate, momentum=momentum)
        live, path_line, loss_line = figures[surface]
        path_line.set_data(*np.clip(path, -1e3, 1e3).T)
        loss_line.set_ydata(np.clip(losses, 1.2e-6, 8e3))
        return live, f"{surface}, learning rate {learning_rate:g}, momentum {momentum:g}: {_path_verdict(path, losses)}"

    rates = [0.001, 0.01, 0.03, 0.1, 0.15, 0.18, 0.19, 0.2, 0.21, 0.3, 1.0, 3.0]
    controls = {
        "surface": choice("surface", list(SURFACES)),
        "learning_rate": choice("learning rate", rates, value=0.03),
        "momentum": choice("momentum", [0.0, 0.5, 0.9]),
    }
    losses = {rate: descend("a long bowl", learning_rate=rate)[1] for rate in rates}
    diverging = min(rate for rate, values in losses.items() if values[-1] > values[0])
    question = "On the long bowl, without momentum: which learning rate is the first to make the loss grow?"
    guess = Guess(question, choice("my guess", rates), f"{diverging:g}")
    return Explorer(draw, controls, name="Gradient descent on a loss of two weights", guess=guess)


def _surface_figure(surface: str) -> tuple[LiveFigure, Line2D, Line2D]:
    """Return a figure of a surface and of losses, with the lines of the path and of the losses."""
    loss_and_gradient, start = SURFACES[surface]
    plane, loss = _panel_and_losses(size=(9.6, 3.9), steps=PATH_STEPS, highest=1e4, ncols=2, width_ratios=(1.25, 1))
    loss.axes.set(title="loss")
    w1, w2 = np.meshgrid(np.linspace(-5, 5, 81), np.linspace(-3, 3, 61))
    heights = loss_and_gradient(np.stack([w1, w2], axis=-1))[0]
    levels = np.quantile(heights, np.linspace(0, 1, 13))
    shades = plane.contourf(w1, w2, heights, levels=levels, norm=BoundaryNorm(levels, 256))
    plane.get_figure().colorbar(shades, label="loss (dark is low)", format="%.2g")
    plane.set(xlabel="w1", ylabel="w2", xlim=(-5, 5), ylim=(-3, 3), title=f"{surface}: the path")
    (path,) = plane.plot([0], [0], "o-", color=BACKWARD, markersize=5, markeredgecolor="white")
    (mark,) = plane.plot(*start, "s", color=BACKWARD, markersize=9, markeredgecolor="white")
    return LiveFigure(plane.get_figure(), moving=[path, mark, loss]), path, loss


def _path_verdict(path: np.ndarray, losses: np.ndarray) -> str:
    """Return how the descent went, in words."""
    start, end, count = losses[0], losses[-1], len(losses) - 1
    if end > start:
        cut = " (the curve is cut off at 10,000)" if losses.max() > 8e3 else ""
        return f"it diverges; after {count} steps the loss is {end:.2g}{cut}, above the {start:.2g} of the start."
    pace = "it arrives" if end < 1e-3 * start else "it is still under way" if end < 0.5 * start else "it has hardly begun"
    if end >= 1e-3 * start and losses[-10:].min() > 0.99 * losses[:-10].min():
        jumps = np.linalg.norm(path[-1] - path[-2]) > 0.05
        pace = "it jumps from side to side and gets no lower" if jumps else "it hardly gets any lower"
    waves = int((np.diff(losses) > 1e-9).sum())
    bumps = f"the loss rises in {waves} of the steps" if waves else "the loss never rises"
    return f"{pace}; after {count} steps the loss is {end:.2g} of {start:.2g} at the start, and {bumps}."


def depth_explorer(images: np.ndarray, targets: np.ndarray, *, deepest: int = 20) -> Explorer:
    """Return an explorer of the gradient norm of each layer: depth, activation, scale of the initial weights."""
    axes = new_axes(size=(9.6, 3.9))
    axes.set(xlabel="layer (1 is next to the images)", ylabel="norm of the gradient", yscale="log")
    axes.set(xlim=(0.3, deepest + 1.7), ylim=(1e-20, 1e8), title="each dot is one random start; the line is the median")
    axes.set_xticks(range(1, deepest + 2))
    (dots,) = axes.plot([], [], MARKERS[0], color=PALETTE[4], markersize=5, alpha=0.8)
    (line,) = axes.plot([1], [1], "-", color=FORWARD)
    live = LiveFigure(axes.get_figure(), moving=[dots, line])

    def draw(depth: int, activation: str, scale: float) -> Drawing:
        norms = gradient_norms(images, targets, depth=depth, activation=activation, scale=scale)
        shown, layers = np.clip(norms, 2e-20, 5e7), np.arange(1, depth + 2)
        dots.set_data(np.tile(layers, STARTS), shown.ravel())
        line.set_data(layers, np.median(shown, axis=0))
        power = np.log10(np.median(np.maximum(norms[:, 0], 1e-300) / np.maximum(norms[:, -1], 1e-300)))
        amount = f"about 10 to the power {abs(power):.0f}" if abs(power) >= 1.5 else f"{10 ** abs(power):.1f}"
        return live, (
            f"{depth} hidden layer{'' if depth == 1 else 's'}, {activation}, scale {scale:g}: the gradient of the first "
            f"layer has the norm {np.median(norms[:, 0]):.2g}, {amount} times {'smaller' if power < 0 else 'larger'} "
            "than that of the last (median of 5 starts)."
            + (" Dots at the lower edge lie below it." if norms.min() < 2e-20 else "")
        )

    controls = {
        "depth": numbers("hidden layers", 1, deepest, value=10),
        "activation": choice("activation", ["sigmoid", "tanh", "relu"]),
        "scale": choice("initial scale", [0.3, 0.5, 1.0, 1.4, 2.0, 3.0], value=1.0),
    }
    return Explorer(draw, controls, name="Norm of the gradient, layer by layer")
