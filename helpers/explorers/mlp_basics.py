"""Notebook 01: pictures of small networks and of points in the plane; explorers of a neuron, its activation, a hidden layer.

Class 0 is drawn as white circles and class 1 as black squares, on orange (low) to purple (high), so that no colour has to
be told apart.
"""

import functools
from collections.abc import Sequence
from itertools import islice, pairwise, product
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from helpers.data import load_toy_2d
from helpers.evaluation import paired_interval
from helpers.explorers.shell import Draw, Drawing, Explorer, Guess, LiveFigure, choice, numbers
from helpers.networks import ACTIVATIONS, THREADS, Layers, accuracy, build_mlp, forward, softmax, training_steps
from helpers.plots import PALETTE, new_axes

EDGE = 3.0  # the plane goes from -EDGE to EDGE in both directions
NAMES = ["sigmoid", "tanh", "relu", "leaky_relu", "gelu", "linear"]
SATURATED = 0.05  # a slope below this
RUNS, POINTS, SHOWN, MAP = 10, 100, 50, 16  # of the film: starts, points learned and shown, cells of a map each way
FOLD_DATA, FOLD_WIDTHS = ("circles", "moons", "xor", "spiral"), (1, 2, 3, 4, 8)
FOLD_STEPS = (0, 1, 2, 3, 4, 6, 8, 10, 13, 16, 20, 25, 30, 37, 45, 55, 65, 80, 95, 115, 140, 170, 205, 250, 300)
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


def plot_points(points: np.ndarray, labels: np.ndarray, *, size: float = 26, ax: Axes | None = None) -> list[PathCollection]:
    """Return the marks of class 0 and of class 1; points are (n, 2), labels 0 or 1, `size` is that of a mark."""
    ax = ax if ax is not None else new_axes(size=(4, 3.6))
    ax.set(xlabel="input x1", ylabel="input x2")
    return [
        ax.scatter(*points[labels == label].T, s=size, linewidth=size**0.5 / 6, **style, label=f"class {label}")
        for label, style in enumerate(POINT_STYLES)
    ]


def plot_plane(values: np.ndarray, *, limits: tuple[float, float] = (0, 1), ax: Axes) -> AxesImage:
    """Return the image of `values` (size, size) on the plane, from orange (low limit) to purple (high)."""
    pale = ListedColormap(colormaps["PuOr"](np.linspace(0.2, 0.8, 256)))
    ax.grid(visible=False)
    return ax.imshow(values, origin="lower", extent=(-EDGE, EDGE) * 2, cmap=pale, clim=limits, interpolation="bilinear")


def plane_places(size: int) -> np.ndarray:
    """Return places (size * size, 2) that cover the plane, row by row from below."""
    line = np.linspace(-EDGE, EDGE, size)
    return np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)


def neuron_figure() -> Draw:
    """Return `draw(weight_1, weight_2, bias, activation)`: the plane as one neuron sees it, and its activation."""
    points, labels = load_toy_2d("blobs", samples=40, noise=0.15, seed=1)
    points = points + np.float32([0.6, 0.0])
    grid = plane_places(60)
    figure = Figure(figsize=(9.6, 4.0), layout="constrained")
    plane, curve = figure.subplots(1, 2, width_ratios=(1.1, 1))
    image = plot_plane(np.zeros((60, 60)), limits=(-1, 1), ax=plane)
    figure.colorbar(image, ax=plane, label="output y, cut off at -1 and 1")
    plane.set(title="output of the neuron")
    (line,) = plane.plot([], [], color="black")
    arrow = plane.quiver([0], [0], [1], [1], angles="xy", scale_units="xy", scale=1, color=PALETTE[1])
    marks = [*plot_points(points, labels, ax=plane), *plot_points(points, labels, ax=curve)]
    sums = np.linspace(-8, 8, 161)
    (shape,) = curve.plot(sums, sums, color=PALETTE[0])
    curve.set(xlabel="weighted sum z = w1 x1 + w2 x2 + b", ylabel="output y = f(z)", title="the activation")
    curve.set(xlim=(-8.3, 8.3), ylim=(-1.6, 3.3))
    curve.axvline(0, color="0.5", linestyle=":")
    live = LiveFigure(figure, moving=[image, line, arrow, *marks[:2], shape, *marks[2:]])

    def draw(weight_1: float, weight_2: float, bias: float, activation: str) -> Drawing:
        function, weights = ACTIVATIONS[activation][0], np.array([weight_1, weight_2])
        image.set_data(function(grid @ weights + bias).reshape(60, 60))
        length = np.hypot(*weights) or 1.0
        foot, along = -bias * weights / length**2, 20 * np.array([-weight_2, weight_1]) / length
        line.set_data(*np.transpose([foot - along, foot + along]) if weights.any() else ([], []))
        arrow.set_offsets(foot[None])
        arrow.set_UVC(*(weights / length))
        shape.set_ydata(function(sums))
        values = points @ weights + bias
        for label, mark in enumerate(marks[2:]):
            z = np.clip(values[labels == label], -8, 8)
            mark.set_offsets(np.stack([z, np.clip(function(z), -1.5, 3.2)], axis=1))
        return live, _neuron_sentence(weights, bias, int(((values > 0) == labels).sum()), len(labels))

    return draw


def neuron_explorer() -> Explorer:
    """Return an explorer of one neuron: two weights and a bias move the line, the activation colours the plane."""
    controls = {
        "weight_1": numbers("weight w1", -3, 3, step=0.25, value=1),
        "weight_2": numbers("weight w2", -3, 3, step=0.25, value=-1),
        "bias": numbers("bias b", -3, 3, step=0.25, value=0),
        "activation": choice("activation f", NAMES, value="tanh"),
    }
    part = {
        "weight_1": numbers("weight w1", -2, 2, value=1),
        "weight_2": numbers("weight w2", -2, 2, value=-1),
        "bias": numbers("bias b", -1, 1, step=0.5, value=0),
        "activation": choice("activation f", ["sigmoid", "tanh"], value="tanh"),
    }
    return Explorer(neuron_figure(), controls, name="One neuron as a line in the plane", part=part)


def activation_figure() -> Draw:
    """Return `draw(activation, position)`: a function with its tangent, and its derivative."""
    x = np.linspace(-5, 5, 401)
    figure = Figure(figsize=(9.6, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.set(xlabel="weighted sum z", ylabel="f(z)", title="the activation and its tangent", ylim=(-1.6, 5.2))
    right.set(xlabel="weighted sum z", ylabel="slope f'(z)", title="its derivative", ylim=(-0.25, 1.25))
    right.axhspan(-SATURATED, SATURATED, color="0.85", zorder=0)
    right.text(-4.9, -0.17, "grey: slope below 0.05, saturated", fontsize=9)
    (curve,) = left.plot(x, x, color=PALETTE[0])
    (tangent,) = left.plot(x, x, "--", color=PALETTE[1])
    (slopes,) = right.plot(x, x, color=PALETTE[0])
    dots = [axes.plot([0], [0], "o", color=PALETTE[1], markersize=9)[0] for axes in (left, right)]
    live = LiveFigure(figure, moving=[curve, tangent, slopes, *dots])

    def draw(activation: str, position: float) -> Drawing:
        function, derivative = ACTIVATIONS[activation]
        value, slope = float(function(np.float64(position))), float(derivative(np.float64(position)))
        curve.set_ydata(function(x))
        slopes.set_ydata(derivative(x))
        tangent.set_ydata(value + slope * (x - position))
        for dot, height in zip(dots, (value, slope), strict=True):
            dot.set_data([position], [height])
        word = " It is saturated here: learning nearly stops." if abs(slope) < SATURATED else ""
        if word and activation == "gelu" and position > -2:
            word = " Here GELU has its lowest point, and the slope changes its sign."
        return live, f"{activation} at z = {position:.2f}: value {value:.3f}, slope {slope:.3f}.{word}"

    return draw


def activation_explorer() -> Explorer:
    """Return an explorer of the activation functions, of their slopes and of where they saturate."""
    controls = {
        "activation": choice("activation f", NAMES),
        "position": numbers("position z", -5, 5, step=0.25, value=1),
    }
    return Explorer(activation_figure(), controls, name="Activation functions and their derivatives")


@functools.cache
@THREADS.wrap(limits=1)
def fold_course(data_set: str, neurons: int) -> tuple[list[Layers], np.ndarray, np.ndarray]:
    """Return a 2-n-2 network of tanh (seed 0) at `FOLD_STEPS`, and losses and accuracies on new points (steps, 10 runs)."""
    drawn = [load_toy_2d(data_set, samples=POINTS, seed=run) for run in range(RUNS)]
    new = [load_toy_2d(data_set, samples=500, seed=1000 + run) for run in range(RUNS)]
    (points, labels), new = map(np.stack, zip(*drawn, strict=True)), list(map(np.stack, zip(*new, strict=True)))
    layers, networks, losses, accuracies = build_mlp((2, neurons, 2), seed=range(RUNS)), [], [], []
    training = training_steps(layers, points, labels, learning_rate=0.03)
    for step, (now, loss) in enumerate(islice(training, FOLD_STEPS[-1] + 1)):
        if step in FOLD_STEPS:
            networks.append([(weights[0].copy(), bias[0, 0].copy()) for weights, bias in now])
            losses.append(loss)
            accuracies.append(accuracy(now, *new, activation="tanh"))
    return networks, np.array(losses), np.array(accuracies)


def hidden_view(layers: Layers, points: np.ndarray, *, before: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return points (n, 2) as the output sees them, and the second direction: what matters to the answer, and what doesn't.

    Across is the distance from the plane in hidden space at which the answer turns; upwards the hidden direction along it in
    which the points spread most, with its sign as in `before`. A hidden layer of one neuron has no such direction: 0.
    """
    hidden, (weights, bias) = forward(layers, points)[-2], layers[-1]
    normal, offset = weights[:, 1] - weights[:, 0], bias[1] - bias[0]
    length = np.linalg.norm(normal)
    along = hidden - hidden.mean(axis=0)
    along = along - np.outer(along @ normal, normal) / length**2
    direction = np.linalg.svd(along, full_matrices=False)[2][0] * (len(normal) > 1)
    if before is not None and direction @ before < 0:
        direction = -direction
    return np.stack([(hidden @ normal + offset) / length, along @ direction], axis=1), direction


@functools.cache
def seen_by_the_output(data_set: str, neurons: int) -> list[np.ndarray]:
    """Return `hidden_view` of the points at every step, turned alike and scaled to the frame from -1 to 1."""
    points, views, direction = load_toy_2d(data_set, samples=POINTS)[0][:SHOWN], [], None
    for layers in reversed(fold_course(data_set, neurons)[0]):  # from the end, where the direction is clearest
        view, direction = hidden_view(layers, points, before=direction)
        views.insert(0, view)
    pixels = (76, 92)  # half the frame: marks on whole pixels make a film half as large
    return list(np.round(np.array(views) / (1.1 * np.abs(views).max(axis=(0, 1)) + 1e-9) * pixels) / pixels)


def folds_figure() -> Draw:
    """Return `draw(data_set, neurons, step)`: the answer, each neuron's map, the points in hidden space, the loss."""
    panels = {data_set: _fold_panels(data_set) for data_set in FOLD_DATA}

    def draw(data_set: str, neurons: int, step: int) -> Drawing:
        (networks, losses, accuracies), place = fold_course(data_set, neurons), FOLD_STEPS.index(step)
        plane, row, circles, squares, cursor = panels[data_set].moving
        hidden, answer = forward(networks[place], plane_places(MAP))[1:]
        plane.set_data(2 * softmax(answer)[:, 1].reshape(MAP, MAP) - 1)
        tiles = np.full((max(FOLD_WIDTHS), MAP + 2, MAP), np.nan)
        tiles[:neurons, 2:] = hidden.T.reshape(neurons, MAP, MAP).swapaxes(1, 2)
        row.set_data(tiles.reshape(-1, MAP).T)
        labels, seen = load_toy_2d(data_set, samples=POINTS)[1][:SHOWN], seen_by_the_output(data_set, neurons)[place]
        for label, marks in enumerate((circles, squares)):
            marks.set_data(*seen[labels == label].T)
        cursor.set_data([place], [losses[place, 0]])
        right, worst = accuracies[place][0], accuracies[place].min()
        mean, low, high = paired_interval(accuracies[place])
        return panels[data_set], (
            f"{data_set}, {neurons} neuron{'s' * (neurons != 1)}, step {step}: right on {right:.0%} of 500 "
            f"new points. Ten seeds: {mean:.0%} on average ({low:.0%} to {high:.0%}), at worst {worst:.0%}."
        )

    return draw


def _fold_panels(data_set: str) -> LiveFigure:
    """Return the figure of one data set, in which two images of maps, two kinds of marks and a cursor move."""
    figure, (points, labels) = Figure(figsize=(9.0, 3.7)), load_toy_2d(data_set, samples=POINTS)
    data, plane, space, curve = (figure.add_axes((left, 0.4, 0.17, 0.5)) for left in (0.06, 0.29, 0.53, 0.79))
    row = figure.add_axes((0.03, 0.01, 0.95, 0.19))
    row.set_axis_off()
    figure.text(0.03, 0.22, "what each hidden neuron answers, from -1 (orange) to 1 (purple)", fontsize=9)
    images = [plot_plane(np.zeros((MAP, MAP)), limits=(-1, 1), ax=axes) for axes in (plane, row)]
    for image in images:
        image.set(interpolation="nearest", cmap=ListedColormap(colormaps["PuOr"](np.linspace(0.2, 0.8, 7))))
    images[1].set_extent((0, max(FOLD_WIDTHS) * (MAP + 2), 0, MAP))
    plot_points(points, labels, size=9, ax=data)
    data.set(title="the points", xlim=(-EDGE, EDGE), ylim=(-EDGE, EDGE), aspect="equal")
    plane.set(title="the answer", xlabel="input x1")
    space.set(title="seen by the output", xlabel="circles | squares", xlim=(-1, 1), ylim=(-1, 1), xticks=[], yticks=[])
    space.axvline(0, color="black", linestyle="--", linewidth=1)
    for neurons, style, color in zip(FOLD_WIDTHS, ("-", "--", "-.", ":", "-"), PALETTE, strict=False):
        curve.plot(fold_course(data_set, neurons)[1][:, 0], style, linewidth=1.2, color=color, label=f"{neurons}")
    curve.legend(title="neurons", fontsize=7, title_fontsize=7, loc="lower left")
    curve.set(title="loss", xlabel="step", ylim=(0, 1.1))
    curve.set_xticks(range(0, len(FOLD_STEPS), 6), [str(step) for step in FOLD_STEPS[::6]])
    look = {"linestyle": "none", "antialiased": False, "markeredgewidth": 0}
    moving = [*space.plot([], [], "o", color=PALETTE[1], markersize=5, **look)]
    moving += [*space.plot([], [], "s", color="black", markersize=4, **look)]
    return LiveFigure(figure, moving=[*images, *moving, *curve.plot([], [], "o", color="black", markersize=6)])


def folds_explorer() -> Explorer:
    """Return an explorer of data set, neurons and training step: how a hidden layer folds the plane."""
    controls = {
        "data_set": choice("data set", FOLD_DATA),
        "neurons": choice("hidden neurons", FOLD_WIDTHS, value=2),
        "step": choice("step", FOLD_STEPS, value=FOLD_STEPS[-1], kind="time"),  # Play begins anew from the end
    }
    shares = [fold_course("circles", neurons)[2][-1].mean() for neurons in FOLD_WIDTHS]
    enough = next(neurons for neurons, share in zip(FOLD_WIDTHS, shares, strict=True) if share > 0.9)
    question = "Squares inside a ring: how many hidden neurons are needed for 90 % of new points, on average of ten seeds?"
    guess = Guess(question, choice("my guess", FOLD_WIDTHS), f"{enough}")
    return Explorer(folds_figure(), controls, name="How a hidden layer folds the plane", guess=guess)


def _neuron_sentence(weights: np.ndarray, bias: float, right: int, count: int) -> str:
    """Return the line of the neuron, and how many of the points are on their side of it, in words."""
    if not weights.any():
        return f"Both weights are 0: no line, every place gets the same output. {right} of {count} points are right."
    return (
        f"Line {weights[0]:g} x1 {weights[1]:+g} x2 {bias:+g} = 0. Squares are wanted where the weighted sum is "
        f"positive, on the side of the arrow: {right} of {count} points are right."
    )
