"""Checks of notebook 02, backpropagation."""

from typing import Any

import numpy as np

from helpers.exercises.feedback import NotYet, as_array, as_number, call, exercise, expect, hint_if
from helpers.networks import sigmoid, softmax

CLOSE = {"rtol": 1e-4, "atol": 1e-7}
UNEVEN = "has rows of different lengths. An array needs equally long rows."


def _several(names: str, function: Any, *arrays: np.ndarray) -> list[np.ndarray]:
    """Return as arrays what a function returns for copies of the arrays; `names` says what should be there."""
    result, count = call(function, *(array.copy() for array in arrays)), names.count(",") + 1
    if not isinstance(result, tuple | list) or len(result) != count:
        raise NotYet(f"{count} arrays are wanted, with a comma between them: return {names}.")
    return [as_array(values, uneven=f"{name} {UNEVEN}") for values, name in zip(result, names.split(", "), strict=True)]


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


class _Value:
    """What has the parts of a `Value` of the notebook."""

    def __init__(self, data: float, *sources: tuple[Any, float]) -> None:
        self.data, self.sources, self.gradient = data, list(sources), 0.0


def _diamond() -> tuple[_Value, ...]:
    """Return a, p = 3 a, q = a a, L = p q at a = 2: two paths, and a square that has the same source twice."""
    a = _Value(2.0)
    p, q = _Value(6.0, (a, 3.0)), _Value(4.0, (a, 2.0), (a, 2.0))
    return a, p, q, _Value(24.0, (p, 4.0), (q, 6.0))


@exercise("each factor has the other one as its slope, and a * a counts twice.")
def check_multiply(answer: Any) -> None:
    a, b = _Value(5.0), _Value(-3.0)
    for first, second in ((a, b), (a, a)):
        product = call(answer, first, second)
        hint_if(not hasattr(product, "sources"), "a Value is wanted: return Value(the product, the sources).")
        right = first.data * second.data
        hint_if(product.data == first.data + second.data, "the data are added. Multiply them.")
        hint_if(product.data != right, f"{first.data:g} times {second.data:g} is {right:g}, and yours is {product.data:g}.")
        sources = list(product.sources)
        hint_if(len(sources) != 2, f"two sources are wanted, one for each factor, and there are {len(sources)}.")
        pairs = all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in sources)
        hint_if(not pairs or any(not hasattr(one, "data") for one, _ in sources), "a source is a pair (value, slope).")
        slopes, wanted = (
            {(id(one), float(slope)) for one, slope in sources},
            {id(first): second.data, id(second): first.data},
        )
        hint_if({slope for _, slope in slopes} == {1.0}, "slopes of 1 belong to +. How much does a * b grow with a?")
        found = "you give each factor its own value as slope. The slope of a * b with respect to a is b."
        hint_if(first is not second and slopes == {(id(a), a.data), (id(b), b.data)}, found)
        hint_if(slopes != set(wanted.items()), "the slopes are not right: b for a, and a for b.")


@exercise("every path brings its part, and the parts add up: 12 + 24 = 36.")
def check_send_blame(answer: Any) -> None:
    called = getattr(getattr(answer, "__code__", None), "co_names", ())
    old = "send_blame" in called and answer.__name__ != "send_blame"
    hint_if(old, "inside, you still call the old send_blame. Let your function call itself.")
    a, p, q, loss = _diamond()
    call(lambda value: answer(value) or "done", loss)
    hint_if(a.gradient == 0, "no blame arrives at a. Does the function call itself for every source?")
    hint_if(loss.gradient != 1, f"the loss itself has the slope 1, and yours is {loss.gradient:g}.")
    hint_if((p.gradient, q.gradient) != (4, 6), f"p should get 4 and q 6, and they get {p.gradient:g} and {q.gradient:g}.")
    hints = {
        12: "12 is what arrives last: a new message wipes out those before. Add it to what is there.",
        24: "24 came through q, and 12 through p is missing. Every source gets its message.",
    }
    hint_if(a.gradient != 36, hints.get(a.gradient, f"36 should arrive at a, and {a.gradient:g} does."))
    a = _Value(2.0)
    b = _Value(4.0, (a, 2.0))
    call(lambda value: answer(value) or "done", _Value(16.0, (b, 4.0), (b, 4.0)))
    said = "right for one message, not for the two that b * b sends to b = 2 a. Do you pass on the whole gradient so far?"
    hint_if(a.gradient != 16, said)


@exercise("everything after its sources, and each once: now one walk from the end to the beginning is enough.")
def check_order(answer: Any) -> None:
    a, p, q, loss = _diamond()
    first = call(answer, loss)
    hint_if(not isinstance(first, list | tuple), "a list of values is wanted.")
    names = {id(a): "a", id(p): "p", id(q): "q", id(loss): "L"}
    found = [names.get(id(one), "?") for one in first]
    said = f"yours for L = p q, p = 3 a, q = a a is {', '.join(found) or 'empty'}."
    hint_if("?" in found, "the list holds something else than the values. From each pair take the value, not the slope.")
    hint_if("L" not in found, f"the last value itself belongs to the list. {said}")
    distinct = len(set(found))
    hint_if(distinct == len(found) < 4, f"some values are missing: go on to the sources of sources. {said}")
    hint_if(len(found) > distinct, f"a value stands twice in the list. Remember which you have seen. {said}")
    hint_if(found[0] == "L", f"that is the other way round, or one is listed before its sources. {said}")
    hint_if(found.index("a") > 0 or found[-1] != "L", f"a value has to come after all of its sources. {said}")
    deep = top = _Value(1.0)
    for _ in range(30):
        top = _Value(1.0, (top, 1.0), (top, 1.0))
    again = call(answer, top)
    hint_if(len(again) != 31 or again[0] is not deep, "right for L = p q, but not for thirty doublings of one value.")


@exercise("one walk, every edge used once, and a second walk gives 36 again.")
def check_hand_back(answer: Any) -> None:
    values = a, p, q, loss = _diamond()
    found = []
    for _ in range(2):
        call(lambda ordered: answer(ordered) or "done", list(values))
        found.append(a.gradient)
    hint_if(loss.gradient != 1, f"the last value should have gradient 1, and has {loss.gradient:g}. First all 0, then this.")
    missed = (p.gradient, q.gradient) == (4, 6)
    hint_if(found[0] == 0, f"no blame arrives at a. {'Start at the end: reversed(ordered)' if missed else 'Hand it on'}.")
    hints = {
        12: "12 is what arrives last: a new message wipes out those before. Add it to what is there.",
        7: "7 is the sum of the slopes alone. Multiply each slope by the blame of the value behind it.",
    }
    hint_if(found[0] != 36, hints.get(found[0], f"36 should arrive at a, and {found[0]:g} does."))
    again = f"right the first time, but a second walk gives {found[1]:g}: old gradients are still there. Reset them."
    hint_if(found[1] != 36, again)


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


@exercise("a random hidden layer is a help already; with its own blame it becomes a better one.")
def check_frozen_layer(answer: Any) -> None:
    hints = {
        "a": "the last layer still gets its own gradient, and it sees 32 different answers for each digit.",
        "c": "it sees only 32 random mixtures of the pixels, which nobody fits to the task.",
        "d": "a smaller move cannot make the loss explode: the frozen layer adds nothing to it.",
    }
    letter = str(answer).strip(" .'\"").lower()
    hint_if(letter != "b", hints.get(letter, f'{answer!r} is not one of "a", "b", "c", "d".'))
