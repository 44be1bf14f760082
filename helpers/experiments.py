"""The arms of the course's comparisons: from guessing to fine-tuning, on any target, by one set of rules.

`run_arm` makes one run and returns its record. Every arm sees the same labelled images (`take_per_class` with the number of
the run) and chooses on the validation images alone: a classical arm its `C`, from four; a trained arm when to stop. The test
images are predicted once, at the end. What is recorded lies in `helpers/runs/`, one file for each target: `load_runs` in
`helpers.training` reads it, and `tools/record_arms.py` writes it.

A trained arm sees batches of 16, is validated every 32 steps, stops when accuracy has not risen for some such checks, and
gets the weights of its best check back. Steps are counted, not epochs: an epoch of 50 images is 4 steps, one of 500 is 32.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import psutil
from threadpoolctl import threadpool_limits

from helpers.augmentation import augmented_views, build_augmentation, view_batches
from helpers.data import take_per_class
from helpers.features import extract_features
from helpers.fine_tuning import LOSS, adam_by_block, build_classifier, freeze_before, layer_distances, split_model
from helpers.vgg16 import load_vgg16, preprocess_vgg16

if TYPE_CHECKING:
    import keras
    from sklearn.utils import Bunch

BATCH_SIZE, STEPS_PER_CHECK, VIEWS = 16, 32, 8
RANGES = {  # of `build_augmentation`: those of the classic program, and what a phone held by hand may do
    "views": {},
    "gentle views": {"rotation": 10, "shift": 0.1, "shear": 0.0, "zoom": 0.1},
}
CNN_RANGES = RANGES | {f"upright {name}": ranges | {"flip": False} for name, ranges in RANGES.items()}  # for digits
DEEP_RATES = (1e-5, 3e-5, 1e-4, 3e-4)
STRENGTHS = (0.01, 0.1, 1.0, 10.0)  # candidates for C, the inverse strength of regularisation
LETTERS = "abcdefghijklmnopqrstuvwxyz"
Answers = tuple[np.ndarray, np.ndarray]  # probabilities of validation and of test, (n, classes)


class Arm(NamedTuple):
    """A way to a classifier: `run(task, ...)` gives answers and what is worth a record; `rates` to choose from, if any."""

    run: Callable[..., tuple[Answers, dict[str, Any]]]
    rates: tuple[float, ...] = ()


class Task(NamedTuple):
    """What one run works on: a target, the places of its labelled training images, and the number of the run."""

    target: Bunch
    chosen: np.ndarray
    seed: int

    @property
    def labels(self) -> np.ndarray:
        """The classes of the labelled images, (n,)."""
        return self.target.train_labels[self.chosen]


def run_arm(
    arm: str, target: Bunch, *, labels_per_class: int, seed: int = 0, learning_rate: float | None = None
) -> dict[str, Any]:
    """Return the record of one run of `ARMS[arm]` on a target in the form of `load_textures`: a dict that JSON can hold.

    `learning_rate` is for the arms that are trained; `ARMS[arm].rates` are those to choose from. In the record, `seconds`
    count from the images on, but features that the cache has cost nothing; `megabytes` is the largest resident memory of
    the process; `curve` has a row for each check: steps, training loss, training accuracy, validation accuracy; and
    `predicted` and `confidence` have one entry for each test image (see `decode_answers`). Raises ValueError for an
    unknown arm, and where a learning rate is missing or not wanted.
    """
    if arm not in ARMS:
        raise ValueError(f"there is no arm {arm!r}; choose from: {', '.join(ARMS)}.")
    if bool(ARMS[arm].rates) != (learning_rate is not None):
        wanted = f"wants a learning rate, such as {ARMS[arm].rates[0]:g}" if ARMS[arm].rates else "takes no learning rate"
        raise ValueError(f"{arm!r} {wanted}; received {learning_rate!r}.")
    chosen = take_per_class(target.train_labels, labels_per_class=labels_per_class, seed=seed)
    begin, given = time.perf_counter(), {"learning_rate": learning_rate} if learning_rate is not None else {}
    (validation, test), found = ARMS[arm].run(Task(target, chosen, seed), **given)
    return {
        "arm": arm,
        "labels_per_class": labels_per_class,
        "seed": seed,
        "image_size": target.train_images.shape[1],
        **given,
        **found,
        "seconds": round(time.perf_counter() - begin, 1),
        "megabytes": _largest_memory(),
        "validation_accuracy": _share_right(validation, target.validation_labels),
        "test_accuracy": _share_right(test, target.test_labels),
        "predicted": "".join(LETTERS[place] for place in test.argmax(axis=1)),
        "confidence": "".join(f"{min(99, int(100 * value)):02d}" for value in test.max(axis=1)),
    }


def decode_answers(record: dict[str, Any]) -> Answers:
    """Return the predicted classes (n,) int and the confidence (n,), in steps of 0.01, of a record's test images."""
    predicted = np.array([LETTERS.index(letter) for letter in record["predicted"]])
    pairs = zip(record["confidence"][::2], record["confidence"][1::2], strict=True)
    return predicted, np.array([int(tens + ones) for tens, ones in pairs]) / 100


def describe_target(target: Bunch) -> dict[str, Any]:
    """Return what a file of records says of its target: class names, the classes of the test images, a digest of all."""
    digest = hashlib.sha256()
    for part in ("train", "validation", "test"):
        digest.update(np.ascontiguousarray(target[f"{part}_images"]).data)
        digest.update(np.ascontiguousarray(target[f"{part}_labels"]).data)
    letters = "".join(LETTERS[label] for label in target.test_labels)
    return {"class_names": list(target.class_names), "test_labels": letters, "digest": digest.hexdigest()}


def guess(task: Task) -> tuple[Answers, dict[str, Any]]:
    """Answer with a class at random."""
    random, certain = np.random.default_rng(task.seed), np.eye(len(task.target.class_names))
    parts = (task.target.validation_labels, task.target.test_labels)
    return tuple(certain[random.integers(len(certain), size=len(labels))] / len(certain) for labels in parts), {}


def colour_numbers(images: np.ndarray) -> np.ndarray:
    """Return the mean and the deviation of red, green and blue of each image: (n, 6)."""
    return np.concatenate([images.mean(axis=(1, 2)), images.std(axis=(1, 2))], axis=1)


def small_pixels(images: np.ndarray, *, size: int = 32) -> np.ndarray:
    """Return the images averaged down to `size` pixels a side, as rows (n, size * size * 3) from 0 to 1."""
    count, side = len(images), images.shape[1]
    factor = max(1, side // size)
    cut = images[:, : side // factor * factor, : side // factor * factor]
    blocks = cut.reshape(count, side // factor, factor, side // factor, factor, 3)
    return blocks.mean(axis=(2, 4)).reshape(count, -1) / 255


def classical(task: Task, *, describe: Callable[[np.ndarray], np.ndarray], kind: str) -> tuple[Answers, dict[str, Any]]:
    """Fit a "logistic" regression to standardised descriptions, or an RBF "svm" to plain ones, with the best of four `C`."""
    parts = [describe(task.target[f"{part}_images"]) for part in ("validation", "test")]
    return _fit_classical(task, describe(task.target.train_images[task.chosen]), task.labels, *parts, kind=kind)


def frozen(task: Task, *, source: str, block: int, views: str = "") -> tuple[Answers, dict[str, Any]]:
    """Fit a logistic regression to what a frozen VGG16 answers at the end of a block, averaged over all places."""
    train, validation, test = (
        vgg16_answers(task, source=source, layer=f"block{block}_pool", part=part, views=views, pooling="avg")
        for part in ("train", "validation", "test")
    )
    rows = np.concatenate(train), np.tile(task.labels, len(train))
    return _fit_classical(task, *rows, validation[0], test[0], kind="logistic")


def vgg16_answers(
    task: Task, *, source: str, layer: str | None, part: str, views: str = "", pooling: str | None = None
) -> np.ndarray:
    """Return what a layer of VGG16 answers to a part of the target, (views, n, ...), through the feature cache.

    A `layer` of None stands for the network's input, the preprocessed images.

    `views` names the ranges of the eight views of training images, the first of which is the image itself. They are drawn
    once and kept in the target, so that runs share them; a "random" VGG16 has the run's seed.
    """
    images = task.target[f"{part}_images"]
    base_model = load_vgg16(source, input_shape=images.shape[1:], seed=task.seed if source == "random" else 0)
    extract = partial(extract_features, base_model=base_model, layers=layer, pooling=pooling) if layer else preprocess_vgg16
    if part != "train":
        return extract(images)[np.newaxis]
    if views and views not in task.target:
        task.target[views] = augmented_views(images, augment=build_augmentation(**RANGES[views]), views=VIEWS)
    drawn = task.target[views] if views else images[np.newaxis]
    return np.stack([extract(view)[task.chosen] for view in drawn])  # whole views are what the cache knows


def fine_tuned(
    task: Task, *, learning_rate: float, first: int, views: str = "", start: str = "trained", decay: float = 1, **limits: int
) -> tuple[Answers, dict[str, Any]]:
    """Train a head on ImageNet's VGG16 until it is done, then all from block `first` on: the two phases of notebook 06.

    With a `start` of "zeros" or "random" there is no first phase. `decay`: what each block's learning rate is divided by
    for the block before it. `limits`: of the second phase, for `fit_until_stale`.
    """
    base_model = load_vgg16(input_shape=task.target.train_images.shape[1:])
    classes, parts = len(task.target.class_names), ("train", "validation", "test")
    model = build_classifier(base_model, classes=classes, start="random" if start == "random" else "zeros", seed=task.seed)
    freeze_before(model, f"block{first}")
    answers, before = partial(vgg16_answers, task, source="imagenet", views=views), {}
    if start == "trained":
        _, head = split_model(model, "pooling")
        pooled = (answers(layer="block5_pool", part=part, pooling="avg") for part in parts)
        found = fit_until_stale(head, task, *pooled, learning_rate=1e-3)[1]
        before = {"head_steps": found["steps"], "head_validation_accuracy": max(row[3] for row in found["curve"])}
    cut = f"block{first - 1}_pool" if first > 1 else None
    tail = split_model(model, cut)[1] if cut else model
    maps = (answers(layer=cut, part=part) for part in parts)
    given, found = fit_until_stale(tail, task, *maps, learning_rate=adam_by_block(learning_rate, decay=decay), **limits)
    moved = layer_distances(model, load_vgg16(input_shape=base_model.input_shape[1:]))
    distances = {name: round(value, 5) for name, value in moved.items() if value}
    return given, before | found | {"distances": distances}


def small_cnn(task: Task, *, learning_rate: float, views: str = "", size: int = 64) -> tuple[Answers, dict[str, Any]]:
    """Train four convolutions with batch normalisation from scratch, on pictures of `size` pixels; views are drawn anew."""
    from keras import Sequential, layers, utils

    utils.set_random_seed(task.seed)
    convolutions = [
        layer
        for filters in (32, 64, 128, 128)
        for layer in (
            layers.Conv2D(filters, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(),
        )
    ]
    augmentation = [build_augmentation(**CNN_RANGES[views], seed=task.seed)] if views else []
    start = [*augmentation, layers.Rescaling(1 / 127.5, offset=-1)]
    end = [layers.GlobalAveragePooling2D(), layers.Dense(len(task.target.class_names), activation="softmax")]
    return _from_scratch(Sequential([*start, *convolutions, *end]), task, learning_rate=learning_rate, size=size)


def whole_vgg16(task: Task, *, learning_rate: float, size: int = 32) -> tuple[Answers, dict[str, Any]]:
    """Train a VGG16 with random weights from scratch, on pictures of `size` pixels with fresh draws."""
    from keras import Sequential, layers

    side = min(size, task.target.train_images.shape[1])
    base_model = load_vgg16("random", input_shape=(side, side, 3), seed=task.seed)
    model = build_classifier(base_model, classes=len(task.target.class_names), start="random", seed=task.seed)
    start = [build_augmentation(seed=task.seed), layers.Rescaling(1.0, offset=-120.0)]
    return _from_scratch(Sequential([*start, model]), task, learning_rate=learning_rate, size=size)


def _from_scratch(model: keras.Model, task: Task, *, learning_rate: float, size: int) -> tuple[Answers, dict[str, Any]]:
    small = [small_pixels(task.target[f"{part}_images"], size=size) * 255 for part in ("train", "validation", "test")]
    side = round((small[0].shape[1] / 3) ** 0.5)
    train, validation, test = (np.float32(rows.reshape(-1, side, side, 3)) for rows in small)
    model.build((None, side, side, 3))
    parts = train[task.chosen][np.newaxis], validation[np.newaxis], test[np.newaxis]
    return fit_until_stale(model, task, *parts, learning_rate=learning_rate, checks=60, patience=12)


def fit_until_stale(
    model: keras.Model,
    task: Task,
    train: np.ndarray,
    validation: np.ndarray,
    test: np.ndarray,
    *,
    learning_rate: float | keras.optimizers.Optimizer,
    checks: int = 12,
    patience: int = 4,
) -> tuple[Answers, dict[str, Any]]:
    """Train with Adam until validation accuracy is stale; return the answers of the best check, its curve and its steps.

    The arrays are (views, n, ...); `learning_rate` is Adam's, or an optimizer. At most `checks` checks; stops
    after `patience` of them without a rise. Accuracy decides and not loss: a trained head is overconfident from the start,
    and its loss rises while it learns.
    """
    from keras import callbacks, optimizers

    adam = optimizers.Adam(learning_rate) if isinstance(learning_rate, float) else learning_rate
    model.compile(adam, LOSS, metrics=["accuracy"])
    stop = callbacks.EarlyStopping("val_accuracy", mode="max", patience=patience, restore_best_weights=True)
    history = model.fit(
        view_batches(train, task.labels, batch_size=BATCH_SIZE, seed=task.seed),
        steps_per_epoch=STEPS_PER_CHECK,
        epochs=checks,
        validation_data=(validation[0], task.target.validation_labels),
        validation_batch_size=64,
        callbacks=[stop],
        shuffle=False,  # view_batches has shuffled
        verbose=0,
    ).history
    steps = STEPS_PER_CHECK * np.arange(1, len(history["loss"]) + 1)
    columns = (history[key] for key in ("loss", "accuracy", "val_accuracy"))
    curve = [[int(step), *(round(float(value), 4) for value in row)] for step, *row in zip(steps, *columns, strict=True)]
    found = {"steps": int(steps[int(np.argmax(history["val_accuracy"]))]), "curve": curve}
    return tuple(model.predict(part[0], batch_size=64, verbose=0) for part in (validation, test)), found


def _fit_classical(
    task: Task, train: np.ndarray, labels: np.ndarray, validation: np.ndarray, test: np.ndarray, *, kind: str
) -> tuple[Answers, dict[str, Any]]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    best, accuracies = None, []
    with threadpool_limits(1):  # for fits as small as these, several threads wait for each other
        for strength in STRENGTHS:
            logistic = StandardScaler(), LogisticRegression(C=strength, max_iter=2000)
            fitted = make_pipeline(*(logistic if kind == "logistic" else [SVC(C=100 * strength)])).fit(train, labels)
            accuracies.append(round(float(fitted.score(validation, task.target.validation_labels)), 4))
            if best is None or accuracies[-1] > max(accuracies[:-1]):
                best = fitted
        sure = np.eye(len(task.target.class_names))  # an SVM gives no probabilities: certain of every answer
        shown = best.predict_proba if kind == "logistic" else lambda part: sure[best.predict(part)]
        answers = tuple(shown(part) for part in (validation, test))
    return answers, {"C": float(best[-1].C), "candidates": accuracies}


def _share_right(probabilities: np.ndarray, labels: np.ndarray) -> float:
    return round(float((probabilities.argmax(axis=1) == labels).mean()), 5)


def _largest_memory() -> int:
    """Return the largest resident memory of this process until now, in MB; 0 where the system does not say (macOS)."""
    if sys.platform == "linux":  # where getrusage would count what the parent process had
        return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) // 2**10
    return getattr(psutil.Process().memory_info(), "peak_wset", 0) // 2**20


ARMS = {
    "guessing": Arm(guess),
    "six colour numbers": Arm(partial(classical, describe=colour_numbers, kind="logistic")),
    "pixels, SVM": Arm(partial(classical, describe=small_pixels, kind="svm")),
    **{
        f"{name} VGG16, block {block}": Arm(partial(frozen, source=source, block=block))
        for source, name in (("random", "random"), ("edges", "edges"), ("imagenet", "ImageNet"))
        for block in (1, 2, 3, 4, 5)
    },
    **{
        f"ImageNet VGG16, block {block}, {views}": Arm(partial(frozen, source="imagenet", block=block, views=views))
        for block in (4, 5)
        for views in RANGES
    },
    "block 5 fine-tuned": Arm(partial(fine_tuned, first=5), rates=(3e-5, 1e-4, 3e-4, 1e-3)),
    **{
        f"block 5 fine-tuned, {how}": Arm(partial(fine_tuned, first=5, **given), rates=(3e-5, 1e-4, 3e-4))
        for how, given in (
            *((views, {"views": views}) for views in RANGES),
            *((f"{start} at once", {"start": start}) for start in ("zeros", "random")),
            *((f"{name} the steps", {"checks": checks}) for name, checks in (("half", 6), ("twice", 24))),
        )
    },
    "blocks 4 and 5 fine-tuned": Arm(partial(fine_tuned, first=4), rates=DEEP_RATES),
    "blocks 4 and 5 fine-tuned, views": Arm(partial(fine_tuned, first=4, views="views"), rates=DEEP_RATES),
    "all blocks fine-tuned": Arm(partial(fine_tuned, first=1), rates=DEEP_RATES),
    "all blocks fine-tuned, a rate for each": Arm(partial(fine_tuned, first=1, decay=2.6), rates=DEEP_RATES),
    **{
        f"small CNN from scratch{how}": Arm(partial(small_cnn, views=how[2:]), rates=(3e-4, 1e-3, 3e-3))
        for how in ("", *(f", {views}" for views in CNN_RANGES))
    },
    "VGG16 from scratch, views": Arm(whole_vgg16, rates=(3e-5, 1e-4, 3e-4)),
}
