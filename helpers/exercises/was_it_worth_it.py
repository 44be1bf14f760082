"""Checks of notebook 06b, was it worth it."""

from typing import Any

import numpy as np

from helpers.exercises.feedback import as_number, call, exercise, expect, hint_if, number_exercise


@exercise("four convolutions cannot learn from 500 photographs what VGG16 learned from a million others.")
def check_nearest(answer: Any) -> None:
    known = ("guessing", "pixels", "edges", "frozen ImageNet")
    hint_if(answer not in known, f"choose one of {known}, as text; received {answer!r:.40}.")
    found = {"guessing": "it learns more than that", "edges": "it stays far below", "frozen ImageNet": "it stays far below"}
    hint_if(answer in found, f"{found.get(answer)}: read its bar in the figure below, and look which one ends beside it.")


@exercise("whole rows and whole columns, with replacement: both kinds of luck are in the mean now.")
def check_resampled_mean(resampled_mean: Any) -> None:
    rows = np.repeat(np.arange(5.0)[:, np.newaxis], 40, axis=1)
    random = np.random.default_rng(0)

    def spread(gains: np.ndarray) -> float:
        return float(np.std([as_number(call(resampled_mean, gains.copy(), random)) for _ in range(200)]))

    of_runs, of_photographs = spread(rows), spread(np.repeat(np.arange(40.0)[np.newaxis], 5, axis=0))
    still = "the mean never changes. Draw with replacement: random.integers(count, size=count)."
    hint_if(of_runs < 1e-9 and of_photographs < 1e-9, still)
    hint_if(of_runs < 1e-9, "the runs are always the same. Which of them are drawn is luck, too.")
    hint_if(of_photographs < 1e-9, "the photographs are always the same. Which of them are drawn is luck, too.")
    single = "single cells are drawn. Draw whole rows (runs) and whole columns (photographs): gains[runs][:, photographs]."
    hint_if(of_runs < 0.4, single)
    hint_if(not (of_runs < 0.9 and 1.2 < of_photographs < 2.6), "draw as many runs and as many photographs as there are.")


@number_exercise(
    (0.06 * 372, "about 22 photographs of 372, a little more than two of each class."),
    (0.06 * 341, "those would be validation photographs. The accuracy is that of the 372 test photographs."),
    (0.06 * 500, "500 are the labelled photographs. The accuracy is that of the 372 test photographs."),
    (0.101 * 372, "that is the upper end of the interval. The mean gain is 0.060."),
    (0.019 * 372, "that is the lower end of the interval. The mean gain is 0.060."),
    (0.79 * 372, "that many are named right by the fine-tuned network. How many more than by the frozen one?"),
    rtol=0.02,
)
def check_photographs(number: float) -> str:
    return f"not {number:,.4g}. A gain of 0.060 is a share of the 372 test photographs."


@exercise("the mean over the runs, on validation. The test has no part in the choice.")
def check_choose(choose: Any) -> None:
    values = {"a": ((0.7, 0.7), (0.5, 0.5)), "b": ((0.9, 0.3), (0.4, 0.4)), "c": ((0.5, 0.5), (0.8, 0.8))}
    values["d"] = ((0.4, 0.4), (0.9, 0.6))  # validation and test accuracies of two runs
    runs = [
        {"arm": arm, "seed": seed, "validation_accuracy": validation[seed], "test_accuracy": test[seed]}
        for arm, (validation, test) in values.items()
        for seed in (0, 1)
    ]
    answer = call(choose, runs)
    hint_if(answer not in values, f"the name of an arm is wanted, such as {runs[0]['arm']!r}; received {answer!r:.40}.")
    hint_if(answer == "b", "one lucky run decided. Compare the means over the runs of an arm.")
    hint_if(answer != "a", "the test accuracy decided. Choose by the validation accuracy: the test is for the report.")


@exercise("{right:,} steps, of which {kept:,} are in the network that we kept.")
def check_steps(answer: Any, runs: list[dict[str, Any]]) -> dict[str, int]:
    number, all_steps = as_number(answer), [run["curve"][-1][0] for run in runs]
    kept = next(run["steps"] for run in runs if run["chosen"])
    wrong = [
        (sum(run["steps"] for run in runs), "those steps end at the best check. Each run went on until it stopped."),
        (kept, "those are the steps of the network that was kept. What about the rest of its run, and the other rates?"),
        (next(run["curve"][-1][0] for run in runs if run["chosen"]), "that is one rate. All of them were tried."),
        (sum(len(run["curve"]) for run in runs), "those are checks, and one check is 32 steps."),
    ]
    last = "The last row of a run's `curve` begins with the steps that the run took; add these up over the rates."
    expect(number, sum(all_steps), wrong, f"not {number:,.6g}. {last}", form=",.6g")
    return {"right": sum(all_steps), "kept": kept}
