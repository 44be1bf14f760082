"""Checks of notebook 00, start here."""

from typing import Any

import numpy as np

from helpers.exercises.feedback import NotYet, as_number, exercise


@exercise
def check_labelled_patches(answer: Any, textures: Any) -> str:
    number, classes = as_number(answer), len(textures.class_names)
    right = len(textures.train_labels)
    if number == right // classes:
        raise NotYet(f"{number:g} is the number for one class, and there are {classes} classes.")
    if number == classes:
        raise NotYet(f"{number:g} is the number of classes. How many patches of each were there?")
    if number == len(textures.test_labels):
        raise NotYet(f"{number:g} patches were in the test. The classifier must not learn from those.")
    if number != right:
        raise NotYet(f"not {number:g}. Multiply the classes by the labelled patches of each class.")
    return f"{right} labelled patches, {right // classes} of each of {classes} classes."


@exercise
def check_worst_class(answer: Any, labels: np.ndarray, predictions: np.ndarray, class_names: list[str]) -> str:
    if isinstance(answer, int | np.integer) and not isinstance(answer, bool) and 0 <= answer < len(class_names):
        raise NotYet(
            f"{answer} is the number of a class. Give its name: class_names[{answer}] is {class_names[answer]!r}."
        )
    if not isinstance(answer, str) or answer not in class_names:
        raise NotYet(f"{_short(answer)} is not one of the class names. They are: {', '.join(class_names)}.")
    recalls = {name: float(np.mean(predictions[labels == number] == number)) for number, name in enumerate(class_names)}
    lowest = min(recalls.values())
    if recalls[answer] > lowest and recalls[answer] == max(recalls.values()):
        raise NotYet(
            f"{answer!r} is recognised best of all (recall {recalls[answer]:.2f}). Look for the smallest number."
        )
    if recalls[answer] > lowest:
        raise NotYet(f"{answer!r} has a recall of {recalls[answer]:.2f}, and one class has only {lowest:.2f}.")
    return f"of the patches of {answer!r}, {lowest:.0%} were recognised."


def _short(answer: Any) -> str:
    text = repr(answer)
    return text if len(text) <= 40 else f"an answer of type {type(answer).__name__}"
