"""Photographs in folders, one folder a class: what most programs for image classification start from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from helpers.photographs import PARTS

if TYPE_CHECKING:
    from sklearn.utils import Bunch


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
