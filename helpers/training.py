"""What one wants around `fit()`: curves that grow while it runs, and a run that goes on where it was interrupted.

The rest comes from Keras: `EarlyStopping`, `ModelCheckpoint`, `ReduceLROnPlateau`. Keras's `BackupAndRestore` is not used
here: it writes weights and epoch into two files one after the other, so that a run that is killed in between repeats an
epoch on weights that have seen it. Importing this module imports Keras.
"""

from __future__ import annotations

import functools
import json
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
import keras
import numpy as np
from IPython.display import display

from helpers.augmentation import steps_per_epoch, view_batches
from helpers.plots import figure_png, image_html, new_axes, plot_curves

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


CURVES = "Loss and accuracy after every epoch."
BETWEEN_MOVES = 0.25  # seconds
KEPT = 2  # states on disk: the last one, and the one before it in case the last cannot be read


class LiveCurves(keras.callbacks.Callback):
    """Shows, while `fit()` runs, how far it is, and after every epoch loss and accuracy; the picture stays when it ends.

    `epochs` is the number that `fit()` is asked for. `widget` is what is shown; its alternative text names the curves and
    no digits.
    """

    def __init__(self, *, epochs: int) -> None:
        super().__init__()
        self.epochs, self.logs, self.widget = epochs, [], CurvesWidget()
        self.shown, self.last, self.first = None, 0.0, 0

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Put the widget below the cell, once."""
        if self.shown is None:
            self.widget.draw(self.logs, epochs=self.epochs)
            self.shown = display(self.widget, display_id=True)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Remember where a resumed run goes on."""
        if not self.logs:
            self.first = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Move the progress bar, a few times a second."""
        steps, now = self.params.get("steps"), time.monotonic()
        if steps and now - self.last > BETWEEN_MOVES:
            self.last = now
            self.widget.move(self.first + len(self.logs) + (batch + 1) / steps, epochs=self.epochs)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Add an epoch to the curves and draw them anew."""
        self.logs.append(dict(logs or {}))
        self.widget.draw(self.logs, epochs=self.epochs, first=self.first)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Give the last picture to pages that show no widgets, too: what was sent when training began was empty."""
        if self.shown is not None:
            self.shown.update(self.widget)


class CurvesWidget(widgets.HTML):
    """Curves and a progress bar in HTML, with alternative text; where no kernel runs, a plain PNG takes their place."""

    png, picture = b"", ""

    def draw(self, logs: Sequence[dict[str, float]], *, epochs: int, first: int = 0) -> None:
        """Draw the curves of the epochs so far, of which `first` were done before an interruption."""
        done = first + len(logs)
        grid = new_axes(columns=2, size=(8.4, 3.0))
        for axes, key in zip(grid, ("loss", "accuracy"), strict=True):
            names = {"training": key, "validation": f"val_{key}"}
            curves = {name: np.array([one[of] for one in logs]) for name, of in names.items() if logs and of in logs[0]}
            if curves:
                plot_curves(range(first + 1, done + 1), curves, xlabel="epoch", ylabel=key, ax=axes)
            axes.set(xlim=(0.5, epochs + 0.5), xlabel="epoch", ylabel=key)
            axes.xaxis.get_major_locator().set_params(integer=True)
        grid[0].set_title(f"epoch {done} of {epochs}")
        self.png = figure_png(grid[0].get_figure())
        self.picture = image_html(self.png, alt=CURVES)
        self.move(done, epochs=epochs)

    def move(self, done: float, *, epochs: int) -> None:
        """Set the progress bar to so many epochs; a part of an epoch counts."""
        bar = f'<progress aria-label="epochs" max="{epochs}" value="{done:.2f}" style="width: 100%"></progress>'
        self.value = bar + self.picture

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        bundle = super()._repr_mimebundle_(**kwargs)
        bundle["text/plain"] = f"[curves] {CURVES}"
        if self.png:
            bundle |= {"image/png": self.png, "text/html": self.value}
        return bundle


class SaveState(keras.callbacks.Callback):
    """Saves weights, optimizer and history after every epoch, as one step: there is no state between two epochs."""

    def __init__(self, folder: str | Path, *, settings: dict[str, Any], history: dict[str, list]) -> None:
        super().__init__()
        self.folder, self.settings = Path(folder), settings
        self.history = {name: list(values) for name, values in history.items()}

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write the state of this epoch, then remove those that are no longer needed."""
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(float(value))
        self.folder.mkdir(parents=True, exist_ok=True)
        path = _state(self.folder, epoch + 1)
        seeds = [np.asarray(state).tolist() for state in _seeds(self.model)]
        text = json.dumps({"settings": self.settings, "history": self.history, "seeds": seeds})
        _history(path).write_text(text, encoding="utf-8")
        temporary = self.folder / "unfinished.weights.h5"
        self.model.save_weights(temporary, overwrite=True)
        temporary.replace(path)  # from here on this epoch counts
        for old in _states(self.folder)[KEPT:]:
            _history(old).unlink(missing_ok=True)
            old.unlink()


def fit_resumable(
    model: keras.Model,
    views: np.ndarray,
    labels: np.ndarray,
    *,
    folder: str | Path,
    epochs: int,
    batch_size: int = 32,
    seed: int = 0,
    validation_data: tuple[np.ndarray, np.ndarray] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> dict[str, list[float]]:
    """Return the history of all epochs, also of those before an interruption: call it again and it goes on.

    After every epoch the compiled `model`'s weights, its optimizer, the state of dropout and the history are saved in
    `folder`; an epoch that was not finished is done again, with the same images in the same order (`view_batches`). So the
    result is that of a run without interruption. What other callbacks have counted, such as the patience of
    `EarlyStopping`, begins anew. `views` is (views, n, ...). Raises ValueError when the folder holds a run of another model
    or with other settings.
    """
    settings = {"images": len(labels), "views": len(views), "batch_size": batch_size, "seed": seed}
    settings |= {"weights": [list(weight.shape) for weight in model.weights]}
    first, history = load_state(model, folder, settings=settings)
    saver = SaveState(folder, settings=settings, history=history)
    if first < epochs:
        model.fit(
            view_batches(views, labels, batch_size=batch_size, seed=seed, first_epoch=first),
            steps_per_epoch=steps_per_epoch(len(labels), batch_size=batch_size),
            initial_epoch=first,
            epochs=epochs,
            validation_data=validation_data,
            callbacks=[saver, *callbacks],
            shuffle=False,  # view_batches has shuffled
            verbose=0,
        )
    return saver.history


def load_state(model: keras.Model, folder: str | Path, *, settings: dict[str, Any]) -> tuple[int, dict[str, list]]:
    """Return how many epochs are done and their history, and load weights and optimizer of the last one into `model`.

    Nothing saved yet: 0 and an empty history. A state that cannot be read is passed over with a warning; when none can,
    the ValueError says so, since starting anew would throw the run away.
    """
    states = _states(Path(folder))
    for path in states:
        try:
            kept = json.loads(_history(path).read_text(encoding="utf-8"))
            _compare(kept["settings"], settings, folder)
            if not model.optimizer.built:
                model.optimizer.build(model.trainable_variables)
            model.load_weights(path)
            for state, value in zip(_seeds(model), kept["seeds"], strict=True):
                state.assign(value)
        except (OSError, KeyError, json.JSONDecodeError) as error:
            warnings.warn(f"{path.name} cannot be read ({error}); the epoch before is taken.", stacklevel=3)
            continue
        return int(path.name.split("_")[1].split(".")[0]), kept["history"]
    if states:
        raise ValueError(f"no state in {folder} can be read. Remove the folder to start anew, or give another one.")
    return 0, {}


def _compare(there: dict[str, Any], here: dict[str, Any], folder: str | Path) -> None:
    for name, value in here.items():
        if there[name] != value:
            what = (
                "another model" if name == "weights" else f"another run: {name} is {there[name]} there and {value} here"
            )
            raise ValueError(f"{folder} holds the states of {what}. Give another folder, or remove this one.")


def _seeds(model: keras.Model) -> list[keras.Variable]:
    """Return the states of random layers such as dropout, which `save_weights` leaves out."""
    return [variable for variable in model.variables if "seed_generator" in variable.path]


def _state(folder: Path, epoch: int) -> Path:
    return folder / f"epoch_{epoch:04d}.weights.h5"


def _history(state: Path) -> Path:
    """Return the file that goes with a state: settings, history, seeds."""
    return state.with_name(state.name.replace(".weights.h5", ".json"))


def _states(folder: Path) -> list[Path]:
    """Return the saved states, the last one first."""
    return sorted(folder.glob("epoch_*.weights.h5"), reverse=True)


def choose_precision() -> str:
    """Return "mixed_float16" where a GPU has cores for it (compute capability 7 or more), otherwise "float32".

    For `keras.config.set_dtype_policy(...)`, before the model is built. On a CPU half precision is only slower.
    Micikevicius and others, "Mixed Precision Training", 2018.
    """
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    able = [tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0)) for gpu in gpus]
    return "mixed_float16" if able and min(able) >= (7, 0) else "float32"


FOLDER = Path(__file__).with_name("runs")


@functools.cache
def _read(name: str) -> dict[str, Any]:
    path = FOLDER / f"{name}.json"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.json"))) or "none"
        raise ValueError(f"no runs are recorded as {name!r}; recorded are: {known}.")
    return json.loads(path.read_text(encoding="utf-8"))


def load_runs(name: str, **wanted: Any) -> list[dict[str, Any]]:
    """Return the recorded runs of "fine_tuning" or "augmentation" whose settings equal `wanted`, a dict each.

    Settings are `data`, `labels_per_class`, `first_trainable`, `learning_rate`, `head_start`, `views`, `seed`; results are
    accuracies from 0 to 1, losses in nats. Raises ValueError when no run is like that.
    """
    runs = [run for run in _read(name)["runs"] if all(run[key] == value for key, value in wanted.items())]
    if not runs:
        raise ValueError(f"no recorded run of {name!r} has {wanted}.")
    return runs


def recorded_values(name: str, key: str, **wanted: Any) -> np.ndarray:
    """Return one result of all runs like `wanted`, as an array with a row for each run (usually seeds)."""
    return np.array([run[key] for run in load_runs(name, **wanted)])


def fit_on_devices(
    build: Callable[[], keras.Model],
    images: np.ndarray,
    labels: np.ndarray,
    *,
    strategy: tf.distribute.Strategy,
    epochs: int,
    batch_size: int = 32,
) -> tuple[keras.Model, list[float]]:
    """Return the trained model and its loss after every epoch; each batch is shared out among all devices of `strategy`.

    `build` returns a compiled classifier with probabilities (n, classes), `labels` are (n,) integers; the loss is the mean
    cross-entropy over the batch, whatever the number of devices, so the result is that of one device up to rounding.
    `batch_size` counts the images of all devices together. Batches come in the order of the images.
    """
    import tensorflow as tf

    with strategy.scope():
        model = build()
        model.optimizer.build(model.trainable_variables)
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    batches = tf.data.Dataset.from_tensor_slices((images, labels)).batch(batch_size).with_options(options)
    shared_out = strategy.experimental_distribute_dataset(batches)

    @tf.function
    def train_step(batch):
        parts = strategy.run(_step, args=(model, *batch))
        return strategy.reduce("SUM", parts, axis=None)

    return model, [float(np.mean([train_step(batch) for batch in shared_out])) for _ in range(epochs)]


def _step(model, images, labels):
    """Take one step on this device's part of a batch, and return its share of the mean loss of the whole batch."""
    import tensorflow as tf
    from keras import losses, ops

    devices = tf.distribute.get_replica_context()
    whole = devices.all_reduce("SUM", tf.cast(tf.shape(labels)[0], "float32"))
    with tf.GradientTape() as tape:
        each = losses.sparse_categorical_crossentropy(labels, model(images, training=True))
        loss = ops.sum(each) / whole
    gradients = tape.gradient(loss, model.trainable_variables)
    model.optimizer.apply(gradients, model.trainable_variables)  # adds up the gradients of all devices
    return loss
