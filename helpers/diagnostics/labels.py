"""Do labels belong to their images, are all classes learned, mixed in every batch, and in one order?"""

from __future__ import annotations

from typing import Any

import numpy as np

from helpers.diagnostics.data import Epochs
from helpers.diagnostics.result import Diagnosis

MIX = "images, labels = images[order], labels[order]  # order = np.random.default_rng(0).permutation(len(labels))"


def read_labels(data: Any, *, steps: int | None = None, limit: int | None = 2000) -> list[np.ndarray]:
    """Return the labels of each batch of one epoch, as integers: up to about `limit`. One-hot labels become integers.

    Raises ValueError where there are none, or where they are no classes.
    """
    return [as_integers(labels) for labels in _batches(data, steps, limit)[0]]


def raw_labels(data: Any, *, steps: int | None = None, limit: int | None = 2000) -> tuple[np.ndarray, bool]:
    """Return the labels of one epoch as they are, and whether there are more than `limit`."""
    batches, cut = _batches(data, steps, limit)
    return np.concatenate([np.atleast_1d(labels) for labels in batches]), cut


def _batches(data: Any, steps: int | None, limit: int | None) -> tuple[list[Any], bool]:
    batches, count = [], 0
    for item in Epochs(data, steps=steps).items():
        if not isinstance(item, tuple | list) or len(item) < 2:
            raise ValueError("the data hold images without labels.")
        if limit is not None and count >= limit:
            return batches, True
        batches.append(item[1])
        count += np.size(item[1])
    return batches, False


def as_integers(labels: Any) -> np.ndarray:
    """Return labels, integers or one-hot, as integers (n,)."""
    labels = np.asarray(labels) if hasattr(labels, "dtype") or isinstance(labels, list | int) else None
    if labels is None or labels.dtype.kind not in "uifb" or labels.ndim > 2:
        raise ValueError("the labels are no classes.")
    labels = np.atleast_1d(labels)
    if labels.ndim == 2:
        labels = labels[:, 0] if labels.shape[1] == 1 else labels.argmax(axis=1)
    if not np.array_equal(labels, np.round(labels)):
        raise ValueError("the labels are no classes.")
    return labels.astype("int64")


def diagnose_classes(*, train: Any, validation: Any, steps: int | None = None, limit: int = 2000) -> Diagnosis:
    """Return whether every class that is validated is learned as well, and the batches of a dataset mix the classes.

    A class that is learned and not validated is no problem here: small validation parts have few images. Arrays are mixed
    by `fit()` itself.
    """
    name, batches = "classes", read_labels(train, steps=steps, limit=limit)
    learned, asked = np.concatenate(batches), np.concatenate(read_labels(validation, limit=limit))
    missing = sorted({*asked.tolist()} - {*learned.tolist()})
    if missing and len(learned) < (limit or np.inf):
        share = np.isin(asked, missing).mean()
        message = (
            f"the training part has no image of class {', '.join(map(str, missing))}, and {share:.0%} of the validation"
        )
        return Diagnosis(name, False, f"{message} part are of it: the data are sorted, and were cut without mixing.", MIX)
    full = [labels for labels in batches if len(labels) == len(batches[0])]
    found, wanted = np.mean([len(set(labels.tolist())) for labels in full]), _distinct(learned, len(full[0]))
    in_blocks = np.count_nonzero(np.diff(learned)) < 2 * len(np.unique(learned))  # sorted, not batches of chosen classes
    if len(full) > 2 and wanted > 1.5 and found < wanted / 2 and (in_blocks or found < 1.5):
        message = (
            f"a batch of {len(full[0])} images has {found:.1f} classes on average, and mixed it would have {wanted:.1f}."
        )
        return Diagnosis(name, False, message, f"dataset.shuffle({len(learned)}).batch({len(full[0])})  # shuffle() first")
    count = len({*learned.tolist()})
    return Diagnosis(name, True, f"all {len({*asked.tolist()})} classes of validation are among the {count} of training.")


def _distinct(labels: np.ndarray, size: int) -> float:
    """Return how many classes a batch of this size has on average, when it is drawn at random."""
    share = np.unique(labels, return_counts=True)[1] / len(labels)
    return float((1 - (1 - share) ** size).sum())


def diagnose_order_kept(dataset: Any, labels: Any, *, limit: int = 2000) -> Diagnosis:
    """Return whether labels that were collected from a dataset still stand beside its images in another pass.

    `labels` (n,), or one-hot, are what answers of `predict(dataset)` are compared with. A dataset that is shuffled anew in
    every pass gives answers in one order and labels in another.
    """
    given = np.concatenate([as_integers(labels)])
    passes = [np.concatenate(read_labels(dataset, limit=limit)) for _ in range(2)]
    name = "labels in order"
    short = [one[: len(given)] for one in passes]
    if len(given) != len(passes[0]) and len(passes[0]) < limit:
        message = f"{len(given)} labels for {len(passes[0])} images."
        return Diagnosis(name, False, message, "labels = np.concatenate([label for _, label in dataset])")
    wrong = max(float((one != given[: len(one)]).mean()) for one in short)
    if wrong:
        why = (
            "in another pass the images come in another order"
            if (passes[0] != passes[1]).any()
            else "they are in another order"
        )
        message = f"{wrong:.0%} of the labels do not belong to the image at their place: {why}."
        return Diagnosis(name, False, message, "take out shuffle() (shuffle=False) where answers are compared with labels")
    return Diagnosis(name, True, f"{len(given)} labels stand beside their images in every pass.")


def diagnose_class_order(train_names: Any, other_names: Any) -> Diagnosis:
    """Return whether two lists of class names give every class the same number.

    Each is a list of names in order, a dict of name and number (`class_indices`), or a dataset that has one of these.
    """
    first, second = _class_names(train_names), _class_names(other_names)
    if first == second:
        return Diagnosis("class order", True, f"the same {len(first)} classes in the same order.")
    lacking = {"missing": set(first) - set(second), "new": set(second) - set(first)}
    found = "; ".join(f"{word}: {', '.join(sorted(names))}" for word, names in lacking.items() if names)
    message = f"the classes differ ({found or 'a name comes twice'}), so the numbers do as well."
    if sorted(first) == sorted(second):
        number = next(index for index, name in enumerate(first) if name != second[index])
        message = f"class {number} is {first[number]!r} in training and {second[number]!r} here."
    return Diagnosis("class order", False, message, f"image_dataset_from_directory(folder, class_names={first})")


def _class_names(given: Any) -> list[str]:
    given = getattr(given, "class_names", getattr(given, "class_indices", given))
    if isinstance(given, str) or not hasattr(given, "__iter__"):
        raise TypeError(f"class names are wanted, as a list in order; received {type(given).__name__}.")
    names = [str(name) for name in (sorted(given, key=given.get) if isinstance(given, dict) else given)]
    if not names:
        raise ValueError("the list of class names is empty.")
    return names
