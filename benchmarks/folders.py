"""A folder of many photographs: how long it takes to look through it, and that memory does not grow with their number."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.tables import Table, fresh_cache

NUMBERS, SIDE = (1000, 10_000), 256
MEASURE = """
import json, sys, time
import psutil
from helpers import extract_features, load_image_folder, load_vgg16

start = time.perf_counter()
loaded = load_image_folder(sys.argv[1], image_size=32)
looked = time.perf_counter() - start
base_model, start, count = load_vgg16("random", input_shape=(32, 32, 3)), time.perf_counter(), 0
for part in ("train", "validation", "test"):
    count += len(extract_features(loaded[f"{part}_images"], base_model=base_model))
extracted = time.perf_counter() - start
assert count == loaded.report.found
if sys.platform == "win32":
    peak = psutil.Process().memory_info().peak_wset
else:
    import resource
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(json.dumps([count, looked, extracted, peak, len(loaded.report.duplicates)]))
"""


def folders_section() -> Table:
    """Look through folders of JPEG files, and compute the features of all."""
    rows, peaks = [], []
    with fresh_cache(), tempfile.TemporaryDirectory() as folder:
        for number in NUMBERS:
            place = _write_photographs(Path(folder, str(number)), number)
            run = subprocess.run([sys.executable, "-c", MEASURE, place], stdout=subprocess.PIPE, check=True)
            count, looked, extracted, peak, groups = json.loads(run.stdout)
            peaks.append(peak)
            row = {"files": count, "load_image_folder": f"{looked:.1f} s", "features": f"{extracted:.1f} s"}
            row |= {"peak memory": f"{peak / 1e6:.0f} MB", "of the first": f"{peak / peaks[0]:.3f}"}
            rows.append(row | {"groups alike": groups})
    note = f"JPEG files of {SIDE} px on disk: patches of the photographs that come with packages, 14 classes. Every file is "
    note += "read, decoded, compared with all others; features at 32 px, block 5, pooled, stored. A process each, whole."
    return Table("A folder of photographs", rows, note)


def _write_photographs(folder: Path, number: int) -> Path:
    """Return the folder, in which now are about so many patches; 700 are written at a time."""
    from PIL import Image

    from helpers.data import load_textures

    names = load_textures(train_per_class=1, validation_per_class=1, test_per_class=1, image_size=16).class_names
    for start in range(0, number, 700):
        count = -(-min(700, number - start) // len(names))
        textures = load_textures(
            train_per_class=count, validation_per_class=1, test_per_class=1, image_size=SIDE, seed=start
        )
        for place, (image, label) in enumerate(zip(textures.train_images, textures.train_labels, strict=True)):
            path = folder / names[label] / f"{start + place:05d}.jpg"
            path.parent.mkdir(exist_ok=True, parents=True)
            Image.fromarray(image).save(path, quality=90)
    return folder


SECTIONS = {"folders": folders_section}
