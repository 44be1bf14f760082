"""The calculations and pictures behind notebook 02: a graph of two weights, losses of two weights, gradient norms."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import ipywidgets as widgets
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure
from matplotlib.text import Text

from helpers.explorers.shell import Explorer, LiveFigure, build_explorer, choice
from helpers.networks import ACTIVATIONS, Layers, softmax
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
    weights = [random.normal(0, scale / np.sqrt(inputs), (seeds, inputs, outputs)) for inputs, outputs in shapes]
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
        style = {"linewidth": 6, "alpha": 0.4} if index == 0 else {"linestyle": ("--", "-.", ":")[index % 3 - 1]}
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


FORWARD, BACKWARD = PALETTE[0], PALETTE[1]


_NODES = {"x": (0, 0), "z": (2, 0), "h": (4, 0), "y": (6, 0), "L": (8, 0), "w1": (2, 1.6), "w2": (6, 1.6)}
_FORMULAS = {"z": "z = w1 x", "h": "h = sigmoid(z)", "y": "y = w2 h", "L": "L = (y - t)^2 / 2"}
_EDGES = {"x z": None, "w1 z": "x", "z h": "slope", "h y": "w2", "w2 y": "h", "y L": "dL/dy"}


def graph_explorer() -> Explorer:
    """Return an explorer of gradient descent in a graph with two weights: step and learning rate."""
    live, update = _graph_figure()

    def draw(step: int, learning_rate: float) -> tuple[LiveFigure, str]:
        run = graph_run(learning_rate=learning_rate)
        update(run, step)
        here, first = run[step], run[0]["L"]
        trend = "as at the start" if step == 0 else "lower" if here["L"] < first else "higher"
        trend += "" if step == 0 else f" than the {first:.3g} of the start"
        moves = " and ".join(
            f"{name} {'falls' if here[f'dL/d{name}'] > 0 else 'rises'} by "
            f"{learning_rate * abs(here[f'dL/d{name}']):.3g}"
            for name in ("w1", "w2")
        )
        return live, (
            f"After {step} step{'' if step == 1 else 's'} the network answers {here['y']:.3g} "
            f"where {here['t']:g} is wanted: loss {here['L']:.3g}, "
            f"{trend}. In the next step {moves}."
        )

    return build_explorer(
        draw,
        controls={
            "step": widgets.IntSlider(description="step", min=0, max=GRAPH_STEPS, value=0),
            "learning_rate": choice("learning rate", [0.03, 0.1, 0.3, 1.0, 3.0, 10.0], value=0.3),
        },
        name="Gradient descent in a graph with two weights",
    )


def _graph_figure() -> tuple[LiveFigure, Callable[..., None]]:
    figure = Figure(figsize=(8.8, 4.3), layout="constrained")
    graph, curve = figure.subplots(2, 1, height_ratios=(2.3, 1))
    graph.set(
        xlim=(-0.8, 8.9),
        ylim=(-1.1, 2.5),
        title="blue: values, forward; orange: derivatives of the loss, backward",
    )
    graph.axis("off")
    texts: dict[str, Text] = {}
    for name, place in _NODES.items():
        _draw_node(graph, name, place, texts)
    for edge, local in _EDGES.items():
        _draw_edge(graph, edge, local, texts)
    curve.set(xlabel="step", ylabel="loss", yscale="log", xlim=(-0.5, GRAPH_STEPS + 0.5), ylim=(1e-6, 1e3))
    curve.set_xticks(range(0, GRAPH_STEPS + 1, 2))
    (line,) = curve.plot(range(GRAPH_STEPS + 1), np.ones(GRAPH_STEPS + 1), "o-", color=FORWARD, markersize=4)
    (mark,) = curve.plot([0], [1], "o", markersize=12, markerfacecolor="none", color=BACKWARD)
    live = LiveFigure(figure, moving=[*texts.values(), line, mark])

    def update(run: list[dict[str, float]], step: int) -> None:
        for key, text in texts.items():
            kind, name = key.split(" ", 1)
            number = _short(run[step][f"dL/d{name}" if kind == "back" else name])
            text.set_text({"value": "", "back": f"dL/d{name} = ", "local": "× "}[kind] + number)
        losses = np.clip([values["L"] for values in run], 1.2e-6, 8e2)
        line.set_ydata(losses)
        mark.set_data([step], [losses[step]])

    return live, update


def _short(value: float) -> str:
    return f"{value:.3g}" if value == 0 or 1e-3 <= abs(value) < 1e4 else f"{value:.0e}"


def _draw_node(graph: Axes, name: str, place: tuple[float, float], texts: dict[str, Text]) -> None:
    x, y = place
    centre = {"ha": "center", "va": "center"}
    graph.text(
        x,
        y,
        "            \n\n",
        fontsize=11,
        bbox={"boxstyle": "round", "fc": "white", "ec": "0.4"},
        **centre,
    )
    graph.text(x, y + 0.17, name, fontsize=11, weight="bold", **centre)
    texts[f"value {name}"] = graph.text(x, y - 0.2, "", fontsize=11, color=FORWARD, **centre)
    if name in _FORMULAS:
        graph.text(x, y - 1.0, _FORMULAS[name], fontsize=9, color="0.35", **centre)
    if name not in ("x", "L"):
        above = name in ("w1", "w2")
        texts[f"back {name}"] = graph.text(x, y + (0.68 if above else -0.68), "", fontsize=11, color=BACKWARD, **centre)


def _draw_edge(graph: Axes, edge: str, local: str | None, texts: dict[str, Text]) -> None:
    (x0, y0), (x1, y1) = (_NODES[name] for name in edge.split())
    down = y0 > y1
    start, end = ((x0, y0 - 0.45), (x1, y1 + 0.45)) if down else ((x0 + 0.55, y0), (x1 - 0.55, y1))
    graph.annotate("", xy=end, xytext=start, arrowprops={"arrowstyle": "->", "color": "0.4"})
    if local is not None:
        place, side = ((x0 + 0.12, 0.8), "left") if down else (((x0 + x1) / 2, 0.2), "center")
        texts[f"local {local}"] = graph.text(*place, "", fontsize=9, color=BACKWARD, ha=side, va="center")


def learning_rate_explorer() -> Explorer:
    """Return an explorer of gradient descent on a loss of two weights: surface, learning rate, momentum."""
    drawings = {name: _surface_figure(name) for name in SURFACES}

    def draw(surface: str, learning_rate: float, momentum: float) -> tuple[LiveFigure, str]:
        path, losses = descend(surface, learning_rate=learning_rate, momentum=momentum)
        live, update = drawings[surface]
        update(path, losses)
        return (
            live,
            f"{surface}, learning rate {learning_rate:g}, momentum {momentum:g}: {_path_verdict(losses)}",
        )

    return build_explorer(
        draw,
        controls={
            "surface": choice("surface", list(SURFACES)),
            "learning_rate": choice(
                "learning rate",
                [0.001, 0.01, 0.03, 0.1, 0.15, 0.18, 0.19, 0.2, 0.21, 0.3, 1.0, 3.0],
                value=0.03,
            ),
            "momentum": choice("momentum", [0.0, 0.5, 0.9]),
        },
        name="Gradient descent on a loss of two weights",
    )


def _path_verdict(losses: np.ndarray) -> str:
    start, end, count = losses[0], losses[-1], len(losses) - 1
    if end > start:
        return f"it diverges; after {count} steps the loss is {end:.2g}, above the {start:.2g} of the start."
    pace = "it arrives" if end < 1e-3 * start else "it is still under way" if end < 0.5 * start else "it hardly moves"
    waves = int((np.diff(losses) > 1e-9).sum())
    bumps = f", and the loss rises in {waves} of the steps" if waves else ", and the loss never rises"
    return f"{pace}; after {count} steps the loss is {end:.2g} of {start:.2g} at the start{bumps}."


def _surface_figure(name: str) -> tuple[LiveFigure, Callable[..., None]]:
    figure = Figure(figsize=(9.6, 3.9), layout="constrained")
    plane, curve = figure.subplots(1, 2, width_ratios=(1.25, 1))
    w1, w2 = np.meshgrid(np.linspace(-5, 5, 81), np.linspace(-3, 3, 61))
    losses = SURFACES[name][0](np.stack([w1, w2], axis=-1))[0]
    levels = np.quantile(losses, np.linspace(0, 1, 13))
    shades = plane.contourf(w1, w2, losses, levels=levels, cmap=SEQUENTIAL, norm=BoundaryNorm(levels, 256))
    figure.colorbar(shades, ax=plane, label="loss (dark is low)", format="%.2g")
    plane.set(xlabel="w1", ylabel="w2", xlim=(-5, 5), ylim=(-3, 3), title=f"{name}: the path")
    curve.set(xlabel="step", ylabel="loss", yscale="log", xlim=(-1, PATH_STEPS + 1), ylim=(1e-6, 1e4), title="loss")
    (line,) = plane.plot([0], [0], "o-", color=BACKWARD, markersize=5, markeredgecolor="white")
    (start,) = plane.plot(*SURFACES[name][1], "s", color=BACKWARD, markersize=9, markeredgecolor="white")
    (loss,) = curve.plot(range(PATH_STEPS + 1), np.ones(PATH_STEPS + 1), "o-", color=FORWARD, markersize=4)
    live = LiveFigure(figure, moving=[line, start, loss])

    def update(path: np.ndarray, values: np.ndarray) -> None:
        line.set_data(*np.clip(path, -1e3, 1e3).T)
        loss.set_ydata(np.clip(values, 1.2e-6, 8e3))

    return live, update


def depth_explorer(images: np.ndarray, targets: np.ndarray, *, deepest: int = 20) -> Explorer:
    """Return an explorer of the gradient norm of each layer: depth, activation, scale of the initial weights."""
    figure = Figure(figsize=(9.6, 3.9), layout="constrained")
    axes = figure.subplots()
    axes.set(xlabel="layer (1 is next to the images)", ylabel="norm of the gradient", yscale="log")
    axes.set(
        xlim=(0.3, deepest + 1.7),
        ylim=(1e-20, 1e8),
        title="each dot is one random start; the line is the median",
    )
    axes.set_xticks(range(1, deepest + 2))
    dots = axes.plot([1], np.ones((1, 5)), MARKERS[0], color=PALETTE[4], markersize=5, alpha=0.8)
    (line,) = axes.plot([1], [1], "-", color=FORWARD)
    live = LiveFigure(figure, moving=[*dots, line])

    def draw(depth: int, activation: str, scale: float) -> tuple[LiveFigure, str]:
        norms = gradient_norms(images, targets, depth=depth, activation=activation, scale=scale)
        shown, layers = np.clip(norms, 2e-20, 5e7), np.arange(1, depth + 2)
        for dot, run in zip(dots, shown, strict=True):
            dot.set_data(layers, run)
        line.set_data(layers, np.median(shown, axis=0))
        power = np.log10(np.median(np.maximum(norms[:, 0], 1e-300) / np.maximum(norms[:, -1], 1e-300)))
        amount = f"about 10 to the power {abs(power):.0f}" if abs(power) >= 1.5 else f"{10 ** abs(power):.1f}"
        return live, (
            f"{depth} hidden layer{'' if depth == 1 else 's'}, {activation}, scale {scale:g}: "
            f"the gradient of the first layer has the "
            f"norm {np.median(norms[:, 0]):.2g}, {amount} times "
            f"{'smaller' if power < 0 else 'larger'} than that of the last (median of 5 starts)."
        )

    return build_explorer(
        draw,
        controls={
            "depth": widgets.IntSlider(description="hidden layers", min=1, max=deepest, value=10),
            "activation": choice("activation", ["sigmoid", "tanh", "relu"]),
            "scale": choice("initial scale", [0.3, 0.5, 1.0, 1.4, 2.0, 3.0], value=1.0),
        },
        name="Norm of the gradient, layer by layer",
    )
