"""The methods of notebook 11 on cases with known answers, most of them worked by hand."""

import runpy

import course
import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.neighbors import NearestCentroid

from helpers import lifelong, networks
from helpers.training import load_runs

RUNS = range(500, 503)


@pytest.fixture(scope="module")
def tasks():
    return lifelong.digit_tasks(runs=RUNS)


def classifier(weights, bias):
    return [(np.array(weights, "float64"), np.array(bias, "float64"))]


def test_fisher_of_two_classes_by_hand():
    weights, biases = lifelong.fisher(classifier([[0, 0]], [0, 0]), np.array([[2.0]]))[0]
    np.testing.assert_allclose(weights, [[1, 1]])
    np.testing.assert_allclose(biases, [1 / 4, 1 / 4])
    surer = classifier([[np.log(3), 0]], [0, 0])  # at 1 the probabilities are 3/4 and 1/4
    np.testing.assert_allclose(lifelong.fisher(surer, np.array([[1.0]]))[0][0], [[3 / 16, 3 / 16]])
    for label, wanted in ((0, 1 / 16), (1, 9 / 16)):
        found = lifelong.fisher(surer, np.array([[1.0]]), kind="empirical", labels=np.array([label]))
        np.testing.assert_allclose(found[0][0], [[wanted, wanted]])


def test_fisher_is_no_squared_mean_gradient():
    """Two images that pull in opposite ways: the mean gradient is 0, the Fisher information 1/4."""
    found = lifelong.fisher(
        classifier([[0, 0]], [0, 0]), np.array([[1.0], [-1.0]]), kind="empirical", labels=np.array([0, 0])
    )
    np.testing.assert_allclose(found[0][0], [[1 / 4, 1 / 4]])


@pytest.mark.parametrize("kind", ["exact", "empirical"])
def test_fisher_is_that_of_differences(kind):
    """The mean squared derivative of log(probability), each weight moved by a little, in a network with a hidden layer."""
    random = np.random.default_rng(0)
    layers = [
        (some, 0.1 * random.normal(size=bias.shape)) for some, bias in networks.build_mlp((3, 4, 3), activation="relu")
    ]
    images, labels = random.normal(size=(5, 3)), random.integers(3, size=5)
    given = {} if kind == "exact" else {"labels": labels}
    found = lifelong.fisher(layers, images, kind=kind, **given)

    def logs():
        return np.log(networks.softmax(networks.predict(layers, images, activation="relu")))

    shares = np.exp(logs()) if kind == "exact" else np.eye(3)[labels]
    for layer, its_fisher in zip(layers, found, strict=True):
        for part, wanted in zip(layer, its_fisher, strict=True):
            for place in np.ndindex(part.shape):
                part[place] += 1e-5
                above = logs()
                part[place] -= 2e-5
                derivative = (above - logs()) / 2e-5
                part[place] += 1e-5
                assert wanted[place] == pytest.approx((shares * derivative**2).sum(axis=1).mean(), rel=1e-5, abs=1e-9)


def test_fisher_of_many_networks_is_that_of_each(tasks):
    layers, images = networks.build_weights(seeds=RUNS), tasks[0].train_images[:, :20]
    together = lifelong.fisher(layers, images, kind="empirical", labels=tasks[0].train_labels[:, :20])
    alone = [(weights[1], bias[1, 0]) for weights, bias in layers]
    alone = lifelong.fisher(alone, images[1], kind="empirical", labels=tasks[0].train_labels[1, :20])
    for (weights, bias), (weight, one) in zip(together, alone, strict=True):
        np.testing.assert_allclose(weights[1], weight, rtol=1e-3, atol=1e-7)
        np.testing.assert_allclose(bias[1, 0], one, rtol=1e-3, atol=1e-7)


def test_the_pull_is_importance_times_distance():
    """Strength 10, Fisher 4, distance 1/2: a gradient of 20. No image pulls as well: its gradient is zero."""
    layers, place = classifier([[1.5]], [0]), classifier([[1.0]], [0])
    importance = classifier([[10 * 4]], [0])
    settings = {"loss": "squared_error", "optimizer": "gradient_descent", "learning_rate": 1.0}
    settings |= {"pull": (place, importance), "steps": 1}
    (moved, _), *_ = networks.train_mlp(layers, np.array([[0.0]]), np.array([[0.0]]), **settings)[0]
    assert moved[0, 0] == pytest.approx(1.5 - 20)
    (moved, _), *_ = networks.train_mlp(place, np.array([[0.0]]), np.array([[0.0]]), **settings)[0]
    assert moved[0, 0] == 1.0


def test_averages_of_a_table_by_hand():
    table = np.array([[0.9, 0.1, 0.2], [0.95, 0.8, 0.3], [0.5, 0.6, 0.7]])
    assert lifelong.average_accuracy(table) == pytest.approx(0.6)
    assert lifelong.learning_accuracy(table) == pytest.approx(0.8)
    assert lifelong.forgetting(table) == pytest.approx((0.45 + 0.2) / 2)
    assert lifelong.forward_transfer(table, np.array([0.1, 0.2, 0.1])) == pytest.approx((-0.1 + 0.2) / 2)
    np.testing.assert_allclose(lifelong.forgetting(np.stack([table, np.eye(3)])), [0.325, 1])
    with pytest.raises(ValueError, match=r"shape \(2, 3\)"):
        lifelong.forgetting(table[:2])


def test_means_image_by_image_are_those_of_scikit_learn(tasks):
    images, labels, asked = (tasks[2][name][0] for name in ("train_images", "train_labels", "test_images"))
    mean, shared = lifelong.NearestMean(64), lifelong.SharedCovariance(64, strength=0.2)
    for start in range(0, len(labels), 7):
        for learner in (mean, shared):
            learner.update(images[start : start + 7], labels[start : start + 7])
    np.testing.assert_array_equal(mean.predict(asked), NearestCentroid().fit(images, labels).predict(asked))
    own = images - np.stack([images[labels == label].mean(axis=0) for label in labels])
    np.testing.assert_allclose(shared.scatter, own.T @ own, atol=1e-3)
    assert (mean.bytes, shared.bytes) == (2560, 2560 + 64 * 64 * 4)
    assert (shared.counts == np.bincount(labels, minlength=10)).all()


def test_shared_covariance_is_discriminant_analysis():
    random = np.random.default_rng(3)
    images = np.concatenate([random.normal(place, (1, 3), size=(40, 2)) for place in ((0, 0), (2, 1), (1, 6))])
    labels, learner = np.repeat([0, 1, 2], 40), lifelong.SharedCovariance(2, 3, strength=0.0)
    learner.update(images, labels)
    wanted = LinearDiscriminantAnalysis(priors=[1 / 3] * 3).fit(images, labels)
    np.testing.assert_array_equal(learner.predict(images), wanted.predict(images))
    np.testing.assert_array_equal(
        learner.predict(images, classes=[0, 2]), np.where(learner.scores(images)[:, 2] > learner.scores(images)[:, 0], 2, 0)
    )


def test_a_class_that_was_never_met_is_no_answer():
    learner = lifelong.NearestMean(2, 3)
    with pytest.raises(ValueError, match="call update"):
        learner.predict(np.zeros((1, 2)))
    learner.update(np.array([[1.0, 1.0], [3.0, 3.0]]), np.array([1, 2]))
    assert list(learner.predict(np.array([[0.0, 0.0], [9.0, 9.0]]))) == [1, 2]


def test_memory_is_class_after_class():
    labels = np.array([4, 7, 4, 7, 4, 7, 7])
    chosen = lifelong.choose_memory(labels, per_class=2, seed=5)
    assert list(labels[chosen]) == [4, 4, 7, 7] and len(set(chosen)) == 4
    more = lifelong.choose_memory(labels, per_class=3, seed=5)
    assert set(chosen) < set(more), "a smaller memory lies inside a larger one"


def test_tasks_share_no_digit_and_have_their_classes(tasks):
    assert [list(task.classes) for task in tasks] == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]
    for task in tasks:
        assert task.train_images.shape == (3, 600, 64) and task.test_labels.shape == (3, 300)
        assert set(np.unique(task.train_labels)) == set(task.classes)
        rows = [{image.tobytes() for image in task[f"{part}_images"][0]} for part in lifelong.PARTS]
        assert not rows[0] & rows[2] and not rows[0] & rows[1] and not rows[1] & rows[2]
        levels = 255 * task.train_images
        np.testing.assert_allclose(levels, levels.round(), atol=1e-4)
    assert not np.array_equal(tasks[0].test_images[0], tasks[0].test_images[1]), "every run draws its own"


def test_shuffled_tasks_are_renumbered_and_filled():
    runs = [{part: (np.arange(7.0)[:, None], np.array([0, 0, 0, 1, 2, 2, 3])) for part in lifelong.PARTS}]
    first, second = lifelong.split_tasks(runs * 2, seeds=[1, 2], image_bytes=4)
    for run, seed in enumerate((1, 2)):
        order = np.random.default_rng([110, seed]).permutation(4)
        for task in (first, second):
            kept = task.train_labels[run] >= 0
            old = runs[0]["train"][1][task.train_images[run, kept, 0].astype(int)]
            np.testing.assert_array_equal(order[task.train_labels[run, kept]], old)
    with pytest.raises(ValueError, match="tasks of 3"):
        lifelong.split_tasks(runs, per_task=3, image_bytes=4)


def test_filling_counts_for_nothing():
    task = lifelong.Bunch(classes=np.array([0, 1]), test_labels=np.array([[0, 1, -1, -1]]))
    logits = np.array([[[1.0, 0, 5], [0, 1.0, 0], [9, 0, 0], [9, 0, 0]]])
    everything, known = lifelong.score(task, logits, "test")
    assert everything == [0.5] and known == [1.0]


def test_what_each_method_leaves_alone(tasks):
    """The frozen body keeps its hidden layers to the bit, the growing head its old columns too, a strong L2 nearly all."""
    kept = {}

    def remember(number, step, layers):
        if number == 1 and step in (0, 20):
            kept[step] = [part.copy() for layer in layers for part in layer]

    def moved(method, **more):
        lifelong.learn_tasks(tasks[:2], method=method, steps=20, seeds=RUNS, watch=remember, **more)
        return [np.abs(one - other) for one, other in zip(kept[0], kept[20], strict=True)]

    *hidden, head, _ = moved("frozen body")
    assert max(part.max() for part in hidden) == 0 and head[..., :2].max() > 0
    *hidden, head, _ = moved("growing head")
    assert max(part.max() for part in hidden) == 0 == head[..., :2].max() and head[..., 2:].max() > 0
    *hidden, head, bias = moved("frozen head")
    assert hidden[0].max() > 0 == head.max() == bias.max()
    *hidden, head, _ = moved("current classes only")
    assert hidden[0].max() > 0 == head[..., :2].max()
    weak, strong = (np.mean(moved("L2", strength=strength)[0]) for strength in (0.0, 10.0))
    assert strong < weak / 2


def test_no_strength_is_fine_tuning(tasks):
    settings = {"steps": 15, "seeds": RUNS}
    plain = lifelong.learn_tasks(tasks[:2], **settings)
    for method in ("L2", "EWC", "EWC, empirical"):
        same = lifelong.learn_tasks(tasks[:2], method=method, **settings)
        np.testing.assert_array_equal(plain.task_known, same.task_known)
    assert not np.array_equal(
        plain.task_known, lifelong.learn_tasks(tasks[:2], method="rehearsal", memory=1, **settings).task_known
    )


def test_tables_are_what_the_networks_answer(tasks):
    found = lifelong.learn_tasks(tasks[:2], method="rehearsal", memory=3, steps=30, seeds=RUNS)
    for number, task in enumerate(tasks[:2]):
        for run in range(3):
            own = [(weights[run], bias[run, 0]) for weights, bias in found.layers]
            logits = networks.predict(own, task.test_images[run], activation="relu")
            assert found.all_classes[run, 1, number] == pytest.approx(
                (logits.argmax(1) == task.test_labels[run]).mean(), abs=0.004
            )
            known = logits[:, task.classes].argmax(1) + task.classes[0] == task.test_labels[run]
            assert found.task_known[run, 1, number] == pytest.approx(known.mean(), abs=0.004)


def test_bytes_are_counted(tasks):
    def kept(method, **more):
        return lifelong.learn_tasks(tasks, method=method, steps=1, seeds=RUNS, **more).bytes

    weights = 4 * (64 * 64 + 64 + 64 * 64 + 64 + 64 * 10 + 10)
    assert (kept("L2"), kept("EWC, empirical"), kept("fine-tune")) == (0, weights, 0), (
        "the old weights are the network's own"
    )
    assert kept("rehearsal", memory=4) == 2560 == kept("nearest mean")


def test_the_memory_is_all_that_rehearsal_sees_of_old_tasks(tasks):
    images, labels = lifelong._pool(tasks[2:3], tasks[:2], kept=2, seeds=RUNS)
    assert images.shape == (3, 1800, 64)
    assert (np.bincount(labels[0], minlength=10)[:6] == 300).all(), "every class equally often"
    assert len({image.tobytes() for image in images[0, 600:]}) == 2 * 4


def test_a_shared_memory_is_filled_and_then_thinned(tasks, monkeypatch):
    """40 images in all: 20 of each class after the first pair, then 10, 6 and 5."""
    asked, pool = [], lifelong._pool

    def watched(stage, before, *, kept, seeds):
        asked.append(kept)
        return pool(stage, before, kept=kept, seeds=seeds)

    monkeypatch.setattr(lifelong, "_pool", watched)
    found = lifelong.learn_tasks(tasks, method="rehearsal, shared", memory=4, steps=1, seeds=RUNS)
    assert asked[1:] == [20, 10, 6, 5] and found.bytes == 2560


def test_bad_arguments_say_what_to_do(tasks):
    for message, wrong in {
        "there are 2 seeds": {"seeds": range(2)},
        "choose from fine-tune": {"method": "magic"},
        "at least 1 image": {"method": "rehearsal"},
    }.items():
        with pytest.raises(ValueError, match=message):
            lifelong.learn_tasks(tasks, **{"seeds": RUNS} | wrong)
    with pytest.raises(ValueError, match="uci"):
        lifelong.look_tasks(("mnist", "svhn"), runs=RUNS)
    with pytest.raises(ValueError, match="labels"):
        lifelong.fisher(classifier([[0, 0]], [0, 0]), np.zeros((1, 1)), kind="empirical")


def test_two_looks_are_two_tasks():
    first, second = lifelong.look_tasks(("uci", "mnist"), runs=RUNS)
    assert list(first.classes) == list(second.classes) == list(range(10))
    assert first.train_images.shape == second.train_images.shape == (3, 1000, 64)
    found = lifelong.learn_tasks([first, second], steps=30, seeds=RUNS)
    np.testing.assert_array_equal(found.all_classes, found.task_known)


RECORDS = [run for run in load_runs("lifelong") if "film" not in run]


@pytest.mark.parametrize(
    "record", RECORDS, ids=lambda run: f"{run['data']}-{run['method']}-{run['memory']}-{run.get('changed', '')}"
)
def test_a_record_has_its_best_candidate(record):
    """What was chosen is best on validation, tables have a row for each task, and all accuracies are such."""
    tried = np.array(record["tried"])
    for place, name in ((2, "all_classes"), (3, "task_known")):
        chosen = [value for value in record[f"chosen_{name}"].values()]
        assert chosen == list(tried[tried[:, place].argmax(), :2])
        table = np.array(record[name])
        runs, rows, tasks = table.shape
        assert runs >= 10 and tasks in (2, 5) and rows in (1, tasks) and 0 <= table.min() <= table.max() <= 1
    assert (np.array(record["same_known"]) >= np.array(record["all_classes"]) - 1e-9).all(), "fewer answers to choose from"


def test_all_that_the_tool_plans_is_recorded():
    plan = list(runpy.run_path(str(course.ROOT / "tools" / "record_lifelong.py"))["plan"]())
    runs = load_runs("lifelong")
    assert all(any(one.items() <= run.items() for run in runs) for one in plan)
    assert len(runs) == len(plan)


@pytest.mark.parametrize("method, memory", [("nearest mean", None), ("rehearsal", 4), ("current classes only", None)])
def test_the_record_can_be_repeated(method, memory):
    record = load_runs("lifelong", data="digits", method=method, memory=memory)[0]
    assert "changed" not in record
    found = lifelong.learn_tasks(lifelong.digit_tasks(), method=method, memory=memory or 0, **record["chosen_all_classes"])
    apart = lifelong.average_accuracy(found.all_classes) - lifelong.average_accuracy(np.array(record["all_classes"]))
    assert np.abs(apart).mean() < 0.01 and found.bytes == record["bytes"]
