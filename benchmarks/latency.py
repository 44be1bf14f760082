"""How long an explorer makes a learner wait: from the key press to the new picture, in JupyterLab and on the site."""

import contextlib
import functools
import http.server
import importlib.util
import json
import shutil
import statistics
import sys
import tempfile
import threading
from pathlib import Path

from benchmarks.tables import Table

ROOT = Path(__file__).parents[1]
PRESSES = 40

# Runs in the notebook's own names, which it must not use itself.
TIMED = """
import json as _json, time as _time
from helpers.explorers import shell as _shell
_times = []
def _timed(kind, plain):
    def call(explorer, **values):
        start = _time.perf_counter()
        result = plain(explorer, **values)
        _times.append((explorer.name, kind, _time.perf_counter() - start))
        return result
    return call
_shell.Explorer.frame, _shell.record = _timed("draw", _shell.Explorer.frame), _timed("record", _shell.record)
"""
READ_TIMES = "print(_json.dumps(_times)); _times.clear()"
EXECUTE = """code => {
    window.printed = null;
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    const future = kernel.requestExecute({code, silent: false, store_history: false});
    let text = '';
    future.onIOPub = message => { if (message.header.msg_type === 'stream') text += message.content.text; };
    future.done.then(() => { window.printed = text; });
}"""
# From the key to the picture: of a film, when its canvas has been painted; of a live one, when its image is decoded.
WATCH = """box => {
    window.waits = [];
    let start = null, shown = null;
    const image = () => box.querySelector('img[src^="data:image/png"]');
    const look = () => box.dataset.shown ?? image().src;
    box.addEventListener('keydown', () => { start = performance.now(); shown = look(); }, true);
    new MutationObserver(async () => {
        if (start === null || look() === shown) return;
        const began = start;
        start = null;
        if (box.dataset.shown === undefined) await image().decode();
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
        f"Milliseconds from the key press to the painted picture, median and 95th percentile of {PRESSES} presses. Films "
        "should stay below 10, live ones below 100. Recording happens once, when the explorer is shown."
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
        _site(Path(folder)) as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium)
        for path in course.NOTEBOOKS:
            if "[explorer]" in path.read_text(encoding="utf-8"):
                notebook = OpenNotebook(browser.new_page(), lab, path)
                notebook.open()
                _execute(notebook.page, TIMED)
                notebook.run_all()
                if notebook.ran != "done: true":
                    raise RuntimeError(f"{path.name} did not run to its end")
                page = browser.new_page()
                page.goto(f"{address}/notebooks/{path.stem}.html")
                rows += _rows(notebook, page.locator("[data-film]").all())
                page.close()
                notebook.page.close()
                lab.shut_kernels_down()
        browser.close()
    return rows


@contextlib.contextmanager
def _site(folder):
    """Render the site, serve it, and yield its address."""
    spec = importlib.util.spec_from_file_location("build_site", ROOT / "tools" / "build_site.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if module.build(folder / "site"):
        raise RuntimeError("the site could not be rendered: see above")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder / "site")) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _rows(notebook, on_site):
    from browser.explorer_driver import ANY

    notebook.panel.locator(ANY).nth(len(on_site) - 1).wait_for(state="attached")
    recorded = {name: seconds for name, kind, seconds in _times(notebook.page) if kind == "record"}
    for box, film in zip(notebook.explorers, on_site, strict=True):
        name = box.get_attribute("aria-label")
        _open(box)
        _open(film)
        in_lab = _press_keys(box)
        drawn = [1000 * seconds for _, kind, seconds in _times(notebook.page) if kind == "draw"]
        how = f"film, recorded in {recorded[name]:.1f} s" if name in recorded else f"live, drawn in {_summary(drawn)}"
        yield {
            "notebook": notebook.path.stem,
            "explorer": name,
            "kind": how,
            "in JupyterLab": _summary(in_lab),
            "on the site": _summary(_press_keys(film)),
        }


def _open(box):
    """Pass over the question that may come before a picture."""
    box.locator("form, canvas, img").first.wait_for()
    if box.locator("form").count():
        box.get_by_text("Show me").click()


def _times(page):
    return json.loads(_execute(page, READ_TIMES))


def _execute(page, code):
    """Return what some code prints that is run in the kernel of the notebook in front."""
    page.evaluate(EXECUTE, code)
    page.wait_for_function("() => window.printed !== null", timeout=60_000)
    return page.evaluate("() => window.printed")


def _press_keys(box):
    """Return the waits in milliseconds; controls take turns, each walks to its end and back."""
    from playwright.sync_api import TimeoutError

    page = box.page
    page.bring_to_front()
    box.scroll_into_view_if_needed()
    box.evaluate(WATCH)
    controls = box.locator("[role=slider], input[type=range], select").all()
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
    return f"{statistics.median(values):.1f}, {cuts[-1]:.1f}"


SECTIONS = {"latency": latency_section}
