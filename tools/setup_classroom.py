"""Make `.venv-classroom`: nbgrader beside the packages of `.venv`, or do nothing when that is done: `make classroom`.

It has only what a class adds, and finds everything else in `.venv`. So the JupyterLab of somebody who works alone stays as
it is: nbgrader would put buttons there. Run it with the Python of `.venv`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from setup_environment import PIP, ROOT, SetupError

PROXY = "configurable-http-proxy@5.3.0"  # for the rehearsal with JupyterHub
VENV, LOCK = ROOT / ".venv-classroom", ROOT / "requirements-classroom.lock"
BESIDE = str(Path(sysconfig.get_path("purelib")).resolve())
PYTHON, STAMP = VENV / "bin" / "python", VENV / "workbook-setup.txt"


def wanted() -> str:
    """Return what the stamp says of an environment that is up to date."""
    return f"{VENV}\n{sys.version}\n{BESIDE}\n{hashlib.sha256(LOCK.read_bytes() + Path(__file__).read_bytes()).hexdigest()}"


def add_proxy() -> None:
    """Install the proxy of JupyterHub where npm is; without it only the rehearsal with a hub is left out."""
    if npm := shutil.which("npm"):
        try:
            run(npm, "install", "--silent", "--no-save", "--prefix", VENV, PROXY)
        except SetupError as error:
            print(f"{PROXY} could not be installed ({error}): no rehearsal with a hub here.")


def run(*command: str | Path) -> None:
    """Run a command silently; raise `SetupError` with its last complaint when it fails."""
    answer = subprocess.run(command, cwd=ROOT, env={**os.environ, **PIP}, capture_output=True, text=True)
    if answer.returncode:
        said = (answer.stdout + answer.stderr).strip().splitlines() or ["without a word"]
        raise SetupError(next((line for line in said if line.startswith("ERROR: ")), said[-1]))


def set_up() -> None:
    """Bring `.venv-classroom` to what its lock says."""
    if STAMP.exists() and STAMP.read_text(encoding="utf-8") == wanted():
        return
    print("Installing nbgrader into .venv-classroom: a minute, this once.", flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    run(sys.executable, "-I", "-m", "venv", VENV)
    options = ("--no-deps", "--no-input", "--require-hashes", "--progress-bar=off")
    run(PYTHON, "-I", "-m", "pip", "install", *options, "--requirement", LOCK)
    [packages] = VENV.glob("lib/python*/site-packages")
    (packages / "workbook.pth").write_text(f"import site; site.addsitedir({BESIDE!r})\n", encoding="utf-8")
    add_proxy()
    STAMP.write_text(wanted(), encoding="utf-8")


if __name__ == "__main__":
    try:
        set_up()
    except (SetupError, OSError) as error:
        sys.exit(f"Set-up for classes stopped: {error}")
