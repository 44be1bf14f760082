"""The doctor has to see what is broken, to name the remedy, and to survive whatever it looks at."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import course
import lazy_loader
import numpy as np
import pytest

from helpers._machinery import doctor
from helpers._machinery.weights import ASSETS, SHAPES


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    """An empty cache, an empty Keras home, and none of the variables that change the answers."""
    monkeypatch.setenv("WORKBOOK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    named = ("WORKBOOK_VGG16_IMAGENET", "WORKBOOK_VGG16_EDGES", "WORKBOOK_CLOTHING")
    for name in (*named, "TF_USE_LEGACY_KERAS", "JPY_PARENT_PID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    monkeypatch.chdir(course.ROOT)


def row(name: str) -> doctor.Finding:
    return doctor.doctor(device=False)[name]


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess:
    """Run the doctor as a learner does, in a process of its own."""
    inherited = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    command = [sys.executable, "-m", "helpers", "doctor", *arguments]
    return subprocess.run(command, env=inherited | variables, capture_output=True, text=True, timeout=120)


def test_this_installation_is_in_order():
    report = doctor.doctor(device=False)
    assert report.ok, report
    rows = ["Python", "Packages", "Project", "Keras backend", "Memory", "Weights", "Data", "Clothes"]
    assert list(report) == [*rows, "Widgets", "Folders", "Disk"]
    sound = {name for name, finding in report.items() if finding.status == "ok"}
    assert sound >= {"Python", "Packages", "Project", "Keras backend", "Data", "Widgets", "Folders"}


def test_nothing_slow_is_imported():
    code = """
import sys
from helpers._machinery import doctor
doctor.doctor(device=False)
slow = {"tensorflow", "keras", "sklearn", "skimage", "scipy", "mlxtend", "matplotlib"} & set(sys.modules)
sys.exit(f"imported: {slow}" if slow else 0)
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr


def test_a_wrong_backend_is_a_problem_and_the_exit_code_says_so():
    answer = run("--fast", KERAS_BACKEND="jax")
    assert answer.returncode == 1
    assert "jax" in answer.stdout and "Unset KERAS_BACKEND" in answer.stdout
    assert run("--fast").returncode == 0


def test_a_backend_in_keras_json_is_noticed(tmp_path):
    (tmp_path / "keras").mkdir()
    file = tmp_path / "keras" / "keras.json"
    file.write_text('{"backend": "torch"}')
    assert row("Keras backend").status == "warning"
    assert str(file) in row("Keras backend").fix and "torch" in row("Keras backend").found
    file.write_text('{"backend": "tensorflow"}')
    assert row("Keras backend").status == "ok"
    file.write_text("{")
    assert row("Keras backend").status == "problem"


def install_fake(folder, name: str, version: str, *requires: str) -> None:
    """Put the metadata of a package where Python looks first."""
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("\n".join(lines + [f"Requires-Dist: {one}" for one in requires]) + "\n")


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    install_fake(tmp_path / "site", doctor.PROJECT, "0.1.0", "numpy>=1", "no-such-package>=2")
    monkeypatch.syspath_prepend(tmp_path / "site")
    found = row("Packages")
    assert found.status == "problem" and "no-such-package is missing" in found.found
    assert "numpy" not in found.found and "make setup" in found.fix


def test_a_package_of_the_wrong_version_is_named(tmp_path, monkeypatch):
    install_fake(tmp_path / "site", "keras", "2.15.0")
    monkeypatch.syspath_prepend(tmp_path / "site")
    found = row("Packages")
    assert found.status == "problem" and "keras 2.15.0" in found.found and "tensorflow" not in found.found


def test_another_copy_of_the_workbook_is_noticed(tmp_path, monkeypatch):
    (tmp_path / "helpers" / "_machinery").mkdir(parents=True)
    (tmp_path / "helpers" / "_machinery" / "doctor.py").touch()
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert row("Project").status == "warning" and str(tmp_path) in row("Project").fix


def test_a_cache_that_cannot_be_written_is_a_problem(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("WORKBOOK_CACHE", str(tmp_path / "file" / "cache"))
    assert row("Folders").status == "problem" and "WORKBOOK_CACHE" in row("Folders").fix


def test_absent_weights_are_a_warning_that_names_their_origins(tmp_path):
    found = row("Weights")
    assert found.status == "warning" and "python -m helpers weights" in found.fix
    for asset in ASSETS.values():
        assert asset.name in found.found and all(mirror in found.found for mirror in asset.mirrors)
    assert not (tmp_path / "cache").exists(), "looking must not change anything"


def test_truncated_weights_are_a_problem():
    path = ASSETS["imagenet"].path
    path.parent.mkdir(parents=True)
    np.savez(path, **{"block1_conv1/kernel": np.zeros(SHAPES["block1_conv1/kernel"], "float32")})
    path.write_bytes(path.read_bytes()[:3000])
    found = row("Weights")
    assert found.status == "problem" and str(path) in found.found and "damaged" in found.found
    assert "python -m helpers weights" in found.fix


def test_weights_that_are_not_the_published_ones_are_a_problem(tmp_path, monkeypatch):
    path = tmp_path / "mine.npz"
    monkeypatch.setenv("WORKBOOK_VGG16_EDGES", str(path))
    tensors = {key: np.zeros(shape, "float32") for key, shape in SHAPES.items()}
    np.savez(path, **tensors)
    assert row("Weights").status == "problem" and f"{path} does not hold the published" in row("Weights").found
    np.savez(path, **{key: tensor for key, tensor in tensors.items() if "block1" in key})
    assert row("Weights").status == "problem" and "block2_conv1" in row("Weights").found
    assert "WORKBOOK_VGG16_EDGES" in row("Weights").fix
    monkeypatch.setenv("WORKBOOK_VGG16_EDGES", str(tmp_path / "nowhere.npz"))
    assert row("Weights").status == "problem" and "no file" in row("Weights").found


def test_photographs_of_clothes_are_optional_and_never_a_problem(tmp_path, monkeypatch):
    assert row("Clothes").status == "ok" and "optional" in row("Clothes").found
    assert "python -m helpers photographs" in row("Clothes").found and not (tmp_path / "cache").exists()
    monkeypatch.setenv("WORKBOOK_CLOTHING", str(tmp_path))
    assert row("Clothes").status == "warning" and str(tmp_path) in row("Clothes").found
    assert "WORKBOOK_CLOTHING" in row("Clothes").fix


def test_a_crashing_check_becomes_a_row(monkeypatch):
    def crash(questions):
        raise RuntimeError("the disk <b>caught</b> fire")

    monkeypatch.setattr(doctor.Questions, "data", crash)
    report = doctor.doctor(device=False)
    assert not report.ok and report["Data"].status == "problem" and "caught" in report["Data"].found
    assert report["Python"].status == "ok" and "Data" in report.verdict


def test_a_server_without_the_widgets_front_end_is_noticed(tmp_path, monkeypatch):
    (tmp_path / "lab" / "bin").mkdir(parents=True)
    (tmp_path / "lab" / "share" / "jupyter").mkdir(parents=True)
    server = tmp_path / "lab" / "bin" / "jupyter-lab"
    server.write_text("import time; print('up', flush=True); time.sleep(60)")
    command = [str(tmp_path / "lab" / "bin" / "python"), str(server)]
    os.symlink(sys.executable, command[0])
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        monkeypatch.setenv("JPY_PARENT_PID", str(process.pid))
        found = row("Widgets")
        process.kill()
    assert found.status == "problem" and str(tmp_path / "lab") in found.found and "make lab" in found.fix


@pytest.fixture
def mixed() -> doctor.Report:
    findings = {
        "Python": ("ok", "3.12"),
        "Disk": ("warning", "1 < 2 & full", "Make room."),
        "Data": ("problem", "?", "Do."),
    }
    return doctor.Report({name: doctor.Finding(*finding) for name, finding in findings.items()})


def test_the_text_is_an_aligned_table(mixed):
    lines = repr(mixed).splitlines()
    assert [line.split()[0] for line in lines[:2]] == ["Python", "Disk"]
    assert lines[0].index("ok") == lines[1].index("warning") == lines[2].index("fix:")
    assert lines[-1] == mixed.verdict == "To mend before you start: Data."


def test_the_html_table_is_accessible_and_escaped(mixed):
    table = ElementTree.fromstring(mixed._repr_html_())
    assert table.find("caption").text == mixed.verdict
    assert [head.get("scope") for head in table.findall("thead/tr/th")] == ["col"] * 4
    assert [row.find("th").get("scope") for row in table.findall("tbody/tr")] == ["row"] * 3
    words = ["".join(row.findall("td")[0].itertext()) for row in table.findall("tbody/tr")]
    assert ["ok" in words[0], "warning" in words[1], "problem" in words[2]] == [True] * 3
    assert table.findall("tbody/tr")[1].findall("td")[1].text == "1 < 2 & full"
    assert "background" not in mixed._repr_html_() and "#" not in mixed._repr_html_()


def test_a_card_that_tensorflow_does_not_see_is_reported(tmp_path):
    if os.path.exists("/proc/driver/nvidia"):
        pytest.skip("this machine has an NVIDIA card")
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho 'NVIDIA Test Card'\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    answer = run("--require-gpu", PATH=path, WORKBOOK_DEVICE="auto")
    assert answer.returncode == 1 and answer.stdout == ""
    assert "NVIDIA Test Card" in answer.stderr and "DEVICE=gpu" in answer.stderr
    assert answer.stderr.count("\n") == 1, "one sentence, without TensorFlow's start-up messages"


def test_a_package_that_is_missing_takes_only_the_rows_that_need_it(monkeypatch):
    monkeypatch.setattr(doctor, "psutil", lazy_loader.load("a_package_that_nobody_has"))
    report = doctor.doctor(device=False)
    assert report["Memory"].status == "problem" and "a_package_that_nobody_has" in report["Memory"].found
    assert all("\n" not in finding.found for finding in report.values()) and report["Python"].status == "ok"
