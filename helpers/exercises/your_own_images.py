"""Checks of notebook 13, your own images."""

from typing import Any

import numpy as np

from helpers.exercises.feedback import NotYet, as_array, as_number, call, exercise, expect, expect_cases, hint_if


@exercise("0.80 looks good, and it is the accuracy of looking at nothing; balanced, it is guessing among three.")
def check_always_bag(answer: Any) -> None:
    accuracy, balanced = as_array(answer, shape=(2,))
    hint_if(max(accuracy, balanced) > 1, "both are shares, from 0 to 1.")
    hint_if(np.isclose(accuracy, 1 / 3, atol=0.01), "accuracy counts photographs: how many of the 300 are bags?")
    hint_if(np.isclose(balanced, 0.8), "balanced: each CLASS counts the same. Which share of the hats is right?")
    hint_if(np.isclose(balanced, 1), "balanced: all bags are right, but two more classes count, and none of theirs is.")
    hint_if(np.isclose(balanced, 0), "balanced: the bags are all right, so it is more than 0.")
    hint_if(not np.isclose(accuracy, 0.8, atol=0.005), f"accuracy {accuracy:.4g}? 240 of 300 are right.")
    hint_if(not np.isclose(balanced, 1 / 3, atol=0.005), f"balanced {balanced:.4g}? The mean of 1, 0 and 0.")


def _wilson(right: float, count: float, z: float = 1.96) -> np.ndarray:
    share, grow = right / count, 1 + z**2 / count
    half = z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return np.array([share + z**2 / (2 * count) - half, share + z**2 / (2 * count) + half]) / grow


@exercise("18 of 20 is 0.90 (0.70 to 0.97): twenty test photographs leave a lot open.")
def check_wilson(wilson: Any) -> None:
    for right, count in ((18, 20), (20, 20), (150, 200)):
        ends = as_array(call(wilson, right, count)).reshape(-1)
        hint_if(ends.size != 2, f"two numbers are wanted, both ends; received {ends.size}.")
        share, z = right / count, 1.96
        plain, grow = z * np.sqrt(share * (1 - share) / count), 1 + z**2 / count
        middle, inner = share + z**2 / (2 * count), share * (1 - share) / count
        wrong = [
            ([share - plain, share + plain], "that is p ± z sqrt(p (1 - p) / n), which ends at 1.03 for 18 of 20."),
            (_wilson(right, count)[::-1], "the lower end comes first."),
            (_wilson(right, count) * grow, "divide both ends by 1 + z² / n."),
            ((middle + np.array([-z, z]) * np.sqrt(inner)) / grow, "z² / (4 n²) is missing under the root."),
            (_wilson(right, count, 1.0), "z is 1 there. For 95 % it is 1.96."),
            (_wilson(right, count) * 100, "shares are wanted, from 0 to 1, and no percent."),
        ]
        otherwise = f"{ends[0]:.3f} to {ends[1]:.3f} for {right} of {count}? Take the formula term by term."
        expect(ends, _wilson(right, count), wrong, otherwise, atol=0.002)


@exercise("what it refuses is neither right nor wrong, so accuracy is that of the answers.")
def check_at_threshold(at_threshold: Any) -> None:
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.2, 0.8], [0.55, 0.45]])
    labels = np.array([0, 1, 1, 0, 0])
    found = as_array(call(at_threshold, probabilities, labels, 0.7)).reshape(-1)
    hint_if(found.size != 2, f"two numbers are wanted, coverage and accuracy; received {found.size}.")
    wrong = [
        ([0.6, 0.6], "that is the accuracy of all five. Only those that are answered count."),
        ([0.6, 0.4], "right answers are divided by all pictures there. Divide by those that are answered."),
        ([0.4, 0.5], "a picture whose confidence IS the threshold is answered: use >=."),
        ([0.4, 2 / 3], "that is the share that is refused. Coverage is the share that is answered."),
        ([2 / 3, 0.6], "coverage comes first, then accuracy."),
        ([3, 2], "those are counts. Shares are wanted."),
        ([3, 2 / 3], "coverage is a share: divide by the number of all pictures."),
    ]
    expect(found, [0.6, 2 / 3], wrong, f"{found[0]:.3g} and {found[1]:.3g}? Confidence is the largest probability of a row.")
    nobody = as_array(call(at_threshold, probabilities[:1], labels[:1], 0.5)).reshape(-1)
    expect(nobody, [1, 1], [], "one picture, answered and right, should give 1 and 1.")


@exercise("copies are found and kept together, but patches of one photograph are no copies, and no program knows.")
def check_which_split(answer: Any) -> None:
    known = ("file by file", "copies together", "both", "neither")
    hint_if(answer not in known, f"choose one of {known}, as text; received {answer!r:.40}.")
    hints = {
        "file by file": "most test pictures have a copy in training there, so looking up would be enough.",
        "copies together": "better, but what else do two patches of ONE brick wall share, without being copies?",
        "both": "one of them has copies of its test pictures in training. Can it be honest about new places?",
    }
    hint_if(answer in hints, hints.get(answer))


@exercise("whole groups change side, so a test photograph has no relative in training.")
def check_test_places(test_places: Any) -> None:
    groups = np.repeat(np.arange(60), np.random.default_rng(0).integers(1, 5, 60))
    groups = np.random.default_rng(1).permutation(groups)
    seen = []
    for seed in range(4):
        places = as_array(call(test_places, groups.copy(), 0.25, seed)).reshape(-1)
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
    again = as_array(call(test_places, groups.copy(), 0.25, 3)).reshape(-1)
    if tuple(np.sort(again)) != seen[-1]:
        raise NotYet("the same seed gave another split. Make the generator inside, from the seed.")


@exercise("a straight line of logarithms, drawn on to a number of photographs that nobody has yet.")
def check_extrapolate(extrapolate: Any) -> None:
    counts, errors = np.array([1, 2, 4, 8]), 0.4 * np.array([1, 2, 4, 8]) ** -0.7
    errors = errors * np.array([1.05, 0.97, 1.0, 0.99])
    number = as_number(call(extrapolate, counts.copy(), errors.copy(), 32))
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


@exercise("the less a model that has not seen a photograph believes its label, the sooner somebody should look.")
def check_suspects(suspects: Any) -> None:
    random = np.random.default_rng(6)
    probabilities, labels = random.dirichlet(np.ones(4), 30), random.integers(0, 4, 30)
    own = probabilities[np.arange(30), labels]
    places = as_array(call(suspects, probabilities, labels, 5)).reshape(-1)
    differs = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    surest = differs[np.argsort(-probabilities[differs].max(axis=1))]
    wrong = [
        (np.argsort(-own)[:5], "those are the labels that are believed most. Sort the other way round."),
        (np.argsort(probabilities.max(axis=1))[:5], "that sorts by confidence. What is its probability of the GIVEN label?"),
        (differs[:5], "those are wrong answers, in the order of the folder. The least believed label comes first."),
        (np.argsort(own)[-5:], "argsort is rising, so the least believed stand at its beginning."),
        (np.sort(own)[:5], "those are probabilities. Places are wanted: np.argsort."),
        (surest[:5], "that sorts by the OTHER answer. Take the given label."),
    ]
    hint_if(places.size != 5, f"{places.size} places; as many as `count` are wanted.")
    expect(places, np.argsort(own)[:5], wrong, "not yet: the probability of each given label, sorted, the lowest first.")


CASES = {"a": "measured", "b": "not tested", "c": "measured to be false", "d": "not tested"}


@exercise("only what was measured goes on the card, and what was not tested is said.")
def check_promises(answers: Any) -> None:
    hints = {
        "a": "case a: that is our test part, opened once.",
        "b": "case b: how many walls are in the folder brick?",
        "c": "case c: a whole class was left out of training, and then shown. How many of its pictures got an answer?",
        "d": "case d: in which cell did the light change?",
    }
    expect_cases(answers, CASES, ("measured", "not tested", "measured to be false"), hints)
