"""Teacher and students at a hub, each in a browser window of their own, and what they do there."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

import nbformat
from browser.driver import PATIENCE, OpenNotebook
from playwright.sync_api import Browser, Locator, Page, expect

from assignments.hub.rehearsal import Classroom

OUTSIDE = re.compile(r"https?://(?!127\.0\.0\.1)")


class Person:
    """Somebody of the classroom who sits in front of a browser."""

    def __init__(self, browser: Browser, room: Classroom, name: str) -> None:
        self.room, self.name = room, name
        self.page: Page = browser.new_context(viewport={"width": 1300, "height": 900}).new_page()
        self.page.route(OUTSIDE, lambda route: route.abort())  # a room without the internet
        self.page.set_default_timeout(PATIENCE)

    @property
    def server(self) -> str:
        """The address of one's own server."""
        return f"{self.room.url}/user/{self.name}"

    def log_in(self) -> None:
        """Log in, which starts a server, without waiting for it."""
        self.page.goto(f"{self.room.url}/hub/login?next={quote(f'/hub/spawn/{self.name}')}")
        self.page.fill("#username_input", self.name)
        self.page.fill("#password_input", self.room.password)
        self.page.click("#login_submit")

    def wait_for_server(self) -> None:
        """Wait until JupyterLab is there."""
        self.page.wait_for_url(f"**/user/{self.name}/lab**")
        self.page.locator("#jupyterlab-splash").wait_for(state="detached")

    def status(self, path: str) -> int:
        """Return the status that one's browser gets for a path of any server at the hub."""
        return self.page.request.get(f"{self.room.url}{path}").status


class Student(Person):
    """A student: fetches, works and hands in by the buttons of JupyterLab."""

    def assignments(self) -> Locator:
        """Open the list of assignments by the menu, and return it."""
        self.page.get_by_role("menuitem", name="Nbgrader").click()
        self.page.get_by_role("menuitem", name="Assignment List").click()
        return self.page.locator("#nbgrader-assignment-list")

    def press(self, button: str, then: str) -> None:
        """Press a button in the list of assignments, and wait until a text stands in the part of it that is named."""
        listed = self.assignments()
        listed.get_by_role("button", name=button, exact=True).first.click()
        part, _, text = then.partition(": ")
        listed.locator(f"#{part}_assignments_list").get_by_text(text).first.wait_for()

    def page_of(self, path: Path) -> str:
        """Return the address of a notebook, in a workspace of its own: what `OpenNotebook` asks for."""
        return f"{self.server}/lab/workspaces/{path.stem}/tree/{path.stem}/{path.name}?reset"

    def work(self, unit: str, answers: dict[str, str]) -> OpenNotebook:
        """Write answers into the notebook, by the name of their cell, run all cells and save; return the notebook."""
        path = self.room.home(self.name) / unit / f"{unit}.ipynb"
        cells = nbformat.read(path, as_version=4).cells
        notebook = OpenNotebook(self.page, _Desk(self), path)
        notebook.open()
        for position, cell in enumerate(cells):
            if text := answers.get(cell.metadata.get("nbgrader", {}).get("grade_id")):
                _type_over(notebook, position, text, rendered=cell.cell_type == "markdown")
        notebook.run_all()
        assert notebook.command("docmanager:save").startswith("done")
        return notebook


class _Desk:
    """What `OpenNotebook` wants to know of a server."""

    def __init__(self, student: Student) -> None:
        self.page = student.page_of


def _type_over(notebook: OpenNotebook, position: int, text: str, *, rendered: bool) -> None:
    cell = notebook.cell(position)
    if rendered:
        cell.dblclick()
    cell.locator(".cm-content").first.click()
    notebook.page.keyboard.press("Control+A")
    notebook.page.keyboard.insert_text(text)
    expect(cell.locator(".cm-content").first).to_contain_text(text.splitlines()[-1].strip()[:40])


class Teacher(Person):
    """The teacher: releases, collects and marks by hand in the Formgrader."""

    def press(self, unit: str, button: str) -> str:
        """Press a button in the unit's row of the Formgrader, and return what the window says that then comes up."""
        self.page.goto(f"{self.server}/formgrader/manage_assignments")
        self.page.locator(f"tr:has(td.name:has-text('{unit}')) td.{button} a").click()
        return self._window()

    def press_autograde(self, unit: str, student: str) -> str:
        """Press the button that grades one student; return what the window says."""
        self.page.goto(f"{self.server}/formgrader/manage_submissions/{unit}")
        self.page.locator(f"tr:has(td.student-id:text-is('{student}')) td.autograde a").click()
        return self._window()

    def _window(self) -> str:
        window = self.page.locator(".modal-dialog")
        window.wait_for()
        expect(window).to_contain_text("OK")
        return window.inner_text()

    def mark(self, unit: str, student: str, cell: str, points: float, comment: str) -> None:
        """Give points and a comment for a task, on the page on which a person marks."""
        self.page.goto(f"{self.server}/formgrader/gradebook/{unit}/{unit}")
        row = self.page.locator(f"tr:has(a.name-shown:text-is('{student}'))")
        row.locator(".reveal .name-hidden").click()  # marks are given without names, until one looks
        row.locator("a.name-shown").click()
        self.page.wait_for_function("() => window.formgrader?.grades?.loaded && formgrader.comments?.loaded")
        self._fill(f"input#{cell}.score", str(points), "grade")
        self._fill("textarea.comment", comment, "comment")

    def _fill(self, field: str, text: str, saved_as: str) -> None:
        """Fill in a field, which saves it when one leaves it."""
        with self.page.expect_response(f"**/api/{saved_as}/*") as saved:
            self.page.locator(field).last.fill(text)
            self.page.locator(field).last.blur()
        assert saved.value.ok, saved.value.text()
