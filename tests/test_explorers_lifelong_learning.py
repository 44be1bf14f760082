"""The film of notebook 11: it shows what was recorded, and all methods begin alike."""

import films
import numpy as np
import pytest

from helpers import lifelong
from helpers.explorers import lifelong_learning as module

COURSES = [(method, place) for method in module.METHODS for place in range(3)]


def test_the_film_shows_what_is_drawn():
    explorer = module.forgetting_explorer()
    films.check_film(explorer)
    films.check_controls(explorer, same=("place",))  # fine-tuning, where the film starts, has no strength
    assert len(explorer.film["states"]) == 480
    assert len(explorer._call()) < 1_000_000, "what the site allows"


def test_methods_are_equal_at_snapshot_0():
    frames = [module.recorded(*course) for course in COURSES]
    for key in ("old", "known", "new", "by_digit", "answers", "distance"):
        assert all(frame[key][0] == frames[0][key][0] for frame in frames), key
    assert frames[0]["distance"][0] == 0 and frames[0]["new"][0][0] == 0
    pictures = [module.forgetting_explorer().frame(method=method, snapshot=0).pixels for method in module.METHODS]
    tiles = [picture[:, : picture.shape[1] // 4] for picture in pictures]
    assert all(np.array_equal(tile, tiles[0]) for tile in tiles)


def test_fine_tuning_has_no_strength():
    kept = [
        {key: value for key, value in module.recorded("fine-tune", place).items() if key not in ("place", "seconds")}
        for place in range(3)
    ]
    assert kept[0] == kept[1] == kept[2]


@pytest.mark.parametrize("course", COURSES)
def test_numbers_agree_with_each_other(course):
    film = module.recorded(*course)
    assert len(film["steps"]) == len(film["old"]) == len(film["answers"]) == 40 and film["steps"][0] == 0
    for name in module.CURVES:
        mean, low, high = np.transpose(film[name])
        assert (low <= mean).all() and (mean <= high).all()
    np.testing.assert_allclose(np.mean(film["by_digit"], axis=1), np.array(film["old"])[:, 0], atol=2e-3)
    assert (np.array(film["known"])[:, 0] >= np.array(film["old"])[:, 0] - 1e-9).all(), "fewer answers to choose from"


def test_a_strong_pull_keeps_the_weights_nearer():
    for method in ("L2", "EWC"):
        ends = [module.recorded(method, place)["distance"][-1] for place in range(3)]
        assert ends[0] > ends[2], method


def test_more_memory_forgets_less():
    ends = [module.recorded("rehearsal", place)["old"][-1][0] for place in range(3)]
    assert ends[0] < ends[1] < ends[2]


def test_the_sentence_says_what_is_recorded():
    film, sentence = (
        module.recorded("EWC", 2),
        module.forgetting_explorer().frame(method="EWC", place=2, snapshot=39).sentence,
    )
    assert "EWC, strong, step 300" in sentence and f"{film['distance'][39]:.2f}" in sentence
    assert "{:.2f} ({:.2f} to {:.2f})".format(*film["known"][39]) in sentence


def test_the_digits_are_those_that_were_asked():
    """The network of the record, trained anew to the last step, gives the recorded answers to the digits of the picture."""
    tasks = lifelong.digit_tasks(per_task=5)
    found = lifelong.learn_tasks(tasks, method="rehearsal", memory=4, steps=300, learning_rate=0.001)
    images, labels = module.old_digits()
    own = [(weights[0], bias[0, 0]) for weights, bias in found.layers]
    answers = lifelong.predict(own, images.reshape(-1, 64), activation="relu").argmax(axis=1)
    assert (
        sum(str(one) != other for one, other in zip(answers, module.recorded("rehearsal", 1)["answers"][-1], strict=True))
        <= 1
    )
    assert list(labels) == [0] * 4 + [1] * 4 + [2] * 4 + [3] * 4 + [4] * 4
    assert found.all_classes[:, 1, 0].mean() == pytest.approx(module.recorded("rehearsal", 1)["old"][-1][0], abs=0.01)
