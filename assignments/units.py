"""What one text makes: the cells of a unit, with the part that each plays, and the checks that give points.

The text is `assignments/source/UNIT.py`, in the percent format. A cell says in its first line what it is:
- nothing: text or code that everybody sees and nobody changes;
- `answer="gate"`: what a learner writes, with the solution between ### BEGIN SOLUTION and ### END SOLUTION;
- `visible="gate" points=2`, `hidden="gate" points=1`: one call of a check, `check.f(names)` or `hidden.f(names)`;
- `essay="why" points=6`: an answer in words, which a person marks;
- `hint="gate"`, `only="self-paced"`, `only="class"`: for one of the two versions.
"""

import ast
import functools
import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jupytext
from nbformat import NotebookNode

HERE = Path(__file__).resolve().parent
KINDS = ("answer", "visible", "hidden", "essay", "hint", "only")
REGION = re.compile(r"^( *)### BEGIN SOLUTION\n(.*?\n)^ *### END SOLUTION", re.MULTILINE | re.DOTALL)
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
CODE_STUB, TEXT_STUB = "return ...  # your answer", "*Your answer.*"


@dataclass(frozen=True)
class Cell:
    """One cell of the text: its kind ("" for what nobody changes), the task it belongs to, its points."""

    kind: str
    task: str
    points: float
    type: str
    source: str
    grade_id: str


@dataclass(frozen=True)
class Check:
    """One call that gives points: a function of a module of checks, and the names in the notebook that it looks at."""

    function: Callable[..., Any]
    names: tuple[str, ...]
    hidden: bool
    points: float


def names() -> list[str]:
    """Return the names of all units."""
    return sorted(path.stem for path in (HERE / "source").glob("*.py"))


def read_unit(name: str) -> list[Cell]:
    """Return the cells of a unit; raise `SystemExit` with a sentence when there is none of that name."""
    path = HERE / "source" / f"{name}.py"
    if name not in names():
        raise SystemExit(f"There is no unit {name!r}; choose from {', '.join(names())}.")
    notebook = jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent")
    return [_cell(cell, number) for number, cell in enumerate(notebook.cells)]


def _cell(cell: NotebookNode, number: int) -> Cell:
    kind = next((kind for kind in KINDS if kind in cell.metadata), "")
    task = cell.metadata.get(kind, "")
    grade_id = {"": f"text-{number}", "only": f"text-{number}", "answer": task, "essay": task}.get(kind, f"{task}-{kind}")
    return Cell(kind, task, float(cell.metadata.get("points", 0)), cell.cell_type, cell.source, grade_id)


@functools.cache
def read_checks(name: str) -> dict[str, Check]:
    """Return the checks of a unit by the id of their cells."""
    modules = {
        "check": importlib.import_module(f"assignments.checks.{name}"),
        "hidden": importlib.import_module(f"assignments.hidden.{name}"),
    }
    return {cell.grade_id: _check(cell, modules) for cell in read_unit(name) if cell.kind in ("visible", "hidden")}


def _check(cell: Cell, modules: dict[str, Any]) -> Check:
    call = ast.parse(cell.source).body[-1].value
    function = getattr(modules[call.func.value.id], call.func.attr)
    return Check(function, tuple(name.id for name in call.args), cell.kind == "hidden", cell.points)


def solution(cell: Cell) -> str:
    """Return the source of a cell with its solution, and without the marks around it."""
    return REGION.sub(lambda region: region[2].rstrip("\n"), cell.source)


def stub(cell: Cell) -> str:
    """Return the source of a cell as a learner gets it."""
    blank = CODE_STUB if cell.type == "code" else TEXT_STUB
    return REGION.sub(lambda region: region[1] + blank, cell.source)
