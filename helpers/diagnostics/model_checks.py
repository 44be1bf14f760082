"""Checks to run after every step of a program that transfers a network: is what happens what was meant?

Each returns a `Diagnosis`, which prints as "OK: ...", or as "Problem: ..." and below it "Change: ...". They take
any Keras model and change nothing about it. Those about data, input, splits and the head live in modules of their own
and can be imported from here as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from helpers.diagnostics.data_checks import (
    diagnose_augmentation_varies,
    diagnose_class_order,
    diagnose_every_image_seen,
)
from helpers.diagnostics.head_checks import diagnose_head_and_loss
from helpers.diagnostics.input_checks import diagnose_input_range
from helpers.diagnostics.model_layers import (
    layer_weights,
    learned_ids,
    named_layers,
    norm_layers,
    owners,
    require_model,
    some,
)
from helpers.diagnostics.model_layers import trainable_line as line
from helpers.diagnostics.result import Diagnosis, report
from helpers.diagnostics.split_checks import diagnose_splits

if TYPE_CHECKING:
    import keras

__all__ = [
    "Diagnosis", "Snapshot", "diagnose_augmentation_varies", "diagnose_batch_norm_still", "diagnose_class_order",
    "diagnose_every_image_seen", "diagnose_head_and_loss", "diagnose_input_range", "diagnose_splits", "diagnose_trainable",
    "diagnose_weights_moved", "report", "take_snapshot",
]  # fmt: skip

COMPILE = "model.compile(optimizer=keras.optimizers.Adam(1e-5), loss=..., metrics=...)"
NO_WEIGHTS = "the model has no weights yet; call it on a batch of images first."
FREEZE_NORM = (
    "for layer in base_model.layers: if isinstance(layer, keras.layers.BatchNormalization): layer.trainable = False"
    "  # then compile()"
)


@dataclass(frozen=True)
class Snapshot:
    """The weights of a model at one moment: a copy of each, with its path."""

    paths: tuple[str, ...]
    values: tuple[np.ndarray, ...]


def take_snapshot(model: keras.Model) -> Snapshot:
    """Return a copy of all weights of a model, to compare with after `fit()`."""
    require_model(model)
    weights = model.weights
    if not weights:
        raise ValueError(NO_WEIGHTS)
    return Snapshot(tuple(one.path for one in weights), tuple(np.array(one.numpy()) for one in weights))


def diagnose_trainable(model: keras.Model, *, expected: Sequence[str] | None = None) -> Diagnosis:
    """Return whether the layers named in `expected` are the trainable ones, and training knows it.

    A name stands for a layer, for all layers of a nested model, or for all whose names begin with it ("block5"). Batch
    normalisation may stay frozen in them, unless it is named itself. What `trainable` was set to after a `fit()` only
    counts after another `compile()`: Keras 3 ignores it silently, and that is found out here. None: only look at that.
    """
    require_model(model)
    weights, trainable = layer_weights(model), {id(one) for one in model.trainable_weights}
    if not weights:
        raise ValueError(NO_WEIGHTS)
    now = [name for name, own in weights.items() if any(id(one) in trainable for one in own)]
    if expected is not None:
        wanted, optional = named_layers(model, weights, expected)
        if frozen := [name for name in wanted if name not in now and name not in optional]:
            return _frozen(model, weights, frozen, now)
        if extra := [name for name in now if name not in wanted]:
            change = f"{line(model, weights, extra, value=False)}  # then compile()"
            return Diagnosis("trainable", False, f"can change, but should be frozen: {some(extra)}.", change)
    return _known_to_training(model, weights, now)


def _frozen(model: keras.Model, weights: dict, frozen: list[str], now: list[str]) -> Diagnosis:
    message = f"frozen, but should be trained: {some(frozen)}; trainable: {some(now) or 'nothing'}."
    change = f"{line(model, weights, frozen, value=True)}  # then compile(), with a low learning rate"
    if not model.trainable:
        change = "model.trainable = True  # the whole model is frozen; then freeze layers one by one, then compile()"
    return Diagnosis("trainable", False, message, change)


def _known_to_training(model: keras.Model, weights: dict, now: list[str]) -> Diagnosis:
    """Compare `trainable` with the variables that the optimizer was built for, at the first fit() after a compile()."""
    optimizer = getattr(model, "optimizer", None) if model.compiled else None
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    trainable = f"trainable: {some(now) or 'nothing'}"
    if optimizer is None or not optimizer.built:
        later = "compile() is still to come" if optimizer is None else "nothing was trained since compile()"
        return Diagnosis("trainable", True, f"{trainable} ({later}).")
    known = {id(one) for one in getattr(optimizer, "_trainable_variables", model.trainable_variables)}
    current = {id(one) for one in model.trainable_variables}
    missed, ignored = owners(weights, current - known), owners(weights, known - current)
    if missed:
        message = (
            f"became trainable after the optimizer was built, so training goes on without, or stops: {some(missed)}."
        )
        return Diagnosis("trainable", False, message, f"{COMPILE}  # with a new optimizer, after trainable = True")
    traced = model.train_function is not None and not model.run_eagerly
    if ignored and traced and _changed_since_compile(model):
        message = f"frozen after training had begun, and trained on all the same: {some(ignored)}."
        return Diagnosis("trainable", False, message, f"{COMPILE}  # again, after trainable = False")
    return Diagnosis("trainable", True, f"{trainable}, and the optimizer knows it.")


def _changed_since_compile(model: keras.Model) -> bool:
    before = getattr(model, "_compiled_trainable_state", None)
    if before is None:
        return True
    return any(layer.trainable != before.get(layer, layer.trainable) for layer in model._flatten_layers())


def diagnose_weights_moved(
    model: keras.Model, snapshot: Snapshot, *, expected: Sequence[str] | None = None
) -> Diagnosis:
    """Return whether training moved the layers that it should have moved, and no others, since the snapshot.

    Without `expected` these are the layers that are trainable now. A layer has moved when one of its weights has; the
    statistics of batch normalisation are left to `diagnose_batch_norm_still`.
    """
    before, weights, learned = _before(model, snapshot), layer_weights(model), learned_ids(model)
    moved, broken = [], []
    for name, own in weights.items():
        gradients = [one for one in own if id(one) in learned]
        if any(_changed(one, before) for one in gradients):
            moved.append(name)
        if any(not np.isfinite(one.numpy()).all() for one in gradients):
            broken.append(name)
    if broken:
        message = f"not numbers any more (NaN): {some(broken)}. Training has diverged."
        return Diagnosis(
            "weights moved", False, message, "optimizer=keras.optimizers.Adam(1e-5)  # a lower learning rate"
        )
    trainable = {id(one) for one in model.trainable_weights}
    wanted = [name for name, own in weights.items() if any(id(one) in trainable for one in own)]
    optional: set[str] = set()
    if expected is not None:
        wanted, optional = named_layers(model, weights, expected)
    learning = [name for name in wanted if name not in optional and any(id(one) in learned for one in weights[name])]
    return _judge_moved(model, weights, moved, wanted, learning)


def _judge_moved(
    model: keras.Model, weights: dict, moved: list[str], wanted: list[str], learning: list[str]
) -> Diagnosis:
    strays = [name for name in moved if name not in wanted]
    if strays:
        change = f"{line(model, weights, strays, value=False)}  # then compile(), before fit()"
        return Diagnosis("weights moved", False, f"moved, but should be frozen: {some(strays)}.", change)
    still = [name for name in learning if name not in moved]
    if still:
        message = f"exactly as before, but should have moved: {some(still)}."
        return Diagnosis("weights moved", False, message, _moving_line(model, weights, still))
    message = f"moved: {some(moved) or 'nothing'}; all else is exactly as before."
    return Diagnosis("weights moved", True, message)


def _moving_line(model: keras.Model, weights: dict, still: list[str]) -> str:
    """Return what makes layers move: unfreeze, or compile, or, where both are done, look at the gradient."""
    trainable = {id(one) for one in model.trainable_weights}
    frozen = [name for name in still if not any(id(one) in trainable for one in weights[name])]
    if frozen:
        return f"{line(model, weights, frozen, value=True)}; {COMPILE}  # both before fit()"
    if not _known_to_training(model, weights, still):
        return f"{COMPILE}  # after trainable = True, before fit()"
    return "model.fit(...)  # after take_snapshot(); else the gradient is 0: look at learning rate and diagnose_input_range"


def diagnose_batch_norm_still(
    model: keras.Model, snapshot: Snapshot, *, layers: Sequence[str] | None = None
) -> Diagnosis:
    """Return whether the running means and variances of batch normalisation are those of the snapshot.

    `layers` names the layers, or the nested model, to look at. Without it all are, except those of a new head, which have to
    learn: behind all convolutions, with the first values, means 0 and variances 1, in the snapshot.
    """
    before, weights, norms = _before(model, snapshot), layer_weights(model), norm_layers(model)
    if layers is None:
        looked = [one for one in norms if not (_untouched(one, before) and _late(model, one))]
    else:
        names = named_layers(model, weights, layers)[0]
        looked = [one for one in norms if one.name in names]
    drifted = [one.name for one in looked if any(_changed(weight, before) for weight in _statistics(one))]
    if drifted:
        message = f"batch statistics have drifted: {some(drifted)}. base_model(x, training=False) does not stop it."
        return Diagnosis("batch norm still", False, message, FREEZE_NORM)
    left = f"; {len(norms) - len(looked)} were not looked at" if len(looked) < len(norms) else ""
    kept = f"the statistics of {len(looked)} batch normalisations are as before{left}."
    return Diagnosis("batch norm still", True, kept if norms else "the model has no batch normalisation.")


def _late(model: keras.Model, norm: keras.Layer) -> bool:
    """Is it a layer of the model itself, with no convolution after it, as in a head?"""
    outer = list(getattr(model, "layers", []))
    places = [place for place, layer in enumerate(outer) if layer is norm]
    return bool(places) and not any("Conv" in type(layer).__name__ for layer in outer[places[0] :])


def _statistics(norm: keras.Layer) -> list[keras.Variable]:
    return [norm.moving_mean, norm.moving_variance] if norm.built else []


def _untouched(norm: keras.Layer, before: dict[int, np.ndarray]) -> bool:
    mean, variance = (before[id(one)] for one in _statistics(norm))
    return bool((mean == 0).all() and (variance == 1).all())


def _changed(weight: keras.Variable, before: dict[int, np.ndarray]) -> bool:
    return not np.array_equal(weight.numpy(), before[id(weight)])


def _before(model: keras.Model, snapshot: Snapshot) -> dict[int, np.ndarray]:
    """Return the earlier values by the id of the weight that holds them now."""
    require_model(model)
    if not isinstance(snapshot, Snapshot):
        raise TypeError(f"a snapshot is wanted, from take_snapshot(model); received {type(snapshot).__name__}.")
    weights = model.weights
    if [tuple(one.shape) for one in weights] != [value.shape for value in snapshot.values]:
        raise ValueError("the snapshot is of another model, or layers were added since; take a new one.")
    return {id(one): value for one, value in zip(weights, snapshot.values, strict=True)}
