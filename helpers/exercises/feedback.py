"""One line of feedback for every "Your turn", and never an exception.

A check is a function that looks at an answer. It returns a sentence of praise when the answer is right and raises
`NotYet("a hint about this mistake")` when it is not. `@exercise` turns it into what a notebook calls: it prints one line
that starts with "Your turn:", "Not yet:" or "Correct:".

    @exercise
    def check_half(answer):
        number = as_number(answer)
        if number == 2:
            raise NotYet("that is the double. Which number, taken twice, gives one?")
        if number != 0.5:
            raise NotYet(f"{number:g} taken twice is {2 * number:g}, not 1.")
        return "one half and one half make one."
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from helpers.exercises.progress import record_solved


class NotYet(Exception):
    """A hint: the answer is wrong, and the message says something about this very mistake."""


class _YourTurn(Exception):
    """The exercise has not been attempted: a `...` is still in its place."""


def exercise(check: Callable[..., str]) -> Callable[..., None]:
    """Return `check` as a function that prints one line of feedback and never raises; "Correct" is remembered."""

    @functools.wraps(check)
    def printed(*answers: Any, **context: Any) -> None:
        line = _one_line(verdict(check, *answers, **context))
        print(line)
        if line.startswith("Correct:"):
            record_solved(check)

    return printed


def verdict(check: Callable[..., str], *answers: Any, **context: Any) -> str:
    """Return the line of feedback that `check` gives on the answers."""
    if any(answer is ... for answer in answers):
        return "Your turn: replace the ... above with your answer and run the cell again."
    try:
        return f"Correct: {check(*answers, **context)}"
    except _YourTurn:
        return "Your turn: replace the ... above with your answer and run the cell again."
    except NotYet as hint:
        return f"Not yet: {hint}"
    except Exception as error:  # whatever goes wrong in a learner's code belongs in the feedback
        return f"Not yet: the check stopped with {type(error).__name__}: {error}"


def _one_line(text: str) -> str:
    return " ".join(str(text).split())


def as_number(answer: Any) -> float:
    """Return the answer as one float, or raise `NotYet` that says what it is instead.

    Text, lists, arrays with more than one value and NaN are refused. An array or a list with exactly one value is
    taken, since NumPy and Keras return such things for "a number".
    """
    if isinstance(answer, str):
        raise NotYet(f"{answer!r} is text. Give a number, without quotation marks.")
    if answer is None:
        raise NotYet("the answer is None. Did the last line forget its `return`, or is it a `print`?")
    if isinstance(answer, type):
        raise NotYet(f"{answer.__name__} is a type, and a number is wanted.")
    if callable(answer):
        raise NotYet(f"{getattr(answer, '__name__', 'this')} is a function. Call it, with brackets.")
    values = _array(answer)
    if values.size != 1:
        raise NotYet(f"one number is wanted, and this holds {values.size} of them (shape {values.shape}).")
    number = float(values.reshape(()))
    if np.isnan(number):
        raise NotYet("the answer is NaN, not a number. Look for a division by zero or a missing value.")
    return number


def expect(answer: Any, right: float, hints: Mapping[float, str], otherwise: str, *, rtol: float = 1e-6) -> None:
    """Raise the hint that belongs to a wrong number, `otherwise` for any other; return nothing when it is right.

    `hints` maps typical wrong numbers to what is said about them; the first that is close enough (`rtol`) speaks.
    """
    number = as_number(answer)
    if np.isclose(number, right, rtol=rtol):
        return
    for wrong, hint in hints.items():
        if np.isclose(number, wrong, rtol=rtol):
            raise NotYet(f"{number:,.4g}? {hint}")
    raise NotYet(f"not {number:,.6g}. {otherwise}")


def as_array(answer: Any, *, shape: Sequence[int] | None = None) -> np.ndarray:
    """Return the answer as a float64 array, or raise `NotYet` that says what it is instead.

    Lists, tuples, integer arrays, tensors and single precision are all taken. `shape` is the shape that is wanted;
    a row given for a column (or the other way round) gets a word of its own.
    """
    if answer is None:
        raise NotYet("the answer is None. Did the last line forget its `return`, or is it a `print`?")
    values = _array(answer)
    if shape is not None and values.shape != tuple(shape):
        raise NotYet(_shape_hint(values.shape, tuple(shape)))
    if np.isnan(values).any():
        raise NotYet("the answer holds NaN. Look for a division by zero, or the logarithm of zero.")
    return values


def _array(answer: Any) -> np.ndarray:
    try:
        return np.asarray(answer, dtype="float64")
    except OverflowError:
        raise NotYet("the number is too large.") from None
    except (TypeError, ValueError):
        raise NotYet(f"numbers are wanted, and this is of type {type(answer).__name__}.") from None


def _shape_hint(received: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    hint = f"the shape is {received}, and {wanted} is wanted."
    if received == wanted[::-1]:
        return hint + " That is the transpose: swap the two axes."
    if int(np.prod(received)) == int(np.prod(wanted)):
        return hint + " The values are there, in another arrangement: reshape them."
    return hint


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
