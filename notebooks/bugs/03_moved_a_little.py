"""Read digits from few examples, each moved a little."""

import keras
import tensorflow as tf

from helpers import load_digit_images, load_vgg16

seed = 0
keras.utils.set_random_seed(seed)
data = load_digit_images(train_per_class=12, validation_per_class=6, test_per_class=20, seed=seed)
prepare = keras.applications.vgg16.preprocess_input
move = keras.Sequential([keras.layers.RandomTranslation(0.1, 0.1), keras.layers.RandomRotation(0.05)])
pixels = tf.data.Dataset.from_tensor_slices((data.train_images, data.train_labels))
train = pixels.map(lambda image, label: (prepare(move(image, training=True)), label)).cache()
train = train.shuffle(120, seed=seed).batch(20)
validation = (prepare(data.validation_images), data.validation_labels)
vgg = load_vgg16(input_shape=(32, 32, 3))
base = keras.Model(vgg.inputs[0], vgg.get_layer("block4_pool").output, name="base")
base.trainable = False
model = keras.Sequential([keras.Input((32, 32, 3)), base, keras.layers.GlobalAveragePooling2D()])
model.add(keras.layers.Dense(10, activation="softmax", name="head"))
model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(train, validation_data=validation, epochs=8, verbose=0)
reported = history.history["val_accuracy"][-1]
# diagnose(model, train=train, validation=validation, backbone="vgg16")
