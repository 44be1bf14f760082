"""Batches for training on several views of every image, in an order that depends on the seed and the epoch alone.

So a run that was interrupted goes on with the very batches that it would have had, and a run on cached features sees the
same images in the same order as the run on pixels that it stands for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf


def steps_per_epoch(count: int, *, batch_size: int = 32) -> int:
    """Return how many batches one epoch has when no image is left out: the last one may be smaller."""
    return -(-count // batch_size)


def view_batches(
    views: np.ndarray, labels: np.ndarray, *, batch_size: int = 32, seed: int = 0, first_epoch: int = 0
) -> tf.data.Dataset:
    """Return an endless dataset of (batch, labels): every `steps_per_epoch` batches show each image once.

    `views` is (views, n, ...): images or features, one row of all n for each view; epoch `e` takes view `e % views`, each
    time in a new order. `labels` is (n,), integers. `first_epoch` is where an interrupted run goes on. Endless, so give
    `fit()` the number of steps: `steps_per_epoch=steps_per_epoch(len(labels), batch_size=batch_size)`.
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
