"""The explorer of notebook 07 shows what was recorded, and says where nothing was."""

import films
import numpy as np

from helpers.explorers.after_fine_tuning import fine_tuning_explorer
from helpers.training import recorded_values


def test_the_film_shows_what_is_drawn():
    films.check_film(fine_tuning_explorer())


def test_explorer_of_recorded_runs():
    explorer = fine_tuning_explorer()
    mean = recorded_values(
        "fine_tuning", "test_accuracy", data="digits", labels_per_class=10, first_trainable="block5",
        learning_rate=1e-4, head_start="trained",
    ).mean()  # fmt: skip
    assert f"test accuracy {mean:.2f}" in explorer.frame().sentence
    depths = [explorer.frame(first_trainable=depth).pixels for depth in ("predictions", "block4", "block1")]
    assert not any(np.array_equal(depths[index], depths[index - 1]) for index in range(3))
    assert "not recorded" in explorer.frame(target=("textures", 10), first_trainable="block1").sentence
    head = explorer.frame(target=("textures", 10), first_trainable="predictions").sentence
    assert "the head alone, at any rate here, reaches" in head
