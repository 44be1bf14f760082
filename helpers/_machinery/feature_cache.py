"""The files that keep computed features: one for each layer and each chunk of images, in the cache folder.

A file's name is the digest of all that decides its content: weights and architecture up to the layer, pooling,
preprocessing and the images themselves. So nothing ever has to be declared out of date. A file is written whole or not
at all, and read only when its bytes are those that were written: a killed run leaves nothing wrong behind.
"""

import hashlib
import io
import json
import os
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from helpers._machinery.weights import cache_folder

if TYPE_CHECKING:
    import keras

FORMAT = b"workbook features 1\n"  # first bytes of every file; part of every digest
SILENT = re.compile("trainable|_initializer$|_regularizer$|_constraint$|^optional$")  # alter no answer
OWN_CODE = re.compile(r'"module": (?!"keras)|"class_name": "(function|__lambda__)"')  # not in a configuration


def clear_feature_cache() -> int:
    """Return how many bytes were freed: every stored feature is deleted, to be computed again when asked for."""
    size = feature_cache_size()
    for path in _files():
        path.unlink(missing_ok=True)
    return size


def feature_cache_size() -> int:
    """Return how many bytes the stored features take on disk."""
    return sum(path.stat().st_size for path in _files())


def _files():
    return [path for path in (cache_folder() / "features").glob("*") if path.is_file()]


class FeatureStore:
    """The files for one network, given as a dict: the name of each wanted layer, and the model that ends there.

    Nothing is stored for a model with code of the user's own (a custom layer, a lambda): its configuration does not
    tell two versions of that code apart.
    """

    def __init__(self, parts: dict, *, pooling: str | None):
        self.digests = _network_digests(parts, pooling)
        self.folder = cache_folder() / "features"
        self.writable = True

    def paths(self, *arrays: np.ndarray) -> dict[str, Path]:
        """Return for each layer the file for what the network is shown; no files where nothing is stored."""
        shown = _digest(*arrays) if self.digests else b""
        names = {layer: hashlib.sha256(digest + shown).hexdigest() for layer, digest in self.digests.items()}
        return {layer: self.folder / f"{name}.features" for layer, name in names.items()}

    def read(self, path: Path) -> np.ndarray | None:
        """Return the features in a file, or None when there is none or its bytes are not those that were written."""
        try:
            content = path.read_bytes()
        except OSError:
            return None
        payload = content[len(FORMAT) + 32 :]
        if content != _sealed(path, payload):
            return None
        return np.load(io.BytesIO(payload), allow_pickle=False)

    def write(self, path: Path, features: np.ndarray) -> None:
        """Write a file. Where that cannot be, warn once: it costs time on the next run, but no result."""
        if not self.writable:
            return
        payload = io.BytesIO()
        np.save(payload, features, allow_pickle=False)
        try:
            _write_whole(path, _sealed(path, payload.getvalue()))
        except OSError as error:
            self.writable = False
            warnings.warn(
                f"The features cannot be stored in {self.folder} ({error.strerror or error}); they will be computed"
                " again next time. Free some space, or name another folder with WORKBOOK_CACHE.",
                stacklevel=4,
            )


def _sealed(path, payload):
    """Return a file's content: the payload after a digest of it and of the file's name (a renamed file is no entry)."""
    return FORMAT + hashlib.sha256(path.name.encode() + payload).digest() + payload


def _write_whole(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.urandom(4).hex()}.part")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _network_digests(parts, pooling):
    """Return for each layer the digest of all that stands before it, weights included, and of the pooling."""
    digests, weights = {}, {}
    for name, part in parts.items():
        text = architecture(part)
        if OWN_CODE.search(text):
            return {}
        digest = hashlib.sha256(FORMAT + f"{pooling} {text}".encode())
        for layer in part.layers:
            weights[layer.name] = weights.get(layer.name) or _digest(*layer.get_weights())
            digest.update(weights[layer.name])
        digests[name] = digest.digest()
    return digests


def architecture(model: "keras.Model") -> str:
    """Return the model's configuration as text, without what does not alter its answers (names, training)."""
    numbers = {layer.name: number for number, layer in enumerate(model.layers)}
    config = model.get_config() | {"name": None}
    return json.dumps(_stripped(config, numbers), sort_keys=True, default=str)


def _stripped(config, numbers):
    if isinstance(config, dict):
        kept = [key for key in config if not SILENT.search(key) and (key != "name" or config[key] not in numbers)]
        return {key: _stripped(config[key], numbers) for key in kept}
    if isinstance(config, list | tuple):
        if len(config) == 3 and isinstance(config[0], str) and config[0] in numbers:  # a link to a layer by name
            return [numbers[config[0]], *config[1:]]
        return [_stripped(value, numbers) for value in config]
    return config


def _digest(*arrays):
    digest = hashlib.sha256()
    for array in map(np.ascontiguousarray, arrays):
        digest.update(f"{array.dtype.str} {array.shape} ".encode())
        digest.update(array)
    return digest.digest()
