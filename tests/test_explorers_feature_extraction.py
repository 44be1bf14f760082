"""The explorer of notebook 04, without a browser: every control moves the picture, and it shows what was predicted."""

import films
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
    frame = features_explorer.frame(layer="block5_pool", classifier="linear SVM", labels_per_class=5)
    assert "mean accuracy 1.00, in every draw." in frame.sentence


def test_every_control_of_the_features_explorer_moves_the_picture(features_explorer):
    films.check_controls(features_explorer)


def test_the_film_shows_what_is_drawn():
    names, counts = ("block1_pool", "block4_pool", "block5_pool"), (1, 5, 10)
    keys = [(layer, classifier, count) for layer in names for classifier in ("one", "two") for count in counts]
    grid = {key: np.random.default_rng(place).integers(0, 3, (4, 12)) for place, key in enumerate(keys)}
    films.check_film(feature_extraction.features_explorer(grid, LABELS, class_names=NAMES))


def test_the_guess_is_answered_by_what_was_predicted(features_explorer):
    right = [(GRID[layer, "logistic regression", 1] == LABELS).mean() for layer in ("block1_pool", "block5_pool")]
    best = ("block1", "block5")[int(np.argmax(right))]
    assert features_explorer.guess.answer == f"{best} (accuracy: block1 {right[0]:.2f}, block5 {right[1]:.2f})"
    assert features_explorer.guess.control.texts == ("block1", "block5")


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
