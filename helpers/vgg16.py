"""VGG16 without its classifier, as a plain Keras model: 13 convolutions in five blocks, 14 714 688 weights.

Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", 2014. Layer names, shapes
and preprocessing are those of `keras.applications.VGG16(include_top=False)`.
"""

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers._machinery.weights import load_weights

if TYPE_CHECKING:
    import keras

BLOCKS = (  # convolutions in the block, filters of each; every block ends with a 2x2 max pooling
    ("block1", 2, 64),
    ("block2", 2, 128),
    ("block3", 3, 256),
    ("block4", 3, 512),
    ("block5", 3, 512),
)
CHANNEL_MEANS = np.array([103.939, 116.779, 123.68], dtype="float32")  # blue, green, red: means over ImageNet
SOURCES = ("imagenet", "edges", "random")


def load_vgg16(
    source: str = "imagenet", *, input_shape: tuple[int, int, int] = (96, 96, 3), seed: int = 0
) -> "keras.Model":
    """Return VGG16 without top as a `keras.Model`, from `(n, height, width, 3)` to the maps of `block5_pool`.

    `source`: "imagenet" (Oxford's weights), "edges" (the same, fine-tuned to detect edges) or "random" (Glorot uniform,
    the same values for the same `seed`). Give the images through `preprocess_vgg16` first.
    """
    if source not in SOURCES:
        raise ValueError(f"source is {source!r}; choose one of {', '.join(map(repr, SOURCES))}.")
    model = _build_vgg16(_checked_shape(input_shape), seed=seed)
    if source != "random":
        tensors = load_weights(source)
        for layer in model.layers:
            if layer.weights:
                layer.set_weights([tensors[f"{layer.name}/kernel"], tensors[f"{layer.name}/bias"]])
    return model


def _build_vgg16(input_shape, *, seed):
    from keras import Input, Model
    from keras.initializers import GlorotUniform
    from keras.layers import Conv2D, MaxPooling2D

    seeds = iter(np.random.default_rng(seed).integers(2**31, size=13).tolist())
    x = inputs = Input(input_shape)
    for block, convolutions, filters in BLOCKS:
        for number in range(1, convolutions + 1):
            start = GlorotUniform(seed=next(seeds))
            name = f"{block}_conv{number}"
            x = Conv2D(filters, 3, padding="same", activation="relu", kernel_initializer=start, name=name)(x)
        x = MaxPooling2D(2, strides=2, name=f"{block}_pool")(x)
    return Model(inputs, x, name="vgg16")


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

    A value of the layer sees a square of `receptive_field` pixels; its neighbour sees the square `stride` pixels further.
    """
    height, width, channels = _checked_shape(input_shape)
    rows, field, stride = [], 1, 1
    for block, convolutions, filters in BLOCKS:
        for number in range(1, convolutions + 1):
            field += 2 * stride
            weights = (3 * 3 * channels + 1) * filters
            channels = filters
            rows.append(_row(f"{block}_conv{number}", (height, width, channels), weights, field, stride))
        field, stride = field + stride, 2 * stride
        height, width = height // 2, width // 2
        rows.append(_row(f"{block}_pool", (height, width, channels), 0, field, stride))
    return rows


def _row(name, output_shape, weights, receptive_field, stride):
    return dict(name=name, output_shape=output_shape, weights=weights, receptive_field=receptive_field, stride=stride)


def _checked_shape(input_shape):
    shape = tuple(input_shape)
    if len(shape) != 3 or shape[2] != 3 or not all(isinstance(side, int | np.integer) for side in shape):
        raise ValueError(f"input_shape is {input_shape!r}; give (height, width, 3), for instance (96, 96, 3).")
    if min(shape[:2]) < 32:
        raise ValueError(
            f"input_shape is {input_shape!r}; five poolings halve each side, so both need at least 32 pixels."
        )
    return tuple(int(side) for side in shape)
