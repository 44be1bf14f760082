"""Notebook 10: a cloud of MNIST digits moves into a cloud of UCI's, by four methods, and what it gains is measured."""

from collections.abc import Callable

import numpy as np

from helpers import adaptation


def _aligned(*rows: np.ndarray) -> list[np.ndarray]:
    """Return subspace alignment in the coordinates that it came from, so that a cloud can go there in small steps."""
    moved = adaptation.align_subspaces(*rows, dimensions=20)
    axes = np.linalg.svd(rows[1] - rows[1].mean(axis=0), full_matrices=False)[2][:20]
    return [some @ axes for some in moved]


METHODS: dict[str, Callable] = {
    "mean": lambda *rows: adaptation.standardise_each(*rows, deviation=False),
    "standardise": adaptation.standardise_each,
    "CORAL": lambda *rows: adaptation.coral(*rows, ridge=0.1),
    "subspaces": _aligned,
}


def part_of_the_way(method: str, strength: float, *rows: np.ndarray) -> list[np.ndarray]:
    """Return source, pool and more of the target, gone a part of the way from where they are (0) to where it leads (1)."""
    raw = adaptation.scale_alike(*rows)
    return [one + strength * (other - one) for one, other in zip(raw, METHODS[method](*raw), strict=True)]
