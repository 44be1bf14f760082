"""Checks of notebook 04, feature extraction."""

from typing import Any

import numpy as np

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
    (10, "3, 5, 6, 10: a square of 10 x 10 pixels."),
    (8, "that would be right if the pooling did not double the stride. The last convolution adds 2 strides."),
    (6, "that is the field after the pooling. One convolution is still to come."),
    (7, "that is three convolutions. The pooling sees one stride more, and doubles the stride."),
    (12, "count the pooling once: it adds one stride of 1, and doubles the stride only afterwards."),
    (5, "that is the field after two convolutions."),
    (9, "the pooling adds something, too: its square is two values wide."),
    (16, "that would be one pooling more, as in block2_pool."),
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
        (nearest, "that is the class of the nearest photograph. Compare with the mean of each class instead."),
    ]
    result = as_array(result, shape=(len(new),))
    low, high, last = result.min(), result.max(), len(means) - 1
    share = f"{np.mean(result == classes):.0%} of the classes are those of the nearest mean."
    otherwise = f"{share} Is there one mean for each class and feature?"
    if low < 0 or high > last or np.any(result != np.round(result)):
        otherwise = f"classes are 0 to {last}, and yours go from {low:g} to {high:g}."
    expect(result, classes, wrong, otherwise)


@exercise("from {count:,} numbers to {channels} for each photograph.")
def check_global_average(answer: Any, maps: np.ndarray) -> dict[str, int]:
    count, height, width, channels = maps.shape
    result = as_array(call(answer, maps.copy()))
    shapes = {
        maps.shape[:3]: "you averaged over the channels. Average over the places, and keep the channels.",
        (channels,): "you averaged over the photographs, too. Axis 0 counts them and has to stay.",
        (): "you averaged over everything. Name the axes of the places.",
        (count, width, channels): "one of the two axes of the places is still there. `axis` takes a tuple.",
        (count, height * width * channels): "that is flattening. Average over the places instead.",
        (count, 1, 1, channels): "the values are right; the two axes of length 1 have to go. Leave `keepdims` away.",
    }
    hint_if(result.shape in shapes, shapes.get(result.shape))
    wrong = [
        (maps.max(axis=(1, 2)), "that is the largest value of each map, global max pooling. The average is wanted."),
        (maps.sum(axis=(1, 2)), "that is the sum over the places. Divide by their number."),
    ]
    otherwise = "the shape is right, the values are not the averages of the maps."
    expect(as_array(result, shape=(count, channels)), maps.mean(axis=(1, 2)), wrong, otherwise, rtol=1e-4, atol=1e-5)
    return {"count": height * width * channels, "channels": channels}


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
