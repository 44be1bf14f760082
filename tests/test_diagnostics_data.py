"""Diagnoses of datasets, arrays, folders and names; the mistakes are made for real."""

import keras
import pytest
import tensorflow as tf
from diagnostics_programs import COUNT, IMAGES, LABELS, SIZE, fine, in_batches, old_iterator, pixels, problem

from helpers.diagnostics import (
    diagnose_augmentation_varies,
    diagnose_class_order,
    diagnose_every_image_seen,
    diagnose_splits,
)


@pytest.fixture(autouse=True)
def no_global_seed():
    """Other tests set one. Under it, random functions of TensorFlow in a `map()` begin anew with every pass."""
    tf.random.set_seed(None)


def augment(image, label):
    return (image + tf.random.uniform(tf.shape(image)), label)


def flip(image, label):
    return (tf.image.random_flip_left_right(image), label)


@pytest.mark.parametrize("limit", [2000, 10])
def test_augmentation_before_and_after_cache(limit):
    wrong = pixels().map(augment).cache().shuffle(COUNT).batch(8)
    problem(diagnose_augmentation_varies(wrong, limit=limit), "very same 40 images.*cache.. comes after map",
            change=r"cache\(\)\.map\(augment\)")  # fmt: skip
    right = pixels().cache().shuffle(COUNT).map(augment).batch(8).prefetch(2)
    fine(diagnose_augmentation_varies(right, limit=limit), "40 of 40")
    fine(diagnose_augmentation_varies(pixels().shuffle(COUNT).map(flip).batch(8), limit=limit))


def test_a_global_seed_makes_every_pass_the_same():
    """What looks augmented is not: the check sees it, and the same pass of validation images is called stable."""
    tf.random.set_seed(1)
    seeded = pixels().map(augment).batch(8)
    problem(diagnose_augmentation_varies(seeded), "with the same seed every time", change="new seed every time")
    fine(diagnose_splits(validation=seeded))


@pytest.mark.parametrize("limit", [2000, 10])
def test_plain_images_are_not_augmented(limit):
    for plain in (pixels().shuffle(COUNT).batch(8), pixels(), pixels().batch(8).shuffle(5)):
        problem(diagnose_augmentation_varies(plain, limit=limit), "not augmented at all", change="augment")
    dropping = pixels().shuffle(COUNT).batch(16, drop_remainder=True)  # another remainder every time
    problem(diagnose_augmentation_varies(dropping), "not augmented", change="augment")
    problem(diagnose_augmentation_varies((IMAGES, LABELS)), "not augmented", change="augment")
    problem(diagnose_augmentation_varies(pixels().cache().shuffle(9)), "behind cache", change="augment")


def test_augmentation_counted_in_steps():
    right = pixels().cache().shuffle(COUNT).map(augment).repeat().batch(8)
    fine(diagnose_augmentation_varies(right, steps=5))
    wrong = pixels().map(augment).cache().shuffle(COUNT).repeat().batch(8)
    problem(diagnose_augmentation_varies(wrong, steps=5), "very same 40", change="cache")
    with pytest.raises(ValueError, match="steps="):
        diagnose_augmentation_varies(wrong)


def test_augmentation_by_the_old_generator():
    fine(diagnose_augmentation_varies(old_iterator(channel_shift_range=90)))
    fine(diagnose_augmentation_varies(old_iterator(channel_shift_range=90, seed=3)))
    problem(diagnose_augmentation_varies(old_iterator()), "not augmented", change="rotation_range")


def test_augmentation_by_a_py_dataset():
    fine(diagnose_augmentation_varies(in_batches(noise=1.0)))
    problem(diagnose_augmentation_varies(in_batches()), "not augmented", change="augment")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("pictures")
    for number, image in enumerate(IMAGES):
        (place / f"class{number % 2}").mkdir(exist_ok=True)
        keras.utils.save_img(place / f"class{number % 2}" / f"{number}.png", image, scale=False)
    return place


def from_folder(folder, **options):
    options = {"image_size": (SIZE, SIZE), "batch_size": 4, "verbose": False} | options
    return keras.utils.image_dataset_from_directory(folder, **options)


@pytest.mark.parametrize("seed", [None, 7])
def test_shuffle_before_take_and_skip(folder, seed):
    everything = from_folder(folder, shuffle=True, seed=seed)
    train_part, rest = everything.skip(5), everything.take(5)
    validation, test = rest.skip(2), rest.take(2)
    expected = {"change": 'subset="both"'}
    problem(
        diagnose_splits(train=train_part, validation=validation, test=test),
        r"also in.*shuffle.. comes before",
        **expected,
    )
    problem(diagnose_splits(validation=validation, test=test), "shuffle", **expected)
    problem(diagnose_splits(test=test), "shuffle", **expected)
    noisy = train_part.map(lambda images, labels: (images + 0.5, labels))
    problem(diagnose_splits(train=noisy, validation=validation), "shuffle", **expected)
    shuffled = in_batches(length=3)  # the first 24 of 40 in a new order each time
    problem(
        diagnose_splits(train=shuffled, validation=IMAGES[30:]),
        "every pass deals the images out anew",
        **expected,
    )
    plain = iter_only(validation), iter_only(train_part)  # the pipeline cannot be seen
    problem(diagnose_splits(validation=plain[0], train=plain[1]), "also in", **expected)


def iter_only(dataset):
    return lambda: iter(dataset)


def test_parts_that_are_apart(folder):
    train_part, validation = from_folder(folder, validation_split=0.3, subset="both", seed=1)
    fine(diagnose_splits(train=train_part, validation=validation), "28 train, 12 validation")
    augmented = train_part.map(augment).cache().shuffle(9).repeat(1).prefetch(2)
    fine(diagnose_splits(train=augmented, validation=validation.cache()))
    fixed = pixels().shuffle(COUNT, seed=1, reshuffle_each_iteration=False)
    fine(diagnose_splits(train=fixed.skip(10).shuffle(30), validation=fixed.take(10)))
    fine(diagnose_splits(train=(IMAGES[:20], LABELS[:20]), test=IMAGES[20:]))
    fine(diagnose_splits(train=in_batches(), validation=IMAGES + 1))
    fine(diagnose_splits(validation=pixels().shuffle(COUNT).batch(8), limit=10), "40 validation")
    fine(diagnose_splits(train=pixels(), test=IMAGES[COUNT:0:-1] + 1, limit=10), "only the first 10")


def test_augmented_validation():
    validation = pixels(20).map(augment).batch(8)
    problem(
        diagnose_splits(train=IMAGES[20:], validation=validation),
        "20 of 20 validation.*augmented",
        change="preprocess",
    )
    problem(
        diagnose_splits(train=IMAGES[20:], validation=pixels(20).map(flip)),
        "augmented",
        change="preprocess",
    )
    problem(diagnose_splits(test=validation, limit=5), "test.*augmented", change="preprocess")
    problem(
        diagnose_splits(validation=old_iterator(channel_shift_range=90)),
        "augmented",
        change="ImageDataGenerator",
    )
    fine(diagnose_splits(validation=old_iterator()))
    dropping = pixels().shuffle(COUNT).batch(16, drop_remainder=True)
    problem(diagnose_splits(validation=dropping), "drop_remainder leaves out others", change="batch")


def test_duplicates_and_test_as_validation():
    problem(
        diagnose_splits(train=IMAGES[:30], test=IMAGES[25:]),
        "5 of 15 test images are also in train",
        change="names",
    )
    whole = pixels().shuffle(COUNT).batch(8)
    problem(
        diagnose_splits(validation=whole, test=pixels()),
        "one part is used in two places",
        change="only at the end",
    )


def test_files_and_names(folder):
    files = sorted(folder.rglob("*.png"))
    fine(diagnose_splits(train=files[:30], validation=files[30:]))
    fine(diagnose_splits(train=folder / "class0", test=folder / "class1"))
    problem(diagnose_splits(train=folder, test=files[:3]), "3 of 3 test", change="split the names")
    (folder / "copy.png").write_bytes(files[0].read_bytes())
    problem(diagnose_splits(train=files[:9], test=[folder / "copy.png"]), "1 of 1 test", change="duplicates together")
    (folder / "copy.png").unlink()
    patches = {"train": ["brick.png"] * 3 + ["grass.png"], "test": ["coins.png", "grass.png"]}
    problem(diagnose_splits(**patches), "1 of 2 test images are also in train, such as grass", change="photographs")
    shared = from_folder(folder, shuffle=False)
    scaled = from_folder(folder, image_size=(4, 4), shuffle=False)
    problem(diagnose_splits(train=shared, validation=scaled), "40 of 40", change="")  # known by the names of the files


def test_steps_rounded_down():
    endless = pixels().shuffle(COUNT).repeat().batch(16)
    problem(diagnose_every_image_seen(pixels().batch(16), expected=COUNT, steps=COUNT // 16), "32 of 40.*8 are left out",
            change=r"math\.ceil\(40 / 16\)  # 3")  # fmt: skip
    problem(diagnose_every_image_seen(endless, expected=COUNT, steps=2), "32 of 40", change="ceil")
    problem(diagnose_every_image_seen(old_iterator(), expected=COUNT, steps=2), "32 of 40", change="ceil")
    fine(diagnose_every_image_seen(old_iterator(), expected=COUNT, steps=3), "40 images")
    fine(diagnose_every_image_seen(old_iterator(channel_shift_range=90), expected=COUNT))
    fine(diagnose_every_image_seen(pixels().batch(16), expected=COUNT, steps=3))
    fine(diagnose_every_image_seen(endless, expected=COUNT, steps=3), "8 more")


def test_images_that_are_left_out():
    dropping = pixels().shuffle(9).batch(16, drop_remainder=True)
    problem(diagnose_every_image_seen(dropping, expected=COUNT), "32 of 40", change=r"batch\(16\)")
    problem(
        diagnose_every_image_seen(in_batches(length=4), expected=COUNT),
        "32 of 40",
        change="__len__.*ceil",
    )
    fine(diagnose_every_image_seen(in_batches(), expected=COUNT))
    fine(diagnose_every_image_seen(pixels().map(augment).batch(16), expected=COUNT))
    mixed = pixels().repeat().shuffle(COUNT).batch(8)  # epochs run into each other
    problem(
        diagnose_every_image_seen(mixed, expected=COUNT, steps=5),
        "some twice, others not",
        change="shuffle.*repeat",
    )
    twice = pixels(20).concatenate(pixels(20))  # the data hold each image twice
    fine(diagnose_every_image_seen(twice.shuffle(COUNT).repeat().batch(8), expected=COUNT, steps=5))
    problem(diagnose_every_image_seen(pixels().repeat(9), expected=COUNT), "more than 120", change="steps")


def test_class_order(folder):
    dataset = from_folder(folder)
    fine(diagnose_class_order(dataset, ["class0", "class1"]))
    fine(diagnose_class_order({"a": 0, "b": 1}, ["a", "b"]))
    problem(diagnose_class_order(["cat", "dog"], {"dog": 0, "cat": 1}), "class 0 is 'cat' in training and 'dog' here",
            change=r"class_names=\['cat', 'dog'\]")  # fmt: skip
    problem(diagnose_class_order(["cat", "dog"], [".cache", "cat", "dog"]), "new: .cache", change="class_names")


def test_the_learners_iterator_stays_where_it_is():
    iterator = old_iterator(channel_shift_range=90, seed=1)
    diagnose_augmentation_varies(iterator)
    assert iterator.total_batches_seen == 0 and iterator.index_array is None


@pytest.mark.parametrize(
    ("error", "said", "call"),
    [
        (TypeError, "gone through only once", lambda: diagnose_augmentation_varies(image for image in IMAGES)),
        (ValueError, "not one image", lambda: diagnose_augmentation_varies(IMAGES[:0])),
        (TypeError, "a dataset or an array", lambda: diagnose_every_image_seen("folder", expected=3)),
        (TypeError, "yields 'a.png', not images", lambda: diagnose_every_image_seen(["a.png"], expected=3)),
        (TypeError, "yields dicts with a", lambda: diagnose_every_image_seen([{"a": IMAGES}], expected=3)),
        (TypeError, "several inputs", lambda: diagnose_every_image_seen([((IMAGES, IMAGES), LABELS)], expected=3)),
        (ValueError, "expected is 0", lambda: diagnose_every_image_seen(IMAGES, expected=0)),
        (ValueError, "steps is 0", lambda: diagnose_every_image_seen(IMAGES, expected=3, steps=0)),
        (ValueError, "at least two parts", lambda: diagnose_splits(train=IMAGES)),
        (ValueError, "Give the same kind", lambda: diagnose_splits(train=["a"], test=IMAGES)),
        (ValueError, "is empty", lambda: diagnose_class_order([], ["a"])),
    ],
)
def test_nonsense_is_refused(error, said, call):
    with pytest.raises(error, match=said):
        call()
