"""The explorers of notebook 01, without a browser: every control moves the picture, at its ends too."""

from __future__ import annotations

import films
import numpy as np
import pytest

from helpers.explorers import mlp_basics as explorers_mlp
from helpers.explorers.mlp_basics import (
    activation_explorer,
    activation_figure,
    keras_code,
    network_explorer,
    network_figure,
    neuron_explorer,
    neuron_figure,
)

SETTING = {
    "data_set": "moons",
    "noise": 0.1,
    "hidden_layers": 1,
    "neurons": 8,
    "activation": "tanh",
    "learning_rate": 0.03,
    "weight_decay": 0.0,
    "seed": 0,
}


@pytest.mark.parametrize("build", [neuron_explorer, activation_explorer, network_explorer])
def test_every_control_moves_the_picture_and_bears_its_ends(build):
    films.check_controls(build(), same=("weight_decay",))


def test_the_film_shows_what_is_drawn():
    films.check_film(activation_explorer())


@pytest.mark.parametrize("build", [neuron_explorer, network_explorer])
def test_the_part_for_the_site_answers_the_questions_of_the_page(build):
    """Within it are the answers: 1, 1, -0.5 and its double; moons by eight neurons, and three layers that are too fast."""
    part = {key: set(control.values) for key, control in build().part.items()}
    wanted = [{"weight_1": 1, "weight_2": 1, "bias": -0.5}, {"weight_1": 2, "weight_2": 2, "bias": -1}]
    if build is network_explorer:
        fast = {"hidden_layers": 3, "learning_rate": 0.3}
        wanted = [{"data_set": "moons", "neurons": 8, "hidden_layers": 1}, fast, {"noise": 0.5, "neurons": 16}]
    assert all(value in part[key] for setting in wanted for key, value in setting.items())
    assert np.prod([len(values) for values in part.values()]) <= 500


def test_neuron_counts_the_points_on_the_right_side():
    draw = neuron_figure()
    assert "40 of 40" in draw(1.0, 1.0, -0.5, "sigmoid")[1]
    assert "40 of 40" in draw(2.0, 2.0, -1.0, "tanh")[1]
    assert "0 of 40" in draw(-1.0, -1.0, 0.5, "relu")[1]
    assert "no line" in draw(0.0, 0.0, 1.0, "tanh")[1]


def test_doubling_a_neuron_keeps_its_line_and_changes_its_colours():
    draw = neuron_figure()
    one = draw(1.0, 0.5, -0.5, "sigmoid")[0]
    line = [line.get_xydata().copy() for line in one.figure.axes[0].lines]
    colors = np.array(one.figure.axes[0].images[0].get_array())
    two = draw(2.0, 1.0, -1.0, "sigmoid")[0]
    assert np.allclose(line[0], two.figure.axes[0].lines[0].get_xydata())
    assert not np.allclose(colors, two.figure.axes[0].images[0].get_array())


def test_tangent_touches_the_activation_and_saturation_is_said():
    draw = activation_figure()
    figure, sentence = draw("sigmoid", 0.0)
    curve, tangent, dot = figure.figure.axes[0].lines
    assert "value 0.500, slope 0.250" in sentence and "saturated" not in sentence
    assert dot.get_ydata()[0] == 0.5
    assert np.interp(0, *tangent.get_data()) == pytest.approx(0.5)
    gap = curve.get_ydata() - tangent.get_ydata()
    assert np.abs(gap[195:206]).max() < 1e-3 < np.abs(gap[0])
    assert "saturated" in draw("tanh", -4.0)[1] and "saturated" not in draw("linear", -4.0)[1]
    assert "saturated" in draw("relu", -1.0)[1] and "saturated" not in draw("leaky_relu", -1.0)[1]


def test_network_learns_and_a_linear_one_does_not():
    draw = network_figure()
    figure, sentence = draw(**{**SETTING, "data_set": "xor"})
    assert "2-8-2 network, 42 parameters" in sentence
    share = np.array(figure.figure.axes[0].images[0].get_array())
    assert share[55, 15] > 0.8 > 0.2 > share[55, 55]  # squares above on the left, circles above on the right
    draw(**{**SETTING, "data_set": "xor", "activation": "linear"})
    flat = np.array(figure.figure.axes[0].images[0].get_array())
    assert np.abs(flat - 0.5).max() < 0.45


def test_points_shown_change_without_a_new_training():
    draw = network_figure()
    draw(**SETTING)
    before = explorers_mlp.trained_network.cache_info()
    figure, _ = draw(part="new", **SETTING)
    after = explorers_mlp.trained_network.cache_info()
    assert after.misses == before.misses and after.hits > before.hits
    assert len(figure.figure.axes[0].collections[0].get_offsets()) == 100


def test_no_hidden_layer_is_a_logistic_regression():
    sentence = network_figure()(**{**SETTING, "hidden_layers": 0})[1]
    assert "2-2 network, 6 parameters" in sentence


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"hidden_layers": 0, "activation": "linear", "weight_decay": 1.0},
        {"hidden_layers": 3, "activation": "leaky_relu", "data_set": "spiral", "seed": 9},
        {"hidden_layers": 2, "activation": "gelu", "data_set": "blobs", "noise": 0.5},
    ],
)
def test_printed_keras_code_runs_and_builds_the_same_network(change, monkeypatch):
    keras = pytest.importorskip("keras")
    setting = {**SETTING, **change}
    monkeypatch.setattr(explorers_mlp, "STEPS", 3)
    names: dict = {}
    exec(keras_code(**setting), names)
    network = {key: setting[key] for key in SETTING if key not in ("hidden_layers", "neurons")}
    hidden = (setting["neurons"],) * setting["hidden_layers"]
    layers = explorers_mlp.trained_network.__wrapped__(hidden=hidden, **network)[0]
    ours = [part.shape for layer in layers for part in layer]
    assert [part.shape for part in names["model"].get_weights()] == ours
    assert [layer.activation.__name__ for layer in names["model"].layers][:-1] == [setting["activation"]] * len(hidden)
    assert len(names["history"].history["loss"]) == 3 and isinstance(names["model"], keras.Model)


def test_printed_keras_code_learns(monkeypatch):
    pytest.importorskip("keras")
    monkeypatch.setattr(explorers_mlp, "STEPS", 50)
    names: dict = {}
    exec(keras_code(**{**SETTING, "learning_rate": 0.1}), names)
    losses = names["history"].history["loss"]
    assert losses[-1] < 0.5 * losses[0] and names["history"].history["accuracy"][-1] > 0.8
