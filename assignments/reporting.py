"""What a teacher reads after grading: a row for each student, as text and as a table for a spreadsheet."""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assignments import pages
from assignments.collecting import STUDENT, Submission

if TYPE_CHECKING:
    from assignments.grading import Settings

GRADED, WAITING, NOT_GRADED, NOT_SUBMITTED = "graded", "waiting for a person", "not graded", "not submitted"
COLUMNS = ("student", "name", "status", "score", "of", "late_hours", "penalty", "waiting", "reason", "notes")
DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n")  # a spreadsheet takes what begins so for a formula


def rows(settings: "Settings", done: list[tuple[Submission, dict[str, Any] | None]], roster: Path | None) -> list[dict]:
    """Return a row for each submission, and for each student of the roster who has handed in nothing."""
    from assignments import grading

    made = [_row(one, result, grading.marks(settings, one.student)) for one, result in done]
    handed_in = {one.student for one, _ in done}
    absent = [student for student in read_roster(roster) if student not in handed_in]
    blank = dict.fromkeys(COLUMNS, "")
    made += [blank | {"student": student, "status": NOT_SUBMITTED} for student in absent]
    return sorted(made, key=lambda row: str(row["student"]))


def _row(one: Submission, result: dict[str, Any] | None, marks: dict[str, Any] | None) -> dict[str, Any]:
    problem = one.problem or (result or {}).get("problem", "") or ("" if marks else "it has no marks in the grade book")
    notes = "; ".join((result or {}).get("notes", one.notes))
    row = dict.fromkeys(COLUMNS, "") | {"student": one.student, "name": one.name, "notes": notes}
    if problem:
        return row | {"status": NOT_GRADED, "reason": problem}
    hours = round(marks["late_seconds"] / 3600, 1) or ""
    row |= {"score": marks["score"], "of": marks["most"], "late_hours": hours, "penalty": marks["penalty"] or ""}
    return row | {"status": WAITING if marks["waiting"] else GRADED, "waiting": ", ".join(marks["waiting"])}


def read_roster(path: Path | None) -> list[str]:
    """Return the students of a roster, the first column of a CSV; a first row that says "student" is left out."""
    if path is None:
        return []
    if not path.is_file():
        raise SystemExit(f"There is no roster {path}. Nothing was graded.")
    first = [row[0].strip() for row in csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"))) if row]
    return [student for student in first if STUDENT.fullmatch(student) and student.lower() not in ("student", "student_id")]


def as_table(found: list[dict[str, Any]]) -> str:
    """Return the rows as CSV, every text in quotation marks, and none that a spreadsheet would take for a formula."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(COLUMNS)
    writer.writerows([_defused(row[column]) for column in COLUMNS] for row in found)
    return text.getvalue()


def _defused(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.lstrip(" ").startswith(DANGEROUS) else value


def as_text(found: list[dict[str, Any]]) -> str:
    """Return the report for the eye: how many of each kind, then who."""
    lines = []
    for status in (GRADED, WAITING, NOT_GRADED, NOT_SUBMITTED):
        of_kind = [row for row in found if row["status"] == status]
        lines.append(f"{status}: {len(of_kind)}")
        for row in of_kind:
            score = f"{row['score']:g} of {row['of']:g}" if row["score"] != "" else ""
            rest = "; ".join(str(row[column]) for column in ("waiting", "reason", "notes") if row[column])
            late = f"{row['late_hours']} hours late" if row["late_hours"] else ""
            late += f", {row['penalty']:g} taken off" if row["penalty"] else ""
            lines.append("  " + "  ".join(filter(None, [row["student"], score, late, rest])))
    return "\n".join(lines) + "\n"


def write(settings: "Settings", found: list[dict[str, Any]]) -> None:
    """Write `UNIT.csv` and `UNIT.txt`, and a page for each student who has marks."""
    (settings.out / f"{settings.unit}.csv").write_text(as_table(found), encoding="utf-8-sig", newline="")
    (settings.out / f"{settings.unit}.txt").write_text(as_text(found), encoding="utf-8")
    folder = settings.out / "feedback" / settings.unit
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.html"):
        old.unlink()
    for row in found:
        if row["status"] in (GRADED, WAITING):
            (folder / f"{row['student']}.html").write_text(pages.page(settings, row["student"]), encoding="utf-8")
