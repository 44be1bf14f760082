"""Every notebook in JupyterLab and Chromium, as a learner has it: opened once, run, looked at, worked by keyboard.

The tests of one notebook share one page and run in this order, from looking on to changing things.
"""

import contextlib
import sqlite3

import course
import pytest
from playwright.sync_api import expect

from .axe import grave_violations
from .conftest import WINDOW
from .driver import PATIENCE, OpenNotebook
from .explorer_driver import DrivenExplorer
from .stored_films import named_in, recorded, walked, words

THEMES = ("JupyterLab Light", "JupyterLab Dark")
TOO_WIDE = """panel => {
    const right = element => element.getBoundingClientRect().right;
    const explorers = '.workbook-explorer, .workbook-film';
    const pictures = '.workbook-explorer img, .jp-RenderedHTMLCommon :is(img, canvas)';
    const ours = [...panel.querySelectorAll(explorers + ', ' + pictures)];
    const wide = ours.filter(element => right(element) > right(element.closest('.jp-Cell')) + 1
        || (element.matches(explorers) && element.scrollWidth > element.clientWidth + 1));
    const outer = panel.querySelector('.jp-WindowedPanel-outer');
    if (outer.scrollWidth > outer.clientWidth + 1) wide.push(outer);
    return wide.map(e => `${e.tagName} ${e.alt ?? e.ariaLabel ?? e.className}: ${e.scrollWidth} > ${e.clientWidth}`);
}"""


ERRORS = """() => window.jupyterapp.shell.currentWidget.content.widgets.flatMap((cell, place) =>
    (cell.model.toJSON().outputs ?? []).filter(output => output.output_type === "error")
        .map(output => `cell ${place}: ${output.ename}: ${output.evalue}`))"""


def allowed_errors(notebook: OpenNotebook) -> int:
    return sum("raises-exception" in course.tags(cell) for cell in course.code_cells(notebook.path))


def test_runs_from_top_to_bottom(notebook):
    assert notebook.ran == "done: true", notebook.page.evaluate(ERRORS)
    prompts = notebook.panel.locator(".jp-CodeCell .jp-InputPrompt").all_text_contents()
    assert prompts == [f"[{number}]:" for number in range(1, len(course.code_cells(notebook.path)) + 1)]
    red = notebook.panel.locator('[data-mime-type="application/vnd.jupyter.stderr"]').all_text_contents()
    assert len(red) == allowed_errors(notebook), red
    assert notebook.page.locator(".jp-Dialog, .Toastify__toast").all_text_contents() == []
    assert notebook.complaints == [] and notebook.outside == set()


@pytest.mark.parametrize("width", [1280, 640], ids=["at 1280 px", "at 200 percent"])
def test_nothing_is_wider_than_its_cell(notebook, width):
    """A window of 1280 px at 200 % has room for 640; the folder list is closed, as one does then."""
    notebook.page.set_viewport_size({"width": width, "height": 900})
    if width == 640:
        notebook.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    try:
        notebook.page.wait_for_function("width => window.innerWidth === width", arg=width, timeout=PATIENCE)
        with notebook.all_rendered():
            assert notebook.panel.evaluate(TOO_WIDE) == []
    finally:
        notebook.page.set_viewport_size(WINDOW)


@pytest.mark.parametrize("theme", THEMES)
def test_accessible(notebook, theme):
    assert notebook.command("apputils:change-theme", theme=theme).startswith("done")
    notebook.page.wait_for_function("theme => document.body.dataset.jpThemeName === theme", arg=theme, timeout=PATIENCE)
    try:
        assert grave_violations(notebook.page) == []
    finally:
        notebook.command("apputils:change-theme", theme=THEMES[0])


def test_explorers_follow_the_keyboard(notebook):
    notebook.page.bring_to_front()
    outputs = [output for cell in course.code_cells(notebook.path) for output in cell.outputs]
    stored = ["[explorer]" in output.get("data", {}).get("text/plain", "") for output in outputs]
    assert len(notebook.explorers) == sum(stored)
    cells = notebook.panel.locator(".jp-Cell").count()
    problems = [problem for box in notebook.explorers for problem in DrivenExplorer(box).work_all()]
    assert problems == []
    assert notebook.panel.locator(".jp-Cell").count() == cells, "a key went past the explorer, to JupyterLab"


def test_its_films_are_those_of_the_site(notebook):
    """What this run says, and what was recorded with the stored outputs; numbers may differ from machine to machine."""
    for name in sorted(named_in(notebook.path.stem)):
        root = notebook.panel.locator(f'.workbook-film[data-film="{name}"]')
        if root.count():  # a live one gives the site a part of its settings
            said, stored = walked(notebook.page, root), recorded(name)["sentences"]
            same = [words(sentence) == words(other) for (sentence, _), other in zip(said, stored, strict=True)]
            assert sum(same) >= 0.9 * len(stored), f"{name}: make run is due"


def test_hints_and_solutions_unfold(notebook):
    """The first one by mouse, the second by keyboard."""
    below = notebook.cell(course.exercises(notebook.path)[0].position + 1)
    hint, solution = below.locator("summary", has_text="Hint"), below.locator("summary", has_text="Solution")
    hint.click()
    solution.focus()
    notebook.page.keyboard.press("Enter")
    assert below.locator("details[open]").count() == 2
    expect(below.locator("details pre").last).to_be_visible()


def test_answers_get_their_feedback(notebook):
    """Every exercise after Run All: a wrong answer meets its hint, the folded solution is right, and is remembered."""
    for exercise in course.exercises(notebook.path):
        wrong = course.wrong_answers(notebook.path)[exercise.check][0]
        answer = notebook.run_cell(exercise.position, exercise.with_answer(wrong["answer"]))
        assert answer.startswith("Not yet:") and wrong["hint"] in answer, exercise.check
        answer = notebook.run_cell(exercise.position, exercise.with_answer(exercise.solution))
        assert answer.startswith("Correct:"), f"{exercise.check}: {answer}"
    with contextlib.closing(sqlite3.connect(notebook.lab.learner_file)) as database:
        found = database.execute("SELECT exercise FROM solved WHERE topic = ?", [course.topic(notebook.path)]).fetchall()
    assert {name for (name,) in found} == {exercise.check for exercise in course.exercises(notebook.path)}


def test_the_browser_had_no_complaint(notebook):
    """Looks back on all that was done above."""
    assert notebook.complaints == [] and notebook.outside == set()
