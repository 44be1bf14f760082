"""A multilayer perceptron in NumPy: initialise, forward, backward, train; one network, or one for each of many seeds.

`build_mlp` and `train_mlp` are what notebook 01 uses; `build_weights` and `train` set them up for the ReLU classifiers of
notebook 03, one for each seed. Every training goes through `training_steps`, where the optimizers are.
A network is a list of layers, a layer a pair (weights, bias), as in Keras (inputs, outputs) and (outputs,), or for many
runs (runs, inputs, outputs) and (runs, 1, outputs): ten take little longer than one. Hidden layers have the same activation;
the last is linear, its outputs are logits or the prediction of a regression.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtr
from threadpoolctl import ThreadpoolController

Layers = list[tuple[np.ndarray, np.ndarray]]
THREADS = ThreadpoolController()  # on arrays this small, threads that wait for each other cost more than they gain
WORKERS, HANDS = ThreadPoolExecutor(2), ThreadPoolExecutor(2)  # NumPy lets other threads work; new ones hold more memory


def sigmoid(z: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-z)), computed so that no z overflows."""
    return 0.5 * (1 + np.tanh(0.5 * z))


# name: (the function, its derivative), both of the weighted sum z; leak as in Keras, GELU of Hendrycks and Gimpel, 2016
ACTIVATIONS: dict[str, tuple[Callable, Callable]] = {
    "linear": (lambda z: z, np.ones_like),
    "sigmoid": (sigmoid, lambda z: 0.25 * (1 - np.tanh(0.5 * z) ** 2)),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(z.dtype)),
    "leaky_relu": (lambda z: np.maximum(z, 0.2 * z), lambda z: np.where(z > 0, 1, 0.2).astype(z.dtype)),
    "gelu": (lambda z: z * ndtr(z), lambda z: ndtr(z) + z * np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)),
}


def build_mlp(
    sizes: Sequence[int], *, activation: str = "tanh", seed: int | Sequence[int] = 0, dtype: str = "float64"
) -> Layers:
    """Return the layers of a new network: sizes (2, 8, 1) make a 2-8-1 network, random weights, biases zero.

    The deviation of the weights is that of Glorot and Bengio, 2010, and for the ReLU family that of He and others, 2015.
    Several seeds make one run each, where every layer has a random stream of its own, and not one stream for all layers.
    """
    _check_choice("activation", activation, ACTIVATIONS)
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"sizes are inputs, hidden layers, outputs, each at least 1, but received {list(sizes)}")
    single, layers = np.random.default_rng(seed) if np.ndim(seed) == 0 else None, []
    for number, shape in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        if single:
            weights, bias = single.normal(size=shape), np.zeros(shape[1], dtype)
        else:
            weights = np.stack([np.random.default_rng([run, number]).normal(size=shape) for run in seed])
            bias = np.zeros((len(seed), 1, shape[1]), dtype)
        deviation = np.sqrt(2 / shape[0] if activation in {"relu", "leaky_relu", "gelu"} else 2 / sum(shape))
        layers.append((weights.astype(dtype) * bias.dtype.type(deviation), bias))
    return layers


def forward(layers: Layers, x: np.ndarray, *, activation: str = "tanh") -> list[np.ndarray]:
    """Return what each layer answers to x (n, inputs) or (runs, n, inputs): [x, hidden, ..., output], the last is linear."""
    return _sums_and_outputs(layers, x, activation)[1]


def predict(layers: Layers, x: np.ndarray, *, activation: str = "tanh") -> np.ndarray:
    """Return the output (..., n, outputs) of the last layer: logits, or the prediction of a regression."""
    return forward(layers, x, activation=activation)[-1]


def _sums_and_outputs(layers: Layers, x: np.ndarray, activation: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the weighted sums of every layer, and the outputs of every layer with x in front."""
    _check_choice("activation", activation, ACTIVATIONS)
    sums, outputs = [], [x]
    for number, (weights, bias) in enumerate(layers, start=1):
        sums.append(outputs[-1] @ weights)
        sums[-1] += bias
        outputs.append(ACTIVATIONS[activation][0](sums[-1]) if number < len(layers) else sums[-1])
    return sums, outputs


def _check_choice(kind: str, name: str, known: Sequence[str] | dict[str, Any]) -> None:
    if name not in known:
        raise ValueError(f"there is no {kind} {name!r}; choose from {', '.join(known)}")


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return probabilities (..., n, classes), each row positive and of sum 1."""
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of -log(probability of the right class) and its gradient with respect to the logits.

    `logits` are (..., n, classes), `labels` (n,) or (..., n) integers; the gradient is (softmax - one-hot) / n.
    """
    gradient, count = softmax(logits), logits.shape[-2]
    right = (*np.indices(logits.shape[:-1], sparse=True), labels)
    shares = gradient[right]
    gradient[right] = shares - 1
    return -np.log(np.maximum(shares, 1e-30)).sum(axis=-1) / count, gradient / count


def squared_error(predictions: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return half the squared error, summed over outputs and averaged over examples, and its gradient.

    `predictions` are (..., n, outputs), `targets` as many, or those of one run for all; a row will do for a column.
    """
    shape = predictions.shape if np.size(targets) == predictions.size else predictions.shape[-2:]
    difference = predictions - np.asarray(targets, predictions.dtype).reshape(shape)
    return 0.5 * (difference**2).sum(axis=(-2, -1)) / shape[-2], difference / shape[-2]


def two_heads(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the cross-entropy, and its gradient, of two heads side by side: each example is judged by its own head.

    The second half of the outputs is the second head, and its labels go on from those of the first.
    """
    half = logits.shape[-1] // 2
    own = (np.arange(logits.shape[-1]) >= half) == (labels >= half)[..., np.newaxis]
    return cross_entropy(np.where(own, logits, -1e9), labels)


LOSSES = {"cross_entropy": cross_entropy, "squared_error": squared_error, "two_heads": two_heads}


def backward(
    layers: Layers, x: np.ndarray, targets: np.ndarray, *, activation: str = "tanh", loss: str = "cross_entropy"
) -> tuple[np.ndarray, Layers]:
    """Return the loss, a number or (runs,), and its gradients in the shape of `layers`, by backpropagation."""
    _check_choice("loss", loss, LOSSES)
    sums, outputs = _sums_and_outputs(layers, x, activation)
    value, delta = LOSSES[loss](outputs[-1], targets)
    gradients = []
    for index in reversed(range(len(layers))):
        weights, bias = layers[index]
        gradients.append((outputs[index].swapaxes(-1, -2) @ delta, delta.sum(axis=-2).reshape(bias.shape)))
        if index:
            delta = delta @ weights.swapaxes(-1, -2)
            delta *= ACTIVATIONS[activation][1](sums[index - 1])
    return value, gradients[::-1]


def training_steps(
    layers: Layers,
    x: np.ndarray,
    targets: np.ndarray,
    *,
    activation: str = "tanh",
    loss: str = "cross_entropy",
    optimizer: str = "adam",
    learning_rate: float = 0.01,
    weight_decay: float = 0.0,
    l2_sp: float = 0.0,
    pull: tuple[Layers, Layers] | None = None,
    frozen: int = 0,
    batch_size: int | None = None,
    seed: int = 0,
) -> Iterator[tuple[Layers, np.ndarray]]:
    """Yield the layers and their loss before each step of training, without end; it is their arrays that change.

    A step sees all examples, or `batch_size` at random, in the precision of the layers; the first `frozen` layers stay.
    `optimizer` is "adam" (Kingma and Ba, 2015), "momentum" (Polyak, 1964) or "gradient_descent". `weight_decay` takes the
    share learning_rate * weight_decay off every weight and bias, as AdamW of Keras does (Loshchilov, Hutter, 2019). `l2_sp`
    adds half of it times the squared distance of trained hidden layers from their start (Li, Grandvalet and Davoine, 2018);
    `pull`, a place and an importance for every weight, half the importance times the squared distance from the place.
    """
    _check_choice("optimizer", optimizer, ("adam", "momentum", "gradient_descent"))
    if not 0 <= frozen <= len(layers):
        raise ValueError(f"frozen is {frozen}, but there are {len(layers)} layers: give 0 to {len(layers)}.")
    first, row = layers[0][0], _row(layers[frozen:])
    trained, moments = _views(row, layers[frozen:]), np.zeros((2, *row.shape), row.dtype)
    start, pulled = _row(trained[:-1]), [_row(part[frozen:]) for part in pull or ()]
    x = forward(layers[: frozen + 1], np.asarray(x, first.dtype), activation=activation)[frozen]
    batches = _batches(x, np.asarray(targets), batch_size, runs=first.shape[:-2], seed=seed)
    for step, batch in enumerate(batches, start=1):
        value, gradients = backward(trained, *batch, activation=activation, loss=loss)
        yield [*layers[:frozen], *trained], value
        move = _row(gradients)
        if l2_sp:
            move[: start.size] += l2_sp * (row[: start.size] - start)
        if pulled:
            move += pulled[1] * (row - pulled[0])
        if optimizer == "momentum":
            moments[0] = move = 0.9 * moments[0] + move
        move = _adam(move, *moments, step=step, rate=learning_rate) if optimizer == "adam" else learning_rate * move
        row *= 1 - learning_rate * weight_decay
        row -= move


def adversarial_steps(
    parts: tuple[Layers, Layers, Layers],
    source: np.ndarray,
    labels: np.ndarray,
    target: np.ndarray,
    *,
    strength: float,
    learning_rate: float = 0.003,
    batch_size: int = 64,
    seed: int = 0,
) -> Iterator[tuple[Layers, Layers, Layers]]:
    """Yield body, label head and domain head before each step of a DANN (Ganin and others, 2016), without end.

    Both heads read the body, the domain head through a gradient reversal: the body's gradient of it counts -strength times.
    A step of Adam sees `batch_size` of source (runs, n, inputs) and of target; ReLU; cross-entropy of label and of domain.
    """
    row, cuts = _row([layer for part in parts for layer in part]), np.cumsum([len(part) for part in parts])[:2]
    layers, moments = _views(row, [layer for part in parts for layer in part]), np.zeros((2, *row.shape), row.dtype)
    body, label_head, domain_head = layers[: cuts[0]], layers[cuts[0] : cuts[1]], layers[cuts[1] :]
    runs, domain = source.shape[:1], np.repeat([0, 1], [min(batch_size, source.shape[1]), min(batch_size, target.shape[1])])
    ours = _batches(source, labels, batch_size, runs=runs, seed=seed)
    theirs = _batches(target, np.zeros(target.shape[:2], int), batch_size, runs=runs, seed=seed + 1)
    for step, (known, (unknown, _)) in enumerate(zip(ours, theirs, strict=False), start=1):
        yield body, label_head, domain_head
        _, of_label = backward([*body, *label_head], *known, activation="relu")
        both = np.concatenate([known[0], unknown], axis=1)
        _, of_domain = backward([*body, *domain_head], both, domain, activation="relu")
        against = _row(of_label[: len(body)]) - strength * _row(of_domain[: len(body)])
        gradient = np.concatenate([against, _row(of_label[len(body) :]), _row(of_domain[len(body) :])])
        row -= _adam(gradient, *moments, step=step, rate=learning_rate)


def _adam(gradient: np.ndarray, mean: np.ndarray, square: np.ndarray, *, step: int, rate: float) -> np.ndarray:
    """Return the move of Adam, in the place of the gradient; the means of the gradient and of its square go on in theirs."""
    mean *= 0.9
    mean += (1 - 0.9) * gradient
    gradient *= gradient
    gradient *= 1 - 0.999
    square *= 0.999
    square += gradient
    np.sqrt(square, out=gradient)
    gradient += 1e-7
    np.divide(mean, gradient, out=gradient)
    gradient *= rate * (1 - 0.999**step) ** 0.5 / (1 - 0.9**step)
    return gradient


def _batches(x: np.ndarray, targets: np.ndarray, size: int | None, *, runs: tuple, seed: int) -> Iterator[list]:
    """Yield x and targets of each step: all examples where they are few, or `size` at random, others in each run."""
    count, random = x.shape[-2], np.random.default_rng(seed)
    while size is None or count <= size:
        yield [x, targets]
    own = np.indices((*runs, size), sparse=True)[:-1]
    places = [own if part.shape[: len(runs) + 1] == (*runs, count) else () for part in (x, targets)]
    while True:
        chosen = random.integers(count, size=(*runs, size))
        yield [part[*place, chosen] for part, place in zip((x, targets), places, strict=True)]


def _row(layers: Layers) -> np.ndarray:
    """Return a copy of all weights and biases as one row."""
    return np.concatenate([part.reshape(-1) for layer in layers for part in layer] or [np.zeros(0)])


def _views(row: np.ndarray, layers: Layers) -> Layers:
    """Return layers in the shape of the given ones that are parts of `row`: what changes it changes them."""
    pieces = iter(np.split(row, np.cumsum([part.size for layer in layers for part in layer])))
    return [(next(pieces).reshape(weights.shape), next(pieces).reshape(bias.shape)) for weights, bias in layers]


@THREADS.wrap(limits=1)
def train_mlp(
    layers: Layers, x: np.ndarray, targets: np.ndarray, *, steps: int = 200, **settings: Any
) -> tuple[Layers, np.ndarray]:
    """Return trained layers (the given ones stay as they are) and the loss before each step, (steps,) or (steps, runs).

    `settings` are those of `training_steps`: activation, loss, optimizer, learning_rate, weight_decay and so on.
    """
    course = list(islice(training_steps(layers, x, targets, **settings), steps + 1))
    return course[-1][0], np.array([loss for _, loss in course[:-1]])


class Trained(NamedTuple):
    """What `train` returns: the weights at the end, and the test accuracies on the way, (runs, measured steps)."""

    weights: Layers
    accuracies: np.ndarray


@THREADS.wrap(limits=1)
def train(
    weights: Layers,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    steps: int = 300,
    test: tuple[np.ndarray, np.ndarray] | None = None,
    measure_at: Sequence[int] | None = None,
    **settings: Any,
) -> Trained:
    """Return ReLU networks after `steps` steps of Adam on the cross-entropy, and their test accuracies on the way.

    Images are (n, pixels) for all runs or (runs, n, pixels); labels (n,) or (runs, n). `measure_at` names the steps at which
    the accuracy on `test` is taken; without it, only the last. `settings` are those of `training_steps`.
    """
    settings = {"activation": "relu", "learning_rate": 0.001, "batch_size": 64} | settings
    accuracies = []
    for step, (layers, _) in enumerate(islice(training_steps(weights, images, labels, **settings), steps + 1)):
        if test is not None and step in ((steps,) if measure_at is None else measure_at):
            accuracies.append(accuracy(layers, *test))
    return Trained(layers, np.array(accuracies).T)


@THREADS.wrap(limits=1)
def train_each(rates: Sequence[float], *examples: Any, **settings: Any) -> dict[float, Trained]:
    """Return what `train` returns for each learning rate, trained side by side; all other arguments are those of `train`."""
    trained = WORKERS.map(lambda rate: train(*examples, learning_rate=rate, **settings), rates)
    return dict(zip(rates, trained, strict=True))


@THREADS.wrap(limits=1)
def side_by_side(tasks: dict[Any, Callable[[], Any]]) -> dict[Any, Any]:
    """Return what each task returns when it is called without arguments, under the same name; two are at work at a time."""
    return dict(zip(tasks, HANDS.map(lambda task: task(), tasks.values()), strict=True))


def build_weights(sizes: Sequence[int] = (64, 64, 64, 10), *, seeds: Sequence[int] = range(6)) -> Layers:
    """Return random start weights of ReLU networks in float32, one run for each seed."""
    return build_mlp(sizes, activation="relu", seed=seeds, dtype="float32")


def new_head(weights: Layers, *, classes: int = 10) -> Layers:
    """Return the hidden layers of `weights` and, behind them, a random last layer for `classes` classes."""
    runs, inputs, _ = weights[-1][0].shape
    return [*weights[:-1], *build_weights((inputs, classes), seeds=range(1000, 1000 + runs))]


def accuracy(weights: Layers, images: np.ndarray, labels: np.ndarray, *, activation: str = "relu") -> np.ndarray:
    """Return the share of right predictions of each run, (runs,), for images (n, pixels) or (runs, n, pixels)."""
    return (predict(weights, images, activation=activation).argmax(axis=-1) == labels).mean(axis=-1)
