"""The explorers of notebook 02b, and the calculations behind them, without a browser."""

import films
import numpy as np
import pytest

from helpers.explorers import training_in_practice as maths
from helpers.explorers.training_in_practice import depth_explorer, learning_rate_explorer
from helpers.networks import build_mlp
from helpers.plots import figure_png


def nudged(function, weights, step=1e-6):
    weights = np.array(weights, dtype="float64")
    moves = step * np.eye(len(weights))
    return np.array([(function(weights + move) - function(weights - move)) / (2 * step) for move in moves])


@pytest.fixture(scope="module")
def batch():
    random = np.random.default_rng(0)
    return random.random((16, 64)), np.eye(10)[np.arange(16) % 10]


@pytest.fixture(scope="module")
def explorers(batch):
    return {"rate": learning_rate_explorer(), "depth": depth_explorer(*batch)}


@pytest.mark.parametrize("surface", [maths.bowl, maths.two_valleys])
@pytest.mark.parametrize("weights", [(-4.0, 1.5), (0.3, -2.0), (0.0, 0.0)])
def test_surfaces_have_the_gradient_that_nudging_gives(surface, weights):
    assert np.allclose(surface(np.array(weights))[1], nudged(lambda w: surface(w)[0], weights), atol=1e-6)


def test_two_valleys_are_equally_deep():
    ends = np.array([[1.5, 1.0], [-1.5, -1.0]])
    assert np.allclose(maths.two_valleys(ends)[0], 0) and maths.two_valleys(np.zeros(2))[0] > 0.1


def test_the_bowl_diverges_above_two_over_its_curvature():
    losses = {rate: maths.descend("a long bowl", learning_rate=rate)[1] for rate in (0.19, 0.21)}
    assert losses[0.19][-1] < 0.01 * losses[0.19][0]
    assert losses[0.21][-1] > 100 * losses[0.21][0]


def test_gradient_norms_are_those_of_plain_backpropagation(batch, monkeypatch):
    norms = maths.gradient_norms(*batch, depth=3, activation="tanh", scale=1.0)
    assert norms.shape == (maths.STARTS, 4) and (norms > 0).all()
    monkeypatch.setattr(maths, "WIDTH", 1)
    monkeypatch.setattr(maths, "STARTS", 1)
    one = maths.gradient_norms(*batch, depth=1, activation="sigmoid", scale=1.0)
    random = np.random.default_rng(0)
    shapes = ((64, 1), (1, 10))
    flat = np.concatenate([random.normal(0, 1 / np.sqrt(a), (1, a, b)).ravel() for a, b in shapes])

    def loss(weights):
        hidden = 1 / (1 + np.exp(-batch[0] @ weights[:64].reshape(64, 1)))
        logits = hidden @ weights[64:].reshape(1, 10)
        return (np.log(np.exp(logits).sum(axis=1)) - (logits * batch[1]).sum(axis=1)).mean()

    slopes = nudged(loss, flat)
    assert np.allclose(one[0], [np.linalg.norm(slopes[:64]), np.linalg.norm(slopes[64:])], rtol=1e-5)


def test_sigmoid_gradients_vanish_with_depth_and_relu_gradients_do_not(batch):
    left = {
        name: np.divide(*maths.gradient_norms(*batch, depth=10, activation=name, scale=1.4)[:, [0, -1]].T)
        for name in ("sigmoid", "relu")
    }
    assert left["sigmoid"].max() < 1e-3 and 0.05 < left["relu"].min()


@pytest.mark.parametrize("name", ["rate", "depth"])
def test_every_control_changes_the_picture_and_bears_its_ends(explorers, name):
    films.check_controls(explorers[name])


@pytest.mark.parametrize("name", ["rate", "depth"])
def test_the_film_shows_what_is_drawn(explorers, name):
    films.check_film(explorers[name])


def test_sentences_say_what_happens(explorers):
    rate, depth = explorers["rate"], explorers["depth"]
    assert "diverges" in rate.frame(learning_rate=0.21).sentence and "arrives" in rate.frame(learning_rate=0.15).sentence
    assert "side to side and gets no lower" in rate.frame(learning_rate=0.2).sentence
    assert "hardly gets any lower" in rate.frame(surface="two valleys", learning_rate=1.0).sentence
    assert "hardly begun" in rate.frame(learning_rate=0.001).sentence
    assert "cut off" in rate.frame(learning_rate=3.0).sentence
    deep = depth.frame(depth=20, activation="sigmoid").sentence
    assert "smaller" in deep and "power 1" in deep


def test_sentences_give_the_numbers_of_the_calculation(explorers):
    for surface in maths.SURFACES:
        end = maths.descend(surface, learning_rate=0.1, momentum=0.5)[1][-1]
        assert f"{end:.2g}" in explorers["rate"].frame(surface=surface, learning_rate=0.1, momentum=0.5).sentence


def test_guesses_are_answered_by_what_is_calculated(explorers):
    assert explorers["rate"].guess.answer == "0.21", "the first above two over the curvature of 10"


def test_an_error_is_shown_to_the_learner(explorers, monkeypatch):
    explorer = explorers["depth"]
    monkeypatch.setattr(explorer, "draw", lambda **values: 1 / 0)
    frame = explorer.frame()
    assert frame.pixels is None and "could not be drawn. ZeroDivisionError" in frame.sentence


def test_a_plane_goes_through_its_three_networks():
    a, b, c = (build_mlp([2, 3, 2], seed=seed) for seed in range(3))
    for place, network in (((0, 0), a), ((1, 0), b), ((0, 1), c)):
        mixed = maths.mix_layers(a, b, c, to_b=place[0], to_c=place[1])
        assert all(
            np.allclose(p, q) for left, right in zip(mixed, network, strict=True) for p, q in zip(left, right, strict=True)
        )


def test_pictures_are_drawn():
    network = build_mlp([2, 2, 2])
    pictures = [
        maths.plot_ends({2: np.array([0.1, 0.3]), 8: np.array([0.0, 0.1])}, stuck=0.3),
        maths.plot_slice(lambda layers: float((layers[0][0] ** 2).sum()), network, network, network),
    ]
    for axes in pictures:
        assert axes.get_xlabel() and axes.get_ylabel()
        assert figure_png(axes.get_figure()).startswith(b"\x89PNG")
