"""The set-up, run for real on a tiny workbook: one tiny package in its lock, wheels in a folder, no network."""

import functools
import hashlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
import zipfile
from pathlib import Path

import course
import pytest

SCRIPT = course.ROOT / "tools" / "setup_environment.py"
BACKEND = '''
"""A build backend that needs nothing: an editable install is one .pth file."""
import os, zipfile
INFO = "tiny_workbook-1.0.dist-info"
def _wheel(folder, *args):
    name = "tiny_workbook-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        wheel.writestr("tiny_workbook.pth", os.getcwd())
        wheel.writestr(INFO + "/METADATA", "Metadata-Version: 2.1\\nName: tiny-workbook\\nVersion: 1.0\\n")
        wheel.writestr(INFO + "/WHEEL", "Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(INFO + "/RECORD", "")
    return name
build_editable = build_wheel = _wheel
'''
PYPROJECT = """
[project]
name = "tiny-workbook"
version = "1.0"
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""


def add_wheel(root: Path, version: str) -> str:
    """Make a wheel of the package `tiny` and return its line for a lock."""
    path = root / "wheels" / f"tiny-{version}-py3-none-any.whl"
    info = f"tiny-{version}.dist-info"
    files = {
        "tiny.py": f"version = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(zipfile.ZipInfo(name), text)  # without the time of day: the same hash every time
    return f"tiny=={version} \\\n    --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def make_workbook(root: Path) -> Path:
    """Make a workbook with the real set-up and Makefile, and next to nothing to install."""
    for name in ("tools", "wheels", "helpers"):
        (root / name).mkdir(parents=True)
    shutil.copy(SCRIPT, root / "tools")
    shutil.copy(course.ROOT / "Makefile", root)
    (root / "backend.py").write_text(BACKEND)
    (root / "pyproject.toml").write_text(PYPROJECT)
    (root / "requirements-gpu.lock").write_text("")
    (root / "requirements.lock").write_text(add_wheel(root, "1.0"))
    return root


def variables(root: Path, **more: str) -> dict[str, str]:
    """Return an environment in which pip knows the folder of wheels and nothing else."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "WORKBOOK_"))}
    own = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": (root / "wheels").as_uri(), "PIP_CONFIG_FILE": os.devnull}
    return kept | own | {"PIP_NO_CACHE_DIR": "1"} | more


def command(root: Path, *arguments: str, python: str = sys.executable) -> list[str]:
    return [
        sys.executable,
        str(root / "tools" / SCRIPT.name),
        "--needs-gb",
        "0.01",
        "--python",
        python,
        *arguments,
    ]


def set_up(root: Path, *arguments: str, python: str = sys.executable, **more: str) -> subprocess.CompletedProcess:
    line = command(root, *arguments, python=python)
    environment = variables(root, **more)
    return subprocess.run(line, env=environment, capture_output=True, text=True, timeout=120, cwd="/")


def ask(root: Path, code: str) -> str:
    """Return what a line of Python prints in the workbook's own environment."""
    line = [root / ".venv" / "bin" / "python", "-c", code]
    return subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip()


def the_sentence(answer: subprocess.CompletedProcess) -> str:
    """Return the one line on stderr of a set-up that stopped."""
    assert answer.returncode == 1, answer
    [line] = answer.stderr.splitlines()
    assert line.startswith("Set-up stopped: ")
    return line


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A workbook that is set up, by somebody whose settings would lead pip and Python astray."""
    root = make_workbook(tmp_path_factory.mktemp("set up") / "work book")
    stray = {"PIP_USER": "1", "PIP_TARGET": str(root / "stray"), "PYTHONPATH": str(root / "wheels")}
    answer = set_up(root, **stray)
    assert answer.returncode == 0, answer.stderr
    assert "Installing 1 packages" in answer.stdout and "The environment is ready" in answer.stdout
    assert answer.stdout.count("\n") == 2, "no noise where there is no terminal"
    return root


@pytest.fixture
def ready(finished):
    """The finished workbook, with its lock put back afterwards."""
    lock = (finished / "requirements.lock").read_text()
    yield finished
    (finished / "requirements.lock").write_text(lock)


def test_everything_is_installed_in_the_environment(ready):
    assert ask(ready, "import tiny; print(tiny.version)") == "1.0"
    assert ask(ready, "import importlib.metadata as m; print(m.version('tiny-workbook'))") == "1.0"
    assert ask(ready, "import sys; print(sys.prefix)") == str(ready / ".venv")
    assert not (ready / "stray").exists()


def test_a_second_run_does_nothing_and_asks_nobody(ready):
    before = {path: path.stat().st_mtime_ns for path in (ready / ".venv").rglob("*")}
    started = time.monotonic()
    answer = set_up(ready, PIP_FIND_LINKS=(ready / "gone").as_uri())
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
    assert time.monotonic() - started < 3
    assert before == {path: path.stat().st_mtime_ns for path in (ready / ".venv").rglob("*")}


def test_a_changed_lock_updates_the_environment(ready):
    (ready / ".venv" / "mine").touch()
    (ready / "requirements.lock").write_text(add_wheel(ready, "2.0"))
    assert set_up(ready).returncode == 0
    assert ask(ready, "import tiny; print(tiny.version)") == "2.0"
    assert (ready / ".venv" / "mine").exists(), "updated in place, not made anew"
    (ready / "requirements.lock").write_text(add_wheel(ready, "1.0"))
    assert set_up(ready).returncode == 0
    assert ask(ready, "import tiny; print(tiny.version)") == "1.0"


def test_without_a_package_index_one_sentence_says_so_and_what_was_there_stays(ready):
    good = (ready / "requirements.lock").read_text()
    (ready / "requirements.lock").write_text(good.replace("1.0", "3.0"))
    nowhere = {"PIP_NO_INDEX": "0", "PIP_FIND_LINKS": "", "PIP_INDEX_URL": "http://127.0.0.1:9/simple"}
    sentence = the_sentence(set_up(ready, PIP_RETRIES="1", **nowhere))
    assert "No package index could be reached" in sentence and str(ready / ".venv" / "install.log") in sentence
    (ready / "requirements.lock").write_text(good)
    assert set_up(ready, **nowhere).stdout == "", "the old environment is still whole"


def test_a_file_that_does_not_match_its_hash_is_refused(ready):
    text = (ready / "requirements.lock").read_text()
    (ready / "requirements.lock").write_text(re.sub("[0-9a-f]{64}", "0" * 64, text.replace("1.0", "2.0")))
    add_wheel(ready, "2.0")
    assert "tiny==2.0 does not match its hash in requirements.lock" in the_sentence(set_up(ready))
    assert ask(ready, "import tiny; print(tiny.version)") == "1.0"


def test_a_package_that_the_index_lacks_is_named(ready):
    text = (ready / "requirements.lock").read_text()
    (ready / "requirements.lock").write_text(text.replace("tiny==1.0", "tiny==9.0"))
    assert "The package index has no tiny==9.0 for Python 3." in the_sentence(set_up(ready))


def test_a_killed_installation_is_made_anew_and_two_at_once_do_not_meet(tmp_path):
    root = make_workbook(tmp_path / "killed")
    process = subprocess.Popen(command(root), env=variables(root), start_new_session=True, stdout=subprocess.DEVNULL)
    while not (root / ".venv" / "bin" / "python").exists():
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    (root / ".venv" / "left behind").touch()
    both = [subprocess.Popen(command(root), env=variables(root), stdout=subprocess.PIPE, text=True) for _ in "ab"]
    said = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted("Installing" in text for text in said) == [False, True]
    assert any("waiting for it" in text for text in said)
    assert not (root / ".venv" / "left behind").exists() and ask(root, "import tiny; print(tiny.version)") == "1.0"


def test_an_environment_that_was_moved_is_made_anew(finished, tmp_path):
    root = tmp_path / "moved"
    shutil.copytree(finished, root, symlinks=True)
    assert "The environment is ready" in set_up(root).stdout
    assert ask(root, "import sys; print(sys.prefix)") == str(root / ".venv")
    assert str(root) in (root / ".venv" / "bin" / "pip").read_text()


@functools.cache
def pythons() -> dict[tuple[int, int], str]:
    """Return the Pythons that can be found on PATH and among pyenv's, by version."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    folders += Path(os.environ.get("PYENV_ROOT", "nowhere")).glob("versions/*/bin")
    found = {}
    files = {file for folder in folders for file in folder.glob("python3.*")}
    for path in sorted(file for file in files if re.fullmatch(r"python3\.\d+", file.name)):
        code = "import sys, ensurepip; print(*sys.version_info[:2])"
        answer = subprocess.run([path, "-c", code], capture_output=True, text=True)
        if answer.returncode == 0:
            found.setdefault(tuple(map(int, answer.stdout.split())), str(path))
    return found


def test_a_real_older_python_is_told_that_it_is_too_old(tmp_path):
    old = {version: path for version, path in pythons().items() if (3, 6) <= version < (3, 11)}
    if not old:
        pytest.skip("no Python from 3.6 to 3.10 on this machine")
    root = make_workbook(tmp_path / "book")
    for version, path in old.items():
        line = [path, *command(root, python=path)[1:]]
        answer = subprocess.run(line, env=variables(root), capture_output=True, text=True)
        assert f"Python {version[0]}.{version[1]}." in the_sentence(answer)
        assert "is not supported: the workbook needs 3.11, 3.12 or 3.13" in answer.stderr
    assert not (root / ".venv").exists()


PRETENDER = """
import runpy, sys
{code}
if "-c" in sys.argv:
    exec(sys.argv[sys.argv.index("-c") + 1])
else:
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
"""


def pretend(folder: Path, name: str, code: str) -> str:
    """Make an executable that runs this Python, after the given code; return its path."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(PRETENDER.format(code=code))
    path = folder / name
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{folder / name}.py" "$@"\n')
    path.chmod(0o755)
    return str(path)


def test_a_python_3_9_is_told_what_to_do(tmp_path):
    root = make_workbook(tmp_path / "book")
    old = pretend(tmp_path / "bin", "python3.9", "sys.version_info = (3, 9, 18, 'final', 0)")
    sentence = the_sentence(set_up(root, python=old))
    assert "Python 3.9.18 at " in sentence and sentence.endswith("make lab PYTHON=python3.12")
    assert not (root / ".venv").exists()


def test_a_python_without_venv_is_told_what_to_install(tmp_path):
    root = make_workbook(tmp_path / "book")
    bare = pretend(tmp_path / "bin", "python3", "sys.modules['ensurepip'] = None")
    minor = "{}.{}".format(*sys.version_info[:2])
    assert f"apt install python{minor}-venv" in the_sentence(set_up(root, python=bare))


def test_a_name_that_is_no_python_is_refused(tmp_path):
    root = make_workbook(tmp_path / "book")
    (tmp_path / "shim").write_text("#!/bin/sh\nexit 127\n")
    (tmp_path / "shim").chmod(0o755)
    for name in (tmp_path / "shim", tmp_path / "nothing", "no-such-python"):
        assert f"PYTHON={name} is not a Python that runs" in the_sentence(set_up(root, python=str(name)))


def test_a_python_that_fails_on_path_is_passed_over(tmp_path, monkeypatch):
    (tmp_path / "shims").mkdir()
    (tmp_path / "shims" / "python3").write_text("#!/bin/sh\nexit 127\n")
    (tmp_path / "shims" / "python3").chmod(0o755)
    old = pretend(tmp_path / "old", "python3", "sys.version_info = (3, 8, 1, 'final', 0)")
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "python3.12").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", os.pathsep.join(str(tmp_path / name) for name in ("shims", "old", "good")))
    setup = load_script()
    assert setup.choose_python("")["version"] == list(sys.version_info[:3])
    (tmp_path / "good" / "python3.12").unlink()
    with pytest.raises(setup.SetupError, match="Python 3.8.1 at .* is not supported"):
        setup.choose_python("")
    Path(old).unlink()
    with pytest.raises(setup.SetupError, match="No Python was found"):
        setup.choose_python("")


def test_a_full_disk_is_noticed_before_anything_is_installed(tmp_path):
    root = make_workbook(tmp_path / "book")
    sentence = the_sentence(set_up(root, "--needs-gb", "999999"))
    assert "The disk is too full" in sentence and "about 999999 are needed" in sentence
    assert not (root / ".venv").exists()


def test_a_folder_in_the_way_is_not_removed(tmp_path):
    root = make_workbook(tmp_path / "book")
    (root / ".venv").mkdir()
    (root / ".venv" / "thesis.txt").touch()
    assert "is in the way" in the_sentence(set_up(root))
    assert (root / ".venv" / "thesis.txt").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("the superuser may write everywhere")
    root = make_workbook(tmp_path / "book")
    root.chmod(0o555)
    try:
        assert "cannot be written" in the_sentence(set_up(root))
    finally:
        root.chmod(0o755)


def test_a_gpu_that_is_not_there_cannot_be_asked_for(tmp_path):
    if os.path.exists("/dev/nvidia0") or os.path.exists("/proc/driver/nvidia") or shutil.which("nvidia-smi"):
        pytest.skip("this machine has an NVIDIA card")
    root = make_workbook(tmp_path / "book")
    assert "DEVICE=gpu asks for a GPU" in the_sentence(set_up(root, "--device", "gpu"))
    assert not (root / ".venv").exists()


def load_script():
    """Return tools/setup_environment.py as a module."""
    spec = importlib.util.spec_from_file_location("setup_environment", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "log, expected",
    [
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
            "disk got full",
        ),
        (
            "ERROR: Could not install packages due to an OSError: [Errno 13] Permission denied: '/x'",
            "may not write",
        ),
        (
            "SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] ...",
            "does not trust",
        ),
        (
            "WARNING: The repository located at 10.0.0.1 is not a trusted or secure host and is",
            "PIP_TRUSTED_HOST",
        ),
        (
            "WARNING: Retrying (Retry(total=4)) after connection broken by 'ReadTimeoutError",
            "No package index",
        ),
        (
            "ERROR: Exception:\nERROR: something unheard of.",
            "exit code 2: something unheard of. All that pip",
        ),
    ],
)
def test_what_pip_says_becomes_one_sentence(log, expected):
    setup = load_script()
    sentence = setup.explain(log, 2, {"version": [3, 12, 1]}, "requirements.lock")
    assert expected in sentence and "\n" not in sentence and "install.log" in sentence


def test_the_script_and_the_project_support_the_same_pythons():
    from packaging.specifiers import SpecifierSet

    project = tomllib.loads((course.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    allowed = SpecifierSet(project["requires-python"])
    setup = load_script()
    assert set(setup.SUPPORTED) == {(3, minor) for minor in range(6, 30) if allowed.contains(f"3.{minor}.5")}


make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def run_make(root: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess:
    """Run make as from a fresh terminal, also when it was make that started the tests."""
    own = re.compile("MAKE|MFLAGS|PYTHON$|DEVICE$|[A-Z]+_FLAGS$")
    kept = {name: value for name, value in variables(root, **more).items() if not own.match(name)}
    line = ["make", "-C", str(root), "--no-print-directory", *arguments]
    return subprocess.run(line, env=kept, capture_output=True, text=True, timeout=120)


@make
def test_make_alone_lists_the_targets():
    answer = run_make(course.ROOT)
    for target in ("setup", "lab", "test", "run", "site", "check", "bench", "lock", "clean"):
        assert f"make {target} " in answer.stdout


@make
def test_make_sets_up_once(finished):
    answer = run_make(finished, "setup", f"PYTHON={sys.executable}")
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


@make
@pytest.mark.parametrize("target", ["lab", "test", "run", "site", "check", "bench"])
def test_make_stops_where_the_set_up_stops(tmp_path, target):
    root = make_workbook(tmp_path / "book")
    old = pretend(tmp_path / "bin", "python3.9", "sys.version_info = (3, 9, 18, 'final', 0)")
    answer = run_make(root, target, f"PYTHON={old}")
    assert answer.returncode != 0 and "Python 3.9.18" in answer.stderr
    assert answer.stdout == "" and not (root / ".venv").exists()


@make
def test_make_without_any_python_says_so(tmp_path):
    root = make_workbook(tmp_path / "book")
    (tmp_path / "bin").mkdir()
    for tool in ("make", "sh", "echo"):
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool))
    answer = run_make(root, "lab", PATH=str(tmp_path / "bin"))
    assert answer.returncode != 0 and "No Python was found" in answer.stderr


@make
def test_an_unknown_device_is_refused(finished):
    answer = run_make(finished, "test", "DEVICE=tpu", f"PYTHON={sys.executable}")
    assert answer.returncode != 0 and "tpu" in answer.stderr


def test_a_project_that_cannot_be_installed_does_not_cost_the_packages(ready):
    good = (ready / "pyproject.toml").read_text()
    (ready / ".venv" / "mine").touch()
    (ready / "pyproject.toml").write_text(good.replace('"backend"', '"no_such_backend"'))
    assert "pip failed with exit code" in the_sentence(set_up(ready))
    (ready / "pyproject.toml").write_text(good)
    assert "Bringing" in set_up(ready).stdout
    assert (ready / ".venv" / "mine").exists()


@pytest.mark.parametrize("installed", [True, False])
@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_ci_installs_a_browser_where_there_is_none_and_insists_on_it(tmp_path, installed):
    (tmp_path / "bin").mkdir()
    for tool in ("bash", "env", "dirname"):
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool))
    (tmp_path / "bin" / "python3").symlink_to(sys.executable)
    fakes = {
        "make": 'echo "make $* $WORKBOOK_REQUIRE_BROWSER"',
        "apt-get": 'echo "$*" >>"$SAID"',
        "id": "echo 0",
    }
    for name, code in (fakes | ({"chromium": "exit 0"} if installed else {})).items():
        (tmp_path / "bin" / name).write_text(f"#!{shutil.which('bash')}\n{code}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    own = {"PATH": str(tmp_path / "bin"), "SAID": str(tmp_path / "said")}
    answer = subprocess.run([course.ROOT / ".ci" / "run"], env=own, capture_output=True, text=True)
    assert answer.returncode == 0 and answer.stdout.endswith("make test DEVICE=auto 1\n"), answer
    asked = (tmp_path / "said").read_text() if not installed else "nothing"
    assert "chromium" in asked if not installed else not (tmp_path / "said").exists()


def test_the_stamp_is_readable(finished):
    stamp = json.loads((finished / ".venv" / "workbook-setup.json").read_text())
    assert stamp["complete"] is True and len(stamp["digest"]) == 64 and stamp["path"] == str(finished / ".venv")


def test_another_python_gets_another_environment(finished):  # the last one: it turns `finished` inside out
    others = {version: path for version, path in pythons().items() if (3, 11) <= version < (3, 14)}
    others.pop(sys.version_info[:2], None)
    if not others:
        pytest.skip("no second supported Python on this machine")
    version, path = others.popitem()
    assert set_up(finished, python=path).returncode == 0
    assert ask(finished, "import sys; print(*sys.version_info[:2])") == "{} {}".format(*version)
    assert set_up(finished, python="").stdout == "", "without a name any supported Python will do"
