"""The film of notebook 07: it shows what was recorded, frozen layers stay where they were, and all begin alike."""

import json

import films
import numpy as np
import pytest

from helpers.explorers.after_fine_tuning import BLOCKS, decode, when_to_stop_explorer
from helpers.training import RUNS_FOLDER, load_runs

FILM = json.loads((RUNS_FOLDER / "fine_tuning_film.json").read_text(encoding="utf-8"))
FIRST_RUNS = load_runs("fine_tuning_film", seed=0)


def test_the_film_shows_what_is_drawn():
    explorer = when_to_stop_explorer()
    films.check_film(explorer)
    assert len(explorer._call()) < 1_000_000, "what the site allows"


def test_numbers_in_the_sentence_are_those_of_the_record():
    (run,) = load_runs("fine_tuning_film", seed=0, first=5, start="random", learning_rate=1e-4)
    sentence = when_to_stop_explorer().frame(first=5, start="random", learning_rate=1e-4, place=20).sentence
    assert f"step {FILM['steps'][20]}: validation accuracy {run['validation_accuracy'][20]:.2f}" in sentence
    assert f"best at step {FILM['steps'][np.argmax(run['validation_accuracy'])]} (" in sentence


@pytest.mark.parametrize("run", FIRST_RUNS, ids=lambda run: f"{run['first']}-{run['start']}-{run['learning_rate']}")
def test_frozen_layers_moved_exactly_nothing_and_the_others_moved(run):
    distances, frozen = decode(run["distances"], 13), np.array(BLOCKS) < run["first"]
    assert distances.shape == (len(FILM["steps"]), 13) and not distances[0].any()
    assert not distances[:, frozen].any() and (distances[1:, ~frozen] > 0).all()


def test_all_runs_of_a_start_begin_alike():
    """The first snapshot does not know yet how deep and how fast training will be."""
    for start in ("trained", "random"):
        runs = [run for run in FIRST_RUNS if run["start"] == start]
        clouds = [decode(run["cloud"], len(FILM["labels"]), 2)[0] for run in runs]
        np.testing.assert_allclose(clouds, np.broadcast_to(clouds[0], np.shape(clouds)), atol=0.5)
        assert len({run["validation_accuracy"][0] for run in runs}) == 1
        assert np.ptp([run["loss"][0] for run in runs]) < 1e-3


def test_every_run_stands_beside_the_first_of_its_setting():
    settings = [(run["first"], run["start"], run["learning_rate"]) for run in FIRST_RUNS]
    assert len(settings) == len(set(settings)) and len(settings) % 6 == 0, "each depth with three rates and two starts"
    for run in FILM["runs"]:
        assert (run["first"], run["start"], run["learning_rate"]) in settings
        assert len(run["validation_accuracy"]) == len(FILM["steps"])
