"""Feedback on answers: always one line, never an exception, and a word of its own for each usual slip."""

import course
import numpy as np
import pytest

from helpers.exercises import data_augmentation
from helpers.exercises.feedback import (
    CheckFailed,
    NotYet,
    as_array,
    as_number,
    call,
    exercise,
    expect,
    number_exercise,
    stop_at_mistakes,
    verdict,
)


def half(answer):
    if as_number(answer) != 0.5:
        raise NotYet("not a half.")


@pytest.mark.parametrize("answer", [0.5, np.float32(0.5), np.array(0.5), [0.5], np.array([[0.5]])])
def test_a_number_may_come_in_any_shape_that_holds_one(answer):
    assert verdict("a half.", half, answer) == "Correct: a half."


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
    line = verdict("a half.", half, answer)
    assert line.startswith("Not yet: ") and word in line


def test_a_tensor_is_a_number_too():
    import tensorflow as tf

    assert verdict("a half.", half, tf.constant(0.5)) == "Correct: a half."


def test_names_in_the_praise_stand_for_what_the_check_returns():
    assert verdict("{half:.1f} it is.", lambda answer: {"half": answer}, 0.5) == "Correct: 0.5 it is."


def test_an_untouched_stub_is_no_mistake():
    assert verdict("a half.", half, ...).startswith("Your turn: ")
    assert verdict("called.", call, lambda: ...).startswith("Your turn: ")


def test_whatever_a_check_raises_becomes_feedback(capsys):
    @exercise("praise.")
    def broken(answer):
        raise ZeroDivisionError("first\nsecond")

    broken(1)
    printed = capsys.readouterr().out
    assert printed == "Not yet: the check stopped with ZeroDivisionError: first second\n"


def test_where_a_class_wants_it_a_mistake_stops_the_notebook_with_one_line(capsys):
    check = exercise("a half.")(half)
    stop_at_mistakes()
    try:
        check(0.5)
        for answer, line in ((0.25, "Not yet: not a half."), (..., "Your turn: ")):
            with pytest.raises(CheckFailed) as stopped:
                check(answer)
            assert str(stopped.value).startswith(line)
            assert stopped.value._render_traceback_() == [str(stopped.value)]
    finally:
        stop_at_mistakes(False)
    check(0.25)
    assert capsys.readouterr().out == "Correct: a half.\nNot yet: not a half.\n"


def test_a_decorator_without_praise_is_refused_in_a_sentence():
    with pytest.raises(TypeError, match="needs a sentence of praise"):
        exercise(half)


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
    line = verdict("called.", call, function)
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


def test_an_array_that_has_to_stay_as_it_is_is_watched():
    z = np.array([2.0, 1.0])
    assert call(lambda x, z: z[0] + x, 1, z=z) == 3
    with pytest.raises(NotYet, match="your function changes the z that it is given. Sort a copy."):
        call(lambda x, z: z.sort() or x, 1, z=z, advice="Sort a copy.")
    assert z[0] == 2


def test_lists_of_unequal_rows_get_the_hint_that_is_given_for_them():
    with pytest.raises(NotYet, match="rows differ"):
        as_array([[1, 2], [3]], uneven="rows differ.")


@number_exercise((1000, "a thousand."), (1024, "that is 2 to the 10."), (999.5, "rounded down?"), rtol=1e-5)
def check_thousand(number):
    return f"{number:g} is no thousand."


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (1000, "Correct: a thousand."),
        ([1000.001], "Correct: a thousand."),
        (1024, "Not yet: 1,024? that is 2 to the 10."),
        (np.float32(999.5), "Not yet: 999.5? rounded down?"),
        (7, "Not yet: 7 is no thousand."),
        ("7", "Not yet: '7' is text. Give a number, without quotation marks."),
        (..., "Your turn: replace the ... above with your answer and run the cell again."),
    ],
)
def test_a_number_exercise_is_made_of_rows(answer, line, capsys):
    check_thousand(answer)
    assert capsys.readouterr().out == line + "\n"
    assert check_thousand.__name__ == "check_thousand"


@pytest.mark.parametrize("wrong", [np.zeros(2), [1, 2], 5.0])
def test_the_first_row_that_fits_speaks_for_arrays_and_numbers(wrong):
    rows = [([9, 9, 9], "other shape"), (wrong, "this one"), (wrong, "not this one")]
    with pytest.raises(NotYet, match="^this one$"):
        expect(np.asarray(wrong, "float64"), np.zeros_like(wrong) + 7, rows, "otherwise")
    with pytest.raises(NotYet, match="^otherwise$"):
        expect(np.asarray(wrong) + 1.5, np.zeros_like(wrong) + 70, rows, "otherwise")
    expect(np.asarray(wrong), wrong, rows, "otherwise")


def test_the_rows_are_the_wrong_answers_that_the_tests_try():
    tried = course.wrong_answers(next(path for path in course.NOTEBOOKS if path.stem == "05_data_augmentation"))
    rows, tried = data_augmentation.check_rotation_factor.wrong_numbers, tried["check_rotation_factor"]
    assert [entry["hint"] for entry in tried[: len(rows)]] == [hint for _, hint in rows]
    assert tried[0]["answer"].strip() == "factor = 40"
    assert tried[1]["answer"].strip() == "factor = 0.4"
    assert len(tried) > len(rows), "what the file adds comes behind them"
