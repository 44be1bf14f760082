"""Going through a dataset as `fit()` does, epoch after epoch, for checks that only want to look.

It reads arrays, `tf.data` datasets, `PyDataset` and the iterators of `ImageDataGenerator`, lists of batches, and functions
that return one of these. The random states of Python, NumPy, TensorFlow and Keras are put back afterwards. A dataset that
shuffles or augments keeps a random state of its own, which moves on as it does in an epoch of training.
"""

from __future__ import annotations

import copy
import hashlib
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

MOST_IMAGES = 200_000  # a pass that goes on for longer is taken to be endless
COPIED = (np.random.Generator, np.random.RandomState, random.Random, list, dict)


@contextmanager
def kept_random_state() -> Iterator[None]:
    """Return a context that leaves the random states of Python, NumPy, TensorFlow and Keras as they were."""
    python, numpy, put_back = random.getstate(), np.random.get_state(), [*_tensorflow_state(), _keras_state()]
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        for restore in put_back:
            restore()


def _tensorflow_state() -> Iterator[Callable[[], None]]:
    import tensorflow as tf
    from tensorflow.python.eager.context import context
    from tensorflow.python.ops import stateful_random_ops

    draws = getattr(context(), "_rng", None)  # gives seeds to operations without one, after tf.random.set_seed()
    before = draws.getstate() if draws is not None else None

    def restore_draws() -> None:
        if draws is not None and draws.getstate() != before:
            draws.setstate(before)
            context().clear_kernel_cache()  # the operations that were made with these seeds

    yield restore_draws
    if getattr(stateful_random_ops, "global_generator", None) is not None:
        generator = tf.random.get_global_generator()
        state = generator.state.numpy().copy()
        yield lambda: generator.reset(state)


def _keras_state() -> Callable[[], None]:
    from keras.src.backend.common import global_state
    from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR

    generator = global_state.get_global_attribute(GLOBAL_SEED_GENERATOR)
    if generator is None:
        return lambda: global_state.set_global_attribute(GLOBAL_SEED_GENERATOR, None)
    state = generator.state.numpy().copy()
    return lambda: generator.state.assign(state)


class Passes:
    """Epochs of one dataset. `steps` is the number of batches in an epoch, for a dataset that has no end of its own."""

    def __init__(self, data: Any, *, steps: int | None = None) -> None:
        if steps is not None and (not isinstance(steps, int | np.integer) or steps < 1):
            raise ValueError(f"steps is {steps!r}; wanted a whole number of batches, at least 1.")
        self.data, self.steps = _readable(data), steps
        self._running: Iterator | None = None

    @property
    def endless(self) -> bool:
        """Does the dataset say of itself that it never ends?"""
        cardinality = getattr(self.data, "cardinality", None)
        if cardinality is not None:
            return int(cardinality()) == -1
        return _is_py_dataset(self.data) and self.data.num_batches is None

    @property
    def caches(self) -> bool:
        """Does it hold a `cache()`, which wants to be filled by whole epochs? True where that cannot be known."""
        kinds = pipeline(self.data)
        return kinds is None or "Cache" in kinds

    def epoch(self) -> Iterator[tuple[np.ndarray, Any]]:
        """Yield the (images, labels) of one epoch, batch by batch; labels is None where there are none."""
        if self.steps is None:
            if self.endless:
                raise ValueError("the dataset never ends (repeat()); say how many batches are an epoch: steps=...")
            batches = self._start()
        else:
            batches = self._next_steps()
        for item in batches:
            yield _images_and_labels(item)

    def _next_steps(self) -> Iterator:
        for _ in range(self.steps):
            if self._running is None:
                self._running = iter(self._start())
            item = next(self._running, self)
            if item is self:  # it had an end; `fit()` stops its epoch here as well
                self._running = None
                return
            yield item

    def _start(self) -> Iterable:
        if isinstance(self.data, tuple):
            return [self.data]
        if _is_py_dataset(self.data):
            return self._indexed()
        if callable(self.data) and not isinstance(self.data, Iterable):
            return self.data()
        return self.data

    def _indexed(self) -> Iterator:
        count = self.data.num_batches
        index = 0
        while count is None or index < count or self.steps is not None:
            if count is not None and index and index % count == 0:
                self.data.on_epoch_end()
            yield self.data[index % count if count else index]
            index += 1
        self.data.on_epoch_end()


def read_digests(passes: Passes, limit: int | None) -> tuple[list[bytes], bool]:
    """Return a digest of every image of one epoch, in order, and whether it was cut off at `limit`.

    A dataset that caches is read to its end, since a cache is only filled then. Epochs counted in steps are, too.
    """
    limit = None if passes.caches or passes.steps else limit
    digests: list[bytes] = []
    with kept_random_state():
        for images, _ in passes.epoch():
            for image in images:
                if limit is not None and len(digests) >= limit:
                    return digests, True
                digests.append(_digest(image))
            if len(digests) > MOST_IMAGES:
                raise ValueError(f"more than {MOST_IMAGES} images in a pass; if it never ends, give steps=...")
    if not digests:
        raise ValueError("there is not one image in the dataset.")
    return digests, False


def pipeline(data: Any) -> list[str] | None:
    """Return the kinds of steps of a `tf.data` pipeline, the last one first ("FixedShuffle": the same order in
    every pass); [] for anything else, None if unknown.
    """
    if not hasattr(data, "element_spec"):
        return []
    kinds, waiting = [], [data]
    while waiting:
        step = waiting.pop()
        kind = type(step).__name__.strip("_").removesuffix("V2").removesuffix("Dataset")
        fixed = getattr(step, "_reshuffle_each_iteration", True) is False
        kinds.append(f"Fixed{kind}" if fixed else kind)
        try:
            waiting.extend(step._inputs())
        except (AttributeError, TypeError):
            return None
    return kinds


def fixed_batch_size(data: Any) -> int | None:
    """Return the batch size of a `tf.data` dataset whose batches are all full (`drop_remainder=True`), else None."""
    import tensorflow as tf

    specs = tf.nest.flatten(getattr(data, "element_spec", None))
    shape = getattr(specs[0], "shape", None) if specs else None
    if shape is None or shape.rank is None or shape.rank < 2 or (shape.rank == 3 and shape[-1] in (1, 3, 4)):
        return None
    return shape[0]


def _readable(data: Any) -> Any:
    if _is_py_dataset(data):
        return _own_copy(data)
    if hasattr(data, "element_spec") and hasattr(data, "cardinality"):
        return data
    if _is_array(data):
        return (data,)
    if isinstance(data, tuple) and data and _is_array(data[0]):
        return data
    if isinstance(data, str | bytes | dict | int | float) or data is None or isinstance(data, type):
        raise TypeError(f"a dataset or an array of images is wanted; received {type(data).__name__} {data!r:.60}.")
    if isinstance(data, Iterator):
        raise TypeError("a generator can be gone through only once, so looking at it would use it up; give the"
                        " dataset itself, or a function that makes a new generator.")  # fmt: skip
    if not isinstance(data, Iterable) and not callable(data):
        raise TypeError(f"a dataset or an array of images is wanted; received {type(data).__name__}.")
    return data


def _is_py_dataset(data: Any) -> bool:
    import keras

    return isinstance(data, keras.utils.PyDataset)


def _is_array(data: Any) -> bool:
    return hasattr(data, "shape") and hasattr(data, "dtype")


def _own_copy(data: Any) -> Any:
    """Return a copy that shares the images, so that counting, shuffling and drawing leave the learner's as it is."""
    mine = copy.copy(data)
    for name, value in vars(data).items():
        small = isinstance(value, np.ndarray) and value.ndim <= 1
        if isinstance(value, COPIED) or small:
            generator = isinstance(value, COPIED[:3])
            object.__setattr__(mine, name, copy.deepcopy(value) if generator else copy.copy(value))
    return mine


def _images_and_labels(item: Any) -> tuple[np.ndarray, Any]:
    if isinstance(item, dict):
        raise TypeError(f"the dataset yields dicts with {', '.join(map(str, item))}; give one of (images, labels).")
    images, labels = (item[0], item[1] if len(item) > 1 else None) if isinstance(item, tuple | list) else (item, None)
    if isinstance(images, dict | tuple):
        raise TypeError("the dataset yields several inputs at once; give one that yields (images, labels).")
    images = np.asarray(images)
    if images.dtype.kind not in "uifb" or not images.ndim:
        raise TypeError(f"the dataset yields {str(images.flat[0])!r:.40}, not images.")
    if not _batched(images, labels):
        images, labels = images[np.newaxis], None if labels is None else np.asarray(labels)[np.newaxis]
    return images, labels


def _batched(images: np.ndarray, labels: Any) -> bool:
    if images.ndim == 3:
        if labels is not None:
            return np.ndim(labels) > 0 and np.shape(labels)[0] == len(images)
        return images.shape[-1] not in (1, 3, 4)
    return images.ndim > 1


def _digest(image: np.ndarray) -> bytes:
    values = np.ascontiguousarray(image, dtype="float32") + 0.0  # so that -0 and 0, uint8 and float are the same
    return hashlib.blake2b(f"{values.shape}".encode() + values.tobytes(), digest_size=16).digest()
