"""Notebook 12: a film of mistakes: the curves of a program without a name, at five doses, and then its mistake."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from helpers.evaluation import paired_interval
from helpers.explorers.shell import Drawing, Explorer, Guess, LiveFigure, choice
from helpers.plots import MARKERS, PALETTE
from helpers.training import load_runs

CURVES = {"train": "training", "reported": "as the program reports it", "true": "true, once it is revealed"}
DOSES, SHUFFLED = 5, 12  # the seed of the letters' order, so that a letter says nothing about the mistake
START = "P", 3


@functools.cache
def recorded(program: str) -> list[dict[str, Any]]:
    """Return the records of a program, one for each dose; where there are fewer doses, the last one again."""
    runs = sorted(load_runs("bugs", program=program), key=lambda run: run["dose"])
    return runs + runs[-1:] * (DOSES - len(runs))


@functools.cache
def lettered() -> dict[str, str]:
    """Return the program behind each letter, in an order that gives nothing away; a mistake without doses is left out."""
    programs = sorted({run["program"] for run in load_runs("bugs")} - {"15_one_file"})
    order = np.random.default_rng(SHUFFLED).permutation(len(programs))
    return {chr(ord("A") + place): programs[number] for place, number in enumerate(order)}


def by_epoch(program: str, dose: int, name: str) -> np.ndarray:
    """Return a curve (epochs, seeds); a run that has stopped early keeps its last value."""
    longest = max(len(curve) for run in recorded(program) for curve in run[name])
    return np.transpose([curve + curve[-1:] * (longest - len(curve)) for curve in recorded(program)[dose][name]])


def ends(program: str, name: str) -> list[np.ndarray]:
    """Return an accuracy at the end, for each dose (seeds,); of training, that of the last epoch."""
    runs = recorded(program)
    return [np.array(run.get(f"{name}_end", [curve[-1] for curve in run[name]])) for run in runs]


def lost(program: str, name: str, dose: int) -> np.ndarray:
    """Return an accuracy at the end minus that of dose 0, for each seed that both have, (seeds,)."""
    sound, broken = (recorded(program)[number]["seeds"] for number in (0, dose))
    both = [seed for seed in sound if seed in broken]
    at_end = ends(program, name)
    return np.array([at_end[dose][broken.index(seed)] - at_end[0][sound.index(seed)] for seed in both])


def spread(values: np.ndarray) -> str:
    """Return the mean over seeds with the lowest and the highest of them, as text."""
    return f"{values.mean():.2f} ({values.min():.2f} to {values.max():.2f})"


def bug_explorer() -> Explorer:
    """Return a film of all programs, lettered: the dose of the mistake, and whether its name and the truth are shown."""

    @functools.cache
    def view(epochs: int) -> LiveFigure:
        return _figure(epochs)

    def draw(letter: str, dose: int, reveal: bool) -> Drawing:
        program = lettered()[letter]
        live = view(len(by_epoch(program, 0, "train")))
        lines, bands = live.moving[:5], live.moving[5:10]
        shown = [by_epoch(program, dose, name) for name in CURVES] + [ends(program, name) for name in ("reported", "true")]
        for line, band, rows in zip(lines, bands, shown, strict=True):
            _move(line, band, rows)
        for artist in (lines[2], bands[2], lines[4], bands[4]):
            artist.set_visible(reveal)
        live.moving[10].set_xdata([dose, dose])
        return live, _sentence(letter, dose, reveal)

    controls = {
        "letter": choice("program", list(lettered()), value=START[0], kind="menu"),
        "dose": choice("dose of the mistake", range(DOSES), value=START[1]),
        "reveal": choice("reveal", [("no", False), ("yes", True)]),
    }
    return Explorer(draw, controls, name="Which bug draws this curve?", guess=_guess())


def warned() -> list[str]:
    """Return the letters of the programs that report less than their repaired twins, the interval without zero."""
    found = []
    for letter, program in lettered().items():
        less = lost(program, "reported", recorded(program)[0]["file_dose"])
        if less.any() and paired_interval(less)[2] < 0:
            found.append(letter)
    return found


def _guess() -> Guess:
    wrong = [program for program in lettered().values() if recorded(program)[0]["file_dose"]]
    question = f"Of {len(wrong)} programs with a mistake, how many report a lower accuracy than their repaired twins?"
    answer = f"{len(warned())}, with an interval that excludes zero: {', '.join(warned())}"
    return Guess(question, choice("my guess", range(len(wrong) + 1)), answer)


def _move(line: Any, band: Any, rows: Sequence[np.ndarray]) -> None:
    """Give a line the means of rows, one for each place (seeds,), and its band the lowest and the highest of each."""
    means, lows, highs = np.transpose([(np.mean(row), np.min(row), np.max(row)) for row in rows])
    line.set_ydata(means)
    band.set_data(line.get_xdata(), lows, highs)


def _sentence(letter: str, dose: int, reveal: bool) -> str:
    """Return what a setting says: the name of the mistake and the truth only when they are asked for."""
    program = lettered()[letter]
    run, last = recorded(program)[dose], {name: ends(program, name)[dose] for name in CURVES}
    said = f"at the end training {spread(last['train'])}, validation as it reports {spread(last['reported'])}"
    if not reveal:
        return f"Program {letter}, dose {dose}: {said}, {len(run['seeds'])} seeds. Name and truth are hidden."
    cost = "{:+.2f} ({:+.2f} to {:+.2f})".format(*paired_interval(lost(program, "true", dose)))
    cost = f", minus dose 0, paired, with its 95 % interval: {cost}" if dose else ""
    name = f"{program}, {run['mistake']}, dose {dose} ({run['dose_text']})"
    return f"Program {letter} is {name}: {said}, true accuracy {spread(last['true'])}{cost}; {len(run['seeds'])} seeds."


def _figure(epochs: int) -> LiveFigure:
    """Return the figure for programs with so many epochs: lines, their bands and a cursor move."""
    figure = Figure(figsize=(7.3, 2.9), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1.5, 1))
    drawn = [_curve(left, range(1, epochs + 1), number, label) for number, label in enumerate(CURVES.values())]
    drawn += [_curve(right, range(DOSES), number) for number in (1, 2)]
    left.grid(False)
    right.grid(False)
    left.set(ylim=(-0.02, 1.02), xlabel="epoch", ylabel="accuracy, mean and all seeds")
    left.set_xticks(range(1, epochs + 1) if epochs < 13 else range(2, epochs + 1, 2))
    figure.legend(handles=[line for line, _ in drawn[:3]], loc="outside upper left", ncols=3, fontsize=8)
    right.set(xlabel="accuracy at the end, by dose", xticks=range(DOSES))
    lines, bands = zip(*drawn, strict=True)
    return LiveFigure(figure, moving=[*lines, *bands, right.axvline(0, color="black", linewidth=1)])


def _curve(axes: Any, places: Any, number: int, label: str | None = None) -> tuple[Any, Any]:
    """Return a line and its band, both still at zero."""
    color, places = PALETTE[number], np.array(places)
    (line,) = axes.plot(places, 0 * places, marker=MARKERS[number], markersize=4, color=color, label=label)
    return line, axes.fill_between(places, 0 * places, 0 * places, color=color, alpha=0.2, linewidth=0, antialiased=False)
