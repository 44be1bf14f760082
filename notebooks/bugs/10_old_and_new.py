"""Know the digits 0 to 4 already, and learn 5 to 9."""

import keras

from helpers import load_digit_images, load_vgg16

seed = 0
keras.utils.set_random_seed(seed)
data = load_digit_images(train_per_class=20, validation_per_class=10, test_per_class=20, seed=seed)
prepare = keras.applications.vgg16.preprocess_input
vgg = load_vgg16(input_shape=(32, 32, 3))
base = keras.Model(vgg.inputs[0], vgg.get_layer("block4_pool").output, name="base")


def read(images):
    return base.predict(prepare(images), verbose=0).mean(axis=(1, 2))


class_names = data.class_names[5:]
new, new_too = data.train_labels >= 5, data.validation_labels >= 5
features, labels = read(data.train_images), data.train_labels
train = (features[new][:40], labels[new][:40] - 5)
validation = (read(data.validation_images[new_too]), data.validation_labels[new_too] - 5)
old = keras.Sequential([keras.Input((512,)), keras.layers.Dense(64, activation="relu", name="hidden")])
old.add(keras.layers.Dense(5, activation="softmax", name="old_head"))
old.compile(keras.optimizers.Adam(0.001), "sparse_categorical_crossentropy")
old.fit(features[~new], labels[~new], epochs=20, verbose=0)
layers = old.layers
model = keras.Sequential(
    [keras.Input((512,)), *layers, keras.layers.Dense(5, activation="softmax", name="head")]
)
model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(*train, validation_data=validation, epochs=20, batch_size=20, verbose=0)
reported = history.history["val_accuracy"][-1]
# diagnose(model, train=train, validation=validation)
