"""Checks of notebook 01, MLP basics."""

from typing import Any

import numpy as np

from helpers.checks import NotYet, as_array, as_number, call, exercise

CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])


@exercise
def check_neuron_output(answer: Any) -> str:
    number = as_number(answer)
    right = 1 / (1 + np.exp(0.25))
    hints = {
        "that is the weighted sum. The activation is still to come.": -0.25,
        "that is the weighted sum without the bias, and before the activation.": -0.75,
        "the bias is missing in the weighted sum.": 1 / (1 + np.exp(0.75)),
        "the sign is turned: the exponent is -z, and z is negative.": 1 / (1 + np.exp(-0.25)),
        "that is tanh. The sigmoid is wanted.": np.tanh(-0.25),
        "that is what the ReLU would answer. The sigmoid is wanted.": 0,
    }
    for hint, wrong in hints.items():
        if abs(number - wrong) < 5e-4:
            raise NotYet(f"{number:g}? {hint[0].upper()}{hint[1:]}")
    if abs(number - right) > 6e-4:
        if abs(number - right) < 0.01:
            raise NotYet(f"{number:g} is close, but rounded too much. Keep at least three decimals.")
        raise NotYet(f"not {number:g}. Multiply, add the bias, and then put the sum into the sigmoid.")
    return "the sum is -0.25, and the sigmoid makes 0.438 of it."


@exercise
def check_and_neuron(weights: Any, bias: Any) -> str:
    weights, bias = as_array(weights), as_number(bias)
    if weights.size != 2:
        raise NotYet(f"two weights are wanted, one for each input, and this holds {weights.size} of them.")
    sums = CORNERS @ weights.reshape(2) + bias
    answers = "".join("1" if value > 0 else "0" for value in sums)
    for corner, value in zip(CORNERS.tolist(), sums, strict=True):
        if abs(value) < 1e-9 and answers in {"0000", "0001"}:
            raise NotYet(f"for {tuple(corner)} the sum is 0, exactly on the line. Move the line a little.")
    known = {
        "0111": "that is OR: a single 1 is already enough. Make the bias more negative.",
        "1110": "that is NAND, the opposite of AND. Change the sign of the weights and of the bias.",
        "1000": "that is NOR, the opposite of OR.",
        "1111": "this neuron always says yes. The bias has to be negative.",
        "0000": "this neuron always says no, also to (1, 1). The bias is too negative for these weights.",
        "0011": "this neuron looks at the first input only. Both have to matter.",
        "0101": "this neuron looks at the second input only. Both have to matter.",
    }
    if answers != "0001":
        said = ", ".join(str(tuple(c)) for c, a in zip(CORNERS.tolist(), answers, strict=True) if a == "1")
        raise NotYet(known.get(answers, f"it says yes to {said}. AND says yes to (1, 1) alone."))
    return f"only (1, 1) brings the sum above zero, to {sums[-1]:g}."


@exercise
def check_stable_sigmoid(answer: Any) -> str:
    z = np.array([-1000.0, -30.0, -2.0, 0.0, 1.0, 1000.0])
    right = 0.5 * (1 + np.tanh(0.5 * z))
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        try:
            result = call(answer, z.copy())
        except NotYet as hint:
            if isinstance(hint.__cause__, FloatingPointError):
                raise NotYet(
                    f"it breaks for a large z ({hint.__cause__}). Let np.exp see no large positive number."
                ) from None
            raise
    result = as_array(result, shape=z.shape)
    small = np.exp(-np.abs(z))
    wrong = {
        "that is tanh, from -1 to 1. The sigmoid goes from 0 to 1.": np.tanh(z),
        "it falls where it should rise: the sign of z is turned.": 0.5 * (1 - np.tanh(0.5 * z)),
        "right for negative z. For positive z the numerator is 1.": small / (1 + small),
        "right for positive z. For negative z the numerator is the small exponential.": 1 / (1 + small),
        "that is the hyperbolic tangent, squeezed; z has to be halved, too.": 0.5 * (1 + np.tanh(z)),
    }
    for hint, values in wrong.items():
        if np.allclose(result, values, rtol=1e-4, atol=1e-6):
            raise NotYet(hint)
    if not np.allclose(result, right, rtol=1e-4, atol=1e-6):
        place = int(np.argmax(np.abs(result - right)))
        raise NotYet(
            f"at z = {z[place]:g} it gives {result[place]:.4g}, and the sigmoid is {right[place]:.4g} there."
        )
    return "from 0 to 1 without an overflow, from z = -1000 to z = 1000."


@exercise
def check_parameter_count(answer: Any) -> str:
    number = as_number(answer)
    hints = {
        88: "these are the weights. Every neuron behind the input has a bias, too.",
        17: "these are the biases. And the weights?",
        19: "that is the number of neurons, inputs included. Count the lines between them, and the biases.",
        96: "the output neuron is missing: it has 8 weights and a bias.",
        81: "the first hidden layer is missing: it has 2 x 8 weights and 8 biases.",
        33: "that is a network with one hidden layer. There are two.",
        107: "inputs have no bias: they compute nothing.",
        24: "that is the first hidden layer. Two more layers compute something.",
    }
    if number in hints:
        raise NotYet(f"{number:g}? {hints[number][0].upper()}{hints[number][1:]}")
    if number != 105:
        raise NotYet(
            f"{number:g} is too {'many' if number > 105 else 'few'}. Each layer has inputs x neurons + neurons."
        )
    return "24 + 72 + 9 = 105 parameters."


@exercise
def check_relu_layer(answer: Any) -> str:
    generator = np.random.default_rng(0)
    x, weights, bias = (generator.normal(size=size) for size in ((5, 3), (3, 4), 4))
    kept = x.copy()
    result = call(answer, x, weights, bias)
    if not np.array_equal(x, kept):
        raise NotYet("your function changes the inputs that it is given. Return a new array.")
    if np.shape(result) == ():
        raise NotYet(
            "one number came out: np.max looks for the largest of all. np.maximum compares each with 0."
        )
    result = as_array(result, shape=(5, 4))
    z = x @ weights + bias
    wrong = {
        "that is the weighted sum. The ReLU is still to come.": z,
        "the bias is missing.": np.maximum(x @ weights, 0),
        "the bias belongs into the sum: add it before the ReLU, not after.": np.maximum(x @ weights, 0)
        + bias,
        "that is tanh. The ReLU is wanted.": np.tanh(z),
        "negative sums should become 0, and yours became positive.": np.abs(z),
        "the positive sums became 0, and the negative ones stayed. It is the other way round.": np.minimum(
            z, 0
        ),
    }
    for hint, values in wrong.items():
        if np.allclose(result, values, rtol=1e-4, atol=1e-5):
            raise NotYet(hint)
    if not np.allclose(result, np.maximum(z, 0), rtol=1e-4, atol=1e-5):
        raise NotYet("the shape is right, the values are not max(x @ weights + bias, 0).")
    return "one line for a whole layer and any number of examples."


@exercise
def check_keras_model(answer: Any) -> str:
    if isinstance(answer, list | tuple):
        raise NotYet("this is a list of layers. Put it into keras.Sequential(...).")
    if isinstance(answer, type) or not hasattr(answer, "layers") or not hasattr(answer, "compile"):
        raise NotYet(f"a Keras model is wanted, and this is a {type(answer).__name__}.")
    if not answer.built:
        raise NotYet("the model does not know its inputs yet. Start the list with keras.Input((4,)).")
    inputs = tuple(answer.input_shape)[1:]
    if inputs != (4,):
        raise NotYet(f"the shape of one example is {inputs}, and (4,) is wanted.")
    units, activations = _dense_layers(answer)
    if units == [16, 8]:
        raise NotYet("the output layer is missing: 3 neurons, one for each class.")
    if units != [16, 8, 3]:
        raise NotYet(f"the layers have {units} neurons, and 16, 8 and 3 are wanted, in this order.")
    if activations[:2] != ["relu", "relu"]:
        raise NotYet(
            f"the hidden layers have the activations {', '.join(activations[:2])}. Both should be relu."
        )
    if activations[2] != "softmax":
        raise NotYet(f"the output layer has the activation {activations[2]}, and softmax is wanted.")
    return f"4-16-8-3, {answer.count_params()} parameters."


def _dense_layers(model: Any) -> tuple[list[int], list[str]]:
    """Neurons and activation of each dense layer; an activation in a layer of its own counts for the one before."""
    units: list[int] = []
    activations: list[str] = []
    for layer in model.layers:
        function = getattr(getattr(layer, "activation", None), "__name__", None)
        if hasattr(layer, "units"):
            units.append(int(layer.units))
            activations.append(function or "linear")
        elif activations and type(layer).__name__ in {"Activation", "ReLU", "Softmax"}:
            activations[-1] = function or type(layer).__name__.lower()
    return units, activations


@exercise
def check_regression_head(neurons: Any, activation: Any, loss: Any) -> str:
    number, activation, loss = as_number(neurons), _name(activation), _name(loss)
    if number != 2:
        six = " Six is the number of inputs." if number == 6 else ""
        raise NotYet(f"{number:g} output neurons? There is one for each number that is wanted.{six}")
    squeezed = {
        "softmax": "softmax makes probabilities that add up to 1: temperature and humidity do not.",
        "sigmoid": "a sigmoid stays between 0 and 1. How would it say 21 degrees?",
        "tanh": "tanh stays between -1 and 1. How would it say 21 degrees?",
        "relu": "a ReLU never goes below 0. How would it say -5 degrees?",
    }
    if activation in squeezed:
        raise NotYet(squeezed[activation])
    if activation not in {"linear", "none"}:
        raise NotYet(f"the activation {activation!r} bends the output. A plain number needs none: 'linear'.")
    if "crossentropy" in loss:
        raise NotYet("cross-entropy compares probabilities of classes. Here numbers are compared.")
    if loss not in {"mse", "meansquarederror", "mae", "meanabsoluteerror", "huber", "logcosh"}:
        raise NotYet(f"{loss!r} is no loss for a regression. Use the squared error, 'mse'.")
    return "two linear outputs, and a loss that compares numbers."


def _name(answer: Any) -> str:
    """The name of a Keras function, class or object, or a text, in small letters without underscores."""
    if not isinstance(answer, str) and answer is not None:
        answer = getattr(answer, "__name__", None) or type(answer).__name__
    return str(answer).strip().lower().replace("_", "")
