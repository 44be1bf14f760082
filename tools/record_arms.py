"""Record the arms of `helpers.experiments` in `helpers/runs/`, one file for each target.

    python tools/record_arms.py [clothing] [digits] [textures] [--at-most MINUTES] [--compare]

What is in a file already is kept, so an interrupted recording goes on. Learning rates are tried with the first two runs of
an arm; the others take the rate with the best mean validation accuracy.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import itertools
import json
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from keras.backend import clear_session

from helpers.data import load_clothing, load_digit_images, load_textures
from helpers.experiments import ARMS, describe_target, run_arm
from helpers.features import extract_features
from helpers.training import RUNS_FOLDER
from helpers.vgg16 import load_vgg16

os.environ["WORKBOOK_PROGRESS"] = "0"
SEEDS, TUNING_SEEDS = range(5), (0, 1)
TARGETS = {
    "clothing": (load_clothing, (50, 20, 5)),
    "digits": (load_digit_images, (50, 10, 2)),
    "textures": (lambda: load_textures(train_per_class=20, validation_per_class=5, image_size=64), (10, 2)),
}
LARGEST_DIFFERENCE = 0.05  # in accuracy, between processors
LATER = ("blocks 4", "VGG16 from", "block 5 fine-tuned, gentle")  # the dearest arms come last
FEWER = {"VGG16 from scratch, views": range(2)}  # runs of an arm for which time is short


def wanted(runs: list[dict[str, Any]], label_counts: tuple[int, ...]) -> Iterator[dict[str, Any]]:
    """Yield what `run_arm` has to be asked for, in the order in which it is worth knowing; `runs` grows meanwhile."""
    for arm, labels in sorted(itertools.product(ARMS, label_counts), key=_worth):
        seeds, one = FEWER.get(arm, SEEDS), {"arm": arm, "labels_per_class": labels}
        for seed, rate in itertools.product(TUNING_SEEDS, ARMS[arm].rates):
            yield one | {"seed": seed, "learning_rate": rate}
        rate = {"learning_rate": best_rate(runs, **one)} if ARMS[arm].rates else {}
        yield from (one | {"seed": seed} | rate for seed in seeds if not rate or seed not in TUNING_SEEDS)


def _worth(pair):
    trained = bool(ARMS[pair[0]].rates)
    return pair[0].startswith(LATER), trained, -pair[1] * trained


def best_rate(runs: list[dict[str, Any]], *, arm: str, labels_per_class: int) -> float:
    """Return the learning rate with the best mean validation accuracy over the runs that tried them all."""
    tried = [run for run in runs if (run["arm"], run["labels_per_class"]) == (arm, labels_per_class)]
    tried = [run for run in tried if run["seed"] in TUNING_SEEDS]
    means = {
        rate: np.mean([run["validation_accuracy"] for run in tried if run["learning_rate"] == rate] or [0.0])
        for rate in ARMS[arm].rates
    }
    return max(means, key=means.get)


def is_recorded(runs: list[dict[str, Any]], asked: dict[str, Any]) -> bool:
    """Return whether a run with these settings is among those recorded."""
    return any(all(run.get(key) == value for key, value in asked.items()) for run in runs)


def record_target(name: str, *, until: float) -> int:
    """Record what is missing of one target, until then; return 0."""
    load, label_counts = TARGETS[name]
    path, target = RUNS_FOLDER / f"{name}.json", load()
    runs = json.loads(path.read_text(encoding="utf-8"))["runs"] if path.exists() else []
    versions = {package: importlib.metadata.version(package) for package in ("tensorflow", "keras", "scikit-learn", "numpy")}
    about = {"data": name, "recorded": versions | {"date": time.strftime("%Y-%m-%d")}} | describe_target(target)
    for asked in wanted(runs, label_counts):
        if is_recorded(runs, asked):
            continue
        if time.monotonic() > until:
            break
        if asked["arm"].endswith("block 1"):
            look_once(target, asked)
        runs.append(run_arm(target=target, **asked))
        clear_session()
        shown = ("seconds", "megabytes", "steps", "C", "validation_accuracy", "test_accuracy")
        print(name, asked, {key: runs[-1][key] for key in shown if key in runs[-1]}, flush=True)
        for run in runs:
            alike = {key: run[key] for key in ("arm", "labels_per_class")}
            run["chosen"] = "learning_rate" not in run or run["learning_rate"] == best_rate(runs, **alike)
        lines = ",\n".join(json.dumps(run) for run in runs)
        temporary = path.with_suffix(".tmp")
        temporary.write_text(f'{{"about": {json.dumps(about)},\n"runs": [\n{lines}\n]}}\n', encoding="utf-8")
        temporary.replace(path)
    return 0


def compare_target(name: str, *, until: float) -> int:
    """Repeat what is recorded of one target, until then; return how many runs came out otherwise by more than 0.05."""
    target, off = TARGETS[name][0](), 0
    for run in json.loads((RUNS_FOLDER / f"{name}.json").read_text(encoding="utf-8"))["runs"]:
        if time.monotonic() < until:
            asked = {key: run[key] for key in ("arm", "labels_per_class", "seed", "learning_rate") if key in run}
            now, then = run_arm(target=target, **asked)["test_accuracy"], run["test_accuracy"]
            off += abs(now - then) > LARGEST_DIFFERENCE
            print(f"{name} {asked}: {now:.3f} now, {then:.3f} recorded", flush=True)
    return off


def look_once(target: Any, asked: dict[str, Any]) -> None:
    """Fill the feature cache with all five blocks of a network from one forward pass."""
    source, layers = asked["arm"].split()[0].lower(), [f"block{block}_pool" for block in range(1, 6)]
    seed = asked["seed"] if source == "random" else 0
    for part in ("train", "validation", "test"):
        images = target[f"{part}_images"]
        extract_features(images, base_model=load_vgg16(source, input_shape=images.shape[1:], seed=seed), layers=layers)


def main(given: list[str] | None = None) -> int:
    """Record the named targets, or all; return how many runs came out otherwise."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all, if none is named")
    parser.add_argument("--at-most", type=float, default=240, metavar="MINUTES", help="stop after the run in hand (240)")
    parser.add_argument("--compare", action="store_true", help="repeat what is recorded and say what differs")
    arguments = parser.parse_args(given)
    until = time.monotonic() + 60 * arguments.at_most
    if unknown := set(arguments.targets) - set(TARGETS):
        parser.error(f"there is no target {', '.join(sorted(unknown))}; choose from {', '.join(TARGETS)}")
    act = compare_target if arguments.compare else record_target
    return sum(act(name, until=until) for name in arguments.targets or TARGETS)


if __name__ == "__main__":
    sys.exit(min(1, main()))
