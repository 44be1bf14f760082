"""Checks of notebook 01, MLP basics."""

from typing import Any

import numpy as np

from helpers.exercises.feedback import NotYet, as_array, as_number, call, exercise

CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
PARAMETERS = (4 * 16 + 16) + (16 * 8 + 8) + (8 * 3 + 3)


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
    weights, largest = weights.reshape(2), max(np.abs(weights).max(), abs(bias))
    if not largest < 1e100:
        raise NotYet("infinite or gigantic numbers are no weights: nothing can be added up with them. Try 1 and 1.")
    sums = CORNERS @ weights + bias
    answers = "".join("1" if value > 0 else "0" for value in sums)
    for corner, value in zip(CORNERS.tolist(), sums, strict=True):
        if abs(value) <= 1e-9 * largest and answers in {"0000", "0001"}:
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
    given = z.copy()
    right = 0.5 * (1 + np.tanh(0.5 * z))
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        try:
            result = call(answer, given)
        except NotYet as hint:
            if isinstance(hint.__cause__, FloatingPointError):
                raise NotYet(
                    f"it breaks for a large z ({hint.__cause__}). Let np.exp see no large positive number."
                ) from None
            raise
    if not np.array_equal(given, z):
        raise NotYet("your function changes the z that it is given. Return a new array.")
    result = _returned_array(result, shape=z.shape)
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
        raise NotYet(f"at z = {z[place]:g} it gives {result[place]:.4g}, and the sigmoid is {right[place]:.4g} there.")
    tiny = np.exp(-30)  # the sigmoid of -30; in single precision the form with tanh gives 0, which we let pass
    if result[1] != 0 and abs(result[1] / tiny - 1) > 0.02:
        raise NotYet(
            f"at z = -30 it gives {result[1]:.2g}, and the sigmoid is {tiny:.2g} there. "
            "Did you cut off z? Then small probabilities come out too large."
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
    given = {"x": x.copy(), "weights": weights.copy(), "bias": bias.copy()}
    result = call(answer, *given.values())
    for name, kept in (("x", x), ("weights", weights), ("bias", bias)):
        if not np.array_equal(given[name], kept):
            raise NotYet(f"your function changes the {name} that it is given. Return a new array.")
    result = _returned_array(result)
    if result.shape == ():
        raise NotYet("one number came out: np.max looks for the largest of all. np.maximum compares each with 0.")
    result = as_array(result, shape=(5, 4))
    z = x @ weights + bias
    wrong = {
        "that is the weighted sum. The ReLU is still to come.": z,
        "the bias is missing.": np.maximum(x @ weights, 0),
        "the bias belongs in the sum: add it before the ReLU, not after.": np.maximum(x @ weights, 0) + bias,
        "that is tanh. The ReLU is wanted.": np.tanh(z),
        "negative sums should become 0, and yours became positive.": np.abs(z),
        "the positive sums became 0, and the negative ones stayed. It is the other way round.": np.minimum(z, 0),
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
    for place, activation in zip(("first", "second"), activations, strict=False):
        if activation != "relu":
            raise NotYet(
                f"the {place} hidden layer has the activation {activation}. Both hidden layers should have relu."
            )
    if activations[2] != "softmax":
        raise NotYet(f"the output layer has the activation {activations[2]}, and softmax is wanted.")
    parameters = answer.count_params()
    if parameters != PARAMETERS:
        reason = "Is there a use_bias=False?" if parameters < PARAMETERS else "Is there an extra layer?"
        raise NotYet(f"{parameters} parameters, and {PARAMETERS} are wanted. {reason}")
    return f"4-16-8-3, {parameters} parameters."


def _dense_layers(model: Any) -> tuple[list[int], list[str]]:
    """Neurons and activation of each dense layer; activations in layers of their own count for the one before."""
    units: list[int] = []
    activations: list[str] = []
    for layer in model.layers:
        kind = type(layer).__name__
        if hasattr(layer, "units") and kind != "Dense":
            raise NotYet(f"one of the layers is {kind}. In an MLP all of them are keras.layers.Dense.")
    for layer in model.layers:
        kind = type(layer).__name__
        used = getattr(layer, "activation", None)
        function = getattr(used, "__name__", None) or (type(used).__name__.lower() if used else None)
        if kind == "Dense":
            units.append(int(layer.units))
            activations.append(function or "linear")
        elif activations and kind in {"Activation", "ReLU", "Softmax"}:
            own = function or kind.lower()
            if activations[-1] == "linear":
                activations[-1] = own
            elif own not in {"linear", activations[-1]} or own == "softmax":
                activations[-1] = f"{activations[-1]} and then {own}"
        elif kind not in {"InputLayer", "Flatten"}:
            raise NotYet(f"there is a layer {kind}. Three Dense layers behind the Input are all it takes.")
    return units, activations


@exercise
def check_regression_head(neurons: Any, activation: Any, loss: Any) -> str:
    number, activation, loss = as_number(neurons), _name(activation, "activation"), _name(loss, "loss")
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


def _name(answer: Any, what: str) -> str:
    """The name of a Keras function, class, layer or loss, or a text, in small letters and nothing between them."""
    if isinstance(answer, list | tuple | dict | set | np.ndarray):
        raise NotYet(f"one {what} is wanted for all outputs, and this is a {type(answer).__name__}. Give its name.")
    if not isinstance(answer, str) and answer is not None:
        if type(answer).__name__ == "Activation":  # the layer, as in keras.layers.Activation("linear")
            answer = answer.activation
        answer = getattr(answer, "__name__", None) or type(answer).__name__
    return "".join(letter for letter in str(answer).lower() if letter.isalnum())


def _returned_array(result: Any, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """What a function returned, as an array; text, generators and lists of unequal rows get a word of their own."""
    if isinstance(result, str):
        raise NotYet("your function returns text. Return the array of numbers.")
    if hasattr(result, "__next__"):
        raise NotYet(
            f"your function returns a {type(result).__name__}, which has computed nothing yet. Return an array."
        )
    if (
        isinstance(result, list | tuple)
        and len({len(row) if isinstance(row, list | tuple) else np.size(row) for row in result}) > 1
    ):
        raise NotYet("your function returns a list whose rows differ in length. Return one array.")
    return as_array(result, shape=shape)
