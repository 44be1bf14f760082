"""The section on the program that notebook 06 gives away: against the classic program, on textures and on clothes."""

import contextlib
import io
import os
import re
import runpy
import tempfile
import time
from pathlib import Path

from benchmarks.classic import classic_program
from benchmarks.tables import Table

PROGRAM = Path(__file__).parents[1] / "notebooks" / "fine_tune_my_photographs.py"
EPOCHS = 10  # of the classic program, as the text has it


def take_home_section() -> Table:
    """Compare the classic program, ten epochs, with the whole program of notebook 06, from folders to the test accuracy."""
    from helpers.data import PhotographsMissing, load_clothing, load_textures
    from helpers.vgg16 import load_vgg16

    targets = {"textures": (load_textures(train_per_class=20, validation_per_class=10, image_size=64), 64)}
    with contextlib.suppress(PhotographsMissing):
        targets["clothes"] = load_clothing(labels_per_class=50), 128
    rows = []
    with tempfile.TemporaryDirectory() as name:
        load_vgg16().save_weights(weights := Path(name) / "vgg16.weights.h5")
        for target, (images, size) in targets.items():
            rows += _both_rows(target, images, size, weights)
    note = (
        f"Textures: 14 classes of 20, 64 px; clothes: 10 classes of 50, 128 px. {EPOCHS} epochs of the classic program with"
        " preprocess_input. From the folders to the accuracy on the whole test set, reading and building included."
    )
    return Table("The classic program and the program of notebook 06", rows, note)


def _both_rows(target, images, size, weights):
    from helpers.data import write_image_folders

    rows = []
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        folder = write_image_folders(images, Path(name) / "photographs")
        for program, run in (("classic", _classic), ("notebook 06", _take_home)):
            start = time.perf_counter()
            accuracy = run(folder, size, weights)
            rows.append({"target": target, "program": program, "seconds": time.perf_counter() - start, "test": accuracy})
    slow = rows[0]["seconds"]
    return [row | {"seconds": f"{row['seconds']:.0f}", "times faster": f"{slow / row['seconds']:.2f}"} for row in rows]


def _classic(folder, size, weights):
    import tensorflow as tf
    from keras.applications.vgg16 import preprocess_input

    with contextlib.redirect_stdout(io.StringIO()):  # what flow_from_directory prints
        _, model = classic_program(folder, image_size=size, epochs=EPOCHS, preprocessing_function=preprocess_input)
        plain = tf.keras.preprocessing.image.ImageDataGenerator(preprocessing_function=preprocess_input)
        flow = {"target_size": (size, size), "batch_size": 32, "class_mode": "categorical", "shuffle": False}
        test = plain.flow_from_directory(folder / "test", **flow)
    return f"{model.evaluate(test, verbose=0)[1]:.2f}"


def _take_home(folder, size, weights):
    os.environ |= {"FOLDER": str(folder), "WEIGHTS": str(weights), "IMAGE_SIZE": str(size)}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        runpy.run_path(str(PROGRAM))
    return re.search(r"test accuracy (\S+)", printed.getvalue())[1]


SECTIONS = {"take_home": take_home_section}
