"""The batched training machinery of notebook 03: gradients, freezing, the pull of L2-SP, draws, and straightening."""

import numpy as np
import pytest

from helpers import digit_transfer as dt
from helpers.data import load_digit_pair


@pytest.fixture(scope="module")
def task():
    return dt.split_digit_pair()


@pytest.fixture(scope="module")
def few(task):
    return dt.draw_labelled(task.target_images, task.target_labels, labels_per_class=2, runs=3)


def small(runs=3):
    return dt.build_weights((64, 12, 8, 10), seeds=range(runs))


def loss(weights, images, labels):
    """The mean cross-entropy of each run, written out without any trick."""
    logits = dt.hidden_outputs(weights, images)[-1].astype("float64")
    logits -= logits.max(axis=-1, keepdims=True)
    log_share = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    return -np.take_along_axis(log_share, labels[..., None], axis=-1)[..., 0].mean(axis=-1)


def test_gradients_agree_with_central_differences(few):
    images, labels = few
    weights = [(k.astype("float64"), b.astype("float64")) for k, b in small()]
    values, layers = dt._packed(weights)
    slopes, gradients = dt._packed(weights)
    dt._backpropagate(layers, images.astype("float64"), labels, gradients)
    for place in np.random.default_rng(0).integers(values.shape[1], size=30):
        kept = values[:, place].copy()
        values[:, place] = kept + 1e-4
        above = loss(layers, images, labels)
        values[:, place] = kept - 1e-4
        below = loss(layers, images, labels)
        values[:, place] = kept
        # hidden_outputs computes on float32 images, so the differences are good to three digits only
        assert np.allclose(slopes[:, place], (above - below) / 2e-4, rtol=0.02, atol=2e-3)


def test_runs_are_independent_of_each_other(few):
    images, labels = few
    together = dt.train(small(), images, labels, steps=20).weights
    alone = dt.train([(k[1:2], b[1:2]) for k, b in small()], images[1:2], labels[1:2], steps=20).weights
    for (kernel, bias), (one_kernel, one_bias) in zip(together, alone, strict=True):
        assert np.allclose(kernel[1], one_kernel[0], atol=1e-5) and np.allclose(bias[1], one_bias[0], atol=1e-5)


def test_training_fits_and_leaves_its_arguments_alone(few):
    images, labels = few
    start = small()
    kept = [(k.copy(), b.copy()) for k, b in start]
    end = dt.train(start, images, labels, steps=200, learning_rate=0.01).weights
    assert dt.accuracy(end, images, labels).min() == 1
    assert all(np.array_equal(a, b) for s, k in zip(start, kept, strict=True) for a, b in zip(s, k, strict=True))


@pytest.mark.parametrize("frozen", [0, 1, 2, 3])
def test_frozen_layers_stay_and_the_others_move(few, frozen):
    start = small()
    end = dt.train(start, *few, steps=5, frozen=frozen).weights
    moved = [not np.array_equal(a[0], b[0]) for a, b in zip(start, end, strict=True)]
    assert moved == [number >= frozen for number in range(3)]


def test_frozen_training_equals_training_a_head_on_features(few):
    images, labels = few
    start = small()
    features = dt.hidden_outputs(start, images)[2]
    head = dt.train(start[2:], features, labels, steps=30).weights[0]
    whole = dt.train(start, images, labels, steps=30, frozen=2).weights[2]
    assert np.allclose(head[0], whole[0], atol=1e-5)


def test_too_many_frozen_layers_are_refused(few):
    with pytest.raises(ValueError, match="frozen is 4, but there are 3 layers"):
        dt.train(small(), *few, frozen=4)


def test_the_pull_shortens_the_way_and_spares_the_head(few):
    start = small()
    ends = [dt.train(start, *few, steps=100, learning_rate=0.01, l2_sp=pull).weights for pull in (0.0, 0.1, 10.0)]
    ways = [sum(((e[i][0] - start[i][0]) ** 2).sum() for i in (0, 1)) for e in ends]
    assert ways[0] > 2 * ways[1] > 4 * ways[2]
    assert ((ends[2][2][0] - start[2][0]) ** 2).sum() > ways[2]


def test_accuracy_is_measured_at_the_named_steps(task, few):
    test = (task.test_images, task.test_labels)
    run = dt.train(small(), *few, steps=10, test=test, measure_at=(0, 5, 10))
    assert run.steps == [0, 5, 10] and run.accuracies.shape == (3, 3)
    assert np.allclose(run.accuracies[:, 0], dt.accuracy(small(), *test))
    assert np.allclose(run.accuracies[:, -1], dt.accuracy(run.weights, *test))
    assert dt.train(small(), *few, steps=10, test=test).accuracies.shape == (3, 1)


def test_the_same_call_gives_the_same_weights(task):
    runs = [dt.train(small(), task.source_images, task.source_labels, steps=10).weights for _ in range(2)]
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(*runs, strict=True))


def test_new_head_keeps_the_hidden_layers():
    start = small()
    new = dt.new_head(start, classes=4)
    assert new[0][0] is start[0][0] and new[-1][0].shape == (3, 8, 4) and not new[-1][1].any()


def test_draws_are_balanced_nested_and_apart_from_what_is_held_out(task):
    images, labels = (
        np.arange(len(task.target_labels))[:, None],
        task.target_labels,
    )  # each image is its own number
    drawn, drawn_labels = dt.draw_labelled(images, labels, labels_per_class=5, runs=3)
    larger, _ = dt.draw_labelled(images, labels, labels_per_class=50, runs=3)
    left, left_labels = dt.held_out(images, labels, runs=3)
    for run in range(3):
        assert np.bincount(drawn_labels[run]).tolist() == [5] * 10
        assert set(drawn[run].ravel()) <= set(larger[run].ravel())
        assert not set(larger[run].ravel()) & set(left[run].ravel())
        assert np.array_equal(labels[left[run].ravel()], left_labels[run])
    assert set(drawn[0].ravel()) != set(drawn[1].ravel())


def test_the_split_covers_both_sets_once(task):
    assert task.source_images.shape == (4500, 64) and task.source_test_images.shape == (500, 64)
    assert task.target_images.shape == (1197, 64) and task.test_images.shape == (600, 64)
    pair = load_digit_pair()
    ours = np.concatenate([task.target_images, task.test_images])
    assert np.allclose(np.sort(ours.sum(axis=1)), np.sort(pair.uci_images.sum(axis=(1, 2))), atol=1e-4)
    assert np.array_equal(dt.split_digit_pair(lambda images: 1 - images).test_images, 1 - task.test_images)


def slanted_bar(*, lean: float, top: int = 1, left: float = 2.0):
    """A smooth stroke that starts at (top, left) and moves `lean` columns to the right for each row."""
    rows, columns = np.indices((8, 8))
    middle = left + lean * (rows - top)
    inside = (rows >= top) & (rows <= top + 5)
    return (np.exp(-((columns - middle) ** 2)) * inside).astype("float32")[None]


def test_the_shape_of_a_known_stroke():
    shape = {key: value[0] for key, value in dt.measure_shape(slanted_bar(lean=0.4)).items()}
    assert shape["row"] == pytest.approx(3.5, abs=0.1) and shape["column"] == pytest.approx(3.0, abs=0.15)
    assert shape["slant"] == pytest.approx(0.4, abs=0.05)


@pytest.mark.parametrize(("lean", "top", "left"), [(0.4, 1, 2.0), (-0.4, 0, 5.0), (0.0, 2, 1.0)])
def test_straighten_centres_uprights_and_sizes(lean, top, left):
    images = slanted_bar(lean=lean, top=top, left=left)
    shape = dt.measure_shape(dt.straighten(images, size=None))
    assert abs(shape["row"][0] - 3.5) < 0.2 and abs(shape["column"][0] - 3.5) < 0.2 and abs(shape["slant"][0]) < 0.08
    only_slant = dt.measure_shape(dt.straighten(images, position=False, size=None))
    before = dt.measure_shape(images)
    assert abs(only_slant["slant"][0]) < 0.08 and abs(only_slant["column"][0] - before["column"][0]) < 0.3


def test_straighten_with_all_off_changes_nothing():
    images = load_digit_pair().uci_images[:50]
    assert np.allclose(dt.straighten(images, position=False, slant=False, size=None), images, atol=1e-6)


def test_straighten_brings_the_two_sets_together():
    pair = load_digit_pair()
    before, after = (
        [dt.measure_shape(change(images)) for images in (pair.mnist_images, pair.uci_images)]
        for change in (lambda images: images, dt.straighten)
    )
    for key in ("row", "column", "slant", "height"):
        assert after[1][key].std() < 0.6 * before[1][key].std()
    result = dt.straighten(np.zeros((2, 8, 8), "float32"))
    assert result.shape == (2, 8, 8) and np.isfinite(result).all()
