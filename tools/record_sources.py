"""Record what notebook 08 compares in helpers/runs/sources.json: sources, damage, scores, and their cost.

    python tools/record_sources.py [--at-most MINUTES]

What is in the file already is kept, so an interrupted recording goes on. A row of stage "frozen" has a value for each of
five draws of labelled images, one of stage "other draws" for each of three others. The accuracies of undamaged sources in
the five draws are those of `tools/record_arms.py`. A row of stage "fine-tuned" is one run of `fine_tune_source`. Features of
damaged networks are not kept.
"""

from __future__ import annotations

import argparse
import base64
import importlib.metadata
import json
import os
import sys
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import keras
import numpy as np
from sklearn.utils import Bunch

from helpers.data import load_clothing, load_digit_images, load_photographs, load_textures, take_per_class
from helpers.experiments import Task, classical
from helpers.features import extract_features
from helpers.sources import BLOCKS, SCORES, fine_tune_source, load_source, multiply_adds
from helpers.training import RUNS_FOLDER, load_runs, write_runs
from helpers.vgg16 import preprocess_vgg16

os.environ["WORKBOOK_PROGRESS"] = "0"
PATH, DRAWS = RUNS_FOLDER / "sources.json", {"frozen": range(5), "other draws": range(5, 8)}
LOADERS = {
    "digits": load_digit_images,
    "clothing": load_clothing,
    "clothing_64": partial(load_clothing, image_size=64),
    "textures": partial(load_textures, train_per_class=20, validation_per_class=5, image_size=64),
}
WHOLE = {"imagenet": "ImageNet", "edges": "edges", "random": "random"}  # and what they are called in the arms
COUNTS = {"digits": (2, 10), "clothing": (5, 20, 50), "textures": (2, 10), "clothing_64": (20,)}
DAMAGED = tuple(
    f"{kind} {dose:g}"
    for kind, doses in {"noise": (0.5, 1, 2, 4, 8), "shuffle": (0.1, 0.25, 0.5, 0.75, 0.9)}.items()
    for dose in doses
)
DAMAGED += tuple(one.replace("shuffle", "prune") for one in DAMAGED[5:])
RATES, TUNED = (3e-5, 1e-4, 3e-4, 1e-3), ("imagenet", "noise 2", "edges", "random")
ARCHITECTURES = "VGG16 ResNet50 InceptionV3 DenseNet121 NASNetMobile MobileNet MobileNetV2"


def plan() -> Iterator[dict[str, Any]]:
    """Yield what is to be recorded, in order of worth; the rates of fine-tuning come before the run that they choose."""

    def frozen(target: str, sources: tuple[str, ...], network: int = 0, stage: str = "frozen") -> Iterator[dict[str, Any]]:
        yield from ({"stage": stage, "target": target, "source": one, "network": network} for one in sources)

    def tuned(target: str, count: int, seeds: int) -> Iterator[dict[str, Any]]:
        for source in TUNED:
            one = {"stage": "fine-tuned", "target": target, "source": source, "labels_per_class": count}
            yield from (one | {"seed": 0, "learning_rate": rate} for rate in RATES)
            yield from (one | {"seed": seed, "learning_rate": None} for seed in range(1, seeds))

    for target in ("digits", "textures", "clothing"):
        yield from frozen(target, tuple(WHOLE))
    for target in ("digits", "textures", "clothing"):
        yield from frozen(target, tuple(WHOLE), stage="other draws")
    yield from frozen("digits", DAMAGED)
    yield from frozen("digits", tuple(f"noise 2 in block {block}" for block in BLOCKS))
    yield from frozen("clothing_64", (*WHOLE, *DAMAGED))
    yield from tuned("digits", 10, 3)
    yield from tuned("textures", 10, 3)
    yield from frozen("textures", DAMAGED)
    yield from tuned("clothing_64", 20, 3)
    yield from tuned("digits", 10, 5)
    for network in (1, 2):
        yield from frozen("digits", DAMAGED, network)
        yield from frozen("clothing_64", ("random",), network)


def record_frozen(target: Bunch, asked: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a row for each block and number of labels: accuracies and scores of five draws, and mean seconds."""
    name, source, rows = asked["target"], asked["source"], []
    draws, cached = DRAWS[asked["stage"]], source in WHOLE and name != "clothing_64"
    known, layers = cached and asked["stage"] == "frozen", {block: f"block{block}_pool" for block in BLOCKS}
    features, seconds = {}, 0.0
    for seed in (draw % 5 for draw in draws) if source == "random" and cached else (asked["network"],):
        begin, shape = time.perf_counter(), target.train_images.shape[1:]
        settings = {"base_model": load_source(source, input_shape=shape, seed=seed), "layers": list(layers.values())}
        parts = ("train",) if known else ("train", "validation", "test")  # with known accuracies
        features[seed] = {part: extract_features(target[f"{part}_images"], cache=cached, **settings) for part in parts}
        seconds = time.perf_counter() - begin
        keras.backend.clear_session()
    counts = COUNTS[name] if source in WHOLE else COUNTS[name][-1:]
    for count in counts:
        for block, layer in layers.items():
            row = asked | {"block": block, "labels_per_class": count, "seconds": {} if known else {"features": seconds}}
            values: dict[str, list[float]] = {}
            for seed in draws:
                given = features.get(seed % 5, features[min(features)])
                chosen = take_per_class(target.train_labels, labels_per_class=count, seed=seed)
                for score, function in SCORES.items():
                    begin = time.perf_counter()
                    values.setdefault(score, []).append(
                        round(function(given["train"][layer][chosen], target.train_labels[chosen]), 4)
                    )
                    row["seconds"][score] = row["seconds"].get(score, 0) + (time.perf_counter() - begin) / len(draws)
                if not known:
                    shown = target | {f"{part}_images": given[part][layer] for part in given}
                    begin, task = time.perf_counter(), Task(Bunch(**shown), chosen, seed)
                    answers, found = classical(task, describe=np.asarray, kind="logistic")
                    took = (time.perf_counter() - begin) / len(draws)
                    row["seconds"]["training"] = row["seconds"].get("training", 0) + took
                    for part, probabilities in zip(("validation", "test"), answers, strict=True):
                        right = np.mean(probabilities.argmax(axis=1) == target[f"{part}_labels"])
                        values.setdefault(f"{part}_accuracy", []).append(round(float(right), 5))
            if known:
                arm = f"{WHOLE[source]} VGG16, block {block}"
                runs = sorted(load_runs(name, arm=arm, labels_per_class=count, chosen=True), key=lambda run: run["seed"])
                values |= {key: [run[key] for run in runs] for key in ("validation_accuracy", "test_accuracy")}
            row["seconds"] = {key: round(value, 4) for key, value in row["seconds"].items()}
            rows.append(row | values)
    return rows


def best_rate(runs: list[dict[str, Any]], asked: dict[str, Any]) -> float:
    """Return the rate that validation preferred in run 0."""
    alike = {key: asked[key] for key in ("stage", "target", "source", "labels_per_class")} | {"seed": 0}
    tried = [run for run in runs if alike.items() <= run.items()]
    return max(tried, key=lambda run: run["validation_accuracy"])["learning_rate"]


def pictures() -> dict[str, list[str]]:
    """Return, for ImageNet and each damage, six pictures in base64: sixteen filters, and one map for each block.

    Filters of block1_conv1, (16, 3, 3, 3), red first; a map of the cat after the last convolution of a block, 28 pixels a
    side, 14 in block 5, of the channel that is strongest in ImageNet. 255 is the largest value that ImageNet's has.
    """
    cat = load_photographs(["chelsea"])["chelsea"]
    side, found, scales = min(cat.shape[:2]), {}, []
    middle = cat[:side, (cat.shape[1] - side) // 2 :][:, :side]
    image = np.asarray(keras.ops.image.resize(preprocess_vgg16(middle)[np.newaxis], (224, 224)))
    ends = [f"block{block}_conv{2 if block < 3 else 3}" for block in BLOCKS]
    for name in ("imagenet", *DAMAGED):
        model = load_source(name, input_shape=(224, 224, 3))
        maps = keras.Model(model.inputs, [model.get_layer(end).output for end in ends]).predict(image, verbose=0)
        kernel = model.get_layer("block1_conv1").get_weights()[0][:, :, ::-1, :16].transpose(3, 0, 1, 2)
        if not scales:
            channels = [int(one[0].mean(axis=(0, 1)).argmax()) for one in maps]
            scales = [2 * abs(kernel).max()]
        shown = [kernel / scales[0] + 0.5]
        for place, (one, channel) in enumerate(zip(maps, channels, strict=True)):
            small = one[0, ..., channel]
            small = small.reshape(min(28, len(small)), -1, min(28, len(small)), max(1, len(small) // 28)).mean(axis=(1, 3))
            if len(scales) <= place + 1:
                scales.append(small.max())
            shown.append(small / scales[place + 1])
        found[name] = [base64.b64encode(np.uint8(255 * np.clip(one, 0, 1)).tobytes()).decode() for one in shown]
        keras.backend.clear_session()
    return found


def architectures() -> list[dict[str, Any]]:
    """Return the size of networks of `keras.applications`, built without weights, one after the other."""
    rows = []
    for name in ARCHITECTURES.split():
        model = getattr(keras.applications, name)(weights=None)
        side, body = model.input_shape[1], getattr(keras.applications, name)(weights=None, include_top=False)
        counted = {"parameters": model.count_params(), "without_top": body.count_params()}
        row = {"stage": "architecture", "name": name, "input": side}
        rows.append(row | counted | {"multiply_adds": multiply_adds(model)})
        keras.backend.clear_session()
    return rows


def save(content: dict[str, Any]) -> None:
    """Write the file anew, a row a line."""
    versions = {package: importlib.metadata.version(package) for package in ("tensorflow", "keras", "scikit-learn", "numpy")}
    write_runs(PATH, **content | {"recorded": versions | {"date": time.strftime("%Y-%m-%d")}})


def main(given: list[str] | None = None) -> int:
    """Record what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--at-most", type=float, default=240, metavar="MINUTES", help="stop after the row in hand (240)")
    until = time.monotonic() + 60 * parser.parse_args(given).at_most
    content = json.loads(PATH.read_text(encoding="utf-8")) if PATH.exists() else {"runs": []}
    if not content["runs"]:
        content = {"runs": architectures(), "pictures": pictures()}
    loaded: dict[str, Bunch] = {}
    for asked in plan():
        if asked.get("learning_rate", 0) is None:
            asked["learning_rate"] = best_rate(content["runs"], asked)
        if any(asked.items() <= run.items() for run in content["runs"]):
            continue
        if time.monotonic() > until:
            break
        begin, name = time.perf_counter(), asked["target"]
        loaded = {name: loaded[name] if name in loaded else LOADERS[name]()}
        if asked["stage"] in DRAWS:
            content["runs"] += record_frozen(loaded[name], asked)
        else:
            settings = {key: asked[key] for key in ("labels_per_class", "seed", "learning_rate")}
            found = fine_tune_source(asked["source"], loaded[name], **settings)
            content["runs"].append(asked | found | {"seconds": round(time.perf_counter() - begin, 1)})
            keras.backend.clear_session()
        save(content)
        print(asked, f"{time.perf_counter() - begin:.1f} s", content["runs"][-1]["test_accuracy"], flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
