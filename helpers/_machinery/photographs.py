"""The photographs that scikit-image and scikit-learn ship, and where in them each material of `load_textures` lies.

What there is stands in `photographs.toml`. A material is one class, in one photograph; its training, validation and test
patches come from three rectangles that do not touch: (left, top, right, bottom) in pixels, as Pillow has them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

PARTS = ("train", "validation", "test")
FOLDERS = {"scikit-image": ("skimage", "data"), "scikit-learn": ("sklearn", "datasets/images")}
TABLES = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
PHOTOGRAPHS, MATERIALS = TABLES["photographs"], TABLES["materials"]


def photograph_path(name: str) -> Path:
    """Return the file of one photograph, in the installed package that ships it; ValueError for unknown names."""
    if name not in PHOTOGRAPHS:
        raise ValueError(f"there is no photograph {name!r}; choose from {', '.join(PHOTOGRAPHS)}")
    file, package = PHOTOGRAPHS[name]["file"], PHOTOGRAPHS[name]["package"]
    module, folder = FOLDERS[package]
    spec = find_spec(module)
    path = Path(spec.submodule_search_locations[0] if spec else module, folder, file)
    if not path.is_file():
        raise FileNotFoundError(f"{package} ships the photograph {file}, but it is not there: install {package} again")
    return path


@cache
def open_photograph(name: str) -> Picture:
    """Return the whole photograph as a Pillow image in RGB, decoded once and then kept: do not change it."""
    from PIL import Image

    with Image.open(photograph_path(name)) as picture:
        return picture.convert("RGB")


def load_photographs(names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """Return whole photographs, name -> (height, width, 3) uint8; all of `photograph_credits()` by default."""
    if isinstance(names, str):
        raise ValueError(f"names must be a list of names, so write [{names!r}]")
    return {name: np.array(open_photograph(name)) for name in (PHOTOGRAPHS if names is None else names)}


def load_regions() -> dict[str, dict]:
    """Return for each class its "photograph", and its "train", "validation" and "test" rectangle in it."""
    return {name: {key: row[key] for key in ("photograph", *PARTS)} for name, row in MATERIALS.items()}


def photograph_credits() -> list[dict[str, str]]:
    """Return one dictionary for each photograph: name, file, package, shows, source, licence and its classes."""
    classes = {name: [key for key, value in MATERIALS.items() if value["photograph"] == name] for name in PHOTOGRAPHS}
    return [{"name": name} | row | {"classes": ", ".join(classes[name])} for name, row in PHOTOGRAPHS.items()]


def draw_boxes(region: tuple[int, int, int, int], *, sides: tuple[int, int], count: int, words: Sequence[int]) -> np.ndarray:
    """Return random squares (left, top, right, bottom) inside the region, (count, 4) int64, chosen by the words.

    A longer draw with the same words starts with the shorter one, and only integers are used: same on every machine.
    """
    left, top, right, bottom = region
    raw = random_integers(words, 3 * count).reshape(count, 3)
    side = sides[0] + raw[:, 0] % (sides[1] - sides[0] + 1)
    x = left + raw[:, 1] % (right - left - side + 1)
    y = top + raw[:, 2] % (bottom - top - side + 1)
    return np.stack([x, y, x + side, y + side], axis=1)


def cut_patch(picture: Picture, box: np.ndarray, *, size: int, color: bool) -> np.ndarray:
    """Return the box of the picture as (size, size, 3) uint8, cut out first, so that nothing outside counts."""
    from PIL.Image import Resampling

    patch = picture.crop(tuple(box.tolist()))
    patch = patch if color else patch.convert("L").convert("RGB")
    return np.asarray(patch.resize((size, size), Resampling.BICUBIC))


def squash_picture(content: bytes, size: int) -> np.ndarray:
    """Return the picture in the bytes of a file, upright and whole, as (size, size, 3) uint8."""
    from PIL import Image, ImageOps

    with Image.open(BytesIO(content)) as picture:
        return np.asarray(ImageOps.exif_transpose(picture).convert("RGB").resize((size, size), Image.Resampling.BILINEAR))


def random_integers(words: Sequence[int], count: int) -> np.ndarray:
    """Return random int64 numbers from 0 to 2**63 - 1, the same for the same words on every machine.

    They are what PCG64 gives, which no version of NumPy changes (methods of `numpy.random.Generator` may change).
    """
    bits = np.random.PCG64(np.random.SeedSequence(list(words)))
    return (bits.random_raw(count) >> np.uint64(1)).astype(np.int64)
