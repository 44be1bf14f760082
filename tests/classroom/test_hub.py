"""A class at a real JupyterHub: released, fetched, worked on in JupyterLab, handed in, graded, marked, given back.

Once as a hub without rights runs it, under one account for all; and, where we are root, with a Linux account for each.
"""

from __future__ import annotations

import csv
import dataclasses
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import course
import pytest
from playwright.sync_api import sync_playwright

from assignments import units
from assignments.hub import enclosure, rehearsal

from .people import Student, Teacher

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
UNIT = "mlp_and_backpropagation"
CELLS = units.read_unit(UNIT)
SOLUTIONS = {cell.grade_id: units.solution(cell) for cell in CELLS if cell.kind == "answer"}
[ESSAY] = [cell for cell in CELLS if cell.kind == "essay"]
CHECKED = sum(cell.points for cell in CELLS if cell.kind in ("visible", "hidden"))
CURIOUS = """import os
def count_parameters(sizes):
    return sum(a * b for a, b in zip(sizes[:-1], sizes[1:]))
print(int(os.path.exists({book!r})), "grade books in reach")"""
VARIANTS = {"one account": False, "an account for each": True}


@pytest.fixture(scope="module", autouse=True)
def everything_is_here() -> None:
    """Skip with a sentence where a rehearsal lacks something, or fail where it must not."""
    if missing := enclosure.what_is_missing() or ("" if CHROMIUM else "no Chromium was found: `apt install chromium`"):
        (pytest.fail if os.environ.get("WORKBOOK_REQUIRE_CLASSROOM") == "1" else pytest.skip)(
            f"No rehearsal here: {missing}."
        )


@dataclasses.dataclass
class Day:
    """What was seen on a day of class."""

    room: rehearsal.Classroom
    teacher: Teacher
    students: list[Student]
    autograded: str = ""
    started: float = dataclasses.field(default_factory=time.monotonic)
    tables: list[dict[str, dict]] = dataclasses.field(default_factory=list)
    pages: dict[str, str] = dataclasses.field(default_factory=dict)

    def say(self, what: str) -> None:
        """Tell how far the day has got: shown where a test fails, and by `pytest -s`."""
        print(f"{time.monotonic() - self.started:6.1f} s  {what}", flush=True)

    def run(self, *command: str | Path) -> str:
        """Do something in the teacher's terminal, and return what it prints."""
        answer = rehearsal.run_as(self.room, "teacher", "python", "-m", *command)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return answer.stdout

    def graded(self, student: str) -> str:
        """Return the notebook of a student as the last grading left it."""
        return (self.room.out / "course" / "autograded" / student / UNIT / f"{UNIT}.ipynb").read_text(encoding="utf-8")

    def press(self, button: str) -> None:
        """Press a button of the Formgrader that has to do what it says."""
        said = self.teacher.press(UNIT, button)
        assert "Success" in said, said

    def grade(self) -> None:
        """Grade what was collected, and keep the table that comes out."""
        collected = self.room.out / "course" / "collected"
        self.run("assignments", "grade", UNIT, "--submissions", collected, "--out", self.room.out)
        with (self.room.out / f"{UNIT}.csv").open(encoding="utf-8-sig", newline="") as file:
            self.tables.append({row["student"]: row for row in csv.DictReader(file)})


@pytest.fixture(scope="module", params=VARIANTS)
def day(request: pytest.FixtureRequest, everything_is_here: None) -> Iterator[Day]:
    """Play a day of class from its first to its last step."""
    accounts = VARIANTS[request.param]
    if accounts and os.geteuid() != 0:
        pytest.skip("accounts of their own can only be had by root")
    with rehearsal.folder_for_a_while() as folder, sync_playwright() as playwright:
        room = rehearsal.Classroom(folder, accounts, lab_arguments=("--LabApp.expose_app_in_browser=True",))
        rehearsal.prepare(room)
        with rehearsal.running(room), playwright.chromium.launch(executable_path=CHROMIUM) as browser:
            day = Day(room, Teacher(browser, room, "teacher"), [Student(browser, room, name) for name in room.students])
            play(day)
            yield day


def answers_in(room: rehearsal.Classroom) -> dict[str, dict[str, str]]:
    """Return what the two write: one solves everything, the other forgets the biases and looks for the grade book."""
    curious = CURIOUS.format(book=str(room.out / "course" / "gradebook.db"))
    essays = ("Blame goes back the way that the signal came.", "<script>document.title = 'mine'</script> I do not know.")
    return {
        "student1": {**SOLUTIONS, ESSAY.grade_id: essays[0]},
        "student2": {"count_parameters": curious, ESSAY.grade_id: essays[1]},
    }


def play(day: Day) -> None:
    """Release, fetch, work, hand in, collect, grade, mark by hand, give back."""
    for person in (day.teacher, *day.students):
        person.log_in()
    day.run("assignments.hub", "prepare", UNIT)
    day.teacher.wait_for_server()
    day.press("release")
    day.say("released")
    answers = answers_in(day.room)
    for student in day.students:
        student.wait_for_server()
        student.press("Fetch", f"fetched: {UNIT}")
        day.say(f"fetched by {student.name}")
        student.work(UNIT, answers[student.name])
        student.press("Submit", f"submitted: {UNIT}")
        day.say(f"handed in by {student.name}")
    day.press("collect")
    said = day.teacher.press_autograde(UNIT, "student2")
    assert "Success" in said, said
    day.autograded = day.graded("student2")
    day.say("collected, and one graded by the button")
    day.grade()
    day.say("graded")
    day.teacher.mark(UNIT, "student1", ESSAY.grade_id, 5, "Well said: the order is what matters.")
    day.teacher.mark(UNIT, "student2", ESSAY.grade_id, 1, "Look at notebook 02 again.")
    assert day.teacher.page.title() != "mine", "the script in the answer of student2 ran"
    day.say("marked by hand")
    day.grade()
    assert "assignments.hub feedback" in day.teacher.press(UNIT, "generate-feedback"), "nbgrader's own pages"
    day.run("assignments.hub", "feedback", UNIT)
    day.press("release-feedback")
    day.say("feedback released")
    for student in day.students:
        student.press("Fetch Feedback", "submitted: view feedback")
        [page] = (day.room.home(student.name) / UNIT / "feedback").rglob("*.html")
        day.pages[student.name] = page.read_text(encoding="utf-8")
    day.say("feedback fetched")


def test_marks_come_from_the_checks_and_from_a_person(day):
    before, after = day.tables
    assert [float(before[name]["score"]) for name in day.room.students] == [CHECKED, 0]
    assert [before[name]["waiting"] for name in day.room.students] == [ESSAY.grade_id] * 2
    assert [float(after[name]["score"]) for name in day.room.students] == [CHECKED + 5, 1]
    assert [after[name]["waiting"] for name in day.room.students] == ["", ""]
    assert float(after["student1"]["of"]) == CHECKED + ESSAY.points


def test_everybody_gets_their_own_page_back(day):
    assert f"{CHECKED + 5:g} of {CHECKED + ESSAY.points:g} points" in day.pages["student1"]
    assert "Well said" in day.pages["student1"] and "Look at notebook 02" in day.pages["student2"]
    assert "biases" in day.pages["student2"] and "<script" not in day.pages["student2"]


def test_the_button_of_the_formgrader_grades_in_the_sandbox_too(day):
    for graded in (day.autograded, day.graded("student2")):
        assert "0 grade books in reach" in graded, "student2 looks for the one of the teacher"


def test_students_have_no_formgrader(day):
    assert day.teacher.status("/user/teacher/formgrader/manage_assignments") == 200
    for student in day.students:
        assert student.status(f"/user/{student.name}/formgrader") == 404
        assert student.status(f"/user/{student.name}/formgrader/api/assignments") == 404
        assert student.status("/user/teacher/formgrader") in (403, 404)
        student.page.get_by_role("menuitem", name="Nbgrader").click()
        assert student.page.get_by_role("menuitem", name="Formgrader").count() == 0


def test_students_see_nothing_of_each_other(day):
    others = {"student1": "student2", "student2": "student1"}
    for student in day.students:
        assert student.status(f"/user/{others[student.name]}/api/contents") == 403
    if not day.room.accounts:
        return  # one account is one account: docs/SECURITY.md
    exchange, course_folder = day.room.folder / "exchange" / "workbook", day.room.out / "course"
    forbidden = {
        "ls": [exchange / "inbound", exchange / "feedback", day.room.home("student1"), course_folder],
        "cat": [
            day.room.home("student1") / UNIT / f"{UNIT}.ipynb",
            course_folder / "gradebook.db",
            day.room.folder / "hub" / "classroom.json",
            enclosure.ROOT / "assignments" / "hidden" / f"{UNIT}.py",
        ],
    }
    for command, paths in forbidden.items():
        for path in paths:
            assert path.exists() and rehearsal.run_as(day.room, "student2", command, path).returncode, f"{command} {path}"
    assert "assignments" in rehearsal.run_as(day.room, "student2", "python", "-c", "import assignments").stderr
    assert rehearsal.run_as(day.room, "student2", "ls", exchange / "outbound").returncode == 0
    assert rehearsal.run_as(day.room, "student2", "python", "-c", "import helpers, numpy").returncode == 0


def test_who_knows_the_name_of_a_submission_can_change_it(day):
    """The hole in nbgrader's exchange that docs/SECURITY.md tells of: when it is closed, that page has to say so."""
    [folder] = (day.room.folder / "exchange" / "workbook" / "inbound").glob("student1+*")
    assert f"{UNIT}.ipynb" in rehearsal.run_as(day.room, "student2", "ls", folder).stdout
    assert rehearsal.run_as(day.room, "student2", "touch", folder / "mine").returncode == 0
    (folder / "mine").unlink()


def test_nothing_outlives_a_rehearsal_that_is_killed():
    command = [sys.executable, "-m", "assignments.hub", "rehearse"]
    process = subprocess.Popen(command, cwd=course.ROOT, stdout=subprocess.PIPE, text=True)
    said = process.stdout.readline() + process.stdout.readline()
    started = enclosure.members(process.pid)
    folder, port = Path(said.split(" is in ")[1].split(",")[0]), int(said.split("127.0.0.1:")[1].split(".")[0])
    assert folder.is_dir() and len(started) >= 4, said  # ours, what keeps them together, the hub, the proxy
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    end = time.monotonic() + 20
    while any(map(enclosure.is_alive, started)) and time.monotonic() < end:
        time.sleep(0.1)
    assert [one for one in started if enclosure.is_alive(one)] == []
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))  # nobody answers there
    with rehearsal.folder_for_a_while():
        assert not folder.exists(), "the next rehearsal clears away what this one left"
