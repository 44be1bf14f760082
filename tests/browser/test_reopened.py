"""Films in JupyterLab after their kernel has gone: alive in a notebook that is trusted, one picture in one that is not."""

import json
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import expect

from .driver import PATIENCE, OpenNotebook
from .explorer_driver import DrivenExplorer

CELLS = (
    "from helpers.explorers.backpropagation import blame_explorer\n\nblame_explorer()",
    "from helpers.explorers.after_fine_tuning import when_to_stop_explorer\n\nwhen_to_stop_explorer()",
    "1 + 1",
)
KERNEL = {"kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}}


@pytest.fixture(scope="module")
def saved(context, lab) -> Path:
    """A notebook with two films that was run in JupyterLab and saved there; no kernel is left."""
    path = lab.folder / "notebooks" / "films.ipynb"
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=KERNEL), path)
    notebook = OpenNotebook(context.new_page(), lab, path)
    notebook.open()
    notebook.run_all()
    assert notebook.ran == "done: true"
    notebook.panel.locator(".workbook-film canvas").nth(0).wait_for(state="attached", timeout=PATIENCE)
    assert notebook.command("docmanager:save").startswith("done")
    assert notebook.complaints == []
    notebook.page.close()
    lab.shut_kernels_down()
    return path


def opened(context, lab, path: Path) -> OpenNotebook:
    """A saved notebook, opened in a new page; its kernel is shut down as soon as JupyterLab has started one."""
    notebook = OpenNotebook(context.new_page(), lab, path)
    notebook.open()
    lab.shut_kernels_down()
    assert lab.request("kernels") == []
    return notebook


def test_films_are_alive_in_a_notebook_that_is_opened_again(saved, context, lab):
    notebook = opened(context, lab, saved)
    assert len(notebook.explorers) == 2
    for box in notebook.explorers:
        box.locator("form, canvas").first.wait_for(timeout=PATIENCE)
        assert DrivenExplorer(box).work_all() == []
    assert notebook.panel.locator(".jp-Cell").count() == len(CELLS)
    assert notebook.outside == set()
    notebook.page.close()


def test_show_me_opens_the_picture_without_a_guess(saved, context, lab):
    notebook = opened(context, lab, saved)
    driven = DrivenExplorer(notebook.explorers[0])
    driven.guess("Show me")
    assert driven.problems == []
    notebook.page.close()


def test_plain_keys_stay_in_a_film_and_commands_go_on(saved, context, lab):
    """In JupyterLab "x" cuts a cell and "a" adds one; Shift+Enter goes to the next cell."""
    notebook = opened(context, lab, saved)
    box = notebook.explorers[1]
    box.locator("input").first.focus()
    for key in ("x", "a", "b", "ArrowDown"):
        notebook.page.keyboard.press(key)
    assert notebook.panel.locator(".jp-Cell").count() == len(CELLS)
    assert box.locator("input").first.evaluate("e => e === document.activeElement")
    notebook.page.close()


def test_an_untrusted_notebook_shows_each_film_as_one_picture(saved, context, lab):
    """As if somebody had sent it: no script may run, the picture and what it shows are there all the same."""
    document = json.loads(saved.read_text(encoding="utf-8"))
    document["cells"][-1]["outputs"][0]["data"]["text/plain"] = ["3"]  # its signature does not hold any more
    changed = saved.with_name("sent.ipynb")
    changed.write_text(json.dumps(document), encoding="utf-8")
    notebook = opened(context, lab, changed)
    pictures = notebook.panel.locator(".jp-OutputArea-output img")
    expect(pictures).to_have_count(2, timeout=PATIENCE)
    for place, name in enumerate(("Which weight is blamed", "When would you stop?")):
        pictures.nth(place).scroll_into_view_if_needed()
        assert pictures.nth(place).get_attribute("alt").startswith(name)
        width, height = pictures.nth(place).evaluate(
            "async e => { await e.decode(); return [e.naturalWidth, e.naturalHeight]; }"
        )
        assert width > 800 and height > 380, "with the line below that says how to run it"
    assert notebook.panel.locator("canvas, .workbook-film form").count() == 0
    assert "workbookFilm" not in notebook.panel.locator(".jp-OutputArea").first.inner_text()
    assert notebook.outside == set()
    notebook.page.close()


LIVE = """
from matplotlib.figure import Figure

from helpers.explorers.shell import Explorer, Guess, choice, numbers


def draw(number):
    figure = Figure((5, 3))
    figure.subplots().plot([0, number])
    return figure, f"the number is {number}"


controls = {"number": numbers("number", 0, 600, value=596, kind="time")}
guess = Guess("How many?", choice("my guess", ["few", "many"]), "601")
Explorer(draw, controls, name="Numbers", guess=guess)
"""


def test_a_live_explorer_asks_and_plays_as_a_film_does(context, lab):
    """The question hides it until it is answered by keyboard, and its player moves the slider."""
    path = lab.folder / "notebooks" / "live.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(LIVE)], metadata=KERNEL), path)
    notebook = OpenNotebook(context.new_page(), lab, path)
    notebook.open()
    notebook.run_all()
    [box] = notebook.explorers
    box.locator("form").wait_for(timeout=PATIENCE)
    driven = DrivenExplorer(box)
    driven.guess()
    assert driven.problems == []
    expect(box.locator("p[role=status]")).to_have_text("How many? You guessed many. Measured: 601.")
    box.locator(".jupyter-widgets.widget-play button").first.click()
    expect(box.locator(".workbook-sentence")).to_contain_text("the number is 600", timeout=PATIENCE)
    assert notebook.complaints == []
    notebook.page.close()
