"""The set-up, run for real on a tiny workbook: one tiny package in its lock, wheels in a folder, no network."""

import hashlib
import importlib.util
import json
import os
import platform
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


def add_wheel(root: Path, version: str, *, name: str = "tiny") -> str:
    """Make a wheel of a package with one module and return its line for a lock."""
    path = root / "wheels" / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"version = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as wheel:
        for file, text in files.items():
            wheel.writestr(zipfile.ZipInfo(file), text)  # without the time of day: the same hash every time
    return f"{name}=={version} \\\n    --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def make_workbook(root: Path) -> Path:
    """Make a workbook with the real set-up and Makefile, and next to nothing to install."""
    for name in ("tools", "wheels", "helpers"):
        (root / name).mkdir(parents=True)
    shutil.copy(SCRIPT, root / "tools")
    shutil.copy(course.ROOT / "Makefile", root)
    (root / "backend.py").write_text(BACKEND)
    (root / "pyproject.toml").write_text(PYPROJECT)
    (root / "requirements-gpu.lock").write_text(add_wheel(root, "1.0", name="tinycuda"))
    (root / "requirements.lock").write_text(add_wheel(root, "1.0"))
    return root


def variables(root: Path, **more: str) -> dict[str, str]:
    """Return an environment in which pip knows the folder of wheels and nothing else."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "WORKBOOK_"))}
    own = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": (root / "wheels").as_uri(), "PIP_CONFIG_FILE": os.devnull}
    return kept | own | {"PIP_NO_CACHE_DIR": "1"} | more


def command(root: Path, *arguments: str, python: str = sys.executable) -> list[str]:
    return [sys.executable, str(root / "tools" / SCRIPT.name), "--python", python, *arguments]


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
    root = make_workbook(tmp_path_factory.mktemp("set up") / "Übungs buch – 课程")
    stray = {"PIP_USER": "1", "PIP_TARGET": str(root / "stray"), "PYTHONPATH": str(root / "wheels")}
    answer = set_up(root, **stray)
    assert answer.returncode == 0, answer.stderr
    assert "Installing" in answer.stdout and "The environment is ready" in answer.stdout
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
    assert time.monotonic() - started < 2
    assert before == {path: path.stat().st_mtime_ns for path in (ready / ".venv").rglob("*")}


def test_a_changed_lock_updates_the_environment(ready):
    (ready / ".venv" / "mine").touch()
    for version in ("2.0", "1.0"):
        (ready / "requirements.lock").write_text(add_wheel(ready, version))
        assert set_up(ready).returncode == 0
        assert ask(ready, "import tiny; print(tiny.version)") == version
    assert (ready / ".venv" / "mine").exists(), "updated in place, not made anew"


NOWHERE = {"PIP_NO_INDEX": "0", "PIP_FIND_LINKS": "", "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}


@pytest.mark.parametrize(
    "old, new, pip, complaint",
    [
        ("1.0", "2.0", NOWHERE, "No matching distribution found for tiny==2.0"),
        ("1.0", "9.0", {}, "No matching distribution found for tiny==9.0"),
        ("1.0", "2.0", {}, "THESE PACKAGES DO NOT MATCH THE HASHES"),
    ],
    ids=["no index", "no such package", "another hash"],
)
def test_one_sentence_says_why_pip_failed_and_what_was_there_stays(ready, old, new, pip, complaint):
    good = (ready / "requirements.lock").read_text()
    add_wheel(ready, "2.0")
    (ready / "requirements.lock").write_text(good.replace(old, new))
    sentence = the_sentence(set_up(ready, **pip))
    assert complaint in sentence and str(ready / ".venv" / "install.log") in sentence
    assert complaint in (ready / ".venv" / "install.log").read_text()
    assert ask(ready, "import tiny; print(tiny.version)") == "1.0"
    (ready / "requirements.lock").write_text(good)
    assert set_up(ready, **NOWHERE).stdout == "", "the old environment is still whole"


def test_a_project_that_cannot_be_installed_does_not_cost_the_packages(ready):
    good = (ready / "pyproject.toml").read_text()
    (ready / ".venv" / "mine").touch()
    (ready / "pyproject.toml").write_text(good.replace('"backend"', '"no_such_backend"'))
    assert "pip failed (" in the_sentence(set_up(ready))
    (ready / "pyproject.toml").write_text(good)
    assert "Bringing" in set_up(ready).stdout
    assert (ready / ".venv" / "mine").exists()


def test_jupyterlab_does_not_ask_about_news(ready):
    path = ready / ".venv" / "share" / "jupyter" / "lab" / "settings" / "overrides.d" / "workbook.json"
    settings = json.loads(path.read_text())["@jupyterlab/apputils-extension:notification"]
    assert settings == {"fetchNews": "false", "checkForUpdates": False}


def test_a_killed_installation_is_made_anew_and_two_at_once_take_turns(tmp_path):
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
    assert not (root / ".venv" / "left behind").exists() and ask(root, "import tiny; print(tiny.version)") == "1.0"


@pytest.fixture(scope="module")
def moved(finished, tmp_path_factory) -> Path:
    """The finished workbook, copied elsewhere, `.venv` and all, and set up there by make, for a GPU."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    folder = tmp_path_factory.mktemp("moved")
    shutil.copytree(finished, folder / "book", symlinks=True)
    fake(folder / "bin" / "nvidia-smi", "exit 0")
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    assert "Installing" in run_make(folder / "book", "setup", "DEVICE=gpu", PATH=path).stdout
    return folder / "book"


def test_an_environment_that_was_moved_is_made_anew(moved):
    assert ask(moved, "import sys; print(sys.prefix)") == str(moved / ".venv")
    assert str(moved) in (moved / ".venv" / "bin" / "pip").read_text()


def pythons() -> dict[tuple[int, int], str]:
    """Return the Pythons with ensurepip that can be found on PATH and among pyenv's, by version."""
    folders = [Path(folder) for folder in os.get_exec_path()]
    folders += Path(os.environ.get("PYENV_ROOT", "nowhere")).glob("versions/*/bin")
    files = sorted(file for folder in folders for file in folder.glob("python3.*"))
    found = {}
    for path in (file for file in files if re.fullmatch(r"python3\.\d+", file.name)):
        code = "import sys, ensurepip; print(*sys.version_info[:2])"
        answer = subprocess.run([path, "-c", code], capture_output=True, text=True)
        if answer.returncode == 0:
            found.setdefault(tuple(map(int, answer.stdout.split())), str(path))
    return found


def test_a_real_older_python_is_told_that_it_is_too_old(tmp_path):
    old = [path for version, path in pythons().items() if (3, 8) <= version < (3, 11)]
    if not old:
        pytest.skip("no Python from 3.8 to 3.10 on this machine")
    root = make_workbook(tmp_path / "book")
    answer = subprocess.run([old[0], *command(root, python=old[0])[1:]], capture_output=True, text=True)
    assert "is not supported: the workbook needs 3.11, 3.12 or 3.13" in the_sentence(answer)
    assert not (root / ".venv").exists()


def fake(path: Path, code: str) -> str:
    """Make an executable with this shell code; return its path."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!{shutil.which('bash')}\n{code}\n")
    path.chmod(0o755)
    return str(path)


def pretend(path: Path, code: str) -> str:
    """Make an executable that runs this Python, after the given code; return its path."""
    program = path.with_name(f"{path.name}.py")
    path = fake(path, f'exec "{sys.executable}" "{program}" "$@"')
    program.write_text(
        f"import runpy, sys\n{code}\n"
        'if "-c" in sys.argv:\n'
        '    exec(sys.argv[sys.argv.index("-c") + 1])\n'
        "else:\n"
        "    sys.argv = sys.argv[1:]\n"
        '    runpy.run_path(sys.argv[0], run_name="__main__")\n'
    )
    return path


OLD = "sys.version_info = (3, 9, 18, 'final', 0)"
BARE = "sys.modules['ensurepip'] = None"


def test_an_unfit_python_is_refused_in_one_sentence(tmp_path):
    root = make_workbook(tmp_path / "book")
    shim = fake(tmp_path / "bin" / "shim", "exit 127")
    unfit = {
        pretend(tmp_path / "bin" / "python3.9", OLD): "Python 3.9.18 at ",
        pretend(tmp_path / "bin" / "python3", BARE): "apt install python{}.{}-venv".format(*sys.version_info[:2]),
        shim: f"PYTHON={shim} is not a Python that runs",
        "no-such-python": "PYTHON=no-such-python is not a Python that runs",
    }
    for python, message in unfit.items():
        sentence = the_sentence(set_up(root, python=python))
        assert message in sentence and sentence.endswith("make lab PYTHON=python3.12")
    assert not (root / ".venv").exists()


def test_another_python_on_path_is_found(tmp_path, monkeypatch):
    setup = load_script()
    fakes = [
        fake(tmp_path / "1" / "python3", "exit 127"),
        pretend(tmp_path / "2" / "python3", OLD),
        pretend(tmp_path / "3" / "python3.13", BARE),
    ]
    (tmp_path / "4").mkdir()
    (tmp_path / "4" / "python3.12").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", os.pathsep.join(str(tmp_path / name) for name in "1234"))
    assert setup.choose_python("") == (str(tmp_path / "4" / "python3.12"), platform.python_version())
    (tmp_path / "4" / "python3.12").unlink()
    for path, message in zip(
        reversed(fakes),
        ("cannot make virtual environments", "3.9.18 at .* is not supported", "No Python was"),
        strict=True,
    ):
        with pytest.raises(setup.SetupError, match=message):
            setup.choose_python("")
        Path(path).unlink()


def test_a_folder_in_the_way_is_not_removed(tmp_path):
    root = make_workbook(tmp_path / "book")
    (root / ".venv").mkdir()
    (root / ".venv" / "thesis.txt").touch()
    assert "is in the way" in the_sentence(set_up(root))
    assert (root / ".venv" / "thesis.txt").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    root = make_workbook(tmp_path / "book")
    (root / ".venv").symlink_to("/proc/nowhere")  # nobody can write there, not even the superuser
    assert f"cannot make {root / '.venv'} (" in the_sentence(set_up(root))


def test_a_gpu_that_is_not_there_cannot_be_asked_for(tmp_path, monkeypatch):
    setup = load_script()
    monkeypatch.setattr(setup, "CARDS", (str(tmp_path / "card*"),))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not setup.wants_gpu("auto") and not setup.wants_gpu("cpu")
    with pytest.raises(setup.SetupError, match="DEVICE=gpu asks for a GPU"):
        setup.wants_gpu("gpu")
    (tmp_path / "card0").touch()
    assert setup.wants_gpu("auto") and setup.wants_gpu("gpu") and not setup.wants_gpu("cpu")


def test_a_gpu_adds_its_lock_which_then_stays(moved):
    assert ask(moved, "import tinycuda; print(tinycuda.version)") == "1.0"
    assert set_up(moved, "--device", "cpu").stdout == "", "nothing is taken away"


def load_script():
    """Return tools/setup_environment.py as a module."""
    spec = importlib.util.spec_from_file_location("setup_environment", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_script_and_the_project_support_the_same_pythons():
    from packaging.specifiers import SpecifierSet

    project = tomllib.loads((course.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    allowed = SpecifierSet(project["requires-python"])
    minors = {f"3.{minor}" for minor in range(6, 30) if allowed.contains(f"3.{minor}.5")}
    assert set(load_script().SUPPORTED) == minors


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
    answer = run_make(root, target, f"PYTHON={pretend(tmp_path / 'bin' / 'python3.9', OLD)}")
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
    for name, code in (fakes | (dict.fromkeys(("chromium", "bwrap", "npm"), "exit 0") if installed else {})).items():
        fake(tmp_path / "bin" / name, code)
    own = {"PATH": str(tmp_path / "bin"), "SAID": str(tmp_path / "said")}
    answer = subprocess.run([course.ROOT / ".ci" / "run"], env=own, capture_output=True, text=True)
    assert answer.returncode == 0 and answer.stdout.endswith("make test DEVICE=auto WORKERS=0 1\n"), answer
    assert "make classroom DEVICE=auto" in answer.stdout
    asked = (tmp_path / "said").read_text() if not installed else "nothing"
    if installed:
        assert not (tmp_path / "said").exists()
    else:
        assert all(package in asked for package in ("chromium", "bubblewrap", "npm")), asked


def test_an_update_that_stops_half_way_leaves_no_stamp(moved):  # late: it spoils `moved`
    [library] = (moved / ".venv" / "lib").glob("python3.*/site-packages")
    (library / "other.py" / "in the way").mkdir(parents=True)
    (moved / "requirements.lock").write_text(add_wheel(moved, "1.0") + add_wheel(moved, "1.0", name="other"))
    assert "Could not install packages" in the_sentence(set_up(moved))
    assert not (moved / ".venv" / "workbook-setup.txt").exists()


def test_another_python_gets_another_environment(finished):  # the last one: it turns `finished` inside out
    others = {version: path for version, path in pythons().items() if (3, 11) <= version < (3, 14)}
    others.pop(sys.version_info[:2], None)
    if not others:
        pytest.skip("no second supported Python on this machine")
    version, path = others.popitem()
    assert set_up(finished, python=path).returncode == 0
    assert ask(finished, "import sys; print(*sys.version_info[:2])") == "{} {}".format(*version)
    assert set_up(finished, python="").stdout == "", "without a name any supported Python will do"
