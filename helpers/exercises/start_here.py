"""Checks of notebook 00, start here."""

from typing import Any

import numpy as np

from helpers.exercises.feedback import NotYet, as_number, call, exercise, hint_if


@exercise("1 label per class gets {one:.2f}, two get {two:.2f}, three {three:.2f}, and five {five:.2f}.")
def check_accuracy_with(accuracy_with: Any, accuracy: float) -> dict[str, float]:
    shares = {
        name: as_number(call(accuracy_with, count)) for name, count in (("one", 1), ("two", 2), ("three", 3), ("five", 5))
    }
    hint_if(not all(0 <= share <= 1 for share in shares.values()), "an accuracy is between 0 and 1. Return a share.")
    hint_if(
        shares["one"] == 1, "every answer right? That is the score on patches that it learned from. Use the test patches."
    )
    same = "all counts give the same. Does the classifier that you fit see only `count` patches of each class?"
    hint_if(len(set(shares.values())) == 1, same)
    found = f"with five it is {shares['five']:.2f}, and above it was {accuracy:.2f}."
    hint_if(shares["five"] < accuracy - 0.3, f"{found} Did you take so many of each class, and their features, not pixels?")
    hint_if(abs(shares["five"] - accuracy) > 0.03, f"{found} Fit the same kind of classifier, with StandardScaler.")
    return shares


@exercise("of the patches of {answer!r}, {lowest:.0%} were recognised.")
def check_worst_class(answer: Any, labels: np.ndarray, predictions: np.ndarray, class_names: list[str]) -> dict:
    if isinstance(answer, int | np.integer) and not isinstance(answer, bool) and 0 <= answer < len(class_names):
        raise NotYet(f"{answer} is the number of a class. Give its name: class_names[{answer}] is {class_names[answer]!r}.")
    given = repr(answer) if len(repr(answer)) <= 40 else f"an answer of type {type(answer).__name__}"
    known = isinstance(answer, str) and answer in class_names
    hint_if(not known, f"{given} is not one of the class names. They are: {', '.join(class_names)}.")
    recalls = {name: float(np.mean(predictions[labels == number] == number)) for number, name in enumerate(class_names)}
    recall, lowest = recalls[answer], min(recalls.values())
    if lowest < recall == max(recalls.values()):
        raise NotYet(f"{answer!r} is recognised best of all (recall {recall:.2f}). Look for the smallest number.")
    hint_if(lowest < recall, f"{answer!r} has a recall of {recall:.2f}, and one class has only {lowest:.2f}.")
    return {"answer": answer, "lowest": lowest}
