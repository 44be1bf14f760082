"""Render the course as a static, searchable site that any web server can serve: `make site` writes the folder `site`.

    python tools/build_site.py [FOLDER]

Sphinx does the work, with MyST-NB for the notebooks and sphinx-book-theme for the looks. Nothing is run: the pages show
what is stored in the notebooks. Explorers are films, recorded by `make run` in docs/films, which move without a kernel and
without a network; where no script runs, there is a picture. The old site stays until the new one is complete.
"""

from __future__ import annotations

import html
import re
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
from sphinx.cmd.build import main as sphinx

from helpers.explorers.shell import film_html, slug

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = ROOT / "tools" / "site"
FILMS = ROOT / "docs" / "films"
FILES = ("CONTRIBUTING.md", "LICENSE", "notebooks/fine_tune_my_photographs.py")
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
LINK = re.compile(r'href="(\d\d[a-z]?_\w+)\.ipynb"')  # Sphinx turns those of the prose, but not those of an output
README_TO_INDEX = ("](../README.md)", "](../index.md)")
CONTENTS = """
```{{toctree}}
:hidden:
:caption: {caption}
{pages}
```
"""
HOW_TO_RUN = (
    "This page shows stored results, and its explorers move. To run it, change it and check your answers, start JupyterLab "
    "with `make lab`: [how to install](../index.md#two-commands)."
)


def gather(folder: Path) -> Path:
    """Return `folder`, filled with the pages: the README as the first one, the notebooks, and what they link to."""
    notebooks = sorted((ROOT / "notebooks").glob("[0-9][0-9]*_*.ipynb"))
    (folder / "notebooks").mkdir(parents=True)
    for path in notebooks:
        nbformat.write(static(nbformat.read(path, as_version=4)), folder / "notebooks" / path.name)
    shutil.copytree(ROOT / "docs", folder / "docs", ignore=shutil.ignore_patterns("films"))
    for path in (folder / "docs").glob("*.md"):
        path.write_text(path.read_text(encoding="utf-8").replace(*README_TO_INDEX), encoding="utf-8")
    shutil.copytree(FILMS, folder / "static" / "films")
    for name in ("film.js", "film.css"):
        shutil.copy(ROOT / "helpers" / "explorers" / name, folder / "static" / name)
    for name in FILES:
        shutil.copy(ROOT / name, folder / name)
    pages = "\n".join(f"notebooks/{path.stem}" for path in notebooks)
    first = (ROOT / "README.md").read_text(encoding="utf-8")
    first += CONTENTS.format(caption="Notebooks", pages=pages)
    first += CONTENTS.format(caption="About", pages="docs/TEACHING\ndocs/SECURITY\nCONTRIBUTING")
    (folder / "index.md").write_text(first, encoding="utf-8")
    return folder


def static(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return the notebook as it is read without a kernel: films in place of widgets, and a line on how to run it."""
    notebook.cells[0].source += f"\n\n```{{note}}\n{HOW_TO_RUN}\n```"
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace(*README_TO_INDEX)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            data.pop(WIDGET_VIEW, None)
            if data.get("text/plain", "").startswith("[explorer] "):
                text, picture = data["text/plain"], data.pop("image/png").replace("\n", "")
                data["text/html"] = _figure(text.partition("] ")[2], picture)
            elif "text/html" in data:
                data.pop("image/png", None)
                data["text/html"] = LINK.sub(r'href="\1.html"', data["text/html"])
    return notebook


def _figure(text: str, png: str) -> str:
    """Return an explorer as a figure: its film, and until that is there the stored picture."""
    name = text.partition(". Controls:")[0]
    film = f"{slug(name)}.js"
    if not (FILMS / film).exists():
        raise FileNotFoundError(f"docs/films/{film} is missing: store the notebook that shows {name!r} with make run.")
    still = f'<img alt="{html.escape(text)}" src="data:image/png;base64,{png}">'
    return (
        f'<figure class="workbook-static">{film_html(name, still)}<figcaption>{html.escape(name)}</figcaption></figure>'
        f'<script defer src="../_static/films/{film}"></script>'
    )


def build(output: Path) -> int:
    """Render the site into `output`, and return 0 when there was nothing to complain about."""
    output = output.resolve()
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".site-") as folder:
        pages, fresh = gather(Path(folder) / "pages"), Path(folder) / "site"
        flags = ["-b", "html", "-q", "-W", "--keep-going", "-d", f"{folder}/doctrees", "-c", str(SETTINGS)]
        flags += ["-D", f"html_static_path=static,{pages / 'static'}"]
        if problems := sphinx([*flags, str(pages), str(fresh)]):
            return problems
        shutil.rmtree(output, ignore_errors=True)
        fresh.replace(output)
    return 0


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "site"
    problems = build(target)
    print("The site was left as it was." if problems else f"Open {target / 'index.html'} in a browser.")
    sys.exit(problems)
