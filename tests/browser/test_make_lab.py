"""`make lab` itself, as on a fresh machine: it opens the first notebook, and nothing stands before it."""

import sys
from pathlib import Path

import course
import pytest

from .conftest import WINDOW
from .driver import PATIENCE
from .server import make_lab

LATE = 5_000  # milliseconds that a question may take to come up behind the notebook

pytestmark = pytest.mark.skipif(
    Path(sys.prefix).resolve() != (course.ROOT / ".venv").resolve(),
    reason="`make lab` would first have to make its own environment: `make test` runs this test in that one",
)


def test_the_first_notebook_opens_without_a_question(browser, tmp_path):
    with make_lab(tmp_path) as lab:
        page = browser.new_page(viewport=WINDOW)
        page.goto(f"{lab.url}/?token={lab.token}", timeout=PATIENCE)
        page.locator("#jupyterlab-splash").wait_for(state="detached", timeout=PATIENCE)
        page.locator(".jp-NotebookPanel .jp-Cell h1").first.wait_for(timeout=PATIENCE)
        page.wait_for_timeout(LATE)
        assert page.url.endswith("/lab/tree/notebooks/00_start_here.ipynb")
        assert page.locator(".jp-Dialog, .Toastify__toast").all_text_contents() == []
        assert page.get_by_text("Jupyter news").count() == 0
        page.close()
