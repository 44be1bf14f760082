"""Tests of sources and scores: cases worked by hand, formulas evaluated another way, damage that stays where it is."""

import runpy
from types import SimpleNamespace

import course
import numpy as np
import pytest
from scipy import stats
from sklearn.utils import Bunch

from helpers import sources
from helpers.training import load_runs

TWO = np.array([0, 1, 0, 1])
LEARNED = np.array([[1.0], [-1], [1], [-1]])
USELESS = np.array([[1.0], [1], [-1], [-1]])


def clouds(*, n=60, d=8, classes=3, apart=2.0, seed=0):
    """Return features and labels of classes around random centres."""
    random = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    return random.normal(size=(n, d)) + apart * random.normal(size=(classes, d))[labels], labels


def small_vgg(seed=0):
    """Return two convolutions with VGG16's names."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    x = inputs = keras.Input((8, 8, 3))
    for block in (1, 2):
        x = layers.Conv2D(10, 3, padding="same", bias_initializer="ones", name=f"block{block}_conv1")(x)
        x = layers.MaxPooling2D(name=f"block{block}_pool")(x)
    return keras.Model(inputs, x)


# ---- LogME


def test_log_me_of_a_feature_that_knows_the_classes():
    """By hand: alpha 6 and beta 3, -(ln 2 pi) / 2 + (3 / 8) ln 3 - 1 / 2, for both classes."""
    by_hand = -np.log(2 * np.pi) / 2 + 3 / 8 * np.log(3) - 1 / 2
    assert by_hand == pytest.approx(-1.006959, abs=1e-6)
    assert sources.log_me(LEARNED, TWO) == pytest.approx(by_hand, abs=1e-6)
    assert sources.log_me(100 * LEARNED + 7, TWO) == pytest.approx(by_hand, abs=1e-6), "neither scale nor shift matter"


def test_log_me_of_a_feature_that_knows_nothing():
    """By hand: alpha grows without end, and beta is 2."""
    assert sources.log_me(USELESS, TWO) == pytest.approx((np.log(2) - np.log(2 * np.pi) - 1) / 2, abs=1e-6)


@pytest.mark.parametrize(("n", "d"), [(60, 8), (20, 50)])
def test_log_me_is_the_maximum_of_the_normal_density(n, d):
    """Another evaluation: the density of the answers under the full covariance, maximised over both precisions."""
    from scipy.optimize import minimize

    features, labels = clouds(n=n, d=d, apart=0.6)
    rows, found = sources.standardise(features), []
    for label in range(3):
        target = np.float64(labels == label)

        def loss(logs, target=target):
            covariance = np.eye(n) / np.exp(logs[1]) + rows @ rows.T / np.exp(logs[0])
            return -stats.multivariate_normal(cov=covariance).logpdf(target) / n

        starts = [(0, 0), (4, 1), (8, 2), (-2, 3)]
        found.append(-min(minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-6}).fun for start in starts))
    assert sources.log_me(features, labels) == pytest.approx(np.mean(found), abs=1e-5)


# ---- H-score


def test_h_score_by_hand():
    """0, 2, 4, 6: the spread of all is 5, that of the class means 1 and 5 is 4."""
    features = np.array([[0.0], [2], [4], [6]])
    assert sources.h_score(features, np.array([0, 0, 1, 1]), shrunk=False) == pytest.approx(4 / 5)
    assert sources.h_score(features[[0, 3, 1, 2]], np.array([0, 0, 1, 1]), shrunk=False) == pytest.approx(0)


def test_h_score_is_the_sum_of_canonical_correlations():
    """Another evaluation: regress the classes on the features; the explained share, whitened by the classes, is it."""
    features, labels = clouds()
    rows, answers = sources.standardise(features), np.eye(3)[labels]
    answers = answers - answers.mean(axis=0)
    fitted = rows @ np.linalg.lstsq(rows, answers, rcond=None)[0]
    explained = np.trace(np.linalg.pinv(answers.T @ answers) @ (fitted.T @ fitted))
    assert sources.h_score(features, labels, shrunk=False) == pytest.approx(explained)


def test_h_score_without_shrinking_says_nothing_with_more_features_than_images():
    random = np.random.default_rng(0)
    features, labels = random.normal(size=(40, 100)), random.permutation(np.arange(40) % 4)
    assert sources.h_score(features, labels, shrunk=False) == pytest.approx(3)
    assert sources.h_score(features, labels) < 2.9


# ---- LEEP and N-LEEP


def test_leep_is_what_counting_pairs_of_classes_gives():
    """Another evaluation, by loops: p(y, z), p(y | z), and the mean log of what z says of the label."""
    random = np.random.default_rng(0)
    probabilities, labels = random.dirichlet(np.ones(4), size=12), np.arange(12) % 3
    joint = {(y, z): sum(probabilities[i, z] for i in range(12) if labels[i] == y) / 12 for y in range(3) for z in range(4)}
    given = {(y, z): joint[y, z] / sum(joint[other, z] for other in range(3)) for y, z in joint}
    guessed = [sum(given[labels[i], z] * probabilities[i, z] for z in range(4)) for i in range(12)]
    assert sources.leep(probabilities, labels) == pytest.approx(np.mean(np.log(guessed)))


def test_n_leep_is_leep_of_the_clusters_densities():
    """Another evaluation: posteriors from the weighted normal densities of the fitted clusters, on SVD coordinates."""
    from sklearn.mixture import GaussianMixture

    features, labels = clouds(n=60, d=8, apart=2)
    left, spread, _ = np.linalg.svd(sources.standardise(features), full_matrices=False)
    kept = np.searchsorted(np.cumsum(spread**2) / np.sum(spread**2), 0.8) + 1
    shown = (left * spread)[:, :kept]
    fitted = GaussianMixture(12, covariance_type="diag", reg_covar=1e-2, random_state=0).fit(shown)
    densities = [
        weight * stats.multivariate_normal(mean, np.diag(covariance)).pdf(shown)
        for weight, mean, covariance in zip(fitted.weights_, fitted.means_, fitted.covariances_, strict=True)
    ]
    posteriors = np.transpose(densities) / np.sum(densities, axis=0)[:, np.newaxis]
    assert sources.n_leep(features, labels) == pytest.approx(sources.leep(posteriors, labels), abs=1e-6)


def test_leep_by_hand():
    certain = np.array([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    assert sources.leep(certain, np.array([0, 0, 1, 1])) == pytest.approx(0, abs=1e-9)
    assert sources.leep(certain, TWO) == pytest.approx(np.log(1 / 2)), "each source class holds both classes"
    unsure = np.array([[0.75, 0.25], [0.25, 0.75]])
    assert sources.leep(unsure, np.array([0, 1])) == pytest.approx(np.log(0.75**2 + 0.25**2))


def test_n_leep_prefers_clusters_that_are_classes():
    features, labels = clouds(apart=8)
    shuffled = np.random.default_rng(0).permutation(labels)
    assert sources.n_leep(features, labels) == pytest.approx(0, abs=0.01)
    assert sources.n_leep(features, shuffled) < np.log(0.6)


# ---- probes


def test_nearest_neighbour_by_hand():
    """On a line: 0 and 1 in one class, 3, 4.5 and 1.9 in the other. 1 and 1.9 are each other's nearest."""
    features = np.array([[0.0], [1], [3], [4.5], [1.9]])
    labels = np.array([0, 0, 1, 1, 1])
    neighbours = [1, 4, 4, 2, 1]
    right = np.mean(labels[neighbours] == labels)
    assert right == 3 / 5
    assert sources.nearest_neighbour_probe(features, labels) == right


def test_nearest_neighbour_is_that_of_scikit_learn():
    from sklearn.model_selection import LeaveOneOut, cross_val_score
    from sklearn.neighbors import KNeighborsClassifier

    features, labels = clouds(apart=0.7)
    rows = sources.standardise(features)
    expected = cross_val_score(KNeighborsClassifier(1), rows, labels, cv=LeaveOneOut()).mean()
    assert sources.nearest_neighbour_probe(features, labels) == pytest.approx(expected)


def test_logistic_probe_holds_images_back():
    features, labels = clouds(n=60, d=100, apart=0)
    assert sources.logistic_probe(features, labels) < 0.6, "random features can be learned by heart, not predicted"
    features, labels = clouds(n=6, apart=20)
    assert sources.logistic_probe(features, labels) == 1, "two images of a class are enough for two parts"


def test_logistic_probe_is_the_mean_over_held_out_thirds():
    """Another evaluation: three folds written out, each standardised by its own training part."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    features, labels = clouds(apart=0.7)
    right = []
    for train, held in StratifiedKFold(3).split(features, labels):
        mean, deviation = features[train].mean(axis=0), features[train].std(axis=0)
        head = LogisticRegression(C=0.1, max_iter=500).fit((features[train] - mean) / deviation, labels[train])
        right.append(np.mean(head.predict((features[held] - mean) / deviation) == labels[held]))
    assert sources.logistic_probe(features, labels) == pytest.approx(np.mean(right))


def test_every_score_prefers_classes_that_are_apart_and_survives_a_dead_feature():
    near, far = clouds(apart=0.3), clouds(apart=3)
    for name, score in sources.SCORES.items():
        assert score(*far) > score(*near), name
        dead = np.concatenate([far[0], np.zeros((60, 2))], axis=1)
        assert np.isfinite(score(dead, far[1])), name
        assert np.isfinite(score(np.zeros((60, 3)), far[1])), name


# ---- damage


@pytest.mark.parametrize("kind", sources.KINDS)
def test_a_dose_of_zero_changes_nothing(kind):
    model = small_vgg()
    for before, after in zip(model.get_weights(), sources.damage(model, kind=kind, dose=0).get_weights(), strict=True):
        np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("kind", sources.KINDS)
def test_damage_is_a_copy_and_stays_in_its_blocks(kind):
    model = small_vgg()
    before = model.get_weights()
    after = sources.damage(model, kind=kind, dose=0.5, blocks=(2,)).get_weights()
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)
    assert [np.array_equal(one, other) for one, other in zip(after, before, strict=True)][:3] == [True, True, False]


def test_noise_has_the_size_of_its_dose_and_grows_along_one_direction():
    kernel = small_vgg().get_weights()[2]
    changes = [sources.damage(small_vgg(), dose=dose).get_weights()[2] - kernel for dose in (1, 3)]
    assert np.sqrt(np.mean(changes[0] ** 2)) == pytest.approx(np.sqrt(np.mean(kernel**2)), rel=0.1)
    np.testing.assert_allclose(changes[1], 3 * changes[0], rtol=1e-4, atol=1e-6)


def test_shuffled_channels_are_the_same_channels_elsewhere():
    before = small_vgg().get_weights()[2]
    after = sources.damage(small_vgg(), kind="shuffle", dose=0.5).get_weights()[2]
    moved = [channel for channel in range(10) if not np.array_equal(after[:, :, channel], before[:, :, channel])]
    assert len(moved) == 5
    np.testing.assert_allclose(np.sort(after, axis=2), np.sort(before, axis=2))


def test_pruned_filters_answer_nothing():
    kernel, bias = sources.damage(small_vgg(), kind="prune", dose=0.3).get_weights()[:2]
    dead = ~kernel.any(axis=(0, 1, 2))
    assert dead.sum() == 3 and not bias[dead].any() and bias[~dead].all()


def test_a_source_is_named_with_its_damage():
    whole, all_blocks, one_block = (
        sources.load_source(name, input_shape=(32, 32, 3)) for name in ("imagenet", "noise 1", "noise 1 in block 5")
    )
    same = [
        [
            np.array_equal(other.get_layer(name).kernel, whole.get_layer(name).kernel)
            for name in ("block1_conv1", "block5_conv1")
        ]
        for other in (whole, all_blocks, one_block)
    ]
    assert same == [[True, True], [False, False], [True, False]]


def test_a_wrong_dose_is_one_sentence():
    for wrong in ({"kind": "prune", "dose": 2}, {"kind": "heat", "dose": 1}, {"dose": -1}):
        with pytest.raises(ValueError, match="choose noise, shuffle, prune"):
            sources.damage(small_vgg(), **wrong)


# ---- cost


def test_products_by_hand():
    """3 x 3 x 3 x 10 weights at 64 places, 3 x 3 x 10 x 10 at 16."""
    assert sources.multiply_adds(small_vgg()) == 270 * 64 + 900 * 16


# ---- fine-tuning


def test_fine_tuning_begins_with_the_frozen_head_and_moves_on():
    """The head before is the logistic regression on frozen features; with steps too small to count it stays so."""
    from test_experiments import loud_colours

    from helpers.experiments import run_arm

    target = loud_colours()
    arm = run_arm("ImageNet VGG16, block 5", target, labels_per_class=3, seed=1)
    still, mine = (
        sources.fine_tune_source("imagenet", target, labels_per_class=3, seed=1, learning_rate=rate)
        for rate in (1e-12, 1e-4)
    )
    for part in ("validation", "test"):
        frozen = arm[f"{part}_accuracy"]
        assert still[f"head_{part}_accuracy"] == mine[f"head_{part}_accuracy"] == frozen == still[f"{part}_accuracy"]
    assert len(still["curve"]) == 5 and still["steps"] == 32, "no rise in four checks"
    assert mine["curve"][-1][1] < still["curve"][-1][1], "the loss falls where steps count"


# ---- the record


def test_accuracies_of_undamaged_sources_are_those_of_the_other_records():
    names = {"imagenet": "ImageNet", "edges": "edges", "random": "random"}
    for row in load_runs("sources", stage="frozen", network=0):
        if row["source"] in names and row["target"] != "clothing_64":
            wanted = {"arm": f"{names[row['source']]} VGG16, block {row['block']}", "chosen": True}
            runs = load_runs(row["target"], labels_per_class=row["labels_per_class"], **wanted)
            runs = sorted(runs, key=lambda run: run["seed"])
            assert row["test_accuracy"] == [run["test_accuracy"] for run in runs]


def test_every_candidate_has_every_score_in_five_draws():
    for row in load_runs("sources", stage="frozen"):
        for key in (*sources.SCORES, "validation_accuracy", "test_accuracy"):
            assert len(row[key]) == 5 and np.isfinite(row[key]).all(), (row, key)


def test_fine_tuned_sources_began_with_the_frozen_heads():
    for run in load_runs("sources", stage="fine-tuned"):
        drawn = run["source"] not in ("imagenet", "edges") and run["seed"] > 0  # a network of this run alone
        if not drawn or (run["source"] == "random" and run["target"] != "clothing_64"):
            same = {key: run[key] for key in ("target", "source", "labels_per_class")}
            (row,) = load_runs("sources", stage="frozen", network=0, block=5, **same)
            assert run["head_test_accuracy"] == pytest.approx(row["test_accuracy"][run["seed"]], abs=0.004), same


def test_fine_tuned_sources_had_the_same_rates_as_imagenet():
    runs = load_runs("sources", stage="fine-tuned")
    for target, source in {(run["target"], run["source"]) for run in runs}:
        first = {run["learning_rate"] for run in runs if (run["target"], run["source"], run["seed"]) == (target, source, 0)}
        arm = {"arm": "block 5 fine-tuned", "labels_per_class": 20 if target == "clothing_64" else 10, "seed": 0}
        assert first == {run["learning_rate"] for run in load_runs(target, **arm)}


def architecture(name):
    """Return the recorded row of a network."""
    (row,) = (row for row in load_runs("sources", stage="architecture") if row["name"] == name)
    return row


@pytest.mark.parametrize("name", ["MobileNetV2", "DenseNet121"])
def test_the_table_of_architectures_is_what_keras_builds(name):
    import keras

    row = architecture(name)
    build = getattr(keras.applications, name)
    model = build(weights=None)
    assert (row["parameters"], row["multiply_adds"]) == (model.count_params(), sources.multiply_adds(model))
    assert row["without_top"] == build(weights=None, include_top=False).count_params()


def test_vgg16_costs_what_its_layers_say():
    from helpers.vgg16 import layer_table

    row = architecture("VGG16")
    channels, total = 3, 0
    for layer in layer_table(input_shape=(224, 224, 3)):
        if layer["weights"]:
            height, width, filters = layer["output_shape"]
            channels, total = filters, total + 9 * channels * filters * height * width
    dense = 7 * 7 * 512 * 4096 + 4096 * 4096 + 4096 * 1000
    assert row["multiply_adds"] == total + dense and row["without_top"] == 14_714_688


@pytest.fixture(scope="module")
def recorder():
    return runpy.run_path(str(course.ROOT / "tools" / "record_sources.py"))


def test_the_rate_is_chosen_by_validation_in_run_0(recorder):
    one = {"stage": "fine-tuned", "target": "digits", "source": "edges", "labels_per_class": 10}
    runs = [
        one | {"seed": 0, "learning_rate": 0.1, "validation_accuracy": 0.6, "test_accuracy": 0.9},
        one | {"seed": 0, "learning_rate": 0.2, "validation_accuracy": 0.7, "test_accuracy": 0.5},
        one | {"seed": 1, "learning_rate": 0.1, "validation_accuracy": 0.9, "test_accuracy": 0.9},
        one | {"source": "random", "seed": 0, "learning_rate": 0.3, "validation_accuracy": 0.9, "test_accuracy": 0.9},
    ]
    assert recorder["best_rate"](runs, one | {"seed": 1, "learning_rate": None}) == 0.2


@pytest.mark.parametrize(("stage", "draws"), [("frozen", 5), ("other draws", 3)])
def test_seconds_are_means_over_the_draws(recorder, monkeypatch, stage, draws):
    """A clock that only training moves, by one second a draw."""
    now, labels = [0.0], np.arange(20) % 10
    target = Bunch(train_images=np.zeros((20, 8, 8, 3)), train_labels=labels, validation_labels=labels, test_labels=labels)
    target |= {"validation_images": target.train_images, "test_images": target.train_images}

    def train(task, **_):
        now[0] += 1
        return (np.eye(10)[labels],) * 2, {}

    fakes = {
        "time": SimpleNamespace(perf_counter=lambda: now[0]),
        "classical": train,
        "load_source": lambda *_, **__: None,
        "extract_features": lambda images, layers, **_: {layer: np.ones((len(images), 4)) for layer in layers},
        "SCORES": {"none": lambda features, labels: 0.0},
    }
    for name, fake in fakes.items():
        monkeypatch.setitem(recorder["record_frozen"].__globals__, name, fake)
    asked = {"stage": stage, "target": "clothing_64", "source": "noise 1", "network": 0}
    monkeypatch.setitem(recorder["record_frozen"].__globals__, "COUNTS", {"clothing_64": (2,)})
    for row in recorder["record_frozen"](Bunch(**target), asked):
        assert row["seconds"]["training"] == 1 and len(row["test_accuracy"]) == draws


def test_what_the_notebook_shows_is_planned_and_recorded(recorder):
    shown = {"frozen": ("digits", "textures", "clothing_64"), "other draws": ("digits", "textures", "clothing")}
    runs = [run for stage in shown for run in load_runs("sources", stage=stage)]
    planned = [
        asked for asked in recorder["plan"]() if asked["target"] in shown.get(asked["stage"], ()) and not asked["network"]
    ]
    assert len(planned) == 68
    for asked in planned:
        assert sum(asked.items() <= run.items() for run in runs) in (5, 10, 15), asked
