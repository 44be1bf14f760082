"""An invented class to try grading with: right, wrong, late and broken submissions, made of a unit and its wrong answers.

The same unit always makes the same class. Every name says that it is an example.
"""

import csv
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from assignments import building, collecting, units
from assignments.units import Cell

SECRET = re.compile(r"### BEGIN HIDDEN TESTS\n.*?### END HIDDEN TESTS", re.DOTALL)
DUE, ON_TIME, LATE = "2026-11-20T12:00", "2026-11-19 18:30:00 UTC", "2026-11-21 13:00:00 UTC"
ABSENT = ("Fatma Example", "hands in nothing")
ENDS_THE_KERNEL = "import os\n\nos._exit(0)  # whatever comes below is never run"


@dataclass
class Example:
    """A submission: the name of its folder, a sentence about it, the answers, and the points that its checks give.

    `points` is None where nothing can be graded.
    """

    folder: str
    about: str
    answers: dict[str, str]
    points: float | None
    submitted: str = ON_TIME
    whole: bool = True
    wrong: dict[str, int] = field(default_factory=dict)

    @property
    def student(self) -> str:
        """What the report calls the student: the name of the folder, or the number in it where it is one of Moodle."""
        moodle = collecting.MOODLE.fullmatch(self.folder)
        return moodle["student"] if moodle else self.folder

    @property
    def name(self) -> str:
        """What the student is called."""
        return self.folder.partition("_")[0]


def make_class(unit: str) -> list[Example]:
    """Return the submissions of the class of a unit, without writing them."""
    cells = {cell.task: cell for cell in units.read_unit(unit) if cell.kind in ("answer", "essay")}
    right = {task: units.solution(cell) for task, cell in cells.items() if cell.kind == "answer"}
    [essay] = [task for task, cell in cells.items() if cell.kind == "essay"]
    words = units.solution(cells[essay])
    full = sum(check.points for check in units.read_checks(unit).values())
    broken = right | {next(iter(right)): ENDS_THE_KERNEL}
    late = "everything right, a day and an hour late, and no essay"
    return [
        Example("Ada Example", "everything right, and a full essay", right | {essay: words}, full),
        Example("Émile Example", "handed in as it was given", {}, 0),
        _mixture(unit, "Noël Example", 0, {essay: words.partition("\n\n")[0]}),
        _mixture(unit, "Jürgen Example", 1, {essay: "I do not know."}),
        _mixture(unit, "Example, Łucja_4711_assignsubmission_file_", 2, {}),
        Example("Bruno Example", "ends the kernel in the first task", broken, None),
        Example("Carla Example", "only half of the file arrived", right, None, whole=False),
        Example("Dora Example", late, right, full, submitted=LATE),
    ]


def _mixture(unit: str, folder: str, number: int, essay: dict[str, str]) -> Example:
    """Return a submission with two wrong tasks of three; the number says which ones, and which of their wrong answers.

    A right answer that calls a wrong one cannot be right, so it is exchanged for a wrong one as well.
    """
    rows = wrong_answers(unit)
    answers, wrong = {}, {}
    for place, cell in enumerate(cell for cell in units.read_unit(unit) if cell.kind == "answer"):
        answers[cell.task] = units.solution(cell)
        if (place + number) % 3 or _calls(answers[cell.task], wrong):
            turned = [(number + step) % len(rows[cell.task]) for step in range(len(rows[cell.task]))]
            wrong[cell.task] = min(turned, key=lambda row: _calls(rows[cell.task][row]["answer"], wrong))
            answers[cell.task] = rows[cell.task][wrong[cell.task]]["answer"].strip()
    points = sum(rows[task][row]["points"] for task, row in wrong.items())
    points += sum(check.points for name, check in units.read_checks(unit).items() if name.rpartition("-")[0] not in wrong)
    return Example(folder, f"typical mistakes in {', '.join(wrong)}", answers | essay, points, wrong=wrong)


def _calls(source: str, tasks: Iterable[str]) -> bool:
    return any(re.search(rf"\b{task}\(", source) for task in tasks)


def wrong_answers(unit: str) -> dict[str, list[dict]]:
    """Return the typical wrong answers of each task of a unit."""
    return tomllib.loads((units.HERE / "wrong_answers" / f"{unit}.toml").read_text(encoding="utf-8"))


def notebook(unit: str, answers: dict[str, str]) -> NotebookNode:
    """Return the class's notebook with some answers in it, and stubs where there is none."""
    made, cells = building.master(unit), {cell.grade_id: cell for cell in units.read_unit(unit)}
    for cell in made.cells:
        cell.source = _written(cell.source, cells[cell.metadata.nbgrader.grade_id], answers)
    return made


def _written(source: str, cell: Cell, answers: dict[str, str]) -> str:
    if cell.kind in ("answer", "essay"):
        return answers.get(cell.task, units.stub(cell))
    return SECRET.sub("", source)


def write(unit: str, out: Path) -> list[Example]:
    """Return the submissions, written to `out/submissions`, with a list of all students beside them, `out/roster.csv`."""
    made = make_class(unit)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SystemExit(f"{out} is not an empty folder. Give --out a new name: examples overwrite nothing.")
    for one in made:
        folder = out / "submissions" / one.folder
        folder.mkdir(parents=True)
        text = nbformat.writes(notebook(unit, one.answers))
        (folder / f"{unit}.ipynb").write_text(text if one.whole else text[: len(text) // 2], encoding="utf-8")
        (folder / "timestamp.txt").write_text(one.submitted, encoding="utf-8")
    with (out / "roster.csv").open("w", encoding="utf-8", newline="") as file:
        everybody = [(one.student, one.name) for one in made] + [(ABSENT[0], ABSENT[0])]
        csv.writer(file).writerows([("student", "name"), *everybody])
    return made
