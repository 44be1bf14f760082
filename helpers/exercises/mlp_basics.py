"""Checks of notebook 01, MLP basics."""

from typing import Any

import numpy as np

from helpers.evaluation import paired_interval
from helpers.exercises.feedback import NotYet, as_array, as_number, call, exercise, expect, hint_if, number_exercise
from helpers.networks import build_mlp, predict

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
MOST_PARAMETERS = 20_000


@number_exercise(
    (1 / (1 + np.exp(0.25)), "the sum is -0.25, and the sigmoid squeezes it to 0.438."),
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


@exercise("one matrix can do what many in a row can, and no more.")
def check_linear_guess(answer: Any) -> None:
    known = ("better", "worse", "the same")
    hint_if(answer not in known, f"choose one of {known}, as text; received {answer!r:.40}.")
    hint_if(answer == "better", "what could two linear layers express that one matrix cannot? Multiply them out.")
    hint_if(answer == "worse", "one matrix is among the things that two of them can be. What would make training miss it?")


@number_exercise(
    (66, "66 hidden neurons need 4,960 parameters, and 67 would need 5,035."),
    (67, "67 need 5,035. Neurons come whole, and the outputs have biases, too."),
    (76, "The output layer has weights, too: 10 for every hidden neuron."),
    (78, "Every hidden neuron has a bias and 10 weights to the outputs, too."),
    (499, "That leaves out the first layer: 64 weights and a bias for each hidden neuron."),
    (4960, "That is how many parameters the widest one needs. How many hidden neurons has it?"),
)
def check_widest_layer(number: float) -> str:
    needed = f"{number:g} hidden neurons need {75 * number + 10:,.0f} parameters"
    hint_if(number % 1 != 0, "neurons come whole: round down.")
    return f"{needed}, which is too many." if number > 66 else f"{needed}, and one more still fits."


@exercise("any number of layers, and the last one linear.")
def check_forward(answer: Any) -> None:
    for sizes in ((3, 5, 4, 2), (3, 2)):
        layers, x = build_mlp(sizes, activation="relu", seed=1), np.random.default_rng(0).normal(size=(6, 3))
        layers = [(weights, bias + 0.3 * np.arange(bias.size) - 0.2) for weights, bias in layers]
        result = call(answer, layers, x=x, advice="Give the result of a layer a name of its own, or write x = ...")
        hint_if(isinstance(result, list | tuple), "a list came back. Return the answer of the last layer alone.")
        right = predict(layers, x, activation="relu")
        hidden = layers[0][0].shape[1]
        early = f"that is the answer of a hidden layer, ({len(x)}, {hidden}). Go through all of them."
        hint_if(len(sizes) > 2 and np.shape(result) == (6, hidden), early)
        without = [(weights, 0 * bias) for weights, bias in layers]
        wrong = [
            (np.maximum(right, 0), "the last layer stays linear: no ReLU there."),
            (predict(layers, x, activation="linear"), "no layer has a ReLU. All but the last should."),
            (predict(layers, x, activation="tanh"), "that is tanh. The ReLU is wanted."),
            (predict(without, x, activation="relu"), "the biases are missing."),
        ]
        otherwise = f"for layers of {', '.join(map(str, sizes))} neurons the answers are not those of forward propagation."
        expect(as_array(result, shape=right.shape), right, wrong, otherwise, rtol=1e-4, atol=1e-5)


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


@exercise("gain over logistic regression {gain:+.3f} ({low:+.3f} to {high:+.3f}), five draws, {parameters:,} parameters.")
def check_beats_baseline(fit_mine: Any, pixels: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    from sklearn.linear_model import LogisticRegression

    hint_if(hasattr(fit_mine, "predict"), "this is a model. Give the function that fits one, fit_mine.")
    gains = []
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(labels))
        train, test = order[:2000], order[4000:]
        model = call(fit_mine, pixels[train], labels[train], seed)
        right = _share_right(model, pixels[test], labels[test])
        line = LogisticRegression(max_iter=1000).fit(pixels[train], labels[train])
        gains.append(right - line.score(pixels[test], labels[test]))
    gain, low, high = paired_interval(np.array(gains))
    found = f"the gain is {gain:+.3f} ({low:+.3f} to {high:+.3f}), and the interval is not above zero."
    hint_if(low <= 0, f"{found} Is there a hidden layer with an activation, and were there enough epochs?")
    return {"gain": gain, "low": low, "high": high, "parameters": model.count_params()}


def _share_right(model: Any, pixels: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of the digits that the model names, or raise the hint that says why it is no fitted classifier."""
    hint_if(isinstance(model, list | tuple), "a list of layers came back. Put it into keras.Sequential(...).")
    if isinstance(model, type) or not hasattr(model, "layers") or not hasattr(model, "compile"):
        raise NotYet(
            f"a Keras model is wanted, and this is a {type(model).__name__}. Return the model, not what fit() does."
        )
    hint_if(not model.built, "the model does not know its inputs yet. Start the list with keras.Input((64,)).")
    hint_if(not model.compiled, "it has not been compiled: choose an optimizer and a loss.")
    answers, parameters = as_array(model(pixels, training=False)), model.count_params()
    hint_if(answers.shape[-1] != 10, f"it has {answers.shape[-1]} outputs. There are ten digits.")
    hint_if(parameters >= MOST_PARAMETERS, f"{parameters:,} parameters; fewer than {MOST_PARAMETERS:,} are wanted.")
    right = float(np.mean(answers.argmax(axis=-1) == labels))
    hint_if(right < 0.3, f"{right:.2f} of the digits, which is near guessing. Did you call fit()?")
    return right


def _name(answer: Any, what: str) -> str:
    """Return the name of a Keras function, class, layer or loss, or a text, in small letters and nothing between."""
    if isinstance(answer, list | tuple | dict | set | np.ndarray):
        raise NotYet(f"one {what} is wanted for all outputs, and this is a {type(answer).__name__}. Give its name.")
    if not isinstance(answer, str) and answer is not None:
        answer = getattr(answer, "activation", answer)  # of the layer keras.layers.Activation("linear")
        answer = getattr(answer, "__name__", None) or type(answer).__name__
    return "".join(letter for letter in str(answer).lower() if letter.isalnum())
