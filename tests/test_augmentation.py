"""Augmentation pipelines and the views drawn from them."""

import os
import subprocess
import sys
import zlib

import numpy as np
import pytest

from helpers.augmentation import augmented_views, build_augmentation

NONE = {"rotation": 0, "shift": 0, "shear": 0, "zoom": 0, "flip": False}


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), dtype="uint8")


@pytest.fixture(scope="module")
def classic():
    return build_augmentation(brightness=0.1)


def test_the_pipeline_has_one_layer_for_each_range_that_is_not_zero(classic):
    kinds = [type(layer).__name__ for layer in classic.layers]
    assert kinds == [
        "RandomFlip",
        "RandomRotation",
        "RandomTranslation",
        "RandomShear",
        "RandomZoom",
        "RandomBrightness",
    ]
    assert [type(layer).__name__ for layer in build_augmentation(**NONE | {"zoom": 0.1}).layers] == ["RandomZoom"]


def test_the_classic_ranges_in_the_units_of_keras(classic):
    layers = {type(layer).__name__: layer for layer in classic.layers}
    assert layers["RandomRotation"].factor == pytest.approx((-40 / 360, 40 / 360))
    config = {name: layer.get_config() for name, layer in layers.items()}
    assert config["RandomTranslation"]["height_factor"] == 0.2
    assert config["RandomTranslation"]["width_factor"] == 0.2
    assert config["RandomZoom"]["width_factor"] == 0.2
    assert {config[name]["fill_mode"] for name in config if "fill_mode" in config[name] and name != "RandomBrightness"} == {
        "nearest"
    }


def test_shear_goes_to_both_sides_and_not_further_than_asked():
    layer = build_augmentation(**NONE | {"shear": 0.3}).layers[0]
    factors = np.asarray(layer.get_random_transformation(np.zeros((200, 8, 8, 3)))["shear_factor"])
    assert -0.3 <= factors[:, 0].min() < -0.25 and 0.25 < factors[:, 0].max() <= 0.3
    assert np.all(factors[:, 1] == 0)


def test_nothing_to_do_changes_nothing(images):
    views = augmented_views(images, augment=build_augmentation(**NONE), views=2)
    assert np.array_equal(views[1], images)


def test_a_saved_model_with_the_layers_inside_can_be_loaded(images, tmp_path):
    import keras

    model = keras.Sequential([keras.Input((16, 16, 3)), build_augmentation(), keras.layers.Flatten()])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert np.array_equal(loaded.predict(images, verbose=0), images.reshape(6, -1))


def test_predict_changes_nothing_and_a_plain_call_does(images, classic):
    assert np.array_equal(classic.predict(images, verbose=0), images)
    assert not np.array_equal(np.asarray(classic(images)), images)


def test_views_are_the_images_and_then_what_the_pipeline_draws(images):
    views = augmented_views(images, augment=build_augmentation(seed=7), views=3, seed=7)
    assert views.shape == (3, *images.shape) and views.dtype == np.uint8
    assert np.array_equal(views[0], images)
    first = np.asarray(build_augmentation(seed=7)(images, training=True))
    assert np.array_equal(views[1], np.clip(np.rint(first), 0, 255))
    assert not np.array_equal(views[1], views[2])


def test_views_depend_on_the_seed_alone_and_fewer_are_the_first(images, classic):
    views = augmented_views(images, augment=classic, views=4, seed=1)
    classic(images, training=True)
    assert np.array_equal(augmented_views(images, augment=classic, views=2, seed=1), views[:2])
    other = build_augmentation(brightness=0.1, seed=99)
    assert np.array_equal(augmented_views(images, augment=other, views=4, seed=1), views)
    assert not np.array_equal(augmented_views(images, augment=classic, views=2, seed=2)[1], views[1])
    without = augmented_views(images, augment=classic, views=3, seed=1, keep_first=False)
    assert np.array_equal(without, views[1:])


@pytest.mark.parametrize("change", [{"brightness": 0.4}, {"rotation": 90}, {"flip": True}, {"zoom": 0.5}])
def test_each_layer_alone_gives_what_a_call_of_it_gives(images, change):
    augment = build_augmentation(**NONE | change, seed=4)
    views = augmented_views(images, augment=augment, views=1, seed=4, keep_first=False)
    called = np.asarray(augment(images, training=True))
    assert np.array_equal(views[0], np.clip(np.rint(called), 0, 255))
    assert not np.array_equal(views[0], images)


def test_the_pipeline_is_left_as_it_was(images):
    untouched, used = build_augmentation(seed=3), build_augmentation(seed=3)
    augmented_views(images, augment=used, views=3, seed=5)
    assert np.array_equal(np.asarray(used(images)), np.asarray(untouched(images)))


def test_each_image_is_changed_in_its_own_way(images, classic):
    same = np.repeat(images[:1], 70, axis=0)
    view = augmented_views(same, augment=classic, views=1, keep_first=False)[0]
    assert len({image.tobytes() for image in view}) == 70  # more than one chunk of images


def test_views_are_the_same_in_another_process_with_another_number_of_threads(images, classic):
    code = (
        "import numpy as np, zlib; from helpers.augmentation import *;"
        "images = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), dtype='uint8');"
        "print(zlib.crc32(augmented_views(images, augment=build_augmentation(brightness=0.1), views=3).tobytes()))"
    )
    environment = os.environ | {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert run.stdout.split()[-1] == str(zlib.crc32(augmented_views(images, augment=classic, views=3).tobytes()))


def test_a_layer_alone_and_a_pipeline_in_a_pipeline_will_do(images):
    import keras

    flip = keras.layers.RandomFlip("horizontal", seed=0)
    alone = augmented_views(images, augment=flip, views=2)
    assert np.array_equal(alone, augmented_views(images, augment=keras.Sequential([keras.Sequential([flip])]), views=2))
    mirrored = [np.array_equal(view, image[:, ::-1]) for view, image in zip(alone[1], images, strict=True)]
    assert any(mirrored) and not all(mirrored)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"rotation": 200}, "0 to 180"),
        ({"shift": -0.1}, "shift is -0.1"),
        ({"zoom": 1}, "0 to 0.99"),
        ({"shear": "0.2"}, "shear is '0.2'"),
        ({"fill_mode": "mirror"}, "'reflect'"),
    ],
)
def test_a_range_that_makes_no_sense_is_refused(change, part):
    with pytest.raises(ValueError, match=part):
        build_augmentation(**change)


def test_images_of_another_kind_are_refused(images, classic):
    for wrong, part in (
        (images[0], "one more axis"),
        (images / 255.0, "Multiply"),
        (images.astype(str), "type"),
    ):
        with pytest.raises(ValueError, match=part):
            augmented_views(wrong, augment=classic, views=2)
    with pytest.raises(ValueError, match="whole number"):
        augmented_views(images, augment=classic, views=0)


def test_a_layer_of_another_kind_is_named(images):
    import keras

    with pytest.raises(ValueError, match="Flatten"):
        augmented_views(images, augment=keras.Sequential([keras.layers.Flatten()]), views=2)


def test_keras_shears_about_the_upper_left_corner_as_the_notebook_says():
    import keras

    image = np.zeros((9, 9, 1), dtype="float32")
    image[0, 0] = image[4, 4] = 1
    sheared = np.asarray(keras.layers.RandomShear((0.25, 0.25), seed=0)(image, training=True))[..., 0]
    assert sheared[0, 0] == 1 and sheared[4, 4] == 0 and sheared[4].max() == 1


def test_keras_cannot_load_a_plain_random_shear_as_the_notebook_says():
    import keras

    config = keras.layers.RandomShear(0.2).get_config()
    with pytest.raises((TypeError, ValueError)):  # when this fails, the sentence in notebook 05 can go
        keras.layers.RandomShear.from_config(config)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_old_generator_shears_in_degrees_and_multiplies_brightness():
    from tensorflow.keras.preprocessing.image import ImageDataGenerator

    generator, image = ImageDataGenerator(), np.full((9, 9, 3), 100, dtype="float32")
    assert np.allclose(generator.apply_transform(image, {"brightness": 1.2}), 120, atol=1)
    image[:, 5:] = 200
    sheared = generator.apply_transform(image, {"shear": 45})
    assert np.abs(sheared - image).max() == pytest.approx(100, abs=1)
    assert np.abs(generator.apply_transform(image, {"shear": 0.2}) - image).max() < 5
