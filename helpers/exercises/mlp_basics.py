"""Checks of notebook 01, MLP basics."""

from typing import Any

import numpy as np

from helpers.exercises.feedback import NotYet, as_array, as_number, call, exercise, expect, hint_if, number_exercise

CORNERS = [(0, 0), (0, 1), (1, 0), (1, 1)]
OTHER_GATES = {  # what a neuron that is not AND answers in the four corners
    "0111": "that is OR: a single 1 is already enough. Make the bias more negative.",
    "1110": "that is NAND, the opposite of AND. Change the sign of the weights and of the bias.",
    "1000": "that is NOR, the opposite of OR.",
    "1111": "this neuron always says yes. The bias has to be negative.",
    "0000": "this neuron always says no, also to (1, 1). The bias is too negative for these weights.",
    "0011": "this neuron looks at the first input only. Both have to matter.",
    "0101": "this neuron looks at the second input only. Both have to matter.",
}
SQUEEZED = {
    "softmax": "softmax makes probabilities that add up to 1: temperature and humidity do not.",
    "sigmoid": "a sigmoid stays between 0 and 1. How would it say 21 degrees?",
    "tanh": "tanh stays between -1 and 1. How would it say 21 degrees?",
    "relu": "a ReLU never goes below 0. How would it say -5 degrees?",
}
PARAMETERS = (4 * 16 + 16) + (16 * 8 + 8) + (8 * 3 + 3)


@number_exercise(
    (1 / (1 + np.exp(0.25)), "the sum is -0.25, and the sigmoid makes 0.438 of it."),
    (-0.25, "That is the weighted sum. The activation is still to come."),
    (-0.75, "That is the weighted sum without the bias, and before the activation."),
    (1 / (1 + np.exp(0.75)), "The bias is missing in the weighted sum."),
    (1 / (1 + np.exp(-0.25)), "The sign is turned: the exponent is -z, and z is negative."),
    (np.tanh(-0.25), "That is tanh. The sigmoid is wanted."),
    (0, "That is what the ReLU would answer. The sigmoid is wanted."),
    form="g",
    atol=6e-4,
)
def check_neuron_output(number: float) -> str:
    if abs(number - 1 / (1 + np.exp(0.25))) < 0.01:
        return f"{number:g} is close, but rounded too much. Keep at least three decimals."
    return f"not {number:g}. Multiply, add the bias, and then put the sum into the sigmoid."


@exercise("only (1, 1) brings the sum above zero, to {sum:g}.")
def check_and_neuron(weights: Any, bias: Any) -> dict[str, float]:
    weights, bias = as_array(weights), as_number(bias)
    hint_if(weights.size != 2, f"two weights are wanted, one for each input, and this holds {weights.size} of them.")
    weights, largest = weights.reshape(2), max(np.abs(weights).max(), abs(bias))
    if not largest < 1e100:
        raise NotYet("infinite or gigantic numbers are no weights: nothing can be added up with them. Try 1 and 1.")
    sums = CORNERS @ weights + bias
    answers = "".join("1" if value > 0 else "0" for value in sums)
    for corner, value in zip(CORNERS, sums, strict=True):
        if abs(value) <= 1e-9 * largest and answers in {"0000", "0001"}:
            raise NotYet(f"for {corner} the sum is 0, exactly on the line. Move the line a little.")
    hint_if(answers in OTHER_GATES, OTHER_GATES.get(answers))
    said = ", ".join(str(corner) for corner, yes in zip(CORNERS, answers, strict=True) if yes == "1")
    hint_if(answers != "0001", f"it says yes to {said}. AND says yes to (1, 1) alone.")
    return {"sum": sums[-1]}


@exercise("from 0 to 1 without an overflow, from z = -1000 to z = 1000.")
def check_stable_sigmoid(answer: Any) -> None:
    z = np.array([-1000.0, -30.0, -2.0, 0.0, 1.0, 1000.0])
    try:
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            result = call(answer, z=z, advice="Return a new array.")
    except NotYet as hint:
        if isinstance(cause := hint.__cause__, FloatingPointError):
            raise NotYet(f"it breaks for a large z ({cause}). Let np.exp see no large positive number.") from None
        raise
    result = _returned_array(result, shape=z.shape)
    right, small = 0.5 * (1 + np.tanh(0.5 * z)), np.exp(-np.abs(z))
    wrong = [
        (np.tanh(z), "that is tanh, from -1 to 1. The sigmoid goes from 0 to 1."),
        (0.5 * (1 - np.tanh(0.5 * z)), "it falls where it should rise: the sign of z is turned."),
        (small / (1 + small), "right for negative z. For positive z the numerator is 1."),
        (1 / (1 + small), "right for positive z. For negative z the numerator is the small exponential."),
        (0.5 * (1 + np.tanh(z)), "that is the hyperbolic tangent, squeezed; z has to be halved, too."),
    ]
    place = np.argmax(np.abs(result - right))
    found = f"at z = {z[place]:g} it gives {result[place]:.4g}, and the sigmoid is {right[place]:.4g} there."
    expect(result, right, wrong, found, rtol=1e-4, atol=1e-6)
    tiny = np.exp(-30)  # the sigmoid of -30; in single precision the form with tanh gives 0, which we let pass
    if result[1] != 0 and abs(result[1] / tiny - 1) > 0.02:
        found = f"at z = -30 it gives {result[1]:.2g}, and the sigmoid is {tiny:.2g} there."
        raise NotYet(f"{found} Did you cut off z? Then small probabilities come out too large.")


@number_exercise(
    (105, "24 + 72 + 9 = 105 parameters."),
    (88, "These are the weights. Every neuron behind the input has a bias, too."),
    (17, "These are the biases. And the weights?"),
    (19, "That is the number of neurons, inputs included. Count the lines between them, and the biases."),
    (96, "The output neuron is missing: it has 8 weights and a bias."),
    (81, "The first hidden layer is missing: it has 2 x 8 weights and 8 biases."),
    (33, "That is a network with one hidden layer. There are two."),
    (107, "Inputs have no bias: they compute nothing."),
    (24, "That is the first hidden layer. Two more layers compute something."),
)
def check_parameter_count(number: float) -> str:
    return f"{number:g} is too {'many' if number > 105 else 'few'}. Each layer has inputs x neurons + neurons."


@exercise("one line for a whole layer and any number of examples.")
def check_relu_layer(answer: Any) -> None:
    generator = np.random.default_rng(0)
    x, weights, bias = [generator.normal(size=size) for size in ((5, 3), (3, 4), 4)]
    result = _returned_array(call(answer, x=x, weights=weights, bias=bias, advice="Return a new array."))
    hint_if(result.shape == (), "one number came out: np.max looks for the largest of all. np.maximum compares each with 0.")
    z, no_bias = x @ weights + bias, np.maximum(x @ weights, 0)
    wrong = [
        (z, "that is the weighted sum. The ReLU is still to come."),
        (no_bias, "the bias is missing."),
        (no_bias + bias, "the bias belongs in the sum: add it before the ReLU, not after."),
        (np.tanh(z), "that is tanh. The ReLU is wanted."),
        (np.abs(z), "negative sums should become 0, and yours became positive."),
        (np.minimum(z, 0), "the positive sums became 0, and the negative ones stayed. It is the other way round."),
    ]
    otherwise = "the shape is right, the values are not max(x @ weights + bias, 0)."
    expect(as_array(result, shape=(5, 4)), np.maximum(z, 0), wrong, otherwise, rtol=1e-4, atol=1e-5)


@exercise(f"4-16-8-3, {PARAMETERS} parameters.")
def check_keras_model(answer: Any) -> None:
    hint_if(isinstance(answer, list | tuple), "this is a list of layers. Put it into keras.Sequential(...).")
    if isinstance(answer, type) or not hasattr(answer, "layers") or not hasattr(answer, "compile"):
        raise NotYet(f"a Keras model is wanted, and this is a {type(answer).__name__}.")
    hint_if(not answer.built, "the model does not know its inputs yet. Start the list with keras.Input((4,)).")
    inputs = tuple(answer.input_shape)[1:]
    hint_if(inputs != (4,), f"the shape of one example is {inputs}, and (4,) is wanted.")
    units, activations = _dense_layers(answer)
    hint_if(units == [16, 8], "the output layer is missing: 3 neurons, one for each class.")
    hint_if(units != [16, 8, 3], f"the layers have {units} neurons, and 16, 8 and 3 are wanted, in this order.")
    for place, name in zip(("first", "second"), activations, strict=False):
        hint_if(name != "relu", f"the {place} hidden layer has the activation {name}. Both hidden layers should have relu.")
    hint_if(activations[2] != "softmax", f"the output layer has the activation {activations[2]}, and softmax is wanted.")
    parameters = answer.count_params()
    reason = "Is there a use_bias=False?" if parameters < PARAMETERS else "Is there an extra layer?"
    hint_if(parameters != PARAMETERS, f"{parameters} parameters, and {PARAMETERS} are wanted. {reason}")


def _dense_layers(model: Any) -> tuple[list[int], list[str]]:
    """Return neurons and activation of each dense layer; activation layers count for the dense layer before them."""
    activations: list[str] = []
    kinds = [type(layer).__name__ for layer in model.layers if hasattr(layer, "units")]
    if others := [kind for kind in kinds if kind != "Dense"]:
        raise NotYet(f"one of the layers is {others[0]}. In an MLP all of them are keras.layers.Dense.")
    for layer in model.layers:
        kind, used = type(layer).__name__, getattr(layer, "activation", layer)
        name = getattr(used, "__name__", type(used).__name__.lower())
        if kind == "Dense":
            activations.append(name)
        elif activations and kind in {"Activation", "ReLU", "Softmax"}:
            if activations[-1] == "linear":
                activations[-1] = name
            elif name not in {"linear", activations[-1]} or name == "softmax":
                activations[-1] = f"{activations[-1]} and then {name}"
        elif kind not in {"InputLayer", "Flatten"}:
            raise NotYet(f"there is a layer {kind}. Three Dense layers behind the Input are all it takes.")
    return [layer.units for layer in model.layers if hasattr(layer, "units")], activations


@exercise("two linear outputs, and a loss that compares numbers.")
def check_regression_head(neurons: Any, activation: Any, loss: Any) -> None:
    number, activation, loss = as_number(neurons), _name(activation, "activation"), _name(loss, "loss")
    six = " Six is the number of inputs." if number == 6 else ""
    hint_if(number != 2, f"{number:g} output neurons? There is one for each number that is wanted.{six}")
    hint_if(activation in SQUEEZED, SQUEEZED.get(activation))
    if activation not in {"linear", "none"}:
        raise NotYet(f"the activation {activation!r} bends the output. A plain number needs none: 'linear'.")
    hint_if("crossentropy" in loss, "cross-entropy compares probabilities of classes. Here numbers are compared.")
    if loss not in {"mse", "meansquarederror", "mae", "meanabsoluteerror", "huber", "logcosh"}:
        raise NotYet(f"{loss!r} is no loss for a regression. Use the squared error, 'mse'.")


def _name(answer: Any, what: str) -> str:
    """Return the name of a Keras function, class, layer or loss, or a text, in small letters and nothing between."""
    if isinstance(answer, list | tuple | dict | set | np.ndarray):
        raise NotYet(f"one {what} is wanted for all outputs, and this is a {type(answer).__name__}. Give its name.")
    if not isinstance(answer, str) and answer is not None:
        answer = getattr(answer, "activation", answer)  # of the layer keras.layers.Activation("linear")
        answer = getattr(answer, "__name__", None) or type(answer).__name__
    return "".join(letter for letter in str(answer).lower() if letter.isalnum())


def _returned_array(result: Any, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Return as an array what a function returned; text, generators and unequal rows get a word of their own."""
    hint_if(isinstance(result, str), "your function returns text. Return the array of numbers.")
    kind = type(result).__name__
    hint_if(hasattr(result, "__next__"), f"your function returns a {kind}, which has computed nothing yet. Return an array.")
    uneven = "your function returns a list whose rows differ in length. Return one array."
    return as_array(result, shape=shape, uneven=uneven)
