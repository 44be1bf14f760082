"""Train a head on materials, then go on with everything."""

import keras

from helpers import load_textures, load_vgg16

seed = 0
keras.utils.set_random_seed(seed)
data = load_textures(train_per_class=6, validation_per_class=3, test_per_class=10, image_size=32, seed=seed)
prepare = keras.applications.vgg16.preprocess_input
train = (prepare(data.train_images), data.train_labels)
validation = (prepare(data.validation_images), data.validation_labels)
vgg = load_vgg16(input_shape=(32, 32, 3))
base = keras.Model(vgg.inputs[0], vgg.get_layer("block3_pool").output, name="base")
base.trainable = False
model = keras.Sequential([keras.Input((32, 32, 3)), base, keras.layers.GlobalAveragePooling2D()])
model.add(keras.layers.Dense(14, activation="softmax", name="head"))
learning_rate = 1e-4
model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(*train, validation_data=validation, epochs=4, batch_size=20, verbose=0)
snapshot = model.get_weights()
base.trainable = True
model.compile(keras.optimizers.Adam(learning_rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(*train, validation_data=validation, epochs=4, batch_size=20, verbose=0)
reported = history.history["val_accuracy"][-1]
# diagnose(model, train=train, validation=validation, backbone="vgg16", snapshot=snapshot, expected=["base", "head"])
