"""The table of a learner's progress has every exercise of every notebook, and says which ones are solved."""

from pathlib import Path

import course
import pytest

from helpers.exercises import start_here
from helpers.exercises.progress import NOTEBOOKS, forget_progress, show_progress
from helpers.exercises.solved import record_solved


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBOOK_LEARNER_FILE", str(tmp_path / "some" / "learner.sqlite"))
    return tmp_path / "some" / "learner.sqlite"


def test_the_table_names_the_notebooks_as_they_are():
    titles = [course.read(path).cells[0].source.splitlines()[0].removeprefix("# ") for path in course.NOTEBOOKS]
    found = [
        (path.stem.partition("_")[0], course.topic(path), title)
        for path, title in zip(course.NOTEBOOKS, titles, strict=True)
    ]
    assert found == list(NOTEBOOKS)


def test_the_table_has_every_exercise_in_the_order_of_the_notebook(file):
    """So that its numbers are those of "Your turn 1", "Your turn 2" and so on."""
    found = {f"{part.number}_{part.stem}": tuple(part.solved) for part in show_progress().notebooks}
    for notebook in course.NOTEBOOKS:
        assert tuple(exercise.check for exercise in course.exercises(notebook)) == found[notebook.stem]


def test_the_table_counts_and_links(file):
    start_here.check_worst_class("no such class", [0, 1], [0, 0], ["a", "b"])
    assert "0 of 2" in show_progress()._repr_html_()
    record_solved("start_here", "check_worst_class")
    record_solved("start_here", "check_gone")
    table = show_progress()
    assert (table.notebooks[0].title, tuple(table.notebooks[0].solved.values())) == ("Start here", (False, True))
    assert "1 of 2" in table._repr_html_() and 'href="00_start_here.ipynb"' in table._repr_html_()
    assert '1 of 2</td><td style="text-align: left">1</td>' in table._repr_html_(), "the first one is still open"


def test_the_plain_text_is_the_same_for_every_learner(file):
    empty = repr(show_progress())
    record_solved("mlp_basics", "check_neuron_output")
    assert repr(show_progress()) == empty
    assert str(Path.home()) not in show_progress()._repr_html_()


def test_forgetting_removes_the_file_and_that_of_the_first_version(file):
    file.parent.mkdir()
    file.with_suffix(".json").write_text('{"solved": {"mlp_basics": {"check_and_neuron": "2024-02-29"}}}')
    record_solved("mlp_basics", "check_neuron_output")
    assert sum(sum(part.solved.values()) for part in show_progress().notebooks) == 2
    assert sum(sum(part.solved.values()) for part in forget_progress().notebooks) == 0
    assert not file.with_suffix(".json").exists() and not list(file.parent.glob("*damaged*"))
    forget_progress()  # a second time is no mistake
