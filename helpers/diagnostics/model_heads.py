"""What a classifier ends in, and which loss it was compiled with."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import keras

KINDS = {
    "sparse_categorical_crossentropy": "sparse",
    "categorical_crossentropy": "categorical",
    "categorical_focal_crossentropy": "categorical",
    "binary_crossentropy": "binary",
    "binary_focal_crossentropy": "binary",
}
PASSING = (
    "Dropout",
    "Flatten",
    "Reshape",
    "Identity",
    "Cast",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
)
KNOWN = {
    "Softmax": "softmax",
    "Sigmoid": "sigmoid",
    "LogSoftmax": "log_softmax",
    "ReLU": "relu",
    "Relu": "relu",
}


class Head(NamedTuple):
    """Activation at the end ("linear", "softmax", ..., None: unknown), outputs, and a softmax in front of it, if any."""

    activation: str | None
    units: int | None
    earlier: str | None


class Loss(NamedTuple):
    """Kind of crossentropy ("sparse", "categorical", "binary"; None: something else) and whether it wants logits."""

    kind: str | None
    from_logits: bool


def read_loss(model: keras.Model) -> Loss:
    """Return the loss that a model was compiled with, as far as it is one of those of Keras for classes."""
    import keras

    loss = getattr(model, "loss", None)
    while isinstance(loss, dict | list | tuple) and len(loss) == 1:
        loss = next(iter(loss.values() if isinstance(loss, dict) else loss))
    if isinstance(loss, str):
        loss = keras.losses.get(loss)
    keywords: dict = {}
    while isinstance(loss, functools.partial):
        keywords, loss = {**loss.keywords, **keywords}, loss.func
    keywords = keywords or getattr(loss, "_fn_kwargs", None) or {}
    names = [getattr(loss, "__name__", ""), getattr(getattr(loss, "fn", None), "__name__", "")]
    kind = next((KINDS[name] for name in names if name in KINDS), None)
    return Loss(kind, bool(keywords.get("from_logits", getattr(loss, "from_logits", False))))


def read_head(model: keras.Model, images: Any = None) -> Head:
    """Return what a model with one output ends in; where its layers cannot be followed it is tried on `images`."""
    outputs = getattr(model, "outputs", None)
    if not outputs:
        return _tried(model, images)
    units = outputs[0].shape[-1] if len(outputs[0].shape) == 2 else None
    chain = [layer for layer in _upstream(outputs[0]) if type(layer).__name__ not in PASSING]
    activation = _activation(chain[0]) if chain else None
    if activation is None:
        return Head(_tried(model, images).activation, units, None)
    return Head(activation, units, _earlier_softmax(chain) if units else None)


def _earlier_softmax(chain: list) -> str | None:
    for layer in chain[1:]:
        if _activation(layer) == "softmax":
            return layer.name
        if type(layer).__name__ not in (
            "Dense",
            "Activation",
            "BatchNormalization",
            "LayerNormalization",
            "ReLU",
        ):
            return None
    return None


def _upstream(tensor: Any) -> Iterator:
    """Yield the layers from an output back to the input, those of nested models too, as long as there is one path."""
    while True:
        layer, node, _ = tensor._keras_history
        inner = getattr(layer, "outputs", None)
        if inner:
            yield from _upstream(inner[0])
        elif type(layer).__name__ != "InputLayer":
            yield layer
        if not layer._inbound_nodes or len(layer._inbound_nodes[node].input_tensors) != 1:
            return
        tensor = layer._inbound_nodes[node].input_tensors[0]


def _activation(layer: Any) -> str | None:
    if type(layer).__name__ in KNOWN:
        return KNOWN[type(layer).__name__]
    if hasattr(layer, "activation"):
        return getattr(layer.activation, "__name__", None)
    return "linear" if type(layer).__name__ in ("BatchNormalization", "Rescaling") else None


def _tried(model: keras.Model, images: Any) -> Head:
    """Return what the answers of a model look like whose layers cannot be followed."""
    shape = getattr(model, "_build_shapes_dict", None) or {}
    shape = shape.get("input_shape") or (tuple(model.inputs[0].shape) if getattr(model, "inputs", None) else None)
    if images is None and (not shape or not all(isinstance(size, int) for size in shape[1:])):
        return Head(None, None, None)
    batch = np.random.default_rng(0).normal(size=(16, *shape[1:])) if images is None else np.asarray(images)
    answers = np.asarray(model(batch.astype("float32"), training=False), dtype="float64")
    if answers.ndim != 2:
        return Head(None, None, None)
    positive = (answers >= 0).all() and (answers <= 1).all()
    sums = np.allclose(answers.sum(axis=1), 1, atol=1e-3) and answers.shape[1] > 1
    guess = "softmax" if positive and sums else "sigmoid" if positive else "linear"
    return Head(guess, answers.shape[1], None)
