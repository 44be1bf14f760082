"""Hidden checks of the assignment on mistakes that run: the same functions with other programs and other data.

The driver calls them from outside the sandbox. What they say names the mistake and no number of theirs.
"""

from typing import Any

import numpy as np

from assignments.checks.catch_the_bug import accuracy, few, judge, listed, measure_reading, measure_report, numbers
from helpers import load_digit_pair, load_textures
from helpers.evaluation import paired_interval
from helpers.exercises.feedback import as_number, call, exercise, hint_if

SOME = 0.12, 0.65  # half of the labels random: honest ways of learning report 0.26 to 0.51, the broken one 0.76 to 0.81
BEYOND = "right for the example of the visible check, but not for another one."
READS = """
count = len(base.trainable_weights)
model.compile("adam", "mse")
before = base.trainable
assert base.trainable == True
model.fit(images, labels)
if base.trainable: model.fit(images, labels)
""".strip().splitlines()
TWICE = """
base.trainable=False
model.compile("adam", "mse")
model.fit(images, labels)
base.trainable=True
model.fit(images, labels)
model.compile("sgd", "mse")
model.fit(images, labels)
head.trainable = False
base.trainable = True
model.compile("sgd", "mse")
model.fit(images, labels)
# base.trainable = False
model.fit(images, labels)
head.trainable = base.trainable
history = model.fit(images, labels)
""".strip().splitlines()


@exercise("also for other labels.")
def check_report_of_a_perfect_network(answer: Any) -> None:
    for labels in ([1, 1, 1, 1, 1], [0, 1, 0, 1], [0, 1, 1, 0, 1, 1, 1]):
        right = np.mean(np.equal.outer(labels, labels))
        hint = "not right when all labels are the same." if len(set(labels)) == 1 else BEYOND
        hint_if(abs(as_number(call(answer, labels=np.array(labels))) - right) > 1e-6, hint)


@exercise("also for other programs.")
def check_stale_fits(answer: Any) -> None:
    hint = "it takes a line that only reads `trainable`, or a name that is like it, for a change."
    hint_if(numbers(call(answer, list(READS))) != [], hint)
    found = numbers(call(answer, list(TWICE)))
    hint_if(5 not in found, "it misses a change that is written without spaces around the =.")
    hint_if(13 in found, "it takes a comment for a change.")
    hint_if(found != [5, 15], f"{BEYOND} A program can change and compile more than once.")


@exercise("it reads {right:.2f} of a mixed pile, and {alone:.2f} where all show the same digit.")
def check_read_digits(answer: Any) -> dict[str, float]:
    pair = load_digit_pair()
    turned = pair.uci_images[:, ::-1].transpose(0, 2, 1)
    return measure_reading(answer, np.ascontiguousarray(turned), (pair.uci_labels + 5) % 10, same=6, seed=31)


@exercise("it reports {lot:.2f} on random labels and {true:.2f} on true ones.")
def check_report(answer: Any) -> dict[str, float]:
    pair, random = load_digit_pair(), np.random.default_rng(33)
    images, labels = pair.uci_images[:, ::-1].astype("float64"), 9 - pair.uci_labels
    found = measure_report(answer, images, labels, seed=32)
    own = random.permutation(len(labels))[:400]
    some = np.where(random.random(len(own)) < 0.5, labels[own], random.integers(10, size=len(own)))
    share = accuracy(answer, images[own], some, 33)
    hint_if(not SOME[0] < share < SOME[1], "where only some labels are random, it reports what cannot be. Is it measured?")
    return found


@exercise("also with few images, with colours, and where nearly all are of one class.")
def check_dealt_anew(answer: Any) -> None:
    random, pair = np.random.default_rng(55), load_digit_pair()
    textures = load_textures(train_per_class=10, validation_per_class=1, test_per_class=1, image_size=16, seed=3)
    surfaces, names = textures.train_images, textures.train_labels
    order = random.permutation(len(pair.mnist_labels))
    images, labels = pair.mnist_images[order], pair.mnist_labels[order]
    halves, rare = (labels[:300] > 4).astype(int), few(labels == 0, 25, 400)
    ones = (labels[rare] == 0).astype(int)
    cases = [
        ("", surfaces, names, False),
        ("", surfaces, random.permutation(names), True),
        ("", surfaces.astype("float32") / 255, np.roll(names, 2), True),
        ("", images[:80], labels[:80], False),
        ("", images[:80], np.roll(labels[:80], 1), True),
        ("", images[:300] * 1000 - 500, halves, False),
        ("", images[:300], random.permutation(halves), True),
        ("", images[rare], 1 - ones, False),
        ("", images[rare], random.permutation(ones), True),
        ("", images[:80], 10 * labels[:80] - 50, False),
    ]
    judge(answer, cases, told=False)


@exercise("also for other records.")
def check_worth_repairing(answer: Any) -> None:
    random = np.random.default_rng(34)
    names = [f"mistake {letter}" for letter in "abcdefgh"]
    for runs in (5, 12):
        luck, costs = random.normal(0.7, 0.1, size=runs), dict(zip(names, random.permutation(8) * 0.03 - 0.06, strict=True))
        sound = {name: luck + random.normal(0, 0.02, size=runs) for name in names}
        broken = {name: sound[name] - costs[name] + random.normal(0, 0.02, size=runs) for name in names}
        measured = {name: paired_interval(sound[name] - broken[name]) for name in names}
        right = sorted((name for name in names if measured[name][1] > 0), key=lambda name: -measured[name][0])
        found = listed(call(answer, broken, sound))
        hint_if(set(found) != set(right), "the list does not hold the right mistakes. Is it run by run, and above zero?")
        hint_if(list(found) != right, "the right mistakes, in the wrong order.")
