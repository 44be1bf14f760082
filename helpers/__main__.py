"""The command line of the workbook: `python -m helpers doctor | weights | photographs | predict`."""

import argparse
import sys

from helpers._machinery.downloads import AssetError


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
        return find_gpu() if chosen.require_gpu else run_doctor(fast=chosen.fast)
    if chosen.command != "predict":
        return fetch(chosen.command)
    later = f"`{chosen.command}` is not part of this version of the workbook yet; it comes with a later one."
    print(later, file=sys.stderr)
    return 1


def run_doctor(*, fast: bool) -> int:
    """Return the exit code after the report: 1 when something is broken."""
    from helpers._machinery.doctor import doctor

    print(report := doctor(device=not fast))
    return 0 if report.ok else 1


def find_gpu() -> int:
    """Return the exit code: 1 after one sentence when TensorFlow finds no GPU."""
    from helpers._machinery.doctor import answer

    _, found, fix = answer("device")
    if found.startswith("GPU"):
        return 0
    print(f"DEVICE=gpu asks for a GPU, but TensorFlow found none: {found}. {fix}".rstrip(), file=sys.stderr)
    return 1


def fetch(what: str) -> int:
    """Return the exit code: fetch the weights, or the photographs, and say where they are; 1 after one clear error."""
    from helpers._machinery.clothing import CLOTHING, clothing_folder
    from helpers._machinery.weights import ASSETS, load_weights

    try:
        if what == "photographs":
            print("clothing: {title}, {author}. {licence}. Verified:".format(**CLOTHING), clothing_folder())
        for name, asset in ASSETS.items() if what == "weights" else ():
            load_weights(name)
            print(f"{name}: {asset.title}. {asset.licence}. Verified: {asset.path}")
    except AssetError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
