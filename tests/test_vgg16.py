"""The VGG16 that is built here is Keras's VGG16, layer by layer, and its weights are what they are said to be."""

import hashlib
import random

import numpy as np
import pytest

from helpers._machinery.weights import FILTERS, SHAPES
from helpers.vgg16 import layer_table, load_vgg16, preprocess_vgg16


@pytest.fixture(scope="module")
def ours():
    return load_vgg16("random", input_shape=(64, 64, 3))


@pytest.fixture(scope="module")
def keras_model():
    import keras

    return keras.applications.VGG16(weights=None, include_top=False, input_shape=(64, 64, 3))


@pytest.fixture
def photographs():
    return np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype="uint8")


def _convolutions(model):
    return [layer for layer in model.layers if layer.weights]


def test_number_of_weights_is_that_of_the_paper(ours):
    assert ours.count_params() == 14_714_688
    assert [layer.name for layer in _convolutions(ours)] == list(FILTERS)
    assert [tuple(weights.shape) for weights in ours.weights] == list(SHAPES.values())


def test_layers_have_the_names_and_shapes_of_kerass_own(ours, keras_model):
    described = [
        [(layer.name, layer.output.shape, [w.shape for w in layer.weights]) for layer in m.layers[1:]]
        for m in (ours, keras_model)
    ]
    assert described[0] == described[1]


def test_output_is_that_of_kerass_own_with_the_same_weights(ours, keras_model, photographs):
    keras_model.set_weights(ours.get_weights())
    images = preprocess_vgg16(photographs)
    here, there = ours(images).numpy(), keras_model(images).numpy()
    assert here.std() > 0
    np.testing.assert_allclose(here, there, rtol=1e-5, atol=1e-5 * np.abs(there).max())


def test_random_weights_are_those_that_the_recorded_runs_began_with():
    digest = hashlib.sha256(b"".join(weights.tobytes() for weights in load_vgg16("random", seed=7).get_weights()))
    assert digest.hexdigest() == "8d259e096b6a4a773b40c525d7e03aab7a54fd792322161a75918231055b93ad"


def test_random_weights_depend_on_the_seed_alone():
    first, again, other = (load_vgg16("random", input_shape=(32, 32, 3), seed=s) for s in (1, 1, 2))
    for a, b, c in zip(_convolutions(first), _convolutions(again), _convolutions(other), strict=True):
        assert np.array_equal(a.get_weights()[0], b.get_weights()[0])
        assert not np.array_equal(a.get_weights()[0], c.get_weights()[0])


def test_random_weights_differ_between_layers_of_the_same_shape(ours):
    second, third = (ours.get_layer(f"block5_conv{number}").get_weights()[0] for number in (2, 3))
    assert abs(np.corrcoef(second.ravel(), third.ravel())[0, 1]) < 0.01


def test_random_weights_are_glorot_uniform_with_zero_biases(ours):
    for layer in _convolutions(ours):
        kernel, bias = layer.get_weights()
        limit = np.sqrt(6 / (9 * sum(kernel.shape[2:])))
        assert 0.95 * limit < np.abs(kernel).max() <= limit * 1.0001
        assert kernel.std() == pytest.approx(limit / np.sqrt(3), rel=0.05)
        assert not bias.any()


def test_loading_leaves_the_global_random_states_alone():
    import keras

    def draws(between):
        keras.utils.set_random_seed(5)
        between()
        return random.random(), np.random.random(), float(keras.random.uniform(()))

    assert draws(lambda: load_vgg16("random", input_shape=(32, 32, 3))) == draws(lambda: None)


def test_imagenet_weights_are_the_published_ones():
    model = load_vgg16("imagenet", input_shape=(32, 32, 3))
    kernel, bias = model.get_layer("block1_conv1").get_weights()
    np.testing.assert_allclose(kernel[0, 0, 0, :3], [0.42947057, 0.11727387, 0.03401296], rtol=1e-6)
    np.testing.assert_allclose(bias[:4], [0.73429835, 0.09340367, 0.06775674, 0.8862966], rtol=1e-6)
    assert model.get_layer("block5_conv3").get_weights()[1][0] == pytest.approx(0.18837857, rel=1e-6)


def test_edge_weights_are_those_of_imagenet_moved_in_every_layer():
    imagenet, edges = (load_vgg16(source, input_shape=(32, 32, 3)) for source in ("imagenet", "edges"))
    for before, after in zip(_convolutions(imagenet), _convolutions(edges), strict=True):
        old, new = before.get_weights()[0], after.get_weights()[0]
        assert 0.05 < np.linalg.norm(new - old) / np.linalg.norm(new) < 0.9


@pytest.mark.parametrize("source", ["ImageNet", "vgg", "", None])
def test_unknown_source_is_answered_with_the_choices(source):
    with pytest.raises(ValueError, match="'imagenet', 'edges', 'random'"):
        load_vgg16(source)


@pytest.mark.parametrize(
    "shape, hint",
    [
        ((31, 96, 3), "at least 32"),
        ((96, 16, 3), "at least 32"),
        ((96, 96), "height, width, 3"),
        ((96, 96, 1), "height, width, 3"),
        ((3, 96, 96), "height, width, 3"),
        ((96.0, 96, 3), "height, width, 3"),
        ((None, None, 3), "height, width, 3"),
    ],
)
def test_shape_that_vgg16_cannot_take_is_refused(shape, hint):
    with pytest.raises(ValueError, match=hint):
        load_vgg16("random", input_shape=shape)


@pytest.mark.parametrize("kind", ["uint8", "int64", "float32", "float64"])
def test_preprocessing_is_that_of_keras_for_every_number_type(photographs, kind):
    from keras.applications.vgg16 import preprocess_input

    given = photographs.astype(kind)
    before = given.copy()
    answer = preprocess_vgg16(given)
    assert answer.dtype == np.float32 and answer.shape == given.shape and answer.flags.c_contiguous
    assert np.array_equal(answer, preprocess_input(photographs.astype("float32")))
    assert np.array_equal(given, before) and not np.shares_memory(given, answer)


def test_preprocessing_takes_one_image_and_a_list(photographs):
    whole = preprocess_vgg16(photographs)
    assert np.array_equal(preprocess_vgg16(photographs[0]), whole[0])
    assert np.array_equal(preprocess_vgg16(list(photographs)), whole)


def test_preprocessing_gives_a_tensor_for_a_tensor_also_in_a_pipeline_and_in_a_model(photographs):
    import keras
    import tensorflow as tf

    expected = preprocess_vgg16(photographs)
    tensor = preprocess_vgg16(tf.constant(photographs))
    assert tf.is_tensor(tensor) and np.array_equal(tensor, expected)
    pipeline = tf.data.Dataset.from_tensor_slices(photographs).map(preprocess_vgg16).batch(3)
    assert np.array_equal(next(iter(pipeline)), expected)
    inputs = keras.Input((64, 64, 3))
    assert np.array_equal(keras.Model(inputs, preprocess_vgg16(inputs))(photographs), expected)


@pytest.mark.parametrize("shape", [(2, 64, 64), (2, 64, 64, 1), (2, 64, 64, 4), ()])
def test_preprocessing_refuses_what_has_not_three_channels(shape):
    with pytest.raises(ValueError, match="three channels"):
        preprocess_vgg16(np.zeros(shape))


def test_preprocessing_warns_of_images_scaled_to_one_and_of_no_others(photographs, recwarn):
    for fine in (photographs, photographs / 1.0, np.zeros((1, 64, 64, 3)), photographs // 255):
        preprocess_vgg16(fine)
    assert not recwarn.list
    with pytest.warns(UserWarning, match="0 to 255") as caught:
        preprocess_vgg16(photographs / 255)
    assert caught[0].filename == __file__


def test_layer_table_agrees_with_the_model(ours):
    rows = layer_table(input_shape=(64, 64, 3))
    assert [row["name"] for row in rows] == [layer.name for layer in ours.layers[1:]]
    assert [row["output_shape"] for row in rows] == [layer.output.shape[1:] for layer in ours.layers[1:]]
    assert [row["weights"] for row in rows] == [layer.count_params() for layer in ours.layers[1:]]


@pytest.mark.parametrize("name", ["block1_conv1", "block2_conv1", "block2_pool", "block3_conv2"])
def test_receptive_field_and_stride_are_what_a_probe_of_single_columns_sees(name):
    import keras

    model = load_vgg16("random", input_shape=(64, 64, 3))
    model.set_weights([np.abs(weights) for weights in model.get_weights()])  # so that nothing cancels out
    columns = np.zeros((64, 64, 64, 3), dtype="float32")  # image i is black but for column i
    columns[np.arange(64), :, np.arange(64)] = 1
    maps = keras.Model(model.inputs[0], model.get_layer(name).output)(columns).numpy()
    middle = maps.shape[1] // 2
    seen = [np.flatnonzero(maps[:, middle, middle + step, 0]) for step in (0, 1)]
    row = next(row for row in layer_table(input_shape=(64, 64, 3)) if row["name"] == name)
    assert len(seen[0]) == np.ptp(seen[0]) + 1 == row["receptive_field"]
    assert seen[1][0] - seen[0][0] == row["stride"]
