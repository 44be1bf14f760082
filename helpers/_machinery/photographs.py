"""The photographs that scikit-image and scikit-learn ship, and where in them each material lies.

Nothing here is downloaded: the files lie in the installed packages. `MATERIALS` is the table behind
`helpers.data.load_textures`. Each class is one material in one photograph, and its training, validation
and test patches come from three rectangles that do not touch. Rectangles are (left, top, right, bottom)
in pixels, right and bottom excluded, as Pillow has them.
"""

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

Box = tuple[int, int, int, int]
PARTS = ("train", "validation", "test")
FOLDERS = {"scikit-image": ("skimage", "data"), "scikit-learn": ("sklearn", "datasets/images")}


class Photograph(NamedTuple):
    """One picture file: what it shows, where it comes from, and under which terms."""

    file: str
    package: str
    shows: str
    source: str
    licence: str


class Material(NamedTuple):
    """One class: its photograph, one rectangle for each part, smallest and largest side of a patch."""

    photograph: str
    train: Box
    validation: Box
    test: Box
    sides: tuple[int, int]


def _skimage(file: str, shows: str, source: str, licence: str) -> Photograph:
    return Photograph(file, "scikit-image", shows, source, licence)


def _sklearn(file: str, shows: str, source: str, licence: str) -> Photograph:
    return Photograph(file, "scikit-learn", shows, source, licence)


FREE = "no known copyright restrictions"
GLANDS = "glands of the colon under a microscope, stained"
CMMI = "Center for Microscopy and Molecular Imaging"

PHOTOGRAPHS = {
    "brick": _skimage("brick.png", "a brick wall", "CC0Textures, Bricks25", "CC0"),
    "grass": _skimage("grass.png", "grass and clover", "linolafett, DeviantArt, Grass 01", "CC0"),
    "gravel": _skimage("gravel.png", "gravel", "CC0Textures, Gravel04", "CC0"),
    "moon": _skimage("moon.png", "the surface of the moon", "scikit-image", "BSD-3-Clause, as scikit-image"),
    "chelsea": _skimage("chelsea.png", "Chelsea the cat", "Stefan van der Walt", "CC0"),
    "coffee": _skimage("coffee.png", "a cup on a wooden table", "Rachel Michetti, Pikolo Espresso Bar", "CC0"),
    "ihc": _skimage("ihc.png", GLANDS, CMMI, FREE),
    "hubble": _skimage("hubble_deep_field.jpg", "the Hubble eXtreme Deep Field", "NASA", "public domain"),
    "page": _skimage("page.png", "a printed page", "scikit-image", "BSD-3-Clause, as scikit-image"),
    "text": _skimage("text.png", "handwritten formulas", "Wikipedia, File:Corner.png", "public domain"),
    "coins": _skimage("coins.png", "Greek coins from Pompeii", "Brooklyn Museum Collection", FREE),
    "flower": _sklearn("flower.jpg", "a dahlia", "vultilion, Flickr, 6056698931", "CC BY 2.0"),
    "china": _sklearn("china.jpg", "a temple and trees", "danielbuechele, Flickr, 6061409035", "CC BY 2.0"),
}

MATERIALS = {
    "brick": Material("brick", (0, 0, 280, 512), (284, 0, 394, 512), (398, 0, 512, 512), (56, 88)),
    "grass": Material("grass", (0, 0, 280, 512), (284, 0, 394, 512), (398, 0, 512, 512), (56, 88)),
    "gravel": Material("gravel", (0, 0, 280, 512), (284, 0, 394, 512), (398, 0, 512, 512), (56, 88)),
    "moon": Material("moon", (0, 0, 280, 512), (284, 0, 394, 512), (398, 0, 512, 512), (56, 88)),
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
    """The file of one photograph, in the installed package that ships it; ValueError for unknown names."""
    if name not in PHOTOGRAPHS:
        raise ValueError(f"there is no photograph {name!r}; choose from {', '.join(PHOTOGRAPHS)}")
    photograph = PHOTOGRAPHS[name]
    module, folder = FOLDERS[photograph.package]
    spec = find_spec(module)
    path = Path(spec.submodule_search_locations[0], folder, photograph.file) if spec else None
    if path is None or not path.is_file():
        raise FileNotFoundError(
            f"{photograph.package} ships the photograph {photograph.file}, but it is not there: "
            f"install {photograph.package} again"
        )
    return path


@cache
def open_photograph(name: str) -> "Picture":
    """The whole photograph as a Pillow image in RGB, decoded once and then kept: do not change it."""
    from PIL import Image

    with Image.open(photograph_path(name)) as picture:
        return picture.convert("RGB")


def load_photographs(names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """The whole photographs, name -> (height, width, 3) uint8; all of `photograph_credits()` by default."""
    if isinstance(names, str):
        raise ValueError(f"names must be a list of names, so write [{names!r}]")
    return {name: np.array(open_photograph(name)) for name in (PHOTOGRAPHS if names is None else names)}


def load_regions() -> dict[str, dict]:
    """For each class its "photograph", and its "train", "validation" and "test" rectangle in that photograph.

    Rectangles are (left, top, right, bottom) in pixels, right and bottom excluded.
    """
    return {
        name: {"photograph": material.photograph} | {part: getattr(material, part) for part in PARTS}
        for name, material in MATERIALS.items()
    }


def photograph_credits() -> list[dict[str, str]]:
    """One dictionary for each photograph: name, file, package, shows, source, licence and its classes."""
    classes = {name: [key for key, value in MATERIALS.items() if value.photograph == name] for name in PHOTOGRAPHS}
    return [
        {"name": name, **photograph._asdict(), "classes": ", ".join(classes[name])}
        for name, photograph in PHOTOGRAPHS.items()
    ]


def draw_boxes(region: Box, *, sides: tuple[int, int], count: int, words: Sequence[int]) -> np.ndarray:
    """Random squares (left, top, right, bottom) inside the region, (count, 4) int64, chosen by the words.

    A longer draw with the same words starts with the shorter one. Only integers are used, so that the
    squares are the same on every machine.
    """
    left, top, right, bottom = region
    raw = random_integers(words, 3 * count).reshape(count, 3)
    side = sides[0] + raw[:, 0] % (sides[1] - sides[0] + 1)
    x = left + raw[:, 1] % (right - left - side + 1)
    y = top + raw[:, 2] % (bottom - top - side + 1)
    return np.stack([x, y, x + side, y + side], axis=1)


def cut_patch(picture: "Picture", box: np.ndarray, *, size: int, color: bool) -> np.ndarray:
    """The box of the picture as (size, size, 3) uint8, cut out first, so that nothing outside counts."""
    from PIL import Image

    patch = picture.crop(tuple(box.tolist()))
    patch = patch if color else patch.convert("L").convert("RGB")
    return np.asarray(patch.resize((size, size), Image.Resampling.BICUBIC))


def random_integers(words: Sequence[int], count: int) -> np.ndarray:
    """Random int64 numbers from 0 to 2**63 - 1, the same for the same words on every machine.

    They are what the bit generator PCG64 gives, which no version of NumPy changes (the methods of
    `numpy.random.Generator` may change).
    """
    bits = np.random.PCG64(np.random.SeedSequence(list(words)))
    return (bits.random_raw(count) >> np.uint64(1)).astype(np.int64)
