"""The explorer of notebook 03, without a browser: controls move the picture, frozen neurons stay, the sentence is true."""

import films
import numpy as np
import pytest

from helpers.evaluation import paired_interval
from helpers.explorers import transferring_an_mlp as et
from helpers.networks import build_weights


@pytest.fixture(scope="module")
def explorer():
    return et.neurons_explorer()


def test_every_control_changes_the_picture(explorer):
    films.check_controls(explorer)


def test_the_film_shows_what_is_drawn(explorer):
    films.check_film(explorer)


@pytest.mark.parametrize("labels_per_class", et.COUNTS)
def test_frozen_neurons_are_bit_equal_and_the_others_move(labels_per_class):
    frozen, free, scratch = (
        et.neuron_course(start, labels_per_class)[0] for start in ("MNIST, frozen", "MNIST, free", "from scratch")
    )
    assert all(np.array_equal(neurons, et.source_weights()[0][0][0]) for neurons in frozen)
    assert np.array_equal(free[0], frozen[0]) and not np.allclose(free[-1], free[0], atol=0.05)
    assert np.array_equal(scratch[0], build_weights(et.SIZES, seeds=[100])[0][0][0])


def test_the_sentence_gives_the_measured_accuracy_and_its_interval(explorer):
    said = explorer.frame(start="from scratch", labels_per_class=1, step=1).sentence
    mean, low, high = paired_interval(et.neuron_course("from scratch", 1)[1][1])
    assert f"Accuracy {mean:.2f} on average of ten runs ({low:.2f} to {high:.2f})" in said
    assert "1 label per class, after 1 step:" in said
    assert "50 labels per class, after 400 steps" in explorer.frame(labels_per_class=50, step=400).sentence


def test_the_guess_is_answered_by_the_mean_difference(explorer):
    ends = [et.neuron_course(start, 50)[1][-1] for start in ("MNIST, frozen", "from scratch")]
    assert explorer.guess.answer == f"{(ends[0] - ends[1]).mean():+.2f}"
