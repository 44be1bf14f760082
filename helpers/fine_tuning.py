"""Fine-tuning in parts: build a classifier, choose what may change, cut the network there, train the rest, see what moved.

The part of a network that is frozen answers the same to the same image, epoch after epoch. `split_model` cuts it off, so
that its answers can be computed once (`helpers.features.extract_features`) and only the rest is trained.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

LOSS = "sparse_categorical_crossentropy"


def build_classifier(
    base_model: keras.Model,
    *,
    classes: int,
    hidden: int | None = None,
    pooling: str = "avg",
    dropout: float = 0.0,
    start: str = "zeros",
    seed: int = 0,
) -> keras.Model:
    """Return one flat model: the layers of `base_model`, pooling, and a new softmax head named "predictions".

    It wants what `base_model` wants (for VGG16: preprocessed images) and gives probabilities `(n, classes)`. The layers
    are shared with `base_model`, so training one changes both. `hidden`: units of a ReLU layer in between; `pooling`:
    "avg" takes the mean over all places, "flatten" keeps every place; `dropout`: share dropped before "predictions".
    `start`: the first kernel of "predictions", "zeros" (every class equally likely) or "random" (Glorot uniform, Keras's
    own choice).
    """
    from keras import Model, layers
    from keras.initializers import GlorotUniform

    if pooling not in ("avg", "flatten"):
        raise ValueError(f'pooling is {pooling!r}; choose "avg" or "flatten".')
    if start not in ("zeros", "random"):
        raise ValueError(f'start is {start!r}; choose "zeros" or "random".')
    x = base_model.outputs[0]
    if len(x.shape) == 4:
        pool = layers.GlobalAveragePooling2D if pooling == "avg" else layers.Flatten
        x = pool(name="pooling")(x)
    if hidden:
        x = layers.Dense(hidden, activation="relu", kernel_initializer=GlorotUniform(seed=seed + 1), name="hidden")(x)
    if dropout:
        x = layers.Dropout(dropout, seed=seed, name="dropout")(x)
    kernel = "zeros" if start == "zeros" else GlorotUniform(seed=seed)
    # float32 also where the rest is trained in half precision: small probabilities would be lost
    x = layers.Dense(classes, activation="softmax", kernel_initializer=kernel, dtype="float32", name="predictions")(x)
    return Model(base_model.inputs[0], x, name=f"{base_model.name}_classifier")


def freeze_before(model: keras.Model, layer_name: str) -> list[str]:
    """Return the names of the layers that may change from now on: `layer_name` and all that come after it.

    Everything before it is frozen. Batch normalisation stays frozen everywhere: its running means would drift. What is
    set here counts from the next `compile()` on, so call that afterwards. `layer_name` can also be the beginning of
    names: "block5" stands for "block5_conv1".
    """
    from keras.layers import BatchNormalization

    start = layer_position(model, layer_name)
    for position, layer in enumerate(model.layers):
        layer.trainable = position >= start and not isinstance(layer, BatchNormalization)
    return [layer.name for layer in model.layers if layer.trainable_weights]


def split_model(model: keras.Model, layer_name: str) -> tuple[keras.Model, keras.Model]:
    """Return two models: up to and with `layer_name`, and from its output to the end. They share the layers of `model`.

    So training the second part changes `model` as well, and `model` is what to save. Raises ValueError where a path
    leads around the layer, since the second part would then need more than that one output.
    """
    from keras import Model

    layer = model.layers[layer_position(model, layer_name, whole=True)]
    first = Model(model.inputs[0], layer.output, name=f"{model.name}_until_{layer_name}")
    try:
        second = Model(layer.output, model.outputs[0], name=f"{model.name}_after_{layer_name}")
    except ValueError:
        raise ValueError(
            f"a path leads around {layer_name!r}, so that what follows needs more than its output. Split where all"
            " paths meet, for instance at the end of a block."
        ) from None
    return first, second


def adam_by_block(learning_rate: float, *, decay: float = 2.6) -> keras.optimizers.Optimizer:
    """Return Adam with a learning rate for each block of VGG16: block 5 and what follows have `learning_rate`.

    Every block before has the rate of the next one divided by `decay`: 2.6 is that of Howard and Ruder, "Universal
    Language Model Fine-tuning for Text Classification", 2018, arXiv:1801.06146. With 1 it is Adam as always.
    """
    from keras import ops, optimizers

    class AdamByBlock(optimizers.Adam):
        def apply(self, grads, trainable_variables=None):
            before = [ops.copy(variable) for variable in trainable_variables]
            super().apply(grads, trainable_variables)
            for variable, old in zip(trainable_variables, before, strict=True):
                layer = variable.path.split("/")[-2]
                block = int(layer[5]) if layer.startswith("block") else 5
                variable.assign(old + (variable - old) / decay ** (5 - block))  # a step of Adam is as long as its rate

    return (AdamByBlock if decay != 1 else optimizers.Adam)(learning_rate)


def layer_distances(model: keras.Model, reference: keras.Model) -> dict[str, float]:
    """Return how far the kernel of each layer is from the layer of the same name in `reference`.

    The distance is the norm of the difference divided by the norm of the reference's kernel: 0 has not moved, 1 has moved
    as far as the kernel is long; a kernel that was all zeros has an infinite distance once it moves. Layers without a
    counterpart (a new head) are left out.
    """
    known = {layer.name: layer for layer in reference.layers if layer.weights}
    distances = {}
    for layer in model.layers:
        if layer.weights and layer.name in known:
            now, before = layer.get_weights()[0], known[layer.name].get_weights()[0]
            if now.shape != before.shape:
                raise ValueError(f"{layer.name} has shape {now.shape} here and {before.shape} in the reference.")
            way, length = float(np.linalg.norm(now - before)), float(np.linalg.norm(before))
            distances[layer.name] = way / length if length else math.inf if way else 0.0
    return distances


def layer_position(model: keras.Model, layer_name: str, *, whole: bool = False) -> int:
    """Return where in `model.layers` the layer stands; unless `whole`, "block5" stands for the first layer of block 5."""
    names = [layer.name for layer in model.layers]
    for position, name in enumerate(names):
        if name == layer_name or (not whole and name.startswith(f"{layer_name}_")):
            return position
    raise ValueError(f"{model.name} has no layer {layer_name!r}; choose from: {', '.join(names)}.")
