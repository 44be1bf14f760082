"""The versions that are made of a unit: for a class, for one's own pace, solved, and a bundle for Moodle.

`master` has what nbgrader wants to know of each cell; the class gets what nbgrader's `generate_assignment` makes of it.
"""

import shutil
import zipfile
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from assignments import units
from assignments.units import Cell

HIDDEN = """# Hidden check of {task}, {points:g} points: it runs when your work is graded
### BEGIN HIDDEN TESTS
{source}
### END HIDDEN TESTS"""
IMPORT = "from assignments.hidden import {unit} as hidden\n\n{call}"
FOLDED = "<details><summary>{title}</summary>\n\n{text}\n\n</details>"
VERSIONS = ("class", "self-paced", "solution", "moodle")


def master(unit: str) -> NotebookNode:
    """Return the notebook that nbgrader starts from, with solutions and hidden checks."""
    return _notebook(_master_cell(unit, cell) for cell in units.read_unit(unit) if _belongs(cell, "class"))


def self_paced(unit: str) -> NotebookNode:
    """Return the notebook for one's own pace: stubs, immediate checks, hints and solutions folded."""
    cells = [cell for cell in units.read_unit(unit) if cell.kind != "hidden" and _belongs(cell, "self-paced", "hint")]
    solved = {cell.task: _shown(cell) for cell in cells if cell.kind in ("answer", "essay")}
    made = []
    for cell in cells:
        text = FOLDED.format(title="Hint", text=cell.source) if cell.kind == "hint" else units.stub(cell)
        made.append(_cell(cell.type, text))
        if cell.kind in ("hint", "essay"):
            made.append(_cell("markdown", FOLDED.format(title="Solution", text=solved[cell.task])))
    return _notebook(made)


def solution(unit: str) -> NotebookNode:
    """Return the notebook with every solution in its place, and no hidden check."""
    cells = [cell for cell in units.read_unit(unit) if cell.kind != "hidden" and _belongs(cell, "self-paced")]
    return _notebook(_cell(cell.type, units.solution(cell)) for cell in cells)


def _belongs(cell: Cell, version: str, *also: str) -> bool:
    """Return whether a cell stands in a version: hints and what is for another one do not."""
    return (cell.kind != "hint" or "hint" in also) and (cell.kind != "only" or cell.task == version)


def _shown(cell: Cell) -> str:
    return units.solution(cell) if cell.type == "markdown" else f"```python\n{units.solution(cell)}\n```"


def _master_cell(unit: str, cell: Cell) -> NotebookNode:
    graded, written = cell.kind in ("visible", "hidden", "essay"), cell.kind in ("answer", "essay")
    about = {"schema_version": 3, "grade_id": cell.grade_id, "grade": graded, "solution": written, "locked": not written}
    about |= {"task": False, "cell_type": cell.type} | ({"points": cell.points} if graded else {})
    source = cell.source
    if cell.kind == "visible":
        source = f"# Visible check, {cell.points:g} points\n{source}"
    elif cell.kind == "hidden":
        source = HIDDEN.format(task=cell.task, points=cell.points, source=IMPORT.format(unit=unit, call=source))
    return _cell(cell.type, source, nbgrader=about)


def _cell(kind: str, source: str, **metadata: dict) -> NotebookNode:
    return (new_code_cell if kind == "code" else new_markdown_cell)(source, metadata=metadata)


def _notebook(cells) -> NotebookNode:
    """Return a notebook of the cells, whose ids are their numbers, so that it is the same whenever it is made."""
    notebook = new_notebook(cells=list(cells), metadata={"kernelspec": units.KERNEL, "language_info": {"name": "python"}})
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
    return notebook


def write(notebook: NotebookNode, folder: Path, unit: str) -> Path:
    """Return the path of the notebook, written to a folder of its own with the visible checks beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, folder / f"{unit}.ipynb")
    shutil.copyfile(units.HERE / "checks" / f"{unit}.py", folder / "checks.py")
    return folder / f"{unit}.ipynb"


def bundle(folder: Path, path: Path) -> None:
    """Write a zip of a folder that is the same whenever it is made; Moodle takes it as the file of an assignment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.writestr(zipfile.ZipInfo(f"{folder.name}/{file.name}"), file.read_bytes(), zipfile.ZIP_DEFLATED)


def build(unit: str, out: Path) -> list[Path]:
    """Return the folders of the versions of a unit, made anew; the class's one needs nbgrader."""
    from assignments import classroom

    for version in VERSIONS:
        shutil.rmtree(out / version / unit, ignore_errors=True)
    write(self_paced(unit), out / "self-paced" / unit, unit)
    write(solution(unit), out / "solution" / unit, unit)
    release = classroom.release(unit, out / "nbgrader")
    shutil.copytree(release, out / "class" / unit)
    bundle(out / "class" / unit, out / "moodle" / f"{unit}.zip")
    return [out / version / unit for version in VERSIONS[:3]] + [out / "moodle" / f"{unit}.zip"]
