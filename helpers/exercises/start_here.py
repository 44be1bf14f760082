"""Checks of notebook 00, start here."""

from typing import Any

import numpy as np

from helpers.exercises.feedback import NotYet, as_number, exercise, expect, hint_if


@exercise("{right} labelled patches, {each} of each of {classes} classes.")
def check_labelled_patches(answer: Any, textures: Any) -> dict[str, int]:
    number, right, classes = as_number(answer), len(textures.train_labels), len(textures.class_names)
    wrong = [
        (right // classes, f"{number:g} is the number for one class, and there are {classes} classes."),
        (classes, f"{number:g} is the number of classes. How many patches of each were there?"),
        (len(textures.test_labels), f"{number:g} patches were in the test. The classifier must not learn from those."),
    ]
    expect(number, right, wrong, f"not {number:g}. Multiply the classes by the labelled patches of each class.")
    return {"right": right, "each": right // classes, "classes": classes}


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
