"""The explorers of notebook 03, without a browser: every control moves the picture, and the sentence is true."""

import time

import numpy as np
import pytest

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
    explorer, _ = request.getfixturevalue(which)
    for control in explorer.controls.values():
        assert control.description
        values = [option[1] if isinstance(option, tuple) else option for option in control.options]
        for value in (values[-1], values[0]):
            before = explorer.png
            if control.value == value:
                continue
            control.value = value
            assert explorer.png != before and explorer.png.startswith(b"\x89PNG")
            assert "could not be drawn" not in explorer.sentence.value


def test_the_sentence_tells_a_gain_from_a_loss_from_neither(methods):
    explorer, grid = methods
    said = {}
    for count in COUNTS:
        explorer.controls["labels_per_class"].value = count
        said[count] = explorer.sentence.value
    assert "transfer helps" in said[1] and "no clear difference" in said[5] and "negative transfer" in said[50]
    mean = grid["unchanged", "old", 0, 1][:, -1].mean()
    assert f"transfer {mean:.3f}" in said[1] and "in 8 of 8 runs" in said[1]


def test_the_strength_sentence_gives_the_means(strengths):
    explorer, grid = strengths
    explorer.controls["strength"].value = 10.0
    right, far = grid["unchanged", 10.0, 1]
    assert f"mean accuracy {right.mean():.3f}" in explorer.sentence.value
    assert f"{far.mean():.2f} away" in explorer.sentence.value


def test_a_missing_run_is_shown_and_not_swallowed(methods):
    explorer, grid = methods
    del grid["straight", "old", 2, 5]
    explorer.controls["frozen"].value = 2
    explorer.controls["pictures"].value = "straight"
    assert 'role="alert"' in explorer.sentence.value and "KeyError" in explorer.sentence.value


@pytest.mark.parametrize("which", ["methods", "strengths"])
def test_a_move_is_quick(which, request):
    explorer, _ = request.getfixturevalue(which)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        explorer.redraw()
        times.append(time.perf_counter() - start)
    print(f"{which}: {1000 * min(times):.0f} ms")
    assert min(times) < 0.3  # 100 ms on a quiet machine
