"""Visible checks of the assignment on mistakes that run: small examples, each with its usual wrong answers.

A learner gets this file. It holds the numbers of the examples and no formula that a task asks for.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from helpers.exercises.feedback import NotYet, as_array, as_number, call, exercise, expect, hint_if

PROGRAM = """
base.trainable = False
print("frozen:", not base.trainable)
model.compile("adam", "sparse_categorical_crossentropy")
model.fit(images, labels, epochs=3)
for layer in base.layers[-4:]:
    layer.trainable = True
model.fit(images, labels, epochs=1)
model.fit(images, labels, epochs=2)
# model.compile("adam", "sparse_categorical_crossentropy")
model.fit(images, labels, epochs=3)
model.compile("adam", "sparse_categorical_crossentropy")
model.fit(images, labels, epochs=3)
""".strip().splitlines()
READ, READ_OF_EACH, READ_ALONE = 0.75, 0.3, 0.5
LOT, LEARNED = 0.25, 0.75
SOUND = {
    "scale": [0.81, 0.62, 0.74, 0.90, 0.69],
    "classes": [0.70, 0.72, 0.68, 0.71, 0.69],
    "batches": [0.52, 0.50, 0.51, 0.53, 0.49],
    "shuffle": [0.90, 0.91, 0.89, 0.92, 0.90],
    "noise": [0.80, 0.82, 0.81, 0.79, 0.80],
}
BROKEN = {
    "scale": [0.76, 0.56, 0.70, 0.84, 0.64],
    "classes": [0.71, 0.73, 0.67, 0.73, 0.06],
    "batches": [0.53, 0.50, 0.50, 0.54, 0.48],
    "shuffle": [0.78, 0.80, 0.77, 0.80, 0.79],
    "noise": [0.83, 0.86, 0.84, 0.83, 0.83],
}


@exercise("0.625 for a network without a mistake: each answer was compared with every label.")
def check_report_of_a_perfect_network(answer: Any) -> None:
    wrong = [
        (1, "that is what it should report. What shape does `answers == labels` have?"),
        (0.75, "that is the share of the zeros. The one is compared as well."),
        (0.25, "that is the share of the ones, and only a part of what comes out as true."),
        (0.5, "that would come out if half of the labels were ones. Here it is one of four."),
        (10, "that is how many comparisons come out as true. Divide by the number of comparisons."),
        (0.375, "that is the share that comes out as false."),
    ]
    found = as_number(call(answer, labels=np.array([0, 0, 0, 1])))
    expect(found, 0.625, wrong, f"not {found:.4g} for 0, 0, 0, 1. Draw the table of all comparisons.", form=".4g", atol=1e-6)


@exercise("these three do not know of the change.")
def check_stale_fits(answer: Any) -> None:
    found = numbers(call(answer, list(PROGRAM)))
    hints = {
        (6, 7, 9): "count the lines from 1. You count from 0.",
        (6,): "line 6 makes the change, and there is nothing wrong with it. Which lines train without knowing of it?",
        (7,): "line 7 is one of them. Does training make the change known to the lines after it?",
        (7, 8): "line 9 is a comment and compiles nothing, so line 10 does not know of the change either.",
        (7, 8, 10, 12): "line 12 is sound: line 11 has told the model.",
        (4, 7, 8, 10): "line 4 is sound: `base` was frozen before it was compiled.",
        (4, 7, 8, 10, 12): "those are all lines that train. Which of them do not know of a change?",
        (12,): "line 12 is sound: line 11 has told the model. You have it the wrong way round.",
        (): "there are some. Which lines give `.trainable` a value, and what happens before the next `.compile(`?",
    }
    otherwise = f"{found} is not right for the program of the check. What has changed since the last compile()?"
    hint_if(found != [7, 8, 10], hints.get(tuple(found), otherwise))


def numbers(result: Any) -> list[int]:
    """Return the numbers of lines of an answer, sorted, or raise the hint that says what is wanted."""
    listed = isinstance(result, list | tuple | set | np.ndarray)
    hint_if(not listed, f"a list of numbers of lines is wanted, and this is of type {type(result).__name__}.")
    try:
        return sorted({int(number) for number in result})
    except (TypeError, ValueError):
        raise NotYet("the list should hold numbers of lines and nothing else.") from None


@exercise("it reads {right:.2f} of a mixed pile, and {alone:.2f} where all show the same digit.")
def check_read_digits(answer: Any) -> dict[str, float]:
    return measure_reading(answer, load_digits().images / 16, load_digits().target, same=7, seed=0)


def measure_reading(answer: Any, images: np.ndarray, labels: np.ndarray, *, same: int, seed: int) -> dict[str, float]:
    """Return how many new images a program reads, mixed ones and those of the digit `same` alone, or raise a hint."""
    random = np.random.default_rng(seed)
    of_each = [random.permutation(np.flatnonzero(labels == digit)) for digit in range(10)]
    own, mixed = (np.concatenate([some[part] for some in of_each]) for part in (slice(30), slice(30, 60)))
    mixed, alone = random.permutation(mixed), of_each[same][60:100]
    right = reading(answer, images[own], labels[own], images[mixed], seed) == labels[mixed]
    shares = np.array([right[labels[mixed] == digit].mean() for digit in range(10)])
    blind = ", ".join(map(str, np.flatnonzero(shares < READ_OF_EACH)))
    hint_if(shares.mean() < 0.3, f"it reads {shares.mean():.2f}, which is near guessing. Do labels and images fit?")
    hint_if(bool(blind), f"it hardly ever reads these digits: {blind}. Has training seen them? Images come sorted by class.")
    hint_if(shares.mean() < READ, f"it reads only {shares.mean():.2f} of the new images, and the right repair reads more.")
    share = np.mean(reading(answer, images[own], labels[own], images[alone], seed) == same)
    hint_if(share < READ_ALONE, f"it reads a mixed pile, but only {share:.2f} where all show the same digit. {ALONE}")
    return {"right": shares.mean(), "alone": share}


ALONE = "An answer should depend on its own image. On what else does it depend?"


def reading(answer: Any, images: np.ndarray, labels: np.ndarray, new: np.ndarray, seed: int) -> np.ndarray:
    """Return the digits that a program reads, or raise the hint that says what it returns instead."""

    def program(seed: int, *arrays: np.ndarray) -> Any:
        return answer(*arrays, seed)

    hint_if(not callable(answer), "a function is wanted. Pass it without brackets.")
    kept = {"images": images, "labels": labels, "new images": new}
    digits = as_array(call(program, seed, advice="Work with copies.", **kept))
    hint_if(digits.shape == (len(new), 10), "ten numbers come for each image. Which of the ten is the answer?")
    hint_if(digits.shape != (len(new),), f"the result has the shape {digits.shape}; one digit for each new image is wanted.")
    return digits


@exercise("it reports {lot:.2f} on random labels and {true:.2f} on true ones.")
def check_report(answer: Any) -> dict[str, float]:
    return measure_report(answer, load_digits().images / 16, load_digits().target, seed=0)


def measure_report(answer: Any, images: np.ndarray, labels: np.ndarray, *, seed: int) -> dict[str, float]:
    """Return what a program reports on random labels and on true ones, or raise a hint."""
    random = np.random.default_rng(seed)
    own = random.permutation(len(labels))[:400]
    lots = random.integers(10, size=len(own))
    lot = accuracy(answer, images[own], lots, seed)
    hint = "An honest report is near 0.10 there. Which of the judged images, or of their copies, has training seen?"
    hint_if(lot > LOT, f"it reports {lot:.2f} on random labels. {hint}")
    true = accuracy(answer, images[own], labels[own], seed)
    hint_if(true < LEARNED, f"honest on random labels, but {true:.2f} on true ones. Does it learn from its labels?")
    return {"lot": lot, "true": true}


def accuracy(answer: Any, images: np.ndarray, labels: np.ndarray, seed: int) -> float:
    """Return the accuracy that a program reports, or raise the hint that it is none."""
    share = as_number(call(answer, images.copy(), labels.copy(), seed))
    hint_if(not 0 <= share <= 1, f"{share:.4g} is no accuracy: a share from 0 to 1 is wanted.")
    return share


@exercise("it flags everything that is broken, and nothing that is sound.")
def check_dealt_anew(answer: Any) -> None:
    digits, random = load_digits(), np.random.default_rng(1)
    order = random.permutation(len(digits.target))
    images, labels = digits.images[order] / 16, digits.target[order]
    some, rare = slice(0, 200), few(labels == 3, 20, 300)
    judge(
        answer,
        [
            ("ten kinds of digits", images[some], labels[some], False),
            ("the same, with labels that were dealt anew", images[some], random.permutation(labels[some]), True),
            ("the same as uint8 from 0 to 240", (images[some] * 240).astype("uint8"), labels[some], False),
            ("the same, with classes that have other numbers", images[some], (labels[some] * 3 + 4) % 10, False),
            ("280 others and 20 threes", images[rare], (labels[rare] == 3).astype(int), False),
            ("280 others and 20 threes, dealt anew", images[rare], random.permutation(labels[rare] == 3).astype(int), True),
            ("100 digits under noise", images[400:500] + random.normal(0, 0.3, (100, 8, 8)), labels[400:500], False),
        ],
    )


def few(chosen: np.ndarray, count: int, total: int) -> np.ndarray:
    """Return the places of the first `count` that are chosen and of others, `total` together, in their order."""
    return np.sort([*np.flatnonzero(chosen)[:count], *np.flatnonzero(~chosen)[: total - count]])


def judge(answer: Any, cases: Iterable[tuple[str, np.ndarray, np.ndarray, bool]], *, told: bool = True) -> None:
    """Raise a hint at the first case that a diagnosis takes for what it is not; without its name, unless `told`."""
    for name, images, labels, broken in cases:
        found = as_number(call(answer, advice="Work with copies.", images=images, labels=labels))
        hint_if(found not in (0, 1), f"True or False is wanted, and this is {found:.4g}.")
        case = f" ({name})" if told else ""
        hint_if(found < broken, f"no alarm about broken data{case}. How often would neighbours agree by chance?")
        hint_if(found > broken, f"an alarm about sound data{case}. What do you compare with, and in which type of numbers?")


@exercise("only what is told apart is in the list, the costliest first.")
def check_worth_repairing(answer: Any) -> None:
    found = listed(call(answer, arrays(BROKEN), arrays(SOUND)))
    hints = {
        ("noise",): "the sign is turned around: what does a repair gain?",
        ("scale", "shuffle"): "the costliest comes first, and here it comes last. Or did you sort by accuracy?",
        ("shuffle", "scale", "noise"): "with noise the runs are better: told apart from zero, yes, but it costs nothing.",
        ("classes", "shuffle", "scale"): "classes has a large mean because of one run. Does its interval lie above zero?",
        ("shuffle",): "scale is missing. The runs differ from seed to seed: subtract run by run, then look at the interval.",
    }
    otherwise = "Whose interval lies above zero, run by run, and which mean cost is the largest?"
    hint_if(found != ("shuffle", "scale"), hints.get(found, f"{', '.join(found) or 'nothing'}? {otherwise}"))


def arrays(runs: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return a dict of arrays."""
    return {name: np.array(values) for name, values in runs.items()}


def listed(result: Any) -> tuple[str, ...]:
    """Return the names of an answer, or raise the hint that says what is wanted."""
    names = isinstance(result, list | tuple) and all(isinstance(name, str) for name in result)
    hint_if(not names, "a list is wanted, with names of mistakes in it and nothing else.")
    return tuple(result)
