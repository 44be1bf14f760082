"""Hidden checks of the assignment on feature extraction: the same functions with other numbers.

The driver calls them from outside the sandbox, and without TensorFlow: the first block of VGG16 is computed in NumPy. What
they say names the mistake and no number of theirs.
"""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from assignments.checks.feature_extraction import PREPARATIONS, RATES, as_pair, fold_data, measure_patches, squares
from helpers._machinery.weights import BLOCKS, load_weights
from helpers.exercises.feedback import as_number, call, exercise, expect, expect_cases, hint_if
from helpers.vgg16 import subtract_means

BEYOND = "not right for another example than the one of the visible check."


@exercise("also for other sizes and blocks.")
def check_head_parameters(answer: Any) -> None:
    for size, block, averaged, classes in ((128, 1, False, 3), (224, 5, True, 10), (100, 4, False, 7), (50, 5, False, 2)):
        side, channels = size // 2**block, BLOCKS[f"block{block}"][0]
        right = ((1 if averaged else side * side) * channels + 1) * classes
        odd = " A pooling leaves over what does not make a pair." if size % 2**block else ""
        hint_if(as_number(call(answer, size, block, averaged, classes)) != right, BEYOND + odd)


@exercise("also for more blocks and pictures.")
def check_describe(answer: Any) -> None:
    random = np.random.default_rng(31)
    maps = [random.gamma(0.7, 5, size=(12, side, side, count)) for side, count in ((6, 3), (3, 5), (2, 4))]
    maps[1][:8, ..., 2], maps[2][:8, ..., 0], maps[0][8:, ..., 1] = 0, 2, 1
    train, new = ([block[part] for block in maps] for part in (slice(8), slice(8, None)))
    means = np.concatenate([block.mean(axis=(1, 2)) for block in maps], axis=1)
    means = means[:, [0, 1, 2, 3, 4, 6, 7, 9, 10, 11]]
    right = (means - means[:8].mean(axis=0)) / means[:8].std(axis=0)
    for found, wanted in zip(as_pair(call(answer, train, new)), (right[:8], right[8:]), strict=True):
        columns = found.shape[-1] != wanted.shape[1]
        hint_if(columns, f"{BEYOND} Leave out what is the same for all training pictures, whatever its value, and no more.")
        expect(found, wanted, [], f"{BEYOND} Are the blocks in their order, and is the scale that of training?", rtol=1e-5)


@exercise("also for other features and classes.")
def check_dense_weights(answer: Any) -> None:
    random = np.random.default_rng(32)
    for features, classes in ((5, 4), (3, 3)):
        mean, deviation = random.normal(size=features), random.uniform(0.2, 3, size=features)
        coefficients, intercept = random.normal(size=(classes, features)), random.normal(size=classes)
        kernel, bias = as_pair(call(answer, mean, deviation, coefficients, intercept))
        expect(kernel, (coefficients / deviation).T, [], f"{BEYOND} Look at the kernel.", rtol=1e-5)
        expect(bias, intercept - coefficients @ (mean / deviation), [], f"{BEYOND} Look at the bias.", rtol=1e-5)


@exercise("also for other pictures.")
def check_find_preparations(answer: Any) -> None:
    images = squares(33)
    told = {"Fay": "raw", "Gus": "turned", "Hal": "right", "Ida": "scaled", "Jon": "turned", "Kim": "other"}
    shown = (images, images[..., ::-1], images / 255, images[..., [1, 0, 2]])
    shown = dict(zip(("right", "turned", "scaled", "other"), map(subtract_means, shown), strict=True))
    shown["raw"] = images.astype("float32")
    features = {name: np.round(first_block(shown[way])) for name, way in told.items()}
    expect_cases(call(answer, images, features), told, PREPARATIONS, dict.fromkeys(told, BEYOND))


def first_block(values: np.ndarray) -> np.ndarray:
    """Return the means of the first eight channels of `block1_pool`, without TensorFlow."""
    weights = load_weights("imagenet")
    for layer, most in (("block1_conv1", 64), ("block1_conv2", 8)):
        kernel, bias = (weights[f"{layer}/{kind}"][..., :most] for kind in ("kernel", "bias"))
        windows = sliding_window_view(np.pad(values, ((0, 0), (1, 1), (1, 1), (0, 0))), (3, 3), axis=(1, 2))
        values = np.maximum(np.tensordot(windows, kernel, axes=([4, 5, 3], [0, 1, 2])) + bias, 0)
    count, height, width, channels = values.shape
    return values.reshape(count, height // 2, 2, width // 2, 2, channels).max(axis=(2, 4)).mean(axis=(1, 2))


@exercise("also for other measurements.")
def check_choose(answer: Any) -> None:
    for seed, many in ((1, True), (2, False), (3, True)):
        features, labels, folds = fold_data(seed, many=many)
        pairs = [(block, rate) for block in features for rate in RATES]
        right = max(pairs, key=lambda pair: score(*pair, features, labels, folds))
        found = call(answer, features, labels, folds)
        wrong = not isinstance(found, list | tuple) or tuple(found) != right
        hint_if(wrong, f"{BEYOND} Do block and C come from the folds, and is each scaler fitted without the one left out?")


def score(block: str, rate: float, features: dict[str, np.ndarray], labels: np.ndarray, folds: np.ndarray) -> float:
    """Return the mean share of right answers on the folds that were left out."""
    shares, values = [], features[block]
    for fold in np.unique(folds):
        out, classifier = folds == fold, make_pipeline(StandardScaler(), LogisticRegression(C=rate, max_iter=2000))
        shares.append(classifier.fit(values[~out], labels[~out]).score(values[out], labels[out]))
    return float(np.mean(shares))


@exercise("{right:.2f} of the new patches, and six colour numbers get {six:.2f}.")
def check_name_patches(answer: Any) -> dict[str, float]:
    return measure_patches(answer, seed=58213309)
