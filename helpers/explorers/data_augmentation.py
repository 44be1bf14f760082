"""The explorer of notebook 05: one picture, a control for each change, and a grid of random draws.

The draws come from the very layers of Keras that `helpers.augmentation.build_augmentation` puts together. They keep their
seed while a control moves, so the learner sees one thing change: twice the range is twice the same angle.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

import numpy as np
from ipywidgets import SelectionSlider
from matplotlib.figure import Figure

from helpers.augmentation import FILL_MODES, augmented_views, build_augmentation
from helpers.explorers.shell import Explorer, LiveFigure, build_explorer, choice, menu

DRAWS = 7  # beside the picture itself
COLUMNS = 4


def augmentation_explorer(pictures: Mapping[str, np.ndarray]) -> Explorer:
    """Return an explorer of the ranges of an augmentation pipeline, for named pictures (height, width, 3) uint8.

    It starts with the classic ranges. All pictures have one size; about 100 pixels are enough. A new value of "draws"
    gives new random numbers.
    """
    return build_explorer(
        augmentation_figure(pictures),
        controls={
            "rotation": choice(
                "rotation", [(f"{value} degrees", value) for value in (0, 10, 20, 40, 90, 180)], value=40
            ),
            "shift": _share("shift", value=0.2),
            "shear": _share("shear", value=0.2),
            "zoom": _share("zoom", value=0.2),
            "brightness": _share("brightness", value=0.0),
            "flip": choice("flip", [("no", False), ("yes", True)], value=True),
            "fill_mode": menu("fill mode", list(FILL_MODES)),
            "picture": menu("picture", list(pictures)),
            "seed": choice("draws", [(f"number {number}", number) for number in range(1, 11)]),
        },
        name="A picture and seven random draws of an augmentation pipeline",
    )


def augmentation_figure(pictures: Mapping[str, np.ndarray]) -> Callable[..., tuple[LiveFigure, str]]:
    """Return the drawing function of `augmentation_explorer`: values of the controls in, figure and sentence out."""
    shapes = {np.shape(picture) for picture in pictures.values()}
    if len(shapes) != 1 or len(shapes.copy().pop()) != 3:
        raise ValueError(f"pictures have the shapes {sorted(shapes)}; wanted one shape (height, width, 3).")
    figure = Figure(figsize=(8.4, 4.5), layout="constrained")
    cells = []
    for number, axes in enumerate(figure.subplots(-(-(DRAWS + 1) // COLUMNS), COLUMNS).reshape(-1)):
        axes.axis("off")
        axes.set_title(f"draw {number}" if number else "as it is", fontsize=9, loc="center", weight="normal")
        cells.append(axes.imshow(next(iter(pictures.values()))))
    live = LiveFigure(figure, moving=cells)

    @functools.lru_cache(maxsize=64)  # who goes back and forth between settings does not wait again
    def remembered_views(picture: str, **ranges: float | bool | str) -> np.ndarray:
        return draw_views(pictures[picture], **ranges)

    def draw(picture: str, **ranges: float | bool | str) -> tuple[LiveFigure, str]:
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
    parts += [
        f"{name} up to {ranges[name]:.0%}" for name in ("shift", "shear", "zoom", "brightness") if ranges[name] > 0
    ]
    parts += ["flipped in half of the cases"] if ranges["flip"] else []
    changes = ", ".join(parts) or "nothing is changed"
    return f"{changes}; fill mode {ranges['fill_mode']}, draws number {ranges['seed']}."


def _share(description: str, *, value: float) -> SelectionSlider:
    return choice(description, [(f"{share:.0%}", share) for share in (0.0, 0.1, 0.2, 0.4)], value=value)
