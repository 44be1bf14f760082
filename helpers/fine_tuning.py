"""Fine-tuning in parts: build a classifier, choose what may change, cut the network there, train the rest, see what moved.

The part of a network that is frozen answers the same to the same image, epoch after epoch. `split_model` cuts it off, so
that its answers can be computed once (`helpers.features.extract_features`) and only the rest is trained: that is how
`fine_tune`, `train_head` and `predict_probabilities` work. Notebook 06 writes the steps out before it uses them from here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.augmentation import view_batches
from helpers.features import extract_features
from helpers.vgg16 import preprocess_vgg16

if TYPE_CHECKING:
    import keras

LOSS = "sparse_categorical_crossentropy"
BATCH_SIZE = 64  # images that are predicted at a time


def build_classifier(
    base_model: keras.Model,
    *,
    classes: int,
    hidden: int | None = None,
    pooling: str = "avg",
    dropout: float = 0.0,
    start: str = "zeros",
    seed: int = 0,
) -> keras.Model:
    """Return one flat model: the layers of `base_model`, pooling, and a new softmax head named "predictions".

    It wants what `base_model` wants (for VGG16: preprocessed images) and gives probabilities `(n, classes)`. The layers
    are shared with `base_model`, so training one changes both. `hidden`: units of a ReLU layer in between; `pooling`:
    "avg" takes the mean over all places, "flatten" keeps every place; `dropout`: share dropped before "predictions".
    `start`: the first kernel of "predictions", "zeros" (every class equally likely) or "random" (Glorot uniform, Keras's
    own choice).
    """
    from keras import Model, layers
    from keras.initializers import GlorotUniform

    if pooling not in ("avg", "flatten"):
        raise ValueError(f'pooling is {pooling!r}; choose "avg" or "flatten".')
    if start not in ("zeros", "random"):
        raise ValueError(f'start is {start!r}; choose "zeros" or "random".')
    x = base_model.outputs[0]
    if len(x.shape) == 4:
        pool = layers.GlobalAveragePooling2D if pooling == "avg" else layers.Flatten
        x = pool(name="pooling")(x)
    if hidden:
        x = layers.Dense(hidden, activation="relu", kernel_initializer=GlorotUniform(seed=seed + 1), name="hidden")(x)
    if dropout:
        x = layers.Dropout(dropout, seed=seed, name="dropout")(x)
    kernel = "zeros" if start == "zeros" else GlorotUniform(seed=seed)
    # float32 also where the rest is trained in half precision: small probabilities would be lost
    x = layers.Dense(classes, activation="softmax", kernel_initializer=kernel, dtype="float32", name="predictions")(x)
    return Model(base_model.inputs[0], x, name=f"{base_model.name}_classifier")


def freeze_before(model: keras.Model, layer_name: str) -> list[str]:
    """Return the names of the layers that may change from now on: `layer_name` and all that come after it.

    Everything before it is frozen. Batch normalisation stays frozen everywhere: its running means would drift. What is
    set here counts from the next `compile()` on, so call that afterwards. `layer_name` can also be the beginning of
    names: "block5" stands for "block5_conv1".
    """
    from keras.layers import BatchNormalization

    start = layer_position(model, layer_name)
    for position, layer in enumerate(model.layers):
        layer.trainable = position >= start and not isinstance(layer, BatchNormalization)
    return [layer.name for layer in model.layers if layer.trainable_weights]


def split_model(model: keras.Model, layer_name: str) -> tuple[keras.Model, keras.Model]:
    """Return two models: up to and with `layer_name`, and from its output to the end. They share the layers of `model`.

    So training the second part changes `model` as well, and `model` is what to save. Raises ValueError where a path
    leads around the layer, since the second part would then need more than that one output.
    """
    from keras import Model

    layer = model.layers[layer_position(model, layer_name, whole=True)]
    first = Model(model.inputs[0], layer.output, name=f"{model.name}_until_{layer_name}")
    try:
        second = Model(layer.output, model.outputs[0], name=f"{model.name}_after_{layer_name}")
    except ValueError:
        raise ValueError(
            f"a path leads around {layer_name!r}, so that what follows needs more than its output. Split where all"
            " paths meet, for instance at the end of a block."
        ) from None
    return first, second


def fine_tune(
    model: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    first_trainable: str,
    learning_rate: float = 1e-4,
    epochs: int = 8,
    batch_size: int = 32,
    seed: int = 0,
    validation_data: tuple[np.ndarray, np.ndarray] | None = None,
    callbacks: Sequence[Any] = (),
) -> keras.callbacks.History:
    """Return the history of training `model` from the layer or block `first_trainable` on, with Adam.

    What lies before it is frozen, and its answers to `images` are computed once, through the feature cache. `images`:
    raw pixels, (n, height, width, 3) or (views, n, height, width, 3), from which each epoch takes the next view;
    `validation_data`: raw images and labels. The weights of `model` change in place; its `trainable` flags stay as
    `freeze_before` sets them.
    """
    import keras

    freeze_before(model, first_trainable)
    tail, cut = _trainable_part(model, first_trainable)
    tail.compile(keras.optimizers.Adam(learning_rate), LOSS, metrics=["accuracy"])
    views = images if np.ndim(images) == 5 else images[np.newaxis]
    shown = np.stack([frozen_output(model, view, layer_name=cut) for view in views])
    if validation_data is not None:
        validation_data = (frozen_output(model, validation_data[0], layer_name=cut), validation_data[1])
    return tail.fit(
        view_batches(shown, labels, batch_size=batch_size, seed=seed),
        steps_per_epoch=math.ceil(len(labels) / batch_size),
        epochs=epochs,
        validation_data=validation_data,
        callbacks=list(callbacks),
        shuffle=False,  # view_batches has shuffled already
        verbose=0,
    )


def train_head(
    model: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    learning_rate: float = 1e-3,
    epochs: int = 40,
    **settings: Any,
) -> keras.callbacks.History:
    """Return the history of training only what follows the layer "pooling" of `model`, from `build_classifier`.

    `images` are raw pixels as for `fine_tune`, which takes the other `settings` too, such as `seed`. The weights of
    `model` change in place.
    """
    first = model.layers[layer_position(model, "pooling", whole=True) + 1].name
    return fine_tune(model, images, labels, first_trainable=first, learning_rate=learning_rate, epochs=epochs, **settings)


def predict_probabilities(model: keras.Model, images: np.ndarray, *, first_trainable: str) -> np.ndarray:
    """Return the probabilities (n, classes) of raw pixels (n, height, width, 3), computing only what has been trained.

    The same as `model.predict(preprocess_vgg16(images))` while all layers before `first_trainable` are as they were loaded:
    their answers come from the feature cache.
    """
    tail, cut = _trainable_part(model, first_trainable)
    shown = frozen_output(model, images, layer_name=cut)
    batches = (shown[start : start + BATCH_SIZE] for start in range(0, len(shown), BATCH_SIZE))
    return np.concatenate([np.asarray(tail(batch, training=False)) for batch in batches])


def frozen_output(model: keras.Model, images: np.ndarray, *, layer_name: str | None) -> np.ndarray:
    """Return what the layer answers to raw pixels (n, height, width, 3), from the cache where it can.

    `layer_name=None` stands for the input of the model: the preprocessed images.
    """
    if layer_name is None:
        return preprocess_vgg16(images)
    return extract_features(images, base_model=model, layers=layer_name, pooling=None)


def adam_by_block(learning_rate: float, *, decay: float = 2.6) -> keras.optimizers.Optimizer:
    """Return Adam with a learning rate for each block of VGG16: block 5 and what follows have `learning_rate`.

    Every block before has the rate of the next one divided by `decay`: 2.6 is that of Howard and Ruder, "Universal
    Language Model Fine-tuning for Text Classification", 2018, arXiv:1801.06146. With 1 it is Adam as always.
    """
    from keras import ops, optimizers

    class AdamByBlock(optimizers.Adam):
        def apply(self, grads, trainable_variables=None):
            before = [ops.copy(variable) for variable in trainable_variables]
            super().apply(grads, trainable_variables)
            for variable, old in zip(trainable_variables, before, strict=True):
                layer = variable.path.split("/")[-2]
                block = int(layer[5]) if layer.startswith("block") else 5
                variable.assign(old + (variable - old) / decay ** (5 - block))  # a step of Adam is as long as its rate

    return (AdamByBlock if decay != 1 else optimizers.Adam)(learning_rate)


def layer_distances(model: keras.Model, reference: keras.Model) -> dict[str, float]:
    """Return how far the kernel of each layer is from the layer of the same name in `reference`.

    The distance is the norm of the difference divided by the norm of the reference's kernel: 0 has not moved, 1 has moved
    as far as the kernel is long; a kernel that was all zeros has an infinite distance once it moves. Layers without a
    counterpart (a new head) are left out.
    """
    known = {layer.name: layer for layer in reference.layers if layer.weights}
    distances = {}
    for layer in model.layers:
        if layer.weights and layer.name in known:
            now, before = layer.get_weights()[0], known[layer.name].get_weights()[0]
            if now.shape != before.shape:
                raise ValueError(f"{layer.name} has shape {now.shape} here and {before.shape} in the reference.")
            way, length = float(np.linalg.norm(now - before)), float(np.linalg.norm(before))
            distances[layer.name] = way / length if length else math.inf if way else 0.0
    return distances


def layer_position(model: keras.Model, layer_name: str, *, whole: bool = False) -> int:
    """Return where in `model.layers` the layer stands; unless `whole`, "block5" stands for the first layer of block 5."""
    names = [layer.name for layer in model.layers]
    for position, name in enumerate(names):
        if name == layer_name or (not whole and name.startswith(f"{layer_name}_")):
            return position
    raise ValueError(f"{model.name} has no layer {layer_name!r}; choose from: {', '.join(names)}.")


def _trainable_part(model: keras.Model, first_trainable: str) -> tuple[keras.Model, str | None]:
    """Return the model from the first trainable layer on, and the name of the layer whose output it wants."""
    first = layer_position(model, first_trainable)
    if first <= 1:  # all of it; the layer before is the input
        return model, None
    cut = model.layers[first - 1].name
    return split_model(model, cut)[1], cut
