"""Tell materials apart in small patches, with VGG16 as it is."""

import keras

from helpers import load_textures, load_vgg16

seed = 0
keras.utils.set_random_seed(seed)
data = load_textures(train_per_class=8, validation_per_class=4, test_per_class=10, image_size=32, seed=seed)


def prepare(images):
    return images / 255


train = (prepare(data.train_images), data.train_labels)
validation = (prepare(data.validation_images), data.validation_labels)
vgg = load_vgg16(input_shape=(32, 32, 3))
base = keras.Model(vgg.inputs[0], vgg.get_layer("block4_pool").output, name="base")
base.trainable = False
model = keras.Sequential([keras.Input((32, 32, 3)), base, keras.layers.GlobalAveragePooling2D()])
model.add(keras.layers.Dense(14, activation="softmax", name="head"))
model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(*train, validation_data=validation, epochs=6, batch_size=20, verbose=0)
reported = history.history["val_accuracy"][-1]
# diagnose(model, train=train, validation=validation, backbone="vgg16")
