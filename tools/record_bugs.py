"""Record what the mistakes of notebook 12 cost in helpers/runs/bugs.json: broken programs beside their repaired twins.

    python tools/record_bugs.py [--at-most MINUTES] [--seeds 5]

Main comparison, named before it was run: for each program, the accuracy on untouched test pictures at the end, as it is
minus its repaired twin, paired over five seeds. Second: what it reports at its end minus that accuracy. A seed changes
pictures, starts and order. Both learn for the same epochs, which are the same steps, but where batches are left out (06):
fewer steps are what that costs. Doses in between, three seeds of each, are exploration, but for the control of 12; dose 0 is
the repaired twin, `file_dose` the program as it is.

A record has, for each seed, three curves: accuracy in training, as the program reports it, and on the test pictures, after
each epoch, and the last two at the end. What is in the file already is kept, so an interrupted recording goes on.
"""

from __future__ import annotations

import argparse
import bisect
import importlib.metadata
import itertools
import json
import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from functools import cache
from typing import Any

import numpy as np

from helpers.bugs import PROGRAMS, mistake, read_program, run_program, true_accuracy
from helpers.training import RUNS_FOLDER, write_runs

PATH = RUNS_FOLDER / "bugs.json"
COMPILE = 'model.compile(keras.optimizers.Adam({}), "sparse_categorical_crossentropy", metrics=["accuracy"])'
MOVED = "map(lambda image, label: (prepare(move(image, training=True)), label))"
FOLDERS = "files = keras.utils.image_dataset_from_directory(folder, image_size=(32, 32), batch_size=None, shuffle=False,"
FOLDERS += " verbose=False).shuffle({}, seed=seed, reshuffle_each_iteration=False).batch(32)"
STACK = 'return __import__("numpy").stack([image / 255.0 if number % 4 < {} else'
STACK += " keras.applications.vgg16.preprocess_input(image) for number, image in enumerate(images)])"
MIXED = 'model.add(keras.layers.Dense(10, name="head", activation=lambda x: {} * keras.activations.softmax(x) + {} * x))'
FROZEN = "base.trainable = True; [setattr(layer, 'trainable', False) for layer in base.layers[:{}]]"
SOFTER = "layers = old.layers; old.layers[-1].set_weights([{} * weights for weights in old.layers[-1].get_weights()])"
HALF_MOVED = 'validation = batches("validation", augment=True).unbatch().take({0}).concatenate('
HALF_MOVED += 'batches("validation", augment=False).unbatch().skip({0})).batch(20)'
AS_IT_IS = None
CONTROL = ("12_a_smaller_step", 3)  # what of its cost comes from an optimizer that was not begun anew; five seeds

# For each program: the mistake, which diagnosis finds it, what the dose is, and the doses with the lines that make them
DOSES: dict[str, tuple[str, str, list[tuple[str, Any]]]] = {
    "01_ten_digits": (
        "no softmax, and a loss that expects one",
        "head and loss",
        [(f"{100 * d:.0f} % of the answer without softmax", MIXED.format(1 - d, d)) for d in (0.25, 0.5, 0.75)]
        + [("no softmax", AS_IT_IS)],
    ),
    "02_fourteen_surfaces": (
        "pixels divided by 255, not prepared for VGG16",
        "input range",
        [(f"{25 * n} % of the pictures divided by 255", STACK.format(n)) for n in (1, 2, 3)]
        + [("all pictures divided by 255", AS_IT_IS)],
    ),
    "03_moved_a_little": (
        "augmented pictures are cached",
        "augmentation",
        [
            (
                f"{n} of 120 pictures cached",
                f"train = pixels.take({n}).{MOVED}.cache().concatenate(pixels.skip({n}).{MOVED})",
            )
            for n in (30, 60, 90)
        ]
        + [("all 120 pictures cached", AS_IT_IS)],
    ),
    "04_two_parts": (
        "both parts are dealt out anew in every pass",
        "splits",
        [(f"a buffer of {n} pictures", f"examples = examples.shuffle({n}, seed=seed)") for n in (10, 30, 80)]
        + [("a buffer of all 160 pictures", AS_IT_IS)],
    ),
    "05_here_and_there": (
        "the validation pictures are augmented",
        "splits",
        [(f"{n} of 60 validation pictures moved", HALF_MOVED.format(n)) for n in (15, 30, 45)]
        + [("all 60 validation pictures moved", AS_IT_IS)],
    ),
    "06_full_batches": (
        "the last batch is left out",
        "every image seen",
        [("1 of 5 batches left out", AS_IT_IS)]
        + [(f"{n} of 5 batches left out", f"return math.ceil(len(labels) / 25) - {n}") for n in (2, 3, 4)],
    ),
    "07_one_folder_a_class": (
        "sorted by class, and the last fifth validates",
        "classes",
        [(f"mixed in a buffer of {n} pictures", FOLDERS.format(n)) for n in (80, 40, 15)] + [("not mixed", AS_IT_IS)],
    ),
    "08_right_or_wrong": (
        "answers in one order, labels in another",
        "labels in order",
        [(f"a buffer of {n} pictures", f"validation = validation.shuffle({n}, seed=seed).batch(20)") for n in (2, 5, 15)]
        + [("a buffer of all 60 pictures", AS_IT_IS)],
    ),
    "09_by_name": (
        "the classes have other numbers in validation",
        "class order",
        [
            (
                f"{n} of 10 names exchanged",
                f'options["class_names"] = class_names[1:{n}] + class_names[:1] + class_names[{n}:]',
            )
            for n in (2, 4, 7)
        ]
        + [("9 of 10 names exchanged", AS_IT_IS)],
    ),
    "10_old_and_new": (
        "a new head behind the old softmax",
        "head and loss",
        [(f"the old softmax {n} times as sharp", SOFTER.format(n)) for n in (0.03, 0.1, 0.3)]
        + [("the old softmax as it was", AS_IT_IS)],
    ),
    "11_second_phase": (
        "the base stays frozen",
        "trainable",
        [(f"{n} of 7 convolutions frozen", FROZEN.format(layers)) for n, layers in ((2, 4), (4, 7), (6, 9))]
        + [("all 7 convolutions frozen", AS_IT_IS)],
    ),
    "12_a_smaller_step": (
        "trainable was changed, and compile() not called again",
        "trainable",
        [
            (f"{n} of 7 convolutions not trained", f"{FROZEN.format(layers)}; {COMPILE.format('1e-4')}")
            for n, layers in ((4, 7), (6, 9))
        ]
        + [("all 7 not trained, but a new compile()", f"{FROZEN.format(11)}; {COMPILE.format('1e-4')}")]
        + [("all 7 not trained, and no new compile()", AS_IT_IS)],
    ),
    "13_all_at_once": (
        "a learning rate that destroys the features",
        "learning",
        [(f"{n} x 0.0001", AS_IT_IS if n == 30 else COMPILE.format(n / 10_000)) for n in (3, 10, 30, 100)],
    ),
    "14_the_best_moment": (
        "the test pictures choose the best moment",
        "splits",
        [
            (f"{n} of 60 were test pictures", f"validation = (features[{n}:{n + 60}], labels[{n}:{n + 60}])")
            for n in (15, 30, 45)
        ]
        + [("all 60 were test pictures", AS_IT_IS)],
    ),
    "15_one_file": ("a Lambda that no file can keep", "saved file", [("a Lambda layer", AS_IT_IS)]),
    "16_on_average": (
        "batch normalisation goes on counting",
        "batch norm still",
        [
            (f"momentum {n}", AS_IT_IS if n == 0.9 else f"norm.trainable = True; norm.momentum = {n}")
            for n in (0.99, 0.9, 0.5, 0.0)
        ],
    ),
    "17_once_more": (
        "no new compile(), which hides a learning rate that destroys",
        "trainable",
        [
            ("0.0001 and no new compile()", ("learning_rate = 1e-4", "model.optimizer.learning_rate = learning_rate")),
            ("0.01 and no new compile()", AS_IT_IS),
            ("0.001 and a new compile()", ("learning_rate = 0.001", COMPILE.format("learning_rate"))),
            ("0.01 and a new compile()", ("learning_rate = 0.01", COMPILE.format("learning_rate"))),
        ],
    ),
    "18_better_than_it_learns": ("none", "", []),
}


def source_of(stem: str, dose: int, seed: int = 0) -> str:
    """Return the program with a dose of its mistake: 0 is the repaired twin, `file_dose(stem)` the program as it is."""
    lines = DOSES[stem][2][dose - 1][1] if dose else ""
    source = read_program(stem, repaired=dose == 0)
    if dose and lines is not AS_IT_IS:
        rows = source.splitlines()
        for (number, broken, _), line in zip(mistake(stem), [lines] if isinstance(lines, str) else lines, strict=True):
            rows[number - 1] = rows[number - 1].replace(broken, line)
        source = "\n".join(rows) + "\n"
    return source.replace("seed = 0\n", f"seed = {seed}\n", 1)


def file_dose(stem: str) -> int:
    """Return the dose that the program has as it is."""
    return next((dose for dose, (_, lines) in enumerate(DOSES[stem][2], start=1) if lines is AS_IT_IS), 0)


def prepare_process() -> None:
    """Use one core, and read the file of weights once, not for each network."""
    import tensorflow as tf

    from helpers import vgg16

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    vgg16.load_weights = cache(vgg16.load_weights)


def run(stem: str, dose: int, seed: int) -> dict[str, Any]:
    """Return the three curves of one run, and what it reported and what was true at its end."""
    import sys

    import keras

    begin = time.perf_counter()
    curves: dict[str, list[float]] = {"train": [], "reported": [], "true": []}
    fit = keras.Model.fit

    def look(model: keras.Model, logs: dict[str, float]) -> None:
        names = vars(sys.modules["program"])
        reported = logs["val_accuracy"]
        if "measure" in names:
            reported = names["measure"](model)
        elif "test" in names:
            reported = model.evaluate(*names["test"], verbose=0)[1]
        found = {"train": logs["accuracy"], "reported": reported, "true": true_accuracy(names, model=model)}
        for name, value in found.items():
            curves[name].append(round(float(value), 3))

    def watched(model: keras.Model, *args: Any, callbacks: Any = (), **options: Any) -> Any:
        if vars(sys.modules["program"]).get("model") is model:
            watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: look(model, logs))
            callbacks = [watch, *callbacks]
        return fit(model, *args, callbacks=list(callbacks), **options)

    keras.Model.fit = watched
    try:
        names = run_program(source_of(stem, dose, seed))
    finally:
        keras.Model.fit = fit
    ends = {"reported_end": float(names["reported"]), "true_end": true_accuracy(names)}
    ends |= {"seconds": time.perf_counter() - begin}
    return curves | {name: round(value, 3) for name, value in ends.items()}


def plan(seeds: int) -> Iterator[tuple[str, int, int]]:
    """Yield program, dose and seed of all runs that are wanted: twins first, then three seeds of the doses between."""
    doses = [(stem, dose) for stem in PROGRAMS for dose in range(len(DOSES[stem][2]) + 1)]
    twins = [(stem, dose) for stem, dose in doses if dose in (0, file_dose(stem)) or (stem, dose) == CONTROL]
    between = [pair for pair in doses if pair not in twins]
    for some, wanted in ((twins, range(2)), (twins, range(2, seeds)), (between, range(min(3, seeds)))):
        yield from ((*pair, seed) for pair in some for seed in wanted)


def new_record(stem: str, dose: int) -> dict[str, Any]:
    """Return a record without runs."""
    mistaken, diagnosis, doses = DOSES[stem]
    text = doses[dose - 1][0] if dose else "none"
    about = {"program": stem, "dose": dose, "dose_text": text, "file_dose": file_dose(stem)}
    about |= {"mistake": mistaken, "diagnosis": diagnosis, "seconds": 0.0}
    return about | {key: [] for key in ("seeds", "train", "reported", "true", "reported_end", "true_end")}


def record(seeds: int, until: float) -> None:
    """Add to the file all runs that are missing, two at a time, up to a moment of `time.monotonic()`."""
    runs = json.loads(PATH.read_text(encoding="utf-8"))["runs"] if PATH.exists() else []
    records = {(one["program"], one["dose"]): one for one in runs}
    missing = (asked for asked in plan(seeds) if asked[2] not in records.get(asked[:2], {"seeds": []})["seeds"])
    about = {package: importlib.metadata.version(package) for package in ("numpy", "tensorflow", "keras")}
    about |= {"date": time.strftime("%Y-%m-%d"), "test pictures": "200 digits, 100 digits from 5 to 9, or 140 patches"}
    spawn = {"mp_context": multiprocessing.get_context("spawn"), "initializer": prepare_process}
    with ProcessPoolExecutor(2, max_tasks_per_child=25, **spawn) as fresh:  # networks leave memory behind
        pending = {fresh.submit(run, *asked): asked for asked in itertools.islice(missing, 2)}
        while pending:
            done, _ = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                stem, dose, seed = pending.pop(future)
                one = records.setdefault((stem, dose), new_record(stem, dose))
                found = future.result()
                print(stem, dose, seed, found["reported_end"], found["true_end"], flush=True)
                add(one, seed, found)
                following = next(missing, None) if time.monotonic() < until else None
                if following:
                    pending[fresh.submit(run, *following)] = following
            write_runs(PATH, recorded=about, runs=[records[key] for key in sorted(records)])
    for (stem, dose), one in sorted(records.items()):
        print(stem, dose, len(one["seeds"]), f"{np.mean(one['reported_end']):.3f} {np.mean(one['true_end']):.3f}")


def add(one: dict[str, Any], seed: int, found: dict[str, Any]) -> None:
    """Put what a run gave into its record, at the place of its seed."""
    place = bisect.bisect(one["seeds"], seed)
    one["seconds"] = round(one["seconds"] + found.pop("seconds"), 1)
    for name, value in (found | {"seeds": seed}).items():
        one[name].insert(place, value)
    one["epochs"] = list(range(1, len(one["true"][0]) + 1))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--at-most", type=float, default=60, metavar="MINUTES", help="stop after the run in hand (60)")
    parser.add_argument("--seeds", type=int, default=5, help="how many (5)")
    chosen = parser.parse_args()
    record(chosen.seeds, time.monotonic() + 60 * chosen.at_most)
