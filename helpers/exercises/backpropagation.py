"""Checks of notebook 02, backpropagation."""

from typing import Any

import numpy as np

from helpers.exercises.feedback import NotYet, as_array, as_number, call, exercise
from helpers.networks import sigmoid, softmax


def _look_for(result: np.ndarray, wrong: dict[str, Any]) -> None:
    """Raise the hint of the first wrong result that equals this one."""
    for hint, values in wrong.items():
        if np.shape(values) == result.shape and np.allclose(result, values, rtol=1e-4, atol=1e-7):
            raise NotYet(hint)


def _several(result: Any, names: str, count: int) -> tuple | list:
    if not isinstance(result, tuple | list) or len(result) != count:
        raise NotYet(f"{count} arrays are wanted, with a comma between them: return {names}.")
    return result


def _even(values: Any, name: str = "the answer") -> np.ndarray:
    """Return the values as an array; lists whose rows differ in length get a hint of their own."""
    try:
        np.shape(values)
    except ValueError:
        raise NotYet(f"{name} has rows of different lengths. An array needs equally long rows.") from None
    return as_array(values)


@exercise
def check_sigmoid_slope(answer: Any) -> str:
    values = np.array([0.02, 0.25, 0.5, 0.9])
    result = as_array(_even(call(answer, values.copy())), shape=values.shape)
    again = sigmoid(values)
    wrong = {
        "you apply the sigmoid once more. `value` is already the value of the sigmoid.": again * (1 - again),
        "that is the derivative of tanh, 1 - value^2. The sigmoid's has another form.": 1 - values**2,
        "the sign is turned around: the sigmoid never falls.": values * (values - 1),
        "that is 1 - value, one of the two factors.": 1 - values,
        "1 - 2 value is the derivative of value (1 - value) itself. No derivative is left to take.": 1 - 2 * values,
    }
    _look_for(result, wrong)
    if not np.allclose(result, values * (1 - values), rtol=1e-4):
        raise NotYet(f"at the value 0.5 the slope is 0.25, and yours is {result[2]:.4g}.")
    return "value times (1 - value): at most 0.25, and almost zero at both ends."


@exercise
def check_descend(answer: Any) -> str:
    def slope(w: Any) -> Any:
        return 2 * (w - 3)

    def run(start: float, factor: float, steps: int) -> float:
        return 3 + (start - 3) * factor**steps

    result = as_number(call(answer, slope, 5.0, 0.1, 4))
    wrong = {
        "you walk uphill: the loss grows. Take the slope away, don't add it.": run(5, 1.2, 4),
        "that is one step only. Is the `return` inside the loop?": run(5, 0.8, 1),
        "one step too few.": run(5, 0.8, 3),
        "one step too many.": run(5, 0.8, 5),
        "the learning rate is missing: that is a move by the whole slope.": run(5, -1, 4),
        "the slope is always that of the start. Ask for it anew where you are now.": 5 - 4 * 0.1 * slope(5.0),
        "that is where it started: `w` never changes.": 5.0,
    }
    _look_for(np.array(result), wrong)
    if not np.isclose(result, run(5, 0.8, 4), rtol=1e-4):
        raise NotYet(
            f"for the slope 2 (w - 3), from 5, with 0.1, four steps lead to {run(5, 0.8, 4):.4f}, not to {result:.4f}."
        )
    if not np.isclose(as_number(call(answer, slope, 5.0, 0.1, 0)), 5):
        raise NotYet("with 0 steps the weight should stay where it starts.")
    if not np.isclose(as_number(call(answer, slope, 5.0, 0.25, 2)), run(5, 0.5, 2), rtol=1e-4):
        raise NotYet("right for the learning rate 0.1, not for 0.25. Use the argument `learning_rate`.")
    other, right = as_number(call(answer, lambda w: w**3, 1.0, 0.2, 2)), 0.8 - 0.2 * 0.8**3
    if not np.isclose(other, right, rtol=1e-4):
        raise NotYet(
            f"right for the slope 2 (w - 3), not for the slope w^3: from 1, with 0.2, two steps lead to {right:.4f}, "
            f"not to {other:.4f}. Call the function `slope` at each step."
        )
    return "each step goes against the slope, and they get shorter as the slope does."


@exercise
def check_delta_rule(answer: Any) -> str:
    random = np.random.default_rng(1)
    weights, bias, x, target = (
        random.normal(size=(2, 3)),
        np.array([0.3, -0.2]),
        random.normal(size=3),
        [1, 0],
    )
    target = np.array(target, dtype="float64")
    result = call(answer, weights.copy(), bias.copy(), x.copy(), target.copy())
    d_weights, d_bias = _several(result, "d_weights, d_bias", 2)
    y = sigmoid(weights @ x + bias)
    error, slope = y - target, y * (1 - y)
    delta, no_bias = error * slope, sigmoid(weights @ x)
    weights_shape, bias_shape = _even(d_weights, "d_weights").shape, _even(d_bias, "d_bias").shape
    if bias_shape == weights.shape and weights_shape == bias.shape:
        raise NotYet("the two are in the wrong order: d_weights first, then d_bias.")
    d_bias = as_array(d_bias, shape=bias.shape)
    wrong = {
        "f' is missing: that is the error alone. Multiply it by the derivative of the sigmoid.": error,
        "the sign is turned around: the error is y - target.": -delta,
        "twice too large: that is the gradient without the half in the loss.": 2 * delta,
        "f' is that of tanh. For the sigmoid it is y (1 - y).": error * (1 - y**2),
        "the bias is missing in the forward pass: y = sigmoid(weights @ x + bias).": (no_bias - target)
        * no_bias
        * (1 - no_bias),
        "the sigmoid is missing in the forward pass.": (weights @ x + bias - target) * slope,
    }
    _look_for(d_bias, wrong)
    if not np.allclose(d_bias, delta, rtol=1e-4):
        raise NotYet("d_bias is not (y - target) f'(z). Check y first, then the two factors.")
    if weights_shape in ((), (2,), (3,)):
        raise NotYet(
            f"d_weights is {weights_shape}, and W is {weights.shape}: every delta times every input, np.outer."
        )
    d_weights = as_array(d_weights, shape=weights.shape)
    _look_for(d_weights, {"delta times W? The derivative of z with respect to W is x.": delta[:, None] * weights})
    if not np.allclose(d_weights, np.outer(delta, x), rtol=1e-4):
        raise NotYet("d_bias is right, d_weights is not: row i is delta i times x.")
    return "the error, times the slope, times the input."


@exercise
def check_central_difference(answer: Any) -> str:
    point, step = 0.7, 1e-2
    result = as_number(call(answer, np.sin, point, step))
    if not np.isfinite(result):
        raise NotYet("the result is infinite. Is there a division by zero? The places are 2 step apart.")
    if result == 0:
        raise NotYet("the result is 0, and the sine rises at 0.7. Do you call `function` at two different places?")
    up, here, down = np.sin(point + step), np.sin(point), np.sin(point - step)
    wrong = {
        "the two places are 2 step apart: divide by that.": (up - down) / step,
        "that is the one-sided difference, which is less exact. Go down as well as up.": (up - here) / step,
        "the sign is turned around: up minus down.": (down - up) / (2 * step),
        "that is the difference of the two values. Divide by how far the places are apart.": up - down,
        "mind the brackets: a / 2 * step divides by 2 and then multiplies by step.": (up - down) / 2 * step,
        "a sum? The derivative is about the difference of the two values.": (up + down) / (2 * step),
    }
    for hint, value in wrong.items():
        if np.isclose(result, value, rtol=1e-5, atol=0):
            raise NotYet(hint)
    small = as_number(call(answer, np.sin, point, 1e-5))
    if np.isclose(result, small, rtol=1e-7) and abs(result - (up - down) / (2 * step)) > 1e-9:
        raise NotYet("the result does not depend on `step`. Use the argument.")
    if not np.isclose(result, (up - down) / (2 * step), rtol=1e-6):
        raise NotYet(f"the slope of the sine at 0.7 is about {np.cos(point):.4f}, and yours is {result:.4g}.")
    return "two calls, and any gradient can be checked."


@exercise
def check_dense_backward(answer: Any) -> str:
    random = np.random.default_rng(2)
    x, weights, delta = random.normal(size=(5, 3)), random.normal(size=(3, 2)), random.normal(size=(5, 2))
    result = call(answer, x.copy(), weights.copy(), delta.copy())
    d_x, d_weights, d_bias = _several(result, "d_x, d_weights, d_bias", 3)
    x_shape, weights_shape = _even(d_x, "d_x").shape, _even(d_weights, "d_weights").shape
    bias_shape = _even(d_bias, "d_bias").shape
    if weights_shape == x.shape and x_shape == weights.shape:
        raise NotYet("the order is d_x, d_weights, d_bias.")
    if bias_shape == (5,):
        raise NotYet("d_bias has one number for each example: add up over the examples, axis 0, instead.")
    if bias_shape == (1, 2):
        raise NotYet("d_bias is (1, 2) and the bias is (2,): leave out `keepdims`.")
    if bias_shape == delta.shape:
        raise NotYet("d_bias is delta itself. All examples share one bias: add up over them.")
    d_x, d_weights = as_array(d_x, shape=x.shape), as_array(d_weights, shape=weights.shape)
    d_bias = as_array(d_bias, shape=(2,))
    _look_for(
        d_bias,
        {
            "d_bias is the mean over the examples. The mean is in delta already: add up.": delta.mean(axis=0),
            "the sign of d_bias is turned around.": -delta.sum(axis=0),
        },
    )
    _look_for(
        d_weights,
        {
            "d_weights is averaged over the examples. The mean is in delta already.": x.T @ delta / 5,
            "the sign of d_weights is turned around.": -x.T @ delta,
        },
    )
    for name, values, right in (
        ("d_x", d_x, delta @ weights.T),
        ("d_weights", d_weights, x.T @ delta),
        ("d_bias", d_bias, delta.sum(axis=0)),
    ):
        if not np.allclose(values, right, rtol=1e-4, atol=1e-6):
            raise NotYet(f"{name} has the right shape, but not the right values.")
    return "a message for the layer before, and a gradient for each of the two parameters."


@exercise
def check_logits_gradient(answer: Any) -> str:
    logits, targets = np.random.default_rng(3).normal(size=(4, 3)), np.eye(3)[[0, 2, 1, 1]]
    result = as_array(_even(call(answer, logits.copy(), targets.copy())), shape=logits.shape)
    p = softmax(logits)
    wrong = {
        "that is the gradient of the sum. The loss is the mean over the examples.": p - targets,
        "the sign is turned around: p - t.": (targets - p) / 4,
        "you divide by the number of classes. The mean is over the examples.": (p - targets) / 3,
        "you divide by the number of all entries. The mean is over the examples alone.": (p - targets) / 12,
        "that is the probabilities only. What happened to the targets?": p / 4,
        "the softmax is missing: logits are not probabilities.": (logits - targets) / 4,
        "that is t / p, the slope of the logarithm alone. The softmax has a slope, too.": -targets / p / 4,
        "p (1 - p) is in the diagonal of the softmax's slope, but it cancels: p - t is all.": (p - targets)
        * p
        * (1 - p)
        / 4,
    }
    _look_for(result, wrong)
    if not np.allclose(result, (p - targets) / 4, rtol=1e-4, atol=1e-7):
        raise NotYet("the shape is right, the values are not (p - t) / n.")
    return "answer minus target, and no slope that could vanish."


@exercise
def check_learning_rate_limit(answer: Any) -> str:
    number = as_number(answer)
    hints = {
        1 / 40: "1 / 40 leads to the lowest point in one step. There is room for up to twice that.",
        40: "that is the curvature. The limit gets smaller as the curvature grows.",
        20: "turn it upside down.",
        0.2: "that is the limit of the bowl above, with its curvature of 10.",
        -0.05: "a learning rate is positive: solve 1 - 40 eta = -1.",
        1 / 20 / 2 / 2: "solve 1 - 40 eta = -1 for eta.",
    }
    for value, hint in hints.items():
        if np.isclose(number, value, rtol=1e-6):
            raise NotYet(f"{number:g}? {hint}")
    if not np.isclose(number, 0.05, rtol=1e-4):
        raise NotYet(f"at {number:g} the factor 1 - 40 eta is {1 - 40 * number:g}. At the limit it is -1.")
    return "2 / 40 = 0.05: at this rate the weight jumps from side to side and gets nowhere, above it the jumps grow."


@exercise
def check_breaks_symmetry(answer: Any) -> str:
    answer = answer.tolist() if isinstance(answer, np.ndarray) else answer
    if isinstance(answer, list | tuple | set):
        if len(answer) != 1:
            raise NotYet("exactly one of the four starts breaks the symmetry. Give one letter.")
        answer = next(iter(answer))
    if not isinstance(answer, str):
        raise NotYet('one letter is wanted, as text: "a", "b", "c" or "d".')
    letter = answer.strip(" \n\t.,:;()[]\"'").lower()
    hints = {
        "a": "a: layers may differ from each other, but within the first layer all neurons are twins, in and out.",
        "b": "b: equal biases make the neurons answer, but all of them answer the same.",
        "d": "d: pixels differ, neurons do not: all have the same random weights coming in and the same going out.",
    }
    if letter in hints:
        raise NotYet(hints[letter])
    if letter != "c":
        raise NotYet(f'{answer!r} is not one of "a", "b", "c", "d".')
    return "different weights going out bring different blame, and the twins part in the first step."


@exercise
def check_step_to_keep(answer: Any) -> str:
    losses = [5.0, 4.0, 3.0, 3.5, 3.2, 2.9, 3.0, 3.1, 3.3, 1.0]
    result = as_number(call(answer, list(losses), 3))
    hints = {
        9: "the loss of 1.0 comes after the stop: after three steps without a new lowest loss, training has ended.",
        8: "that is where training stops. Return the position of the lowest loss until then.",
        2: "the patience starts anew with each new lowest loss. Here 2.9 comes after two steps of waiting.",
        6: "that is one step after the lowest loss.",
        2.9: "that is the lowest loss. Return its position.",
        1.0: "that is a loss of the end, or position 1; the lowest loss before the stop lies elsewhere.",
    }
    for value, hint in hints.items():
        if np.isclose(result, value, rtol=1e-5):
            raise NotYet(hint)
    if result != 5:
        raise NotYet(f"for losses {losses} and patience 3, position 5 is to be kept, and yours is {result:g}.")
    for example, patience, right in (
        ([3.0, 2.0, 1.0], 2, 2),
        ([1.0, 2.0, 3.0], 1, 0),
        ([3.0, 2.0, 2.5, 1.0], 1, 1),
        ([3.0, 2.0, 2.5, 1.0], 2, 3),
    ):
        found = as_number(call(answer, list(example), patience))
        if found != right:
            raise NotYet(f"for losses {example} and patience {patience}: position {right}, not {found:g}.")
    return "the lowest loss that was seen before patience ran out."
