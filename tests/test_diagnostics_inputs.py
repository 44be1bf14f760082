"""Diagnoses of the values that a network gets, and of its head, loss and labels."""

import keras
import numpy as np
import pytest
from diagnostics_programs import (
    IMAGES,
    LABELS,
    ONE_HOT,
    SIZE,
    SPARSE,
    fine,
    flat,
    in_batches,
    old_iterator,
    pixels,
    problem,
    subclassed,
    train,
)

from helpers.diagnostics import diagnose_head_and_loss, diagnose_input_range

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


def ending(units, activation, loss, **more):
    layers = [keras.layers.Flatten(), keras.layers.Dense(units, activation=activation, name="head")]
    model = keras.Sequential([keras.Input((SIZE, SIZE, 3)), *layers])
    model.compile("sgd", loss=loss, **more)
    return model


@pytest.mark.parametrize(
    ("head", "given", "said"),
    [
        ((3, "softmax", SPARSE), {"labels": LABELS}, "^softmax over 3 outputs and sparse"),
        ((3, "softmax", "categorical_crossentropy"), {"labels": ONE_HOT, "classes": 3}, ""),
        ((3, None, keras.losses.SparseCategoricalCrossentropy(from_logits=True)), {}, ""),
        ((1, "sigmoid", "binary_crossentropy"), {"labels": LABELS % 2, "classes": 2}, ""),
        ((1, None, keras.losses.BinaryCrossentropy(from_logits=True)), {"labels": LABELS[:, None] % 2}, ""),
        ((3, "sigmoid", "bce"), {"labels": np.ones((5, 3))}, ""),  # several classes at once
        ((3, "softmax", SPARSE), {"labels": [0, 1]}, ""),  # a small batch lacks a class
        ((3, "softmax", [keras.losses.SparseCategoricalCrossentropy()]), {"labels": LABELS}, ""),
        ((3, "softmax", lambda true, predicted: predicted), {}, "not judged"),
    ],
)
def test_heads_that_fit(head, given, said):
    fine(diagnose_head_and_loss(ending(*head), **given), said)


LOGITS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
HOT = "categorical_crossentropy"


@pytest.mark.parametrize(
    ("head", "given", "said", "change"),
    [
        ((3, "softmax", LOGITS), {}, "ends in softmax, and from_logits=True", "from_logits=False"),
        ((3, None, SPARSE), {}, "linear", "Sparse.*from_logits=True"),
        ((3, "relu", SPARSE), {}, "ends in relu", r'Dense\(3, activation="softmax"'),
        ((3, "sigmoid", HOT), {}, "sigmoid", "softmax"),
        ((3, "softmax", "binary_crossentropy"), {}, "softmax", "categorical"),
        ((1, "softmax", "binary_crossentropy"), {}, "always 1", "sigmoid"),
        ((1, "sigmoid", SPARSE), {}, "yes or no", "binary_crossentropy"),
        ((3, "softmax", SPARSE), {"labels": ONE_HOT}, "one-hot", '"categorical'),
        ((3, "softmax", HOT), {"labels": LABELS}, "integers", '"sparse_categorical'),
        ((1000, "softmax", SPARSE), {"labels": LABELS}, "1000 outputs for the classes 0 to 2", r"Dense\(3"),
        ((2, "softmax", SPARSE), {"labels": LABELS}, "2 outputs", r"Dense\(3"),
        ((3, "softmax", SPARSE), {"labels": LABELS + 1}, "from 0", "labels - 1"),
        ((4, "softmax", SPARSE), {"classes": 3}, "4 outputs for 3", r"Dense\(3"),
        ((1, "sigmoid", "bce"), {"labels": LABELS}, "up to 2", "sparse"),
    ],
)
def test_heads_that_do_not_fit(head, given, said, change):
    problem(diagnose_head_and_loss(ending(*head), **given), said, change=change)


def test_new_layers_after_the_old_softmax():
    old = ending(10, "softmax", SPARSE)
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


def test_subclassed_head_is_tried():
    _, model = subclassed()
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    problem(diagnose_head_and_loss(model, images=IMAGES[:4] / 255), "ends in softmax", change="from_logits=False")
    model.compile("sgd", SPARSE)
    fine(diagnose_head_and_loss(model, images=IMAGES[:4] / 255, labels=LABELS))
    fine(diagnose_head_and_loss(model, labels=LABELS))


def test_heads_behind_other_layers():
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


@pytest.mark.parametrize("backbone", PREPARED)
def test_each_preparation_fits_its_own_backbones_only(backbone):
    for name in [backbone, *SAME.get(backbone, [])]:
        fine(diagnose_input_range(PREPARED[backbone], backbone=name))
    for other in set(PREPARED) - {backbone}:
        if (backbone, other) != ("mobilenet_v2", "densenet"):
            problem(diagnose_input_range(PREPARED[other], backbone=backbone), "they look|larger", change="preprocess")
    problem(diagnose_input_range(IMAGES / 255, backbone=backbone), "scaled to 0..1", change="preprocess")


@pytest.mark.parametrize("name", ["vgg16", "mobilenet_v2", "densenet"])
def test_preparations_agree_with_keras(name):
    prepare = getattr(keras.applications, name).preprocess_input
    fine(diagnose_input_range(prepare(IMAGES.copy()), backbone=name))
    twice = diagnose_input_range(prepare(np.array(prepare(IMAGES.copy()))), backbone=name)
    problem(twice, "twice", change="once")
    scaled = diagnose_input_range(prepare(IMAGES / 255), backbone=name)
    problem(scaled, "scaled to 0..1 and then", change="no rescale")


def test_other_orders_of_preparation():
    divided = diagnose_input_range(PREPARED["vgg16"] / 255, backbone="vgg16")
    problem(divided, "then divided by 255", change="no rescale")
    swapped = diagnose_input_range(IMAGES - CAFFE[::-1], backbone="vgg16")
    problem(swapped, "not swapped to BGR", change="vgg16.preprocess_input")


def test_input_of_datasets():
    prepare = keras.applications.vgg16.preprocess_input
    right = pixels().repeat().batch(8).map(lambda images, labels: (prepare(images), labels))
    fine(diagnose_input_range(right, backbone="vgg16"))
    problem(diagnose_input_range(old_iterator(rescale=1 / 255), backbone="vgg16"), "0..1", change="rescale")
    problem(diagnose_input_range(in_batches(), backbone="vgg16"), "raw pixels", change="preprocess_input")


@pytest.mark.parametrize(
    ("error", "said", "call"),
    [
        (ValueError, "not known; choose from", lambda: diagnose_input_range(IMAGES, backbone="alexnet")),
        (TypeError, "backbone is a name", lambda: diagnose_input_range(IMAGES, backbone=16)),
        (ValueError, r"shape \(8, 12\)", lambda: diagnose_input_range(np.ones((8, 12)), backbone="vgg16")),
        (ValueError, "not one image", lambda: diagnose_input_range(IMAGES[:0], backbone="vgg16")),
        (TypeError, "a Keras model is wanted; received str", lambda: diagnose_head_and_loss("vgg16")),
        (ValueError, "labels are <U1 of shape", lambda: diagnose_head_and_loss(flat()[1], labels=["a"])),
    ],
)
def test_nonsense_is_refused(error, said, call):
    with pytest.raises(error, match=said):
        call()
