"""diagnose() raises no alarm on sound programs of many styles, and each new diagnosis finds what it is for."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from diagnostics_programs import fine, problem

from helpers.diagnostics import (
    diagnose,
    diagnose_classes,
    diagnose_learning,
    diagnose_order_kept,
    diagnose_same_scale,
    diagnose_saved,
)

COUNT, SIZE, CLASSES = 60, 32, 3
LABELS = np.random.default_rng(0).permutation(np.arange(COUNT) % CLASSES)
PIXELS = np.random.default_rng(1).integers(0, 120, (COUNT, SIZE, SIZE, 3)).astype("float32")
PIXELS[np.arange(COUNT), :, :, LABELS] += 120  # the colour tells the class
ONE_HOT = np.eye(CLASSES, dtype="float32")[LABELS]
HALF = slice(None, 40), slice(40, None)
TRAIN, VALIDATION = ((PIXELS[some] / 255, LABELS[some]) for some in HALF)
SPARSE = "sparse_categorical_crossentropy"


def body(*, norm=False):
    layers = [keras.layers.Conv2D(8, 3, strides=4), *[keras.layers.BatchNormalization()] * norm, keras.layers.ReLU()]
    return [*layers, keras.layers.GlobalAveragePooling2D()]


def fitted(model, train, validation, loss=SPARSE, epochs=2, rate=0.01, **options):
    """Return what diagnose() is given of a program that was compiled and trained."""
    snapshot = model.get_weights()
    model.compile(keras.optimizers.Adam(rate), loss)
    data = (train,) if not isinstance(train, tuple) else train
    model.fit(*data, validation_data=validation, epochs=epochs, verbose=0, **options)
    return {"model": model, "train": train, "validation": validation, "snapshot": snapshot}


def sequential():
    layers = [keras.Input((SIZE, SIZE, 3)), keras.layers.Rescaling(1 / 255), *body(norm=True)]
    model = keras.Sequential([*layers, keras.layers.Dense(CLASSES, activation="softmax")])
    raw = [(PIXELS[some], LABELS[some]) for some in HALF]
    return fitted(model, *raw) | {"save": True}


def functional_with_augmentation_inside():
    image = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.RandomTranslation(0.1, 0.1)(keras.layers.RandomFlip()(image))
    for layer in [*body(), keras.layers.Dropout(0.5), keras.layers.Dense(CLASSES), keras.layers.Softmax()]:
        x = layer(x)
    return fitted(keras.Model(image, x), TRAIN, VALIDATION)


def subclassed_with_logits():
    class Classifier(keras.Model):
        def __init__(self):
            super().__init__()
            self.body, self.head = keras.Sequential(body()), keras.layers.Dense(CLASSES)

        def call(self, images):
            return self.head(self.body(images))

    model = Classifier()
    model(TRAIN[0][:1])
    return fitted(model, TRAIN, VALIDATION, keras.losses.SparseCategoricalCrossentropy(from_logits=True))


def small(units=CLASSES, activation="softmax"):
    return keras.Sequential([keras.Input((SIZE, SIZE, 3)), *body(), keras.layers.Dense(units, activation)])


def python_generator():
    def batches():
        while True:
            some = np.random.choice(40, 10, replace=False)
            yield TRAIN[0][some], TRAIN[1][some]

    model = small()
    given = fitted(
        model,
        tf.data.Dataset.from_generator(
            batches, output_signature=(tf.TensorSpec((None, SIZE, SIZE, 3)), tf.TensorSpec((None,), "int64"))
        ),
        VALIDATION,
        steps_per_epoch=4,
    )
    return given | {"train": batches, "steps": 4}


def py_dataset():
    class Batches(keras.utils.PyDataset):
        def __init__(self):
            super().__init__()
            self.order = np.arange(40)

        def __len__(self):
            return 5

        def __getitem__(self, index):
            some = self.order[8 * index : 8 * index + 8]
            return TRAIN[0][some], TRAIN[1][some]

        def on_epoch_end(self):
            np.random.default_rng(0).shuffle(self.order)

    return fitted(small(), Batches(), VALIDATION) | {"images": 40}


def tf_data_augmented():
    def change(image, label):
        return tf.image.random_brightness(tf.image.random_flip_left_right(image), 0.1), label

    pixels = tf.data.Dataset.from_tensor_slices(TRAIN).cache().shuffle(40).map(change).batch(16).prefetch(2)
    validation = tf.data.Dataset.from_tensor_slices(VALIDATION).batch(16).cache()
    return fitted(small(), pixels, validation) | {"images": 40}


def tf_data_without_end():
    pixels = tf.data.Dataset.from_tensor_slices(TRAIN).shuffle(40).repeat().batch(10)
    return fitted(small(), pixels, VALIDATION, steps_per_epoch=4) | {"steps": 4, "images": 40}


def mixed_precision():
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        head = keras.layers.Dense(CLASSES, activation="softmax", dtype="float32")
        return fitted(keras.Sequential([keras.Input((SIZE, SIZE, 3)), *body(), head]), TRAIN, VALIDATION)
    finally:
        keras.mixed_precision.set_global_policy("float32")


def several_inputs():
    image, number = keras.Input((SIZE, SIZE, 3)), keras.Input((1,))
    x = keras.Sequential(body())(image)
    model = keras.Model([image, number], keras.layers.Dense(CLASSES, "softmax")(keras.layers.Concatenate()([x, number])))
    parts = [((images, np.float32(labels[:, None])), labels) for images, labels in (TRAIN, VALIDATION)]
    return fitted(model, *parts)


def loop_by_hand():
    model, optimizer = small(), keras.optimizers.SGD(0.1)
    snapshot, loss = model.get_weights(), keras.losses.SparseCategoricalCrossentropy()
    for _ in range(3):
        with tf.GradientTape() as tape:
            value = loss(TRAIN[1], model(TRAIN[0], training=True))
        optimizer.apply(tape.gradient(value, model.trainable_weights), model.trainable_weights)
    return {"model": model, "train": TRAIN, "validation": VALIDATION, "snapshot": snapshot}


def batch_norm_backbone():
    base = keras.applications.MobileNetV2(input_shape=(SIZE, SIZE, 3), include_top=False, weights=None, alpha=0.35)
    for layer in base.layers:
        layer.momentum = 0.0
    base(keras.applications.mobilenet_v2.preprocess_input(PIXELS.copy()), training=True)  # as if it had learned
    base.trainable = False
    image = keras.Input((SIZE, SIZE, 3))
    x = base(keras.applications.mobilenet_v2.preprocess_input(image), training=False)
    model = keras.Model(image, keras.layers.Dense(CLASSES, "softmax")(keras.layers.GlobalAveragePooling2D()(x)))
    raw = [(PIXELS[some], LABELS[some]) for some in HALF]
    return fitted(model, *raw, epochs=1) | {"backbone": "mobilenet_v2"}


def scales_by_itself():
    base = keras.applications.MobileNetV3Small(input_shape=(SIZE, SIZE, 3), include_top=False, weights=None, alpha=0.35)
    for layer in base.layers:
        layer.momentum = 0.0
    base(PIXELS, training=True)  # as if it had learned
    base.trainable = False
    model = keras.Sequential([keras.Input((SIZE, SIZE, 3)), base, keras.layers.GlobalAveragePooling2D()])
    model.add(keras.layers.Dense(CLASSES, "softmax"))
    return {"model": model, "train": (PIXELS[HALF[0]], LABELS[HALF[0]]), "backbone": "mobilenet_v3_small"}


def yes_or_no():
    train, validation = ((images, np.float32(labels == 1)) for images, labels in (TRAIN, VALIDATION))
    return fitted(small(1, "sigmoid"), train, validation, "binary_crossentropy")


def one_hot():
    train, validation = ((PIXELS[some] / 255, ONE_HOT[some]) for some in HALF)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    return fitted(small(activation=None), train, validation, loss)


def several_classes_an_image():
    some = np.random.default_rng(2).integers(0, 2, (COUNT, CLASSES)).astype("float32")
    train, validation = ((PIXELS[half] / 255, some[half]) for half in HALF)
    return fitted(small(activation="sigmoid"), train, validation, "binary_crossentropy")


def numbers_instead_of_classes():
    train, validation = ((PIXELS[some] / 255, PIXELS[some].mean(axis=(1, 2, 3)) / 255) for some in HALF)
    return fitted(small(1, None), train, validation, "mse")


def two_phases():
    base = keras.Sequential([keras.Input((SIZE, SIZE, 3)), *body()], name="base")
    model = keras.Sequential([base, keras.layers.Dense(CLASSES, activation="softmax", name="head")])
    base.trainable = False
    fitted(model, TRAIN, VALIDATION)
    base.trainable = True
    return fitted(model, TRAIN, VALIDATION, rate=1e-4) | {"expected": ["base", "head"]}


def two_heads():
    image = keras.Input((SIZE, SIZE, 3))
    x = keras.Sequential(body())(image)
    outputs = {"colour": keras.layers.Dense(CLASSES, "softmax", name="colour")(x)}
    outputs["light"] = keras.layers.Dense(1, name="light")(x)
    model = keras.Model(image, outputs)
    model.compile("adam", {"colour": SPARSE, "light": "mse"})
    train = (TRAIN[0], {"colour": TRAIN[1], "light": TRAIN[0].mean(axis=(1, 2, 3))})
    model.fit(*train, verbose=0)
    return {"model": model, "train": train}


def features_alone():
    features = PIXELS.mean(axis=(1, 2)) / 255
    train, validation = ((features[some], LABELS[some]) for some in HALF)
    model = keras.Sequential([keras.Input((3,)), keras.layers.BatchNormalization(), keras.layers.Dense(CLASSES, "softmax")])
    return fitted(model, train, validation)


def old_generator():
    from tensorflow.keras.preprocessing.image import ImageDataGenerator

    train = ImageDataGenerator(horizontal_flip=True, rotation_range=20).flow(*TRAIN, batch_size=10)
    validation = ImageDataGenerator().flow(*VALIDATION, batch_size=10, shuffle=False)
    model = small()
    return fitted(model, TRAIN, VALIDATION) | {
        "train": train,
        "validation": validation,
        "augmented": True,
        "images": 40,
        "steps": 4,
    }


def not_trained_yet():
    return {"model": small(), "train": TRAIN, "validation": VALIDATION}


SOUND = [sequential, functional_with_augmentation_inside, subclassed_with_logits, python_generator, py_dataset]
SOUND += [tf_data_augmented, tf_data_without_end, mixed_precision, several_inputs, loop_by_hand, batch_norm_backbone]
SOUND += [scales_by_itself, yes_or_no, one_hot, several_classes_an_image, numbers_instead_of_classes, two_phases, two_heads]
SOUND += [features_alone, old_generator, not_trained_yet]


@pytest.mark.parametrize("program", SOUND, ids=lambda program: program.__name__)
def test_no_alarm_on_a_sound_program(program):
    keras.utils.set_random_seed(0)
    given = program()
    before = [one.copy() for one in given["model"].get_weights()]
    found = diagnose(**given)
    assert found and not found.problems, f"\n{found}"
    names = {one.name for one in found}
    assert {"head and loss", "trainable"} <= names and not names & set(found.skipped)
    assert "train" not in found.skipped and all(found.skipped.values())
    for one, now in zip(before, given["model"].get_weights(), strict=True):
        np.testing.assert_array_equal(one, now)


@pytest.mark.parametrize(
    "program, made",
    [
        (batch_norm_backbone, ["batch norm still", "input range of train", "input range of validation", "learning"]),
        (tf_data_augmented, ["augmentation", "every image seen", "splits", "classes"]),
        (several_inputs, ["learning", "weights moved"]),
        (sequential, ["saved file", "splits", "scale of validation"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_looked_at(program, made):
    assert set(made) <= {one.name for one in diagnose(**program())}


def test_the_table():
    given = two_phases() | {"validation": TRAIN, "backbone": "vgg16"}
    found = diagnose(**given)
    assert not found and {one.name for one in found.problems} >= {"splits", "input range of train"}
    text = repr(found)
    assert text.startswith("Problem") and "Change: " in text
    assert re.search(r"Not looked at: .*every image seen \(give images=len\(labels\)\)", " ".join(text.split()))
    assert max(map(len, text.splitlines())) <= 100
    with pytest.raises(TypeError, match="a Keras model is wanted"):
        diagnose("vgg16", train=TRAIN)


def test_a_generator_that_is_used_up_is_said_so():
    found = diagnose(small(), train=(pair for pair in [TRAIN]))
    assert "only once" in found.skipped["classes"] or "give validation=" in found.skipped["classes"]
    assert found


def test_a_program_that_cannot_be_looked_at():
    class Lost(keras.utils.PyDataset):
        num_batches = 3

        def __getitem__(self, index):
            raise OSError("the disk is gone")

    found = diagnose(small(), train=Lost(), validation=VALIDATION)
    assert found.skipped["splits"] == found.skipped["classes"] == "the disk is gone"
    assert {one.name for one in found} >= {"head and loss", "trainable"}
    images = tf.data.Dataset.from_tensor_slices(TRAIN)  # not in batches
    assert diagnose(**fitted(small(), TRAIN, VALIDATION) | {"train": images, "images": 40})
    given = several_inputs() | {"save": True}
    assert "saved file" in {one.name for one in diagnose(**given)}


def test_classes_that_were_never_learned():
    order = np.argsort(LABELS, kind="stable")
    parts = [(PIXELS[order][some], LABELS[order][some]) for some in HALF]
    problem(diagnose_classes(train=parts[0], validation=parts[1]), "no image of class 2, and 100%", change="permutation")
    found = diagnose(small(), train=parts[0], validation=parts[1])
    assert [one.name for one in found.problems] == ["classes"]
    fine(diagnose_classes(train=TRAIN, validation=VALIDATION), "all 3 classes")
    fine(diagnose_classes(train=(PIXELS, ONE_HOT), validation=VALIDATION), "all 3 classes")


def test_batches_of_one_class():
    order = np.argsort(LABELS, kind="stable")
    in_order = tf.data.Dataset.from_tensor_slices((PIXELS[order], LABELS[order])).batch(10)
    problem(diagnose_classes(train=in_order, validation=VALIDATION), "has 1.0 classes", change="shuffle")
    mixed = in_order.unbatch().shuffle(COUNT, seed=0).batch(10)
    fine(diagnose_classes(train=mixed, validation=VALIDATION))


def test_labels_without_classes():
    for wrong in (PIXELS, (PIXELS, LABELS + 0.5)):
        with pytest.raises(ValueError, match="labels|classes"):
            diagnose_classes(train=wrong, validation=VALIDATION)


def test_labels_beside_their_images():
    still = tf.data.Dataset.from_tensor_slices(VALIDATION).batch(6)
    fine(diagnose_order_kept(still, VALIDATION[1]), "20 labels")
    fine(diagnose_order_kept(still, np.eye(CLASSES)[VALIDATION[1]]))
    anew = still.unbatch().shuffle(20, seed=0).batch(6)
    collected = np.concatenate([label for _, label in anew])
    problem(diagnose_order_kept(anew, collected), "another pass.*another order", change=r"shuffle\(\)")
    problem(diagnose_order_kept(still, VALIDATION[1][::-1]), "are in another order", change="shuffle")
    problem(diagnose_order_kept(still, VALIDATION[1][:9]), "9 labels for 20 images", change="concatenate")


def test_scales():
    fine(diagnose_same_scale(PIXELS, PIXELS[:5] * 0.8))
    for other in (PIXELS / 255, PIXELS * 10, PIXELS - 1000):
        problem(diagnose_same_scale(PIXELS, other, part="test"), "not prepared alike", change="test.map")
    raw = (PIXELS[HALF[1]], LABELS[HALF[1]])
    found = diagnose(small(), train=TRAIN, validation=raw)
    assert [one.name for one in found.problems] == ["scale of validation"]


def test_a_network_with_nothing_left():
    model = small()
    snapshot = model.get_weights()
    fine(diagnose_learning(model, *TRAIN, snapshot=snapshot), "by guessing")
    model.set_weights([3 * one for one in snapshot])
    problem(diagnose_learning(model, *TRAIN, snapshot=snapshot), "features are destroyed", change="lower learning rate")
    model.set_weights([0 * one for one in snapshot])
    problem(diagnose_learning(model, *TRAIN), "the same answer", change="lower learning rate")
    model.set_weights([one * np.nan for one in snapshot])
    problem(diagnose_learning(model, *TRAIN), "NaN", change="lower learning rate")


@keras.saving.register_keras_serializable("tests")
def registered(images):
    return images - 0.5


@pytest.mark.parametrize("function, opens", [(registered, True), (lambda images: images - 0.5, False)])
def test_files_that_open_again(function, opens):
    model = keras.Sequential([keras.Input((SIZE, SIZE, 3)), keras.layers.Lambda(function, name="centre"), *body()])
    found = diagnose_saved(model, TRAIN[0])
    if opens:
        fine(found, "opens again")
    else:
        problem(found, "cannot be opened again.*centre", change="without keras.layers.Lambda")
        assert [one.name for one in diagnose(model, train=TRAIN).problems] == ["saved file"]
