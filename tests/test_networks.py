"""The NumPy MLP: gradients against central differences, training, many runs at once, and the same numbers as Keras."""

from __future__ import annotations

from functools import partial

import course
import numpy as np
import pytest

from helpers.data import draw_labelled, load_toy_2d, split_digit_pair
from helpers.networks import (
    ACTIVATIONS,
    LOSSES,
    accuracy,
    backward,
    build_mlp,
    build_weights,
    cross_entropy,
    forward,
    new_head,
    predict,
    side_by_side,
    softmax,
    squared_error,
    train,
    train_each,
    train_mlp,
)

RANDOM = np.random.default_rng(0)
names = pytest.mark.parametrize("activation", ACTIVATIONS)


def targets_for(loss: str) -> np.ndarray:
    return np.array([0, 2, 1, 1]) if loss != "squared_error" else RANDOM.normal(size=(4, 3))


@names
def test_slope_is_the_central_difference(activation):
    function, slope = ACTIVATIONS[activation]
    z = np.linspace(-4, 4, 80)  # without 0
    assert np.allclose(slope(z), (function(z + 1e-6) - function(z - 1e-6)) / 2e-6, atol=1e-7)


@names
@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_are_the_central_differences(activation, loss):
    layers = build_mlp((2, 5, 4, 3), activation=activation, seed=1)
    x, targets = RANDOM.normal(size=(4, 2)), targets_for(loss)
    settings = {"activation": activation, "loss": loss}
    _, gradients = backward(layers, x, targets, **settings)
    for layer, found in zip(layers, gradients, strict=True):
        for part, gradient in zip(layer, found, strict=True):
            assert gradient.shape == part.shape
            for place in np.ndindex(part.shape):
                kept = part[place]
                values = []
                for change in (1e-6, -1e-6):
                    part[place] = kept + change
                    values.append(backward(layers, x, targets, **settings)[0])
                part[place] = kept
                assert gradient[place] == pytest.approx((values[0] - values[1]) / 2e-6, abs=1e-7)


def test_forward_returns_what_each_layer_answers():
    layers = build_mlp((3, 6, 2), seed=0)
    x = RANDOM.normal(size=(7, 3))
    answers = forward(layers, x)
    assert [answer.shape for answer in answers] == [(7, 3), (7, 6), (7, 2)]
    assert np.array_equal(answers[0], x)
    assert np.allclose(answers[1], np.tanh(x @ layers[0][0] + layers[0][1]))
    assert np.array_equal(predict(layers, x), answers[-1])


def test_linear_layers_are_one_matrix():
    layers = build_mlp((3, 9, 9, 2), activation="linear", seed=3)
    x = RANDOM.normal(size=(5, 3))
    product = np.linalg.multi_dot([weights for weights, _ in layers])
    assert np.allclose(predict(layers, x, activation="linear"), x @ product)


def test_building_depends_on_the_seed_alone_and_takes_its_precision():
    first, again, other = (build_mlp((4, 50, 3), seed=seed, dtype="float32") for seed in (0, 0, 1))
    assert np.array_equal(first[0][0], again[0][0]) and not np.array_equal(first[0][0], other[0][0])
    assert first[0][0].dtype == np.float32 and not first[1][1].any()
    wide = build_mlp((400, 400), activation="relu")[0][0]
    assert wide.std() == pytest.approx(np.sqrt(2 / 400), rel=0.02)


def test_softmax_and_cross_entropy_bear_large_logits():
    logits = np.array([[1000.0, 0.0], [-1000.0, 0.0]])
    assert np.allclose(softmax(logits), [[1, 0], [0, 1]])
    loss, gradient = cross_entropy(logits, np.array([1, 0]))
    assert np.isfinite(loss) and loss > 10 and np.isfinite(gradient).all()
    assert cross_entropy(np.zeros((3, 4)), np.array([0, 1, 2]))[0] == pytest.approx(np.log(4))


def test_squared_error_takes_a_row_for_a_column():
    column, row = np.ones((3, 1)), np.array([0.0, 1.0, 3.0])
    loss, gradient = squared_error(column, row)
    assert loss == pytest.approx(0.5 * (1 + 0 + 4) / 3) and gradient.shape == (3, 1)


@pytest.mark.parametrize("optimizer, rate", [("adam", 0.03), ("momentum", 0.05), ("gradient_descent", 0.5)])
def test_training_learns_and_leaves_the_given_layers_alone(optimizer, rate):
    points, labels = load_toy_2d("moons", noise=0.1)
    layers = build_mlp((2, 8, 2), dtype="float32")
    kept = [part.copy() for layer in layers for part in layer]
    trained, losses = train_mlp(layers, points, labels, optimizer=optimizer, learning_rate=rate)
    assert len(losses) == 200 and losses[-1] < 0.5 * losses[0]
    assert np.mean(predict(trained, points).argmax(axis=1) == labels) > 0.8
    assert all(np.array_equal(part, old) for part, old in zip(sum(layers, ()), kept, strict=True))
    assert trained[0][0].dtype == np.float32


@pytest.mark.parametrize("name, memories, rate", [("momentum", 1, 0.1), ("adam", 2, 0.01)])
def test_the_optimizers_are_those_that_a_learner_writes(name, memories, rate):
    """The folded solutions of notebook 02b, for every array with a memory of its own, and the same batches."""
    notebook = course.ROOT / "notebooks" / "02b_training_in_practice.ipynb"
    names = {"np": np}
    exec(next(one.solution for one in course.exercises(notebook) if one.check == f"check_{name}"), names)
    points, labels = RANDOM.normal(size=(200, 4)), RANDOM.integers(3, size=200)
    start = build_mlp((4, 8, 3), activation="relu", seed=3)
    arrays, random = [part for layer in start for part in layer], np.random.default_rng(7)
    memory = [[np.zeros_like(array)] * memories for array in arrays]
    for step in range(1, 51):
        rows = random.integers(200, size=32)
        layers = list(zip(arrays[::2], arrays[1::2], strict=True))
        slopes = sum(backward(layers, points[rows], labels[rows], activation="relu")[1], ())
        for place, slope in enumerate(slopes):
            arrays[place], *memory[place] = names[name](arrays[place], slope, *memory[place], step, rate)
    settings = {"activation": "relu", "optimizer": name, "learning_rate": rate, "batch_size": 32, "seed": 7}
    theirs, _ = train_mlp(start, points, labels, steps=50, **settings)
    assert all(np.allclose(ours, part, atol=1e-9) for ours, part in zip(arrays, sum(theirs, ()), strict=True))


def test_one_step_of_gradient_descent_by_hand():
    layers = build_mlp((2, 3, 2), seed=5)
    points, labels = load_toy_2d("blobs", samples=20)
    _, gradients = backward(layers, points, labels)
    trained, _ = train_mlp(
        layers,
        points,
        labels,
        optimizer="gradient_descent",
        steps=1,
        learning_rate=0.1,
        weight_decay=0.5,
    )
    for old, slope, new in zip(layers, gradients, trained, strict=True):
        assert np.allclose(new[0], old[0] - 0.1 * (slope[0] + 0.5 * old[0]), atol=1e-6)


def test_weight_decay_keeps_weights_small():
    points, labels = load_toy_2d("moons")
    norms = []
    for decay in (0.0, 1.0):
        trained, _ = train_mlp(build_mlp((2, 8, 2)), points, labels, learning_rate=0.03, weight_decay=decay)
        norms.append(sum(float((weights**2).sum()) for weights, _ in trained))
    assert norms[1] < 0.5 * norms[0]


@pytest.fixture(scope="module")
def task():
    return split_digit_pair()


@pytest.fixture(scope="module")
def few(task):
    return draw_labelled(task.target_images, task.target_labels, labels_per_class=2, runs=3)


def small(runs=3):
    return build_weights((64, 12, 8, 10), seeds=range(runs))


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_of_many_runs_are_those_of_each_run(few, loss):
    images, labels = few[0].astype("float64"), few[1] if loss != "squared_error" else RANDOM.normal(size=(3, 20, 10))
    weights = build_mlp((64, 12, 8, 10), activation="gelu", seed=range(3))
    settings = {"activation": "gelu", "loss": loss}
    losses, gradients = backward(weights, images, labels, **settings)
    shared = backward(weights, images[0], labels[0], **settings)
    assert losses.shape == (3,) and shared[0][0] == pytest.approx(losses[0])
    for run in range(3):
        alone = [(kernel[run], bias[run, 0]) for kernel, bias in weights]
        value, expected = backward(alone, images[run], labels[run], **settings)
        assert value == pytest.approx(losses[run])
        for found, one in zip(gradients, expected, strict=True):
            assert np.allclose(found[0][run], one[0]) and np.allclose(found[1][run, 0], one[1])
    assert all(np.allclose(a[0][0], b[0][0]) for a, b in zip(gradients, shared[1], strict=True))


def test_batches_of_every_run_are_its_own_examples():
    """Run 1 has nothing but zeros for images, so that its first weights get no gradient, whatever is drawn."""
    images, targets = RANDOM.normal(size=(2, 90, 4)), RANDOM.normal(size=90)
    images[1] = 0
    start = build_mlp((4, 3, 1), seed=(0, 1))
    end, losses = train_mlp(start, images, targets, loss="squared_error", batch_size=10, steps=5)
    assert losses.shape == (5, 2) and np.array_equal(end[0][0][1], start[0][0][1])
    assert not np.array_equal(end[0][0][0], start[0][0][0])
    single, losses = train_mlp(build_mlp((4, 3, 1)), images[0], targets, loss="squared_error", batch_size=10, steps=5)
    assert losses.shape == (5,) and len(set(losses)) == 5


def test_runs_are_independent_of_each_other(few):
    images, labels = few
    together = train(small(), images, labels, steps=20).weights
    alone = train([(k[1:2], b[1:2]) for k, b in small()], images[1:2], labels[1:2], steps=20).weights
    for (kernel, bias), (one_kernel, one_bias) in zip(together, alone, strict=True):
        assert np.allclose(kernel[1], one_kernel[0], atol=1e-5) and np.allclose(bias[1], one_bias[0], atol=1e-5)


def test_rates_that_train_side_by_side_end_where_they_would_end_alone():
    start, rates = build_weights((5, 8, 3), seeds=range(4)), [0.001, 0.01, 0.1]
    images, labels = np.float32(np.random.default_rng(1).normal(size=(4, 90, 5))), np.arange(360).reshape(4, 90) % 3
    together = train_each(rates, start, images, labels, steps=30)
    assert list(together) == rates
    for rate, result in together.items():
        alone = train(start, images, labels, steps=30, learning_rate=rate).weights
        for mine, others in zip(result.weights, alone, strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(mine, others, strict=True))


def test_tasks_side_by_side_keep_their_names_and_may_train_several_rates_each():
    start, rates = build_weights((5, 8, 3), seeds=range(4)), [0.001, 0.01, 0.1]
    images, labels = np.float32(np.random.default_rng(1).normal(size=(4, 90, 5))), np.arange(360).reshape(4, 90) % 3
    tasks = {steps: partial(train_each, rates, start, images, labels, steps=steps) for steps in (1, 2, 3)}
    found = side_by_side(tasks)
    assert list(found) == [1, 2, 3]
    for steps, trained in found.items():
        for rate, result in trained.items():
            alone = train(start, images, labels, steps=steps, learning_rate=rate).weights
            assert np.array_equal(result.weights[0][0], alone[0][0])
    with pytest.raises(ZeroDivisionError):
        side_by_side({"good": int, "bad": lambda: 1 / 0})


def test_training_fits_and_leaves_its_arguments_alone(few):
    images, labels = few
    start = small()
    kept = [(k.copy(), b.copy()) for k, b in start]
    end = train(start, images, labels, steps=200, learning_rate=0.01).weights
    assert accuracy(end, images, labels).min() == 1
    assert all(np.array_equal(a, b) for s, k in zip(start, kept, strict=True) for a, b in zip(s, k, strict=True))


@pytest.mark.parametrize("frozen", [0, 1, 2, 3])
def test_frozen_layers_stay_and_the_others_move(few, frozen):
    start = small()
    end = train(start, *few, steps=5, frozen=frozen).weights
    moved = [not np.array_equal(a[0], b[0]) for a, b in zip(start, end, strict=True)]
    assert moved == [number >= frozen for number in range(3)]


def test_frozen_training_equals_training_a_head_on_features(few):
    images, labels = few
    start = small()
    features = forward(start, images, activation="relu")[2]
    head = train(start[2:], features, labels, steps=30).weights[0]
    whole = train(start, images, labels, steps=30, frozen=2).weights[2]
    assert np.allclose(head[0], whole[0], atol=1e-5)


def test_too_many_frozen_layers_are_refused(few):
    with pytest.raises(ValueError, match="frozen is 4, but there are 3 layers"):
        train(small(), *few, frozen=4)


def test_the_pull_shortens_the_way_and_spares_the_head(few):
    start = small()
    ends = [train(start, *few, steps=100, learning_rate=0.01, l2_sp=pull).weights for pull in (0.0, 0.1, 10.0)]
    ways = [sum(((e[i][0] - start[i][0]) ** 2).sum() for i in (0, 1)) for e in ends]
    assert ways[0] > 2 * ways[1] > 4 * ways[2]
    assert ((ends[2][2][0] - start[2][0]) ** 2).sum() > ways[2]


def test_accuracy_is_measured_at_the_named_steps(task, few):
    test = (task.test_images, task.test_labels)
    run = train(small(), *few, steps=10, test=test, measure_at=(0, 5, 10))
    assert run.accuracies.shape == (3, 3)
    assert np.allclose(run.accuracies[:, 0], accuracy(small(), *test))
    assert np.allclose(run.accuracies[:, -1], accuracy(run.weights, *test))
    assert train(small(), *few, steps=10, test=test).accuracies.shape == (3, 1)


def test_the_same_call_gives_the_same_weights(task):
    runs = [train(small(), task.source_images, task.source_labels, steps=10).weights for _ in range(2)]
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(*runs, strict=True))


def test_new_head_keeps_the_hidden_layers():
    start = small()
    new = new_head(start, classes=4)
    assert new[0][0] is start[0][0] and new[-1][0].shape == (3, 8, 4) and not new[-1][1].any()


@pytest.mark.parametrize(
    "mistake",
    [
        lambda: build_mlp((3,)),
        lambda: build_mlp((3, 0, 2)),
        lambda: build_mlp((3, 2), activation="softplus"),
        lambda: forward(build_mlp((2, 2)), np.zeros((1, 2)), activation="swish"),
        lambda: backward(build_mlp((2, 2)), np.zeros((1, 2)), np.array([0]), loss="hinge"),
        lambda: train_mlp(build_mlp((2, 2)), np.zeros((1, 2)), np.array([0]), optimizer="sgd"),
    ],
)
def test_mistakes_get_a_word(mistake):
    with pytest.raises(ValueError, match="but received|choose from"):
        mistake()


@names
def test_activations_are_those_of_keras(activation):
    keras = pytest.importorskip("keras")
    z = np.linspace(-5, 5, 41)
    theirs = keras.ops.convert_to_numpy(keras.activations.get(activation)(keras.ops.array(z)))
    assert np.allclose(ACTIVATIONS[activation][0](z), theirs, atol=1e-5)


@pytest.mark.parametrize("name", ["adam", "momentum"])
def test_adam_with_weight_decay_and_momentum_take_the_steps_of_keras(name):
    keras = pytest.importorskip("keras")
    points, labels = load_toy_2d("xor", samples=50)
    layers = build_mlp((2, 4, 2), seed=2)
    model = keras.Sequential(
        [
            keras.Input((2,), dtype="float64"),
            keras.layers.Dense(4, activation="tanh", dtype="float64"),
            keras.layers.Dense(2, dtype="float64"),
        ]
    )
    for layer, parts in zip(model.layers, layers, strict=True):
        layer.set_weights(parts)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    momentum = keras.optimizers.SGD(0.01, momentum=0.9)
    model.compile(optimizer=keras.optimizers.AdamW(0.01, weight_decay=0.1) if name == "adam" else momentum, loss=loss)
    model.fit(points, labels, batch_size=50, epochs=5, shuffle=False, verbose=0)
    ours, _ = train_mlp(layers, points, labels, steps=5, weight_decay=0.1 if name == "adam" else 0.0, optimizer=name)
    for layer, parts in zip(model.layers, ours, strict=True):
        for theirs, part in zip(layer.get_weights(), parts, strict=True):
            assert np.allclose(theirs, part, atol=1e-4)
