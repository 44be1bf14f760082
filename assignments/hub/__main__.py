"""`python -m assignments.hub`: a rehearsal on this machine, and what a teacher on a hub does in a terminal."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path


def main() -> None:
    """Do what a subcommand says."""
    parser = argparse.ArgumentParser(prog="python -m assignments.hub", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    rehearse = commands.add_parser("rehearse", help="run a hub on this machine, with a teacher and students, until Ctrl+C")
    rehearse.add_argument("--students", nargs="+", default=["student1", "student2"], metavar="NAME")
    for name, help_text in {
        "prepare": "make the version for the class, ready to be released in the Formgrader",
        "feedback": "lay the pages of feedback out, ready to be released in the Formgrader",
    }.items():
        command = commands.add_parser(name, help=help_text)
        command.add_argument("unit", metavar="UNIT")
        command.add_argument("--out", type=Path, default=Path.home() / "class", metavar="DIR")
    given = parser.parse_args()
    {"rehearse": _rehearse, "prepare": _prepare, "feedback": _feedback}[given.command](given)


def _rehearse(given: argparse.Namespace) -> None:
    from . import enclosure, rehearsal

    if missing := enclosure.what_is_missing():
        raise SystemExit(f"There can be no rehearsal here: {missing}.")
    with rehearsal.folder_for_a_while() as folder:
        room = rehearsal.Classroom(folder, accounts=os.geteuid() == 0, students=tuple(given.students))
        rehearsal.prepare(room)
        with rehearsal.running(room):
            print(f"The hub is at {room.url}. Log in as {', '.join(room.people)}, each with the password {room.password}.")
            print(f"Everything is in {folder}, and gone when you press Ctrl+C.", flush=True)
            try:
                while True:
                    time.sleep(3600)
            except KeyboardInterrupt:
                print("The hub has ended.")


def _prepare(given: argparse.Namespace) -> None:
    from .. import classroom

    print(classroom.release(given.unit, given.out / "course"))


def _feedback(given: argparse.Namespace) -> None:
    from . import feedback

    laid = feedback.lay_out(given.unit, given.out)
    print(f"{len(laid)} pages are ready: {', '.join(laid) or 'grade first, and collect before that'}.")


if __name__ == "__main__":
    main()
