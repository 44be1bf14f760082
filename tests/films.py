"""Explorers as the tests see them: all their settings, and films taken apart again."""

from __future__ import annotations

import base64
import io
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from helpers.explorers.shell import Explorer

# What 32 colours cost: the worst pixel at an edge, and the mean over the picture, of 255.
WORST, MEAN = 70, 1.0


def settings(explorer: Explorer) -> Iterator[dict[str, Any]]:
    """Every setting of an explorer, in the order of its film."""
    for values in itertools.product(*(control.values for control in explorer.controls.values())):
        yield dict(zip(explorer.controls, values, strict=True))


def decoded(picture: str) -> Image.Image:
    """A picture of a film, with its transparency."""
    return Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGBA")


def composed(film: dict[str, Any], number: int) -> np.ndarray:
    """The picture (height, width, 3) that a film shows at a setting: the background with the layer on it."""
    background, layer = film["states"][number]
    picture = decoded(film["backgrounds"][background])
    x, y, source = film["layers"][layer]
    picture.alpha_composite(decoded(source), (x, y))
    return np.asarray(picture.convert("RGB"))


def check_film(explorer: Explorer) -> None:
    """Every setting of the film has to show what `draw` draws, and to say what it says."""
    film, worst, means, count = explorer.film, 0, [], 0
    for number, setting in enumerate(settings(explorer)):
        frame = explorer.frame(**setting)
        assert film["sentences"][number] == frame.sentence and "could not be drawn" not in frame.sentence, setting
        apart = np.abs(composed(film, number).astype(int) - frame.pixels[..., :3])
        worst, count = max(worst, apart.max()), count + 1
        means.append(apart.mean())
    print(f"{explorer.name}: {count} settings, the worst pixel {worst} of 255, the worst mean {max(means):.2f}")
    assert count == len(film["states"]) == len(film["sentences"]) > 10
    assert worst <= WORST and max(means) <= MEAN


def check_controls(explorer: Explorer, *, same: tuple[str, ...] = ()) -> None:
    """Each control, taken to both ends, has to be drawn and to change the picture (those in `same` need not)."""
    for key, control in explorer.controls.items():
        frames = [explorer.frame(**{key: value}) for value in (control.values[0], control.values[-1])]
        assert all(frame.pixels is not None for frame in frames), (key, frames[0].sentence, frames[1].sentence)
        assert not np.array_equal(frames[0].pixels, frames[1].pixels) or key in same, key
        assert not any("nan" in frame.sentence for frame in frames)
