"""The classic VGG16 program, as tutorials have copied it from one another since 2016, in a form that still runs.

Frozen VGG16 without top, `Flatten`, `Dense(256)`, softmax, Adam at 1e-4; an `ImageDataGenerator` that rescales by 1/255, as
many copies do, and augments, validation drawn from it as well, `samples // batch_size` steps. After Chollet, "Building
powerful image classification models using very little data", 2016. Only what would not run any more has been changed, and
the weights come from `load_vgg16` instead of a download. Notebook 06 goes through it line by line.
"""

from pathlib import Path

BATCH_SIZE = 32


def classic_program(folder: Path, *, image_size: int, epochs: int, seed: int = 0, **preparation):
    """Return the history and the trained model. `preparation` of the pixels, for the generator, is `rescale=1 / 255`
    unless something else is given: `preprocessing_function=preprocess_input` is what the original has."""
    import keras
    import tensorflow as tf

    from helpers.vgg16 import load_vgg16

    keras.utils.set_random_seed(seed)
    generator = tf.keras.preprocessing.image.ImageDataGenerator(
        **(preparation or {"rescale": 1 / 255}),
        rotation_range=40,
        width_shift_range=0.2,
        height_shift_range=0.2,
        shear_range=0.2,
        zoom_range=0.2,
        horizontal_flip=True,
        fill_mode="nearest",
    )
    flow = {"target_size": (image_size, image_size), "batch_size": BATCH_SIZE, "class_mode": "categorical"}
    train = generator.flow_from_directory(folder / "train", **flow)
    validation = generator.flow_from_directory(folder / "validation", **flow)
    base_model = load_vgg16(input_shape=(image_size, image_size, 3))
    base_model.trainable = False
    model = keras.Sequential(
        [
            base_model,
            keras.layers.Flatten(),
            keras.layers.Dense(256, activation="relu"),
            keras.layers.Dense(train.num_classes, activation="softmax"),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(1e-4), loss="categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(
        train,
        steps_per_epoch=train.samples // BATCH_SIZE,
        validation_data=validation,
        validation_steps=validation.samples // BATCH_SIZE,
        epochs=epochs,
        verbose=0,
    )
    return history, model
