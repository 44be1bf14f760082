"""Do the last layer, the loss and the labels of a classifier belong together?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.diagnostics.model_heads import Head, Loss, read_head, read_loss
from helpers.diagnostics.model_layers import require_model
from helpers.diagnostics.result import Diagnosis

if TYPE_CHECKING:
    import keras

NAME = "head and loss"
CLASSES = {
    "sparse": "SparseCategoricalCrossentropy",
    "categorical": "CategoricalCrossentropy",
    "binary": "BinaryCrossentropy",
}


def diagnose_head_and_loss(
    model: keras.Model, *, labels: Any = None, classes: int | None = None, images: Any = None
) -> Diagnosis:
    """Return whether the last activation, the loss and the labels of a model with one output fit each other.

    `labels`: all training labels, integers (n,) or one-hot (n, classes). `classes`: how many there are, where the labels do
    not tell. `images`: a small batch, (n, ...), to try a model whose layers cannot be followed (a subclass). Before
    `compile()` only the head is looked at, and a loss of your own is taken as it is.
    """
    require_model(model)
    if len(getattr(model, "outputs", None) or [None]) != 1:
        return Diagnosis(NAME, True, "not judged: the model has several outputs.")
    head, loss = read_head(model, images), read_loss(model)
    labels = None if labels is None else _labels(labels)
    if loss.kind is None and head.activation not in ("softmax", "sigmoid"):
        labels = None  # no classifier, as far as can be seen
    found = _two_softmaxes(head) or _fit_each_other(head, loss)
    if not found and labels is not None:
        found = _labels_fit(labels, head, loss)
    if not found and head.units is not None:
        found = _units_fit(labels, head, loss, classes)
    if found:
        return Diagnosis(NAME, False, *found)
    return Diagnosis(NAME, True, _fitting(head, loss, labels))


def _fitting(head: Head, loss: Loss, labels: np.ndarray | None) -> str:
    outputs = f" over {head.units} output{'s' * (head.units > 1)}" if head.units else ""
    if not loss.kind or not head.activation:
        return (
            f"the head ends in {head.activation or 'something unknown'}{outputs}; whether the loss fits was not judged."
        )
    fitting = ", with these labels" if labels is not None else ""
    return f"{head.activation}{outputs} and {loss.kind} crossentropy fit{fitting}."


def _two_softmaxes(head: Head) -> tuple[str, str] | None:
    if not head.earlier:
        return None
    return (
        f"the layers after {head.earlier!r} work on probabilities: it ends in softmax already. An old head has to be"
        " replaced, not followed by a new one.",
        "base_model = VGG16(include_top=False, pooling='avg', ...)  # or take the output of the layer before"
        f" {head.earlier!r}",
    )


def _fit_each_other(head: Head, loss: Loss) -> tuple[str, str] | None:
    kind, act = loss.kind, head.activation
    if head.units == 1 and act == "softmax":
        return "softmax over a single output is always 1.", 'keras.layers.Dense(1, activation="sigmoid")'
    if kind is None or act is None:
        return None
    wanted = "sigmoid" if kind == "binary" else "softmax"
    units = head.units or "classes"
    if act in ("softmax", "sigmoid") and loss.from_logits:
        return (
            f"the head ends in {act}, and from_logits=True makes the loss apply it once more (unless Keras sees it"
            " and warns).",
            f"loss=keras.losses.{CLASSES[kind]}(from_logits=False)",
        )
    if act == "linear" and not loss.from_logits:
        return (
            "the head is linear (no activation), and this loss expects probabilities.",
            f'loss=keras.losses.{CLASSES[kind]}(from_logits=True)  # or a head with activation="{wanted}"',
        )
    if act == "linear" or act == wanted or (act == "softmax" and kind == "binary" and head.units == 2):
        return _one_output(head, kind)
    if act == "softmax":
        return (
            "softmax chooses one class, binary crossentropy asks each one for itself.",
            'loss="categorical_crossentropy"',
        )
    if act == "sigmoid" and head.units == 1:
        return (
            f"one sigmoid output is yes or no, and {kind} crossentropy wants an output for each class.",
            'loss="binary_crossentropy"',
        )
    return (
        f"the head ends in {act}, and {kind} crossentropy wants {wanted}.",
        f'keras.layers.Dense({units}, activation="{wanted}")',
    )


def _one_output(head: Head, kind: str) -> tuple[str, str] | None:
    if head.units != 1 or kind == "binary":
        return None
    change = "loss=keras.losses.BinaryCrossentropy(from_logits=True)"
    return f"the head has one output, and {kind} crossentropy wants one for each class.", change


def _labels_fit(labels: np.ndarray, head: Head, loss: Loss) -> tuple[str, str] | None:
    one_hot = labels.ndim == 2 and labels.shape[1] > 1
    shape = f"the labels have shape {labels.shape}"
    if loss.kind == "sparse" and one_hot and head.units != 1:
        return f"{shape}, one-hot, and the sparse loss wants integers.", 'loss="categorical_crossentropy"'
    if loss.kind == "categorical" and not one_hot:
        return (
            f"{shape}, integers, and this loss wants them one-hot.",
            'loss="sparse_categorical_crossentropy"',
        )
    if loss.kind == "categorical" and labels.sum(axis=1).max() > 1.01:
        return (
            "some images have several classes, and softmax chooses one.",
            'Dense(..., activation="sigmoid"), loss="binary_crossentropy"',
        )
    if loss.kind == "binary" and not one_hot and (head.units or 1) > 1:
        change = 'loss="sparse_categorical_crossentropy"  # and activation="softmax"'
        return f"{shape} for {head.units} outputs, and this loss wants them one-hot.", change
    if loss.kind == "binary" and (labels.min() < 0 or labels.max() > 1):
        return (
            f"the labels go up to {labels.max():g}, and this loss wants 0 or 1.",
            'loss="sparse_categorical_crossentropy"  # and Dense(classes, activation="softmax")',
        )
    return None


def _units_fit(labels: np.ndarray | None, head: Head, loss: Loss, classes: int | None) -> tuple[str, str] | None:
    change = 'keras.layers.Dense({}, activation="{}")'
    act = head.activation if head.activation in ("softmax", "sigmoid") else "softmax"
    if classes is not None and head.units != classes and not (classes == 2 and head.units == 1):
        return f"the head has {head.units} outputs for {classes} classes.", change.format(classes, act)
    if labels is None or loss.kind == "binary" and labels.ndim == 1:
        return None
    if labels.ndim == 2 and labels.shape[1] == head.units or head.units == 1:
        return None
    if labels.ndim == 2:
        columns = labels.shape[1]
        return f"the head has {head.units} outputs for {columns} classes.", change.format(columns, act)
    lowest, highest = int(labels.min()), int(labels.max())
    if highest >= head.units and lowest == 1:
        return f"the labels go from 1 to {highest}, and classes are counted from 0.", "labels = labels - 1"
    message, fitted = (
        f"the head has {head.units} outputs for the classes 0 to {highest}.",
        change.format(highest + 1, act),
    )
    if highest >= head.units:
        return message, fitted
    if classes is None and labels.size >= 5 * (highest + 1) and highest + 1 != head.units:  # has met every class
        return message, f"{fitted}  # or, if the others are still to come, check with classes={head.units}"
    return None


def _labels(labels: Any) -> np.ndarray:
    values = np.asarray(labels)
    if values.dtype.kind not in "uifb" or values.ndim not in (1, 2) or not values.size:
        raise ValueError(
            f"labels are {values.dtype} of shape {values.shape}; wanted integers (n,) or one-hot (n, classes)."
        )
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    return values.astype("float64")
