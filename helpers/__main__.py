"""The command line of the workbook: `python -m helpers doctor | weights | photographs | predict`."""

import argparse
import json
import os
import sys
import zipfile
from pathlib import Path
from typing import Any

from helpers._machinery.downloads import AssetError


def main(arguments: list[str] | None = None) -> int:
    """Return the exit code of the command that the arguments name; 2 for one that does not exist."""
    parser = argparse.ArgumentParser(prog="python -m helpers", description="The tools of the workbook.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="doctor | weights | photographs | predict")
    doctor = commands.add_parser("doctor", help="look over the installation")
    doctor.add_argument("--fast", action="store_true", help="leave TensorFlow alone: less than a second")
    doctor.add_argument("--require-gpu", action="store_true", help="only ask whether TensorFlow sees a GPU")
    weights = commands.add_parser("weights", help="fetch the VGG16 weights and verify them")
    export = "write ImageNet's to a file NAME.weights.h5, which keras.applications.VGG16(weights=...) takes"
    weights.add_argument("--export", metavar="FILE", help=export)
    commands.add_parser("photographs", help="fetch the photographs of clothes")
    predict = commands.add_parser("predict", help="name what is in photographs, with a model of your own")
    predict.add_argument("model", metavar="model.keras", help="a file that `export_classifier` wrote, or another classifier")
    predict.add_argument("photographs", nargs="+", metavar="photo", help="a picture, or a folder of them")
    predict.add_argument("--json", action="store_true", help="print one list with the probabilities of all classes")
    chosen = parser.parse_args(arguments)
    if chosen.command == "doctor":
        return find_gpu() if chosen.require_gpu else run_doctor(fast=chosen.fast)
    if chosen.command == "weights" and chosen.export:
        return export_weights(chosen.export)
    if chosen.command == "predict":
        return predict_all(chosen.model, chosen.photographs, as_json=chosen.json)
    return fetch(chosen.command)


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


def export_weights(name: str) -> int:
    """Return the exit code: write the verified ImageNet weights to a file that Keras loads; 1 after one clear error."""
    from helpers.vgg16 import load_vgg16

    path = Path(name).expanduser().resolve()
    aside = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        if not path.name.endswith(".weights.h5"):
            raise ValueError(f"{name!r} is no name for a file of weights: Keras wants one that ends in .weights.h5.")
        path.parent.mkdir(parents=True, exist_ok=True)
        load_vgg16("imagenet").save_weights(aside)
        os.replace(aside, path)
    except (AssetError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        aside.unlink(missing_ok=True)
    print(f'Written: keras.applications.VGG16(weights="{path}", include_top=False)')
    return 0


def predict_all(model: str, photographs: list[str], *, as_json: bool) -> int:
    """Return the exit code: answer for each photograph; 1 when one of them, or the model, could not be used."""
    from helpers.saving import predict_photographs

    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # a name can hold what a terminal cannot show
    try:
        answers = predict_photographs(model, photographs)
    except Exception as error:  # Keras has many ways to refuse a file
        print(f"{model} cannot be used as a classifier: {why_no_model(Path(model), error)}", file=sys.stderr)
        return 1
    if any(isinstance(answer.get("class"), int) for answer in answers):
        print("This model brings no names of classes; these are the numbers of its outputs, from 0.", file=sys.stderr)
    try:
        print_answers(answers, as_json=as_json)
    except BrokenPipeError:  # the program behind the pipe, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return int(any("error" in answer for answer in answers))


def print_answers(answers: list[dict[str, Any]], *, as_json: bool) -> None:
    """Return nothing; print one line for each answer, or one list of all, and errors on stderr."""
    if as_json:
        print(json.dumps(answers, indent=1))
    for answer in answers:
        if "error" in answer:
            print(answer["error"], file=sys.stderr)
        elif not as_json:
            print("{file}: {class} {probability:.3f}".format(**answer))
    sys.stdout.flush()


def why_no_model(path: Path, error: Exception) -> str:
    """Return in one sentence why Keras refused a file: what it says itself has many lines."""
    if not path.exists():
        return "there is no such file."
    if path.suffix == ".keras" and not zipfile.is_zipfile(path):
        return "it is not what Keras saves, or only a part of it."
    return " ".join(str(error).split()).partition(". ")[0][:300].rstrip(".") + "."


if __name__ == "__main__":
    sys.exit(main())
