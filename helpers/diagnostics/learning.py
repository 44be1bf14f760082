"""What a model has become: what reaches its pretrained part, whether it still tells images apart, whether its file opens."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.diagnostics.model import Layers, Snapshot, inner_first, listed, require_model
from helpers.diagnostics.result import Diagnosis

if TYPE_CHECKING:
    import keras

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
    """Return whether a trained model still tells images apart, better than chance.

    `images` (n, ...) and integer `labels` (n,) of training. With a `snapshot` of before it also says how far the pretrained
    convolutions have gone: by more than half of their size, they are not what they were.
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
    right, counts = (answers.argmax(axis=1) == labels).mean(), np.unique(labels, return_counts=True)[1]
    return Diagnosis(
        name, True, f"{right:.0%} of {len(answers)} training images right, {counts.max() / len(labels):.0%} by guessing."
    )


def _distance(model: keras.Model, snapshot: Any) -> list[keras.Layer]:
    """Return the convolutions that moved by more than FAR of their size since the snapshot."""
    if snapshot is None:
        return []
    layers = Layers(model)
    before = layers.values_in(snapshot if isinstance(snapshot, Snapshot) else Snapshot(snapshot))
    kernels = [layer.kernel for layer in layers.everything if len(getattr(getattr(layer, "kernel", None), "shape", ())) == 4]
    sizes = [(np.linalg.norm(one.numpy() - before[id(one)]), np.linalg.norm(before[id(one)])) for one in kernels]
    return layers.owning(one for one, (step, size) in zip(kernels, sizes, strict=True) if step > FAR * size)


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
