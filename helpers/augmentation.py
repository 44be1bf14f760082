"""Random changes that should leave the label alone: a pipeline of Keras layers, views drawn from it, batches of views.

The ranges are those of the classic VGG16 program, which wrote them for `ImageDataGenerator`. Three of them mean something
else to a Keras layer: `RandomRotation` counts in full turns, so 40 degrees are 40 / 360; `RandomShear` counts in shares of
the image and shears about its upper left corner, where the generator counted in degrees; `RandomBrightness` adds, where
the generator multiplied. And a generator moves each pixel once, while each layer interpolates anew.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

FILL_MODES = ("nearest", "reflect", "wrap", "constant")
LARGEST = {"rotation": 180, "shift": 1, "shear": 1, "zoom": 0.99, "brightness": 1}  # values of the ranges
CHUNK_SIZE = 64  # images that are changed at a time


def build_augmentation(
    *,
    rotation: float = 40,
    shift: float = 0.2,
    shear: float = 0.2,
    zoom: float = 0.2,
    flip: bool = True,
    brightness: float = 0.0,
    fill_mode: str = "nearest",
    seed: int = 0,
) -> keras.Sequential:
    """Return a `keras.Sequential` that changes images (n, height, width, channels) at random, each in its own way.

    Each number is the largest change in either direction; 0 leaves the layer out. `rotation`: degrees. `shift`: share of
    height and of width. `shear`: share of the width (0.2 are about 11 degrees), to either side. `zoom`: share, height and
    width apart. `flip`: left and right, in half of the cases. `brightness`: share of 255, added. `fill_mode`: what comes
    in from outside, "nearest", "reflect", "wrap" or "constant" (black). Pixels are 0 to 255, results float32.

    `fit()` and a plain call change images; `predict()`, `evaluate()` and a call with `training=False` don't. `seed`
    decides all draws. A model that holds the layers can be saved and loaded (with a plain `RandomShear(0.2)` it cannot:
    Keras 3.15 does not read the range that it wrote). Ranges after Chollet, "Building powerful image classification models
    using very little data", 2016.
    """
    from keras import Sequential, layers

    _check_ranges(rotation=rotation, shift=shift, shear=shear, zoom=zoom, brightness=brightness)
    if fill_mode not in FILL_MODES:
        raise ValueError(f"fill_mode is {fill_mode!r}; choose from {', '.join(map(repr, FILL_MODES))}.")
    fill = {"fill_mode": fill_mode}
    wanted = [
        (flip, layers.RandomFlip, {"mode": "horizontal"}),
        (rotation, layers.RandomRotation, {"factor": rotation / 360, **fill}),
        (shift, layers.RandomTranslation, {"height_factor": shift, "width_factor": shift, **fill}),
        (shear, layers.RandomShear, {"x_factor": (0.0, float(shear)), **fill}),
        (zoom, layers.RandomZoom, {"height_factor": zoom, "width_factor": zoom, **fill}),
        (brightness, layers.RandomBrightness, {"factor": brightness, "value_range": (0, 255)}),
    ]
    chosen = [kind(**ranges, seed=_layer_seed(seed, kind.__name__)) for amount, kind, ranges in wanted if amount]
    return Sequential(chosen or [layers.Identity()], name="augmentation")


def augmented_views(
    images: np.ndarray, *, augment: keras.Model, views: int, seed: int = 0, keep_first: bool = True
) -> np.ndarray:
    """Return `views` views of every image, (views, n, height, width, channels) uint8, drawn by `augment`.

    `images` is (n, height, width, channels) in 0..255; `augment` a `keras.Sequential` such as `build_augmentation()`
    gives. `keep_first=True` makes view 0 the images as they are. The views depend on images, ranges and `seed` alone: not
    on the seeds in `augment`, nor on how often it was used; and asking for fewer views gives the first ones. `augment`
    stays as it is. Raises ValueError for images of another kind, or for fewer views than one.
    """
    images, layers = _check_images(images), _random_layers(augment)
    if not isinstance(views, int | np.integer) or views < 1:
        raise ValueError(f"views is {views!r}; give a whole number from 1 up.")
    drawn = np.empty((views, *images.shape), dtype="uint8")
    drawn[0] = np.clip(np.rint(images), 0, 255)
    for view in range(int(keep_first), views):
        for start in range(0, len(images), CHUNK_SIZE):
            part = slice(start, start + CHUNK_SIZE)
            drawn[view, part] = _draw(images[part], layers, seeds=(seed, view - int(keep_first), start))
    return drawn


def view_batches(
    views: np.ndarray, labels: np.ndarray, *, batch_size: int = 32, seed: int = 0, first_epoch: int = 0
) -> tf.data.Dataset:
    """Return an endless dataset of (batch, labels): every `ceil(n / batch_size)` batches show each image once.

    `views` is (views, n, ...): images or features, one row of all n for each view; epoch `e` takes view `e % views`, each
    time in a new order. `labels` is (n,), integers. `first_epoch` is where an interrupted run goes on. Endless, so give
    `fit()` the number of steps: `steps_per_epoch=math.ceil(n / batch_size)`; the last batch may be smaller.
    """
    import tensorflow as tf

    views, labels = np.asarray(views), np.asarray(labels)
    if views.ndim < 2 or labels.shape != views.shape[1:2]:
        raise ValueError(
            f"views has shape {views.shape} and labels {labels.shape}; wanted (views, n, ...) and (n,)."
            " For a single view of each image give views[np.newaxis]."
        )
    with tf.device("CPU"):  # the batches move to the GPU one by one
        values, classes = tf.constant(views.reshape(-1, *views.shape[2:])), tf.constant(labels)

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(tf.range(len(labels)), seed=[seed, epoch])
        row = tf.cast(epoch % len(views), "int32") * len(labels)
        batches = tf.data.Dataset.from_tensor_slices(order).batch(batch_size)
        return batches.map(lambda places: (tf.gather(values, row + places), tf.gather(classes, places)))

    epochs = tf.data.Dataset.range(first_epoch, np.iinfo("int32").max)
    return epochs.flat_map(one_epoch).prefetch(2)


def _draw(images: np.ndarray, layers: list[Any], *, seeds: tuple[int, int, int]) -> np.ndarray:
    """Return one view of a few images, with draws that only `seeds` decide: seed, number of the view, first image."""
    from keras import device, random

    images = images.astype("float32")  # as a call of the layer does; RandomBrightness would overflow in uint8
    kinds = [type(layer).__name__ for layer in layers]
    with device("cpu"):  # the same draws and the same rounding, with or without a GPU
        for number, (layer, kind) in enumerate(zip(layers, kinds, strict=True)):
            generator = random.SeedGenerator(_layer_seed(seeds[0], kind, kinds[:number].count(kind), *seeds[1:]))
            change = layer.get_random_transformation(images, training=True, seed=generator)
            images = layer.transform_images(images, change, training=True)
    return np.clip(np.rint(images), 0, 255)


def _random_layers(augment: Any) -> list[Any]:
    """Return the layers that change images, in order, also those of a pipeline inside the pipeline."""
    if hasattr(augment, "layers"):
        return [layer for part in augment.layers for layer in _random_layers(part)]
    if hasattr(augment, "get_random_transformation"):
        return [augment]
    if type(augment).__name__ in ("Identity", "InputLayer"):
        return []
    raise ValueError(
        f"augment holds a {type(augment).__name__}, which is no augmentation layer of Keras; wanted a keras.Sequential"
        " of layers such as RandomFlip, or what `build_augmentation()` gives."
    )


def _layer_seed(*words: int | str) -> int:
    """Return a seed that the words decide: without the zeros at the end, so that a pipeline's first draw is view 0."""
    numbers = [zlib.crc32(word.encode()) if isinstance(word, str) else int(word) for word in words]
    return int(np.random.SeedSequence(np.trim_zeros(numbers, "b")).generate_state(1)[0] >> 1)


def _check_images(images: Any) -> np.ndarray:
    images = np.asarray(images)
    if images.ndim != 4 or len(images) == 0 or images.shape[-1] not in (1, 3):
        raise ValueError(
            f"images has shape {images.shape}; wanted (n, height, width, channels) with 1 or 3 channels."
            " A single image needs one more axis: image[np.newaxis]."
        )
    if images.dtype.kind not in "uif":
        raise ValueError(f"images are of type {images.dtype}; wanted numbers from 0 to 255.")
    if images.dtype.kind == "f" and images.max() <= 1:
        raise ValueError("images have no value above 1; wanted 0 to 255. Multiply them by 255.")
    return images


def _check_ranges(**ranges: float) -> None:
    for name, value in ranges.items():
        if isinstance(value, bool) or not np.isreal(value) or not 0 <= value <= LARGEST[name]:
            raise ValueError(f"{name} is {value!r}; give a number from 0 to {LARGEST[name]}.")
