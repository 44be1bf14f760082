"""Small classifiers on ready features, over several draws of the few labelled images: the experiments that recur.

Notebook 04 writes these steps out once before it uses them from here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from helpers.data import take_per_class


def predict_per_draw(
    train_features: np.ndarray,
    train_labels: np.ndarray,
    test_features: np.ndarray,
    *,
    build_classifier: Callable[[], Any],
    labels_per_class: int,
    draws: int = 3,
) -> np.ndarray:
    """Return the predicted classes of the test features, (draws, tests) int: one row for each draw of labelled images.

    A draw takes `labels_per_class` images of each class at random (its number is the seed), standardises the features
    with the mean and deviation of just those, and fits a new classifier. Features of any shape (n, ...) are flattened.
    All on one thread: for fits as small as these, several threads spend their time waiting for each other.
    """
    train_features = np.asarray(train_features).reshape(len(train_features), -1)
    test_features = np.asarray(test_features).reshape(len(test_features), -1)
    predictions = []
    with threadpool_limits(1):
        for draw in range(draws):
            chosen = take_per_class(train_labels, labels_per_class=labels_per_class, seed=draw)
            classifier = _standardised(build_classifier()).fit(train_features[chosen], train_labels[chosen])
            predictions.append(classifier.predict(test_features))
    return np.stack(predictions)


def _standardised(classifier: Any) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), classifier)


def accuracy_per_draw(predictions: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the share of right predictions of each draw, (draws,), for predictions (draws, n) and labels (n,)."""
    return (np.asarray(predictions) == np.asarray(labels)).mean(axis=1)


def label_curve(
    train_features: np.ndarray,
    train_labels: np.ndarray,
    test_features: np.ndarray,
    test_labels: np.ndarray,
    *,
    build_classifier: Callable[[], Any],
    label_counts: Sequence[int],
    draws: int = 3,
) -> np.ndarray:
    """Return test accuracies, (draws, len(label_counts)): one column for each number of labels per class."""
    columns = [
        accuracy_per_draw(
            predict_per_draw(
                train_features,
                train_labels,
                test_features,
                build_classifier=build_classifier,
                labels_per_class=count,
                draws=draws,
            ),
            test_labels,
        )
        for count in label_counts
    ]
    return np.stack(columns, axis=1)


def classifier_grid(
    train_features: Mapping[str, np.ndarray],
    train_labels: np.ndarray,
    test_features: Mapping[str, np.ndarray],
    *,
    classifiers: Mapping[str, Callable[[], Any]],
    label_counts: Sequence[int],
    draws: int = 3,
) -> dict[tuple[str, str, int], np.ndarray]:
    """Return predictions (draws, tests) for every triple of layer, classifier and number of labels per class."""
    return {
        (layer, name, count): predict_per_draw(
            train_features[layer],
            train_labels,
            test_features[layer],
            build_classifier=build_classifier,
            labels_per_class=count,
            draws=draws,
        )
        for layer in train_features
        for name, build_classifier in classifiers.items()
        for count in label_counts
    }
