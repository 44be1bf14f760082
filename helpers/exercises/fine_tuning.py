"""Checks of notebook 06, fine-tuning."""

from typing import Any

import numpy as np

from helpers.exercises.feedback import NotYet, as_array, as_number, call, exercise, expect, hint_if, number_exercise


@exercise("{size} weights in the head to be learned from a few dozen photographs.")
def check_head_size(answer: Any, model: Any) -> dict[str, str]:
    number = as_number(answer)
    (inputs, hidden), (_, classes) = [layer.kernel.shape for layer in model.layers if hasattr(layer, "kernel")]
    first, second = (inputs + 1) * hidden, (hidden + 1) * classes
    wrong = [
        (first + second - hidden - classes, "those are the kernels. Each unit of a Dense layer has a bias as well."),
        (model.count_params(), "that is the whole model, VGG16 included. Only the two Dense layers are asked for."),
        (first, "that is the first Dense layer; add the second one."),
        (513 * hidden + second, "Flatten keeps every place: it gives 2 * 2 * 512 numbers, not 512."),
    ]
    units = f"{inputs} numbers, then come {hidden} units and then {classes}: (inputs + 1) * units for each."
    expect(number, first + second, wrong, f"not {number:,.6g}. Flatten gives {units}", form=",.4g")
    return {"size": f"{first + second:,}".replace(",", " ")}


@exercise("{images} images give {steps} full batches, and {right} images are left out.")
def check_unseen(answer: Any, images: int, batch_size: int) -> dict[str, int]:
    number, steps, right = as_number(answer), images // batch_size, images % batch_size
    seen = images - right
    wrong = [
        (steps, f"{steps} is the number of steps. How many images do they hold, and how many are left?"),
        (seen, f"{seen} images are seen. The question is how many are not."),
        (0, f"// rounds down: {images} / {batch_size} is not a whole number."),
        (steps + 1, "that is the number of steps that would be needed."),
    ]
    take = f"Take the {images} images apart into full batches of {batch_size}; what is left over?"
    expect(number, right, wrong, f"not {number:,.6g}. {take}", form=",.4g")
    return {"images": images, "steps": steps, "right": right}


@exercise("augmentation, preprocessing, a frozen base, the average and {classes} classes, in one model.")
def check_build(build: Any) -> dict[str, int]:
    import keras

    base, images = _bare_base(), np.random.default_rng(8).uniform(0, 255, (16, 8, 8, 3)).astype("float32")
    model = call(build, base, 5)
    hint_if(not hasattr(model, "predict"), f"a Keras model is wanted, and this is of type {type(model).__name__}.")
    answers = as_array(model.predict_on_batch(images), shape=(16, 5))
    hint_if(not np.allclose(answers.sum(axis=1), 1, atol=1e-4), "the answers do not add up to 1. Is there a softmax?")
    hint_if(bool(base.trainable_weights), "the base can still change: base.trainable = False.")
    names = {type(layer).__name__ for layer in model._flatten_layers()}
    hint_if(not any(name.startswith("Random") for name in names), "no layer changes pictures at random: RandomFlip.")
    pooled = as_array(keras.Model(model.inputs, model.layers[-1].input).predict_on_batch(images))
    raw, means = images.mean(axis=(1, 2)), (103.939, 116.779, 123.68)
    flat = "the last layer gets every place of the maps. Average over all places before it."
    wrong = [(raw, "the base sees raw pixels. VGG16 wants keras.applications.vgg16.preprocess_input.")]
    hint_if(pooled.shape != raw.shape, flat)
    expect(pooled, raw[:, ::-1] - means, wrong, "the base sees neither raw nor prepared pixels: prepare once.", atol=0.01)
    return {"classes": 5}


def _bare_base() -> Any:
    """Return a base for any pretrained one: it answers with the pixels that it sees."""
    import keras

    base = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(3, 1)])
    base.layers[0].set_weights([np.eye(3)[np.newaxis, np.newaxis], np.zeros(3)])
    return base


@exercise("fit() goes on with what was compiled, and then only the head was trainable.")
def check_moves(answer: Any) -> None:
    known = ("nothing", "the head", "block 5", "both")
    hint_if(answer not in known, f"choose one of {known}, as text; received {answer!r:.40}.")
    hint_if(answer == "nothing", "training goes on with the weights that the optimizer knows. Which are they?")
    hint_if(answer == "block 5", "block 5 is new to the optimizer. What was trainable at the last compile()?")
    hint_if(answer == "both", "that is what one hopes for. But nothing was compiled after block 5 was unfrozen.")


@exercise("block 5 and the head are trained, at a learning rate of {rate:g}, and the optimizer knows it.")
def check_prepare(prepare: Any) -> dict[str, float]:
    def prepared(model: Any) -> Any:
        result = prepare(model)
        return result if hasattr(result, "compiled") or result is ... else model

    hint_if(not callable(prepare), f"a function is wanted, and this is of type {type(prepare).__name__}.")
    model = _small_model()
    old = model.optimizer
    model = call(prepared, model)
    trained = [layer.name for layer in model.layers if layer.trainable and layer.weights]
    if "block5_conv1" not in trained:
        raise NotYet("block5_conv1 is still frozen. Set layer.trainable = True for the layers of block 5.")
    hint_if("predictions" not in trained, "the head is frozen now. It has to go on learning with block 5.")
    if early := [name for name in trained if name.startswith(("block3", "block4"))]:
        raise NotYet(f"{early[0]} may change as well. Only block 5 and the head should.")
    if not model.compiled or model.optimizer is old:
        raise NotYet("the flags are right, but nothing was compiled after them: training would not notice.")
    rate = float(model.optimizer.learning_rate)
    if rate > 2e-4:
        raise NotYet(f"the learning rate is {rate:g}. That is for a new head; weights that are good want 0.0001 or less.")
    return {"rate": rate}


def _small_model() -> Any:
    """Return a compiled model with VGG16's names, as phase 1 leaves it: everything frozen but the head."""
    import keras
    from keras import layers

    x = inputs = keras.Input((8, 8, 3))
    for name in ("block3_conv1", "block4_conv1", "block5_conv1"):
        x = layers.Conv2D(2, 3, name=name, trainable=False)(x)
    x = layers.GlobalAveragePooling2D(name="pooling", trainable=False)(x)
    model = keras.Model(inputs, layers.Dense(2, activation="softmax", name="predictions")(x))
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
    return model


@number_exercise(
    (1.18 / 0.27, "1.18 / 0.27 = 4.4 times less, in multiply-adds."),
    (3 / 0.27, "blocks 1 to 4 are frozen: they cost their forward pass, not three times."),
    (0.27 / 1.18, "that is the other way round: how many times LESS is the cached epoch?"),
    (1 - 0.27 / 1.18, "that is the share that is saved. How many times less is left?"),
    (1.18, "that is the cost of the epoch without the cache; divide it by the one with."),
    (0.27, "that is the cost of the epoch with the cache; how many times does it fit in the other?"),
    rtol=0.01,
)
def check_times_faster(number: float) -> str:
    costs = "Without the cache: 0.91 for the frozen blocks and 3 * 0.09 for block 5. With it: only the second."
    return f"not {number:,.6g}. {costs}"
