"""Tests of fine-tuning: splitting, what is frozen, batches of views, the cached part."""

import numpy as np
import pytest

from helpers.data import load_digit_images


def build(*, start="zeros", seed=0, **head):
    """Return a small classifier with VGG16's names, 8 x 8 pixels, 3 classes."""
    import keras
    from keras import layers

    from helpers.fine_tuning import build_classifier

    keras.utils.set_random_seed(seed)
    x = inputs = keras.Input((8, 8, 3))
    for block in (1, 2):
        x = layers.Conv2D(4, 3, padding="same", activation="relu", name=f"block{block}_conv1")(x)
        x = layers.BatchNormalization(name=f"block{block}_norm")(x)
        x = layers.MaxPooling2D(name=f"block{block}_pool")(x)
    return build_classifier(keras.Model(inputs, x, name="small"), classes=3, start=start, seed=seed, **head)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), dtype="uint8")


LABELS = np.arange(12) % 3


def answers(model, images):
    return np.asarray(model(images.astype("float32"), training=False))


def test_a_head_of_zeros_finds_every_class_equally_likely(images):
    np.testing.assert_allclose(answers(build(), images), 1 / 3, rtol=1e-6)
    assert np.ptp(answers(build(start="random"), images)) > 0.01


def test_heads(images):
    flat = build(pooling="flatten", hidden=5, dropout=0.5)
    assert [layer.name for layer in flat.layers[-4:]] == ["pooling", "hidden", "dropout", "predictions"]
    assert flat.get_layer("hidden").kernel.shape == (2 * 2 * 4, 5)
    for wrong in ({"pooling": "max"}, {"start": "ones"}):
        with pytest.raises(ValueError, match="choose"):
            build(**wrong)


def test_what_is_frozen():
    from helpers.fine_tuning import freeze_before

    model = build()
    assert freeze_before(model, "block2") == ["block2_conv1", "predictions"], "batch normalisation stays frozen"
    assert freeze_before(model, "predictions") == ["predictions"]
    assert freeze_before(model, "block1") == ["block1_conv1", "block2_conv1", "predictions"]
    with pytest.raises(ValueError, match="no layer 'block5'; choose from: .*block2_conv1"):
        freeze_before(model, "block5")


def test_split_parts_do_together_what_the_whole_does(images):
    from helpers.fine_tuning import split_model

    model = build(start="random")
    first, second = split_model(model, "block1_pool")
    assert second.get_layer("block2_conv1") is model.get_layer("block2_conv1"), "layers are shared"
    together = answers(second, np.asarray(first(images.astype("float32"))))
    np.testing.assert_array_equal(together, answers(model, images))


def test_where_a_model_cannot_be_split():
    import keras
    from keras import layers

    from helpers.fine_tuning import split_model

    with pytest.raises(ValueError, match="no layer .block1."):
        split_model(build(), "block1")
    inputs = keras.Input((4,))
    a = layers.Dense(4, name="a")(inputs)
    around = keras.Model(inputs, layers.Add()([a, layers.Dense(4, name="b")(a)]))
    with pytest.raises(ValueError, match="a path leads around 'b'"):
        split_model(around, "b")
    assert split_model(around, "a")[1].get_layer("b")


def test_distances_by_hand():
    from helpers.fine_tuning import layer_distances

    model, reference = build(), build()
    kernel, bias = reference.get_layer("block2_conv1").get_weights()
    model.get_layer("block2_conv1").set_weights([1.5 * kernel, bias])
    distances = layer_distances(model, reference)
    assert distances["block2_conv1"] == pytest.approx(0.5) and distances["block1_conv1"] == 0
    assert distances["predictions"] == 0, "a kernel of zeros that did not move"


def take(views, *, epochs, first_epoch=0, seed=0):
    from helpers.augmentation import view_batches

    batches = iter(view_batches(views, LABELS, batch_size=5, seed=seed, first_epoch=first_epoch))
    return [[tuple(map(np.asarray, next(batches))) for _ in range(3)] for _ in range(epochs)]


def test_every_epoch_shows_every_image_in_its_next_view():
    views = np.arange(24).reshape(2, 12, 1)
    for epoch, batches in enumerate(take(views, epochs=4)):
        assert [len(labels) for _, labels in batches] == [5, 5, 2]
        shown, labels = (np.concatenate(part) for part in zip(*batches, strict=True))
        np.testing.assert_array_equal(np.sort(shown.ravel()), views[epoch % 2].ravel())
        np.testing.assert_array_equal(shown.ravel() % 12 % 3, labels)


def test_order_depends_on_seed_and_epoch_alone():
    views = np.arange(12).reshape(1, 12, 1)
    whole, late = take(views, epochs=3), take(views, epochs=1, first_epoch=2)
    np.testing.assert_array_equal(whole[2][0][0], late[0][0][0])
    assert not np.array_equal(whole[0][0][0], whole[1][0][0])
    assert not np.array_equal(whole[0][0][0], take(views, epochs=1, seed=1)[0][0][0])
    with pytest.raises(ValueError, match="wanted \\(views, n, ...\\)"):
        take(np.arange(12).reshape(12, 1), epochs=1)


def test_cached_training_is_the_same_as_uncached(images, tmp_path, monkeypatch):
    """The second part on cached answers against the whole: same losses, and the frozen layer stays what it was."""
    import keras

    from helpers.augmentation import view_batches
    from helpers.features import extract_features
    from helpers.fine_tuning import freeze_before, split_model
    from helpers.vgg16 import preprocess_vgg16

    monkeypatch.setenv("WORKBOOK_CACHE", str(tmp_path))
    losses, model, whole = [], build(start="random"), build(start="random")
    maps = extract_features(images, base_model=model, layers="block1_pool", pooling=None)
    for one, part, shown in ((model, split_model(model, "block1_pool")[1], maps), (whole, whole, preprocess_vgg16(images))):
        freeze_before(one, "block2")
        part.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy")
        batches = view_batches(shown[np.newaxis], LABELS, batch_size=5)
        losses.append(part.fit(batches, steps_per_epoch=3, epochs=4, shuffle=False, verbose=0).history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-4)
    before, after = build(start="random").get_layer("block1_conv1"), model.get_layer("block1_conv1")
    np.testing.assert_array_equal(before.get_weights()[0], after.get_weights()[0])


def test_digits_as_pictures():
    digits = load_digit_images(train_per_class=4, validation_per_class=2, test_per_class=3)
    assert digits.train_images.shape == (40, 32, 32, 3) and digits.train_images.dtype == "uint8"
    assert np.bincount(digits.test_labels).tolist() == [3] * 10
    parts = [{image.tobytes() for image in digits[f"{part}_images"]} for part in ("train", "validation", "test")]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 90
    with pytest.raises(ValueError, match="has 500 examples"):
        load_digit_images(train_per_class=500)


def test_folders_hold_the_very_pixels(tmp_path):
    from PIL import Image

    from helpers.data import load_textures, write_image_folders

    textures = load_textures(train_per_class=2, validation_per_class=1, test_per_class=1, image_size=16)
    folder = write_image_folders(textures, tmp_path / "photographs")
    assert len(list(folder.glob("train/*/*.png"))) == 28 and len(list(folder.glob("test/*"))) == 14
    label = textures.train_labels[5]
    picture = folder / "train" / textures.class_names[label] / "0005.png"
    np.testing.assert_array_equal(np.asarray(Image.open(picture)), textures.train_images[5])
    with pytest.raises(FileExistsError, match="not empty"):
        write_image_folders(textures, folder)


def test_adam_by_block_steps_less_in_earlier_blocks():
    """Adam's first step is as long as its rate, whatever the gradient: so the steps show the rates."""
    import keras

    from helpers.fine_tuning import adam_by_block

    keras.utils.set_random_seed(0)
    names = ("block1_conv1", "block4_conv1", "block5_conv1", "predictions")
    model = keras.Sequential([keras.Input((4,)), *(keras.layers.Dense(4, name=name) for name in names)])
    before = [weights.copy() for weights in model.get_weights()[::2]]
    model.compile(adam_by_block(1e-2, decay=2.0), "mse")
    model.fit(np.random.default_rng(0).normal(size=(8, 4)), np.ones((8, 4)), batch_size=8, verbose=0)
    steps = [np.abs(now - old).max() for now, old in zip(model.get_weights()[::2], before, strict=True)]
    np.testing.assert_allclose(steps, [1e-2 / 16, 1e-2 / 2, 1e-2, 1e-2], rtol=1e-3)
    assert type(adam_by_block(1e-2, decay=1)) is keras.optimizers.Adam
