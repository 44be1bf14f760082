"""Checks of notebook 05, data augmentation."""

from typing import Any

import numpy as np

from helpers.exercises.feedback import NotYet, as_array, call, exercise, expect, hint_if, number_exercise

KEEPS_A_DIGIT = {"shift by 2 pixels", "rotation by 10 degrees", "zoom by 10 %", "brightness up or down"}
CHANGES_A_DIGIT = {
    "horizontal flip": "a mirrored 2 is no 2 any more, and neither is a mirrored 3, 4, 5, 6, 7 or 9.",
    "rotation by 180 degrees": "what does a 6 look like when you turn the page upside down?",
    "vertical flip": "upside down a 7 is no 7, and a 2 looks much like a 5.",
}


@number_exercise(
    (40 / 360, "RandomRotation(40 / 360) turns by up to 40 degrees, to the left or to the right."),
    (40, "that would be forty full turns. The factor is a share of one turn."),
    (0.4, "40 % of a full turn are 144 degrees."),
    (40 / 180, "that is twice too much: the range already goes to either side, and a full turn has 360 degrees."),
    (np.deg2rad(40), "those are radians. The layer multiplies by a full turn itself."),
    (20 / 360, "the range goes from minus the factor to plus the factor: no need to halve it."),
    rtol=5e-3,
)
def check_rotation_factor(number: float) -> str:
    return f"not {number:,.6g}. That share of a full turn is {360 * number:.4g} degrees."


@exercise("each image is read once and looks different in every epoch.")
def check_order(answer: Any) -> None:
    import keras

    images = np.random.default_rng(0).uniform(0, 255, (6, 8, 8, 3)).astype("float32")
    source, reads = _counted(images)
    result = call(answer, source, keras.layers.RandomRotation(0.5, seed=0))
    if not hasattr(result, "as_numpy_iterator"):
        raise NotYet(f"a tf.data.Dataset is wanted, and this is of type {type(result).__name__}.")
    epochs = [list(result.as_numpy_iterator()) for _ in range(2)]
    if not all(isinstance(batch, tuple) and len(batch) == 2 for batch in epochs[0]):
        raise NotYet("the labels are lost: the function in map() takes images and labels, and returns both.")
    first, second = (np.concatenate([batch[0] for batch in epoch]) for epoch in epochs)
    labels = np.concatenate([batch[1] for batch in epochs[0]])
    if first.shape != images.shape or not np.array_equal(np.sort(labels), np.arange(len(images))):
        raise NotYet(f"{len(images)} images go in, and {len(first)} come out, or with other labels.")
    unchanged = np.allclose(first[np.argsort(labels)], images, atol=1e-3)
    hint_if(unchanged, "no image is changed. Is `augment` called, with training=True?")
    hint_if(np.array_equal(first, second), "both epochs are the same, bit by bit: what is cached is augmented already.")
    if len(reads) > len(images):
        raise NotYet(f"the {len(images)} images were read {len(reads)} times in two epochs: nothing is cached.")


def _counted(images: np.ndarray) -> tuple[Any, list[int]]:
    """Return a dataset of batches of two images with their numbers as labels, and a list that grows with each reading."""
    import tensorflow as tf

    reads: list[int] = []

    def read():
        for number, image in enumerate(images):
            reads.append(number)
            yield image, number

    kinds = tf.TensorSpec(images.shape[1:], "float32"), tf.TensorSpec((), "int64")
    return tf.data.Dataset.from_generator(read, output_signature=kinds).batch(2), reads


@exercise("turned by up to 10 degrees, shifted by up to a tenth, in fit() alone: {weights:,} weights, ready to train.")
def check_model(answer: Any) -> dict[str, Any]:
    hint_if(isinstance(answer, list | tuple), "these are layers in a list. Put them together with keras.Sequential([...]).")
    hint_if(not hasattr(answer, "layers"), f"a Keras model is wanted, and this is of type {type(answer).__name__}.")
    order = _flat(answer)
    layers = {type(layer).__name__: layer for layer in order}
    hint_if("RandomFlip" in layers, "a mirrored 2 is no 2 any more: leave the flip out.")
    wanted = ("RandomRotation", "RandomTranslation")
    for kind in wanted:
        hint_if(kind not in layers, f"there is no {kind} in it. The layers are: {', '.join(layers) or 'none'}.")
    besides = ", ".join(sorted(kind for kind in layers if kind.startswith("Random") and kind not in wanted))
    hint_if(besides != "", f"only rotation and shift are wanted, and there is {besides} besides.")
    low, high = (360 * share for share in layers["RandomRotation"].factor)
    found = f"it turns by {low:.3g} to {high:.3g} degrees."
    hint_if(not np.allclose((low, high), (-10, 10), atol=0.1), f"{found} The factor is a share of a full turn.")
    for axis in ("height", "width"):
        factor = layers["RandomTranslation"].get_config()[f"{axis}_factor"]
        tenth = np.allclose(np.abs(factor), 0.1)
        hint_if(not tenth, f"the {axis}_factor is {factor}. A tenth of the {axis}, to either side, is 0.1.")
    hint_if("Conv2D" not in layers, "there is no convolution in it: after augmentation and scaling comes a small network.")
    late = order.index(layers["Conv2D"]) < max(order.index(layers[kind]) for kind in wanted)
    hint_if(late, "augmentation comes after a convolution: there it moves maps of features, not images. Put it first.")
    shape = np.shape(call(lambda images: answer(images, training=False), np.zeros((2, 32, 32, 3), "float32")))
    hint_if(shape != (2, 10), f"two images give an answer of shape {shape}; wanted (2, 10), a probability for each digit.")
    hint_if(not answer.compiled, "the network is right. Call compile() with optimizer, loss and metrics before fit().")
    return {"weights": answer.count_params()}


def _flat(model: Any) -> list[Any]:
    """Return the layers in order, with those of a pipeline inside the model."""
    return [inner for layer in model.layers for inner in (_flat(layer) if hasattr(layer, "layers") else [layer])]


@number_exercise(
    (168 * 4, "4 x 168 = 672 pictures, against 6,720 for forty epochs without a cache."),
    (168, "that would be the photographs without any view."),
    (168 * 3, "those are the views. The photographs themselves go through VGG16, too."),
    (168 * 40, "that is what it costs without a cache: every epoch computes anew."),
    (168 * 4 * 40, "with a cache, later epochs read what the first ones computed."),
    (168 * 3 * 40, "with a cache, later epochs read what the first ones computed."),
    (168 + 3, "each of the photographs has three views of its own."),
)
def check_forward_passes(number: float) -> str:
    return f"not {number:,.6g}. How many different pictures are there? Each is shown to VGG16 once."


@exercise("these four leave a digit what it is; flips and half turns do not.")
def check_label_preserving(answer: Any) -> None:
    hint_if(isinstance(answer, str), "this is one text. Put the names into a list: [..., ...].")
    try:
        names = set(answer)
    except TypeError:
        raise NotYet(f"a list of names is wanted, and this is of type {type(answer).__name__}.") from None
    if unknown := sorted(map(str, names - KEEPS_A_DIGIT - set(CHANGES_A_DIGIT))):
        raise NotYet(f"{unknown[0]!r} is not among the choices. Copy the names as they are printed.")
    for name, hint in CHANGES_A_DIGIT.items():
        hint_if(name in names, f"{name}: {hint}")
    for name in sorted(KEEPS_A_DIGIT - names):
        raise NotYet(f"what about {name}? Would you read another digit?")


@exercise("mean, lower and upper end of a 95 % interval of the paired differences, from Student's t.")
def check_interval(answer: Any) -> None:
    with_views, alone = np.array([0.62, 0.71, 0.55, 0.66, 0.60]), np.array([0.60, 0.66, 0.56, 0.61, 0.57])
    found = as_array(call(answer, with_views, alone), shape=(3,))
    gains = with_views - alone
    error, unpaired = gains.std(ddof=1) / 5**0.5, (with_views.var(ddof=1) / 5 + alone.var(ddof=1) / 5) ** 0.5

    def ends(half: float) -> list[float]:
        return [gains.mean(), gains.mean() - half, gains.mean() + half]

    wrong = [
        (-as_array(ends(-2.7764 * error)), "the sign is turned around: with views minus alone."),
        (ends(1.96 * error), "1.96 is for many runs. With five, t with 4 degrees of freedom is 2.78."),
        (ends(2.5706 * error), "degrees of freedom are one less than there are runs: 4."),
        (ends(2.1318 * error), "that is a 90 % interval: leave 2.5 % at either end, t.ppf(0.975, ...)."),
        (ends(2.7764 * gains.std() / 5**0.5), "the deviation divides by n - 1: std(ddof=1)."),
        (
            ends(2.7764 * gains.std(ddof=1)),
            "that is t times the deviation of one run. Divide by sqrt(n).",
        ),
        (ends(error), "that is one standard error to either side. Multiply it by t."),
        (ends(2.7764 * unpaired), "the runs are paired: take the differences first, then their mean and deviation."),
    ]
    mean = f"the mean of the differences comes first: {gains.mean():.3f} here, and yours is {found[0]:.3f}."
    ok = "the mean is right. The ends are the mean minus and plus t times the standard error."
    expect(found, ends(2.7764 * error), wrong, ok if np.isclose(found[0], gains.mean()) else mean, atol=1e-5)


@exercise("{runs} paired runs, mean gain {mean:+.3f}, interval {low:+.3f} to {high:+.3f}: {verdict}.")
def check_experiment(answer: Any) -> dict[str, Any]:
    gains = as_array(answer)
    hint_if(gains.size == 1, "one run is an anecdote. Repeat it with other seeds, at least five.")
    hint_if(gains.ndim != 1, f"one difference a run is wanted, and the shape is {gains.shape}.")
    hint_if(len(gains) < 5, f"{len(gains)} runs: make at least five.")
    hint_if(np.ptp(gains) == 0, "all runs gain the same to the last digit. Does the seed reach the draw of the labels?")
    hint_if(np.abs(gains).max() > 1, "no difference of two accuracies from 0 to 1 is larger than 1. Are these per cent?")
    hint_if(gains.min() > 0.4, "these look like accuracies. Subtract, run by run, those without the change.")
    from scipy import stats

    low, high = stats.t.interval(0.95, len(gains) - 1, loc=gains.mean(), scale=stats.sem(gains))
    verdict = "not told apart" if low <= 0 <= high else "told apart"
    return {"runs": len(gains), "mean": gains.mean(), "low": low, "high": high, "verdict": verdict}
