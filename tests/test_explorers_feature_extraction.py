"""The explorer of notebook 04, without a browser: every control moves the picture, and it shows what was predicted."""

import numpy as np
import pytest

from helpers.explorers import feature_extraction

NAMES = ["brick", "grass", "moon"]
LABELS = np.repeat([0, 1, 2], 4)


GENERATOR = np.random.default_rng(0)
GRID = {
    (layer, classifier, count): GENERATOR.integers(0, 3, (3, 12))
    for layer in ("block1_pool", "block5_pool")
    for classifier in ("logistic regression", "linear SVM")
    for count in (1, 5)
}
GRID["block5_pool", "linear SVM", 5] = np.tile(LABELS, (3, 1))


@pytest.fixture
def features_explorer():
    return feature_extraction.features_explorer(GRID, LABELS, class_names=NAMES, part="validation")


def test_features_explorer_tells_the_accuracy_of_the_setting(features_explorer):
    controls = features_explorer.controls
    controls["layer"].value, controls["classifier"].value = "block5_pool", "linear SVM"
    controls["labels_per_class"].value = 5
    assert "mean accuracy 1.00, from 1.00 to 1.00 over 3 draws" in features_explorer.sentence.value


def test_every_control_of_the_features_explorer_moves_the_picture(features_explorer):
    for control in features_explorer.controls.values():
        values = [option[1] if isinstance(option, tuple) else option for option in control.options]
        seen = set()
        for value in values:
            control.value = value
            assert "mean accuracy" in features_explorer.sentence.value
            seen.add(features_explorer.png)
        assert len(seen) == len(values)


def test_the_confusion_matrix_adds_up_over_draws(features_explorer):
    """Rows are true classes, columns predicted ones."""
    setting = {"layer": "block1_pool", "classifier": "linear SVM", "labels_per_class": 1}
    figure, _ = features_explorer.draw(**setting)
    (cells,) = figure.figure.axes[1].images
    by_hand = np.zeros((3, 3))
    for draw in GRID[tuple(setting.values())]:
        for true, predicted in zip(LABELS, draw, strict=True):
            by_hand[true, predicted] += 1
    assert np.array_equal(cells.get_array(), by_hand) and by_hand.sum() == 36
