"""Sphinx's settings for the static site of the course; `tools/build_site.py` gathers the pages and calls Sphinx."""

from docutils import nodes
from latex2mathml.converter import convert

project = "Transfer Learning Workbook"
html_title = project
author = "the authors of the Transfer Learning Workbook"
copyright = "text and figures CC BY 4.0, code MIT"
language = "en"

root_doc = "index"
extensions = ["myst_nb"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

# The stored outputs are the pages: nothing is run. A widget without its kernel is a picture, and no script is loaded for it.
nb_execution_mode = "off"
nb_ipywidgets_js = {}
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]

html_theme = "sphinx_book_theme"
html_theme_options = {
    "use_download_button": True,
    "use_fullscreen_button": False,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "navbar_persistent": [],  # one search field is enough
}
html_context = {"default_mode": "auto"}
html_favicon = "static/favicon.svg"
html_static_path = ["static"]  # and the films, which build_site.py gathers
html_css_files = ["film.css", "workbook.css"]
html_js_files = [("film.js", {"defer": "defer"})]
html_show_sphinx = False
html_math_renderer = "mathml"


def _inline(self, node):
    self.body.append(convert(node.astext()))
    raise nodes.SkipNode


def _block(self, node):
    self.body.append(self.starttag(node, "div", CLASS="math"))
    self.body.append(convert(node.astext(), display="block") + "</div>")
    raise nodes.SkipNode


def setup(app):
    """Formulas become MathML, which browsers draw and read aloud by themselves: no script, no network."""
    app.add_html_math_renderer("mathml", inline_renderers=(_inline, None), block_renderers=(_block, None))
