"""A server of one file, on 127.0.0.1, with the faults that a test asks for."""

from __future__ import annotations

import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    """Answers every question with `body` and counts how often it was asked.

    It sends `chunk` bytes at a time and waits `pause` seconds after each, stops after `drop_after` bytes, answers with
    another `status`, and keeps the length to itself unless `says_length`.
    """

    daemon_threads = True

    def __init__(self, body: bytes, *, name: str, chunk: int) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.body, self.chunk, self.asked = body, chunk, 0
        self.pause, self.drop_after, self.says_length, self.status = 0.0, None, True, 200
        self.url = f"http://127.0.0.1:{self.server_port}/{name}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that was killed."""


class Answer(BaseHTTPRequestHandler):
    """One answer, by the settings of its server."""

    def do_GET(self) -> None:  # noqa: N802
        server = self.server
        server.asked += 1
        self.send_response(server.status)
        if server.says_length:
            self.send_header("Content-Length", str(len(server.body)))
        self.end_headers()
        last = server.drop_after or len(server.body)
        for start in range(0, last, server.chunk):
            self.wfile.write(memoryview(server.body)[start : min(last, start + server.chunk)])
            time.sleep(server.pause)

    def log_message(self, *ignored: object) -> None:
        """Print nothing."""
