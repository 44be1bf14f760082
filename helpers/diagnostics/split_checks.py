"""Are training, validation and test images apart, and do the last two stay the same from pass to pass?"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections import Counter
from collections.abc import Hashable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from helpers.diagnostics.data_checks import MIXING, UNMIX, deals_anew
from helpers.diagnostics.image_passes import Passes, fixed_batch_size, read_digests
from helpers.diagnostics.result import Diagnosis

NAME = "splits"


class _Part(NamedTuple):
    """What two passes over one part have shown, as digests of images, or as names."""

    data: Any
    first: list[Hashable]
    second: list[Hashable]
    cut: bool

    @property
    def seen(self) -> set:
        return {*self.first, *self.second}

    @property
    def stable(self) -> bool:
        return Counter(self.first) == Counter(self.second)

    @property
    def dealt_anew(self) -> bool:
        """Do some images of one pass come again in the next one, and others not?"""
        both = (Counter(self.first) & Counter(self.second)).total()
        return deals_anew(self.data) or (not self.cut and 0 < both < len(self.first))


def diagnose_splits(*, train: Any = None, validation: Any = None, test: Any = None, limit: int = 2000) -> Diagnosis:
    """Return whether no image is in two parts, and validation and test show the same images in every pass.

    A part is a dataset, an array, a folder, or a list of names. Files are compared by their bytes, other names (of
    photographs that patches were cut from, of patients) as text. Images are compared by their values: one that is
    resized, rotated or scaled otherwise in another part is not found, its name is. Up to `limit` images of each part are
    read, twice, and more where these do not decide. Scaling that was fitted on all parts leaves no trace here.
    """
    given = {"train": train, "validation": validation, "test": test}
    given = {name: data for name, data in given.items() if data is not None}
    if not given or set(given) == {"train"}:
        raise ValueError("give at least two parts (train=, validation=, test=), or one of the last two.")
    named = {name: names for name, data in given.items() if (names := _names(data)) is not None}
    if 0 < len(named) < len(given):
        raise ValueError(f"{' and '.join(named)}: names; the rest: images. Give the same kind for every part.")
    parts = {name: _Part(None, n, n, False) for name, n in named.items()} or _read(given, limit)
    problems = (_apart(parts), _steady(parts), _files_apart(given))  # each None where there is none
    return next((found for found in problems if found is not None), _fine(parts, limit))


def _read(given: dict[str, Any], limit: int) -> dict[str, _Part]:
    parts = {}
    for name, data in given.items():
        passes = Passes(data)
        first, cut = read_digests(passes, limit)
        second, _ = read_digests(passes, limit)
        if cut and name != "train" and Counter(first) != Counter(second):  # shuffled: the first ones decide nothing
            first, cut = read_digests(passes, None)
            second, _ = read_digests(passes, None)
        parts[name] = _Part(data, first, second, cut)
    return parts


def _apart(parts: dict[str, _Part]) -> Diagnosis | None:
    """Return the problem that images are in two parts, or None."""
    shared = {pair: parts[pair[0]].seen & parts[pair[1]].seen for pair in itertools.combinations(parts, 2)}
    shared = {pair: both for pair, both in shared.items() if both}
    if not shared:
        return None
    found = "; ".join(_overlap(parts, *pair, both) for pair, both in shared.items())
    if any(part.dealt_anew for part in parts.values()):
        return Diagnosis(NAME, False, f"{found}: {_why_mixed(parts)}", UNMIX)
    if any(parts[a].seen == parts[b].seen for a, b in shared):
        change = "model.fit(train, validation_data=validation)  # test only at the end: model.evaluate(test)"
        return Diagnosis(NAME, False, f"{found}: one part is used in two places.", change)
    change = (
        "split the names of files or photographs first, duplicates together, then build each part from its own names"
    )
    return Diagnosis(NAME, False, f"{found}: duplicates, or overlapping parts.", change)


def _why_mixed(parts: dict[str, _Part]) -> str:
    if any(deals_anew(part.data) for part in parts.values()):
        return MIXING
    return "every pass deals the images out anew, as a shuffle() before take() or skip() does."


def _overlap(parts: dict[str, _Part], first: str, second: str, both: set) -> str:
    count = sum(one in both for one in parts[second].first) or len(both)
    names = [one for one in both if isinstance(one, str)]
    example = f", such as {min(names)}" if names else ""
    return f"{count} of {len(parts[second].first)} {second} images are also in {first}{example}"


def _steady(parts: dict[str, _Part]) -> Diagnosis | None:
    """Return the problem that validation or test change from pass to pass, or None."""
    for name, part in parts.items():
        if name == "train" or part.stable:
            continue
        new = len(part.second) - (Counter(part.first) & Counter(part.second)).total()
        message = f"{new} of {len(part.second)} {name} images are others in the second pass:"
        if deals_anew(part.data):
            return Diagnosis(NAME, False, f"{message} {MIXING}", UNMIX)
        size = fixed_batch_size(part.data)
        if size and new < size:
            change = f"{name} = {name}.batch({size})  # without drop_remainder=True, or without shuffle()"
            return Diagnosis(NAME, False, f"{message} drop_remainder leaves out others each time.", change)
        if new == len(part.second) or "train" in parts:
            return Diagnosis(NAME, False, f"{message} they are augmented.", _without_augmentation(name, part.data))
        change = f"{_without_augmentation(name, part.data)}, and no shuffle() before take(), skip() or drop_remainder"
        return Diagnosis(NAME, False, f"{message} they are augmented, or dealt out anew.", change)
    return None


def _without_augmentation(name: str, data: Any) -> str:
    if hasattr(data, "image_data_generator"):
        return f"{name} = ImageDataGenerator(preprocessing_function=preprocess_input).flow(...)  # no augmentation"
    return f"{name} = {name}.map(preprocess)  # preprocess only; augment() belongs to train"


def _files_apart(given: dict[str, Any]) -> Diagnosis | None:
    """Return the problem that datasets which know their files share some, or None."""
    files = {name: getattr(data, "file_paths", getattr(data, "filepaths", None)) for name, data in given.items()}
    listed = {name: [os.path.realpath(path) for path in paths] for name, paths in files.items() if paths}
    known = {name: _Part(None, paths, paths, False) for name, paths in listed.items()}
    return _apart(known) if len(known) > 1 else None


def _fine(parts: dict[str, _Part], limit: int) -> Diagnosis:
    counts = ", ".join(f"{len(part.first)} {name}" for name, part in parts.items())
    some = [name for name, part in parts.items() if part.cut]
    limited = f" (of {' and '.join(some)} only the first {limit}; limit=None reads all)" if some else ""
    what = "no image is in two parts" if len(parts) > 1 else "the same images in both passes"
    return Diagnosis(NAME, True, f"{what}: {counts}{limited}.")


def _names(data: Any) -> list[str] | None:
    """Return what identifies each file or name of a part, or None when it holds images."""
    if isinstance(data, str | os.PathLike):
        folder = Path(data)
        if not folder.is_dir():
            raise ValueError(f"{folder} is not a folder; give a folder, a list of names, or a dataset.")
        data = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
        if not data:
            raise ValueError(f"there is no file in {folder}.")
    if isinstance(data, np.ndarray) and data.ndim == 1 and data.dtype.kind in "USOiu":
        data = data.tolist()
    if not isinstance(data, list | tuple | set) or not data:
        return None
    if not all(isinstance(one, str | os.PathLike | int) for one in data):
        return None
    return [_identity(one) for one in data]


def _identity(name: Any) -> str:
    path = Path(str(name))
    if isinstance(name, int) or not path.is_file():
        return str(name)
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
