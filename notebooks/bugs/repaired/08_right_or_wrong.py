"""Count how many digits are read right."""

import keras
import numpy as np
import tensorflow as tf

from helpers import load_digit_images, load_vgg16

seed = 0
keras.utils.set_random_seed(seed)
data = load_digit_images(train_per_class=12, validation_per_class=6, test_per_class=20, seed=seed)
prepare = keras.applications.vgg16.preprocess_input
vgg = load_vgg16(input_shape=(32, 32, 3))
base = keras.Model(vgg.inputs[0], vgg.get_layer("block4_pool").output, name="base")


def read(images):
    return base.predict(prepare(images), verbose=0).mean(axis=(1, 2))


def measure(model):
    answers = model.predict(validation, verbose=0).argmax(axis=-1)
    return float(np.mean(answers == labels))


train = (read(data.train_images), data.train_labels)
validation = tf.data.Dataset.from_tensor_slices((read(data.validation_images), data.validation_labels))
validation = validation.batch(20)
labels = np.concatenate([label for _, label in validation])
model = keras.Sequential([keras.Input((512,)), keras.layers.Dense(10, activation="softmax", name="head")])
model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(*train, validation_data=validation, epochs=20, batch_size=20, verbose=0)
reported = measure(model)
# diagnose(model, train=train, validation=validation, validation_labels=labels)
