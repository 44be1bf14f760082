"""Checks of notebook 12, catch the bug: a line is named, its repair is run, and the diagnosis has to confirm it."""

import functools
from typing import Any, NamedTuple

import numpy as np

from helpers.bugs import confirm, mistake, read_program, run_program
from helpers.exercises.feedback import NotYet, as_number, call, exercise, expect, expect_cases, hint_if, number_exercise
from helpers.training import load_runs


class Outcome(NamedTuple):
    """What a program did: the accuracy that it reports, that of its history, and the messages of what was diagnosed."""

    reported: float
    validated: float
    problems: tuple[str, ...]


def show_program(stem: str) -> None:
    """Print a program with the numbers of its lines."""
    for number, line in enumerate(read_program(stem).splitlines(), 1):
        print(f"{number:2}  {line}".rstrip())


def show_repairs(*stems: str) -> None:
    """Print the lines that are wrong in some programs, and what stands there in their repaired twins."""
    for stem in stems:
        for number, wrong, right in mistake(stem):
            print(f"{stem}, line {number}\n  - {wrong}\n  + {right}")


@functools.lru_cache(64)
def outcome(source: str) -> Outcome:
    """Return what became of a program; each text is run once."""
    names = run_program(source)
    problems = tuple(problem.message for problem in confirm(names, source).problems)
    return Outcome(float(names["reported"]), names["history"].history["val_accuracy"][-1], problems)


def with_repairs(stem: str, repairs: dict[int, str]) -> str:
    """Return the text of a program with other lines, each as far to the right as the one that it replaces."""
    rows = read_program(stem).splitlines()
    for number, repair in repairs.items():
        old = rows[number - 1]
        rows[number - 1] = old[: len(old) - len(old.lstrip())] + repair.strip()
    return "\n".join(rows) + "\n"


def lines(stem: str) -> list[int]:
    """Return the numbers of the lines that are wrong in a program."""
    return [number for number, *_ in mistake(stem)]


def repaired(stem: str, line: Any, repair: Any, hints: dict[str, str], otherwise: str) -> dict[str, float]:
    """Raise a hint unless `repair` in place of `line`, whichever line it is, makes a sound program.

    `hints` are for lines that hold a certain text and whose repair did not help.
    """
    rows = read_program(stem).splitlines()[:-1]
    number = as_number(line)
    hint_if(number not in range(1, len(rows) + 1), f"`line` is the number of a line, from 1 to {len(rows)}.")
    hint_if(not isinstance(repair, str), f"`repair` is the new line as text; received {type(repair).__name__}.")
    row = rows[int(number) - 1].strip()
    why = next((hint for part, hint in hints.items() if part in row), otherwise)
    aside = NotYet(f"line {number:g} is not the one, or not repaired so. {why}")
    if repair.strip() == row:
        raise NotYet(f"line {number:g} it is, but the repair is the line as it stands.") if number in lines(stem) else aside
    try:
        return confirmed(stem, {int(number): repair})
    except NotYet as hint:
        raise hint if number in lines(stem) else aside from None


def confirmed(stem: str, repairs: dict[int, str]) -> dict[str, float]:
    """Return what a repaired program reports, or raise the hint that it stops, what is diagnosed, or that it is ruined."""
    try:
        found = outcome(with_repairs(stem, repairs))
    except (Exception, SystemExit) as error:
        raise NotYet(f"with this repair the program stops: {type(error).__name__}: {str(error):.150}") from error
    counted = stem == "08_right_or_wrong" and abs(found.reported - found.validated) < 1e-3  # counted in another way
    said = f"it runs, and reports {found.reported:.2f}, but"
    hint_if(bool(found.problems) and not counted, f"{said} diagnose() says: {''.join(found.problems[:1])}")
    twin = load_runs("bugs", program=stem, dose=0)[0]["reported_end"]
    steps = "Too large steps destroy features, too small ones learn little."
    hint_if(found.reported < min(twin) - 0.1, f"{said} sound runs report {min(twin):.2f} to {max(twin):.2f}. {steps}")
    return {"reported": found.reported}


@exercise("outputs and loss fit together now, and the program reports {reported:.2f}.")
def check_ten_digits(line: Any, repair: Any) -> dict[str, float]:
    text = str(repair)
    hints = {
        "epochs": "Twice the epochs of a loss that stands still are lost as well. What does the loss receive?",
        "compile": "It can be repaired there: from which argument does a loss learn that it receives no probabilities?",
        "prepare": "The pictures are prepared as VGG16 wants them. Look at the other end of the network.",
    }
    hint_if("sigmoid" in text, "sigmoid asks each class for itself. Of ten digits exactly one is right: which activation?")
    hint_if("relu" in text, "ReLU gives no probabilities: they have to be positive and add up to 1.")
    return repaired("01_ten_digits", line, repair, hints, "Which layer gives the outputs, and what does this loss expect?")


@exercise("prepared as VGG16 was trained; the program reports {reported:.2f}.")
def check_fourteen_surfaces(line: Any, repair: Any) -> dict[str, float]:
    text = str(repair).replace(" ", "")
    hints = {
        "load_textures": "The pictures that come in are fine: 0 to 255. Follow them from there to the network.",
        "prepare(data": "It hands the pictures to prepare. Look at what prepare does.",
        "trainable": "Here the base stays frozen on purpose. What do the frozen layers get to see?",
    }
    hint_if("127.5" in text, "-1 to 1 is what MobileNet was trained on. VGG16 has a preparation of its own.")
    stem = "02_fourteen_surfaces"
    hint_if("return" not in text and line in lines(stem), "the function has to return the pictures: return ...")
    return repaired(stem, line, repair, hints, "Which values reach the first convolution?")


@number_exercise(
    (0.75, "the first epoch learned from 120 of the 160 images, and the second draws its 40 from all of them."),
    (0.25, "that is the share of images that are held out. How many of ANY 40 did the first epoch learn from?"),
    (0, "nothing keeps the 40 of one epoch out of the next epoch's training."),
    (1, "not yet all: a quarter of the images was held out in the first epoch. Later, nearly all."),
    (0.5, "of 160 images the first epoch learned from 120."),
    rtol=0.02,
)
def check_seen_before(number: float) -> str:
    if number > 1:
        return "a share is wanted, from 0 to 1."
    return f"{number:.4g}? The second epoch's 40 are drawn from all 160. How many of these did the first epoch learn from?"


@exercise("every image keeps its side, and the program reports {reported:.2f}.")
def check_two_parts(line: Any, repair: Any) -> dict[str, float]:
    hints = {
        "take(": "take(40) takes the first 40 of whatever order it is given. Who makes the order, and when?",
        "skip(": "skip(40) leaves out the first 40 of whatever order it is given. Who makes the order, and when?",
        "load_digit": "All the labelled images come in here, as they should. The parts are made below.",
    }
    return repaired("04_two_parts", line, repair, hints, "Who decides which image is in which part, and how often?")


@exercise("{share:.2f} of these validation images were in the training part.")
def check_leaked(leaked: Any) -> dict[str, float]:
    random = np.random.default_rng(3)
    images, labels = random.integers(0, 256, (60, 4, 4, 3)).astype("float32"), np.arange(60) % 3
    train = [(images[start : start + 10], labels[start : start + 10]) for start in range(0, 40, 10)]
    shown = np.concatenate([images[30:40], images[40:46]])
    validation = [(shown[:8], labels[:8]), (shown[8:], labels[8:16])]
    value = call(leaked, train, validation)
    number = as_number(value)
    wrong = [
        (10, "that is how many. Divide by the number of validation images."),
        (10 / 40, "that is the share of the TRAINING images. How many of the validation images are meant?"),
        (6 / 16, "that is the share that was NOT in training."),
        (0.5, "that compares batches or stops early: the first validation batch alone is leaked as a whole. Count images."),
        (1, "1 would mean all of them. Are you comparing labels, or the pictures?"),
        (0, "none? Arrays are not found in a set or list as they are: take image.tobytes() of each picture."),
    ]
    expect(number, 10 / 16, wrong, f"{number:.4g}? Wanted: validation images that are also in train, as a share.")
    return {"share": number}


@exercise("training knows all of base now, and the program reports {reported:.2f}.")
def check_a_smaller_step(line: Any, repair: Any) -> dict[str, float]:
    text = str(repair).replace(" ", "")
    hints = {
        "base.trainable = True": "That line is right, and it comes in time. But who gets to know of it?",
        "base.trainable = False": "In the first phase the base has to be frozen.",
        "history": "More epochs do not help layers that are not trained at all. Look between the two fit().",
        "compile": "That is the first phase, with only the head to train. It is fine.",
    }
    hint_if("compile" not in text and line in lines("12_a_smaller_step"), RECOMPILE)
    return repaired("12_a_smaller_step", line, repair, hints, "When does Keras read `trainable`?")


RECOMPILE = "fit() lists what is trainable once, in its first call after compile(), and keeps the list. What makes it anew?"


@exercise("answers and labels fit together now, and the program reports {reported:.2f}.")
def check_right_or_wrong(line: Any, repair: Any) -> dict[str, float]:
    hints = {
        "predict": "predict() answers in the order in which the images came. In which order did the labels come?",
        "labels = ": "That reads the labels in one pass. What is different in the next pass?",
        "np.mean": "The formula is right, if answer 1 belongs to label 1. Does it?",
        "fit": "Training is sound, and val_accuracy in its history says so. It is the count that is wrong.",
    }
    return repaired("08_right_or_wrong", line, repair, hints, "Two passes go over validation. What may differ?")


SYMPTOMS = {  # the letter of each symptom, its program, and what is wrong with it in a word
    "a": ("13_all_at_once", "learning rate"),
    "b": ("04_two_parts", "overlap"),
    "c": ("07_one_folder_a_class", "sorted"),
    "d": ("18_better_than_it_learns", "none"),
    "e": ("08_right_or_wrong", "order"),
}


def show_symptoms() -> None:
    """Print what five programs show from outside, at the dose of their files, means over the seeds of the record."""
    print("   training  reported  true")
    for letter, (stem, _) in SYMPTOMS.items():
        runs = {run["dose"]: run for run in load_runs("bugs", program=stem)}
        run = runs[runs[0]["file_dose"]]
        ends = np.mean([curve[-1] for curve in run["train"]]), np.mean(run["reported_end"]), np.mean(run["true_end"])
        print(f"{letter}  " + "".join(f"{end:<10.2f}" for end in ends).rstrip())


@exercise("each of the five leaves its own trace in three numbers.")
def check_symptoms(answers: Any) -> None:
    words = {letter: word for letter, (_, word) in SYMPTOMS.items()}
    known = tuple(sorted({*words.values(), "moved", "cached"}))
    hints = {
        "a": "a: not even the training images are learned any more. What destroys a network so thoroughly?",
        "b": "b: it reports more than is true. Where could validation images be known from?",
        "c": "c: 0.00 is LESS than guessing. So the right answer is never given: is it a class that training has met?",
        "d": "d: training alone looks worse than the truth. What is switched on in training only?",
        "e": "e: the truth is good, and the report is at the level of guessing, as if the labels had been dealt out anew.",
    }
    expect_cases(answers, words, known, hints)


@exercise("all layers are trained, in small steps, and the program reports {reported:.2f}.")
def check_once_more(repairs: Any) -> dict[str, float]:
    stem = "17_once_more"
    known = isinstance(repairs, dict) and all(isinstance(text, str) for text in repairs.values())
    hint_if(not known, "a dict is wanted: {number of a line: its new text, ...}.")
    wanted, total = set(lines(stem)), len(read_program(stem).splitlines()) - 1
    hint_if(not set(repairs) <= set(range(1, total + 1)), f"the keys are numbers of lines, from 1 to {total}.")
    hint_if(len(repairs) == 0, "two lines are wrong, and none is given.")
    try:
        return confirmed(stem, repairs)
    except NotYet as hint:
        strays = sorted(set(repairs) - wanted)
        hint_if(bool(strays), f"line {''.join(map(str, strays[:1]))} is sound. Both mistakes are about the second phase.")
        hint_if(len(repairs) == 2 or "program stops" in str(hint), str(hint))
        alone = outcome(with_repairs(stem, repairs)).reported
        raise NotYet(f"it reports {alone:.2f}. {ALONE[max(wanted) in repairs]}") from None


ALONE = (
    "The rate is small enough now, but does training know of the layers that were unfrozen?",
    "Training knows of all layers now, and it is less than before. What was hidden?",
)


@exercise("no line is wrong. Training is measured with dropout and moved images, validation without.")
def check_better_than_it_learns(line: Any) -> None:
    rows = read_program("18_better_than_it_learns").splitlines()
    number = as_number(line)
    hint_if(number not in range(len(rows) + 1), f"the number of a line, from 1 to {len(rows)}, or 0 for none.")
    hints = {
        "Dropout": "dropout is switched off in validation and predict(), by Keras itself. What does that do to the curves?",
        "RandomTranslation": "layers for augmentation are off in validation and predict(). Is anything wrong with that?",
        "validation": "do the parts overlap? load_digit_images draws them apart. diagnose() says what it thinks of it.",
        "trainable": "it comes before compile(), so training knows of it.",
        "compile": "activation, loss and labels fit, and it comes after everything was set.",
        "snapshot": "a copy of the weights, for the diagnosis; it changes nothing.",
    }
    if number:
        row = rows[int(number) - 1]
        raise NotYet(next((hint for part, hint in hints.items() if part in row), "that line does what it should."))


LOOKS = {  # for the programs that are a task by themselves: where to look
    "03_moved_a_little": "Look 4: go through train twice. What does cache() keep, and which pictures come the second time?",
    "05_here_and_there": "Look 4: go through validation twice. Are the pictures the same?",
    "06_full_batches": "Look 4: count the images that one pass over train shows. There are 120.",
    "07_one_folder_a_class": "Look 4: which labels are in train, which in validation? In which order were the files read?",
    "09_by_name": "Print train.class_names and those of validation, side by side. Who sets the second?",
    "10_old_and_new": "Look 3: print model.layers. What stands just before the new head?",
    "11_second_phase": "Look 5: which weights moved in the second phase? Its docstring says: all.",
    "13_all_at_once": "Look 5: how far do the weights of the base move, and in steps of which size?",
    "14_the_best_moment": "Look 4: which images does EarlyStopping look at, and which images are reported?",
    "15_one_file": "Look 7: load the saved file again. Which layer is it that cannot be built from a file?",
    "16_on_average": "Look 5: which numbers does batch normalisation change in fit(), and from how many images a batch?",
}


@exercise("{stem} is sound now, by its diagnosis, and reports {reported:.2f}.")
def check_program(stem: Any, line: Any, repair: Any) -> dict[str, Any]:
    hint_if(stem not in LOOKS, f"the first answer is the name of a program, one of: {', '.join(LOOKS)}.")
    return {"stem": stem} | repaired(stem, line, repair, {}, LOOKS[stem])
