"""What one wants around `fit()`: curves that grow, a run that goes on where it was interrupted, devices, recorded runs.

In this order: `live_curves`; `fit_resumable`; `choose_precision` and `fit_on_devices`; `load_runs` and `about_runs`.
The rest comes from Keras: `EarlyStopping`, `ModelCheckpoint`, `ReduceLROnPlateau`. Keras's `BackupAndRestore` is not used
here: it writes weights and epoch into two files one after the other, so that a run that is killed in between repeats an
epoch on weights that have seen it.
"""

from __future__ import annotations

import functools
import importlib.metadata
import json
import math
import time
import warnings
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
import numpy as np
from IPython.display import display

from helpers.augmentation import view_batches
from helpers.plots import figure_png, image_html, new_axes, plot_curves

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

CURVES = "Loss and accuracy after every epoch."
SECONDS_BETWEEN_MOVES = 0.25  # of the progress bar
STATES_KEPT = 2  # on disk: the last one, and the one before it in case the last cannot be read
RUNS_FOLDER = Path(__file__).with_name("runs")


def live_curves(*, epochs: int) -> keras.callbacks.LambdaCallback:
    """Return a callback that shows, while `fit()` runs, how far it is, and after every epoch loss and accuracy.

    `epochs` is the number that `fit()` is asked for. The picture stays when `fit()` ends. What is shown is the `widget` of
    the callback; its alternative text names the curves and no digits.
    """
    from keras.callbacks import LambdaCallback

    widget = CurvesWidget(epochs=epochs)
    callback = LambdaCallback(
        on_train_begin=lambda logs: widget.show(),
        on_epoch_begin=lambda epoch, logs: widget.begin(epoch),
        on_train_batch_end=lambda batch, logs: widget.move(batch + 1, steps=callback.params.get("steps")),
        on_epoch_end=lambda epoch, logs: widget.add(logs),
        on_train_end=lambda logs: widget.shown and widget.shown.update(widget),  # for pages that show no widgets
        widget=widget,
    )
    return callback


class CurvesWidget(widgets.HTML):
    """Curves and a progress bar in HTML, with alternative text; where no kernel runs, a plain PNG takes their place."""

    def __init__(self, *, epochs: int) -> None:
        super().__init__()
        self.epochs, self.first, self.logs = epochs, 0, []  # `first` epochs were done before an interruption
        self.png, self.picture, self.moved, self.shown = b"", "", 0.0, None

    def show(self) -> None:
        """Put the widget below the cell, once."""
        if self.shown is None:
            self.draw()
            self.shown = display(self, display_id=True)

    def begin(self, epoch: int) -> None:
        """Remember where a resumed run goes on."""
        if not self.logs:
            self.first = epoch

    def move(self, batches: int, *, steps: int | None) -> None:
        """Move the progress bar within an epoch, a few times a second."""
        now = time.monotonic()
        if steps and now - self.moved > SECONDS_BETWEEN_MOVES:
            self.moved = now
            self.set_bar(self.first + len(self.logs) + batches / steps)

    def add(self, logs: dict[str, float]) -> None:
        """Add an epoch to the curves and draw them anew."""
        self.logs.append(dict(logs))
        self.draw()

    def draw(self) -> None:
        """Draw the curves of the epochs so far."""
        done = self.first + len(self.logs)
        grid = new_axes(columns=2, size=(8.4, 3.0))
        for axes, key in zip(grid, ("loss", "accuracy"), strict=True):
            names = {"training": key, "validation": f"val_{key}"}
            known = {name: of for name, of in names.items() if self.logs and of in self.logs[0]}
            curves = {name: np.array([logs[of] for logs in self.logs]) for name, of in known.items()}
            if curves:
                plot_curves(range(self.first + 1, done + 1), curves, xlabel="epoch", ylabel=key, ax=axes)
            axes.set(xlim=(0.5, self.epochs + 0.5), xlabel="epoch", ylabel=key)
            axes.xaxis.get_major_locator().set_params(integer=True)
        grid[0].set_title(f"epoch {done} of {self.epochs}")
        self.png = figure_png(grid[0].get_figure())
        self.picture = image_html(self.png, alt=CURVES)
        self.set_bar(done)

    def set_bar(self, done: float) -> None:
        """Set the progress bar to so many epochs; a part of an epoch counts."""
        bar = f'<progress aria-label="epochs" max="{self.epochs}" value="{done:.2f}" style="width: 100%"></progress>'
        self.value = bar + self.picture

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        bundle = super()._repr_mimebundle_(**kwargs)
        bundle["text/plain"] = f"[curves] {CURVES}"
        if self.png:
            bundle |= {"image/png": self.png, "text/html": self.value}
        return bundle


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
    from keras.callbacks import LambdaCallback

    settings = {"images": len(labels), "views": len(views), "batch_size": batch_size, "seed": seed}
    settings |= {"weights": [list(variable.shape) for variable in _state(model)]}
    first, history = _load_state(model, Path(folder), settings)
    save = functools.partial(_save_state, model, Path(folder), settings, history)
    if first < epochs:
        model.fit(
            view_batches(views, labels, batch_size=batch_size, seed=seed, first_epoch=first),
            steps_per_epoch=math.ceil(len(labels) / batch_size),
            initial_epoch=first,
            epochs=epochs,
            validation_data=validation_data,
            callbacks=[LambdaCallback(on_epoch_end=save), *callbacks],
            shuffle=False,  # view_batches has shuffled
            verbose=0,
        )
    return history


def _state(model: keras.Model) -> list[keras.Variable]:
    """Return all variables that training changes: weights, the seeds of layers such as dropout, and the optimizer's own."""
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    seeds = [variable for variable in model.variables if "seed_generator" in variable.path]
    return [*model.weights, *seeds, *model.optimizer.variables]


def _save_state(model: keras.Model, folder: Path, settings: dict, history: dict, epoch: int, logs: dict) -> None:
    """Save the variables and the history after an epoch in one file: there is no state between two epochs."""
    for name, value in logs.items():
        history.setdefault(name, []).append(float(value))
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / "unfinished.npz"
    values = [np.asarray(variable) for variable in _state(model)]
    np.savez(temporary, *values, run=json.dumps({"settings": settings, "history": history}))
    temporary.replace(folder / f"epoch_{epoch + 1:04d}.npz")  # from here on this epoch counts
    for old in _saved(folder)[STATES_KEPT:]:
        old.unlink()


def _load_state(model: keras.Model, folder: Path, settings: dict[str, Any]) -> tuple[int, dict[str, list[float]]]:
    """Return how many epochs are done and their history, and give `model` the variables of the last one.

    Nothing saved yet: 0 and an empty history. A state that cannot be read is passed over with a warning; when none can,
    the ValueError says so, since starting anew would throw the run away.
    """
    for path in _saved(folder):
        try:
            with np.load(path) as file:
                run = json.loads(str(file["run"]))
                values = [file[name] for name in file.files if name != "run"]
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
            warnings.warn(f"{path.name} cannot be read ({error}); the epoch before is taken.", stacklevel=3)
            continue
        for name, value in settings.items():
            if run["settings"][name] != value:
                other = f"another run: {name} is {run['settings'][name]} there and {value} here"
                what = "another model" if name == "weights" else other
                raise ValueError(f"{folder} holds the states of {what}. Give another folder, or remove this one.")
        for variable, value in zip(_state(model), values, strict=True):
            variable.assign(value)
        return int(path.stem.removeprefix("epoch_")), run["history"]
    if _saved(folder):
        raise ValueError(f"no state in {folder} can be read. Remove the folder to start anew, or give another one.")
    return 0, {}


def _saved(folder: Path) -> list[Path]:
    """Return the files of the saved states, the last one first."""
    return sorted(folder.glob("epoch_*.npz"), reverse=True)


def choose_precision() -> str:
    """Return "mixed_float16" where a GPU has cores for it (compute capability 7 or more), otherwise "float32".

    For `keras.config.set_dtype_policy(...)`, before the model is built. On a CPU half precision is only slower.
    Micikevicius and others, "Mixed Precision Training", 2018.
    """
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    able = [tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0)) for gpu in gpus]
    return "mixed_float16" if able and min(able) >= (7, 0) else "float32"


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
    def train_step(batch: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        parts = strategy.run(_step, args=(model, *batch))
        return strategy.reduce("SUM", parts, axis=None)

    return model, [float(np.mean([train_step(batch) for batch in shared_out])) for _ in range(epochs)]


def _step(model: keras.Model, images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Return this device's share of the mean loss of the whole batch, after one step with all of them."""
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


def load_runs(name: str, **wanted: Any) -> list[dict[str, Any]]:
    """Return the recorded runs of a file in `helpers/runs` whose settings equal `wanted`, a dict each.

    Settings are `arm`, `labels_per_class`, `seed`, `learning_rate` and `chosen` (False for rates that were only tried).
    Accuracies go from 0 to 1, losses are in nats.
    Raises ValueError when no run is like that.
    """
    runs = [run for run in _read_runs(name) if all(run.get(key) == value for key, value in wanted.items())]
    if not runs:
        raise ValueError(f"no recorded run of {name!r} has {wanted}.")
    return runs


def about_runs(name: str) -> dict[str, Any]:
    """Return what a file of recorded arms says of its target: `class_names`, versions, and `test_labels`, int (n,)."""
    about = _read_file(name)["about"]
    return about | {"test_labels": np.array([ord(letter) - ord("a") for letter in about["test_labels"]])}


def write_runs(path: Path, *, runs: list[dict[str, Any]], **about: Any) -> None:
    """Write a file of records, a run a line, behind what is said about all; an interrupted write leaves the old file."""
    lines, temporary = ",\n".join(map(json.dumps, runs)), path.with_suffix(".tmp")
    head = "".join(f"{json.dumps(key)}: {json.dumps(value)},\n" for key, value in about.items())
    temporary.write_text(f'{{{head}"runs": [\n{lines}\n]}}\n', encoding="utf-8")
    temporary.replace(path)


def record_missing(
    path: Path, wanted: Iterable[dict], act: Callable[..., dict], *, until: float, recorded: dict[str, Any]
) -> None:
    """Add to a file of records, one by one, what `act(**asked)` returns for all that is `wanted` and not in it yet.

    It ends at `until`, of `time.monotonic()`. Versions and the date join `recorded`, which is said about all runs.
    """
    runs = json.loads(path.read_text(encoding="utf-8"))["runs"] if path.exists() else []
    recorded = {package: importlib.metadata.version(package) for package in ("numpy", "scikit-learn", "keras")} | recorded
    recorded["date"] = time.strftime("%Y-%m-%d")
    for asked in wanted:
        if any(asked.items() <= run.items() for run in runs):
            continue
        if time.monotonic() > until:
            break
        begin = time.perf_counter()
        found = act(**asked)
        runs.append(asked | found | {"seconds": round(time.perf_counter() - begin, 1)})
        chosen = [value for key, value in found.items() if key.startswith("chosen")]
        print(*asked.values(), *chosen, f"{np.mean(found.get('test', np.nan)):.3f}, {runs[-1]['seconds']} s", flush=True)
        write_runs(path, recorded=recorded, runs=runs)


def _read_runs(name: str) -> list[dict[str, Any]]:
    return _read_file(name)["runs"]


@functools.cache
def _read_file(name: str) -> dict[str, Any]:
    path = RUNS_FOLDER / f"{name}.json"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in RUNS_FOLDER.glob("*.json"))) or "none"
        raise ValueError(f"no runs are recorded as {name!r}; recorded are: {known}.")
    return json.loads(path.read_text(encoding="utf-8"))
