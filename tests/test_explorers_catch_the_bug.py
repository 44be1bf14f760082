"""The film of notebook 12: dose 0 is the sound program, and a letter keeps its secret until it is asked."""

import films
import numpy as np
import pytest

from helpers.bugs import PROGRAMS, mistake, read_program, run_program
from helpers.explorers import catch_the_bug as module
from helpers.training import load_runs

PARTS = ("train", "reported", "true")
SHOWN = [program for program in PROGRAMS if program != "15_one_file"]  # a Lambda layer has no dose


def test_the_film_shows_what_is_drawn():
    explorer = module.bug_explorer()
    films.check_film(explorer)
    films.check_controls(explorer)
    assert len(explorer.film["states"]) == 10 * len(SHOWN) <= 500
    assert len(explorer._call()) < 1_000_000, "what the site allows"


def test_every_control_changes_picture_and_sentence_at_the_start():
    explorer = module.bug_explorer()
    start = explorer.frame()
    for key, control in explorer.controls.items():
        for value in (control.values[place] for place in (control.start - 1, control.start + 1) if 0 <= place):
            if value != control.values[control.start]:
                frame = explorer.frame(**{key: value})
                assert frame.sentence != start.sentence, key
                assert not np.array_equal(frame.pixels, start.pixels), key


@pytest.mark.parametrize("letter", module.lettered())
def test_a_letter_keeps_its_secret(letter):
    explorer, program = module.bug_explorer(), module.lettered()[letter]
    for dose in range(module.DOSES):
        hidden, shown = (explorer.frame(letter=letter, dose=dose, reveal=reveal) for reveal in (False, True))
        run = module.recorded(program)[dose]
        assert program in shown.sentence and run["mistake"] in shown.sentence and run["dose_text"] in shown.sentence
        assert program not in hidden.sentence and run["mistake"] not in hidden.sentence
        assert module.spread(module.ends(program, "true")[dose]) in shown.sentence
        assert module.spread(module.ends(program, "reported")[dose]) in hidden.sentence
        assert not np.array_equal(hidden.pixels, shown.pixels)


@pytest.mark.parametrize("program", SHOWN)
def test_all_doses_are_of_the_same_seeds_and_length(program):
    runs = module.recorded(program)
    assert len(runs[0]["seeds"]) >= 5 and runs[0]["seeds"] == runs[runs[0]["file_dose"]]["seeds"]
    for run in runs:
        assert set(run["seeds"]) <= set(runs[0]["seeds"]) and len(run["seeds"]) >= 3
        curves = [module.by_epoch(program, run["dose"], part) for part in PARTS]
        assert {curve.shape for curve in curves} == {(len(runs[0]["train"][0]), len(run["seeds"]))}
        assert all(0 <= curve.min() and curve.max() <= 1 for curve in curves)


def test_a_program_without_a_mistake_has_no_dose():
    for program in SHOWN:
        doses = len(load_runs("bugs", program=program))
        assert doses == (module.DOSES if mistake(program) else 1), program
        assert (module.recorded(program)[0]["file_dose"] > 0) == bool(mistake(program))


def test_dose_0_is_the_sound_program():
    """The repaired twin, run again, draws the recorded curves of its seed."""
    history = run_program(read_program("01_ten_digits", repaired=True))["history"].history
    run = module.recorded("01_ten_digits")[0]
    place = run["seeds"].index(0)
    for name, key in (("train", "accuracy"), ("reported", "val_accuracy")):
        np.testing.assert_allclose(run[name][place], history[key], atol=0.04)


def test_letters_are_the_programs_in_another_order():
    behind = list(module.lettered().values())
    assert sorted(behind) == SHOWN != behind
