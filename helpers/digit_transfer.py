"""Many small multilayer perceptrons at once: the machinery behind the digit experiments of notebook 03.

One run is one seed: its own start weights, its own draw of labelled digits, its own order of batches. All runs of an
experiment are trained together, with matrix products over a leading axis `runs`, so that ten runs cost little more
time than one. A network is a list of layers, each a pair of kernel (runs, inputs, outputs) and bias (runs, 1, outputs);
hidden layers have ReLU, the last one softmax. Notebook 02 derives the gradients that are used here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from helpers.data import load_digit_pair, take_per_class

if TYPE_CHECKING:
    from sklearn.utils import Bunch

Weights = list[tuple[np.ndarray, np.ndarray]]


class Trained(NamedTuple):
    """What `train` returns: the weights at the end, and the test accuracies on the way, (runs, len(steps))."""

    weights: Weights
    steps: list[int]
    accuracies: np.ndarray


def split_digit_pair(prepare: Callable[[np.ndarray], np.ndarray] | None = None) -> Bunch:
    """Return the digit pair in parts, images as rows of 64 pixels: a Bunch of `..._images` and `..._labels`.

    `source` has 4,500 MNIST digits and `source_test` the other 500; `target` has 1,197 UCI digits for `draw_labelled` and
    `held_out`, and `test` the other 600. The split is the same every time. `prepare` is applied to the images of each
    set, (n, 8, 8), before.
    """
    from sklearn.utils import Bunch

    pair, task = load_digit_pair(), Bunch()
    for seed, (name, parts, cut) in enumerate(
        [("mnist", ("source", "source_test"), 4500), ("uci", ("target", "test"), 1197)]
    ):
        images, labels = pair[f"{name}_images"], pair[f"{name}_labels"]
        images = np.asarray(images if prepare is None else prepare(images), "float32").reshape(len(labels), -1)
        order = np.random.default_rng(seed).permutation(len(labels))
        for part, chosen in zip(parts, (order[:cut], order[cut:]), strict=True):
            task[f"{part}_images"], task[f"{part}_labels"] = images[chosen], labels[chosen]
    return task


def held_out(
    images: np.ndarray, labels: np.ndarray, *, labels_per_class: int = 50, runs: int = 6
) -> tuple[np.ndarray, np.ndarray]:
    """Return what each run may be judged on: images (runs, n, pixels) and labels (runs, n) outside of its draw.

    The draw is that of `draw_labelled`, and smaller draws lie inside it. Every run has other images here, so
    the spread over runs has the luck of the judging in it, too.
    """
    left = []
    for run in range(runs):
        drawn = take_per_class(labels, labels_per_class=labels_per_class, seed=run)
        left.append(np.setdiff1d(np.arange(len(labels)), drawn))
    left = np.stack(left)
    return images.reshape(len(images), -1)[left], labels[left]


def build_weights(sizes: Sequence[int] = (64, 64, 64, 10), *, seeds: Sequence[int] = range(6)) -> Weights:
    """Return random start weights, one run for each seed: kernels from He's normal distribution, biases zero."""
    layers: Weights = []
    for number, (inputs, outputs) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        draws = [np.random.default_rng([seed, number]).normal(size=(inputs, outputs)) for seed in seeds]
        kernel = np.stack(draws).astype("float32") * np.float32(np.sqrt(2 / inputs))
        layers.append((kernel, np.zeros((len(seeds), 1, outputs), "float32")))
    return layers


def new_head(weights: Weights, *, classes: int = 10, seeds: Sequence[int] | None = None) -> Weights:
    """Return the hidden layers of `weights` and, behind them, a random last layer for `classes` classes."""
    runs, inputs, _ = weights[-1][0].shape
    seeds = range(1000, 1000 + runs) if seeds is None else seeds
    return [*weights[:-1], *build_weights((inputs, classes), seeds=seeds)]


def draw_labelled(
    images: np.ndarray, labels: np.ndarray, *, labels_per_class: int, runs: int = 6
) -> tuple[np.ndarray, np.ndarray]:
    """Return labelled examples for each run: images (runs, n, pixels) and labels (runs, n), n = classes x labels_per_class.

    The number of the run is the seed of the draw, so a draw of two labels per class holds that of one.
    """
    chosen = np.stack([take_per_class(labels, labels_per_class=labels_per_class, seed=run) for run in range(runs)])
    return images.reshape(len(images), -1)[chosen], labels[chosen]


def hidden_outputs(weights: Weights, images: np.ndarray) -> list[np.ndarray]:
    """Return the input and the output of each layer, (runs, n, units); the last one holds logits, before the softmax."""
    outputs = [np.asarray(images, "float32")]
    for number, (kernel, bias) in enumerate(weights, start=1):
        logits = outputs[-1] @ kernel + bias
        outputs.append(logits if number == len(weights) else np.maximum(logits, 0))
    return outputs


def predict(weights: Weights, images: np.ndarray) -> np.ndarray:
    """Return the predicted classes (runs, n) of images (n, pixels) or (runs, n, pixels)."""
    return hidden_outputs(weights, images)[-1].argmax(axis=-1)


def accuracy(weights: Weights, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the share of right predictions of each run, (runs,)."""
    return (predict(weights, images) == labels).mean(axis=-1)


def train(
    weights: Weights,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    steps: int = 300,
    learning_rate: float = 0.001,
    batch_size: int = 64,
    frozen: int = 0,
    l2_sp: float = 0.0,
    test: tuple[np.ndarray, np.ndarray] | None = None,
    measure_at: Sequence[int] | None = None,
    seed: int = 0,
) -> Trained:
    """Return the networks after `steps` steps of Adam on the cross-entropy, and their test accuracies on the way.

    Images are (n, pixels) for all runs or (runs, n, pixels); labels (n,) or (runs, n). The first `frozen` layers keep
    their weights. `l2_sp` is the strength of the pull of trained hidden layers towards the weights at the start: half of it
    times the squared distance is added to the loss (Li, Grandvalet and Davoine, 2018). `measure_at` names the steps at
    which the accuracy on `test` is taken; without it, only the last.
    """
    measure_at = (steps,) if measure_at is None else measure_at
    runs = weights[0][0].shape[0]
    if not 0 <= frozen <= len(weights):
        raise ValueError(f"frozen is {frozen}, but there are {len(weights)} layers: give 0 to {len(weights)}.")
    images, labels = np.asarray(images, "float32"), np.asarray(labels)
    if frozen:  # what frozen layers answer does not change: compute it once
        images = hidden_outputs(weights, images)[frozen]
    values, trained = _packed(weights[frozen:])
    slopes, gradients = _packed(weights[frozen:])
    pull = _pull_strength(trained, l2_sp)
    start, mean, square = values.copy(), np.zeros_like(values), np.zeros_like(values)
    weights, batches, accuracies = [*weights[:frozen], *trained], np.random.default_rng(seed), []
    for step in range(steps + 1):
        if step in measure_at and test is not None:
            accuracies.append(accuracy(weights, *test))
        if step == steps or not trained:
            continue
        _backpropagate(trained, *_batch(images, labels, batches, size=batch_size, runs=runs), gradients)
        if l2_sp:
            slopes += pull * (values - start)
        _adam_step(values, slopes, mean, square, step=step + 1, learning_rate=learning_rate)
    return Trained(weights, [step for step in measure_at if step <= steps], np.array(accuracies).T)


def _packed(weights: Weights) -> tuple[np.ndarray, Weights]:
    """Return a copy of all weights as one row for each run, and the layers as views into it."""
    runs = weights[0][0].shape[0] if weights else 1
    arrays = [array for layer in weights for array in layer]
    flat = [array.reshape(runs, -1) for array in arrays]
    values = np.concatenate(flat, axis=1) if flat else np.zeros((runs, 0), "float32")
    ends = np.cumsum([array.shape[1] for array in flat])
    views = [values[:, end - array[0].size : end].reshape(array.shape) for end, array in zip(ends, arrays, strict=True)]
    return values, list(zip(views[::2], views[1::2], strict=True))


def _pull_strength(trained: Weights, l2_sp: float) -> np.ndarray:
    """Return the strength of the pull for each weight of a run: `l2_sp` in hidden layers, zero in the last one."""
    sizes = [kernel[0].size + bias[0].size for kernel, bias in trained]
    strengths = [l2_sp] * (len(sizes) - 1) + [0.0] * bool(sizes)
    return np.repeat(np.float32(strengths), sizes)


def _batch(images, labels, generator, *, size, runs):
    """Return the examples of one step: all of them where they are few, and as many at random otherwise."""
    count = images.shape[-2]
    if count <= size:
        return images, np.broadcast_to(labels, (runs, count))
    chosen = generator.integers(count, size=(runs, size))
    if images.ndim == 2:
        return images[chosen], labels[chosen]
    rows = np.arange(runs)[:, None]
    return images[rows, chosen], (labels[chosen] if labels.ndim == 1 else labels[rows, chosen])


def _backpropagate(weights, images, labels, gradients):
    """Write the gradient of the mean cross-entropy into `gradients`, as in notebook 02."""
    outputs = hidden_outputs(weights, images)
    error = np.exp(outputs[-1] - outputs[-1].max(axis=-1, keepdims=True))
    error /= error.sum(axis=-1, keepdims=True)
    runs, count = labels.shape
    error[np.arange(runs)[:, None], np.arange(count), labels] -= 1
    error /= count
    for number in range(len(weights) - 1, -1, -1):
        below, (kernel, bias) = outputs[number], gradients[number]
        np.matmul(below.swapaxes(-1, -2), error, out=kernel)
        error.sum(axis=1, keepdims=True, out=bias)
        if number:
            error = (error @ weights[number][0].swapaxes(-1, -2)) * (below > 0)


def _adam_step(values, slopes, mean, square, *, step, learning_rate, decay=(0.9, 0.999)):
    """Move the weights one step of Adam (Kingma and Ba, 2015), in place; `slopes` are used up."""
    rate = np.float32(learning_rate * np.sqrt(1 - decay[1] ** step) / (1 - decay[0] ** step))
    room = slopes * slopes  # the only new array of a step: large arrays are slow to come by
    room *= np.float32(1 - decay[1])
    square *= np.float32(decay[1])
    square += room
    slopes *= np.float32(1 - decay[0])
    mean *= np.float32(decay[0])
    mean += slopes
    np.sqrt(square, out=room)
    room += np.float32(1e-7)
    np.divide(mean, room, out=room)
    room *= rate
    values -= room


def measure_shape(images: np.ndarray) -> dict[str, np.ndarray]:
    """Return the geometry of each digit (n,), in pixels: row and column of its centre, height, width, and slant.

    All come from the moments of the ink: means for the centre, standard deviations for height and width. The slant
    says by how many columns the ink moves to the right for each row further down; the width is without it.
    """
    ink = images / np.maximum(images.sum(axis=(1, 2), keepdims=True), 1e-6)
    places = np.arange(images.shape[1])
    row, column = (ink.sum(axis=2) * places).sum(axis=1), (ink.sum(axis=1) * places).sum(axis=1)
    down, right = places - row[:, None], places - column[:, None]
    height = (ink.sum(axis=2) * down**2).sum(axis=1)
    slant = (ink * down[:, :, None] * right[:, None, :]).sum(axis=(1, 2)) / np.maximum(height, 1e-6)
    width = (ink.sum(axis=1) * right**2).sum(axis=1) - slant**2 * height
    spread = {"height": np.sqrt(height), "width": np.sqrt(np.maximum(width, 0))}
    return {"row": row, "column": column, **spread, "slant": slant}


def straighten(
    images: np.ndarray,
    *,
    position: bool = True,
    slant: bool = True,
    size: tuple[float, float] | None = (2.2, 1.4),
) -> np.ndarray:
    """Return the digits (n, side, side) float32 with their centre of ink in the middle, upright, and equally large.

    `position`, `slant` and `size` each switch one of the three off (False, False, None). `size` is the height and width
    that all get, as standard deviations of the ink in pixels; a narrow one is made at most about twice as wide.
    New pixels are read between the old ones (bilinear interpolation), and what lies outside the frame is paper.
    """
    side = images.shape[1]
    shape = measure_shape(images)
    middle = (side - 1) / 2
    centre = np.stack([shape["row"], shape["column"]])
    lean = shape["slant"] * slant
    rows, columns = np.indices((side, side)).reshape(2, -1, 1) - middle
    tall, wide = (np.ones(len(images)), np.ones(len(images)))
    if size:
        tall, wide = shape["height"] / size[0], np.maximum(shape["width"] / size[1], 0.45)
    origin = centre if position else np.full_like(centre, middle)
    away = (lean * (middle - centre[0])) if not position else 0  # slant about the centre of the digit
    read_row = origin[0] + tall * rows
    read_column = origin[1] + wide * columns + lean * tall * rows + away
    return _read_between(images, read_row.T, read_column.T).reshape(images.shape)


def _read_between(images, rows, columns):
    """Return the images (n, side, side) read at real-valued places (n, k): a weighted mean of the four pixels around."""
    side = images.shape[1]
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    rows, columns = (np.clip(place + 2, 0, side + 2.999) for place in (rows, columns))
    top, left = rows.astype(int), columns.astype(int)
    down, right = rows - top, columns - left
    which = np.arange(len(images))[:, None]
    corners = [
        padded[which, top + i, left + j] * np.abs(1 - i - down) * np.abs(1 - j - right) for i in (0, 1) for j in (0, 1)
    ]
    return np.sum(corners, axis=0).astype("float32")
