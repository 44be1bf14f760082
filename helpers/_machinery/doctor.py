"""Looks over the installation: does the workbook run here, and if not, what mends it?

`check_environment()` gives one row per question of `helpers.diagnoses` and `helpers._machinery.machine`: what was found
and, where something is amiss, the remedy in one sentence. `python -m helpers doctor` prints the same table.
Nothing is downloaded, and no check can raise: one that crashes becomes a problem row.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path

from helpers._machinery import diagnoses, machine
from helpers._machinery.diagnoses import OK, PROBLEM, WARNING, Finding

CHECKS = {
    "Python": diagnoses.check_python,
    "Packages": diagnoses.check_packages,
    "Project": diagnoses.check_project,
    "Keras backend": diagnoses.check_backend,
    "Device": machine.check_device,
    "Memory": machine.check_memory,
    "Weights": diagnoses.check_weights,
    "Data": diagnoses.check_data,
    "Widgets": diagnoses.check_widgets,
    "Folders": diagnoses.check_folders,
    "Disk": diagnoses.check_disk,
}
WORDS = {OK: "✓ ok", WARNING: "! <em>warning</em>", PROBLEM: "✗ <strong>problem</strong>"}
CELL = 'style="text-align: left; vertical-align: top"'


@dataclass(frozen=True)
class Row:
    """The answer to one question: a `helpers.diagnoses.Finding` and the name of its check."""

    check: str
    status: str
    found: str
    fix: str = ""


@dataclass(frozen=True, repr=False)
class Report:
    """All rows; `ok` is False when there is a problem. Shown as a table, in a terminal and in a notebook."""

    rows: tuple[Row, ...]

    @property
    def ok(self) -> bool:
        """True when nothing is broken (warnings allowed)."""
        return all(row.status != PROBLEM for row in self.rows)

    @property
    def verdict(self) -> str:
        """One sentence on the whole."""
        broken = [row.check for row in self.rows if row.status == PROBLEM]
        doubts = [row.check for row in self.rows if row.status == WARNING]
        if broken:
            return f"To mend before you start: {', '.join(broken)}."
        return f"Ready to start; worth a look: {', '.join(doubts)}." if doubts else "Everything is ready."

    def __getitem__(self, check: str) -> Row:
        """The row of the check with this name."""
        return {row.check: row for row in self.rows}[check]

    def __repr__(self) -> str:
        wide = max((len(row.check) for row in self.rows), default=0)
        lines = []
        for row in self.rows:
            lines.append(f"{row.check:<{wide}}  {row.status:<7}  {row.found}")
            lines += [f"{'':<{wide}}  fix:     {row.fix}"] if row.fix else []
        return "\n".join([*lines, "", self.verdict])

    def _repr_html_(self) -> str:
        """A table that says in words what others say in colours, and takes its colours from the theme."""
        head = "".join(f'<th scope="col" {CELL}>{name}</th>' for name in ("Check", "Result", "Found", "Remedy"))
        caption = f'<caption style="text-align: left; color: inherit">{escape(self.verdict)}</caption>'
        body = "".join(map(_html_row, self.rows))
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _html_row(row: Row) -> str:
    cells = (WORDS[row.status], escape(row.found), escape(row.fix))
    name = f'<th scope="row" {CELL}>{escape(row.check)}</th>'
    return f"<tr>{name}{''.join(f'<td {CELL}>{cell}</td>' for cell in cells)}</tr>"


def doctor(*, device: bool = True) -> Report:
    """A `Report` on everything that the notebooks rely on.

    With `device=False` TensorFlow is not imported: the answer comes in less than a second, not in several.
    """
    return Report(tuple(_row(name, check) for name, check in CHECKS.items() if device or name != "Device"))


def _row(name: str, check: Callable[[], Finding]) -> Row:
    try:
        finding = check()
        return Row(name, finding.status, _short(finding.found), finding.fix)
    except Exception as error:  # whatever is broken here must not take the other rows with it
        found = f"the check itself failed ({type(error).__name__}: {error})"
        fix = f"{diagnoses.repair()} If that does not help, run `make clean` and start over."
        return Row(name, PROBLEM, found[:300], fix)


def _short(found: str) -> str:
    """The same text with short paths: from the project's folder, or from the home folder."""
    project, home = str(Path(__file__).resolve().parents[2]), str(Path.home())
    found = found.replace(project + os.sep, "").replace(project, "the project's folder")
    return found.replace(home, "~") if len(home) > 1 else found


def find_gpu() -> int:
    """The exit code: 0 when TensorFlow sees a GPU, else 1 after one sentence."""
    row = _row("Device", machine.check_device)
    if row.status == OK and row.found.startswith("GPU"):
        return 0
    message = f"DEVICE=gpu asks for a GPU, but TensorFlow found none: {row.found}. {row.fix}"
    print(message.rstrip(), file=sys.stderr)
    return 1


def run_doctor(*, fast: bool = False, require_gpu: bool = False) -> int:
    """Return the exit code: 1 when something is broken, or when `require_gpu` finds no GPU."""
    if require_gpu:
        return find_gpu()
    report = doctor(device=not fast)
    print(report)
    return 0 if report.ok else 1
