"""What all explorers share: a few controls above a picture that follows them, and errors that a learner sees.

The picture comes from a pure function `draw(**values) -> (figure, sentence)` that can be called, and tested, without any
page. Where its controls have few settings an `Explorer` is a film: every setting is drawn once, and `film.js` shows them
with a kernel or without. Otherwise ipywidgets call `draw` at every move; `repairs.js` adds what they lack in the browser.
Git keeps one picture: where WORKBOOK_FILMS names a folder, the film goes there for the site, and not into the notebook.
"""

import base64
import dataclasses
import functools
import html
import io
import itertools
import json
import math
import os
import re
import textwrap
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import ipywidgets as widgets
import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

from helpers.plots import image_html

MOST_STATES, NOTE_SIZE = 500, 13  # settings of a film; pixels
HERE = Path(__file__).parent
FILM_SCRIPT, FILM_STYLE, REPAIRS = ((HERE / name).read_text("utf-8") for name in ("film.js", "film.css", "repairs.js"))
EMPTY_PICTURE = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"


class LiveFigure:
    """A figure of which only some artists change: all else is drawn once, which makes a redraw several times faster."""

    def __init__(self, figure: Figure, *, moving: Sequence[Artist]) -> None:
        self.figure, self.moving = figure, list(moving)
        for artist in self.moving:
            artist.set_animated(True)  # left out of the background
        self.canvas = FigureCanvasAgg(figure)
        self.canvas.draw()
        self.region = self.canvas.copy_from_bbox(figure.bbox)
        self.background = np.array(self.canvas.buffer_rgba())

    def pixels(self) -> np.ndarray:
        """Return the figure as it is now, (height, width, 4) uint8."""
        self.canvas.restore_region(self.region)
        for artist in self.moving:
            self.figure.draw_artist(artist)
        return np.array(self.canvas.buffer_rgba())


Drawing = tuple[Figure | LiveFigure, str]  # the picture, and a sentence about it
Draw = Callable[..., Drawing]


@dataclasses.dataclass(frozen=True)
class Control:
    """A control that takes one of some values, shown as texts: a "slider", a "menu", or "time", a slider that plays."""

    label: str
    values: tuple[Any, ...]
    texts: tuple[str, ...]
    start: int = 0  # a place among the values
    kind: str = "slider"


@dataclasses.dataclass(frozen=True)
class Guess:
    """A question that comes before the picture, a control to answer it, and what was measured, in words."""

    question: str
    control: Control
    answer: str


class Frame(NamedTuple):
    """One setting, drawn: pixels and those that settings share, (height, width, 4) uint8; none where `draw` failed."""

    pixels: np.ndarray | None
    background: np.ndarray | None
    sentence: str


def choice(label: str, options: Sequence[Any], *, value: Any = None, kind: str = "slider") -> Control:
    """Return a control over a few values (a list, or pairs of text and value) that starts at `value` or at the first."""
    if not options:
        raise ValueError(f"{label!r} has nothing to choose from: give at least one value.")
    pairs = [
        option if isinstance(option, tuple) else (f"{option:g}" if isinstance(option, float) else str(option), option)
        for option in options
    ]
    texts, values = zip(*pairs, strict=True)
    if not label:
        raise ValueError(f"the control over {', '.join(texts)} has no label: a learner would not know what it does.")
    if value is not None and value not in values:
        raise ValueError(f"{label!r} cannot start at {value!r}: choose from {', '.join(texts)}.")
    return Control(label, values, texts, 0 if value is None else values.index(value), kind)


def numbers(label: str, low: float, high: float, *, step: float = 1, value: float, kind: str = "slider") -> Control:
    """Return a control over the numbers from `low` to `high`, both included."""
    return choice(label, [low + step * index for index in range(round((high - low) / step) + 1)], value=value, kind=kind)


@dataclasses.dataclass
class Explorer:
    """An explorer of `draw(**values)`: what a notebook shows when it stands last in a cell.

    `controls` maps the names of draw's arguments to controls, in the order in which they are shown; `name` says in a few
    words what is explored. `guess` asks for a prediction first. Where there are too many settings for a film, `part` has
    the controls that the site offers, the others stay as they start; `code(**values)` returns a program to be shown.
    """

    draw: Draw
    controls: Mapping[str, Control]
    _: dataclasses.KW_ONLY
    name: str
    guess: Guess | None = None
    part: Mapping[str, Control] = dataclasses.field(default_factory=dict)
    code: Callable[..., str] | None = None
    photographs: bool = False  # stored with some loss

    @property
    def is_film(self) -> bool:
        """Whether the settings are few enough to draw them all."""
        return math.prod(len(control.values) for control in self.controls.values()) <= MOST_STATES

    def frame(self, **changes: Any) -> Frame:
        """Return one setting drawn: the start, but for `changes`, which are values of controls by name."""
        values = {key: control.values[control.start] for key, control in self.controls.items()} | changes
        try:
            figure, sentence = self.draw(**values)
            live = figure if isinstance(figure, LiveFigure) else LiveFigure(figure, moving=())
            return Frame(live.pixels(), live.background, sentence)
        except Exception as error:
            return Frame(None, None, _failure(error))

    @functools.cached_property
    def film(self) -> dict[str, Any]:
        """What `film.js` shows, all settings or those of `part`: recorded when it is first asked for."""
        return record(self)

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        labels = ", ".join(control.label for control in self.controls.values())
        bundle = {} if self.is_film else build_box(self)._repr_mimebundle_(**kwargs)
        bundle["text/plain"] = f"[explorer] {self.name}. Controls: {labels}. Run the notebook to move them."
        start = self.frame()
        if start.pixels is not None:
            now = "; ".join(f"{control.label}: {control.texts[control.start]}" for control in self.controls.values())
            bundle["image/png"] = add_note(start.pixels, f"An explorer ({now}). To move it, run this notebook: make lab.")
        if folder := os.environ.get("WORKBOOK_FILMS"):
            Path(folder, f"{slug(self.name)}.js").write_text(self._call(), encoding="utf-8")
        elif self.is_film:
            still = image_html(bundle.get("image/png", b""), alt=f"{self.name}. {start.sentence}")
            bundle["text/html"] = f"<style>{FILM_STYLE}</style>{film_html(self.name, still)}"
            bundle["text/html"] += f"<script>{{{FILM_SCRIPT}{self._call()}}}</script>"
        return bundle

    def _call(self) -> str:
        return f'workbookFilm("{slug(self.name)}", {to_json(self.film)});\n'


def slug(name: str) -> str:
    """Return the name of an explorer as one word, which its film goes by."""
    return re.sub(r"\W+", "-", name.lower()).strip("-")


def film_html(name: str, still: str) -> str:
    """Return the element that a film goes to; `still`, an image, is what it shows where no script runs."""
    return f'<div class="workbook-film" data-film="{slug(name)}" role="group" aria-label="{html.escape(name)}">{still}</div>'


def record(explorer: Explorer) -> dict[str, Any]:
    """Return a film: its controls, the pictures that its settings share, and for each setting a layer and a sentence."""
    controls = dict(explorer.controls)
    if not explorer.is_film:
        as_it_starts = {key: Control(c.label, (c.values[c.start],), (c.texts[c.start],)) for key, c in controls.items()}
        controls = as_it_starts | explorer.part
    kept = [f"{c.label} {', '.join(c.texts)}" for key, c in controls.items() if c.texts != explorer.controls[key].texts]
    note = f"Here with fewer settings: {'; '.join(kept)}. Run the notebook for all of them."
    backgrounds: dict[int, tuple[int, np.ndarray]] = {}
    layers: dict[tuple[Any, ...], tuple[int, Future[str]]] = {}  # equal ones are stored once
    states: list[tuple[int, int] | None] = []
    sentences, kind = [], "photograph" if explorer.photographs else "drawing"
    with ThreadPoolExecutor(2) as pool:
        for values in itertools.product(*(control.values for control in controls.values())):
            pixels, background, sentence = explorer.frame(**dict(zip(controls, values, strict=True)))
            sentences.append(sentence)
            if pixels is None:
                states.append(None)
                continue
            x, y, layer = _difference(pixels, background, whole=explorer.photographs)
            key = (x, y, layer.shape, hash(layer.tobytes()))  # the pixels themselves would fill the memory
            if key not in layers:
                layers[key] = len(layers), pool.submit(_webp, layer, kind=kind)
            place, _ = backgrounds.setdefault(id(background), (len(backgrounds), background))
            states.append((place, layers[key][0]))
    return {
        "name": explorer.name,
        "controls": [control for control in controls.values() if len(control.values) > 1],
        "note": "" if explorer.is_film else note,
        "guess": explorer.guess,
        "backgrounds": [_webp(background, kind="exact") for _, background in backgrounds.values()],
        "layers": [(x, y, job.result()) for (x, y, *_), (_, job) in layers.items()],
        "states": states,
        "sentences": sentences,
    }


def to_json(content: Any) -> str:
    """Return JSON, fit to stand inside a script element; a control goes without its values, which only Python needs."""

    def parts(item: Control | Guess) -> dict[str, Any]:
        return {name: part for name, part in vars(item).items() if name != "values"}

    return json.dumps(content, default=parts, separators=(",", ":")).replace("</", "<\\/")


def _difference(pixels: np.ndarray, background: np.ndarray, *, whole: bool) -> tuple[int, int, np.ndarray]:
    """Return where a picture differs from its background: left, top, the part (height, width, 4), with holes or `whole`."""
    differs = (pixels.view("uint32") != background.view("uint32"))[..., 0]
    rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
    if not len(rows):
        return 0, 0, np.zeros((1, 1, 4), dtype="uint8")
    part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return int(columns[0]), int(rows[0]), np.where(whole | differs[part][..., None], pixels[part], 0).astype("uint8")


def _webp(pixels: np.ndarray, *, kind: str) -> str:
    """Return a picture as WebP in base64: "exact", a "drawing" in 32 colours, or a "photograph", with some loss."""
    picture, buffer = Image.fromarray(pixels), io.BytesIO()
    if kind == "drawing":
        picture = picture.quantize(32, method=Image.Quantize.FASTOCTREE).convert("RGBA")
    picture.save(buffer, "webp", lossless=kind != "photograph", method=2, quality=30)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def build_box(explorer: Explorer) -> widgets.VBox:
    """Return the ipywidgets of a live explorer: the same looks and the same order as those of a film."""
    knobs = {key: _knob(control) for key, control in explorer.controls.items()}
    sentence, picture, program = widgets.HTML(), widgets.HTML(), widgets.HTML()
    sentence.add_class("workbook-sentence")
    wants_program = widgets.Checkbox(description="show me the code", value=False)

    def redraw(_change: Any = None) -> None:
        frame = explorer.frame(**(values := {key: knob.value for key, knob in knobs.items()}))
        role = "alert" if frame.pixels is None else "status"
        sentence.value = f'<div role="{role}">{html.escape(frame.sentence)}</div>'
        if frame.pixels is not None:
            picture.value = image_html(_png(frame.pixels, compress_level=1), alt=f"{explorer.name}. {frame.sentence}")
        wanted = explorer.code and wants_program.value
        program.value = f"<pre>{html.escape(explorer.code(**values))}</pre>" if wanted else ""

    for knob in (*knobs.values(), wants_program):
        knob.observe(redraw, names="value")
    redraw()
    row = widgets.HBox([*knobs.values()], layout=widgets.Layout(flex_flow="row wrap"))
    for key, control in explorer.controls.items():
        if control.kind == "time":
            row.children += (widgets.Play(value=control.start, max=len(control.values) - 1, interval=150),)
            widgets.jslink((row.children[-1], "value"), (knobs[key], "index"))
    body = widgets.VBox([row, sentence, picture, *([wants_program, program] if explorer.code else [])])
    return widgets.VBox([body, build_repairs(explorer)]).add_class("workbook-explorer")


def _knob(control: Control) -> widgets.ValueWidget:
    options, looks = list(zip(control.texts, control.values, strict=True)), {"style": {"description_width": "9em"}}
    kind = widgets.Dropdown if control.kind == "menu" else widgets.SelectionSlider
    knob = kind(description=control.label, options=options, index=control.start, tooltip=control.label, **looks)
    knob.layout.width = "26em"
    return knob


def build_repairs(explorer: Explorer) -> widgets.HTML:
    """Return an invisible widget that runs `repairs.js` on the explorer that it is put in: a picture whose loading does."""
    script, name, guess = (html.escape(text) for text in (FILM_SCRIPT + REPAIRS, explorer.name, to_json(explorer.guess)))
    image = f'<img alt="" src="{EMPTY_PICTURE}" data-name="{name}" data-guess="{guess}" onload="{script}">'
    return widgets.HTML(f"<style>{FILM_STYLE}</style>{image}", layout=widgets.Layout(display="none"))


def _png(picture: np.ndarray | Image.Image, *, compress_level: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(picture)[..., :3]).save(buffer, "png", compress_level=compress_level)
    return buffer.getvalue()


def add_note(pixels: np.ndarray, note: str) -> bytes:
    """Return a picture as PNG with a line of text below: for pages that run no kernel and show nothing but the picture."""
    picture = Image.fromarray(pixels).convert("RGB")
    font = ImageFont.truetype(findfont("DejaVu Sans"), NOTE_SIZE)
    lines = textwrap.wrap(note, width=int(picture.width / font.getlength("n")))
    higher = Image.new("RGB", (picture.width, picture.height + (len(lines) + 1) * (NOTE_SIZE + 4)), "white")
    higher.paste(picture)
    ImageDraw.Draw(higher).multiline_text((8, picture.height + 6), "\n".join(lines), font=font, fill="#444444", spacing=4)
    return _png(higher, compress_level=9)


def _failure(error: Exception) -> str:
    """Return what went wrong in `draw`, and where."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    place = f"line {at.lineno} of {Path(at.filename).name}, in {at.name}"
    return f"This setting could not be drawn. {type(error).__name__}: {error} ({place})"
