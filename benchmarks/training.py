"""The sections on training: the classic program against features computed once, and block 5 on cached block 4."""

import contextlib
import io
import math
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.classic import classic_program
from benchmarks.tables import Table, fresh_cache, timed

IMAGE_SIZE = 64
EPOCHS = 20


def classic_section() -> Table:
    """Compare the classic program with a linear head on features that are computed once."""
    from helpers.data import load_textures, write_image_folders

    textures = load_textures(train_per_class=20, validation_per_class=10, image_size=IMAGE_SIZE)
    with tempfile.TemporaryDirectory() as name, fresh_cache():
        folder = write_image_folders(textures, Path(name))
        classic, goal = _classic_row(folder)
        ours = _workbook_row(folder, goal=goal)
    slow = classic["seconds"]
    for row in (classic, ours):
        row["times faster"], row["seconds"] = f"{slow / row['seconds']:.1f}", f"{row['seconds']:.1f}"
    note = (
        f"14 classes of 20 training images, {IMAGE_SIZE} px; {EPOCHS} epochs of the classic program, the workbook until it"
        " reaches that program's last validation accuracy. From the folders of photographs to the trained model, nothing"
        " stored before; building VGG16 included. Test accuracy on the whole test set, as it is."
    )
    return Table("The classic program", [classic, ours], note)


def _classic_row(folder):
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):  # what flow_from_directory prints
        history, model = classic_program(folder, image_size=IMAGE_SIZE, epochs=EPOCHS)
    seconds = time.perf_counter() - start
    images, labels = _read(folder / "test")
    accuracy = float((model.predict(images / 255, verbose=0).argmax(1) == labels).mean())
    goal = history.history["val_accuracy"][-1]
    row = {"program": "classic", "seconds": seconds, "validation": f"{goal:.3f}", "test": f"{accuracy:.3f}"}
    return row, goal


def _workbook_row(folder, *, goal):
    """Train a head epoch by epoch on pooled features, and stop at the first validation accuracy that reaches the goal."""
    import keras

    from helpers.features import extract_features
    from helpers.fine_tuning import build_classifier, split_model
    from helpers.vgg16 import load_vgg16

    class Reached(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = logs["val_accuracy"] >= goal

    keras.utils.set_random_seed(0)
    start = time.perf_counter()
    (images, labels), validation = _read(folder / "train"), _read(folder / "validation")
    base_model = load_vgg16(input_shape=images.shape[1:])
    model = build_classifier(base_model, classes=len(set(labels)))
    head = split_model(model, "pooling")[1]
    head.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    features = extract_features(images, base_model=base_model)
    held_out = extract_features(validation[0], base_model=base_model), validation[1]
    history = head.fit(features, labels, epochs=200, validation_data=held_out, callbacks=[Reached()], verbose=0)
    seconds = time.perf_counter() - start
    images, labels = _read(folder / "test")
    answers = head.predict(extract_features(images, base_model=base_model), verbose=0)
    return {
        "program": "workbook",
        "seconds": seconds,
        "validation": f"{history.history['val_accuracy'][-1]:.3f}",
        "test": f"{float((answers.argmax(1) == labels).mean()):.3f}",
    }


def _read(folder):
    """Return all images of a folder of classes, and their labels, in the order of the files."""
    import keras

    dataset = keras.utils.image_dataset_from_directory(
        folder, image_size=(IMAGE_SIZE, IMAGE_SIZE), shuffle=False, verbose=False
    )
    images, labels = zip(*dataset.as_numpy_iterator(), strict=True)
    return np.concatenate(images), np.concatenate(labels)


def block5_section() -> Table:
    """Compare an epoch that trains block 5 behind frozen blocks with one on the cached output of block 4."""
    from helpers.data import load_textures
    from helpers.vgg16 import preprocess_vgg16

    textures = load_textures(train_per_class=20, image_size=IMAGE_SIZE)
    images, labels = textures.train_images, textures.train_labels
    with fresh_cache():
        whole, _ = _trainable(images.shape[1:])
        model, tail = _trainable(images.shape[1:])
        from helpers.features import extract_features

        seconds, cut = {}, {"base_model": model, "layers": "block4_pool", "pooling": None}
        store = timed(lambda: seconds.setdefault("maps", extract_features(images, **cut)))
        runs = {
            "all of VGG16": (whole, preprocess_vgg16(images)),
            "block 5 on cached block 4": (tail, seconds["maps"]),
        }
        results = {name: _epochs(part, shown, labels) for name, (part, shown) in runs.items()}
    (slow, losses), (_, others) = results.values()
    agreement = max(abs(a - b) / a for a, b in zip(losses, others, strict=True))
    assert agreement < 1e-4, f"the losses differ by {agreement:.1e}"
    rows = [
        {
            "forward pass": name,
            "seconds an epoch": f"{np.median(times):.2f}",
            "times faster": f"{np.median(np.array(slow) / times):.2f}",
            "last loss": f"{losses[-1]:.6f}",
        }
        for name, (times, losses) in results.items()
    ]
    note = (
        f"280 images of {IMAGE_SIZE} px, batches of 32, Adam; medians of {len(slow)} epochs after the first. Computing and"
        f" storing block 4 takes {store:.1f} s, once. Largest relative difference of the losses: {agreement:.0e}."
    )
    return Table("An epoch that trains block 5", rows, note)


def _trainable(shape):
    import keras

    from helpers.fine_tuning import build_classifier, freeze_before, split_model
    from helpers.vgg16 import load_vgg16

    model = build_classifier(load_vgg16(input_shape=shape), classes=14)
    freeze_before(model, "block5")
    tail = split_model(model, "block4_pool")[1]
    for part in (model, tail):
        part.compile(keras.optimizers.Adam(1e-4), "sparse_categorical_crossentropy")
    return model, tail


def _epochs(model, shown, labels, *, epochs=6):
    """Return the seconds of all epochs but the first (which compiles), and the losses of all."""
    import keras

    from helpers.augmentation import view_batches

    class Clock(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.begins, self.seconds = 0.0, []

        def on_epoch_begin(self, epoch, logs=None):
            self.begins = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            self.seconds.append(time.perf_counter() - self.begins)

    clock = Clock()
    history = model.fit(
        view_batches(shown[np.newaxis], labels),
        steps_per_epoch=math.ceil(len(labels) / 32),
        epochs=epochs,
        callbacks=[clock],
        shuffle=False,
        verbose=0,
    )
    return np.array(clock.seconds[1:]), history.history["loss"]


os.environ.setdefault("WORKBOOK_PROGRESS", "0")
SECTIONS = {"classic": classic_section, "block5": block5_section}
