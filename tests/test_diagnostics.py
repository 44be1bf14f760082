"""Every check calls a right program right and a wrong one wrong, and names the mistake and the line to change.

The mistakes are made for real, with networks of a few weights on images of 8 pixels.
"""

import re
import subprocess
import sys

import numpy as np
import pytest

from helpers.diagnostics import (
    Diagnosis,
    diagnose_augmentation_varies,
    diagnose_batch_norm_still,
    diagnose_class_order,
    diagnose_every_image_seen,
    diagnose_head_and_loss,
    diagnose_input_range,
    diagnose_splits,
    diagnose_trainable,
    diagnose_weights_moved,
    report,
    take_snapshot,
)

SIZE, COUNT, CLASSES = 8, 40, 3
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, SIZE, SIZE, 3)).astype("float32")
LABELS = np.arange(COUNT) % CLASSES
ONE_HOT = np.eye(CLASSES)[LABELS]
SPARSE = "sparse_categorical_crossentropy"


@pytest.fixture(scope="module")
def keras():
    import keras

    return keras


@pytest.fixture(scope="module")
def tf():
    import tensorflow

    return tensorflow


@pytest.fixture(autouse=True)
def no_global_seed(tf):
    """Other tests set one. Under it, random functions of TensorFlow in a `map()` begin anew with every pass."""
    tf.random.set_seed(None)


def problem(result, said, *, change):
    assert isinstance(result, Diagnosis) and not result, result
    assert re.search(said, result.message), result
    assert re.search(change, result.change), result
    assert re.fullmatch(r"Problem: .+\n   Change: .+", repr(result))


def fine(result, said=""):
    assert result and re.search(said, result.message), result
    assert repr(result) == f"OK: {result.message}" and not result.change


# Models


def base_model(keras, *, norm=False):
    layers = [keras.Input((SIZE, SIZE, 3)), keras.layers.Conv2D(4, 3, activation="relu", name="block1_conv1")]
    layers += [keras.layers.BatchNormalization(name="block1_norm")] if norm else []
    layers += [keras.layers.Conv2D(4, 3, name="block2_conv1"), keras.layers.GlobalAveragePooling2D()]
    inner = keras.Sequential(layers)
    return keras.Model(inner.inputs[0], inner.outputs[0], name="base")


def nested(keras, **options):
    base, image = base_model(keras, **options), keras.Input((SIZE, SIZE, 3))
    head = keras.layers.Dense(CLASSES, activation="softmax", name="head")
    return base, keras.Model(image, head(base(image, training=False)))


def flat(keras, **options):
    base = base_model(keras, **options)
    head = keras.layers.Dense(CLASSES, activation="softmax", name="head")
    return base, keras.Model(base.inputs[0], head(base.outputs[0]))


def sequential(keras, **options):
    base = base_model(keras, **options)
    return base, keras.Sequential([base, keras.layers.Dense(CLASSES, activation="softmax", name="head")])


def subclassed(keras, **options):
    class Classifier(keras.Model):
        def __init__(self):
            super().__init__()
            self.head = keras.layers.Dense(CLASSES, activation="softmax", name="head")
            self.base = base_model(keras, **options)

        def call(self, images, training=False):
            return self.head(self.base(images, training=training))

    model = Classifier()
    model(IMAGES[:1])
    return model.base, model


two_kinds = pytest.mark.parametrize("build", [nested, subclassed], ids=lambda build: build.__name__)
kinds = pytest.mark.parametrize("build", [nested, flat, sequential, subclassed], ids=lambda build: build.__name__)


def set_trainable(base, value, *, norm=True):
    for layer in base.layers:
        layer.trainable = value and (norm or "norm" not in layer.name)
    if len(base.layers) and value:
        base._trainable = True  # the flag of the nested model itself, without touching its layers


def train(model, optimizer="sgd", *, compile=True, **options):
    import keras

    if compile:
        optimizer = keras.optimizers.SGD(0.01) if optimizer == "sgd" else optimizer
        model.compile(optimizer, loss=SPARSE, **options)
    model.fit(IMAGES / 255, LABELS, batch_size=20, verbose=0)
    return model


# 1 and 2: what may change, and whether training knows it


@two_kinds
def test_frozen_base_then_unfrozen_with_compile(keras, build):
    base, model = build(keras)
    base.trainable = False
    fine(diagnose_trainable(model, expected=["head"]), "compile.. is still to come")
    before = take_snapshot(model)
    fine(diagnose_trainable(train(model), expected=["head"]), "the optimizer knows it")
    fine(diagnose_weights_moved(model, before), "^moved: head; ")
    base.trainable = True
    before = take_snapshot(model)
    train(model)
    fine(diagnose_trainable(model, expected=["block1", "block2", "head"]))
    fine(diagnose_weights_moved(model, before, expected=["block1", "block2", "head"]))


@kinds
def test_base_never_unfrozen(keras, build):
    base, model = build(keras)
    base.trainable = False
    train(model)
    before = take_snapshot(model)
    train(model, keras.optimizers.SGD(0.001))  # compiled again, and still frozen
    problem(diagnose_trainable(model, expected=["block2", "head"]), "should be trained: block2_conv1; trainable: head",
            change=r'get_layer\("block2_conv1"\)\.trainable = True.*compile')  # fmt: skip
    problem(diagnose_weights_moved(model, before, expected=["block2", "head"]), "but should have moved: block2_conv1",
            change=r"trainable = True; model\.compile")  # fmt: skip
    fine(diagnose_weights_moved(model, before), "moved: head")  # that is what the flags say


@kinds
def test_unfrozen_after_fit_without_compile(keras, build):
    base, model = build(keras)
    base.trainable = False
    train(model)
    base.trainable = True
    for _ in range(2):  # before the fit that ignores it, and after
        result = diagnose_trainable(model, expected=["block1", "block2", "head"])
        problem(
            result,
            "became trainable after.*: block1_conv1, block2_conv1",
            change=r"^model\.compile\(.*with a new optimizer",
        )
        before = take_snapshot(model)
        train(model, compile=False)
        problem(
            diagnose_weights_moved(model, before),
            "should have moved: block1_conv1, block2_conv1",
            change="compile",
        )
    fine(
        diagnose_trainable(
            train(model),
            expected=["base", "head"] if build is not flat else ["block", "head"][1:] + ["block1", "block2"],
        )
    )


@two_kinds
def test_frozen_after_fit_without_compile(keras, build):
    base, model = build(keras)
    train(model)
    base.trainable = False
    for _ in range(2):
        problem(
            diagnose_trainable(model, expected=["head"]),
            "frozen after training had begun",
            change=r"^model\.compile",
        )
        before = take_snapshot(model)
        train(model, compile=False)
        problem(diagnose_weights_moved(model, before), "moved, but should be frozen: block1_conv1, block2_conv1",
                change=r"trainable = False")  # fmt: skip
    fine(diagnose_trainable(train(model), expected=["head"]))


def test_too_much_is_trainable(keras):
    _, model = flat(keras)
    problem(diagnose_trainable(model, expected=["block2", "head"]), "^can change, but should be frozen: block1_conv1",
            change=r'model\.get_layer\("block1_conv1"\)\.trainable = False')  # fmt: skip
    problem(
        diagnose_trainable(nested(keras)[1], expected=["head"]),
        "can change",
        change=r'get_layer\("base"\)\.trainable = False',
    )


def test_change_between_compile_and_the_first_fit_counts(keras):
    base, model = nested(keras)
    model.compile("sgd", SPARSE)
    base.trainable = False
    fine(diagnose_trainable(model, expected=["head"]), "nothing was trained since compile")
    before = take_snapshot(model)
    fine(diagnose_trainable(train(model, compile=False), expected=["head"]))
    fine(diagnose_weights_moved(model, before, expected=["head"]))


def test_the_same_optimizer_twice(keras):
    base, model = nested(keras)
    optimizer = keras.optimizers.SGD(0.01)
    train(model, optimizer)
    base.trainable = False
    fine(diagnose_trainable(train(model, optimizer), expected=["head"]))  # knows more than it needs
    base, model = nested(keras)
    base.trainable = False
    train(model, optimizer := keras.optimizers.SGD(0.01))
    base.trainable = True
    model.compile(optimizer, SPARSE)
    problem(
        diagnose_trainable(model),
        "became trainable after the optimizer was built",
        change="with a new optimizer",
    )
    with pytest.raises(ValueError, match="Unknown variable"):
        train(model, compile=False)


def test_eager_training_follows_a_freeze(keras):
    base, model = nested(keras)
    train(model, run_eagerly=True)
    base.trainable = False
    fine(diagnose_trainable(model, expected=["head"]))
    before = take_snapshot(model)
    train(model, compile=False)
    fine(diagnose_weights_moved(model, before, expected=["head"]))


def test_layers_unfrozen_inside_a_frozen_base(keras):
    base, model = nested(keras)
    base.trainable = False
    base.get_layer("block2_conv1").trainable = True
    before = take_snapshot(model)
    fine(diagnose_trainable(train(model), expected=["block2_conv1", "head"]))
    fine(diagnose_weights_moved(model, before, expected=["block2_conv1", "head"]))


def test_norm_layers_may_stay_frozen(keras):
    base, model = nested(keras, norm=True)
    base.get_layer("block1_norm").trainable = False
    fine(diagnose_trainable(model, expected=["base", "head"]))
    problem(
        diagnose_trainable(model, expected=["base", "block1_norm", "head"]),
        "should be trained: block1_norm",
        change="True",
    )


def test_half_precision_optimizer(keras):
    base, model = nested(keras)
    base.trainable = False
    train(model, keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.01)))
    fine(diagnose_trainable(model, expected=["head"]))
    base.trainable = True
    problem(diagnose_trainable(model), "became trainable", change="compile")


def test_a_flag_that_is_set_to_what_it_is_reaches_no_layer(keras):
    base, model = nested(keras)
    for layer in base.layers:
        layer.trainable = False
    base.trainable = True  # it already was, and Keras 3 with TensorFlow then does nothing
    result = diagnose_trainable(model, expected=["base", "head"])
    line = r'^for layer in model.get_layer\("base"\).layers: layer.trainable = True'
    problem(result, "frozen, but should be trained: block1", change=line)
    run_line(result.change, model)
    fine(diagnose_trainable(model, expected=["base", "head"]))


def run_line(line, model):
    exec(line, {"model": model})


@kinds
def test_the_suggested_lines_help(keras, build):
    base, model = build(keras)
    base.trainable = False
    for names in (["block2", "head"], ["block1", "block2", "head"], ["head"], ["block1", "head"]):
        for _ in range(2):
            run_line(diagnose_trainable(model, expected=names).change, model)
        fine(diagnose_trainable(model, expected=names))


def test_a_zero_gradient_is_not_called_frozen(keras):
    _, model = flat(keras)
    before = take_snapshot(model)
    train(model, keras.optimizers.SGD(0.0))
    problem(diagnose_weights_moved(model, before), "should have moved", change="gradient is 0: look at learning rate")


def test_no_training_and_divergence(keras):
    _, model = flat(keras)
    before = take_snapshot(model)
    problem(
        diagnose_weights_moved(model, before),
        "should have moved: block1_conv1, block2_conv1, head",
        change=r"model\.fit",
    )
    train(model, keras.optimizers.SGD(float("inf")))
    problem(diagnose_weights_moved(model, before), "NaN", change="lower learning rate")


def test_whole_model_frozen(keras):
    _, model = flat(keras)
    model.trainable = False
    problem(diagnose_trainable(model, expected=["head"]), "trainable: nothing", change=r"^model\.trainable = True")
    fine(diagnose_trainable(model, expected=[]))


def test_fixed_statistics_are_not_expected_to_learn(keras):
    scale = keras.layers.Normalization(mean=[0.5] * 3, variance=[1.0] * 3)
    model = keras.Sequential(
        [keras.Input((SIZE, SIZE, 3)), scale, keras.layers.Flatten(), keras.layers.Dense(3, "softmax")]
    )
    before = take_snapshot(model)
    fine(diagnose_trainable(train(model), expected=[layer.name for layer in model.layers]))
    fine(diagnose_weights_moved(model, before))


# 7: batch normalisation


@two_kinds
def test_statistics_drift_once_unfrozen(keras, build):
    base, model = build(keras, norm=True)  # nested() calls base(x, training=False), and that does not help
    base.trainable = False
    before = take_snapshot(model)
    fine(diagnose_batch_norm_still(train(model), before), "1 batch normalisations")
    base.trainable = True
    train(model)
    problem(
        diagnose_batch_norm_still(model, before),
        "have drifted: block1_norm",
        change="BatchNormalization.*trainable = False",
    )
    base.get_layer("block1_norm").trainable = False
    before = take_snapshot(model)
    train(model)
    fine(diagnose_batch_norm_still(model, before))
    fine(diagnose_weights_moved(model, before), "block1_conv1")


def test_statistics_of_a_new_head_may_move(keras):
    base = base_model(keras)
    model = keras.Sequential([base, keras.layers.BatchNormalization(name="new"), keras.layers.Dense(3, "softmax")])
    before = take_snapshot(model)
    train(model)
    fine(diagnose_batch_norm_still(model, before), "of 0 batch normalisations are as before; 1 were not looked at")
    problem(diagnose_batch_norm_still(model, before, layers=["new"]), "have drifted: new", change="False")


def test_statistics_in_a_flat_model(keras):
    _, model = flat(keras, norm=True)
    before = take_snapshot(model)
    problem(
        diagnose_batch_norm_still(train(model), before), "have drifted: block1_norm", change="False"
    )  # never trained
    train(model)  # now they hold something
    before = take_snapshot(model)
    problem(diagnose_batch_norm_still(train(model), before), "have drifted: block1_norm", change="False")


# 8 and 10: head and loss


def ending(keras, units, activation, loss, **more):
    layers = [keras.layers.Flatten(), keras.layers.Dense(units, activation=activation, name="head")]
    model = keras.Sequential([keras.Input((SIZE, SIZE, 3)), *layers])
    model.compile("sgd", loss=loss, **more)
    return model


def test_heads_that_fit(keras):
    losses = keras.losses
    fine(
        diagnose_head_and_loss(ending(keras, 3, "softmax", SPARSE), labels=LABELS),
        "^softmax over 3 outputs and sparse",
    )
    fine(diagnose_head_and_loss(ending(keras, 3, "softmax", "categorical_crossentropy"), labels=ONE_HOT, classes=3))
    fine(diagnose_head_and_loss(ending(keras, 3, None, losses.SparseCategoricalCrossentropy(from_logits=True))))
    fine(diagnose_head_and_loss(ending(keras, 1, "sigmoid", "binary_crossentropy"), labels=LABELS % 2, classes=2))
    fine(
        diagnose_head_and_loss(
            ending(keras, 1, None, losses.BinaryCrossentropy(from_logits=True)), labels=LABELS[:, None] % 2
        )
    )
    fine(diagnose_head_and_loss(ending(keras, 3, "sigmoid", "bce"), labels=np.ones((5, 3))))  # several classes at once
    fine(diagnose_head_and_loss(ending(keras, 3, "softmax", SPARSE), labels=[0, 1]))  # a small batch lacks a class
    fine(diagnose_head_and_loss(ending(keras, 3, "softmax", [losses.SparseCategoricalCrossentropy()]), labels=LABELS))
    fine(diagnose_head_and_loss(ending(keras, 3, "softmax", lambda true, predicted: predicted)), "not judged")


def test_logits_and_probabilities(keras):
    twice = ending(keras, 3, "softmax", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    problem(diagnose_head_and_loss(twice), "ends in softmax, and from_logits=True", change="from_logits=False")
    problem(diagnose_head_and_loss(ending(keras, 3, None, SPARSE)), "linear", change="Sparse.*from_logits=True")
    problem(
        diagnose_head_and_loss(ending(keras, 3, "relu", SPARSE)),
        "ends in relu",
        change=r'Dense\(3, activation="softmax"',
    )
    problem(
        diagnose_head_and_loss(ending(keras, 3, "sigmoid", "categorical_crossentropy")),
        "sigmoid",
        change="softmax",
    )
    problem(
        diagnose_head_and_loss(ending(keras, 3, "softmax", "binary_crossentropy")),
        "softmax",
        change="categorical",
    )
    problem(diagnose_head_and_loss(ending(keras, 1, "softmax", "binary_crossentropy")), "always 1", change="sigmoid")
    problem(diagnose_head_and_loss(ending(keras, 1, "sigmoid", SPARSE)), "yes or no", change="binary_crossentropy")


def test_labels_and_units(keras):
    problem(
        diagnose_head_and_loss(ending(keras, 3, "softmax", SPARSE), labels=ONE_HOT),
        "one-hot",
        change='"categorical',
    )
    problem(diagnose_head_and_loss(ending(keras, 3, "softmax", "categorical_crossentropy"), labels=LABELS), "integers",
            change='"sparse_categorical')  # fmt: skip
    old_top = ending(keras, 1000, "softmax", SPARSE)
    problem(diagnose_head_and_loss(old_top, labels=LABELS), "1000 outputs for the classes 0 to 2", change=r"Dense\(3")
    problem(
        diagnose_head_and_loss(ending(keras, 2, "softmax", SPARSE), labels=LABELS),
        "2 outputs",
        change=r"Dense\(3",
    )
    problem(
        diagnose_head_and_loss(ending(keras, 3, "softmax", SPARSE), labels=LABELS + 1),
        "from 0",
        change="labels - 1",
    )
    problem(
        diagnose_head_and_loss(ending(keras, 4, "softmax", SPARSE), classes=3),
        "4 outputs for 3",
        change=r"Dense\(3",
    )
    problem(diagnose_head_and_loss(ending(keras, 1, "sigmoid", "bce"), labels=LABELS), "up to 2", change="sparse")


def test_new_layers_after_the_old_softmax(keras):
    old = ending(keras, 10, "softmax", SPARSE)
    for nest in (old, None):
        image = keras.Input((SIZE, SIZE, 3))
        x = keras.layers.Dropout(0.1)(nest(image) if nest else old.outputs[0])
        x = keras.layers.Dense(8, activation="relu")(x)
        end = keras.layers.Dense(3, activation="softmax")(x)
        model = keras.Model(image if nest else old.inputs[0], end)
        train(model)  # it runs
        problem(
            diagnose_head_and_loss(model, labels=LABELS),
            "after 'head' work on probabilities",
            change="include_top=False",
        )
    both = keras.Sequential([old, keras.layers.Softmax()])
    problem(diagnose_head_and_loss(both), "'head'", change="before 'head'")


def test_subclassed_head_is_tried(keras):
    _, model = subclassed(keras)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    problem(diagnose_head_and_loss(model, images=IMAGES[:4] / 255), "ends in softmax", change="from_logits=False")
    model.compile("sgd", SPARSE)
    fine(diagnose_head_and_loss(model, images=IMAGES[:4] / 255, labels=LABELS))
    fine(diagnose_head_and_loss(model, labels=LABELS))


def test_heads_behind_other_layers(keras):
    image = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Conv2D(3, 3)(image)
    ends = {
        "softmax": keras.layers.Activation("softmax")(keras.layers.GlobalAveragePooling2D()(x)),
        "linear": keras.layers.GlobalAveragePooling2D()(x),
        "sigmoid": keras.ops.sigmoid(keras.layers.GlobalAveragePooling2D()(x)),
    }
    for activation, end in ends.items():
        model = keras.Model(image, keras.layers.Dropout(0.1)(end))
        model.compile("sgd", SPARSE)
        assert activation in diagnose_head_and_loss(model).message
        assert bool(diagnose_head_and_loss(model)) is (activation == "softmax")


# 3: augmentation


def pixels(tf, count=COUNT):
    return tf.data.Dataset.from_tensor_slices((IMAGES[:count], LABELS[:count]))


def augment(tf):
    return lambda image, label: (image + tf.random.uniform(tf.shape(image)), label)


def flip(tf):
    return lambda image, label: (tf.image.random_flip_left_right(image), label)


@pytest.mark.parametrize("limit", [2000, 10])
def test_augmentation_before_and_after_cache(tf, limit):
    wrong = pixels(tf).map(augment(tf)).cache().shuffle(COUNT).batch(8)
    problem(diagnose_augmentation_varies(wrong, limit=limit), "very same 40 images.*cache.. comes after map",
            change=r"cache\(\)\.map\(augment\)")  # fmt: skip
    right = pixels(tf).cache().shuffle(COUNT).map(augment(tf)).batch(8).prefetch(2)
    fine(diagnose_augmentation_varies(right, limit=limit), "40 of 40")
    fine(diagnose_augmentation_varies(pixels(tf).shuffle(COUNT).map(flip(tf)).batch(8), limit=limit))


def test_a_global_seed_makes_every_pass_the_same(tf):
    """What looks augmented is not: the check sees it, and the same pass of validation images is called stable."""
    tf.random.set_seed(1)
    seeded = pixels(tf).map(augment(tf)).batch(8)
    problem(diagnose_augmentation_varies(seeded), "with the same seed every time", change="new seed every time")
    fine(diagnose_splits(validation=seeded))


@pytest.mark.parametrize("limit", [2000, 10])
def test_plain_images_are_not_augmented(tf, limit):
    for plain in (pixels(tf).shuffle(COUNT).batch(8), pixels(tf), pixels(tf).batch(8).shuffle(5)):
        problem(diagnose_augmentation_varies(plain, limit=limit), "not augmented at all", change="augment")
    dropping = pixels(tf).shuffle(COUNT).batch(16, drop_remainder=True)  # another remainder every time
    problem(diagnose_augmentation_varies(dropping), "not augmented", change="augment")
    problem(diagnose_augmentation_varies((IMAGES, LABELS)), "not augmented", change="augment")
    problem(diagnose_augmentation_varies(pixels(tf).cache().shuffle(9)), "behind cache", change="augment")


def test_augmentation_counted_in_steps(tf):
    right = pixels(tf).cache().shuffle(COUNT).map(augment(tf)).repeat().batch(8)
    fine(diagnose_augmentation_varies(right, steps=5))
    wrong = pixels(tf).map(augment(tf)).cache().shuffle(COUNT).repeat().batch(8)
    problem(diagnose_augmentation_varies(wrong, steps=5), "very same 40", change="cache")
    with pytest.raises(ValueError, match="steps="):
        diagnose_augmentation_varies(wrong)


def old_iterator(tf, shuffle=True, seed=None, **ranges):
    from tensorflow.keras.preprocessing.image import ImageDataGenerator

    return ImageDataGenerator(**ranges).flow(IMAGES, LABELS, batch_size=16, shuffle=shuffle, seed=seed)


def test_augmentation_by_the_old_generator(tf):
    fine(diagnose_augmentation_varies(old_iterator(tf, channel_shift_range=90)))
    fine(diagnose_augmentation_varies(old_iterator(tf, channel_shift_range=90, seed=3)))
    problem(diagnose_augmentation_varies(old_iterator(tf)), "not augmented", change="rotation_range")


def in_batches(keras, *, length=5, noise=0.0, seed=None):
    class Batches(keras.utils.PyDataset):
        def __init__(self):
            super().__init__()
            self.order = np.arange(COUNT)
            self.generator = np.random.default_rng(0)

        def __len__(self):
            return length

        def __getitem__(self, index):
            chosen = self.order[8 * index : 8 * index + 8]
            generator = self.generator if seed is None else np.random.default_rng(seed + index)
            return IMAGES[chosen] + noise * generator.random(IMAGES[chosen].shape, "float32"), LABELS[chosen]

        def on_epoch_end(self):
            np.random.shuffle(self.order)

    return Batches()


def test_augmentation_by_a_py_dataset(keras):
    fine(diagnose_augmentation_varies(in_batches(keras, noise=1.0)))
    problem(diagnose_augmentation_varies(in_batches(keras)), "not augmented", change="augment")


# 4, 5, 12: the parts


@pytest.fixture(scope="module")
def folder(tmp_path_factory, keras):
    place = tmp_path_factory.mktemp("pictures")
    for number, image in enumerate(IMAGES):
        (place / f"class{number % 2}").mkdir(exist_ok=True)
        keras.utils.save_img(place / f"class{number % 2}" / f"{number}.png", image, scale=False)
    return place


def from_folder(keras, folder, **options):
    options = {"image_size": (SIZE, SIZE), "batch_size": 4, "verbose": False} | options
    return keras.utils.image_dataset_from_directory(folder, **options)


@pytest.mark.parametrize("seed", [None, 7])
def test_shuffle_before_take_and_skip(keras, folder, seed):
    everything = from_folder(keras, folder, shuffle=True, seed=seed)
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
    shuffled = in_batches(keras, length=3)  # the first 24 of 40 in a new order each time
    problem(
        diagnose_splits(train=shuffled, validation=IMAGES[30:]),
        "every pass deals the images out anew",
        **expected,
    )
    plain = iter_only(validation), iter_only(train_part)  # the pipeline cannot be seen
    problem(diagnose_splits(validation=plain[0], train=plain[1]), "also in", **expected)


def iter_only(dataset):
    return lambda: iter(dataset)


def test_parts_that_are_apart(keras, tf, folder):
    train_part, validation = from_folder(keras, folder, validation_split=0.3, subset="both", seed=1)
    fine(diagnose_splits(train=train_part, validation=validation), "28 train, 12 validation")
    augmented = train_part.map(augment(tf)).cache().shuffle(9).repeat(1).prefetch(2)
    fine(diagnose_splits(train=augmented, validation=validation.cache()))
    fixed = pixels(tf).shuffle(COUNT, seed=1, reshuffle_each_iteration=False)
    fine(diagnose_splits(train=fixed.skip(10).shuffle(30), validation=fixed.take(10)))
    fine(diagnose_splits(train=(IMAGES[:20], LABELS[:20]), test=IMAGES[20:]))
    fine(diagnose_splits(train=in_batches(keras), validation=IMAGES + 1))
    fine(diagnose_splits(validation=pixels(tf).shuffle(COUNT).batch(8), limit=10), "40 validation")
    fine(diagnose_splits(train=pixels(tf), test=IMAGES[COUNT:0:-1] + 1, limit=10), "only the first 10")


def test_augmented_validation(tf, keras):
    validation = pixels(tf, 20).map(augment(tf)).batch(8)
    problem(
        diagnose_splits(train=IMAGES[20:], validation=validation),
        "20 of 20 validation.*augmented",
        change="preprocess",
    )
    problem(
        diagnose_splits(train=IMAGES[20:], validation=pixels(tf, 20).map(flip(tf))),
        "augmented",
        change="preprocess",
    )
    problem(diagnose_splits(test=validation, limit=5), "test.*augmented", change="preprocess")
    problem(
        diagnose_splits(validation=old_iterator(tf, channel_shift_range=90)),
        "augmented",
        change="ImageDataGenerator",
    )
    fine(diagnose_splits(validation=old_iterator(tf)))
    dropping = pixels(tf).shuffle(COUNT).batch(16, drop_remainder=True)
    problem(diagnose_splits(validation=dropping), "drop_remainder leaves out others", change="batch")


def test_duplicates_and_test_as_validation(tf):
    problem(
        diagnose_splits(train=IMAGES[:30], test=IMAGES[25:]),
        "5 of 15 test images are also in train",
        change="names",
    )
    whole = pixels(tf).shuffle(COUNT).batch(8)
    problem(
        diagnose_splits(validation=whole, test=pixels(tf)),
        "one part is used in two places",
        change="only at the end",
    )


def test_files_and_names(folder, keras):
    files = sorted(folder.rglob("*.png"))
    fine(diagnose_splits(train=files[:30], validation=files[30:]))
    fine(diagnose_splits(train=folder / "class0", test=folder / "class1"))
    problem(diagnose_splits(train=folder, test=files[:3]), "3 of 3 test", change="split the names")
    (folder / "copy.png").write_bytes(files[0].read_bytes())
    problem(diagnose_splits(train=files[:9], test=[folder / "copy.png"]), "1 of 1 test", change="duplicates together")
    (folder / "copy.png").unlink()
    patches = {"train": ["brick.png"] * 3 + ["grass.png"], "test": ["coins.png", "grass.png"]}
    problem(diagnose_splits(**patches), "1 of 2 test images are also in train, such as grass", change="photographs")
    shared = from_folder(keras, folder, shuffle=False)
    scaled = from_folder(keras, folder, image_size=(4, 4), shuffle=False)
    problem(diagnose_splits(train=shared, validation=scaled), "40 of 40", change="")  # known by the names of the files


# 9: every image


def test_steps_rounded_down(tf):
    endless = pixels(tf).shuffle(COUNT).repeat().batch(16)
    problem(diagnose_every_image_seen(pixels(tf).batch(16), expected=COUNT, steps=COUNT // 16), "32 of 40.*8 are left out",
            change=r"math\.ceil\(40 / 16\)  # 3")  # fmt: skip
    problem(diagnose_every_image_seen(endless, expected=COUNT, steps=2), "32 of 40", change="ceil")
    problem(diagnose_every_image_seen(old_iterator(tf), expected=COUNT, steps=2), "32 of 40", change="ceil")
    fine(diagnose_every_image_seen(old_iterator(tf), expected=COUNT, steps=3), "40 images")
    fine(diagnose_every_image_seen(old_iterator(tf, channel_shift_range=90), expected=COUNT))
    fine(diagnose_every_image_seen(pixels(tf).batch(16), expected=COUNT, steps=3))
    fine(diagnose_every_image_seen(endless, expected=COUNT, steps=3), "8 more")


def test_images_that_are_left_out(tf, keras):
    dropping = pixels(tf).shuffle(9).batch(16, drop_remainder=True)
    problem(diagnose_every_image_seen(dropping, expected=COUNT), "32 of 40", change=r"batch\(16\)")
    problem(
        diagnose_every_image_seen(in_batches(keras, length=4), expected=COUNT),
        "32 of 40",
        change="__len__.*ceil",
    )
    fine(diagnose_every_image_seen(in_batches(keras), expected=COUNT))
    fine(diagnose_every_image_seen(pixels(tf).map(augment(tf)).batch(16), expected=COUNT))
    mixed = pixels(tf).repeat().shuffle(COUNT).batch(8)  # epochs run into each other
    problem(
        diagnose_every_image_seen(mixed, expected=COUNT, steps=5),
        "some twice, others not",
        change="shuffle.*repeat",
    )
    twice = pixels(tf, 20).concatenate(pixels(tf, 20))  # the data hold each image twice
    fine(diagnose_every_image_seen(twice.shuffle(COUNT).repeat().batch(8), expected=COUNT, steps=5))
    problem(diagnose_every_image_seen(pixels(tf).repeat(9), expected=COUNT), "more than 120", change="steps")


# 14: classes


def test_class_order(keras, folder):
    dataset = from_folder(keras, folder)
    fine(diagnose_class_order(dataset, ["class0", "class1"]))
    fine(diagnose_class_order({"a": 0, "b": 1}, ["a", "b"]))
    problem(diagnose_class_order(["cat", "dog"], {"dog": 0, "cat": 1}), "class 0 is 'cat' in training and 'dog' here",
            change=r"class_names=\['cat', 'dog'\]")  # fmt: skip
    problem(diagnose_class_order(["cat", "dog"], [".cache", "cat", "dog"]), "new: .cache", change="class_names")


# 6: input range

CAFFE = np.array([103.939, 116.779, 123.68], "float32")
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
PREPARED = {
    "vgg16": IMAGES[..., ::-1] - CAFFE,
    "mobilenet_v2": IMAGES / 127.5 - 1,
    "efficientnet": IMAGES,
    "densenet": (IMAGES / 255 - MEAN) / DEVIATION,
}
SAME = {
    "vgg16": ["VGG19", "resnet50"],
    "mobilenet_v2": ["inception_v3", "xception", "ResNet50V2"],
    "efficientnet": ["EfficientNetB0"],
}


@pytest.mark.parametrize("backbone", PREPARED)
def test_each_preparation_fits_its_own_backbones_only(keras, backbone):
    for name in [backbone, *SAME.get(backbone, [])]:
        fine(diagnose_input_range(PREPARED[backbone], backbone=name))
    for other in set(PREPARED) - {backbone}:
        if (backbone, other) != ("mobilenet_v2", "densenet"):
            problem(diagnose_input_range(PREPARED[other], backbone=backbone), "they look|larger", change="preprocess")
    problem(diagnose_input_range(IMAGES / 255, backbone=backbone), "scaled to 0..1", change="preprocess")


def test_preparations_agree_with_keras(keras):
    for name, module in (("vgg16", "vgg16"), ("mobilenet_v2", "mobilenet_v2"), ("densenet", "densenet")):
        prepare = getattr(keras.applications, module).preprocess_input
        fine(diagnose_input_range(prepare(IMAGES.copy()), backbone=name))
        problem(
            diagnose_input_range(prepare(np.array(prepare(IMAGES.copy()))), backbone=name),
            "twice",
            change="once",
        )
        problem(
            diagnose_input_range(prepare(IMAGES / 255), backbone=name),
            "scaled to 0..1 and then",
            change="no rescale",
        )
    problem(
        diagnose_input_range(PREPARED["vgg16"] / 255, backbone="vgg16"),
        "then divided by 255",
        change="no rescale",
    )
    problem(
        diagnose_input_range(IMAGES - CAFFE[::-1], backbone="vgg16"),
        "not swapped to BGR",
        change="vgg16.preprocess_input",
    )


def test_input_of_datasets(tf, keras):
    right = (
        pixels(tf)
        .repeat()
        .batch(8)
        .map(lambda images, labels: (keras.applications.vgg16.preprocess_input(images), labels))
    )
    fine(diagnose_input_range(right, backbone="vgg16"))
    problem(diagnose_input_range(old_iterator(tf, rescale=1 / 255), backbone="vgg16"), "0..1", change="rescale")
    problem(diagnose_input_range(in_batches(keras), backbone="vgg16"), "raw pixels", change="preprocess_input")


# Nothing is changed, and nonsense is refused in plain words


def state(model):
    flags = [(layer.name, layer.trainable) for layer in model._flatten_layers()]
    compiled = [
        model.compiled,
        model.optimizer,
        model.train_function,
        model.loss,
        dict(model._compiled_trainable_state),
    ]
    return flags, compiled, [len(layer._inbound_nodes) for layer in model._flatten_layers()]


@two_kinds
def test_the_model_stays_as_it_is(keras, build):
    _, model = build(keras, norm=True)
    train(model)
    before, optimizer, seen = (
        take_snapshot(model),
        [w.numpy() for w in model.optimizer.variables],
        state(model),
    )
    diagnose_trainable(model, expected=["block1", "head"])
    diagnose_weights_moved(model, before)
    diagnose_batch_norm_still(model, before)
    diagnose_head_and_loss(model, labels=LABELS, images=IMAGES)
    assert state(model) == seen
    assert all(map(np.array_equal, before.values, take_snapshot(model).values))
    assert all(map(np.array_equal, optimizer, [w.numpy() for w in model.optimizer.variables]))


def test_the_learners_iterator_stays_where_it_is(tf):
    iterator = old_iterator(tf, channel_shift_range=90, seed=1)
    diagnose_augmentation_varies(iterator)
    assert iterator.total_batches_seen == 0 and iterator.index_array is None


def test_nonsense_is_refused(keras, tf):
    _, model = flat(keras)
    for check in (diagnose_trainable, take_snapshot, diagnose_head_and_loss):
        with pytest.raises(TypeError, match="a Keras model is wanted; received str"):
            check("vgg16")
    with pytest.raises(ValueError, match="no layer 'block9'"):
        diagnose_trainable(model, expected=["block9"])
    with pytest.raises(TypeError, match="a list of layer names"):
        diagnose_trainable(model, expected="head")
    with pytest.raises(ValueError, match="of another model"):
        diagnose_weights_moved(model, take_snapshot(nested(keras, norm=True)[1]))
    with pytest.raises(TypeError, match="take_snapshot"):
        diagnose_weights_moved(model, [1])
    with pytest.raises(TypeError, match="gone through only once"):
        diagnose_augmentation_varies(image for image in IMAGES)
    with pytest.raises(TypeError, match="a dataset or an array"):
        diagnose_every_image_seen("folder", expected=3)
    with pytest.raises(ValueError, match="expected is 0"):
        diagnose_every_image_seen(IMAGES, expected=0)
    with pytest.raises(ValueError, match="at least two parts"):
        diagnose_splits(train=IMAGES)
    with pytest.raises(ValueError, match="not known; choose from"):
        diagnose_input_range(IMAGES, backbone="alexnet")
    with pytest.raises(ValueError, match="not one image"):
        diagnose_augmentation_varies(IMAGES[:0])
    with pytest.raises(TypeError, match="what the checks return"):
        report("fine")


def test_report():
    text = report(Diagnosis("classes", True, "all there."), Diagnosis("range", False, "too low.", "images * 255"))
    assert text.splitlines() == [
        "Problem range    too low.",
        "                 Change: images * 255",
        "OK      classes  all there.",
    ]
    assert report() == ""


def test_importing_the_checks_is_cheap():
    code = "import sys, helpers.model_checks; print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["False", "False"]
