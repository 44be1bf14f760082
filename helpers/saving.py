"""One `.keras` file that needs nothing else: it takes plain pixels, and the names of its classes travel inside.

The names stand in the name of the last layer, as "classes>cat>dog". There they survive what a note beside the weights does
not: loading with plain Keras, training further, saving again. `predict_photographs` asks such a file about photographs.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import numpy as np

from helpers._machinery.images import Unreadable, map_files, read_picture, shown, walk
from helpers.vgg16 import CHANNEL_MEANS

if TYPE_CHECKING:
    import keras

MARK = "classes>"


def export_classifier(
    model: keras.Model,
    path: str | Path,
    *,
    class_names: Sequence[str],
    image_size: int | None = None,
    preprocess: keras.Layer | str | None = "vgg16",
    overwrite: bool = False,
) -> Path:
    """Return the path of a file with everything: `keras.saving.load_model` takes it, also where there is no `helpers`.

    `model` gives probabilities (n, classes). What is written takes photographs (n, height, width, 3) of any size, red-green-
    blue from 0 to 255: layers of Keras resize them to `image_size` (default: what `model` wants), smoothed where they
    become smaller, as Pillow does, and preprocess them.
    `preprocess`: "vgg16" as `preprocess_vgg16` does, a layer of Keras such as `Rescaling(1 / 255)`, or None where the pixels
    go in as they are. Written whole or not at all. Raises ValueError for what another machine could not load or understand,
    and FileExistsError where a file of this name is, unless it may `overwrite` that.
    """
    from keras import Input, Model, layers

    path, names = Path(path).expanduser(), list(class_names)
    size = image_size or model.inputs[0].shape[1]
    _check_export(model, path, names, size, preprocess)
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path.name} is there already, perhaps a tested model; take another name, or overwrite=True.")
    pixels = Input((None, None, 3), name="pixels")
    x = layers.Resizing(int(size), int(size), antialias=True, dtype="float32", name="resize")(pixels)
    x = _swap_and_center(x) if preprocess == "vgg16" else preprocess(x) if preprocess else x
    whole = Model(pixels, layers.Identity(dtype="float32", name=_written(names))(model(x)), name="classifier")
    aside = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        whole.save(aside)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
    return path


def _swap_and_center(pixels: Any) -> Any:
    """Return the pixels as VGG16 wants them: a convolution of one pixel swaps the channels and takes off the means."""
    from keras.layers import Conv2D

    convolution = Conv2D(3, 1, trainable=False, dtype="float32", name="preprocess_vgg16")
    answer = convolution(pixels)
    convolution.set_weights([np.eye(3, dtype="float32")[None, None, ::-1], -CHANNEL_MEANS])
    return answer


def _check_export(model: keras.Model, path: Path, names: list, size: int | None, preprocess: Any) -> None:
    outputs, wanted = model.outputs[0].shape[-1], model.inputs[0].shape[1]
    if path.suffix != ".keras":
        raise ValueError(f"{path.name!r} is no name for a file of this kind: Keras wants one that ends in .keras.")
    if len(set(names)) != len(names) or not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"class_names must be different texts, none empty, but they are {names!r}")
    if isinstance(preprocess, str) and preprocess != "vgg16":
        raise ValueError(f'preprocess is {preprocess!r}; choose "vgg16", a layer of Keras, or None.')
    if outputs != len(names):
        raise ValueError(f"the model gives {outputs} numbers, but there are {len(names)} class_names.")
    if not size or wanted not in (None, size):
        raise ValueError(
            f"image_size is {size}, but the model wants {wanted or 'to be told'}; give the size it was trained with."
        )
    own = [layer for layer in _all_layers(model) if type(layer).__module__.partition(".")[0] != "keras"]
    own += [layer for layer in _all_layers(model) if type(layer).__name__ == "Lambda"]
    if own:
        raise ValueError(f"the layer {own[0].name!r} is code of your own, so another machine could not load the file.")


def _all_layers(model: keras.Model) -> Iterator[keras.Layer]:
    for layer in model.layers:
        yield layer
        yield from _all_layers(layer) if hasattr(layer, "layers") else ()


def _written(names: list[str]) -> str:
    """Return a name for a layer, of letters that TensorFlow allows there: others as in an address, with "." for "%"."""
    quoted = [quote(name, safe="").replace(".", "%2E").replace("~", "%7E").replace("%", ".") for name in names]
    return MARK + ">".join(quoted)


def class_names_of(model: keras.Model) -> list[str]:
    """Return the class names that a model brings, in the order of its outputs; an empty list where it has none."""
    written = [layer.name for layer in model.layers if layer.name.startswith(MARK)]
    return [unquote(name.replace(".", "%")) for name in written[-1].split(">")[1:]] if written else []


def predict_photographs(
    model: keras.Model | str | Path, paths: Iterable[str | Path], *, batch_size: int = 32
) -> list[dict[str, Any]]:
    """Return one dictionary for each photograph: file, class, probability, and all probabilities by class.

    `paths` may be folders, too: what is in them, without hidden files. A file without a picture has file and error instead.
    A model without class names answers with numbers of classes. Raises ValueError for a model that is no such classifier.
    """
    if not hasattr(model, "predict_on_batch"):
        from keras.saving import load_model

        model = load_model(model, compile=False)
    size, answers, files = _image_size(model), [], _files(paths)
    while batch := list(itertools.islice(files, batch_size)):
        answers += _answer(model, size, batch)
    return answers


def _answer(model: keras.Model, size: int, batch: list[tuple[Path, str]]) -> list[dict[str, Any]]:
    """Return the dictionaries for some files, each with a reason not to open it, or ""."""
    found = map_files(lambda path: read_picture(path, size), [path for path, reason in batch if not reason])
    pictures = [Unreadable(reason) if reason else next(found) for _, reason in batch]
    pixels = [picture.pixels for picture in pictures if not isinstance(picture, Unreadable)]
    rows = iter(_probabilities(model, np.stack(pixels)) if pixels else [])
    names = class_names_of(model)
    answers = []
    for (path, _), picture in zip(batch, pictures, strict=True):
        if isinstance(picture, Unreadable):
            answers.append({"file": shown(path), "error": f"{shown(path)} {picture}."})
            continue
        row = next(rows).tolist()
        best = int(np.argmax(row))
        known = names if len(names) == len(row) else range(len(row))
        answer = {"file": shown(path), "class": known[best], "probability": row[best]}
        answers.append(answer | {"probabilities": dict(zip(known, row, strict=True))})
    return answers


def _probabilities(model: keras.Model, pixels: np.ndarray) -> np.ndarray:
    rows = np.asarray(model.predict_on_batch(pixels.astype("float32")))
    if rows.ndim != 2 or rows.min() < 0 or not np.allclose(rows.sum(axis=1), 1, atol=0.01):
        raise ValueError(
            f"the model gives numbers of shape {rows.shape} that are no probabilities; its end should be softmax."
        )
    return rows


def _image_size(model: keras.Model) -> int:
    shape = tuple(model.inputs[0].shape[1:])
    resizing = [layer for layer in model.layers if type(layer).__name__ == "Resizing"]
    sides = {*shape[:2]} if None not in shape or not resizing else {resizing[0].height, resizing[0].width}
    if len(model.inputs) != 1 or len(shape) != 3 or shape[2] != 3 or len(sides) != 1 or None in sides:
        raise ValueError(f"the model takes {shape}; wanted one that takes square pictures of a known size in colour.")
    return int(sides.pop())


def _files(paths: Iterable[str | Path]) -> Iterator[tuple[Path, str]]:
    """Yield the files that are meant, and why not to open one, or ""."""
    for path in map(Path, paths):
        found = [(file, reason) for file, reason in walk(path) if "hidden" not in reason] if path.is_dir() else [(path, "")]
        yield from found or [(path, "is a folder without a file")]
