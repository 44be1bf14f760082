"""Feedback on answers: always one line, never an exception, and a word of its own for each usual slip."""

import numpy as np
import pytest

from helpers.exercises.feedback import NotYet, as_array, as_number, call, exercise, verdict


def half(answer):
    if as_number(answer) != 0.5:
        raise NotYet("not a half.")
    return "a half."


@pytest.mark.parametrize("answer", [0.5, np.float32(0.5), np.array(0.5), [0.5], np.array([[0.5]])])
def test_a_number_may_come_in_any_shape_that_holds_one(answer):
    assert verdict(half, answer) == "Correct: a half."


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        ("0.5", "is text"),
        (None, "None"),
        ([0.5, 1], "2 of them"),
        (len, "is a function"),
        (float("nan"), "NaN"),
        ({}, "numbers are wanted"),
        (0.25, "not a half"),
    ],
)
def test_what_is_not_a_number_gets_a_word_of_its_own(answer, word):
    line = verdict(half, answer)
    assert line.startswith("Not yet: ") and word in line


def test_a_tensor_is_a_number_too():
    import tensorflow as tf

    assert verdict(half, tf.constant(0.5)) == "Correct: a half."


def test_an_untouched_stub_is_no_mistake():
    assert verdict(half, ...).startswith("Your turn: ")
    assert verdict(lambda answer: call(answer), lambda: ...).startswith("Your turn: ")


def test_whatever_a_check_raises_becomes_feedback(capsys):
    @exercise
    def broken(answer):
        raise ZeroDivisionError("first\nsecond")

    broken(1)
    printed = capsys.readouterr().out
    assert printed == "Not yet: the check stopped with ZeroDivisionError: first second\n"


@pytest.mark.parametrize(
    ("function", "word"),
    [
        (3, "a function is wanted"),
        (lambda: None, "returns None"),
        (lambda: 1 / 0, "ZeroDivisionError"),
        (lambda x: x, "TypeError"),
    ],
)
def test_a_function_that_does_not_work_gets_a_word_of_its_own(function, word):
    line = verdict(lambda answer: call(answer), function)
    assert line.startswith("Not yet: ") and word in line


@pytest.mark.parametrize(
    ("values", "word"),
    [
        (np.zeros((3, 2)), "transpose"),
        (np.zeros(6), "reshape"),
        (np.zeros(5), "(5,)"),
        (np.full((2, 3), np.nan), "NaN"),
        (None, "None"),
        ([[1, 2], [3]], "numbers are wanted"),
    ],
)
def test_an_array_of_another_shape_gets_a_word_of_its_own(values, word):
    with pytest.raises(NotYet, match=word.replace("(", r"\(").replace(")", r"\)")):
        as_array(values, shape=(2, 3))


@pytest.mark.parametrize("values", [[[1, 2, 3], [4, 5, 6]], np.ones((2, 3), "float32"), np.ones((2, 3), "uint8")])
def test_arrays_of_any_number_type_and_lists_are_taken(values):
    assert as_array(values, shape=(2, 3)).dtype == np.float64
