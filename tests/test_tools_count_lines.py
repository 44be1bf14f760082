"""The table of lines against budgets, on a made-up project."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import course
import pytest

SETTINGS = """
[tool.workbook.budgets]
file = 8
function = 4
median_function = 2
rooms = {"helpers/*.py" = 8, "helpers/explorers/**/*.py" = 6, "helpers/**/*.py" = 12, "tools/*.py" = 60}
"""
SHORT = "def one():\n    return 1\n"


@pytest.fixture
def project(tmp_path) -> Path:
    """A project within its budgets: four modules with a function of two lines each."""
    for name in ("helpers/a.py", "helpers/b.py", "helpers/explorers/a.py", "helpers/explorers/deep/b.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(SHORT)
    (tmp_path / "pyproject.toml").write_text(SETTINGS)
    (tmp_path / "tools").mkdir()
    shutil.copy(course.ROOT / "tools" / "count_lines.py", tmp_path / "tools")
    return tmp_path


def count(root: Path) -> tuple[int, list[str]]:
    """Return the exit code and the lines of the table below its head."""
    answer = subprocess.run([sys.executable, root / "tools" / "count_lines.py"], capture_output=True, text=True)
    assert answer.stderr == ""
    return answer.returncode, answer.stdout.splitlines()[1:]


def test_within_all_budgets(project):
    code, table = count(project)
    assert code == 0 and not any("TOO MANY" in row for row in table)
    assert table[0].split() == ["helpers/*.py", "4", "8"]
    assert table[1].split() == ["helpers/explorers/**/*.py", "4", "6"]
    assert table[2].split() == ["helpers/**/*.py", "8", "12"]
    assert table[-1].split() == ["median", "function", "2", "2"]


@pytest.mark.parametrize(
    "name, text, over",
    [
        ("helpers/c.py", "x = 1\n" * 5, ["helpers/*.py", "helpers/**/*.py"]),
        ("helpers/explorers/deep/c.py", "x = 1\n" * 3, ["helpers/explorers/**/*.py"]),
        ("helpers/other/c.py", "x = 1\n" * 5, ["helpers/**/*.py"]),
    ],
)
def test_what_is_above_its_budget_is_named(project, name, text, over):
    (project / name).parent.mkdir(exist_ok=True)
    (project / name).write_text(text)
    code, table = count(project)
    assert code == 1 and [row.split()[0] for row in table if "TOO MANY" in row] == over


def test_the_longest_file_and_function_are_named(project):
    method = "class A:\n    @property\n    def long(self):\n        x = 1\n\n        y = 2\n        return x + y\n"
    (project / "helpers" / "b.py").write_text(method + "a = 1\n" * 2)
    code, table = count(project)
    assert code == 1
    assert table[-3].startswith("longest file ") and table[-3].endswith("TOO MANY  helpers/b.py")
    assert table[-2].startswith("longest function ") and table[-2].endswith("TOO MANY  helpers/b.py:3 long")


def test_a_median_above_its_budget(project):
    for path in (project / "helpers").rglob("a.py"):
        path.write_text("def one():\n    x = 1\n    return x\n")
    code, table = count(project)
    assert code == 1 and table[-1].split()[:4] == ["median", "function", "2.5", "2"]


def test_every_module_of_the_project_has_a_room_with_a_budget():
    rooms = tomllib.loads((course.ROOT / "pyproject.toml").read_text())["tool"]["workbook"]["budgets"]["rooms"]
    modules = {room: set(course.ROOT.glob(room)) for room in rooms}
    assert all(modules.values()), "a budget without files"
    assert modules.pop("helpers/**/*.py") <= set().union(*modules.values()), "a module without a budget"
