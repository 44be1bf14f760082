"""Notebook 10: a cloud of MNIST digits moves into a cloud of UCI's, by four methods, and what it gains is measured."""

import functools
from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure

from helpers import adaptation
from helpers.evaluation import paired_interval
from helpers.explorers.shell import Drawing, Explorer, Guess, LiveFigure, choice
from helpers.plots import PALETTE
from helpers.training import load_runs

RUN, SHOWN, STOPS, LABELS = 300, 60, 21, (0, 1, 5)  # the run whose digits move, dots a cloud; stops; labels per class


def _aligned(*rows: np.ndarray) -> list[np.ndarray]:
    """Return subspace alignment in the coordinates that it came from, so that a cloud can go there in small steps."""
    moved = adaptation.align_subspaces(*rows, dimensions=20)
    axes = np.linalg.svd(rows[1] - rows[1].mean(axis=0), full_matrices=False)[2][:20]
    return [some @ axes for some in moved]


METHODS: dict[str, Callable] = {
    "mean": lambda *rows: adaptation.standardise_each(*rows, deviation=False),
    "standardise": adaptation.standardise_each,
    "CORAL": lambda *rows: adaptation.coral(*rows, ridge=0.1),
    "subspaces": _aligned,
}


def part_of_the_way(method: str, strength: float, *rows: np.ndarray) -> list[np.ndarray]:
    """Return source, pool and more of the target, gone a part of the way from where they are (0) to where it leads (1)."""
    raw = adaptation.scale_alike(*rows)
    return [one + strength * (other - one) for one, other in zip(raw, METHODS[method](*raw), strict=True)]


@functools.cache
def recorded(method: str, labels_per_class: int) -> np.ndarray:
    """Return the test accuracies of ten runs at each stop, (21, 10)."""
    return np.array(load_runs("adaptation", data="film", arm=method, labels_per_class=labels_per_class)[0]["test"])


@functools.cache
def clouds(method: str, stop: int) -> tuple[np.ndarray, ...]:
    """Return where source and pool are at a stop, (1000, 64) each."""
    task = adaptation.draw_domains(run=RUN)
    return tuple(part_of_the_way(method, stop / (STOPS - 1), task.source_images, task.pool_images))


@functools.cache
def axes_of_picture() -> np.ndarray:
    """Return the two principal axes (64, 2) of both clouds before anything moves: every picture is seen along them."""
    both = np.concatenate(clouds("mean", 0))
    return np.linalg.svd(both - both.mean(axis=0), full_matrices=False)[2][:2].T


def apart(method: str, stop: int) -> tuple[float, float]:
    """Return how far apart the means and the covariances of both clouds are, as shares of what it was before."""

    def distances(stop: int) -> np.ndarray:
        source, pool = clouds(method, stop)
        means, covariances = source.mean(axis=0) - pool.mean(axis=0), np.cov(source.T) - np.cov(pool.T)
        return np.array([np.linalg.norm(means), np.linalg.norm(covariances)])

    means, covariances = distances(stop) / distances(0)
    return float(means), float(covariances)


def clouds_explorer() -> Explorer:
    """Return a film of two clouds of digits: the method that moves them, how far it has gone, and labels of the target."""

    @functools.cache
    def view(method: str) -> LiveFigure:
        return _figure(method)

    def draw(method: str, labels_per_class: int, stop: int) -> Drawing:
        live, task = view(method), adaptation.draw_domains(run=RUN)
        dots, names, bar, dot = live.moving[:2], live.moving[2:22], live.moving[22], live.moving[23]
        places = [rows @ axes_of_picture() for rows in clouds(method, stop)]
        labels = task.source_labels, task.pool_labels
        for one, place in zip(dots, places, strict=True):
            one.set_data(*place[:SHOWN].T)
        middles = [place[of == digit].mean(axis=0) for place, of in zip(places, labels, strict=True) for digit in range(10)]
        for name, middle in zip(names, middles, strict=True):
            name.set_position(middle)
        strength, values = stop / (STOPS - 1), recorded(method, labels_per_class)
        mean, low, high = paired_interval(values[stop])
        bar.set_data([strength, strength], [low, high])
        dot.set_data([strength], [mean])
        means, covariances = apart(method, stop)
        return live, (
            f"{method}, {strength:.0%} of the way: the means are {means:.0%} as far apart as before, the covariances "
            f"{covariances:.0%}. Test accuracy with {_per_class(labels_per_class)} {mean:.2f} ({low:.2f} to "
            f"{high:.2f}, ten runs); before anything moved it was {values[0].mean():.2f}."
        )

    before, (mean, low, high) = recorded("CORAL", 0)[0].mean(), paired_interval(recorded("CORAL", 0)[-1])
    question = (
        f"Without labels of the target, {before:.2f} are right before anything moves. CORAL goes all the way: mean and "
        "covariance match, but for the ridge. What is the accuracy then?"
    )
    options = [(f"{value / 20:.2f}", value) for value in range(6, 21)]
    guess = Guess(question, choice("my guess", options, value=10), f"{mean:.2f} ({low:.2f} to {high:.2f})")
    controls = {
        "method": choice("method", list(METHODS), kind="menu"),
        "labels_per_class": choice("labels per class", LABELS),
        "stop": choice("part of the way", [(f"{stop / (STOPS - 1):.0%}", stop) for stop in range(STOPS)], kind="time"),
    }
    return Explorer(draw, controls, name="Can one cloud become the other?", guess=guess)


def _per_class(count: int) -> str:
    return f"{count or 'no'} label{'s' * (count != 1)} per class"


def _figure(method: str) -> LiveFigure:
    """Return the figure of a method, in which dots, ten digits of each cloud and one measured point move."""
    figure = Figure(figsize=(8.4, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
    ends = np.concatenate([rows[:SHOWN] @ axes_of_picture() for stop in (0, STOPS - 1) for rows in clouds(method, stop)])
    low, high = ends.min(axis=0), ends.max(axis=0)
    edge = 0.04 * (high - low)
    left.set(xlim=(low[0] - edge[0], high[0] + edge[0]), ylim=(low[1] - edge[1], high[1] + edge[1]), xticks=[], yticks=[])
    left.set(xlabel="first axis of both clouds", ylabel="second axis")
    left.set_title(f"MNIST (blue) and UCI (orange): {SHOWN} dots each,\nand the middle of each digit", fontsize=9)
    looks = {"linestyle": "none", "marker": "s", "markersize": 2.2, "markeredgewidth": 0, "alpha": 0.6, "antialiased": False}
    dots = [left.plot([], [], color=PALETTE[cloud], **looks)[0] for cloud in (0, 1)]
    texts = {"ha": "center", "va": "center", "fontsize": 10, "weight": "bold", "clip_on": True}
    names = [left.text(0, 0, str(digit), color=PALETTE[cloud], **texts) for cloud in (0, 1) for digit in range(10)]
    strengths = np.arange(STOPS) / (STOPS - 1)
    for color, count in zip(PALETTE[2:5], LABELS, strict=True):
        right.plot(strengths, recorded(method, count).mean(axis=1), color=color, linewidth=1, label=_per_class(count))
    right.set(xlim=(-0.04, 1.04), ylim=(0.45, 0.9), xlabel="part of the way", ylabel="test accuracy, ten runs")
    right.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, fontsize=7, columnspacing=1, handlelength=1)
    bar = right.plot([], [], "k", linewidth=2)[0]
    return LiveFigure(figure, moving=[*dots, *names, bar, right.plot([], [], "ko", markersize=6)[0]])
