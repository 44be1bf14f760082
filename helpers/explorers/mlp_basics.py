"""Notebook 01: pictures of small networks and of points in the plane, and explorers of a neuron, its activation, a network.

Class 0 is drawn as white circles and class 1 as black squares, on orange (low) to purple (high), so that no colour has to
be told apart.
"""

import functools
from collections.abc import Sequence
from itertools import pairwise, product
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from helpers.data import load_toy_2d
from helpers.explorers.shell import Draw, Drawing, Explorer, LiveFigure, choice, numbers
from helpers.networks import ACTIVATIONS, Layers, build_mlp, predict, softmax, train_mlp
from helpers.plots import PALETTE, new_axes

EDGE = 3.0  # the plane goes from -EDGE to EDGE in both directions
NAMES = ["sigmoid", "tanh", "relu", "leaky_relu", "gelu", "linear"]
SATURATED = 0.05  # a slope below this
STEPS, NEW_POINTS = 200, 1000
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


def plot_regions(
    layers: Layers, points: np.ndarray, labels: np.ndarray, *, activation: str = "tanh", ax: Axes | None = None
) -> Axes:
    """Return Axes that show the probability of class 1 at every place, as a network sees it, and the points."""
    ax = ax if ax is not None else new_axes(size=(4, 3.6))
    shares = softmax(predict(layers, plane_places(80), activation=activation))[:, 1]
    plot_plane(shares.reshape(80, 80), ax=ax)
    plot_points(points, labels, size=14, ax=ax)
    return ax


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
        "activation": choice("activation f", NAMES),
    }
    part = {
        "weight_1": numbers("weight w1", -2, 2, value=1),
        "weight_2": numbers("weight w2", -2, 2, value=-1),
        "bias": numbers("bias b", -1, 1, step=0.5, value=0),
        "activation": choice("activation f", ["sigmoid", "tanh"]),
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


@functools.lru_cache(maxsize=256)
def trained_network(
    data_set: str,
    noise: float,
    hidden: tuple[int, ...],
    activation: str,
    learning_rate: float,
    weight_decay: float,
    seed: int,
) -> tuple[Any, ...]:
    """Return (layers, losses, training points, their labels, new points, their labels) of one setting, remembered."""
    points, labels = load_toy_2d(data_set, noise=noise, seed=seed)
    new_points, new_labels = load_toy_2d(data_set, noise=noise, seed=1000 + seed, samples=NEW_POINTS)
    layers = build_mlp((2, *hidden, 2), activation=activation, seed=seed, dtype="float32")
    training = {"steps": STEPS, "learning_rate": learning_rate, "weight_decay": weight_decay}
    layers, losses = train_mlp(layers, points, labels, activation=activation, **training)
    return layers, losses, points, labels, new_points, new_labels


def network_figure() -> Draw:
    """Return `draw(**setting, part)`: what a trained network says about every place, and its loss during training."""
    grid = plane_places(70).astype("float32")
    figure = Figure(figsize=(9.6, 4.0), layout="constrained")
    plane, curve = figure.subplots(1, 2, width_ratios=(1.25, 1))
    image = plot_plane(np.zeros((70, 70)), ax=plane)
    figure.colorbar(image, ax=plane, label="probability of the squares")
    plane.set(title="what the network says")
    marks = plot_points(np.zeros((2, 2)), np.array([0, 1]), ax=plane)
    (loss_line,) = curve.plot(np.arange(1, STEPS + 1), np.ones(STEPS), color=PALETTE[0])
    curve.set(yscale="log", ylim=(1e-4, 10), xlabel="training step", ylabel="training loss", title="training")
    live = LiveFigure(figure, moving=[image, *marks, loss_line])

    def draw(hidden_layers: int, neurons: int, activation: str, part: str = "training", **setting: Any) -> Drawing:
        hidden = (neurons,) * hidden_layers
        layers, losses, *data = trained_network(hidden=hidden, activation=activation, **setting)
        image.set_data(softmax(predict(layers, grid, activation=activation))[:, 1].reshape(70, 70))
        points, labels = data[:2] if part == "training" else data[2:]
        for label, mark in enumerate(marks):
            mark.set_offsets(points[labels == label][:100])
        loss_line.set_ydata(np.maximum(losses, 1e-4))
        return live, _network_sentence(layers, losses, data, activation)

    return draw


def keras_code(**setting: Any) -> str:
    """Return a Keras program that trains the same network: same data, sizes, optimizer and number of steps."""
    activation, neurons = setting["activation"], setting["neurons"]
    hidden = f'    keras.layers.Dense({neurons}, activation="{activation}"),\n' * setting["hidden_layers"]
    return (
        "import keras\n\nfrom helpers.data import load_toy_2d\n\n"
        f'points, labels = load_toy_2d("{setting["data_set"]}", noise={setting["noise"]:g}, seed={setting["seed"]})\n'
        f"keras.utils.set_random_seed({setting['seed']})\n"
        f"model = keras.Sequential([\n    keras.Input((2,)),\n{hidden}    keras.layers.Dense(2),\n])\n"
        "model.compile(\n"
        f"    optimizer=keras.optimizers.AdamW({setting['learning_rate']:g}, weight_decay={setting['weight_decay']:g}),\n"
        "    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),\n"
        '    metrics=["accuracy"],\n)\n'
        f"history = model.fit(points, labels, batch_size=len(points), epochs={STEPS}, verbose=0)\n"
    )


def network_explorer() -> Explorer:
    """Return an explorer of a network that is trained anew, in NumPy, for every setting: data, shape, training."""
    controls = {
        "data_set": choice("data set", ["moons", "circles", "xor", "spiral", "blobs"]),
        "noise": choice("noise", [0.0, 0.1, 0.2, 0.3, 0.5], value=0.2),
        "hidden_layers": choice("hidden layers", [0, 1, 2, 3], value=1),
        "neurons": choice("neurons in each", [1, 2, 3, 4, 8, 16], value=2),
        "activation": choice("activation f", NAMES, value="tanh"),
        "learning_rate": choice("learning rate", [0.001, 0.003, 0.01, 0.03, 0.1, 0.3], value=0.03),
        "weight_decay": choice("weight decay", [0.0, 0.01, 0.1, 0.3, 1.0]),
        "seed": choice("seed", list(range(10))),
        "part": choice("points shown", ["training", "new"]),
    }
    part = {
        "data_set": choice("data set", ["moons", "spiral"]),
        "noise": choice("noise", [0.2, 0.5]),
        "hidden_layers": choice("hidden layers", [1, 2, 3]),
        "neurons": choice("neurons in each", [2, 4, 8, 16]),
        "learning_rate": choice("learning rate", [0.03, 0.3]),
    }
    name = "A network on points in the plane"
    return Explorer(network_figure(), controls, name=name, part=part, code=keras_code)


def _neuron_sentence(weights: np.ndarray, bias: float, right: int, count: int) -> str:
    """Return the line of the neuron, and how many of the points are on their side of it, in words."""
    if not weights.any():
        return f"Both weights are 0: no line, every place gets the same output. {right} of {count} points are right."
    return (
        f"Line {weights[0]:g} x1 {weights[1]:+g} x2 {bias:+g} = 0. Squares are wanted where the weighted sum is "
        f"positive, on the side of the arrow: {right} of {count} points are right."
    )


def _network_sentence(layers: Layers, losses: np.ndarray, data: Sequence[np.ndarray], activation: str) -> str:
    """Return the size of the network, its accuracy on training and new points, and its loss, in words."""
    answers = [predict(layers, points, activation=activation).argmax(axis=1) for points in data[::2]]
    train, new = (np.mean(given == labels) for given, labels in zip(answers, data[1::2], strict=True))
    sizes = "-".join(str(part) for part in (2, *(bias.size for _, bias in layers)))
    weights = sum(part.size for layer in layers for part in layer)
    return (
        f"A {sizes} network, {weights} parameters, after {STEPS} steps: right on {train:.0%} of the "
        f"{len(data[0])} training points and on {new:.0%} of {NEW_POINTS} new ones; loss {losses[-1]:.3f}."
    )
