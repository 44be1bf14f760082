"""One small training, on one device and on several: `python several_devices.py`.

Prints the number of replicas, the losses and a sum of the weights as JSON, of each way to train. With TF_CONFIG, which
says which processes take part, the only way is "workers"; otherwise they are "one" device, and two logical ones, which
stand for two GPUs: "mirrored", and "fit", which is the same with Keras's own `fit()`.
"""

import json
import os

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
import keras
import numpy as np
import tensorflow as tf

from helpers.fine_tuning import build_classifier, freeze_before
from helpers.training import fit_on_devices


def strategies() -> dict[str, tf.distribute.Strategy]:
    """Return the strategy of each way to train."""
    if "TF_CONFIG" in os.environ:
        return {"workers": tf.distribute.MultiWorkerMirroredStrategy()}
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    return {"one": tf.distribute.get_strategy(), "mirrored": mirrored, "fit": mirrored}


def build() -> keras.Model:
    """Return a compiled classifier on a small base, of which the last convolution and the head are trained."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, activation="relu", name="block1_conv1")(inputs)
    x = keras.layers.Conv2D(4, 3, activation="relu", name="block2_conv1")(x)
    model = build_classifier(keras.Model(inputs, x, name="base"), classes=3, start="random")
    freeze_before(model, "block2")
    model.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy")
    return model


def train(way: str, strategy: tf.distribute.Strategy) -> dict:
    """Return the result of three epochs on 36 images, in batches of 16, 16 and 4."""
    random = np.random.default_rng(0)
    images, labels = random.normal(size=(36, 8, 8, 3)).astype("float32"), random.integers(0, 3, 36)
    if way == "fit":
        with strategy.scope():
            model = build()
        fitted = model.fit(images, labels, batch_size=16, epochs=3, shuffle=False, verbose=0)
        losses = fitted.history["loss"]
    else:
        model, losses = fit_on_devices(build, images, labels, strategy=strategy, epochs=3, batch_size=16)
    weights = float(sum(np.abs(weight).sum() for weight in model.get_weights()))
    return {"replicas": strategy.num_replicas_in_sync, "loss": losses, "weights": weights}


if __name__ == "__main__":
    print(json.dumps({way: train(way, strategy) for way, strategy in strategies().items()}))
