"""JupyterLab for the length of a test run, whose every file goes to a temporary folder: as a server of its own on a copy
of the notebooks, and as `make lab` starts it for somebody who has never used Jupyter."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Collection, Iterator
from pathlib import Path

import course

QUIET = {  # no question about news, no autosave in the middle of a test; else as a learner finds it
    "@jupyterlab/apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
}
START_LIMIT = 180  # seconds; a busy machine takes its time


@dataclasses.dataclass(frozen=True)
class Lab:
    """A running JupyterLab: its address, its token, and the folder that it serves."""

    url: str
    token: str
    folder: Path

    @property
    def port(self) -> str:
        """The port of the address."""
        return self.url.rpartition(":")[2]

    @property
    def learner_file(self) -> Path:
        """Where the kernels of this server write down what has been solved."""
        return self.folder.parent / "learner.sqlite"

    def page(self, notebook: Path) -> str:
        """Return the address that opens a notebook in a workspace of its own."""
        workspace = f"{self.url}/lab/workspaces/{notebook.stem}"
        return f"{workspace}/tree/notebooks/{notebook.name}?reset&token={self.token}"

    def request(self, path: str, *, method: str = "GET") -> object:
        """Return what the server's own interface answers: parsed JSON, or None."""
        request = urllib.request.Request(f"{self.url}/api/{path}", method=method)
        request.add_header("Authorization", f"token {self.token}")
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def shut_kernels_down(self, *, keep: Collection[str] = ()) -> None:
        """End every kernel, so that the memory is free again, but not those of the notebooks named in `keep`."""
        for session in self.request("sessions"):
            if Path(session["path"]).name not in keep:
                with contextlib.suppress(urllib.error.HTTPError):  # it may just have gone by itself
                    self.request(f"sessions/{session['id']}", method="DELETE")


@contextlib.contextmanager
def jupyterlab(folder: Path) -> Iterator[Lab]:
    """Run JupyterLab on a copy of the notebooks in `folder`, which also takes all its settings."""
    root = folder / "workbook"
    shutil.copytree(course.ROOT / "notebooks", root / "notebooks", ignore=shutil.ignore_patterns(".*"))
    shutil.copyfile(course.ROOT / "README.md", root / "README.md")
    _write_settings(folder / "settings")
    lab = Lab(f"http://127.0.0.1:{_free_port()}", secrets.token_hex(16), root)
    folders = {
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    with _running(_command(lab), lab, folder, folders):
        yield lab


@contextlib.contextmanager
def make_lab(folder: Path) -> Iterator[Lab]:
    """Run `make lab` of this project in the home folder `folder`, where there is nothing; only caches are as they were."""
    lab = Lab(f"http://127.0.0.1:{_free_port()}", secrets.token_hex(16), course.ROOT)
    home = {
        "HOME": str(folder),
        "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache"),
        "LAB_FLAGS": f"--no-browser --ServerApp.port={lab.port} --ServerApp.port_retries=0",
    }
    with _running(["make", "--no-print-directory", "lab"], lab, folder, home):
        yield lab


@contextlib.contextmanager
def _running(command: list[str], lab: Lab, folder: Path, variables: dict[str, str]) -> Iterator[None]:
    """Run a command until it answers as `lab`; end it, and all kernels, afterwards."""
    log = folder / "server.log"
    with log.open("w") as file:
        server = subprocess.Popen(
            command,
            cwd=lab.folder,
            env=_environment(folder, lab.token) | variables,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        _wait(lab, server, log)
        yield
    finally:
        with contextlib.suppress(OSError):
            lab.shut_kernels_down()
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)


def _command(lab: Lab) -> list[str]:
    return [
        *(sys.executable, "-m", "jupyterlab", "--no-browser"),
        *(["--allow-root"] if getattr(os, "geteuid", lambda: 1)() == 0 else []),
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={lab.port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={lab.folder}",
        "--LabApp.expose_app_in_browser=True",
    ]


def _environment(folder: Path, token: str) -> dict[str, str]:
    """A learner's environment: progress bars on, and nothing that says that a test is running, or that make is."""
    ours = re.compile("PYTEST_|JUPYTER|IPYTHON|WORKBOOK_PROGRESS$|MAKE|MFLAGS|PYTHON$|DEVICE$|LAB_FLAGS$")
    kept = {name: value for name, value in os.environ.items() if not ours.match(name)}
    folders = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "IPYTHONDIR": "ipython",
        "WORKBOOK_LEARNER_FILE": "learner.sqlite",
    }
    return kept | {name: str(folder / part) for name, part in folders.items()} | {"JUPYTER_TOKEN": token}


def _write_settings(folder: Path) -> None:
    for name, values in QUIET.items():
        path = folder / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _wait(lab: Lab, server: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + START_LIMIT
    while True:
        try:
            return lab.request("status")
        except OSError:
            if server.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-3000:]}") from None
            time.sleep(0.2)
