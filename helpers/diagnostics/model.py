"""Which layers of a Keras model train, move and drift, against what was meant: snapshots, diagnoses, lines that freeze.

They take any Keras model and leave it as it is.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.diagnostics.result import Diagnosis

if TYPE_CHECKING:
    import keras

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

    def changed(self, model: keras.Model) -> set[int]:
        """Return the ids of the weights of a model that differ from the snapshot of it."""
        weights = model.weights
        if [tuple(one.shape) for one in weights] != [value.shape for value in self.values]:
            raise ValueError("the snapshot is of another model, or layers were added since; take a new one.")
        pairs = zip(weights, self.values, strict=True)
        return {id(one) for one, value in pairs if not np.array_equal(one.numpy(), value)}


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
    layers = _Layers(model)
    now = layers.owning(model.trainable_weights)
    if expected is not None:
        wanted, required = layers.named(expected)
        if frozen := [name for name in required if name not in now]:
            message = f"frozen, but should be trained: {_shortened(frozen)}; trainable: {_shortened(now)}."
            change = f"{layers.line(frozen, trainable=True)}  # then compile(), with a low learning rate"
            if not model.trainable:
                change = (
                    "model.trainable = True  # the whole model is frozen; then freeze layers one by one, then compile()"
                )
            return Diagnosis("trainable", False, message, change)
        if extra := [name for name in now if name not in wanted]:
            change = f"{layers.line(extra, trainable=False)}  # then compile()"
            return Diagnosis("trainable", False, f"can change, but should be frozen: {_shortened(extra)}.", change)
    return _known_to_training(layers)


def _known_to_training(layers: _Layers) -> Diagnosis:
    """Compare `trainable` with the variables that the optimizer was built for, at the first fit() after a compile()."""
    import keras

    model = layers.model
    trainable = f"trainable: {_shortened(layers.owning(model.trainable_weights))}"
    optimizer = getattr(model, "optimizer", None) if model.compiled else None
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if optimizer is None or not optimizer.built:
        later = "compile() is still to come" if optimizer is None else "nothing was trained since compile()"
        return Diagnosis("trainable", True, f"{trainable} ({later}).")
    known = {id(one) for one in _held(optimizer, keras.Variable)}
    current = {id(one) for one in model.trainable_weights}
    if missed := layers.owning(one for one in model.trainable_weights if id(one) not in known):
        message = "became trainable after the optimizer was built, so training goes on without, or stops:"
        change = f"{COMPILE}  # with a new optimizer, after trainable = True"
        return Diagnosis("trainable", False, f"{message} {_shortened(missed)}.", change)
    ignored = layers.owning(one for one in model.weights if id(one) in known - current)
    if ignored and model.train_function is not None and not model.run_eagerly and layers.changed_since_compile():
        message = f"frozen after training had begun, and trained on all the same: {_shortened(ignored)}."
        return Diagnosis("trainable", False, message, f"{COMPILE}  # again, after trainable = False")
    return Diagnosis("trainable", True, f"{trainable}, and the optimizer knows it.")


def diagnose_weights_moved(
    model: keras.Model, snapshot: Snapshot, *, expected: Sequence[str] | None = None
) -> Diagnosis:
    """Return whether training moved the layers that it should have moved, and no others, since the snapshot.

    Without `expected` these are the layers that are trainable now. A layer has moved when one of its weights has; the
    statistics of batch normalisation are left to `diagnose_batch_norm_still`.
    """
    name, layers, changed = "weights moved", _Layers(model), _changed(model, snapshot)
    if broken := layers.owning(one for one in layers.learned if not np.isfinite(one.numpy()).all()):
        message = f"not numbers any more (NaN): {_shortened(broken)}. Training has diverged."
        return Diagnosis(name, False, message, "optimizer=keras.optimizers.Adam(1e-5)  # a lower learning rate")
    moved = layers.owning(one for one in layers.learned if id(one) in changed)
    wanted = required = layers.owning(model.trainable_weights)
    if expected is not None:
        wanted, required = layers.named(expected)
    if strays := [one for one in moved if one not in wanted]:
        change = f"{layers.line(strays, trainable=False)}  # then compile(), before fit()"
        return Diagnosis(name, False, f"moved, but should be frozen: {_shortened(strays)}.", change)
    if still := [one for one in required if one not in moved]:
        message = f"exactly as before, but should have moved: {_shortened(still)}."
        return Diagnosis(name, False, message, _moving_line(layers, still))
    return Diagnosis(name, True, f"moved: {_shortened(moved)}; all else is exactly as before.")


def _moving_line(layers: _Layers, still: list[str]) -> str:
    """Return what makes layers move: unfreeze, or compile, or, where both are done, look at the gradient."""
    trainable = layers.owning(layers.model.trainable_weights)
    if frozen := [name for name in still if name not in trainable]:
        return f"{layers.line(frozen, trainable=True)}; {COMPILE}  # both before fit()"
    if not _known_to_training(layers):
        return f"{COMPILE}  # after trainable = True, before fit()"
    return "model.fit(...)  # after take_snapshot(); else the gradient is 0: look at learning rate and diagnose_input_range"


def diagnose_batch_norm_still(
    model: keras.Model, snapshot: Snapshot, *, layers: Sequence[str] | None = None
) -> Diagnosis:
    """Return whether the running means and variances of batch normalisation are those of the snapshot.

    `layers` names the layers, or the nested model, to look at. Without it all are, except those of a new head, which have to
    learn: behind all convolutions, with the first values, means 0 and variances 1, in the snapshot.
    """
    name, everything, changed = "batch norm still", _Layers(model), _changed(model, snapshot)
    norms = [layer for layer in everything.norms if layer.built]
    if layers is None:
        looked = [norm for norm in norms if not _in_new_head(norm, model, snapshot)]
    else:
        names = everything.named(layers)[0]
        looked = [norm for norm in norms if norm.name in names]
    drifted = [norm.name for norm in looked if {id(norm.moving_mean), id(norm.moving_variance)} & changed]
    if drifted:
        message = (
            f"batch statistics have drifted: {_shortened(drifted)}. base_model(x, training=False) does not stop it."
        )
        return Diagnosis(name, False, message, FREEZE_NORM)
    left = f"; {len(norms) - len(looked)} were not looked at" if len(looked) < len(norms) else ""
    kept = f"the statistics of {len(looked)} batch normalisations are as before{left}."
    return Diagnosis(name, True, kept if norms else "the model has no batch normalisation.")


def _in_new_head(norm: keras.Layer, model: keras.Model, snapshot: Snapshot) -> bool:
    """Is it a layer of the model itself, with no convolution after it, that had learned nothing yet?"""
    places = [place for place, layer in enumerate(model.layers) if layer is norm]
    if not places or any("Conv" in type(layer).__name__ for layer in model.layers[places[0] :]):
        return False
    before = {id(one): value for one, value in zip(model.weights, snapshot.values, strict=True)}
    return bool((before[id(norm.moving_mean)] == 0).all() and (before[id(norm.moving_variance)] == 1).all())


def _changed(model: keras.Model, snapshot: Any) -> set[int]:
    if not isinstance(snapshot, Snapshot):
        raise TypeError(f"a snapshot is wanted, from take_snapshot(model); received {type(snapshot).__name__}.")
    return snapshot.changed(model)


class _Layers:
    """The layers of a model that own weights, however deep they are nested, by name.

    A name that comes twice is followed by the number of its turn: "conv", "conv (2)". `learned` are the weights that
    gradients can change, frozen or not: no running means, no other statistics.
    """

    def __init__(self, model: keras.Model) -> None:
        require_model(model)
        if not model.weights:
            raise ValueError(NO_WEIGHTS)
        self.model, self.everything = model, _inner_first(model)
        self.owner: dict[int, str] = {}
        for layer in self.everything:
            own = [id(one) for one in layer.weights if id(one) not in self.owner]
            turn = 1 + sum(name.split(" (")[0] == layer.name for name in set(self.owner.values()))
            self.owner |= dict.fromkeys(own, layer.name if turn == 1 else f"{layer.name} ({turn})")
        self.learned = self._all_unfrozen()

    def _all_unfrozen(self) -> list[keras.Variable]:
        """Return what is trainable when nothing is frozen, and put every flag back. A flag sets those of inner layers."""
        flags = [(one, one.trainable) for one in [*reversed(self.everything), *self.model.weights]]
        for layer in reversed(self.everything):
            layer.trainable = True
        learned = self.model.trainable_weights
        for one, flag in flags:
            one.trainable = flag
        return learned

    @property
    def norms(self) -> list[keras.Layer]:
        """Return the layers of batch normalisation."""
        import keras

        return [layer for layer in self.everything if isinstance(layer, keras.layers.BatchNormalization)]

    def owning(self, weights: Iterable[keras.Variable]) -> list[str]:
        """Return the names of the layers that own these weights, each once."""
        return list(dict.fromkeys(self.owner[id(one)] for one in weights))

    def named(self, names: Sequence[str]) -> tuple[list[str], list[str]]:
        """Return the layers with learned weights that `names` stand for, and those among them that may not stay frozen.

        A name is that of a layer, of one that holds others, or the beginning of names ("block5" of "block5_conv1"). Batch
        normalisation that is only meant along with others may stay frozen.
        """
        if isinstance(names, str) or not all(isinstance(name, str) for name in names):
            raise TypeError(f"a list of layer names is wanted; received {names!r:.60}.")
        learned = {id(one) for one in self.learned}
        meant = [one for name in names for layer in self._called(name) for one in layer.weights if id(one) in learned]
        found, norms = self.owning(meant), {layer.name for layer in self.norms}
        return found, [name for name in found if name in names or name.split(" (")[0] not in norms]

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

    def changed_since_compile(self) -> bool:
        """Return whether a `trainable` is another one than at compile(), which Keras keeps in a private attribute only."""
        before = getattr(self.model, "_compiled_trainable_state", None)
        return before is None or any(one.trainable != before.get(one, one.trainable) for one in self.everything)

    def line(self, names: Sequence[str], *, trainable: bool) -> str:
        """Return the line that sets `trainable` of layers: `model.get_layer("head").trainable = True`.

        For a nested model whose own flag has that value already it names the layers inside: to set a flag to what it is does
        nothing in Keras 3 with TensorFlow, and does not reach the layers inside either.
        """
        places = [place for layer in self.model.layers for place in self._places(layer, "model", names, trainable)]
        parents = {parent for parent, _, _ in places}
        if len(places) == 1 and parents != {""}:
            return f"{places[0][2]}.trainable = {trainable}"
        if len(parents) == 1 and parents != {""} and len(places) <= 6:
            inside = ", ".join(f'"{name}"' for _, name, _ in places)
            return f"for name in [{inside}]: {parents.pop()}.get_layer(name).trainable = {trainable}"
        if len(places) == 1:
            return f"for layer in {places[0][2]}: layer.trainable = {trainable}"
        listed = [code if parent else f"*{code}" for parent, _, code in places[:3]] + ["..."] * (len(places) > 3)
        return f"for layer in [{', '.join(listed)}]: layer.trainable = {trainable}"

    def _places(self, layer: Any, parent: str, names: Sequence[str], trainable: bool) -> list[tuple[str, str, str]]:
        """Return (code of the parent, name, code) of the outermost layers all of whose learned weights are meant.

        No parent: the code is a list of layers.
        """
        inside, learned = {id(one) for one in layer.weights}, {id(one) for one in self.learned}
        meant = {self.owner[one] in names for one in inside & learned}
        if True not in meant:
            return []
        code, deeper = f'{parent}.get_layer("{layer.name}")', getattr(layer, "layers", [])
        if False in meant and deeper:
            return [place for one in deeper for place in self._places(one, code, names, trainable)]
        if deeper and layer.trainable == trainable:
            return [("", layer.name, f"{code}.layers")]
        return [(parent, layer.name, code)]


def require_model(model: Any) -> None:
    """Raise TypeError for what is not a Keras model."""
    import keras

    if not isinstance(model, keras.Model):
        raise TypeError(f"a Keras model is wanted; received {type(model).__name__}.")


def _inner_first(layer: Any) -> list[Any]:
    """Return a layer behind all layers inside it, those of nested models and of composed layers too, each once."""
    import keras

    inside = layer.layers if isinstance(layer, keras.Model) else _held(layer, keras.Layer)
    found = {id(one): one for inner in inside for one in _inner_first(inner)}
    return [*found.values(), layer]


def _held(owner: Any, kind: type) -> list[Any]:
    """Return what the attributes of an object hold of one kind, in lists, tuples, sets and dicts too."""
    found: list[Any] = []
    for value in vars(owner).values():
        values = value.values() if isinstance(value, dict) else value
        values = values if isinstance(value, dict | list | tuple | set) else [value]
        found += [one for one in values if isinstance(one, kind)]
    return found


def _shortened(names: Sequence[str]) -> str:
    """Return names as text, the middle of a long list left out: "a, b, ..., z (9 layers)"."""
    if len(names) <= 4:
        return ", ".join(names) or "nothing"
    return f"{names[0]}, {names[1]}, ..., {names[-1]} ({len(names)} layers)"
