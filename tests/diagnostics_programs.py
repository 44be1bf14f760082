"""Programs to diagnose, right and wrong, with networks of a few weights on images of 8 pixels; and what is said of them."""

import re

import keras
import numpy as np
import tensorflow as tf

from helpers.diagnostics import Diagnosis

SIZE, COUNT, CLASSES = 8, 40, 3
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, SIZE, SIZE, 3)).astype("float32")
LABELS = np.arange(COUNT) % CLASSES
ONE_HOT = np.eye(CLASSES)[LABELS]
SPARSE = "sparse_categorical_crossentropy"


def problem(result, said, *, change):
    assert isinstance(result, Diagnosis) and not result, result
    assert re.search(said, result.message), result
    assert re.search(change, result.change), result
    assert re.fullmatch(r"Problem: .+\n   Change: .+", repr(result))


def fine(result, said=""):
    assert result and re.search(said, result.message), result
    assert repr(result) == f"OK: {result.message}" and not result.change


def base_model(*, norm=False):
    layers = [keras.Input((SIZE, SIZE, 3)), keras.layers.Conv2D(4, 3, activation="relu", name="block1_conv1")]
    layers += [keras.layers.BatchNormalization(name="block1_norm")] if norm else []
    layers += [keras.layers.Conv2D(4, 3, name="block2_conv1"), keras.layers.GlobalAveragePooling2D()]
    inner = keras.Sequential(layers)
    return keras.Model(inner.inputs[0], inner.outputs[0], name="base")


def nested(**options):
    base, image = base_model(**options), keras.Input((SIZE, SIZE, 3))
    head = keras.layers.Dense(CLASSES, activation="softmax", name="head")
    return base, keras.Model(image, head(base(image, training=False)))


def flat(**options):
    base = base_model(**options)
    head = keras.layers.Dense(CLASSES, activation="softmax", name="head")
    return base, keras.Model(base.inputs[0], head(base.outputs[0]))


def sequential(**options):
    base = base_model(**options)
    return base, keras.Sequential([base, keras.layers.Dense(CLASSES, activation="softmax", name="head")])


def subclassed(**options):
    class Classifier(keras.Model):
        def __init__(self):
            super().__init__()
            self.head = keras.layers.Dense(CLASSES, activation="softmax", name="head")
            self.base = base_model(**options)

        def call(self, images, training=False):
            return self.head(self.base(images, training=training))

    model = Classifier()
    model(IMAGES[:1])
    return model.base, model


def train(model, optimizer="sgd", *, compile=True, **options):
    import keras

    if compile:
        optimizer = keras.optimizers.SGD(0.01) if optimizer == "sgd" else optimizer
        model.compile(optimizer, loss=SPARSE, **options)
    model.fit(IMAGES / 255, LABELS, batch_size=20, verbose=0)
    return model


def pixels(count=COUNT):
    return tf.data.Dataset.from_tensor_slices((IMAGES[:count], LABELS[:count]))


def old_iterator(shuffle=True, seed=None, **ranges):
    from tensorflow.keras.preprocessing.image import ImageDataGenerator

    return ImageDataGenerator(**ranges).flow(IMAGES, LABELS, batch_size=16, shuffle=shuffle, seed=seed)


def in_batches(*, length=5, noise=0.0, seed=None):
    class Batches(keras.utils.PyDataset):
        def __init__(self):
            super().__init__()
            self.order = np.arange(COUNT)
            self.generator = np.random.default_rng(0)

        def __len__(self):
            return length

        def __getitem__(self, index):
            chosen = self.order[8 * index : 8 * index + 8]
            generator = self.generator if seed is None else np.random.default_rng(seed + index)
            return IMAGES[chosen] + noise * generator.random(IMAGES[chosen].shape, "float32"), LABELS[chosen]

        def on_epoch_end(self):
            np.random.shuffle(self.order)

    return Batches()
