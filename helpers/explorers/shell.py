"""What all explorers share: a few controls above a picture that follows them, and errors that a learner sees.

The picture comes from a pure function `draw(**values) -> (figure, sentence)` that can be called, and tested, without any
widget; `build_explorer` wires it to controls. The picture lives in HTML, because that keeps the alternative text; it is
also part of the stored output as a plain PNG, so that the page shows it where no kernel runs. A mistake inside `draw` is
shown below the controls, never swallowed. What ipywidgets lacks in the browser is put right by `repairs.js`.
"""

import html
import io
import textwrap
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

from helpers.plots import figure_png, image_html

NOTE_SIZE = 13  # pixels
REPAIRS = Path(__file__).with_name("repairs.js").read_text(encoding="utf-8")
EMPTY_PICTURE = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"


class LiveFigure:
    """A figure of which only some artists change: all else is drawn once, which makes a redraw several times faster."""

    def __init__(self, figure: Figure, *, moving: Sequence[Artist]) -> None:
        self.figure, self.moving = figure, list(moving)
        for artist in self.moving:
            artist.set_animated(True)  # left out of the background
        self.canvas = FigureCanvasAgg(figure)
        self.canvas.draw()
        self.background = self.canvas.copy_from_bbox(figure.bbox)

    def png(self) -> bytes:
        """Return the figure as it is now, as the bytes of a PNG file."""
        self.canvas.restore_region(self.background)
        for artist in self.moving:
            self.figure.draw_artist(artist)
        buffer = io.BytesIO()
        pixels = np.asarray(self.canvas.buffer_rgba())[..., :3]
        Image.fromarray(pixels).save(buffer, format="png", compress_level=1)
        return buffer.getvalue()


Drawing = tuple[Figure | LiveFigure, str]  # the picture, and a sentence about it
Draw = Callable[..., Drawing]


class Explorer(widgets.VBox):
    """A box with controls, one sentence about the current setting, and the picture."""

    def __init__(self, draw: Draw, *, controls: Mapping[str, widgets.ValueWidget], name: str) -> None:
        self.draw, self.controls, self.name = draw, dict(controls), name
        self.sentence, self.picture = widgets.HTML(), widgets.HTML()
        self.sentence.add_class("workbook-sentence")
        self.png = b""
        row = widgets.HBox(list(self.controls.values()), layout=widgets.Layout(flex_flow="row wrap"))
        super().__init__([row, self.sentence, self.picture, build_repairs(name)])
        self.add_class("workbook-explorer")
        for control in self.controls.values():
            control.tooltip = control.tooltip or control.description  # without one, browsers show "null"
            control.observe(self.redraw, names="value")
        self.redraw()

    def redraw(self, _change: Any = None) -> None:
        """Draw the picture for the present values of the controls, or say why that failed."""
        try:
            figure, sentence = self.draw(**{key: control.value for key, control in self.controls.items()})
            self.png = figure.png() if isinstance(figure, LiveFigure) else figure_png(figure)
        except Exception as error:
            self.sentence.value = _failure(error)
            return
        self.sentence.value = f'<div role="status" aria-live="polite">{html.escape(sentence)}</div>'
        self.picture.value = image_html(self.png, alt=f"{self.name}. {sentence}")

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        names = ", ".join(control.description for control in self.controls.values())
        bundle = super()._repr_mimebundle_(**kwargs)
        bundle["text/plain"] = f"[explorer] {self.name}. Controls: {names}. Run the notebook to move them."
        if self.png:
            note = f"An explorer, as a picture. To move its controls ({names}), run this notebook: make lab."
            bundle["image/png"] = add_note(self.png, note)
        return bundle


def add_note(png: bytes, note: str) -> bytes:
    """Return the picture with a line of text below: for pages that run no kernel and show nothing but the picture."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    font = ImageFont.truetype(findfont("DejaVu Sans"), NOTE_SIZE)
    lines = textwrap.wrap(note, width=int(picture.width / font.getlength("n")))
    higher = Image.new("RGB", (picture.width, picture.height + (len(lines) + 1) * (NOTE_SIZE + 4)), "white")
    higher.paste(picture)
    text = "\n".join(lines)
    ImageDraw.Draw(higher).multiline_text((8, picture.height + 6), text, font=font, fill="#444444", spacing=4)
    buffer = io.BytesIO()
    higher.save(buffer, format="png", compress_level=3)
    return buffer.getvalue()


def build_repairs(name: str) -> widgets.HTML:
    """Return an invisible widget that runs `repairs.js` on the `.workbook-explorer` that it is put in.

    The script rides on a picture without any content: that needs no further package and leaves no output in the
    notebook. `name` is the accessible name of the whole explorer.
    """
    script, name = html.escape(REPAIRS), html.escape(name)
    image = f'<img alt="" src="{EMPTY_PICTURE}" data-name="{name}" onload="{script}">'
    return widgets.HTML(image, layout=widgets.Layout(display="none"))


def _failure(error: Exception) -> str:
    """Return HTML that names the error, and where it happened in a folded part."""
    details = "".join(traceback.format_exception(error))
    return (
        f'<div role="alert"><b>This setting could not be drawn.</b> {type(error).__name__}: {html.escape(str(error))}'
        f"<details><summary>Where it happened</summary><pre>{html.escape(details)}</pre></details></div>"
    )


def build_explorer(draw: Draw, *, controls: Mapping[str, widgets.ValueWidget], name: str) -> Explorer:
    """Return an Explorer that shows `draw(**values)` and redraws it whenever a control changes.

    `controls` maps the names of `draw`'s arguments to widgets, in the order in which they are shown; each needs a
    description. `name` says in a few words what is explored.
    """
    for key, control in controls.items():
        if not control.description:
            raise ValueError(f"control {key!r} has no description: a learner would not know what it does.")
        control.style = {"description_width": "9em"}
    return Explorer(draw, controls=controls, name=name)


def choice(description: str, options: Sequence[Any], *, value: Any = None) -> widgets.SelectionSlider:
    """Return a slider over a few values (a list, or pairs of text and value) that starts at `value` or at the first."""
    start = {} if value is None else {"value": value}
    slider = widgets.SelectionSlider(description=description, options=options, layout=widgets.Layout(width="26em"), **start)
    return slider.add_class("workbook-choice")
