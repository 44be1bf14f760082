"""pyproject.toml, environment.yml and the locks have to tell the same story."""

import re
import tomllib

import course
import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = tomllib.loads((course.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
PYTHONS = ("3.11.9", "3.12.9", "3.13.9")
ENTRY = re.compile(r"^(\S+)==(\S+?)(?: ; ([^\n\\]+?))?(?: \\)?\n((?:[ ]+[^\n]*\n)*)", re.MULTILINE)


def entries(lock: str) -> list[tuple[str, str, Marker | None, str]]:
    """Return name, version, marker and the rest of each entry of a lock file."""
    text = (course.ROOT / lock).read_text(encoding="utf-8")
    return [
        (canonicalize_name(name), version, Marker(marker) if marker else None, rest)
        for name, version, marker, rest in ENTRY.findall(text)
    ]


def pins(lock: str, python: str, platform: str = "linux") -> dict[str, str]:
    """Return the version of each package that the lock installs on this Python."""
    os_name = "nt" if platform == "win32" else "posix"
    here = {
        "python_full_version": python,
        "python_version": python[:4],
        "sys_platform": platform,
        "os_name": os_name,
    }
    chosen = [(name, version) for name, version, marker, _ in entries(lock) if not marker or marker.evaluate(here)]
    assert len(dict(chosen)) == len(chosen), f"{lock} pins a package twice for Python {python}"
    return dict(chosen)


def canonical(lines: list[str]) -> set[tuple]:
    """Return requirements in a form that can be compared."""
    wanted = map(Requirement, lines)
    return {(canonicalize_name(one.name), frozenset(one.extras), str(one.specifier), one.marker) for one in wanted}


def conda() -> dict:
    """Return what environment.yml says."""
    return yaml.safe_load((course.ROOT / "environment.yml").read_text(encoding="utf-8"))


def test_conda_gets_the_packages_that_pyproject_names():
    [pip] = [entry["pip"] for entry in conda()["dependencies"] if isinstance(entry, dict)]
    assert pip[-1] == "-e ."
    assert canonical(pip[:-1]) == canonical(PROJECT["dependencies"])


def test_conda_gets_the_python_that_pyproject_names():
    outside = [entry for entry in conda()["dependencies"] if isinstance(entry, str)]
    [python] = [Requirement(entry) for entry in outside if entry.startswith("python ")]
    assert python.specifier == Requirement(f"python{PROJECT['requires-python']}").specifier
    assert "pip" in outside and conda()["channels"] == ["conda-forge"]
    assert conda()["name"] == PROJECT["name"]


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_the_lock_pins_all_that_is_asked_for(python, platform):
    locked = pins("requirements.lock", python, platform)
    asked = [Requirement(line) for line in PROJECT["dependencies"] + EXTRAS["test"] + EXTRAS["site"] + EXTRAS["bench"]]
    wrong = [str(one) for one in asked if not one.specifier.contains(locked.get(canonicalize_name(one.name), "0"))]
    assert not wrong, f"`make lock` is due: {wrong}"


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-gpu.lock", "requirements-classroom.lock"])
def test_every_entry_of_a_lock_has_hashes_and_no_address(lock):
    text = (course.ROOT / lock).read_text(encoding="utf-8")
    assert not re.search(r"https?://|file://|^-|^\s*--(?!hash=sha256:)", text, re.MULTILINE)
    found = entries(lock)
    assert len(found) == len(re.findall(r"^[^\s#]", text, re.MULTILINE)), "an entry is not a plain pin"
    assert [name for name, *_, rest in found if not re.search(r"--hash=sha256:[0-9a-f]{64}", rest)] == []


@pytest.mark.parametrize("python", PYTHONS)
def test_the_gpu_lock_only_adds_cuda_libraries_for_linux(python):
    added = pins("requirements-gpu.lock", python)
    assert len(added) >= 8 and all(name.startswith("nvidia-") for name in added)
    assert not set(added) & set(pins("requirements.lock", python))
    assert not pins("requirements-gpu.lock", python, "darwin")


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_the_lock_for_a_class_adds_what_its_extra_asks_for(python, platform):
    main, added = pins("requirements.lock", python, platform), pins("requirements-classroom.lock", python, platform)
    assert not set(added) & set(main)
    asked, locked = map(Requirement, EXTRAS["classroom"]), main | added
    assert not [str(one) for one in asked if not one.specifier.contains(locked.get(canonicalize_name(one.name), "0"))]


def test_the_gpu_lock_fits_the_tensorflow_of_the_main_lock():
    from importlib import metadata

    if metadata.version("tensorflow") != pins("requirements.lock", PYTHONS[0])["tensorflow"]:
        pytest.skip("another TensorFlow than the locked one is installed")
    wanted = [Requirement(line) for line in metadata.requires("tensorflow") if "and-cuda" in line]
    locked = pins("requirements-gpu.lock", PYTHONS[0])
    assert wanted
    for one in wanted:
        assert one.specifier.contains(locked[canonicalize_name(one.name)]), one
