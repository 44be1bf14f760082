"""Resolve the three locks anew from pyproject.toml, with uv: `make lock`.

Versions that still fit are kept; `python tools/lock.py --upgrade` takes the newest. The other files have only what a GPU
adds to requirements.lock, and what a class: `pip install -r requirements.lock -r requirements-gpu.lock` meets each package
once.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK, GPU_LOCK = ROOT / "requirements.lock", ROOT / "requirements-gpu.lock"
CLASSROOM_LOCK = ROOT / "requirements-classroom.lock"
EXTRAS = ("test", "site", "bench")
UNIVERSAL = ("--universal", "--python-version", "3.11")
QUIET = ("--quiet", "--generate-hashes", "--no-emit-index-url", "--no-emit-find-links", "--no-header")
ENTRY = re.compile(r"^(?P<name>[A-Za-z0-9][\w.-]*)==[^\n]*\n(?:[ ]+[^\n]*\n)*", re.MULTILINE)


def find_uv() -> str:
    """Return the uv to run; exit with one sentence when there is none."""
    uv = os.environ.get("UV") or shutil.which("uv") or shutil.which("uv", path=Path(sys.executable).parent)
    if uv is None:
        sys.exit("make lock needs uv: install it (pip install uv), or let the variable UV name it.")
    return uv


def resolve(output: Path, *, extras: tuple[str, ...], options: list[str]) -> str:
    """Return the text of the lock that uv writes to `output` for the project with these extras."""
    chosen = [argument for extra in extras for argument in ("--extra", extra)]
    command = [find_uv(), "pip", "compile", "pyproject.toml", *chosen, *UNIVERSAL, *QUIET, *options]
    subprocess.run([*command, "--output-file", str(output)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return output.read_text(encoding="utf-8")


def entries(lock: str) -> dict[str, str]:
    """Return the text of each pinned package by its name and markers, comments left out."""
    found = {}
    for match in ENTRY.finditer(lock):
        lines = [line for line in match.group().splitlines() if not line.lstrip().startswith("#")]
        found[lines[0].rstrip(" \\")] = "\n".join(lines) + "\n"
    return found


def only_on_linux(entry: str) -> str:
    """Return an entry of the GPU lock with the marker that keeps it to Linux, where its wheels exist."""
    head, _, rest = entry.partition(" \\\n")
    pin, _, marker = head.partition(" ; ")
    linux = f"({marker}) and sys_platform == 'linux'" if marker else "sys_platform == 'linux'"
    return f"{pin} ; {linux} \\\n{rest}"


def additions(extra: str, main: str) -> dict[str, str]:
    """Return what an extra adds to the main lock; exit when the two would pin one package apart."""
    with tempfile.TemporaryDirectory() as folder:
        whole = resolve(Path(folder) / "whole.lock", extras=(*EXTRAS, extra), options=["-c", LOCK.name])
    known = entries(main)
    added = {pin: text for pin, text in entries(whole).items() if pin not in known}
    names = {pin.partition("==")[0] for pin in known}
    apart = sorted(pin for pin in added if pin.partition("==")[0] in names)
    if apart:
        sys.exit(f"With the extra {extra} other versions would be needed: {', '.join(apart)}.")
    return dict(sorted(added.items()))


def main(arguments: list[str]) -> None:
    """Write the three locks."""
    text = resolve(LOCK, extras=EXTRAS, options=arguments)
    gpu, classroom = additions("gpu", text), additions("classroom", text)
    GPU_LOCK.write_text("".join(map(only_on_linux, gpu.values())), encoding="utf-8")
    CLASSROOM_LOCK.write_text("".join(classroom.values()), encoding="utf-8")
    print(f"{len(entries(text))} entries in {LOCK.name}, {len(gpu)} more for a GPU, {len(classroom)} for a class.")


if __name__ == "__main__":
    main(sys.argv[1:])
