"""Domain adaptation: a target without labels whose images look different, and what moves source and target together.

Notebook 10 teaches what is here, its explorer shows it, and `tools/record_adaptation.py` records it. Features are rows,
images x dimensions. No method below sees a label of the target. What a method has to know of the target, it takes from a
`pool` of unlabelled images, so that others can be kept for the test. The adversarial network is in `helpers/dann.py`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from helpers.data import load_digit_pair, take_per_class
from helpers.networks import THREADS
from helpers.sources import standardise

if TYPE_CHECKING:
    from sklearn.cluster import KMeans
    from sklearn.linear_model import LogisticRegression
    from sklearn.utils import Bunch

# What can change in a photograph, and the dose that is recorded; a dose of 0 leaves everything as it is.
DOSES = {"grey": 1.0, "blur": 2.5, "contrast": 0.8, "noise": 60.0, "scale": 0.6, "cast": 1.0}
_CAST = np.array([0.0, 0.4, 0.7])  # what a colour cast of 1 takes from red, green and blue
SOURCE, VALIDATION, POOL, TEST = 1000, 500, 1000, 600  # digits of each part

_pair = cache(load_digit_pair)


def shift_images(images: np.ndarray, *, kind: str, dose: float, seed: int = 0) -> np.ndarray:
    """Return the images (n, height, width, 3) uint8 as another camera would have taken them, in the same form.

    "grey": the share of the colour that is gone. "blur": the deviation of a Gaussian, in pixels. "contrast": the share of
    the distance to middle grey that is gone. "noise": the deviation of what is added to each value of 0 to 255. "scale": the
    share of the side that is gone when the picture is taken from farther away; around it is its mean colour. "cast": warm
    light, at 1 without 40 % of the green and 70 % of the blue. `seed` is for the noise.
    """
    images, dose = np.asarray(images), float(dose)
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
        raise ValueError(f"images are {images.dtype} of shape {images.shape}; give uint8 of (n, height, width, 3).")
    if kind not in DOSES:
        raise ValueError(f"there is no shift {kind!r}; choose from {', '.join(DOSES)}.")
    most = {"blur": 20, "noise": 255, "scale": 0.9}.get(kind, 1)
    if not 0 <= dose <= most:
        raise ValueError(f"the dose of {kind} is {dose:g}; give 0 to {most:g}.")
    return np.stack([_shift_one(image, kind, dose, [10, seed, place]) for place, image in enumerate(images)])


def _shift_one(image: np.ndarray, kind: str, dose: float, words: list[int]) -> np.ndarray:
    from PIL import Image
    from scipy.ndimage import gaussian_filter

    values = image.astype("float32")
    if kind == "grey":
        values += dose * (values @ np.array([0.299, 0.587, 0.114], "float32")[:, None] - values)
    elif kind == "blur":
        values = gaussian_filter(values, (dose, dose, 0), mode="nearest")
    elif kind == "contrast":
        values += dose * (128 - values)
    elif kind == "noise":
        values += dose * np.random.default_rng(words).standard_normal(values.shape, "float32")
    elif kind == "cast":
        values *= (1 - dose * _CAST).astype("float32")
    elif kind == "scale" and dose:
        height, width = (max(1, round((1 - dose) * side)) for side in image.shape[:2])
        top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
        values[:] = values.mean(axis=(0, 1))
        small = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
        values[top : top + height, left : left + width] = np.asarray(small)
    return np.clip(values.round(), 0, 255).astype("uint8")


def scale_alike(source: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    """Return all of them minus the source's mean (d,) and divided by one number, the source's deviation.

    It takes nothing of a shift away. It only puts features into units in which one ridge or one C is right for all data.
    """
    _check(source, *others)
    middle = source.mean(axis=0, dtype="float64")
    scale = np.sqrt(((source - middle) ** 2).mean())
    return [(rows - middle) / scale for rows in (source, *others)]


def standardise_each(
    source: np.ndarray, target: np.ndarray, *more: np.ndarray, deviation: bool = True
) -> tuple[np.ndarray, ...]:
    """Return source and target, each with mean 0 and deviation 1 in every dimension; both get statistics of their own.

    With `deviation=False` the means alone are moved. `more` of the target, such as its test images, is moved as `target` is.
    A dimension whose deviation is below 1e-7 becomes 0.
    """
    _check(source, target, *more)
    middle, spread = target.mean(axis=0, dtype="float64"), target.std(axis=0, dtype="float64")
    moved = [rows - middle for rows in (target, *more)]
    if not deviation:
        return source - source.mean(axis=0, dtype="float64"), *moved
    return standardise(source), *(rows * (spread > 1e-7) / np.where(spread > 1e-7, spread, 1) for rows in moved)


def coral(source: np.ndarray, target: np.ndarray, *more: np.ndarray, ridge: float = 1.0) -> tuple[np.ndarray, ...]:
    """Return source and target around 0, the source with the target's covariance (CORAL; Sun, Feng and Saenko, 2016).

    The centred source is multiplied by Cs^(-1/2) Ct^(1/2), with `ridge` added to the diagonal of both covariances, in the
    squared units of the features: without it, few images of many dimensions cannot be whitened. The target is centred, and
    `more` of it by the same mean. What matches exactly are the covariances with their ridge.
    """
    _check(source, target, *more)
    if ridge < 0:
        raise ValueError(f"ridge is {ridge}; give 0 or more.")
    centred = standardise_each(source, target, *more, deviation=False)
    return centred[0] @ _power(source, ridge, -0.5) @ _power(target, ridge, 0.5), *centred[1:]


def _power(rows: np.ndarray, ridge: float, exponent: float) -> np.ndarray:
    """Return a power of the covariance (d, d) with a ridge: it is symmetric, so its eigenvalues have the power."""
    covariance = np.atleast_2d(np.cov(rows, rowvar=False)) + ridge * np.eye(rows.shape[1])
    values, vectors = np.linalg.eigh(covariance)
    if exponent < 0 and values[0] <= 1e-10 * values[-1]:
        raise ValueError(f"the source does not vary in all of its {rows.shape[1]} dimensions: give a ridge above {ridge:g}.")
    return vectors * np.maximum(values, 0) ** exponent @ vectors.T


def align_subspaces(source: np.ndarray, target: np.ndarray, *more: np.ndarray, dimensions: int) -> tuple[np.ndarray, ...]:
    """Return both in so many dimensions: principal axes of the source, turned to those of the target (Fernando, 2013).

    Each is centred and multiplied by its own axes, S and T (d, dimensions); the source then by M = S' T. `more` of the
    target goes the target's way. With all dimensions, this only moves the means, and turns both clouds alike.
    """
    _check(source, target, *more)
    most = min(source.shape[1], len(source), len(target))
    if not 1 <= dimensions <= most:
        raise ValueError(f"dimensions is {dimensions}; with these images give 1 to {most}.")
    centred = standardise_each(source, target, *more, deviation=False)
    own, wanted = (np.linalg.svd(rows, full_matrices=False)[2][:dimensions].T for rows in centred[:2])
    return centred[0] @ own @ (own.T @ wanted), *(rows @ wanted for rows in centred[1:])


def fit_weighted(features: np.ndarray, labels: np.ndarray, *, few: int = 0, strength: float = 0.1) -> LogisticRegression:
    """Return a logistic regression with C of `strength` per 1,000 images; with `few`, the last ones, worth half of all.

    To divide C by the number of images keeps the pull of the penalty the same, however many there are.
    """
    from sklearn.linear_model import LogisticRegression

    weights = np.full(len(labels), 1000 / len(labels))
    if few:
        weights = np.repeat([500 / (len(labels) - few), 500 / few], [len(labels) - few, few])
    with THREADS.limit(limits=1):
        return LogisticRegression(C=strength, max_iter=500).fit(features, labels, sample_weight=weights)


def self_train(
    source: np.ndarray, labels: np.ndarray, target: np.ndarray, *, threshold: float, rounds: int = 5, strength: float = 0.1
) -> LogisticRegression:
    """Return a classifier of the source that has gone on learning from its own sure answers on the target.

    In each round the target images whose largest probability reaches `threshold` join the source with the label that they
    were given (Scudder, 1965; Lee, 2013). It ends early when nothing changes. With a threshold above 1 nobody joins.
    """
    _check(source, target)
    if threshold <= 0 or rounds < 0:
        raise ValueError(f"threshold is {threshold} and rounds {rounds}; give a probability above 0, and 0 rounds or more.")
    model, before = fit_weighted(source, labels, strength=strength), np.zeros(0)
    for _ in range(rounds):
        probabilities = model.predict_proba(target)
        sure, given = probabilities.max(axis=1) >= threshold, model.classes_[probabilities.argmax(axis=1)]
        now = np.where(sure, given, -1)
        if not sure.any() or np.array_equal(now, before):
            break
        both = np.concatenate([source, target[sure]]), np.concatenate([labels, given[sure]])
        model, before = fit_weighted(*both, strength=strength), now
    return model


def target_entropy(probabilities: np.ndarray) -> float:
    """Return the mean entropy of the answers (n, classes), in nats: 0 is sure of everything, log(classes) of nothing."""
    probabilities = np.asarray(probabilities, "float64")
    if probabilities.ndim != 2 or np.abs(probabilities.sum(axis=1) - 1).max() > 1e-3 or probabilities.min() < 0:
        raise ValueError(f"probabilities of shape {probabilities.shape}: give (n, classes), each row of sum 1.")
    return float(-(probabilities * np.log(np.maximum(probabilities, 1e-30))).sum(axis=1).mean())


def name_clusters(
    features: np.ndarray, labels: np.ndarray, *, clusters: int = 10, seed: int = 0
) -> tuple[KMeans, np.ndarray]:
    """Return k-means of the features, and each cluster's name (clusters,): the label of the one image nearest its middle."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # THREADS does not know those of scikit-learn
        fitted = KMeans(clusters, n_init=10, random_state=seed).fit(features)
        return fitted, labels[fitted.transform(features).argmin(axis=0)]


def draw_pool(labels: np.ndarray, *, shares: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Return indices (about `count`,) of images, in which class k comes in proportion to shares[k]; 0 leaves a class out."""
    wanted = np.round(count * np.asarray(shares, "float64") / np.sum(shares)).astype(int)
    have = np.bincount(labels, minlength=len(wanted))
    if len(have) > len(wanted) or (have < wanted).any():
        raise ValueError(f"{wanted.tolist()} images of each class are wanted, but there are {have.tolist()}: lower count.")
    order = np.random.default_rng([101, seed]).permutation(len(labels))
    return np.concatenate([order[labels[order] == label][:number] for label, number in enumerate(wanted)])


def draw_domains(*, run: int = 0, labels_per_class: int = 1, target: str = "uci") -> Bunch:
    """Return one run's digits, rows of 64 pixels from 0 to 1: MNIST as source, UCI's as target (or "mnist": no shift).

    `source_` has 1,000 images and labels and `source_validation_` 500; `pool_` has 1,000 of the target, whose labels only an
    oracle or the bound may see, and `test_` 600. `few_` has `labels_per_class` of each class out of the pool, at the places
    `few`: what one could have labelled by hand. Otherwise no digit is in two parts; every run draws all anew.
    """
    from sklearn.utils import Bunch

    pair, random = _pair(), np.random.default_rng([100, run])
    mnist, uci = (random.permutation(len(labels)) for labels in (pair.mnist_labels, pair.uci_labels))
    theirs, used = uci if target == "uci" else mnist[SOURCE + VALIDATION :], SOURCE + VALIDATION
    chosen = {"source": mnist[:SOURCE], "source_validation": mnist[SOURCE:used]}
    chosen |= {"pool": theirs[:POOL], "test": theirs[POOL : POOL + TEST]}
    task = Bunch()
    for part, places in chosen.items():
        name = "mnist" if part.startswith("source") else target
        task[f"{part}_images"] = pair[f"{name}_images"].reshape(-1, 64)[places]
        task[f"{part}_labels"] = pair[f"{name}_labels"][places]
    task.few = take_per_class(task.pool_labels, labels_per_class=labels_per_class, seed=run)
    task.few_images, task.few_labels = task.pool_images[task.few], task.pool_labels[task.few]
    return task


def _check(*rows: np.ndarray) -> None:
    """Raise ValueError where features are not rows of the same dimensions, two at least, and all finite."""
    shapes = [np.shape(one) for one in rows]
    few = any(shape[0] < 2 for shape in shapes[:2] if shape)
    if few or any(len(shape) != 2 or shape[1] != shapes[0][-1] for shape in shapes):
        raise ValueError(f"features of shapes {shapes}: give images x dimensions, two images at least, dimensions alike.")
    if not all(np.isfinite(one).all() for one in rows):
        raise ValueError("some features are no finite numbers: look for NaN before adapting.")
