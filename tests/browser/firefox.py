"""Firefox, driven over WebDriver BiDi, the protocol that it speaks itself: no driver program is needed beside it.

Playwright drives only a Firefox of its own making, and Selenium wants geckodriver, which Debian does not have.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import pytest
from websocket import WebSocket, create_connection

BROWSERS = ("firefox-esr", "firefox")
NO_FIREFOX = "No Firefox was found, so the films were tried in one engine only (Debian and Ubuntu: apt install firefox-esr)."
START_LIMIT = 60  # seconds


class Firefox:
    """One page of a running Firefox."""

    def __init__(self, connection: WebSocket) -> None:
        self.connection, self.number = connection, 0
        self.call("session.new", capabilities={})
        self.page = self.call("browsingContext.getTree")["contexts"][0]["context"]

    def call(self, method: str, **parameters: Any) -> Any:
        """Return what the browser answers to one command; what it answers to nobody is passed over."""
        self.number += 1
        self.connection.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while (answer := json.loads(self.connection.recv())).get("id") != self.number:
            pass
        assert answer["type"] == "success", answer
        return answer["result"]

    def open(self, address: str) -> None:
        """Open a page and wait until it has loaded."""
        self.call("browsingContext.navigate", context=self.page, url=address, wait="complete")

    def run(self, function: str, argument: str) -> Any:
        """Return what an asynchronous function of the page returns, as JSON has it."""
        code = f"async argument => JSON.stringify(await ({function})(argument))"
        argument = {"type": "string", "value": argument}
        options = {"target": {"context": self.page}, "awaitPromise": True, "arguments": [argument]}
        answer = self.call("script.callFunction", functionDeclaration=code, **options)
        assert answer["type"] == "success", answer.get("exceptionDetails", {}).get("text")
        return json.loads(answer["result"]["value"])


@contextlib.contextmanager
def firefox() -> Iterator[Firefox]:
    """Run a Firefox with an empty profile; without one the test is skipped, or fails under WORKBOOK_REQUIRE_FIREFOX=1."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        (pytest.fail if os.environ.get("WORKBOOK_REQUIRE_FIREFOX") == "1" else pytest.skip)(NO_FIREFOX)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [path, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", str(port)]
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield Firefox(_connected(port, running))
        finally:
            running.terminate()
            running.wait(20)


def _connected(port: int, running: subprocess.Popen) -> WebSocket:
    end = time.monotonic() + START_LIMIT
    while True:
        try:
            return create_connection(f"ws://127.0.0.1:{port}/session", timeout=60, suppress_origin=True)
        except OSError:
            if running.poll() is not None or time.monotonic() > end:
                raise RuntimeError("Firefox did not start") from None
            time.sleep(0.2)
