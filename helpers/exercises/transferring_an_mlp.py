"""Checks of notebook 03, transferring an MLP."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from helpers.exercises.feedback import NotYet, as_array, as_number, call, exercise, expect, hint_if, number_exercise


@number_exercise(
    (650, "64 x 10 weights and 10 biases, 650 of 8,970. Few weights, so a few labels go further."),
    (640, "these are the weights between the layers. Each of the 10 outputs has a bias, too."),
    (8970, "that is the whole network. The hidden layers are frozen: leave theirs out."),
    (8320, "these are the weights that are frozen. Which ones are left?"),
    (4810, "only the first hidden layer seems to be frozen here. Both are."),
    (704, "there is one bias for each output, not for each of the 64 neurons before."),
    (74, "64 and 10 are not to be added: every neuron is connected to every output."),
)
def check_trained_weights(number: float) -> str:
    return f"not {number:,.0f}. Draw the last layer: how many neurons come in, how many go out?"


@exercise("half the strength times the squared distance from the source.")
def check_l2_sp_penalty(answer: Any) -> None:
    generator = np.random.default_rng(0)
    start = [generator.normal(size=shape) for shape in ((3, 4), (4,), (4, 2))]
    weights = [array + generator.normal(size=array.shape) for array in start]
    kept = [array.copy() for array in weights]
    number = as_number(call(answer, weights, start, 0.3))
    changed = not all(map(np.array_equal, weights, kept))
    hint_if(changed, "your function changes the weights that it is given. Work on their difference instead.")
    pairs = list(zip(weights, start, strict=True))
    squares = [np.sum((w - s) ** 2) for w, s in pairs]
    right = 0.15 * sum(squares)
    wrong = [
        (0.3 * sum(squares), "twice too much: the strength is divided by 2."),
        (sum(squares), "the strength is missing: multiply by half of it."),
        (0.5 * sum(squares), "the half is there. Where is the strength?"),
        (0.15 * sum(np.sum(w**2) for w in weights), "that is weight decay. L2-SP takes the distance from `start`."),
        (0.15 * sum(np.sum(np.abs(w - s)) for w, s in pairs), "square the differences; absolute values are no L2."),
        (0.15 * sum(np.sum(w - s) for w, s in pairs), "differences of opposite sign cancel. Square them first."),
        (0.15 * sum(np.sum(w - s) ** 2 for w, s in pairs), "square each difference, then sum; not the other way round."),
        (0.15 * np.sqrt(sum(squares)), "that is the distance. The penalty takes its square: no root."),
        (0.15 * sum(np.mean((w - s) ** 2) for w, s in pairs), "these are means. The penalty is a sum over all weights."),
        (0.15 * squares[0], "only the first array is counted. Go through all pairs."),
        (0.15 * squares[-1], "only the last array is counted. Add the sums up, and return after the loop."),
        (0.15 * sum(np.sum(w**2 - s**2) for w, s in pairs), "the square of a difference is not the difference of squares."),
    ]
    found = f"for the weights of the check the penalty is {right:.3f}, and yours is {number:.3f}."
    expect(number, right, wrong, found, rtol=1e-4)


@exercise("{name}, 0.75 takes {needed} labels per class.")
def check_labels_needed(answer: Any, counts: Sequence[int], curves: Mapping[str, np.ndarray]) -> dict:
    curve = np.array([[0.25, 0.75, 0.875, 0.75, 1.0], [0.25, 0.25, 0.625, 1.0, 1.0]])
    given = [3, 7, 11, 20, 40]  # means 0.25, 0.5, 0.75, 0.875, 1
    number = as_number(call(answer, given, curve.copy(), 0.75))
    wrong = [
        (20, "at 11 the mean is exactly the goal, and that is enough: `at least` is >=."),
        (7, "one single run is that good there. The mean over runs counts: axis 0."),
        (2, "that is a position. Return the count that stands there."),
        (40, "that is the last count with a mean so high, or the first where every run is. The first mean counts."),
        (3, "there the mean is only 0.25. Compare with the goal."),
    ]
    expect(number, 11, wrong, f"{number:g} is not the smallest count whose mean over runs reaches the goal.", form="g")
    later = as_number(call(answer, given, curve.copy(), 0.9))
    hint_if(later != 40, f"for the goal 0.9 the count is 40, and yours is {later:g}.")
    name, measured = next(iter(curves.items()))
    try:
        never, needed = answer(given, 0.9 * curve, 0.99), answer(list(counts), np.asarray(measured), 0.75)
    except Exception as error:
        raise NotYet(f"where no count reaches the goal, your function stops with {type(error).__name__}: {error}") from error
    hint_if(never is not None, f"where no count reaches the goal, you return {never!r}. Return None.")
    return {"name": name, "needed": needed}


@exercise("a mean, a standard error, and the same draws for both: that is a fair comparison.")
def check_negative_counts(answer: Any, counts: Sequence[int], curves: Mapping[str, np.ndarray]) -> None:
    generator = np.random.default_rng(1)
    scratch = np.tile([0.5, 0.6, 0.7, 0.8, 0.9], (8, 1)) + generator.normal(0, 0.05, (8, 1))
    wiggle = np.array([1, -1, 1, -1, 1, -1, 1, -1.0])[:, None] * [0.01, 0.01, 0.02, 0.02, 0.03]
    transfer = scratch + [0.1, -0.1, 0.05, -0.02, -0.01] + wiggle
    result = call(answer, [1, 2, 5, 10, 20], scratch.copy(), transfer.copy())
    values = as_array(list(result) if isinstance(result, set | tuple | range) else result).reshape(-1)
    chosen = sorted(set(values.tolist()))
    hint_if(
        values.size == 5 and set(chosen) <= {0, 1}, "that is true or false for each count. Return the counts themselves."
    )
    positions = "these are positions. Return the counts that stand there."
    wrong = [
        ([2, 10, 20], "at 20 the mean is below zero, but by less than twice the standard error: we can't be sure."),
        ([1, 5], "there transfer is ahead. Negative means: transfer minus scratch is below zero."),
        ([2], "at 10 we can be sure as well. Is the deviation divided by the root of the number of runs?"),
        ([1, 3], positions),
        ([1, 3, 4], positions),
        ([], "none? Take the difference in each run first: the runs differ from one another far more than the two ways."),
    ]
    found = f"for the curves of the check the counts are [2, 10], and yours are {chosen}."
    expect(chosen, [2, 10], wrong, found)


@exercise("the mean place of the ink. To centre a digit, shift it by the distance to the middle, 3.5.")
def check_centre_of_ink(answer: Any) -> None:
    image = np.zeros((8, 8), "float32")
    image[1, 2], image[4, 3], image[6, 6] = 1, 0.5, 0.25
    centre = as_array(call(answer, image=image), shape=(2,))
    places, rows, columns = np.arange(8), image.sum(axis=1), image.sum(axis=0)
    right = np.array([places @ rows, places @ columns]) / image.sum()
    wrong = [
        (right[::-1], "row and column are swapped: the first axis counts rows."),
        (right * image.sum(), "divide by all ink: a darker digit is not further down."),
        (right * image.sum() / 64, "divide by the sum of all ink, not by the number of pixels."),
        (right * image.sum() / 8, "divide by the sum of all ink, not by the number of rows."),
        (right + 1, "count rows and columns from 0."),
        (np.argwhere(image).mean(axis=0), "every pixel counts alike here. Weight each with its value."),
        (np.argwhere(image == image.max())[0], "that is the darkest pixel. The mean over all ink is wanted."),
        (np.array([3.5, 3.5]), "that is the middle of the frame. Where is the ink?"),
        (np.array([rows.mean(), columns.mean()]), "that is a mean of ink, not of places."),
    ]
    found = f"the centre is {np.round(right, 3).tolist()}, yours is {np.round(centre, 3).tolist()}."
    expect(centre, right, wrong, f"for the image of the check {found}", atol=1e-4)


@exercise("two layers frozen, and 325 weights that learn. Now compile, so that it counts.")
def check_frozen_layers(answer: Any) -> None:
    hint_if(isinstance(answer, list | tuple), "this is a list. `part_frozen` should be the model whose layers you froze.")
    if not hasattr(answer, "layers") or not hasattr(answer, "trainable_weights"):
        raise NotYet(f"a Keras model is wanted, and this is a {type(answer).__name__}.")
    frozen = [not layer.trainable for layer in answer.layers if layer.weights]
    hint_if(not answer.trainable, "the model as a whole is frozen, and its output layer with it. Freeze layer by layer.")
    hint_if(len(frozen) != 3, f"the loaded model has three layers with weights, and this one has {len(frozen)}.")
    wrong = [
        ([True, True, True], "all three layers are frozen. The output layer has to learn."),
        ([False, False, False], "no layer is frozen yet. Set `trainable = False`, layer by layer."),
        ([True, False, False], "the first hidden layer is frozen, the second is not."),
        ([False, False, True], "it is the other way round: the output layer is frozen, and the hidden ones learn."),
    ]
    otherwise = f"frozen, from first to last: {frozen}. Only the two hidden layers should be."
    expect(frozen, [True, True, False], wrong, otherwise)


@exercise("64 features go into 7 new outputs; the old softmax is out of the way.")
def check_replace_head(answer: Any, model: Any) -> None:
    layers, start = len(model.layers), [weight.numpy() for weight in model.weights]
    new = call(answer, model, 7)
    if len(model.layers) != layers:
        model.pop()
        raise NotYet("your function changes the model that it is given. Build a new keras.Model instead.")
    hint_if(not hasattr(new, "predict"), f"a keras.Model is wanted, and this is a {type(new).__name__}.")
    hint_if(new is model, "that is the old model itself. Build a new keras.Model that ends in a new layer.")
    classes = new.output_shape[-1]
    hint_if(classes != 7, f"asked for 7 classes, the new model gives {classes} numbers.")
    received = [layer for layer in new.layers if layer.weights][-1].kernel.shape[0]
    if received == model.output_shape[-1]:
        raise NotYet("the new layer sits behind the old softmax and sees five numbers. Take `layers[-2].output`.")
    if received != model.layers[-1].kernel.shape[0] or new.count_params() != 4160 * 2 + 64 * 7 + 7:
        raise NotYet("the new layer does not sit right behind the last hidden layer, with all layers before it kept.")
    if not all(np.array_equal(a, b) for a, b in zip(start[:4], [w.numpy() for w in new.weights], strict=False)):
        raise NotYet("the hidden layers have new weights. Use the layers of `model`, not new ones.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a model of `model.inputs`, a list, takes one array as well
        outputs = np.asarray(new(np.linspace(0, 1, 128, dtype="float32").reshape(2, 64)))
    if not np.allclose(outputs.sum(axis=1), 1, atol=1e-4) or outputs.min() < 0:
        raise NotYet("the outputs of a picture do not add up to 1: the new layer needs softmax.")
