"""Visible checks of the assignment on MLPs and backpropagation: one small example each, with its usual mistakes.

A learner gets this file. It holds the numbers of the examples and no formula that a task asks for.
"""

from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from helpers.exercises.feedback import NotYet, as_array, as_number, call, exercise, expect, hint_if
from helpers.networks import predict

SIZES = (30, 20, 20, 4)
SWITCHES = [(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)]
ROUNDED = {"rtol": 0, "atol": 2e-4}
X, WEIGHTS, BIAS = np.array([[1.0, 0], [0, -1], [1, 1]]), np.array([[0.5, -0.5], [1, 0.25]]), np.array([0.5, -0.5])
D_Y = np.array([[1.0, 0], [0, 2], [1, -1]])
MOST_PARAMETERS, WANTED, WANTED_OF_RARE = 20_000, 0.85, 0.5


@exercise("1,124 weights and biases.")
def check_count_parameters(answer: Any) -> None:
    wrong = [
        (1080, "the biases are missing: every neuron but the inputs has one."),
        (1154, "the inputs are no neurons: they have no biases."),
        (704, "a layer is missing. Count the weights between each two neighbours."),
        (74, "that is the number of neurons. Count the weights between them."),
    ]
    found = as_number(call(answer, list(SIZES)))
    expect(found, 1124, wrong, f"for {list(SIZES)} the answer is 1,124, and yours is {found:,.0f}.")


@exercise("any two of the three are enough, and one alone is not.")
def check_majority(answer: Any) -> None:
    result = call(answer)
    pair = isinstance(result, tuple | list) and len(result) == 2
    hint_if(not pair, "two things are wanted, with a comma between them: return weights, bias.")
    weights, bias = as_array(result[0], shape=(3,)), as_number(result[1])
    hint_if(not np.isfinite([*weights, bias]).all(), "infinite numbers are no weights. Try 1, 1 and 1.")
    sums = np.array(SWITCHES) @ weights + bias
    hint_if((abs(sums) < 1e-9).any(), f"for {SWITCHES[abs(sums).argmin()]} the sum is 0, on the line. Move it a little.")
    on = np.sum(SWITCHES, axis=1)
    said, names = sums > 0, {1: "one is on: that is OR", 3: "all three are on: that is AND", 4: "nothing: it never says yes"}
    for least, name in names.items():
        hint_if(np.array_equal(said, on >= least), f"your neuron asks that {name}. At least two are wanted.")
    hint_if(np.array_equal(said, on < 2), "it says yes when fewer than two are on. Change the sign of weights and bias.")
    mistake = SWITCHES[int(np.argmax(said != (on >= 2)))]
    hint_if(not np.array_equal(said, on >= 2), f"for {mistake} it says {'no' if sum(mistake) > 1 else 'yes'}.")


@exercise("each example counts with the weight of its own class.")
def check_weighted_gradient(answer: Any) -> None:
    half, ones = np.array([[-1.0, 1], [1, -1]]), np.zeros((2, 2))
    wrong = [
        (half * [[3, 1], [3, 1]] / 4, "the class weights belong to the rows here, and you multiply the columns with them."),
        (half / 4, "the class weights are missing."),
        (half * [[3], [1]] / 2, "that is the gradient of the sum. The loss is the mean over the examples."),
        (half * [[3], [1]] / 8, "you divide by the sum of the weights. The formula divides by n."),
        (-half * [[3], [1]] / 4, "the sign is turned around: p - t."),
        (np.array([[-1.5, 0], [0, -0.5]]), "the softmax is missing: logits are not probabilities."),
        (half * [[1], [3]] / 4, "the weights are in the wrong order: example i carries that of its own label."),
        (np.array([[0.75, 0.75], [0.25, 0.25]]), "those are the probabilities. What became of the labels?"),
    ]
    kept = {"logits": ones, "labels": np.array([0, 1]), "class_weights": np.array([3.0, 1])}
    result = as_array(call(answer, advice="Work with copies.", **kept), shape=(2, 2))
    expect(result, half * [[3], [1]] / 4, wrong, "for two examples, equal logits and the weights 3 and 1 it is not right.")


@exercise("the blame comes back on both paths.")
def check_shortcut_backward(answer: Any) -> None:
    d_x, d_weights, d_bias = three(call(answer, advice="Work with copies.", x=X, weights=WEIGHTS, bias=BIAS, d_y=D_Y))
    paths = [
        ([[0.21, 0.42], [-0.5966, 0.2983], [0.3336, -0.0785]], "d_x: the path through the shortcut is missing."),
        (D_Y, "d_x: that is the shortcut alone. The path through the layer is missing."),
        ([[1.5, 1], [-1, 2.5], [2, -0.25]], "d_x: the slope of tanh is missing on the way through the layer."),
        ([[1.21, -0.21], [1.1932, 2.2983], [0.4387, -1.1845]], "d_x: on the way back the weights are transposed."),
        ([[-0.0516, -2.1032], [1.6737, 1.1631], [0.0047, -4.0741]], "d_x: the slope is 1 - tanh(z)^2. y is not tanh(z)."),
        ([[0.63, 0.42], [-0.5966, 1.4915], [0.4043, -0.6751]], "d_x: the shortcut has no tanh, so no slope either."),
        ([[0.71, 1.42], [-1.5966, 0.7983], [1.3336, 0.6715]], "d_x: the shortcut does not pass through the weights."),
        ([[0.21, 0], [0, 0.5966], [0.3336, 0.0785]], "d_x: where paths meet, add. You multiply."),
        ([[1.3932, 0.7864], [-0.94, 2.47], [1.5604, -1.0543]], "d_x: the bias is missing in z."),
    ]
    right = [[1.21, 0.42], [-0.5966, 2.2983], [1.3336, -1.0785]]
    expect(as_array(d_x, shape=(3, 2)), right, paths, f"d_x is not right. It begins with {right[0]}.", **ROUNDED)
    _check_parameters(d_weights, d_bias)


def three(result: Any) -> Any:
    """Return the three parts of an answer, or raise the hint that says what is wanted."""
    parts = isinstance(result, tuple | list) and len(result) == 3
    hint_if(not parts, "three arrays are wanted, with commas between them: return d_x, d_weights, d_bias.")
    return result


def _check_parameters(d_weights: Any, d_bias: Any) -> None:
    wrong = [
        ([[2, -1], [1, -3]], "d_weights: the slope of tanh is missing in delta."),
        ([[0.1635, -0.1989], [0.0236, -0.5966]], "d_weights is a mean. Add up over the examples."),
        ([[0.4906, 0.0707], [-0.5966, -1.7898]], "d_weights is transposed: inputs are rows."),
        ([[2.4906, -1.5966], [1.0707, -4.7898]], "d_weights: the shortcut has no weights, so it brings them nothing."),
    ]
    right = [[0.4906, -0.5966], [0.0707, -1.7898]]
    expect(as_array(d_weights, shape=(2, 2)), right, wrong, "d_x is right, and d_weights is not.", **ROUNDED)
    shape = np.shape(d_bias)
    hint_if(shape != (2,), f"d_bias has the shape {shape}, and (2,) is wanted: all examples share one bias.")
    wrong = [([0.1635, 0.1989], "d_bias is a mean. Add up."), ([2, 1], "d_bias: the slope of tanh is missing in delta.")]
    expect(as_array(d_bias), [0.4906, 0.5966], wrong, "only d_bias is not right: it adds up the deltas.", **ROUNDED)


@exercise("the one wrong entry is found, and a right gradient is left alone.")
def check_wrong_entries(answer: Any) -> None:
    kept = {"weights": np.zeros((2, 1)), "x": np.array([[1.0, 2], [3, -1]]), "targets": np.array([[1.0], [-1]])}
    advice = "Nudge a copy, or put the weight back."
    found = places(call(answer, np.array([[1.0], [1.5]]), advice=advice, **kept))
    hint_if(found == {(0, 0)}, "the right entry is reported, and the wrong one is not. Turn the comparison round.")
    hint_if(found == {(0, 0), (1, 0)}, "both entries are reported, and (0, 0) is right. Did you compare with == ?")
    hint_if(not found, "(1, 0) is wrong: the nudges say -1.5, and the gradient says 1.5.")
    hint_if(found != {(1, 0)}, f"{sorted(found)[:3]} are reported, and only (1, 0) is wrong.")
    found = places(call(answer, np.array([[1.0], [-1.5]]), advice=advice, **kept))
    hint_if(bool(found), "right where there is a mistake, but in a gradient without mistakes you find one, too.")


def places(result: Any) -> set[tuple[int, ...]]:
    """Return the places of an answer, or raise the hint that says what is wanted."""
    listed = isinstance(result, list | tuple | set | np.ndarray)
    hint_if(not listed, f"a list of places is wanted, and this is of type {type(result).__name__}.")
    try:
        return {(int(row), int(column)) for row, column in result}
    except (TypeError, ValueError):
        raise NotYet("each place is a pair (row, column): with np.ndindex or np.argwhere you get such.") from None


@exercise("{right:.2f} of new digits, and {rare:.2f} of the rare ones.")
def check_fit(answer: Any) -> dict[str, float]:
    return measure_fit(answer, rares=(8,), order=np.arange(64))


def measure_fit(answer: Any, *, rares: tuple[int, ...], order: np.ndarray) -> dict[str, float]:
    """Return how many new digits, and rare ones, the networks name on average, or raise a hint; `order` shuffles pixels."""
    shares = []
    for seed, rare in enumerate(rares):
        images, labels, new, wanted = _draw(rare, seed=seed, order=order)
        layers = _layers(call(answer, images, labels, seed))
        answers = predict(layers, new, activation="relu").argmax(axis=1)
        of_each = np.array([np.mean(answers[wanted == digit] == digit) for digit in range(10)])
        shares.append((of_each.mean(), of_each[rare]))
    right, of_rare = np.mean(shares, axis=0)
    hint_if(right < 0.3, f"{right:.2f} of the new digits, which is near guessing. Are the layers trained that you return?")
    hint_if(of_rare < WANTED_OF_RARE, f"{of_rare:.2f} of the rare digit. Does every kind weigh the same in your loss?")
    hint_if(right < WANTED, f"{right:.2f} of the new digits. More steps, or longer ones?")
    return {"right": right, "rare": of_rare}


def _draw(rare: int, *, seed: int, order: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return images and labels to train with, six of the rare digit and forty of each other, and a thousand new ones."""
    digits, random = load_digits(), np.random.default_rng(seed)
    images, own, new = digits.data[:, order] / 16, [], []
    for digit in range(10):
        found = random.permutation(np.flatnonzero(digits.target == digit))
        own, new = [*own, *found[: 6 if digit == rare else 40]], [*new, *found[60:160]]
    own = random.permutation(own)
    return images[own], digits.target[own], images[new], digits.target[new]


def _layers(result: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the layers of an answer, or raise the hint that says what is wrong with them."""
    pairs = isinstance(result, list | tuple) and all(isinstance(one, list | tuple) and len(one) == 2 for one in result)
    hint_if(not pairs or not result, "the layers are wanted alone, as a list of pairs (weights, bias).")
    layers = [(as_array(weights), as_array(bias)) for weights, bias in result]
    sizes = [64, *(bias.size for _, bias in layers)]
    shapes = [((inputs, outputs), (outputs,)) for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True)]
    found = [(weights.shape, bias.shape) for weights, bias in layers]
    hint_if(found != shapes, f"the layers of {sizes} neurons do not fit together.")
    hint_if(sizes[-1] != 10, f"the last layer has {sizes[-1]} outputs. There are ten digits.")
    hint_if(len(layers) < 2, "there is no hidden layer.")
    parameters = sum(weights.size + bias.size for weights, bias in layers)
    hint_if(parameters > MOST_PARAMETERS, f"{parameters:,} parameters. {MOST_PARAMETERS:,} are the most.")
    return layers
