"""Short programs that run without an error and are wrong, their repaired twins, and the one line that is different.

They stand in notebooks/bugs, the twins in notebooks/bugs/repaired. Each leaves `model`, `train`, `validation`, `history` and
`reported`, the accuracy that it would put into a report; its last line is a comment that says how to diagnose it.
"""

from __future__ import annotations

import contextlib
import difflib
import gc
import linecache
import logging
import sys
import tempfile
import types
import warnings
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).resolve().parents[1] / "notebooks" / "bugs"
PROGRAMS = tuple(sorted(path.stem for path in FOLDER.glob("*.py")))


def read_program(stem: str, *, repaired: bool = False) -> str:
    """Return the source of a program, "01_ten_digits", or of its repaired twin."""
    if stem not in PROGRAMS:
        raise ValueError(f"there is no program {stem!r}; choose from: {', '.join(PROGRAMS)}.")
    return (FOLDER / ("repaired" if repaired else "") / f"{stem}.py").read_text(encoding="utf-8")


def mistake(stem: str) -> list[tuple[int, str, str]]:
    """Return (line number from 1, the line, the line that repairs it) for each mistake of a program: none, one, or two."""
    broken, repaired = (read_program(stem, repaired=twin).splitlines() for twin in (False, True))
    changes = difflib.SequenceMatcher(None, broken, repaired, autojunk=False).get_opcodes()
    rows = [range(start, end) for kind, start, end, _, _ in changes if kind != "equal"]
    return [(row + 1, broken[row].strip(), repaired[row].strip()) for some in rows for row in some]


def run_program(source: str, *, name: str = "program") -> dict[str, Any]:
    """Return the names that a program leaves behind, run in an empty folder from a fresh Keras session.

    What it raises comes through. Twice the same source gives twice the same numbers.
    """
    import keras

    logging.getLogger("tensorflow").setLevel("ERROR")  # it warns that functions are traced again and again: they are new
    keras.utils.clear_session()
    gc.collect()
    module, lines = types.ModuleType(name), source.splitlines(keepends=True)
    sys.modules[name] = module  # so TensorFlow finds the source of functions in it
    linecache.cache[f"{name}.py"] = (len(source), None, lines, f"{name}.py")
    names = vars(module)
    names["_folder"] = tempfile.TemporaryDirectory()  # lives as long as the names: datasets read from it
    with contextlib.chdir(names["_folder"].name), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(source, f"{name}.py", "exec"), names)
    return names


def confirm(names: dict[str, Any], source: str) -> Any:
    """Return what `diagnose()` says of a program that was run: its last line, a comment, is the call."""
    from helpers import diagnostics  # a room above this one, which nothing there may import back

    call = source.strip().splitlines()[-1].removeprefix("# ")
    if not call.startswith("diagnose(model"):
        raise ValueError(f"the last line of a program is how to diagnose it, '# diagnose(model, ...)'; it is {call!r:.80}.")
    with contextlib.chdir(names["_folder"].name):
        return eval(call, names | {"diagnose": diagnostics.diagnose})


def true_accuracy(names: dict[str, Any], *, model: Any = None) -> float:
    """Return the share of untouched test pictures that the model of a program gets right, prepared as it prepares them.

    A program whose classes have other numbers than the data, or are fewer, says so in `class_names`.
    """
    data, model = names["data"], model or names["model"]
    class_names = names.get("class_names", data.class_names)
    if "_test" not in names:  # once for each run of a program, whatever epochs there are
        asked = [number for number, label in enumerate(data.test_labels) if data.class_names[label] in class_names]
        prepare = names.get("read", names.get("prepare", np.asarray))
        labels = np.array([class_names.index(data.class_names[label]) for label in data.test_labels[asked]])
        names["_test"] = prepare(data.test_images[asked]), labels
    images, labels = names["_test"]
    answers = np.asarray(model(images, training=False)).argmax(axis=-1)
    return float(np.mean(answers == labels))
