"""One JupyterLab and one Chromium for all browser tests, and each notebook opened and run once.

Both end with the last test of this folder: the tests that come later do not pay for their memory, and Playwright leaves an
event loop running in the thread of the tests as long as it is there.
"""

import functools
import http.server
import importlib.util
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import course
import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, sync_playwright

from .driver import OpenNotebook
from .server import Lab, jupyterlab

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
NO_BROWSER = (
    "No Chromium was found, so nothing was tried in a browser. Install one (Debian and Ubuntu: apt install chromium; "
    f"elsewhere Google Chrome will do) so that one of {', '.join(BROWSERS)} is on the PATH."
)
WINDOW = {"width": 1280, "height": 900}


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        (pytest.fail if os.environ.get("WORKBOOK_REQUIRE_BROWSER") == "1" else pytest.skip)(NO_BROWSER)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path)
        yield running
        running.close()


@pytest.fixture(scope="package")
def lab(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with jupyterlab(tmp_path_factory.mktemp("jupyterlab")) as running:
        yield running


@pytest.fixture(scope="package")
def context(browser: Browser) -> Iterator[BrowserContext]:
    window = browser.new_context(viewport=WINDOW)
    yield window
    window.close()


@pytest.fixture(scope="package")
def ahead() -> dict[Path, OpenNotebook]:
    """Notebooks whose cells run already while the one before them is looked at: the two cores share the work."""
    return {}


@pytest.fixture(scope="package", params=course.NOTEBOOKS, ids=lambda path: path.stem)
def notebook(
    request: pytest.FixtureRequest, context: BrowserContext, lab: Lab, ahead: dict[Path, OpenNotebook]
) -> Iterator[OpenNotebook]:
    """A notebook of which all cells have been run, shared by all tests of it, which come in the order of the file."""
    wanted = [item.callspec.params["notebook"] for item in request.session.items if _is_ours(item)]
    wanted = list(dict.fromkeys(wanted))
    opened = ahead.pop(request.param, None) or _started(context, lab, request.param)
    for path in wanted[wanted.index(request.param) + 1 :][:1]:
        ahead[path] = _started(context, lab, path)
    try:
        opened.finish()
        yield opened
    finally:
        opened.page.close()
        lab.shut_kernels_down(keep=[path.name for path in ahead])


def builder():
    """tools/build_site.py, as a module."""
    spec = importlib.util.spec_from_file_location("build_site", course.ROOT / "tools" / "build_site.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The static site, rendered anew."""
    folder = tmp_path_factory.mktemp("static") / "site"
    assert builder().build(folder) == 0, "Sphinx had warnings: see above"
    return folder


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="package")
def served(site: Path, context: BrowserContext) -> Iterator[tuple[Page, str]]:
    """A page of the browser and the address of the site; afterwards nothing may have been wanted from elsewhere."""
    handler = functools.partial(QuietHandler, directory=site)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address, page, complaints = f"http://127.0.0.1:{server.server_port}/", context.new_page(), []
        page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("response", lambda answer: answer.status >= 400 and complaints.append(answer.url))
        page.on(
            "request",
            lambda request: request.url.startswith((address, "data:")) or complaints.append(request.url),
        )
        yield page, address
        page.close()
        server.shutdown()
        assert complaints == []


def _is_ours(item: pytest.Item) -> bool:
    return "notebook" in getattr(item, "fixturenames", ()) and item.path.is_relative_to(Path(__file__).parent)


def _started(context: BrowserContext, lab: Lab, path: Path) -> OpenNotebook:
    opened = OpenNotebook(context.new_page(), lab, path)
    opened.start()
    return opened


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    """Say, with a failure, where the picture of the page is."""
    report = yield
    notebook = getattr(item, "funcargs", {}).get("notebook")
    if report.failed and notebook is not None:
        picture = Path(notebook.lab.folder.parent) / f"{item.name.replace('[', '-').rstrip(']')}.png"
        try:
            notebook.page.screenshot(path=picture)
            report.sections.append(("the page at that moment", str(picture)))
        except Error as error:  # a page that has crashed has no picture either
            report.sections.append(("no picture of the page", str(error)))
    return report
