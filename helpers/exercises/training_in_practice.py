"""Checks of notebook 02b, training in practice."""

from typing import Any

import numpy as np

from helpers.exercises.feedback import NotYet, as_array, as_number, call, exercise, expect, hint_if, number_exercise

CLOSE = {"rtol": 1e-4, "atol": 1e-7}


@number_exercise(
    (0.05, "2 / 40 = 0.05: at this rate the weight jumps from side to side and gets nowhere, above it the jumps grow."),
    (1 / 40, "1 / 40 leads to the lowest point in one step. There is room for up to twice that."),
    (40, "that is the curvature. The limit gets smaller as the curvature grows."),
    (20, "turn it upside down."),
    (0.2, "that is the limit of the bowl above, with its curvature of 10."),
    (-0.05, "a learning rate is positive: solve 1 - 40 eta = -1."),
    (1 / 20 / 2 / 2, "solve 1 - 40 eta = -1 for eta."),
    form="g",
    rtol=1e-4,
)
def check_learning_rate_limit(number: float) -> str:
    return f"at {number:g} the factor 1 - 40 eta is {1 - 40 * number:g}. At the limit it is -1."


@exercise("different weights going out bring different blame, and the twins part in the first step.")
def check_breaks_symmetry(answer: Any) -> None:
    if isinstance(answer, list | tuple | set):
        hint_if(len(answer) != 1, "exactly one of the four starts breaks the symmetry. Give one letter.")
        answer = next(iter(answer))
    hint_if(not isinstance(answer, str), 'one letter is wanted, as text: "a", "b", "c" or "d".')
    letter = answer.strip(" \n\t.,:;()[]\"'").lower()
    hints = {
        "a": "a: layers may differ from each other, but within the first layer all neurons are twins, in and out.",
        "b": "b: equal biases make the neurons answer, but all of them answer the same.",
        "d": "d: pixels differ, neurons do not: all have the same random weights coming in and the same going out.",
    }
    hint_if(letter != "c", hints.get(letter, f'{answer!r} is not one of "a", "b", "c", "d".'))


@exercise("one draw of rows, and pictures and labels stay together.")
def check_draw_batch(answer: Any) -> None:
    images, labels = np.arange(40.0).reshape(20, 2), np.arange(20)
    seen = []
    for seed in range(8):
        batch = call(answer, images.copy(), labels.copy(), 6, np.random.default_rng(seed))
        if not isinstance(batch, tuple | list) or len(batch) != 2:
            raise NotYet("two things are wanted, with a comma between them: the images of the batch, and their labels.")
        some, names = as_array(batch[0]), as_array(batch[1])
        hint_if(some.shape != (6, 2), f"the images of a batch of 6 should have the shape (6, 2), and have {some.shape}.")
        hint_if(names.shape != (6,), f"the labels of a batch of 6 should have the shape (6,), and have {names.shape}.")
        found = "images and labels are drawn separately, so a 3 is called a 7. Draw the rows once, use them twice."
        hint_if(not np.array_equal(some[:, 0], 2 * names), found)
        seen.append(tuple(names))
    hint_if(len(set(seen)) == 1, "every batch holds the same examples. Draw them with `random`.")
    hint_if(max(map(max, seen)) < 15, "the last examples are never drawn: the rows go from 0 to len(images) - 1.")


def _two_moves(answer: Any, right: Any, wrong: list[tuple[Any, str]], *, arguments: int) -> None:
    """Compare what a learner's optimizer makes of two steps from the same start, each with its own gradient."""
    weights, gradients = np.array([1.0, -2.0]), (np.array([0.5, -1.0]), np.array([0.1, 3.0]))

    def run(step: Any) -> np.ndarray:
        kept, memory = weights.copy(), [np.zeros(2) for _ in range(arguments)]
        for number, gradient in enumerate(gradients, start=1):
            result = call(step, kept.copy(), gradient.copy(), *(part.copy() for part in memory), number, 0.1)
            if not isinstance(result, tuple | list) or len(result) != arguments + 1:
                raise NotYet(f"{arguments + 1} arrays are wanted: the new weights, and what is remembered.")
            kept, *memory = (as_array(part, shape=(2,)) for part in result)
        return kept

    found = run(answer)
    rows = [(run(step), hint) for step, hint in wrong]
    expect(found, run(right), rows, f"after two steps the weights should be {run(right)}, not {found}.", **CLOSE)


@exercise("it remembers where it was going: 0.9 of the last velocity, plus the new gradient.")
def check_momentum(answer: Any) -> None:
    def form(keep: float = 0.9, new: float = 1.0, sign: float = 1.0, inside: bool = False) -> Any:
        def step(weights: Any, gradient: Any, velocity: Any, number: int, rate: float) -> Any:
            velocity = keep * velocity + new * gradient
            return weights - sign * rate * (gradient if inside else velocity), velocity

        return step

    wrong = [
        (form(inside=True), "that is plain gradient descent. The old velocity is forgotten, or it is never used."),
        (form(sign=-1.0), "you walk uphill: take the velocity away."),
        (form(new=0.1), "you average: 0.1 times the gradient. Here the new gradient is added whole."),
        (form(keep=1.0), "nothing is ever forgotten. Keep 0.9 of the velocity."),
    ]
    _two_moves(answer, form(), wrong, arguments=1)


@exercise("a mean of the gradients, divided by the size that they usually have.")
def check_adam(answer: Any) -> None:
    def form(*, corrected: bool = True, root: float = 0.5, power: int = 2, sign: float = 1.0) -> Any:
        def step(weights: Any, gradient: Any, mean: Any, square: Any, number: int, rate: float) -> Any:
            mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**power
            rate *= np.sqrt(1 - 0.999**number) / (1 - 0.9**number) if corrected else 1
            return weights - sign * rate * mean / (np.abs(square) ** root + 1e-7), mean, square

        return step

    wrong = [
        (form(corrected=False), "the corrections are missing: both means start at 0 and are too small in the first steps."),
        (form(root=1), "the root is missing: divide by the square root of the mean square."),
        (form(power=1), "the second mean is that of the squares: gradient**2."),
        (form(sign=-1.0), "you walk uphill: take the move away."),
    ]
    _two_moves(answer, form(), wrong, arguments=2)


@exercise("who was silent gets no blame, and who spoke twice as loud gets twice as much.")
def check_dropout_backward(answer: Any) -> None:
    random = np.random.default_rng(4)
    delta, weights, z = random.normal(size=(3, 2)), random.normal(size=(4, 2)), random.normal(size=(3, 4))
    mask = np.array([[0, 2, 0, 2], [2, 2, 0, 0], [0, 0, 2, 2.0]])
    hidden = np.maximum(z, 0) * mask
    result = as_array(call(answer, delta=delta, weights=weights, hidden=hidden, mask=mask), shape=hidden.shape)
    sent, alive = delta @ weights.T, hidden > 0
    wrong = [
        (sent * alive, "the factor 2 of those that spoke is missing: multiply by the mask, as on the way forward."),
        (sent * mask, "the slope of the ReLU is missing: where hidden is 0 nothing passes."),
        (sent, "both the mask and the slope of the ReLU are missing."),
        (sent * hidden * mask, "multiply by the slope of the ReLU, 1 or 0, not by its value."),
    ]
    expect(result, sent * alive * mask, wrong, "the shape is right, the values are not: message, slope, mask.", **CLOSE)


@exercise("the lowest loss that was seen before patience ran out.")
def check_step_to_keep(answer: Any) -> None:
    losses = [5.0, 4.0, 3.0, 3.5, 3.2, 2.9, 3.0, 3.1, 3.3, 1.0]
    result = as_number(call(answer, list(losses), 3))
    wrong = [
        (9, "the loss of 1.0 comes after the stop: after three steps without a new lowest loss, training has ended."),
        (8, "that is where training stops. Return the position of the lowest loss until then."),
        (2, "the patience starts anew with each new lowest loss. Here 2.9 comes after two steps of waiting."),
        (6, "that is one step after the lowest loss."),
        (2.9, "that is the lowest loss. Return its position."),
        (1, "that is a loss of the end, or position 1; the lowest loss before the stop lies elsewhere."),
    ]
    found = f"for losses {losses} and patience 3, position 5 is to be kept, and yours is {result:g}."
    expect(result, 5, wrong, found)
    rising, turning = [1.0, 2.0, 3.0], [3.0, 2.0, 2.5, 1.0]
    for example, patience, right in ((rising[::-1], 2, 2), (rising, 1, 0), (turning, 1, 1), (turning, 2, 3)):
        found = as_number(call(answer, list(example), patience))
        hint_if(found != right, f"for losses {example} and patience {patience}: position {right}, not {found:g}.")
