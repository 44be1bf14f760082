"""Make `.venv-classroom`: nbgrader beside the packages of `.venv`, or do nothing when that is done: `make classroom`.

It has only what a class adds, and finds everything else in `.venv`. So the JupyterLab of somebody who works alone stays as
it is: nbgrader would put buttons there. Run it with the Python of `.venv`.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from setup_environment import PIP, ROOT, SetupError, os

VENV, LOCK = ROOT / ".venv-classroom", ROOT / "requirements-classroom.lock"
PYTHON, STAMP = VENV / "bin" / "python", VENV / "workbook-setup.txt"


def wanted() -> str:
    """Return what the stamp says of an environment that is up to date."""
    beside = sysconfig.get_path("purelib")
    return f"{VENV}\n{sys.version}\n{beside}\n{hashlib.sha256(LOCK.read_bytes() + Path(__file__).read_bytes()).hexdigest()}"


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
    beside = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    (packages / "workbook.pth").write_text(beside, encoding="utf-8")
    STAMP.write_text(wanted(), encoding="utf-8")


if __name__ == "__main__":
    try:
        set_up()
    except (SetupError, OSError) as error:
        sys.exit(f"Set-up for classes stopped: {error}")
