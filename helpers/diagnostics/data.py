"""Are all images shown, varied, in one part only, and the classes in one order? Diagnoses of data, and the epochs they read.

They look at what comes out of a dataset, so it does not matter how it was made. Images are told apart by a digest of their
values, hence in any order: shuffling makes no difference. The same photograph in another size or rotated is another
image to them. Give lists of file names, or of photographs, where that matters.
"""

from __future__ import annotations

import copy
import functools
import hashlib
import itertools
import math
import os
import random
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from helpers.diagnostics.result import Diagnosis

ENOUGH = 1000  # two random draws of so many images, of a hundred times as many, have some in common
MOST_IMAGES = 200_000  # a pass that goes on for longer is taken to be endless
MIXING = "a shuffle() comes before take() or skip(), so every pass deals the images out anew."
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
    shown = _read_twice(dataset, steps=steps, limit=limit)
    if shown.again and shown.new and shown.epochs.deals_anew:
        message = f"whether there is augmentation cannot be seen: {MIXING}"
        return Diagnosis("augmentation", False, message, UNMIX)
    looked = f"{len(shown.second)} images" + (f" (the first {limit})" if shown.cut else "")
    if shown.new and not _only_dropped(shown):
        return Diagnosis("augmentation", True, f"{shown.new} of {looked} were different in the second epoch.")
    why, change = _not_augmented(shown)
    message = f"two epochs show the very same {looked}, compared in any order: {why}"
    return Diagnosis("augmentation", False, message, change)


def _only_dropped(shown: _TwoEpochs) -> bool:
    """Is the difference no more than the incomplete batch, another one each time, that drop_remainder leaves out?"""
    size = shown.epochs.fixed_batch_size or 1
    if size == 1 or not shown.again or shown.epochs.steps:
        return False
    later = [digest for _ in range(3) for digest in shown.epochs.digests(None)[0]]
    return len({*shown.first, *shown.second, *later}) < len(set(shown.first)) + size


def _not_augmented(shown: _TwoEpochs) -> tuple[str, str]:
    data, stages = shown.epochs.data, shown.epochs.stages
    change = "dataset.cache().map(augment).prefetch(2)  # cache() first, then augment; with a new seed every time"
    if hasattr(data, "image_data_generator"):
        change = "ImageDataGenerator(rotation_range=40, horizontal_flip=True, ...)  # for the training part"
    why = "they are not augmented at all, or with the same seed every time."
    if re.search("Map.*Cache", stages):
        why = "cache() comes after map(), so it keeps the augmented images (if there is augmentation at all)."
    elif "Cache" in stages:
        why = "behind cache() nothing random happens to the images: they are not augmented."
    if shown.cut and hasattr(data, "cardinality") and int(data.cardinality()) < 0:
        why += " (If the dataset never ends, say how many steps are an epoch: steps=...)"
    return why, change


def diagnose_every_image_seen(dataset: Any, *, expected: int, steps: int | None = None) -> Diagnosis:
    """Return whether one epoch shows all of the `expected` images. `steps` is what `fit()` or `evaluate()` is given.

    Everything is read, once. Of an endless dataset also the next two epochs are, when an image comes twice: were others left
    out for it, or is it twice in the data?
    """
    if isinstance(expected, bool) or not isinstance(expected, int) or expected < 1:
        raise ValueError(f"expected is {expected!r}; wanted the number of images, such as len(labels).")
    name, epochs = "every image seen", Epochs(dataset, steps=steps)
    digests, cut = epochs.digests(3 * expected)
    count, distinct = len(digests), len(set(digests))
    if cut:
        message = f"one pass shows more than {3 * expected} images where {expected} are expected."
        return Diagnosis(name, False, message, _steps_line(expected, epochs))
    epoch = f"one epoch of {steps} steps" if steps else "one pass"
    if count < expected:
        message = f"{epoch} shows {count} of {expected} images: {expected - count} are left out."
        return Diagnosis(name, False, message, _unseen_line(expected, epochs))
    if (steps or not epochs.stages) and distinct < min(count, expected):
        if {*epochs.digests(None)[0], *epochs.digests(None)[0]} - set(digests):
            message = f"{epoch} shows {count} images, but only {distinct} different ones: some twice, others not."
            return Diagnosis(name, False, message, f"dataset.shuffle({expected}).repeat()  # shuffle() before repeat()")
    more = f" ({count - expected} more than expected: some twice)" if count > expected else ""
    return Diagnosis(name, True, f"{epoch} shows {count} images, {expected} were expected{more}.")


def _steps_line(expected: int, epochs: Epochs) -> str:
    size = epochs.batch_size
    return f"steps = math.ceil({expected} / {size})  # {math.ceil(expected / size)}, not {expected} // {size}"


def _unseen_line(expected: int, epochs: Epochs) -> str:
    if epochs.steps:
        return _steps_line(expected, epochs)
    if epochs.fixed_batch_size:
        return f"dataset.batch({epochs.fixed_batch_size})  # without drop_remainder=True"
    if hasattr(epochs.data, "num_batches"):
        return f"def __len__(self): return math.ceil({expected} / {epochs.batch_size})"
    return "take out what shortens the dataset (take(), skip(), drop_remainder=True), or correct `expected`"


def diagnose_class_order(train_names: Any, other_names: Any) -> Diagnosis:
    """Return whether two lists of class names give every class the same number.

    Each is a list of names in order, a dict of name and number (`class_indices`), or a dataset that has one of these.
    """
    first, second = _class_names(train_names), _class_names(other_names)
    if first == second:
        return Diagnosis("class order", True, f"the same {len(first)} classes in the same order.")
    change = f"image_dataset_from_directory(folder, class_names={first})"
    if sorted(first) == sorted(second):
        number = next(index for index, name in enumerate(first) if name != second[index])
        message = f"class {number} is {first[number]!r} in training and {second[number]!r} here."
        return Diagnosis("class order", False, message, change)
    lacking = {"missing": set(first) - set(second), "new": set(second) - set(first)}
    found = "; ".join(f"{word}: {', '.join(sorted(names))}" for word, names in lacking.items() if names)
    message = f"the classes differ ({found or 'a name comes twice'}), so the numbers do as well."
    return Diagnosis("class order", False, message, change)


def _class_names(given: Any) -> list[str]:
    given = getattr(given, "class_names", getattr(given, "class_indices", given))
    if isinstance(given, dict):
        given = sorted(given, key=given.get)
    if isinstance(given, str) or not hasattr(given, "__iter__"):
        raise TypeError(f"class names are wanted, as a list in order; received {type(given).__name__}.")
    names = [str(name) for name in given]
    if not names:
        raise ValueError("the list of class names is empty.")
    return names


def diagnose_splits(*, train: Any = None, validation: Any = None, test: Any = None, limit: int = 2000) -> Diagnosis:
    """Return whether no image is in two parts, and validation and test show the same images in every pass.

    A part is a dataset, an array, a folder, or a list of names. Files are compared by their bytes, other names (of
    photographs that patches were cut from, of patients) as text. Images are compared by their values: one that is
    resized, rotated or scaled otherwise in another part is not found, its name is. Up to `limit` images of each part are
    read, twice, and more where these do not decide. Scaling that was fitted on all parts leaves no trace here.
    """
    given = {"train": train, "validation": validation, "test": test}
    given = {name: data for name, data in given.items() if data is not None}
    if not given or set(given) == {"train"}:
        raise ValueError("give at least two parts (train=, validation=, test=), or one of the last two.")
    named = {name: names for name, data in given.items() if (names := _names(data)) is not None}
    if 0 < len(named) < len(given):
        raise ValueError(f"{' and '.join(named)}: names; the rest: images. Give the same kind for every part.")
    parts = {name: _TwoEpochs(Epochs(names), names, names) for name, names in named.items()}
    parts = parts or {name: _read_twice(data, limit=limit, decide=name != "train") for name, data in given.items()}
    files = {name: getattr(data, "file_paths", getattr(data, "filepaths", [])) for name, data in given.items()}
    paths = {name: [os.path.realpath(path) for path in listed] for name, listed in files.items()}
    known = {name: _TwoEpochs(Epochs(listed), listed, listed) for name, listed in paths.items() if listed}
    found = _overlapping(parts) or _changing(parts) or _overlapping(known)
    if found:
        return Diagnosis("splits", False, *found)
    counts = ", ".join(f"{len(part.first)} {name}" for name, part in parts.items())
    cut = " and ".join(name for name, part in parts.items() if part.cut)
    limited = f" (of {cut} only the first {limit}; limit=None reads all)" if cut else ""
    what = "no image is in two parts" if len(parts) > 1 else "the same images in both passes"
    return Diagnosis("splits", True, f"{what}: {counts}{limited}.")


def _overlapping(parts: dict[str, _TwoEpochs]) -> tuple[str, str] | None:
    """Return the problem that images are in two parts, and what to change, or None."""
    overlaps, twice = [], False
    for (first, one), (second, other) in itertools.combinations(parts.items(), 2):
        both = {*one.first, *one.second} & {*other.first, *other.second}
        if not both:
            continue
        count = sum(image in both for image in other.first) or len(both)
        names = [image for image in both if isinstance(image, str)]
        example = f", such as {min(names)}" if names else ""
        overlaps.append(f"{count} of {len(other.first)} {second} images are also in {first}{example}")
        twice |= both == {*one.first, *one.second, *other.first, *other.second}
    if not overlaps:
        return None
    found = "; ".join(overlaps)
    if any(part.epochs.deals_anew for part in parts.values()):
        return f"{found}: {MIXING}", UNMIX
    if any(part.again and part.new and not part.cut for part in parts.values()):
        return f"{found}: every pass deals the images out anew, as a shuffle() before take() or skip() does.", UNMIX
    if twice:
        change = "model.fit(train, validation_data=validation)  # test only at the end: model.evaluate(test)"
        return f"{found}: one part is used in two places.", change
    change = (
        "split the names of files or photographs first, duplicates together, then build each part from its own names"
    )
    return f"{found}: duplicates, or overlapping parts.", change


def _changing(parts: dict[str, _TwoEpochs]) -> tuple[str, str] | None:
    """Return the problem that validation or test change from pass to pass, and what to change, or None."""
    changing = [name for name, part in parts.items() if name != "train" and part.new]
    if not changing:
        return None
    name, part = changing[0], parts[changing[0]]
    message = f"{part.new} of {len(part.second)} {name} images are others in the second pass:"
    if part.epochs.deals_anew:
        return f"{message} {MIXING}", UNMIX
    size = part.epochs.fixed_batch_size
    if size and part.new < size:
        change = f"{name} = {name}.batch({size})  # without drop_remainder=True, or without shuffle()"
        return f"{message} drop_remainder leaves out others each time.", change
    change = f"{name} = {name}.map(preprocess)  # preprocess only; augment() belongs to train"
    if hasattr(part.epochs.data, "image_data_generator"):
        change = f"{name} = ImageDataGenerator(preprocessing_function=preprocess_input).flow(...)  # no augmentation"
    if not part.again or "train" in parts:
        return f"{message} they are augmented.", change
    change = f"{change}, and no shuffle() before take(), skip() or drop_remainder"
    return f"{message} they are augmented, or dealt out anew.", change


def _names(data: Any) -> list[str] | None:
    """Return what identifies each file or name of a part, or None when it holds images."""
    if isinstance(data, str | os.PathLike):
        folder = Path(data)
        if not folder.is_dir():
            raise ValueError(f"{folder} is not a folder; give a folder, a list of names, or a dataset.")
        data = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
        if not data:
            raise ValueError(f"there is no file in {folder}.")
    if isinstance(data, np.ndarray) and data.ndim == 1 and data.dtype.kind in "USOiu":
        data = data.tolist()
    if not isinstance(data, list | tuple | set) or not data:
        return None
    if not all(isinstance(one, str | os.PathLike | int) for one in data):
        return None
    return [_identity(one) for one in data]


def _identity(name: Any) -> str:
    path = Path(str(name))
    if isinstance(name, int) or not path.is_file():
        return str(name)
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()


class Epochs:
    """A dataset gone through as `fit()` does, epoch after epoch. `steps`: batches in one, where it has no end of its own.

    It reads arrays, `tf.data` datasets, `PyDataset` and the iterators of `ImageDataGenerator`, lists of batches, and
    functions that return one of these. A dataset that shuffles or augments draws random numbers as in an epoch of training.
    """

    def __init__(self, data: Any, *, steps: int | None = None) -> None:
        if steps is not None and (not isinstance(steps, int | np.integer) or steps < 1):
            raise ValueError(f"steps is {steps!r}; wanted a whole number of batches, at least 1.")
        self.data, self.steps = _readable(data), steps
        self._running: Iterator | None = None

    def batches(self) -> Iterator[np.ndarray]:
        """Yield the images of one epoch, batch by batch, (n, height, width, channels)."""
        if self.steps is None or self._running is None:
            self._running = iter(self._start())
        count = 0
        for item in itertools.islice(self._running, self.steps):
            count += 1
            yield _images(item)
        if count != self.steps:  # it had an end; `fit()` stops its epoch here as well
            self._running = None

    def _start(self) -> Iterable:
        """Return what yields the batches of one epoch, or without end where steps are counted."""
        cardinality = getattr(self.data, "cardinality", lambda: 0)
        if self.steps is None and (int(cardinality()) == -1 or getattr(self.data, "num_batches", 0) is None):
            raise ValueError("the dataset never ends (repeat()); say how many batches are an epoch: steps=...")
        if isinstance(self.data, tuple) and hasattr(self.data[0], "dtype"):
            return [self.data]
        if hasattr(self.data, "num_batches"):
            return self._indexed()
        return self.data if isinstance(self.data, Iterable) else self.data()

    def _indexed(self) -> Iterator:
        count = self.data.num_batches
        while True:
            for index in itertools.count() if count is None else range(count):
                yield self.data[index]
            self.data.on_epoch_end()
            if self.steps is None:
                return

    def digests(self, limit: int | None) -> tuple[list[bytes], bool]:
        """Return a digest of every image of one epoch, in order, and whether it was cut off at `limit`.

        A dataset that caches is read to its end, since a cache is only filled then. Epochs counted in steps are, too.
        """
        limit = None if self.steps or re.search("Cache|unknown", self.stages) else limit
        digests: list[bytes] = []
        for image in itertools.chain.from_iterable(self.batches()):
            if limit is not None and len(digests) >= limit:
                return digests, True
            digests.append(_digest(image))
            if len(digests) > MOST_IMAGES:
                raise ValueError(f"more than {MOST_IMAGES} images in a pass; if it never ends, give steps=...")
        if not digests:
            raise ValueError("there is not one image in the dataset.")
        return digests, False

    @functools.cached_property
    def stages(self) -> str:
        """Return the stages of a `tf.data` pipeline in order, "TensorSlice Map Shuffle Batch"; "" for anything else.

        A shuffle with the same order in every pass is a "FixedShuffle".
        """
        import tensorflow as tf

        if not isinstance(self.data, tf.data.Dataset):
            return ""
        try:
            variant = tf.data.experimental.to_variant(self.data)
            graph = tf.raw_ops.DatasetToGraphV2(
                input_dataset=variant, external_state_policy=1
            )  # keep quiet about state
        except tf.errors.OpError:
            return "unknown"
        nodes = [node for node in tf.compat.v1.GraphDef.FromString(graph.numpy()).node if "Dataset" in node.op]
        fixed = [node.op.startswith("Shuffle") and not node.attr["reshuffle_each_iteration"].b for node in nodes]
        return " ".join(
            "Fixed" * same + node.op.partition("Dataset")[0] for node, same in zip(nodes, fixed, strict=True)
        )

    @property
    def deals_anew(self) -> bool:
        """Return whether a `tf.data` pipeline shuffles before it takes or skips a part; False where that cannot be seen."""
        return re.search(r"\bShuffle\b(?:(?!Cache).)*\b(Take|Skip)\b", self.stages) is not None

    @property
    def fixed_batch_size(self) -> int | None:
        """Return the batch size of a `tf.data` dataset whose batches are all full (`drop_remainder=True`), else None."""
        import tensorflow as tf

        shape = getattr(tf.nest.flatten(getattr(self.data, "element_spec", None))[0], "shape", None)
        if shape is None or shape.rank is None or shape.rank < 2 or (shape.rank == 3 and shape[-1] in (1, 3, 4)):
            return None
        return shape[0]

    @property
    def batch_size(self) -> int:
        """Return the number of images in the first batch."""
        return len(next(Epochs(self.data, steps=1).batches()))


@dataclass(frozen=True)
class _TwoEpochs:
    """What two epochs have shown: a digest of every image, or names. `cut`: of a longer dataset no more was read."""

    epochs: Epochs
    first: list[Hashable]
    second: list[Hashable]
    cut: bool = False

    @property
    def again(self) -> int:
        return (Counter(self.first) & Counter(self.second)).total()

    @property
    def new(self) -> int:
        return len(self.second) - self.again


def _read_twice(data: Any, *, limit: int | None, steps: int | None = None, decide: bool = True) -> _TwoEpochs:
    """Return two epochs, the first `limit` images of each, or all where these are shuffled and `decide` nothing."""
    epochs = Epochs(data, steps=steps)
    first, cut = epochs.digests(limit)
    shown = _TwoEpochs(epochs, first, epochs.digests(limit)[0], cut)
    if decide and cut and shown.new and (shown.again or limit < ENOUGH):
        return _TwoEpochs(epochs, epochs.digests(None)[0], epochs.digests(None)[0])
    return shown


def _readable(data: Any) -> Any:
    import keras

    if isinstance(data, keras.utils.PyDataset):
        return _own_copy(data)
    if hasattr(data, "shape") and hasattr(data, "dtype"):
        return (data,)
    if isinstance(data, Iterator):
        raise TypeError("a generator can be gone through only once, so looking at it would use it up; give the"
                        " dataset itself, or a function that makes a new generator.")  # fmt: skip
    if isinstance(data, str | bytes | dict | type) or not (isinstance(data, Iterable) or callable(data)):
        raise TypeError(f"a dataset or an array of images is wanted; received {type(data).__name__} {data!r:.60}.")
    return data


def _own_copy(data: Any) -> Any:
    """Return a copy that shares the images, so that counting, shuffling and drawing leave the learner's as it is."""
    mine = copy.copy(data)
    for name, value in vars(data).items():
        if isinstance(value, np.random.Generator | np.random.RandomState | random.Random):
            object.__setattr__(mine, name, copy.deepcopy(value))
        elif isinstance(value, list | dict) or (isinstance(value, np.ndarray) and value.ndim <= 1):
            object.__setattr__(mine, name, copy.copy(value))
    return mine


def _images(item: Any) -> np.ndarray:
    """Return the images of one item of a dataset, (images, labels), as a batch."""
    if isinstance(item, dict):
        raise TypeError(f"the dataset yields dicts with {', '.join(map(str, item))}; give one of (images, labels).")
    images, *labels = item if isinstance(item, tuple | list) else (item,)
    if isinstance(images, dict | tuple):
        raise TypeError("the dataset yields several inputs at once; give one that yields (images, labels).")
    images = np.asarray(images)
    if images.dtype.kind not in "uifb" or not images.ndim:
        raise TypeError(f"the dataset yields {str(images.flat[0])!r:.40}, not images.")
    batched = images.ndim > 1
    if images.ndim == 3 and labels and labels[0] is not None:
        batched = np.ndim(labels[0]) > 0 and np.shape(labels[0])[0] == len(images)
    elif images.ndim == 3:
        batched = images.shape[-1] not in (1, 3, 4)
    return images if batched else images[np.newaxis]


def _digest(image: np.ndarray) -> bytes:
    values = np.ascontiguousarray(image, dtype="float32") + 0.0  # so that -0 and 0, uint8 and float are the same
    return hashlib.blake2b(f"{values.shape}".encode() + values.tobytes(), digest_size=16).digest()
