"""The links between notebooks, followed in JupyterLab.

They are tried while no notebook runs ahead: a notebook that is open in two pages has one kernel, and the page that is closed
takes the widgets of the other with it.
"""

import re

import course
import pytest

from .driver import PATIENCE, OpenNotebook


@pytest.mark.parametrize("path", course.NOTEBOOKS, ids=lambda path: path.stem)
def test_links_open_the_other_notebooks(path, context, lab):
    prose = "\n".join(cell.source for cell in course.read(path).cells if cell.cell_type == "markdown")
    targets = sorted(set(re.findall(r"\]\((\w+\.ipynb)\)", prose)))
    assert targets
    notebook = OpenNotebook(context.new_page(), lab, path)
    try:
        notebook.open()
        for target in targets:
            notebook.panel.locator("details").evaluate_all("all => all.forEach(one => { one.open = true; })")
            link = notebook.panel.locator(f'.jp-MarkdownCell a[href*="{target}"]').first
            link.scroll_into_view_if_needed(timeout=PATIENCE)
            link.click(timeout=PATIENCE)
            notebook.wait_until_in_front(target)
            notebook.panel.locator(".jp-Cell h1").first.wait_for(timeout=PATIENCE)
            notebook.close_front()
    finally:
        notebook.page.close()
        lab.shut_kernels_down()
