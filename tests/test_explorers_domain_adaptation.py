"""The film of notebook 10: it begins with nothing moved, and at its end the clouds match as the method says."""

import films
import numpy as np
import pytest

from helpers import adaptation
from helpers.evaluation import paired_interval
from helpers.explorers import domain_adaptation as module
from helpers.training import load_runs

END = module.STOPS - 1


def test_the_film_shows_what_is_drawn():
    explorer = module.clouds_explorer()
    films.check_film(explorer)
    assert len(explorer._call()) < 1_000_000, "what the site allows"


@pytest.mark.parametrize("method", module.METHODS)
def test_strength_zero_is_raw_and_one_is_the_method(method):
    task = adaptation.draw_domains(run=module.RUN)
    raw = adaptation.scale_alike(task.source_images, task.pool_images)
    for stop, wanted in ((0, raw), (END, module.METHODS[method](*raw))):
        for moved, rows in zip(module.clouds(method, stop), wanted, strict=True):
            np.testing.assert_allclose(moved, rows, atol=1e-12)
    assert module.apart(method, 0) == pytest.approx((1, 1))
    assert module.apart(method, END)[0] == pytest.approx(0, abs=1e-6), "every method moves the means together"


def test_the_covariances_come_together_by_coral():
    """All the way but for the ridge; without one they match exactly (test_adaptation.py)."""
    gaps = [module.apart("CORAL", stop)[1] for stop in range(0, END + 1, 4)]
    assert gaps == sorted(gaps, reverse=True) and gaps[-1] < 0.15
    assert module.apart("mean", END)[1] == pytest.approx(1), "the mean alone turns and stretches nothing"


def test_standardising_leaves_every_pixel_with_the_same_deviation():
    for rows in module.clouds("standardise", END):
        deviations = rows.std(axis=0)
        np.testing.assert_allclose(deviations[deviations > 0], 1)


def test_subspace_alignment_keeps_twenty_dimensions():
    assert [np.linalg.matrix_rank(rows, tol=1e-6) for rows in module.clouds("subspaces", END)] == [20, 20]


@pytest.mark.parametrize(("method", "labels"), [("mean", 0), ("CORAL", 1), ("subspaces", 5)])
def test_numbers_in_the_sentence_are_those_of_the_record(method, labels):
    values = np.array(load_runs("adaptation", data="film", arm=method, labels_per_class=labels)[0]["test"])
    mean, low, high = paired_interval(values[7])
    sentence = module.clouds_explorer().frame(method=method, labels_per_class=labels, stop=7).sentence
    assert f"{mean:.2f} ({low:.2f} to {high:.2f}, ten runs)" in sentence and "35% of the way" in sentence
    assert f"it was {values[0].mean():.2f}" in sentence


def test_a_recorded_accuracy_is_measured_again():
    """One stop of one run, with the methods as the notebook uses them."""
    task = adaptation.draw_domains(run=300)
    source, _, test = module.part_of_the_way("mean", 1.0, task.source_images, task.pool_images, task.test_images)
    found = adaptation.fit_weighted(source, task.source_labels).score(test, task.test_labels)
    assert module.recorded("mean", 0)[END, 0] == pytest.approx(found, abs=0.01)


def test_all_methods_begin_alike():
    for labels in module.LABELS:
        starts = np.stack([module.recorded(method, labels)[0] for method in module.METHODS])
        np.testing.assert_allclose(starts, np.broadcast_to(starts[0], starts.shape))
