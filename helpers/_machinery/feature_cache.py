"""The files that keep computed features: one for each layer and each chunk of images, in the cache folder.

A file's name is the digest of all that decides its content, so nothing is ever out of date. It is one of NumPy's archives,
of one array with the file's name and a checksum: what was damaged or renamed counts as absent.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from helpers._machinery.downloads import cache_folder

if TYPE_CHECKING:
    import keras

SILENT = re.compile("trainable|_initializer$|_regularizer$|_constraint$|^optional$")  # alter no answer
OWN_CODE = re.compile(r'"module": (?!"keras)|"class_name": "(function|__lambda__)"')  # not in a configuration


def feature_cache_size() -> int:
    """Return how many bytes the stored features take on disk."""
    return sum(path.stat().st_size for path in (cache_folder() / "features").glob("*.*"))


def clear_feature_cache() -> int:
    """Return how many bytes were freed: every stored feature is deleted, to be computed again when asked for."""
    size = feature_cache_size()
    for path in (cache_folder() / "features").glob("*.*"):
        path.unlink(missing_ok=True)
    return size


class FeatureStore:
    """The files for one network, given as a dict: the name of each wanted layer, and the model that ends there.

    Nothing is stored for a model with a layer or lambda of the user's own: two versions of its code look alike.
    """

    def __init__(self, parts: dict[str, keras.Model], *, pooling: str | None) -> None:
        self.folder, self.writable, self.networks = cache_folder() / "features", True, {}
        texts = {name: architecture(part) for name, part in parts.items()}
        if not any(map(OWN_CODE.search, texts.values())):
            layers = {layer.name: layer for part in parts.values() for layer in part.layers}
            weights = {name: _digest(*layer.get_weights()) for name, layer in layers.items()}
            for name, part in parts.items():
                self.networks[name] = f"{pooling} {texts[name]} {[weights[layer.name] for layer in part.layers]}"

    def paths(self, *arrays: np.ndarray) -> dict[str, Path]:
        """Return for each layer the file for what the network is shown; no files where nothing is stored."""
        shown = _digest(*arrays) if self.networks else ""
        names = {layer: hashlib.sha256(f"{text} {shown}".encode()) for layer, text in self.networks.items()}
        return {layer: self.folder / f"{name.hexdigest()}.features" for layer, name in names.items()}

    def read(self, path: Path) -> np.ndarray | None:
        """Return the features in a file, or None when there is none or its bytes are not those that were written."""
        with suppress(Exception), np.load(path) as stored:  # a damaged file can fail in many ways
            return stored[path.stem]
        return None

    def write(self, path: Path, features: np.ndarray) -> None:
        """Write a file, whole or not at all. Where that cannot be, warn once: it costs time later, but no result."""
        if not self.writable:
            return
        temporary = path.with_suffix(f".{os.urandom(4).hex()}.part")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                np.savez(file, **{path.stem: features})
            os.replace(temporary, path)
        except OSError as error:
            self.writable = False
            warnings.warn(
                f"The features cannot be stored in {self.folder} ({error.strerror or error}); they will be computed"
                " again next time. Free some space, or name another folder with WORKBOOK_CACHE.",
                stacklevel=4,
            )
        finally:
            with suppress(OSError):
                temporary.unlink()


def architecture(model: keras.Model) -> str:
    """Return the model's configuration as text, without what does not alter its answers (names, training)."""
    numbers = {layer.name: number for number, layer in enumerate(model.layers)}
    return json.dumps(_stripped(model.get_config() | {"name": None}, numbers), sort_keys=True, default=str)


def _stripped(config: object, numbers: dict[str, int]) -> object:
    if isinstance(config, dict):
        kept = [key for key in config if not SILENT.search(key) and (key != "name" or config[key] not in numbers)]
        return {key: _stripped(config[key], numbers) for key in kept}
    if isinstance(config, list | tuple):
        if len(config) == 3 and isinstance(config[0], str) and config[0] in numbers:  # a link to a layer by name
            return [numbers[config[0]], *config[1:]]
        return [_stripped(value, numbers) for value in config]
    return config


def _digest(*arrays: np.ndarray) -> str:
    digest = hashlib.sha256(str([(array.dtype.str, array.shape) for array in arrays]).encode())
    for array in arrays:
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()
