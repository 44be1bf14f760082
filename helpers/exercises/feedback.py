"""One line of feedback for every "Your turn", and never an exception: what every exercise is made of.

A check raises `NotYet("a hint about this mistake")`, or returns when an answer is right. `@exercise("a sentence of
praise")` makes of it what a notebook calls: a line that starts with "Your turn:", "Not yet:" or "Correct:".
"""

import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from helpers.exercises.solved import record_solved

Check = Callable[..., dict[str, Any] | None]


class NotYet(Exception):
    """A hint: the answer is wrong, and the message says something about this very mistake."""


class _YourTurn(Exception):
    """The exercise has not been attempted: a `...` is still in its place."""


class CheckFailed(Exception):
    """An answer that is not right, where a check may stop a notebook: one line, and no traceback."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


def stop_at_mistakes(stop: bool = True) -> None:
    """From now on a check raises `CheckFailed` unless the answer is right, as tools for classes want it."""
    exercise.stops = stop


def exercise(praise: str) -> Callable[[Check], Callable[..., None]]:
    """Return a decorator: the check becomes a function that prints one line of feedback and never raises.

    A right answer is remembered and praised; {names} in the praise stand for entries of what the check returns.
    """
    if not isinstance(praise, str):
        raise TypeError(f'@exercise needs a sentence of praise, @exercise("..."); received {praise!r:.60}.')

    def decorate(check: Check) -> Callable[..., None]:
        def line_for(*answers: Any, **context: Any) -> str:
            return " ".join(verdict(praise, check, *answers, **context).split())

        @functools.wraps(check)
        def printed(*answers: Any, **context: Any) -> None:
            line = line_for(*answers, **context)
            if exercise.stops and not line.startswith("Correct:"):
                raise CheckFailed(line)
            print(line)
            if line.startswith("Correct:") and check.__module__.startswith(f"{__package__}."):
                record_solved(check.__module__.rpartition(".")[2], check.__name__)

        printed.line_for = line_for
        return printed

    return decorate


exercise.stops = False


def number_exercise(right: tuple[float, str], *wrong: tuple[float, str], form: str = ",.4g", **tolerance: float) -> Any:
    """Return a decorator that makes an exercise of rows: the right number with praise, wrong numbers with their hints.

    A hint follows the number itself, in the format `form`. The function that is decorated says what to think of any
    other number. The tests try the `wrong_numbers` of the exercise.
    """

    def decorate(otherwise: Callable[[float], str]) -> Callable[..., None]:
        @exercise(right[1])
        @functools.wraps(otherwise)
        def check(answer: Any) -> None:
            number = as_number(answer)
            expect(number, right[0], wrong, otherwise(number), form=form, **tolerance)

        check.wrong_numbers = wrong
        return check

    return decorate


def verdict(praise: str, check: Check, *answers: Any, **context: Any) -> str:
    """Return the line of feedback that `check` gives on the answers."""
    try:
        if any(answer is ... for answer in answers):
            raise _YourTurn
        return f"Correct: {praise.format(**check(*answers, **context) or {})}"
    except _YourTurn:
        return "Your turn: replace the ... above with your answer and run the cell again."
    except NotYet as hint:
        return f"Not yet: {hint}"
    except Exception as error:  # whatever goes wrong in a learner's code belongs in the feedback
        return f"Not yet: the check stopped with {type(error).__name__}: {error}"


def hint_if(wrong: bool, hint: str | None) -> None:
    """Raise the hint, if there is one, when something is wrong."""
    if wrong and hint:
        raise NotYet(hint)


def expect(
    values: Any, right: Any, wrong: Iterable, otherwise: str, *, form: str = "", rtol: float = 1e-6, atol: float = 1e-8
) -> None:
    """Raise the hint of the first row (wrong values, hint) that fits, or `otherwise`, unless the values are right."""
    for value, hint in ((right, None), *wrong):
        if np.shape(value) == np.shape(values) and np.allclose(values, value, rtol=rtol, atol=atol):
            hint_if(hint is not None, f"{values:{form}}? {hint}" if form else hint)
            return
    raise NotYet(otherwise)


def expect_cases(
    answers: Any, right: dict[str, str], known: Iterable[str], hints: dict[str, str], *, also: Iterable[tuple[str, str]] = ()
) -> None:
    """Raise the hint of the first of several cases, a dict, that is not right, nor (case, answer) in `also`."""
    hint_if(not isinstance(answers, dict) or set(answers) != set(right), f"a dict with the keys {tuple(right)} is wanted.")
    unknown = [value for value in answers.values() if value not in known]
    hint_if(bool(unknown), f"choose from {known}; received {str(unknown[:1]):.40}.")
    for case, wanted in right.items():
        hint_if(answers[case] != wanted and (case, answers[case]) not in also, hints[case])


def as_number(answer: Any) -> float:
    """Return the answer, one number or an array or a list of one, or raise `NotYet` that says what it is instead."""
    hint_if(isinstance(answer, str), f"{answer!r} is text. Give a number, without quotation marks.")
    kind = "type, and a number is wanted." if isinstance(answer, type) else "function. Call it, with brackets."
    hint_if(callable(answer), f"{getattr(answer, '__name__', 'this')} is a {kind}")
    values = _array(answer)
    hint_if(values.size != 1, f"one number is wanted, and this holds {values.size} of them (shape {values.shape}).")
    hint_if(np.isnan(values).all(), "the answer is NaN, not a number. Look for a division by zero or a missing value.")
    return values.item()


def as_array(answer: Any, *, shape: tuple[int, ...] | None = None, uneven: str = "") -> np.ndarray:
    """Return the answer, a list, tensor or array, as a float64 array, or raise `NotYet` that says what it is instead.

    `shape` is the shape that is wanted, `uneven` a hint of its own for lists whose rows differ in length.
    """
    values = _array(answer, uneven)
    if shape is not None and values.shape != shape:
        hint = f"the shape is {values.shape}, and {shape} is wanted."
        hint_if(values.shape == shape[::-1], f"{hint} That is the transpose: swap the two axes.")
        hint_if(values.size == np.prod(shape), f"{hint} The values are there, in another arrangement: reshape them.")
        raise NotYet(hint)
    hint_if(np.isnan(values).any(), "the answer holds NaN. Look for a division by zero, or the logarithm of zero.")
    return values


def _array(answer: Any, uneven: str = "") -> np.ndarray:
    hint_if(answer is None, "the answer is None. Did the last line forget its `return`, or is it a `print`?")
    try:
        return np.asarray(answer, dtype="float64")
    except OverflowError:
        raise NotYet("the number is too large.") from None
    except (TypeError, ValueError) as error:
        hint_if("inhomogeneous" in str(error), uneven)
        raise NotYet(f"numbers are wanted, and this is of type {type(answer).__name__}.") from None


def call(function: Callable[..., Any], *arguments: Any, advice: str = "", **kept: np.ndarray) -> Any:
    """Return what the learner's function returns for the arguments, or raise `NotYet` that says what went wrong.

    Arrays that are given by name follow the others, as copies; to change them is a mistake, and gets the advice.
    """
    if not callable(function):
        raise NotYet(f"a function is wanted, and this is of type {type(function).__name__}. Pass it without brackets.")
    given = {name: values.copy() for name, values in kept.items()}
    try:
        result = function(*arguments, *given.values())
    except (Exception, SystemExit) as error:
        raise NotYet(f"your function stopped with {type(error).__name__}: {error}") from error
    if result is ...:
        raise _YourTurn
    hint_if(result is None, "your function returns None. Does its last line say `return`?")
    for name, values in kept.items():
        changed = not np.array_equal(given[name], values)
        hint_if(changed, f"your function changes the {name} that it is given. {advice}")
    return result
