"""The sections of the benchmark: each is a function without arguments that returns a `Table`."""

import json
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

from benchmarks import engines, folders, latency, take_home, training
from benchmarks.tables import Table, fresh_cache, in_turns, median_ratio, timed

ROUNDS = 9
NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def _images(number, size):
    return np.random.default_rng(0).integers(0, 256, (number, size, size, 3), dtype="uint8")


def engines_section() -> Table:
    """Compare the speed of VGG16's features here with that of ONNX Runtime and OpenVINO."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(engines.THREADS)
    rows = _engine_rows(96, 32, rounds=ROUNDS) + _engine_rows(224, 8, rounds=ROUNDS)
    note = (
        f"Block 5, pooled, float32, {engines.THREADS} threads; medians of {ROUNDS} rounds in turns. The workbook starts from"
        " pixels, the others from preprocessed batches, each of the size (1, 8 or 32) that suits it best."
    )
    return Table("VGG16 features, images a second", rows, note)


def _engine_rows(size, number, *, rounds):
    from helpers.vgg16 import load_vgg16, preprocess_vgg16

    images, model = _images(number, size), engines.onnx_bytes()
    ready = np.ascontiguousarray(preprocess_vgg16(images).transpose(0, 3, 1, 2))
    ours = engines.workbook(load_vgg16(input_shape=(size, size, 3)))
    candidates, expected = {"workbook": lambda: ours(images)}, ours(images)
    for name in ("onnx_runtime", "openvino"):
        try:
            candidates[name] = _fastest_batches(getattr(engines, name), model, ready)
        except ImportError:
            continue
        error = np.abs(candidates[name]() - expected).max() / np.abs(expected).max()
        assert error < 1e-4, f"{name} computes something else: relative difference {error}"
    times = in_turns(candidates, rounds=rounds)
    fastest = min(times, key=lambda name: statistics.median(times[name].clock))
    return [
        {
            "image": f"{size} px",
            "engine": name.replace("_", " "),
            "images a second": f"{number / statistics.median(taken.clock):.1f}",
            "of the fastest": f"{median_ratio(times[fastest].clock, taken.clock):.2f}",
            "processor time an image": f"{1000 * statistics.median(taken.processor) / number:.0f} ms",
        }
        for name, taken in times.items()
    ]


def _fastest_batches(engine, model, ready):
    """Return a function that computes all images in batches of the size that this engine likes best."""

    def run(compiled, batch_size):
        batches = [compiled(ready[i : i + batch_size]) for i in range(0, len(ready), batch_size)]
        return np.concatenate([batch.reshape(len(batch), -1) for batch in batches])

    choices = {}
    for batch_size in (1, 8, 32):
        if len(ready) % batch_size == 0:
            compiled = engine(model, batch_size, ready.shape[-1])
            compiled(ready[:batch_size])
            choices[batch_size] = lambda compiled=compiled, batch_size=batch_size: run(compiled, batch_size)
    return min(choices.values(), key=timed)


def cached_section() -> Table:
    """Compare the first extraction of features with the second."""
    from helpers.features import extract_features
    from helpers.vgg16 import load_vgg16

    images, base_model = _images(1000, 96), load_vgg16()
    with fresh_cache():
        first = timed(lambda: extract_features(images, base_model=base_model))
        second = statistics.median(timed(lambda: extract_features(images, base_model=base_model)) for _ in range(5))
    row = {
        "images": 1000,
        "first": f"{first:.1f} s",
        "second": f"{second:.3f} s",
        "ratio": f"{first / second:.0f}",
    }
    return Table("Features from the cache", [row], "Block 5, pooled, 96 px; the second is the median of 5 runs.")


MEMORY = """
import json, sys
import numpy as np, psutil
from helpers.features import extract_features
from helpers.vgg16 import load_vgg16

generator = np.random.default_rng(0)
stream = (generator.integers(0, 256, (32, 32, 3), dtype="uint8") for _ in range(int(sys.argv[1])))
features = extract_features(stream, base_model=load_vgg16("random", input_shape=(32, 32, 3)))
assert features.shape == (int(sys.argv[1]), 512)
if sys.platform == "win32":
    peak = psutil.Process().memory_info().peak_wset
else:
    import resource
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(json.dumps(peak))
"""


def memory_section() -> Table:
    """Compare the peak memory of many images with that of a few."""
    numbers, peaks = (1000, 10_000), []
    with fresh_cache():
        for number in numbers:
            command = [sys.executable, "-c", MEMORY, str(number)]
            peaks.append(json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout))
    rows = [
        {"images": number, "peak memory": f"{peak / 1e6:.0f} MB", "of the first": f"{peak / peaks[0]:.3f}"}
        for number, peak in zip(numbers, peaks, strict=True)
    ]
    return Table("Memory", rows, "Images of 32 px from a generator, block 5, pooled, stored; a process each, whole.")


IMPORT = """
import json, sys, time
start = time.perf_counter()
import helpers
print(json.dumps([time.perf_counter() - start, "tensorflow" in sys.modules or "keras" in sys.modules]))
"""


def imports_section() -> Table:
    """Measure `import helpers`, and whether it brings TensorFlow with it."""
    runs = [subprocess.run([sys.executable, "-c", IMPORT], stdout=subprocess.PIPE, check=True) for _ in range(7)]
    seconds, heavy = zip(*(json.loads(run.stdout) for run in runs), strict=True)
    row = {
        "import": "helpers",
        "time": f"{1000 * statistics.median(seconds):.0f} ms",
        "TensorFlow": "imported" if any(heavy) else "not imported",
    }
    return Table("Import", [row], "Median of 7 new processes.")


def notebooks_section() -> Table:
    """Run every notebook as a reader would the first time: weights fetched, no features stored."""
    rows = []
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        with fresh_cache():
            rows.append(_notebook_row(path))
    return Table("Notebooks", rows, "From the start of the kernel to the last cell; memory is that of the kernel.")


def _notebook_row(path):
    import nbformat
    from nbclient import NotebookClient

    resources = {"metadata": {"path": str(path.parent)}}
    client = NotebookClient(nbformat.read(path, 4), timeout=600, kernel_name="python3", resources=resources)
    peak, done, start = [0], threading.Event(), time.perf_counter()
    watcher = threading.Thread(target=_watch_memory, args=(client, peak, done))
    watcher.start()
    try:
        client.execute()
        answer = f"{time.perf_counter() - start:.0f} s"
    except Exception as error:
        answer = f"failed: {str(error).strip().splitlines()[-1][:60]}"
    finally:
        done.set()
        watcher.join()
    return {"notebook": path.stem, "time": answer, "peak memory": f"{peak[0] / 1e6:.0f} MB"}


def _watch_memory(client, peak, done):
    import psutil

    while not done.wait(0.1):
        process = getattr(getattr(client.km, "provisioner", None), "process", None)
        if process is not None:
            try:
                peak[0] = max(peak[0], psutil.Process(process.pid).memory_info().rss)
            except psutil.NoSuchProcess:
                continue


SECTIONS = {
    "engines": engines_section,
    "cached": cached_section,
    "memory": memory_section,
    **folders.SECTIONS,
    "imports": imports_section,
    **training.SECTIONS,
    **take_home.SECTIONS,
    "notebooks": notebooks_section,
    **latency.SECTIONS,
}
