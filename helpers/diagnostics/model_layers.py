"""The layers of a model that own weights, however deep they are nested, by name; and code that names them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

LayerWeights = Mapping[str, list["keras.Variable"]]


def require_model(model: Any) -> None:
    """Return nothing, and raise TypeError for what is not a Keras model."""
    import keras

    if not isinstance(model, keras.Model):
        raise TypeError(f"a Keras model is wanted; received {type(model).__name__}.")


def all_layers(model: keras.Model) -> list[keras.Layer]:
    """Return every layer inside a model: those of nested models and of composed layers as well, outer ones first."""
    found: dict[int, Any] = {}

    def visit(parent: Any) -> None:
        for layer in _inside(parent):
            if id(layer) not in found:
                found[id(layer)] = layer
                visit(layer)

    visit(model)
    return list(found.values())


def _inside(layer: Any) -> list[Any]:
    return layer._flatten_layers(include_self=False, recursive=False)


def layer_weights(model: keras.Model) -> dict[str, list[keras.Variable]]:
    """Return the weights that each layer owns itself, by the name of the layer; layers without weights are left out.

    A name that comes twice is followed by the number of its turn: "conv", "conv (2)".
    """
    owned, taken = {}, set()
    for layer in [*all_layers(model), model]:
        deeper = {id(one) for inner in _inside(layer) for one in inner.weights}
        own = [one for one in layer.weights if id(one) not in deeper | taken]
        taken |= {id(one) for one in own}
        if own:
            turn = 1 + sum(name == layer.name or name.startswith(f"{layer.name} (") for name in owned)
            owned[layer.name if turn == 1 else f"{layer.name} ({turn})"] = own
    return owned


def learned_ids(model: keras.Model) -> set[int]:
    """Return the ids of the weights that gradients can change, frozen or not: no running means, no statistics."""
    return {id(one) for layer in [model, *all_layers(model)] for one in layer._trainable_variables}


def named_layers(model: keras.Model, weights: LayerWeights, names: Sequence[str]) -> tuple[list[str], set[str]]:
    """Return the layers with learnable weights that `names` stand for, and which of them may as well stay frozen.

    A name is that of a layer, of one that holds others, or the beginning of names ("block5" of "block5_conv1"). Batch
    normalisation that is only meant along with others may stay frozen.
    """
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"a list of layer names is wanted; received {names!r:.60}.")
    found, exact, learned = [], set(), learned_ids(model)
    for name in names:
        layers = _called(model, name)
        own = {id(one) for layer in layers for one in layer.weights} & learned
        new = [key for key, values in weights.items() if own & {id(one) for one in values}]
        found += [key for key in new if key not in found]
        exact |= {name} & set(new)
    norms = {layer.name for layer in norm_layers(model)}
    return found, {key for key in found if key.split(" (")[0] in norms} - exact


def _called(model: keras.Model, name: str) -> list[Any]:
    everything = [model, *all_layers(model)]
    layers = [layer for layer in everything if layer.name == name]
    layers = layers or [layer for layer in everything if layer.name.startswith(f"{name.rstrip('_')}_")]
    if not layers:
        names = [layer.name for layer in everything]
        close = difflib.get_close_matches(name, names, n=3) or names[:6]
        raise ValueError(f"{model.name} has no layer {name!r}; it has, among others: {', '.join(close)}.")
    if not all(layer.built for layer in layers):
        raise ValueError(f"{name!r} has no weights yet; call the model on a batch of images first.")
    return layers


def norm_layers(model: keras.Model) -> list[keras.Layer]:
    """Return the batch normalisation layers of a model, however deep they are nested."""
    import keras

    return [layer for layer in all_layers(model) if isinstance(layer, keras.layers.BatchNormalization)]


def owners(weights: LayerWeights, ids: set[int]) -> list[str]:
    """Return the names of the layers that own one of the weights with these ids."""
    return [name for name, own in weights.items() if ids & {id(one) for one in own}]


def some(names: Sequence[str]) -> str:
    """Return names as text, the middle of a long list left out: "a, b, ... (9 layers) ..., z"."""
    if len(names) <= 4:
        return ", ".join(names)
    return f"{names[0]}, {names[1]}, ..., {names[-1]} ({len(names)} layers)"


def trainable_line(model: keras.Model, weights: LayerWeights, names: Iterable[str], *, value: bool) -> str:
    """Return the line that sets `trainable` of layers: `model.get_layer("head").trainable = True`.

    For a nested model whose own flag has that value already it names the layers inside: to set a flag to what it is does
    nothing in Keras 3 with TensorFlow, and does not reach the layers inside either.
    """
    ids = {id(one) for name in names for one in weights[name]}
    places = [place for layer in getattr(model, "layers", []) for place in _places(layer, ids, "model", value)]
    if len(places) == 1 and places[0][1]:
        return f"{places[0][0]}.trainable = {value}"
    parents = {parent for _, parent, _ in places}
    if len(parents) == 1 and places[0][1] and len(places) <= 6:
        inside = ", ".join(f'"{name}"' for *_, name in places)
        return f"for name in [{inside}]: {parents.pop()}.get_layer(name).trainable = {value}"
    if len(places) == 1:
        return f"for layer in {places[0][0]}: layer.trainable = {value}"
    listed = [f"*{code}" if not parent else code for code, parent, _ in places[:3]]
    return f"for layer in [{', '.join(listed + ['...'] * (len(places) > 3))}]: layer.trainable = {value}"


def _places(layer: Any, ids: set[int], parent: str, value: bool) -> list[tuple[str, str, str]]:
    """Return (code, code of the parent, name) of the outermost layers all of whose learnable weights are meant.

    No parent: the code is a list of layers.
    """
    learned = {id(one) for one in layer.weights} & learned_ids(layer)
    if not learned & ids:
        return []
    code, deeper = f'{parent}.get_layer("{layer.name}")', getattr(layer, "layers", [])
    if not learned <= ids and deeper:
        return [place for one in deeper for place in _places(one, ids, code, value)]
    if deeper and layer.trainable == value:
        return [(f"{code}.layers", "", layer.name)]
    return [(code, parent, layer.name)]
