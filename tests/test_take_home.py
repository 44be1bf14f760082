"""The program that notebook 06 gives away: its cells, joined to a script, work in an empty folder and without the course.

    python tests/test_take_home.py

writes notebooks/fine_tune_my_photographs.py again from the cells.
"""

from __future__ import annotations

import os
import re
import shutil
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
PROGRAM = NOTEBOOK.parent / "fine_tune_my_photographs.py"
WITHOUT_THE_COURSE = 'import sys\n\nsys.modules["helpers"] = None  # an import of it fails from here on\n'


def take_home_cells() -> list[str]:
    return [cell.source for cell in course.code_cells(NOTEBOOK) if "take-home" in course.tags(cell)]


def joined() -> str:
    """Return the take-home cells as one file, each under the words in bold that lead to it."""
    cells = course.read(NOTEBOOK).cells
    parts = [
        "# " + re.findall(r"\*\*([A-Z][^*]+?)\.?\*\*", above.source)[-1] + "\n" + cell.source
        for above, cell in zip(cells, cells[1:], strict=False)
        if "take-home" in course.tags(cell)
    ]
    return "\n\n\n".join(parts) + "\n"


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "vgg16.weights.h5"
    assert export_weights(str(path)) == 0
    return path


def run_program(place: Path, *, folder: Path, weights: Path, image_size: int) -> str:
    """Return what the program prints, run in a folder of its own."""
    place.mkdir()
    settings = {"FOLDER": str(folder), "WEIGHTS": str(weights), "IMAGE_SIZE": str(image_size)}
    return run_script(place, PROGRAM.read_text(encoding="utf-8"), settings)


def run_script(place: Path, text: str, settings: dict[str, str]) -> str:
    (place / "program.py").write_text(WITHOUT_THE_COURSE + "\n" + text, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= settings | {"TF_CPP_MIN_LOG_LEVEL": "3"}
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
    check_prediction(tmp_path / "next year", place, folder, expected=f"{name} ({confidence})")


def check_prediction(elsewhere: Path, place: Path, folder: Path, *, expected: str) -> None:
    """Run the last cell alone, with the two files that the program leaves and one photograph, in a new folder."""
    elsewhere.mkdir()
    for file in ("classifier.keras", "class_names.txt"):
        shutil.copy2(place / file, elsewhere)
    photograph = sorted((folder / "test").rglob("*.png"))[0]
    printed = run_script(elsewhere, f"photograph = {str(photograph)!r}\n{take_home_cells()[-1]}", {})
    assert printed.strip() == f"{photograph.name}: {expected}"


def test_the_program_is_plain_keras():
    cells = take_home_cells()
    assert len(cells) >= 8
    assert "helpers" not in "\n".join(cells)
    assert max(len(cell.splitlines()) for cell in cells) <= 15


def test_the_file_is_the_cells_of_the_notebook():
    """`python tests/test_take_home.py` writes the file again."""
    assert PROGRAM.read_text(encoding="utf-8") == joined()


def test_the_lines_that_share_out_photographs(tmp_path):
    """Nine photographs and three other files of a class: six, two and one are copied, and nothing is lost or doubled."""
    (text,) = re.findall(
        r"```python\n(import random\n.*?)```", "\n".join(cell.source for cell in course.read(NOTEBOOK).cells), re.DOTALL
    )
    for name in ("cat", "dog"):
        (tmp_path / "all" / name).mkdir(parents=True)
        for file in (*(f"{number}.JPG" for number in range(9)), ".DS_Store", "a.webp", "notes.txt"):
            (tmp_path / "all" / name / file).touch()
    run_script(tmp_path, text, {})
    copied = [sorted((tmp_path / "photographs" / part).rglob("*.*")) for part in ("train", "validation", "test")]
    assert [len(files) for files in copied] == [12, 4, 2]
    assert len({(path.parent.name, path.name) for files in copied for path in files}) == 18


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


if __name__ == "__main__":
    PROGRAM.write_text(joined(), encoding="utf-8")
