"""Train a head first, then all of VGG16's first three blocks with it."""

import keras

from helpers import load_digit_images, load_vgg16

seed = 0
keras.utils.set_random_seed(seed)
data = load_digit_images(train_per_class=10, validation_per_class=5, test_per_class=20, seed=seed)
prepare = keras.applications.vgg16.preprocess_input
train = (prepare(data.train_images), data.train_labels)
validation = (prepare(data.validation_images), data.validation_labels)
vgg = load_vgg16(input_shape=(32, 32, 3))
base = keras.Model(vgg.inputs[0], vgg.get_layer("block3_pool").output, name="base")
base.trainable = False
model = keras.Sequential([keras.Input((32, 32, 3)), base, keras.layers.GlobalAveragePooling2D()])
model.add(keras.layers.Dense(10, activation="softmax", name="head"))
model.compile(keras.optimizers.Adam(0.03), "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(*train, validation_data=validation, epochs=4, batch_size=20, verbose=0)
snapshot = model.get_weights()
model.get_layer("head").trainable = True
model.compile(keras.optimizers.Adam(1e-4), "sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(*train, validation_data=validation, epochs=4, batch_size=20, verbose=0)
reported = history.history["val_accuracy"][-1]
# diagnose(model, train=train, validation=validation, backbone="vgg16", snapshot=snapshot, expected=["base", "head"])
