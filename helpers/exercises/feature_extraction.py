"""Checks of notebook 04, feature extraction."""

from typing import Any

import numpy as np

from helpers.exercises.feedback import NotYet, as_array, as_number, call, exercise
from helpers.vgg16 import CHANNEL_MEANS, preprocess_vgg16


@exercise
def check_weight_count(answer: Any) -> str:
    number = as_number(answer)
    kernel, inputs, filters = 3 * 3, 512, 256
    hints = {
        kernel * inputs * filters: "these are all but the biases. Each filter has one.",
        kernel * inputs + 1: "that is one filter. How many filters are there?",
        kernel * filters * inputs
        + inputs: "there is one bias for each map that comes out, not for each that comes in.",
        inputs * filters + filters: "a filter looks at 3 x 3 places of each incoming map, not at one.",
        kernel * filters + filters: "a filter looks at all 512 incoming maps, not at one.",
    }
    if number in hints:
        raise NotYet(f"{number:,.0f}? Nearly: {hints[number]}")
    right = (kernel * inputs + 1) * filters
    if number != right:
        raise NotYet(
            f"{number:,.0f} is too {'many' if number > right else 'few'}. Count the weights of one filter first."
        )
    return f"each of {filters} filters has 3 x 3 x {inputs} weights and a bias, {right:,} in all."


@exercise
def check_receptive_field(answer: Any) -> str:
    number = as_number(answer)
    hints = {
        8: "that would be right if the pooling did not double the stride. The last convolution adds 2 strides.",
        6: "that is the field after the pooling. One convolution is still to come.",
        7: "that is three convolutions. The pooling sees one stride more, and doubles the stride.",
        12: "count the pooling once: it adds one stride of 1, and doubles the stride only afterwards.",
        5: "that is the field after two convolutions.",
        9: "the pooling adds something, too: its square is two values wide.",
        16: "that would be one pooling more, as in block2_pool.",
    }
    if number in hints:
        raise NotYet(f"{number:g}? {hints[number]}")
    if number != 10:
        raise NotYet(
            f"not {number:g}. Write field and stride down after each of the four layers, starting with 1 and 1."
        )
    return "3, 5, 6, 10: a square of 10 x 10 pixels."


@exercise
def check_preprocessing(answer: Any) -> str:
    images = np.array([[[[255, 128, 0], [10, 20, 30]]]], dtype="uint8")
    kept = images.copy()
    result = as_array(call(answer, images), shape=images.shape)
    if not np.array_equal(images, kept):
        raise NotYet("your function changes the images that it is given. Return new ones.")
    wrong = {
        "the order of the means does not fit that of the channels. Turn the channels around before you subtract.": (
            np.float32(images) - CHANNEL_MEANS
        )[..., ::-1],
        "the channels are still red, green, blue. Turn the last axis around.": np.float32(images) - CHANNEL_MEANS,
        "the channels are right, but where are the means?": np.float32(images)[..., ::-1],
        "you divide by 255. VGG16 was trained on values from 0 to 255.": preprocess_vgg16(images) / 255,
        "the second axis is turned around, too; only the last one holds the channels.": preprocess_vgg16(
            images[..., ::-1, :]
        ),
    }
    for hint, values in wrong.items():
        if np.allclose(result, values, atol=1e-3):
            raise NotYet(hint)
    if not np.allclose(result, preprocess_vgg16(images), atol=1e-3):
        raise NotYet(
            f"pixel (255, 128, 0) becomes {np.round(result[0, 0, 0], 1).tolist()}, and should become "
            f"{np.round(preprocess_vgg16(images)[0, 0, 0], 1).tolist()}."
        )
    for other in (images[0], images[0, 0, 0]):
        as_array(call(answer, other.copy()), shape=other.shape)
        if not np.allclose(answer(other.copy()), preprocess_vgg16(other), atol=1e-3):
            raise NotYet(f"right for four axes, not for shape {other.shape}. `...` stands for any number of axes.")
    return "blue, green, red, each without its mean: that is what VGG16 saw in training."


@exercise
def check_nearest_mean(answer: Any, train: np.ndarray, labels: np.ndarray, new: np.ndarray) -> str:
    result = as_array(call(answer, train.copy(), labels.copy(), new.copy()))
    means = np.stack([train[labels == label].mean(axis=0) for label in range(labels.max() + 1)])
    distances = np.linalg.norm(new[:, None] - means, axis=2)
    if result.shape == distances.shape:
        raise NotYet(
            f"the shape is {distances.shape}: these look like distances. Return the position of the smallest of each row."
        )
    result = as_array(result, shape=(len(new),))
    if np.array_equal(result, distances.argmax(axis=1)):
        raise NotYet("these are the classes that are farthest away. The nearest has the smallest distance.")
    if np.array_equal(result, np.abs((new[:, None] - means).sum(axis=2)).argmin(axis=1)):
        raise NotYet("differences of opposite sign cancel in a plain sum. Square them first, or use np.linalg.norm.")
    nearest = np.stack([np.linalg.norm(train - row, axis=1) for row in new]).argmin(axis=1)
    if not np.array_equal(labels[nearest], distances.argmin(axis=1)) and np.array_equal(result, labels[nearest]):
        raise NotYet("that is the class of the nearest photograph. Compare with the mean of each class instead.")
    if result.min() < 0 or result.max() >= len(means) or np.any(result != np.round(result)):
        raise NotYet(f"classes are 0 to {len(means) - 1}, and yours go from {result.min():g} to {result.max():g}.")
    agreement = np.mean(result == distances.argmin(axis=1))
    if agreement < 1:
        raise NotYet(
            f"{agreement:.0%} of the classes are those of the nearest mean. Is there one mean for each class and feature?"
        )
    return "one mean for each class, and no training at all."


@exercise
def check_global_average(answer: Any, maps: np.ndarray) -> str:
    count, height, width, channels = maps.shape
    result = as_array(call(answer, maps.copy()))
    shapes = {
        (
            count,
            height,
            width,
        ): "you averaged over the channels. Average over the places, and keep the channels.",
        (channels,): "you averaged over the photographs, too. Axis 0 counts them and has to stay.",
        (): "you averaged over everything. Name the axes of the places.",
        (count, width, channels): "one of the two axes of the places is still there. `axis` takes a tuple.",
        (count, height * width * channels): "that is flattening. Average over the places instead.",
        (
            count,
            1,
            1,
            channels,
        ): "the values are right; the two axes of length 1 have to go. Leave `keepdims` away.",
    }
    if result.shape in shapes:
        raise NotYet(shapes[result.shape])
    result = as_array(result, shape=(count, channels))
    if np.allclose(result, maps.max(axis=(1, 2)), rtol=1e-4):
        raise NotYet("that is the largest value of each map, global max pooling. The average is wanted.")
    if np.allclose(result, maps.sum(axis=(1, 2)), rtol=1e-4):
        raise NotYet("that is the sum over the places. Divide by their number.")
    if not np.allclose(result, maps.mean(axis=(1, 2)), rtol=1e-4, atol=1e-5):
        raise NotYet("the shape is right, the values are not the averages of the maps.")
    return f"from {height * width * channels:,} numbers to {channels} for each photograph."


@exercise
def check_standardise(answer: Any) -> str:
    generator = np.random.default_rng(0)
    train, new = generator.normal([1, -2, 5], [1, 4, 0.5], (20, 3)), generator.normal(2, 3, (6, 3))
    result = call(answer, train.copy(), new.copy())
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise NotYet("two arrays are wanted: the training features and the new ones, both standardised.")
    first, second = as_array(result[0], shape=train.shape), as_array(result[1], shape=new.shape)
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    both = np.concatenate([train, new])
    if np.allclose(second, (new - new.mean(axis=0)) / new.std(axis=0), rtol=0.1):
        raise NotYet("the new features use their own mean and deviation. Use those of the training features for both.")
    if np.allclose(first, (train - both.mean(axis=0)) / both.std(axis=0)):
        raise NotYet("mean and deviation come from all data: the new features have leaked into training.")
    if np.allclose(first, (train - train.mean()) / train.std()):
        raise NotYet("one mean for everything. Each feature has its own: mean(axis=0).")
    if np.allclose(first, train - mean):
        raise NotYet("the means are gone, the deviations are still there: divide by them.")
    if np.allclose(first, (train - mean) / train.var(axis=0)):
        raise NotYet("you divide by the variance. The deviation is its square root.")
    used = [s for s in (deviation, train.std(axis=0, ddof=1)) if np.allclose(first, (train - mean) / s)]
    if not used:
        raise NotYet("the training features do not come out with mean 0 and deviation 1.")
    if not np.allclose(second, (new - mean) / used[0]):
        raise NotYet("the training features are right, the new ones are not: give them the same mean and deviation.")
    return "the training features set the scale, and the new ones are measured on it."
