"""The table of a learner's progress: every notebook with its exercises, and which of them are solved."""

import dataclasses
import html
import importlib
from typing import NamedTuple

from helpers.exercises.solved import load_solved, progress_file

NOTEBOOKS = (  # number, stem, title
    ("00", "start_here", "Start here"),
    ("01", "mlp_basics", "MLP basics"),
    ("02", "backpropagation", "Backpropagation"),
    ("02b", "training_in_practice", "Training in practice"),
    ("03", "transferring_an_mlp", "Transferring an MLP"),
    ("04", "feature_extraction", "Feature extraction"),
    ("05", "data_augmentation", "Data augmentation"),
    ("06", "fine_tuning", "Fine-tuning"),
    ("06b", "was_it_worth_it", "Was it worth it?"),
    ("07", "after_fine_tuning", "After fine-tuning"),
    ("08", "choosing_a_source", "Choosing a source"),
    ("09", "four_kinds_of_transfer", "Four kinds of transfer"),
    ("10", "domain_adaptation", "Domain adaptation"),
    ("11", "lifelong_learning", "Lifelong learning"),
    ("12", "catch_the_bug", "Catch the bug"),
    ("13", "your_own_images", "Your own images"),
)
HEADS = ("", "notebook", "solved", "still open: Your turn ...")


class NotebookProgress(NamedTuple):
    """One notebook, and for each of its exercises, in order, whether it is solved."""

    number: str
    stem: str
    title: str
    solved: dict[str, bool]


@dataclasses.dataclass(frozen=True)
class Progress:
    """A table for the reader; as plain text one sentence that is always the same, because tests compare it."""

    notebooks: tuple[NotebookProgress, ...]
    notice: str = ""

    def __repr__(self) -> str:
        return "[progress] A table of the exercises that you have solved."

    def _repr_html_(self) -> str:
        solved = [solved for part in self.notebooks for solved in part.solved.values()]
        notice = f'<p role="alert">{html.escape(self.notice)}</p>' if self.notice else ""
        heads = "".join(f'<th scope="col" style="text-align: left">{head}</th>' for head in HEADS)
        rows = "".join(map(_row, self.notebooks))
        head = f"<caption>{sum(solved)} of {len(solved)} exercises solved</caption><thead><tr>{heads}</tr></thead>"
        return f"{notice}<table>{head}<tbody>{rows}</tbody></table>"


def _row(part: NotebookProgress) -> str:
    link = f'<a href="{part.number}_{part.stem}.ipynb">{html.escape(part.title)}</a>'
    still_open = ", ".join(str(number) for number, solved in enumerate(part.solved.values(), 1) if not solved)
    cells = (part.number, link, f"{sum(part.solved.values())} of {len(part.solved)}", still_open or "none")
    columns = "".join(f'<td style="text-align: left">{cell}</td>' for cell in cells)
    return f"<tr>{columns}</tr>"


def show_progress() -> Progress:
    """Return a table of all notebooks with the number of exercises that are solved in each."""
    days, notice = load_solved()
    parts = []
    for number, stem, title in NOTEBOOKS:
        names = vars(importlib.import_module(f"helpers.exercises.{stem}"))
        solved = {name: (stem, name) in days for name in names if name.startswith("check_")}
        parts.append(NotebookProgress(number, stem, title, solved))
    return Progress(tuple(parts), notice)


def forget_progress() -> Progress:
    """Return the progress after all of it has been forgotten; `OSError` when the file cannot be removed."""
    for path in (progress_file(), progress_file().with_suffix(".json")):  # the course's first version kept a .json
        path.unlink(missing_ok=True)
    return show_progress()
