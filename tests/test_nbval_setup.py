"""What conftest.py adds to nbval works: each kind of failure is a failure, and is found within seconds."""

import shutil
import subprocess
import sys
import time

import course
import nbformat
import pytest

from conftest import align_numbers

STUB = "answer = ...\ncheck_half(answer)"
CHECK = (
    "from helpers.exercises.feedback import *\n"
    "@exercise('half')\n"
    "def check_half(answer):\n"
    "    if as_number(answer) == 2:\n"
    "        raise NotYet('that is the double')\n"
    "    if as_number(answer) != 0.5:\n"
    "        raise NotYet('no')"
)
WRONG = '[[check_half]]\nanswer = "answer = 2"\nhint = "the double"\n'
YOUR_TURN = "Your turn: replace the ... above with your answer and run the cell again.\n"


def code(source, text="", tags=()):
    cell = nbformat.v4.new_code_cell(source, execution_count=1, metadata={"tags": list(tags)})
    cell.outputs = [nbformat.v4.new_output("stream", text=text)] if text else []
    return cell


def folded(solution):
    return nbformat.v4.new_markdown_cell(
        "<details><summary>Hint</summary>\n\nHalve.\n\n</details>\n\n"
        f"<details><summary>Solution</summary>\n\n```python\n{solution}\n```\n\n</details>"
    )


@pytest.fixture
def run(tmp_path):
    """Run cells as the notebook 00_try.ipynb of a project that has this project's conftest; return what pytest says."""
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(course.ROOT / name, tmp_path)
    (tmp_path / "tests" / "wrong_answers").mkdir(parents=True)
    (tmp_path / "notebooks").mkdir()
    shutil.copy(course.ROOT / "tests" / "course.py", tmp_path / "tests")

    def run(*cells, wrong=WRONG):
        (tmp_path / "tests" / "wrong_answers" / "00_try.toml").write_text(wrong)
        notebook = nbformat.v4.new_notebook(cells=list(cells))
        nbformat.write(notebook, tmp_path / "notebooks" / "00_try.ipynb")
        command = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "notebooks"]
        answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        return answer.returncode, answer.stdout

    return run


def test_an_exercise_is_tried_with_stub_wrong_answers_and_solution(run):
    status, said = run(code(CHECK), code(STUB, YOUR_TURN, ["your-turn"]), folded("answer = 1 / 2"))
    assert status == 0 and "5 passed" in said
    for name in ("check_half wrong answer 1", "check_half solution", "check_half stub again"):
        assert name in said


def test_a_wrong_solution_and_a_wrong_hint_fail(run):
    cells = (code(CHECK), code(STUB, YOUR_TURN, ["your-turn"]))
    status, said = run(*cells, folded("answer = 3"))
    assert status == 1 and "FAILED" in said and "check_half solution" in said
    status, said = run(*cells, folded("answer = 0.5"), wrong=WRONG.replace("the double", "the triple"))
    assert status == 1 and "wrong answer 1" in said


def test_other_text_than_stored_fails_and_ends_the_notebook(run):
    status, said = run(code("print(1)", "2\n"), code("print(3)", "3\n"))
    assert status == 1 and "1 failed" in said and "1 skipped" in said


def test_pictures_html_and_stderr_are_not_compared(run):
    source = "import sys; from IPython.display import HTML, display\ndisplay(HTML('a')); print('b', file=sys.stderr)"
    cell = code(source)
    data = {"text/plain": "<IPython.core.display.HTML object>", "text/html": "other"}
    cell.outputs = [nbformat.v4.new_output("display_data", data=data)]
    assert run(cell)[0] == 0


def test_a_dead_kernel_fails_within_seconds(run):
    start = time.monotonic()
    status, said = run(code("import os; os._exit(1)"))
    assert status == 1 and "the kernel died" in said
    assert time.monotonic() - start < 60  # nbval alone would wait for the cell's time limit, minutes


@pytest.mark.parametrize(
    "printed, passes",
    [
        ("frozen 0.74 ± 0.02 (5 draws), 74 %", True),
        ("frozen 0.755 ± 0.02 (5 draws), 75.5 %", True),
        ("frozen 0.77 ± 0.02 (5 draws), 74 %", False),
        ("frozen 0.74 ± 0.02 (6 draws), 74 %", False),
        ("frozen 0.74 ± 0.02 (5 draws), 77 %", False),
        ("trained 0.74 ± 0.02 (5 draws), 74 %", False),
        ("frozen -0.74 ± 0.02 (5 draws), 74 %", False),
        ("frozen 0.74 ± 0.02 (5 draws), 74 % and 0.1", False),
        ("frozen nan ± 0.02 (5 draws), 74 %", False),
    ],
)
def test_about_compares_words_exactly_and_numbers_within_two_hundredths(printed, passes):
    stored = "frozen 0.74 ± 0.02 (5 draws), 74 %"
    assert (align_numbers(printed, stored) == stored) == passes


def test_a_cell_with_the_tag_may_differ_in_a_digit_and_no_other_cell(run):
    about = ["about-0.02"]
    status, said = run(code("print('gain 0.07')", "gain 0.08\n", about), code("0.51", "", about))
    assert status == 1 and "Cell 1" in said, "a value that is not stored"
    assert run(code("print('gain 0.07')", "gain 0.08\n", about))[0] == 0
    assert run(code("print('gain 0.07')", "gain 0.08\n"))[0] == 1
    assert run(code("print('gain 0.03')", "gain 0.08\n", about))[0] == 1
    assert run(code("print('loss 0.07')", "gain 0.08\n", about))[0] == 1
