"""Notebook 11: a network that knows the digits 0 to 4 learns 5 to 9, step by step, and which old digit goes first."""

import functools
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from helpers import lifelong
from helpers.explorers.shell import Drawing, Explorer, Guess, LiveFigure, choice
from helpers.plots import MARKERS, PALETTE
from helpers.training import load_runs

METHODS, STRENGTHS = ("fine-tune", "L2", "EWC", "rehearsal"), ("weak", "middle", "strong")
CURVES = {"old": "old digits, all ten asked", "known": "old digits, 0 to 4 asked", "new": "new digits, all ten asked"}


@functools.cache
def recorded(method: str, place: int) -> dict[str, Any]:
    """Return the snapshots of ten networks that learn 5 to 9 by a method at a strength, as recorded."""
    return load_runs("lifelong", film=True, method=method, place=place)[0]


@functools.cache
def old_digits() -> tuple[np.ndarray, np.ndarray]:
    """Return four test digits of each old class in run 400, images (20, 8, 8) and labels: those of the record."""
    task = lifelong.digit_tasks(runs=[400], per_task=5)[0]
    shown = np.concatenate([np.flatnonzero(task.test_labels[0] == digit)[:4] for digit in range(5)])
    return task.test_images[0, shown].reshape(-1, 8, 8), task.test_labels[0, shown]


def first_forgotten(method: str, place: int) -> list[int]:
    """Return for each digit in how many of the ten runs it was the first, or with others the first, to fall below half."""
    return np.bincount([digit for run in recorded(method, place)["first"] for digit in run], minlength=5).tolist()


def forgetting_explorer() -> Explorer:
    """Return a film of forgetting: a method, its strength, and the steps of learning the new digits."""

    @functools.cache
    def view(method: str, place: int) -> LiveFigure:
        return _figure(method, place)

    def draw(method: str, place: int, snapshot: int) -> Drawing:
        live, film = view(method, place if method != METHODS[0] else 0), recorded(method, place)
        answers, cursor, bars = live.moving[:20], live.moving[20], live.moving[21:]
        for text, answer, label in zip(answers, film["answers"][snapshot], old_digits()[1], strict=True):
            text.set_text("" if int(answer) == label else f"{answer} !")
        cursor.set_xdata([snapshot, snapshot])
        for bar, height in zip(bars, film["by_digit"][snapshot], strict=True):
            bar.set_height(height)
        parts = {name: "{:.2f} ({:.2f} to {:.2f})".format(*film[name][snapshot]) for name in CURVES}
        digits = ", ".join(f"{digit}: {value:.2f}" for digit, value in enumerate(film["by_digit"][snapshot]))
        name = method if method == METHODS[0] else f"{method}, {STRENGTHS[place]}"
        return live, (
            f"{name}, step {film['steps'][snapshot]}: old digits {parts['old']}, among 0 to 4 {parts['known']}; "
            f"new digits {parts['new']}. Old, by digit: {digits}. "
            f"Distance from the old weights {film['distance'][snapshot]:.2f}."
        )

    counts = ", ".join(f"{digit} in {count}" for digit, count in enumerate(first_forgotten("fine-tune", 0)))
    question = "Fine-tuning on 5 to 9 begins. Which old digit is the first that most networks misread?"
    answer = f"it depends on the run: {counts} of the ten runs (two at once count for both)"
    controls = {
        "method": choice("method", METHODS, value="EWC", kind="menu"),
        "place": choice("strength", [(text, place) for place, text in enumerate(STRENGTHS)], value=1),
        "snapshot": choice(
            "step", [(str(s), place) for place, s in enumerate(recorded("fine-tune", 0)["steps"])], kind="time"
        ),
    }
    guess = Guess(question, choice("my guess", range(5)), answer)
    return Explorer(draw, controls, name="Which digit is forgotten first?", guess=guess)


def _figure(method: str, place: int) -> LiveFigure:
    """Return the figure of one course, in which twenty answers, a cursor and five bars move."""
    film = recorded(method, place)
    figure = Figure(figsize=(8.4, 3.3), layout="constrained")
    left, middle, right = figure.subfigures(1, 3, width_ratios=(1.05, 1.3, 0.85))
    left.suptitle("old digits, labels, and wrong answers (!)", fontsize=9)
    grid = left.subplots(5, 4, subplot_kw={"xticks": [], "yticks": [], "frame_on": False})
    for axes, image, label in zip(grid.ravel(), *old_digits(), strict=True):
        axes.imshow(image, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
        axes.set_xlim(-0.5, 12.5)  # with room for the label, and for an answer below it
        axes.text(8.2, 1.5, label, va="center", fontsize=9, color="0.4")
    answers = [axes.text(8.2, 5.8, "", va="center", fontsize=10, color=PALETTE[1]) for axes in grid.ravel()]
    course, bars = middle.subplots(), right.subplots()
    for number, (name, label) in enumerate(CURVES.items()):
        mean, low, high = np.transpose(film[name])
        course.plot(mean, marker=MARKERS[number], markevery=6, markersize=4, color=PALETTE[number], label=label)
        course.fill_between(range(len(mean)), low, high, color=PALETTE[number], alpha=0.2, linewidth=0)
    ticks = range(0, len(film["steps"]), 6)
    course.set_xticks(ticks, [film["steps"][tick] for tick in ticks])
    course.set(
        ylim=(-0.02, 1.32), yticks=np.arange(6) / 5, xlabel="steps on the new digits", ylabel="test accuracy, ten runs, 95 %"
    )
    course.legend(loc="upper center", fontsize=7)
    bars.set(xlim=(-0.6, 4.6), ylim=(0, 1.02), xlabel="old digit", xticks=range(5), ylabel="read right, all ten asked")
    moving = bars.bar(range(5), np.zeros(5), color=PALETTE[0])
    bars.axhline(0.5, color="black", linewidth=1, linestyle=":")
    return LiveFigure(figure, moving=[*answers, course.axvline(0, color="black", linewidth=1), *moving])
