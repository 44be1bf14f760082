"""Checks of notebook 02, backpropagation."""

from typing import Any

import numpy as np

from helpers.exercises.feedback import NotYet, as_array, as_number, call, exercise, expect, hint_if, number_exercise
from helpers.networks import sigmoid, softmax

CLOSE = {"rtol": 1e-4, "atol": 1e-7}
UNEVEN = "has rows of different lengths. An array needs equally long rows."


def _several(names: str, function: Any, *arrays: np.ndarray) -> list[np.ndarray]:
    """Return as arrays what a function returns for copies of the arrays; `names` says what should be there."""
    result, count = call(function, *(array.copy() for array in arrays)), names.count(",") + 1
    if not isinstance(result, tuple | list) or len(result) != count:
        raise NotYet(f"{count} arrays are wanted, with a comma between them: return {names}.")
    return [as_array(values, uneven=f"{name} {UNEVEN}") for values, name in zip(result, names.split(", "), strict=True)]


@exercise("value times (1 - value): at most 0.25, and almost zero at both ends.")
def check_sigmoid_slope(answer: Any) -> None:
    values = np.array([0.02, 0.25, 0.5, 0.9])
    result = as_array(call(answer, values.copy()), shape=values.shape, uneven=f"the answer {UNEVEN}")
    again = sigmoid(values)
    wrong = [
        (again * (1 - again), "you apply the sigmoid once more. `value` is already the value of the sigmoid."),
        (1 - values**2, "that is the derivative of tanh, 1 - value^2. The sigmoid's has another form."),
        (values * (values - 1), "the sign is turned around: the sigmoid never falls."),
        (1 - values, "that is 1 - value, one of the two factors."),
        (1 - 2 * values, "1 - 2 value is the derivative of value (1 - value) itself. No derivative is left to take."),
    ]
    otherwise = f"at the value 0.5 the slope is 0.25, and yours is {result[2]:.4g}."
    expect(result, values * (1 - values), wrong, otherwise, **CLOSE)


@exercise("each step goes against the slope, and they get shorter as the slope does.")
def check_descend(answer: Any) -> None:
    def parabola(w: Any) -> Any:
        return 2 * (w - 3)

    result, right = as_number(call(answer, parabola, 5.0, 0.1, 4)), 3 + 2 * 0.8**4
    wrong = [
        (3 + 2 * 1.2**4, "you walk uphill: the loss grows. Take the slope away, don't add it."),
        (3 + 2 * 0.8, "that is one step only. Is the `return` inside the loop?"),
        (3 + 2 * 0.8**3, "one step too few."),
        (3 + 2 * 0.8**5, "one step too many."),
        (3 + 2 * 1, "the learning rate is missing: that is a move by the whole slope."),
        (5 - 4 * 0.1 * 4, "the slope is always that of the start. Ask for it anew where you are now."),
        (5, "that is where it started: `w` never changes."),
    ]
    found = f"for the slope 2 (w - 3), from 5, with 0.1, four steps lead to {right:.4f}, not to {result:.4f}."
    expect(result, right, wrong, found, **CLOSE)
    stayed, halved = (as_number(call(answer, parabola, 5.0, rate, steps)) for rate, steps in ((0.1, 0), (0.25, 2)))
    hint_if(not np.isclose(stayed, 5), "with 0 steps the weight should stay where it starts.")
    hint_if(abs(halved - 3.5) > 1e-4, "right for the learning rate 0.1, not for 0.25. Use the argument `learning_rate`.")
    other, right = as_number(call(answer, lambda w: w**3, 1.0, 0.2, 2)), 0.8 - 0.2 * 0.8**3
    found = f"from 1, with 0.2, two steps lead to {right:.4f}, not to {other:.4f}."
    otherwise = f"right for the slope 2 (w - 3), not for the slope w^3: {found} Call the function `slope` at each step."
    expect(other, right, [], otherwise, rtol=1e-4)


@exercise("the error, times the slope, times the input.")
def check_delta_rule(answer: Any) -> None:
    random = np.random.default_rng(1)
    weights, bias, x = random.normal(size=(2, 3)), np.array([0.3, -0.2]), random.normal(size=3)
    target = np.array([1.0, 0.0])
    d_weights, d_bias = _several("d_weights, d_bias", answer, weights, bias, x, target)
    z, no_bias = weights @ x + bias, sigmoid(weights @ x)
    error, slope = sigmoid(z) - target, sigmoid(z) * (1 - sigmoid(z))
    delta, unbiased = error * slope, (no_bias - target) * no_bias * (1 - no_bias)
    if d_bias.shape == weights.shape and d_weights.shape == bias.shape:
        raise NotYet("the two are in the wrong order: d_weights first, then d_bias.")
    wrong = [
        (error, "f' is missing: that is the error alone. Multiply it by the derivative of the sigmoid."),
        (-delta, "the sign is turned around: the error is y - target."),
        (2 * delta, "twice too large: that is the gradient without the half in the loss."),
        (error * (1 - sigmoid(z) ** 2), "f' is that of tanh. For the sigmoid it is y (1 - y)."),
        (unbiased, "the bias is missing in the forward pass: y = sigmoid(weights @ x + bias)."),
        ((z - target) * slope, "the sigmoid is missing in the forward pass."),
    ]
    otherwise = "d_bias is not (y - target) f'(z). Check y first, then the two factors."
    expect(as_array(d_bias, shape=bias.shape), delta, wrong, otherwise, **CLOSE)
    found = f"d_weights is {d_weights.shape}, and W is {weights.shape}"
    hint_if(d_weights.shape in ((), (2,), (3,)), f"{found}: every delta times every input, np.outer.")
    wrong = [(delta[:, None] * weights, "delta times W? The derivative of z with respect to W is x.")]
    otherwise = "d_bias is right, d_weights is not: row i is delta i times x."
    expect(as_array(d_weights, shape=weights.shape), np.outer(delta, x), wrong, otherwise, **CLOSE)


@exercise("two calls, and any gradient can be checked.")
def check_central_difference(answer: Any) -> None:
    point, step = 0.7, 1e-2
    result = as_number(call(answer, np.sin, point, step))
    hint_if(not np.isfinite(result), "the result is infinite. Is there a division by zero? The places are 2 step apart.")
    hint_if(result == 0, "the result is 0, and the sine rises at 0.7. Do you call `function` at two different places?")
    up, here, down = np.sin(point + step), np.sin(point), np.sin(point - step)
    right = (up - down) / (2 * step)
    fixed = np.isclose(result, as_number(call(answer, np.sin, point, 1e-5)), rtol=1e-7) and abs(result - right) > 1e-9
    hint_if(fixed, "the result does not depend on `step`. Use the argument.")
    wrong = [
        ((up - down) / step, "the two places are 2 step apart: divide by that."),
        ((up - here) / step, "that is the one-sided difference, which is less exact. Go down as well as up."),
        (-right, "the sign is turned around: up minus down."),
        (up - down, "that is the difference of the two values. Divide by how far the places are apart."),
        ((up - down) / 2 * step, "mind the brackets: a / 2 * step divides by 2 and then multiplies by step."),
        ((up + down) / (2 * step), "a sum? The derivative is about the difference of the two values."),
    ]
    found = f"the slope of the sine at 0.7 is about {np.cos(point):.4f}, and yours is {result:.4g}."
    expect(result, right, wrong, found, atol=0)


@exercise("a message for the layer before, and a gradient for each of the two parameters.")
def check_dense_backward(answer: Any) -> None:
    random = np.random.default_rng(2)
    x, weights, delta = random.normal(size=(5, 3)), random.normal(size=(3, 2)), random.normal(size=(5, 2))
    d_x, d_weights, d_bias = _several("d_x, d_weights, d_bias", answer, x, weights, delta)
    hint_if((d_weights.shape, d_x.shape) == (x.shape, weights.shape), "the order is d_x, d_weights, d_bias.")
    shapes = {
        (5,): "d_bias has one number for each example: add up over the examples, axis 0, instead.",
        (1, 2): "d_bias is (1, 2) and the bias is (2,): leave out `keepdims`.",
        (5, 2): "d_bias is delta itself. All examples share one bias: add up over them.",
    }
    hint_if(d_bias.shape in shapes, shapes.get(d_bias.shape))
    wrong = [
        (delta.mean(axis=0), "d_bias is the mean over the examples. The mean is in delta already: add up."),
        (-delta.sum(axis=0), "the sign of d_bias is turned around."),
        (x.T @ delta / 5, "d_weights is averaged over the examples. The mean is in delta already."),
        (-x.T @ delta, "the sign of d_weights is turned around."),
    ]
    rights = {"d_x": delta @ weights.T, "d_weights": x.T @ delta, "d_bias": delta.sum(axis=0)}
    for (name, right), values in zip(rights.items(), (d_x, d_weights, d_bias), strict=True):
        otherwise = f"{name} has the right shape, but not the right values."
        expect(as_array(values, shape=right.shape), right, wrong, otherwise, rtol=1e-4, atol=1e-6)


@exercise("answer minus target, and no slope that could vanish.")
def check_logits_gradient(answer: Any) -> None:
    logits, targets = np.random.default_rng(3).normal(size=(4, 3)), np.eye(3)[[0, 2, 1, 1]]
    result = as_array(call(answer, logits.copy(), targets.copy()), shape=logits.shape, uneven=f"the answer {UNEVEN}")
    p = softmax(logits)
    with_slope = (p - targets) * p * (1 - p) / 4
    wrong = [
        (p - targets, "that is the gradient of the sum. The loss is the mean over the examples."),
        ((targets - p) / 4, "the sign is turned around: p - t."),
        ((p - targets) / 3, "you divide by the number of classes. The mean is over the examples."),
        ((p - targets) / 12, "you divide by the number of all entries. The mean is over the examples alone."),
        (p / 4, "that is the probabilities only. What happened to the targets?"),
        ((logits - targets) / 4, "the softmax is missing: logits are not probabilities."),
        (-targets / p / 4, "that is t / p, the slope of the logarithm alone. The softmax has a slope, too."),
        (with_slope, "p (1 - p) is in the diagonal of the softmax's slope, but it cancels: p - t is all."),
    ]
    expect(result, (p - targets) / 4, wrong, "the shape is right, the values are not (p - t) / n.", **CLOSE)


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
