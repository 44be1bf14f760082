"""Notebook 07: a film of fine-tuning on digits, step by step: what validation says, what moves, where the digits go."""

import base64
import functools
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from helpers.explorers.shell import Drawing, Explorer, Guess, LiveFigure, choice
from helpers.plots import PALETTE
from helpers.training import RUNS_FOLDER

DEPTHS = (("block 5", 5), ("blocks 4, 5", 4), ("all", 1))
RATES = (("0.00001", 1e-5), ("0.0001", 1e-4), ("0.001", 1e-3))
ASKED = {"first": 4, "learning_rate": 1e-4, "start": "trained"}  # the setting of the guess, and of the first picture
BLOCKS = (1, 1, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5)  # of the 13 convolutions
RIM = 300  # where the picture of the features ends


def when_to_stop_explorer() -> Explorer:
    """Return a film of fine-tuning: depth, learning rate, start of the head, and step, with two other runs behind."""
    film = json.loads((RUNS_FOLDER / "fine_tuning_film.json").read_text(encoding="utf-8"))
    steps, names = film["steps"], {value: text for texts in (DEPTHS, RATES) for text, value in texts}

    @functools.cache
    def view(first: int, learning_rate: float, start: str) -> tuple[list[dict[str, Any]], LiveFigure, Callable[[int], None]]:
        wanted = {"first": first, "learning_rate": learning_rate, "start": start}
        runs = [run for run in film["runs"] if wanted.items() <= run.items()]
        return runs, *_figure(runs, steps, film["labels"])

    def draw(first: int, learning_rate: float, start: str, place: int) -> Drawing:
        runs, live, move = view(first, learning_rate, start)
        run = runs[0]
        move(place)
        setting = f"{names[first]}, {names[learning_rate]}, {start} head, step {steps[place]}"
        numbers = f"validation accuracy {run['validation_accuracy'][place]:.2f}, training loss {run['loss'][place]:.2f}"
        moved = f"block 5 moved by {decode(run['distances'], 13)[place, -3:].mean():.1%}"
        return live, f"{setting}: {numbers}, {moved}. Validation was {_best(runs, steps)}."

    question = "Blocks 4 and 5 learn at 0.0001 from a trained head. After how many of 384 steps would you stop?"
    answer = f"validation accuracy was {_best(view(*ASKED.values())[0], steps)}"
    guess = Guess(question, choice("my guess", [0, 8, 32, 64, 128, 256, 384], value=8), answer)
    recorded = [run["first"] for run in film["runs"] if run["seed"] == 0]
    controls = {
        "first": choice("unfrozen", [depth for depth in DEPTHS if recorded.count(depth[1]) == 6], value=ASKED["first"]),
        "learning_rate": choice("learning rate", RATES, value=ASKED["learning_rate"]),
        "start": choice("head", ["trained", "random"]),
        "place": choice("step", [(str(step), place) for place, step in enumerate(steps)], kind="time"),
    }
    return Explorer(draw, controls, name="When would you stop? Fine-tuning on digits, step by step", guess=guess)


def decode(text: str, *shape: int) -> np.ndarray:
    """Return numbers of the film, (snapshots, *shape), float32."""
    return np.frombuffer(base64.b64decode(text), "<f2").reshape(-1, *shape).astype("float32")


def _best(runs: Sequence[dict[str, Any]], steps: Sequence[int]) -> str:
    """Return in words when each run first had its best validation accuracy."""
    places = [int(np.argmax(run["validation_accuracy"])) for run in runs]
    best = [f"{steps[place]} ({run['validation_accuracy'][place]:.2f})" for place, run in zip(places, runs, strict=True)]
    return f"best at step {best[0]}" + (f"; in the other runs at {' and '.join(best[1:])}" if best[1:] else "")


def _figure(
    runs: Sequence[dict[str, Any]], steps: Sequence[int], labels: Sequence[int]
) -> tuple[LiveFigure, Callable[[int], None]]:
    """Return the figure of one setting, and the function that moves it to a snapshot."""
    figure = Figure(figsize=(9.2, 3.7), layout="constrained")
    left, middle, right = figure.subfigures(1, 3, width_ratios=(1.15, 1, 1))
    (course, losses), bars, cloud = left.subplots(2, 1, sharex=True), middle.subplots(), right.subplots()
    for run in runs[1:]:
        course.plot(run["validation_accuracy"], color="0.55", linewidth=0.9)
    course.plot(runs[0]["validation_accuracy"], color=PALETTE[0])
    course.set(ylim=(0, 1.02), ylabel="validation\naccuracy", title="thin: other runs" if runs[1:] else "")
    losses.plot(np.maximum(runs[0]["loss"], 1e-4), color=PALETTE[1])
    losses.set(yscale="log", ylim=(1e-4, 30), yticks=(1e-4, 1e-2, 1), ylabel="training\nloss", xlabel="step")
    ticks = [place for place, step in enumerate(steps) if step in (0, 4, 16, 64, 384)]
    losses.set_xticks(ticks, [str(steps[place]) for place in ticks])
    cursors = [axes.axvline(0, color="black", linewidth=1) for axes in (course, losses)]
    bars.set(xscale="log", xlim=(1e-4, 2), ylim=(12.6, -0.6), xlabel="relative distance moved")
    bars.minorticks_off()
    bars.set_yticks([0.5, 2.5, 5, 8, 11], [f"block {block}" for block in range(1, 6)])
    rows = [bars.plot([], [], color=PALETTE[block - 1], lw=7, solid_capstyle="butt", aa=False)[0] for block in BLOCKS]
    cloud.set(xlim=(-RIM, RIM), ylim=(-RIM, RIM), xticks=[], yticks=[], title="100 digits")
    cloud.set_xlabel("features (rim: farther out)")
    colors = [PALETTE[digit % len(PALETTE)] for digit in range(10)]
    dots = [cloud.plot([], [], "s", color=color, markersize=3, mew=0, aa=False)[0] for color in colors]
    means = [cloud.text(0, 0, str(digit), color=color, size=11, antialiased=False) for digit, color in enumerate(colors)]
    distances, places = decode(runs[0]["distances"], 13), decode(runs[0]["cloud"], len(labels), 2)
    places, labels = np.clip(places, -0.96 * RIM, 0.96 * RIM), np.array(labels)

    def move(place: int) -> None:
        for cursor in cursors:
            cursor.set_xdata([place, place])
        for row, distance in enumerate(distances[place]):
            rows[row].set_data([1e-4, max(distance, 1e-4)], [row, row])
        for digit, (dot, mean) in enumerate(zip(dots, means, strict=True)):
            dot.set_data(*places[place, labels == digit].T)
            mean.set_position(places[place, labels == digit].mean(axis=0))

    return LiveFigure(figure, moving=[*cursors, *rows, *dots, *means]), move
