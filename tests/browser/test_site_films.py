"""Films on the static site: every setting in both themes as it was recorded, by keyboard, narrow, and from a folder.

The name puts it behind the tests in JupyterLab: its pages are heavy, and all pages of one browser share a process.
"""

from __future__ import annotations

import base64
import hashlib
import io

import course
import films
import numpy as np
import pytest
from PIL import Image

from helpers.explorers import (
    after_fine_tuning,
    backpropagation,
    mlp_basics,
    training_in_practice,
    transferring_an_mlp,
)
from helpers.explorers.shell import slug

from .axe import grave_violations
from .explorer_driver import DrivenExplorer
from .firefox import firefox
from .stored_films import FOLDER, named_in, recorded, walked, words

FILMS = sorted(path.stem for path in FOLDER.glob("*.js"))
LARGEST, LARGEST_PAGE = 1_000_000, 3_000_000  # bytes
WITHOUT_DATA = [
    *(mlp_basics.activation_explorer, mlp_basics.neuron_explorer, mlp_basics.folds_explorer),
    transferring_an_mlp.neurons_explorer,
    *(backpropagation.blame_explorer, training_in_practice.learning_rate_explorer, after_fine_tuning.when_to_stop_explorer),
]
PAGES = [path.stem for path in course.NOTEBOOKS if "[explorer]" in path.read_text(encoding="utf-8")]


def page_of(film: str) -> str:
    """The page on which the film of this name is shown."""
    [stem] = [stem for stem in PAGES if film in named_in(stem)]
    return f"notebooks/{stem}.html"


def in_theme(page, theme: str) -> None:
    page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)


def unlocked(page, name: str):
    """The film of this name, on the page that is open, past its question."""
    root = page.locator(f'.workbook-film[data-film="{name}"]')
    root.locator("form, canvas").first.wait_for()
    if root.locator("form").count():
        root.get_by_text("Show me").click()
    root.locator("canvas").wait_for()
    return root


def test_every_explorer_has_its_film_and_none_is_left_over():
    assert sorted(name for stem in PAGES for name in named_in(stem)) == FILMS


def test_films_are_small():
    sizes = {name: (FOLDER / f"{name}.js").stat().st_size for name in FILMS}
    assert max(sizes.values()) <= LARGEST, sizes
    pages = {stem: sum(sizes[name] for name in named_in(stem)) for stem in PAGES}
    print({stem: f"{size / 1e6:.2f} MB" for stem, size in pages.items()})
    assert max(pages.values()) <= LARGEST_PAGE, pages


@pytest.mark.parametrize("build", WITHOUT_DATA, ids=lambda build: build.__name__)
def test_stored_films_are_those_of_today(build):
    """A drawing that was changed after `make run` would leave an old film on the site; test_notebooks.py sees the others."""
    explorer = build()
    film = recorded(slug(explorer.name))
    assert [words(text) for text in film["sentences"]] == [words(text) for text in explorer.film["sentences"]]
    for number in (0, len(film["states"]) - 1):
        apart = films.composed(film, number).astype(int) - films.composed(explorer.film, number)
        assert np.abs(apart).mean() < 2


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", FILMS)
def test_every_setting_shows_its_picture_and_its_sentence(served, name, theme):
    (page, address), film = served, recorded(name)
    page.goto(address + page_of(name))
    in_theme(page, theme)
    root = unlocked(page, name)
    photographs = "augmentation" in name  # decoders differ by a little
    seen = walked(page, root, pictures=photographs)
    assert [sentence for sentence, _ in seen] == film["sentences"]
    for number, (_, shown) in enumerate(seen):
        wanted = films.composed(film, number)
        if photographs:
            assert np.abs(pixels(shown) - wanted).mean() < 1.5, number
        else:
            opaque = np.dstack([wanted, np.full(wanted.shape[:2], 255, dtype="uint8")])
            assert shown == hashlib.sha256(opaque.tobytes()).hexdigest(), number
    check_the_page_shows_the_canvas(root, films.composed(film, len(seen) - 1))


def pixels(picture: str) -> np.ndarray:
    """The pixels of a data: address."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(picture.partition(",")[2]))).convert("RGB")).astype(int)


def check_the_page_shows_the_canvas(root, wanted: np.ndarray) -> None:
    """What stands on the screen is the picture, and no background of the theme has come between."""
    screen = Image.open(io.BytesIO(root.locator("canvas").screenshot())).convert("RGB")
    small = Image.fromarray(wanted).resize(screen.size, Image.Resampling.BILINEAR)
    assert np.abs(np.asarray(screen).astype(int) - np.asarray(small)).mean() < 9  # shrinking hard edges costs up to 6


@pytest.mark.parametrize("stem", PAGES)
def test_films_follow_the_keyboard(served, stem):
    page, address = served
    page.goto(f"{address}notebooks/{stem}.html")
    boxes = page.locator(".workbook-film[data-film]:has(form, canvas)")
    page.wait_for_function(
        "n => document.querySelectorAll('.workbook-film[data-ready]').length === n", arg=len(named_in(stem))
    )
    assert [problem for box in boxes.all() for problem in DrivenExplorer(box).work_all()] == []


@pytest.mark.parametrize("theme, width", [("light", 390), ("dark", 640)])
@pytest.mark.parametrize("stem", PAGES)
def test_films_are_accessible_and_fit_a_telephone_and_200_percent(served, stem, theme, width):
    """Before and after the guess. A window of 1280 px at 200 % has room for 640."""
    page, address = served
    before = page.viewport_size
    page.set_viewport_size({"width": width, "height": 800})
    try:
        page.goto(f"{address}notebooks/{stem}.html")
        in_theme(page, theme)
        for name in sorted(named_in(stem)):
            root = page.locator(f'.workbook-film[data-film="{name}"]')
            if root.locator("form").count():
                assert grave_violations(page, ours=(f'[data-film="{name}"]',), others=()) == []
            unlocked(page, name)
        assert grave_violations(page, ours=(".workbook-film[data-film]",), others=()) == []
        wide = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert wide[0] <= wide[1]
    finally:
        page.set_viewport_size(before)


@pytest.mark.parametrize("stem", PAGES)
def test_films_work_from_a_folder(site, context, stem):
    page, complaints, asked = context.new_page(), [], []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((site / "notebooks" / f"{stem}.html").as_uri())
    for name in sorted(named_in(stem)):
        root = unlocked(page, name)
        before = root.get_attribute("data-shown")
        root.locator(".controls input").first.focus()
        page.keyboard.press("End" if root.locator(".controls input").first.input_value() == "0" else "Home")
        page.wait_for_function("([root, before]) => root.dataset.shown !== before", arg=[root.element_handle(), before])
    assert complaints == [] and all(url.startswith(("file:", "data:")) for url in asked)
    page.close()


def test_without_its_film_an_explorer_is_a_picture(site, context):
    page = context.new_page()
    page.route("**/films/*.js", lambda route: route.abort())
    page.goto((site / "notebooks" / "07_after_fine_tuning.html").as_uri())
    still = page.locator(".workbook-film img")
    assert still.is_visible() and still.get_attribute("alt").endswith("Run the notebook to move them.")
    assert page.locator("canvas").count() == 0
    page.close()


def test_a_picture_that_is_damaged_is_said_and_the_next_one_recovers(site, context):
    page, name = context.new_page(), "when-would-you-stop-fine-tuning-on-digits-step-by-step"
    text, film = (FOLDER / f"{name}.js").read_text(encoding="utf-8"), recorded(name)
    places = [control["start"] for control in film["controls"]]
    counts = [len(control["texts"]) for control in film["controls"]]
    start = int(np.ravel_multi_index(places, counts))
    _, layer = film["states"][start + 1]  # one step of the last control
    damaged = text.replace(film["layers"][layer][2], "AAAA")
    page.route("**/films/*.js", lambda route: route.fulfill(body=damaged, content_type="text/javascript"))
    page.goto((site / "notebooks" / "07_after_fine_tuning.html").as_uri())
    root = unlocked(page, name)
    root.locator("input").last.focus()
    page.keyboard.press("ArrowRight")
    sentence = root.locator(".sentence").element_handle()
    page.wait_for_function("e => e.textContent.startsWith('This setting could not be shown. ')", arg=sentence)
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("([e, said]) => e.textContent === said", arg=[sentence, film["sentences"][start]])
    page.close()


def test_films_work_in_a_second_engine(site):
    """Every film in Firefox: a question answered, a control moved, and the canvas holds what was recorded."""
    with firefox() as browser:
        for stem in PAGES:
            browser.open((site / "notebooks" / f"{stem}.html").as_uri())
            for name in sorted(named_in(stem)):
                film, (number, sentence, shown) = recorded(name), browser.run(IN_FIREFOX, name)
                assert sentence == film["sentences"][number]
                assert np.abs(pixels(shown) - films.composed(film, number)).mean() < 1.5, name


IN_FIREFOX = """async name => {
    const root = document.querySelector(`.workbook-film[data-film="${name}"]`);
    root.querySelector('form')?.requestSubmit();
    while (root.dataset.shown === undefined) await new Promise(done => setTimeout(done, 10));
    for (const input of root.querySelectorAll('.controls input')) {
        input.value = input.max;
        input.dispatchEvent(new Event('input'));
    }
    const before = root.dataset.shown;
    while (root.dataset.shown === before) await new Promise(done => setTimeout(done, 10));
    await new Promise(done => setTimeout(done, 100));
    const sentence = root.querySelector('.sentence').textContent;
    return [Number(root.dataset.shown), sentence, root.querySelector('canvas').toDataURL()];
}"""
