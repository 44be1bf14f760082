"""What the sections have in common: tables, turns, and caches of their own."""

import contextlib
import importlib.metadata
import os
import platform
import shutil
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

PACKAGES = ("tensorflow", "keras", "numpy", "onnxruntime", "openvino")


@dataclass
class Table:
    """One section's answer: a title, rows with the same keys, and a sentence on how it was measured."""

    title: str
    rows: list[dict]
    note: str


def markdown(table: Table) -> str:
    """Return the table as GitHub's Markdown."""
    heads = list(table.rows[0])
    lines = [heads, ["---"] * len(heads), *([str(row[head]) for head in heads] for row in table.rows)]
    return "\n".join([f"## {table.title}", "", *(f"| {' | '.join(line)} |" for line in lines), "", table.note])


def machine() -> str:
    """Return one line on the processor, the system and the packages; nothing that names the machine."""
    packages = ", ".join(f"{name} {_version(name)}" for name in PACKAGES)
    system = f"{platform.system()}, Python {platform.python_version()}"
    return f"{_processor()}, {os.cpu_count()} cores; {system}; {packages}; {time.strftime('%Y-%m-%d')}."


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _processor():
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


@dataclass
class Times:
    """What one candidate took in each round: seconds on the clock, and seconds of all processor cores together."""

    clock: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)


def in_turns(candidates: dict, *, rounds: int) -> dict[str, Times]:
    """Return the times of each candidate; all take part in every round, in changing order."""
    times = {name: Times() for name in candidates}
    for number in range(rounds):
        for name in list(candidates)[:: -1 if number % 2 else 1]:
            before = time.process_time()
            times[name].clock.append(timed(candidates[name]))
            times[name].processor.append(time.process_time() - before)
    return times


def timed(function) -> float:
    """Return how many seconds one call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def median_ratio(numerators: list[float], denominators: list[float]) -> float:
    """Return the median over the rounds of one candidate's seconds divided by another's in the same round."""
    return statistics.median(a / b for a, b in zip(numerators, denominators, strict=True))


@contextlib.contextmanager
def fresh_cache():
    """Run with a cache folder that holds the weights and nothing else."""
    from helpers._machinery.weights import ASSETS, load_weights

    for name in ASSETS:
        load_weights(name)
    weights = [asset.path for asset in ASSETS.values()]
    before = os.environ.get("WORKBOOK_CACHE")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["WORKBOOK_CACHE"] = folder
        for asset, path in zip(ASSETS.values(), weights, strict=True):
            if asset.path != path:  # not a file that the user names
                asset.path.parent.mkdir(exist_ok=True)
                shutil.copyfile(path, asset.path)
        try:
            yield Path(folder)
        finally:
            os.environ.pop("WORKBOOK_CACHE")
            os.environ |= {"WORKBOOK_CACHE": before} if before else {}
