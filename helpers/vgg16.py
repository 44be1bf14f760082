"""VGG16 without its classifier (Simonyan and Zisserman, 2014): its weights, its preprocessing, a table of its layers."""

from __future__ import annotations

import gc
import random
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers._machinery.weights import BLOCKS, SHAPES, load_weights

if TYPE_CHECKING:
    import keras

CHANNEL_MEANS = np.array([103.939, 116.779, 123.68], dtype="float32")  # blue, green, red: means over ImageNet
SOURCES = ("imagenet", "edges", "random")


def load_vgg16(source: str = "imagenet", *, input_shape: tuple = (96, 96, 3), seed: int = 0) -> keras.Model:
    """Return VGG16 without top as a `keras.Model`, from `(n, height, width, 3)` to the maps of `block5_pool`.

    `source`: "imagenet" (Oxford's weights), "edges" (the same, fine-tuned to detect edges) or "random" (Glorot uniform,
    the same values for the same `seed`). Give the images through `preprocess_vgg16` first.
    """
    if source not in SOURCES:
        raise ValueError(f"source is {source!r}; choose one of {', '.join(map(repr, SOURCES))}.")
    from keras.applications import VGG16

    gc.collect()  # networks are circles of references: without this, those no longer in use fill the memory for a while
    state = random.getstate()  # Keras draws from it the seeds of weights that are replaced at once
    model = VGG16(weights=None, include_top=False, input_shape=_valid_shape(input_shape))
    random.setstate(state)
    tensors = _random_weights(seed) if source == "random" else load_weights(source)
    model.set_weights([tensors[key] for key in SHAPES])
    return model


def _random_weights(seed: int) -> dict[str, Any]:
    from keras.initializers import GlorotUniform

    seeds = iter(np.random.default_rng(seed).integers(2**31, size=13).tolist())
    starts = {4: lambda shape: GlorotUniform(seed=next(seeds))(shape), 1: np.zeros}  # by the number of axes
    return {key: starts[len(shape)](shape) for key, shape in SHAPES.items()}


def preprocess_vgg16(images: Any) -> Any:
    """Return the images as VGG16 wants them: float32, blue-green-red, ImageNet's mean of each channel subtracted.

    `images`: red-green-blue from 0 to 255, shape `(..., 3)`, any number type. An array gives a new array, a tensor a
    tensor (so it can stand in a `tf.data` pipeline or in a model). Warns when an array looks scaled to 0..1.
    """
    is_tensor = type(images).__module__.partition(".")[0] in ("tensorflow", "keras")
    images = images if is_tensor else np.asarray(images)
    if not images.shape or images.shape[-1] != 3:
        raise ValueError(
            f"preprocess_vgg16 received shape {tuple(images.shape)}; VGG16 wants three channels (red, green, blue) on"
            " the last axis. Repeat a grey channel: np.repeat(images, 3, axis=-1)."
        )
    if is_tensor:
        from keras import ops

        return ops.flip(ops.cast(images, "float32"), axis=-1) - CHANNEL_MEANS
    warn_if_scaled(images, stacklevel=3)
    return subtract_means(images)


def subtract_means(images: np.ndarray) -> np.ndarray:
    """Return the images in blue-green-red without the channels' means: the arithmetic of `preprocess_vgg16`."""
    return np.subtract(images[..., ::-1], CHANNEL_MEANS, dtype="float32", casting="unsafe", order="C")


def warn_if_scaled(images: np.ndarray, *, stacklevel: int = 2) -> None:
    """Return nothing; warn when the images are floats that end at 1, where pixel values go up to 255."""
    if images.dtype.kind == "f" and images.size and 0 < images.max() <= 1:
        warnings.warn(
            "These images go up to at most 1; preprocess_vgg16 wants pixel values from 0 to 255."
            " Multiply them by 255 first, or VGG16 sees nearly black pictures.",
            stacklevel=stacklevel,
        )


def layer_table(*, input_shape: tuple = (96, 96, 3)) -> list[dict]:
    """Return one row per layer: `name`, `output_shape`, `weights`, `receptive_field` and `stride`, both in input pixels.

    A value of the layer sees a square of `receptive_field` pixels, its neighbour the square `stride` pixels further.
    """
    height, width, channels = _valid_shape(input_shape)
    rows, field, stride = [], 1, 1
    for block, filters in BLOCKS.items():
        for number, outputs in enumerate(filters, start=1):
            field += 2 * stride
            channels, weights = outputs, (3 * 3 * channels + 1) * outputs
            rows.append((f"{block}_conv{number}", (height, width, channels), weights, field, stride))
        field, stride, height, width = field + stride, 2 * stride, height // 2, width // 2
        rows.append((f"{block}_pool", (height, width, channels), 0, field, stride))
    columns = ("name", "output_shape", "weights", "receptive_field", "stride")
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _valid_shape(input_shape: tuple) -> tuple[int, ...]:
    shape, received = tuple(input_shape), f"input_shape is {input_shape!r}"
    if len(shape) != 3 or shape[2] != 3 or not all(isinstance(side, int | np.integer) for side in shape):
        raise ValueError(f"{received}; give (height, width, 3), for instance (96, 96, 3).")
    if min(shape[:2]) < 32:
        raise ValueError(f"{received}; five poolings halve each side, so both need at least 32 pixels.")
    return tuple(int(side) for side in shape)
