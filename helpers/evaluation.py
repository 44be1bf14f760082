"""Looking at a trained classifier: its most confident mistakes, whether its confidence can be believed, where it looked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from helpers.fine_tuning import split_model

if TYPE_CHECKING:
    import keras


class Calibration(NamedTuple):
    """Answers sorted by confidence into bins: mean confidence, share right and number of each bin, and the mean gap."""

    confidence: np.ndarray
    accuracy: np.ndarray
    count: np.ndarray
    error: float


def most_confident_mistakes(probabilities: np.ndarray, labels: np.ndarray, *, count: int | None = None) -> np.ndarray:
    """Return the indices of wrong answers, the surest one first, at most `count`: of (n, classes) and (n,) integers."""
    probabilities, labels = _as_arrays(probabilities, labels)
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    order = np.argsort(-probabilities[wrong].max(axis=1), kind="stable")
    return wrong[order][:count]


def paired_interval(differences: np.ndarray) -> tuple[float, float, float]:
    """Return the mean of paired differences (runs,) and both ends of its 95 % interval, by Student's t over the runs.

    "Better" means that the interval excludes zero; otherwise the two are "not told apart". Given accuracies, it is
    the interval of their mean.
    """
    from scipy import stats

    values = np.asarray(differences, dtype="float64")
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"differences has shape {values.shape}; give one row with a difference for each run, two at least.")
    half = float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5)
    return float(values.mean()), float(values.mean()) - half, float(values.mean()) + half


def calibration_bins(probabilities: np.ndarray, labels: np.ndarray, *, bins: int = 10) -> Calibration:
    """Return the calibration of answers: bins of equal width over confidence, and the expected calibration error.

    The confidence of an answer is its largest probability. The error is the mean of |accuracy - confidence| over the bins,
    each weighted with its number of answers; empty bins hold NaN. Guo and others, "On Calibration of Modern Neural
    Networks", 2017.
    """
    probabilities, labels = _as_arrays(probabilities, labels)
    if bins < 1:
        raise ValueError(f"bins is {bins}; give at least 1.")
    sure = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    place = np.clip(np.ceil(sure * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        confidence, accuracy = (np.bincount(place, weights=of, minlength=bins) / count for of in (sure, right))
    gaps = np.nan_to_num(np.abs(accuracy - confidence))
    return Calibration(confidence, accuracy, count, float(gaps @ count / count.sum()))


def grad_cam(model: keras.Model, images: np.ndarray, *, layer_name: str, classes: np.ndarray | None = None) -> np.ndarray:
    """Return where in each image the model found what speaks for a class: (n, height, width) float32 from 0 to 1.

    `images`: what the model wants (preprocessed), (n, height, width, channels). `layer_name`: a layer that gives maps, for
    VGG16 usually "block5_conv3". `classes`: one class for each image; None takes the model's own answer. Each map is
    weighted with the mean gradient of the class, the sum cut off below zero, brought to the size of the image, and divided
    by its maximum; where nothing speaks for the class all is 0. The gradient is that of the score before the softmax: a
    probability that is nearly 0 or 1 hardly has one. Selvaraju and others, "Grad-CAM: Visual Explanations from Deep Networks
    via Gradient-based Localization", 2017.
    """
    import tensorflow as tf
    from keras import ops

    first, second = split_model(model, layer_name)
    if len(first.outputs[0].shape) != 4:
        raise ValueError(f"{layer_name!r} gives no maps but {tuple(first.outputs[0].shape)}; choose a convolution.")
    parts = np.array_split(np.asarray(images, dtype="float32"), -(-len(images) // 16))  # to spare memory
    maps = ops.concatenate([first(part, training=False) for part in parts])
    with tf.GradientTape() as tape:
        tape.watch(maps)
        logits = _answers_before_softmax(second, maps)
        classes = np.argmax(logits, axis=1) if classes is None else np.asarray(classes)
        score = ops.sum(ops.take_along_axis(logits, ops.convert_to_tensor(classes.reshape(-1, 1)), axis=1))
    weights = ops.mean(tape.gradient(score, maps), axis=(1, 2), keepdims=True)
    heat = ops.relu(ops.sum(weights * maps, axis=-1, keepdims=True))
    heat = np.asarray(ops.image.resize(heat, np.shape(images)[1:3]))[..., 0]
    largest = heat.max(axis=(1, 2), keepdims=True)
    return np.divide(heat, largest, out=np.zeros_like(heat), where=largest > 0)


def _answers_before_softmax(model: keras.Model, maps: Any) -> Any:
    """Return what the model answers where its last layer gives scores, not probabilities."""
    from keras import activations

    last = model.layers[-1]
    if getattr(last, "activation", None) is not activations.softmax:
        return model(maps, training=False)
    last.activation = activations.linear
    try:
        return model(maps, training=False)
    finally:
        last.activation = activations.softmax


def _as_arrays(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    probabilities, labels = np.asarray(probabilities), np.asarray(labels)
    shape = probabilities.shape
    if len(shape) != 2 or labels.shape != shape[:1] or not len(labels):
        raise ValueError(f"probabilities have shape {shape} and labels {labels.shape}; wanted (n, classes) and (n,).")
    return probabilities, labels
