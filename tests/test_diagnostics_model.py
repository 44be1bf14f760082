"""Diagnoses of a model: the mistakes are made for real, with training of a few steps."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from diagnostics_programs import (
    IMAGES,
    LABELS,
    SIZE,
    SPARSE,
    base_model,
    fine,
    flat,
    nested,
    problem,
    sequential,
    subclassed,
    train,
)

from helpers.diagnostics import (
    Diagnosis,
    diagnose_batch_norm_still,
    diagnose_head_and_loss,
    diagnose_trainable,
    diagnose_weights_moved,
    report,
    take_snapshot,
)

two_kinds = pytest.mark.parametrize("build", [nested, subclassed], ids=lambda build: build.__name__)
kinds = pytest.mark.parametrize("build", [nested, flat, sequential, subclassed], ids=lambda build: build.__name__)


@two_kinds
def test_frozen_base_then_unfrozen_with_compile(build):
    base, model = build()
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
def test_base_never_unfrozen(build):
    base, model = build()
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
def test_unfrozen_after_fit_without_compile(build):
    base, model = build()
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
def test_frozen_after_fit_without_compile(build):
    base, model = build()
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


def test_too_much_is_trainable():
    _, model = flat()
    problem(diagnose_trainable(model, expected=["block2", "head"]), "^can change, but should be frozen: block1_conv1",
            change=r'model\.get_layer\("block1_conv1"\)\.trainable = False')  # fmt: skip
    problem(
        diagnose_trainable(nested()[1], expected=["head"]),
        "can change",
        change=r'get_layer\("base"\)\.trainable = False',
    )


def test_change_between_compile_and_the_first_fit_counts():
    base, model = nested()
    model.compile("sgd", SPARSE)
    base.trainable = False
    fine(diagnose_trainable(model, expected=["head"]), "nothing was trained since compile")
    before = take_snapshot(model)
    fine(diagnose_trainable(train(model, compile=False), expected=["head"]))
    fine(diagnose_weights_moved(model, before, expected=["head"]))


def test_the_same_optimizer_twice():
    base, model = nested()
    optimizer = keras.optimizers.SGD(0.01)
    train(model, optimizer)
    base.trainable = False
    fine(diagnose_trainable(train(model, optimizer), expected=["head"]))  # knows more than it needs
    base, model = nested()
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


def test_eager_training_follows_a_freeze():
    base, model = nested()
    train(model, run_eagerly=True)
    base.trainable = False
    fine(diagnose_trainable(model, expected=["head"]))
    before = take_snapshot(model)
    train(model, compile=False)
    fine(diagnose_weights_moved(model, before, expected=["head"]))


def test_layers_unfrozen_inside_a_frozen_base():
    base, model = nested()
    base.trainable = False
    base.get_layer("block2_conv1").trainable = True
    before = take_snapshot(model)
    fine(diagnose_trainable(train(model), expected=["block2_conv1", "head"]))
    fine(diagnose_weights_moved(model, before, expected=["block2_conv1", "head"]))


def test_norm_layers_may_stay_frozen():
    base, model = nested(norm=True)
    base.get_layer("block1_norm").trainable = False
    fine(diagnose_trainable(model, expected=["base", "head"]))
    problem(
        diagnose_trainable(model, expected=["base", "block1_norm", "head"]),
        "should be trained: block1_norm",
        change="True",
    )


def test_half_precision_optimizer():
    base, model = nested()
    base.trainable = False
    train(model, keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.01)))
    fine(diagnose_trainable(model, expected=["head"]))
    base.trainable = True
    problem(diagnose_trainable(model), "became trainable", change="compile")


def test_a_flag_that_is_set_to_what_it_is_reaches_no_layer():
    base, model = nested()
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
def test_the_suggested_lines_help(build):
    base, model = build()
    base.trainable = False
    for names in (["block2", "head"], ["block1", "block2", "head"], ["head"], ["block1", "head"]):
        for _ in range(2):
            run_line(diagnose_trainable(model, expected=names).change, model)
        fine(diagnose_trainable(model, expected=names))


def test_a_zero_gradient_is_not_called_frozen():
    _, model = flat()
    before = take_snapshot(model)
    train(model, keras.optimizers.SGD(0.0))
    problem(diagnose_weights_moved(model, before), "should have moved", change="gradient is 0: look at learning rate")


def test_no_training_and_divergence():
    _, model = flat()
    before = take_snapshot(model)
    problem(
        diagnose_weights_moved(model, before),
        "should have moved: block1_conv1, block2_conv1, head",
        change=r"model\.fit",
    )
    train(model, keras.optimizers.SGD(float("inf")))
    problem(diagnose_weights_moved(model, before), "NaN", change="lower learning rate")


def test_whole_model_frozen():
    _, model = flat()
    model.trainable = False
    problem(diagnose_trainable(model, expected=["head"]), "trainable: nothing", change=r"^model\.trainable = True")
    fine(diagnose_trainable(model, expected=[]))


def test_fixed_statistics_are_not_expected_to_learn():
    scale = keras.layers.Normalization(mean=[0.5] * 3, variance=[1.0] * 3)
    model = keras.Sequential([keras.Input((SIZE, SIZE, 3)), scale, keras.layers.Flatten(), keras.layers.Dense(3, "softmax")])
    before = take_snapshot(model)
    fine(diagnose_trainable(train(model), expected=[layer.name for layer in model.layers]))
    fine(diagnose_weights_moved(model, before))


@two_kinds
def test_statistics_drift_once_unfrozen(build):
    base, model = build(norm=True)  # nested() calls base(x, training=False), and that does not help
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


def test_statistics_of_a_new_head_may_move():
    base = base_model()
    model = keras.Sequential([base, keras.layers.BatchNormalization(name="new"), keras.layers.Dense(3, "softmax")])
    before = take_snapshot(model)
    train(model)
    fine(diagnose_batch_norm_still(model, before), "of 0 batch normalisations are as before; 1 were not looked at")
    problem(diagnose_batch_norm_still(model, before, layers=["new"]), "have drifted: new", change="False")


def test_statistics_in_a_flat_model():
    _, model = flat(norm=True)
    before = take_snapshot(model)
    problem(diagnose_batch_norm_still(train(model), before), "have drifted: block1_norm", change="False")  # never trained
    train(model)  # now they hold something
    before = take_snapshot(model)
    problem(diagnose_batch_norm_still(train(model), before), "have drifted: block1_norm", change="False")


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
def test_the_model_stays_as_it_is(build):
    _, model = build(norm=True)
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
    assert all(map(np.array_equal, before, take_snapshot(model)))
    assert all(map(np.array_equal, optimizer, [w.numpy() for w in model.optimizer.variables]))


class Scaled(keras.layers.Layer):
    """A composed layer, with a weight of its own and layers in lists and dicts."""

    def __init__(self):
        super().__init__(name="scaled")
        self.blocks = [keras.layers.Flatten(), {"dense": keras.layers.Dense(4, name="inner")}]

    def build(self, shape):
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")
        self.blocks[1]["dense"].build((None, SIZE * SIZE * 3))

    def call(self, images):
        return self.scale * self.blocks[1]["dense"](self.blocks[0](images))


def test_layers_inside_composed_layers():
    model = keras.Sequential([keras.Input((SIZE, SIZE, 3)), Scaled(), keras.layers.Dense(3, "softmax", name="head")])
    fine(diagnose_trainable(model, expected=["scaled", "head"]), "^trainable: .*inner.*head")
    before = take_snapshot(model)
    model.get_layer("scaled").trainable = False
    problem(diagnose_trainable(model, expected=["inner", "head"]), "should be trained: inner", change='"scaled"')
    fine(diagnose_weights_moved(train(model), before), "^moved: head;")


@pytest.mark.parametrize(
    ("error", "said", "call"),
    [
        (TypeError, "a Keras model is wanted; received str", lambda model: diagnose_trainable("vgg16")),
        (TypeError, "a Keras model is wanted; received str", lambda model: take_snapshot("vgg16")),
        (ValueError, "no layer 'block9'", lambda model: diagnose_trainable(model, expected=["block9"])),
        (TypeError, "a list of layer names", lambda model: diagnose_trainable(model, expected="head")),
        (
            ValueError,
            "of another model",
            lambda model: diagnose_weights_moved(model, take_snapshot(nested(norm=True)[1])),
        ),
        (TypeError, "take_snapshot", lambda model: diagnose_weights_moved(model, [1])),
        (ValueError, "no weights yet", lambda model: take_snapshot(keras.Sequential([keras.layers.Dense(2)]))),
    ],
)
def test_nonsense_is_refused(error, said, call):
    with pytest.raises(error, match=said):
        call(flat()[1])


def test_report():
    text = report(Diagnosis("classes", True, "all there."), Diagnosis("range", False, "too low.", "images * 255"))
    assert text.splitlines() == [
        "Problem range    too low.",
        "                 Change: images * 255",
        "OK      classes  all there.",
    ]
    assert report() == ""
    with pytest.raises(TypeError, match="what the checks return"):
        report("fine")


def test_importing_the_diagnoses_is_cheap():
    code = "import sys; from helpers.diagnostics import *; print({'tensorflow', 'keras'} & {*sys.modules})"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"
