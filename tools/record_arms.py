"""Record the arms of `helpers.experiments` in `helpers/runs/`, one file for each target.

    python tools/record_arms.py [TARGET ...] [--at-most MINUTES] [--compare]

What is in a file already is kept, so an interrupted recording goes on. Learning rates are tried with the first run of
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
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any

import numpy as np
from keras.backend import clear_session

from helpers.data import load_clothing, load_digit_images, load_textures
from helpers.experiments import ARMS, CNN_RANGES, describe_target, run_arm
from helpers.features import extract_features
from helpers.training import RUNS_FOLDER, write_runs
from helpers.vgg16 import load_vgg16

os.environ["WORKBOOK_PROGRESS"] = "0"
TUNING_SEEDS = (0,)
CHEAP = tuple(arm for arm, one in ARMS.items() if not one.rates)
BLOCK_5, CNN, WHOLE = "block 5 fine-tuned", "small CNN from scratch", "VGG16 from scratch, views"
FROZEN = ("ImageNet VGG16, block 4", "ImageNet VGG16, block 5")
OTHER_STEPS = tuple(f"{BLOCK_5}, {name} the steps" for name in ("half", "twice"))
STARTS = (f"{BLOCK_5}, zeros at once", f"{BLOCK_5}, random at once")
DEEPER = ("blocks 4 and 5 fine-tuned", "all blocks fine-tuned", "all blocks fine-tuned, a rate for each")
PLAN = {  # for each target, in order of worth: arms, labels per class, number of seeds; fewer where time is short
    "digits": (
        (CHEAP, (50, 10, 2), 5),
        ((BLOCK_5,), (50, 10, 2), 5),
        (DEEPER[:1], (10,), 5),
        (DEEPER[1:], (10,), 3),
        (STARTS, (10,), 3),
        ((CNN, *(f"{CNN}, {ranges}" for ranges in CNN_RANGES), f"{BLOCK_5}, views"), (10,), 5),
        ((CNN,), (50, 2), 5),
        (STARTS, (2,), 3),
    ),
    "clothing": (
        (CHEAP, (50, 20, 5), 5),
        ((BLOCK_5,), (50, 20, 5), 5),
        ((f"{BLOCK_5}, views", f"{CNN}, views"), (50,), 5),
        (DEEPER[:1], (50,), 2),
        ((WHOLE,), (50,), 2),
        (OTHER_STEPS, (50,), 5),
        ((CNN,), (50,), 5),
        ((f"{CNN}, views", f"{BLOCK_5}, views"), (20, 5), 3),
    ),
    "textures": (
        (CHEAP, (10, 2), 5),
        ((BLOCK_5, f"{CNN}, views", f"{BLOCK_5}, views"), (10,), 5),
        ((BLOCK_5,), (2,), 5),
    ),
    "clothing_96": ((("edges VGG16, block 4", *FROZEN, BLOCK_5), (50,), 5),),
    "clothing_64": (((BLOCK_5, DEEPER[0], *STARTS, *DEEPER[1:]), (20,), 3),),
}
LOADERS = {
    "digits": load_digit_images,
    "clothing": load_clothing,
    "textures": partial(load_textures, train_per_class=20, validation_per_class=5, image_size=64),
    "clothing_96": partial(load_clothing, image_size=96),
    "clothing_64": partial(load_clothing, image_size=64),
}
LARGEST_DIFFERENCE = 0.05  # in accuracy, between processors


def wanted(name: str, runs: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield what `run_arm` has to be asked for, in the order in which it is worth knowing; `runs` grows meanwhile."""
    for arms, label_counts, seeds in PLAN[name]:
        for arm, labels in itertools.product(arms, label_counts):
            one = {"arm": arm, "labels_per_class": labels}
            for seed, rate in itertools.product(TUNING_SEEDS, ARMS[arm].rates):
                yield one | {"seed": seed, "learning_rate": rate}
            rate = {"learning_rate": best_rate(runs, **one)} if ARMS[arm].rates else {}
            yield from (one | {"seed": seed} | rate for seed in range(seeds) if not rate or seed not in TUNING_SEEDS)


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
    path, target = RUNS_FOLDER / f"{name}.json", LOADERS[name]()
    runs = json.loads(path.read_text(encoding="utf-8"))["runs"] if path.exists() else []
    versions = {package: importlib.metadata.version(package) for package in ("tensorflow", "keras", "scikit-learn", "numpy")}
    about = {"data": name, "recorded": versions | {"date": time.strftime("%Y-%m-%d")}} | describe_target(target)
    for asked in wanted(name, runs):
        if is_recorded(runs, asked):
            continue
        if time.monotonic() > until:
            break
        if asked["arm"].endswith("block 1"):
            look_once(target, asked)
        if asked["seed"]:
            runs.append(run_arm(target=target, **asked))
            del runs[-1]["megabytes"]  # there would be something of earlier runs in it
        else:
            runs.append(run_apart(name, asked))
        clear_session()
        shown = ("seconds", "megabytes", "steps", "C", "validation_accuracy", "test_accuracy")
        print(name, asked, {key: runs[-1][key] for key in shown if key in runs[-1]}, flush=True)
        for run in runs:
            alike = {key: run[key] for key in ("arm", "labels_per_class")}
            run["chosen"] = "learning_rate" not in run or run["learning_rate"] == best_rate(runs, **alike)
        write_runs(path, about=about, runs=runs)
    return 0


def run_apart(name: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Return the record of one run in a process of its own, so that its memory holds nothing of earlier runs."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_load_and_run, name, asked).result()


def _load_and_run(name, asked):
    return run_arm(target=LOADERS[name](), **asked)


def compare_target(name: str, *, until: float) -> int:
    """Repeat what is recorded of one target, until then; return how many runs came out otherwise by more than 0.05."""
    off = 0
    for run in json.loads((RUNS_FOLDER / f"{name}.json").read_text(encoding="utf-8"))["runs"]:
        if time.monotonic() < until:
            asked = {key: run[key] for key in ("arm", "labels_per_class", "seed", "learning_rate") if key in run}
            now, then = run_apart(name, asked)["test_accuracy"], run["test_accuracy"]
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
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(PLAN)}; all, if none is named")
    parser.add_argument("--at-most", type=float, default=240, metavar="MINUTES", help="stop after the run in hand (240)")
    parser.add_argument("--compare", action="store_true", help="repeat what is recorded and say what differs")
    arguments = parser.parse_args(given)
    until = time.monotonic() + 60 * arguments.at_most
    if unknown := set(arguments.targets) - set(PLAN):
        parser.error(f"there is no target {', '.join(sorted(unknown))}; choose from {', '.join(PLAN)}")
    act = compare_target if arguments.compare else record_target
    return sum(act(name, until=until) for name in arguments.targets or PLAN)


if __name__ == "__main__":
    sys.exit(min(1, main()))
