"""The command line says what there is, does it, and answers with the right exit code."""

import numpy as np
import pytest

from helpers.__main__ import main
from helpers._machinery import doctor as machinery_doctor
from helpers._machinery.doctor import Finding, Report


def test_weights_that_are_here_are_named_with_their_licence(capsys):
    assert main(["weights"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["imagenet", "edges"]
    assert "CC BY 4.0" in lines[0] and "MIT" in lines[1] and all("Verified" in line for line in lines)


@pytest.mark.parametrize(
    "options, asked", [([], "doctor device=True"), (["--fast"], "doctor device=False"), (["--require-gpu"], "answer device")]
)
def test_the_doctor_is_told_the_options_and_its_exit_code_is_passed_on(options, asked, monkeypatch, capsys):
    told, finding = [], Finding("problem", "nothing", "Buy one.")
    monkeypatch.setattr(
        machinery_doctor, "doctor", lambda device: told.append(f"doctor {device=}") or Report(Device=finding)
    )
    monkeypatch.setattr(machinery_doctor, "answer", lambda question: told.append(f"answer {question}") or finding)
    assert main(["doctor", *options]) == 1
    assert told == [asked] and "Buy one." in "".join(capsys.readouterr())


@pytest.mark.parametrize("arguments", [[], ["fly"], ["doctor", "--slow"], ["predict"], ["predict", "model.keras"]])
def test_no_command_or_an_unknown_one_shows_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("usage: python -m helpers") and (arguments[:1] or ["doctor"])[0] in error


def test_exported_weights_are_what_keras_loads(tmp_path, capsys):
    from keras.applications import VGG16

    from helpers.vgg16 import load_vgg16

    path = tmp_path / "new" / "vgg16.weights.h5"
    assert main(["weights", "--export", str(path)]) == 0
    assert str(path) in capsys.readouterr().out
    ours, keras_own = (model.get_weights() for model in (load_vgg16(), VGG16(weights=path, include_top=False)))
    assert len(ours) == 26 and all(np.array_equal(*pair) for pair in zip(ours, keras_own, strict=True))
    assert [file.name for file in path.parent.iterdir()] == ["vgg16.weights.h5"]


def test_a_name_that_keras_would_not_take_is_one_sentence_and_leaves_nothing(tmp_path, capsys):
    assert main(["weights", "--export", str(tmp_path / "vgg16.h5")]) == 1
    assert "ends in .weights.h5" in capsys.readouterr().err and not list(tmp_path.iterdir())
