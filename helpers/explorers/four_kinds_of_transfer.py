"""Notebook 09: which kind of transfer gains how much when more of the source is spoiled, and what TrAdaBoost believes."""

import functools
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from helpers import transfer_kinds as kinds
from helpers.evaluation import paired_interval
from helpers.explorers.shell import Drawing, Explorer, Guess, LiveFigure, choice
from helpers.plots import MARKERS, PALETTE
from helpers.training import load_runs

SHARES, COUNTS = (0.0, 0.25, 0.5, 0.75, 1.0), (1, 5)
ARMS = {  # of the record, and what the picture calls them
    "pooled, share tuned": "pooled",
    "kernel mean matching": "matching",
    "agreement": "agreement",
    "two heads": "two heads",
    "fine-tuned, head kept": "head kept",
    "fine-tuned, new head": "new head",
}
ASKED = {"flaw": "turned", "labels_per_class": 5, "share": 0.5}


@functools.cache
def recorded(arm: str, flaw: str, share: float, labels_per_class: int) -> np.ndarray:
    """Return the test accuracies of ten runs of an arm with networks, as recorded for the film."""
    where = {"flaw": flaw, "share": share, "labels_per_class": labels_per_class, "film": True, "model": "network"}
    return np.array(load_runs("kinds", arm=arm, **where)[0]["test"])


def gain(arm: str, flaw: str, share: float, labels_per_class: int) -> tuple[float, float, float]:
    """Return the mean gain of an arm over the target's labels alone, and both ends of its 95 % interval."""
    where = flaw, share, labels_per_class
    return paired_interval(recorded(arm, *where) - recorded("target only", *where))


def some_digits(flaw: str, share: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return one source digit of each class as it was, spoiled or not: images (10, 8, 8), labels, and which are bad."""
    original = kinds.draw_task("", labels_per_class=1, run=200)
    task = kinds.draw_task(flaw, share=share, labels_per_class=1, run=200)
    first = [np.flatnonzero(original.source_labels == digit)[0] for digit in range(10)]
    return task.source_images[first].reshape(-1, 8, 8), task.source_labels[first], task.bad[first]


def gains_explorer() -> Explorer:
    """Return a film of the gain of six ways of transfer: what is wrong with the source, how much of it, and labels."""

    @functools.cache
    def view(flaw: str, labels_per_class: int) -> LiveFigure:
        return _gains_figure(flaw, labels_per_class)

    def draw(flaw: str, labels_per_class: int, share: float) -> Drawing:
        live = view(flaw, labels_per_class)
        tiles, names, dots, bars, (cursor,) = (
            live.moving[a:b] for a, b in ((0, 10), (10, 20), (20, 26), (26, 32), (32, 33))
        )
        for tile, name, image, label, bad in zip(tiles, names, *some_digits(flaw, share), strict=True):
            tile.set_data(image)
            name.set(text=f"{label}{' !' if bad else ''}", color=PALETTE[1] if bad else "black")
        words = []
        for row, (arm, text, dot, bar) in enumerate(zip(ARMS, ARMS.values(), dots, bars, strict=True)):
            mean, low, high = gain(arm, flaw, share, labels_per_class)
            dot.set_data([mean], [row])
            bar.set_data([low, high], [row, row])
            words.append(f"{text} {mean:+.2f} ({low:+.2f} to {high:+.2f})")
        cursor.set_xdata([share, share])
        alone = recorded("target only", flaw, share, labels_per_class).mean()
        per_class = f"{labels_per_class} label{'s' * (labels_per_class > 1)} per class"
        return live, f"{share:.0%} {flaw}, {per_class}: target only {alone:.2f}. Gains: {', '.join(words)}."

    mean, low, high = gain("kernel mean matching", **ASKED)
    question = "Half of the source is turned, 5 labels per class. What does kernel mean matching gain over the target alone?"
    options = [(f"{value / 20:+.2f}", value) for value in range(-4, 9)]
    guess = Guess(question, choice("my guess", options, value=0), f"{mean:+.2f} ({low:+.2f} to {high:+.2f})")
    controls = {
        "flaw": choice("what is wrong", list(kinds.FLAWS[:3]), kind="menu"),
        "labels_per_class": choice("labels per class", COUNTS, value=5),
        "share": choice("share spoiled", [(f"{share:.0%}", share) for share in SHARES], value=0.5, kind="time"),
    }
    return Explorer(draw, controls, name="What is wrong with the source, and which kind helps?", guess=guess)


def _gains_figure(flaw: str, labels_per_class: int) -> LiveFigure:
    """Return the figure of one flaw: ten digits and their labels, six gains with intervals, and a cursor move in it."""
    figure = Figure(figsize=(9.2, 3.7), layout="constrained")
    left, middle, right = figure.subfigures(1, 3, width_ratios=(0.9, 1.15, 1.15))
    grid = left.subplots(5, 2, subplot_kw={"xticks": [], "yticks": [], "frame_on": False}).T.ravel()
    left.suptitle("source, with labels (!: spoiled)", fontsize=9)
    images = [axes.imshow(np.zeros((8, 8)), cmap="gray", vmin=0, vmax=1) for axes in grid]
    names = [axes.text(1.15, 0.5, "", transform=axes.transAxes, va="center", fontsize=10) for axes in grid]
    rows, course = middle.subplots(), right.subplots()
    dots = [rows.plot([], [], MARKERS[row], color=PALETTE[row])[0] for row in range(len(ARMS))]
    bars = [rows.plot([], [], color=PALETTE[row], linewidth=2)[0] for row in range(len(ARMS))]
    rows.set_yticks(range(len(ARMS)), ARMS.values())
    for row, (arm, text) in enumerate(ARMS.items()):
        means = [gain(arm, flaw, share, labels_per_class)[0] for share in SHARES]
        course.plot(SHARES, means, marker=MARKERS[row], markersize=4, color=PALETTE[row], label=text)
    ends = [gain(arm, flaw, share, labels_per_class) for arm in ARMS for share in SHARES]
    limits = min(min(low for _, low, _ in ends), -0.05) - 0.02, max(max(high for *_, high in ends), 0.05) + 0.02
    rows.set(xlim=limits, ylim=(len(ARMS) - 0.5, -0.5), xlabel="gain over target only, 95 %")
    course.set(ylim=limits, xlim=(-0.05, 1.08), xlabel="share of the source spoiled", ylabel="mean gain of ten runs")
    rows.axvline(0, color="black", linewidth=1)
    course.axhline(0, color="black", linewidth=1)
    return LiveFigure(figure, moving=[*images, *names, *dots, *bars, course.axvline(0, color="black", linestyle=":")])


def belief_explorer() -> Explorer:
    """Return a film of TrAdaBoost: 40 source digits that fade round by round, and who holds the weight."""

    @functools.cache
    def view(flaw: str, share: float) -> tuple[LiveFigure, dict[str, Any]]:
        film = load_runs("kinds", arm="TrAdaBoost", film=True, flaw=flaw, share=share)[0]
        return _belief_figure(film, flaw, share), film

    def draw(flaw: str, share: float, place: int) -> Drawing:
        live, film = view(flaw, share)
        *tiles, first, second = live.moving
        for tile, weight in zip(tiles, film["weights"][place], strict=True):
            tile.set_alpha(min(1.0, weight))
        for cursor in (first, second):
            cursor.set_xdata([place + 1, place + 1])
        target, clean, bad = film["split"][place]
        faded = sum(weight < 0.1 for weight in film["weights"][place])
        return live, (
            f"{share:.0%} {flaw}, round {place + 1}: the target holds {target:.2f} of the weight, clean source digits "
            f"{clean:.2f}, spoiled ones {bad:.2f}; {faded} of the 40 have less than a tenth of an equal share. "
            f"Right until here, by vote: {film['test'][place]:.2f}."
        )

    film = load_runs("kinds", arm="TrAdaBoost", film=True, flaw="turned", share=0.5)[0]
    question = "Half of the source is turned. How much of all weight do the 750 clean source digits hold in round 20?"
    answer = f"{film['split'][-1][1]:.2f}, the spoiled ones {film['split'][-1][2]:.2f}, and the 50 target digits the rest"
    options = [(f"{value / 10:.1f}", value) for value in range(11)]
    controls = {
        "flaw": choice("what is wrong", list(kinds.FLAWS[:2]), kind="menu"),
        "share": choice("share spoiled", [(f"{share:.0%}", share) for share in SHARES[1:4]], value=0.5),
        "place": choice("round", [(str(place + 1), place) for place in range(20)], kind="time"),
    }
    guess = Guess(question, choice("my guess", options, value=5), answer)
    return Explorer(draw, controls, name="Which source digits does TrAdaBoost still believe?", guess=guess)


def _belief_figure(film: dict[str, Any], flaw: str, share: float) -> LiveFigure:
    """Return the figure of one setting, in which 40 digits and two cursors move."""
    task = kinds.draw_task(flaw, share=share, labels_per_class=5, run=200)
    shown = [*np.flatnonzero(~task.bad)[:20], *np.flatnonzero(task.bad)[:20]]
    figure = Figure(figsize=(9.2, 3.9), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1.35, 1))
    left.suptitle("source digits: 20 clean ones (left half), 20 spoiled (right half)", fontsize=9)
    grid = left.subplots(5, 8, subplot_kw={"xticks": [], "yticks": [], "frame_on": False})
    order = [*grid[:, :4].ravel(), *grid[:, 4:].ravel()]
    look = {"cmap": "gray_r", "vmin": 0, "vmax": 1, "interpolation": "nearest"}
    tiles = [axes.imshow(task.source_images[i].reshape(8, 8), **look) for axes, i in zip(order, shown, strict=True)]
    for axes, i in zip(order, shown, strict=True):
        axes.set_title(str(task.source_labels[i]), fontsize=7, loc="center", pad=1, weight="normal")
    weights, course = right.subplots(2, 1, sharex=True)
    rounds = np.arange(1, len(film["split"]) + 1)
    weights.stackplot(
        rounds, *np.transpose(film["split"]), labels=("target", "clean", "spoiled"), colors=PALETTE[:3], alpha=0.6
    )
    weights.set(ylim=(0, 1), xlim=(1, len(rounds)), ylabel="share of\nthe weight")
    weights.legend(loc="center right", fontsize=7)
    course.plot(rounds, film["test"], color=PALETTE[0], label="vote so far")
    course.plot(rounds, film["one"], color="0.6", linewidth=1, label="this round alone")
    course.set(ylim=(0.3, 1), xlabel="round", ylabel="test\naccuracy")
    course.legend(loc="lower right", fontsize=7)
    cursors = [axes.axvline(1, color="black", linewidth=1) for axes in (weights, course)]
    return LiveFigure(figure, moving=[*tiles, *cursors])
