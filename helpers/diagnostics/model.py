"""Which layers of a Keras model train, move and drift, against what was meant: snapshots, diagnoses, lines that freeze."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.diagnostics.result import Diagnosis

if TYPE_CHECKING:
    import keras

COMPILE = "model.compile(optimizer=keras.optimizers.Adam(1e-5), loss=..., metrics=...)"
STATISTICS = ("moving_mean", "moving_variance", "mean", "variance", "count", "vector_u")  # weights of layers of Keras
UNFREEZE_ALL = "model.trainable = True  # the whole model is frozen; then freeze layers one by one, then compile()"
FREEZE_BN = "for layer in base_model.layers: if isinstance(layer, keras.layers.BatchNormalization): layer.trainable = False"


class Snapshot(tuple[np.ndarray, ...]):
    """The weights of a model at one moment: a copy of each, in the order of `model.weights`."""


def take_snapshot(model: keras.Model) -> Snapshot:
    """Return a copy of all weights of a model, to compare with after `fit()`."""
    return Snapshot(np.array(one.numpy()) for one in Layers(model).model.weights)


def diagnose_trainable(model: keras.Model, *, expected: Sequence[str] | None = None) -> Diagnosis:
    """Return whether the layers named in `expected` are the trainable ones, and training knows it.

    A name stands for a layer, for all layers of a nested model, or for all whose names begin with it ("block5"). Batch
    normalisation may stay frozen in them, unless it is named itself. What `trainable` was set to after a `fit()` only
    counts after another `compile()`: Keras 3 ignores it silently, and that is found out here. None: only look at that.
    """
    layers = Layers(model)
    now = layers.owning(model.trainable_weights)
    wanted, required = (now, now) if expected is None else layers.named(expected)
    if frozen := [layer for layer in required if layer not in now]:
        message = f"frozen, but should be trained: {listed(frozen)}; trainable: {listed(now)}."
        line = f"{layers.line(frozen, trainable=True)}  # then compile(), with a low learning rate"
        return Diagnosis("trainable", False, message, line if model.trainable else UNFREEZE_ALL)
    if extra := [layer for layer in now if layer not in wanted]:
        change = f"{layers.line(extra, trainable=False)}  # then compile()"
        return Diagnosis("trainable", False, f"can change, but should be frozen: {listed(extra)}.", change)
    return _known_to_training(layers)


def _known_to_training(layers: Layers) -> Diagnosis:
    """Compare `trainable` with the variables that the optimizer was built for, at the first fit() after a compile()."""
    import keras

    model, trainable = layers.model, f"trainable: {listed(layers.owning(layers.model.trainable_weights))}"
    optimizer = getattr(model, "optimizer", None) if model.compiled else None
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if optimizer is None or not optimizer.built:
        later = "compile() is still to come" if optimizer is None else "nothing was trained since compile()"
        return Diagnosis("trainable", True, f"{trainable} ({later}).")
    known = {id(one) for one in _held(optimizer, keras.Variable)}
    if missed := layers.owning(one for one in model.trainable_weights if id(one) not in known):
        message = "became trainable after the optimizer was built, so training goes on without, or stops:"
        change = f"{COMPILE}  # with a new optimizer, after trainable = True"
        return Diagnosis("trainable", False, f"{message} {listed(missed)}.", change)
    ignored = layers.owning(one for one in model.non_trainable_weights if id(one) in known)
    compiled = getattr(model, "_compiled_trainable_state", {})  # flags at compile(), for which Keras has no public name
    changed = any(layer.trainable != compiled.get(layer, not layer.trainable) for layer in layers.everything)
    if ignored and changed and model.train_function is not None and not model.run_eagerly:
        message = f"frozen after training had begun, and trained on all the same: {listed(ignored)}."
        return Diagnosis("trainable", False, message, f"{COMPILE}  # again, after trainable = False")
    return Diagnosis("trainable", True, f"{trainable}, and the optimizer knows it.")


def diagnose_weights_moved(model: keras.Model, snapshot: Snapshot, *, expected: Sequence[str] | None = None) -> Diagnosis:
    """Return whether training moved the layers that it should have moved, and no others, since the snapshot.

    Without `expected` these are the layers that are trainable now. A layer has moved when one of its weights has; the
    statistics of batch normalisation are left to `diagnose_batch_norm_still`.
    """
    name, layers = "weights moved", Layers(model)
    before = layers.values_in(snapshot)
    if broken := layers.owning(one for one in layers.learned if not np.isfinite(one.numpy()).all()):
        message = f"not numbers any more (NaN): {listed(broken)}. Training has diverged."
        return Diagnosis(name, False, message, "optimizer=keras.optimizers.Adam(1e-5)  # a lower learning rate")
    moved, now = layers.owning(_changed(layers.learned, before)), layers.owning(model.trainable_weights)
    wanted, required = (now, now) if expected is None else layers.named(expected)
    if strays := [layer for layer in moved if layer not in wanted]:
        change = f"{layers.line(strays, trainable=False)}  # then compile(), before fit()"
        return Diagnosis(name, False, f"moved, but should be frozen: {listed(strays)}.", change)
    if still := [layer for layer in required if layer not in moved]:
        change = "model.fit(...)  # after take_snapshot(); else the gradient is 0: look at learning rate and"
        change = f"{change} diagnose_input_range"
        if frozen := [layer for layer in still if layer not in now]:
            change = f"{layers.line(frozen, trainable=True)}; {COMPILE}  # both before fit()"
        elif not _known_to_training(layers):
            change = f"{COMPILE}  # after trainable = True, before fit()"
        return Diagnosis(name, False, f"exactly as before, but should have moved: {listed(still)}.", change)
    return Diagnosis(name, True, f"moved: {listed(moved)}; all else is exactly as before.")


def diagnose_batch_norm_still(model: keras.Model, snapshot: Snapshot, *, layers: Sequence[str] | None = None) -> Diagnosis:
    """Return whether the running means and variances of batch normalisation are those of the snapshot.

    `layers` names the layers, or the nested model, to look at. Without it all are, except those of a new head, which have to
    learn: behind all convolutions, with the first values, means 0 and variances 1, in the snapshot.
    """
    everything = Layers(model)
    before, norms = everything.values_in(snapshot), everything.norms
    named = norms if layers is None else everything.named(layers)[0]
    looked = [one for one in norms if one in named and not (layers is None and _in_new_head(one, model, before))]
    if drifted := [one for one in looked if _changed([one.moving_mean, one.moving_variance], before)]:
        message = f"batch statistics have drifted: {listed(drifted)}. base_model(x, training=False) does not stop it."
        return Diagnosis("batch norm still", False, message, f"{FREEZE_BN}  # then compile()")
    left = f"; {len(norms) - len(looked)} were not looked at" if len(looked) < len(norms) else ""
    kept = f"the statistics of {len(looked)} batch normalisations are as before{left}."
    return Diagnosis("batch norm still", True, kept if norms else "the model has no batch normalisation.")


def _in_new_head(norm: keras.Layer, model: keras.Model, before: dict[int, np.ndarray]) -> bool:
    """Is it a layer of the model itself, with no convolution after it, that had learned nothing yet?"""
    behind = model.layers[model.layers.index(norm) :] if norm in model.layers else []
    fresh = (before[id(norm.moving_mean)] == 0).all() and (before[id(norm.moving_variance)] == 1).all()
    return bool(behind and fresh) and not any("Conv" in type(layer).__name__ for layer in behind)


def _changed(weights: Iterable[keras.Variable], before: dict[int, np.ndarray]) -> list[keras.Variable]:
    return [one for one in weights if not np.array_equal(one.numpy(), before[id(one)])]


class Layers:
    """All layers of a model, however deep they are nested, and which of them own which weights.

    `learned` are the weights that gradients can change, frozen or not: no running means, no other statistics.
    """

    def __init__(self, model: keras.Model) -> None:
        require_model(model)
        if not model.weights:
            raise ValueError("the model has no weights yet; call it on a batch of images first.")
        self.model, self.everything = model, inner_first(model)
        self.owner = {id(one): layer for layer in reversed(self.everything) for one in layer.weights}
        self.norms = [layer for layer in self.everything if id(getattr(layer, "moving_variance", None)) in self.owner]
        frozen = {id(one) for one in model.weights if not (self.owner[id(one)].trainable or one.name in STATISTICS)}
        self.learned = [one for one in model.weights if one.trainable or id(one) in frozen]

    def owning(self, weights: Iterable[keras.Variable]) -> list[keras.Layer]:
        """Return the layers that own these weights, each once."""
        return list(dict.fromkeys(self.owner[id(one)] for one in weights))

    def values_in(self, snapshot: Any) -> dict[int, np.ndarray]:
        """Return the earlier values by the id of the weight that holds them now."""
        if not isinstance(snapshot, Snapshot):
            raise TypeError(f"a snapshot is wanted, from take_snapshot(model); received {type(snapshot).__name__}.")
        weights = self.model.weights
        if [tuple(one.shape) for one in weights] != [value.shape for value in snapshot]:
            raise ValueError("the snapshot is of another model, or layers were added since; take a new one.")
        return {id(one): value for one, value in zip(weights, snapshot, strict=True)}

    def named(self, names: Sequence[str]) -> tuple[list[keras.Layer], list[keras.Layer]]:
        """Return the layers with learned weights that `names` stand for, and those among them that may not stay frozen.

        A name is that of a layer, of one that holds others, or the beginning of names ("block5" of "block5_conv1").
        """
        if isinstance(names, str) or not all(isinstance(name, str) for name in names):
            raise TypeError(f"a list of layer names is wanted; received {names!r:.60}.")
        meant = {id(one) for name in names for layer in self._called(name) for one in layer.weights}
        found = self.owning(one for one in self.learned if id(one) in meant)
        return found, [layer for layer in found if layer.name in names or layer not in self.norms]

    def _called(self, name: str) -> list[keras.Layer]:
        layers = [layer for layer in self.everything if layer.name == name]
        layers = layers or [layer for layer in self.everything if layer.name.startswith(f"{name.rstrip('_')}_")]
        if not layers:
            names = [layer.name for layer in self.everything]
            close = ", ".join(difflib.get_close_matches(name, names, n=3) or names[:6])
            raise ValueError(f"{self.model.name} has no layer {name!r}; it has, among others: {close}.")
        if not all(layer.built for layer in layers):
            raise ValueError(f"{name!r} has no weights yet; call the model on a batch of images first.")
        return layers

    def line(self, layers: Sequence[keras.Layer], *, trainable: bool) -> str:
        """Return the line that sets `trainable` of layers: `model.get_layer("head").trainable = True`.

        For a nested model whose own flag has that value already it names the layers inside: to set a flag to what it is does
        nothing in Keras 3 with TensorFlow, and does not reach the layers inside either.
        """
        places = list(self._places(self.model, "model", layers, trainable))
        codes = [f'{parent}.get_layer("{name}")' if name else f"*{parent}.layers" for parent, name in places]
        parents = {parent for parent, _ in places}
        if len(places) == 1 and places[0][1]:
            return f"{codes[0]}.trainable = {trainable}"
        if len(parents) == 1 and 1 < len(places) <= 6:
            inside = ", ".join(f'"{name}"' for _, name in places)
            return f"for name in [{inside}]: {parents.pop()}.get_layer(name).trainable = {trainable}"
        several = f"[{', '.join(codes[:3] + ['...'] * (len(codes) > 3))}]"
        return f"for layer in {codes[0].lstrip('*') if len(codes) == 1 else several}: layer.trainable = {trainable}"

    def _places(self, outer: Any, code: str, meant: Sequence[Any], trainable: bool) -> Iterator[tuple[str, str]]:
        """Yield (code of the model around, name or "" for all) of outermost layers whose learned weights are all meant."""
        for layer in outer.layers:
            own, deeper = {id(one) for one in layer.weights}, f'{code}.get_layer("{layer.name}")'
            found = [owner in meant for owner in self.owning(one for one in self.learned if id(one) in own)]
            if any(found) and not all(found) and hasattr(layer, "get_layer"):
                yield from self._places(layer, deeper, meant, trainable)
            elif any(found):
                flagged = hasattr(layer, "get_layer") and layer.trainable == trainable
                yield (deeper, "") if flagged else (code, layer.name)


def require_model(model: Any) -> None:
    """Raise TypeError for what is not a Keras model."""
    import keras

    if not isinstance(model, keras.Model):
        raise TypeError(f"a Keras model is wanted; received {type(model).__name__}.")


def inner_first(layer: Any) -> list[Any]:
    """Return a layer behind all layers inside it, those of nested models and of composed layers too, each once."""
    import keras

    inside = layer.layers if isinstance(layer, keras.Model) else _held(layer, keras.Layer)
    found = {id(one): one for inner in inside for one in inner_first(inner)}
    return [*found.values(), layer]


def _held(owner: Any, kind: type) -> list[Any]:
    """Return what the attributes of an object hold of one kind, also in lists, tuples and dicts."""
    import keras

    values = [list(value) if isinstance(value, tuple) else value for value in vars(owner).values()]
    return [one for one in keras.tree.flatten(values) if isinstance(one, kind)]


def listed(layers: Sequence[keras.Layer]) -> str:
    """Return the names of layers as text, the middle of a long list left out: "a, b, ..., z (9 layers)"."""
    names = [layer.name for layer in layers]
    if len(names) <= 4:
        return ", ".join(names) or "nothing"
    return f"{names[0]}, {names[1]}, ..., {names[-1]} ({len(names)} layers)"
