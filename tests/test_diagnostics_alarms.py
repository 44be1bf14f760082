"""diagnose() on programs that look unusual and are sound, and on mistakes that leave no trace but one."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from diagnostics_programs import fine, problem
from test_diagnostics_together import CLASSES, HALF, LABELS, PIXELS, SIZE, SPARSE, TRAIN, VALIDATION, body, fitted, small

from helpers.diagnostics import diagnose, diagnose_class_order, diagnose_learning, diagnose_pretrained

PREPARED = [(keras.applications.vgg16.preprocess_input(PIXELS[some].copy()), LABELS[some]) for some in HALF]


def first_task():
    return fitted(small(), *[(images[labels < 2], labels[labels < 2]) for images, labels in (TRAIN, VALIDATION)])


def frozen_for_export():
    given = fitted(small(), TRAIN, VALIDATION)
    given["model"].trainable = False
    return given


def own_norm_between_phases():
    model = keras.Sequential([keras.Input((SIZE, SIZE, 3)), *body(norm=True), keras.layers.Dense(CLASSES, "softmax")])
    fitted(model, TRAIN, VALIDATION)
    return fitted(model, TRAIN, VALIDATION, rate=0.001)


def backbone(*, bias="normal"):
    """Return a network whose base looks pretrained: no bias is 0."""
    convolution = keras.layers.Conv2D(8, 3, strides=4, activation="relu", bias_initializer=bias, name="old")
    base = keras.Sequential([keras.Input((SIZE, SIZE, 3)), convolution], name="base")
    base.trainable = False
    return keras.Sequential([keras.Input((SIZE, SIZE, 3)), base])


def new_convolution_in_the_head():
    model = backbone(bias=keras.initializers.RandomNormal(stddev=0.1))
    model.add(keras.layers.Conv2D(4, 3, kernel_initializer=keras.initializers.RandomNormal(stddev=0.01)))
    model.add(keras.layers.GlobalAveragePooling2D())
    model.add(keras.layers.Dense(CLASSES, "softmax"))
    return fitted(model, *PREPARED, epochs=10, rate=0.03) | {"backbone": "vgg16"}


def batches_of_two_classes():
    generator, many = np.random.default_rng(0), np.arange(240) % 12
    images = generator.random((240, SIZE, SIZE, 3), "float32") + many[:, None, None, None] / 4
    pairs = [generator.choice(12, 2, replace=False) for _ in range(30)]
    chosen = np.concatenate(
        [generator.choice(np.flatnonzero(many == one), 4, replace=False) for two in pairs for one in two]
    )
    train = tf.data.Dataset.from_tensor_slices((images[chosen], many[chosen])).batch(8)
    return fitted(small(12), train, (images[::7] + 0.01, many[::7]), epochs=6)


def drawn_with_replacement():
    class Batches(keras.utils.PyDataset):
        generator, num_batches = np.random.default_rng(0), 5

        def __getitem__(self, index):
            chosen = self.generator.choice(40, 8)
            return TRAIN[0][chosen], TRAIN[1][chosen]

    return fitted(small(), Batches(), VALIDATION) | {"images": 40}


SOUND = [first_task, frozen_for_export, own_norm_between_phases, new_convolution_in_the_head, batches_of_two_classes]


@pytest.mark.parametrize("program", [*SOUND, drawn_with_replacement], ids=lambda program: program.__name__)
def test_no_alarm_on_a_sound_program(program):
    keras.utils.set_random_seed(0)
    found = diagnose(**program())
    assert found and {"head and loss", "trainable", "learning", "classes"} <= {one.name for one in found}, found


def test_how_many_outputs_are_meant():
    assert [one.name for one in diagnose(**first_task(), classes=2).problems] == ["head and loss"]
    assert diagnose(**first_task(), classes=CLASSES)


def test_no_better_than_chance():
    keras.utils.set_random_seed(0)
    labels = np.random.default_rng(5).permutation(LABELS)  # the images were shuffled, their labels were not
    model = small()
    model.compile(keras.optimizers.Adam(0.001), SPARSE)
    model.fit(PIXELS / 255, labels, epochs=1, verbose=0)
    problem(diagnose_learning(model, PIXELS / 255, labels), "no better than chance", change="other lines")
    assert [one.name for one in diagnose(model, train=(PIXELS / 255, labels)).problems] == ["learning"]
    fine(diagnose_learning(model, PIXELS[:40] / 255, labels[:40]), "by guessing")  # too few to tell
    fine(diagnose_learning(model, PIXELS / 255, model.predict(PIXELS / 255, verbose=0).argmax(axis=1) * 0), "not judged")


@pytest.mark.parametrize("right, count, guess, rare", [(10, 100, 0.1, False), (20, 100, 0.1, True), (0, 50, 0.5, False)])
def test_how_likely_guessing_is(right, count, guess, rare):
    from helpers.diagnostics import learning

    assert (learning._by_guessing(right, count, guess) < learning.RARE) == rare
    assert learning._by_guessing(0, count, guess) == pytest.approx(1)


def test_a_backbone_without_weights():
    vgg = keras.applications.VGG16(weights=None, include_top=False, input_shape=(SIZE, SIZE, 3))
    problem(diagnose_pretrained(vgg), "block1_conv1 has weights at random", change="imagenet")
    known = backbone(bias=keras.initializers.RandomNormal())
    fine(diagnose_pretrained(known, snapshot=known.get_weights()))
    for weights, said in ((None, problem), ("changed", fine)):
        mobile = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(SIZE, SIZE, 3), alpha=0.35)
        if weights:
            mobile(PREPARED[0][0][:8] / 100, training=True)
        said(diagnose_pretrained(mobile), "", **({} if weights else {"change": "imagenet"}))
    with pytest.raises(ValueError, match="no convolution"):
        diagnose_pretrained(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]))
    model = backbone(bias="zeros")
    assert "pretrained" in {one.name for one in diagnose(model, train=PREPARED[0], backbone="vgg16").problems}


def test_class_names_that_datasets_have():
    parts = [tf.data.Dataset.from_tensor_slices(part).batch(10) for part in (TRAIN, VALIDATION)]
    for part, names in zip(parts, (["a", "b", "c"], ["b", "a", "c"]), strict=True):
        part.class_names = names
    found = diagnose(small(), train=parts[0], validation=parts[1])
    assert [one.name for one in found.problems] == ["class order"]
    fine(diagnose_class_order(parts[0], parts[0]))
