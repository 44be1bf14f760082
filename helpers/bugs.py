"""Short programs that run without an error and are wrong, their repaired twins, and the one line that is different.

They stand in notebooks/bugs, the twins in notebooks/bugs/repaired. Each leaves `model`, `train`, `validation`, `history` and
`reported`, the accuracy that it would put into a report; its last line is a comment that says how to diagnose it.
"""

from __future__ import annotations

import contextlib
import difflib
import linecache
import os
import sys
import tempfile
import types
import warnings
from collections.abc import Iterator
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

    keras.utils.clear_session()
    module, lines = types.ModuleType(name), source.splitlines(keepends=True)
    sys.modules[name] = module  # so TensorFlow finds the source of functions in it
    linecache.cache[f"{name}.py"] = (len(source), None, lines, f"{name}.py")
    with _empty_folder(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(source, f"{name}.py", "exec"), vars(module))
    return vars(module)


def confirm(names: dict[str, Any], source: str) -> Any:
    """Return what `diagnose()` says of a program that was run: its last line, a comment, is the call."""
    from helpers import diagnostics  # a room above this one, which nothing there may import back

    call = source.strip().splitlines()[-1].removeprefix("# ")
    if not call.startswith("diagnose(model"):
        raise ValueError(f"the last line of a program is how to diagnose it, '# diagnose(model, ...)'; it is {call!r:.80}.")
    return eval(call, names | {"diagnose": diagnostics.diagnose})


def true_accuracy(names: dict[str, Any], *, model: Any = None) -> float:
    """Return the share of untouched test pictures that the model of a program gets right, prepared as it prepares them.

    A program that knows its classes by other numbers says so in `class_names`; one that learns the digits 5 to 9 alone is
    asked about these.
    """
    data, model = names["data"], model or names["model"]
    images, labels = data.test_images, data.test_labels
    if "class_names" in names:
        labels = np.array([names["class_names"].index(data.class_names[label]) for label in labels])
    if "read" in names:
        features, labels = _read(names, images, labels)
    else:
        features = names.get("prepare", np.asarray)(images)
    return float(np.mean(model.predict(features, batch_size=100, verbose=0).argmax(axis=-1) == labels))


def _read(names: dict[str, Any], images: np.ndarray, labels: np.ndarray) -> Any:
    """Return features and labels of the test pictures, computed once for each run of a program."""
    if "_test" not in names:
        found = names["read"](images, labels)
        names["_test"] = found[-1] if isinstance(found[0], tuple) else found
    return names["_test"]


@contextlib.contextmanager
def _empty_folder() -> Iterator[None]:
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)
