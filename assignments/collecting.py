"""From a folder, or a zip of Moodle, to one notebook a student, rebuilt from what the class was given.

Of a submission only the text of its cells is kept, and which cell it belongs to. Locked cells and their points are ours.
A cell that was copied counts once, a cell with a check that was deleted is put back.
"""

import datetime
import hashlib
import re
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from dateutil import parser as dates
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

STUDENT = re.compile(r"\w[\w.@ -]{0,79}")
MOODLE = re.compile(r"(?P<name>[^_/]+)_(?P<student>[^_/]+)_assignsubmission_file_?(?P<file>.*)")
MOST_BYTES, MOST_CELLS = 30_000_000, 1000
MISSING = "*(This cell was not in the submission. Look for the answer in the cells around it.)*"


@dataclass
class Submission:
    """What one student handed in: where it lies, when it came, and why it cannot be graded, if it cannot."""

    student: str
    path: Path | None = None
    name: str = ""
    submitted: datetime.datetime | None = None
    problem: str = ""
    notes: list[str] = field(default_factory=list)

    def fingerprint(self) -> str:
        """Return a short text that changes when the submission does."""
        content = self.path.read_bytes() if self.path and not self.problem else b""
        return hashlib.sha256(content + str((self.student, self.submitted, self.problem)).encode()).hexdigest()[:16]


@contextmanager
def opened(place: Path) -> Iterator[Path]:
    """Give the folder of submissions; a zip is unpacked for as long as it is needed."""
    if not zipfile.is_zipfile(place):
        if not place.is_dir():
            raise SystemExit(f"There is neither a folder nor a zip of submissions at {place}.")
        yield place
        return
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(place) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > 100 * MOST_BYTES:
            raise SystemExit(f"{place} would unpack to more than {100 * MOST_BYTES / 1e9:.0f} GB; unpack it yourself.")
        archive.extractall(folder)  # never outside of the folder, and links become files
        yield Path(folder)


def find(folder: Path, unit: str) -> list[Submission]:
    """Return the submissions in a folder: one folder or one notebook a student, with names of one's own or of Moodle."""
    found: dict[str, Submission] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "__MACOSX")) or (path.is_file() and path.suffix != ".ipynb"):
            continue
        named = MOODLE.fullmatch(path.stem if path.suffix == ".ipynb" else path.name)
        student, name = (named["student"], named["name"]) if named else (path.stem if path.is_file() else path.name, "")
        one = Submission(student, name=name)
        if not STUDENT.fullmatch(student):
            one.problem = "the name of its folder cannot be that of a student: letters, digits, blanks and . @ - can"
        elif student in found:
            one = found[student]
            one.problem = "there are two submissions of this student"
        else:
            _choose(one, path, unit)
        found[student] = one
    return list(found.values())


def _choose(one: Submission, path: Path, unit: str) -> None:
    """Note the notebook of a submission and its time, or why there is none."""
    inside = sorted(path.rglob("*.ipynb")) if path.is_dir() and not path.is_symlink() else [path]
    inside = [file for file in inside if ".ipynb_checkpoints" not in file.parts]
    named = [file for file in inside if file.name == f"{unit}.ipynb"]
    chosen = named if len(named) == 1 else inside
    if len(chosen) != 1:
        many = ", ".join(file.name for file in chosen[:3])
        one.problem = f"there are {len(chosen)} notebooks ({many}), and one named {unit}.ipynb is wanted"
        if not chosen:
            one.problem = "there is no notebook in it"
        return
    one.path = chosen[0]
    if one.path.is_symlink() or any(parent.is_symlink() for parent in one.path.parents if path in (parent, *parent.parents)):
        one.problem = "the notebook is a link to another file"
    elif not one.path.is_file():
        one.problem = "the notebook is no file"
    elif one.path.stat().st_size > MOST_BYTES:
        size = one.path.stat().st_size / 1e6
        one.problem = f"the notebook is {size:.0f} MB large, and {MOST_BYTES / 1e6:.0f} are the most"
    if path.is_dir() and one.path.name != f"{unit}.ipynb":
        one.notes.append(f"its notebook is named {one.path.name}")
    _note_time(one)


def _note_time(one: Submission) -> None:
    stamp = one.path.parent / "timestamp.txt"
    if stamp.is_file() and not stamp.is_symlink() and stamp.stat().st_size < 200:
        try:
            when = dates.parse(stamp.read_text(encoding="utf-8").strip())
            one.submitted = when.astimezone(datetime.UTC).replace(tzinfo=None) if when.tzinfo else when
        except (ValueError, OverflowError, UnicodeDecodeError):
            one.notes.append("its timestamp.txt holds no time")


def read(path: Path) -> NotebookNode:
    """Return the plain notebook of somebody else's file; raise `ValueError` with a sentence when it is none."""
    try:
        return plain(nbformat.reads(path.read_text(encoding="utf-8"), as_version=4))
    except _Refused:
        raise
    except Exception as error:
        raise _Refused(f"the file is no notebook ({type(error).__name__})") from None


class _Refused(ValueError):
    """A sentence about a notebook that is not taken."""


def plain(notebook: NotebookNode) -> NotebookNode:
    """Return a notebook of which only the text of the cells is left, and which cell each of them says it is."""
    cells = [(str(cell.cell_type), cell.source, cell.get("metadata", {})) for cell in notebook.cells]
    if len(cells) > MOST_CELLS:
        raise _Refused(f"the notebook has {len(cells)} cells, and {MOST_CELLS} are the most")
    if not all(isinstance(source, str) for _, source, _ in cells):
        raise _Refused("a cell holds something else than text")
    return new_notebook(cells=[_plain(kind, source, _grade_id(about)) for kind, source, about in cells])


def _grade_id(about: object) -> str | None:
    nbgrader = about.get("nbgrader") if isinstance(about, dict) else None
    grade_id = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    return grade_id if isinstance(grade_id, str) else None


def _plain(kind: str, source: str, grade_id: str | None = None) -> NotebookNode:
    text = source.encode("utf-8", "replace").decode("utf-8")
    cell = new_code_cell(text) if kind == "code" else new_markdown_cell(text)
    cell.metadata.grade_id = grade_id  # until `rebuild` has seen it
    return cell


def rebuild(notebook: NotebookNode, given: NotebookNode) -> tuple[NotebookNode, list[str]]:
    """Return the notebook with the cells of the one that the class was given in order, and what had to be repaired."""
    known = {cell.metadata.nbgrader.grade_id: cell for cell in given.cells}
    locked = {cell.source: grade_id for grade_id, cell in known.items() if cell.metadata.nbgrader.locked}
    placed: dict[str, NotebookNode] = {}
    copies = []
    for cell in reversed(notebook.cells):
        grade_id = cell.metadata.pop("grade_id", None)
        if grade_id in placed:
            copies.append(grade_id)
        elif grade_id in known:
            placed[grade_id] = cell
    for cell in notebook.cells:  # cells that lost what nbgrader wrote on them, and are as they were given
        grade_id = locked.get(cell.source)
        if grade_id and grade_id not in placed:
            placed[grade_id] = cell
    ours = {id(cell): _as_given(known[grade_id], cell.source) for grade_id, cell in placed.items()}
    cells = [ours.get(id(cell), cell) for cell in notebook.cells]
    missing = [grade_id for grade_id, cell in known.items() if grade_id not in placed and _needed(cell)]
    for grade_id in missing:
        _put_back(cells, known, grade_id)
    notes = [f"copied cells: {', '.join(sorted(set(copies)))}"] if copies else []
    notes += [f"cells put back: {', '.join(missing)}"] if missing else []
    return new_notebook(cells=cells, metadata=given.metadata), notes


def _needed(cell: NotebookNode) -> bool:
    """Return whether a cell is put back: those with points, and code that everybody has; not an answer's stub."""
    about = cell.metadata.nbgrader
    return about.grade or (about.locked and cell.cell_type == "code")


def _as_given(cell: NotebookNode, source: str) -> NotebookNode:
    """Return a copy of the cell that was given, with the text of the submission where it may be changed."""
    source = cell.source if cell.metadata.nbgrader.locked else source
    metadata = NotebookNode(nbgrader=NotebookNode(cell.metadata.nbgrader))
    return (new_code_cell if cell.cell_type == "code" else new_markdown_cell)(source, metadata=metadata)


def _put_back(cells: list[NotebookNode], known: dict[str, NotebookNode], grade_id: str) -> None:
    """Insert a cell behind the nearest one that stood before it, or at the end."""
    order, there = list(known), {cell.metadata.get("nbgrader", {}).get("grade_id"): at for at, cell in enumerate(cells)}
    before = [there[other] for other in order[: order.index(grade_id)] if other in there]
    code = known[grade_id].cell_type == "code" and not known[grade_id].metadata.nbgrader.grade
    at = before[-1] + 1 if before else 0 if code else len(cells)
    cells.insert(at, _as_given(known[grade_id], MISSING))
