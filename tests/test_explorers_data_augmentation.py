"""The explorer of notebook 05, without a browser: every control moves the picture, and it shows what Keras draws."""

import films
import numpy as np
import pytest

from helpers.augmentation import build_augmentation
from helpers.data import load_photographs
from helpers.explorers import data_augmentation as ea

RANGES = {"rotation": 40, "shift": 0.2, "shear": 0.2, "zoom": 0.2, "brightness": 0.1, "flip": True}


@pytest.fixture(scope="module")
def pictures():
    generator = np.random.default_rng(0)
    return {name: generator.integers(0, 256, (48, 48, 3), dtype="uint8") for name in ("cat", "text")}


@pytest.fixture(scope="module")
def explorer(pictures):
    return ea.augmentation_explorer(pictures)


def test_every_control_changes_the_picture(explorer):
    films.check_controls(explorer)


def test_the_same_setting_gives_the_same_picture(explorer):
    first, wide, again = (explorer.frame(rotation=angle).pixels for angle in (40, 90, 40))
    assert np.array_equal(first, again) and not np.array_equal(first, wide)


def test_the_part_for_the_site_keeps_photographs_recognisable():
    cat = load_photographs(["chelsea"])["chelsea"][100:196, 200:296]
    explorer = ea.augmentation_explorer({"cat": cat, "mirrored": cat[:, ::-1]})
    film = explorer.film
    assert [control.label for control in film["controls"]] == ["rotation", "shift", "flip", "picture"]
    assert film["note"].startswith(
        "Here with fewer settings: rotation 0 degrees, 40 degrees, 90 degrees, 180 degrees; shift 0%, 40%;"
    )
    nothing = explorer.frame(rotation=0, shift=0.0, shear=0.0, zoom=0.0, flip=False)
    assert film["sentences"][0] == nothing.sentence
    assert np.abs(films.composed(film, 0).astype(int) - nothing.pixels[..., :3]).mean() < 8


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
    off = {"shift": 0.0, "shear": 0.0, "zoom": 0.0, "picture": "text", "seed": 2}
    said = explorer.frame(rotation=90, **off).sentence
    assert "text: rotation up to 90 degrees, flipped in half of the cases;" in said and "number 2" in said
    assert "nothing is changed" in explorer.frame(rotation=0, flip=False, **off).sentence


def brighter_half(images):
    """A judge of two classes: which half of the picture is brighter, left or right."""
    halves = np.stack([images[:, :, :12].mean(axis=(1, 2, 3)), images[:, :, 12:].mean(axis=(1, 2, 3))], axis=1)
    return np.exp(halves / 20) / np.exp(halves / 20).sum(axis=1, keepdims=True)


LABELS = np.arange(12) % 2
HALVES = np.random.default_rng(1).integers(0, 80, (12, 24, 24, 3), dtype="uint8")
HALVES[LABELS == 0, :, :12] += 150
HALVES[LABELS == 1, :, 12:] += 150
JUDGED = HALVES, LABELS, ["left", "right"], brighter_half


@pytest.fixture(scope="module")
def doses():
    return ea.dose_explorer({"halves": JUDGED, "wrong names": (HALVES, 1 - LABELS, *JUDGED[2:])})


@pytest.mark.parametrize("change", ea.DOSES)
def test_dose_zero_is_the_original(change):
    views, answers, accuracy = ea.measure_doses(*JUDGED, change)
    assert views.shape == (6, *HALVES.shape) and np.array_equal(views[0], HALVES) and accuracy[0] == 1
    assert np.array_equal(answers[0], brighter_half(HALVES))
    apart = np.abs(views.astype(float) - HALVES).mean(axis=(1, 2, 3, 4))
    assert 0 < apart[1] < apart[3] and apart[1:].min() > 1, "every dose changes the pixels"


def test_half_turns_make_the_judge_err(doses):
    _, answers, accuracy = ea.measure_doses(*JUDGED, "rotation")
    assert accuracy[5] < 0.8 and accuracy[5] == (answers[5].argmax(axis=1) == LABELS).mean()
    said = doses.frame(subject="halves", change="rotation", step=5).sentence
    assert said == f"halves, rotation up to 180°: {round(12 * accuracy[5])} of 12 are named right; as they are, 12."
    assert doses.guess.answer == f"{10 * accuracy[5]:.0f} (accuracy {accuracy[5]:.2f})"
    assert "0°: 0 of 12" in doses.frame(subject="wrong names", change="rotation", step=0).sentence


def test_all_together_at_one_are_the_classic_ranges():
    drawn = ea.augmented_views(HALVES, augment=build_augmentation(flip=False), views=1, keep_first=False)[0]
    assert np.array_equal(ea.measure_doses(*JUDGED, "all together")[0][3], drawn)


def test_every_control_of_the_doses_moves_the_picture_and_the_film_says_what_is_drawn(doses):
    films.check_controls(doses)
    film = doses.film
    for number, setting in enumerate(films.settings(doses)):
        frame = doses.frame(**setting)
        assert film["sentences"][number] == frame.sentence
        assert np.abs(films.composed(film, number).astype(int) - frame.pixels[..., :3]).mean() < 8
