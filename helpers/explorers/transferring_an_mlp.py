"""The explorer of notebook 03: eight neurons of a small network while it learns UCI digits, from three different starts."""

import functools
from itertools import islice

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from helpers.data import draw_labelled, held_out, split_digit_pair
from helpers.evaluation import paired_interval
from helpers.explorers.shell import Draw, Drawing, Explorer, Guess, LiveFigure, choice
from helpers.networks import THREADS, Layers, accuracy, build_weights, train, training_steps
from helpers.plots import PALETTE

SIZES, RUNS, RATE = (64, 8, 10), 10, 0.01
STEPS = (0, 1, 2, 3, 5, 7, 10, 14, 20, 28, 40, 55, 75, 100, 130, 170, 220, 280, 340, 400)
COUNTS = (1, 2, 10, 50)
STARTS = {"from scratch": 0, "MNIST, free": 0, "MNIST, frozen": 1}  # how many layers are frozen


@functools.cache
def source_weights() -> Layers:
    """Return ten small networks after 1,000 steps on 4,500 MNIST digits."""
    digits = split_digit_pair()
    new = build_weights(SIZES, seeds=range(RUNS))
    return train(new, digits.source_images, digits.source_labels, steps=1000, learning_rate=0.005).weights


@functools.cache
@THREADS.wrap(limits=1)
def neuron_course(start: str, labels_per_class: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the first layer of run 0 (steps, 64, 8) and accuracies (steps, runs), at `STEPS` of training on UCI digits."""
    target = split_digit_pair()
    examples = draw_labelled(target.target_images, target.target_labels, labels_per_class=labels_per_class, runs=RUNS)
    others = held_out(target.target_images, target.target_labels, runs=RUNS)
    weights = build_weights(SIZES, seeds=range(100, 100 + RUNS)) if start == "from scratch" else source_weights()
    settings = {"activation": "relu", "learning_rate": RATE, "batch_size": 64, "frozen": STARTS[start]}
    neurons, accuracies = [], []
    for step, (layers, _) in enumerate(islice(training_steps(weights, *examples, **settings), STEPS[-1] + 1)):
        if step in STEPS:
            neurons.append(layers[0][0][0].copy())
            accuracies.append(accuracy(layers, *others))
    return np.stack(neurons), np.stack(accuracies)


def neurons_figure() -> Draw:
    """Return `draw(start, labels_per_class, step)`: the weights of eight neurons as pictures, and accuracy over steps."""
    panels = {count: _panels(count) for count in COUNTS}

    def draw(start: str, labels_per_class: int, step: int) -> Drawing:
        live, place = panels[labels_per_class], STEPS.index(step)
        (*images, cursor), (neurons, accuracies) = live.moving, neuron_course(start, labels_per_class)
        for image, weights in zip(images, neurons[place].T, strict=True):
            image.set_data(weights.reshape(8, 8))
        cursor.set_xdata([place, place])
        moved = np.linalg.norm(neurons[place] - neurons[0]) / np.linalg.norm(neurons[0])
        mean, low, high = paired_interval(accuracies[place])
        return live, (
            f"{start}, {per_class(labels_per_class)}, after {step} step{'s' * (step != 1)}: the eight neurons have moved by "
            f"{moved:.0%} of their length. Accuracy {mean:.2f} on average of ten runs ({low:.2f} to {high:.2f})."
        )

    return draw


def _panels(labels_per_class: int) -> LiveFigure:
    """Return the figure of one label count, in which eight pictures and a cursor move, in this order."""
    figure = Figure(figsize=(9.2, 3.4), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1.15, 1))
    left.suptitle("weights of the eight neurons (orange: ink counts against, purple: for)", fontsize=9)
    tiles = left.subplots(2, 4, subplot_kw={"xticks": [], "yticks": [], "frame_on": False}).ravel()
    limits = {"cmap": colormaps["PuOr"].resampled(11), "vmin": -1.5, "vmax": 1.5, "interpolation": "nearest"}
    images = [tile.imshow(np.zeros((8, 8)), **limits) for tile in tiles]
    curve, places = right.subplots(), np.arange(len(STEPS))
    for start, look, color in zip(STARTS, ("s-", "o-", "^-"), (1, 0, 2), strict=True):
        means = neuron_course(start, labels_per_class)[1].mean(axis=1)
        curve.plot(places, means, look, markersize=3.5, color=PALETTE[color], label=start)
    curve.set(xlabel="steps of training", ylabel="accuracy, mean of ten runs", ylim=(0, 1.01))
    curve.set_title(per_class(labels_per_class))
    curve.set_xticks(places[::3], [str(step) for step in STEPS[::3]])
    curve.legend(loc="lower right")
    return LiveFigure(figure, moving=[*images, curve.axvline(0, color="black", linewidth=1)])


def per_class(count: int) -> str:
    """Return a number of labels in words."""
    return f"{count} label{'s' * (count != 1)} per class"


def neurons_explorer() -> Explorer:
    """Return an explorer of three starts, label counts and steps: which neurons change, and is it worth it?"""
    controls = {
        "start": choice("start", list(STARTS), value="MNIST, free"),
        "labels_per_class": choice("labels per class", COUNTS),
        "step": choice("step", STEPS, kind="time"),
    }
    ends = [neuron_course(start, COUNTS[-1])[1][-1] for start in ("MNIST, frozen", "from scratch")]
    question = (
        f"{per_class(COUNTS[-1])}, after {STEPS[-1]} steps: how far is the network with MNIST's eight neurons, frozen, "
        "from the one that started from scratch?"
    )
    gains = [(f"{gain / 20:+.2f}", gain) for gain in range(-8, 9)]
    guess = Guess(question, choice("my guess", gains, value=0), f"{paired_interval(ends[0] - ends[1])[0]:+.2f}")
    return Explorer(neurons_figure(), controls, name="Eight neurons, three starts: which would you keep?", guess=guess)
