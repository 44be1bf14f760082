"""Each program of notebook 12 is flagged by the diagnosis that belongs to it, each repaired twin by none."""

import ast
import functools
import json
import re
import sys

import course
import numpy as np
import pytest

from helpers import bugs, vgg16
from helpers.training import RUNS_FOLDER

sys.path.insert(0, str(course.ROOT / "tools"))
record_bugs = __import__("record_bugs")

FOUND = {  # the diagnosis that says it first: its name, what it says, and the line to change
    "01_ten_digits": ("head and loss", "linear.*expects probabilities", r"from_logits=True.*softmax"),
    "02_fourteen_surfaces": ("input range of train", r"scaled to 0\.\.1", "preprocess_input"),
    "03_moved_a_little": ("augmentation", r"cache\(\) comes after map", r"cache\(\)\.map"),
    "04_two_parts": ("splits", "shuffle.*before take", "reshuffle_each_iteration=False"),
    "05_here_and_there": ("splits", "validation images are others in the second pass", "preprocess only"),
    "06_full_batches": ("every image seen", "20 are left out", "ceil"),
    "07_one_folder_a_class": ("classes", "no image of class 8, 9", "order"),
    "08_right_or_wrong": ("labels in order", "do not belong", r"shuffle\(\)"),
    "09_by_name": ("class order", "class 0 is 'eight'", "class_names"),
    "10_old_and_new": ("head and loss", "'old_head' work on probabilities", "include_top=False|layer before"),
    "11_second_phase": ("trainable", "frozen, but should be trained", "trainable = True"),
    "12_a_smaller_step": ("trainable", "after the optimizer was built", "compile"),
    "13_all_at_once": ("learning", "features are destroyed", "lower learning rate"),
    "14_the_best_moment": ("splits", "60 of 60 test images are also in validation", "test only at the end"),
    "15_one_file": ("saved file", "cannot be opened again", "without keras.layers.Lambda"),
    "16_on_average": ("batch norm still", "drifted: norm", "trainable = False"),
    "17_once_more": ("trainable", "after the optimizer was built", "compile"),
}
WHOLE = ("11_second_phase", "12_a_smaller_step", "13_all_at_once", "17_once_more")  # one epoch leaves them at chance
each_program = pytest.mark.parametrize("stem", bugs.PROGRAMS)


@pytest.fixture(autouse=True, scope="module")
def weights_read_once():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vgg16, "load_weights", functools.cache(vgg16.load_weights))
        yield


def examine(source, stem):
    """Run a program, most with one epoch, and return what is said of it."""
    source = source if stem in WHOLE else re.sub(r"epochs=\d+", "epochs=1", source)
    return bugs.confirm(bugs.run_program(source), source)


def test_there_are_enough():
    counts = [len(bugs.mistake(stem)) for stem in bugs.PROGRAMS]
    assert counts.count(1) >= 15 and counts.count(2) >= 1 and counts.count(0) >= 1
    assert len(counts) == len(FOUND) + counts.count(0)


@each_program
def test_a_program_is_short_and_says_nothing_of_its_mistake(stem):
    source, repaired = bugs.read_program(stem), bugs.read_program(stem, repaired=True)
    lines = [line for line in source.splitlines() if line and not line.startswith(("#", '"""', "import", "from"))]
    assert 10 <= len(lines) <= 25
    assert source.count("#") == 1 and source.splitlines()[-1].startswith("# diagnose(model, train=train")
    assert not re.search("bug|wrong|mistake|broken|error", source.lower())
    assert sum(a != b for a, b in zip(source.splitlines(), repaired.splitlines(), strict=True)) == len(bugs.mistake(stem))
    names = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
    assert names >= {"model", "train", "validation", "history", "reported", "seed"}


@pytest.mark.parametrize("stem", FOUND)
def test_a_mistake_is_found(stem):
    name, said, change = FOUND[stem]
    found = examine(bugs.read_program(stem), stem)
    first = next(one for one in found.problems if one.name == name)
    assert re.search(said, first.message), found
    assert re.search(change, first.change), found
    assert not found and "Problem" in repr(found)


@each_program
def test_a_repaired_program_has_no_problem(stem):
    found = examine(bugs.read_program(stem, repaired=True), stem)
    assert found and not found.problems, found
    made = {one.name for one in found}
    assert {"head and loss", "trainable", "splits", "classes", "learning"} <= made, found.skipped
    assert stem not in FOUND or stem == "15_one_file" or FOUND[stem][0] in made, "the diagnosis looks at the twin, too"


def test_one_repair_of_two_makes_it_worse():
    stem = "17_once_more"
    half = record_bugs.source_of(stem, 4)
    assert [line for line in half.splitlines() if line not in bugs.read_program(stem, repaired=True).splitlines()] == [
        "learning_rate = 0.01"
    ]
    found = examine(half, stem)
    assert [one.name for one in found.problems] == ["learning"], found


def test_the_same_source_gives_the_same_numbers():
    source = bugs.read_program("01_ten_digits", repaired=True)
    first, second, other = (bugs.run_program(text) for text in (source, source, source.replace("seed = 0", "seed = 1")))
    assert first["history"].history == second["history"].history != other["history"].history
    assert bugs.true_accuracy(first) == bugs.true_accuracy(second)
    assert (first["data"].test_images != other["data"].test_images).any(), "a seed draws other pictures"


def test_true_accuracy_goes_by_the_names_of_classes():
    class Named:
        class_names, test_images, test_labels = ["a", "b", "c"], np.eye(3), np.arange(3)

    class Model:
        def __call__(self, images, training):
            return images[:, [2, 1]]  # knows c and b, in this order

    assert bugs.true_accuracy({"data": Named, "model": Model(), "class_names": ["c", "b"]}) == 1
    assert bugs.true_accuracy({"data": Named, "model": Model(), "class_names": ["b", "c"]}) == 0


def test_what_does_not_exist():
    with pytest.raises(ValueError, match="01_ten_digits"):
        bugs.read_program("no_such_program")
    with pytest.raises(ValueError, match="how to diagnose"):
        bugs.confirm({}, "model = 1\n")


@each_program
def test_doses_begin_with_the_twin(stem):
    mistaken, name, doses = record_bugs.DOSES[stem]
    assert record_bugs.source_of(stem, 0) == bugs.read_program(stem, repaired=True)
    assert record_bugs.source_of(stem, record_bugs.file_dose(stem)) == bugs.read_program(stem)
    sources = [record_bugs.source_of(stem, dose, seed=3) for dose in range(len(doses) + 1)]
    assert len(set(sources)) == len(sources) and all("seed = 3\n" in source for source in sources)
    assert [compile(source, stem, "exec") for source in sources] and bool(name) == bool(bugs.mistake(stem))
    assert stem not in FOUND or FOUND[stem][0].startswith(name), "the record names the diagnosis that finds it"


def test_the_notebook_says_where_each_was_published():
    notebook = next(path for path in course.NOTEBOOKS if path.stem == "12_catch_the_bug")
    table = "\n".join(cell.source for cell in course.read(notebook).cells if cell.cell_type == "markdown")
    rows = dict(re.findall(r"^\| `(\d\d)` \| [^|]+ \| ([^|]+) \|$", table, re.MULTILINE))
    assert [stem[:2] for stem in bugs.PROGRAMS] == list(rows)
    for stem in bugs.PROGRAMS:
        place = rows[stem[:2]]
        assert re.search(r", 20[12]\d\b", place) or len(bugs.mistake(stem)) == 2, f"{stem}: {place}"


def test_records_are_of_these_programs():
    runs = json.loads((RUNS_FOLDER / "bugs.json").read_text(encoding="utf-8"))["runs"]
    records = {(one["program"], one["dose"]): one for one in runs}
    assert set(records) == {(stem, dose) for stem in bugs.PROGRAMS for dose in range(len(record_bugs.DOSES[stem][2]) + 1)}
    for one in runs:
        enough = 5 if one["dose"] in (0, one["file_dose"]) else 3
        assert (
            one["mistake"] == record_bugs.DOSES[one["program"]][0] and len(set(one["seeds"])) == len(one["seeds"]) >= enough
        )
        for name in ("train", "reported", "true"):
            lengths = [len(curve) for curve in one[name]]
            assert len(lengths) == len(one["seeds"]) and max(lengths) == len(one["epochs"])
            assert min(lengths) == max(lengths) or "EarlyStopping" in bugs.read_program(one["program"])
            values = np.concatenate(one[name])
            assert (values >= 0).all() and (values <= 1).all()
        assert set(one["seeds"]) <= set(records[one["program"], 0]["seeds"]), "paired"
