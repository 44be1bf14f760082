"""The two phases of fine-tuning, each on what the frozen part of the network answers: computed once, then kept.

First the head alone, then the head and the last blocks with a low learning rate. Notebook 06 writes both out before it
uses them from here. After Chollet, "Deep Learning with Python", 2017, and Yosinski and others, "How transferable are
features in deep neural networks?", 2014.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.features import extract_features
from helpers.fine_tuning import freeze_before, layer_position, split_model
from helpers.vgg16 import preprocess_vgg16
from helpers.view_batches import steps_per_epoch, view_batches

if TYPE_CHECKING:
    import keras

BATCH_SIZE = 64  # images that are predicted at a time
LOSS = "sparse_categorical_crossentropy"


def train_head(
    model: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    learning_rate: float = 1e-3,
    epochs: int = 40,
    batch_size: int = 32,
    seed: int = 0,
) -> keras.callbacks.History:
    """Return the history of training only what follows the layer "pooling" of `model`, from `build_classifier`.

    `images` are raw pixels (n, height, width, 3) from 0 to 255. With (views, n, height, width, 3) each epoch takes the
    next view of every image. Adam; the weights of `model` change in place.
    """
    return fine_tune(
        model,
        images,
        labels,
        first_trainable=_layer_after(model, "pooling"),
        learning_rate=learning_rate,
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
    )


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
        steps_per_epoch=steps_per_epoch(len(labels), batch_size=batch_size),
        epochs=epochs,
        validation_data=validation_data,
        callbacks=list(callbacks),
        shuffle=False,  # view_batches has shuffled already
        verbose=0,
    )


def predict(model: keras.Model, images: np.ndarray, *, first_trainable: str) -> np.ndarray:
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


def _trainable_part(model: keras.Model, first_trainable: str) -> tuple[keras.Model, str | None]:
    """Return the model from the first trainable layer on, and the name of the layer whose output it wants."""
    first = layer_position(model, first_trainable)
    if first <= 1:  # all of it; the layer before is the input
        return model, None
    cut = model.layers[first - 1].name
    return split_model(model, cut)[1], cut


def _layer_after(model: keras.Model, layer_name: str) -> str:
    return model.layers[layer_position(model, layer_name, whole=True) + 1].name
