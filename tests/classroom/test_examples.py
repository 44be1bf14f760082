"""The first page of docs/TEACHING.md, done as a teacher does it: the invented class, graded, marked by hand, given back."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import course
import pytest

from assignments.hub.rehearsal import free_ports

from .test_grading import classroom_python, report, run

GUIDE = (course.ROOT / "docs" / "TEACHING.md").read_text(encoding="utf-8")
BLOCKS = [block.strip() for block in re.findall(r"^```\w*\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)]
PLACE, UNIT, ESSAY, TOKEN = "build/example", "mlp_and_backpropagation", "in_your_own_words", "for-this-test"
OPEN = "import sys; from pathlib import Path; from assignments import marking; "
OPEN += "marking.serve(Path(sys.argv[1]), *sys.argv[2:], browser=False)"


@pytest.fixture(scope="module")
def graded(tmp_path_factory) -> tuple[Path, list[str]]:
    """Return the folder of the example, after the three commands of the guide, and what each of them printed."""
    place, said = tmp_path_factory.mktemp("guide") / "example", []
    first, *others = BLOCKS[0].replace("\\\n", " ").splitlines()
    assert first == "make assignments" and len(others) == 2
    assert run("build", UNIT, "--out", place.parent / "assignments").returncode == 0  # what it does for this unit
    for line in others:
        python, *words = [word.replace(PLACE, str(place)) for word in shlex.split(line)]
        assert python == ".venv-classroom/bin/python" and words[:2] == ["-m", "assignments"]
        answer = run(*words[2:])
        assert answer.returncode == 0, answer.stderr
        said.append(answer.stdout.replace(str(place), PLACE))
    return place, said


def test_three_commands_lead_to_the_report_that_the_guide_shows(graded):
    _, (made, text) = graded
    shown = next(block for block in BLOCKS if block.startswith("graded: "))
    assert shown in text, text
    assert " ".join(BLOCKS[0].replace("\\\n", " ").splitlines()[-1].split()) in made, "examples says how to go on"


def test_marks_are_those_that_the_examples_promise(graded):
    place, (made, _) = graded
    rows = report(place / "graded", UNIT)
    for student, points in re.findall(r"^(.+?)(?: \(.+\))?: ([\d.]+) points by the checks", made, re.MULTILINE):
        row = rows[student]
        assert float(row["score"]) + float(row["penalty"] or 0) == float(points), row
    assert {name for name, row in rows.items() if row["status"] == "not graded"} == {"Bruno Example", "Carla Example"}
    assert rows["4711"]["name"] == "Example, Łucja" and rows["Fatma Example"]["status"] == "not submitted"


@contextlib.contextmanager
def formgrader(course_folder: Path) -> Iterator:
    """Run the page on which a person marks, and give a function that asks it."""
    [port] = free_ports(1)
    own = (f"--ServerApp.port={port}", f"--IdentityProvider.token={TOKEN}")
    command = [classroom_python(), "-c", OPEN, str(course_folder), *own]

    def ask(path: str, **sent) -> bytes:
        data, headers = json.dumps(sent).encode() if sent else None, {"Authorization": f"token {TOKEN}"}
        address = f"http://127.0.0.1:{port}/formgrader/{path}"
        request = urllib.request.Request(address, data, headers, method="PUT" if sent else "GET")
        return urllib.request.urlopen(request, timeout=60).read()

    with subprocess.Popen(command, cwd=course.ROOT, stdout=sys.stderr, start_new_session=True) as server:
        try:
            end = time.monotonic() + 120
            while time.monotonic() < end and server.poll() is None:
                with contextlib.suppress(OSError):
                    ask("gradebook")
                    break
                time.sleep(0.3)
            yield ask
        finally:
            _end(server)


def _end(server: subprocess.Popen) -> None:
    inner = subprocess.run(["ps", "-o", "pid=", "--ppid", str(server.pid)], capture_output=True, text=True).stdout.split()
    subprocess.run(["kill", *inner, str(server.pid)])


def test_an_essay_is_marked_by_hand_and_the_next_report_and_page_have_it(graded):
    place, _ = graded
    with formgrader(place / "graded" / "course") as ask:
        submitted = {one["student"]: one["id"] for one in json.loads(ask(f"api/submitted_notebooks/{UNIT}/{UNIT}"))}
        page = ask(f"submissions/{submitted['Noël Example']}/").decode()
        assert "A step lowers the loss" in page
        grades = json.loads(ask(f"api/grades?submission_id={submitted['Noël Example']}"))
        [essay] = [grade for grade in grades if grade["name"] == ESSAY]
        ask(f"api/grade/{essay['id']}", manual_score=2)
    words = shlex.split(BLOCKS[0].replace("\\\n", " ").splitlines()[-1].replace(PLACE, str(place)))[3:]
    before = report(place / "graded", UNIT)
    assert "8 submissions, 6 of them graded earlier and unchanged" in run(*words).stdout
    after = report(place / "graded", UNIT)
    row = after.pop("Noël Example")
    assert float(row["score"]) == float(before.pop("Noël Example")["score"]) + 2 and row["status"] == "graded"
    assert after == before
    page = place / "graded" / "feedback" / UNIT / "Noël Example.html"
    assert f"{float(row['score']):g} of 34 points" in page.read_text(encoding="utf-8")


def test_without_a_grade_book_there_is_nothing_to_mark(tmp_path):
    answer = run("mark", "--out", tmp_path)
    assert answer.returncode == 1 and answer.stderr.startswith("There is no grade book in ")
    assert len(answer.stderr.strip().splitlines()) == 1


def test_nothing_is_changed_where_there_is_nothing_to_grade_or_no_roster(tmp_path):
    (tmp_path / "empty").mkdir()
    for more, said in (((), "There is no submission in"), (("--roster", str(tmp_path / "none.csv")), "There is no roster")):
        answer = run("grade", UNIT, "--submissions", tmp_path / "empty", "--out", tmp_path / "out", *more)
        assert answer.returncode == 1 and answer.stderr.startswith(said) and len(answer.stderr.splitlines()) == 1
        assert not (tmp_path / "out").exists()
