"""Hidden checks of the assignment on transferring an MLP: the same functions with other numbers.

The driver calls them from outside the sandbox. What they say names the mistake and no number of theirs.
"""

from typing import Any

import numpy as np

from assignments.checks.transferring_an_mlp import check_head, close, measure_transfer, trained
from helpers.evaluation import paired_interval
from helpers.exercises.feedback import as_array, as_number, call, exercise, expect, hint_if
from helpers.networks import backward, build_mlp

BEYOND = "right for the example of the visible check, and not for another one."


@exercise("also for other networks.")
def check_trainable_parameters(answer: Any) -> None:
    for sizes, frozen in (((64, 32, 10), 0), ((9, 8, 7, 6, 5), 3), ((5, 4, 3), 2)):
        right = sum((first + 1) * second for first, second in list(zip(sizes[:-1], sizes[1:], strict=True))[frozen:])
        hint = "not right when no layer is frozen, or every one." if frozen in (0, len(sizes) - 1) else BEYOND
        hint_if(as_number(call(answer, list(sizes), frozen)) != right, hint)


@exercise("also for other depths and classes.")
def check_with_new_head(answer: Any) -> None:
    for sizes, classes in (((5, 2), 3), ((7, 6, 5, 4), 9)):
        check_head(answer, sizes=sizes, classes=classes)


@exercise("also with different rates.")
def check_train_with_rates(answer: Any) -> None:
    random = np.random.default_rng(21)
    layers, rates = build_mlp((7, 6, 5, 4), activation="relu", seed=22), [0.02, 0.1, 0.4]
    images, labels = random.normal(size=(9, 7)), random.integers(4, size=9)
    right = layers
    for _ in range(5):
        _, gradients = backward(right, images, labels, activation="relu")
        triples = zip(right, gradients, rates, strict=True)
        right = [tuple(part - rate * slope for part, slope in zip(*pair, strict=True)) for *pair, rate in triples]
    found = trained(answer, layers, images, labels, rates, 5)
    hint_if(close(found, right[:-1] + layers[-1:]), "the last layer does not learn.")
    hint_if(not close(found, right), f"{BEYOND} Does each layer have the rate of its own place?")
    hint_if(not close(trained(answer, layers, images, labels, rates, 0), layers), "with no step at all the layers change.")


@exercise("also for other measurements.")
def check_compare(answer: Any) -> None:
    random = np.random.default_rng(23)
    for rates, runs in ((3, 10), (5, 6)):
        arrays = [random.uniform(0.4, 0.9, size=(rates, runs)) for _ in range(4)]
        best = [arrays[at].mean(axis=1).argmax() for at in (0, 2)]
        right = paired_interval(arrays[3][best[1]] - arrays[1][best[0]])
        result = as_array(call(answer, *(array.copy() for array in arrays)), shape=(3,))
        expect(result, right, [], BEYOND, rtol=1e-6)


@exercise("{right:.2f} of the other digits, and the source untouched gets {untouched:.2f}.")
def check_transfer(answer: Any) -> dict[str, float]:
    return measure_transfer(answer, source=4, draws=(10, 11, 12))
