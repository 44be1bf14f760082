# The settings
import os
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

folder = Path(os.environ.get("FOLDER", "photographs"))  # has train, validation and test
weights = os.environ.get("WEIGHTS", "imagenet")  # or a file of weights
image_size = int(os.environ.get("IMAGE_SIZE", 128))
epochs = 4  # of phase 2
verbose = int(os.environ.get("VERBOSE", 2))  # 2: a line for each epoch, 0: silence
keras.utils.set_random_seed(0)


# Read the folders
def read_images(part):
    size = (image_size, image_size)
    return keras.utils.image_dataset_from_directory(
        folder / part, image_size=size, batch_size=None, shuffle=False, verbose=False
    )


train, validation, test = (read_images(part) for part in ("train", "validation", "test"))
class_names, test_files = train.class_names, test.file_paths
assert class_names == validation.class_names == test.class_names
print(f"{len(class_names)} classes; photographs: {len(train)}, {len(validation)}, {len(test)}")


# Cache, shuffle, batch, prefetch
train = train.cache().shuffle(len(train), seed=0).batch(16).prefetch(tf.data.AUTOTUNE)
validation = validation.batch(16).cache().prefetch(tf.data.AUTOTUNE)
test = test.batch(16).prefetch(tf.data.AUTOTUNE)


# Augmentation
augmentation = keras.Sequential(
    [
        keras.layers.RandomFlip("horizontal"),
        keras.layers.RandomRotation(0.05, fill_mode="nearest"),
        keras.layers.RandomTranslation(0.1, 0.1, fill_mode="nearest"),
        keras.layers.RandomZoom(0.1, fill_mode="nearest"),
    ],
    name="augmentation",
)


# The pretrained base and a new head
shape = (image_size, image_size, 3)
base = keras.applications.VGG16(weights=weights, include_top=False, input_shape=shape)
base.trainable = False
head = keras.Sequential(
    [
        keras.Input((base.output_shape[-1],)),
        keras.layers.Dropout(0.2),
        keras.layers.Dense(
            len(class_names), activation="softmax", kernel_initializer="zeros", name="predictions"
        ),
    ],
    name="head",
)


# The model
inputs = keras.Input(shape)
x = augmentation(inputs)
x = keras.applications.vgg16.preprocess_input(x)
x = base(x, training=False)
features = keras.layers.GlobalAveragePooling2D()(x)
model = keras.Model(inputs, head(features))


# Phase 1: the head alone
everything_but_the_head = keras.Model(inputs, features)


def features_of(part):
    rows, labels = [], []
    for images, answers in part:
        rows.append(everything_but_the_head.predict_on_batch(images))
        labels.append(answers)
    return np.concatenate(rows), np.concatenate(labels)


train_features, train_labels = features_of(train)
validation_data = features_of(validation)


# Early stopping
patient = keras.callbacks.EarlyStopping("val_accuracy", patience=10, restore_best_weights=True)
head.compile(keras.optimizers.Adam(0.001), "sparse_categorical_crossentropy", metrics=["accuracy"])
phase1 = head.fit(
    train_features,
    train_labels,
    validation_data=validation_data,
    epochs=100,
    callbacks=[patient],
    verbose=verbose,
)


# Phase 2: block 5 learns too
base.trainable = True
for layer in base.layers:
    layer.trainable = layer.name.startswith("block5")
assert base.trainable_weights

rate = keras.optimizers.schedules.CosineDecay(0.0001, decay_steps=epochs * len(train))
model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])


# Fit, with a checkpoint
before = model.get_weights()
stop = keras.callbacks.EarlyStopping("val_accuracy", patience=2, restore_best_weights=True)
checkpoint = keras.callbacks.ModelCheckpoint("block5.keras", monitor="val_accuracy", save_best_only=True)
phase2 = model.fit(
    train,
    validation_data=validation,
    epochs=epochs,
    callbacks=[stop, checkpoint],
    shuffle=False,
    verbose=verbose,
)


# Which one do we keep?
with_head, with_block5 = (max(phase.history["val_accuracy"]) for phase in (phase1, phase2))
if with_block5 <= with_head:
    model.set_weights(before)
print(f"validation accuracy: head {with_head:.2f}, block 5 {with_block5:.2f}")


# Test once, save one file
loss, accuracy = model.evaluate(test, verbose=0)
count = sum(len(labels) for _, labels in test)
print(f"test accuracy {accuracy:.2f} on {count} photographs; guessing {1 / len(class_names):.2f}")
model.save("classifier.keras")
_ = Path("class_names.txt").write_text("\n".join(class_names), encoding="utf-8")
photograph = test_files[0]


# Load it again and name one photograph
from pathlib import Path

import keras
import numpy as np

reloaded = keras.models.load_model("classifier.keras")
names = Path("class_names.txt").read_text(encoding="utf-8").splitlines()

pixels = keras.utils.img_to_array(keras.utils.load_img(photograph))
pixels = keras.ops.image.resize(pixels, reloaded.input_shape[1:3])
probabilities = reloaded.predict(pixels[np.newaxis], verbose=0)[0]
print(f"{Path(photograph).name}: {names[probabilities.argmax()]} ({probabilities.max():.2f})")
