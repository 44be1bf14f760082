"""The program that notebook 06 gives away: its cells, joined to a script, work in an empty folder and without the course."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import course
import keras
import numpy as np
import pytest

from helpers import load_clothing, load_textures, take_per_class, write_image_folders
from helpers.__main__ import export_weights

(NOTEBOOK,) = (path for path in course.NOTEBOOKS if path.stem == "06_fine_tuning")
WITHOUT_THE_COURSE = 'import sys\n\nsys.modules["helpers"] = None  # an import of it fails from here on\n'


def take_home_cells() -> list[str]:
    return [cell.source for cell in course.code_cells(NOTEBOOK) if "take-home" in course.tags(cell)]


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "vgg16.weights.h5"
    assert export_weights(str(path)) == 0
    return path


def run_program(place: Path, *, folder: Path, weights: Path, image_size: int) -> str:
    """Return what the joined program prints, run in a folder of its own."""
    place.mkdir()
    (place / "program.py").write_text("\n\n".join([WITHOUT_THE_COURSE, *take_home_cells()]), encoding="utf-8")
    settings = {"FOLDER": str(folder), "WEIGHTS": str(weights), "IMAGE_SIZE": str(image_size), "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | settings
    run = subprocess.run([sys.executable, "program.py"], cwd=place, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-3000:]
    return run.stdout


def check_program(tmp_path: Path, target, weights: Path, *, image_size: int, at_least: float) -> None:
    """Run the program on a target and look at all that it leaves: its words, its files, and what the file predicts."""
    folder, place = write_image_folders(target, tmp_path / "photographs"), tmp_path / "empty"
    printed = run_program(place, folder=folder, weights=weights, image_size=image_size)
    count = len(target.test_labels)
    for line in (r"validation accuracy: head \d\.\d\d", r"block 5 \d\.\d\d", r"[\w-]+\.png: [\w -]+ \(\d\.\d\d\)"):
        assert re.search(line, printed), printed
    accuracy = float(re.search(rf"test accuracy (\d\.\d\d) on {count} photographs", printed)[1])
    assert accuracy >= at_least

    model, names = keras.models.load_model(place / "classifier.keras"), sorted(target.class_names)
    labels = np.array([names.index(target.class_names[label]) for label in target.test_labels])  # as folders are sorted
    answers = model.predict(target.test_images.astype("float32"), verbose=0)
    assert np.mean(answers.argmax(axis=1) == labels) == pytest.approx(accuracy, abs=0.02)
    assert (place / "class_names.txt").read_text(encoding="utf-8").split("\n") == names
    name, confidence = re.search(r"\.png: ([\w -]+) \((\d\.\d\d)\)", printed).groups()
    expected = answers[labels == 0][0]  # of the first photograph of the first class, which the program names
    assert name == names[expected.argmax()]
    assert float(confidence) == pytest.approx(expected.max(), abs=0.02)


def test_the_program_is_plain_keras():
    cells = take_home_cells()
    assert len(cells) >= 8
    assert "helpers" not in "\n".join(cells)
    assert max(len(cell.splitlines()) for cell in cells) <= 15


def test_the_program_works_on_textures(tmp_path, weights):
    textures = load_textures(train_per_class=8, validation_per_class=4, test_per_class=6, image_size=32)
    check_program(tmp_path, textures, weights, image_size=32, at_least=0.4)


@pytest.mark.clothing
def test_the_program_works_on_photographs_of_clothes(tmp_path, weights):
    clothes = load_clothing(image_size=64, labels_per_class=10)
    for part in ("validation", "test"):  # enough to tell it from guessing, in less than a minute
        places = take_per_class(clothes[f"{part}_labels"], labels_per_class=8)
        for entry in ("images", "labels"):
            clothes[f"{part}_{entry}"] = clothes[f"{part}_{entry}"][places]
    check_program(tmp_path, clothes, weights, image_size=64, at_least=0.3)
