"""The explorer of notebook 05, without a browser: every control moves the picture, and it shows what Keras draws."""

import time

import numpy as np
import pytest

from helpers.augmentation import build_augmentation
from helpers.explorers import data_augmentation as ea

RANGES = {"rotation": 40, "shift": 0.2, "shear": 0.2, "zoom": 0.2, "brightness": 0.1, "flip": True}


@pytest.fixture(scope="module")
def pictures():
    generator = np.random.default_rng(0)
    return {name: generator.integers(0, 256, (48, 48, 3), dtype="uint8") for name in ("cat", "text")}


@pytest.fixture(scope="module")
def explorer(pictures):
    return ea.augmentation_explorer(pictures)


def test_every_control_changes_the_picture_and_the_sentence(explorer):
    for name, control in explorer.controls.items():
        assert control.description
        values = [option[1] if isinstance(option, tuple) else option for option in control.options]
        before, said, start = explorer.png, explorer.sentence.value, control.value
        control.value = next(value for value in reversed(values) if value != start)
        assert explorer.png != before and explorer.png.startswith(b"\x89PNG"), name
        assert explorer.sentence.value != said and "could not be drawn" not in explorer.sentence.value
        control.value = start
        assert explorer.png == before, f"{name}: the same setting gives the same picture"


def test_the_draws_are_those_of_the_keras_layers(pictures):
    views = ea.draw_views(pictures["cat"], seed=3, fill_mode="reflect", **RANGES)
    copies = np.repeat(pictures["cat"][np.newaxis], ea.DRAWS, axis=0).astype("float32")
    keras_result = np.asarray(build_augmentation(seed=3, fill_mode="reflect", **RANGES)(copies, training=True))
    assert np.array_equal(views, np.clip(np.rint(keras_result), 0, 255))


def test_a_wider_range_scales_the_same_draws():
    left_to_right = np.tile(np.arange(0, 240, 5, dtype="uint8")[:, None], (48, 1, 3))
    nothing = dict.fromkeys(RANGES, 0) | {"fill_mode": "nearest", "seed": 1}
    small, large = (
        ea.draw_views(left_to_right, **nothing | {"shift": shift})[:, 24, 24, 0].astype(float) for shift in (0.1, 0.2)
    )
    middle = left_to_right[24, 24, 0]
    assert np.ptp(large) > 10 and large - middle == pytest.approx(2 * (small - middle), abs=2)


def test_pictures_of_different_sizes_are_refused(pictures):
    with pytest.raises(ValueError, match="one shape"):
        ea.augmentation_explorer({**pictures, "small": pictures["cat"][:20]})


def test_the_sentence_says_what_is_on(explorer):
    for name, value in {
        "rotation": 90,
        "shift": 0.0,
        "shear": 0.0,
        "zoom": 0.0,
        "picture": "text",
        "seed": 2,
    }.items():
        explorer.controls[name].value = value
    said = explorer.sentence.value
    assert "text: rotation up to 90 degrees, flipped in half of the cases;" in said and "number 2" in said
    for name, value in {"rotation": 0, "flip": False}.items():
        explorer.controls[name].value = value
    assert "nothing is changed" in explorer.sentence.value


def test_a_move_is_quick(explorer):
    for name, value in {"rotation": 40, "shift": 0.2, "shear": 0.2, "zoom": 0.2, "brightness": 0.1}.items():
        explorer.controls[name].value = value
    times = []
    for _ in range(5):
        start = time.perf_counter()
        explorer.redraw()
        times.append(time.perf_counter() - start)
    print(f"{1000 * min(times):.0f} ms")
    assert explorer.png
