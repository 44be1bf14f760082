"""Progress is written once, whole, by any number of kernels, and never gets in the way of a check."""

import json
import os
import subprocess
import sys
from pathlib import Path

import course
import pytest

from helpers.exercises import progress, start_here
from helpers.exercises.feedback import NotYet, exercise


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBOOK_LEARNER_FILE", str(tmp_path / "some" / "learner.json"))
    return tmp_path / "some" / "learner.json"


def make_check(name="check_half", *, topic="helpers.exercises.mlp_basics"):
    def check(answer):
        if answer != 0.5:
            raise NotYet("not a half.")
        return "a half."

    check.__name__, check.__module__ = name, topic
    return exercise(check)


def test_only_a_correct_answer_is_remembered(file):
    check = make_check()
    check(...)
    check(1)
    assert not file.exists()
    check(0.5)
    assert list(progress.load_progress()["mlp_basics"]) == ["check_half"]


def test_checks_from_elsewhere_are_not_remembered(file):
    make_check(topic="my_own_module")(0.5)
    assert not file.exists()


def test_a_solved_exercise_stays_solved_with_its_first_day(file):
    file.parent.mkdir()
    file.write_text('{"solved": {"mlp_basics": {"check_half": "2024-02-29"}}}')
    make_check()(0.5)
    make_check()(1)
    assert progress.load_progress() == {"mlp_basics": {"check_half": "2024-02-29"}}


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "{",
        "[]",
        "null",
        '{"solved": 3}',
        '{"solved": {"a": [1]}}',
        '{"solved": {"a": {"b": 1}}}',
        b"\xff\xfe",
    ],
)
def test_a_damaged_file_is_put_aside_and_named(file, damage, caplog):
    file.parent.mkdir()
    file.write_bytes(damage if isinstance(damage, bytes) else damage.encode())
    table = progress.show_progress()
    (aside,) = file.parent.glob("learner-damaged-*.json")
    assert aside.name in table.notice and aside.name in table._repr_html_() and aside.name in caplog.text
    assert aside.read_bytes() == (damage if isinstance(damage, bytes) else damage.encode())
    make_check()(0.5)
    assert "check_half" in progress.load_progress()["mlp_basics"]
    assert progress.show_progress().notice == ""


WRITER = """
import sys
from helpers.exercises.progress import record_solved
def check(): pass
check.__module__ = "helpers.exercises.mlp_basics"
for number in range(20):
    check.__name__ = f"check_{sys.argv[1]}_{number}"
    record_solved(check)
"""


def test_two_kernels_at_once_lose_nothing(file):
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, name], cwd=course.ROOT) for name in "ab"]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert len(progress.load_progress()["mlp_basics"]) == 40
    assert not list(file.parent.glob("*.tmp")) and not list(file.parent.glob("*damaged*"))


def test_a_write_that_fails_leaves_the_old_file_and_no_word(file, monkeypatch, capsys):
    make_check()(0.5)
    before = file.read_bytes()

    def full(*_arguments):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "replace", full)
    make_check("check_other")(0.5)
    assert file.read_bytes() == before and not list(file.parent.glob("*.tmp"))
    assert capsys.readouterr().out == 2 * "Correct: a half.\n"


def test_a_folder_that_cannot_be_made_costs_nothing_but_the_memory(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("WORKBOOK_LEARNER_FILE", str(tmp_path / "file" / "learner.json"))
    make_check()(0.5)
    assert capsys.readouterr().out == "Correct: a half.\n"
    assert progress.load_progress() == {} and not any(progress.show_progress().notebooks[0].solved)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_costs_nothing_but_the_memory(file, capsys):
    file.parent.mkdir(mode=0o500)
    make_check()(0.5)
    assert capsys.readouterr().out == "Correct: a half.\n" and progress.load_progress() == {}


def test_the_table_has_every_exercise_in_the_order_of_the_notebook(file):
    """So that its numbers are those of "Your turn 1", "Your turn 2" and so on."""
    found = {f"{part.number}_{part.topic}": part.checks for part in progress.show_progress().notebooks}
    for notebook in course.NOTEBOOKS:
        assert tuple(exercise.check for exercise in course.exercises(notebook)) == found[notebook.stem]


def test_the_table_counts_and_links(file):
    start_here.check_worst_class("no such class", [0, 1], [0, 0], ["a", "b"])
    assert "0 of 2" in progress.show_progress()._repr_html_()
    file.parent.mkdir(exist_ok=True)
    file.write_text(
        json.dumps({"solved": {"start_here": {"check_worst_class": "2024-02-29", "check_gone": "2024-02-29"}}})
    )
    table = progress.show_progress()
    assert (table.notebooks[0].title, table.notebooks[0].solved) == ("Start here", (False, True))
    assert "1 of 2" in table._repr_html_() and 'href="00_start_here.ipynb"' in table._repr_html_()
    assert '1 of 2</td><td style="text-align: left">1</td>' in table._repr_html_(), "the first one is still open"


def test_the_plain_text_is_the_same_for_every_learner(file):
    empty = repr(progress.show_progress())
    make_check("check_neuron_output")(0.5)
    assert repr(progress.show_progress()) == empty
    assert str(Path.home()) not in progress.show_progress()._repr_html_()


def test_forgetting_removes_the_file(file):
    make_check("check_neuron_output")(0.5)
    assert sum(sum(part.solved) for part in progress.show_progress().notebooks) == 1
    assert sum(sum(part.solved) for part in progress.forget_progress().notebooks) == 0
    assert not file.exists()
    progress.forget_progress()  # a second time is no mistake


def test_the_cache_folder_takes_it_where_nothing_else_is_said(tmp_path, monkeypatch):
    monkeypatch.delenv("WORKBOOK_LEARNER_FILE", raising=False)
    monkeypatch.setenv("WORKBOOK_CACHE", str(tmp_path))
    assert progress.progress_file() == tmp_path / "learner.json"
