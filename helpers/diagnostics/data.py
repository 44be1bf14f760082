"""Are all images shown, varied, and in one part only? And the epochs that show it."""

from __future__ import annotations

import copy
import functools
import itertools
import math
import os
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from helpers.diagnostics.result import Diagnosis

PARTS = ("train", "validation", "test")
ENOUGH = 1000  # two random draws of so many images, of a hundred times as many, have some in common
MOST_IMAGES = 200_000  # a pass that goes on for longer is taken to be endless
MIXING = "a shuffle() comes before take() or skip(), so every pass deals the images out anew."
UNMIX = (
    'train, validation = keras.utils.image_dataset_from_directory(folder, validation_split=0.2, subset="both", seed=0)'
    "  # or shuffle(..., reshuffle_each_iteration=False) before take() and skip()"
)
APART = "split the names of files or photographs first, duplicates together, then build each part from its own names"


def diagnose_augmentation_varies(dataset: Any, *, steps: int | None = None, limit: int = 2000) -> Diagnosis:
    """Return whether two epochs show different images, as augmentation should make them.

    They are compared as sets: a new order alone is no difference. `steps`: batches in an epoch, for a dataset without an
    end. From a dataset without `cache()` only `limit` images are read where these decide. Augmentation by layers inside
    the model is not seen here.
    """
    epochs = Epochs(dataset, steps=steps).read_twice(limit)
    if epochs.again and epochs.new and epochs.deals_anew:
        return Diagnosis("augmentation", False, f"whether there is augmentation cannot be seen: {MIXING}", UNMIX)
    looked = f"{len(epochs.second)} images" + (f" (the first {limit})" if epochs.cut else "")
    if epochs.new and not epochs.only_dropped():
        return Diagnosis("augmentation", True, f"{epochs.new} of {looked} were different in the second epoch.")
    why = "they are not augmented at all, or with the same seed every time."
    if re.search("Map.*Cache", epochs.stages):
        why = "cache() comes after map(), so it keeps the augmented images (if there is augmentation at all)."
    elif "Cache" in epochs.stages:
        why = "behind cache() nothing random happens to the images: they are not augmented."
    if epochs.cut and hasattr(dataset, "cardinality") and int(dataset.cardinality()) < 0:
        why += " (If the dataset never ends, say how many steps are an epoch: steps=...)"
    change = "dataset.cache().map(augment).prefetch(2)  # cache() first, then augment; with a new seed every time"
    if hasattr(dataset, "image_data_generator"):
        change = "ImageDataGenerator(rotation_range=40, horizontal_flip=True, ...)  # for the training part"
    return Diagnosis("augmentation", False, f"two epochs show the very same {looked}, compared in any order: {why}", change)


def diagnose_every_image_seen(dataset: Any, *, expected: int, steps: int | None = None) -> Diagnosis:
    """Return whether one epoch shows all of the `expected` images. `steps` is what `fit()` or `evaluate()` is given.

    Everything is read, once; of an endless dataset where an image comes twice also the next two epochs: were others left
    out for it, or is it twice in the data?
    """
    if isinstance(expected, bool) or not isinstance(expected, int) or expected < 1:
        raise ValueError(f"expected is {expected!r}; wanted the number of images, such as len(labels).")
    name, epochs = "every image seen", Epochs(dataset, steps=steps)
    shown, cut = epochs.hashes(3 * expected)
    count, distinct, epoch = len(shown), len(set(shown)), f"one epoch of {steps} steps" if steps else "one pass"
    if cut or count < expected:
        shows = f"{count} of {expected} images: {expected - count} are left out."
        shows = f"more than {3 * expected} images where {expected} are expected." if cut else shows
        change = _all_images_line(expected, epochs, counted=cut or steps is not None)
        return Diagnosis(name, False, f"{epoch} shows {shows}", change)
    repeated = (steps or not epochs.stages) and distinct < min(count, expected)
    if repeated and {*epochs.hashes(None)[0], *epochs.hashes(None)[0]} - set(shown):
        message = f"{epoch} shows {count} images, but only {distinct} different ones: some twice, others not."
        if hasattr(dataset, "num_batches") and not steps:  # its own code draws them, other ones in each pass
            return Diagnosis(name, True, f"{message} Other passes show others, as drawing with replacement does.")
        return Diagnosis(name, False, message, f"dataset.shuffle({expected}).repeat()  # shuffle() before repeat()")
    more = f" ({count - expected} more than expected: some twice)" if count > expected else ""
    return Diagnosis(name, True, f"{epoch} shows {count} images, {expected} were expected{more}.")


def _all_images_line(expected: int, epochs: Epochs, *, counted: bool) -> str:
    """Return the line that makes an epoch show all images; `counted`: by its number of steps."""
    size = len(next(Epochs(epochs.data, steps=1).batches()))
    if counted:
        return f"steps = math.ceil({expected} / {size})  # {math.ceil(expected / size)}, not {expected} // {size}"
    if epochs.full_batch:
        return f"dataset.batch({size})  # without drop_remainder=True"
    if hasattr(epochs.data, "num_batches"):
        return f"def __len__(self): return math.ceil({expected} / {size})"
    return "take out what shortens the dataset (take(), skip(), drop_remainder=True), or correct `expected`"


def diagnose_splits(*, train: Any = None, validation: Any = None, test: Any = None, limit: int = 2000) -> Diagnosis:
    """Return whether no image is in two parts, and validation and test show the same images in every pass.

    A part is a dataset, an array, a folder, or a list of names. Files are compared by their bytes, other names (of
    photographs that patches were cut from, of patients) as text, images by their values: one that is resized, rotated or
    scaled otherwise is not found, its name is. Up to `limit` images of each part are read, twice, and more where these do
    not decide. Scaling that was fitted on all parts leaves no trace here.
    """
    given = {name: data for name, data in zip(PARTS, (train, validation, test), strict=True) if data is not None}
    if not given or set(given) == {"train"}:
        raise ValueError("give at least two parts (train=, validation=, test=), or one of the last two.")
    named = {name: names for name, data in given.items() if (names := _names(data)) is not None}
    if 0 < len(named) < len(given):
        raise ValueError(f"{' and '.join(named)}: names; the rest: images. Give the same kind for every part.")
    parts = {name: Epochs(named.get(name, data), named=bool(named)) for name, data in given.items()}
    for name, part in parts.items():
        part.read_twice(limit, decide=name != "train")
    paths = {name: getattr(data, "file_paths", getattr(data, "filepaths", [])) for name, data in given.items()}
    listed = {name: [os.path.realpath(path) for path in part] for name, part in paths.items() if part}
    files = {name: Epochs(names, named=True).read_twice(None) for name, names in listed.items()}
    if problem := next(itertools.chain(_overlaps(parts), _changes(parts), _overlaps(files)), None):
        return Diagnosis("splits", False, *problem)
    counts = ", ".join(f"{len(part.first)} {name}" for name, part in parts.items())
    cut = " and ".join(name for name, part in parts.items() if part.cut)
    limited = f" (of {cut} only the first {limit}; limit=None reads all)" if cut else ""
    what = "no image is in two parts" if len(parts) > 1 else "the same images in both passes"
    return Diagnosis("splits", True, f"{what}: {counts}{limited}.")


def _overlaps(parts: dict[str, Epochs]) -> Iterator[tuple[str, str]]:
    """Yield the problem that images are in two parts, and what to change; nothing where none are."""
    seen = {name: {*part.first, *part.second} for name, part in parts.items()}
    pairs = [pair for pair in itertools.combinations(parts, 2) if seen[pair[0]] & seen[pair[1]]]
    found = []
    for one, other in pairs:
        both, images = seen[one] & seen[other], parts[other].first
        names = sorted(image for image in both if isinstance(image, str))
        example = f", such as {names[0]}" if names else ""
        count = sum(image in both for image in images) or len(both)
        found.append(f"{count} of {len(images)} {other} images are also in {one}{example}")
    why, change = "duplicates, or overlapping parts.", APART
    if any(seen[one] == seen[other] for one, other in pairs):
        why = "one part is used in two places."
        change = "model.fit(train, validation_data=validation)  # test only at the end: model.evaluate(test)"
    if any(part.again and part.new and not part.cut for part in parts.values()):
        why, change = "every pass deals the images out anew, as a shuffle() before take() or skip() does.", UNMIX
    if any(part.deals_anew for part in parts.values()):
        why, change = MIXING, UNMIX
    if pairs:
        yield f"{'; '.join(found)}: {why}", change


def _changes(parts: dict[str, Epochs]) -> Iterator[tuple[str, str]]:
    """Yield the problems that validation or test change from pass to pass, and what to change."""
    for name, part in parts.items():
        why = "they are augmented."
        change = f"{name} = {name}.map(preprocess)  # preprocess only; augment() belongs to train"
        if hasattr(part.data, "image_data_generator"):
            change = f"{name} = ImageDataGenerator(preprocessing_function=preprocess_input).flow(...)  # no augmentation"
        if part.again and "train" not in parts:
            why = "they are augmented, or dealt out anew."
            change = f"{change}, and no shuffle() before take(), skip() or drop_remainder"
        if part.new < part.full_batch:
            why = "drop_remainder leaves out others each time."
            change = f"{name} = {name}.batch({part.full_batch})  # without drop_remainder=True, or without shuffle()"
        if part.deals_anew:
            why, change = MIXING, UNMIX
        if name != "train" and part.new:
            yield f"{part.new} of {len(part.second)} {name} images are others in the second pass: {why}", change


def _names(data: Any) -> list[Hashable] | None:
    """Return each name of a part, for a file a hash of its bytes instead, or None when it holds images."""
    if isinstance(data, str | os.PathLike):
        folder = Path(data)
        if not folder.is_dir():
            raise ValueError(f"{folder} is not a folder; give a folder, a list of names, or a dataset.")
        data = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
        if not data:
            raise ValueError(f"there is no file in {folder}.")
    listed = data.tolist() if isinstance(data, np.ndarray) and data.ndim == 1 else data
    listed = listed if isinstance(listed, list | tuple | set) else []
    if not listed or not all(isinstance(name, str | os.PathLike | int) for name in listed):
        return None
    return [hash(Path(name).read_bytes()) if os.path.isfile(str(name)) else str(name) for name in listed]


class Epochs:
    """A dataset gone through as `fit()` does, epoch after epoch. `steps`: batches in one, where it has no end of its own.

    It reads arrays, `tf.data` datasets, `PyDataset` and the iterators of `ImageDataGenerator`, lists of batches, and
    functions that return one of these; or names, if `named`. What two epochs show is `first` and `second`, `cut` when there
    is more; `again` of the second were in the first as well, the others are `new`.
    """

    def __init__(self, data: Any, *, steps: int | None = None, named: bool = False) -> None:
        if steps is not None and (not isinstance(steps, int | np.integer) or steps < 1):
            raise ValueError(f"steps is {steps!r}; wanted a whole number of batches, at least 1.")
        self.data, self.steps, self.named = _readable(data), steps, named
        self._running: Iterator | None = None

    def batches(self) -> Iterator[np.ndarray]:
        """Yield the images of one epoch, batch by batch, (n, height, width, channels)."""
        return map(_images, self.items())

    def items(self) -> Iterator[Any]:
        """Yield what the dataset gives in one epoch, mostly pairs of images and labels."""
        shown, fresh = 0, False
        while not shown and not fresh:  # the epoch before may have come to the very end of the data
            fresh = self.steps is None or self._running is None
            self._running = self._one_pass() if fresh else self._running
            for item in itertools.islice(self._running, self.steps):
                shown += 1
                yield item
            if shown != self.steps:  # the data had an end; `fit()` stops its epoch here as well
                self._running = None

    def _one_pass(self) -> Iterator:
        cardinality, count = getattr(self.data, "cardinality", lambda: 0), getattr(self.data, "num_batches", 0)
        if self.steps is None and (int(cardinality()) == -1 or count is None):
            raise ValueError("the dataset never ends (repeat()); say how many batches are an epoch: steps=...")
        if hasattr(self.data, "num_batches"):
            yield from (self.data[index] for index in (itertools.count() if count is None else range(count)))
            self.data.on_epoch_end()
        else:
            yield from self.data if isinstance(self.data, Iterable) else self.data()

    def hashes(self, limit: int | None) -> tuple[list[Hashable], bool]:
        """Return a hash of the values of every image of one epoch, in order, and whether it was cut off at `limit`.

        A dataset that caches is read to its end, since a cache is only filled then. Epochs counted in steps are, too.
        """
        if self.named:
            return self.data, False
        limit = None if self.steps or re.search("Cache|unknown", self.stages) else limit
        hashes: list[Hashable] = []
        for image in itertools.chain.from_iterable(self.batches()):
            if limit is not None and len(hashes) >= limit:
                return hashes, True
            values = np.ascontiguousarray(image, dtype="float32") + 0.0  # -0 becomes 0, uint8 is the same as float
            hashes.append(hash((values.shape, values.tobytes())))
            if len(hashes) > MOST_IMAGES:
                raise ValueError(f"more than {MOST_IMAGES} images in a pass; if it never ends, give steps=...")
        if not hashes:
            raise ValueError("there is not one image in the dataset.")
        return hashes, False

    def read_twice(self, limit: int | None, *, decide: bool = True) -> Epochs:
        """Return itself after two epochs of up to `limit` images each, or of all where these are shuffled and `decide`."""
        self.first, self.cut = self.hashes(limit)
        self.second, _ = self.hashes(limit)
        self.again = (Counter(self.first) & Counter(self.second)).total()
        self.new = len(self.second) - self.again
        undecided = self.cut and self.new and (self.again or limit < ENOUGH)
        return self.read_twice(None) if undecided and decide else self

    def only_dropped(self) -> bool:
        """Return whether only the incomplete batch that drop_remainder leaves out, another one each time, is different."""
        if self.full_batch < 2 or not self.again or self.steps:
            return False
        later = itertools.chain.from_iterable(self.hashes(None)[0] for _ in range(3))
        return len({*self.first, *self.second, *later}) < len(set(self.first)) + self.full_batch

    @functools.cached_property
    def _graph(self) -> Any:
        """Return the graph of a `tf.data` pipeline; an empty one for others, None where TensorFlow cannot write it."""
        import tensorflow as tf

        if not isinstance(self.data, tf.data.Dataset):
            return tf.compat.v1.GraphDef()
        try:
            variant = tf.data.experimental.to_variant(self.data)
            graph = tf.raw_ops.DatasetToGraphV2(input_dataset=variant, external_state_policy=1)  # 1: ignore
        except tf.errors.OpError:
            return None
        return tf.compat.v1.GraphDef.FromString(graph.numpy())

    @functools.cached_property
    def stages(self) -> str:
        """Return the stages of a `tf.data` pipeline, "Map Shuffle Batch", but shuffles in a fixed order; "" for others."""
        if self._graph is None:
            return "unknown"
        nodes = [node for node in self._graph.node if "Shuffle" not in node.op or node.attr["reshuffle_each_iteration"].b]
        return " ".join(node.op.partition("Dataset")[0] for node in nodes if "Dataset" in node.op)

    @property
    def random(self) -> bool:
        """Return whether the functions of a `tf.data` pipeline draw random numbers, as augmentation does."""
        if self._graph is None:
            return False
        operations = [node.op for function in self._graph.library.function for node in function.node_def]
        return any("Random" in name and "Dataset" not in name for name in operations)

    @property
    def deals_anew(self) -> bool:
        """Return whether a `tf.data` pipeline shuffles before it takes or skips a part; False where that cannot be seen."""
        return re.search("Shuffle((?!Cache).)*(Take|Skip)", self.stages) is not None

    @property
    def full_batch(self) -> int:
        """Return the batch size of a `tf.data` dataset whose batches are all full (`drop_remainder=True`), else 0."""
        spec = getattr(self.data, "element_spec", None)
        shape = tuple(getattr(spec[0] if isinstance(spec, tuple) else spec, "shape", None) or ())
        return (shape[0] or 0) if _is_batch(shape) else 0


def _readable(data: Any) -> Any:
    """Return what can be gone through: an array as one batch, a copy of a `PyDataset`, whose own place is to stay."""
    if hasattr(data, "num_batches") and not isinstance(data, type):
        return copy.copy(data)
    if hasattr(data, "dtype") or (isinstance(data, tuple) and data and hasattr(data[0], "dtype")):
        return [data]
    if isinstance(data, tuple) and len(data) > 1 and isinstance(data[0], dict | list | tuple) and hasattr(data[1], "dtype"):
        return [data]  # several inputs, and labels
    if isinstance(data, Iterator):
        problem = "a generator can be gone through only once, so looking at it would use it up"
        raise TypeError(f"{problem}; give the dataset itself, or a function that makes a new generator.")
    if isinstance(data, str | bytes | dict | type) or not (isinstance(data, Iterable) or callable(data)):
        raise TypeError(f"a dataset or an array of images is wanted; received {type(data).__name__} {data!r:.60}.")
    return data


def _images(item: Any) -> np.ndarray:
    """Return the images of one item of a dataset, (images, labels), as a batch."""
    if isinstance(item, dict):
        raise TypeError(f"the dataset yields dicts with {', '.join(map(str, item))}; give one of (images, labels).")
    images = item[0] if isinstance(item, tuple | list) else item
    if isinstance(images, dict | tuple):
        raise TypeError("the dataset yields several inputs at once; give one that yields (images, labels).")
    images = np.asarray(images)
    if images.dtype.kind not in "uifb" or not images.ndim:
        raise TypeError(f"the dataset yields {str(images.flat[0])!r:.40}, not images.")
    return images if _is_batch(images.shape) else images[np.newaxis]


def _is_batch(shape: tuple) -> bool:
    return len(shape) > 1 and not (len(shape) == 3 and shape[-1] in (1, 3, 4))
