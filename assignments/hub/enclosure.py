"""Where a rehearsal runs: namespaces whose processes all end with us, and what they see of this machine.

Where we are root, the hub and its people see the machine as it is but for three things. The list of users has theirs in it,
so no account of this machine is made or removed. Folders that hold the packages and that only root may pass, such as its
home, hold nothing but these packages. And of the project there is only `helpers`: no solution, no hidden check.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("jupyterhub", "jupyterlab", "nbgrader")
PROBE = f"""import sys
from importlib.util import find_spec
print(sys.prefix, sys.base_prefix, *sys.path, sep="\\n")
sys.exit(not all(map(find_spec, {PACKAGES})))"""
NEEDED = {"bwrap": "bubblewrap", "unshare": "util-linux", "setpriv": "util-linux"}  # programs, and their packages in Debian


@functools.cache
def python() -> Path | None:
    """Return a Python that has the packages of a classroom, or None."""
    return next((found for found in _candidates() if _folders_of(found)), None)


def _candidates() -> list[Path]:
    named = os.environ.get("WORKBOOK_CLASSROOM_PYTHON")
    places = filter(None, [named, ROOT / ".venv-classroom" / "bin" / "python", sys.executable])
    return [Path(place).absolute() for place in places]


@functools.cache
def _folders_of(program: Path) -> tuple[Path, ...]:
    """Return the folders that a Python and its packages live in; none when a package is missing."""
    with contextlib.suppress(OSError):
        answer = subprocess.run([program, "-I", "-c", PROBE], capture_output=True, text=True)
        if answer.returncode == 0:
            folders = [Path(line) for line in answer.stdout.splitlines() if Path(line).is_dir()]
            return tuple(dict.fromkeys([*folders, *(folder.resolve() for folder in folders)]))
    return ()


def prefixes() -> list[Path]:
    """Return the environments that the packages come from: `.venv-classroom` finds most of its own in `.venv`."""
    return list(dict.fromkeys(folder.parents[2] for folder in _folders_of(python()) if folder.name == "site-packages"))


def proxy() -> Path | None:
    """Return the program configurable-http-proxy, where npm put it, or None."""
    here = ROOT / ".venv-classroom" / "node_modules" / ".bin" / "configurable-http-proxy"
    found = os.environ.get("WORKBOOK_CLASSROOM_PROXY") or shutil.which("configurable-http-proxy") or here
    return Path(found).absolute() if Path(found).exists() else None


def what_is_missing() -> str:
    """Return a sentence that says what a rehearsal lacks on this machine, "" when all is here."""
    if python() is None:
        return f"the packages {', '.join(PACKAGES)} are not installed: `make classroom`"
    if proxy() is None:
        return "configurable-http-proxy is not installed: `npm install --prefix .venv-classroom configurable-http-proxy`"
    for program, package in NEEDED.items():
        if shutil.which(program) is None:
            return f"{program} is not installed: `apt install {package}`"
    if subprocess.run([*namespaces(), "true"], capture_output=True).returncode:
        return "this machine allows no namespaces, in which the processes of a rehearsal are kept together"
    return ""


def namespaces(*bindings: str, uid: int = 0) -> list[str]:
    """Return what to write before a command so that it ends with us, and with it everything that it has started."""
    alone = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    bound = ["setpriv", "--pdeathsig", "KILL"]  # the kernel forgets it when a process becomes somebody else: once more
    if os.geteuid():
        return [*bound, *alone, "--user", "--map-current-user"]
    person = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *bound] if uid else []
    return ["bwrap", "--dev-bind", "/", "/", "--die-with-parent", "--cap-add", "ALL", *bindings, *alone, *person]


def bindings(folder: Path) -> list[str]:
    """Return what the people of a rehearsal, whose files are in `folder`, see otherwise than root does."""
    arguments: list[str] = []
    for name in ("passwd", "group"):
        arguments += ["--ro-bind", str(folder / "hub" / name), f"/etc/{name}"]
    shown = {ROOT / "helpers", *_folders_of(python()), *prefixes(), proxy().resolve().parents[2], folder}
    bound, opened = set(), set()
    for path in sorted(shown, key=lambda path: (len(path.parts), path)):
        ways = [*itertools.dropwhile(_is_open, reversed(path.parents))]
        if not ways or bound & {*path.parents}:
            continue  # everybody can see it
        for depth, way in enumerate(ways):
            if way not in opened:
                arguments += ["--perms", "0755", "--dir" if depth else "--tmpfs", str(way)]
        arguments += ["--bind" if path == folder else "--ro-bind", str(path), str(path)]
        bound.add(path)
        opened |= {*ways}
    return arguments


def _is_open(folder: Path) -> bool:
    return folder != ROOT and bool(folder.stat().st_mode & stat.S_IXOTH)


def members(process: int) -> list[int]:
    """Return the numbers of a process and of all that descend from it."""
    found = [process]
    for parent in found:
        with contextlib.suppress(OSError):
            found += map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split())
    return found


def is_alive(process: int) -> bool:
    """Return whether a process still runs."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
