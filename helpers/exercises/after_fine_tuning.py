"""Checks of notebook 07, after fine-tuning."""

from typing import Any

import numpy as np

from helpers.exercises.feedback import NotYet, as_array, as_number, call, exercise, expect, hint_if
from helpers.training import load_runs


@exercise("{arm} at {rate}: validation accuracy {validation:.2f}, and a test accuracy of {test:.2f}.")
def check_best_setting(answer: Any, runs: list[dict[str, Any]]) -> dict[str, Any]:
    answer = tuple(answer) if isinstance(answer, list) else answer
    known = {(run["arm"], run["learning_rate"]): run for run in runs}
    hint_if(answer not in known, f"give one pair of arm and rate, such as {next(iter(known))}; received {answer!r:.60}.")
    best, fastest = (max(runs, key=lambda run: run[key]) for key in ("validation_accuracy", "learning_rate"))
    here = known[answer]
    if here["validation_accuracy"] == best["validation_accuracy"]:
        rate = np.format_float_positional(here["learning_rate"])
        return {"arm": answer[0], "rate": rate, "validation": here["validation_accuracy"], "test": here["test_accuracy"]}
    tested = max(runs, key=lambda run: run["test_accuracy"])
    hint_if(here is tested, "that pair is best on the TEST digits, and the test set must not choose.")
    hint_if(here is fastest, "that is the default rate of Adam, and what it does to VGG16 is seen in its accuracy.")
    there = best["validation_accuracy"]
    raise NotYet(f"its validation accuracy is {here['validation_accuracy']:.2f}, and another setting has {there:.2f}.")


@exercise("from {before:.2f} to {after:.2f} in run 0.")
def check_first_step(answer: Any) -> dict[str, float]:
    known = ("higher", "lower", "about the same")
    hint_if(answer not in known, f"choose one of {known}, as text; received {answer!r:.40}.")
    hint_if(answer == "higher", "that takes many steps. The first ones of Adam are long, whatever the gradient is.")
    hint_if(answer == "about the same", "one step of full length, in every weight of six layers: that is not little.")
    run = load_runs("fine_tuning_film", seed=0, first=4, start="trained", learning_rate=1e-4)[0]
    return dict(zip(("before", "after"), run["validation_accuracy"], strict=False))


@exercise("trained {trained:.2f}, zeros {zeros:.2f}, random {random:.2f}: means of three runs.")
def check_start(answer: Any) -> dict[str, float]:
    arms = {"trained": "block 5 fine-tuned"} | {
        start: f"block 5 fine-tuned, {start} at once" for start in ("zeros", "random")
    }
    hint_if(answer not in arms, f"choose one of {tuple(arms)}, as text; received {answer!r:.40}.")
    runs = {start: load_runs("digits", arm=arm, labels_per_class=10, chosen=True) for start, arm in arms.items()}
    means = {start: np.mean([run["test_accuracy"] for run in some if run["seed"] < 3]) for start, some in runs.items()}
    best = max(means, key=means.get)
    hint_if(answer != best, f"{answer} ends at {means[answer]:.2f}, and another start is higher. Guess again.")
    return means


@exercise("the kernel of the test moved by {right:.3f} of its length.")
def check_distance(distance: Any) -> dict[str, float]:
    random, norm = np.random.default_rng(6), np.linalg.norm
    before = random.normal(size=(3, 3, 4, 5))
    after = before + 0.1 * random.normal(size=before.shape)
    difference = after - before
    right, absolute = norm(difference) / norm(before), abs(difference).mean() / abs(before).mean()
    wrong = [
        (norm(difference), "that is the length of the difference. Divide it by the length of `before`."),
        (norm(difference) / norm(after), "relative to the new kernel; divide by the old one."),
        (right**2, "those are squares. Take the root of both sums."),
        (absolute, "that takes absolute values; a norm takes squares, and then the root."),
        (difference.sum() / before.sum(), "differences of both signs cancel each other. Square them first."),
    ]
    number = as_number(call(distance, after, before))
    otherwise = f"not {number:,.6g}. Wanted: the norm of after - before, divided by the norm of before."
    expect(number, right, wrong, otherwise, form=",.4g")
    return {"right": right}


@exercise("it looks at validation accuracy, waits for {patience} epochs, and brings the best weights back.")
def check_stop(stop: Any) -> dict[str, int]:
    hint_if(not hasattr(stop, "restore_best_weights"), f"an EarlyStopping is wanted; this is a {type(stop).__name__}.")
    hint_if(stop.monitor == "val_loss", "loss rises early, because the head grows too sure of itself. Look at val_accuracy.")
    hint_if(stop.monitor != "val_accuracy", f"it looks at {stop.monitor!r}, which says nothing about other images.")
    hint_if(stop.mode == "min", "accuracy should rise: leave out mode, or say mode='max'.")
    hint_if(stop.patience != 2, f"it waits for {stop.patience} epochs without a rise; wanted are two.")
    hint_if(not stop.restore_best_weights, "it stops two epochs late and keeps those weights: restore_best_weights=True.")
    return {"patience": stop.patience}


@exercise("a temperature of {right:.1f} makes the answers of the test as sure as they are right.")
def check_temperature(find_temperature: Any) -> dict[str, float]:
    random, right = np.random.default_rng(9), 2.5
    scores = 1.5 * random.normal(size=(20_000, 4))
    labels = (scores + random.gumbel(size=scores.shape)).argmax(axis=1)  # drawn with the probabilities of these scores
    sure = np.exp(right * scores)
    number = as_number(call(find_temperature, sure / sure.sum(axis=1, keepdims=True), labels))
    wrong = [
        (0.5, "the smallest of all: is it the power 1 / T, and the mean of MINUS the logarithm?"),
        (5, "the largest of all: of the losses, take the SMALLEST."),
        (1, "a temperature of 1 changes nothing."),
    ]
    expect(
        number, right, wrong, f"not {number:.4g}: the T with the smallest mean of -log(p) is wanted.", form=".4g", atol=0.11
    )
    return {"right": right}


@exercise("each map weighted by its mean gradient, added up, and what is negative cut off.")
def check_heatmap(heatmap: Any) -> None:
    random = np.random.default_rng(7)
    maps, gradients = random.uniform(0, 2, (4, 5, 3)), random.normal(size=(4, 5, 3))
    total = maps @ gradients.mean(axis=(0, 1))
    values = as_array(call(heatmap, maps, gradients), shape=(4, 5))
    by_place = np.maximum((maps * gradients).sum(axis=-1), 0)
    wrong = [
        (total, "the sum is right, but it has negative values: they speak for other classes. np.maximum(..., 0)."),
        (maps.mean(axis=-1), "that is the mean of the maps; the gradients were not used."),
        (by_place, "gradients place by place. Grad-CAM takes one weight for each map: the mean of its gradients."),
    ]
    otherwise = "weights = gradients.mean(axis=(0, 1)), one for each map; then the weighted sum over the last axis."
    expect(values, np.maximum(total, 0), wrong, otherwise, atol=1e-5)
