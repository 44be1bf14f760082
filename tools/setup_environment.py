"""Make `.venv` and install the workbook in it, or do nothing when that is done already: `make setup`.

Any Python from 3.8 on can run this file, which looks for one that can run the workbook; pip's log is `.venv/install.log`.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
VENV_PYTHON, LOG, STAMP = VENV / "bin" / "python", VENV / "install.log", VENV / "workbook-setup.txt"
LOCK, GPU_LOCK = "requirements.lock", "requirements-gpu.lock"
OVERRIDES = VENV / "share/jupyter/lab/settings/overrides.d/workbook.json"  # JupyterLab's defaults: a learner may choose
NO_NEWS = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}

SUPPORTED = ("3.11", "3.12", "3.13")
NAMES = ("python3", "python3.13", "python3.12", "python3.11", "python")
REMEDY = "the workbook needs 3.11, 3.12 or 3.13. Install one, or name it: make lab PYTHON=python3.12"
PROBE = "import sys; print('.'.join(map(str, sys.version_info[:3])), flush=True); import ensurepip, venv"
CARDS = ("/dev/nvidia0", "/proc/driver/nvidia/gpus/*", "/usr/lib/wsl/lib/nvidia-smi")
PIP = {"PIP_USER": "0", "PIP_TARGET": "", "PIP_PREFIX": "", "PIP_ROOT": "", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


class SetupError(Exception):
    """The one sentence that a person reads when the set-up cannot go on."""


def probe(python: str | Path) -> tuple[str, bool]:
    """Return the version of a Python, "" when it does not run, and whether it can make virtual environments."""
    try:
        answer = subprocess.run([python, "-I", "-c", PROBE], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return "", False
    return answer.stdout.strip(), answer.returncode == 0


def choose_python(named: str) -> tuple[str, str]:
    """Return path and version of the Python named, or of the first on PATH that will do; else raise `SetupError`."""
    on_path = (shutil.which(name, path=folder) for name in NAMES for folder in os.get_exec_path())
    bare, problem = "", f"PYTHON={named} is not a Python that runs" if named else "No Python was found"
    for path in filter(None, [shutil.which(os.path.expanduser(named))] if named else on_path):
        version, makes_venvs = probe(path)
        minor = version.rpartition(".")[0]
        if minor in SUPPORTED and makes_venvs:
            return path, version
        if minor in SUPPORTED:
            package = f"on Debian and Ubuntu: apt install python{minor}-venv"
            bare = f"Python {version} at {path} cannot make virtual environments: install its venv module ({package})"
        elif version:
            problem = f"Python {version} at {path} is not supported"
    raise SetupError(f"{bare}, or name another Python: make lab PYTHON=python3.12" if bare else f"{problem}: {REMEDY}")


def wants_gpu(device: str) -> bool:
    """Return whether the device calls for CUDA; raise `SetupError` when it names a GPU and there is none."""
    card = any(map(glob.glob, CARDS))
    if device == "gpu" and not card and shutil.which("nvidia-smi") is None:
        lacks = "no NVIDIA card with its driver was found on this machine"
        raise SetupError(f"DEVICE=gpu asks for a GPU, but {lacks}: use DEVICE=auto or DEVICE=cpu.")
    return device == "gpu" or (device == "auto" and card)


def make_venv(python: str) -> None:
    """Make an empty `.venv` in place of the one there; raise `SetupError` when something else has its name."""
    remains = {".gitignore", "bin", "etc", "include", "lib", "lib64", "share", LOG.name, STAMP.name}
    if VENV.is_dir() and not (VENV / "pyvenv.cfg").exists() and set(os.listdir(VENV)) - remains:
        raise SetupError(f"{VENV} is in the way and is no virtual environment: move it away and try again.")
    STAMP.unlink(missing_ok=True)
    answer = subprocess.run([python, "-I", "-m", "venv", "--clear", VENV], capture_output=True, text=True)
    if answer.returncode:
        said = (answer.stdout + answer.stderr).strip().splitlines() or ["without a word"]
        raise SetupError(f"{python} cannot make {VENV} ({said[-1]}).")


def pip_install(*arguments: str) -> None:
    """Run `pip install`, its output in the log; raise `SetupError` with its last complaint when it fails."""
    command = [VENV_PYTHON, "-I", "-m", "pip", "install", "--no-deps", "--no-input", "--progress-bar=off", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "encoding": "utf-8", "errors": "replace"}
    said = ["without a word"]
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, **PIP}, **pipes) as pip, LOG.open("ab", 0) as log:
        for line in pip.stdout:
            said.append(line.strip() or said[-1])
            log.write(line.encode())
            if line.startswith("Installing collected packages"):
                STAMP.unlink(missing_ok=True)  # from here on .venv is not what it was
            if sys.stdout.isatty():
                print("\033[K  " + said[-1][: shutil.get_terminal_size().columns - 3], end="\r", flush=True)
        print("\033[K" if sys.stdout.isatty() else "", end="", flush=True)
    if pip.returncode:
        complaints = [line for line in said if line.startswith("ERROR: ")] or said
        raise SetupError(f"pip failed ({complaints[-1]}). Is a package index within reach? All that pip said: {LOG}")


def set_up(*, named: str, device: str) -> None:
    """Bring `.venv` to what the locks say; return at once when the stamp says that it is there already."""
    stamp = os.fsdecode(STAMP.read_bytes()).split("\n") if STAMP.exists() else []
    whole = stamp[:2] == [str(VENV), probe(VENV_PYTHON)[0]]  # all packages are there, nobody moved it, its Python runs
    python, version = choose_python(named) if named or not whole else (str(VENV_PYTHON), stamp[1])
    locks = [LOCK, GPU_LOCK] if wants_gpu(device) or GPU_LOCK in stamp else [LOCK]
    inputs = b"\0".join((ROOT / name).read_bytes() for name in (*locks, "pyproject.toml", "tools/setup_environment.py"))
    wanted = [str(VENV), version, *locks, hashlib.sha256(inputs).hexdigest()]
    if whole and stamp == wanted:
        return
    started = time.monotonic()
    if whole and stamp[1] == version:
        print("Bringing the packages in .venv up to date.", flush=True)
    else:
        print("Installing the packages into .venv: some minutes, this once.", flush=True)
        make_venv(python)
    LOG.write_bytes(b"")
    pip_install("--require-hashes", *(f"--requirement={name}" for name in locks))
    STAMP.write_bytes(os.fsencode("\n".join(wanted[:-1])))  # whole, and only the project is to come
    pip_install("--no-build-isolation", "--editable=.")
    OVERRIDES.parent.mkdir(parents=True, exist_ok=True)
    OVERRIDES.write_text(json.dumps(NO_NEWS), encoding="utf-8")
    STAMP.write_bytes(os.fsencode("\n".join(wanted)))
    print(f"The environment is ready: Python {version} in .venv, after {time.monotonic() - started:.0f} seconds.")


def main() -> None:
    """Read the options and set up; exit with 1 after one sentence when something is in the way."""
    parser = argparse.ArgumentParser(description="Make .venv and install the workbook in it.")
    parser.add_argument("--python", default="", help="the Python to make it with (default: the first fit one)")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "gpu"), help="gpu adds CUDA")
    arguments = parser.parse_args()
    try:
        with contextlib.suppress(OSError):  # two at once take turns, where the file system has locks
            fcntl.flock(os.open(ROOT, os.O_RDONLY), fcntl.LOCK_EX)
        set_up(named=arguments.python, device=arguments.device)
    except KeyboardInterrupt:
        sys.exit("Set-up stopped: interrupted; the next run starts afresh.")
    except (SetupError, OSError) as error:
        sys.exit(f"Set-up stopped: {error}")


if __name__ == "__main__":
    main()
