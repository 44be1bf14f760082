"""The recurring experiment: draws differ, are repeatable, are balanced, and nothing leaks from the test features."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from helpers.features import accuracy_per_draw, label_curve, predict_per_draw

GENERATOR = np.random.default_rng(0)
LABELS = np.repeat(np.arange(3), 8)
FEATURES = GENERATOR.normal(0, 1, (24, 2, 5)) + 6 * LABELS[:, None, None]
NEW_LABELS = np.tile(np.arange(3), 6)
NEW = GENERATOR.normal(0, 1, (18, 2, 5)) + 6 * NEW_LABELS[:, None, None]


class Recorder(KNeighborsClassifier):
    """A classifier that keeps what it was fitted on."""

    fitted: list = []

    def fit(self, features, labels):
        self.fitted.append((features, labels))
        return super().fit(features, labels)


def predict(**changes):
    settings = {"build_classifier": lambda: Recorder(1), "labels_per_class": 2, "draws": 4, **changes}
    Recorder.fitted = []
    return predict_per_draw(FEATURES, LABELS, NEW, **settings)


def test_separate_classes_are_told_apart():
    predictions = predict()
    assert predictions.shape == (4, 18)
    assert (accuracy_per_draw(predictions, NEW_LABELS) == 1).all()


def test_each_draw_has_the_same_number_of_each_class_and_other_images():
    predict()
    assert all(np.bincount(labels).tolist() == [2, 2, 2] for _, labels in Recorder.fitted)
    assert len({features.tobytes() for features, _ in Recorder.fitted}) == 4


def test_draws_are_the_same_every_time():
    assert np.array_equal(predict(), predict())


def test_the_scale_comes_from_the_drawn_images_alone():
    predict()
    for features, _ in Recorder.fitted:
        assert np.allclose(features.mean(axis=0), 0) and np.allclose(features.std(axis=0), 1)


def test_accuracy_counts_each_draw_for_itself():
    predictions = np.array([[0, 1, 2], [0, 0, 0]])
    assert accuracy_per_draw(predictions, np.array([0, 1, 2])) == pytest.approx([1, 1 / 3])


def test_label_curve_has_a_row_for_each_draw_and_a_column_for_each_count():
    settings = {"build_classifier": lambda: LogisticRegression(), "label_counts": [1, 3], "draws": 2}
    curve = label_curve(FEATURES, LABELS, NEW, NEW_LABELS, **settings)
    assert curve.shape == (2, 2) and curve.max() <= 1 and curve[:, 1].mean() > 0.9


def test_more_labels_than_there_are_is_an_error():
    with pytest.raises(ValueError, match="8"):
        predict(labels_per_class=9)
