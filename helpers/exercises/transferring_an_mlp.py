"""Checks of notebook 03, transferring an MLP."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from helpers.exercises.feedback import NotYet, as_array, call, exercise, hint_if
from helpers.networks import Layers, build_mlp, train_mlp


@exercise("they fit, and agree less: each reads the digits through frozen layers of its own. The next cell measures it.")
def check_frozen_guess(answer: Any) -> None:
    hint_if(answer not in tuple("abcd"), f'choose one of "a", "b", "c" and "d", as text; received {answer!r:.40}.')
    hints = {
        "a": "650 weights are still 65 for each labelled digit. Is it hard to fit ten digits with them?",
        "b": "there is less to choose, but each network looks through other frozen layers. Who has chosen those?",
        "c": "where all layers learn, the same ten digits shape the hidden layers of all ten networks. And now?",
    }
    hint_if(answer in hints, hints.get(answer))


@exercise("the first layers are as they were, bit for bit, and the others have learned.")
def check_frozen_training(train_frozen: Any) -> None:
    layers, data, settings = _small_task()
    for frozen in (2, 1):
        given = _copy(layers)
        trained = _trained(train_frozen, given, data, settings | {"frozen": frozen})
        hint_if(not _same(given, layers), "it changes the network that it is given. Copy the arrays first.")
        hint_if(_same(trained, layers), "nothing has moved at all. Which layers should still learn?")
        hint_if(_near(trained, _expected(data, settings)), "no layer is frozen: all of them have moved.")
        kept = [np.array_equal(weights, before) for (weights, _), (before, _) in zip(trained, layers, strict=True)]
        biases = [np.array_equal(bias, before) for (_, bias), (_, before) in zip(trained, layers, strict=True)]
        right = [True] * frozen + [False] * (3 - frozen)
        hint_if(kept == right[::-1], "it is the other way round: the last layers are frozen.")
        hint_if(kept != right, f"frozen is {frozen}, and this is which weights stayed, layer by layer: {kept}.")
        hint_if(kept != biases, "the biases of frozen layers still move. A layer is weights and bias.")
        _compare(trained, _expected(data, settings, frozen=frozen), "the layers that learn do not end where they should.")


@exercise("the pull is in the gradient: each step goes a little back towards the source.")
def check_l2_sp_training(train_towards: Any) -> None:
    layers, data, settings = _small_task()
    given = _copy(layers)
    trained = _trained(train_towards, given, data, settings | {"strength": 0.5})
    hint_if(not _same(given, layers), "it changes the network that it is given. Copy the arrays first.")
    unpulled = "there is no pull. Is the start a copy, or the very arrays that move? Then the difference is always 0."
    hint_if(_near(trained, _expected(data, settings)), unpulled)
    strong = "twice too strong: the half of the penalty cancels the 2."
    for factor, hint in ((2, strong), (0.5, "half too weak."), (-1, "the sign is turned: it pushes away from the source.")):
        hint_if(_near(trained, _expected(data, settings, l2_sp=factor * 0.5)), hint)
    zero, everywhere = (_pulled(data, settings, to_zero=to_zero) for to_zero in (True, False))
    hint_if(_near(trained, zero), "that pulls towards 0, which is weight decay. Towards the source it is w - w0.")
    hint_if(_near(trained, everywhere), "the output layer is pulled, too. Only the hidden layers should be.")
    _compare(trained, _expected(data, settings, l2_sp=0.5), "add strength * (w - w0) to the gradient, hidden layers only.")


def _small_task() -> tuple[Layers, tuple[np.ndarray, np.ndarray], dict[str, float]]:
    random = np.random.default_rng(3)
    data = random.normal(size=(12, 5)), np.arange(12) % 3
    return build_mlp((5, 6, 4, 3), activation="relu", seed=2), data, {"steps": 20, "learning_rate": 0.1}


def _copy(layers: Layers) -> Layers:
    return [(weights.copy(), bias.copy()) for weights, bias in layers]


def _trained(function: Callable, layers: Layers, data: tuple, settings: dict[str, float]) -> Layers:
    """Return the layers that the learner's function returns, or raise `NotYet` where that is no such list."""
    result = call(lambda: function(layers, *data, **settings))
    try:
        trained = [(np.asarray(weights, "float64"), np.asarray(bias, "float64")) for weights, bias in result]
    except (TypeError, ValueError):
        raise NotYet("return the layers: a list of pairs (weights, bias).") from None
    fits = [part.shape for layer in trained for part in layer] == [part.shape for layer in layers for part in layer]
    hint_if(not fits, "the layers that you return have other shapes than those that came in.")
    return trained


def _expected(data: tuple, settings: dict[str, float], **options: float) -> Layers:
    options |= {"activation": "relu", "optimizer": "gradient_descent"}
    return train_mlp(_small_task()[0], *data, **settings, **options)[0]


def _pulled(data: tuple, settings: dict[str, float], *, to_zero: bool) -> Layers:
    """Return layers pulled towards 0 (the hidden ones), or all of them towards the start: two typical mistakes."""
    layers, start = _small_task()[0], _small_task()[0]
    for _ in range(int(settings["steps"])):
        after = train_mlp(layers, *data, steps=1, learning_rate=0.1, activation="relu", optimizer="gradient_descent")[0]
        for number, (old, new) in enumerate(zip(layers, after, strict=True)):
            for part in (0, 1):
                to = 0 if to_zero else start[number][part]
                new[part][...] -= 0.1 * 0.5 * (old[part] - to) * (number < 2 or not to_zero)
        layers = after
    return layers


def _near(layers: Layers, others: Layers, *, exactly: bool = False) -> bool:
    pairs = zip([part for layer in layers for part in layer], [part for layer in others for part in layer], strict=True)
    return all(np.array_equal(one, other) if exactly else np.allclose(one, other, atol=1e-5) for one, other in pairs)


def _same(layers: Layers, others: Layers) -> bool:
    return _near(layers, others, exactly=True)


def _compare(layers: Layers, right: Layers, hint: str) -> None:
    hint_if(not _near(layers, right), hint)


@exercise("an interval for each count, and one rule for all of them.")
def check_verdicts(verdicts: Any) -> None:
    scratch = np.tile([0.5, 0.6, 0.7, 0.8], (8, 1)) + np.linspace(-0.1, 0.1, 8)[:, None]
    wiggle = np.array([1, -1, 1, -1, 1, -1, 1, -1])[:, None] * [0.02, 0.02, 0.02, 0.01]
    result = call(verdicts, scratch=scratch, transfer=scratch + [0.1, -0.1, 0.01, -0.0075] + wiggle)
    hint_if(isinstance(result, str), "one word came back. One for each count is wanted: loop over the columns.")
    answers = list(result)
    hint_if(len(answers) != 4, f"the check has 4 label counts and 8 runs, and {len(answers)} answers came back.")
    wrong = [
        (["behind", "ahead", "not told apart", "not told apart"], "ahead and behind are swapped: transfer minus scratch."),
        (["ahead", "behind", "ahead", "behind"], "the sign of the mean is not enough. Where does the interval lie?"),
        (["not told apart"] * 4, "nothing told apart? Take the difference run by run before the interval."),
        ([True, True, False, False], "that is true or false. Give one of the three words."),
    ]
    for given, hint in wrong:
        hint_if(answers == given, hint)
    right = ["ahead", "behind", "not told apart", "not told apart"]
    hint_if(answers != right, f"for the curves of the check it should be {right}, and yours is {answers}.")


@exercise("even upside down they are about 0.1 ahead of random weights: turned or not, strokes are strokes.")
def check_source_guess(answer: Any) -> None:
    known = ("ahead", "behind", "not told apart")
    hint_if(answer not in known, f"choose one of {known}, as text; received {answer!r:.40}.")
    hint_if(answer == "behind", "then learning upside down would do harm. What do its digits still share with ours?")
    hint_if(answer == "not told apart", "a digit upside down is made of strokes. Do random weights know any?")


@exercise("{features} features go into {classes} new outputs, the hidden layers are frozen, and it is compiled.")
def check_repaired(repaired: Any, path: Path) -> dict[str, int]:
    import keras

    old, model = keras.models.load_model(path), call(repaired, path, 7)
    hint_if(not hasattr(model, "layers"), f"a Keras model is wanted, and this is a {type(model).__name__}.")
    hint_if(model.output_shape[-1] != 7, f"asked for 7 classes, the new model gives {model.output_shape[-1]} numbers.")
    dense = [layer for layer in model.layers if layer.weights]
    behind = dense[-1].kernel.shape[0] == old.output_shape[-1]
    hint_if(behind, "the new layer sits behind the old softmax and sees five numbers. Take `layers[-2].output`.")
    sizes = [layer.units for layer in dense]
    hint_if(sizes != [64, 64, 7], f"layers of {sizes} neurons; two hidden ones of 64 and a new one of 7 are wanted.")
    kept = all(np.array_equal(a.numpy(), b.numpy()) for a, b in zip(old.weights[:4], model.weights[:4], strict=True))
    hint_if(not kept, "the hidden layers have new weights. Use those of the loaded model.")
    trained = [layer.trainable for layer in dense]
    hint_if(trained == [True] * 3, "no layer is frozen yet.")
    hint_if(trained == [False] * 3, "all layers are frozen. The new one has to learn.")
    hint_if(trained != [False, False, True], f"trainable, from first to last: {trained}. Freeze both hidden layers.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a model of `old.inputs`, a list, takes one array as well
        outputs = as_array(model(np.linspace(0, 1, 128, dtype="float32").reshape(2, 64)))
    hint_if(not np.allclose(outputs.sum(axis=1), 1, atol=1e-4), "the outputs do not add up to 1: softmax is missing.")
    hint_if(not model.compiled, "freezing counts from the next compile() on, and there is none yet.")
    return {"features": 64, "classes": 7}
