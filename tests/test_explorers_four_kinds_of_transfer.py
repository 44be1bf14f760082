"""The films of notebook 09: they show what was recorded, and TrAdaBoost's weights are those of the paper."""

import films
import numpy as np
import pytest

from helpers import transfer_kinds as kinds
from helpers.evaluation import paired_interval
from helpers.explorers import four_kinds_of_transfer as module
from helpers.training import load_runs

BELIEFS = load_runs("kinds", arm="TrAdaBoost", film=True)


@pytest.mark.parametrize("build", [module.gains_explorer, module.belief_explorer])
def test_the_films_show_what_is_drawn(build):
    explorer = build()
    films.check_film(explorer)
    assert len(explorer._call()) < 1_000_000, "what the site allows"


def test_the_gains_in_the_sentence_are_those_of_the_record():
    where = {"flaw": "turned", "share": 0.75, "labels_per_class": 1, "film": True, "model": "network"}
    runs = {run["arm"]: np.array(run["test"]) for run in load_runs("kinds", **where)}
    mean, low, high = paired_interval(runs["two heads"] - runs["target only"])
    sentence = module.gains_explorer().frame(flaw="turned", share=0.75, labels_per_class=1).sentence
    assert f"two heads {mean:+.2f} ({low:+.2f} to {high:+.2f})" in sentence
    assert f"target only {runs['target only'].mean():.2f}" in sentence


def test_a_sound_source_is_the_same_whatever_its_fault_would_be():
    for arm in module.ARMS:
        gains = [module.gain(arm, flaw, 0.0, 5) for flaw in kinds.FLAWS[:3]]
        np.testing.assert_allclose(gains, np.broadcast_to(gains[0], (3, 3)), atol=0.003)


def test_the_digits_in_the_picture_are_spoiled_as_the_control_says():
    for flaw in kinds.FLAWS[:3]:
        assert not module.some_digits(flaw, 0.0)[2].any() and module.some_digits(flaw, 1.0)[2].all()
    images, labels, bad = module.some_digits("mislabelled", 1.0)
    assert (labels != np.arange(10)).all() and images.shape == (10, 8, 8)


@pytest.mark.parametrize("film", BELIEFS, ids=lambda film: f"{film['flaw']}-{film['share']}")
def test_weights_are_positive_and_their_shares_sum_to_one(film):
    weights, split = np.array(film["weights"]), np.array(film["split"])
    assert weights.shape == (20, 40) and (weights > 0).all() and (split > 0).all()
    np.testing.assert_allclose(split.sum(axis=1), 1, atol=2e-4)
    np.testing.assert_allclose(weights[0], 1, atol=1e-3), "all begin alike"


@pytest.mark.parametrize("film", BELIEFS, ids=lambda film: f"{film['flaw']}-{film['share']}")
def test_a_source_example_stays_or_is_multiplied_by_beta(film):
    """Between two rounds, up to the common factor that keeps the sum, as in the paper: beta = 1 / (1 + sqrt(2 ln n / N))."""
    weights = np.array(film["weights"])
    steps = weights[1:] / weights[:-1]
    relative = steps / steps.max(axis=1, keepdims=True)
    beta = 1 / (1 + np.sqrt(2 * np.log(1500) / 20))
    assert (np.isclose(relative, 1, rtol=0.02) | np.isclose(relative, beta, rtol=0.02)).all()
    assert np.isclose(relative, beta, rtol=0.02).any()
