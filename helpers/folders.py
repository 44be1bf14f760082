"""A folder of your own photographs, one folder a class: what is in it, a split that does not leak, pictures as a stream.

`load_image_folder` looks at every file once and remembers a kilobyte of each; pictures are decoded again when they are
asked for, so memory does not grow with their number. What opens a file is `helpers._machinery.images`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import url2pathname

import numpy as np

from helpers._machinery.folder_report import NO_CLASS, FolderFile, class_name, report_on
from helpers._machinery.images import Unreadable, group_alike, is_hidden, look_at, map_files, read_picture, shown, walk
from helpers._machinery.photographs import PARTS

if TYPE_CHECKING:
    import tensorflow as tf
    from sklearn.utils import Bunch

NAMES = {"train": "train", "training": "train", "validation": "validation", "valid": "validation", "val": "validation"}
NAMES |= {"test": "test", "testing": "test"}


class ImageStream:
    """Pictures on disk that look like an array (n, size, size, 3) uint8, decoded when they are asked for."""

    ndim, dtype = 4, np.dtype("uint8")

    def __init__(self, paths: Sequence[Path], *, image_size: int) -> None:
        self.paths, self.image_size = list(paths), image_size

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """The shape that the array would have."""
        return len(self), self.image_size, self.image_size, 3

    def __getitem__(self, index: Any) -> np.ndarray:
        """Return one picture for a number, several (k, size, size, 3) for a slice, numbers or a mask."""
        numbers = np.arange(len(self))[index]
        paths = [self.paths[number] for number in np.atleast_1d(numbers)]
        pictures = np.empty((len(paths), *self.shape[1:]), self.dtype)
        for place, found in enumerate(map_files(lambda path: read_picture(path, self.image_size), paths)):
            if isinstance(found, Unreadable):
                raise OSError(f"{shown(paths[place])} {found}, although it could be read before; load the folder again.")
            pictures[place] = found.pixels
        return pictures if np.ndim(numbers) else pictures[0]

    def __iter__(self) -> Iterator[np.ndarray]:
        for start in range(0, len(self), 64):
            yield from self[start : start + 64]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or self.dtype, copy=False)

    def batches(self, labels: np.ndarray, *, batch_size: int = 32, seed: int | None = None) -> tf.data.Dataset:
        """Return a `tf.data` set of (images float32, labels) for `fit()`; with a seed in a new order each epoch."""
        import tensorflow as tf

        labels = np.asarray(labels)
        if len(labels) != len(self) or not len(self):
            raise ValueError(f"there are {len(self)} pictures and {len(labels)} labels; wanted one label for each of some.")

        def read(numbers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            images = tf.numpy_function(lambda wanted: self[wanted], [numbers], tf.uint8)
            return tf.cast(tf.ensure_shape(images, [None, *self.shape[1:]]), "float32"), tf.gather(labels, numbers)

        numbers = tf.data.Dataset.range(len(self))
        numbers = numbers if seed is None else numbers.shuffle(len(self), seed=seed)
        return numbers.batch(batch_size).map(read).prefetch(2)


def load_image_folder(
    path: str | Path, *, image_size: int = 128, validation: float = 0.2, test: float = 0.2, seed: int = 0
) -> Bunch:
    """Return the photographs below a folder, one folder a class: a Bunch in the form of `load_textures`, but streamed.

    It has `class_names` (in alphabetical order: label i is class_names[i]), `image_size`, `report` (print it first), and
    for each part `train_`, `validation_` and `test_`: `images` (an ImageStream: like an array (n, size, size, 3) uint8,
    decoded when asked for), `labels` (n,) int64, `paths`, `groups` (of look-alikes). Pictures are squashed whole to squares.

    Without sub-folders train, validation (val, valid) and test, parts are drawn. The content of a file and `seed` give a
    number from 0 to 1: below `test` it is test, below `test + validation` validation, else train. So nothing enters or
    leaves test when other pictures come, go, or are renamed, and a class gets its share on average only: a small one can
    have none in test, and the report says so. Where a class has nothing in train, or else in validation, the other lends it
    the nearest unit until more come; a class that has nothing but test lends one of that to train. Near duplicates (see
    `helpers._machinery.images` for what is found) are one unit, with the number of one of them. A new near duplicate can
    change the number, and that moves one unit of four, also out of test. With train and one of the others, parts are as
    given, a missing one is drawn from train, and pictures on both sides are reported, not moved. Only a folder that is not
    there or has no picture ends the loading (ValueError): the report names what cannot be used.
    """
    from sklearn.utils import Bunch

    shares, folder = _check_arguments(image_size, validation, test, seed), _check_folder(path)
    given = _given_parts(folder)
    files = _find_files(folder, given)
    used = _look_at_all(files)
    if not any(file.part in (None, "train") for file in used):
        reasons = "; ".join(f"{shown(file.inside)} {file.reason}" for file in files if file.reason) or "there are no files"
        raise ValueError(f"{shown(folder)} has no picture to train with in a folder named like its class: {reasons[:300]}.")
    for file, group in zip(used, group_alike([file.look for file in used]).tolist(), strict=True):
        file.group = group
    there = {file.part for file in used}
    _deal(used, {part: 0.0 if part in there else share for part, share in shares.items()}, seed)
    class_names = sorted({file.name for file in used if file.part == "train"})
    for file in used:
        file.reason = "" if file.name in class_names else "is of a class that has nothing in train"
    bases = [base for paths in given.values() for base in paths] or [folder]
    empty = {class_name(path.name) for base in bases for path in _folders(base) if not path.is_symlink()}
    loaded = Bunch(class_names=class_names, image_size=int(image_size), report=report_on(folder, files, empty=empty))
    for part in PARTS:
        own = [file for file in used if file.part == part and not file.reason]
        loaded[f"{part}_images"] = ImageStream([file.path for file in own], image_size=int(image_size))
        loaded[f"{part}_labels"] = np.array([class_names.index(file.name) for file in own], dtype=np.int64)
        loaded[f"{part}_paths"] = [file.path for file in own]
        loaded[f"{part}_groups"] = np.array([file.group for file in own], dtype=np.int64)
    return loaded


def belonging_together(groups: np.ndarray, names: Sequence[Any]) -> np.ndarray:
    """Return a group number for each picture, (n,): the same where `groups`, or `names`, or a chain of both links two."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    places: dict[Any, int] = {}
    named = np.array([places.setdefault(name, len(places)) for name in names], dtype=int)
    alike = np.unique(groups, return_inverse=True)[1]
    nodes = 2 * len(named)  # a name is a node, and so is a group of pictures that look alike
    links = coo_array((np.ones(len(named)), (named, alike + len(named))), shape=(nodes, nodes))
    return connected_components(links, directed=False)[1][named]


def sort_into_parts(source: str | Path, target: str | Path, group_of: Callable[[Path], Any] = str, *, seed: int = 0) -> Path:
    """Return `target`, a new folder with train, validation and test: copies of the pictures, what belongs together in one.

    Pictures belong together for which `group_of(path)` is the same, and those that look alike. Of each class a fifth of
    these groups becomes test and a fifth validation, at least one each where there are three groups. Raises ValueError where
    `target` lies in `source`, and FileExistsError where something is in it.
    """
    target, folder = Path(target).expanduser().absolute(), _check_folder(source)
    if target.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{shown(target)} lies in the folder that is to be sorted; choose a place beside it.")
    if target.exists() and any(target.iterdir()):
        raise FileExistsError(f"{shown(target)} is not empty; choose a new folder.")
    loaded = load_image_folder(folder, validation=0, test=0)
    paths = [path for part in PARTS for path in loaded[f"{part}_paths"]]
    labels, alike = (np.concatenate([loaded[f"{part}_{what}"] for part in PARTS]) for what in ("labels", "groups"))
    groups = belonging_together(alike, [group_of(path) for path in paths])
    parts = _drawn_parts(groups, labels, np.random.default_rng(seed))
    for path, label, group in zip(paths, labels, groups, strict=True):
        place = target / parts[group] / loaded.class_names[label]
        place.mkdir(parents=True, exist_ok=True)
        free = (place / f"{number} {path.name}".removeprefix("0 ") for number in range(len(paths)))
        shutil.copy2(path, next(file for file in free if not file.exists()))
    return target


def _drawn_parts(groups: np.ndarray, labels: np.ndarray, random: np.random.Generator) -> dict[int, str]:
    parts: dict[int, str] = {}
    for label in np.unique(labels):
        own = [group for group in random.permutation(np.unique(groups[labels == label])) if group not in parts]
        count = max(round(0.2 * len(own)), len(own) > 2)
        parts |= {group: PARTS[max(0, 2 - place // count) if count else 0] for place, group in enumerate(own)}
    return parts


def _check_arguments(image_size: int, validation: float, test: float, seed: int) -> dict[str, float]:
    for name, value, least, most in (("image_size", image_size, 8, 2048), ("seed", seed, 0, 2**63)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or not least <= value <= most:
            raise ValueError(f"{name} must be an integer from {least} to {most}, but it is {value!r}")
    for name, value in (("validation", validation), ("test", test)):
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value < 1:
            raise ValueError(f"{name} must be a share of the pictures, from 0 to below 1, but it is {value!r}")
    if validation + test >= 1:
        raise ValueError(f"validation and test are {validation} and {test}: together they leave nothing for training")
    return {"test": float(test), "validation": float(validation), "train": 1.0 - test - validation}


def _check_folder(path: str | Path) -> Path:
    """Return the folder that was meant, also where the path was copied with quotes or file://; or raise ValueError."""
    meant = [Path(text).expanduser() for text in (str(path), plain_path(str(path))) if text.strip()]
    folder = next((folder for folder in meant if os.path.exists(folder)), None)
    if folder is None:
        raise ValueError(f"there is no folder {str(path)!r}; give the path of a folder with one folder a class.")
    if not folder.is_dir():
        raise ValueError(f"{shown(folder)} is a file; give the folder with one folder a class (unpack an archive first).")
    return folder.absolute()


def plain_path(text: str) -> str:
    """Return the path in what a file browser copied: without quotes and blanks around it, and file:///a%20b as /a b."""
    text = text.strip(" \t\r\n\"'")
    return url2pathname(text.removeprefix("file://")) if text.startswith("file:///") else text


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir() and not is_hidden(path.name))
    except OSError:
        return []


def _given_parts(folder: Path) -> dict[str, list[Path]]:
    """Return the sub-folders for each part that is given; none where they are not train and something else besides."""
    given, below = defaultdict(list), _folders(folder)
    for path in below:
        if part := NAMES.get(path.name.casefold()):
            given[part].append(path)
    alone = len(below) == 1 and below[0].name.casefold() in ("train", "training") and _folders(below[0])
    return dict(given) if "train" in given and (len(given) > 1 or alone) else {}


def _find_files(folder: Path, given: dict[str, list[Path]]) -> list[FolderFile]:
    """Return every file below the folder, with its class and part, or the reason why it cannot be used."""
    parts = {path.name: part for part, paths in given.items() for path in paths}
    return [_place(folder, path, reason, parts) for path, reason in walk(folder)]


def _place(folder: Path, path: Path, reason: str, parts: dict[str, str]) -> FolderFile:
    inside = path.relative_to(folder)
    part = parts.get(inside.parts[0]) if inside.parts else None
    names = inside.parts[1:] if part else inside.parts
    in_class = len(names) > 1 or (names and path.is_dir() and not path.is_symlink())
    if not reason and parts and not part:
        reason = f"lies outside of {', '.join(sorted(parts))}"
    elif not reason and not in_class:
        reason = "lies beside the folders of the classes, so that it has no class"
    outside = not in_class or is_hidden(names[0]) or (parts and not part)
    return FolderFile(path, inside, NO_CLASS if outside else class_name(names[0]), part, reason)


def _look_at_all(files: list[FolderFile]) -> list[FolderFile]:
    """Return the files whose picture can be used; the others get a reason."""
    wanted = [file for file in files if not file.reason]
    for file, look in zip(wanted, map_files(look_at, [file.path for file in wanted], progress=True), strict=True):
        if isinstance(look, Unreadable):
            file.reason = str(look)
        else:
            file.look = look
    return [file for file in wanted if not file.reason]


def _deal(files: list[FolderFile], shares: dict[str, float], seed: int) -> None:
    """Give a part to each file that has none, or is in a train folder of which others are still to be drawn."""
    open_files = [file for file in files if file.part in (None, "train")]
    if not shares["test"] and not shares["validation"]:
        shares = {"train": 1.0}
    keys = defaultdict(lambda: "~")  # behind every digest
    for file in open_files:
        keys[file.group] = min(keys[file.group], file.look.digest)
    numbers = {group: _number(f"{seed} {digest}") for group, digest in keys.items()}
    edges, start = {}, 0.0
    for part in ("test", "validation", "train"):
        end = 1.0 if part == "train" else start + shares.get(part, 0.0)
        edges[part], start = (start, end), end
    parts = {group: next(part for part, (_, end) in edges.items() if number < end) for group, number in numbers.items()}
    _lend(open_files, numbers, parts, validation=bool(shares.get("validation")))
    for file in open_files:
        file.part = parts[file.group]


def _number(text: str) -> float:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6]) / 2**48


def _lend(files: list[FolderFile], numbers: dict[int, float], parts: dict[int, str], *, validation: bool) -> None:
    """Give train, and validation if wanted, the nearest group of a class that has none there; never take one from test.

    A class of which all is test lends train its last group: as others come, that can only go back, none can follow it.
    """
    classes = defaultdict(set)
    for file in files:
        classes[file.name].add(file.group)
    ordered = [classes[name] for name in sorted(classes)]
    for groups in ordered if validation else ():
        train = [group for group in groups if parts[group] == "train"]
        if len(train) > 1 and not any(parts[group] == "validation" for group in groups):
            parts[min(train, key=numbers.get)] = "validation"
    for groups in ordered:
        if not any(parts[group] == "train" for group in groups):
            parts[max(groups, key=numbers.get)] = "train"
