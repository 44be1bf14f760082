"""Visible checks of the assignment on feature extraction: small examples, each with its usual mistakes.

A learner gets this file. It holds the numbers of the examples and no formula that a task asks for.
"""

from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers import load_textures
from helpers.exercises.feedback import as_array, as_number, call, exercise, expect, expect_cases, hint_if

PREPARATIONS = ("right", "turned", "scaled", "raw", "other")
RATES = (0.01, 1, 100)
WANTED = 0.70  # over thirteen draws block 2 gets 0.57 to 0.67, block 3 0.69 to 0.87, block 4 0.75 to 0.92
MEASURED = {  # means of eight channels of block1_pool for two pictures, rounded
    "right": [147, 199, 543, 505, 702, 240, 170, 374, 135, 207, 587, 557, 702, 235, 168, 392],
    "turned": [152, 198, 525, 497, 668, 246, 173, 350, 131, 176, 392, 561, 602, 223, 167, 390],
    "scaled": [46, 307, 106, 44, 202, 107, 65, 10, 46, 307, 106, 44, 202, 107, 65, 10],
    "raw": [244, 183, 364, 530, 1295, 250, 210, 304, 224, 162, 254, 592, 1217, 230, 203, 342],
    "other": [2, 2, 3, 4, 10, 2, 2, 2, 2, 3, 4, 4, 10, 2, 2, 2],
}


@exercise("16,385 weights and biases a class for flattened maps of block 3, and 257 for averaged ones.")
def check_head_parameters(answer: Any) -> None:
    wrong = [
        (81_920, "the biases are missing: each class has one."),
        (327_685, "the maps of block 3 have been through three poolings, not two."),
        (20_485, "the maps of block 3 have been through three poolings, not four."),
        (5_242_885, "every block halves the sides of its maps."),
        (163_845, "block 3 has 256 maps; 512 come later."),
        (1_285, "that is right for averaged maps. Flattened, every place counts."),
    ]
    found = as_number(call(answer, 64, 3, False, 5))
    otherwise = f"flattened maps of block 3 of 64 pixels need 81,925 for five classes, and yours is {found:,.0f}."
    expect(found, 81_925, wrong, otherwise, form=",.0f", rtol=0)
    found = as_number(call(answer, 64, 3, True, 5))
    wrong = [(81_925, "averaged, one number is left of each map."), (1_280, "the biases are missing: each class has one.")]
    expect(found, 1_285, wrong, f"averaged maps need 1,285, and yours is {found:,.0f}.", form=",.0f", rtol=0)


def as_pair(result: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the two arrays of an answer, or raise the hint that says what is wrong with them."""
    hint_if(not isinstance(result, list | tuple) or len(result) != 2, "two arrays are wanted, as `return one, other`.")
    return as_array(result[0]), as_array(result[1])


@exercise("three of the four features are left, on the scale of the training pictures.")
def check_describe(answer: Any) -> None:
    uneven = np.array([[2, -1], [0, -1]])[..., np.newaxis] * np.array([1, 2, 1, 3]).reshape(4, 1, 1, 1)  # its mean is 0
    first, second = np.array([[1, 10], [3, 30], [5, 0], [1, 40]]), np.array([[0, 2], [0, 6], [7, 8], [1, 0]])
    maps = [first.reshape(4, 1, 1, 2) + 1.0 * uneven, second.reshape(4, 1, 1, 2).repeat(2, axis=2).astype("float64")]
    train, new = as_pair(call(answer, [block[:2] for block in maps], [block[2:] for block in maps]))
    columns = train.shape[-1] if train.ndim == 2 else 0
    hint_if(train.ndim != 2 or columns > 4, f"the shape is {train.shape}: a row for each picture, a number for each map.")
    hint_if(columns < 3, f"{columns} features are left, and three are wanted: those of both blocks, side by side.")
    leaked = np.isclose(train[0, 0], -0.9045, atol=1e-3)
    hint_if(leaked, "mean and deviation come from all pictures: the new ones have leaked into training.")
    hint_if(columns == 4, "four features: the one that is the same for all training pictures is still there.")
    halves = np.allclose(np.abs(train), 0.7071, atol=1e-3)
    hint_if(halves, "every deviation is too large by the same factor. Take `np.std` as it is.")
    right = [[-1, -1, -1], [1, 1, 1]]
    expect(train, right, [], "the training pictures do not have mean 0 and deviation 1 in each feature.", rtol=0, atol=1e-5)
    wrong = [([[1, -1, 1], [-1, 1, -1]], "the new pictures have a scale of their own. Theirs is that of training.")]
    right = [[3, -2, 2], [-1, 2, -2]]
    expect(new, right, wrong, "training is right, and the new pictures are not on its scale.", rtol=0, atol=1e-5)


@exercise("one layer does what two steps did.")
def check_dense_weights(answer: Any) -> None:
    mean, deviation = np.array([1.0, -2.0]), np.array([2.0, 0.5])
    coefficients, intercept = np.array([[4.0, 1.0], [0.0, -1.0], [-2.0, 0.0]]), np.array([1.0, 0.0, 3.0])
    kernel, bias = as_pair(call(answer, mean, deviation, coefficients, intercept))
    hint_if(kernel.shape == (3, 2), "the kernel is (3, 2). In Keras it has a row for each feature: (2, 3).")
    wrong = [
        ([[4, 0, -2], [1, -1, 0]], "the kernel ignores the deviations."),
        ([[8, 0, -4], [0.5, -0.5, 0]], "the kernel is multiplied by the deviations, but features are divided by them."),
    ]
    expect(kernel, [[2, 0, -1], [2, -2, 0]], wrong, "the kernel should be [[2, 0, -1], [2, -2, 0]] here.")
    wrong = [
        ([1, 0, 3], "the kernel is right, and the bias ignores the means."),
        ([-1, 4, 2], "the kernel is right; in the bias the means are added, but they have to be subtracted."),
        ([-1, -2, 5], "the kernel is right; in the bias the means are not divided by the deviations."),
    ]
    expect(bias, [3, -4, 4], wrong, "the kernel is right, and the bias should be [3, -4, 4] here.")


def squares(seed: int) -> np.ndarray:
    """Return two pictures of coloured squares, uint8 (2, 64, 64, 3)."""
    colours = np.random.default_rng(seed).integers(0, 256, size=(2, 8, 8, 3)).astype("uint8")
    return colours.repeat(8, axis=1).repeat(8, axis=2)


@exercise("every colleague's preparation is found.")
def check_find_preparations(answer: Any) -> None:
    told = {"Ada": "scaled", "Ben": "turned", "Cleo": "raw", "Dan": "right", "Eve": "other"}
    found = call(answer, squares(3), {name: np.reshape(MEASURED[way], (2, 8)) for name, way in told.items()})
    turned = isinstance(found, dict) and set(found) <= set(PREPARATIONS)
    hint_if(turned, "turn the dictionary around: a preparation for each name.")
    none = isinstance(found, dict) and set(map(str, found.values())) == {"other"}
    hint_if(none, "four of them prepared the pictures as in the list. They rounded to whole numbers: allow 1.")
    wrong = {
        "Ada": "not right for Ada, who divided by 255 before anything else was done.",
        "Ben": "not right for Ben, whose colours came in as blue, green, red: it is the last axis that is turned.",
        "Cleo": "not right for Cleo, who did nothing at all with the pixels.",
        "Dan": "not right for Dan, who did what VGG16 wants.",
        "Eve": "not right for Eve. One of the four is the nearest to hers, but is it near?",
    }
    expect_cases(found, told, PREPARATIONS, wrong)


def fold_data(seed: int, *, many: bool) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Return made-up features of five blocks, the labels, and the fold of each picture, with whole photographs in a fold.

    Of forty numbers of block 5, ten are loud in each fold and quiet in the others: who fits a scaler on all folds is misled.
    """
    random, photograph = np.random.default_rng(seed), np.arange(12).repeat(6)
    labels, folds = photograph // 4, photograph % 4
    corners = np.array([[1, 0], [-0.5, 0.87], [-0.5, -0.87]])[labels]
    noise = random.normal(size=(72, 120))
    own = random.normal(size=(12, 20))[photograph] + 0.1 * random.normal(size=(72, 20))
    common, signal = random.normal(size=(72, 2)), corners + random.normal(scale=0.35, size=(72, 2))
    close = np.concatenate([common + 0.06 * signal, common - 0.06 * signal], axis=1)
    weak = 0.28 * corners @ random.normal(size=(2, 60)) + random.normal(size=(72, 60))
    fair = corners + random.normal(scale=0.75, size=(72, 2))
    last = (weak, fair) if many else (fair, close)
    loud = random.normal(size=(72, 40)) * np.where(folds[:, np.newaxis] == np.arange(40) % 4, 40, 0.05)
    wild = np.concatenate([corners + random.normal(scale=0.28, size=(72, 2)), loud], axis=1)
    return {"block1": noise, "block2": own, "block3": last[0], "block4": last[1], "block5": wild}, labels, folds


@exercise("block 4 with C = 100, by pictures of photographs that were left out.")
def check_choose(answer: Any) -> None:
    found = call(answer, *fold_data(1, many=False))
    pair = isinstance(found, list | tuple) and len(found) == 2 and isinstance(found[0], str)
    hint_if(not pair, "two things are wanted: the name of a block, as text, and a C.")
    block, rate = found[0], as_number(found[1])
    hint_if(block == "block1", "block1 knows its training pictures by heart, and no others. Score those that were left out.")
    hint_if(block == "block2", "block2 recognises photographs, not classes. Leave out a whole fold at a time.")
    ahead = "block5 is ahead only where the scaler has seen the fold that is left out. Fit it on the other folds alone."
    hint_if(block == "block5", ahead)
    hint_if(block == "block3", "block3 is better at a small C. Try every block with every C.")
    hint_if(block != "block4" or rate not in RATES, f"there is no {block} with C = {rate:g} here.")
    hint_if(rate != 100, f"block4 is right, and C = {rate:g} is not the best for it.")


def practice(seed: int, *, part: str = "validation") -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return patches of fourteen materials in coloured light, 8 of each with their labels, and 6 new ones with theirs."""
    counts = {"train_per_class": 8, "validation_per_class": 6, "test_per_class": 6}
    textures, random = load_textures(**counts, image_size=64, color=False, seed=seed), np.random.default_rng(seed)
    train, new = (in_light(textures[f"{name}_images"][..., :1], random) for name in ("train", part))
    return train, textures.train_labels, new, textures[f"{part}_labels"]


def in_light(grey: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return each patch with a brightness and a contrast of its own in red, green and blue."""
    size = len(grey), 1, 1, 3
    even = (grey - grey.mean(axis=(1, 2, 3), keepdims=True)) / np.maximum(grey.std(axis=(1, 2, 3), keepdims=True), 1e-6)
    lit = random.uniform(90, 165, size) + random.uniform(15, 60, size) * even
    return np.clip(np.round(lit), 0, 255).astype("uint8")


@exercise("{right:.2f} of the new patches, and six colour numbers get {six:.2f}.")
def check_name_patches(answer: Any) -> dict[str, float]:
    return measure_patches(answer, seed=106)


def measure_patches(answer: Any, *, seed: int) -> dict[str, float]:
    """Return the share of new patches that are named rightly, and that of six colour numbers, or raise a hint."""
    train, labels, new, truth = practice(seed, part="test")
    order = np.random.default_rng(seed).permutation(14)
    labels, truth = order[labels], order[truth]
    named = as_array(call(answer, train.copy(), labels.copy(), new.copy()))
    scores = "these look like scores of the classes. Return the class that has the largest one."
    hint_if(named.shape == (len(new), 14), scores)
    hint_if(named.shape == (len(train),), "these are as many as the training patches. The new ones are to be named.")
    hint_if(named.shape != (len(new),), f"{len(new)} classes are wanted, and the shape is {named.shape}.")
    numbers = [np.concatenate([x.mean(axis=(1, 2)), x.std(axis=(1, 2))], axis=1) for x in (train, new)]
    six = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(numbers[0], labels).score(numbers[1], truth)
    right = np.mean(named == truth)
    light = "Colour and brightness are those of the light; look for what it does not change."
    hint_if(right < six + 0.05, f"{right:.2f} of the new patches, and six colour numbers get {six:.2f}. {light}")
    chance = "Are the weights those of ImageNet, and which block do you ask?"
    hint_if(right < WANTED, f"{right:.2f} of the new patches, and {WANTED:.2f} is wanted. {chance}")
    return {"right": float(right), "six": six}
