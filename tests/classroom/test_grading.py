"""One class of good, broken and hostile submissions, graded in one run by nbgrader in its sandbox."""

from __future__ import annotations

import csv
import html
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import course
import nbformat
import pytest

from assignments import examples, units

from . import submissions
from .submissions import FULL, OTHERS, ROWS, UNIT, Row

MISSING = "These tests need nbgrader and bubblewrap: `make classroom`, and apt install bubblewrap."
LIMITS = ("--cell-seconds", "30", "--notebook-seconds", "300")  # a busy machine must not cost points


def classroom_python() -> str:
    """Return the Python that has nbgrader; skip where there is none, or fail where there has to be one."""
    named = os.environ.get("WORKBOOK_CLASSROOM_PYTHON") or str(course.ROOT / ".venv-classroom" / "bin" / "python")
    if not shutil.which(named) or not shutil.which("bwrap"):
        (pytest.fail if os.environ.get("WORKBOOK_REQUIRE_CLASSROOM") == "1" else pytest.skip)(MISSING)
    return named


def run(*arguments: str | Path, **settings) -> subprocess.CompletedProcess:
    command = [classroom_python(), "-m", "assignments", *map(str, arguments)]
    return subprocess.run(command, cwd=course.ROOT, capture_output=True, text=True, **settings)


def grade(folder: Path, out: Path, *more: str, **settings) -> subprocess.CompletedProcess:
    return run("grade", UNIT, "--submissions", folder, "--out", out, *LIMITS, *more, **settings)


def report(out: Path, unit: str = UNIT) -> dict[str, dict[str, str]]:
    rows = csv.DictReader((out / f"{unit}.csv").read_text(encoding="utf-8-sig").splitlines())
    return {row["student"]: row for row in rows}


@pytest.fixture(scope="module")
def given(tmp_path_factory) -> nbformat.NotebookNode:
    """Return the notebook that a class gets."""
    return build(UNIT, tmp_path_factory.mktemp("built"))


def build(unit: str, out: Path) -> nbformat.NotebookNode:
    built = run("build", unit, "--out", out)
    assert built.returncode == 0, built.stderr
    return nbformat.read(out / "class" / unit / f"{unit}.ipynb", as_version=4)


@pytest.fixture(scope="module")
def graded(given, tmp_path_factory):
    """Return the folder of a graded class, the outcomes that are wanted, and how often somebody came by the network."""
    folder, out = tmp_path_factory.mktemp("submissions"), tmp_path_factory.mktemp("out")
    visitors, listener = [], socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_count, args=(listener, visitors), daemon=True).start()
    steal = f"import sqlite3\nfor path in ({str(out / 'course' / 'gradebook.db')!r}, '../../../gradebook.db'):\n" + (
        "    try: sqlite3.connect(f'file:{path}?mode=rw', uri=True).execute('UPDATE grade SET auto_score = 99')\n"
        "    except Exception as error: print(error)\n"
        f"open({str(folder / 'good' / f'{UNIT}.ipynb')!r})"
    )
    call = f"import socket; socket.create_connection(('127.0.0.1', {listener.getsockname()[1]}), 3)"
    rows = [*ROWS, Row("steals", False, submissions.code(steal), 0.0), Row("calls", True, submissions.code(call), FULL)]
    for row in rows:
        submissions.make(row, given, folder)
    wanted = {row.name: row.outcome for row in rows} | submissions.make_files(folder)
    roster = out / "roster.csv"
    roster.write_text("student\ngood\nabsent\n", encoding="utf-8")
    started = time.monotonic()
    answer = grade(folder, out, "--roster", str(roster))
    print(f"{len(wanted)} submissions in {time.monotonic() - started:.0f} seconds")
    assert answer.returncode == 0, answer.stderr
    listener.close()
    return out, folder, wanted, visitors


def _count(listener: socket.socket, visitors: list) -> None:
    while True:
        try:
            visitors.append(listener.accept())
        except OSError:
            return


def test_the_batch_goes_on_and_nobody_gets_a_mark_that_is_not_earned(graded):
    out, _, wanted, _ = graded
    found = report(out)
    assert len(wanted) >= 50
    wrong = {name: (outcome, found.get(name)) for name, outcome in wanted.items() if not _fits(found.get(name), outcome)}
    assert not wrong, wrong
    assert found["absent"]["status"] == "not submitted" and found["absent"]["score"] == ""


def _fits(row: dict[str, str] | None, outcome: float | str | tuple) -> bool:
    if isinstance(outcome, tuple):
        return any(_fits(row, one) for one in outcome)
    if row is None:
        return False
    if isinstance(outcome, str):
        return row["status"] == "not graded" and row["score"] == "" and outcome in row["reason"]
    return row["status"] in ("graded", "waiting for a person") and float(row["score"]) == outcome


def test_every_student_is_in_the_report_and_the_table_holds_no_formula(graded):
    out, _, wanted, _ = graded
    text = (out / f"{UNIT}.csv").read_text(encoding="utf-8-sig")
    assert len(text.splitlines()) == 1 + len(wanted) + 1
    assert not re.search(r'(^|,)"?[=+@-]', text, re.MULTILINE)
    assert (
        f"not graded: {sum(row['status'] == 'not graded' for row in report(out).values())}"
        in (out / f"{UNIT}.txt").read_text()
    )


def test_nobody_reads_a_hidden_check_another_submission_or_the_grade_book(graded):
    out, _, _, visitors = graded
    assert not visitors, "somebody came by the network"
    hidden = (units.HERE / "hidden" / f"{UNIT}.py").read_text(encoding="utf-8")
    secrets = [line.strip() for line in hidden.splitlines() if len(line.strip()) > 60 and "import" not in line]
    for name in ("searches", "steals"):
        path = out / "course" / "autograded" / name / UNIT / f"{UNIT}.ipynb"
        page = (out / "feedback" / UNIT / f"{name}.html").read_text(encoding="utf-8")
        for text in (path.read_text(encoding="utf-8"), page):
            assert OTHERS not in text and not [secret for secret in secrets if secret in text]
    searched = (out / "course" / "autograded" / "searches" / UNIT / f"{UNIT}.ipynb").read_text(encoding="utf-8")
    assert "found 0" in searched and "no import" in searched
    stolen = (out / "course" / "autograded" / "steals" / UNIT / f"{UNIT}.ipynb").read_text(encoding="utf-8")
    assert "unable to open database file" in stolen and "FileNotFoundError" in stolen


def test_nothing_is_left_behind(graded):
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
    drivers = set(re.findall(r"/wb-(\d+)-", running))  # other tests may be grading beside this one
    assert "workbook-orphan" not in running and not [one for one in drivers if not Path("/proc", one).exists()]


def test_pages_show_no_hidden_check_and_hold_no_script_and_no_address(graded):
    out, *_ = graded
    pages = sorted((out / "feedback" / UNIT).glob("*.html"))
    assert len(pages) >= 30
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "hidden.check_" not in text and "from assignments.hidden" not in text
        assert not re.search(r"<(script|iframe|object|link|img src=x)", text), page.name
        assert not re.search(r"<[a-z][^<>]*\s(src|href)=['\"]?(?!data:image)", text), page.name
        assert "default-src 'none'" in text and "<math" in text
    good = (out / "feedback" / UNIT / "good.html").read_text(encoding="utf-8")
    assert "count_parameters-hidden, 1 of 1" in good and "Still to be marked by a person: in_your_own_words" in good


def test_no_script_of_a_submission_runs_in_a_browser(graded, tmp_path):
    """The pages of feedback, and the notebook as nbgrader's own pages show it, in a real Chromium."""
    from playwright.sync_api import sync_playwright

    out, *_ = graded
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("No Chromium was found.")
    from nbconvert import HTMLExporter

    shown = [
        page
        for name in ("scripts", "scripts-in-text", "scripts-in-answer")
        for page in _pages(out, name, tmp_path, HTMLExporter)
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        for path in shown:
            page = browser.new_page()
            page.goto(path.as_uri(), wait_until="domcontentloaded")
            page.wait_for_timeout(200)
            assert "owned" not in page.title(), path
            assert not page.evaluate("document.querySelectorAll('[onerror],[onload]').length"), path
        browser.close()


def _pages(out: Path, name: str, folder: Path, exporter) -> list[Path]:
    notebook = out / "course" / "autograded" / name / UNIT / f"{UNIT}.ipynb"
    body, _ = exporter(template_name="classic").from_filename(str(notebook))
    (folder / f"{name}.html").write_text(body, encoding="utf-8")
    return [out / "feedback" / UNIT / f"{name}.html", folder / f"{name}.html"]


def test_a_second_run_grades_nothing_anew_and_keeps_the_mark_of_a_person(graded):
    out, folder, wanted, _ = graded
    few = folder.parent / "few"
    if not few.exists():
        for name in ("good", "loop", "untouched"):
            shutil.copytree(folder / name, few / name)
    book = out / "course" / "gradebook.db"
    mark = "UPDATE grade SET manual_score = 4, needs_manual_grade = 0 WHERE auto_score IS NULL AND notebook_id IN "
    mark += "(SELECT n.id FROM submitted_notebook n JOIN submitted_assignment a ON a.id = n.assignment_id "
    mark += "WHERE a.student_id = 'good')"
    with sqlite3.connect(book) as database:
        assert database.execute(mark).rowcount == 1
    before = report(out)
    answer = grade(few, out)
    assert "3 submissions, 3 of them graded earlier and unchanged" in answer.stdout, answer.stdout + answer.stderr
    after = report(out)
    assert after["good"]["status"] == "graded" and float(after["good"]["score"]) == FULL + 4
    assert all(after[name]["score"] == before[name]["score"] for name in ("loop", "untouched"))
    assert len(list((out / "backups").glob("gradebook-*.db"))) == 1


def test_marks_are_the_same_when_everything_is_graded_again(graded, tmp_path):
    _, folder, wanted, _ = graded
    some = ("good", "syntax-error", "copies", "searches")
    for name in some:
        shutil.copytree(folder / name, tmp_path / "few" / name)
    for _ in range(2):
        assert grade(tmp_path / "few", tmp_path / "out", "--again").returncode == 0
        assert {name: float(row["score"]) for name, row in report(tmp_path / "out").items()} == {
            name: wanted[name] for name in some
        }
    _search_by_nbgrader(tmp_path / "out" / "course")


def _search_by_nbgrader(course_folder: Path) -> None:
    """nbgrader's own command, in the course folder that the driver made, runs code in the sandbox as well."""
    notebook = course_folder / "autograded" / "searches" / UNIT / f"{UNIT}.ipynb"
    before = notebook.read_text(encoding="utf-8")
    command = [str(Path(classroom_python()).with_name("nbgrader")), "autograde", UNIT, "--student=searches", "--force"]
    answer = subprocess.run(command, cwd=course_folder, capture_output=True, text=True)
    after = notebook.read_text(encoding="utf-8")
    assert answer.returncode == 0 and after != before and "found 0" in after, answer.stderr


@pytest.mark.parametrize("unit", units.names())
def test_wrong_answers_get_their_marks_through_nbgrader(unit, tmp_path):
    """Row k of every task is in submission k: its points make the mark, its words are on the page. Of slow units, two."""
    given, wanted = build(unit, tmp_path / "built"), {}
    rows = examples.wrong_answers(unit)
    full = sum(check.points for check in units.read_checks(unit).values())
    source = (units.HERE / "source" / f"{unit}.py").read_text(encoding="utf-8")
    most = 2 if re.search("keras|load_vgg16", source) else max(map(len, rows.values()))
    for number in range(most):
        chosen = {task: of_task[number] for task, of_task in rows.items() if number < len(of_task)}
        lost = sum(_points(unit, task) - row["points"] for task, row in chosen.items())
        sources = {task: row["answer"].strip() for task, row in chosen.items()}
        submissions.make(Row(f"row-{number}", True, submissions.answer(**sources), 0.0), given, tmp_path / "in", unit)
        wanted[f"row-{number}"] = (full - lost, [row["says"] for row in chosen.values() if row["says"] != "Correct"])
    assert run("grade", unit, "--submissions", tmp_path / "in", "--out", tmp_path / "out").returncode == 0
    for name, row in report(tmp_path / "out", unit).items():
        page = html.unescape((tmp_path / "out" / "feedback" / unit / f"{name}.html").read_text(encoding="utf-8"))
        assert float(row["score"]) == wanted[name][0], (name, row)
        assert not [said for said in wanted[name][1] if said not in page], name


def _points(unit: str, task: str) -> float:
    return sum(check.points for name, check in units.read_checks(unit).items() if name.startswith(f"{task}-"))


def test_late_work_loses_what_the_rule_says(given, tmp_path):
    times = {"early": "2026-11-19 12:00:00 UTC", "late": "2026-11-21 13:00:00 UTC", "in-grace": "2026-11-20 12:05:00 UTC"}
    for name, when in times.items():
        submissions.make(Row(name, True, lambda notebook: None, FULL), given, tmp_path / "in")
        (tmp_path / "in" / name / "timestamp.txt").write_text(when, encoding="utf-8")
    rules = ("--due", "2026-11-20T12:00", "--late", "10%-a-day", "--grace-minutes", "10")
    assert grade(tmp_path / "in", tmp_path / "out", *rules).returncode == 0
    scores = {name: float(row["score"]) for name, row in report(tmp_path / "out").items()}
    assert scores == {"early": FULL, "in-grace": FULL, "late": pytest.approx(FULL * 0.8)}
    with sqlite3.connect(tmp_path / "out" / "course" / "gradebook.db") as database:  # what a person gives for the essay
        database.execute("UPDATE grade SET manual_score = 5, needs_manual_grade = 0 WHERE auto_score IS NULL")
    assert grade(tmp_path / "in", tmp_path / "out", *rules).returncode == 0
    assert float(report(tmp_path / "out")["late"]["score"]) == pytest.approx((FULL + 5) * 0.8)


def test_a_run_that_is_killed_goes_on_where_it_was(given, tmp_path):
    for number in range(4):
        submissions.make(Row(f"student-{number}", True, lambda notebook: None, FULL), given, tmp_path / "in")
    command = [
        classroom_python(),
        "-m",
        "assignments",
        "grade",
        UNIT,
        "--submissions",
        tmp_path / "in",
        "--out",
        tmp_path / "out",
        *LIMITS,
    ]
    with subprocess.Popen([*map(str, command)], cwd=course.ROOT, stdout=subprocess.PIPE, text=True) as first:
        for line in first.stdout:
            if line.endswith(": graded\n"):
                first.kill()
                break
    again = grade(tmp_path / "in", tmp_path / "out")
    done = int(re.search(r"4 submissions, (\d) of them graded earlier", again.stdout)[1])
    assert 1 <= done < 4
    assert [row["score"] for row in report(tmp_path / "out").values()] == ["28.0"] * 4
    assert not list(Path(tempfile.gettempdir()).glob(f"wb-{first.pid}-*"))


def test_without_a_sandbox_nothing_is_graded_and_a_sentence_says_why(tmp_path):
    python = classroom_python()
    (tmp_path / "bwrap").write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    for path in (f"{tmp_path}:/usr/bin:/bin", str(Path(python).parent)):
        answer = grade(tmp_path, tmp_path / "out", env=os.environ | {"PATH": path})
        assert answer.returncode == 1 and answer.stderr.startswith("No submission was graded"), answer.stderr
        assert len(answer.stderr.strip().splitlines()) == 1
        assert not (tmp_path / "out" / "course").exists()


def test_without_its_weights_a_unit_with_vgg16_is_not_graded(tmp_path):
    empty = os.environ | {"WORKBOOK_CACHE": str(tmp_path)}
    empty = {name: value for name, value in empty.items() if not name.startswith("WORKBOOK_VGG16")}
    answer = run("grade", "feature_extraction", "--submissions", tmp_path, "--out", tmp_path / "out", env=empty)
    assert answer.returncode == 1 and "VGG16's weights are missing" in answer.stderr and not (tmp_path / "out").exists()


def test_the_release_fails_and_the_source_passes_when_nbgrader_validates(given, tmp_path):
    validate = "import json; from nbgrader.validator import Validator; "
    validate += f"print(json.dumps(Validator().validate({f'{UNIT}.ipynb'!r})))"
    command = [classroom_python(), "-c", validate]
    results = {}
    for name in ("release", "source"):
        notebook = nbformat.from_dict(json.loads(json.dumps(given)))
        for cell in notebook.cells:
            if name == "source" and not cell.metadata.nbgrader.locked:
                cell.source = units.solution(submissions.CELLS[cell.metadata.nbgrader.grade_id])
        folder = tmp_path / name
        folder.mkdir()
        shutil.copy(units.HERE / "checks" / f"{UNIT}.py", folder / "checks.py")
        nbformat.write(notebook, folder / f"{UNIT}.ipynb")
        env = os.environ | {"PYTHONPATH": str(course.ROOT), "HOME": str(tmp_path)}
        answer = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
        results[name] = json.loads(answer.stdout.splitlines()[-1])
    assert len(results["release"]["failed"]) >= 6 and "Your turn:" in json.dumps(results["release"])
    assert "failed" not in results["source"], results["source"]
