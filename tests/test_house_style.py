"""What every notebook, and the package, has to look like. The reasons are in CONTRIBUTING.md."""

from __future__ import annotations

import ast
import html
import json
import re
import statistics
import subprocess

import course
import pytest

HELPERS = sorted((course.ROOT / "helpers").rglob("*.py"))
notebooks = pytest.mark.parametrize("notebook", course.NOTEBOOKS, ids=lambda path: path.stem)
modules = pytest.mark.parametrize("module", HELPERS, ids=lambda path: str(path.relative_to(course.ROOT)))


def lines(cell) -> int:
    return sum(bool(line.strip()) for line in cell.source.splitlines())


def prose(notebook) -> str:
    return "\n\n".join(cell.source for cell in course.read(notebook).cells if cell.cell_type == "markdown")


def headings(notebook) -> list[str]:
    return re.findall(r"^## +(.+)$", prose(notebook), re.MULTILINE)


def outputs(notebook):
    for index, cell in enumerate(course.code_cells(notebook)):
        for output in cell.outputs:
            yield index, output


def test_there_are_notebooks():
    assert course.NOTEBOOKS[0].name == "00_start_here.ipynb"
    numbers = [path.name.partition("_")[0] for path in course.NOTEBOOKS]
    assert all(re.fullmatch(r"\d\d[a-z]?", number) for number in numbers), "a second part takes a letter"
    assert len(numbers) == len(set(numbers)) and max(numbers) < "14"


@notebooks
def test_opens_like_a_chapter(notebook):
    first = course.read(notebook).cells[0]
    assert first.cell_type == "markdown"
    title, question, *_ = [line for line in first.source.splitlines() if line.strip()]
    assert title.startswith("# ")
    assert re.fullmatch(r"\*[^*].*\?\*", question), f"the second line should be the question in italics: {question}"
    assert prose(notebook).count("\n# ") == 0, "one H1 only"
    opening = "\n".join(cell.source for cell in course.read(notebook).cells[:2])
    bullets = re.search(r"You will:?\**\n+((?:[-*] .+\n?(?: {2,}.+\n?)*)+)", opening)
    assert bullets, "an opening 'You will' with bullets is missing"
    assert 3 <= len(re.findall(r"^[-*] ", bullets[1], re.MULTILINE)) <= 5
    assert re.search(r"\bminutes?\b", opening) and re.search(r"\bGPU\b", opening)


@notebooks
def test_closes_like_a_chapter(notebook):
    assert headings(notebook)[-1] == "What we learned"
    closing = prose(notebook).split("## What we learned")[-1]
    assert len(re.findall(r"^[-*] ", closing, re.MULTILINE)) >= 3
    assert "References" in closing
    assert re.search(r"\(((?:\d\d[a-z]?_\w+|00_start_here)\.ipynb|\.\./README\.md)[^)]*\)", closing), "link to the next one"


@notebooks
def test_links_lead_to_files_that_exist(notebook):
    for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", prose(notebook)):
        assert (notebook.parent / target).exists(), target


@notebooks
def test_sections(notebook):
    assert 3 <= len(headings(notebook)) <= 9, headings(notebook)


BADGE = re.compile(
    r"^\*\*\d+ minutes(, \d+ minutes with [^*]+)?\*\*, (one|one and a half) of them for the computer  \|  "
    r"← \*\*before:\*\* .+  \|  "
    r"→ \*\*after:\*\* .+  \|  no GPU.* needed$"
)


@notebooks
def test_a_badge_line_follows_the_question(notebook):
    lines = [line for line in course.read(notebook).cells[0].source.splitlines() if line]
    assert BADGE.match(lines[2]), lines[2]
    for target in re.findall(r"\]\(([^)]+)\)", lines[2]):
        assert (notebook.parent / target).exists()
    following = [path for path in course.NOTEBOOKS if path.name > notebook.name]
    after = lines[2].partition("after:**")[2]
    assert (following[0].name if following else "../README.md") in after, "the last one leads back to the README"


@notebooks
def test_the_minutes_are_honest(notebook):
    badge = course.read(notebook).cells[0].source.splitlines()
    figures = [int(number) for number in re.findall(r"(\d+) minutes", next(line for line in badge if BADGE.match(line)))]
    assert max(figures) == course.minutes(notebook)
    assert min(figures) <= 75, "mark what is optional, and say how long it takes without"


@notebooks
def test_a_page_does_not_read_like_a_test_log(notebook):
    """A claim has an assertion where it is made; what a machine alone needs to know stands in the tests."""
    sources = [cell.source for cell in course.code_cells(notebook)]
    assert sum("assert " in source for source in sources) <= len(sources) / 3


@notebooks
def test_code_cells_are_small(notebook):
    sizes = [lines(cell) for cell in course.code_cells(notebook)]
    assert all(sizes), "an empty code cell"
    assert max(sizes) <= 15
    assert statistics.median(sizes) <= 6
    assert len(sizes) <= 45


@notebooks
def test_exercises_are_numbered_in_order(notebook):
    """The table of a learner's progress goes by these numbers."""
    numbers = re.findall(r"^\*\*Your turn (\d+)\.\*\*", prose(notebook), re.MULTILINE)
    assert numbers == [str(number) for number in range(1, len(course.exercises(notebook)) + 1)]


@notebooks
def test_prose_leads_code(notebook):
    cells = course.read(notebook).cells
    code = [index for index, cell in enumerate(cells) if cell.cell_type == "code"]
    assert len(cells) - len(code) >= len(code), "at least one prose cell for each code cell"
    after_prose = sum(cells[index - 1].cell_type == "markdown" for index in code)
    assert after_prose >= 0.8 * len(code)


@notebooks
def test_outputs_are_stored_and_clean(notebook):
    document = course.read(notebook)
    assert "widgets" not in document.metadata
    counts = [cell.execution_count for cell in course.code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1)), "run it with `make run`"
    for index, output in outputs(notebook):
        tags = course.tags(course.code_cells(notebook)[index])
        assert output.output_type != "error" or "raises-exception" in tags, f"code cell {index} stores an error"
        assert output.get("name") != "stderr", f"code cell {index} stores a message on stderr"
        shown = "".join(output.get("text", "")) + "".join(output.get("data", {}).get("text/plain", ""))
        path = re.search(r"(?<![\w.~:/<])/[A-Za-z]\w*/\w", shown)
        assert not path, f"code cell {index} stores a path of one machine: {path}"
    assert notebook.stat().st_size < 3_000_000


@notebooks
def test_no_cell_ends_with_a_semicolon(notebook):
    assert not [cell.source for cell in course.code_cells(notebook) if cell.source.rstrip().endswith(";")]


@notebooks
def test_pictures_have_alternative_text(notebook):
    for index, output in outputs(notebook):
        data = output.get("data", {})
        if "image/png" in data and "[explorer]" not in data.get("text/plain", ""):
            found = re.search(r'<img [^>]*alt="([^"]{20,})"', data.get("text/html", ""))
            assert found, f"the picture of code cell {index} has no alternative text: use plots.show"
            assert html.unescape(found[1]) in data["text/plain"]
    for image in re.findall(r"!\[([^\]]*)\]\(", prose(notebook)):
        assert len(image) >= 20, f"alternative text {image!r} is too short"


@notebooks
def test_every_explorer_answers_a_question(notebook):
    cells = course.read(notebook).cells
    for index, cell in enumerate(cells):
        if cell.cell_type == "code" and any(
            "[explorer]" in output.get("data", {}).get("text/plain", "") for output in cell.outputs
        ):
            before, after = cells[index - 1], cells[index + 1]
            assert before.cell_type == "markdown" and "?" in before.source
            assert after.cell_type == "markdown" and "<details>" in after.source


@notebooks
def test_every_exercise_has_hint_solution_and_wrong_answers(notebook):
    exercises = course.exercises(notebook)
    assert len(exercises) >= (2 if notebook.stem == "00_start_here" else 5)
    wrong = course.wrong_answers(notebook)
    assert set(wrong) == {exercise.check for exercise in exercises}
    for exercise in exercises:
        hints = [entry["hint"] for entry in wrong[exercise.check]]
        assert len(set(hints)) >= 3, f"{exercise.check}: three wrong answers, each with its own hint"
        above = course.read(notebook).cells[exercise.position - 1]
        assert "**Your turn" in above.source
        assert "..." in exercise.stub
        assert exercise.solution.strip() not in exercise.stub


@modules
def test_public_functions_say_what_they_return(module):
    tree = ast.parse(module.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "a module starts with what it is for"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node) or module.parent.name == "exercises", f"{node.name} has no docstring"
            if isinstance(node, ast.FunctionDef) and module.parent.name != "exercises":
                everything = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
                assert all(argument.annotation for argument in everything), f"{node.name}: type every argument"


def test_nothing_names_a_package_registry_or_a_home_folder():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=course.ROOT, capture_output=True)
    forbidden = re.compile(r"pypi\.(?:org|python)|pythonhosted|npmjs|(?:/home|/Users|/root)/\w|--index-url[ =]http")
    for name in listed.stdout.decode().splitlines():
        path = course.ROOT / name
        if path.suffix in {".png", ".jpg", ".ico"} or name == "tests/test_house_style.py" or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".ipynb":
            text = "\n".join(_without_pictures(json.loads(text)))
        assert not forbidden.search(text), f"{name}: {forbidden.search(text)}"


def _without_pictures(document: dict):
    for cell in document["cells"]:
        yield "".join(cell["source"])
        for output in cell.get("outputs", []):
            yield "".join(output.get("text", ""))
            yield "".join(output.get("data", {}).get("text/plain", ""))
