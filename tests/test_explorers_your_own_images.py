"""Notebook 13: the field for a folder, the button for photographs, and the film of thresholds."""

import datetime
import io
import os
import shlex
import subprocess
import sys
from pathlib import Path

import films
import numpy as np
import pytest
from PIL import Image

from helpers.explorers.your_own_images import (
    PRACTICE,
    THRESHOLDS,
    FolderField,
    UploadField,
    answered,
    command_for,
    complaint,
    folder_of_copies,
    listed,
    note_opening,
    practice_folder,
    resized,
    said,
    threshold_explorer,
)
from helpers.folders import load_image_folder


@pytest.fixture(scope="module")
def practice(tmp_path_factory):
    return practice_folder(tmp_path_factory.mktemp("here") / "practice")


@pytest.fixture(scope="module")
def explorer():
    random = np.random.default_rng(0)
    labels, images = (
        random.integers(0, 4, 90),
        np.zeros((90, 24, 24, 3), "uint8") + np.arange(90, dtype="uint8")[:, None, None, None],
    )
    sharp, flat = random.dirichlet(np.full(4, 0.1), 90), random.dirichlet(np.full(4, 1.0), 90)
    return threshold_explorer({"sharp": sharp, "flat": flat}, labels, images, ["a", "b", "c", "d"]), (sharp, flat, labels)


def test_the_report_finds_what_was_done_to_the_practice_folder(practice):
    folder = load_image_folder(practice, image_size=48)
    reasons = {path.name for path, _ in folder.report.skipped}
    assert reasons == {"half.png", "notes.jpg", ".DS_Store"}
    assert any({"copy of a brick.png"} < {path.name for path in group} for group in folder.report.duplicates)
    assert any("upright" in note for note in folder.report.notes)
    names = [path.parent.name for path in folder.train_paths if path.name == "sunny.png"]
    assert names == ["gravel"] and len(folder.class_names) == 14
    assert len(folder.train_labels) == 14 * PRACTICE["train_per_class"] + 1, (
        "one copy; half a coin and one petal are replaced"
    )
    assert len(folder.test_labels) == 14 * PRACTICE["test_per_class"]


def test_no_copy_of_the_practice_folder_is_on_two_sides(practice):
    folder = load_image_folder(practice, image_size=48)
    for group in folder.report.duplicates:
        assert len({path.parts[0] for path in group}) == 1, group


def test_an_empty_field_stands_for_the_practice_folder():
    field = FolderField()
    assert field.is_practice and "practice folder" in field.sentence.value
    assert (field.folder / "train" / "brick").is_dir() and field.folder == field.folder


@pytest.mark.parametrize("form", ["{}", '"{}"', " {} ", "'{}'"])
def test_a_path_may_come_with_quotes_and_blanks(practice, form):
    field = FolderField(form.format(practice))
    assert field.folder == practice and not field.is_practice and 'role="status"' in field.sentence.value


@pytest.mark.parametrize(
    ("path", "part"),
    [("missing/folder", "There is no folder"), ("a file.txt", "is a file"), ("nothing", "holds no folders")],
)
def test_a_wrong_path_gets_one_clear_sentence(tmp_path, path, part):
    (tmp_path / "a file.txt").write_text("text", encoding="utf-8")
    (tmp_path / "nothing").mkdir()
    field = FolderField(tmp_path / path)
    assert part in field.sentence.value and 'role="alert"' in field.sentence.value
    with pytest.raises(ValueError, match=part):
        _ = field.folder
    field.text.value = ""
    assert field.is_practice, "an empty field falls back"
    assert "EMPTY" in field.taken and "After a restart" in field.taken and "After a restart" in field.sentence.value


def test_what_was_typed_survives_running_the_cell_again(practice):
    FolderField().text.value = str(practice)
    again = FolderField()
    assert again.folder == practice
    again.text.value = ""
    assert FolderField().is_practice


def test_what_exists_of_a_wrong_path_is_named(tmp_path):
    assert f"is {tmp_path};" in complaint(tmp_path / "photos" / "cats")


@pytest.mark.parametrize("field", [FolderField(), UploadField(lambda paths: [])])
def test_a_field_looks_the_same_in_every_stored_notebook(field):
    bundle = field._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/plain"].startswith("[field] ") and "/" not in bundle["text/plain"]


def test_a_path_may_be_an_address_of_a_file_browser_and_files_are_named_from_it_on(tmp_path):
    (tmp_path / "für später" / "a").mkdir(parents=True)
    field = FolderField((tmp_path / "für später").as_uri())
    assert field.folder == tmp_path / "für später" and field.taken == "Your folder für später:"
    paths = [tmp_path / "für später" / "a" / f"{number}.png" for number in range(3)]
    assert [Path(name) for name in field.inside(paths, [2, 0])] == [Path("a/2.png"), Path("a/0.png")]


def test_the_command_is_whole_for_an_own_folder_and_names_no_place_for_the_practice_folder(tmp_path, practice):
    saved = tmp_path / "my models" / "classifier_1.keras"
    assert command_for(saved, FolderField(" ")) == "python -m helpers predict classifier_1.keras holiday.jpg"
    whole = command_for(saved, FolderField(practice))
    wanted = [sys.executable, "-m", "helpers", "predict", str(saved), "holiday.jpg"]
    assert whole == subprocess.list2cmdline(wanted) if os.name == "nt" else shlex.split(whole) == wanted


def test_a_list_breaks_between_its_items_only():
    items = [f"class number {number}, 0.{number:02d}" for number in range(40)]
    lines = listed(items).splitlines()
    assert max(map(len, lines)) <= 90 and len(lines) > 5 and " ".join(lines) == ", ".join(items)
    assert all(line.startswith("class number") for line in lines)


def uploaded(*names: str) -> tuple[dict, ...]:
    buffer = io.BytesIO()
    Image.new("RGB", (20, 20), "red").save(buffer, "png")
    kind = {"type": "image/png", "last_modified": datetime.datetime(2026, 1, 1)}
    return tuple({"name": name, "size": 9, "content": memoryview(buffer.getvalue()), **kind} for name in names)


def test_uploaded_photographs_are_named_and_a_broken_one_gets_its_sentence():
    def name_photographs(paths):
        assert all(Image.open(path).size == (20, 20) for path in paths)
        bad = {"file": paths[1], "error": f"{paths[1]} is damaged."}
        return [{"file": paths[0], "class": "cat <b>", "probability": 0.875}, bad]

    field = UploadField(name_photographs)
    field.upload.value = uploaded("my cat.png", "broken.png")
    assert "my cat.png: cat &lt;b&gt; (0.88)" in field.sentences.value
    assert "<br>broken.png is damaged.<" in field.sentences.value


def test_an_uploaded_name_cannot_leave_its_folder_and_an_error_is_shown():
    seen = []
    field = UploadField(lambda paths: seen.extend(paths) or open(paths[0] / "x"))
    field.upload.value = uploaded("../../out.png")
    assert [path.name for path in seen] == ["out.png"] and not Path(seen[0]).exists()
    assert "This did not work. " in field.sentences.value and str(seen[0].parent) not in field.sentences.value


def test_the_film_shows_what_is_drawn(explorer):
    film = explorer[0].film
    for number, setting in enumerate(films.settings(explorer[0])):
        frame = explorer[0].frame(**setting)
        assert film["sentences"][number] == frame.sentence and "could not be drawn" not in frame.sentence
        assert np.abs(films.composed(film, number).astype(int) - frame.pixels[..., :3]).mean() < 2
    assert len(explorer[0]._call()) < 1_000_000, "what the site allows"


def test_a_threshold_of_zero_answers_everything_and_numbers_are_those_of_the_answers(explorer):
    film, (sharp, flat, labels) = explorer
    share = np.mean(sharp.argmax(axis=1) == labels)
    assert answered(sharp, labels, 0) == (1.0, pytest.approx(share))
    assert f"1.00 of 90 are answered, of these {share:.2f} are right; 0 are no" in film.frame(name="sharp", place=0).sentence
    place = THRESHOLDS.index(0.8)
    sure = flat.max(axis=1)
    gone = int(((sure >= THRESHOLDS[place - 1]) & (sure < 0.8)).sum())
    assert f"{np.mean(sure >= 0.8):.2f} of 90" in film.frame(name="flat", place=place).sentence
    assert f"; {gone} are no longer answered" in film.frame(name="flat", place=place).sentence


def test_each_picture_loses_its_answer_once(explorer):
    film, (_, flat, _) = explorer
    gone = [int(film.frame(name="flat", place=place).sentence.split("; ")[1].split()[0]) for place in range(len(THRESHOLDS))]
    assert sum(gone) == np.sum(flat.max(axis=1) < THRESHOLDS[-1])


def test_no_answer_at_all_is_said(explorer):
    film = threshold_explorer(
        {"one": np.full((12, 2), 0.5)}, np.zeros(12, int), np.zeros((12, 8, 8, 3), "uint8"), ["a", "b"]
    )
    assert "nothing to be right or wrong" in film.frame(name="one", place=len(THRESHOLDS) - 1).sentence


def test_every_opening_of_the_test_part_is_counted(tmp_path):
    log = tmp_path / "new" / "folder" / "opened.txt"
    assert [note_opening(log) for _ in range(3)] == [1, 2, 3]


def test_the_folder_of_copies_has_three_files_of_each_patch():
    images = np.random.default_rng(0).integers(0, 256, (4, 96, 96, 3)).astype("uint8")
    textures = {"train_images": images, "train_labels": [0, 1, 1, 0], "class_names": ["a", "b"]}
    place = folder_of_copies(textures)
    assert sorted(path.name for path in (place / "b").iterdir()) == [
        f"{number}{kind}" for number in (1, 2) for kind in (" bright.jpg", " sent.jpg", ".png")
    ]
    assert resized(images, 48).shape == (4, 48, 48, 3)


def test_a_mean_is_said_with_its_interval():
    assert said([0.5, 0.5, 0.5]) == "0.50 (0.50 to 0.50)" and said([0.1, 0.1], "+").startswith("+0.10 (")
