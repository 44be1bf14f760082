"""Notebook 13: a field for a folder, a field for single photographs, and below which confidence to say "I don't know"."""

import datetime
import functools
import html
import os
import shlex
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageEnhance

from helpers import plots
from helpers._machinery.images import shown
from helpers.data import load_textures, write_image_folders
from helpers.evaluation import paired_interval
from helpers.explorers.shell import Drawing, Explorer, Guess, LiveFigure, choice
from helpers.folders import plain_path
from helpers.plots import MARKERS, PALETTE

THRESHOLDS = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999)
SHOWN = 6  # pictures that change side
PRACTICE = {"train_per_class": 16, "validation_per_class": 20, "test_per_class": 12, "image_size": 96}


def practice_folder(place: Path | str) -> Path:
    """Return `place`, in which the fourteen materials of `load_textures` lie as people's photographs do: not quite clean.

    16 training, 20 validation and 12 test pictures of each class, and in train: a copy, half a file, a text that is called
    .jpg, what a file browser leaves behind, a picture that lies on its side and says so, and one in the wrong folder.
    """
    folder = write_image_folders(load_textures(**PRACTICE), place)
    first = {name: sorted((folder / "train" / name).iterdir()) for name in ("brick", "coins", "grass", "petals", "wood")}
    (folder / "train/brick/copy of a brick.png").write_bytes(first["brick"][0].read_bytes())
    (folder / "train/coins/half.png").write_bytes(first["coins"][0].read_bytes()[:2000])
    (folder / "train/grass/notes.jpg").write_text("Shot on Sunday, behind the house.", encoding="utf-8")
    (folder / "train/grass/.DS_Store").write_bytes(b"\0\0\0\1Bud1")
    upright, exif = Image.open(first["petals"][1]), Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter to the right
    upright.rotate(90, expand=True).save(first["petals"][1].with_suffix(".jpg"), quality=95, exif=exif)
    first["petals"][1].unlink()
    first["wood"][2].rename(folder / "train/gravel/sunny.png")
    return folder


def folder_of_copies(textures: Mapping[str, Any]) -> Path:
    """Return a folder with the training patches of `textures`, and two changed copies of each: brighter, and sent on."""
    copies = Path(tempfile.mkdtemp()) / "copies"
    for number, (pixels, label) in enumerate(zip(textures["train_images"], textures["train_labels"], strict=True)):
        place = copies / textures["class_names"][label]
        place.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(pixels)
        picture.save(place / f"{number}.png")
        ImageEnhance.Brightness(picture).enhance(1.1).save(place / f"{number} bright.jpg", quality=90)
        picture.resize((72, 72)).save(place / f"{number} sent.jpg", quality=60)
    return copies


def resized(images: np.ndarray, size: int) -> np.ndarray:
    """Return the images (n, height, width, 3) as (n, size, size, 3), uint8."""
    return np.stack([np.asarray(Image.fromarray(pixels).resize((size, size))) for pixels in images])


def said(values: Any, sign: str = "") -> str:
    """Return the mean of the values and its 95 % interval as words: "0.93 (0.90 to 0.96)"."""
    mean, low, high = paired_interval(np.asarray(values))
    return f"{mean:{sign}.2f} ({low:{sign}.2f} to {high:{sign}.2f})"


def note_opening(log: Path) -> int:
    """Return how often the test part was opened, this time included: one line of `log` each."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        file.write(f"opened {datetime.datetime.now():%Y-%m-%d %H:%M}\n")
    return len(log.read_text(encoding="utf-8").splitlines())


def listed(items: Iterable[str]) -> str:
    """Return the items with commas between them, in lines that break between two items and not inside of one."""
    whole = {"break_long_words": False, "break_on_hyphens": False}
    return textwrap.fill(", ".join(item.replace(" ", "\0") for item in items), 90, **whole).replace("\0", " ")


def show_pictures(images: np.ndarray, titles: Sequence[str], alt: str) -> None:
    """Show the pictures in rows of seven; nothing where there is none."""
    if len(images):
        plots.show(plots.plot_images(images, titles=titles, columns=7, width=1.3), alt=alt)


class FolderField:
    """A field for the path of a folder; left empty, it stands for the practice folder, written when first asked for.

    What was typed is kept as long as the kernel runs, so that running the cell once more does not lose it. A new kernel
    knows nothing of it, though the page may still show it.
    """

    last = ""

    def __init__(self, path: str = "") -> None:
        looks = {"style": {"description_width": "initial"}, "layout": {"width": "44em"}}
        empty = "the path of your folder; empty: the practice folder"
        self.text = widgets.Text(value=str(path) or FolderField.last, description="your folder", placeholder=empty, **looks)
        self.sentence = widgets.HTML()
        self.text.observe(self._keep, names="value")
        self._say()

    @functools.cached_property
    def _practice(self) -> Path:
        return practice_folder(Path(tempfile.mkdtemp(), "practice"))

    @property
    def is_practice(self) -> bool:
        """Whether the field is empty."""
        return not self._typed()

    @property
    def folder(self) -> Path:
        """The folder; `ValueError` with one sentence where the path leads to none that holds folders."""
        if self.is_practice:
            return self._practice
        if wrong := complaint(path := Path(self._typed()).expanduser()):
            raise ValueError(wrong)
        return path.absolute()

    @property
    def taken(self) -> str:
        """Which folder is taken, in words; of the learner's own only the name."""
        empty = "THE FIELD IS EMPTY, so this is the practice folder. (After a restart, paste your path again.)"
        return empty if self.is_practice else f"Your folder {self.folder.name}:"

    def inside(self, paths: Sequence[Path], places: Sequence[int]) -> list[str]:
        """Return the paths at these places as they are called in the folder."""
        return [shown(paths[place].relative_to(self.folder)) for place in places]

    def _typed(self) -> str:
        return plain_path(self.text.value).strip()

    def _keep(self, change: Any) -> None:
        FolderField.last = change["new"]
        self._say()

    def _say(self) -> None:
        wrong = "" if self.is_practice else complaint(Path(self._typed()).expanduser())
        empty = "The field is empty: the practice folder will be used. After a restart of the kernel, paste your path again."
        found = empty if self.is_practice else "This is a folder of folders. Run the next cell."
        self.sentence.value = f'<div role="{"alert" if wrong else "status"}">{html.escape(wrong or found)}</div>'

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        bundle = widgets.VBox([self.text, self.sentence])._repr_mimebundle_(**kwargs)
        return bundle | {"text/plain": "[field] The path of your folder. Run the notebook to fill it in."}


def command_for(saved: Path, field: FolderField) -> str:
    """Return the line for a terminal that asks a saved model; with this machine's paths where the folder is one's own."""
    python, model = ("python", saved.name) if field.is_practice else (sys.executable, str(saved))
    join = subprocess.list2cmdline if os.name == "nt" else shlex.join
    return join([python, "-m", "helpers", "predict", model, "holiday.jpg"])


def complaint(path: Path) -> str:
    """Return in one sentence why a path is no folder of classes, or an empty text."""
    try:
        if not path.exists():
            near = next((parent for parent in path.absolute().parents if parent.is_dir()), "")
            return f"There is no folder {path}. What exists of this path is {near}; look for a slip after that."
        if not path.is_dir():
            return f"{path.name} is a file. Give the folder that holds one folder for each class."
        if not any(place.is_dir() for place in path.iterdir()):
            return f"{path.name} holds no folders. Put the photographs of each class into a folder of its own."
    except OSError as error:
        return f"{path} cannot be read: {error.strerror or error}."
    return ""


class UploadField:
    """A button for a few photographs from the learner's own computer, and below it what `name_photographs` says of each."""

    def __init__(self, name_photographs: Callable[[Sequence[Path]], Sequence[Mapping[str, Any]]]) -> None:
        self.name_photographs = name_photographs
        self.upload = widgets.FileUpload(accept="image/*", multiple=True, description="name my photographs")
        self.upload.layout.width = "18em"
        self.sentences = widgets.HTML('<div role="status">Nothing has been uploaded yet.</div>')
        self.upload.observe(self._answer, names="value")

    def _answer(self, change: Any) -> None:
        if not change["new"]:
            return
        with tempfile.TemporaryDirectory() as place:
            paths = [Path(place, Path(file["name"]).name or "photograph") for file in change["new"]]
            for path, file in zip(paths, change["new"], strict=True):
                path.write_bytes(bytes(file["content"]))
            try:
                lines = [_line(path, found) for path, found in zip(paths, self.name_photographs(paths), strict=True)]
            except Exception as error:  # what goes wrong in a callback would be seen by nobody
                lines = [f"This did not work. {type(error).__name__}: {error}".replace(f"{place}{os.sep}", "")]
        self.sentences.value = '<div role="status">' + "<br>".join(map(html.escape, lines)) + "</div>"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        bundle = widgets.VBox([self.upload, self.sentences])._repr_mimebundle_(**kwargs)
        return bundle | {"text/plain": "[field] A button that names photographs of yours. Run the notebook to press it."}


def _line(path: Path, found: Mapping[str, Any]) -> str:
    if "error" in found:  # begins with the path, which is that of a copy
        return f"{path.name} {found['error'].removeprefix(shown(path)).strip()}"
    return f"{path.name}: {found['class']} ({found['probability']:.2f})"


def answered(probabilities: np.ndarray, labels: np.ndarray, threshold: float) -> tuple[float, float]:
    """Return the share of pictures whose confidence is at least the threshold, and the share of these that are right."""
    sure = probabilities.max(axis=1) >= threshold
    right = probabilities.argmax(axis=1) == labels
    return float(sure.mean()), float(right[sure].mean()) if sure.any() else float("nan")


def threshold_explorer(
    answers: Mapping[str, np.ndarray], labels: np.ndarray, images: Any, class_names: Sequence[str]
) -> Explorer:
    """Return a film of thresholds: how much is answered, how much of it is right, and which pictures change side.

    `answers` has the probabilities (n, classes) of each classifier by its name; `images` are the n pictures, an array or
    what can be indexed like one.
    """
    labels = np.asarray(labels)
    live, move = _figure(answers, labels, images)

    def draw(name: str, place: int) -> Drawing:
        probabilities, threshold = answers[name], THRESHOLDS[place]
        sure, predicted = probabilities.max(axis=1), probabilities.argmax(axis=1)
        before = THRESHOLDS[place - 1] if place else 0.0
        leaving = np.flatnonzero((sure >= before) & (sure < threshold))
        wrong = predicted != labels
        leaving = leaving[np.argsort(~wrong[leaving], kind="stable")]  # mistakes first
        seen = [(index, class_names[predicted[index]], bool(wrong[index])) for index in leaving[:SHOWN]]
        coverage, accuracy = answered(probabilities, labels, threshold)
        move(name, coverage, accuracy, seen)
        kept = f"of these {accuracy:.2f} are right" if coverage else "so there is nothing to be right or wrong"
        change = f"{len(leaving)} are no longer answered at this step, {int(wrong[leaving].sum())} of them wrong"
        return live, f"{name}, threshold {threshold:g}: {coverage:.2f} of {len(labels)} are answered, {kept}; {change}."

    steps = [(f"{value:g}", place) for place, value in enumerate(THRESHOLDS)]
    controls = {
        "name": choice("classifier", list(answers), kind="menu"),
        "place": choice("threshold", steps, value=THRESHOLDS.index(0.9), kind="time"),
    }
    guess = _guess(next(iter(answers)), answers, labels)
    name = "Below which confidence should it say nothing?"
    return Explorer(draw, controls, name=name, guess=guess, photographs=True)


def _guess(name: str, answers: Mapping[str, np.ndarray], labels: np.ndarray) -> Guess:
    """Return the question that comes first: what it takes to be right nearly always."""
    for threshold in THRESHOLDS:
        coverage, accuracy = answered(answers[name], labels, threshold)
        if coverage and accuracy >= 0.99:
            found = f"at a threshold of {threshold:g} it answers {coverage:.2f}, and {accuracy:.2f} of that is right"
            break
    else:
        found = "with none of these thresholds"
    question = f"{name}: which share of the pictures can it still answer if 0.99 of its answers have to be right?"
    return Guess(question, choice("my guess", [0.5, 0.6, 0.7, 0.8, 0.9, 1.0], value=0.7), found)


def _figure(
    answers: Mapping[str, np.ndarray], labels: np.ndarray, images: Any
) -> tuple[LiveFigure, Callable[[str, float, float, Sequence[tuple[int, str, bool]]], None]]:
    """Return the figure, and the function that moves it to a classifier, a point and the pictures that change side."""
    figure = Figure(figsize=(9.0, 3.8), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.3))
    right.suptitle(f"no longer answered at this step: up to {SHOWN} (red: wrong)", fontsize=9)
    curve, grid = left.subplots(), right.subplots(2, SHOWN // 2, subplot_kw={"frame_on": False}).reshape(-1)
    for number, (name, probabilities) in enumerate(answers.items()):
        points = np.array([answered(probabilities, labels, threshold) for threshold in THRESHOLDS])
        curve.plot(*points.T, color=PALETTE[number], marker=MARKERS[number], markersize=3, linewidth=1, label=name)
    curve.set(xlabel="share that is answered", ylabel="share of the answers that is right", xlim=(0, 1.03))
    curve.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=7, columnspacing=1)
    (dot,) = curve.plot([], [], "o", markersize=11, markerfacecolor="none", markeredgecolor="black", mew=2)
    empty, pictures, titles = np.ones((96, 96, 3)), [], []
    for axes in grid:
        axes.set(xticks=[], yticks=[])
        pictures.append(axes.imshow(empty))
        titles.append(axes.set_title(" ", fontsize=7, weight="normal"))

    def move(name: str, coverage: float, accuracy: float, seen: Sequence[tuple[int, str, bool]]) -> None:
        dot.set_data([coverage], [accuracy])
        for place, (picture, title) in enumerate(zip(pictures, titles, strict=True)):
            index, text, wrong = seen[place] if place < len(seen) else (None, "", False)
            picture.set_data(empty if index is None else small(int(index)))
            title.set(text=text, color="#B00020" if wrong else "black")

    @functools.cache
    def small(index: int) -> np.ndarray:
        return np.asarray(Image.fromarray(np.asarray(images[index], "uint8")).resize((96, 96))) / 255.0

    return LiveFigure(figure, moving=[dot, *pictures, *titles]), move
