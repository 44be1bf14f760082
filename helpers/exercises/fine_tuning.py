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


@exercise("{block} at {rate:g}: mean validation accuracy {validation:.2f}, and a test accuracy of {test:.2f}.")
def check_best_setting(answer: Any, runs: list[dict[str, Any]]) -> dict[str, Any]:
    answer = tuple(answer) if isinstance(answer, list) else answer
    measured: dict[tuple[str, float], list[tuple[float, float, float]]] = {}
    for run in runs:
        setting = run["first_trainable"], run["learning_rate"]
        measured.setdefault(setting, []).append((run["val_accuracy"][-1], run["test_accuracy"], -run["loss"][-1]))
    means = {setting: np.mean(measured[setting], axis=0) for setting in sorted(measured)}
    hint_if(answer not in means, f"give one pair of block and rate, such as ('block5', 0.0001); received {answer!r:.60}.")
    best, best_in_test, lowest_loss = (max(means, key=lambda setting: means[setting][place]) for place in range(3))
    here, there = means[answer][0], means[best][0]
    if answer == best:
        return {"block": answer[0], "rate": answer[1], "validation": here, "test": means[answer][1]}
    if answer == best_in_test:
        raise NotYet("that is best on the test set, and the test set must not choose. Take the validation accuracy.")
    hint_if(answer == lowest_loss, "that has the lowest training loss. Which is best on images that were not trained on?")
    raise NotYet(f"its mean validation accuracy is {here:.3f}, and another setting has {there:.3f}.")


@exercise("the kernel of the test moved by {right:.3f} of its length.")
def check_distance(distance: Any) -> dict[str, float]:
    random, norm = np.random.default_rng(6), np.linalg.norm
    before = random.normal(size=(3, 3, 4, 5))
    after = before + 0.1 * random.normal(size=before.shape)
    difference = after - before
    right, absolute = norm(difference) / norm(before), abs(difference).mean() / abs(before).mean()
    wrong = [
        (norm(difference), "that is the length of the difference. Divide it by the length of `before`."),
        (norm(difference) / norm(after), "relative to the new kernel; divide by the old one."),
        (right**2, "those are squares. Take the root of both sums."),
        (absolute, "that takes absolute values; a norm takes squares, and then the root."),
        (difference.sum() / before.sum(), "differences of both signs cancel each other. Square them first."),
    ]
    number = as_number(call(distance, after, before))
    otherwise = f"not {number:,.6g}. Wanted: the norm of after - before, divided by the norm of before."
    expect(number, right, wrong, otherwise, form=",.4g")
    return {"right": right}


@number_exercise(
    (0.44, "94 % sure on average, and right in 50 %: a gap of 0.44."),
    (-0.44, "the gap is the other way round: they are more confident than right."),
    (0.94, "that is the mean confidence; compare it with the share that is right."),
    (0.5, "that is the share of right answers; compare it with the mean confidence."),
    (0.47, "the gap is taken between the two means, not answer by answer."),
)
def check_gap(number: float) -> str:
    return f"not {number:,.6g}. Mean confidence of the four, minus the share of them that is right."


@exercise("each map weighted by its mean gradient, added up, and what is negative cut off.")
def check_heatmap(heatmap: Any) -> None:
    random = np.random.default_rng(7)
    maps, gradients = random.uniform(0, 2, (4, 5, 3)), random.normal(size=(4, 5, 3))
    total = maps @ gradients.mean(axis=(0, 1))
    values = as_array(call(heatmap, maps, gradients), shape=(4, 5))
    by_place = np.maximum((maps * gradients).sum(axis=-1), 0)
    wrong = [
        (total, "the sum is right, but it has negative values: they speak for other classes. np.maximum(..., 0)."),
        (maps.mean(axis=-1), "that is the mean of the maps; the gradients were not used."),
        (by_place, "gradients place by place. Grad-CAM takes one weight for each map: the mean of its gradients."),
    ]
    otherwise = "weights = gradients.mean(axis=(0, 1)), one for each map; then the weighted sum over the last axis."
    expect(values, np.maximum(total, 0), wrong, otherwise, atol=1e-5)
