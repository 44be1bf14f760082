"""Runs of fine-tuning that take too long for a notebook: what each was, and what it gave, as it was recorded.

`tools/record_runs.py` makes them with the very functions that the notebooks use (`make runs`); nothing in the files is
written by hand. A test repeats one of them and compares.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).with_name("runs")


@functools.cache
def _read(name: str) -> dict[str, Any]:
    path = FOLDER / f"{name}.json"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.json"))) or "none"
        raise ValueError(f"no runs are recorded as {name!r}; recorded are: {known}.")
    return json.loads(path.read_text(encoding="utf-8"))


def load_runs(name: str, **wanted: Any) -> list[dict[str, Any]]:
    """Return the recorded runs of "fine_tuning" or "augmentation" whose settings equal `wanted`, a dict each.

    Settings are `data`, `labels_per_class`, `first_trainable`, `learning_rate`, `head_start`, `views`, `seed`; results are
    accuracies from 0 to 1, losses in nats. Raises ValueError when no run is like that.
    """
    runs = [run for run in _read(name)["runs"] if all(run[key] == value for key, value in wanted.items())]
    if not runs:
        raise ValueError(f"no recorded run of {name!r} has {wanted}.")
    return runs


def recorded_values(name: str, key: str, **wanted: Any) -> np.ndarray:
    """Return one result of all runs like `wanted`, as an array with a row for each run (usually seeds)."""
    return np.array([run[key] for run in load_runs(name, **wanted)])
