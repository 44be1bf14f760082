"""`python -m assignments build`, `examples`, `grade` and `mark`: see `python -m assignments --help`."""

import argparse
import datetime
import functools
import os
import shlex
import sys
from pathlib import Path

from assignments import units

BUILT = Path("build") / "assignments"


def main(arguments: list[str] | None = None) -> int:
    """Return the exit code of a command; every complaint is one sentence."""
    parser = argparse.ArgumentParser(prog="python -m assignments", description="Assignments for a class.")
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="make every version of the units")
    build.add_argument("units", nargs="*", metavar="UNIT", help=f"which ones (default: {', '.join(units.names())})")
    build.add_argument("--out", type=Path, default=BUILT)
    examples = commands.add_parser("examples", help="make an invented class, to try grading with")
    examples.add_argument("unit", metavar="UNIT", help=", ".join(units.names()))
    examples.add_argument("--out", type=Path, required=True, metavar="DIR", help="a folder that is not there yet")
    _add_grade(commands)
    mark = commands.add_parser("mark", help="open the page on which a person marks what waits for one")
    mark.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder that grade wrote")
    given = parser.parse_args(arguments)
    return {"build": _build, "examples": _examples, "grade": _grade, "mark": _mark}[given.command](given)


def _add_grade(commands: argparse._SubParsersAction) -> None:
    grade = commands.add_parser("grade", help="grade a folder of submissions, or a zip of Moodle")
    grade.add_argument("unit", metavar="UNIT", choices=units.names())
    grade.add_argument("--submissions", type=Path, required=True, metavar="DIR")
    grade.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the grade book and the reports go")
    grade.add_argument("--roster", type=Path, metavar="CSV", help="all students, in the first column")
    grade.add_argument("--due", type=_time, metavar="TIME", help="such as 2026-11-20T12:00, in UTC")
    grade.add_argument("--late", default="none", metavar="RULE", help="none, zero, or a share such as 10%%-a-day")
    grade.add_argument("--grace-minutes", type=float, default=0, metavar="N")
    grade.add_argument("--cell-seconds", type=int, default=60, metavar="N", help="how long a cell or a check may run")
    grade.add_argument("--notebook-seconds", type=int, default=600, metavar="N")
    grade.add_argument("--workers", type=int, default=2, metavar="N", help="how many students at a time")
    grade.add_argument("--sandbox", metavar="PROGRAM", help="bubblewrap (the default), or podman or docker for containers")
    grade.add_argument("--again", action="store_true", help="also what was graded before and has not changed")


def _time(text: str) -> datetime.datetime:
    when = datetime.datetime.fromisoformat(text)
    return when.astimezone(datetime.UTC).replace(tzinfo=None) if when.tzinfo else when


def _grade(given: argparse.Namespace) -> int:
    try:
        from assignments import sandbox

        if given.sandbox:
            os.environ["WORKBOOK_SANDBOX"] = given.sandbox
        sandbox.require()
        sandbox.require_weights(given.unit)
        from assignments import grading, reporting
    except ModuleNotFoundError as error:
        raise SystemExit(f"{error.name} is missing: `make classroom` installs what a class needs.") from None
    except sandbox.SandboxError as error:
        raise SystemExit(str(error)) from None
    elsewhere = ("command", "submissions", "roster", "out", "sandbox")
    chosen = {name: value for name, value in vars(given).items() if name not in elsewhere}
    settings = grading.Settings(out=given.out.resolve(), **chosen)
    say = functools.partial(print, flush=True)
    try:
        rows = grading.grade(settings, given.submissions, roster=given.roster, say=say)
    except KeyboardInterrupt:
        raise SystemExit("Stopped. Give the command again: it goes on where it was.") from None
    print(reporting.as_text(rows), end="")
    return 0


def _examples(given: argparse.Namespace) -> int:
    from assignments import examples

    for one in examples.write(given.unit, given.out):
        points = "not gradable" if one.points is None else f"{one.points:g} points by the checks"
        print(f"{one.student}{f' ({one.name})' if one.name != one.student else ''}: {points}; {one.about}")
    place = shlex.quote(str(given.out))
    print("{}: {}".format(*examples.ABSENT))
    print("Grade them with\n  .venv-classroom/bin/python -m assignments grade", given.unit, end=" ")
    print(f"--submissions {place}/submissions --roster {place}/roster.csv", end=" ")
    print(f"--due {examples.DUE} --late 10%-a-day --out {place}/graded")
    return 0


def _mark(given: argparse.Namespace) -> int:
    from assignments import marking

    return marking.serve(given.out.resolve() / "course")


def _build(given: argparse.Namespace) -> int:
    from assignments import building

    for unit in given.units or units.names():
        for path in building.build(unit, given.out):
            print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
