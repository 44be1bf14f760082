"""What is sent to the browser to name the controls; that it works there is tested in tests/browser."""

import html
import re

import ipywidgets as widgets
from matplotlib.figure import Figure

from helpers.explorers.front_end import build_repairs
from helpers.explorers.shell import build_explorer, choice, menu


def explorer():
    return build_explorer(
        lambda number, word: (Figure((1, 1)), f"{number} {word}"),
        controls={"number": choice("number", [1, 2]), "word": menu("word", ["a", "b"])},
        name='Numbers "and" <words>',
    )


def test_an_explorer_carries_the_repairs_of_its_controls():
    box = explorer()
    assert "workbook-explorer" in box._dom_classes
    (repairs,) = [child for child in box.children if isinstance(child, widgets.HTML) and "onload" in child.value]
    assert repairs.layout.display == "none"
    assert html.unescape(re.search(r'data-name="([^"]*)"', repairs.value)[1]) == 'Numbers "and" <words>'


def test_the_script_stays_inside_its_attribute():
    value = build_repairs("name").value
    (script,) = re.findall(r'onload="([^"]*)"', value)
    assert "aria-label" in html.unescape(script) and "//" not in html.unescape(script)  # it is one line: no comments
    assert value.count("<") == 1 and "\n" not in value


def test_controls_have_tooltips_that_say_something():
    assert [control.tooltip for control in explorer().controls.values()] == ["number", "word"]


def test_a_choice_is_told_from_a_slider_of_numbers():
    assert "workbook-choice" in choice("number", [1, 2])._dom_classes
