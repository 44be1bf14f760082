"""Record the runs of fine-tuning that notebooks 05 and 07 show, in `helpers/runs/`. It takes one to two hours.

    python tools/record_runs.py [fine_tuning] [augmentation]

Runs that are in the file already are kept, so an interrupted recording goes on. Remove the file to record all anew.
"""

from __future__ import annotations

import functools
import importlib.metadata
import itertools
import json
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from helpers.data import load_textures, take_per_class
from helpers.training import RUNS_FOLDER

os.environ["WORKBOOK_PROGRESS"] = "0"
SEEDS = (0, 1, 2)
LABELS = {"digits": (2, 10, 50), "textures": (2, 10)}
BLOCKS = ("block5", "block4", "block1")
RATES = (1e-5, 1e-4, 1e-3)
AT_MOST = {  # labels per class with which so much of VGG16 is trained: on more of them it takes too long
    ("textures", "block4"): 2,
    ("textures", "block1"): 0,
    ("digits", "block1"): 10,
}
EPOCHS = {"fine_tuning": 8, "augmentation": 16}
VIEWS = 8
AUGMENTATIONS = {  # what each may do to a picture; "classic" is that of the program in notebook 06
    "classic": {},
    "gentle": {"rotation": 10, "shift": 0.1, "shear": 0.0, "zoom": 0.1, "flip": False},
}


@functools.cache
def load_target(data: str) -> Any:
    """Return the Bunch of images that a run's `data` names."""
    from helpers.data import load_digit_images

    if data == "digits":
        return load_digit_images()
    return load_textures(train_per_class=20, validation_per_class=5, image_size=64)


def settings(name: str) -> Iterator[dict[str, Any]]:
    """Yield the settings of every run of a file."""
    for data in LABELS:
        for labels_per_class, seed in itertools.product(LABELS[data], SEEDS):
            common = {"data": data, "labels_per_class": labels_per_class, "seed": seed}
            if name == "augmentation":
                yield from (common | _run("block5", views=views) for views in ("none", *AUGMENTATIONS))
                continue
            for block, rate in itertools.product(BLOCKS, RATES):
                if labels_per_class <= AT_MOST.get((data, block), 50):
                    yield common | _run(block, rate)
            yield from (common | _run("block5", start=start) for start in ("zeros", "random"))


def _run(first, rate=1e-4, start="trained", views="none"):
    return {"first_trainable": first, "learning_rate": rate, "head_start": start, "views": views}


def record(run: dict[str, Any], *, epochs: int) -> dict[str, Any]:
    """Return the results of one run: train the head (unless it starts as it is), then fine-tune, then test once."""
    import keras

    from helpers.fine_tuning import build_classifier, fine_tune, layer_distances, train_head
    from helpers.vgg16 import load_vgg16

    target, seed, begin = load_target(run["data"]), run["seed"], time.perf_counter()
    chosen = take_per_class(target.train_labels, labels_per_class=run["labels_per_class"], seed=seed)
    images, labels = target.train_images[chosen], target.train_labels[chosen]
    base_model = load_vgg16(input_shape=images.shape[1:])
    start = "random" if run["head_start"] == "random" else "zeros"
    model = build_classifier(base_model, classes=len(target.class_names), start=start, seed=seed)
    views = _views(images, run["views"], seed)
    results = {}
    if run["head_start"] == "trained":
        train_head(model, views, labels, seed=seed)
        results["head_test_accuracy"] = _accuracy(model, target, "test", "predictions")
    results["first_validation_accuracy"] = _accuracy(model, target, "validation", "predictions")
    if run["first_trainable"] != "predictions":
        validation = target.validation_images, target.validation_labels
        history = fine_tune(
            model,
            views,
            labels,
            first_trainable=run["first_trainable"],
            learning_rate=run["learning_rate"],
            epochs=epochs,
            seed=seed,
            validation_data=validation,
        )
        results |= {key: np.round(values, 5).tolist() for key, values in history.history.items()}
        moved = layer_distances(model, _reference(images.shape[1:]))
        results["distances"] = {name: round(distance, 6) for name, distance in moved.items()}
    results["test_accuracy"] = _accuracy(model, target, "test", run["first_trainable"])
    results["seconds"] = round(time.perf_counter() - begin, 1)
    keras.backend.clear_session()
    return run | results


@functools.cache
def _reference(shape):
    from helpers.vgg16 import load_vgg16

    return load_vgg16(input_shape=shape)


def _views(images, name, seed):
    if name == "none":
        return images[np.newaxis]
    from helpers.augmentation import augmented_views, build_augmentation

    augment = build_augmentation(**AUGMENTATIONS[name], seed=seed)
    return augmented_views(images, augment=augment, views=VIEWS, seed=seed)


def _accuracy(model, target, part, first_trainable):
    from helpers.fine_tuning import predict_probabilities

    probabilities = predict_probabilities(model, target[f"{part}_images"], first_trainable=first_trainable)
    return round(float((probabilities.argmax(axis=1) == target[f"{part}_labels"]).mean()), 5)


def main(names: list[str]) -> None:
    """Record what is missing in the named files, or in both."""
    RUNS_FOLDER.mkdir(exist_ok=True)
    for name in names or EPOCHS:
        path, packages = RUNS_FOLDER / f"{name}.json", ("tensorflow", "keras", "numpy")
        runs = json.loads(path.read_text(encoding="utf-8"))["runs"] if path.exists() else []
        known = {json.dumps({key: run[key] for key in one}) for run in runs for one in (_keys(),)}
        recorded = {package: importlib.metadata.version(package) for package in packages}
        recorded |= {"date": time.strftime("%Y-%m-%d")}
        for run in settings(name):
            if json.dumps({key: run[key] for key in _keys()}) in known:
                continue
            runs.append(record(run, epochs=EPOCHS[name]))
            print(name, {key: runs[-1].get(key) for key in (*_keys(), "test_accuracy", "seconds")}, flush=True)
            lines = ",\n".join(json.dumps(one) for one in runs)
            temporary = path.with_suffix(".tmp")
            temporary.write_text(f'{{"recorded": {json.dumps(recorded)},\n"runs": [\n{lines}\n]}}\n')
            temporary.replace(path)


def _keys():
    return (
        "data",
        "labels_per_class",
        "first_trainable",
        "learning_rate",
        "head_start",
        "views",
        "seed",
    )


if __name__ == "__main__":
    main(sys.argv[1:])
