"""Checks of notebook 10, domain adaptation."""

from typing import Any

import numpy as np

from helpers.exercises.feedback import as_array, as_number, call, exercise, expect, expect_cases, hint_if, number_exercise

SHIFTS = {"a": "covariate", "b": "label", "c": "meaning", "d": "covariate"}


@exercise("what can be repaired without labels depends on what has moved.")
def check_which_shift(answers: Any) -> None:
    hints = {
        "a": "case a: the same leaves, the same names. What is different about the pictures?",
        "b": "case b: a sick patient's picture looks as it always did. What has changed is how many there are.",
        "c": "case c: not one picture has changed. But what is the right answer for it now?",
        "d": "case d: the same words from another voice. Sounds differ, and their meaning does not.",
    }
    expect_cases(answers, SHIFTS, ("covariate", "label", "meaning"), hints)


def _two_clouds() -> tuple[np.ndarray, np.ndarray]:
    """Return source (40, 3) and target (30, 3) that differ in mean, spread and in how their numbers go together."""
    random = np.random.default_rng(10)
    source = random.normal(size=(40, 3)) @ [[2, 0, 0], [1, 1, 0], [0, 0.5, 1]] + [5, 0, -1]
    return source, random.normal(size=(30, 3)) @ [[1, 0.5, 0], [0, 3, 1], [0, 0, 0.5]] + [0, 2, 7]


def _two_arrays(result: Any, source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    hint_if(not isinstance(result, tuple | list) or len(result) != 2, "return two arrays: the source, then the target.")
    return as_array(result[0], shape=source.shape), as_array(result[1], shape=target.shape)


@exercise("each domain now has mean 0 and deviation 1 in every number, by its own count.")
def check_standardise_each(standardise: Any) -> None:
    source, target = _two_clouds()
    advice = "Make new arrays instead of changing these."
    ours, theirs = _two_arrays(call(standardise, source=source, target=target, advice=advice), source, target)

    def moved(some: np.ndarray, by: np.ndarray) -> np.ndarray:
        return (some - by.mean(axis=0)) / by.std(axis=0)

    both = np.concatenate([source, target])
    wrong = [
        (source, "the source is as it was: take off its own mean and divide by its own deviation."),
        (source - source.mean(axis=0), "that is the mean alone. Divide by the deviation as well."),
        (moved(source, target), "the source was moved by the TARGET's mean and deviation. Each has its own."),
        (
            moved(source, both),
            "one mean and deviation of both together leaves the gap between the clouds as wide as before.",
        ),
        ((source - source.mean()) / source.std(), "one mean over everything: each column has a mean of its own, axis=0."),
    ]
    otherwise = "the source is not yet (source - its mean) / its deviation, column by column."
    expect(ours, moved(source, source), wrong, otherwise, rtol=1e-3)
    wrong = [
        (target, "the target is as it was: it needs its own mean and deviation as well."),
        (moved(target, source), "that is the usual scaler, fitted on the source. Here the TARGET's own mean is wanted."),
        (target - target.mean(axis=0), "that is the mean alone. Divide the target by its deviation as well."),
    ]
    expect(theirs, moved(target, target), wrong, "the target is not yet (target - its mean) / its deviation.", rtol=1e-3)


def _power(matrix: np.ndarray, exponent: float) -> np.ndarray:
    values, vectors = np.linalg.eigh(matrix)
    return vectors * values**exponent @ vectors.T


@exercise(
    "the source now has the target's covariance: what the target has stretched is stretched, what it has tilted is tilted."
)
def check_coral(find: Any) -> None:
    source, target = (some - some.mean(axis=0) for some in _two_clouds())
    first, second = np.cov(source.T), np.cov(target.T)
    matrix = as_array(call(find, first, second), shape=(3, 3))
    wrong = [
        (_power(first, -0.5), "that only whitens: it takes the source's shape off. Now put the target's on."),
        (_power(second, 0.5), "that puts the target's shape on top of the source's. Take that of the source off first."),
        (_power(first, 0.5) @ _power(second, -0.5), "both powers are swapped: OFF with the source's, ON with the target's."),
        (np.linalg.inv(first) @ second, "those are the powers -1 and 1. A covariance is a square: take -1/2 and 1/2."),
        (_power(second, 0.5) @ _power(first, -0.5), "the order is reversed. A row meets the left matrix first."),
        (_power(first, -0.5) * _power(second, 0.5), "`*` multiplies entry by entry. Matrices want `@`."),
    ]
    right = _power(first, -0.5) @ _power(second, 0.5)
    same = matrix.T @ first @ matrix
    if not np.allclose(same, second, rtol=1e-4, atol=1e-6):  # any other root that does the same is right as well
        expect(matrix, right, wrong, "the covariance of source @ matrix is not the target's.", rtol=1e-4)


@exercise("it believes its own mistakes, and learns them.")
def check_self_training_guess(answer: Any) -> None:
    known = ("ahead", "behind", "not told apart")
    hint_if(answer not in known, f"choose one of {known}, as text; received {answer!r:.40}.")
    hint_if(answer == "ahead", "it learns from its own answers, and half of those are wrong. What does it learn from them?")
    unsure = "its own answers change it. Where it is sure and wrong, does it get nearer to the truth, or further away?"
    hint_if(answer == "not told apart", unsure)


@number_exercise(
    (2.5, "the label pulls one way, and the domain, reversed, the other way."),
    (-0.5, "that adds the domain's gradient as it is. The layer reverses it: its sign changes."),
    (4.0, "that reverses the domain's gradient at full strength. Here the strength is 1/2."),
    (1.0, "that is the label's part alone. The domain's part comes back as well, reversed."),
    (-2.0, "that adds the domain's gradient at full strength, unreversed. Reverse it and take half."),
    (1.5, "that is the domain's part alone. The label's gradient comes on top."),
)
def check_reversed_gradient(number: float) -> str:
    return f"{number:.4g}? The label's part is h - 1, the domain's is h - 5; the second comes back times -1/2."


class _Watched:
    """A model that says what it was asked; the settings differ in entropy, source validation and target accuracy."""

    def __init__(self, setting: float, asked: list[str]) -> None:
        self.setting, self.asked = setting, asked

    def predict_proba(self, images: str) -> np.ndarray:
        self.asked.append(f"answers {images}")
        sure = {0.1: 0.6, 0.3: 0.9, 1.0: 0.7}[self.setting] if images != "source images" else 0.99
        return np.array([[sure, 1 - sure]] * 3)

    def score(self, images: str, labels: str) -> float:
        self.asked.append(f"score {images.partition(' ')[0]}")
        return {0.1: 0.5, 0.3: 0.6, 1.0: 0.8}[self.setting] - 0.05 * images.startswith("pool")


@exercise("no target label has had a say, and the test was opened once. It is a smaller number, and a true one.")
def check_label_free_choice(accuracy: Any) -> None:
    from sklearn.utils import Bunch

    asked: list[str] = []
    task = Bunch(
        **{f"{part}_{what}": f"{part} {what}" for part in ("source", "pool", "test") for what in ("images", "labels")}
    )
    number = as_number(call(accuracy, lambda _task, setting: _Watched(setting, asked), task, (0.1, 0.3, 1.0)))
    opened = asked.count("score test")
    hint_if("score pool" in asked, "that scores the pool's labels, and in the target there are none. Use predict_proba.")
    hint_if("score source" in asked, "the source says how well the source is read. Ask about the pool's images here.")
    hint_if(opened == 0 and number < 0.5, "that is the entropy, which chose. Report the test accuracy of what it chose.")
    hint_if(opened == 0, "the test was never opened. What will you report?")
    hint_if("answers test images" in asked, "choose on the pool. The test images are for the end.")
    hint_if(np.isclose(number, 0.8), "that setting is best on the TEST: its labels chose, and then they were the judge.")
    hint_if(np.isclose(number, 0.5), "that is the setting with the LARGEST entropy, the least sure one.")
    hint_if(opened > 1, f"the right setting, but the test was opened {opened} times. Once, after the choice.")
    hint_if(not np.isclose(number, 0.6), f"{number:.4g} is not the test accuracy of the setting with the smallest entropy.")


@number_exercise(
    (5, "the target was right where it was, and moving the means pushed it off by half the gap between the classes."),
    (0, "nothing has shifted, true. But the means differ, since the pool has one class only. Move them and look again."),
    (10, "that is the gap between the classes. The source's mean lies half-way between them."),
    (-5, "that is where it lies on the line. How far is it, without a sign, from the source's place for this class?"),
    (15, "the target's mean is 10, and taking it off puts the class at 0. Where does the source have it then?"),
)
def check_half_pool(number: float) -> str:
    return f"{number:.4g}? The source's mean is 5 and the pool's is 10. Take each off its own, then compare class B."


FIRST = {"a": "standardise", "b": "nothing", "c": "standardise", "d": "labels"}


@exercise("first look at what has moved, then take what is free, and then ask what one label costs.")
def check_what_first(answers: Any) -> None:
    hints = {
        "a": "case a: the new scanner changes all pictures alike, and the mix of classes stays. What is cheapest?",
        "b": "case b: the pictures are as they were, only the mix is another. What would moving the mean do then?",
        "c": "case c: what did moving mean and spread gain on scale, without a label?",
        "d": "case d: what is free has been done. What did five labels a class add on scale?",
    }
    expect_cases(answers, FIRST, ("standardise", "labels", "nothing"), hints)
