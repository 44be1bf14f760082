"""Checks of notebook 09, four kinds of transfer."""

from typing import Any

import numpy as np

from helpers import transfer_kinds as kinds
from helpers.exercises.feedback import (
    NotYet,
    as_array,
    as_number,
    call,
    exercise,
    expect,
    expect_cases,
    hint_if,
    number_exercise,
)
from helpers.training import load_runs


@number_exercise(
    (3, "upright digits are three times as common in the target as in the source."),
    (1 / 3, "that is source divided by target. It is the other way round."),
    (0.75, "that is the share of upright digits in the target. Divide it by their share in the source."),
    (0.25, "that is their share in the source. It belongs below the line."),
    (9, "each share was used twice. It is one division: 3/4 by 1/4."),
)
def check_importance_weight(number: float) -> str:
    return f"{number:.4g}? Share in the target divided by share in the source, both of upright digits."


@exercise("odds of the target, times how many source images there are for each target image.")
def check_weights_from_probabilities(weigh: Any) -> None:
    p, source, target = np.array([0.5, 0.2, 0.9, 0.05]), 1500, 50
    odds = p / (1 - p)
    values = as_array(call(weigh, p, source, target), shape=(4,))
    wrong = [
        (p, "those are the probabilities themselves. The ratio of both domains is p / (1 - p)."),
        (odds, "the odds are right. But the classifier saw 30 times as many source images; undo that."),
        (odds * target / source, "the correction is upside down: rare target images made p too small."),
        ((1 - p) / p * source / target, "that is source over target: p is the probability of TARGET."),
        (p * source / target, "p has to be divided by 1 - p, the probability of the source."),
    ]
    otherwise = "not yet: odds p / (1 - p), times source_count / target_count."
    expect(values, odds * source / target, wrong, otherwise, rtol=1e-4)


class _Watched:
    """A model that says which part it was asked about; its best share differs between validation and test."""

    def __init__(self, share: float, asked: list[str]) -> None:
        self.share, self.asked = share, asked

    def score(self, images: str, labels: str) -> float:
        part = str(images).partition(" ")[0]
        self.asked.append(part)
        best = {"validation": 0.5, "test": 0.75}.get(part, 0.25)
        return 0.9 - abs(self.share - best) - (0.1 if part == "test" else 0)


@exercise("chosen on validation, and the test digits were opened once.")
def check_honest_share(accuracy: Any) -> None:
    from sklearn.utils import Bunch

    asked, parts = [], ("source", "target", "validation", "test")
    task = Bunch(**{f"{part}_{what}": f"{part} {what}" for part in parts for what in ("images", "labels")})
    number = as_number(call(accuracy, lambda _task, share: _Watched(share, asked), task, (0.25, 0.5, 0.75)))
    opened = asked.count("test")
    hint_if(opened == 0 and number == 0.9, "that is the best VALIDATION accuracy, which chose. Report the test's.")
    hint_if(opened == 0, "the test digits were never opened. What will you report?")
    hint_if(np.isclose(number, 0.8), "that share is best on the TEST digits: they chose, and then they were the judge.")
    hint_if("source" in asked or "target" in asked, "choose on validation digits, not on those that were learned.")
    hint_if(opened > 1, f"the right share, but the test digits were opened {opened} times. Once, after the choice.")
    hint_if(not np.isclose(number, 0.55), f"{number:.4g} is not the test accuracy of the share that validation prefers.")


@exercise(
    "{matching:.2f} against {pooled:.2f}: it rests on fewer examples, and keeps wrong labels as readily as right ones."
)
def check_mislabelled_guess(answer: Any) -> dict[str, float]:
    known = ("ahead", "behind", "not told apart")
    hint_if(answer not in known, f"choose one of {known}, as text; received {answer!r:.40}.")
    hint_if(answer == "ahead", "it sees images and no labels. Do mislabelled images look different?")
    unused = "it cannot find the wrong labels. But its weights are not equal: on how many images do they rest now?"
    hint_if(answer == "not told apart", unused)
    asked = {"flaw": "mislabelled", "labels_per_class": 5, "model": "logistic", "film": None}
    arms = {"matching": "kernel mean matching", "pooled": "pooled, share tuned"}
    return {key: np.mean(load_runs("kinds", arm=arm, **asked)[0]["test"]) for key, arm in arms.items()}


@exercise("two opposite moves: source examples that are misread fade, target examples that are misread grow.")
def check_boosting_step(step: Any) -> None:
    source, target = np.array([1.0, 2.0, 1.0]), np.array([1.0, 1.0, 1.0, 1.0, 2.0])
    source_wrong, target_wrong = np.array([True, False, True]), np.array([False, True, False, False, False])
    result = call(step, source, target, source_wrong, target_wrong, 4)
    hint_if(not isinstance(result, tuple | list) or len(result) != 2, "return two arrays: source weights, target weights.")
    ours, theirs = as_array(result[0], shape=(3,)), as_array(result[1], shape=(5,))
    right = kinds.boosting_step(source, target, source_wrong, target_wrong, rounds=4)
    fixed = 1 / (1 + np.sqrt(2 * np.log(3) / 4))
    wrong_source = [
        (source, "source examples that are misread have to lose weight, and yours stay as they are."),
        (source * fixed ** -source_wrong.astype(float), "misread source examples GAIN. They should fade: multiply by beta."),
        (
            source * fixed**~source_wrong,
            "the source examples that were read well lose weight. Those that are misread should.",
        ),
        (source * right[2] ** source_wrong, "the source uses the fixed beta, which does not depend on the error."),
    ]
    expect(ours, right[0], wrong_source, "source: weights * fixed ** source_wrong, with n the number of SOURCE examples.")
    everything = (source @ source_wrong + target @ target_wrong) / (source.sum() + target.sum())
    error = target_wrong.mean()
    wrong_target = [
        (target, "target examples that are misread have to gain weight, and yours stay as they are."),
        (target * right[2] ** target_wrong, "misread target examples fade. They should GROW: divide by beta_t."),
        (target * ((1 - everything) / everything) ** target_wrong, "the error is that on the TARGET examples alone."),
        (target * ((1 - error) / error) ** target_wrong, "the error has to be weighted: the last example counts twice."),
    ]
    expect(theirs, right[1], wrong_target, "target: weights * beta_t ** -target_wrong, beta_t = error / (1 - error).")


@exercise("within a class, all directions now vary equally.")
def check_whitening(find: Any) -> None:
    random = np.random.default_rng(8)
    labels = np.repeat([0, 1, 2], 60)
    features = random.normal(size=(180, 3)) * [3, 1, 0.3] + np.array([[8, 0, 0], [0, 8, 0], [0, 0, 8]])[labels]
    matrix = as_array(call(find, features, labels), shape=(3, 3))

    def covariance(some: np.ndarray) -> np.ndarray:
        own = some - np.stack([some[labels == label].mean(axis=0) for label in labels])
        return own.T @ own / len(some)

    mapped, total = covariance(features @ matrix), np.cov((features @ matrix).T)
    if np.allclose(mapped, np.eye(3), atol=0.05):
        return
    hint_if(
        np.allclose(total, np.eye(3), atol=0.05), "that whitens ALL features. Take the mean of its class off each first."
    )
    hint_if(np.allclose(matrix, covariance(features), atol=0.2), "that is the covariance itself. Its power -1/2 is wanted.")
    inverse = np.linalg.inv(covariance(features))
    hint_if(
        np.allclose(matrix, inverse, rtol=0.05, atol=0.05), "that is the inverse, the power -1. Wanted is the power -1/2."
    )
    root = np.allclose(mapped, np.linalg.matrix_power(covariance(features), 2), rtol=0.05, atol=0.05)
    hint_if(root, "that is the power +1/2: it stretches what varies. Divide by the root of the eigenvalues.")
    hint_if(np.allclose(matrix, np.eye(3)), "that changes nothing.")
    raise NotYet("the covariance within classes of features @ matrix is not the identity.")


CASES = {"a": "instances", "b": "relations", "c": "instances", "d": "none"}
ALSO = {("c", "features"), ("c", "model")}


@exercise("what is wrong with the source decides, and sometimes the answer is to leave it alone.")
def check_which_kind(answers: Any) -> None:
    known = ("instances", "features", "model", "relations", "none")
    hints = {
        "a": "case a: a part of the source looks like your target, the rest does not. What would you do with each part?",
        "b": "case b: none of your classes is in the source. What can still be learned from pairs of its examples?",
        "c": "case c: its classes are yours, only the names are lost. Could they be found again, or done without?",
        "d": "case d: with twenty labels a class, was anything from the other scanner ahead of an SVM on your own labels?",
    }
    expect_cases(answers, CASES, known, hints, also=ALSO)
