"""One small training, on one device or several: `python several_devices.py one|mirrored|workers [fit]`.

Prints the number of replicas, the losses and a sum of the weights as JSON. With "fit" it trains with Keras's own `fit()`.
For "workers" TF_CONFIG says which processes take part.
"""

import json
import os
import sys

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
import keras
import numpy as np
import tensorflow as tf

from helpers.fine_tuning import build_classifier, freeze_before
from helpers.training import fit_on_devices


def strategy(name: str) -> tf.distribute.Strategy:
    """Return the strategy of that name; two logical devices stand for two GPUs."""
    if name == "mirrored":
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
        return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    return tf.distribute.MultiWorkerMirroredStrategy() if name == "workers" else tf.distribute.get_strategy()


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


def main() -> None:
    """Train for three epochs on 36 images, in batches of 16, 16 and 4."""
    random = np.random.default_rng(0)
    images, labels = random.normal(size=(36, 8, 8, 3)).astype("float32"), random.integers(0, 3, 36)
    chosen = strategy(sys.argv[1])
    if "fit" in sys.argv:
        with chosen.scope():
            model = build()
        fitted = model.fit(images, labels, batch_size=16, epochs=3, shuffle=False, verbose=0)
        losses = fitted.history["loss"]
    else:
        model, losses = fit_on_devices(build, images, labels, strategy=chosen, epochs=3, batch_size=16)
    weights = float(sum(np.abs(weight).sum() for weight in model.get_weights()))
    print(json.dumps({"replicas": chosen.num_replicas_in_sync, "loss": losses, "weights": weights}))


if __name__ == "__main__":
    main()
