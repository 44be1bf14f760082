"""Solved exercises are kept once, whole, by any number of kernels, and never get in the way of an exercise."""

import os
import sqlite3
import subprocess
import sys

import course
import pytest

from helpers.exercises import solved
from helpers.exercises.feedback import NotYet, exercise
from helpers.exercises.progress import show_progress


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBOOK_LEARNER_FILE", str(tmp_path / "some" / "learner.sqlite"))
    return tmp_path / "some" / "learner.sqlite"


def make_check(name="check_half", *, topic="helpers.exercises.mlp_basics"):
    def check(answer):
        if answer != 0.5:
            raise NotYet("not a half.")

    check.__name__, check.__module__ = name, topic
    return exercise("a half.")(check)


def test_only_a_correct_answer_is_remembered(file):
    check = make_check()
    check(...)
    check(1)
    assert not file.exists()
    check(0.5)
    assert list(solved.load_solved()[0]) == [("mlp_basics", "check_half")]


def test_checks_from_elsewhere_are_not_remembered(file):
    make_check(topic="my_own_module")(0.5)
    assert not file.exists()


FIRST_VERSION = '{"solved": {"mlp_basics": {"check_half": "2024-02-29"}}}'


def test_what_the_first_version_kept_is_taken_over_and_stays_solved_with_its_first_day(file):
    file.parent.mkdir()
    file.with_suffix(".json").write_text(FIRST_VERSION)
    make_check()(0.5)
    make_check()(1)
    assert solved.load_solved() == ({("mlp_basics", "check_half"): "2024-02-29"}, "")
    file.with_suffix(".json").unlink()
    assert solved.load_solved() == ({("mlp_basics", "check_half"): "2024-02-29"}, ""), "once is enough"


@pytest.mark.parametrize("damage", ["{", "[]", "null", '{"solved": 3}', '{"solved": {"a": [1]}}', b"\xff\xfe"])
def test_a_damaged_file_of_the_first_version_is_left_alone(file, damage):
    file.parent.mkdir()
    old = file.with_suffix(".json")
    old.write_bytes(damage if isinstance(damage, bytes) else damage.encode())
    before = old.read_bytes()
    make_check()(0.5)
    assert len(solved.load_solved()[0]) == 1 and old.read_bytes() == before


def test_a_name_that_ends_in_json_is_that_of_the_first_version(file, monkeypatch):
    old = file.with_suffix(".json")
    monkeypatch.setenv("WORKBOOK_LEARNER_FILE", str(old))
    file.parent.mkdir()
    old.write_text(FIRST_VERSION)
    make_check("check_other")(0.5)
    assert len(solved.load_solved()[0]) == 2 and file.exists() and old.read_text() == FIRST_VERSION


def scribbled(file):
    """Return a database whose middle has been overwritten."""
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE solved (topic, exercise, day, PRIMARY KEY (topic, exercise))")
        database.executemany("INSERT INTO solved VALUES (?, ?, 'x')", [("a" * 90, str(n)) for n in range(500)])
    database.close()
    content = bytearray(file.read_bytes())
    file.unlink()
    content[4096:] = b"\xa5" * (len(content) - 4096)
    return bytes(content)


@pytest.mark.parametrize("damage", ["[]", "null", '{"solved": 3}', "x" * 5000, b"\xff\xfe", scribbled])
def test_a_damaged_file_is_put_aside_and_named(file, damage, caplog):
    file.parent.mkdir()
    damage = damage(file) if callable(damage) else damage
    damage = damage if isinstance(damage, bytes) else damage.encode()
    file.write_bytes(damage)
    table = show_progress()
    (aside,) = file.parent.glob("learner-damaged-*.sqlite")
    assert aside.name in table.notice and aside.name in table._repr_html_() and aside.name in caplog.text
    assert aside.read_bytes() == damage
    make_check()(0.5)
    assert ("mlp_basics", "check_half") in solved.load_solved()[0]
    assert show_progress().notice == ""


def test_a_correct_answer_is_kept_where_the_file_was_damaged(file, capsys):
    file.parent.mkdir()
    file.write_text("no database, but text")
    make_check()(0.5)
    assert capsys.readouterr().out == "Correct: a half.\n"
    assert ("mlp_basics", "check_half") in solved.load_solved()[0]


WRITER = """
import sys
from helpers.exercises.solved import record_solved
for number in range(20):
    record_solved("mlp_basics", f"check_{sys.argv[1]}_{number}")
"""


def test_two_kernels_at_once_lose_nothing(file):
    file.parent.mkdir()
    file.with_suffix(".json").write_text(FIRST_VERSION)
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, name], cwd=course.ROOT) for name in "ab"]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert len(solved.load_solved()[0]) == 41
    assert {path.name for path in file.parent.iterdir()} == {"learner.sqlite", "learner.json"}


def test_a_full_disk_leaves_the_old_entries_and_no_word(file, monkeypatch, capsys):
    make_check()(0.5)
    before = file.read_bytes()
    connect = sqlite3.connect

    def full(*arguments, **options):
        database = connect(*arguments, **options)
        pages = database.execute("PRAGMA page_count").fetchone()[0]
        database.execute(f"PRAGMA max_page_count = {pages}")
        return database

    monkeypatch.setattr(sqlite3, "connect", full)
    make_check("check_" + 9000 * "x")(0.5)
    assert file.read_bytes() == before
    assert capsys.readouterr().out == 2 * "Correct: a half.\n"


def test_a_folder_that_cannot_be_made_costs_nothing_but_the_memory(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("WORKBOOK_LEARNER_FILE", str(tmp_path / "file" / "learner.sqlite"))
    make_check()(0.5)
    assert capsys.readouterr().out == "Correct: a half.\n"
    assert solved.load_solved() == ({}, "") and not any(show_progress().notebooks[0].solved.values())


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_costs_nothing_but_the_memory(file, capsys):
    file.parent.mkdir(mode=0o500)
    make_check()(0.5)
    assert capsys.readouterr().out == "Correct: a half.\n" and solved.load_solved() == ({}, "")


def test_a_read_only_file_can_still_be_read(file, monkeypatch, capsys):
    make_check()(0.5)
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, **options: connect(f"file:{path}?mode=ro", uri=True, **options))
    make_check("check_other")(0.5)
    assert list(solved.load_solved()[0]) == [("mlp_basics", "check_half")]
    assert capsys.readouterr().out == 2 * "Correct: a half.\n"


def test_a_home_that_is_not_known_stops_no_exercise(monkeypatch, capsys):
    monkeypatch.setenv("WORKBOOK_LEARNER_FILE", "~nobody-of-this-name/learner.sqlite")
    make_check()(0.5)
    assert capsys.readouterr().out == "Correct: a half.\n" and solved.load_solved() == ({}, "")


def test_the_cache_folder_takes_it_where_nothing_else_is_said(tmp_path, monkeypatch):
    monkeypatch.delenv("WORKBOOK_LEARNER_FILE", raising=False)
    monkeypatch.setenv("WORKBOOK_CACHE", str(tmp_path))
    assert solved.progress_file() == tmp_path / "learner.sqlite"
