"""How long an explorer makes a learner wait: from the key press to the new picture, in Python and in the browser."""

import contextlib
import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.tables import Table

ROOT = Path(__file__).parents[1]
PRESSES = 40
GOAL = 100  # milliseconds in the kernel

TIMED_REDRAW = """
import json, time
from helpers.explorers.shell import Explorer
drawing_times, plain_redraw = [], Explorer.redraw
def timed_redraw(self, change=None):
    start = time.perf_counter()
    plain_redraw(self, change)
    drawing_times.append((self.name, time.perf_counter() - start))
Explorer.redraw = timed_redraw
"""
READ_TIMES = "print(json.dumps(drawing_times)); drawing_times.clear()"
EXECUTE = """code => {
    window.printed = null;
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    const future = kernel.requestExecute({code, silent: false, store_history: false});
    let text = '';
    future.onIOPub = message => { if (message.header.msg_type === 'stream') text += message.content.text; };
    future.done.then(() => { window.printed = text; });
}"""
WATCH = """box => {
    window.waits = [];
    let start = null, source = null;
    const picture = () => box.querySelector('img[src^="data:image/png"]');
    box.addEventListener('keydown', () => { start = performance.now(); source = picture().src; }, true);
    new MutationObserver(async () => {
        const now = picture();
        if (start === null || now.src === source) return;
        const began = start;
        start = null;
        await now.decode();
        window.waits.push(performance.now() - began);
    }).observe(box, {subtree: true, childList: true, attributes: true});
}"""


def latency_section() -> Table:
    """Press keys on every slider and menu of every explorer, and wait for the picture each time."""
    sys.path.insert(0, str(ROOT / "tests"))
    from browser.conftest import BROWSERS, NO_BROWSER

    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    rows = _all_rows(path) if path else [{"explorer": NO_BROWSER}]
    note = (
        f"Milliseconds, median and 95th percentile of {PRESSES} key presses. In Python: drawing and encoding the picture, "
        f"which should stay below {GOAL}. In the browser: from the key press to the decoded picture in JupyterLab."
    )
    return Table("Explorers", rows, note)


def _all_rows(chromium):
    import course
    from browser.driver import OpenNotebook
    from browser.server import jupyterlab
    from playwright.sync_api import sync_playwright

    rows = []
    with (
        tempfile.TemporaryDirectory() as folder,
        jupyterlab(Path(folder)) as lab,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium)
        for path in course.NOTEBOOKS:
            if "[explorer]" in path.read_text(encoding="utf-8"):
                notebook = OpenNotebook(browser.new_page(), lab, path)
                rows += _notebook_rows(notebook)
                notebook.page.close()
                lab.shut_kernels_down()
        browser.close()
    return rows


def _notebook_rows(notebook):
    notebook.open()
    _execute(notebook.page, TIMED_REDRAW)
    notebook.run_all()
    _execute(notebook.page, READ_TIMES)
    for box in notebook.explorers:
        waits = _press_keys(box)
        drawn = json.loads(_execute(notebook.page, READ_TIMES))
        yield {
            "notebook": notebook.path.stem,
            "explorer": drawn[0][0],
            "in Python": _summary([1000 * seconds for _, seconds in drawn]),
            "in the browser": _summary(waits),
        }


def _execute(page, code):
    """Return what some code prints that is run in the kernel of the notebook in front."""
    page.evaluate(EXECUTE, code)
    page.wait_for_function("() => window.printed !== null", timeout=60_000)
    return page.evaluate("() => window.printed")


def _press_keys(box):
    """Return the waits in milliseconds; controls take turns, each walks to its end and back."""
    from playwright.sync_api import TimeoutError

    page = box.page
    box.scroll_into_view_if_needed()
    box.evaluate(WATCH)
    controls = box.locator("[role=slider], select").all()
    for number in range(PRESSES):
        control = controls[number % len(controls)]
        control.focus()
        before = page.evaluate("() => window.waits.length")
        page.keyboard.press(("ArrowRight", "ArrowLeft")[number // len(controls) // 3 % 2])
        with contextlib.suppress(TimeoutError):  # at its end already, or a value that looks the same
            page.wait_for_function("count => window.waits.length > count", arg=before, timeout=1500)
    return page.evaluate("() => window.waits")


def _summary(values):
    cuts = statistics.quantiles(values, n=20, method="inclusive")
    return f"{statistics.median(values):.0f}, {cuts[-1]:.0f}"


SECTIONS = {"latency": latency_section}
