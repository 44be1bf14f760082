"""All diagnoses that apply to a program, in one table."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.diagnostics import data as of_data
from helpers.diagnostics import inputs, labels, learning
from helpers.diagnostics import model as of_model
from helpers.diagnostics.result import Diagnosis, report

if TYPE_CHECKING:
    import keras

Named = tuple[str, Callable[[], Diagnosis | None]]


class Examination(tuple[Diagnosis, ...]):
    """What all diagnoses said. It counts as True when none found a problem, and prints as a table.

    `problems` are those that found one; `skipped` says, by name, why a diagnosis was not made.
    """

    skipped: dict[str, str]

    @property
    def problems(self) -> list[Diagnosis]:
        return [one for one in self if not one]

    def __bool__(self) -> bool:
        return not self.problems

    def __repr__(self) -> str:
        said = "; ".join(f"{name} ({why.rstrip('.')})" for name, why in self.skipped.items())
        left = textwrap.fill(f"Not looked at: {said}.", 100, subsequent_indent=" " * 8) if said else ""
        return "\n".join(filter(None, [report(*self), left]))


def diagnose(
    model: keras.Model,
    *,
    train: Any = None,
    validation: Any = None,
    test: Any = None,
    backbone: str | None = None,
    snapshot: Any = None,
    expected: Sequence[str] | None = None,
    images: int | None = None,
    steps: int | None = None,
    class_names: Any = None,
    classes: int | None = None,
    validation_labels: Any = None,
    augmented: bool | None = None,
    save: bool | None = None,
    limit: int = 2000,
) -> Examination:
    """Return what all diagnoses say that apply to a program and to what is given of it, as one table; it prints itself.

    `train`, `validation`, `test`: what `fit()` and `evaluate()` are given: datasets, `PyDataset`, or (images, labels).
    `backbone`: the name of a network of `keras.applications`, "vgg16". `snapshot`: `model.get_weights()` before `fit()`.
    `expected`: names of the layers that were meant to be trained. `images`: how many training images there are; `steps`:
    `steps_per_epoch`. `class_names`: those of each part, {"train": [...], "validation": [...]}; datasets that have them need
    no more. `classes`: how many outputs the head should have, where labels do not tell. `validation_labels`: what
    the answers of `predict(validation)` are compared with. `augmented`, `save`: whether training images change, and
    whether the file should be tried; None: found out (for `save`: tried where a Lambda layer is inside).
    """
    of_model.require_model(model)
    given = {key: value for key, value in locals().items() if key != "model"}
    found, skipped = [], {}
    for name, look in _looks(model, _Given(**given)):
        try:
            found.append(look())
        except _NotGiven as why:
            skipped[name] = str(why)
        except (
            Exception
        ) as why:  # whatever somebody's program raises when it is looked at: the rest is looked at all the same
            skipped[name] = str(why).splitlines()[0] if str(why) else type(why).__name__
    result = Examination(found)
    result.skipped = skipped
    return result


class _NotGiven(Exception):
    """What a diagnosis needs is not there; the message says what."""


class _Given:
    """What is given of a program, read where it is asked for; `_NotGiven` is raised where it is not there."""

    def __init__(self, **given: Any) -> None:
        self.__dict__ |= given

    def need(self, **wanted: str) -> None:
        for name, why in wanted.items():
            if getattr(self, name) is None:
                raise _NotGiven(why)

    def part(self, name: str) -> Any:
        """Return the data of a part, whose steps are those of training."""
        self.need(**{name: f"give {name}="})
        return getattr(self, name)

    def some(self, name: str = "train", *, most: int = 128) -> tuple[Any, np.ndarray]:
        """Return the first images of a part as the model takes them, several inputs too, and their labels as integers."""
        import keras

        taken, count = [], 0
        for images, *of in of_data.Epochs(self.part(name), steps=self.steps if name == "train" else None).items():
            if of and np.ndim(of[0]) == 0:  # not in batches
                images = keras.tree.map_structure(lambda one: np.asarray(one)[np.newaxis], images)
            taken.append((images, labels.as_integers(of[0] if of else None)))
            count += len(taken[-1][1])
            if count >= most:
                break
        images, numbers = zip(*taken, strict=True)
        join = lambda *parts: np.concatenate([np.asarray(one) for one in parts])[:most]  # noqa: E731
        return keras.tree.map_structure(join, *images), np.concatenate(numbers)[:most]

    def parts(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in of_data.PARTS if getattr(self, name) is not None}


def _looks(model: keras.Model, given: _Given) -> Iterator[Named]:
    """Yield the name of each diagnosis and how it is made."""
    yield "head and loss", lambda: _head_and_loss(model, given)
    yield "trainable", lambda: _trainable(model, given)
    yield "weights moved", lambda: _moved(model, given)
    yield "batch norm still", lambda: _batch_norm(model, given)
    for part in of_data.PARTS if given.backbone else ():
        yield f"input range of {part}", lambda part=part: _input_range(model, given, part)
    if not given.backbone:
        yield "input range", lambda: given.need(backbone='give backbone="vgg16", or which one it is')
    for part in of_data.PARTS[1:]:
        yield (
            f"scale of {part}",
            lambda part=part: inputs.diagnose_same_scale(given.some()[0], given.some(part)[0], part=part),
        )
    yield "splits", lambda: _splits(given)
    yield "augmentation", lambda: _augmentation(given)
    yield "every image seen", lambda: _every_image(given)
    yield (
        "classes",
        lambda: labels.diagnose_classes(
            train=given.part("train"), validation=given.part("validation"), steps=given.steps, limit=given.limit
        ),
    )
    yield "labels in order", lambda: _order_kept(given)
    yield "class order", lambda: _class_order(given)
    if given.backbone:
        yield "pretrained", lambda: _pretrained(model, given)
    yield "learning", lambda: _learning(model, given)
    yield "saved file", lambda: _saved(model, given)


def _trainable(model: keras.Model, given: _Given) -> Diagnosis:
    if given.expected is None and not model.trainable_weights:
        message = "nothing can be trained now, as before export; expected=[...] says what should be."
        return Diagnosis("trainable", True, message)
    return of_model.diagnose_trainable(model, expected=given.expected)


def _moved(model: keras.Model, given: _Given) -> Diagnosis:
    if given.expected is None and not model.trainable_weights:
        raise _NotGiven("all is frozen now; expected=[...] says what should have moved")
    return of_model.diagnose_weights_moved(model, _snapshot(given), expected=given.expected)


def _head_and_loss(model: keras.Model, given: _Given) -> Diagnosis:
    """Look at head and loss, with the labels where they are a single array of classes."""
    images, found, classes = None, None, given.classes
    if given.train is not None:
        try:
            found, cut = labels.raw_labels(given.train, steps=given.steps, limit=given.limit)
            if given.validation is not None and not cut:
                found = np.concatenate([found, labels.raw_labels(given.validation, limit=given.limit)[0]])
            classes = getattr(model, "output_shape", (None,))[-1] if cut and not classes else classes
        except Exception:  # no labels, or no classes: then the head alone is looked at
            found = None
        images = None if getattr(model, "outputs", None) else given.some()[0]
    return inputs.diagnose_head_and_loss(model, labels=found, classes=classes, images=images)


def _snapshot(given: _Given) -> of_model.Snapshot:
    given.need(snapshot="give snapshot=, model.get_weights() before fit()")
    return of_model.Snapshot(np.asarray(one) for one in given.snapshot)


def _batch_norm(model: keras.Model, given: _Given) -> Diagnosis:
    """Look at the batch normalisations that had statistics of their own in the snapshot; new ones have to learn theirs.

    Those of the outermost model are of a backbone only if one is named: a network of one's own goes on learning.
    """
    layers, snapshot = of_model.Layers(model), _snapshot(given)
    before = layers.values_in(snapshot)
    norms = [one for one in layers.norms if given.backbone or one not in model.layers]
    old = [one for one in norms if before[id(one.moving_mean)].any() or (before[id(one.moving_variance)] != 1).any()]
    if not old:
        raise _NotGiven("no batch normalisation had learned anything before")
    return of_model.diagnose_batch_norm_still(model, snapshot, layers=[one.name for one in old])


def _input_range(model: keras.Model, given: _Given, part: str) -> Diagnosis:
    images = learning.what_arrives(model, given.some(part)[0], raw=inputs.wants_pixels(given.backbone))
    found = inputs.diagnose_input_range(images, backbone=given.backbone)
    return dataclasses.replace(found, name=f"input range of {part}")


def _splits(given: _Given) -> Diagnosis:
    parts = given.parts()
    if len(parts) < 2 and not {"validation", "test"} & set(parts):
        raise _NotGiven("give validation=, or test=")
    if given.steps:
        parts.pop("train", None)
    return of_data.diagnose_splits(**parts, limit=given.limit)


def _augmentation(given: _Given) -> Diagnosis:
    """Look whether images change, where that is said, or where a `tf.data` pipeline draws at random."""
    if not given.augmented and not (given.augmented is None and of_data.Epochs(given.part("train")).random):
        raise _NotGiven("no random change of images was found in train; augmented=True looks all the same")
    return of_data.diagnose_augmentation_varies(given.part("train"), steps=given.steps, limit=given.limit)


def _every_image(given: _Given) -> Diagnosis:
    given.need(images="give images=len(labels)")
    return of_data.diagnose_every_image_seen(given.part("train"), expected=given.images, steps=given.steps)


def _order_kept(given: _Given) -> Diagnosis:
    given.need(validation_labels="give validation_labels=, where answers are compared with them")
    return labels.diagnose_order_kept(given.part("validation"), given.validation_labels, limit=given.limit)


def _class_order(given: _Given) -> Diagnosis:
    if given.class_names is None:
        given.class_names = {part: data for part, data in given.parts().items() if _has_names(data)} or None
    given.need(class_names='give class_names={"train": [...], "validation": [...]}')
    names = list(given.class_names.values() if isinstance(given.class_names, dict) else given.class_names)
    if len(names) < 2 or isinstance(names[0], str):
        raise _NotGiven("class_names of a single part have nothing to be compared with")
    looks = [labels.diagnose_class_order(names[0], other) for other in names[1:]]
    return min(looks, key=bool)


def _has_names(data: Any) -> bool:
    return any(getattr(data, name, None) is not None for name in ("class_names", "class_indices"))


def _learning(model: keras.Model, given: _Given) -> Diagnosis:
    optimizer = getattr(model, "optimizer", None)
    if given.snapshot is None and (optimizer is None or not int(optimizer.iterations)):
        raise _NotGiven("nothing was trained")
    loss = str(getattr(model.loss, "name", model.loss)).lower()
    if "binary" in loss and getattr(model, "output_shape", (None,))[-1] != 1:
        raise _NotGiven("an image may have several classes")
    images, numbers = given.some(most=256)
    return learning.diagnose_learning(model, images, numbers, snapshot=given.snapshot if given.backbone else None)


def _pretrained(model: keras.Model, given: _Given) -> Diagnosis:
    return learning.diagnose_pretrained(model, snapshot=given.snapshot)


def _saved(model: keras.Model, given: _Given) -> Diagnosis:
    risky = any(type(layer).__name__ == "Lambda" for layer in of_model.Layers(model).everything)
    if not given.save and not (given.save is None and risky):
        raise _NotGiven("save=True tries it")
    return learning.diagnose_saved(model, given.some()[0])
