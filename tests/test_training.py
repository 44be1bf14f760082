"""Tests of helpers.training: killed runs end like those that were not, damaged states are not taken, curves are drawn."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest


def train(folder, *callbacks):
    """Return weights, optimizer and losses of five epochs with dropout and two views."""
    import keras

    from helpers.training import fit_resumable

    keras.utils.set_random_seed(1)
    dense, dropout = keras.layers.Dense(8, "relu"), keras.layers.Dropout(0.5, seed=3)
    model = keras.Sequential([keras.Input((6,)), dense, dropout, keras.layers.Dense(3, "softmax")])
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    random = np.random.default_rng(0)
    views, labels = random.normal(size=(2, 40, 6)).astype("float32"), random.integers(0, 3, 40)
    history = fit_resumable(model, views, labels, folder=folder, epochs=5, batch_size=8, callbacks=callbacks)
    return [*model.get_weights(), *(v.numpy() for v in model.optimizer.variables), history["loss"]]


def train_until_killed(folder):
    """Kill this process in the middle of the third epoch."""
    import keras

    def end_batch(batch, logs):
        if len(list(Path(folder).glob("epoch_*"))) == 2 and batch == 1:
            os.kill(os.getpid(), signal.SIGKILL if os.name == "posix" else signal.SIGTERM)

    train(folder, keras.callbacks.LambdaCallback(on_train_batch_end=end_batch))


def test_a_killed_run_ends_like_one_that_was_not(tmp_path):
    code = f"import test_training; test_training.train_until_killed({str(tmp_path / 'killed')!r})"
    process = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent, timeout=300)
    assert process.returncode == (-9 if os.name == "posix" else signal.SIGTERM)
    assert sorted(path.name for path in tmp_path.glob("killed/epoch_*")) == ["epoch_0001.npz", "epoch_0002.npz"]
    straight, resumed = train(tmp_path / "straight"), train(tmp_path / "killed")
    assert len(straight[-1]) == 5
    for one, other in zip(straight, resumed, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture
def run():
    """Return a function that trains a small model in a folder for so many epochs."""
    import keras

    from helpers.training import fit_resumable

    random = np.random.default_rng(0)
    views, labels = random.normal(size=(1, 12, 4)).astype("float32"), random.integers(0, 2, 12)

    def train(folder, *, epochs, units=3, **more):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(units), keras.layers.Dense(2, "softmax")])
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return fit_resumable(model, views, labels, folder=folder, epochs=epochs, batch_size=5, **more)

    return train


def test_more_epochs_go_on_and_no_more_do_nothing(tmp_path, run):
    first = run(tmp_path, epochs=2)
    assert run(tmp_path, epochs=2) == first
    more = run(tmp_path, epochs=4)
    assert more["loss"][:2] == first["loss"] and len(more["loss"]) == 4


def test_a_damaged_state_is_passed_over_with_a_warning(tmp_path, run):
    whole = run(tmp_path, epochs=3)
    (tmp_path / "epoch_0003.npz").write_bytes(b"half")
    with pytest.warns(UserWarning, match="epoch_0003.*cannot be read"):
        again = run(tmp_path, epochs=3)
    assert again["loss"] == pytest.approx(whole["loss"])


def test_when_nothing_can_be_read_it_does_not_start_anew(tmp_path, run):
    run(tmp_path, epochs=2)
    for path in tmp_path.glob("epoch_*.npz"):
        path.write_bytes(b"half")
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="no state .* can be read"):
        run(tmp_path, epochs=3)


def test_states_of_another_run_are_refused(tmp_path, run):
    run(tmp_path, epochs=1)
    with pytest.raises(ValueError, match="seed is 0 there and 7 here"):
        run(tmp_path, epochs=2, seed=7)
    with pytest.raises(ValueError, match="another model"):
        run(tmp_path, epochs=2, units=4)


def test_the_stop_button_keeps_the_last_epoch(tmp_path, run):
    import keras

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.seen == 4:
                raise KeyboardInterrupt
            self.seen += 1

        seen = 0

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, epochs=3, callbacks=[Stop()])
    assert [path.name for path in tmp_path.glob("epoch_*.npz")] == ["epoch_0001.npz"]
    assert len(run(tmp_path, epochs=3)["loss"]) == 3


def test_live_curves_draw_every_epoch_and_print_the_same(tmp_path, run):
    from helpers.training import live_curves

    curves = live_curves(epochs=3)
    before = curves.widget._repr_mimebundle_()["text/plain"]
    run(tmp_path, epochs=3, callbacks=[curves])
    bundle = curves.widget._repr_mimebundle_()
    assert bundle["text/plain"] == before and bundle["image/png"].startswith(b"\x89PNG")
    assert len(curves.widget.logs) == 3 and 'alt="Loss and accuracy' in curves.widget.value
    assert 'max="3" value="3.00"' in curves.widget.value


def test_curves_are_there_while_it_runs(run, tmp_path, monkeypatch):
    """Below the cell from the beginning, with a bar that moves within an epoch; at the end the static picture follows."""
    from unittest.mock import Mock

    from helpers import training

    shown, moves, first = Mock(), [], []
    monkeypatch.setattr(training, "SECONDS_BETWEEN_MOVES", -1.0)
    monkeypatch.setattr(training, "display", lambda widget, display_id: first.append(widget.png) or shown)
    curves = training.live_curves(epochs=2)
    curves.widget.observe(lambda change: moves.append(float(change["new"].split('value="')[1].split('"')[0])), "value")
    run(tmp_path, epochs=2, callbacks=[curves])
    assert len(first) == 1 and first[0].startswith(b"\x89PNG") and first[0] != curves.widget.png
    assert moves == sorted(moves) and moves[0] == 0 and moves[-1] == 2 and any(move % 1 for move in moves)
    shown.update.assert_called_once_with(curves.widget)
    resumed = training.live_curves(epochs=3)
    run(tmp_path, epochs=3, callbacks=[resumed])
    assert resumed.widget.first == 2 and len(resumed.widget.logs) == 1 and 'value="3.00"' in resumed.widget.value


def test_half_precision_only_where_a_gpu_can(monkeypatch):
    import tensorflow as tf

    from helpers.training import choose_precision

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["gpu"])
    for capability, expected in (((8, 6), "mixed_float16"), ((6, 1), "float32")):
        details = {"compute_capability": capability}
        monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu, d=details: d)
        assert choose_precision() == expected
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    assert choose_precision() == "float32"


def test_a_classifier_in_half_precision_has_a_head_in_single():
    import keras

    from helpers.fine_tuning import build_classifier

    keras.config.set_dtype_policy("mixed_float16")
    try:
        base = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3)])
        model = build_classifier(base, classes=3)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.get_layer("pooling").compute_dtype == "float16"
    assert model.get_layer("predictions").compute_dtype == "float32"
    images, labels = np.random.default_rng(0).normal(size=(6, 8, 8, 3)).astype("float32"), np.arange(6) % 3
    model.compile("adam", "sparse_categorical_crossentropy")
    assert np.isfinite(model.fit(images, labels, verbose=0).history["loss"]).all()


def test_preprocessing_in_a_model_is_saved_with_it(tmp_path):
    import keras

    from helpers.vgg16 import preprocess_vgg16

    inputs = keras.Input((8, 8, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(3, 3)(preprocess_vgg16(inputs)))
    model = keras.Model(inputs, keras.layers.Dense(2)(x))
    model.save(tmp_path / "model.keras")
    images = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3)).astype("float32")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.predict(images, verbose=0), model.predict(images, verbose=0), rtol=1e-6)


def test_a_file_of_recorded_arms_says_what_its_letters_mean():
    from helpers.experiments import decode_answers
    from helpers.training import about_runs, load_runs

    about = about_runs("clothing")
    assert len(about["class_names"]) == 10 and about["test_labels"].shape == (372,)
    run = load_runs("clothing", arm="ImageNet VGG16, block 4", labels_per_class=50, seed=0)[0]
    predicted, _ = decode_answers(run)
    assert np.mean(predicted == about["test_labels"]) == pytest.approx(run["test_accuracy"], abs=1e-5)


def test_an_interrupted_recording_goes_on(tmp_path):
    from helpers.training import record_missing

    path, wanted, asked = tmp_path / "kinds.json", [{"arm": arm} for arm in "abc"], []

    def act(arm):
        asked.append(arm)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return {"chosen": {}, "test": [0.5]}

    with pytest.raises(KeyboardInterrupt):
        record_missing(path, iter(wanted), act, until=np.inf, recorded={})
    record_missing(path, iter(wanted), act, until=np.inf, recorded={})
    assert asked == ["a", "b", "b", "c"]
    assert [run["arm"] for run in json.loads(path.read_text())["runs"]] == ["a", "b", "c"]
