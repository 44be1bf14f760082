"""Notebook 02: a film of the blame in a graph with two paths, one edge at a time, and its own pictures."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Text

from helpers.explorers.shell import Drawing, Explorer, Guess, LiveFigure, choice, numbers
from helpers.plots import PALETTE, new_axes

Messages = dict[tuple[str, str], tuple[float, float, float]]  # by edge (source, made): blame, local slope, product
FORWARD, BACKWARD = PALETTE[0], PALETTE[1]
STEPS, TARGET = 5, 1.0
START = {"w1": 0.8, "w2": 1.0, "w3": -0.6}
FORMULAS = {"h": "h = tanh(w1 x)", "u": "u = tanh(w2 h)", "v": "v = tanh(w3 h)", "y": "y = u + v", "L": "L = (y - 1)^2 / 2"}
_NODES = {"x": (0, 0), "w1": (0.6, 2.0), "h": (2.3, 0), "w2": (3.1, 2.2), "u": (4.9, 1.4)}
_NODES |= {"v": (4.9, -1.4), "w3": (3.1, -2.2), "y": (7, 0), "L": (9, 0)}


def graph_values(weights: Mapping[str, float], *, shifts: Mapping[tuple[str, str], float] | None = None) -> dict[str, float]:
    """Return the value of every node of the graph in `FORMULAS`, x = 1 and the weights among them.

    `shifts` adds a number to what one edge passes on, ("h", "u") for instance, and to no other: for central differences.
    """
    values, shifts = {"x": 1.0, **weights}, shifts or {}

    def passed(source: str, made: str) -> float:
        return values[source] + shifts.get((source, made), 0.0)

    values["h"] = float(np.tanh(passed("w1", "h") * passed("x", "h")))
    for name, weight in (("u", "w2"), ("v", "w3")):
        values[name] = float(np.tanh(passed(weight, name) * passed("h", name)))
    values["y"] = passed("u", "y") + passed("v", "y")
    return values | {"L": 0.5 * (passed("y", "L") - TARGET) ** 2}


def graph_messages(values: Mapping[str, float]) -> Messages:
    """Return, for each edge (source, made) in the order of the way back: blame of what was made, local slope, product."""
    steep = {name: 1 - values[name] ** 2 for name in "huv"}
    slopes = {("y", "L"): values["y"] - TARGET, ("u", "y"): 1.0, ("v", "y"): 1.0}
    slopes |= {(w, name): steep[name] * values["h"] for w, name in (("w2", "u"), ("w3", "v"))}
    slopes |= {("h", name): steep[name] * values[w] for w, name in (("w2", "u"), ("w3", "v"))}
    slopes |= {("w1", "h"): steep["h"] * values["x"]}
    blame, messages = {"L": 1.0}, {}
    for (source, made), slope in slopes.items():
        messages[source, made] = blame[made], slope, blame[made] * slope
        blame[source] = blame.get(source, 0.0) + blame[made] * slope
    return messages


def total_blame(
    messages: Mapping[tuple[str, str], tuple[float, float, float]], *, count: int | None = None
) -> dict[str, str]:
    """Return what each node has received after the first `count` messages: a sum, written out where there are two."""
    parts: dict[str, list[float]] = {}
    for (source, _), (*_, product) in list(messages.items())[:count]:
        parts.setdefault(source, []).append(product)
    return {
        name: f"{values[0]:.3f}" if len(values) == 1 else f"{values[0]:.3f} {values[1]:+.3f} = {sum(values):.3f}"
        for name, values in parts.items()
    }


def graph_run(*, learning_rate: float) -> list[dict[str, float]]:
    """Return the values of the graph before each of `STEPS` gradient steps, and after the last."""
    run = [graph_values(START)]
    for _ in range(STEPS + 1):
        slopes = {source: product for (source, _), (*_, product) in graph_messages(run[-1]).items()}
        run.append(graph_values({w: run[-1][w] - learning_rate * slopes[w] for w in START}))
    return run


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


def blame_explorer() -> Explorer:
    """Return a film of backpropagation in a graph with two paths: phase (one edge at a time), step and learning rate."""
    graph = new_axes(size=(9.0, 3.8))
    values_of, blame_of, arrows, product = _draw_graph(graph)
    live = LiveFigure(graph.get_figure(), moving=[*values_of.values(), *blame_of.values(), *arrows.values(), product])
    edges = list(graph_messages(graph_values(START)))
    names = ["forward", *(f"{made} to {source}" for source, made in edges), "weights move"]

    def draw(phase: int, step: int, learning_rate: float) -> Drawing:
        here, after = graph_run(learning_rate=learning_rate)[step : step + 2]
        messages, moved = graph_messages(here), phase > len(edges)
        received, lit = total_blame(messages, count=phase), {phase - 1: True}
        for name, text in values_of.items():
            text.set_text(f"{here[name]:.3f}" + (f" \u2192 {after[name]:.3f}" if moved and name in START else ""))
        for name, text in blame_of.items():
            text.set_text(received.get(name, ""))
        for number, edge in enumerate(edges):
            arrows[edge].set_visible(lit.get(number, False))
        product.set_text("")
        if phase == 0:
            said = f"forward: the network answers {here['y']:.3f}, {TARGET:g} is wanted, the loss is {here['L']:.3f}."
        elif moved:
            moves = ", ".join(f"{w} {after[w] - here[w]:+.3f}" for w in START)
            said = f"every weight moves against its blame: {moves}. The loss goes from {here['L']:.3f} to {after['L']:.3f}."
        else:
            blame, slope, part = messages[edges[phase - 1]]
            product.set_text(f"{names[phase]}:  {blame:.3f} × {slope:.3f} = {part:.3f}")
            said = f"{names[phase]}: blame {blame:.3f} times local slope {slope:.3f} makes {part:.3f}."
            if edges[phase - 1][0] == "h":
                both = "=" in received["h"]
                said += f" Both paths add up: {received['h']}." if both else " The other path is still to come."
        return live, f"Step {step} at rate {learning_rate:g}, {said}"

    controls = {
        "phase": choice("phase", list(zip(names, range(len(names)), strict=True)), kind="time"),
        "step": numbers("step", 0, STEPS, value=0, kind="time"),
        "learning_rate": choice("learning rate", [0.1, 0.5, 2.0], value=0.5),
    }
    messages = graph_messages(graph_values(START))
    way = "it falls" if messages["w1", "h"][-1] > 0 else "it rises"
    options = choice("my guess", ["it rises", "it falls"], kind="menu")
    answer = f"{way}, since the two messages to h add up to {total_blame(messages)['h']}"
    guess = Guess("Which way will w1 move in the first step?", options, answer)
    return Explorer(draw, controls, name="Which weight is blamed, which way", guess=guess)


def _draw_graph(graph: Axes) -> tuple[dict, dict, dict, Text]:
    """Return the artists that change: texts of values and of blame by node, lit arrows by edge, the text of the product."""
    graph.set(xlim=(-0.7, 9.9), ylim=(-3.3, 3.2), title="blue: values, forward; orange: blame (dL/d...), backward")
    graph.axis("off")
    values_of, blame_of, arrows, centre = {}, {}, {}, {"ha": "center", "va": "center"}
    for source, made in [("x", "h"), *graph_messages(graph_values(START))]:
        style, ends = {"arrowstyle": "->", "shrinkA": 26, "shrinkB": 26}, (_NODES[source], _NODES[made])
        graph.annotate("", xy=ends[1], xytext=ends[0], arrowprops=style | {"color": "0.6"})
        style |= {"color": BACKWARD, "linewidth": 4}
        arrows[source, made] = graph.annotate("", xy=ends[0], xytext=ends[1], arrowprops=style)
    arrows.pop(("x", "h")).set_visible(False)  # nobody asks for the blame of the input
    for name, (x, y) in _NODES.items():
        box = {"boxstyle": "round", "fc": "white", "ec": "0.4"}
        graph.text(x, y, " " * (26 if name in START else 12) + "\n\n", fontsize=9, bbox=box, **centre)
        graph.text(x, y + 0.25, name, fontsize=10, weight="bold", **centre)
        graph.text(x, y - 0.82, FORMULAS.get(name, ""), fontsize=8, color="0.35", **centre)
        values_of[name] = graph.text(x, y - 0.25, "", fontsize=9, color=FORWARD, **centre)
        if name not in ("x", "L"):
            height = {"h": -1.3, "w3": -0.9}.get(name, 0.85)
            blame_of[name] = graph.text(x, y + height, "", fontsize=10, color=BACKWARD, **centre)
    product = graph.text(7.9, 2.4, "", fontsize=12, color=BACKWARD, weight="bold", **centre)
    return values_of, blame_of, arrows, product
