"""Hidden checks of the assignment on augmentation and fine-tuning: the same functions with other numbers.

The driver calls them from outside the sandbox. What they say names the mistake and no number of theirs.
"""

from typing import Any

import numpy as np

from assignments.checks.augmentation_and_fine_tuning import (
    measure_block5,
    measure_phases,
    measure_split,
    measure_window,
    parts_of,
    table_of,
)
from helpers.exercises.feedback import as_array, call, exercise, expect, hint_if

BEYOND = "not right for another example than the one of the visible check."


@exercise("also for other signs.")
def check_with_mirror_images(answer: Any) -> None:
    random = np.random.default_rng(31)
    for partner in ([0, -1, 3, 2, 5, 4], [-1, 2, 1], [-1, -1]):
        labels, images = random.integers(len(partner), size=9), random.integers(256, size=(9, 4, 5, 3)).astype("uint8")
        result = call(answer, images=images, labels=labels, partner=np.array(partner))
        found, said = map(as_array, parts_of(result, 2, "images and labels"))
        kept = [row for row in range(9) if partner[labels[row]] != -1]
        right = np.concatenate([images, np.flip(images[kept], axis=2)])
        hint_if(len(said) != len(right), "not right where other signs have no mirror image, or none has one.")
        expect(found, right, [], BEYOND)
        expect(said, [*labels, *(partner[labels[row]] for row in kept)], [], f"{BEYOND} Do the labels follow?")


@exercise("also for other trainings.")
def check_learning_rates(answer: Any) -> None:
    for images, batch_size, epochs, warm_up in ((24, 8, 4, 5), (33, 16, 2, 1), (7, 10, 6, 4), (10, 4, 1, 3)):
        steps = -(-images // batch_size) * epochs
        down = np.linspace(1, 0, steps - warm_up + 2)[:-1]
        right = 0.3 * np.concatenate([np.linspace(0, 1, warm_up + 1)[1:], down[1:]])
        rates = as_array(call(answer, images, batch_size, epochs, warm_up, 0.3)).ravel()
        whole = "not right where all batches are full, or a batch is larger than all images."
        hint_if(len(rates) != steps, BEYOND if images % batch_size and images > batch_size else whole)
        expect(rates, right, [], f"{BEYOND} What if the warm-up has another length?")


@exercise("also for other tables.")
def check_split_rows(answer: Any) -> None:
    measure_split(answer, *table_of([3, 70, 8, 51, 52, 9, 400, 11, 20, 33], 3, seed=6), share=0.4, wanted=4)
    photographs, views = table_of(list(range(5, 19)), 6, seed=7)
    some = (views == 0) | (np.random.default_rng(8).random(len(views)) < 0.6)  # not all have the same number of views
    measure_split(answer, photographs[some], views[some], share=0.2, wanted=3)


@exercise("also for other networks.")
def check_two_phases(answer: Any) -> None:
    measure_phases(answer, sizes=(4, 7, 6, 7, 6, 5), opened=["block4", "block2"], seed=33)


@exercise("{alone:.2f} with the head alone, {end:.2f} in the end, and block 5 has moved.")
def check_fine_tune_block5(answer: Any) -> dict[str, float]:
    return measure_block5(answer, kinds=(12, 0, 7, 3, 9, 5, 2, 10, 13, 1), seed=58213309)


@exercise("{front:.2f} from the front, {behind:.2f} from behind, {right:.2f} of all.")
def check_read_window(answer: Any) -> dict[str, float]:
    return measure_window(answer, draws=(30511877, 61200943))
