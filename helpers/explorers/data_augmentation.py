"""Notebook 05: an explorer of one picture, a control for each change, and a grid of random draws.

The draws come from the very layers of Keras that `helpers.augmentation.build_augmentation` puts together. They keep their
seed while a control moves, so the learner sees one thing change: twice the range is twice the same angle.
"""

import functools
from collections.abc import Mapping

import numpy as np

from helpers.augmentation import FILL_MODES, augmented_views, build_augmentation
from helpers.explorers.shell import Draw, Drawing, Explorer, LiveFigure, choice
from helpers.plots import new_axes

DRAWS = 7  # beside the picture itself


def augmentation_explorer(pictures: Mapping[str, np.ndarray]) -> Explorer:
    """Return an explorer of the ranges of an augmentation pipeline, for named pictures (height, width, 3) uint8.

    It starts with the classic ranges. All pictures have one size; about 100 pixels are enough. A new value of "draws"
    gives new random numbers.
    """
    angles = [(f"{angle} degrees", angle) for angle in (0, 10, 20, 40, 90, 180)]
    shares = [(f"{share:.0%}", share) for share in (0.0, 0.1, 0.2, 0.4)]
    controls = {
        "rotation": choice("rotation", angles, value=40),
        **{name: choice(name, shares, value=0.2) for name in ("shift", "shear", "zoom")},
        "brightness": choice("brightness", shares),
        "flip": choice("flip", [("no", False), ("yes", True)], value=True),
        "fill_mode": choice("fill mode", FILL_MODES, kind="menu"),
        "picture": choice("picture", list(pictures), kind="menu"),
        "seed": choice("draws", [(f"number {number}", number) for number in range(1, 11)]),
    }
    name = "A picture and seven random draws of an augmentation pipeline"
    part = {
        "rotation": choice("rotation", [angle for angle in angles if angle[1] in (0, 40, 90, 180)]),
        **{name: choice(name, [shares[0]]) for name in ("shear", "zoom")},
        "shift": choice("shift", [shares[0], shares[-1]]),
        "flip": choice("flip", [("no", False), ("yes", True)]),
        "picture": controls["picture"],
    }
    return Explorer(augmentation_figure(pictures), controls, name=name, part=part, photographs=True)


def augmentation_figure(pictures: Mapping[str, np.ndarray]) -> Draw:
    """Return `draw(picture, **ranges)`: the picture as it is and seven draws, and the ranges in words."""
    shapes = {np.shape(picture) for picture in pictures.values()}
    if len(shapes) != 1 or len(min(shapes)) != 3:
        raise ValueError(f"pictures have the shapes {sorted(shapes)}; wanted one shape (height, width, 3).")
    grid, cells = new_axes(rows=2, columns=4, size=(7.0, 3.8)).reshape(-1), []
    for number, axes in enumerate(grid):
        axes.axis("off")
        axes.set_title(f"draw {number}" if number else "as it is", fontsize=9, loc="center", weight="normal")
        cells.append(axes.imshow(next(iter(pictures.values()))))
    live = LiveFigure(grid[0].get_figure(), moving=cells)

    @functools.lru_cache(maxsize=64)  # who goes back and forth between settings does not wait again
    def remembered_views(picture: str, **ranges: float | bool | str) -> np.ndarray:
        return draw_views(pictures[picture], **ranges)

    def draw(picture: str, **ranges: float | bool | str) -> Drawing:
        views = remembered_views(picture, **ranges)
        for cell, view in zip(cells, (pictures[picture], *views), strict=True):
            cell.set_data(view)
        return live, f"{picture}: {describe(ranges)}"

    return draw


def draw_views(picture: np.ndarray, *, seed: int, **ranges: float | bool | str) -> np.ndarray:
    """Return seven draws of one picture, (7, height, width, 3) uint8; `ranges` are those of `build_augmentation`."""
    augment = build_augmentation(**ranges, seed=seed)
    copies = np.repeat(picture[np.newaxis], DRAWS, axis=0)
    return augmented_views(copies, augment=augment, views=1, seed=seed, keep_first=False)[0]


def describe(ranges: Mapping[str, float | bool | str]) -> str:
    """Return the ranges in words, without those that do nothing."""
    parts = [f"rotation up to {ranges['rotation']:g} degrees"] if ranges["rotation"] else []
    shares = ("shift", "shear", "zoom", "brightness")
    parts += [f"{name} up to {ranges[name]:.0%}" for name in shares if ranges[name] > 0]
    parts += ["flipped in half of the cases"] if ranges["flip"] else []
    changes = ", ".join(parts) or "nothing is changed"
    return f"{changes}; fill mode {ranges['fill_mode']}, draws number {ranges['seed']}."
