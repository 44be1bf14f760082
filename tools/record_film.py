"""Record the film of notebook 07 in helpers/runs/fine_tuning_film.json: fine-tuning on digits, looked at 25 times.

    python tools/record_film.py

What is in the file already is kept, so an interrupted recording goes on. The three runs of a setting differ in the labelled
images, the start of the head and the order; the first has the whole trace, of the others the validation accuracy is kept.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import time
from functools import cache
from typing import Any

import keras
import numpy as np

from helpers.augmentation import view_batches
from helpers.data import load_digit_images, take_per_class
from helpers.experiments import BATCH_SIZE, Task, fit_until_stale
from helpers.features import extract_features
from helpers.fine_tuning import LOSS, build_classifier, freeze_before, layer_distances, split_model
from helpers.training import RUNS_FOLDER, write_runs
from helpers.vgg16 import load_vgg16, preprocess_vgg16

os.environ["WORKBOOK_PROGRESS"] = "0"
PATH = RUNS_FOLDER / "fine_tuning_film.json"
STEPS = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 288, 320, 352, 384)
SETTINGS = {"seed": (0, 1, 2), "first": (5, 4, 1), "start": ("trained", "random"), "learning_rate": (1e-5, 1e-4, 1e-3)}
DIGITS, SHAPE = load_digit_images(), (32, 32, 3)


def answers(part: str, layer: str | None) -> np.ndarray:
    """Return what a layer of ImageNet's VGG16 answers to a part of the digits; None stands for the input."""
    images, pooling = DIGITS[f"{part}_images"], "avg" if layer == "block5_pool" else None
    if layer is None:
        return preprocess_vgg16(images)
    return extract_features(images, base_model=load_vgg16(input_shape=SHAPE), layers=layer, pooling=pooling)


@cache
def trained_head(seed: int) -> list[np.ndarray]:
    """Return the weights of a head that was trained alone until it was stale, as the arms have it."""
    head = split_model(build_classifier(load_vgg16(input_shape=SHAPE), classes=10), "pooling")[1]
    task, (train, *others) = task_of(seed), (answers(part, "block5_pool") for part in ("train", "validation", "test"))
    fit_until_stale(head, task, train[np.newaxis, task.chosen], *(part[np.newaxis] for part in others), learning_rate=1e-3)
    return head.get_layer("predictions").get_weights()


def task_of(seed: int) -> Task:
    """Return ten labelled digits of each class."""
    return Task(DIGITS, take_per_class(DIGITS.train_labels, labels_per_class=10, seed=seed), seed)


def trace(seed: int, first: int, start: str, learning_rate: float) -> dict[str, Any]:
    """Return what was seen at each of STEPS; of all runs but the first only the validation accuracy."""
    task, reference = task_of(seed), load_vgg16(input_shape=SHAPE)
    model = build_classifier(load_vgg16(input_shape=SHAPE), classes=10, start="random", seed=seed)
    if start == "trained":
        model.get_layer("predictions").set_weights(trained_head(seed))
    freeze_before(model, f"block{first}")
    cut = f"block{first - 1}_pool" if first > 1 else None
    tail = split_model(model, cut)[1] if cut else model
    tail.compile(keras.optimizers.Adam(learning_rate), LOSS, jit_compile=False)
    begin = model.get_layer(cut).output if cut else model.inputs[0]
    eyes, head = keras.Model(begin, model.get_layer("pooling").output), split_model(model, "pooling")[1]
    train, validation = answers("train", cut)[task.chosen], answers("validation", cut)
    mean = answers("validation", "block5_pool").mean(axis=0)  # frozen: it and two principal directions stay for all
    directions = np.linalg.svd(answers("validation", "block5_pool") - mean, full_matrices=False)[2][:2].T
    batches = iter(view_batches(train[np.newaxis], task.labels, batch_size=BATCH_SIZE, seed=seed))
    seen: dict[str, Any] = {"validation_accuracy": [], "loss": [], "distances": [], "cloud": []}
    for step in range(STEPS[-1] + 1):
        if step in STEPS:
            features = np.asarray(eyes(validation, training=False))
            right = np.asarray(head(features)).argmax(axis=1) == DIGITS.validation_labels
            seen["validation_accuracy"].append(round(float(right.mean()), 3))
        if step in STEPS and seed == 0:
            of_labels = np.asarray(tail(train, training=False))[np.arange(len(train)), task.labels]
            seen["loss"].append(round(float(-np.log(of_labels + 1e-7).mean()), 4))
            seen["distances"].append(list(layer_distances(model, reference).values()))
            seen["cloud"].append((features - mean) @ directions)
        tail.train_on_batch(*next(batches))
    for key in ("distances", "cloud") if seed == 0 else ():  # as halves, in base64
        seen[key] = base64.b64encode(np.clip(seen[key], -6e4, 6e4).astype("<f2").tobytes()).decode("ascii")
    return {key: value for key, value in seen.items() if value}


def main() -> None:
    """Record what is missing, the first run of every setting before the others."""
    runs = json.loads(PATH.read_text(encoding="utf-8"))["runs"] if PATH.exists() else []
    for setting in itertools.product(*SETTINGS.values()):
        asked = dict(zip(SETTINGS, setting, strict=True))
        if any(asked.items() <= run.items() for run in runs):
            continue
        begin = time.perf_counter()
        runs.append(asked | trace(**asked))
        keras.backend.clear_session()
        print(asked, runs[-1]["validation_accuracy"][:: len(STEPS) - 1], f"{time.perf_counter() - begin:.0f} s", flush=True)
        write_runs(PATH, steps=STEPS, labels=DIGITS.validation_labels.tolist(), runs=runs)


if __name__ == "__main__":
    main()
