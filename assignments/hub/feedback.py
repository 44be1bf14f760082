"""The pages of feedback that the driver wrote, put where the Formgrader's "release feedback" looks for them."""

from __future__ import annotations

import shutil
from pathlib import Path

BESIDE = ("timestamp.txt", "submission_secret.txt")  # with these two, a page finds the submission that it belongs to


def lay_out(unit: str, out: Path) -> list[str]:
    """Return the students whose pages were laid out in the course folder of `out`, for the work that was collected."""
    laid = []
    for page in sorted((out / "feedback" / unit).glob("*.html")):
        collected = out / "course" / "collected" / page.stem / unit
        folder = out / "course" / "feedback" / page.stem / unit
        if all((collected / name).is_file() for name in BESIDE):
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(page, folder / f"{unit}.html")
            for name in BESIDE:
                shutil.copyfile(collected / name, folder / name)
            laid.append(page.stem)
    return laid
