"""One line of feedback for every "Your turn", and never an exception: what every exercise is made of.

A check returns a sentence of praise when an answer is right, and raises `NotYet("a hint about this mistake")` when it
is not. `@exercise` makes of it what a notebook calls: a line that starts with "Your turn:", "Not yet:" or "Correct:".
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from helpers.exercises.solved import record_solved


class NotYet(Exception):
    """A hint: the answer is wrong, and the message says something about this very mistake."""


class _YourTurn(Exception):
    """The exercise has not been attempted: a `...` is still in its place."""


def exercise(check: Callable[..., str]) -> Callable[..., None]:
    """Return `check` as a function that prints one line of feedback and never raises; "Correct" is remembered."""

    @functools.wraps(check)
    def printed(*answers: Any, **context: Any) -> None:
        line = " ".join(verdict(check, *answers, **context).split())
        print(line)
        if line.startswith("Correct:") and check.__module__.startswith(f"{__package__}."):
            record_solved(check.__module__.rpartition(".")[2], check.__name__)

    return printed


def number_exercise(right: tuple[float, str], *wrong: tuple[float, str], form: str = ",.4g", **tolerance: float) -> Any:
    """Return a decorator that makes an exercise of rows: the right number with praise, wrong numbers with their hints.

    A hint follows the number itself, in the format `form`. The function that is decorated says what to think of any
    other number. The tests try the `wrong_numbers` of the exercise.
    """

    def decorate(otherwise: Callable[[float], str]) -> Callable[..., None]:
        @exercise
        @functools.wraps(otherwise)
        def check(answer: Any) -> str:
            number = as_number(answer)
            expect(number, right[0], wrong, otherwise(number), form=form, **tolerance)
            return right[1]

        check.wrong_numbers = wrong
        return check

    return decorate


def verdict(check: Callable[..., str], *answers: Any, **context: Any) -> str:
    """Return the line of feedback that `check` gives on the answers."""
    try:
        if any(answer is ... for answer in answers):
            raise _YourTurn
        return f"Correct: {check(*answers, **context)}"
    except _YourTurn:
        return "Your turn: replace the ... above with your answer and run the cell again."
    except NotYet as hint:
        return f"Not yet: {hint}"
    except Exception as error:  # whatever goes wrong in a learner's code belongs in the feedback
        return f"Not yet: the check stopped with {type(error).__name__}: {error}"


def hint_if(wrong: bool, hint: str) -> None:
    """Raise the hint, if there is one, when something is wrong."""
    if wrong and hint:
        raise NotYet(hint)


def expect(
    values: Any, right: Any, wrong: Iterable, otherwise: str, *, form: str = "", rtol: float = 1e-6, atol: float = 1e-8
) -> None:
    """Raise the hint of the first row (wrong values, hint) that fits, or `otherwise`, unless the values are right."""
    if np.allclose(values, right, rtol=rtol, atol=atol):
        return
    for value, hint in wrong:
        if np.shape(value) == np.shape(values) and np.allclose(values, value, rtol=rtol, atol=atol):
            raise NotYet(f"{values:{form}}? {hint}" if form else hint)
    raise NotYet(otherwise)


def as_number(answer: Any) -> float:
    """Return the answer, one number or an array or a list of one, or raise `NotYet` that says what it is instead."""
    if isinstance(answer, str):
        raise NotYet(f"{answer!r} is text. Give a number, without quotation marks.")
    if callable(answer):
        kind = "type, and a number is wanted." if isinstance(answer, type) else "function. Call it, with brackets."
        raise NotYet(f"{getattr(answer, '__name__', 'this')} is a {kind}")
    values = _array(answer)
    if values.size != 1:
        raise NotYet(f"one number is wanted, and this holds {values.size} of them (shape {values.shape}).")
    if np.isnan(values).all():
        raise NotYet("the answer is NaN, not a number. Look for a division by zero or a missing value.")
    return values.item()


def as_array(answer: Any, *, shape: tuple[int, ...] | None = None, uneven: str = "") -> np.ndarray:
    """Return the answer, a list, tensor or array, as a float64 array, or raise `NotYet` that says what it is instead.

    `shape` is the shape that is wanted, `uneven` a hint of its own for lists whose rows differ in length.
    """
    values = _array(answer, uneven)
    if shape is not None and values.shape != shape:
        hint = f"the shape is {values.shape}, and {shape} is wanted."
        if values.shape == shape[::-1]:
            hint += " That is the transpose: swap the two axes."
        elif values.size == np.prod(shape):
            hint += " The values are there, in another arrangement: reshape them."
        raise NotYet(hint)
    if np.isnan(values).any():
        raise NotYet("the answer holds NaN. Look for a division by zero, or the logarithm of zero.")
    return values


def _array(answer: Any, uneven: str = "") -> np.ndarray:
    if answer is None:
        raise NotYet("the answer is None. Did the last line forget its `return`, or is it a `print`?")
    try:
        return np.asarray(answer, dtype="float64")
    except OverflowError:
        raise NotYet("the number is too large.") from None
    except (TypeError, ValueError) as error:
        hint_if("inhomogeneous" in str(error), uneven)
        raise NotYet(f"numbers are wanted, and this is of type {type(answer).__name__}.") from None


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what the learner's function returns for the arguments, or raise `NotYet` that says what went wrong."""
    if not callable(function):
        raise NotYet(f"a function is wanted, and this is of type {type(function).__name__}. Pass it without brackets.")
    try:
        result = function(*arguments)
    except (Exception, SystemExit) as error:
        raise NotYet(f"your function stopped with {type(error).__name__}: {error}") from error
    if result is ...:
        raise _YourTurn
    if result is None:
        raise NotYet("your function returns None. Does its last line say `return`?")
    return result
