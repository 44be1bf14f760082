"""The explorers of notebook 02: one gradient step in a tiny graph, the learning rate, depth against gradient norm."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as widgets
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure
from matplotlib.text import Text

from helpers.backpropagation import (
    GRAPH_STEPS,
    PATH_STEPS,
    SURFACES,
    descend,
    gradient_norms,
    graph_run,
)
from helpers.explorers import Explorer, LiveFigure, build_explorer, choice
from helpers.plots import MARKERS, PALETTE, SEQUENTIAL

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
        texts[f"back {name}"] = graph.text(
            x, y + (0.68 if above else -0.68), "", fontsize=11, color=BACKWARD, **centre
        )


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
    pace = (
        "it arrives"
        if end < 1e-3 * start
        else "it is still under way"
        if end < 0.5 * start
        else "it hardly moves"
    )
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
    curve.set(
        xlabel="step", ylabel="loss", yscale="log", xlim=(-1, PATH_STEPS + 1), ylim=(1e-6, 1e4), title="loss"
    )
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
