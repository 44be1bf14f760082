"""What docs/TEACHING.md says agrees with the notebooks, the assignments, the measurements and the program."""

import os
import re
import subprocess

import course
import pytest

from assignments import units

TEXT = (course.ROOT / "docs" / "TEACHING.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+)\n((?:(?!## ).*\n)*)", TEXT, re.MULTILINE))
PLANS = ("Six weeks", "Twelve weeks")
NOTEBOOKS = {path.stem.partition("_")[0]: path for path in course.NOTEBOOKS}


def rows(section):
    """Return the cells of each row of the tables of a section, without their heads."""
    lines = [line for line in SECTIONS[section].splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line[1:].rstrip().removesuffix("|").split("|")] for line in lines]
    below = [number + 1 for number, line in enumerate(lines) if line.startswith("|---")]
    heads = {place - offset for place in below for offset in (1, 2)}
    return [row for number, row in enumerate(cells) if number not in heads]


def minutes(text):
    """Return the first minutes that a page states: those without its optional parts."""
    return int(re.search(r"\*\*(\d+) minutes", text)[1])


@pytest.mark.parametrize("plan", PLANS)
def test_a_plan_states_the_minutes_of_the_notebooks_and_of_the_assignments(plan):
    given = {unit: minutes(units.read_unit(unit)[0].source) for unit in units.names()}
    table = rows(plan)
    for week, notebooks, stated, assignment, at_home in table:
        badges = [minutes(course.read(NOTEBOOKS[number]).cells[0].source) for number in notebooks.split(", ")]
        assert sum(badges) == int(stated), (week, badges)
        assert at_home == str(given.get(assignment, "")), (week, assignment)
    assert [row[0] for row in table] == [str(number + 1) for number in range(6 * (1 + (plan == PLANS[1])))]
    assert sorted(row[3] for row in table if row[4]) == units.names(), "each unit once"
    numbers = [number for row in table for number in row[1].split(", ")]
    assert len(numbers) == len(set(numbers)) and (plan == PLANS[0] or set(numbers) == set(NOTEBOOKS))


def test_an_assignment_is_given_when_its_notebooks_have_been_done():
    for plan in PLANS:
        done = set()
        for _, notebooks, _, assignment, _ in rows(plan):
            done |= set(notebooks.split(", "))
            if assignment in units.names():
                needed = re.search(r"before:\*\* ([^|]+)", units.read_unit(assignment)[0].source)[1]
                assert set(re.findall(r"\b\d\d[a-z]?\b", needed)) <= done, (plan, assignment)


def test_every_notebook_has_its_misconceptions_and_the_exercises_are_there():
    parts = re.findall(r"^\*\*(\d\d[a-z]?) ([^*]+)\.?\*\*((?:.+\n?)*)", SECTIONS["What to watch for"], re.MULTILINE)
    assert [number for number, *_ in parts] == list(NOTEBOOKS)
    for number, title, text in parts:
        heading = course.read(NOTEBOOKS[number]).cells[0].source.splitlines()[0].removeprefix("# ")
        assert title.rstrip(".") == heading.rstrip("."), (title, heading)
        named = [int(found) for turn in re.findall(r"Your turn (\d+(?: and \d+)?)", text) for found in turn.split(" and ")]
        assert named or number == "12", number
        assert all(1 <= turn <= len(course.exercises(NOTEBOOKS[number])) for turn in named), number


def test_every_essay_has_a_rubric_of_its_points():
    text = SECTIONS["Rubrics"]
    named = re.findall(r"^\*\*(\w+)\*\*:", text, re.MULTILINE)
    assert sorted(named) == units.names()
    for unit in units.names():
        [essay] = [cell for cell in units.read_unit(unit) if cell.kind == "essay"]
        part = text.partition(f"**{unit}**")[2].partition("\n**")[0]
        asked = re.findall(r"^\| \(([abc])\) .+?\|.+?\|.+?\|.+?\|$", part, re.MULTILINE)
        assert 2 * len(asked) == essay.points and asked == ["a", "b", "c"], unit


def test_memory_and_seconds_are_those_of_the_measurement():
    benchmarks = (course.ROOT / "benchmarks" / "latest.md").read_text(encoding="utf-8")
    measured = re.findall(r"^\| (\d\w+) \| (\d+) s \| (\d+) MB \|$", benchmarks, re.MULTILINE)
    table = [(name, seconds, memory.removesuffix(" MB")) for name, seconds, memory in rows("Memory and cores")]
    assert table == measured and len(table) >= 10


def test_the_reasons_are_those_that_the_program_gives():
    program = "".join(path.read_text(encoding="utf-8") for path in sorted((course.ROOT / "assignments").glob("*.py")))
    stated = [row[0] for row in rows("When something is not graded")]
    for reason in stated:
        assert re.search(re.escape(reason).replace("2", r"\{len\(chosen\)\}"), program), reason
    assert len(stated) >= 10


def test_the_page_is_one_that_can_be_read():
    assert TEXT.count("\n") <= 450
    assert not re.search(r"https?://(?!arxiv\.org|doi\.org)", TEXT)
    for target in re.findall(r"\]\(([^)#]+)", TEXT):
        assert (course.ROOT / "docs" / target).exists(), target
    readme = (course.ROOT / "README.md").read_text(encoding="utf-8")
    assert "docs/TEACHING.md" in readme and "docs/SECURITY.md" in readme and "SECURITY.md" in TEXT


def test_binder_installs_the_package_and_fetches_the_weights():
    folder = course.ROOT / "binder"
    assert (folder / "requirements.txt").read_text() == "-e .\n", "what pyproject.toml wants, from the folder of the project"
    assert re.fullmatch(r"python-3\.1[123]\n", (folder / "runtime.txt").read_text())
    script = (folder / "postBuild").read_text()
    assert script.startswith("#!/bin/bash\n") and "set -e" in script and "python -m helpers weights" in script
    listed = subprocess.run(["git", "ls-files", "-s", "binder"], cwd=course.ROOT, capture_output=True, text=True).stdout
    assert os.access(folder / "postBuild", os.X_OK) and ("100755" in listed or not listed)
