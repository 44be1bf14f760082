"""The NumPy MLP: gradients against central differences, training, and the same numbers as Keras."""

from __future__ import annotations

import numpy as np
import pytest

from helpers import networks as numpy_mlp
from helpers.data import load_toy_2d
from helpers.networks import (
    ACTIVATIONS,
    LOSSES,
    backward,
    build_mlp,
    cross_entropy,
    forward,
    predict,
    softmax,
    squared_error,
    train_mlp,
)

RANDOM = np.random.default_rng(0)
names = pytest.mark.parametrize("activation", ACTIVATIONS)


def targets_for(loss: str) -> np.ndarray:
    return np.array([0, 2, 1, 1]) if loss == "cross_entropy" else RANDOM.normal(size=(4, 3))


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


@pytest.mark.parametrize("optimizer, rate", [("adam", 0.03), ("gradient_descent", 0.5)])
def test_training_learns_and_leaves_the_given_layers_alone(optimizer, rate):
    points, labels = load_toy_2d("moons", noise=0.1)
    layers = build_mlp((2, 8, 2), dtype="float32")
    kept = [part.copy() for layer in layers for part in layer]
    trained, losses = train_mlp(layers, points, labels, optimizer=optimizer, learning_rate=rate)
    assert len(losses) == 200 and losses[-1] < 0.5 * losses[0]
    assert np.mean(predict(trained, points).argmax(axis=1) == labels) > 0.8
    assert all(np.array_equal(part, old) for part, old in zip(sum(layers, ()), kept, strict=True))
    assert trained[0][0].dtype == np.float32


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


def test_adam_with_weight_decay_takes_the_steps_of_keras():
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
    model.compile(optimizer=keras.optimizers.AdamW(0.01, weight_decay=0.1), loss=loss)
    model.fit(points, labels, batch_size=50, epochs=5, shuffle=False, verbose=0)
    ours, _ = numpy_mlp.train_mlp(layers, points, labels, steps=5, weight_decay=0.1)
    for layer, parts in zip(model.layers, ours, strict=True):
        for theirs, part in zip(layer.get_weights(), parts, strict=True):
            assert np.allclose(theirs, part, atol=1e-4)
