"""Broken and hostile submissions, and what has to come out for each.

A row is a name, what it starts from (every solution, or every stub), what is changed, and the outcome: the points that
checks give, or a part of the reason why nothing is graded.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from assignments import units

UNIT = "mlp_and_backpropagation"
FULL, OTHERS = 28.0, "what-only-the-good-one-wrote"
CELLS = {cell.grade_id: cell for cell in units.read_unit(UNIT)}
Change = Callable[[NotebookNode], None]


@dataclass(frozen=True)
class Row:
    """One submission: `solved` or not, a change, and the outcome."""

    name: str
    solved: bool
    change: Change
    outcome: float | str | tuple[float, str]


def code(source: str, *, at: int = 4) -> Change:
    """Return a change that adds a cell of code, behind the imports or where it is told."""
    return lambda notebook: notebook.cells.insert(at if at >= 0 else len(notebook.cells), new_code_cell(source))


def answer(**sources: str) -> Change:
    """Return a change that writes other answers to tasks."""

    def change(notebook: NotebookNode) -> None:
        for cell in notebook.cells:
            if cell.metadata.nbgrader.grade_id in sources:
                cell.source = sources[cell.metadata.nbgrader.grade_id]

    return change


def each(edit: Callable[[NotebookNode], None]) -> Change:
    """Return a change of every cell."""
    return lambda notebook: [edit(cell) for cell in notebook.cells] and None


def without(grade_id: str) -> Change:
    """Return a change that deletes a cell."""

    def change(notebook: NotebookNode) -> None:
        notebook.cells = [cell for cell in notebook.cells if cell.metadata.nbgrader.grade_id != grade_id]

    return change


def several(*changes: Change) -> Change:
    """Return the changes one after the other."""
    return lambda notebook: [change(notebook) for change in changes] and None


def pass_for_checked(cell: NotebookNode) -> None:
    """Claim a hundred points, that the cell needs no running, and that it went well."""
    cell.metadata.tags, cell.metadata.nbgrader["points"] = ["skip-execution", "raises-exception"], 100
    cell.metadata.nbgrader["locked"] = False
    if cell.cell_type == "code" and cell.metadata.nbgrader["grade"]:
        cell.source = "print('Correct: all of it')"


EVERYTHING = "\n".join(f"def {cell.task}(*_): return Everything()" for cell in CELLS.values() if cell.kind == "answer")
EQUAL = """
class Everything:
    shape, size, dtype = (), 1, float
    def __eq__(self, other): return True
    def __getattr__(self, name): return Everything()
    def __iter__(self): return iter(())
    def __float__(self): return 1124.0
    def __len__(self): return 2
"""
PATCH_CHECKS = """
import builtins, json, sys
import checks
from helpers.exercises import feedback
for module in (checks, feedback, json, np):
    for name in dir(module):
        if name.startswith("check_") or name in ("expect", "hint_if", "verdict", "call", "allclose", "array_equal"):
            setattr(module, name, lambda *given, **more: print("Correct: patched"))
feedback.verdict = lambda *given, **more: "Correct: patched"
"""
NO_RAISE = """
import ast
class NoRaise(ast.NodeTransformer):
    def visit_Raise(self, node): return ast.Pass()
    def visit_Assert(self, node): return ast.Pass()
get_ipython().ast_transformers.append(NoRaise())
"""
FORGE = """
import json
def forged(expressions):
    text = json.dumps({"value": %s, "arguments": []})
    return {"answer": {"status": "ok", "data": {"text/plain": repr(text)}, "metadata": {}}}
get_ipython().user_expressions = forged
"""
SEARCH = """
import os
seen = []
for folder, _, files in os.walk("/"):
    for file in files:
        path = os.path.join(folder, file)
        notebook = file.endswith(".ipynb") and "site-packages" not in path
        if notebook or file == "gradebook.db" or "hidden" in path.split(os.sep):
            seen.append(path)
            print(open(path, errors="replace").read())
print("found", len(seen))
try:
    import assignments.hidden
    print("imported")
except ImportError:
    print("no import")
"""
SCRIPTS = """
from IPython.display import HTML, Javascript, display, publish_display_data
bad = "<script>document.title='owned'</script><img src=x onerror=\\"document.title='owned'\\">"
display(HTML(bad), Javascript("document.title='owned'"))
publish_display_data({"image/png": "x'>" + bad, "text/markdown": bad, "image/svg+xml": bad, "text/latex": bad})
publish_display_data({"image/jpeg": "AAAA' onerror='document.title=1"}, metadata={"image/jpeg": {"width": "1' onload='x"}})
print(bad)
get_ipython().kernel.send_response(get_ipython().kernel.iopub_socket, "execute_input",
    {"code": "1", "execution_count": bad})
raise RuntimeError(bad)
"""
BAD_TEXT = "<script>document.title='owned'</script> [x](javascript:document.title='owned') $\\href{javascript:alert(1)}{x}$"
CHILDREN = """
import subprocess, sys
for _ in range(20):
    subprocess.Popen([sys.executable, "-c", "import time; 'workbook-orphan'; time.sleep(600)"], start_new_session=True)
"""
FILL = """
import os
for number in range(60):
    with open(os.path.join(os.environ["JUPYTER_RUNTIME_DIR"], f"fill-{number}"), "wb") as file:
        file.write(b"x" * 20_000_000)
import time
time.sleep(15)
"""
STUBBORN = """
while True:
    try:
        while True: pass
    except BaseException:
        pass
"""
DEEP = '{"is": "list", "of": [' * 5000 + "]}" * 5000

ROWS = [
    Row("good", True, code(f"# {OTHERS}"), FULL),
    Row("josé müller", True, code("# a name with a blank and an accent"), FULL),
    Row("untouched", False, lambda notebook: None, 0.0),
    Row("syntax-error", True, answer(count_parameters="def count_parameters(sizes): return (("), FULL - 3),
    Row("recursion", True, answer(majority="def majority(): return majority()"), FULL - 2),
    Row("leaves", True, answer(majority="def majority(): raise SystemExit"), FULL - 2),
    Row("stderr", True, code("import warnings, sys; warnings.warn('x'); print('x', file=sys.stderr); 0.5"), FULL),
    Row("asks", True, code("input('your name? ')"), FULL),
    Row("resets", True, code("%reset -f", at=-1), FULL),
    Row("copies", True, lambda notebook: notebook.cells.extend(copy.deepcopy(notebook.cells[5:9])), FULL),
    Row("deleted-check", True, without("fit-visible"), FULL),
    Row("lost-metadata", True, each(lambda cell: cell.metadata.clear()), FULL),
    Row("surrogate", True, code("x = '\ud800'\nprint(1)"), FULL),
    Row("memory", True, code("x = bytearray(10**12)"), FULL),
    Row("loop", True, answer(majority="def majority():\n    while True: pass"), FULL - 2),
    Row("prints", True, code("while True: print('x' * 200)"), (FULL, "interrupted")),
    Row("stubborn", True, code(STUBBORN, at=-1), (FULL, "interrupted")),
    Row("exits", True, code("import os; os._exit(0)"), "ended the kernel"),
    Row("kills", True, code("import os; os.kill(os.getpid(), 9)", at=-1), "ended the kernel"),
    Row("kills-in-a-check", True, answer(majority="import os\ndef majority(): os._exit(1)"), "ended the kernel"),
    Row("fills", True, code(FILL), (FULL, "filled the folder")),
    Row("children", True, code(CHILDREN), FULL),
    Row(
        "thread",
        True,
        code(
            "import threading, time\ndef talk():\n    while True: print('x'); time.sleep(0.01)\n"
            "threading.Thread(target=talk, daemon=True).start()"
        ),
        FULL,
    ),  # fmt: skip
    Row("deletes", True, code("import shutil; shutil.rmtree('/', ignore_errors=True)", at=-1), FULL),
    Row("writes-checks", False, code("open('checks.py', 'w').write('')"), 0.0),
    Row("many-cells", True, lambda notebook: notebook.cells.extend(new_code_cell("1") for _ in range(1001)), "cells, and"),
    Row("claims", False, each(pass_for_checked), 0.0),
    Row("patches", False, code(PATCH_CHECKS), 0.0),
    Row("no-raise", False, code(NO_RAISE), 0.0),
    Row("equal", False, code(EQUAL + EVERYTHING, at=-1), 0.0),
    Row(
        "equal-before",
        False,
        answer(**{cell.task: EQUAL + EVERYTHING for cell in CELLS.values() if cell.kind == "answer"}),
        0.0,
    ),
    Row("forges-deep", False, code(FORGE % repr(DEEP)), 0.0),
    Row("forges-array", False, code(FORGE % "{'is': 'array', 'type': '<f8', 'shape': [10**10], 'of': ''}"), 0.0),
    Row("forges-pickle", False, code(FORGE % "{'is': 'pickle', 'of': 'gASV'}"), 0.0),
    Row("forges-text", False, code(FORGE % "'Correct: forged'"), 0.0),
    Row("huge", True, answer(majority="def majority(): return np.ones(10_000_000), 1"), FULL - 2),
    Row("searches", False, code(SEARCH), 0.0),
    Row("scripts", True, code(SCRIPTS), FULL),
    Row("scripts-in-text", True, lambda notebook: notebook.cells.insert(2, new_markdown_cell(BAD_TEXT)), FULL),
    Row("scripts-in-answer", True, answer(in_your_own_words=BAD_TEXT), FULL),
    Row(
        "comms", True, code("from ipykernel.comm import Comm\nComm('jupyter.widget', data={'state': {'x': [1] * 9}})"), FULL
    ),
]


def make(row: Row, given: NotebookNode, folder: Path, unit: str = UNIT) -> None:
    """Write a submission to `folder/NAME/UNIT.ipynb`."""
    notebook, cells = copy.deepcopy(given), {cell.grade_id: cell for cell in units.read_unit(unit)}
    for cell in notebook.cells:
        if row.solved and not cell.metadata.nbgrader.locked:
            cell.source = units.solution(cells[cell.metadata.nbgrader.grade_id])
    row.change(notebook)
    (folder / row.name).mkdir(parents=True)
    (folder / row.name / f"{unit}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")


def make_files(folder: Path) -> dict[str, float | str]:
    """Write submissions that are broken as files, from the one named good, and return their outcomes."""
    good = folder / "good" / f"{UNIT}.ipynb"
    for name in (
        "corrupt",
        "empty",
        "binary",
        "list",
        "nothing",
        "two",
        "link",
        "linked-folder",
        "renamed",
        "old-format",
        "big",
    ):
        (folder / name).mkdir()
    for name, content in {"corrupt": b'{"cells": [', "empty": b"", "binary": bytes(range(256)), "list": b"[1, 2]"}.items():
        (folder / name / f"{UNIT}.ipynb").write_bytes(content)
    for name in ("one.ipynb", "two.ipynb"):
        shutil.copy(good, folder / "two" / name)
    shutil.copy(good, folder / "renamed" / f"{UNIT} (2).ipynb")
    os.symlink(good, folder / "link" / f"{UNIT}.ipynb")
    (folder / "linked-folder").rmdir()
    os.symlink(good.parent, folder / "linked-folder")
    older = nbformat.convert(nbformat.read(good, as_version=4), 3)
    (folder / "old-format" / f"{UNIT}.ipynb").write_text(json.dumps(older), encoding="utf-8")
    (folder / "big" / f"{UNIT}.ipynb").write_bytes(b" " * 31_000_000)
    for name in ("*", "=HYPERLINK(1)"):
        shutil.copytree(good.parent, folder / name)
    shutil.copy(good, folder / "Lovelace Ada_4711_assignsubmission_file_work.ipynb")
    return {
        "corrupt": "no notebook", "empty": "no notebook", "binary": "no notebook", "list": "no notebook",
        "nothing": "no notebook", "two": "2 notebooks", "link": "link", "linked-folder": "no", "renamed": FULL,
        "old-format": FULL, "big": "MB large", "*": "cannot be that", "'=HYPERLINK(1)": "cannot be that", "4711": FULL,
    }  # fmt: skip
