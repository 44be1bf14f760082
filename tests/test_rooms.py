"""The house: one stem for everything of a notebook, few imports for each, and a front door that leads to real things."""

from __future__ import annotations

import ast
import subprocess
import sys

import course
import pytest

import helpers

HELPERS = course.ROOT / "helpers"
STEMS = {course.topic(path): path.stem for path in course.NOTEBOOKS}
ROOMS = {"exercises": {"__init__", "feedback", "progress", "solved"}, "explorers": {"__init__", "shell"}}
TOP = ["data", "vgg16", "features", "networks", "augmentation", "transfer_kinds", "fine_tuning", "experiments", "sources"]
TOP += ["training", "evaluation", "plots", "adaptation", "dann", "lifelong", "bugs", "folders", "saving"]


def stems(room: str) -> set[str]:
    """Return the modules of a room that belong to a notebook."""
    return {path.stem for path in (HELPERS / room).glob("*.py")} - ROOMS[room]


def imported_modules(notebook) -> set[str]:
    """Return the modules of the workbook that the cells of a notebook import from."""
    found = set()
    for cell in course.code_cells(notebook):
        lines = [line for line in cell.source.splitlines() if not line.lstrip().startswith(("%", "!"))]
        for node in ast.walk(ast.parse("\n".join(lines))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names = {f"{node.module}.{alias.name}" for alias in node.names}
                found |= {name if _is_module(name) else node.module for name in names}
    return {name for name in found if name.partition(".")[0] == "helpers"}


def _is_module(name: str) -> bool:
    path = course.ROOT / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or path.is_dir()


def test_the_same_stem_everywhere():
    assert stems("exercises") == set(STEMS), "one module of exercises for each notebook"
    assert stems("explorers") <= set(STEMS), "a module of explorers belongs to a notebook"
    wrong_answers = {path.stem for path in course.WRONG_ANSWERS.glob("*.toml")}
    assert wrong_answers == set(STEMS.values())


def test_explorers_stand_in_the_module_of_their_notebook():
    for notebook in course.NOTEBOOKS:
        shown = any("[explorer]" in str(cell.outputs) for cell in course.code_cells(notebook))
        assert shown == (course.topic(notebook) in stems("explorers")), notebook.name


def test_the_rooms_at_the_top():
    modules = {path.stem for path in HELPERS.glob("*.py")}
    assert modules == {*TOP, "__init__", "__main__"}
    folders = {path.name for path in HELPERS.iterdir() if path.is_dir()} - {"__pycache__"}
    assert folders == {"explorers", "exercises", "diagnostics", "_machinery", "runs"}


@pytest.mark.parametrize("notebook", course.NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_imports_from_at_most_six_modules(notebook):
    modules = imported_modules(notebook)
    assert len(modules) <= 6, sorted(modules)
    assert not [name for name in modules if "._" in name], "what a learner never opens"
    own = {f"helpers.{room}.{course.topic(notebook)}" for room in ROOMS}
    others = {name for name in modules if name.startswith(tuple(f"helpers.{room}." for room in ROOMS))} - own
    assert not others, "a notebook takes explorers and exercises from its own modules"


def test_the_front_door_leads_to_what_it_names():
    for name in helpers.__all__:
        assert getattr(helpers, name) is not None
    for module in helpers.CONTENTS:
        assert _is_module(f"helpers.{module}"), module
    with pytest.raises(AttributeError, match="load_texture"):
        helpers.load_texture  # noqa: B018


def test_importing_helpers_is_cheap():
    """Nothing slow comes along: what is slow is imported where it is used."""
    code = "import sys, helpers; print([name for name in sys.modules if name in %r])"
    slow = {"tensorflow", "keras", "numpy", "matplotlib", "sklearn", "ipywidgets"}
    run = subprocess.run([sys.executable, "-c", code % slow], cwd=course.ROOT, capture_output=True, text=True)
    assert run.stdout.strip() == "[]", run.stdout + run.stderr
