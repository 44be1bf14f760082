"""What axe-core finds wrong with our part of a page; a package of the test extra carries the program."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from playwright.sync_api import Page

OURS = (".jp-NotebookPanel:not(.lm-mod-hidden) .jp-RenderedHTMLCommon", ".workbook-explorer", ".workbook-film")
GRAVE = {"serious", "critical"}
START = """([ours, others, options]) => {
    window.axeState = null;
    const there = selectors => selectors.filter(s => document.querySelector(s)).map(s => [s]);
    axe.run({include: there(ours), exclude: there(others)}, options).then(
        found => { window.axeState = found; }, error => { window.axeState = {error: String(error)}; });
}"""
# JupyterLab's page is a body without height that hides what overflows, and cells out of sight are not laid out: axe takes
# both for invisible and would pass over every contrast.
LAID_OUT = """
    body, .jp-LabShell { overflow: visible !important; }
    .jp-Cell { content-visibility: visible !important; }
"""
# JupyterLab's themes decide how links and the words of a program look; no notebook can change that.
JUPYTERLABS = (".jp-RenderedHTMLCommon pre",)
OPTIONS = {
    "resultTypes": ["violations"],
    "elementRef": False,
    "preload": False,
    "rules": {"link-in-text-block": {"enabled": False}},
}


def grave_violations(
    page: Page,
    *,
    ours: tuple[str, ...] = OURS,
    others: tuple[str, ...] = JUPYTERLABS,
    limit: int = 120_000,
) -> list[str]:
    """Return one line for each serious or critical violation: the rule, how often, and the first element.

    `ours` are selectors of what is looked at, `others` of what lies in it and is not.
    """
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(program())
    style = page.add_style_tag(content=LAID_OUT)
    page.evaluate(START, [list(ours), list(others), OPTIONS])
    page.wait_for_function("() => window.axeState", timeout=limit)
    style.evaluate("element => element.remove()")
    found = page.evaluate("() => window.axeState")
    assert "error" not in found, found["error"]
    looked_at = {rule["id"] for kind in ("passes", "violations", "incomplete") for rule in found[kind]}
    assert "color-contrast" in looked_at, "axe took everything for invisible"
    return [
        f"{violation['id']} ({len(violation['nodes'])} times): {violation['help']}: {violation['nodes'][0]['html'][:300]}"
        f" {violation['nodes'][0].get('failureSummary', '')[:300]}"
        for violation in found["violations"]
        if violation["impact"] in GRAVE
    ]


def program() -> str:
    """Return axe-core, which the package axe-playwright-python carries."""
    package = importlib.util.find_spec("axe_playwright_python")
    assert package and package.origin, "axe-playwright-python is missing: pip install -e .[test]"
    return Path(package.origin).with_name("axe.min.js").read_text(encoding="utf-8")
