"""The explorers of notebook 01, without a browser: every control moves the picture, at its ends too."""

from __future__ import annotations

import films
import numpy as np
import pytest

from helpers.data import load_toy_2d
from helpers.evaluation import paired_interval
from helpers.explorers import mlp_basics as em
from helpers.explorers.mlp_basics import (
    activation_explorer,
    activation_figure,
    folds_explorer,
    neuron_explorer,
    neuron_figure,
)
from helpers.networks import build_mlp, predict


@pytest.mark.parametrize("build", [neuron_explorer, activation_explorer, folds_explorer])
def test_every_control_moves_the_picture_and_bears_its_ends(build):
    films.check_controls(build())


@pytest.mark.parametrize("build", [activation_explorer, folds_explorer])
def test_the_film_shows_what_is_drawn(build):
    films.check_film(build())


def test_the_part_for_the_site_answers_the_questions_of_the_page():
    """Within it are the answers: 1, 1, -0.5 and its double."""
    part = {key: set(control.values) for key, control in neuron_explorer().part.items()}
    wanted = [{"weight_1": 1, "weight_2": 1, "bias": -0.5}, {"weight_1": 2, "weight_2": 2, "bias": -1}]
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


@pytest.mark.parametrize("neurons", em.FOLD_WIDTHS)
def test_step_0_of_the_folds_is_the_seeded_start(neurons):
    start, networks = build_mlp((2, neurons, 2), seed=[0]), em.fold_course("xor", neurons)[0]
    for (weights, bias), (first, first_bias) in zip(start, networks[0], strict=True):
        assert np.array_equal(weights[0], first) and np.array_equal(bias[0, 0], first_bias)
    assert not np.allclose(networks[-1][0][0], networks[0][0][0])


def test_the_points_as_the_output_sees_them_are_on_the_side_of_their_answer():
    points = load_toy_2d("circles", samples=em.POINTS)[0]
    for neurons in (1, 2, 8):
        for layers in em.fold_course("circles", neurons)[0][::8]:
            view, direction = em.hidden_view(layers, points)
            logits = predict(layers, points)
            assert np.array_equal(view[:, 0] > 0, logits[:, 1] > logits[:, 0])
            assert np.allclose(view[:, 1], 0) if neurons == 1 else view[:, 1].std() > 1e-3
            turned = em.hidden_view(layers, points, before=-direction)[1]
            assert np.allclose(turned, -direction)


def test_the_folds_say_what_was_measured_and_three_neurons_cut_out_circles():
    explorer = folds_explorer()
    accuracies = em.fold_course("circles", 3)[2][-1]
    mean, low, high = paired_interval(accuracies)
    said = explorer.frame(data_set="circles", neurons=3, step=300).sentence
    assert f"{mean:.0%} on average ({low:.0%} to {high:.0%}), at worst {accuracies.min():.0%}" in said
    assert "1 neuron, step" in explorer.frame(neurons=1).sentence and "3 neurons" in said
    assert explorer.guess.answer == "3" and em.fold_course("circles", 2)[2][-1].max() < 0.9
