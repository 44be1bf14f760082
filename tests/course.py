"""The notebooks as the tests see them: their cells, and every "Your turn" with its solution and its wrong answers."""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib.util
import math
import re
import tomllib
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]*_*.ipynb"))
WRONG_ANSWERS = Path(__file__).with_name("wrong_answers")

_DETAILS = re.compile(r"<details>\s*<summary>(?P<title>.*?)</summary>(?P<body>.*?)</details>", re.DOTALL)
_PYTHON = re.compile(r"```python\n(?P<code>.*?)```", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Exercise:
    """One "Your turn": a stub whose last statement calls a check, and what is folded below it."""

    notebook: Path
    position: int  # of the stub among all cells of the notebook
    stub: str
    check: str  # the name of the check, for instance check_weight_count
    call: str  # the statement that calls it, as it stands in the stub
    hint: str
    solution: str

    def with_answer(self, answer: str) -> str:
        """Return the cell as a learner would leave it who wrote `answer` in place of the stub."""
        return f"{answer.strip()}\n{self.call}"


@functools.cache
def read(notebook: Path) -> nbformat.NotebookNode:
    """Return the notebook."""
    return nbformat.read(notebook, as_version=4)


def topic(notebook: Path) -> str:
    """Return the name of a notebook without its number: what its modules are called."""
    return notebook.stem.partition("_")[2]


def code_cells(notebook: Path) -> list[nbformat.NotebookNode]:
    """Return the code cells in order."""
    return [cell for cell in read(notebook).cells if cell.cell_type == "code"]


def tags(cell: nbformat.NotebookNode) -> list[str]:
    """Return the tags of a cell."""
    return list(cell.metadata.get("tags", []))


def minutes(notebook: Path) -> int:
    """Return how long a learner needs, in steps of five.

    A minute for 180 words that are not folded away, 4 for each exercise, 3 for each explorer, half a minute a code cell.
    """
    prose = " ".join(cell.source for cell in read(notebook).cells if cell.cell_type == "markdown")
    words = len(re.sub(r"<details>.*?</details>|```.*?```|<[^>]+>|\]\([^)]*\)", "", prose, flags=re.DOTALL).split())
    explorers = sum("[explorer]" in str(cell.outputs) for cell in code_cells(notebook))
    needed = words / 180 + 4 * len(exercises(notebook)) + 3 * explorers + len(code_cells(notebook)) / 2
    return 5 * math.ceil(needed / 5)


@functools.cache
def exercises(notebook: Path) -> tuple[Exercise, ...]:
    """Return every "Your turn" of a notebook, in order; `ValueError` names one that has not the agreed form."""
    cells = read(notebook).cells
    return tuple(
        _exercise(notebook, index, cell.source, cells[index + 1].source if index + 1 < len(cells) else "")
        for index, cell in enumerate(cells)
        if cell.cell_type == "code" and "your-turn" in tags(cell)
    )


def _exercise(notebook: Path, position: int, source: str, below: str) -> Exercise:
    where = f"{notebook.name}, cell {position}"
    last = ast.parse(source).body[-1]
    call = ast.get_source_segment(source, last) or ""
    name = re.match(r"(?:\w+\.)*(check_\w+)\(", call)
    if not isinstance(last, ast.Expr) or name is None:
        raise ValueError(f"{where}: the last statement of a your-turn cell has to be a call of check_...")
    folds = {fold["title"].strip().lower(): fold["body"] for fold in _DETAILS.finditer(below)}
    code = _PYTHON.search(folds.get("solution", ""))
    if "hint" not in folds or code is None:
        raise ValueError(f"{where}: the next cell needs a folded Hint, and a folded Solution with a python block")
    return Exercise(notebook, position, source, name[1], call, folds["hint"].strip(), code["code"])


@functools.cache
def wrong_answers(notebook: Path) -> dict[str, list[dict[str, str]]]:
    """Return, for each check of a notebook, its typical wrong answers: `answer` (code) and a part of its `hint`.

    Those of a number exercise are its own rows `(number, hint)`; tests/wrong_answers adds what is more than a number.
    """
    path = WRONG_ANSWERS / f"{notebook.stem}.toml"
    written = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    rows = {exercise.check: _rows(exercise) for exercise in exercises(notebook)}
    return {check: rows.get(check, []) + written.get(check, []) for check in rows | written}


def _rows(exercise: Exercise) -> list[dict[str, str]]:
    """The rows of a number exercise, as answers: the stub with each wrong number in place of its `...`."""
    module = f"helpers.exercises.{topic(exercise.notebook)}"
    if importlib.util.find_spec(module) is None:
        return []
    check = getattr(importlib.import_module(module), exercise.check, None)
    blank = exercise.stub.removesuffix(exercise.call)
    return [
        {"answer": blank.replace("...", repr(float(number) if number % 1 else int(number))), "hint": hint}
        for number, hint in getattr(check, "wrong_numbers", ())
    ]
