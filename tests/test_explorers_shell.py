"""Explorers without a browser: a control is set, and the sentence and the picture have to follow."""

import io

import ipywidgets as widgets
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from helpers.explorers import feature_extraction
from helpers.explorers import shell as explorers


def draw(number):
    figure = Figure((2, 1))
    figure.subplots().plot([0, number])
    return figure, f"the number is {number}"


@pytest.fixture
def explorer():
    slider = widgets.IntSlider(description="number", min=0, max=10, value=3)
    return explorers.build_explorer(draw, controls={"number": slider}, name="Numbers")


def test_a_move_changes_sentence_picture_and_alternative_text(explorer):
    before = explorer.png
    explorer.controls["number"].value = 7
    assert "the number is 7" in explorer.sentence.value
    assert explorer.png.startswith(b"\x89PNG") and explorer.png != before
    assert 'alt="Numbers. the number is 7"' in explorer.picture.value


def test_what_the_front_end_sends_arrives(explorer):
    state = {"method": "update", "state": {"value": 9}, "buffer_paths": []}
    explorer.controls["number"]._handle_msg({"content": {"data": state}, "buffers": []})
    assert "the number is 9" in explorer.sentence.value


def test_a_mistake_in_the_drawing_is_shown_and_the_next_move_recovers():
    def fails_at_two(number):
        if number == 2:
            raise ValueError("two is <too> much")
        return draw(number)

    slider = widgets.IntSlider(description="number", min=0, max=10, value=1)
    explorer = explorers.build_explorer(fails_at_two, controls={"number": slider}, name="Numbers")
    slider.value = 2
    assert 'role="alert"' in explorer.sentence.value and "two is &lt;too&gt; much" in explorer.sentence.value
    assert "fails_at_two" in explorer.sentence.value
    slider.value = 4
    assert "the number is 4" in explorer.sentence.value and "alert" not in explorer.sentence.value


def test_the_stored_output_has_a_picture_and_a_stable_text(explorer):
    bundle = explorer._repr_mimebundle_()
    stored, live = (np.asarray(Image.open(io.BytesIO(png))) for png in (bundle["image/png"], explorer.png))
    np.testing.assert_array_equal(stored[: len(live)], live[..., :3])
    note = stored[len(live) :]
    assert 20 < len(note) < 160 and note.min() < 128, "a line below that says how to run it"
    assert bundle["text/plain"] == "[explorer] Numbers. Controls: number. Run the notebook to move them."
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_a_control_without_a_description_is_refused():
    with pytest.raises(ValueError, match="'number' has no description"):
        explorers.build_explorer(draw, controls={"number": widgets.IntSlider()}, name="Numbers")


def test_a_live_figure_draws_the_same_as_a_new_one():
    figure = Figure((3, 2))
    (line,) = figure.subplots().plot([0, 1], [0, 0])
    live = explorers.LiveFigure(figure, moving=[line])
    flat = live.png()
    line.set_ydata([0, 0.04])
    assert live.png() != flat
    line.set_ydata([0, 0])
    assert live.png() == flat


NAMES = ["brick", "grass", "moon"]
LABELS = np.repeat([0, 1, 2], 4)


@pytest.fixture
def features_explorer():
    generator = np.random.default_rng(0)
    grid = {
        (layer, classifier, count): generator.integers(0, 3, (3, 12))
        for layer in ("block1_pool", "block5_pool")
        for classifier in ("logistic regression", "linear SVM")
        for count in (1, 5)
    }
    grid["block5_pool", "linear SVM", 5] = np.tile(LABELS, (3, 1))
    return feature_extraction.features_explorer(grid, LABELS, class_names=NAMES, part="validation")


def test_features_explorer_tells_the_accuracy_of_the_setting(features_explorer):
    controls = features_explorer.controls
    controls["layer"].value, controls["classifier"].value = "block5_pool", "linear SVM"
    controls["labels_per_class"].value = 5
    assert "mean accuracy 1.00, from 1.00 to 1.00 over 3 draws" in features_explorer.sentence.value


def test_every_control_of_the_features_explorer_moves_the_picture(features_explorer):
    for control in features_explorer.controls.values():
        values = [option[1] if isinstance(option, tuple) else option for option in control.options]
        seen = set()
        for value in values:
            control.value = value
            assert "mean accuracy" in features_explorer.sentence.value
            seen.add(features_explorer.png)
        assert len(seen) == len(values)


def test_confusion_counts_add_up_over_draws():
    counts = feature_extraction.confusion_counts(np.array([0, 1]), np.array([[0, 0], [0, 1]]), classes=2)
    assert counts.tolist() == [[2, 0], [1, 1]]
