"""nbgrader, set up the way this course needs it: its folders, its steps, its grade book. Nothing here changes nbgrader."""

import datetime
import os
import re
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nbconvert.preprocessors import ClearMetadataPreprocessor
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from nbgrader.plugins import LateSubmissionPlugin
from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    ClearOutput,
    IgnorePattern,
    LimitOutput,
    OverwriteCells,
    OverwriteKernelspec,
    SaveAutoGrades,
)
from traitlets import Float, Unicode
from traitlets.config import Config

from assignments import building, sandbox, units
from assignments.running import CleanOutputs, Rebuild, SandboxedExecute

CONFIG = """# written by `python -m assignments`: nbgrader, set up as the driver sets it up
import os
import sys
from pathlib import Path

os.environ.setdefault("WORKBOOK_SANDBOX", {sandbox!r})
sys.path.insert(0, {root!r})
from assignments.classroom import configure

c = get_config()
c.merge(configure(Path(__file__).resolve().parent))
"""
LATE = re.compile(r"none|zero|(\d+(?:\.\d+)?)%-a-day")


class LateRule(LateSubmissionPlugin):
    """What a late submission costs: nothing, everything, or a share of the points for every day that has begun."""

    rule = Unicode("none").tag(config=True)
    grace_minutes = Float(0).tag(config=True)

    def late_submission_penalty(self, student_id: str, score: float, total_seconds_late: float) -> float | None:
        """Return how many points a submission loses; None for none."""
        seconds = total_seconds_late - 60 * self.grace_minutes
        if self.rule == "none" or seconds <= 0:
            return None
        share = LATE.fullmatch(self.rule)[1]
        return score if share is None else min(score, score * float(share) / 100 * -(-seconds // 86_400))


def configure(course: Path, *, cell_seconds: int = 60, late: str = "none", grace: float = 0) -> Config:
    """Return the configuration of nbgrader for a course folder; `late` is none, zero or 10%-a-day.

    In an `nbgrader_config.py` it is `c.merge(configure(folder))`: then the buttons of nbgrader use the sandbox, too.
    """
    if not LATE.fullmatch(late):
        raise SystemExit(f"There is no late rule {late!r}: choose none, zero, or a share such as 10%-a-day.")
    c = Config()
    c.CourseDirectory.root, c.CourseDirectory.course_id = str(course), "workbook"
    c.ClearSolutions.code_stub, c.ClearSolutions.text_stub = {"python": units.CODE_STUB}, units.TEXT_STUB
    c.Autograde.sanitize_preprocessors = [ClearOutput, Rebuild, OverwriteKernelspec, OverwriteCells, CheckCellMetadata]
    run = [SandboxedExecute, CleanOutputs, IgnorePattern, ClearMetadataPreprocessor, LimitOutput]
    c.Autograde.autograde_preprocessors = [*run, SaveAutoGrades, AssignLatePenalties, CheckCellMetadata]
    c.Rebuild.release = str(course / "release")
    c.SandboxedExecute.timeout, c.SandboxedExecute.iopub_timeout = cell_seconds, 60
    c.SandboxedExecute.error_on_timeout = {
        "ename": "TooSlow",
        "evalue": f"this cell ran longer than {cell_seconds} seconds",
        "traceback": [f"This cell ran longer than {cell_seconds} seconds and was stopped."],
    }
    c.LimitOutput.max_lines, c.LimitOutput.max_traceback = 200, 60
    c.AssignLatePenalties.plugin_class = LateRule
    c.LateRule.rule, c.LateRule.grace_minutes = late, grace
    return c


def api(config: Config) -> NbGraderAPI:
    """Return nbgrader's interface for a configuration."""
    return NbGraderAPI(CourseDirectory(config=config), config=config)


@contextmanager
def gradebook(course: Path):
    """Open the grade book of a course folder."""
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        yield book


def release(unit: str, course: Path, *, due: datetime.datetime | None = None) -> Path:
    """Return the folder of the class's version, which nbgrader has made; the grade book now knows every cell of it."""
    make_course(course)
    source = course / "source" / unit
    shutil.rmtree(source, ignore_errors=True)
    building.write(building.master(unit), source, unit)
    answer = api(configure(course)).generate_assignment(unit, force=True, create=True)
    if not answer["success"]:
        said = answer.get("log") or answer.get("error")
        raise SystemExit(f"nbgrader could not make the release of {unit}; try again. What it said: {said}")
    if due:
        with gradebook(course) as book:
            book.update_or_create_assignment(unit, duedate=due)
    return course / "release" / unit


def make_course(course: Path) -> None:
    """Make a course folder that nobody else can read, in which nbgrader's own commands and pages use the sandbox, too."""
    course.mkdir(parents=True, exist_ok=True)
    os.chmod(course, 0o700)
    (course / "nbgrader_config.py").write_text(
        CONFIG.format(root=str(units.HERE.parent), sandbox=sandbox.chosen()), encoding="utf-8"
    )
    own = str(Path(sys.executable).parent)  # nbgrader asks for the command alembic by its name
    if own not in os.environ["PATH"].split(os.pathsep):
        os.environ["PATH"] = own + os.pathsep + os.environ["PATH"]


def scores(course: Path, unit: str, student: str, *, late: str = "none", grace: float = 0) -> dict[str, Any]:
    """Return what the grade book says of a submission: the marks of each cell, the sum, what waits for a person.

    What being late costs is worked out here, since nbgrader keeps what it was before a person gave marks.
    """
    with gradebook(course) as book:
        submission = book.find_submission(unit, student)
        grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
        rule = LateRule(rule=late, grace_minutes=grace)
        penalty = rule.late_submission_penalty(student, submission.score, submission.total_seconds_late or 0) or 0
        return {
            "cells": {grade.name: grade.score for grade in grades},
            "of": {grade.name: grade.max_score for grade in grades},
            "comments": {comment.name: comment.comment for note in submission.notebooks for comment in note.comments},
            "waiting": [grade.name for grade in grades if grade.needs_manual_grade],
            "penalty": penalty,
            "score": max(0.0, submission.score - penalty),
            "most": submission.max_score,
            "late_seconds": submission.total_seconds_late,
        }
