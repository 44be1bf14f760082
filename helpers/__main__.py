"""The command line of the workbook: `python -m helpers doctor | weights | photographs | predict`."""

from __future__ import annotations

import argparse
import sys


def main(arguments: list[str] | None = None) -> int:
    """Return the exit code of the command that the arguments name; 2 for one that does not exist."""
    parser = argparse.ArgumentParser(prog="python -m helpers", description="The tools of the workbook.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="doctor | weights | photographs | predict")
    doctor = commands.add_parser("doctor", help="look over the installation")
    doctor.add_argument("--fast", action="store_true", help="leave TensorFlow alone: less than a second")
    doctor.add_argument("--require-gpu", action="store_true", help="only ask whether TensorFlow sees a GPU")
    commands.add_parser("weights", help="fetch the VGG16 weights and verify them")
    commands.add_parser("photographs", help="fetch the photographs of clothes")
    predict = commands.add_parser("predict", help="name what is in a photograph, with a model of your own")
    predict.add_argument("photographs", nargs="*")
    chosen = parser.parse_args(arguments)
    if chosen.command == "doctor":
        from helpers._machinery.doctor import run_doctor

        return run_doctor(fast=chosen.fast, require_gpu=chosen.require_gpu)
    if chosen.command == "weights":
        from helpers._machinery.weights import fetch_all_weights

        return fetch_all_weights()
    later = f"`{chosen.command}` is not part of this version of the workbook yet; it comes with a later one."
    print(later, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
