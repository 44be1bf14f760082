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


@exercise("the columns in reverse order, and nothing else.")
def check_mirror(answer: Any) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 3), dtype="uint8")
    result = as_array(call(answer, images=images, advice="Return new ones."), shape=images.shape)
    wrong = [
        (images, "nothing has changed."),
        (images[::-1], "the images are in reverse order, but each is as it was. Axis 0 counts the images."),
        (images[:, ::-1], "they stand on their heads: you turned the rows around. Turn the columns around."),
        (images[..., ::-1], "the last axis holds the channels: red became blue."),
        (images[:, ::-1, ::-1], "rows and columns are both turned around: that is a half turn, not a mirror."),
    ]
    otherwise = "each row has to hold the same pixels, in reverse order. Axis 2 counts the columns."
    expect(result, images[:, :, ::-1], wrong, otherwise)


@exercise("reflect holds a mirror to the edge, wrap brings in the far end.")
def check_fill(reflected: Any, wrapped: Any) -> None:
    first, second = as_array(reflected, shape=(5,)).tolist(), as_array(wrapped, shape=(5,)).tolist()
    reflect, wrap = [2, 1, 1, 2, 3], [4, 5, 1, 2, 3]
    swapped = (first, second) == (wrap, reflect)
    hint_if(swapped, "both are right, in the wrong order: the first is `reflect`, the second `wrap`.")
    shifted = "that is a shift to the left. The 1 has to end up in the middle."
    wrong = [
        ([3, 2, 1, 2, 3], "the edge itself is repeated, too: the 1 comes twice."),
        ([1, 1, 1, 2, 3], 'that is "nearest": the edge again and again.'),
        ([0, 0, 1, 2, 3], 'that is "constant": zeros.'),
        ([3, 4, 5, 5, 4], shifted),
        ([3, 4, 5, 1, 2], shifted),
        ([5, 4, 1, 2, 3], "the far end comes in as it stands, without being turned around."),
        ([1, 2, 1, 2, 3], "a mirror shows the pixel at the edge first, then the next one further in."),
    ]
    for name, values, right in (("reflect", first, reflect), ("wrap", second, wrap)):
        rows = [(other, f"{name}: {hint}") for other, hint in wrong]
        expect(values, right, rows, f"{name}: the last three are 1, 2, 3. Which two come in on the left?")


@exercise("up to 10 degrees and a tenth of the width and height, to either side; digits stay what they are.")
def check_pipeline(answer: Any) -> None:
    hint_if(isinstance(answer, list | tuple), "these are layers in a list. Put them together with keras.Sequential([...]).")
    layers = {type(layer).__name__: layer for layer in getattr(answer, "layers", [answer])}
    hint_if("RandomFlip" in layers, "a mirrored 2 is no 2 any more: leave the flip out.")
    wanted = ("RandomRotation", "RandomTranslation")
    for kind in wanted:
        hint_if(kind not in layers, f"there is no {kind} in it. The layers are: {', '.join(layers) or 'none'}.")
    besides = ", ".join(sorted(set(layers) - set(wanted)))
    hint_if(besides != "", f"only rotation and shift are wanted, and there is {besides} besides.")
    low, high = (360 * share for share in layers["RandomRotation"].factor)
    found = f"it turns by {low:.3g} to {high:.3g} degrees."
    hint_if(not np.allclose((low, high), (-10, 10), atol=0.1), f"{found} The factor is a share of a full turn.")
    for axis in ("height", "width"):
        factor = layers["RandomTranslation"].get_config()[f"{axis}_factor"]
        tenth = np.allclose(np.abs(factor), 0.1)
        hint_if(not tenth, f"the {axis}_factor is {factor}. A tenth of the {axis}, to either side, is 0.1.")


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


@number_exercise(
    (5, "four full batches and one of 22."),
    (4, "4 batches of 32 are 128 images. What about the other 22?"),
    (150 / 32, "there is no part of a step. The last batch is smaller, and it is a step all the same."),
    (150, "that would be one image at a time."),
    (32, "that is the size of a batch. How many batches do 150 images make?"),
    (4800, "150 x 32? Divide: how many batches do 150 images make?"),
)
def check_steps(number: float) -> str:
    return f"not {number:,.6g}. {number:g} batches of 32 have room for {32 * number:g} images, and there are 150."


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
