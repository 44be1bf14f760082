"""Read digits from folders that are named in words."""

import keras

from helpers import load_digit_images, load_vgg16, write_image_folders

seed = 0
keras.utils.set_random_seed(seed)
data = load_digit_images(train_per_class=12, validation_per_class=6, test_per_class=20, seed=seed)
prepare = keras.applications.vgg16.preprocess_input
data.class_names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
folder = write_image_folders(data, "digits")
options = {"image_size": (32, 32), "batch_size": 20, "seed": seed, "verbose": False}
train = keras.utils.image_dataset_from_directory(folder / "train", **options)
class_names = train.class_names
options["class_names"] = class_names
validation = keras.utils.image_dataset_from_directory(folder / "validation", **options)
names = {"train": class_names, "validation": validation.class_names}
train, validation = (part.map(lambda image, label: (prepare(image), label)) for part in (train, validation))
vgg = load_vgg16(input_shape=(32, 32, 3))
base = keras.Model(vgg.inputs[0], vgg.get_layer("block4_pool").output, name="base")
base.trainable = False
model = keras.Sequential([keras.Input((32, 32, 3)), base, keras.layers.GlobalAveragePooling2D()])
model.add(keras.layers.Dense(10, activation="softmax", name="head"))
model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(train, validation_data=validation, epochs=6, verbose=0)
reported = history.history["val_accuracy"][-1]
# diagnose(model, train=train, validation=validation, backbone="vgg16", class_names=names)
