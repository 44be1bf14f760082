"""The methods of notebook 09 on cases with known answers, most of them worked by hand."""

import runpy

import course
import numpy as np
import pytest
from sklearn.svm import SVC
from sklearn.utils import Bunch

from helpers import networks
from helpers import transfer_kinds as kinds
from helpers.training import load_runs


def matched(source, target, bound):
    """Weights by kernel mean matching with the kernel that is 1 for equal numbers and 0 for others."""
    source, target = np.array(source), np.array(target)
    kernel = (source[:, None] == source).astype(float)
    pull = (source[:, None] == target).mean(axis=1) * len(source)
    return kinds.match_means(kernel, pull, bound=bound)


def test_kernel_mean_matching_gives_the_ratio_of_frequencies():
    np.testing.assert_allclose(matched([0, 0, 0, 1], [0, 1, 1, 1], 10), [1 / 3, 1 / 3, 1 / 3, 3], atol=1e-5)
    np.testing.assert_allclose(matched([0, 0, 0, 1], [0, 1, 1, 1], 2), [2 / 3, 2 / 3, 2 / 3, 2], atol=1e-5)
    np.testing.assert_allclose(matched([0, 0, 1, 1], [0, 1], 10), [1, 1, 1, 1], atol=1e-5)


def test_matched_weights_beat_other_allowed_weights():
    random = np.random.default_rng(1)
    source, target = random.normal(size=(40, 3)), random.normal(0.5, 1, size=(10, 3))
    kernel = kinds.gaussian_kernel(source, source, width=3.0)
    pull = kinds.gaussian_kernel(source, target, width=3.0).mean(axis=1) * 40
    best = kinds.match_means(kernel, pull, bound=5.0)

    def objective(weights):
        return weights @ kernel @ weights / 2 - pull @ weights

    assert best.min() >= 0 and best.max() <= 5 and best.sum() == pytest.approx(40, abs=1e-6)
    for _ in range(200):
        other = kinds.nearest_allowed(best + random.normal(size=40), bound=5.0)
        assert objective(other) >= objective(best) - 1e-6


def test_nearest_allowed_is_nearest():
    np.testing.assert_allclose(kinds.nearest_allowed(np.array([3.0, 1.0, -2.0]), bound=2.0), [2.0, 1.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(kinds.nearest_allowed(np.array([5.0, 5.0]), bound=3.0), [1.0, 1.0], atol=1e-9)


def test_gaussian_kernel_by_hand():
    one, other = np.array([[0.0, 0.0]]), np.array([[0.0, 0.0], [3.0, 4.0]])
    np.testing.assert_allclose(kinds.gaussian_kernel(one, other, width=5.0), [[1, np.exp(-5)]])
    assert kinds.median_width(np.array([[0.0], [1.0], [3.0]])) == pytest.approx(4.0)  # 1, 4, 9


def test_domain_weights_are_high_where_the_target_is():
    random = np.random.default_rng(2)
    source = np.concatenate([random.normal(-2, 1, (100, 1)), random.normal(2, 1, (100, 1))])
    weights = kinds.domain_weights(source, random.normal(2, 1, (50, 1)))
    assert weights.mean() == pytest.approx(1) and weights[100:].mean() > 5 * weights[:100].mean()


def test_one_round_of_boosting_by_hand():
    """Two source and four target examples, equal weights, one of each misread, two rounds in all."""
    source, target, beta = kinds.boosting_step(
        np.ones(2), np.ones(4), np.array([True, False]), np.array([True, False, False, False]), rounds=2
    )
    assert beta == pytest.approx(1 / 3)
    np.testing.assert_allclose(source, [0.545686, 1], atol=1e-6)
    np.testing.assert_allclose(target, [3, 1, 1, 1])


@pytest.mark.parametrize("wrong", [[False] * 4, [True] * 4])
def test_boosting_survives_no_error_and_nothing_but_errors(wrong):
    source, target, beta = kinds.boosting_step(np.ones(2), np.ones(4), np.zeros(2, bool), np.array(wrong), rounds=5)
    assert np.isfinite(target).all() and (target > 0).all() and 0 < beta < 1 and np.array_equal(source, np.ones(2))


def test_the_vote_counts_the_second_half_and_weighs_it():
    answers, betas = np.array([[0, 0], [0, 0], [1, 1], [2, 1]]), np.array([0.01, 0.01, 0.5, 0.1])
    np.testing.assert_array_equal(kinds.vote(answers, betas, classes=3), [2, 1])


def test_whitened_features_vary_equally_within_a_class():
    random = np.random.default_rng(3)
    labels = np.repeat([0, 1, 2], 50)
    features = random.normal(size=(150, 4)) @ random.normal(size=(4, 4)) + 10 * labels[:, None]
    changed = features @ kinds.whitening(features, labels, shrinkage=0)
    own = changed - np.stack([changed[labels == label].mean(axis=0) for label in labels])
    np.testing.assert_allclose(own.T @ own / (150 - 3), np.eye(4), atol=1e-8)
    isotropic = kinds.whitening(features, labels, shrinkage=1)
    np.testing.assert_allclose(isotropic, np.eye(4) * isotropic[0, 0], atol=1e-9)


def test_whitening_by_hand():
    features = np.array([[2.0, 0], [-2, 0], [0, 1], [0, -1], [2, 0], [-2, 0], [0, 1], [0, -1]])
    labels = np.repeat([0, 1], 4)  # variances 16 / 6 and 4 / 6
    np.testing.assert_allclose(kinds.whitening(features, labels, shrinkage=0), np.diag([6**0.5 / 4, 6**0.5 / 2]), atol=1e-9)


def test_nearest_centroid_by_hand():
    features, labels = np.array([[0.0], [2.0], [10.0]]), np.array([7, 7, 3])
    np.testing.assert_array_equal(kinds.nearest_centroid(features, labels, np.array([[5.0], [6.0]])), [7, 3])


@pytest.mark.parametrize("flaw", kinds.FLAWS)
def test_no_digit_is_in_two_parts_and_every_part_has_its_size(flaw):
    task = kinds.draw_task(flaw, labels_per_class=5, run=3)
    source, sizes = kinds.draw_task("", labels_per_class=5, run=3), {"target": 50, "validation": 300, "test": 1000}
    parts = [source.source_images, *(task[f"{part}_images"] for part in sizes)]
    assert [len(part) for part in parts] == [1500, *sizes.values()]
    assert len({image.tobytes() for part in parts for image in part}) >= 2840, "MNIST at 8 x 8 has hardly any twins"
    np.testing.assert_array_equal(np.bincount(task.target_labels), [5] * 10)


def test_fewer_labels_lie_inside_more_and_runs_differ():
    few, more = (kinds.draw_task("turned", labels_per_class=count, run=4) for count in (1, 5))
    pool = {image.tobytes() for image in more.target_images}
    assert all(image.tobytes() in pool for image in few.target_images)
    np.testing.assert_array_equal(few.test_images, more.test_images)
    assert not np.array_equal(few.test_images, kinds.draw_task("turned", labels_per_class=1, run=5).test_images)


def test_every_flaw_does_what_it_says():
    images, labels = np.random.default_rng(0).random((200, 64)), np.arange(200) % 10
    turned, same, bad = kinds.spoil(images, labels, flaw="turned", share=0.25)
    assert bad.sum() == 50 and np.array_equal(same, labels) and np.array_equal(turned[~bad], images[~bad])
    np.testing.assert_array_equal(turned[bad][0].reshape(8, 8), np.rot90(images[bad][0].reshape(8, 8), 2))
    _, wrong, bad = kinds.spoil(images, labels, flaw="mislabelled", share=0.5)
    assert np.array_equal(wrong != labels, bad) and bad.sum() == 100
    _, renamed, bad = kinds.spoil(images, labels, flaw="renamed", share=0.3)
    assert set(zip(labels[bad], renamed[bad], strict=True)) == {(0, 1), (1, 2), (2, 0)} and np.array_equal(
        renamed[~bad], labels[~bad]
    )
    assert np.array_equal(kinds.spoil(images, labels, flaw="other scanner")[0], images)


def test_mixing_keeps_the_shares():
    tasks = [kinds.draw_task("turned", labels_per_class=1, run=run) for run in (0, 1)]
    weights = [1.0 - task.bad for task in tasks]
    for share, wanted in ((0.25, 0.25), (None, 10 / 760)):
        images, labels, is_target = kinds.mix(tasks, weights, share=share)
        assert images.shape == (2, 6000, 64) and labels.shape == (2, 6000)
        assert is_target.mean() == pytest.approx(wanted, abs=0.02)
    bad = {image.tobytes() for image in tasks[0].source_images[tasks[0].bad]}
    assert not any(image.tobytes() in bad for image in images[0]), "a weight of 0 is never drawn"


def test_examples_that_agree_are_found():
    task = kinds.draw_task("mislabelled", labels_per_class=1, run=0)
    kept = kinds.agreeing(task).astype(bool)
    assert kept[~task.bad].mean() > 0.7 and kept[task.bad].mean() < 0.1


def test_agreement_asks_the_judge_that_it_is_given():
    task = kinds.draw_task("mislabelled", labels_per_class=1, run=0)
    by_default, by_svm = kinds.agreeing(task).astype(bool), kinds.agreeing(task, judge=SVC()).astype(bool)
    assert by_svm[~task.bad].mean() > by_default[~task.bad].mean() + 0.05 and by_svm[task.bad].mean() < 0.05


def test_names_are_found_again():
    task = kinds.draw_task("renamed", share=1.0, labels_per_class=5, run=0)
    np.testing.assert_array_equal(kinds.find_names(task), (task.source_labels - 1) % 10)


def test_every_source_class_gets_a_name_of_its_own():
    """Source class 0 reads as 0 five times and as 1 four times, class 1 always as 0: apart, both would be called 0."""
    zero, one = np.array([[0.0]]), np.array([[1.0]])
    source, labels = np.concatenate([zero] * 5 + [one] * 4 + [zero] * 9), np.repeat([0, 1], 9)
    target = {"target_images": np.vstack([zero, one]), "target_labels": np.arange(2)}
    task = Bunch(source_images=source, source_labels=labels, **target)
    np.testing.assert_array_equal(kinds.find_names(task), 1 - labels)


def test_two_heads_do_not_see_each_other():
    random = np.random.default_rng(5)
    logits, labels = random.normal(size=(6, 4)), np.array([0, 1, 2, 3, 2, 0])
    value, gradient = networks.two_heads(logits, labels)
    first = labels < 2
    np.testing.assert_array_equal(gradient[first][:, 2:], 0)
    np.testing.assert_array_equal(gradient[~first][:, :2], 0)
    apart = [
        networks.cross_entropy(logits[first, :2], labels[first]),
        networks.cross_entropy(logits[~first, 2:], labels[~first] - 2),
    ]
    assert value == pytest.approx(sum(part[0] * n for part, n in zip(apart, (3, 3), strict=True)) / 6)


def test_boosting_keeps_weights_positive_and_of_sum_one():
    task = kinds.draw_task("turned", labels_per_class=1, run=0)
    task.source_images, task.source_labels = task.source_images[:200], task.source_labels[:200]
    found = kinds.boost(task, rounds=4)
    assert found.weights.shape == (4, 210) and (found.weights > 0).all()
    np.testing.assert_allclose(found.weights.sum(axis=1), 1)
    unscaled = found.weights[:, :200] / found.weights[:, :200].max(axis=1, keepdims=True)
    assert (np.diff(unscaled, axis=0) <= 1e-12).all(), "a source example never gains on the best one"


def test_all_that_the_tool_plans_is_recorded():
    plan = list(runpy.run_path(str(course.ROOT / "tools" / "record_kinds.py"))["plan"]())
    runs = load_runs("kinds")
    assert len(runs) == len(plan) and all(any(one.items() <= run.items() for run in runs) for one in plan)
    assert all(len(run["test"]) == (20 if run["arm"] == "TrAdaBoost" and run.get("film") else 10) for run in runs)


def test_blind_whitening_is_not_told_the_classes_and_angles_forget_lengths():
    """Arms of the recording tool, on three clouds: none of them differs where only what it must not see differs."""
    simple = runpy.run_path(str(course.ROOT / "tools" / "record_kinds.py"))["simple"]
    random, split = np.random.default_rng(4), Bunch()
    for part in ("source", "train", "validation", "test"):
        split[f"{part}_labels"] = random.integers(3, size=60)
        split[f"{part}_features"] = random.normal(size=(60, 4)) + np.eye(4)[split[f"{part}_labels"]] * [1, 2, 3, 0]
    other_names = Bunch(**split | {"source_labels": random.permutation(split.source_labels)})
    longer = Bunch(**split | {"test_features": split.test_features * random.uniform(1, 9, (60, 1))})

    def same(arm, one, other):
        return simple(one, np.arange(15), arm, (0.1, 1.0), None) == simple(other, np.arange(15), arm, (0.1, 1.0), None)

    assert all(same(f"blind whitening, {method}", split, other_names) for method in ("centroid", "angle", "logistic"))
    assert same("plain, angle", split, longer) and same("whitening, angle", split, longer)
    assert not same("plain, centroid", split, longer) and not same("whitening, centroid", split, other_names)
