"""Explorers without a browser: films are recorded and taken apart, live ones are set, and picture and sentence follow."""

import html
import io
import json
import re
from pathlib import Path

import films
import ipywidgets as widgets
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from helpers.explorers import shell
from helpers.explorers.shell import Control, Explorer, Guess, LiveFigure, choice, numbers


def draw(number, word="a"):
    if number == 2:
        raise ValueError("two is <too> much")
    figure = Figure((2, 1))
    figure.subplots().plot([0, number])
    return figure, f"the number is {number}"


def live_draw():
    figure = Figure((3, 2))
    (line,) = figure.subplots().plot([0, 1], [0, 0])
    live = LiveFigure(figure, moving=[line])

    def move(number, word="a"):
        line.set_ydata([0, 0.01 * number])
        return live, f"{number} </script> {word}"

    return move


def small(draw=draw, **options):
    controls = {"number": numbers("number", 0, 4, value=3), "word": choice("word", ["a", "b"], kind="menu")}
    return Explorer(draw, controls, name='Numbers "and" <words>', **options)


def large(draw=draw, **options):
    return Explorer(draw, {"number": numbers("number", 0, 600, value=3)}, name="Numbers", **options)


def parts(box):
    """The slider, the sentence and the picture of a live explorer."""
    row, sentence, picture, *_ = box.children[0].children
    return row.children[0], sentence, picture


def test_few_settings_make_a_film_and_many_do_not():
    exactly = {"a": numbers("a", 1, 25, value=1), "b": numbers("b", 1, 20, value=1)}
    assert Explorer(draw, exactly, name="500").is_film and small().is_film
    assert not Explorer(draw, exactly | {"c": choice("c", [1, 2])}, name="1000").is_film and not large().is_film


def test_a_film_shows_what_is_drawn_in_the_order_of_its_controls():
    explorer = small(live_draw())
    films_, sentences = explorer.film, [explorer.frame(**setting).sentence for setting in films.settings(explorer)]
    assert films_["sentences"] == sentences and sentences[1] == "0 </script> b" and sentences[2] == "1 </script> a"
    for number, setting in enumerate(films.settings(explorer)):
        wanted = explorer.frame(**setting).pixels[..., :3].astype(int)
        assert np.abs(films.composed(films_, number) - wanted).max() < films.WORST
    assert len(films_["backgrounds"]) == 1, "all settings share it"
    assert len(films_["layers"]) == 5, "equal layers are stored once"


def test_figures_without_moving_parts_make_a_film_as_well():
    explorer = small(lambda number, word: draw(1 if number == 2 else number))
    for number in (0, 9):
        wanted = list(films.settings(explorer))[number]
        assert np.array_equal(films.composed(explorer.film, number), explorer.frame(**wanted).pixels[..., :3])


def test_a_setting_that_cannot_be_drawn_is_said_in_its_place():
    film = small().film
    assert [place for place, state in enumerate(film["states"]) if state is None] == [4, 5]
    assert film["sentences"][4].startswith("This setting could not be drawn. ValueError: two is <too> much (line ")
    assert (
        film["sentences"][4].endswith("of test_explorers_shell.py, in draw)") and film["sentences"][6] == "the number is 3"
    )


def test_photographs_are_stored_with_some_loss_and_drawings_in_few_colours():
    noise = np.random.default_rng(0).integers(0, 256, (80, 80, 4), dtype="uint8")
    noise[..., 3] = 255
    as_drawing, as_photograph, exact = (
        np.asarray(films.decoded(shell._webp(noise, kind=kind))) for kind in ("drawing", "photograph", "exact")
    )
    colours = [len(np.unique(picture.reshape(-1, 4), axis=0)) for picture in (as_drawing, as_photograph)]
    assert colours[0] <= 32 and colours[1] > 1000 and not np.array_equal(as_photograph, noise)
    assert np.array_equal(exact, noise)


def test_the_film_stands_in_the_page_with_its_picture_script_and_style():
    bundle = small(live_draw())._repr_mimebundle_()
    page = bundle["text/html"]
    assert page.count("<script>") == page.count("</script>") == 1, "a sentence cannot end the script"
    assert page.count("<style>") == 1 and 'data-film="numbers-and-words"' in page
    assert 'alt="Numbers &quot;and&quot; &lt;words&gt;. 3 &lt;/script&gt; a"' in page
    film = json.loads(re.search(r'workbookFilm\("numbers-and-words", (\{.*\})\);\n\}</script>', page)[1])
    assert film["sentences"][0] == "0 </script> a"
    assert film["controls"] == [
        {"label": "number", "texts": ["0", "1", "2", "3", "4"], "start": 3, "kind": "slider"},
        {"label": "word", "texts": ["a", "b"], "start": 0, "kind": "menu"},
    ]


@pytest.mark.parametrize("explorer", [small(live_draw()), large()], ids=["film", "live"])
def test_the_stored_output_has_a_picture_and_a_stable_text(explorer, tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBOOK_FILMS", str(tmp_path))
    if not explorer.is_film:
        explorer.part = {"number": choice("number", [1, 3])}
    bundle = explorer._repr_mimebundle_()
    stored, live = np.asarray(Image.open(io.BytesIO(bundle["image/png"]))), explorer.frame().pixels
    np.testing.assert_array_equal(stored[: len(live)], live[..., :3])
    note = stored[len(live) :]
    assert 20 < len(note) < 160 and note.min() < 128, "a line below that says how to run it"
    controls = ", ".join(control.label for control in explorer.controls.values())
    assert bundle["text/plain"] == f"[explorer] {explorer.name}. Controls: {controls}. Run the notebook to move them."
    assert "text/html" not in bundle, "the film goes to its file, not into the notebook"
    written = (tmp_path / f"{shell.slug(explorer.name)}.js").read_text(encoding="utf-8")
    assert json.loads(written[written.index("{") : written.rindex("}") + 1])["sentences"] == explorer.film["sentences"]
    assert ("application/vnd.jupyter.widget-view+json" in bundle) == (not explorer.is_film)


def test_the_film_of_a_live_explorer_has_a_part_of_its_settings_and_says_so():
    controls = {"number": numbers("number", 0, 600, value=3), "word": choice("word", ["a", "b"], value="b")}
    part = {"number": choice("number", [1, 3, 5], value=3)}
    film = Explorer(live_draw(), controls, name="Numbers", part=part).film
    assert film["sentences"] == ["1 </script> b", "3 </script> b", "5 </script> b"] and film["controls"][0].start == 1
    assert film["note"] == "Here with fewer settings: number 1, 3, 5; word b. Run the notebook for all of them."
    assert small(live_draw()).film["note"] == ""


def test_a_move_changes_sentence_picture_and_alternative_text():
    slider, sentence, picture = parts(shell.build_box(large()))
    before = picture.value
    slider.value = 7
    assert "the number is 7" in sentence.value and picture.value != before
    assert 'alt="Numbers. the number is 7"' in picture.value


def test_what_the_front_end_sends_arrives():
    slider, sentence, _ = parts(shell.build_box(large()))
    slider._handle_msg({"content": {"data": {"method": "update", "state": {"index": 9}, "buffer_paths": []}}, "buffers": []})
    assert "the number is 9" in sentence.value


def test_a_mistake_in_the_drawing_is_shown_and_the_next_move_recovers():
    slider, sentence, _ = parts(shell.build_box(large()))
    slider.value = 2
    assert 'role="alert"' in sentence.value and "two is &lt;too&gt; much" in sentence.value and "in draw" in sentence.value
    slider.value = 4
    assert "the number is 4" in sentence.value and "alert" not in sentence.value


def test_time_in_a_live_explorer_has_a_player():
    controls = {"number": numbers("number", 0, 600, value=3, kind="time")}
    row = shell.build_box(Explorer(draw, controls, name="Numbers")).children[0].children[0]
    assert [type(child) for child in row.children] == [widgets.SelectionSlider, widgets.Play] and row.children[1].max == 600


def test_a_program_is_shown_when_asked_for_and_follows_the_controls():
    box = shell.build_box(large(code=lambda number: f"print({number}) <"))
    (slider, *_), (wanted, program) = parts(box), box.children[0].children[-2:]
    assert wanted.description and program.value == ""
    wanted.value = True
    slider.value = 8
    assert program.value == "<pre>print(8) &lt;</pre>"
    wanted.value = False
    assert program.value == ""


def test_a_control_without_a_label_is_refused():
    with pytest.raises(ValueError, match="over 1, 2 has no label"):
        choice("", [1, 2])


def test_a_choice_of_nothing_is_refused():
    with pytest.raises(ValueError, match="'rate' has nothing to choose from"):
        choice("rate", [])


def test_a_start_that_is_no_value_is_refused():
    with pytest.raises(ValueError, match="'rate' cannot start at 3: choose from 1, 2"):
        choice("rate", [1, 2], value=3)


def test_a_choice_starts_at_its_value_or_at_the_first():
    pairs = [("no", False), ("yes", True)]
    assert choice("flip", pairs) == Control("flip", (False, True), ("no", "yes"))
    assert choice("flip", pairs, value=True).start == 1
    assert choice("rate", [0.001, 1.0, 10.0]).texts == ("0.001", "1", "10")
    assert numbers("z", -1, 1, step=0.25, value=0.5).start == 6


def test_a_live_figure_draws_the_same_as_a_new_one():
    move = live_draw()
    flat, steep = move(0)[0].pixels(), move(4)[0].pixels()
    assert flat.shape == (200, 300, 4) and not np.array_equal(flat, steep) and np.array_equal(move(0)[0].pixels(), flat)


GUESS = Guess("How <many>?", choice("my guess", [1, 2]), "2 of 2")


def test_an_explorer_carries_the_repairs_of_its_controls_and_its_question():
    """That they work is tested in tests/browser."""
    box = shell.build_box(large(guess=GUESS))
    assert "workbook-explorer" in box._dom_classes
    repairs = box.children[-1]
    assert repairs.layout.display == "none"
    image = re.search(r"<img [^>]*>$", repairs.value)[0]
    script, name, guess = (html.unescape(re.search(f'{part}="([^"]*)"', image)[1]) for part in ("onload", "name", "guess"))
    files = [Path(shell.__file__).with_name(file).read_text(encoding="utf-8") for file in ("film.js", "repairs.js")]
    assert script == "".join(files) and name == "Numbers"
    assert json.loads(guess)["question"] == "How <many>?" and json.loads(guess)["control"]["texts"] == ["1", "2"]


def test_a_film_carries_its_question():
    assert small(live_draw(), guess=GUESS).film["guess"] == GUESS and small(live_draw()).film["guess"] is None


def test_controls_have_tooltips_that_say_something():
    slider, *_ = parts(shell.build_box(large()))
    assert slider.tooltip == slider.description == "number"
