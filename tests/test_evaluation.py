"""Tests of helpers.evaluation and of the plots of its results, against numbers worked out by hand."""

import numpy as np
import pytest
from scipy import stats

from helpers.evaluation import calibration_bins, grad_cam, most_confident_mistakes, paired_interval
from helpers.plots import plot_calibration, plot_heatmaps

PROBABILITIES = np.array([[0.9, 0.1], [0.2, 0.8], [0.55, 0.45], [0.05, 0.95]])
LABELS = np.array([0, 0, 1, 0])


def test_mistakes_come_surest_first():
    assert most_confident_mistakes(PROBABILITIES, LABELS).tolist() == [3, 1, 2]
    assert most_confident_mistakes(PROBABILITIES, LABELS, count=1).tolist() == [3]
    assert most_confident_mistakes(PROBABILITIES, np.array([0, 1, 0, 1])).size == 0


def test_the_paired_interval_is_that_of_scipy():
    gains = np.array([0.1, 0.2, 0.05, 0.3, 0.1])
    low, high = stats.ttest_1samp(gains, 0).confidence_interval(0.95)
    assert paired_interval(gains) == pytest.approx((0.15, low, high))
    assert paired_interval([0.5, 0.5, 0.5]) == (0.5, 0.5, 0.5)
    for wrong in ([0.1], [[0.1, 0.2]]):
        with pytest.raises(ValueError, match="two at least"):
            paired_interval(wrong)


def test_calibration_by_hand():
    found = calibration_bins(PROBABILITIES, LABELS, bins=2)
    assert found.count.tolist() == [0, 4]
    assert found.confidence[1] == pytest.approx(0.8) and found.accuracy[1] == 0.25
    assert found.error == pytest.approx(0.55)
    ten = calibration_bins(PROBABILITIES, LABELS, bins=10)
    assert ten.count.tolist() == [
        0,
        0,
        0,
        0,
        0,
        1,
        0,
        1,
        1,
        1,
    ]  # 0.8 and 0.9 belong to the bins that they end
    assert ten.error == pytest.approx((0.1 + 0.8 + 0.55 + 0.95) / 4)


def test_calibration_of_answers_that_are_as_sure_as_right():
    sure = np.full((10, 2), [0.8, 0.2])
    assert calibration_bins(sure, np.array([0] * 8 + [1] * 2)).error == pytest.approx(0)


def test_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match="wanted"):
        calibration_bins(PROBABILITIES, LABELS[:2])
    with pytest.raises(ValueError, match="wanted"):
        most_confident_mistakes(LABELS, LABELS)


@pytest.fixture(scope="module")
def model():
    """A network whose class activation maps are known: class 0 is red, class 1 is blue."""
    import keras
    from keras import layers

    inputs = keras.Input((8, 8, 3))
    maps = layers.Conv2D(2, 1, activation="relu", name="maps")(inputs)
    pooled = layers.GlobalAveragePooling2D(name="pooling")(maps)
    model = keras.Model(inputs, layers.Dense(2, activation="softmax", name="predictions")(pooled))
    kernel = np.zeros((1, 1, 3, 2))
    kernel[..., 0, 0] = kernel[..., 2, 1] = 1
    model.get_layer("maps").set_weights([kernel, np.zeros(2)])
    model.get_layer("predictions").set_weights([np.array([[3.0, -3.0], [-3.0, 3.0]]), np.zeros(2)])
    model.trainable = False
    return model


@pytest.fixture
def picture():
    """Red above left, more blue below right."""
    image = np.zeros((1, 8, 8, 3), "float32")
    image[0, :3, :3, 0] = 1
    image[0, 5:, 4:, 2] = 2
    return image


def test_grad_cam_finds_the_colour_of_the_class(model, picture):
    for label, where in ((0, np.s_[:3, :3]), (1, np.s_[5:, 4:])):
        heat = grad_cam(model, picture, layer_name="maps", classes=np.array([label]))[0]
        expected = np.zeros((8, 8))
        expected[where] = 1
        np.testing.assert_allclose(heat, expected, atol=1e-6)


def test_grad_cam_takes_the_models_own_answer(model, picture):
    own = grad_cam(model, picture, layer_name="maps")
    np.testing.assert_array_equal(own, grad_cam(model, picture, layer_name="maps", classes=np.array([1])))


def test_grad_cam_is_not_lost_where_the_softmax_is_sure(model, picture):
    heat = grad_cam(model, 1000 * picture, layer_name="maps", classes=np.array([0]))
    assert heat.max() == pytest.approx(1)
    assert np.asarray(model(1000 * picture)).sum() == pytest.approx(1), "the softmax is there again"


def test_grad_cam_of_dead_maps_is_zero(model, picture):
    assert not grad_cam(model, 0 * picture, layer_name="maps").any()


def test_grad_cam_says_which_layers_there_are(model, picture):
    with pytest.raises(ValueError, match="maps, pooling, predictions"):
        grad_cam(model, picture, layer_name="block5_conv3")
    with pytest.raises(ValueError, match="gives no maps"):
        grad_cam(model, picture, layer_name="pooling")


def test_plots(model, picture):
    axes = plot_calibration(calibration_bins(PROBABILITIES, LABELS), label="a")
    plot_calibration(calibration_bins(PROBABILITIES, LABELS), label="b", ax=axes)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["as sure as right", "a", "b"]
    grid = plot_heatmaps(picture / 2, grad_cam(model, picture, layer_name="maps"), titles=["blue"])
    assert len(grid[0].images) == 2
    with pytest.raises(ValueError, match="belong together"):
        plot_heatmaps(picture, np.zeros((2, 8, 8)))
