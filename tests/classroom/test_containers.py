"""The sandbox as a container, for machines where bubblewrap cannot make one: what it sees, and a few hostile submissions."""

from __future__ import annotations

import os
import subprocess

import pytest

from assignments import sandbox, units

from . import submissions
from .submissions import ROWS, UNIT
from .test_grading import _fits, build, classroom_python, grade, report

CHOSEN = ("good", "loop", "kills-in-a-check", "children", "searches", "patches")


@pytest.mark.parametrize("engine", ["podman", "docker"])
def test_a_container_sees_the_course_and_nothing_else_and_has_no_network(engine, monkeypatch, tmp_path):
    monkeypatch.setenv("WORKBOOK_SANDBOX", engine)
    command = sandbox.command(tmp_path, {"checks.py": units.HERE / "checks" / f"{UNIT}.py"})
    assert command[:2] == [engine, "run"] and {"--network=none", "--read-only", "--cap-drop=all"} <= set(command)
    shown = {part.split(":")[1]: part.split(":") for part in command if part.startswith("--volume=")}
    writable = [place for place, (*_, mode) in shown.items() if mode != "ro"]
    assert writable == [str(tmp_path)]
    ours = [of for of, *_ in shown.values() if str(sandbox.ROOT) in of and ".venv" not in of and str(tmp_path) not in of]
    assert sorted(ours) == [f"--volume={path}" for path in (units.HERE / "checks" / f"{UNIT}.py", sandbox.ROOT / "helpers")]


def test_an_unknown_sandbox_is_refused_in_a_sentence(tmp_path):
    answer = grade(tmp_path, tmp_path / "out", "--sandbox", "jail")
    assert answer.returncode == 1 and len(answer.stderr.strip().splitlines()) == 1
    assert "There is no sandbox 'jail': choose bubblewrap, podman, docker." in answer.stderr


def test_an_engine_that_does_not_run_is_named_with_what_it_said(tmp_path):
    (tmp_path / "docker").write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    (tmp_path / "docker").chmod(0o755)
    path = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    answer = grade(tmp_path, tmp_path / "out", "--sandbox", "docker", env=path)
    assert answer.returncode == 1 and "docker cannot make one (Cannot connect to the Docker daemon)" in answer.stderr


@pytest.mark.parametrize("engine", ["podman", "docker"])
def test_hostile_submissions_in_containers(engine, monkeypatch, tmp_path):
    classroom_python()
    monkeypatch.setenv("WORKBOOK_SANDBOX", engine)
    try:
        sandbox.require.__wrapped__()
    except sandbox.SandboxError as error:
        pytest.skip(str(error))
    given = build(UNIT, tmp_path / "built")
    rows = [row for row in ROWS if row.name in CHOSEN]
    for row in rows:
        submissions.make(row, given, tmp_path / "in")
    assert grade(tmp_path / "in", tmp_path / "out", "--sandbox", engine).returncode == 0
    found = report(tmp_path / "out")
    assert len(rows) == len(CHOSEN) and not [row.name for row in rows if not _fits(found[row.name], row.outcome)], found
    left = subprocess.run([engine, "ps", "-aq", f"--filter=label={sandbox.IMAGE}"], capture_output=True, text=True)
    assert left.returncode == 0 and not left.stdout


def test_a_room_ends_its_own_containers_and_no_others(monkeypatch, tmp_path):
    engine = tmp_path / "podman"
    engine.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n[ "$1" = ps ] && echo 17\n')
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("WORKBOOK_SANDBOX", "podman")
    command = sandbox.command(tmp_path / "wb-1-a" / "wb-kernel", {})
    [name] = [part.removeprefix("--name=") for part in command if part.startswith("--name=")]
    sandbox.end(tmp_path / "wb-1-a")
    asked = (tmp_path / "asked").read_text().splitlines()
    wanted = asked[0].partition("name=^")[2]
    assert name.startswith(wanted) and wanted.endswith("wb-1-a") and asked[1] == "rm --force 17"
