"""Checks of the data of a program: is every image seen, are the parts apart, does augmentation happen?

They look at what comes out of a dataset, so it does not matter how it was made. Images are told apart by a digest of their
values, hence in any order: shuffling makes no difference. The same photograph in another size or rotated is another
image to them. Give lists of file names, or of photographs, where that matters.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from helpers.diagnostics.image_passes import Passes, fixed_batch_size, pipeline, read_digests
from helpers.diagnostics.result import Diagnosis

MIXING = "a shuffle() comes before take() or skip(), so every pass deals the images out anew."
ENOUGH = 1000  # two random draws of so many images, of a hundred times as many, have some in common
UNMIX = (
    'train, validation = keras.utils.image_dataset_from_directory(folder, validation_split=0.2, subset="both", seed=0)'
    "  # or shuffle(..., reshuffle_each_iteration=False) before take() and skip()"
)


def diagnose_augmentation_varies(dataset: Any, *, steps: int | None = None, limit: int = 2000) -> Diagnosis:
    """Return whether two epochs show different images, as augmentation should make them.

    The images of both epochs are compared as sets, so a new order alone is no difference. `steps`: batches in an epoch, for
    a dataset without an end. From a dataset without `cache()` only `limit` images are read where these decide. Augmentation
    by layers inside the model is not seen here.
    """
    passes = Passes(dataset, steps=steps)
    first, cut = read_digests(passes, limit)
    second, _ = read_digests(passes, limit)
    again = _in_common(first, second)
    if cut and again < len(second) and (again or limit < ENOUGH):  # shuffled: a part of it decides nothing
        first, cut = read_digests(passes, None)
        second, _ = read_digests(passes, None)
        again = _in_common(first, second)
    if again and again < len(second) and deals_anew(dataset):
        message = f"whether there is augmentation cannot be seen: {MIXING}"
        return Diagnosis("augmentation", False, message, UNMIX)
    looked = f"{len(second)} images" + (f" (the first {limit})" if cut else "")
    if again == len(second) or _only_dropped(passes, first, second):
        return _not_augmented(dataset, looked, limited=cut)
    return Diagnosis("augmentation", True, f"{len(second) - again} of {looked} were different in the second epoch.")


def _only_dropped(passes: Passes, first: list[bytes], second: list[bytes]) -> bool:
    """Is the difference no more than the incomplete batch, another one each time, that drop_remainder leaves out?"""
    size = fixed_batch_size(passes.data)
    if not size or size == 1 or not _in_common(first, second) or passes.steps:
        return False
    seen = set(first) | set(second)
    for _ in range(3):
        seen.update(read_digests(passes, None)[0])
    return len(seen) < len(set(first)) + size


def _not_augmented(dataset: Any, looked: str, *, limited: bool) -> Diagnosis:
    same = f"two epochs show the very same {looked}, compared in any order:"
    kinds = pipeline(dataset) or []
    change = "dataset.cache().map(augment).prefetch(2)  # cache() first, then augment; with a new seed every time"
    if "Cache" in kinds and "Map" in "".join(kinds[kinds.index("Cache") :]):
        why = "cache() comes after map(), so it keeps the augmented images (if there is augmentation at all)."
    elif "Cache" in kinds:
        why = "behind cache() nothing random happens to the images: they are not augmented."
    else:
        why = "they are not augmented at all, or with the same seed every time."
    if limited and hasattr(dataset, "cardinality") and int(dataset.cardinality()) < 0:
        why += " (If the dataset never ends, say how many steps are an epoch: steps=...)"
    if hasattr(dataset, "image_data_generator"):
        change = "ImageDataGenerator(rotation_range=40, horizontal_flip=True, ...)  # for the training part"
    return Diagnosis("augmentation", False, f"{same} {why}", change)


def diagnose_every_image_seen(dataset: Any, *, expected: int, steps: int | None = None) -> Diagnosis:
    """Return whether one epoch shows all of the `expected` images. `steps` is what `fit()` or `evaluate()` is given.

    Everything is read, once. Of an endless dataset also the next two epochs are, when an image comes twice: were others left
    out for it, or is it twice in the data?
    """
    if isinstance(expected, bool) or not isinstance(expected, int) or expected < 1:
        raise ValueError(f"expected is {expected!r}; wanted the number of images, such as len(labels).")
    passes = Passes(dataset, steps=steps)
    digests, cut = read_digests(passes, 3 * expected)
    count, distinct = len(digests), len(set(digests))
    if cut:
        message = f"one pass shows more than {3 * expected} images where {expected} are expected."
        return Diagnosis("every image seen", False, message, _steps_line(expected, passes))
    epoch = f"one epoch of {steps} steps" if steps else "one pass"
    if count < expected:
        message = f"{epoch} shows {count} of {expected} images: {expected - count} are left out."
        return Diagnosis("every image seen", False, message, _unseen_line(expected, passes))
    if (steps or pipeline(passes.data) == []) and distinct < min(count, expected):
        later = set(read_digests(passes, None)[0]) | set(read_digests(passes, None)[0])
        if later - set(digests):
            message = f"{epoch} shows {count} images, but only {distinct} different ones: some twice, others not."
            change = f"dataset.shuffle({expected}).repeat()  # shuffle() before repeat()"
            return Diagnosis("every image seen", False, message, change)
    more = f" ({count - expected} more than expected: some twice)" if count > expected else ""
    return Diagnosis("every image seen", True, f"{epoch} shows {count} images, {expected} were expected{more}.")


def _batch_size(passes: Passes) -> int:
    return max(len(images) for images, _ in Passes(passes.data, steps=1).epoch())


def _steps_line(expected: int, passes: Passes) -> str:
    size = _batch_size(passes)
    return f"steps = math.ceil({expected} / {size})  # {math.ceil(expected / size)}, not {expected} // {size}"


def _unseen_line(expected: int, passes: Passes) -> str:
    if passes.steps:
        return _steps_line(expected, passes)
    if size := fixed_batch_size(passes.data):
        return f"dataset.batch({size})  # without drop_remainder=True"
    if hasattr(passes.data, "num_batches"):
        return f"def __len__(self): return math.ceil({expected} / {_batch_size(passes)})"
    return "take out what shortens the dataset (take(), skip(), drop_remainder=True), or correct `expected`"


def diagnose_class_order(train_names: Any, other_names: Any) -> Diagnosis:
    """Return whether two lists of class names give every class the same number.

    Each is a list of names in order, a dict of name and number (`class_indices`), or a dataset that has one of these.
    """
    first, second = _names(train_names), _names(other_names)
    if first == second:
        return Diagnosis("class order", True, f"the same {len(first)} classes in the same order.")
    change = f"image_dataset_from_directory(folder, class_names={first})"
    if sorted(first) == sorted(second):
        number = next(index for index, pair in enumerate(zip(first, second, strict=True)) if len(set(pair)) > 1)
        message = f"class {number} is {first[number]!r} in training and {second[number]!r} here."
        return Diagnosis("class order", False, message, change)
    missing, new = sorted(set(first) - set(second)), sorted(set(second) - set(first))
    parts = [f"{word}: {', '.join(names)}" for word, names in (("missing", missing), ("new", new)) if names]
    message = f"the classes differ ({'; '.join(parts) or 'a name comes twice'}), so the numbers do as well."
    return Diagnosis("class order", False, message, change)


def _names(given: Any) -> list[str]:
    given = getattr(given, "class_names", getattr(given, "class_indices", given))
    if isinstance(given, dict):
        given = sorted(given, key=given.get)
    if isinstance(given, str) or not hasattr(given, "__iter__"):
        raise TypeError(f"class names are wanted, as a list in order; received {type(given).__name__}.")
    names = [str(name) for name in given]
    if not names:
        raise ValueError("the list of class names is empty.")
    return names


def _in_common(first: Sequence[bytes], second: Sequence[bytes]) -> int:
    return (Counter(first) & Counter(second)).total()


def deals_anew(dataset: Any) -> bool:
    """Return whether a `tf.data` pipeline shuffles before it takes or skips a part; False where that cannot be seen."""
    kinds = pipeline(dataset) or []
    parts = [index for index, kind in enumerate(kinds) if kind in ("Take", "Skip")]
    before = kinds[parts[0] :] if parts else []
    before = before[: before.index("Cache")] if "Cache" in before else before
    return any(kind.startswith("Shuffle") for kind in before)
