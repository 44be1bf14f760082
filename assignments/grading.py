"""Grade a pile of submissions: each student in a process and a sandbox of its own, and whatever happens the pile goes on.

What is done is written down after each student, so a run that was stopped goes on where it was, and a submission that has
not changed keeps its marks, also those that a person gave.
"""

import contextlib
import ctypes
import datetime
import hashlib
import json
import multiprocessing
import os
import resource
import shutil
import signal
import sqlite3
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbgrader.api import MissingEntry

from assignments import classroom, collecting, reporting, sandbox, units
from assignments.collecting import Submission

MOST_IN_RUN_FOLDER = 200_000_000
DRIVER_MEMORY = 8 << 30
BACKUPS = 20
APART = multiprocessing.get_context("fork")  # nbgrader is imported once


@dataclass(frozen=True)
class Settings:
    """What a teacher decides: how long code may run, when work was due, and what being late costs."""

    unit: str
    out: Path
    due: datetime.datetime | None = None
    late: str = "none"
    grace_minutes: float = 0
    cell_seconds: int = 60
    notebook_seconds: int = 600
    workers: int = 2
    again: bool = False

    @property
    def course(self) -> Path:
        """The folder of nbgrader's course."""
        return self.out / "course"

    def config(self) -> Any:
        """Return nbgrader's configuration."""
        seconds, grace = self.cell_seconds, self.grace_minutes
        return classroom.configure(self.course, cell_seconds=seconds, late=self.late, grace=grace)

    def fingerprint(self, one: Submission) -> str:
        """Return a short text that changes when a submission would have to be graded again."""
        parts = [(units.HERE / room / f"{self.unit}.py").read_bytes() for room in ("source", "checks", "hidden")]
        return hashlib.sha256(b"".join(parts) + one.fingerprint().encode()).hexdigest()[:16]


def grade(settings: Settings, submissions: Path, *, roster: Path | None = None, say: Any = print) -> list[dict[str, Any]]:
    """Return a row of the report for each student; the report and the pages of feedback are written as well."""
    sandbox.require()
    if os.geteuid() == 0:
        say("You are root, and for root Linux does not limit processes: better grade with an account made for it.")
    units.read_checks(settings.unit)  # imported once, before the processes part
    settings.config()
    reporting.read_roster(roster)
    with collecting.opened(submissions) as folder:
        found = collecting.find(folder, settings.unit)
        if not found:
            raise SystemExit(f"There is no submission in {submissions}. Nothing was graded, and nothing was changed.")
        say("Preparing the grade book ...")
        classroom.make_course(settings.course)
        _sweep()
        _back_up(settings)
        classroom.release(settings.unit, settings.course, due=settings.due)
        todo = [one for one in found if settings.again or (_done(settings, one) or {"problem": "new"})["problem"]]
        say(f"{len(found)} submissions, {len(found) - len(todo)} of them graded earlier and unchanged.")
        for one, result in _side_by_side(settings, todo):
            _write_done(settings, one, result)
            say(f"{one.student}: {result['problem'] or 'graded'}")
        rows = reporting.rows(settings, [(one, _done(settings, one)) for one in found], roster)
    reporting.write(settings, rows)
    return rows


def _sweep() -> None:
    """Remove the rooms of runs that were killed and could not tidy up."""
    for room in Path(tempfile.gettempdir()).glob("wb-*-*"):
        process = room.name.split("-")[1]
        if process.isdigit() and not Path("/proc", process).exists():
            sandbox.end(room)
            shutil.rmtree(room, ignore_errors=True)


def _back_up(settings: Settings) -> None:
    """Copy the grade book aside before anything is done to it; the last twenty copies are kept."""
    book, folder = settings.course / "gradebook.db", settings.out / "backups"
    folder.mkdir(exist_ok=True)
    if not book.exists():
        return
    copy = folder / f"gradebook-{datetime.datetime.now():%Y%m%d-%H%M%S-%f}.db"
    with contextlib.closing(sqlite3.connect(book)) as source, contextlib.closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    for old in sorted(folder.glob("gradebook-*.db"))[:-BACKUPS]:
        old.unlink()


def _done_file(settings: Settings, one: Submission) -> Path:
    name = hashlib.sha256(one.student.encode()).hexdigest()[:24]
    return settings.out / "done" / settings.unit / f"{name}.json"


def _done(settings: Settings, one: Submission) -> dict[str, Any] | None:
    """Return what came out for a submission, or None when it has not been graded as it is now."""
    try:
        done = json.loads(_done_file(settings, one).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return done if done["fingerprint"] == settings.fingerprint(one) else None


def _write_done(settings: Settings, one: Submission, result: dict[str, Any]) -> None:
    path = _done_file(settings, one)
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = {"student": one.student, "fingerprint": settings.fingerprint(one), **result}
    path.with_suffix(".new").write_text(json.dumps(whole), encoding="utf-8")
    path.with_suffix(".new").replace(path)


def _side_by_side(settings: Settings, todo: list[Submission]):
    """Yield each submission with what came out, as they finish; `workers` of them are at work at a time."""
    waiting, running = list(todo), []
    try:
        while waiting or running:
            while waiting and len(running) < settings.workers:
                running.append(_Student(settings, waiting.pop(0)))
            time.sleep(0.1)
            for student in [student for student in running if student.is_over()]:
                running.remove(student)
                yield student.one, student.result()
    finally:
        for student in running:
            student.end()


class _Student:
    """The process of one student: watched, ended when it takes too much, its outcome read from a file."""

    def __init__(self, settings: Settings, one: Submission) -> None:
        self.settings, self.one, self.problem = settings, one, one.problem
        self.room = Path(tempfile.mkdtemp(prefix=f"wb-{os.getpid()}-"))
        self.deadline = time.monotonic() + settings.notebook_seconds
        self.process = APART.Process(target=_work, args=(settings, one, self.room))
        if not self.problem:
            self.process.start()

    def is_over(self) -> bool:
        """Return whether the process has ended, after ending it if it took too long or too much room."""
        if self.problem or not self.process.is_alive():
            return True
        if time.monotonic() > self.deadline:
            self.problem = f"the notebook ran longer than {self.settings.notebook_seconds} seconds"
        elif _size(self.room) > MOST_IN_RUN_FOLDER:
            self.problem = "its code filled the folder of the kernel's messages"
        if self.problem:
            self.end()
        return bool(self.problem)

    def end(self) -> None:
        """End the process and everything that it started."""
        if self.process.pid:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.kill()  # also when it had no group of its own yet
            self.process.join()
            sandbox.end(self.room)
        shutil.rmtree(self.room, ignore_errors=True)

    def result(self) -> dict[str, Any]:
        """Return what came out, with the reason where nothing did."""
        try:
            result = json.loads((self.room / "result.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            result = {"problem": "its process ended before its time", "notes": []}
        self.end()
        return {"notes": self.one.notes, **result} | ({"problem": self.problem} if self.problem else {})


def _size(folder: Path) -> int:
    size = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                size += os.lstat(os.path.join(place, name)).st_blocks * 512
    return size


def _work(settings: Settings, one: Submission, room: Path) -> None:
    """Grade one submission in this process, and write the outcome to `result.json`."""
    os.setsid()
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: it does not outlive the run it belongs to
    _talk_to(settings.out / "logs" / settings.unit / f"{hashlib.sha256(one.student.encode()).hexdigest()[:24]}.txt")
    resource.setrlimit(resource.RLIMIT_AS, (DRIVER_MEMORY, DRIVER_MEMORY))
    result = {"problem": "", "notes": one.notes}
    try:
        given = nbformat.read(settings.course / "release" / settings.unit / f"{settings.unit}.ipynb", as_version=4)
        notebook, notes = collecting.rebuild(collecting.read(one.path), given)
        result["notes"] = [*one.notes, *notes]
        _hand_in(settings, one, notebook)
        os.environ["TMPDIR"], tempfile.tempdir = str(room), None  # whatever is left there goes with the room
        answer = classroom.api(settings.config()).autograde(settings.unit, one.student, force=True, create=True)
        print(answer.get("log"), answer.get("error"))
        if not answer["success"]:
            result["problem"] = _reason(answer.get("log") or answer.get("error") or "")
    except Exception as error:
        said = " ".join(str(error).split())[:300]
        result["problem"] = said if isinstance(error, ValueError) else f"{type(error).__name__}: {said}"
    (room / "result.json").write_text(json.dumps(result), encoding="utf-8")


def _talk_to(path: Path) -> None:
    """Send whatever this process and its kernel have to say to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)


def _hand_in(settings: Settings, one: Submission, notebook: nbformat.NotebookNode) -> None:
    """Lay the rebuilt notebook where nbgrader looks for it, with the time at which it came."""
    folder = settings.course / "submitted" / one.student / settings.unit
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    nbformat.write(notebook, folder / f"{settings.unit}.ipynb")
    if one.submitted:
        (folder / "timestamp.txt").write_text(f"{one.submitted:%Y-%m-%d %H:%M:%S.%f} UTC", encoding="utf-8")


def _reason(log: str) -> str:
    """Return in a sentence why nbgrader gave up, from its log."""
    if "DeadKernelError" in log or "Kernel died" in log:
        return "its code ended the kernel, or took too much memory"
    if "CellTimeoutError" in log or "IOPub" in log:
        return "its code could not be interrupted"
    lines = [line for line in log.splitlines() if "Error" in line or "Exception" in line]
    return f"nbgrader gave up ({(lines or log.splitlines() or ['without a word'])[-1].strip()[:200]})"


def marks(settings: Settings, student: str) -> dict[str, Any] | None:
    """Return what the grade book says of a student, or None when it knows no submission."""
    try:
        rule = {"late": settings.late, "grace": settings.grace_minutes}
        return classroom.scores(settings.course, settings.unit, student, **rule)
    except MissingEntry:
        return None
