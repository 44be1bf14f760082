"""A notebook in JupyterLab as a learner sees it, and what a learner does with it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Dialog, Locator, Page, Request, expect

from .explorer_driver import ANY
from .server import Lab

PATIENCE = 120_000  # milliseconds for anything that takes an instant on an idle machine
RUN_LIMIT = 600_000
NUMBERED = re.compile(r"\[\d+\]:")

# The page says "idle" before there is a kernel, and to run cells then opens a dialogue: the kernel itself has to answer.
# No promise is awaited by evaluate(), which has no time limit.
READY = """() => {
    window.kernelReady = false;
    (async () => {
        const panel = window.jupyterapp.shell.currentWidget;
        await panel.context.ready;
        await panel.sessionContext.ready;
        await panel.sessionContext.session.kernel.info;
        window.kernelReady = true;
    })();
}"""
COMMAND = """([name, options]) => {
    window.commandState = 'pending';
    window.jupyterapp.commands.execute(name, options).then(
        value => { window.commandState = 'done: ' + value; }, error => { window.commandState = 'failed: ' + error; });
}"""


class OpenNotebook:
    """One notebook, open in one page; remembers what the browser complained of and whom it asked."""

    def __init__(self, page: Page, lab: Lab, path: Path) -> None:
        self.page, self.lab, self.path, self.ran = page, lab, path, ""
        self.complaints: list[str] = []
        self.outside: set[str] = set()
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))
        page.on("dialog", self._on_dialog)
        page.on("request", self._on_request)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"console: {message.text} ({message.location.get('url', '')[:120]})")

    def _on_dialog(self, dialog: Dialog) -> None:
        self.complaints.append(f"dialogue: {dialog.message}")
        dialog.dismiss()

    def _on_request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in {"data", "blob"} and address.hostname != "127.0.0.1":
            self.outside.add(request.url)

    @property
    def panel(self) -> Locator:
        """The panel in front."""
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")

    @property
    def explorers(self) -> list[Locator]:
        """The explorers that are on the page."""
        return self.panel.locator(ANY).all()

    def open(self) -> None:
        """Open the notebook and wait until its kernel answers."""
        self.page.goto(self.lab.page(self.path), timeout=PATIENCE)
        self.page.locator("#jupyterlab-splash").wait_for(state="detached", timeout=PATIENCE)
        self.panel.locator(".jp-Notebook").wait_for(timeout=PATIENCE)
        self.wait_for_kernel()

    def wait_for_kernel(self) -> None:
        """Wait until the kernel of the notebook in front answers."""
        self.page.evaluate(READY)
        self.page.wait_for_function("() => window.kernelReady", timeout=2 * PATIENCE)

    def command(self, name: str, **options: object) -> str:
        """Return how a command of JupyterLab ended: "done: ..." or "failed: ..."."""
        self.page.evaluate(COMMAND, [name, options])
        return self.command_end()

    def command_end(self, *, limit: int = PATIENCE) -> str:
        """Wait for the last command and return how it ended."""
        self.page.wait_for_function("() => window.commandState !== 'pending'", timeout=limit)
        return self.page.evaluate("() => window.commandState")

    def run_all(self) -> None:
        """Run every cell and wait for the last."""
        self.page.evaluate(COMMAND, ["notebook:run-all-cells", {}])
        self.finish()

    def start(self) -> None:
        """Open the notebook and begin to run all its cells, without waiting for them."""
        self.open()
        self.page.evaluate(COMMAND, ["notebook:run-all-cells", {}])

    def finish(self) -> None:
        """Wait until every cell has run; `ran` is "done: true" when all of them did without an error."""
        self.page.bring_to_front()
        self.ran = self.command_end(limit=RUN_LIMIT)

    def close_front(self) -> None:
        """Close the notebook in front, without the question whether to save it, and come back to this one."""
        self.page.evaluate("() => { window.jupyterapp.shell.currentWidget.context.model.dirty = false; }")
        self.command("application:close")
        self.wait_until_in_front(self.path.name)

    def wait_until_in_front(self, name: str) -> None:
        """Wait until the notebook of this name is the one in front."""
        front = "path => window.jupyterapp.shell.currentWidget?.context?.path === path"
        self.page.wait_for_function(front, arg=f"notebooks/{name}", timeout=PATIENCE)

    @contextlib.contextmanager
    def all_rendered(self) -> Iterator[None]:
        """Lay out cells that are out of sight as well; JupyterLab spares itself that, and then nothing can be measured."""
        style = self.page.add_style_tag(content=".jp-Cell { content-visibility: visible !important; }")
        yield
        style.evaluate("element => element.remove()")

    def cell(self, position: int) -> Locator:
        """The cell at this position of the notebook, scrolled into view."""
        cell = self.panel.locator(f'.jp-Cell[data-windowed-list-index="{position}"]')
        cell.scroll_into_view_if_needed(timeout=PATIENCE)
        return cell

    def run_cell(self, position: int, source: str) -> str:
        """Type `source` over the cell, press Shift+Enter, and return the last line that it prints."""
        cell = self.cell(position)
        prompt = cell.locator(".jp-InputPrompt").first
        before = prompt.inner_text()
        cell.locator(".cm-content").first.click(timeout=PATIENCE)
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(source)
        self.page.keyboard.press("Shift+Enter")
        expect(prompt).not_to_have_text(before, timeout=PATIENCE)  # [*] first, then the new number
        expect(prompt).to_have_text(NUMBERED, timeout=PATIENCE)
        printed = cell.locator(".jp-OutputArea-output").last.inner_text(timeout=PATIENCE)
        return printed.strip().splitlines()[-1]
