"""Checks of notebook 04, feature extraction."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from helpers.evaluation import paired_interval
from helpers.exercises.feedback import NotYet, as_array, call, exercise, expect, hint_if, number_exercise
from helpers.vgg16 import CHANNEL_MEANS, preprocess_vgg16


@number_exercise(
    (1_179_904, "each of 256 filters has 3 x 3 x 512 weights and a bias, 1,179,904 in all."),
    (9 * 512 * 256, "Nearly: these are all but the biases. Each filter has one."),
    (9 * 512 + 1, "Nearly: that is one filter. How many filters are there?"),
    (9 * 256 * 512 + 512, "Nearly: there is one bias for each map that comes out, not for each that comes in."),
    (512 * 256 + 256, "Nearly: a filter looks at 3 x 3 places of each incoming map, not at one."),
    (9 * 256 + 256, "Nearly: a filter looks at all 512 incoming maps, not at one."),
    form=",.0f",
    rtol=0,
)
def check_weight_count(number: float) -> str:
    size = "many" if number > 1_179_904 else "few"
    return f"{number:,.0f} is too {size}. Count the weights of one filter first."


@number_exercise(
    (14, "3, 4, 6, 14: a square of 14 x 14 pixels."),
    (10, "that would be right if the second pooling did not double the stride. The last convolution adds 2 strides."),
    (7, "that would be right if no pooling doubled the stride. The last convolution adds 2 strides."),
    (6, "that is the field after both poolings. One convolution is still to come."),
    (8, "that is one pooling less. The second adds its stride to the field, too, and doubles it."),
    (11, "the poolings add something, too: their squares are two values wide."),
    (17, "a pooling adds its stride first, and doubles it only afterwards."),
)
def check_receptive_field(number: float) -> str:
    return f"not {number:g}. Write field and stride down after each of the four layers, starting with 1 and 1."


@exercise("blue, green, red, each without its mean: that is what VGG16 saw in training.")
def check_preprocessing(answer: Any) -> None:
    images = np.array([[[[255, 128, 0], [10, 20, 30]]]], dtype="uint8")
    result = as_array(call(answer, images=images, advice="Return new ones."), shape=images.shape)
    right, centred = preprocess_vgg16(images), np.float32(images) - CHANNEL_MEANS
    mirrored, reversed_late = preprocess_vgg16(images[..., ::-1, :]), centred[..., ::-1]
    order = "the order of the means does not fit that of the channels."
    wrong = [
        (reversed_late, f"{order} Turn the channels around before you subtract."),
        (centred, "the channels are still red, green, blue. Turn the last axis around."),
        (images[..., ::-1], "the channels are right, but where are the means?"),
        (right / 255, "you divide by 255. VGG16 was trained on values from 0 to 255."),
        (mirrored, "the second axis is turned around, too; only the last one holds the channels."),
    ]
    pixel, wanted = (np.round(values[0, 0, 0], 1).tolist() for values in (result, right))
    expect(result, right, wrong, f"pixel (255, 128, 0) becomes {pixel}, and should become {wanted}.", atol=1e-3)
    for other in (images[0], images[0, 0, 0]):
        shown = as_array(call(answer, other.copy()), shape=other.shape)
        hint = f"right for four axes, not for shape {other.shape}. `...` stands for any number of axes."
        hint_if(not np.allclose(shown, preprocess_vgg16(other), atol=1e-3), hint)


@exercise("the training features set the scale, and the new ones are measured on it.")
def check_standardise(answer: Any) -> None:
    generator = np.random.default_rng(0)
    train, new = generator.normal([1, -2, 5], [1, 4, 0.5], (20, 3)), generator.normal(2, 3, (6, 3))
    result = call(answer, train.copy(), new.copy())
    two = isinstance(result, tuple | list) and len(result) == 2
    hint_if(not two, "two arrays are wanted: the training features and the new ones, both standardised.")
    first, second = as_array(result[0], shape=train.shape), as_array(result[1], shape=new.shape)
    mean, both = train.mean(axis=0), np.concatenate([train, new])
    if np.allclose(second, (new - new.mean(axis=0)) / new.std(axis=0), rtol=0.1):
        raise NotYet("the new features use their own mean and deviation. Use those of the training features for both.")
    leaked = (train - both.mean(axis=0)) / both.std(axis=0)
    wrong = [
        (leaked, "mean and deviation come from all data: the new features have leaked into training."),
        ((train - train.mean()) / train.std(), "one mean for everything. Each feature has its own: mean(axis=0)."),
        (train - mean, "the means are gone, the deviations are still there: divide by them."),
        ((train - mean) / train.var(axis=0), "you divide by the variance. The deviation is its square root."),
    ]
    unbiased = train.std(axis=0, ddof=1)  # both deviations are right, as long as there is only one of them
    used = unbiased if np.allclose(first, (train - mean) / unbiased) else train.std(axis=0)
    otherwise = "the training features do not come out with mean 0 and deviation 1."
    expect(first, (train - mean) / used, wrong, otherwise, rtol=1e-5)
    otherwise = "the training features are right, the new ones are not: give them the same mean and deviation."
    expect(second, (new - mean) / used, [], otherwise, rtol=1e-5)


@exercise("one mean for each class, and no training at all.")
def check_nearest_mean(answer: Any, train: np.ndarray, labels: np.ndarray, new: np.ndarray) -> None:
    result = as_array(call(answer, train.copy(), labels.copy(), new.copy()))
    means = np.stack([train[labels == label].mean(axis=0) for label in range(labels.max() + 1)])
    distances = np.linalg.norm(new[:, None] - means, axis=2)
    found = f"the shape is {distances.shape}: these look like distances."
    hint_if(result.shape == distances.shape, f"{found} Return the position of the smallest of each row.")
    classes, cancelled = distances.argmin(axis=1), np.abs((new[:, None] - means).sum(axis=2)).argmin(axis=1)
    nearest = labels[np.stack([np.linalg.norm(train - row, axis=1) for row in new]).argmin(axis=1)]
    wrong = [
        (distances.argmax(axis=1), "these are the classes that are farthest away. The nearest has the smallest distance."),
        (cancelled, "differences of opposite sign cancel in a plain sum. Square them first, or use np.linalg.norm."),
        (nearest, "that is the class of the nearest patch. Compare with the mean of each class instead."),
    ]
    result = as_array(result, shape=(len(new),))
    low, high, last = result.min(), result.max(), len(means) - 1
    share = f"{np.mean(result == classes):.0%} of the classes are those of the nearest mean."
    otherwise = f"{share} Is there one mean for each class and feature?"
    if low < 0 or high > last or np.any(result != np.round(result)):
        otherwise = f"classes are 0 to {last}, and yours go from {low:g} to {high:g}."
    expect(result, classes, wrong, otherwise)


@exercise("each class counts the same, however many photographs it has.")
def check_balanced_accuracy(answer: Any) -> None:
    labels, predicted = np.array([0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 2, 2]), np.array([0, 0, 0, 0, 0, 1, 1, 0, 2, 0, 0, 1])
    value = as_array(call(answer, labels=labels, predicted=predicted))
    hint_if(value.shape == (3,), "these are the shares of the classes, one for each. Return their mean.")
    classes, right = np.unique(labels), labels == predicted
    each = [right[labels == label].mean() for label in classes]
    precise = [right[predicted == label].mean() for label in classes]
    wrong = [
        (right.mean(), "that is plain accuracy: a class of six photographs counts three times as much as one of two."),
        (np.mean(precise), "you divide by how often a class was predicted. Divide by how often it is true."),
        (np.sum(each), "that is the sum over the classes. Divide by their number."),
    ]
    expect(as_array(value, shape=()), np.mean(each), wrong, f"{value} is not it; {np.mean(each):.3f} is wanted here.")
    with warnings.catch_warnings(action="ignore"):  # of a mean over nothing
        gap = call(answer, np.array([0, 0, 3, 3]), np.array([0, 3, 3, 3]))  # no class 1 or 2
    hint_if(not np.isclose(gap, 0.75), "with the classes 0 and 3 alone it fails. Go through np.unique(labels).")


@exercise(
    "{first} minus {second}: {mean:+.3f}, 95 % interval {low:+.3f} to {high:+.3f} over {runs} draws: {verdict}. "
    "I cannot see whether both arms used the same draws: see to that yourself."
)
def check_experiment(answer: Any) -> dict[str, Any]:
    is_pair = isinstance(answer, Mapping) and len(answer) == 2
    hint_if(not is_pair, "a dictionary of two arms is wanted: a name for each, and its accuracies, one for each draw.")
    (first, one), (second, other) = ((name, np.ravel(as_array(values))) for name, values in answer.items())
    runs = len(one)
    hint_if(runs != len(other), f"{runs} draws against {len(other)}: both arms need the same draws, to be paired.")
    hint_if(runs < 5, f"only {runs} draws. Make at least five: with fewer the interval is too wide to say anything.")
    hint_if(min(one.min(), other.min()) < 0 or max(one.max(), other.max()) > 1, "accuracies lie between 0 and 1.")
    hint_if(np.ptp(one) == 0 == np.ptp(other), "all draws are the same. Did each of them take all labels that there are?")
    hint_if(np.array_equal(one, other), "the two arms are the same in every draw. Does anything differ between them?")
    mean, low, high = paired_interval(one - other)
    verdict = "told apart" if low > 0 or high < 0 else "not told apart"
    names = {"first": first, "second": second, "runs": runs, "verdict": verdict}
    return names | {"mean": mean, "low": low, "high": high}
