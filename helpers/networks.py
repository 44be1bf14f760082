"""A multilayer perceptron in NumPy: initialise, forward, backward, train. Notebooks 01 and 02 build it step by step.

A network is a list of layers, a layer is a pair (weights, bias) with weights (inputs, outputs) and bias (outputs,), as in
Keras. Every hidden layer has the same activation; the output layer is linear, so its outputs are logits (classification)
or the prediction itself (regression).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Layers = list[tuple[np.ndarray, np.ndarray]]
Function = Callable[[np.ndarray], np.ndarray]

LEAK = 0.2  # the slope of the leaky ReLU below zero, as in Keras


def sigmoid(z: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-z)), computed so that no z overflows."""
    return 0.5 * (1 + np.tanh(0.5 * z))


def sigmoid_slope(z: np.ndarray) -> np.ndarray:
    """Return the derivative of the sigmoid at z."""
    return 0.25 * (1 - np.tanh(0.5 * z) ** 2)


def gelu(z: np.ndarray) -> np.ndarray:
    """Return z times the share of a standard normal distribution below z (Hendrycks and Gimpel, 2016)."""
    return z * _normal_below(z)


def gelu_slope(z: np.ndarray) -> np.ndarray:
    """Return the derivative of the GELU at z."""
    return _normal_below(z) + z * np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)


def _normal_below(z: np.ndarray) -> np.ndarray:
    from scipy.special import ndtr

    return ndtr(z)


# name: (the function, its derivative), both of the weighted sum z
ACTIVATIONS: dict[str, tuple[Function, Function]] = {
    "linear": (lambda z: z, np.ones_like),
    "sigmoid": (sigmoid, sigmoid_slope),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(z.dtype)),
    "leaky_relu": (
        lambda z: np.maximum(z, LEAK * z),
        lambda z: np.where(z > 0, 1, LEAK).astype(z.dtype),
    ),
    "gelu": (gelu, gelu_slope),
}


def build_mlp(sizes: Sequence[int], *, activation: str = "tanh", seed: int = 0, dtype: str = "float64") -> Layers:
    """Return the layers of a new network: sizes (2, 8, 1) make a 2-8-1 network, random weights, biases zero.

    The deviation of the weights is that of Glorot and Bengio, 2010, and for the ReLU family that of He and others, 2015.
    """
    _functions(activation)
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"sizes are inputs, hidden layers, outputs, each at least 1, but received {list(sizes)}")
    random = np.random.default_rng(seed)
    rectified = activation in {"relu", "leaky_relu", "gelu"}
    layers = []
    for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True):
        deviation = np.sqrt(2 / inputs if rectified else 2 / (inputs + outputs))
        weights = deviation * random.normal(size=(inputs, outputs))
        layers.append((weights.astype(dtype), np.zeros(outputs, dtype)))
    return layers


def forward(layers: Layers, x: np.ndarray, *, activation: str = "tanh") -> list[np.ndarray]:
    """Return what each layer answers to x (n, inputs), a list [x, hidden, ..., output]; the last is linear."""
    return _run(layers, x, activation)[1]


def predict(layers: Layers, x: np.ndarray, *, activation: str = "tanh") -> np.ndarray:
    """Return the output (n, outputs) of the last layer: logits, or the prediction of a regression."""
    return forward(layers, x, activation=activation)[-1]


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return probabilities (n, classes), each row positive and of sum 1."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the mean of -log(probability of the right class) and its gradient with respect to the logits.

    `logits` are (n, classes), `labels` (n,) integers; the gradient is (softmax - one-hot) / n.
    """
    gradient, rows = softmax(logits), np.arange(len(labels))
    loss = -np.log(np.maximum(gradient[rows, labels], 1e-30)).mean()
    gradient[rows, labels] -= 1
    return float(loss), gradient / len(labels)


def squared_error(predictions: np.ndarray, targets: np.ndarray) -> tuple[float, np.ndarray]:
    """Return half the squared error, summed over outputs and averaged over examples, and its gradient."""
    difference = predictions - np.asarray(targets, predictions.dtype).reshape(predictions.shape)
    return float(0.5 * (difference**2).sum() / len(difference)), difference / len(difference)


LOSSES = {"cross_entropy": cross_entropy, "squared_error": squared_error}


def backward(
    layers: Layers,
    x: np.ndarray,
    targets: np.ndarray,
    *,
    activation: str = "tanh",
    loss: str = "cross_entropy",
) -> tuple[float, Layers]:
    """Return the loss and its gradients, a list of pairs in the shape of `layers`, by backpropagation."""
    if loss not in LOSSES:
        raise ValueError(f"there is no loss {loss!r}; choose from {', '.join(LOSSES)}")
    sums, outputs = _run(layers, x, activation)
    value, delta = LOSSES[loss](outputs[-1], targets)
    gradients = []
    for index in reversed(range(len(layers))):
        gradients.append((outputs[index].T @ delta, delta.sum(axis=0)))
        if index:
            delta = (delta @ layers[index][0].T) * _functions(activation)[1](sums[index - 1])
    return value, gradients[::-1]


def train_mlp(
    layers: Layers,
    x: np.ndarray,
    targets: np.ndarray,
    *,
    activation: str = "tanh",
    loss: str = "cross_entropy",
    optimizer: str = "adam",
    steps: int = 200,
    learning_rate: float = 0.01,
    weight_decay: float = 0.0,
) -> tuple[Layers, np.ndarray]:
    """Return trained layers (the given ones stay as they are) and the loss before each step, (steps,).

    Every step sees all examples, in the precision of the layers. `optimizer` is "adam" (Kingma and Ba, 2015) or
    "gradient_descent". In each step `weight_decay` takes the share learning_rate * weight_decay off every weight and bias,
    as AdamW of Keras does (Loshchilov and Hutter, 2019).
    """
    if optimizer not in ("adam", "gradient_descent"):
        raise ValueError(f"there is no optimizer {optimizer!r}; choose from adam, gradient_descent")
    flat = np.concatenate([part.reshape(-1) for layer in layers for part in layer])
    trained, slopes, squares = _views(flat, layers), np.zeros_like(flat), np.zeros_like(flat)
    x, losses = np.asarray(x, flat.dtype), np.zeros(steps)
    # On arrays this small, threads that wait for each other cost more than they gain.
    with _threads().limit(limits=1):
        for step in range(steps):
            losses[step], gradients = backward(trained, x, targets, activation=activation, loss=loss)
            change = np.concatenate([part.reshape(-1) for layer in gradients for part in layer])
            if optimizer == "adam":
                slopes += 0.1 * (change - slopes)
                squares += 0.001 * (change**2 - squares)
                scale = np.sqrt(squares / (1 - 0.999 ** (step + 1))) + 1e-7
                change = slopes / (1 - 0.9 ** (step + 1)) / scale
            flat -= learning_rate * (change + weight_decay * flat)
    return trained, losses


@functools.cache
def _threads() -> Any:
    """The controller of the threads of NumPy's linear algebra."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _run(layers: Layers, x: np.ndarray, activation: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The weighted sums of every layer, and the outputs of every layer with x in front."""
    function, sums, outputs = _functions(activation)[0], [], [x]
    for index, (weights, bias) in enumerate(layers):
        sums.append(outputs[-1] @ weights + bias)
        outputs.append(function(sums[-1]) if index < len(layers) - 1 else sums[-1])
    return sums, outputs


def _functions(activation: str) -> tuple[Function, Function]:
    if activation not in ACTIVATIONS:
        raise ValueError(f"there is no activation {activation!r}; choose from {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[activation]


def _views(flat: np.ndarray, layers: Layers) -> Layers:
    """Layers in the shape of the given ones whose weights and biases are parts of `flat`."""
    views, start = [], 0
    for layer in layers:
        parts = []
        for part in layer:
            parts.append(flat[start : start + part.size].reshape(part.shape))
            start += part.size
        views.append(tuple(parts))
    return views
