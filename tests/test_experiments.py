"""Tests of the arms, by what may not be: a choice that looks at the test images, a record that says something else."""

from __future__ import annotations

import json
import runpy

import course
import numpy as np
import pytest
from sklearn.utils import Bunch

from helpers.data import PhotographsMissing, take_per_class
from helpers.experiments import (
    ARMS,
    STEPS_PER_CHECK,
    Arm,
    Task,
    colour_numbers,
    decode_answers,
    describe_target,
    fit_until_stale,
    run_arm,
    small_pixels,
)
from helpers.training import RUNS_FOLDER, load_runs

RECORDED = sorted(path.stem for path in RUNS_FOLDER.glob("*.json") if '"about"' in path.read_text(encoding="utf-8")[:20])


def loud_colours(*, classes=3, per_class=(12, 5, 6), seed=0):
    """Return a target whose classes differ in colour: 32 pixels a side."""
    random, bunch = np.random.default_rng(seed), Bunch(class_names=[f"colour {place}" for place in range(classes)])
    for part, count in zip(("train", "validation", "test"), per_class, strict=True):
        labels = random.permutation(np.repeat(np.arange(classes), count))
        images = random.integers(0, 120, (len(labels), 32, 32, 3))
        images[np.arange(len(labels)), :, :, labels] += 100
        bunch |= {f"{part}_images": images.astype("uint8"), f"{part}_labels": labels}
    return bunch


@pytest.fixture(scope="module")
def target():
    return loud_colours()


def cheap_network(classes):
    from keras import Input, Sequential, layers, utils

    utils.set_random_seed(0)
    return Sequential([Input((32, 32, 3)), layers.GlobalAveragePooling2D(), layers.Dense(classes, activation="softmax")])


def task_of(target, seed=0):
    return Task(target, take_per_class(target.train_labels, labels_per_class=10, seed=seed), seed)


@pytest.mark.parametrize("arm", ["six colour numbers", "pixels, SVM", "random VGG16, block 1"])
def test_a_classical_arm_tells_colours_apart(target, arm):
    record = run_arm(arm, target, labels_per_class=8, seed=1)
    assert record["test_accuracy"] > 0.9
    assert json.loads(json.dumps(record)) == record
    assert (
        record["C"] in (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0) and max(record["candidates"]) == record["validation_accuracy"]
    )


def test_guessing_guesses(target):
    accuracies = [run_arm("guessing", target, labels_per_class=1, seed=seed)["test_accuracy"] for seed in range(40)]
    assert np.mean(accuracies) == pytest.approx(1 / 3, abs=0.06) and len(set(accuracies)) > 5


@pytest.mark.parametrize("arm", ["six colour numbers", "small CNN from scratch"])
def test_the_test_images_decide_nothing(target, arm, monkeypatch):
    """Other test images, the same answers to validation: the choices cannot have looked at them."""
    monkeypatch.setattr("helpers.experiments.STEPS_PER_CHECK", 2)
    given = {"labels_per_class": 5} | ({"learning_rate": 1e-3} if ARMS[arm].rates else {})
    other = Bunch(**target) | {
        "test_images": target.test_images[::-1].copy(),
        "test_labels": np.zeros_like(target.test_labels),
    }
    one, two = (run_arm(arm, of, **given) for of in (target, Bunch(**other)))
    assert one["validation_accuracy"] == two["validation_accuracy"]
    assert {key: one.get(key) for key in ("C", "candidates", "curve")} == {
        key: two.get(key) for key in ("C", "candidates", "curve")
    }


def test_training_stops_and_goes_back_to_its_best_check(target):
    task, parts = task_of(target), []
    for part in ("train", "validation", "test"):
        parts.append(target[f"{part}_images"].astype("float32")[np.newaxis] / 255)
    parts[0] = parts[0][:, task.chosen]
    model = cheap_network(3)
    (validation, _), found = fit_until_stale(model, task, *parts, learning_rate=0.3, checks=9, patience=2)
    steps, _, _, accuracy = (np.array(column) for column in zip(*found["curve"], strict=True))
    best = int(np.argmax(accuracy))
    assert found["steps"] == (best + 1) * STEPS_PER_CHECK == steps[best]
    assert len(accuracy) == min(9, best + 1 + 2)
    assert np.mean(validation.argmax(axis=1) == target.validation_labels) == pytest.approx(accuracy.max(), abs=1e-4)


def test_confidence_and_predictions_survive_the_record(target):
    record = run_arm("six colour numbers", target, labels_per_class=8)
    predicted, confidence = decode_answers(record)
    assert predicted.shape == confidence.shape == target.test_labels.shape
    assert np.mean(predicted == target.test_labels) == pytest.approx(record["test_accuracy"], abs=1e-5)
    assert confidence.min() >= 0.33 and confidence.max() <= 0.99


@pytest.mark.parametrize(
    ("arm", "rate", "said"),
    [
        ("else", None, "choose from: guessing"),
        ("guessing", 0.1, "takes no learning rate; received 0.1"),
        ("small CNN from scratch", None, "wants a learning rate, such as 0.0003"),
    ],
)
def test_a_wrong_question_is_answered_in_a_sentence(target, arm, rate, said):
    with pytest.raises(ValueError, match=said):
        run_arm(arm, target, labels_per_class=2, learning_rate=rate)


def test_descriptions_by_hand():
    image = np.zeros((1, 64, 64, 3), "uint8")
    image[0, :32, :, 0] = 200
    np.testing.assert_allclose(colour_numbers(image), [[100, 0, 0, 100, 0, 0]])
    assert small_pixels(image).shape == (1, 32 * 32 * 3)
    assert small_pixels(image).max() == pytest.approx(200 / 255)
    assert small_pixels(image[:, :33, :33]).shape == (1, 33 * 33 * 3)


def load_target(name):
    module = runpy.run_path(str(course.ROOT / "tools" / "record_arms.py"))
    try:
        return module["LOADERS"][name]()
    except PhotographsMissing as missing:
        pytest.skip(str(missing))


def read(name):
    return json.loads((RUNS_FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def test_there_are_records():
    assert "clothing" in RECORDED


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.clothing] if "clothing" in name else []) for name in RECORDED]
)
def test_records_are_of_the_target_that_is_loaded(name):
    about = describe_target(load_target(name))
    assert {key: read(name)["about"][key] for key in about} == about


@pytest.mark.parametrize("name", RECORDED)
def test_records_agree_with_themselves(name):
    content = read(name)
    labels = np.array([ord(letter) - ord("a") for letter in content["about"]["test_labels"]])
    for run in content["runs"]:
        predicted, confidence = decode_answers(run)
        assert len(predicted) == len(confidence) == len(labels)
        assert np.mean(predicted == labels) == pytest.approx(run["test_accuracy"], abs=1e-5), run["arm"]
        if "curve" in run:
            checks = {step: accuracy for step, _, _, accuracy in run["curve"]}
            assert checks[run["steps"]] == max(checks.values()) == pytest.approx(run["validation_accuracy"], abs=2e-3)


@pytest.mark.parametrize("name", RECORDED)
def test_the_chosen_rate_is_the_best_on_validation(name):
    module, runs = runpy.run_path(str(course.ROOT / "tools" / "record_arms.py")), read(name)["runs"]
    for run in runs:
        alike = {key: run[key] for key in ("arm", "labels_per_class")}
        assert run["chosen"] == ("learning_rate" not in run or run["learning_rate"] == module["best_rate"](runs, **alike))
    for arm, labels in {(run["arm"], run["labels_per_class"]) for run in runs}:
        seeds = [run["seed"] for run in load_runs(name, arm=arm, labels_per_class=labels, chosen=True)]
        assert sorted(seeds) == list(range(len(seeds))), (arm, labels, "each run once")


def test_what_is_not_recorded_is_said_in_a_sentence():
    with pytest.raises(ValueError, match="no recorded run of 'digits'"):
        load_runs("digits", arm="cats")
    with pytest.raises(ValueError, match="recorded are: .*digits"):
        load_runs("else")


def test_a_recorded_run_can_be_repeated():
    """Not to the digit, as processors differ: here the cheapest of the runs that fine-tune block 5."""
    runs = [run for run in load_runs("digits", chosen=True) if run["arm"].startswith("block 5 fine-tuned")]
    run = min(runs, key=lambda run: len(run["curve"]) + run.get("head_steps", 0) / 32)
    asked = {key: run[key] for key in ("arm", "labels_per_class", "seed", "learning_rate")}
    again = run_arm(target=load_target("digits"), **asked)
    assert again["test_accuracy"] == pytest.approx(run["test_accuracy"], abs=0.05)
    assert again["curve"][0][1] == pytest.approx(run["curve"][0][1], rel=0.1)
    assert set(again["distances"]) == set(run["distances"]), "the same layers moved"


@pytest.fixture
def recorder(tmp_path, target, monkeypatch):
    """The recorder with a small target, two arms and a folder of its own."""
    module = runpy.run_path(str(course.ROOT / "tools" / "record_arms.py"))
    few = {"guessing": ARMS["guessing"], "trained": Arm(trained, rates=(0.1, 0.2, 0.3))}
    names = {"RUNS_FOLDER": tmp_path, "ARMS": few, "LOADERS": {"colours": lambda: target}}
    names |= {
        "PLAN": {"colours": ((few, (2,), 5),)},
        "run_apart": lambda _, asked: module["run_arm"](target=target, **asked),
    }
    module = module["main"].__globals__
    module.update(names)
    monkeypatch.setattr("helpers.experiments.ARMS", few)
    return module["main"]


def trained(task, *, learning_rate):
    """Answer rightly, but with the first class in a share of cases: the learning rate."""
    random, answers = np.random.default_rng(task.seed), []
    for labels in (task.target.validation_labels, task.target.test_labels):
        answers.append(np.eye(3)[np.where(random.random(len(labels)) < learning_rate, 0, labels)])
    return tuple(answers), {"steps": 1, "curve": [[1, 0.0, 0.0, 0.0]]}


def test_a_recording_that_was_stopped_goes_on(recorder, tmp_path, capsys):
    path = tmp_path / "colours.json"
    recorder(["--at-most", "0"])
    assert not path.exists()
    recorder.__globals__["run_arm"] = killed_after(4, recorder.__globals__["run_arm"])
    with pytest.raises(KeyboardInterrupt):
        recorder([])
    first = json.loads(path.read_text())["runs"]
    assert [run["arm"] for run in first] == ["guessing"] * 4
    recorder.__globals__["run_arm"] = killed_after(1000, run_arm)
    recorder([])
    runs = json.loads(path.read_text())["runs"]
    assert runs[:4] == first
    rates = [run["learning_rate"] for run in runs[5:]]
    assert len(runs) == 5 + 3 + 4 and rates[:3] == [0.1, 0.2, 0.3]
    assert rates[3:] == [0.1] * 4 and sum(run["chosen"] for run in runs) == 10
    capsys.readouterr()
    assert recorder(["--compare"]) == 0 and capsys.readouterr().out.count("recorded") == 12
    with pytest.raises(SystemExit):
        recorder(["cats"])
    assert "choose from colours" in capsys.readouterr().err


def killed_after(count, plain):
    """Return `run_arm`, but Ctrl+C comes after so many calls."""
    calls = iter(range(count))

    def call(*arguments, **settings):
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return plain(*arguments, **settings)

    return call
