"""Divide labelled digits into a part to learn and a part to validate."""

import keras
import tensorflow as tf

from helpers import load_digit_images, load_vgg16

seed = 0
keras.utils.set_random_seed(seed)
data = load_digit_images(train_per_class=16, test_per_class=20, seed=seed)
prepare = keras.applications.vgg16.preprocess_input
images, labels = prepare(data.train_images), data.train_labels
pixels = tf.data.Dataset.from_tensor_slices((images, labels))
pixels = pixels.shuffle(len(labels), seed=seed)
validation = pixels.take(40).batch(20)
train = pixels.skip(40).batch(20)
vgg = load_vgg16(input_shape=(32, 32, 3))
base = keras.Model(vgg.inputs[0], vgg.get_layer("block4_pool").output, name="base")
base.trainable = False
model = keras.Sequential([keras.Input((32, 32, 3)), base, keras.layers.GlobalAveragePooling2D()])
model.add(keras.layers.Dense(10, activation="softmax", name="head"))
model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(train, validation_data=validation, epochs=10, verbose=0)
reported = history.history["val_accuracy"][-1]
# diagnose(model, train=train, validation=validation, backbone="vgg16")
