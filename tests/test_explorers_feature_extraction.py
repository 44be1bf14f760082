"""The explorers of notebook 04: intervals as SciPy has them, and frames that hold all that a value of VGG16 sees."""

import re

import films
import numpy as np
import pytest
from scipy import stats

from helpers.explorers.feature_extraction import channels_explorer, seen_square, sources_explorer, strongest_places
from helpers.features import extract_features
from helpers.vgg16 import layer_table, load_vgg16

GENERATOR = np.random.default_rng(0)
COUNTS = {"textures": (1, 2, 5), "clothes": (5, 20, 50)}
TARGETS = {
    name: {
        (source, block, count): np.clip(GENERATOR.normal(0.3 + 0.1 * place + 0.02 * block, 0.03, 5), 0, 1)
        for place, source in enumerate(("random", "edges", "ImageNet"))
        for block in range(1, 6)
        for count in counts
    }
    for name, counts in COUNTS.items()
}
BASELINES = {name: {"largest class": [0.2] * 3} for name in TARGETS}
LAYERS = ["block1_conv2", "block2_conv2", "block3_conv3"]


@pytest.fixture(scope="module")
def sources():
    return sources_explorer(TARGETS, baselines=BASELINES)


@pytest.fixture(scope="module")
def network():
    return load_vgg16("random", input_shape=(64, 64, 3), seed=1)


@pytest.fixture(scope="module")
def channels(network):
    images = GENERATOR.integers(0, 256, (5, 64, 64, 3), dtype="uint8")
    maps = extract_features(images, base_model=network, layers=LAYERS, pooling=None, cache=False)
    return channels_explorer(images, list("abcde"), maps, channels=4)


def test_every_control_moves_the_picture(sources, channels):
    films.check_controls(sources)
    films.check_controls(channels)


def test_the_film_of_the_sources_shows_what_is_drawn(sources):
    films.check_film(sources)


def test_the_film_of_the_channels_says_what_is_drawn(channels):
    """Its pictures are photographs, stored with some loss."""
    film, settings = channels.film, list(films.settings(channels))
    assert len(settings) == len(film["states"]) == 12
    for number, setting in enumerate(settings):
        frame = channels.frame(**setting)
        assert film["sentences"][number] == frame.sentence
        apart = np.abs(films.composed(film, number).astype(int) - frame.pixels[..., :3])
        assert apart.mean() < 12


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_said_and_drawn_of_a_difference_is_its_paired_t_interval(sources, target):
    for block in range(1, 6):
        for place, count in enumerate(COUNTS[target]):
            runs = {source: TARGETS[target][source, block, count] for source in ("random", "edges", "ImageNet")}
            live, sentence = sources.draw(target=target, block=block, place=place)
            gains = runs["ImageNet"] - runs["random"]
            low, high = stats.ttest_1samp(gains, 0).confidence_interval(0.95)
            told = "" if low > 0 or high < 0 else ", not told apart"
            assert f"ImageNet minus random {gains.mean():+.2f} ({low:+.2f} to {high:+.2f}{told})" in sentence
            assert all(f"{source} {values.mean():.2f}" in sentence for source, values in runs.items())
            lines = {line.get_label(): line.get_ydata() for line in live.figure.axes[0].lines}
            assert lines["random"][place] == pytest.approx(runs["random"].mean())


def test_what_is_not_told_apart_is_called_so(sources):
    same = {key: np.array([0.5, 0.6, 0.7, 0.6, 0.5]) + 0.01 * (-1) ** np.arange(5) for key in TARGETS["clothes"]}
    _, sentence = sources_explorer({"clothes": same}, baselines=BASELINES).draw(target="clothes", block=5, place=2)
    assert sentence.count("not told apart") == 3


def test_the_guess_is_answered_by_what_was_measured(sources):
    right = TARGETS["clothes"]["random", 1, 50].mean()
    assert sources.guess.answer.startswith(f"{right:.2f} (edges ")
    assert "clothes, block 1, 50 labels" in sources.guess.question


def test_the_guess_about_channels_is_answered_by_the_zeros_that_the_sentences_name(channels):
    """A wrong layer, or another number of channels, would show."""
    said = {}
    for layer in LAYERS:
        sentences = [channels.draw(layer=layer, channel=channel)[1] for channel in range(4)]
        said[layer] = np.mean([float(re.search(r"Zero at (\d+)%", sentence)[1]) for sentence in sentences])
    last, first = map(float, re.fullmatch(r"(\d+)% \(in block1_conv2 (\d+)%\)", channels.guess.answer).groups())
    assert last == pytest.approx(said["block3_conv3"], abs=1) and first == pytest.approx(said["block1_conv2"], abs=1)
    assert "first 4 channels of block3_conv3" in channels.guess.question
    assert abs(said["block3_conv3"] - said["block1_conv2"]) > 2  # else the test could not tell them apart


def test_the_frame_is_as_wide_as_the_receptive_field():
    for row in layer_table(input_shape=(64, 64, 3)):
        left, top, right, bottom = seen_square(row["name"], 3, 2)
        assert right - left == bottom - top == row["receptive_field"] and top - left == row["stride"]
    assert seen_square("block1_conv1", 0, 0) == (-1, -1, 2, 2)
    with pytest.raises(ValueError, match="block9"):
        seen_square("block9_conv1", 0, 0)


@pytest.mark.parametrize("layer", [*LAYERS, "block2_pool", "block4_conv1"])
def test_what_is_outside_of_the_frame_does_not_matter(network, layer):
    """All zero outside: the same value. One pixel changed at each corner inside: another one."""

    def answer(images):
        return extract_features(images, base_model=network, layers=layer, pooling=None, preprocess=None, cache=False)

    image = GENERATOR.normal(0, 50, (64, 64, 3)).astype("float32")
    side = answer(image[None]).shape[1]
    for row, column in ((side // 2, side // 2), (0, side - 1), (1, 0)):
        left, top, right, bottom = (max(0, edge) for edge in seen_square(layer, row, column))
        inside = np.zeros_like(image)
        inside[top:bottom, left:right] = image[top:bottom, left:right]
        before, after = answer(np.stack([image, inside]))[:, row, column]
        assert np.allclose(before, after, rtol=1e-4, atol=1e-3)
        outside = image - inside
        assert not np.allclose(answer(outside[None])[0, row, column], before, rtol=1e-4, atol=1e-3)


def test_no_smaller_square_would_do(network):
    """Every edge of the frame holds pixels that the value depends on."""
    image = GENERATOR.normal(0, 50, (64, 64, 3)).astype("float32")
    left, top, right, bottom = seen_square("block2_conv2", 16, 16)
    changed = np.stack([image] * 5)
    for number, strip in enumerate((np.s_[top], np.s_[bottom - 1], np.s_[:, left], np.s_[:, right - 1]), start=1):
        changed[number][strip] += 500
    settings = {"layers": "block2_conv2", "pooling": None, "preprocess": None, "cache": False}
    values = extract_features(changed, base_model=network, **settings)[:, 16, 16]
    assert all(not np.allclose(values[0], other, rtol=1e-5) for other in values[1:])


def test_the_strongest_places_are_the_strongest_and_apart():
    maps = np.zeros((3, 32, 32))
    maps[0, 16, 16], maps[0, 16, 17], maps[0, 2, 2], maps[0, 30, 2], maps[1, 5, 5] = 9, 8, 7, 6, 5
    assert strongest_places(maps, layer="block1_conv2", count=3) == [(0, 16, 16), (0, 2, 2), (1, 5, 5)]
