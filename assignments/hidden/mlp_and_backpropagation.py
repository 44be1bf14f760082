"""Hidden checks of the assignment on MLPs and backpropagation: the same functions with other numbers.

The driver calls them from outside the sandbox. What they say names the mistake and no number of theirs.
"""

from typing import Any

import numpy as np

from assignments.checks.mlp_and_backpropagation import measure_fit, places, three
from helpers.exercises.feedback import as_array, as_number, call, exercise, expect, hint_if
from helpers.networks import softmax

BEYOND = "right for the example of the visible check, and not for another one."
CLOSE = {"rtol": 1e-4, "atol": 1e-7}


@exercise("also for networks of other depths.")
def check_count_parameters(answer: Any) -> None:
    for sizes in ((7, 3), (5, 4, 3), (12, 9, 8, 7, 2)):
        right = sum((first + 1) * second for first, second in zip(sizes[:-1], sizes[1:], strict=True))
        hint = "not right without a hidden layer." if len(sizes) == 2 else f"{BEYOND} Is the depth fixed?"
        hint_if(as_number(call(answer, list(sizes))) != right, hint)


@exercise("also for other classes and weights.")
def check_weighted_gradient(answer: Any) -> None:
    random = np.random.default_rng(11)
    for count, classes in ((5, 3), (4, 4)):
        logits, labels = random.normal(size=(count, classes)), random.integers(classes, size=count)
        class_weights = random.uniform(0.5, 4, size=classes)
        difference, own = softmax(logits) - np.eye(classes)[labels], class_weights[labels][:, np.newaxis]
        result = call(answer, advice="Work with copies.", logits=logits, labels=labels, class_weights=class_weights)
        wrong = [(own * difference / classes, "you divide by the number of classes. The mean is over the examples.")]
        expect(as_array(result, shape=logits.shape), own * difference / count, wrong, BEYOND, **CLOSE)


@exercise("also for other layers.")
def check_shortcut_backward(answer: Any) -> None:
    random = np.random.default_rng(12)
    for count, size in ((5, 3), (1, 4)):
        x, weights, bias = random.normal(size=(count, size)), random.normal(size=(size, size)), random.normal(size=size)
        d_y, slope = random.normal(size=(count, size)), 1 - np.tanh(x @ weights + bias) ** 2
        result = three(call(answer, advice="Work with copies.", x=x, weights=weights, bias=bias, d_y=d_y))
        rights = ((d_y * slope) @ weights.T + d_y, x.T @ (d_y * slope), (d_y * slope).sum(axis=0))
        for values, right in zip(result, rights, strict=True):
            expect(as_array(values, shape=right.shape), right, [], BEYOND, **CLOSE)


@exercise("none of the mistakes was missed.")
def check_wrong_entries(answer: Any) -> None:
    random = np.random.default_rng(13)
    weights, x, targets = random.normal(size=(4, 3)), random.normal(size=(6, 4)), random.normal(size=(6, 3))
    answers = np.tanh(x @ weights)
    right = x.T @ ((answers - targets) * (1 - answers**2)) / answers.size
    kept = {"weights": weights, "x": x, "targets": targets}
    for changes in ({}, {(0, 2): -0.01, (3, 0): 0.5, (2, 1): 0.0005}, dict.fromkeys(np.ndindex(4, 3), 1.0)):
        gradient = right.copy()
        for place, change in changes.items():
            gradient[place] += change
        found = places(call(answer, gradient, advice="Nudge a copy, or put the weight back.", **kept))
        hint_if(bool(set(changes) - found), "a mistake was missed: a small one, or not the first of several.")
        hint_if(bool(found - set(changes)), "right entries are reported. How exact are your nudges?")


@exercise("{right:.2f} of new digits, and {rare:.2f} of the rare ones.")
def check_fit(answer: Any) -> dict[str, float]:
    return measure_fit(answer, rares=(3, 9, 5), order=np.random.default_rng(14).permutation(64))
