"""Checks of notebook 08, choosing a source."""

from typing import Any

import numpy as np

from helpers.exercises.feedback import as_array, as_number, call, exercise, expect, hint_if, number_exercise


@number_exercise(
    (3, "pixels, the random block 5 and the small network are all above it. Only the six colour numbers are not."),
    (0, "then nothing would be lost by taking it. Compare its bar with that of the raw pixels."),
    (1, "one of them is above it, and two more are."),
    (2, "two of them are above it, and one more is. Look at the random network as well."),
    (4, "all of them? Colour says next to nothing about a digit in grey."),
    form="g",
)
def check_rivals(number: float) -> str:
    return f"{number:g} is no number of rivals: there are four of them."


@exercise("a noise of {dose:g} times the size of the kernel, in every weight.")
def check_noise(add_noise: Any) -> dict[str, float]:
    random, dose = np.random.default_rng(1), 2.0
    kernel = np.where(np.arange(40) % 2, 0.0, random.normal(3.0, 0.5, (9, 25, 40)))  # half of the filters are zero

    def noisy(dose: float) -> np.ndarray:
        return as_array(call(add_noise, kernel.copy(), dose, np.random.default_rng(0)), shape=kernel.shape)

    hint_if(not np.allclose(noisy(0.0), kernel), "with a dose of 0 the kernel has to stay as it is.")
    change = noisy(dose) - kernel
    hint_if(np.ptp(change) < 1e-12, "every weight changes by the same number. Draw one for each: size=kernel.shape.")
    hint_if(not change[..., 1].any(), "weights of zero stay zero: you multiply with the noise. Add it.")
    hint_if(abs(change.mean()) > 0.1 * change.std(), "the noise has a mean. Draw it from a normal distribution around 0.")
    size = np.sqrt(np.mean(kernel**2))
    wrong = [
        (dose, "it is as large for every kernel. Multiply it by the root of the kernel's mean square."),
        (dose * kernel.std(), "that is the deviation of the weights. The root of their mean square also counts their mean."),
        (dose * abs(kernel).max(), "that takes the largest weight. Take the root of the mean square."),
        (dose * size**2, "that is the mean square. Take its root."),
        (size, "it does not depend on the dose."),
    ]
    expect(
        change.std(),
        dose * size,
        wrong,
        f"its deviation is {change.std():.3g}, not {dose * size:.3g}.",
        form=".3g",
        rtol=0.05,
    )
    return {"dose": dose}


@exercise("each image asks the nearest of the others: {right:.2f} of these get their own class.")
def check_nearest(nearest_neighbour: Any) -> dict[str, float]:
    random = np.random.default_rng(4)
    labels = np.repeat(np.arange(3), 20)
    features = random.normal(size=(60, 5)) + 1.2 * np.eye(3, 5)[labels]
    squares = ((features[:, np.newaxis] - features) ** 2).sum(axis=2)

    def share(distances: np.ndarray, *, farthest: bool = False) -> float:
        found = distances.argmax(axis=1) if farthest else distances.argmin(axis=1)
        return float(np.mean(labels[found] == labels))

    others = squares + np.diag(np.full(60, np.inf))
    right, alike = share(others), features @ features.T
    np.fill_diagonal(alike, -np.inf)
    wrong = [
        (1.0, "every image finds itself. Fill the diagonal of the distances with infinity."),
        (share(squares, farthest=True), "that is the farthest image. Take the smallest distance: argmin."),
        (right * 60, "that counts them. Return the share: the mean, not the sum."),
        (1 - right, "that is the share of wrong neighbours."),
        (share(-alike), "that is the largest product of two rows, not the smallest distance."),
    ]
    number = as_number(call(nearest_neighbour, features, labels))
    expect(number, right, wrong, f"not {number:.4g}: the share of images whose nearest other has their class.", form=".4g")
    return {"right": right}


@number_exercise(
    (4 / 5, "four fifths of the spread lie between the classes."),
    (5 / 4, "upside down: the spread of the class means stands above, that of all images below."),
    (4.0, "that is the spread of the class means. Divide it by the spread of all images."),
    (5.0, "that is the spread of all images. It goes below; the spread of the class means above."),
    (1 / 5, "that is the share inside the classes. Wanted is the rest."),
    (3 / 5, "one of the two variances was divided by n - 1. Divide both by n."),
    (1.0, "that would be so if the images of a class were all alike."),
)
def check_h_score(number: float) -> str:
    return f"not {number:.4g}. The class means are 1 and 5, and each stands for two images."


@number_exercise(
    (9.0, "the number of classes minus 1, for any labels at all: it says nothing."),
    (0.0, "so it should be, since these labels mean nothing. Run the cell below and see."),
    (1.0, "that is its value for one feature that tells two classes apart."),
    (10.0, "close: ten class means around their common mean leave one direction fewer."),
    (512.0, "that is the number of features. The class means span far fewer directions."),
    (100.0, "that is the number of images. The class means span far fewer directions."),
)
def check_shuffled(number: float) -> str:
    return f"not {number:.4g}. Ten class means minus their common mean span how many directions?"


@exercise("{right:.4f}, as by hand. For F = (1, 1, -1, -1), which knows nothing of the classes, it is {useless:.4f}.")
def check_evidence(log_evidence: Any) -> dict[str, float]:
    from scipy.stats import multivariate_normal

    def density(features: np.ndarray, target: np.ndarray, noise: float, weights: float) -> float:
        covariance = noise * np.eye(len(target)) + weights * features @ features.T
        return float(multivariate_normal(cov=covariance).logpdf(target) / len(target))

    target, found = np.array([0.0, 1.0, 0.0, 1.0]), {}
    for name, column in (("right", (1, -1, 1, -1)), ("useless", (1, 1, -1, -1))):
        features = np.array(column, dtype=float)[:, np.newaxis]
        number = as_number(call(log_evidence, features.copy(), target.copy(), 6.0, 3.0))
        wrong = [
            (4 * density(features, target, 1 / 3, 1 / 6), "that is the sum. Divide it by the number of images."),
            (density(features, target, 1 / 6, 1 / 3), "alpha and beta have changed places: I / beta + F F' / alpha."),
            (density(features, target, 3, 6), "alpha and beta are precisions: divide by them."),
            (np.exp(density(features, target, 1 / 3, 1 / 6) * 4), "that is the density. Take its logarithm: logpdf."),
        ]
        found[name] = density(features, target, 1 / 3, 1 / 6)
        expect(
            number, found[name], wrong, f"not {number:.4g}, but {found[name]:.4f} for F = {column}.", form=".4f", rtol=1e-4
        )
    return found


@exercise("agreeing pairs minus disagreeing ones, divided by all pairs: {right:.2f} for these.")
def check_kendall(kendall: Any) -> dict[str, float]:
    from scipy import stats

    scores, accuracies = np.array([0.1, 0.5, 0.2, 0.9, 0.6]), np.array([0.3, 0.2, 0.5, 0.6, 0.7])
    right, pairs = float(stats.kendalltau(scores, accuracies).statistic), 10
    wrong = [
        ((right + 1) / 2, "that is the share of agreeing pairs. Take the disagreeing ones off."),
        (right * pairs, "that is a difference of counts. Divide it by the number of pairs."),
        (right / 2, "divide by the number of pairs, 10 for five cells: each pair counts once."),
        (-right, "the sign is wrong: a pair agrees where both differences have the same sign."),
        (stats.spearmanr(scores, accuracies).statistic, "that is Spearman's correlation of ranks. Count pairs."),
        (stats.pearsonr(scores, accuracies).statistic, "that is Pearson's correlation of the values. Count pairs."),
    ]
    number = as_number(call(kendall, scores.copy(), accuracies.copy()))
    expect(number, right, wrong, f"not {number:.4g}: (agreeing - disagreeing) / all pairs.", form=".4g")
    reverse = as_number(call(kendall, scores.copy(), -scores))
    hint_if(abs(reverse + 1) > 1e-9, f"two opposite orders have -1, and this says {reverse:.3g}.")
    return {"right": right}


@number_exercise(
    (3 * 3 * 64 * 64 * 128 * 128, "0.6 billion products for one layer and one image of 128 pixels."),
    (3 * 3 * 64 * 64, "that is the number of weights. Each is used at every one of 128 x 128 places."),
    (3 * 3 * 64 * 128 * 128, "each of the 64 filters looks at 64 channels: 64 appears twice."),
    (64 * 64 * 128 * 128, "the kernel has 3 x 3 places of its own."),
    (3 * 3 * 64 * 64 * 224 * 224, "that is its cost at 224 pixels. Here the image has 128."),
    (3 * 3 * 3 * 64 * 128 * 128, "that is block1_conv1, which sees three channels. block1_conv2 sees 64."),
    form=",.0f",
)
def check_products(number: float) -> str:
    return f"not {number:,.0f}. Weights of the kernel, times the places of the output."
