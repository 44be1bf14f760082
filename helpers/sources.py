"""Choosing a source: networks that come from somewhere else or were damaged, and scores that rank features untrained.

A source is "imagenet", "edges", "random", or a kind of damage with its dose, such as "noise 2": see `load_source`. A score
takes the features (n, d) of labelled images and their classes (n,), standardises each feature over these images, and is the
higher the better it finds them. Notebook 08 writes most of them in front of the learner, and tests compare the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from helpers.data import take_per_class
from helpers.experiments import STRENGTHS, Task, fit_until_stale
from helpers.features import extract_features
from helpers.fine_tuning import freeze_before, split_model
from helpers.vgg16 import load_vgg16

if TYPE_CHECKING:
    import keras
    from sklearn.utils import Bunch

KINDS = ("noise", "shuffle", "prune")
BLOCKS = (1, 2, 3, 4, 5)


def load_source(name: str, *, input_shape: tuple = (96, 96, 3), seed: int = 0) -> keras.Model:
    """Return VGG16 without top from a source: those of `load_vgg16`, or ImageNet damaged: "noise 2", "prune 0.5 in block 3".

    `seed` counts for "random" and for damage.
    """
    kind, _, rest = name.partition(" ")
    if kind not in KINDS:
        return load_vgg16(name, input_shape=input_shape, seed=seed)
    dose, _, block = rest.partition(" in block ")
    blocks = (int(block),) if block else BLOCKS
    return damage(load_vgg16(input_shape=input_shape), kind=kind, dose=float(dose), blocks=blocks, seed=seed)


def damage(
    base_model: keras.Model, *, kind: str = "noise", dose: float, blocks: tuple[int, ...] = BLOCKS, seed: int = 0
) -> keras.Model:
    """Return a copy of a VGG16 with damaged convolutions in some blocks; the same seed damages the same places.

    "noise" adds normal noise, its deviation `dose` times the root of the kernel's mean square. "shuffle" gives a share
    `dose` of each kernel's input channels the weights of one another. "prune" sets a share `dose` of the filters to
    zero, kernel and bias. A dose of 0 copies. Raises ValueError for another kind, or a dose out of range.
    """
    from keras import models

    if kind not in KINDS or dose < 0 or (kind != "noise" and dose > 1):
        raise ValueError(f"received {kind!r} with dose {dose}: choose {', '.join(KINDS)}, and from 0 to 1, noise from 0 up.")
    damaged, random = models.clone_model(base_model), np.random.default_rng(seed)
    damaged.set_weights(base_model.get_weights())
    for layer in damaged.layers:
        if layer.weights and int(layer.name[5]) in blocks:  # block1_conv1
            layer.set_weights(_damage_kernel(*layer.get_weights(), kind, dose, random))
    return damaged


def _damage_kernel(
    kernel: np.ndarray, bias: np.ndarray, kind: str, dose: float, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    if kind == "noise":
        size = dose * np.sqrt(np.mean(kernel**2))
        return kernel + size * random.standard_normal(kernel.shape, dtype="float32"), bias
    axis = 2 if kind == "shuffle" else 3  # (height, width, channels in, filters)
    order = random.permutation(kernel.shape[axis])
    chosen = order[: round(dose * len(order))]
    if kind == "shuffle":
        kernel[:, :, chosen] = kernel[:, :, np.roll(chosen, 1)]
    else:
        kernel[..., chosen], bias[chosen] = 0, 0
    return kernel, bias


def fine_tune_source(
    source: str, target: Bunch, *, labels_per_class: int, seed: int = 0, learning_rate: float
) -> dict[str, Any]:
    """Return the record of one run: the best frozen head of a source, then block 5 and this head, trained further.

    The head begins as the logistic regression on standardised features whose `C` validation prefers, so that every source
    begins with its own best head, whatever the size of its features. Then the steps, checks and patience of the arm
    "block 5 fine-tuned". For three classes or more.
    """
    from keras import Model, layers
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    chosen = take_per_class(target.train_labels, labels_per_class=labels_per_class, seed=seed)
    task, parts = Task(target, chosen, seed), ("train", "validation", "test")
    base_model = load_source(source, input_shape=target.train_images.shape[1:], seed=seed)
    images = [target[f"{part}_images"][chosen if part == "train" else slice(None)] for part in parts]
    ends = {"base_model": base_model, "layers": ["block4_pool", "block5_pool"], "pooling": None, "cache": False}
    answers = [extract_features(one, **ends) for one in images]
    maps = [one["block4_pool"][np.newaxis] for one in answers]
    train, *others = (one["block5_pool"].mean(axis=(1, 2)) for one in answers)
    heads = [make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=2000)) for C in STRENGTHS]
    with threadpool_limits(1):
        heads = [head.fit(train, task.labels) for head in heads]
        (scaler, head), *_ = sorted(heads, key=lambda one: -one.score(others[0], target.validation_labels))
        given = [head.predict(scaler.transform(one)) for one in others]
    pooled = layers.GlobalAveragePooling2D(name="pooling")(base_model.outputs[0])
    scaled = layers.Normalization(mean=scaler.mean_, variance=scaler.scale_**2, name="standardised")(pooled)
    answer = layers.Dense(len(target.class_names), activation="softmax", name="predictions")(scaled)
    model = Model(base_model.inputs[0], answer)
    model.get_layer("predictions").set_weights([head.coef_.T, head.intercept_])
    freeze_before(model, "block5")
    _, tail = split_model(model, "block4_pool")
    answers, found = fit_until_stale(tail, task, *maps, learning_rate=learning_rate)
    found |= {"source": source, "labels_per_class": labels_per_class, "seed": seed, "learning_rate": learning_rate}
    for name, classes in (("head_", given), ("", [of.argmax(axis=1) for of in answers])):
        for part, ones in zip(parts[1:], classes, strict=True):
            found[f"{name}{part}_accuracy"] = round(float(np.mean(ones == target[f"{part}_labels"])), 5)
    return found


def standardise(features: np.ndarray) -> np.ndarray:
    """Return each feature with mean 0 and deviation 1 over the rows; one that never changes becomes 0."""
    centred = np.asarray(features, dtype="float64") - np.mean(features, axis=0, dtype="float64")
    deviation = centred.std(axis=0)
    return centred / np.where(deviation > 1e-7, deviation, 1)


def nearest_neighbour_probe(features: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of images whose nearest other image is of their own class: leave one out."""
    rows = standardise(features)
    squares = (rows**2).sum(axis=1)
    distances = squares[:, np.newaxis] + squares - 2 * rows @ rows.T
    np.fill_diagonal(distances, np.inf)
    return float(np.mean(labels[distances.argmin(axis=1)] == labels))


def logistic_probe(features: np.ndarray, labels: np.ndarray, *, folds: int = 3, strength: float = 0.1) -> float:
    """Return the accuracy of a logistic regression on images that it was not fitted to, by cross-validation.

    `strength` is its `C`. A class with fewer images than `folds` lowers their number.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=500))
    parts = min(folds, int(np.bincount(labels)[np.unique(labels)].min()))
    with threadpool_limits(1):
        return float(cross_val_score(classifier, features, labels, cv=parts).mean())


def h_score(features: np.ndarray, labels: np.ndarray, *, shrunk: bool = True) -> float:
    """Return the spread of the class means, measured in units of the spread of all images: trace(total^-1 between).

    Bao and others, "An Information-Theoretic Approach to Transferability in Task Transfer Learning", 2019. With more
    features than images it is always the number of classes minus 1, unless `shrunk`: Ledoit and Wolf's covariance, which
    is a little of the identity, and as much less of the rest on both sides (Ibrahim and others, "Newer Is Not Always
    Better", 2021).
    """
    from sklearn.covariance import ledoit_wolf

    rows, classes = standardise(features), np.unique(labels, return_inverse=True)[1]
    means = np.stack([rows[classes == place].mean(axis=0) for place in range(classes.max() + 1)])[classes]
    with threadpool_limits(1):
        total, share = ledoit_wolf(rows, assume_centered=True) if shrunk else (rows.T @ rows / len(rows), 0.0)
        between = (1 - share) * means.T @ means / len(rows)
        return float(np.trace(np.linalg.pinv(total, hermitian=True) @ between))


def log_me(features: np.ndarray, labels: np.ndarray) -> float:
    """Return the largest mean log evidence of Bayesian linear regression on each class as 0 or 1, averaged over classes.

    With weights of precision alpha and noise of precision beta, and F the standardised features, the evidence is the
    density of the 0s and 1s under a normal distribution with mean 0 and covariance I / beta + F F' / alpha. The best beta
    is known for each ratio alpha / beta, so that one number is searched. No intercept, as in You and others, "LogME:
    Practical Assessment of Pre-trained Models for Transfer Learning", 2021.
    """
    from scipy.optimize import minimize_scalar

    rows = standardise(features)
    with threadpool_limits(1):
        directions, spread, _ = np.linalg.svd(rows, full_matrices=False)
    answers, best = np.float64(labels[:, np.newaxis] == np.unique(labels)), []
    for inside, whole in zip((directions.T @ answers).T ** 2, (answers**2).sum(axis=0), strict=True):

        def evidence(log_ratio: float, inside: np.ndarray = inside, whole: float = whole) -> float:
            kept = 1 / (1 + spread**2 / np.exp(log_ratio))  # the share of each direction that is left to noise
            misfit = max(whole - inside.sum(), 1e-12) + (inside * kept).sum()
            return (np.log(len(rows) / misfit) - np.log(2 * np.pi) - 1 + np.log(kept).sum() / len(rows)) / 2

        grid = np.linspace(-12, 30, 64)
        at = grid[np.argmax([evidence(one) for one in grid])]
        found = minimize_scalar(lambda one: -evidence(one), bounds=(at - 0.7, at + 0.7), method="bounded")  # noqa: B023
        best.append(max(-found.fun, evidence(at)))
    return float(np.mean(best))


def leep(source_probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean log probability of each image's class, guessed from the source's classes alone.

    How often each target class goes with each source class is counted with the probabilities (n, source classes) that the
    source gives. Nguyen and others, "LEEP: A New Measure to Evaluate Transferability of Learned Representations", 2020.
    """
    joint = np.float64(labels == np.unique(labels)[:, np.newaxis]) @ source_probabilities  # (classes, source classes)
    given = joint / np.maximum(joint.sum(axis=0), 1e-300)
    right = given[np.unique(labels, return_inverse=True)[1]]
    return float(np.mean(np.log(np.maximum((right * source_probabilities).sum(axis=1), 1e-300))))


def n_leep(features: np.ndarray, labels: np.ndarray, *, seed: int = 0) -> float:
    """Return LEEP with the clusters of a Gaussian mixture in place of source classes.

    Principal components keep 80 % of the variance of the standardised features. There are four clusters for each class, but
    at most half as many as images. Li and others, "Ranking Neural Checkpoints", 2021.
    """
    from sklearn.decomposition import PCA
    from sklearn.mixture import GaussianMixture

    rows, clusters = standardise(features), min(4 * len(np.unique(labels)), len(labels) // 2)
    if not rows.any():  # features that never change: one cluster
        return leep(np.ones((len(labels), 1)), labels)
    with threadpool_limits(1):
        shown = PCA(0.8, svd_solver="full").fit_transform(rows)
        mixture = GaussianMixture(clusters, covariance_type="diag", reg_covar=1e-2, random_state=seed)
        return leep(mixture.fit(shown).predict_proba(shown), labels)


SCORES = {
    "LogME": log_me,
    "H-score": h_score,
    "N-LEEP": n_leep,
    "nearest neighbour": nearest_neighbour_probe,
    "logistic probe": logistic_probe,
}


def multiply_adds(model: keras.Model) -> int:
    """Return how many products one image costs in the layers with kernels: each kernel once at every place of its output."""
    sizes = ((layer, sum(int(np.prod(one.shape)) for one in layer.weights if len(one.shape) > 1)) for layer in model.layers)
    return sum(size * int(np.prod(layer.output.shape[1:-1])) for layer, size in sizes if size)
