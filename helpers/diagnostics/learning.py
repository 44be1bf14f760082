"""What a model has become: what reaches its pretrained part, whether it still tells images apart, whether its file opens."""

from __future__ import annotations

import math
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.diagnostics.model import Layers, Snapshot, inner_first, listed, require_model
from helpers.diagnostics.result import Diagnosis

if TYPE_CHECKING:
    import keras

ENOUGH, RARE = 50, 0.05  # images to judge by; how seldom guessing would get as many right
FAR = 0.5  # of its own size: further than this, no pretrained layer is what it was
LOWER = (
    "model.compile(optimizer=keras.optimizers.Adam(1e-5), loss=..., metrics=...)  # a lower learning rate, and train anew"
)


def what_arrives(model: keras.Model, images: Any, *, raw: bool = False) -> np.ndarray:
    """Return what the pretrained part of a model is given, (n, height, width, 3), when the model is given `images`.

    That part is the innermost model that holds the first convolution. Where no model is inside, it is the convolution
    itself, or with `raw`, for a network that scales pixels itself, the model.
    """
    import keras

    require_model(model)
    first = next(
        (layer for layer in inner_first(model) if hasattr(layer, "kernel") and "Conv2D" in type(layer).__name__), None
    )
    if first is None:
        raise ValueError("the model has no convolution.")
    inner = [one for one in inner_first(model)[:-1] if isinstance(one, keras.Model) and first in inner_first(one)]
    if raw and not inner:
        return np.asarray(images)
    target, seen = (inner or [first])[0], []
    original = target.call

    def watch(given: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(np.asarray(keras.ops.convert_to_numpy(keras.tree.flatten(given)[0]), dtype="float32"))
        return original(given, *args, **kwargs)

    object.__setattr__(target, "call", watch)
    try:
        model(images, training=False)
    finally:
        object.__delattr__(target, "call")
    if not seen:
        raise ValueError("the images never reach the first convolution.")
    return seen[0]


def diagnose_learning(model: keras.Model, images: Any, labels: Any, *, snapshot: Any = None) -> Diagnosis:
    """Return whether a trained model still tells images apart, better than by guessing the most frequent class.

    `images` (n, ...) and integer `labels` (n,) of training. It is no better where guessing would get as many right in more
    than one case of twenty; fewer than 50 images, or a class with more than 60 % of them, do not tell. With a `snapshot` of
    before it also says how far the pretrained convolutions have gone: by more than half of their size, they are not what
    they were.
    """
    name, moved = "learning", _distance(model, snapshot)
    answers = np.asarray(model.predict(images, verbose=0), dtype="float64")
    if not np.isfinite(answers).all():
        return Diagnosis(name, False, "the answers are not numbers (NaN): training has diverged.", LOWER)
    far = f", and {listed(moved)} moved by more than {FAR:.0%} of their size" if moved else ""
    if len(answers) > 1 and np.ptp(answers, axis=0).max() < 1e-4 * max(1.0, np.abs(answers).max()):
        message = (
            f"the model gives all {len(answers)} images the same answer{far}: there is nothing left in it, or never was."
        )
        return Diagnosis(name, False, message, LOWER)
    if moved:
        message = f"the features are destroyed: {listed(moved)} moved by more than {FAR:.0%} of their size."
        return Diagnosis(name, False, message, LOWER)
    classes = len({*np.asarray(labels).tolist()})
    if answers.ndim != 2 or answers.shape[1] < 2 or classes < 2:
        return Diagnosis(name, True, "its answers differ from image to image; whether they are right was not judged.")
    right, guess = (answers.argmax(axis=1) == labels).mean(), np.unique(labels, return_counts=True)[1].max() / len(labels)
    seen = f"{right:.0%} of {len(answers)} training images right, {guess:.0%} by guessing"
    if len(answers) >= ENOUGH and guess <= 0.6 and _by_guessing(round(right * len(answers)), len(answers), guess) > RARE:
        change = "the other lines of this table first; then more epochs, or another learning rate"
        return Diagnosis(name, False, f"{seen}: no better than chance on what it was trained on.", change)
    return Diagnosis(name, True, f"{seen}.")


def _by_guessing(right: int, count: int, guess: float) -> float:
    """Return how likely it is to get at least so many right by guessing."""
    return sum(math.comb(count, k) * guess**k * (1 - guess) ** (count - k) for k in range(right, count + 1))


def diagnose_pretrained(model: keras.Model, *, snapshot: Any = None) -> Diagnosis:
    """Return whether the first layers of a backbone have learned anything: in the snapshot, or now.

    Weights at random have biases of exactly 0, and batch normalisations with means 0 and variances 1. Which data the
    weights come from cannot be seen.
    """
    name, layers = "pretrained", Layers(model)
    before = (
        None if snapshot is None else layers.values_in(snapshot if isinstance(snapshot, Snapshot) else Snapshot(snapshot))
    )
    value = lambda one: one.numpy() if before is None else before[id(one)]  # noqa: E731
    first = next((one for one in layers.everything if "Conv" in type(one).__name__ and hasattr(one, "kernel")), None)
    if first is None:
        raise ValueError("the model has no convolution.")
    fresh = [not value(first.bias).any()] if first.bias is not None else []
    if not fresh and layers.norms:
        fresh = [not value(layers.norms[0].moving_mean).any() and (value(layers.norms[0].moving_variance) == 1).all()]
    if any(fresh):
        message = f"{first.name} has weights at random, as weights=None leaves them: there is nothing to transfer."
        return Diagnosis(
            name, False, message, 'base_model = keras.applications.VGG16(weights="imagenet", include_top=False)'
        )
    return Diagnosis(name, True, f"the first layers, from {first.name} on, are not those of a start at random.")


def _distance(model: keras.Model, snapshot: Any) -> list[keras.Layer]:
    """Return the convolutions of the backbone, or of all where it is no model inside, that moved by more than FAR."""
    if snapshot is None:
        return []
    layers = Layers(model)
    before = layers.values_in(snapshot if isinstance(snapshot, Snapshot) else Snapshot(snapshot))
    convolutions = [layer for layer in layers.everything if len(getattr(getattr(layer, "kernel", None), "shape", ())) == 4]
    inner = [one for one in layers.everything[:-1] if _is_model(one) and {*convolutions[:1]} & {*inner_first(one)}]
    kernels = [layer.kernel for layer in convolutions if not inner or layer in inner_first(inner[0])]
    sizes = [(np.linalg.norm(one.numpy() - before[id(one)]), np.linalg.norm(before[id(one)])) for one in kernels]
    return layers.owning(one for one, (step, size) in zip(kernels, sizes, strict=True) if step > FAR * size)


def _is_model(layer: Any) -> bool:
    import keras

    return isinstance(layer, keras.Model)


def diagnose_saved(model: keras.Model, images: Any) -> Diagnosis:
    """Return whether the model, written to a file and read again, as somebody else would, answers `images` as before."""
    import keras

    name, images = "saved file", keras.tree.map_structure(lambda some: some[:8], images)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "model.keras"
        model.save(path)
        try:
            answers = keras.models.load_model(path, compile=False).predict(images, verbose=0)
        except Exception as error:  # whatever Keras raises: the file is lost
            lambdas = [layer for layer in inner_first(model) if type(layer).__name__ == "Lambda"]
            why = f" {listed(lambdas)} keeps no code of its function." if lambdas else ""
            message = f"the file cannot be opened again ({type(error).__name__}).{why}"
            change = "x = keras.applications.vgg16.preprocess_input(x)  # call it on the input, without keras.layers.Lambda"
            return Diagnosis(
                name,
                False,
                message,
                change if lambdas else "register the class: @keras.saving.register_keras_serializable()",
            )
    if not np.allclose(answers, model.predict(images, verbose=0), atol=1e-3):
        return Diagnosis(
            name, False, "the file opens, and answers otherwise than the model.", "model.save(...)  # whole, after training"
        )
    return Diagnosis(name, True, "the file opens again and answers as before.")
