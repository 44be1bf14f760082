"""The photographs that scikit-image and scikit-learn ship, and where in them each material of `load_textures` lies.

A material is one class, in one photograph; its training, validation and test patches come from three rectangles that do
not touch: (left, top, right, bottom) in pixels, right and bottom excluded, as Pillow has them.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

PARTS = ("train", "validation", "test")
FOLDERS = {"scikit-image": ("skimage", "data"), "scikit-learn": ("sklearn", "datasets/images")}
Photograph = namedtuple("Photograph", "file package shows source licence")
Material = namedtuple("Material", "photograph train validation test sides")  # sides: smallest and largest of a patch

FREE, SCIKIT = "no known copyright restrictions", "BSD-3-Clause, as scikit-image"
CMMI, MICHETTI = "Center for Microscopy and Molecular Imaging", "Rachel Michetti, Pikolo Espresso Bar"
GLANDS = "glands of the colon under a microscope, stained"
SKIMAGE, SKLEARN = "scikit-image", "scikit-learn"
HALF_AND_QUARTERS = ((0, 0, 280, 512), (284, 0, 394, 512), (398, 0, 512, 512))

PHOTOGRAPHS = {
    "brick": Photograph("brick.png", SKIMAGE, "a brick wall", "CC0Textures, Bricks25", "CC0"),
    "grass": Photograph("grass.png", SKIMAGE, "grass and clover", "linolafett, DeviantArt, Grass 01", "CC0"),
    "gravel": Photograph("gravel.png", SKIMAGE, "gravel", "CC0Textures, Gravel04", "CC0"),
    "moon": Photograph("moon.png", SKIMAGE, "the surface of the moon", SKIMAGE, SCIKIT),
    "chelsea": Photograph("chelsea.png", SKIMAGE, "Chelsea the cat", "Stefan van der Walt", "CC0"),
    "coffee": Photograph("coffee.png", SKIMAGE, "a cup on a wooden table", MICHETTI, "CC0"),
    "ihc": Photograph("ihc.png", SKIMAGE, GLANDS, CMMI, FREE),
    "hubble": Photograph("hubble_deep_field.jpg", SKIMAGE, "the Hubble eXtreme Deep Field", "NASA", "public domain"),
    "page": Photograph("page.png", SKIMAGE, "a printed page", SKIMAGE, SCIKIT),
    "text": Photograph("text.png", SKIMAGE, "handwritten formulas", "Wikipedia, File:Corner.png", "public domain"),
    "coins": Photograph("coins.png", SKIMAGE, "Greek coins from Pompeii", "Brooklyn Museum Collection", FREE),
    "flower": Photograph("flower.jpg", SKLEARN, "a dahlia", "vultilion, Flickr, 6056698931", "CC BY 2.0"),
    "china": Photograph("china.jpg", SKLEARN, "a temple and trees", "danielbuechele, Flickr, 6061409035", "CC BY 2.0"),
}
MATERIALS = {
    **{name: Material(name, *HALF_AND_QUARTERS, (56, 88)) for name in ("brick", "grass", "gravel", "moon")},
    "cat fur": Material("chelsea", (62, 0, 202, 78), (206, 0, 290, 90), (60, 150, 200, 235), (44, 64)),
    "wood": Material("coffee", (490, 0, 600, 210), (490, 214, 600, 300), (490, 304, 600, 400), (56, 80)),
    "gland tissue": Material("ihc", (20, 0, 265, 170), (382, 40, 450, 200), (258, 330, 375, 470), (44, 64)),
    "connective tissue": Material("ihc", (160, 288, 246, 512), (458, 196, 512, 292), (405, 296, 512, 395), (40, 52)),
    "galaxies": Material("hubble", (0, 0, 560, 872), (564, 0, 770, 872), (774, 0, 1000, 872), (80, 128)),
    "printed text": Material("page", (0, 46, 190, 140), (194, 46, 276, 140), (280, 46, 384, 140), (48, 72)),
    "handwriting": Material("text", (0, 0, 220, 172), (224, 0, 316, 172), (320, 0, 448, 140), (56, 88)),
    "coins": Material("coins", (0, 0, 196, 303), (200, 0, 284, 303), (288, 0, 384, 303), (56, 76)),
    "petals": Material("flower", (208, 130, 408, 212), (210, 216, 303, 312), (307, 216, 406, 312), (48, 72)),
    "trees": Material("china", (385, 305, 555, 427), (0, 358, 190, 427), (568, 190, 640, 427), (48, 64)),
}


def photograph_path(name: str) -> Path:
    """Return the file of one photograph, in the installed package that ships it; ValueError for unknown names."""
    if name not in PHOTOGRAPHS:
        raise ValueError(f"there is no photograph {name!r}; choose from {', '.join(PHOTOGRAPHS)}")
    file, package, *_ = PHOTOGRAPHS[name]
    module, folder = FOLDERS[package]
    spec = find_spec(module)
    path = Path(spec.submodule_search_locations[0] if spec else module, folder, file)
    if not path.is_file():
        missing = f"{package} ships the photograph {file}, but it is not there"
        raise FileNotFoundError(f"{missing}: install {package} again")
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
    return {name: dict(zip(("photograph", *PARTS), row, strict=False)) for name, row in MATERIALS.items()}


def photograph_credits() -> list[dict[str, str]]:
    """Return one dictionary for each photograph: name, file, package, shows, source, licence and its classes."""
    classes = {name: [key for key, value in MATERIALS.items() if value.photograph == name] for name in PHOTOGRAPHS}
    return [{"name": name} | row._asdict() | {"classes": ", ".join(classes[name])} for name, row in PHOTOGRAPHS.items()]


def draw_boxes(
    region: tuple[int, int, int, int], *, sides: tuple[int, int], count: int, words: Sequence[int]
) -> np.ndarray:
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


def random_integers(words: Sequence[int], count: int) -> np.ndarray:
    """Return random int64 numbers from 0 to 2**63 - 1, the same for the same words on every machine.

    They are what PCG64 gives, which no version of NumPy changes (methods of `numpy.random.Generator` may change).
    """
    bits = np.random.PCG64(np.random.SeedSequence(list(words)))
    return (bits.random_raw(count) >> np.uint64(1)).astype(np.int64)
