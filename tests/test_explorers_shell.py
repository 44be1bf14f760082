"""Explorers without a browser: a control is set, and the sentence and the picture have to follow."""

import html
import io
import re
from pathlib import Path

import ipywidgets as widgets
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

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


def group():
    return explorers.build_explorer(
        lambda number, word: (Figure((1, 1)), f"{number} {word}"),
        controls={
            "number": explorers.choice("number", [1, 2]),
            "word": widgets.Dropdown(description="word", options=["a", "b"]),
        },
        name='Numbers "and" <words>',
    )


def test_an_explorer_carries_the_repairs_of_its_controls():
    """That they work is tested in tests/browser."""
    box = group()
    assert "workbook-explorer" in box._dom_classes
    (repairs,) = [child for child in box.children if isinstance(child, widgets.HTML) and "onload" in child.value]
    assert repairs.layout.display == "none"
    assert html.unescape(re.search(r'data-name="([^"]*)"', repairs.value)[1]) == 'Numbers "and" <words>'


def test_the_script_stays_inside_its_attribute():
    value = explorers.build_repairs("name").value
    (script,) = re.findall(r'onload="([^"]*)"', value)
    assert html.unescape(script) == Path(explorers.__file__).with_name("repairs.js").read_text(encoding="utf-8")
    assert "aria-label" in script and value.count("<") == 1


def test_controls_have_tooltips_that_say_something():
    assert [control.tooltip for control in group().controls.values()] == ["number", "word"]


def test_a_choice_is_told_from_a_slider_of_numbers():
    assert "workbook-choice" in explorers.choice("number", [1, 2])._dom_classes


def test_a_choice_starts_at_its_value_or_at_the_first():
    pairs = [("no", False), ("yes", True)]
    assert explorers.choice("flip", pairs).value is False and explorers.choice("flip", pairs, value=True).value is True
