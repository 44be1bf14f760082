"""Which exercises a learner has solved, remembered from one day to the next in one small file on this computer.

A check that answers "Correct" writes its name down. The file is `learner.json` in the cache folder of the workbook, or
the one that the variable WORKBOOK_LEARNER_FILE names. Nothing of it leaves the computer, and where it cannot be
written the course works without it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import html
import importlib
import json
import logging
import os
import pkgutil
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

log = logging.getLogger(__name__)

PATIENCE = 10  # seconds to wait for another notebook that writes at the same time
Solved = dict[str, dict[str, str]]  # topic of a notebook, name of a check, day on which it was solved


def progress_file() -> Path:
    """Return where the progress is kept; the file need not exist."""
    named = os.environ.get("WORKBOOK_LEARNER_FILE")
    if named:
        return Path(named).expanduser().resolve()
    from helpers._machinery.weights import cache_folder

    return cache_folder() / "learner.json"


def record_solved(check: Callable[..., object]) -> None:
    """Remember that the answer to a check of `helpers.exercises` was right; never raises, whatever happens."""
    package, _, topic = check.__module__.rpartition(".")
    if package != "helpers.exercises":
        return
    try:
        path = progress_file()
        if check.__name__ in _read(path)[0].get(topic, {}):
            return
        with _locked(path):
            solved = _read(path)[0]
            solved.setdefault(topic, {})[check.__name__] = datetime.date.today().isoformat()
            _write(path, solved)
    except Exception as error:  # a check must not fail because a folder is read-only or a disk full
        log.debug("The progress was not written: %s", error)


def load_progress() -> Solved:
    """Return the solved checks by topic; empty where there is no file, or none that can be read."""
    return _read(progress_file())[0]


def forget_progress() -> Progress:
    """Return the progress after all of it has been forgotten; `OSError` when the file cannot be removed."""
    path = progress_file()
    if path.exists():
        with _locked(path):
            path.unlink(missing_ok=True)
    return show_progress()


def show_progress() -> Progress:
    """Return a table of all notebooks with the number of exercises that are solved in each."""
    solved, notice = _read(progress_file())
    return Progress(
        tuple(
            dataclasses.replace(part, solved=tuple(name in solved.get(part.topic, {}) for name in part.checks))
            for part in _notebooks()
        ),
        notice,
    )


@dataclasses.dataclass(frozen=True)
class NotebookProgress:
    """One notebook: its number, title and topic, the names of its checks in order, and which of them are solved."""

    number: str
    title: str
    topic: str
    checks: tuple[str, ...]
    solved: tuple[bool, ...] = ()


@dataclasses.dataclass(frozen=True)
class Progress:
    """A table for the reader; as plain text one sentence that is always the same, because tests compare it."""

    notebooks: tuple[NotebookProgress, ...]
    notice: str = ""

    def __repr__(self) -> str:
        return "[progress] A table of the exercises that you have solved."

    def _repr_html_(self) -> str:
        solved, total = (
            sum(sum(part.solved) for part in self.notebooks),
            sum(len(part.checks) for part in self.notebooks),
        )
        notice = f'<p role="alert">{html.escape(self.notice)}</p>' if self.notice else ""
        heads = "".join(f'<th scope="col" style="text-align: left">{head}</th>' for head in HEADS)
        rows = "".join(map(_row, self.notebooks))
        return (
            f"{notice}<table><caption>{solved} of {total} exercises solved</caption>"
            f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
        )


HEADS = ("", "notebook", "solved", "still open: Your turn ...")


def _row(part: NotebookProgress) -> str:
    link = f'<a href="{part.number}_{part.topic}.ipynb">{html.escape(part.title)}</a>'
    still_open = [str(number) for number, solved in enumerate(part.solved, 1) if not solved]
    cells = (part.number, link, f"{sum(part.solved)} of {len(part.checks)}", ", ".join(still_open) or "none")
    columns = "".join(f'<td style="text-align: left">{cell}</td>' for cell in cells)
    return f"<tr>{columns}</tr>"


def _notebooks() -> list[NotebookProgress]:
    """Every notebook that has exercises, in order: each module of `helpers.exercises` says which one it belongs to."""
    import helpers.exercises

    parts = []
    for found in pkgutil.iter_modules(helpers.exercises.__path__):
        module = importlib.import_module(f"helpers.exercises.{found.name}")
        named = re.match(r"Checks of notebook (\d\d), (.+?)\.", module.__doc__ or "")
        if named:
            checks = tuple(
                name
                for name, check in vars(module).items()
                if name.startswith("check_") and getattr(check, "__module__", "") == module.__name__
            )
            title = named[2][0].upper() + named[2][1:]
            parts.append(NotebookProgress(named[1], title, found.name, checks))
    return sorted(parts, key=lambda part: part.number)


def _read(path: Path) -> tuple[Solved, str]:
    """What is in the file, and a notice for the reader; a damaged file is put aside and counts as empty."""
    try:
        solved = json.loads(path.read_text(encoding="utf-8"))["solved"]
        if all(isinstance(day, str) for checks in solved.values() for day in checks.values()):
            return solved, ""
    except OSError:
        return {}, ""
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    return {}, _put_aside(path)


def _put_aside(path: Path) -> str:
    aside = path.with_name(f"{path.stem}-damaged-{datetime.datetime.now():%Y%m%d-%H%M%S-%f}{path.suffix}")
    try:
        path.replace(aside)
    except OSError:  # another notebook has done it, or the folder is read-only
        return ""
    notice = (
        f"Your progress could not be read and begins anew. The old file is kept as {aside.name}, in the same folder."
    )
    log.warning(notice)
    return notice


def _write(path: Path, solved: Solved) -> None:
    """Write the file whole or not at all: beside its place, then renamed."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".tmp", delete=False, encoding="utf-8") as file:
        json.dump({"solved": solved}, file, indent=1)
    try:
        os.replace(file.name, path)
    finally:
        Path(file.name).unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    from filelock import FileLock

    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(path.name + ".lock"), timeout=PATIENCE):
        yield
