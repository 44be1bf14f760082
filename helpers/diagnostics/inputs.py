"""Do the images have the values that a pretrained network was trained on, and do its last layer, loss and labels agree?"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.diagnostics.data import Epochs
from helpers.diagnostics.model import require_model
from helpers.diagnostics.result import Diagnosis

if TYPE_CHECKING:
    import keras

WANTED = {  # by what becomes of black and white, rounded; Simonyan and Zisserman, 2014; the documentation of Keras
    (0, 255): "0 to 255",
    (-124, 151): "BGR minus the ImageNet means, about -124 to 151",
    (-1, 1): "-1 to 1",
    (-2, 3): "standardised by the ImageNet means, about -2.1 to 2.6",
}
ALLOWED = 0.005  # share of values that may lie outside, from resizing with overshoot
EDGE = 0.02
LOSSES = {
    "sparse": "SparseCategoricalCrossentropy",
    "categorical": "CategoricalCrossentropy",
    "binary": "BinaryCrossentropy",
}
ACTIVATIONS = {"Softmax": "softmax", "Sigmoid": "sigmoid", "LogSoftmax": "log_softmax", "ReLU": "relu", "Relu": "relu"}
PASSING = ("Dropout", "Flatten", "Reshape", "Identity", "Cast", "GlobalAveragePooling2D", "GlobalMaxPooling2D")
HIDDEN = ("Dense", "Activation", "BatchNormalization", "LayerNormalization", "ReLU")


def diagnose_input_range(images: Any, *, backbone: str, limit: int = 256) -> Diagnosis:
    """Return whether images have the range of values that `backbone` ("vgg16", "mobilenet_v2", ...) was trained on.

    `images`: what reaches the backbone, as an array (n, height, width, 3) or a dataset; the first `limit` are looked at.
    Where the model prepares them itself, give what comes out of that step, `preprocess_input(images)`. That red and blue
    are swapped cannot be known from a batch, and pictures without any dark place look like another scale.
    """
    import keras

    module = _module(backbone)
    pixels = np.array([[0.0] * 3, [255.0] * 3])
    black, white = getattr(keras.applications, module).preprocess_input(pixels.reshape(2, 1, 1, 3)).reshape(2, 3)
    wanted = WANTED[round(black.min()), round(white.max())]
    values = _values(images, limit)
    fault = _misfit(values, black, white)
    seen = f"the values go from {values.min():.4g} to {values.max():.4g}"
    if fault is None:
        return Diagnosis("input range", True, f"{seen}, as {backbone} wants them ({wanted}).")
    change = f"images = keras.applications.{module}.preprocess_input(images)"
    change = f"{change}  # once, on raw pixels 0..255, with no rescale=1/255 before or after"
    if white.max() == 255:
        change = f"take out preprocessing and rescaling: {module} does it itself"
    return Diagnosis("input range", False, f"{seen}: {fault}. {backbone} wants {wanted}.", change)


def _misfit(values: np.ndarray, black: np.ndarray, white: np.ndarray) -> str | None:
    """Return what the values look like instead of going from black to white (of each channel), or None when they fit."""
    low, high = np.quantile(values, [ALLOWED, 1 - ALLOWED])
    raw, centred, unit = white.max() == 255, 100 < white.max() < 255, white.max() == 1
    if not np.isfinite(values).all():
        return "some are not numbers (NaN) or infinite"
    if values.min() == values.max():
        return "all are the same, there is no picture"
    if low >= 0 and values.min() >= -EDGE:
        if high <= 1 + EDGE:
            return "they look scaled to 0..1"
        if not raw:
            return "they look like raw pixels, not preprocessed"
        return None if high <= 255 + 1 else "they are larger than those of pixels"
    if not raw and high < black.max() + EDGE * (white - black).max():
        return "preprocessed twice, or scaled to 0..1 and then preprocessed"
    if (raw or centred) and low >= -0.49 and high <= 0.6:
        return "they look preprocessed and then divided by 255"
    if not unit and max(-low, high) <= 1 + EDGE and (raw or centred or min(-low, high) > 0.95):
        return "they look scaled to -1..1"
    if centred and low >= -2.118 - EDGE and high <= 2.64 + EDGE:
        return "they look prepared for a network of another kind (torch)"
    if centred and low < black.min() - 1:
        return "preprocessed twice"
    if centred and values.shape[-1] == 3 and np.quantile(values[..., 0], ALLOWED) < black[0] - 1:
        return "the mean of red was taken from the first channel: not swapped to BGR"
    slack = min(1.0, 0.01 * (white.max() - black.min()))
    if low < black.min() - slack or high > white.max() + slack:
        return "they look prepared for a network of another kind"
    return None


def _module(backbone: str) -> str:
    """Return the module of `keras.applications` with the longest name that the name of a network begins with."""
    import keras

    if not isinstance(backbone, str):
        raise TypeError(f'backbone is a name such as "vgg16"; received {type(backbone).__name__}.')
    known = {name.replace("_", ""): name for name in dir(keras.applications)
             if hasattr(getattr(keras.applications, name), "preprocess_input")}  # fmt: skip
    del known["imagenetutils"]
    plain = re.sub(r"\d+v", "v", backbone.lower().replace("_", "").replace("-", ""))  # resnet50v2 is one of resnet_v2
    fitting = [name for name in known if plain.startswith(name)]
    if not fitting:
        raise ValueError(f"backbone {backbone!r} is not known; choose from: {', '.join(known.values())}.")
    return known[max(fitting, key=len)]


def _values(images: Any, limit: int) -> np.ndarray:
    batches: list[np.ndarray] = []
    for batch in Epochs(images, steps=limit).batches():
        batches.append(np.asarray(batch[: limit - sum(map(len, batches))], dtype="float64"))
        if sum(map(len, batches)) >= limit:
            break
    if not sum(map(len, batches)):
        raise ValueError("there is not one image in it.")
    if batches[0].ndim != 4:
        raise ValueError(f"images have shape {batches[0].shape}; wanted (n, height, width, channels).")
    return np.concatenate([batch for batch in batches if batch.shape[1:] == batches[0].shape[1:]])


@dataclass(frozen=True)
class _Ending:
    """What a classifier ends in, and is compiled with, as far as that can be seen; None where it cannot."""

    activation: str | None  # of the last layer: "linear", "softmax", ...
    units: int | None
    earlier: str | None  # the name of a layer before it that ends in softmax already
    loss: str | None  # the kind of crossentropy: "sparse", "categorical", "binary"
    from_logits: bool


def diagnose_head_and_loss(
    model: keras.Model, *, labels: Any = None, classes: int | None = None, images: Any = None
) -> Diagnosis:
    """Return whether the last activation, the loss and the labels of a model with one output fit each other.

    `labels`: all training labels, integers (n,) or one-hot (n, classes). `classes`: how many there are, where the labels do
    not tell. `images`: a small batch, (n, ...), to try a model whose layers cannot be followed (a subclass). Before
    `compile()` only the head is looked at, and a loss of your own is taken as it is.
    """
    require_model(model)
    name, outputs = "head and loss", getattr(model, "outputs", None) or [None]
    if len(outputs) != 1:
        return Diagnosis(name, True, "not judged: the model has several outputs.")
    ending = _Ending(*_read_head(model, outputs[0], images), *_read_loss(model))
    numbers = None if labels is None else _as_numbers(labels)
    if ending.loss is None and ending.activation not in ("softmax", "sigmoid"):
        numbers = None  # no classifier, as far as can be seen
    found = _loss_misfit(ending)
    if not found and numbers is not None:
        found = _labels_misfit(numbers, ending)
    if not found and ending.units is not None:
        found = _units_misfit(numbers, ending, classes)
    if found:
        return Diagnosis(name, False, *found)
    over = f" over {ending.units} output{'s' * (ending.units > 1)}" if ending.units else ""
    if not ending.loss or not ending.activation:
        last = ending.activation or "something unknown"
        return Diagnosis(name, True, f"the head ends in {last}{over}; whether the loss fits was not judged.")
    fitting = "" if numbers is None else ", with these labels"
    return Diagnosis(name, True, f"{ending.activation}{over} and {ending.loss} crossentropy fit{fitting}.")


def _loss_misfit(ending: _Ending) -> tuple[str, str] | None:
    """Return the problem with activation and loss, and what to change, or None."""
    act, units, kind = ending.activation, ending.units, ending.loss
    if ending.earlier:
        return (
            f"the layers after {ending.earlier!r} work on probabilities: it ends in softmax already. An old head has to be"
            " replaced, not followed by a new one.",
            "base_model = VGG16(include_top=False, pooling='avg', ...)  # or take the output of the layer before"
            f" {ending.earlier!r}",
        )
    if units == 1 and act == "softmax":
        return "softmax over a single output is always 1.", 'keras.layers.Dense(1, activation="sigmoid")'
    if kind is None or act is None:
        return None
    wanted = "sigmoid" if kind == "binary" else "softmax"
    logits = f"loss=keras.losses.{LOSSES[kind]}(from_logits={{}})"
    if act in ("softmax", "sigmoid") and ending.from_logits:
        message = f"the head ends in {act}, and from_logits=True makes the loss apply it once more"
        return f"{message} (unless Keras sees it and warns).", logits.format(False)
    if act == "linear" and not ending.from_logits:
        message = "the head is linear (no activation), and this loss expects probabilities."
        return message, f'{logits.format(True)}  # or a head with activation="{wanted}"'
    if act in ("linear", wanted) and units == 1 and kind != "binary":
        message = f"the head has one output, and {kind} crossentropy wants one for each class."
        return message, "loss=keras.losses.BinaryCrossentropy(from_logits=True)"
    if act in ("linear", wanted) or (act == "softmax" and units == 2):
        return None
    if act == "softmax":
        message = "softmax chooses one class, binary crossentropy asks each one for itself."
        return message, 'loss="categorical_crossentropy"'
    if act == "sigmoid" and units == 1:
        message = f"one sigmoid output is yes or no, and {kind} crossentropy wants an output for each class."
        return message, 'loss="binary_crossentropy"'
    change = f'keras.layers.Dense({units or "classes"}, activation="{wanted}")'
    return f"the head ends in {act}, and {kind} crossentropy wants {wanted}.", change


def _labels_misfit(labels: np.ndarray, ending: _Ending) -> tuple[str, str] | None:
    """Return the problem with labels and loss, and what to change, or None."""
    kind, one_hot, shape = ending.loss, labels.ndim == 2, f"the labels have shape {labels.shape}"
    if kind == "sparse" and one_hot and ending.units != 1:
        return f"{shape}, one-hot, and the sparse loss wants integers.", 'loss="categorical_crossentropy"'
    if kind == "categorical" and not one_hot:
        return f"{shape}, integers, and this loss wants them one-hot.", 'loss="sparse_categorical_crossentropy"'
    if kind == "categorical" and labels.sum(axis=1).max() > 1.01:
        change = 'Dense(..., activation="sigmoid"), loss="binary_crossentropy"'
        return "some images have several classes, and softmax chooses one.", change
    if kind == "binary" and not one_hot and (ending.units or 1) > 1:
        change = 'loss="sparse_categorical_crossentropy"  # and activation="softmax"'
        return f"{shape} for {ending.units} outputs, and this loss wants them one-hot.", change
    if kind == "binary" and (labels.min() < 0 or labels.max() > 1):
        change = 'loss="sparse_categorical_crossentropy"  # and Dense(classes, activation="softmax")'
        return f"the labels go up to {labels.max():g}, and this loss wants 0 or 1.", change
    return None


def _units_misfit(labels: np.ndarray | None, ending: _Ending, classes: int | None) -> tuple[str, str] | None:
    """Return the problem with the number of outputs, and what to change, or None."""
    units, act = ending.units, ending.activation if ending.activation in ("softmax", "sigmoid") else "softmax"
    if classes is not None and units != classes and not (classes == 2 and units == 1):
        return (
            f"the head has {units} outputs for {classes} classes.",
            f'keras.layers.Dense({classes}, activation="{act}")',
        )
    if labels is None or units == 1 or (ending.loss == "binary" and labels.ndim == 1):
        return None
    if labels.ndim == 2:
        return _units_misfit(None, ending, labels.shape[1])
    lowest, highest = int(labels.min()), int(labels.max())
    if highest >= units and lowest == 1:
        return f"the labels go from 1 to {highest}, and classes are counted from 0.", "labels = labels - 1"
    message = f"the head has {units} outputs for the classes 0 to {highest}."
    change = f'keras.layers.Dense({highest + 1}, activation="{act}")'
    if highest >= units:
        return message, change
    if classes is None and labels.size >= 5 * (highest + 1) and highest + 1 != units:  # has met every class
        return message, f"{change}  # or, if the others are still to come, check with classes={units}"
    return None


def _as_numbers(labels: Any) -> np.ndarray:
    values = np.asarray(labels)
    if values.dtype.kind not in "uifb" or values.ndim not in (1, 2) or not values.size:
        wanted = "wanted integers (n,) or one-hot (n, classes)"
        raise ValueError(f"labels are {values.dtype} of shape {values.shape}; {wanted}.")
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    return values.astype("float64")


def _read_loss(model: keras.Model) -> tuple[str | None, bool]:
    """Return the kind of crossentropy that a model was compiled with, and whether it wants logits."""
    import keras

    loss, given = getattr(model, "loss", None), {}
    while isinstance(loss, dict | list | tuple) and len(loss) == 1:
        loss = next(iter(loss.values() if isinstance(loss, dict) else loss))
    if isinstance(loss, str):
        loss = keras.losses.get(loss)
    if isinstance(loss, functools.partial):
        loss, given = loss.func, loss.keywords
    plain = getattr(loss, "__name__", type(loss).__name__).lower().replace("_", "").replace("focal", "")
    kind = next((kind for kind, name in LOSSES.items() if name.lower() == plain), None)
    return kind, bool(given.get("from_logits", getattr(loss, "from_logits", False)))


def _read_head(model: keras.Model, output: Any, images: Any) -> tuple[str | None, int | None, str | None]:
    """Return last activation, outputs, and the layer that ends in softmax before; tried on `images` where layers hide it."""
    if output is None:
        return *_tried(model, images), None
    units = output.shape[-1] if len(output.shape) == 2 else None
    layers = [layer for layer in _last_first(model) if type(layer).__name__ not in PASSING]
    activations = [_activation(layer) for layer in layers]
    if not activations or activations[0] is None:
        return _tried(model, images)[0], units, None
    hidden = [type(layer).__name__ in HIDDEN for layer in layers[1:]] + [False]
    earlier = [at for at, act in enumerate(activations) if at and act == "softmax" and all(hidden[: at - 1])]
    return activations[0], units, layers[earlier[0]].name if earlier and units else None


def _last_first(model: keras.Model) -> Iterator[Any]:
    """Yield the layers and operations from the output back, those of nested models too, as long as there is one path."""
    import keras

    for step in reversed(getattr(model, "operations", model.layers)):
        if isinstance(step, keras.Model):
            yield from _last_first(step)
        elif not isinstance(step, keras.layers.InputLayer):
            yield step
        if len(keras.tree.flatten(step.input)) != 1:
            return


def _activation(layer: Any) -> str | None:
    if type(layer).__name__ in ACTIVATIONS:
        return ACTIVATIONS[type(layer).__name__]
    if hasattr(layer, "activation"):
        return getattr(layer.activation, "__name__", None)
    return "linear" if type(layer).__name__ in ("BatchNormalization", "Rescaling") else None


def _tried(model: keras.Model, images: Any) -> tuple[str | None, int | None]:
    """Return what the answers of a model look like whose layers cannot be followed, and how many there are."""
    shape = (model.get_build_config() or {}).get("input_shape")
    if images is None and (not shape or not all(isinstance(size, int) for size in shape[1:])):
        return None, None
    batch = np.random.default_rng(0).normal(size=(16, *shape[1:])) if images is None else np.asarray(images)
    answers = np.asarray(model(batch.astype("float32"), training=False), dtype="float64")
    if answers.ndim != 2:
        return None, None
    positive = (answers >= 0).all() and (answers <= 1).all()
    sums = np.allclose(answers.sum(axis=1), 1, atol=1e-3) and answers.shape[1] > 1
    return "softmax" if positive and sums else "sigmoid" if positive else "linear", answers.shape[1]
