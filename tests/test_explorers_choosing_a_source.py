"""The film of notebook 08: a dose of 0 is ImageNet, and the numbers are those of the record."""

import films
import numpy as np
import pytest

from helpers.explorers.choosing_a_source import (
    ASKED,
    DOSES,
    TARGETS,
    as_random,
    damage_explorer,
    damage_name,
    picture,
    recorded,
    values,
    verdict,
)


def test_the_film_shows_what_is_drawn():
    explorer = damage_explorer()
    films.check_film(explorer)
    assert len(explorer._call()) < 1_000_000, "what the site allows"


def test_every_control_moves_the_picture():
    films.check_controls(damage_explorer())


def test_a_dose_of_zero_is_imagenet():
    explorer = damage_explorer()
    for _, target in TARGETS:
        for block in range(1, 6):
            frames = [explorer.frame(target=target, block=block, kind=kind, place=0) for kind in DOSES]
            accuracy = values(target, block, "imagenet", "test_accuracy").mean()
            assert all(f"ImageNet, undamaged: test accuracy {accuracy:.2f}" in frame.sentence for frame in frames)
    for kind in DOSES:
        assert damage_name(kind, 0) == "imagenet"
        np.testing.assert_array_equal(picture(damage_name(kind, 0), 3), picture("imagenet", 3))


def test_numbers_in_the_sentence_are_those_of_the_record():
    wanted = {"stage": "frozen", "target": "digits", "block": 3, "source": "prune 0.5", "labels_per_class": 10, "network": 0}
    (run,) = (run for run in recorded()["runs"] if wanted.items() <= run.items())
    sentence = damage_explorer().frame(target="digits", block=3, kind="prune", place=3).sentence
    assert f"test accuracy {np.mean(run['test_accuracy']):.2f}" in sentence
    for score in ("nearest neighbour", "logistic probe"):
        assert f"{score} {np.mean(run[score]):.2f}" in sentence
    assert sentence.startswith("50% of the filters set to zero")


@pytest.mark.parametrize("kind", DOSES)
def test_the_first_dose_as_random_is_the_first(kind):
    for _, target in TARGETS:
        level = values(target, 4, "random", "test_accuracy").mean()
        below = [values(target, 4, damage_name(kind, place), "test_accuracy").mean() <= level for place in range(6)]
        said = as_random(target, 4, kind)
        assert ("none" in said) == (not any(below))
        if any(below[1:]) and not below[0]:
            assert said == f"at {DOSES[kind][below.index(True)]:g}"


def test_each_kind_of_damage_is_said_in_english():
    assert (
        verdict("digits", 4, "prune")
        == "With pruning, block 4 first falls to the level of the random network at a share of 0.75."
    )
    assert (
        verdict("digits", 3, "shuffle")
        == "With shuffled channels, block 3 stays above the random network at each of these doses."
    )
    assert verdict("digits", 5, "noise") == "Block 5 is no better than the random network's, even without damage."


def test_the_first_picture_does_not_answer_the_guess():
    first = {key: control.values[control.start] for key, control in damage_explorer().controls.items()}
    assert {key: first[key] for key in ASKED} != ASKED


def test_pruned_maps_and_noisy_filters_differ_from_imagenet():
    assert (picture("prune 0.9", 0) != picture("imagenet", 0)).any()
    assert (picture("noise 8", 5) != picture("imagenet", 5)).any()
