"""The static site: complete, every link and picture in its place, read and searched in Chromium without a network."""

import functools
import re
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import course
import pytest
from bs4 import BeautifulSoup

from .axe import grave_violations
from .conftest import builder

PAPERS = ("https://arxiv.org/abs/", "https://doi.org/")  # what a reference may lead to
ABOUT = ("index.html", "docs/TEACHING.html", "docs/SECURITY.html")
PAGES = (*ABOUT, *(f"notebooks/{path.stem}.html" for path in course.NOTEBOOKS))


@functools.cache
def parsed(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(site, page):
    soup, missing = parsed(site / page), []
    found = [tag.get("href") or tag.get("src") for tag in soup.find_all(["a", "img", "link", "script"])]
    for address in filter(None, found):
        if urlsplit(address).scheme:
            inside = urlsplit(address).scheme == "data" or "@" in address
            assert inside or address.startswith(PAPERS), f"leads outside: {address[:80]}"
            continue
        file, anchor = urldefrag(address)
        target = (site / page).parent / unquote(file.partition("?")[0]) if file else site / page
        if not target.exists():
            missing.append(address)
        elif anchor and target.suffix == ".html" and not parsed(target.resolve()).find(id=unquote(anchor)):
            missing.append(address)
    assert len(found) > 20 and missing == []


@pytest.mark.parametrize("path", course.NOTEBOOKS, ids=lambda path: path.stem)
def test_every_picture_of_the_notebook_is_there_with_its_text(site, path):
    soup = parsed(site / "notebooks" / f"{path.stem}.html")
    pictures = soup.select(".cell_output img")
    outputs = [output for cell in course.code_cells(path) for output in cell.outputs]
    bundles = [output.data for output in outputs if "image/png" in output.get("data", {})]
    assert [picture["alt"].strip() != "" for picture in pictures] == [True] * len(bundles)
    stored = [bundle["image/png"].replace("\n", "") for bundle in bundles]
    assert [picture["src"].partition(",")[2] for picture in pictures] == stored
    explorers = [bundle for bundle in bundles if bundle["text/plain"].startswith("[explorer]")]
    assert sum("Run the notebook to move them" in picture["alt"] for picture in pictures) == len(explorers)
    assert len(soup.select(".workbook-film[data-film] img")) == len(explorers)
    assert soup.select_one(".admonition.note a[href='../index.html#two-commands']"), "how to run it"


@pytest.mark.parametrize("path", course.NOTEBOOKS, ids=lambda path: path.stem)
def test_prose_and_formulas_are_there(site, path):
    soup = parsed(site / "notebooks" / f"{path.stem}.html")
    prose = [cell.source for cell in course.read(path).cells if cell.cell_type == "markdown"]
    text = soup.select_one("article").get_text()
    for heading in re.findall(r"^##? ([^`\n]+)$", "\n".join(prose), re.MULTILINE):
        assert heading in text
    formulas = sum(len(re.findall(r"(?<![\\$`])\$[^$`\n]+\$(?!\$)", source)) for source in prose)
    assert len(soup.find_all("math")) >= formulas and "$" not in "".join(tag.get_text() for tag in soup.select("article p"))


@pytest.mark.parametrize("theme, pages", [("light", PAGES[::3]), ("dark", PAGES[1::6])])
def test_pages_are_accessible_and_not_too_wide(served, theme, pages):
    page, address = served
    for name in pages:
        page.goto(address + name)
        page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
        width = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert width[0] <= width[1], name
        assert grave_violations(page, ours=("article",), others=()) == [], name


def test_the_search_finds_a_word_of_a_notebook(served):
    page, address = served
    page.goto(f"{address}search.html?q=overconfident")
    first = page.locator("#search-results li a").first
    first.wait_for(timeout=20_000)
    assert "07_after_fine_tuning" in first.get_attribute("href")


def test_a_site_that_fails_leaves_the_old_one(tmp_path, monkeypatch):
    """A page that Sphinx complains about: the exit code says so, and the folder is as it was."""
    module = builder()
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("old")
    gather = module.gather

    def with_a_mistake(folder):
        pages = gather(folder)
        (pages / "index.md").write_text("# Title\n\n[nowhere](notebooks/99_nothing.ipynb)\n")
        return pages

    monkeypatch.setattr(module, "gather", with_a_mistake)
    assert module.build(tmp_path / "site") != 0
    assert (tmp_path / "site" / "index.html").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["site"]
