"""The films that are stored for the site, and what a film on a page shows at each of its settings."""

from __future__ import annotations

import json
import re

import course
from playwright.sync_api import Locator, Page

from helpers.explorers.shell import slug

FOLDER = course.ROOT / "docs" / "films"
LIMIT = 120_000  # milliseconds for all settings of a film

# Takes every setting of a film, in its order, and keeps for each the sentence and what the canvas holds: the digest of its
# pixels, or a picture of it. The page is not to be waited for by evaluate(), which has no time limit.
WALK = """([root, pictures]) => {
    window.walked = null;
    const inputs = [...root.querySelectorAll('.controls input, .controls select')];
    const counts = inputs.map(input => input.type === 'range' ? Number(input.max) + 1 : input.length);
    const hex = bytes => [...new Uint8Array(bytes)].map(byte => byte.toString(16).padStart(2, '0')).join('');
    (async () => {
        const seen = [];
        for (let number = 0; number < counts.reduce((a, b) => a * b, 1); number++) {
            let rest = number;
            for (let place = inputs.length - 1; place >= 0; place--) {
                inputs[place].value = rest % counts[place];
                rest = Math.floor(rest / counts[place]);
            }
            inputs[0].dispatchEvent(new Event('input'));
            while (root.dataset.shown !== String(number)) await new Promise(done => setTimeout(done));
            const canvas = root.querySelector('canvas'), pen = canvas.getContext('2d');
            const pixels = pen.getImageData(0, 0, canvas.width, canvas.height).data;
            seen.push([root.querySelector('.sentence').textContent, pictures ? canvas.toDataURL()
                : hex(await crypto.subtle.digest('SHA-256', pixels))]);
        }
        return seen;
    })().then(seen => { window.walked = seen; }, error => { window.walked = String(error); });
}"""


def recorded(name: str) -> dict:
    """The film of this name, as its file hands it to the page."""
    text = (FOLDER / f"{name}.js").read_text(encoding="utf-8")
    return json.loads(re.fullmatch(r'workbookFilm\("[\w-]+", (\{.*\})\);\n', text)[1])


def named_in(stem: str) -> set[str]:
    """The films of a notebook, by the names that its stored outputs give."""
    text = (course.ROOT / "notebooks" / f"{stem}.ipynb").read_text(encoding="utf-8")
    return {slug(name) for name in re.findall(r'"\[explorer\] (.*?)\. Controls: ', text)}


def walked(page: Page, root: Locator, *, pictures: bool = False) -> list[tuple[str, str]]:
    """For each setting of a film: its sentence, and the SHA-256 of its pixels (or, where wanted, the picture itself)."""
    page.evaluate(WALK, [root.element_handle(), pictures])
    page.wait_for_function("() => window.walked", timeout=LIMIT)
    return page.evaluate("() => window.walked")


def words(sentence: str) -> str:
    """A sentence without its numbers."""
    return re.sub(r"[-+]?\d[\d.e+-]*", "#", sentence)
