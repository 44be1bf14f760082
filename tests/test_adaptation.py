"""The methods of notebook 10 on cases with known answers, most of them worked by hand."""

import runpy
from itertools import islice

import course
import numpy as np
import pytest

from helpers import adaptation, networks
from helpers.training import load_runs

CLOUD = np.array([[1.0, 0], [-1, 0], [0, 2], [0, -2]])
OTHER = np.array([[2.0, 0], [-2, 0], [0, 1], [0, -1]])
RANDOM = np.random.default_rng(0)
PHOTOS = RANDOM.integers(0, 256, (3, 20, 20, 3)).astype("uint8")


def matrix_of(source, target, **settings):
    """The matrix that CORAL multiplies the centred source with."""
    return np.linalg.lstsq(source, adaptation.coral(source, target, **settings)[0], rcond=None)[0]


@pytest.mark.parametrize("kind", adaptation.DOSES)
def test_a_shift_of_dose_zero_changes_nothing_and_another_does(kind):
    np.testing.assert_array_equal(adaptation.shift_images(PHOTOS, kind=kind, dose=0), PHOTOS)
    shifted = adaptation.shift_images(PHOTOS, kind=kind, dose=adaptation.DOSES[kind])
    assert shifted.dtype == np.uint8 and shifted.shape == PHOTOS.shape and (shifted != PHOTOS).mean() > 0.5


def test_each_shift_does_what_it_says():
    def shifted(image, kind, dose):
        return adaptation.shift_images(np.array(image, "uint8").reshape(1, *np.shape(image)), kind=kind, dose=dose)[0]

    red, flat = np.full((8, 8, 3), (200, 0, 0)), np.full((64, 64, 3), 128)
    assert (shifted(red, "grey", 1) == 60).all(), "0.299 * 200"
    assert (shifted(red, "grey", 0.5)[0, 0] == [130, 30, 30]).all()
    assert (shifted(red, "contrast", 0.75)[0, 0] == [146, 96, 96]).all(), "128 + 72 / 4, 128 - 128 / 4"
    assert (shifted(np.full((2, 2, 3), 100), "cast", 1)[0, 0] == [100, 60, 30]).all()
    assert shifted(flat, "noise", 10).std() == pytest.approx(10, rel=0.03)
    assert (shifted(flat, "blur", 3) == flat).all(), "blur leaves what is flat"
    point = np.zeros((21, 21, 3))
    point[10, 10] = 255
    spread = shifted(point, "blur", 1)[10, :, 0] / 255
    assert spread[10] == pytest.approx(1 / (2 * np.pi), abs=0.005), "the middle of a Gaussian of deviation 1"
    far = np.zeros((10, 10, 3))
    far[:, 5:] = 200
    far = shifted(far, "scale", 0.5)
    assert (far[0] == 100).all() and (far[4, 2] == 0).all() and (far[4, 6] == 200).all() and (far[4, 8] == 100).all()


def test_noise_depends_on_the_seed_and_the_place_alone():
    one = adaptation.shift_images(PHOTOS, kind="noise", dose=30, seed=1)
    np.testing.assert_array_equal(one[:2], adaptation.shift_images(PHOTOS[:2], kind="noise", dose=30, seed=1))
    assert (one != adaptation.shift_images(PHOTOS, kind="noise", dose=30, seed=2)).any()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "fog"}, "fog.*grey"),
        ({"kind": "grey", "dose": 2}, "grey is 2; give 0 to 1"),
        ({"images": PHOTOS / 255}, "uint8"),
    ],
)
def test_a_wrong_shift_is_refused(change, words):
    asked = {"images": PHOTOS, "kind": "blur", "dose": 1} | change
    with pytest.raises(ValueError, match=words):
        adaptation.shift_images(asked.pop("images"), **asked)


def test_each_domain_gets_its_own_mean_and_deviation():
    source, target = np.array([[0.0, 5], [2, 5], [4, 5]]), np.array([[10.0, 1], [14, 3]])
    moved, other = adaptation.standardise_each(source, target)
    np.testing.assert_allclose(moved, [[-(1.5**0.5), 0], [0, 0], [1.5**0.5, 0]]), "a dimension that never changes becomes 0"
    np.testing.assert_allclose(other, [[-1, -1], [1, 1]])
    moved, other = adaptation.standardise_each(source, target, deviation=False)
    np.testing.assert_allclose(moved, [[-2, 0], [0, 0], [2, 0]])
    np.testing.assert_allclose(other, [[-2, -1], [2, 1]])
    *_, other = adaptation.standardise_each(source, target, np.array([[16.0, 2], [12, 2]]))
    np.testing.assert_allclose(other, [[2, 0], [0, 0]])


def test_scaling_alike_takes_no_shift_away():
    source, target = adaptation.scale_alike(CLOUD + 7, CLOUD + 9)
    assert source.mean() == pytest.approx(0) and source.std() == pytest.approx(1)
    np.testing.assert_allclose((target - source) * CLOUD.std(), 2)


def test_coral_by_hand():
    np.testing.assert_allclose(matrix_of(CLOUD, OTHER, ridge=0), np.diag([2, 0.5]))
    moved, target, more = adaptation.coral(CLOUD + 5, OTHER + 3, np.array([[4.0, 3.0]]), ridge=0)
    np.testing.assert_allclose(moved[np.lexsort(moved.round(9).T)], OTHER[np.lexsort(OTHER.T)], atol=1e-12)
    np.testing.assert_allclose(target, OTHER)
    np.testing.assert_allclose(more, [[1, 0]])
    np.testing.assert_allclose(matrix_of(CLOUD, OTHER, ridge=1), np.diag([(11 / 5) ** 0.5, (5 / 11) ** 0.5]))
    square = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]]) * 0.75**0.5  # covariance 1
    wanted = square @ np.linalg.cholesky([[2, 1], [1, 2]]).T
    np.testing.assert_allclose(matrix_of(square, wanted, ridge=0), [[1.366, 0.366], [0.366, 1.366]], atol=5e-4)


def test_coral_gives_the_covariance_of_the_target():
    source, target = RANDOM.normal(size=(90, 6)) @ RANDOM.normal(size=(6, 6)), RANDOM.normal(3, 2, (70, 6))
    mapped, centred = adaptation.coral(source, target, ridge=0)
    np.testing.assert_allclose(np.cov(mapped.T), np.cov(target.T), atol=1e-9)
    np.testing.assert_allclose([mapped.mean(axis=0), centred.mean(axis=0)], 0, atol=1e-12)
    far, _ = adaptation.coral(source, target, ridge=1e9)
    np.testing.assert_allclose(far, source - source.mean(axis=0), atol=1e-5)


def test_coral_asks_for_a_ridge_where_there_are_few_images():
    few = RANDOM.normal(size=(5, 8))
    with pytest.raises(ValueError, match="8 dimensions: give a ridge"):
        adaptation.coral(few, few, ridge=0)
    assert np.isfinite(adaptation.coral(few, few + 1, ridge=0.1)[0]).all()


def test_subspace_alignment_by_hand():
    source, target = np.array([[3.0, 0], [-3, 0], [0, 0.1], [0, -0.1]]), np.array([[1, 3**0.5], [-1, -(3**0.5)]])
    moved, other = adaptation.align_subspaces(source, target, dimensions=1)
    assert moved[0] * other[0] == pytest.approx(3.0), "1.5 times 2, whatever the sign of an axis"
    np.testing.assert_allclose(np.abs(moved[:, 0]), [1.5, 1.5, 0, 0], atol=1e-9)
    crossed, _ = adaptation.align_subspaces(source, np.array([[0, 1.0], [0, -1]]), dimensions=1)
    np.testing.assert_allclose(crossed, 0, atol=1e-9), "axes at a right angle: all collapses"
    with pytest.raises(ValueError, match="give 1 to 2"):
        adaptation.align_subspaces(source, target, dimensions=3)


def test_subspace_alignment_in_full_moves_the_means_alone():
    source, target = RANDOM.normal(size=(50, 5)), RANDOM.normal(2, 3, (40, 5))
    moved, other = adaptation.align_subspaces(source, target, dimensions=5)
    plain, centred = adaptation.standardise_each(source, target, deviation=False)
    np.testing.assert_allclose(moved @ other.T, plain @ centred.T, atol=1e-9), "but for a turn that both share"
    np.testing.assert_allclose(moved @ moved.T, plain @ plain.T, atol=1e-9)


def test_self_training_walks_along_a_chain():
    """Two classes whose target lies farther and farther out: each round takes in the next, and the border follows."""
    source, labels = np.array([[-1.0, 0], [-1, 0.1], [1, 0], [1, 0.1]]), np.array([0, 0, 1, 1])
    target = np.array([[side * (1 + 0.1 * k), 0.5 * k] for k in range(12) for side in (-1, 1)])
    plain = adaptation.self_train(source, labels, target, threshold=1.1)
    alone = adaptation.fit_weighted(source, labels)
    np.testing.assert_allclose(plain.coef_, alone.coef_), "nobody joins"
    trained = adaptation.self_train(source, labels, target, threshold=0.5, rounds=1)
    both = adaptation.fit_weighted(np.concatenate([source, target]), np.concatenate([labels, alone.predict(target)]))
    np.testing.assert_allclose(trained.coef_, both.coef_)
    with pytest.raises(ValueError, match="threshold is 0"):
        adaptation.self_train(source, labels, target, threshold=0)


def test_few_labelled_images_weigh_half():
    features, labels = RANDOM.normal(size=(30, 3)), np.arange(30) % 3
    repeated = np.concatenate([np.repeat(features[:24], 1, axis=0), np.repeat(features[24:], 4, axis=0)])
    again = np.concatenate([labels[:24], np.repeat(labels[24:], 4)])
    np.testing.assert_allclose(
        adaptation.fit_weighted(features, labels, few=6).coef_, adaptation.fit_weighted(repeated, again).coef_, atol=1e-4
    )


def test_entropy_by_hand():
    assert adaptation.target_entropy(np.eye(4)) == pytest.approx(0, abs=1e-9)
    assert adaptation.target_entropy(np.full((3, 10), 0.1)) == pytest.approx(np.log(10))
    assert adaptation.target_entropy(np.array([[0.5, 0.5], [1, 0]])) == pytest.approx(np.log(2) / 2)
    with pytest.raises(ValueError, match="sum 1"):
        adaptation.target_entropy(np.ones((2, 2)))


def test_clusters_are_named_by_the_image_in_their_middle():
    middles = np.array([[0.0, 0], [9, 0], [0, 9]])
    features = np.concatenate([middles, *(middles + move for move in ([1, 0], [-1, 0], [0, 1], [0, -1]))])
    labels = np.array([2, 0, 1] + [2, 0, 1] * 4)
    labels[3] = 1  # at the edge of its cluster: nobody asks
    clusters, names = adaptation.name_clusters(features, labels, clusters=3)
    np.testing.assert_array_equal(names[clusters.predict(middles + 0.4)], [2, 0, 1])


def test_a_pool_has_the_classes_that_it_should():
    labels = np.arange(1000) % 10
    half = labels[adaptation.draw_pool(labels, shares=[1] * 5 + [0] * 5, count=400)]
    np.testing.assert_array_equal(np.bincount(half, minlength=10), [80] * 5 + [0] * 5)
    skewed = np.bincount(labels[adaptation.draw_pool(labels, shares=[16] * 5 + [1] * 5, count=400)])
    np.testing.assert_array_equal(skewed, [75] * 5 + [5] * 5)
    one, other = (adaptation.draw_pool(labels, shares=[1] * 10, count=100, seed=seed) for seed in (0, 1))
    assert len(set(one)) == 100 and set(one) != set(other)
    with pytest.raises(ValueError, match="lower count"):
        adaptation.draw_pool(labels, shares=[1] + [0] * 9, count=101)


def test_the_domains_share_no_digit():
    task = adaptation.draw_domains(run=3, labels_per_class=5)
    for one, other, sizes in (("source", "source_validation", (1000, 500)), ("pool", "test", (1000, 600))):
        rows = [set(map(bytes, task[f"{part}_images"])) for part in (one, other)]
        assert not rows[0] & rows[1] and (len(task[f"{one}_labels"]), len(task[f"{other}_labels"])) == sizes
    np.testing.assert_array_equal(np.bincount(task.pool_labels[task.few]), [5] * 10)
    again = adaptation.draw_domains(run=3, labels_per_class=1)
    np.testing.assert_array_equal(again.test_images, task.test_images)
    assert set(again.few) < set(task.few)
    near = adaptation.draw_domains(run=3, target="mnist")
    np.testing.assert_array_equal(near.source_images, task.source_images)
    rows = [set(map(bytes, near[f"{part}_images"])) for part in ("source", "pool", "test")]
    assert not rows[0] & rows[1] and not rows[0] & rows[2] and not rows[1] & rows[2]
    assert (adaptation.draw_domains(run=4).test_images != task.test_images).any()


@pytest.mark.parametrize("wrong", [np.zeros(5), np.zeros((1, 2)), np.zeros((4, 3)), np.full((4, 2), np.nan)])
def test_wrong_features_are_refused(wrong):
    for method in (adaptation.standardise_each, adaptation.coral, adaptation.scale_alike):
        with pytest.raises(ValueError, match="images x dimensions|finite"):
            method(CLOUD, wrong)


def test_reversed_gradient_by_hand():
    import tensorflow as tf

    from helpers.dann import GradientReversal

    features = tf.Variable([[1.0, -3.0]])
    with tf.GradientTape() as tape:
        passed = GradientReversal(2.0)(features)
        value = tf.reduce_sum(passed * [5.0, 7.0])
    np.testing.assert_allclose(passed, [[1, -3]])
    np.testing.assert_allclose(tape.gradient(value, features), [[-10, -14]])


def dann(*, strength, seed):
    """The network of the notebook, its layers with names."""
    import keras

    from helpers.dann import GradientReversal

    keras.utils.set_random_seed(seed)
    images = keras.Input((64,))
    hidden = keras.layers.Dense(64, activation="relu", name="hidden_1")(images)
    features = keras.layers.Dense(64, activation="relu", name="hidden_2")(hidden)
    judge = keras.layers.Dense(32, activation="relu", name="judge")(GradientReversal(strength, name="reversal")(features))
    heads = {"label": keras.layers.Dense(10, name="label")(features), "domain": keras.layers.Dense(2, name="domain")(judge)}
    model, loss = keras.Model(images, heads), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.003), {"label": loss, "domain": loss})
    return model


def test_the_reversal_survives_saving(tmp_path):
    import keras

    model, images = dann(strength=0.7, seed=1), RANDOM.normal(size=(4, 64)).astype("float32")
    model.save(tmp_path / "dann.keras")
    again = keras.models.load_model(tmp_path / "dann.keras")
    assert again.get_layer("reversal").strength == 0.7
    for name, answers in model.predict(images, verbose=0).items():
        np.testing.assert_allclose(answers, again.predict(images, verbose=0)[name], atol=1e-6)


def loss_of(parts, source, labels, target, *, strength):
    """What the body descends: the label's cross-entropy minus strength times that of the domain."""
    body, label_head, domain_head = parts
    domain = np.repeat([0, 1], [source.shape[1], target.shape[1]])
    of_label = networks.cross_entropy(networks.predict([*body, *label_head], source, activation="relu"), labels)[0]
    both = np.concatenate([source, target], axis=1)
    of_domain = networks.cross_entropy(networks.predict([*body, *domain_head], both, activation="relu"), domain)[0]
    return of_label.sum(), of_domain.sum(), (of_label - strength * of_domain).sum()


def parts_of(sizes, *, seeds=(0,)):
    """Body, label head and domain head, float64."""
    return tuple(networks.build_mlp(size, activation="relu", seed=seeds) for size in sizes)


@pytest.mark.parametrize("strength", [0.0, 0.5])
def test_a_step_of_the_adversarial_network_goes_along_the_measured_gradient(strength):
    """With Adam the first step is rate times the sign of the gradient, here that of finite differences."""
    source, target, labels = RANDOM.normal(size=(1, 6, 3)), RANDOM.normal(1, 1, (1, 6, 3)), np.array([[0, 1, 2, 0, 1, 2]])
    parts, rate = parts_of(((3, 4), (4, 3), (4, 4, 2))), 1e-3
    examples, settings = (source, labels, target), {"strength": strength, "learning_rate": rate, "batch_size": 6}
    steps = networks.adversarial_steps(parts, *examples, **settings)
    next(steps)
    after = [[(weights.copy(), bias.copy()) for weights, bias in part] for part in next(steps)]
    for which, (part, moved) in enumerate(zip(parts, after, strict=True)):
        goal = {0: 2, 1: 0, 2: 1}[which]  # the body: both; the heads: their own loss
        for (weights, _), (new, _) in zip(part, moved, strict=True):
            for place in np.ndindex(weights.shape):
                kept, ends = weights[place], []
                for move in (1e-6, -1e-6):
                    weights[place] = kept + move
                    ends.append(loss_of(parts, *examples, strength=strength)[goal])
                weights[place] = kept
                slope = (ends[0] - ends[1]) / 2e-6
                expected = -rate * slope / (abs(slope) + 1e-7 / (1 - 0.999) ** 0.5)
                assert new[place] - kept == pytest.approx(expected, abs=rate * 2e-3), (which, place, slope)


def test_the_numpy_network_is_the_keras_one():
    """The same start, the same batches, ten steps of Adam: the same weights."""
    from helpers.dann import mixed_batches

    source, target = (RANDOM.normal(mean, 1, (16, 64)).astype("float32") for mean in (0, 0.5))
    labels, steps = np.arange(16) % 10, 10
    model = dann(strength=0.3, seed=0)
    names = (("hidden_1", "hidden_2"), ("label",), ("judge", "domain"))
    parts = tuple(
        [tuple(w.numpy()[None, None] if w.ndim == 1 else w.numpy()[None] for w in model.get_layer(n).weights) for n in part]
        for part in names
    )
    images, answers, weights = mixed_batches(source, labels, target, steps=steps, batch_size=16)
    order = np.arange(32 * steps).reshape(steps, 32)
    images[order[:, :16].ravel()], images[order[:, 16:].ravel()] = np.tile(source, (steps, 1)), np.tile(target, (steps, 1))
    answers["label"][order[:, :16].ravel()] = np.tile(labels, steps)  # every step sees all examples, in one order
    model.fit(images, answers, sample_weight=weights, batch_size=32, shuffle=False, verbose=0)
    course = networks.adversarial_steps(parts, source[None], labels[None], target[None], strength=0.3, batch_size=16)
    trained = next(islice(course, steps, None))
    for part, part_names in zip(trained, names, strict=True):
        for (weight, bias), name in zip(part, part_names, strict=True):
            wanted = model.get_layer(name).get_weights()
            np.testing.assert_allclose(weight[0], wanted[0], atol=2e-4)
            np.testing.assert_allclose(bias[0, 0], wanted[1], atol=2e-4)


def test_all_that_the_tool_plans_is_recorded():
    tool = runpy.run_path(str(course.ROOT / "tools" / "record_adaptation.py"))
    plan, runs = list(tool["plan"]()), load_runs("adaptation")
    assert len(runs) == len(plan) and all(any(one.items() <= run.items() for run in runs) for one in plan)
    assert all(len(run["test"]) == (21 if run["data"] == "film" else 10) for run in runs)


def test_the_oracle_is_never_beaten_and_the_rule_is_one_of_the_four():
    for run in load_runs("adaptation"):
        if "by" in run:
            assert run["test"] == run["by"]["reverse" if run["arm"].startswith("DANN") else "source"]
            assert all((np.array(run["by"]["oracle"]) >= run["by"][rule]).all() for rule in ("source", "entropy", "reverse"))


@pytest.mark.parametrize("arm", ["source only", "mean", "standardise"])
def test_a_record_of_digits_is_measured_again(arm):
    (record,) = load_runs("adaptation", data="digits", shift="scanner", arm=arm, labels_per_class=0, pool="all")
    task = adaptation.draw_domains(run=300)
    rows = adaptation.scale_alike(task.source_images, task.pool_images, task.test_images)
    if arm != "source only":
        rows = adaptation.standardise_each(*rows, deviation=arm == "standardise")
    model = adaptation.fit_weighted(rows[0], task.source_labels, strength=record["chosen"][0]["C"])
    assert record["test"][0] == pytest.approx(model.score(rows[2], task.test_labels), abs=0.01)
