"""Training on several devices or machines: the same function for every strategy of TensorFlow.

`fit()` works under `MirroredStrategy` (several GPUs in one machine), but in Keras 3.15 not under
`MultiWorkerMirroredStrategy` (several machines), where it stops with an error. This loop works under both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


def fit_on_devices(
    build: Callable[[], keras.Model],
    images: np.ndarray,
    labels: np.ndarray,
    *,
    strategy: tf.distribute.Strategy,
    epochs: int,
    batch_size: int = 32,
) -> tuple[keras.Model, list[float]]:
    """Return the trained model and its loss after every epoch; each batch is shared out among all devices of `strategy`.

    `build` returns a compiled classifier with probabilities (n, classes), `labels` are (n,) integers; the loss is the mean
    cross-entropy over the batch, whatever the number of devices, so the result is that of one device up to rounding.
    `batch_size` counts the images of all devices together. Batches come in the order of the images.
    """
    import tensorflow as tf

    with strategy.scope():
        model = build()
        model.optimizer.build(model.trainable_variables)
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    batches = tf.data.Dataset.from_tensor_slices((images, labels)).batch(batch_size).with_options(options)
    shared_out = strategy.experimental_distribute_dataset(batches)

    @tf.function
    def train_step(batch):
        parts = strategy.run(_step, args=(model, *batch))
        return strategy.reduce("SUM", parts, axis=None)

    return model, [float(np.mean([train_step(batch) for batch in shared_out])) for _ in range(epochs)]


def _step(model, images, labels):
    """Take one step on this device's part of a batch, and return its share of the mean loss of the whole batch."""
    import tensorflow as tf
    from keras import losses, ops

    devices = tf.distribute.get_replica_context()
    whole = devices.all_reduce("SUM", tf.cast(tf.shape(labels)[0], "float32"))
    with tf.GradientTape() as tape:
        each = losses.sparse_categorical_crossentropy(labels, model(images, training=True))
        loss = ops.sum(each) / whole
    gradients = tape.gradient(loss, model.trainable_variables)
    model.optimizer.apply(gradients, model.trainable_variables)  # adds up the gradients of all devices
    return loss
