"""The explorers of notebook 03, without a browser: every control moves the picture, and the sentence is true."""

import films
import numpy as np
import pytest
from scipy.stats import ttest_1samp

from helpers.explorers import transferring_an_mlp as et

STEPS, COUNTS, STRENGTHS = (0, 10, 100), [1, 5, 50], (0.0, 0.1, 10.0)


@pytest.fixture
def methods():
    generator = np.random.default_rng(0)
    grid = {}
    for pictures in ("unchanged", "straight"):
        for count in COUNTS:
            base = generator.uniform(0.4, 0.6, (8, 3))
            grid[pictures, et.SCRATCH, 0, count] = base
            for start in ("old", "new"):
                for frozen in (0, 1, 2):
                    gain = {1: 0.2, 5: 0.0, 50: -0.2}[count] + 0.01 * frozen + 0.02 * (start == "new")
                    wiggle = np.array([0.1, -0.1] * 4)[:, None]
                    grid[pictures, start, frozen, count] = base + gain + wiggle
    return et.methods_explorer(grid, steps=STEPS, counts=COUNTS), grid


@pytest.fixture
def strengths():
    generator = np.random.default_rng(1)
    keys = [(p, s, c) for p in ("unchanged", "straight") for s in STRENGTHS for c in (1, 20)]
    grid = {key: (generator.uniform(0.5, 0.9, 5), generator.uniform(0, 2, 5)) for key in keys}
    return et.strength_explorer(grid, strengths=STRENGTHS, counts=(1, 20)), grid


@pytest.mark.parametrize("which", ["methods", "strengths"])
def test_every_control_changes_the_picture_and_the_sentence_stays_whole(which, request):
    films.check_controls(request.getfixturevalue(which)[0])


@pytest.mark.parametrize("which", ["methods", "strengths"])
def test_the_film_shows_what_is_drawn(which, request):
    films.check_film(request.getfixturevalue(which)[0])


def test_the_sentence_tells_a_gain_from_a_loss_from_neither(methods):
    explorer, grid = methods
    said = {count: explorer.frame(labels_per_class=count).sentence for count in COUNTS}
    assert "transfer helps" in said[1] and "no clear difference" in said[5] and "negative transfer" in said[50]
    mean = grid["unchanged", "old", 0, 1][:, -1].mean()
    assert f"transfer {mean:.3f}" in said[1] and "in 8 of 8 runs" in said[1]


def test_the_guess_is_answered_by_the_mean_gain(methods):
    explorer, grid = methods
    gain = (grid["unchanged", "old", 0, 1] - grid["unchanged", et.SCRATCH, 0, 1])[:, -1].mean()
    assert explorer.guess.answer == f"{gain:+.2f}" and "1 labels per class" in explorer.guess.question


def test_the_interval_is_that_of_paired_differences(methods):
    explorer, grid = methods
    gain = (grid["unchanged", "old", 0, 1] - grid["unchanged", et.SCRATCH, 0, 1])[:, -1]
    low, high = ttest_1samp(gain, 0).confidence_interval()
    assert f"difference {gain.mean():+.3f} ± {(high - low) / 2:.3f} (95 % interval)" in explorer.frame().sentence


def test_the_guess_about_the_pull_is_answered_by_the_means(strengths):
    explorer, grid = strengths
    change = grid["unchanged", 10.0, 20][0].mean() - grid["unchanged", 0.0, 20][0].mean()
    assert explorer.guess.answer == f"{change:+.3f}" and "20 labels per class" in explorer.guess.question


def test_the_strength_sentence_gives_the_means(strengths):
    explorer, grid = strengths
    right, far = grid["unchanged", 10.0, 1]
    said = explorer.frame(strength=10.0).sentence
    assert f"mean accuracy {right.mean():.3f}" in said and f"{far.mean():.2f} away" in said


def test_a_missing_run_is_shown_and_not_swallowed(methods):
    explorer, grid = methods
    del grid["straight", "old", 2, 5]
    frame = explorer.frame(frozen=2, pictures="straight")
    assert frame.pixels is None and "KeyError" in frame.sentence
