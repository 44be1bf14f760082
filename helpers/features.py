"""Features that a frozen network gives for images: computed once, in batches, and kept in the cache folder.

Images are streamed in chunks of 64, so memory does not grow with their number; each chunk's features are looked up and
stored by `helpers.feature_cache`, so a run that was killed goes on where it stopped.
"""

from __future__ import annotations

import itertools
import os
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from helpers._machinery.feature_cache import FeatureStore, architecture
from helpers._machinery.feature_cache import clear_feature_cache as clear_feature_cache
from helpers._machinery.feature_cache import feature_cache_size as feature_cache_size
from helpers.data import take_per_class
from helpers.vgg16 import preprocess_vgg16, subtract_means, warn_if_scaled

if TYPE_CHECKING:
    import keras


CHUNK_SIZE = 64  # images in one file of the cache
POOLINGS = ("avg", "max", None)
COMPILED = weakref.WeakKeyDictionary()  # of each model that is still in use: what was compiled
PROBE = np.arange(3 * 256, dtype="float32").reshape(256, 3) % 256  # pixels that show what preprocess_vgg16 does


def extract_features(
    images: Iterable,
    *,
    base_model: keras.Model,
    layers: str | Sequence[str] = "block5_pool",
    pooling: str | None = "avg",
    preprocess: Callable | None = preprocess_vgg16,
    batch_size: int = 32,
    cache: bool = True,
    progress: bool = True,
) -> np.ndarray | dict[str, np.ndarray]:
    """Return what the layers of `base_model` answer to the images: float32, one row per image.

    `images`: array `(n, height, width, channels)`, also memory-mapped, or anything that yields images or batches; they
    are streamed. `layers`: one name gives an array, several give a dict from one forward pass. `pooling`: "avg" or
    "max" over all places gives `(n, channels)`, None keeps the maps. `preprocess` takes and gives a batch; None where
    the images are ready. With `cache`, what the same network was shown before comes from the cache folder, and the rest
    is stored there (except for models with layers of your own: their code cannot be compared).
    """
    names = [layers] if isinstance(layers, str) else list(dict.fromkeys(layers))
    _check_arguments(base_model, names, pooling, batch_size)
    network = _Network(base_model, names, pooling, batch_size)
    store = FeatureStore({name: network.part([name]) for name in names if cache}, pooling=pooling)
    parts = {name: [] for name in names}
    with _progress_bar(images, progress) as bar:
        for number, chunk in enumerate(_chunks(images)):
            _check_numbers(chunk, first=number * CHUNK_SIZE)
            if number == 0 and preprocess is preprocess_vgg16:
                warn_if_scaled(chunk, stacklevel=3)
            for name, values in _chunk_features(chunk, network, store, preprocess, bar).items():
                parts[name].append(values)
    if not parts[names[0]]:
        raise ValueError("extract_features received no images; give at least one.")
    features = {name: np.concatenate(values) for name, values in parts.items()}
    return features[layers] if isinstance(layers, str) else features


def _chunk_features(chunk, network, store, preprocess, bar):
    """Return the features of one chunk: those stored, and the others from one forward pass.

    What the network is shown decides the files. VGG16's own preprocessing is known, so that the raw pixels stand for
    its result: they are quicker to hash, and need not be preprocessed when all is stored.
    """
    quick = preprocess is preprocess_vgg16
    shown = chunk if quick or preprocess is None else np.asarray(preprocess(chunk))
    _check_shape(shown, len(chunk), network.base_model)
    paths = store.paths(shown, subtract_means(PROBE) if quick else np.empty(0))
    features = {name: store.read(path) for name, path in paths.items()}
    missing = tuple(name for name in network.names if features.get(name) is None)
    if not missing:
        bar.update(len(chunk))
        return features
    for name, values in network(subtract_means(shown) if quick else shown, missing, bar).items():
        features[name] = values
        if paths:
            store.write(paths[name], values)
    return features


class _Network:
    """A model from its input to the wanted layers, compiled once for each set of layers that is asked for."""

    def __init__(self, base_model, names, pooling, batch_size):
        self.base_model, self.names, self.pooling, self.batch_size = base_model, names, pooling, batch_size
        self.compiled = COMPILED.setdefault(base_model, {})

    def part(self, names):
        """Return the model that ends at these layers; later layers are not computed."""
        from keras import Model

        return Model(self.base_model.inputs[0], [self.base_model.get_layer(name).output for name in names])

    def __call__(self, shown, names, bar):
        """Return the features of one preprocessed chunk, computed batch by batch."""
        forward, answers = self._forward(names), []
        for start in range(0, len(shown), self.batch_size):
            batch = np.asarray(shown[start : start + self.batch_size], dtype="float32")
            answers.append(forward(batch))
            bar.update(len(batch))
        return {name: np.concatenate([answer[i] for answer in answers]) for i, name in enumerate(names)}

    def _forward(self, names):
        part = self.part(names)
        key = names, self.pooling, architecture(part)
        if key not in self.compiled:
            self.compiled[key] = _compile(part, self.pooling)
        return self.compiled[key]


def _compile(model, pooling):
    """Return a function from a batch to a list of arrays. It reads the weights at each call: they may change."""
    import tensorflow as tf
    from keras import ops, tree

    pool = {"avg": ops.mean, "max": ops.max}.get(pooling)

    @tf.function(input_signature=[tf.TensorSpec([None, *model.inputs[0].shape[1:]], "float32")])
    def forward(batch):
        answers = [ops.cast(answer, "float32") for answer in tree.flatten(model(batch, training=False))]
        return [pool(maps, axis=(1, 2)) if pool and len(maps.shape) == 4 else maps for maps in answers]

    traced = forward.get_concrete_function()
    return lambda batch: [answer.numpy() for answer in traced(tf.constant(batch))]


def _chunks(images):
    """Yield arrays of up to 64 images from an array, or from anything that yields images or batches."""
    if hasattr(images, "ndim") and hasattr(images, "dtype"):
        if len(images.shape) != 4:
            raise ValueError(
                f"images has shape {tuple(images.shape)}; wanted (n, height, width, channels)."
                " A single image needs one more axis: image[np.newaxis]."
            )
        yield from (np.asarray(images[start : start + CHUNK_SIZE]) for start in range(0, len(images), CHUNK_SIZE))
        return
    stream = _single_images(images)
    while chunk := list(itertools.islice(stream, CHUNK_SIZE)):
        yield _stacked(chunk)


def _single_images(images):
    for item in images:
        array = np.empty(0) if isinstance(item, tuple | dict | str | os.PathLike) else np.asarray(item)
        if array.ndim not in (3, 4):
            kind = f"{type(item).__name__} {np.shape(array) if array.size else ''}".strip()
            raise ValueError(
                f"images yielded a {kind}; wanted images (height, width, channels) or batches of them, without labels."
            )
        yield from array if array.ndim == 4 else [array]


def _stacked(chunk):
    shapes = sorted({image.shape for image in chunk})
    if len(shapes) > 1:
        raise ValueError(f"The images have different shapes, {shapes}; resize them to one first.")
    return np.stack(chunk)


def _check_numbers(chunk, *, first):
    if chunk.dtype.kind not in "uif":
        raise ValueError(f"The images are of type {chunk.dtype}; wanted numbers, such as uint8 or float32.")
    if chunk.dtype.kind == "f" and not np.isfinite(chunk).all():
        place = first + int(np.argmin(np.isfinite(chunk).all(axis=(1, 2, 3))))
        raise ValueError(f"Image {place} holds values that are not numbers (NaN) or infinite; repair or drop it.")


def _check_shape(shown, count, base_model):
    wanted, shape = tuple(base_model.inputs[0].shape[1:]), shown.shape[1:]
    fits = len(shape) == len(wanted) and all(w in (None, s) for w, s in zip(wanted, shape, strict=True))
    if fits and len(shown) == count:
        return
    grey = len(shape) == 3 and shape[2] == 1 and wanted[2] == 3
    advice = "Repeat the grey channel: np.repeat(images, 3, axis=-1)." if grey else "Resize or crop the images first."
    raise ValueError(
        f"base_model wants images of shape {wanted} and received {len(shown)} of shape {shape} for {count}. {advice}"
    )


def _check_arguments(base_model, names, pooling, batch_size):
    if len(getattr(base_model, "inputs", None) or ()) != 1:
        raise ValueError("base_model has not exactly one input; give a functional Keras model such as load_vgg16().")
    known = [layer.name for layer in base_model.layers]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        asked = ", ".join(map(repr, unknown)) or "none"
        raise ValueError(f"base_model has no such layer: {asked}. Choose from: {', '.join(known)}.")
    if pooling not in POOLINGS:
        raise ValueError(f'pooling is {pooling!r}; choose "avg", "max" or None.')
    if not isinstance(batch_size, int | np.integer) or batch_size < 1:
        raise ValueError(f"batch_size is {batch_size!r}; give a whole number from 1 up.")


def _progress_bar(images, progress):
    from tqdm.auto import tqdm

    total = len(images) if hasattr(images, "shape") else None
    hidden = not progress or os.environ.get("WORKBOOK_PROGRESS") == "0"
    return tqdm(total=total, desc="features", unit="image", delay=2, leave=False, disable=hidden)


def predict_per_draw(
    train_features: np.ndarray,
    train_labels: np.ndarray,
    test_features: np.ndarray,
    *,
    build_classifier: Callable[[], Any],
    labels_per_class: int,
    draws: int = 3,
) -> np.ndarray:
    """Return the predicted classes of the test features, (draws, tests) int: one row for each draw of labelled images.

    A draw takes `labels_per_class` images of each class at random (its number is the seed), standardises the features
    with the mean and deviation of just those, and fits a new classifier. Features of any shape (n, ...) are flattened.
    All on one thread: for fits as small as these, several threads spend their time waiting for each other.
    """
    train_features = np.asarray(train_features).reshape(len(train_features), -1)
    test_features = np.asarray(test_features).reshape(len(test_features), -1)
    predictions = []
    with threadpool_limits(1):
        for draw in range(draws):
            chosen = take_per_class(train_labels, labels_per_class=labels_per_class, seed=draw)
            classifier = _standardised(build_classifier()).fit(train_features[chosen], train_labels[chosen])
            predictions.append(classifier.predict(test_features))
    return np.stack(predictions)


def _standardised(classifier: Any) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), classifier)


def accuracy_per_draw(predictions: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the share of right predictions of each draw, (draws,), for predictions (draws, n) and labels (n,)."""
    return (np.asarray(predictions) == np.asarray(labels)).mean(axis=1)


def label_curve(
    train_features: np.ndarray,
    train_labels: np.ndarray,
    test_features: np.ndarray,
    test_labels: np.ndarray,
    *,
    build_classifier: Callable[[], Any],
    label_counts: Sequence[int],
    draws: int = 3,
) -> np.ndarray:
    """Return test accuracies, (draws, len(label_counts)): one column for each number of labels per class."""
    columns = [
        accuracy_per_draw(
            predict_per_draw(
                train_features,
                train_labels,
                test_features,
                build_classifier=build_classifier,
                labels_per_class=count,
                draws=draws,
            ),
            test_labels,
        )
        for count in label_counts
    ]
    return np.stack(columns, axis=1)


def classifier_grid(
    train_features: Mapping[str, np.ndarray],
    train_labels: np.ndarray,
    test_features: Mapping[str, np.ndarray],
    *,
    classifiers: Mapping[str, Callable[[], Any]],
    label_counts: Sequence[int],
    draws: int = 3,
) -> dict[tuple[str, str, int], np.ndarray]:
    """Return predictions (draws, tests) for every triple of layer, classifier and number of labels per class."""
    return {
        (layer, name, count): predict_per_draw(
            train_features[layer],
            train_labels,
            test_features[layer],
            build_classifier=build_classifier,
            labels_per_class=count,
            draws=draws,
        )
        for layer in train_features
        for name, build_classifier in classifiers.items()
        for count in label_counts
    }
