"""The explorer of notebook 06 shows what was recorded, and says where nothing was."""

from helpers.explorers.fine_tuning import fine_tuning_explorer
from helpers.training import recorded_values


def test_explorer_of_recorded_runs():
    explorer = fine_tuning_explorer()
    mean = recorded_values(
        "fine_tuning", "test_accuracy", data="digits", labels_per_class=10, first_trainable="block5",
        learning_rate=1e-4, head_start="trained",
    ).mean()  # fmt: skip
    assert f"test accuracy {mean:.2f}" in explorer.sentence.value
    pictures = set()
    for depth in ("predictions", "block4", "block1"):
        explorer.controls["first_trainable"].value = depth
        pictures.add(explorer.png)
    assert len(pictures) == 3
    explorer.controls["target"].value = ("textures", 10)
    assert "was not recorded" in explorer.sentence.value and "alert" not in explorer.sentence.value
    explorer.controls["first_trainable"].value = "predictions"
    assert "the head alone reaches" in explorer.sentence.value
