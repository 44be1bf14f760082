"""Four kinds of transfer on digits: sources with something wrong, weights for their examples, and features from relations.

Notebook 09 teaches what is here, its explorers show it, and `tools/record_kinds.py` records it. Images are rows of pixels.
"Instance-based" transfer chooses source examples (`domain_weights`, `kernel_mean_matching`, `agreeing`, `boosting_step`);
`find_names` mends labels that mean something else;
"relational" transfer learns what makes two examples alike (`whitening`, `build_siamese`).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.data import load_digit_pair, take_per_class
from helpers.networks import THREADS

if TYPE_CHECKING:
    from sklearn.utils import Bunch

FLAWS = ("turned", "mislabelled", "renamed", "other scanner")
SOURCE, MOST, VALIDATION, TEST = 1500, 20, 300, 1000  # digits of each part; MOST is of labels per class


@cache
def _pair() -> Bunch:
    return load_digit_pair()


def spoil(
    images: np.ndarray, labels: np.ndarray, *, flaw: str, share: float = 0.5, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return images and labels of which a share is spoiled, and which ones are, bool (n,).

    "turned": upside down, by 180 degrees. "mislabelled": another label at random. "renamed": the first `share` of the ten
    classes swap their labels in a circle. "other scanner" and "" leave everything as it is.
    """
    random, bad = np.random.default_rng([9, seed]), np.zeros(len(labels), bool)
    if flaw in ("turned", "mislabelled"):
        bad[random.permutation(len(labels))[: round(share * len(labels))]] = True
    if flaw == "renamed":
        bad = labels < round(10 * share)
        return images, np.where(bad, (labels + 1) % max(1, round(10 * share)), labels), bad
    if flaw == "turned":
        images = np.where(bad[:, None], images[:, ::-1], images)
    if flaw == "mislabelled":
        labels = np.where(bad, (labels + random.integers(1, 10, len(labels))) % 10, labels)
    return images, labels, bad


def draw_task(flaw: str, *, labels_per_class: int, share: float = 0.5, run: int = 0) -> Bunch:
    """Return one run's digits: `source_`, `target_`, `validation_`, `test_` images and labels, and `bad`, the spoiled ones.

    The source has 1,500 MNIST digits. The target has MNIST digits as well, or UCI digits for a flaw of "other scanner":
    `labels_per_class` labelled ones, 300 for validation and 1,000 for the test. No digit is in two parts. Every run draws
    all of them anew; fewer labels lie inside more.
    """
    from sklearn.utils import Bunch

    pair, random = _pair(), np.random.default_rng([90, run])
    mnist, mnist_labels = pair.mnist_images.reshape(-1, 64), pair.mnist_labels
    images, labels = (mnist, mnist_labels) if flaw != FLAWS[3] else (pair.uci_images.reshape(-1, 64), pair.uci_labels)
    order = random.permutation(len(mnist))
    source, rest = order[:SOURCE], order[SOURCE:]
    rest = rest if images is mnist else random.permutation(len(images))
    most = rest[take_per_class(labels[rest], labels_per_class=MOST, seed=run)]
    few = most[take_per_class(labels[most], labels_per_class=labels_per_class, seed=run)]
    others = np.setdiff1d(rest, most, assume_unique=True)
    others = random.permutation(np.sort(others))
    parts = {"target": few, "validation": others[:VALIDATION], "test": others[VALIDATION : VALIDATION + TEST]}
    spoiled = spoil(mnist[source], mnist_labels[source], flaw=flaw, share=share, seed=run)
    task = Bunch(source_images=spoiled[0], source_labels=spoiled[1], bad=spoiled[2])
    for part, chosen in parts.items():
        task[f"{part}_images"], task[f"{part}_labels"] = images[chosen], labels[chosen]
    return task


def mix(tasks: list[Bunch], weights: list[np.ndarray], *, share: float | None, count: int = 6000) -> tuple[np.ndarray, ...]:
    """Return images (runs, count, 64), labels (runs, count), and which are of the target, drawn from source and target.

    A source image comes with a chance in proportion to its weight, (source,) for each task; a target image makes up `share`
    of the draws, or with None counts as much as a source image of weight 1. What a batch shows more often weighs more.
    """
    drawn = []
    for run, (task, weight) in enumerate(zip(tasks, weights, strict=True)):
        few = len(task.target_labels)
        part = few / (few + weight.sum()) if share is None else share
        chances = np.concatenate([(1 - part) * weight.astype("float64") / weight.sum(), np.full(few, part / few)])
        chosen = np.random.default_rng([91, run]).choice(len(chances), count, p=chances / chances.sum())
        images = np.concatenate([task.source_images, task.target_images])[chosen]
        drawn.append((images, np.concatenate([task.source_labels, task.target_labels])[chosen], chosen >= len(weight)))
    return tuple(map(np.stack, zip(*drawn, strict=True)))


def domain_weights(source: np.ndarray, target: np.ndarray, *, strength: float = 1.0) -> np.ndarray:
    """Return a weight for each source image, (n,): how much more often the target has such an image, by a classifier.

    A logistic regression with C of `strength` tells target from source; each side counts as much as the other. The weight
    is p / (1 - p), with p the probability of "target", divided by the mean weight.
    """
    from sklearn.linear_model import LogisticRegression

    images, is_target = np.concatenate([source, target]), np.arange(len(source) + len(target)) >= len(source)
    with THREADS.limit(limits=1):
        fitted = LogisticRegression(C=strength, class_weight="balanced", max_iter=1000).fit(images, is_target)
        odds = np.exp(fitted.decision_function(source))
    return odds / odds.mean()


def gaussian_kernel(one: np.ndarray, other: np.ndarray, *, width: float) -> np.ndarray:
    """Return exp(-squared distance / width) for all pairs, (len(one), len(other))."""
    squares = (one**2).sum(1)[:, None] + (other**2).sum(1) - 2 * one @ other.T
    return np.exp(-np.maximum(squares, 0) / width)


def median_width(images: np.ndarray) -> float:
    """Return the median squared distance between 300 of the images: a common choice for the width of a Gaussian kernel."""
    some = images[np.linspace(0, len(images) - 1, min(300, len(images))).astype(int)]
    squares = ((some[:, None] - some) ** 2).sum(-1)
    return float(np.median(squares[np.triu_indices(len(some), 1)]))


@THREADS.wrap(limits=1)
def match_means(kernel: np.ndarray, pull: np.ndarray, *, bound: float = 2.0, steps: int = 500) -> np.ndarray:
    """Return the weights b (n,) from 0 to `bound`, of sum n, for which b K b / 2 - pull b is smallest.

    `kernel` K is (n, n), that of the source with itself; `pull` (n,) is n / m times the sum of its rows with the target's m.
    Accelerated gradient steps, each followed by the nearest allowed weights (Beck and Teboulle, 2009).
    """
    weights = ahead = np.ones_like(pull)  # in the precision of the kernel: to convert it anew each time would take longest
    rate, speed = 1 / np.abs(kernel).sum(axis=1).max(), 1.0
    for _ in range(steps):
        before, weights = weights, nearest_allowed(ahead - rate * (kernel @ ahead - pull), bound=bound)
        faster = (1 + (1 + 4 * speed**2) ** 0.5) / 2
        ahead, speed = weights + (speed - 1) / faster * (weights - before), faster
    return weights


def nearest_allowed(weights: np.ndarray, *, bound: float) -> np.ndarray:
    """Return the weights from 0 to `bound`, of sum n, that are nearest to those given: one shift for all, then cut."""
    low, high = weights.min() - bound, weights.max()
    for _ in range(40):
        shift = (low + high) / 2
        too_much = np.clip(weights - shift, 0, bound).sum() > len(weights)
        low, high = (shift, high) if too_much else (low, shift)
    return np.clip(weights - high, 0, bound)


def kernel_mean_matching(
    source: np.ndarray, target: np.ndarray, *, width: float | None = None, bound: float = 2.0
) -> np.ndarray:
    """Return a weight for each source image, (n,), with which the source's mean comes closest to the target's.

    The means are those of the features of a Gaussian kernel (Huang and others, 2007); `width` is `median_width` by default.
    """
    width = median_width(source) if width is None else width
    pull = gaussian_kernel(source, target, width=width).mean(axis=1) * len(source)
    return match_means(gaussian_kernel(source, source, width=width), pull, bound=bound)


def agreeing(task: Bunch, *, strength: float = 1.0, judge: Any = None) -> np.ndarray:
    """Return 1 for each source image whose label is what a model of all the others says, otherwise 0: (n,) float.

    Source and target together make five folds, and `judge`, by default a logistic regression with C of `strength`, is asked
    about each fold after it has learned the other four.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict

    images = np.concatenate([task.source_images, task.target_images])
    labels = np.concatenate([task.source_labels, task.target_labels])
    with THREADS.limit(limits=1):
        judge = LogisticRegression(C=strength, max_iter=500) if judge is None else judge
        said = cross_val_predict(judge, images, labels, cv=5)
    return (said == labels)[: len(task.source_labels)].astype(float)


def find_names(task: Bunch, *, strength: float = 10.0) -> np.ndarray:
    """Return the source's labels in the target's names, (n,): which name means which is found again.

    An SVM that knows the target's labels alone reads the source. Each source class then gets a name of its own, so that as
    many answers as possible agree. Names count from 0 and are the same number on both sides.
    """
    from scipy.optimize import linear_sum_assignment
    from sklearn.svm import SVC

    with THREADS.limit(limits=1):
        answers = SVC(C=strength).fit(task.target_images, task.target_labels).predict(task.source_images)
    agree = np.zeros((task.source_labels.max() + 1, task.target_labels.max() + 1))
    np.add.at(agree, (task.source_labels, answers), 1)
    return linear_sum_assignment(agree, maximize=True)[1][task.source_labels]


def boosting_step(
    source_weights: np.ndarray,
    target_weights: np.ndarray,
    source_wrong: np.ndarray,
    target_wrong: np.ndarray,
    *,
    rounds: int,
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the weights after one round of TrAdaBoost (Dai and others, 2007), and the beta of the round.

    `..._wrong` say which examples the round's classifier misread. A misread source example loses weight, a misread target
    example gains. The weighted error on the target is kept between 1e-9 and 0.499, so that nothing divides by zero.
    """
    error = np.clip((target_weights * target_wrong).sum() / target_weights.sum(), 1e-9, 0.499)
    beta = error / (1 - error)
    fixed = 1 / (1 + np.sqrt(2 * np.log(len(source_weights)) / rounds))
    return source_weights * fixed**source_wrong, target_weights * beta ** -target_wrong.astype(float), float(beta)


def boost(task: Bunch, *, rounds: int = 20, strength: float = 1.0) -> Bunch:
    """Return what TrAdaBoost does in so many rounds of logistic regression: `weights`, `betas`, `answers`.

    `weights` (rounds, source + target) are those with which each round learns, of sum 1, source first; `answers`
    (rounds, images) are each round's for validation and test, one after the other.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.utils import Bunch

    count = len(task.source_labels)
    images = np.concatenate([task.source_images, task.target_images])
    labels = np.concatenate([task.source_labels, task.target_labels])
    asked, weights = np.concatenate([task.validation_images, task.test_images]), np.ones(len(labels))
    found: Any = Bunch(weights=[], betas=[], answers=[])
    for _ in range(rounds):
        weights = weights / weights.sum()
        with THREADS.limit(limits=1):
            model = LogisticRegression(C=strength, max_iter=500)
            model.fit(images, labels, sample_weight=weights * len(labels))
            wrong = model.predict(images) != labels
            found.answers.append(model.predict(asked))
        found.weights.append(weights)
        parts = weights[:count], weights[count:], wrong[:count], wrong[count:]
        *both, beta = boosting_step(*parts, rounds=rounds)
        found.betas.append(beta)
        weights = np.concatenate(both)
    return Bunch(**{key: np.array(values) for key, values in found.items()})


def vote(answers: np.ndarray, betas: np.ndarray, *, classes: int = 10) -> np.ndarray:
    """Return what the second half of the rounds says, (images,): each has a vote of log(1 / beta)."""
    late = slice(len(betas) // 2, None)
    votes = np.eye(classes)[answers[late]] * -np.log(betas[late])[:, None, None]
    return votes.sum(axis=0).argmax(axis=1)


def whitening(features: np.ndarray, labels: np.ndarray, *, shrinkage: float = 0.1) -> np.ndarray:
    """Return a matrix (d, d): features times it vary equally in all directions within a class.

    The covariance within classes, mixed with a share of `shrinkage` of its mean variance in every direction, to the -1/2.
    """
    own = features - np.stack([features[labels == label].mean(axis=0) for label in labels])
    covariance = own.T @ own / (len(features) - len(np.unique(labels)))
    mean = np.trace(covariance) / len(covariance)
    values, vectors = np.linalg.eigh((1 - shrinkage) * covariance + shrinkage * mean * np.eye(len(covariance)))
    return vectors / np.sqrt(values) @ vectors.T


def nearest_centroid(features: np.ndarray, labels: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Return for each of the features asked about the label whose mean is nearest, (n,)."""
    names = np.unique(labels)
    means = np.stack([features[labels == name].mean(axis=0) for name in names])
    return names[(((asked[:, None] - means) ** 2).sum(axis=-1)).argmin(axis=1)]


def draw_pairs(labels: np.ndarray, *, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the places of both examples of each pair, (count,), and 1 where their class is the same: in half of them."""
    random = np.random.default_rng([93, seed])
    first, second, same = random.integers(len(labels), size=count), np.zeros(count, int), np.arange(count) % 2
    for label in np.unique(labels):
        of_class, others = np.flatnonzero(labels == label), np.flatnonzero(labels != label)
        for wanted, choice in ((1, of_class), (0, others)):
            pairs = (labels[first] == label) & (same == wanted)
            second[pairs] = random.choice(choice, pairs.sum())
    return first, second, same


def split_classes(rows: dict[str, np.ndarray], labels: dict[str, np.ndarray], *, run: int) -> Bunch:
    """Return ten classes as five of the source and five that only the target has, in an order that `run` draws.

    `rows` and `labels` have the parts source, train, validation and test. The result is a Bunch of `..._features` and
    `..._labels`: the source's classes of source, the other five of the others, with 20 of each class in train; labels count
    from 0. Features are moved to the source's mean and divided by one number, the source's deviation.
    """
    from sklearn.utils import Bunch

    old, new = np.split(np.random.default_rng([92, run]).permutation(10), 2)
    split: Any = Bunch()
    for part, some in rows.items():
        classes = np.sort(old if part == "source" else new)
        chosen = np.flatnonzero(np.isin(labels[part], classes))
        if part == "train":
            chosen = chosen[take_per_class(labels[part][chosen], labels_per_class=MOST, seed=run)]
        split[f"{part}_features"], split[f"{part}_labels"] = some[chosen], np.searchsorted(classes, labels[part][chosen])
    middle, scale = split.source_features.mean(axis=0), split.source_features.std()
    for part in rows:
        split[f"{part}_features"] = (split[f"{part}_features"] - middle) / scale
    split.update(old=np.sort(old), new=np.sort(new))
    return split


def draw_unseen(run: int) -> Bunch:
    """Return five classes of 3,000 MNIST digits as the source, and the other five of UCI's digits: see `split_classes`."""
    pair, random = _pair(), np.random.default_rng([94, run])
    some, order = random.permutation(len(pair.mnist_labels))[:3000], random.permutation(len(pair.uci_labels))
    parts = dict(zip(("train", "validation", "test"), np.split(order, [600, 900]), strict=True))
    rows = {part: pair.uci_images.reshape(-1, 64)[chosen] for part, chosen in parts.items()}
    labels = {part: pair.uci_labels[chosen] for part, chosen in parts.items()}
    source = {"source": pair.mnist_images.reshape(-1, 64)[some]}, {"source": pair.mnist_labels[some]}
    return split_classes(source[0] | rows, source[1] | labels, run=run)
