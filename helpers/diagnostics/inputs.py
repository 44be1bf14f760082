"""Do the images have the values that a pretrained network was trained on, and do its last layer, loss and labels agree?"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

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
OTHER_SCALE = 5  # times as wide: no change of light does that
LOSSES = {"sparse": "SparseCategorical", "categorical": "Categorical", "binary": "Binary"}  # each with Crossentropy
ACTIVATIONS = {"Softmax": "softmax", "Sigmoid": "sigmoid", "LogSoftmax": "log_softmax", "ReLU": "relu", "Relu": "relu"}
ACTIVATIONS |= {"BatchNormalization": "linear", "Rescaling": "linear"}
PASSING = ("InputLayer", "Dropout", "Flatten", "Reshape", "Identity", "Cast", "GlobalAveragePooling2D", "GlobalMaxPooling2D")
HIDDEN = ("Dense", "Activation", "BatchNormalization", "LayerNormalization", "ReLU")
NAME = "head and loss"
IMAGENET = 1000  # outputs of the heads of keras.applications; other heads may wait for classes that are still to come


def diagnose_input_range(images: Any, *, backbone: str, limit: int = 256) -> Diagnosis:
    """Return whether images have the range of values that `backbone` ("vgg16", "mobilenet_v2", ...) was trained on.

    `images`: what reaches the backbone, as an array (n, height, width, 3) or a dataset; the first `limit` are looked at.
    Where the model prepares them itself, give what comes out of that step, `preprocess_input(images)`. That red and blue
    are swapped cannot be known from a batch, and pictures without any dark place look like another scale.
    """
    module, preprocess = _preprocessing(backbone)
    black, white = preprocess(np.array([0.0] * 3 + [255.0] * 3).reshape(2, 1, 1, 3))[:, 0, 0]
    wanted = WANTED[round(black.min()), round(white.max())]
    found = list(itertools.islice(itertools.chain.from_iterable(Epochs(images, steps=limit).batches()), limit))
    if not found:
        raise ValueError("there is not one image in it.")
    if found[0].ndim != 3:
        raise ValueError(f"images have shape {(len(found), *found[0].shape)}; wanted (n, height, width, channels).")
    values = np.array([image for image in found if image.shape == found[0].shape], dtype="float64")
    fault = _misfit(values, black, white)
    seen = f"the values go from {values.min():.4g} to {values.max():.4g}"
    if fault is None:
        return Diagnosis("input range", True, f"{seen}, as {backbone} wants them ({wanted}).")
    change = f"images = keras.applications.{module}.preprocess_input(images)  # once, on raw pixels 0..255, with no"
    change = f"{change} rescale=1/255 before or after"
    if white.max() == 255:
        change = f"take out preprocessing and rescaling: {module} does it itself"
    return Diagnosis("input range", False, f"{seen}: {fault}. {backbone} wants {wanted}.", change)


def wants_pixels(backbone: str) -> bool:
    """Return whether a network takes pixels from 0 to 255 as they are, because it scales them itself."""
    ends = _preprocessing(backbone)[1](np.array([0.0] * 3 + [255.0] * 3).reshape(2, 1, 1, 3))
    return (round(ends.min()), round(ends.max())) == (0, 255)


def diagnose_same_scale(train: Any, other: Any, *, part: str = "validation") -> Diagnosis:
    """Return whether two arrays of inputs, (n, ...), have about the same scale, as both parts should after preprocessing."""
    name = f"scale of {part}"
    ranges = [np.quantile(np.asarray(one, dtype="float64"), [ALLOWED, 1 - ALLOWED]) for one in (train, other)]
    seen = [f"{low:.4g} to {high:.4g}" for low, high in ranges]
    (low, high), (start, end) = ranges
    spans = sorted([high - low, end - start])
    if spans[1] > OTHER_SCALE * spans[0] or max(low, start) > min(high, end):
        change = f"{part} = {part}.map(prepare)  # by the same function as train, once"
        return Diagnosis(name, False, f"train goes from {seen[0]}, {part} from {seen[1]}: not prepared alike.", change)
    return Diagnosis(name, True, f"from {seen[1]}, and train from {seen[0]}.")


def _misfit(values: np.ndarray, black: np.ndarray, white: np.ndarray) -> str | None:
    """Return what the values look like instead of going from black to white (of each channel), or None when they fit."""
    if not np.isfinite(values).all():
        return "some are not numbers (NaN) or infinite"
    smallest, largest = black.min(), white.max()
    raw, centred, unit = largest == 255, 100 < largest < 255, largest == 1
    low, high = np.quantile(values, [ALLOWED, 1 - ALLOWED])
    first, last = np.quantile(values[..., 0], ALLOWED), black.max() + EDGE * (white - black).max()
    positive, slack = low >= 0 and values.min() >= -EDGE, min(1.0, 0.01 * (largest - smallest))
    within_one = max(-low, high) <= 1 + EDGE and (raw or centred or min(-low, high) > 0.95)
    looks = {
        "all are the same, there is no picture": values.min() == values.max(),
        "they look scaled to 0..1": positive and high <= 1 + EDGE,
        "they look like raw pixels, not preprocessed": positive and not raw,
        "they are larger than those of pixels": positive and high > 255 + 1,
        None: positive,
        "preprocessed twice, or scaled to 0..1 and then preprocessed": not raw and high < last,
        "they look preprocessed and then divided by 255": (raw or centred) and low >= -0.49 and high <= 0.6,
        "they look scaled to -1..1": not unit and within_one,
        "they look prepared for a network of another kind (torch)": centred and low >= -2.14 and high <= 2.66,
        "preprocessed twice": centred and low < smallest - 1,
        "the mean of red was taken from the first channel: not swapped to BGR": centred and first < black[0] - 1,
        "they look prepared for a network of another kind": low < smallest - slack or high > largest + slack,
    }
    return next((look for look, found in looks.items() if found), None)


def _preprocessing(backbone: str) -> tuple[str, Callable]:
    """Return the longest name of a module of `keras.applications` that a network's begins with, and its preprocessing."""
    from keras import applications

    if not isinstance(backbone, str):
        raise TypeError(f'backbone is a name such as "vgg16"; received {type(backbone).__name__}.')
    known = [name for name in dir(applications) if hasattr(getattr(applications, name), "preprocess_input")]
    known.remove("imagenet_utils")
    plain = re.sub(r"\d+v", "v", re.sub("[-_]", "", backbone.lower()))  # resnet50v2 is one of resnet_v2
    fitting = [name for name in known if plain.startswith(name.replace("_", ""))]
    if not fitting:
        raise ValueError(f"backbone {backbone!r} is not known; choose from: {', '.join(known)}.")
    module = max(fitting, key=len)
    return module, getattr(applications, module).preprocess_input


class _Ending(NamedTuple):
    """What a classifier ends in, and is compiled with; None where that cannot be seen."""

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
    outputs = getattr(model, "outputs", None) or [None]
    if len(outputs) != 1:
        return Diagnosis(NAME, True, "not judged: the model has several outputs.")
    ending = _Ending(*_read_head(model, outputs[0], images), *_read_loss(model))
    numbers = None if labels is None else _as_numbers(labels)
    if ending.loss is None and ending.activation not in ("softmax", "sigmoid"):
        numbers = None  # no classifier, as far as can be seen
    if problem := next(itertools.chain(_loss_misfits(ending), _label_misfits(numbers, ending, classes)), None):
        return Diagnosis(NAME, False, *problem)
    over = f" over {ending.units} output{'s' * (ending.units > 1)}" if ending.units else ""
    if not ending.loss or not ending.activation:
        last = ending.activation or "something unknown"
        return Diagnosis(NAME, True, f"the head ends in {last}{over}; whether the loss fits was not judged.")
    fitting = "" if numbers is None else ", with these labels"
    return Diagnosis(NAME, True, f"{ending.activation}{over} and {ending.loss} crossentropy fit{fitting}.")


def _loss_misfits(ending: _Ending) -> Iterator[tuple[str, str]]:
    """Yield the problems with activation and loss, and what to change; the first one counts."""
    act, units, earlier, kind, from_logits = ending
    wanted = "sigmoid" if kind == "binary" else "softmax"
    loss = f"loss=keras.losses.{LOSSES.get(kind)}Crossentropy"
    if earlier:
        message = f"the layers after {earlier!r} work on probabilities: it ends in softmax already. An old head has to be"
        change = "base_model = VGG16(include_top=False, pooling='avg', ...)  # or take the output of the layer before"
        yield f"{message} replaced, not followed by a new one.", f"{change} {earlier!r}"
    if units == 1 and act == "softmax":
        yield "softmax over a single output is always 1.", 'keras.layers.Dense(1, activation="sigmoid")'
    if kind is None or act is None:
        return
    if act in ("softmax", "sigmoid") and from_logits:
        message = f"the head ends in {act}, and from_logits=True makes the loss apply it once more"
        yield f"{message} (unless Keras sees it and warns).", f"{loss}(from_logits=False)"
    if act == "linear" and not from_logits:
        message = "the head is linear (no activation), and this loss expects probabilities."
        yield message, f'{loss}(from_logits=True)  # or a head with activation="{wanted}"'
    if act in ("linear", wanted) and units == 1 and kind != "binary":
        message = f"the head has one output, and {kind} crossentropy wants one for each class."
        yield message, "loss=keras.losses.BinaryCrossentropy(from_logits=True)"
    if act in ("linear", wanted) or (act == "softmax" and units == 2):
        return
    if act == "softmax":
        yield "softmax chooses one class, binary crossentropy asks each one for itself.", 'loss="categorical_crossentropy"'
    if act == "sigmoid" and units == 1:
        message = f"one sigmoid output is yes or no, and {kind} crossentropy wants an output for each class."
        yield message, 'loss="binary_crossentropy"'
    change = f'keras.layers.Dense({units or "classes"}, activation="{wanted}")'
    yield f"the head ends in {act}, and {kind} crossentropy wants {wanted}.", change


def _label_misfits(labels: np.ndarray | None, ending: _Ending, classes: int | None) -> Iterator[tuple[str, str]]:
    """Yield the problems with labels, loss and the number of outputs, and what to change; the first one counts."""
    units, kind, act = ending.units, ending.loss, ending.activation
    dense = f'keras.layers.Dense({{}}, activation="{act if act in ("softmax", "sigmoid") else "softmax"}")'
    integers = 'loss="sparse_categorical_crossentropy"'
    one_hot, shape = np.ndim(labels) == 2, f"the labels have shape {np.shape(labels)}"
    if labels is not None:
        if kind == "sparse" and one_hot and units != 1:
            yield f"{shape}, one-hot, and the sparse loss wants integers.", 'loss="categorical_crossentropy"'
        if kind == "categorical" and not one_hot:
            yield f"{shape}, integers, and this loss wants them one-hot.", integers
        if kind == "categorical" and labels.sum(axis=-1).max() > 1.01:
            change = 'Dense(..., activation="sigmoid"), loss="binary_crossentropy"'
            yield "some images have several classes, and softmax chooses one.", change
        if kind == "binary" and not one_hot and (units or 1) > 1:
            message = f"{shape} for {units} outputs, and this loss wants them one-hot."
            yield message, f'{integers}  # and activation="softmax"'
        if kind == "binary" and (labels.min() < 0 or labels.max() > 1):
            message = f"the labels go up to {labels.max():g}, and this loss wants 0 or 1."
            yield message, f'{integers}  # and Dense(classes, activation="softmax")'
    for columns in [classes, labels.shape[1] if one_hot and units != 1 else None]:
        if None not in (units, columns) and units != columns and not (columns == 2 and units == 1):
            yield f"the head has {units} outputs for {columns} classes.", dense.format(columns)
    if labels is None or one_hot or units in (None, 1) or kind == "binary":
        return
    lowest, highest = int(labels.min()), int(labels.max())
    message = f"the head has {units} outputs for the classes 0 to {highest}."
    if highest >= units and lowest == 1:
        yield f"the labels go from 1 to {highest}, and classes are counted from 0.", "labels = labels - 1"
    if highest >= units:
        yield message, dense.format(highest + 1)
    if classes is None and labels.size >= 5 * (highest + 1) and highest + 1 < units == IMAGENET:  # the old head
        yield message, f"{dense.format(highest + 1)}  # or, if the others are still to come, check with classes={units}"


def _as_numbers(labels: Any) -> np.ndarray:
    values = np.asarray(labels)
    if values.dtype.kind not in "uifb" or values.ndim not in (1, 2) or not values.size:
        raise ValueError(f"labels are {values.dtype} of shape {values.shape}; wanted integers (n,) or one-hot (n, classes).")
    return (values[:, 0] if values.shape[1:] == (1,) else values).astype("float64")


def _read_loss(model: keras.Model) -> tuple[str | None, bool]:
    """Return the kind of crossentropy that a model was compiled with, and whether it wants logits."""
    import keras

    loss = keras.losses.get(keras.tree.flatten(getattr(model, "loss", None))[0])
    given, loss = getattr(loss, "keywords", {}), getattr(loss, "func", loss)  # of a functools.partial
    name = getattr(loss, "__name__", type(loss).__name__).replace("_", "").lower().replace("focal", "")
    kind = next((kind for kind, start in LOSSES.items() if name == f"{start}Crossentropy".lower()), None)
    return kind, bool(given.get("from_logits", getattr(loss, "from_logits", False)))


def _read_head(model: keras.Model, output: Any, images: Any) -> tuple[str | None, int | None, str | None]:
    """Return the last activation, the number of outputs, and the name of an earlier layer that ends in softmax."""
    if output is None:
        return *_tried(model, images), None
    units = output.shape[-1] if len(output.shape) == 2 else None
    layers = [layer for layer in _last_first(model) if type(layer).__name__ not in PASSING]
    own = [getattr(getattr(layer, "activation", None), "__name__", None) for layer in layers]
    activations = [ACTIVATIONS.get(type(layer).__name__, name) for layer, name in zip(layers, own, strict=True)]
    if not activations or activations[0] is None:
        return _tried(model, images)[0], units, None
    for layer, activation in zip(layers[1:], activations[1:], strict=True):
        if activation == "softmax" and units:
            return activations[0], units, layer.name
        if type(layer).__name__ not in HIDDEN:
            break
    return activations[0], units, None


def _last_first(model: keras.Model) -> Iterator[Any]:
    """Yield the layers and operations from the output back, those of nested models too, as long as there is one path."""
    import keras

    for step in reversed(getattr(model, "operations", model.layers)):
        yield from _last_first(step) if isinstance(step, keras.Model) else [step]
        if len(keras.tree.flatten(step.input)) != 1:
            return


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
