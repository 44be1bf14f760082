"""Checks of notebook 13, your own images, and the functions that it uses until the learner's are right."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from helpers.exercises.feedback import (
    NotYet,
    as_array,
    as_number,
    call,
    exercise,
    expect,
    expect_cases,
    hint_if,
    verdict,
)


def group_interval(right: np.ndarray, groups: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return both ends of the 95 % bootstrap interval of a mean, where whole groups are drawn."""
    _, number = np.unique(groups, return_inverse=True)
    hits, sizes = np.bincount(number, weights=right), np.bincount(number)
    drawn = np.random.default_rng(seed).integers(len(sizes), size=(2000, len(sizes)))
    return np.percentile(hits[drawn].sum(axis=1) / sizes[drawn].sum(axis=1), [2.5, 97.5])


def at_threshold(probabilities: np.ndarray, labels: np.ndarray, threshold: float) -> tuple[float, float]:
    """Return the share of pictures that are answered, and the share of these that are right."""
    answered = probabilities.max(axis=1) >= threshold
    right = probabilities.argmax(axis=1) == labels
    return answered.mean(), right[answered].mean() if answered.any() else np.nan


def test_places(groups: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Return the places of the photographs of about `share` of the groups."""
    names = np.random.default_rng(seed).permutation(np.unique(groups))
    return np.flatnonzero(np.isin(groups, names[: round(share * len(names))]))


def extrapolate(counts: np.ndarray, errors: np.ndarray, count: float) -> float:
    """Return the error at `count` on a straight line through the logarithms."""
    slope, start = np.polyfit(np.log(counts), np.log(errors), 1)
    return np.exp(start + slope * np.log(count))


def suspects(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the places where the model answers another class than the label, the least believed label first."""
    own = probabilities[np.arange(len(labels)), labels]
    differs = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return differs[np.argsort(own[differs])]


def or_ours(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the learner's function if its check finds it right, and the function of the same name above if not yet."""
    here = globals()
    right = verdict("", here[f"check_{function.__name__}"].__wrapped__, function).startswith("Correct")
    return function if right else here[function.__name__]


@exercise("the less a model that has not seen a photograph believes its label, the sooner somebody should look.")
def check_suspects(learners: Any) -> None:
    random = np.random.default_rng(6)
    probabilities = random.dirichlet(np.ones(4), 30)
    labels = np.where(np.arange(30) % 5 == 0, random.integers(0, 4, 30), probabilities.argmax(axis=1))
    labels[[3, 8, 14]] = (labels[[3, 8, 14]] + 1) % 4
    own, right = probabilities[np.arange(30), labels], suspects(probabilities, labels)
    found = call(learners, probabilities.copy(), labels.copy())
    hint_if(np.asarray(found).dtype == bool, "that is True and False for each picture. Places are wanted: np.flatnonzero.")
    places = as_array(found).reshape(-1)
    surest = right[np.argsort(-probabilities[right].max(axis=1))]
    wrong = [
        (right[::-1], "those are the right places, the most believed first. The least believed comes first."),
        (np.sort(right), "those are the right places, in the order of the folder. The least believed label comes first."),
        (np.argsort(own), "those are all pictures. Keep those for which the model answers another class than the label."),
        (np.argsort(-own), "those are all pictures, and the most believed first."),
        (np.argsort(probabilities.max(axis=1)), "that sorts by confidence. What is its probability of the GIVEN label?"),
        (
            np.argsort(own[np.sort(right)]),
            "those are places among the suspects. Use them to choose from the suspects' own places.",
        ),
        (np.sort(own[right]), "those are probabilities. Places are wanted: np.argsort."),
        (surest, "that sorts by the OTHER answer. Take the probability of the given label."),
    ]
    count = f"{len(places)} places, and for {len(right)} the model answers another class than the label."
    otherwise = count if len(places) != len(right) else "look at the probability of each given label, the lowest first."
    expect(places, right, wrong, otherwise)


@exercise("few groups leave a lot open, however many pictures each of them has.")
def check_group_interval(learners: Any) -> None:
    groups = np.random.default_rng(1).permutation(np.repeat([3, 5, 8, 9, 20, 31, 40, 41, 55, 60, 61, 77], 10))
    right = ~np.isin(groups, [5, 40, 60])
    right[:6] = ~right[:6]
    ends = as_array(call(learners, right.copy(), groups.copy())).reshape(-1)
    hint_if(ends.size != 2, f"two numbers are wanted, both ends; received {ends.size}.")
    true, share = group_interval(right, groups), right.mean()
    single, half = group_interval(right, np.arange(120)), (true[1] - true[0]) / 2
    wrong = [
        (single, "that draws single pictures. Draw groups, and take all pictures of each."),
        ([share, share], "no spread at all: did you draw without replacement, or only once?"),
        (true[::-1], "the lower end comes first."),
        (true * 100, "shares are wanted, from 0 to 1, and no percent."),
        (
            [share - half / 1.96, share + half / 1.96],
            "that is one standard deviation each way. Take percentiles 2.5 and 97.5.",
        ),
    ]
    low_end = (
        "the lower end is the lowest of all means. np.percentile counts from 0 to 100: 2.5 and 97.5, not 0.025 and 0.975."
    )
    hint_if(ends[0] < ends[1] < true[0] + 0.05, low_end)
    otherwise = f"{ends[0]:.2f} to {ends[1]:.2f}? Draw as many groups as there are, with replacement, 2,000 times."
    expect(ends, true, wrong, otherwise, atol=0.035)


@exercise("what it refuses is neither right nor wrong, so accuracy is that of the answers.")
def check_at_threshold(learners: Any) -> None:
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.2, 0.8], [0.55, 0.45], [0.95, 0.05]])
    labels = np.array([0, 1, 1, 0, 0, 0])
    found = as_array(call(learners, probabilities, labels, 0.7)).reshape(-1)
    hint_if(found.size != 2, f"two numbers are wanted, coverage and accuracy; received {found.size}.")
    wrong = [
        ([2 / 3, 2 / 3], "that is the accuracy of all six. Only those that are answered count."),
        ([2 / 3, 1 / 2], "right answers are divided by all pictures there. Divide by those that are answered."),
        ([1 / 2, 2 / 3], "a picture whose confidence IS the threshold is answered: use >=."),
        ([1 / 3, 1 / 2], "that takes the column of class 1 only. Confidence is the largest number of each row."),
        ([1 / 3, 3 / 4], "that is the share that is refused. Coverage is the share that is answered."),
        ([3 / 4, 2 / 3], "coverage comes first, then accuracy."),
        ([4, 3], "those are counts. Shares are wanted."),
        ([4, 3 / 4], "coverage is a share: divide by the number of all pictures."),
    ]
    otherwise = f"{found[0]:.3g} and {found[1]:.3g}? Confidence is the largest probability of a row."
    expect(found, [2 / 3, 3 / 4], wrong, otherwise)
    with np.errstate(invalid="ignore"), warnings.catch_warnings(action="ignore"):
        nobody = call(learners, probabilities, labels, 0.99)
    hint_if(np.size(nobody) != 2 or nobody[0] != 0, "with a threshold of 0.99 nothing is answered: coverage is 0.")
    hint_if(not np.isnan(nobody[1]), "with a threshold of 0.99 nothing is answered. Then the share of right ones is np.nan.")


@exercise("whole groups change side, so a test photograph has no relative in training.")
def check_test_places(learners: Any) -> None:
    groups = np.repeat(np.arange(60), np.random.default_rng(0).integers(1, 5, 60))
    groups = np.random.default_rng(1).permutation(groups)
    seen = []
    for seed in range(4):
        places = as_array(call(learners, groups.copy(), 0.25, seed)).reshape(-1)
        hint_if(set(np.unique(places)) <= {0, 1}, "places are wanted: whole numbers, not True and False.")
        hint_if(len(np.unique(places)) < len(places), "the same place is in it twice.")
        hint_if(places.size == 0 or places.max() >= len(groups), "places among the photographs are wanted, at least one.")
        chosen = np.zeros(len(groups), bool)
        chosen[places.astype(int)] = True
        both = np.intersect1d(groups[chosen], groups[~chosen])
        hint_if(len(both) > 0, f"{len(both)} groups lie on both sides. Draw groups, and take all photographs of each.")
        share = chosen.mean()
        hint_if(not 0.12 < share < 0.38, f"a share of {share:.2f} is in the test part; about 0.25 is wanted.")
        seen.append(tuple(np.sort(places)))
    hint_if(len(set(seen)) == 1, "the seed changes nothing: random = np.random.default_rng(seed).")
    again = as_array(call(learners, groups.copy(), 0.25, 3)).reshape(-1)
    if tuple(np.sort(again)) != seen[-1]:
        raise NotYet("the same seed gave another split. Make the generator inside, from the seed.")


@exercise("copies are found and kept together, but patches of one photograph are no copies, and no program knows.")
def check_which_split(answer: Any) -> None:
    known = ("file by file", "copies together", "both", "neither")
    said = answer.strip().lower() if isinstance(answer, str) else answer
    hint_if(said not in known, f"choose one of {known}, as text; received {answer!r:.40}.")
    hints = {
        "file by file": "most test pictures have a copy in training there, so looking up would be enough.",
        "copies together": "better, but what else do two patches of ONE brick wall share, without being copies?",
        "both": "one of them has copies of its test pictures in training. Can it be honest about new places?",
    }
    hint_if(said in hints, hints.get(said))


@exercise("a straight line of logarithms, drawn on to a number of photographs that nobody has yet.")
def check_extrapolate(learners: Any) -> None:
    counts, errors = np.array([1, 2, 4, 8]), 0.4 * np.array([1, 2, 4, 8]) ** -0.7
    errors = errors * np.array([1.05, 0.97, 1.0, 0.99])
    number = as_number(call(learners, counts.copy(), errors.copy(), 32))
    slope, start = np.polyfit(np.log(counts), np.log(errors), 1)
    straight, half = np.polyfit(counts, errors, 1), np.polyfit(np.log(counts), errors, 1)
    wrong = [
        (slope * np.log(32) + start, "that is the logarithm of the error. Take np.exp of it."),
        (np.polyval(straight, 32), "a straight line of the numbers themselves falls below zero. Take logarithms first."),
        (np.polyval(half, np.log(32)), "only the counts are logarithms there. Take np.log of the errors, too."),
        (np.exp(slope * 32 + start), "the line wants the logarithm of the count: np.log(count)."),
        (np.exp(start), "that is the error at one photograph. Add slope * np.log(count)."),
        (errors[-1], "that is the last error that was measured."),
        (1 - np.exp(slope * np.log(32) + start), "that is the accuracy. The error is wanted."),
    ]
    otherwise = f"{number:.4g}? Fit log(error) = slope * log(count) + start, then go to the new count."
    expect(number, np.exp(slope * np.log(32) + start), wrong, otherwise)


@exercise("few photographs of a class are better than fewer of all, and weights make them count.")
def check_rare_classes(answer: Any) -> None:
    known = ["cut down", "as they are", "weights"]
    complete = isinstance(answer, list | tuple) and sorted(map(str, answer)) == sorted(known)
    hint_if(not complete, f"a list of these three is wanted, each once: {known}.")
    low, middle, high = answer
    hint_if(high == "cut down", "cut down has thrown most photographs away. What could it know that the others do not?")
    hint_if(low == "as they are", "cutting down makes classes equal. But what was thrown away cannot be learned from.")
    hint_if(low == "weights", "weights keep every photograph, and make rare classes count as much. Can that be the worst?")
    hint_if(middle == "weights", "without weights the loss is mostly about common classes; balanced accuracy is not.")


CASES = {"a": "measured", "b": "not tested", "c": "measured to be false", "d": "not tested"}


@exercise("only what was measured goes on the card, and what was not tested is said.")
def check_promises(answers: Any) -> None:
    hints = {
        "a": "case a: that is our test part, with the interval over whole photographs.",
        "b": "case b: how many walls are in the folder brick?",
        "c": "case c: a whole class was left out of training, and then shown. How many of its pictures got an answer?",
        "d": "case d: in which cell did the camera change?",
    }
    expect_cases(answers, CASES, ("measured", "not tested", "measured to be false"), hints)
