"""Visible checks of the assignment on transferring an MLP: small examples, each with its usual mistakes.

A learner gets this file. It holds the numbers of the examples and no formula that a task asks for.
"""

import copy
import functools
from typing import Any

import numpy as np

from helpers import load_digit_pair
from helpers.exercises.feedback import as_array, as_number, call, exercise, expect, hint_if
from helpers.networks import accuracy, build_mlp, train_mlp

SIZES = (30, 20, 20, 4)
WANTED = 0.68
SCRATCH_VALIDATION = np.array([[0.5, 0.6, 0.5, 0.6], [0.7, 0.6, 0.7, 0.6]])
SCRATCH_TEST = np.array([[0.66, 0.66, 0.66, 0.66], [0.60, 0.62, 0.58, 0.60]])
TRANSFER_VALIDATION = np.array([[0.8, 0.7, 0.8, 0.7], [0.6, 0.7, 0.6, 0.9]])
TRANSFER_TEST = np.array([[0.70, 0.70, 0.66, 0.72], [0.75, 0.75, 0.75, 0.75]])


@exercise("504 of the 1,124 weights and biases.")
def check_trainable_parameters(answer: Any) -> None:
    wrong = [
        (620, "that is what is frozen. What is left?"),
        (1124, "that is all of them. The first layer is frozen."),
        (480, "the biases are missing: every neuron that learns has one."),
        (84, "one layer is frozen, not two. `sizes` has one entry more than there are layers."),
    ]
    found = as_number(call(answer, list(SIZES), 1))
    expect(found, 504, wrong, f"for {list(SIZES)} and one frozen layer the answer is 504, and yours is {found:,.0f}.")


@exercise("hidden layers of the source, and an output layer of its own.")
def check_with_new_head(answer: Any) -> None:
    check_head(answer, sizes=(6, 5, 3), classes=4)


def check_head(answer: Any, *, sizes: tuple[int, ...], classes: int) -> None:
    """Raise a hint unless the answer gives a network a new last layer and leaves the network as it is."""
    given = build_mlp(sizes, activation="relu", seed=3)
    kept = copy.deepcopy(given)
    first, again, other = (as_layers(call(answer, given, classes, seed)) for seed in (1, 1, 2))
    hint_if(len(first) != len(kept), f"{len(kept)} layers are wanted, and there are {len(first)}: the old last one goes.")
    same = all(
        np.array_equal(part, old)
        for layer, was in zip(first[:-1], kept[:-1], strict=True)
        for part, old in zip(layer, was, strict=True)
    )
    hint_if(not same, "the hidden layers are not those of the source.")
    shape, wanted = first[-1][0].shape, (sizes[-2], classes)
    hint_if(shape != wanted, f"the new weights are {shape}, and {wanted} are wanted: a row for each hidden neuron.")
    hint_if(first[-1][1].shape != (classes,), "the new layer needs one bias for each class.")
    hint_if(not np.ptp(first[-1][0]), "the new weights are all the same. Draw them at random, so that classes can differ.")
    hint_if(not np.array_equal(first[-1][0], again[-1][0]), "the same seed gives other weights each time.")
    hint_if(np.array_equal(first[-1][0], other[-1][0]), "another seed gives the same weights.")
    hint_if(not equal(given, kept), "the network that was given is changed.")


def equal(layers: Any, others: Any) -> bool:
    """Return whether two networks have the same weights and biases."""
    pairs = zip(layers, others, strict=True)
    return all(np.array_equal(a, b) for one, other in pairs for a, b in zip(one, other, strict=True))


def as_layers(result: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the layers of an answer, or raise the hint that says what is wrong with them."""
    pairs = isinstance(result, list | tuple) and all(isinstance(one, list | tuple) and len(one) == 2 for one in result)
    hint_if(not pairs or not result, "the layers are wanted alone, as a list of pairs (weights, bias).")
    return [(as_array(weights), as_array(bias)) for weights, bias in result]


@exercise("a rate of zero freezes, and equal rates are plain gradient descent.")
def check_train_with_rates(answer: Any) -> None:
    random = np.random.default_rng(0)
    layers, images, labels = build_mlp((6, 5, 3), activation="relu", seed=1), random.normal(size=(8, 6)), np.arange(8) % 3
    settings = {"activation": "relu", "optimizer": "gradient_descent", "learning_rate": 0.2}
    plain = {steps: train_mlp(layers, images, labels, steps=steps, **settings)[0] for steps in (1, 3)}
    frozen, _ = train_mlp(layers, images, labels, steps=3, frozen=1, **settings)
    found = trained(answer, layers, images, labels, [0.2, 0.2], 3)
    hint_if(equal(found, layers), "nothing has been trained.")
    hint_if(close(found, plain[1]), "that is one step only. Is the `return` inside the loop?")
    first = [(3 * (new - old) + old for new, old in zip(*pair, strict=True)) for pair in zip(plain[1], layers, strict=True)]
    hint_if(
        close(found, [tuple(layer) for layer in first]),
        "the gradient is always that of the start. Ask for it in every step.",
    )
    uphill, _ = train_mlp(layers, images, labels, steps=3, **(settings | {"learning_rate": -0.2}))
    hint_if(close(found, uphill), "you walk uphill: take the gradient away.")
    hint_if(not close(found, plain[3]), "with equal rates it is not plain gradient descent.")
    found = trained(answer, layers, images, labels, [0.0, 0.2], 3)
    hint_if(close(found, plain[3]), "right for equal rates, but `rates[0]` of zero does not freeze the first layer.")
    hint_if(not close(found, frozen), "right for equal rates, and not for a first layer with the rate zero.")


def trained(answer: Any, layers: Any, *arguments: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the layers that the answer trains, or raise a hint if it changes the given ones."""
    given = copy.deepcopy(layers)
    result = as_layers(call(answer, given, *arguments))
    hint_if(not equal(given, layers), "the layers that are given are changed. Train a copy.")
    shapes = [[np.shape(part) for part in layer] for layer in layers]
    hint_if([[part.shape for part in layer] for layer in result] != shapes, "the layers have other shapes than before.")
    return result


def close(layers: Any, others: Any) -> bool:
    """Return whether two networks agree to about seven digits."""
    pairs = zip(layers, others, strict=True)
    return all(np.allclose(a, b, rtol=1e-5, atol=1e-7) for one, other in pairs for a, b in zip(one, other, strict=True))


@exercise("each arm with its own best rate, and the difference run by run.")
def check_compare(answer: Any) -> None:
    arrays = (SCRATCH_VALIDATION, SCRATCH_TEST, TRANSFER_VALIDATION, TRANSFER_TEST)
    mean, low, high = as_array(call(answer, *(array.copy() for array in arrays)), shape=(3,))
    wrong = [
        (0.09, "0.09 comes out when the rates are chosen on the test digits. They stay closed until then."),
        (0.15, "0.15 comes out when both arms get the rate that is best from scratch. Each has its own."),
        (0.035, "0.035 comes out when both arms get the rate that is best for transfer. Each has its own."),
        (0.1, "0.1 is the gain on the validation digits. It was chosen to be good there."),
        (-0.095, "the sign is turned around: transfer minus scratch."),
        (0.0925, "0.0925 is a mean over all rates. Choose one for each arm."),
    ]
    expect(mean, 0.095, wrong, f"the gain is 0.095, and yours is {mean:.4f}.", rtol=0, atol=1e-6)
    hint_if(not low < mean < high, "after the mean come the lower and the upper end of the interval.")
    expect(
        [low, high], [0.0645, 0.1255], [], "the mean is right, the ends are not. Take the difference run by run.", atol=2e-4
    )


@functools.cache
def source_network(seed: int) -> tuple:
    """Return a network that has learned MNIST's digits, a tuple of pairs."""
    pair = load_digit_pair()
    start = build_mlp((64, 32, 32, 10), activation="relu", seed=seed)
    settings = {"activation": "relu", "learning_rate": 0.005, "batch_size": 64, "steps": 600}
    return tuple(train_mlp(start, pair.mnist_images.reshape(-1, 64), pair.mnist_labels, **settings)[0])


@exercise("{right:.2f} of the other digits, and the source untouched gets {untouched:.2f}.")
def check_transfer(answer: Any) -> dict[str, float]:
    return measure_transfer(answer, source=0, draws=(0, 1, 2))


def measure_transfer(answer: Any, *, source: int, draws: tuple[int, ...]) -> dict[str, float]:
    """Return how many of the other digits the networks name on average, and the source untouched, or raise a hint."""
    pair, known = load_digit_pair(), list(source_network(source))
    images, labels, shares = pair.uci_images.reshape(-1, 64).astype("float64"), pair.uci_labels, []
    for seed in draws:
        random = np.random.default_rng(seed)
        own = np.array([random.choice(np.flatnonzero(labels == digit)) for digit in range(10)])
        others = np.setdiff1d(np.arange(len(labels)), own)
        network = trained(answer, known, images[own], labels[own], seed)
        shares.append([accuracy(each, images[others], labels[others]) for each in (network, known)])
    right, untouched = np.mean(shares, axis=0)
    hint_if(abs(right - untouched) < 1e-9, f"{right:.2f}: that is the source untouched. Train it with the ten labels.")
    hint_if(right < 0.3, f"{right:.2f}: most of what the source knew is gone. Smaller steps?")
    hint_if(right < WANTED, f"{right:.2f} of the other digits. Do you start from the source, and do you train long enough?")
    return {"right": right, "untouched": untouched}
