"""What a frozen network answers to images, computed once and kept on disk, and small classifiers on such features.

First `extract_features`: it streams images in chunks of 64, so that memory does not grow with their number. Each chunk is
looked up and stored by `helpers._machinery.feature_cache`, so a run that was killed goes on where it stopped. Then the
experiment of several notebooks: `predict_per_draw`, `accuracy_per_draw` and `label_curve`.
"""

from __future__ import annotations

import functools
import itertools
import os
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from helpers._machinery.feature_cache import FeatureStore, architecture, clear_feature_cache, feature_cache_size  # noqa: F401
from helpers.data import take_per_class
from helpers.vgg16 import preprocess_vgg16, subtract_means, warn_if_scaled

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

CHUNK_SIZE = 64  # images in one file of the cache
COMPILED = weakref.WeakKeyDictionary()  # of each model that is still in use: what was compiled
PROBE = np.arange(3 * 256, dtype="float32").reshape(256, 3) % 256  # pixels that show what preprocess_vgg16 does


def extract_features(
    images: Iterable,
    *,
    base_model: keras.Model,
    layers: str | Sequence[str] = "block5_pool",
    pooling: str | None = "avg",
    preprocess: Callable | None = preprocess_vgg16,
    batch_size: int = 8,
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
    raw = preprocess is preprocess_vgg16  # known, so that raw pixels can stand for its result
    store = FeatureStore({name: _until(base_model, [name]) for name in names if cache}, pooling=pooling)
    compiled = functools.cache(functools.partial(_compiled, base_model, pooling=pooling))
    chunks = []
    with _progress_bar(images, progress) as bar:
        for number, chunk in enumerate(_chunks(images)):
            _check_numbers(chunk, first=number * CHUNK_SIZE)
            if number == 0 and raw:
                warn_if_scaled(chunk, stacklevel=3)
            shown = chunk if raw or preprocess is None else np.asarray(preprocess(chunk))
            _check_shape(shown, len(chunk), base_model)
            chunks.append(_chunk_features(shown, names, raw, store, compiled, batch_size, bar))
    if not chunks:
        raise ValueError("extract_features received no images; give at least one.")
    features = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in names}
    return features[layers] if isinstance(layers, str) else features


def _chunk_features(
    shown: np.ndarray, names: list[str], raw: bool, store: FeatureStore, compiled: Callable, batch_size: int, bar: Any
) -> dict[str, np.ndarray]:
    """Return the features of one chunk, a dict: those stored, and the others from one forward pass, batch by batch.

    What the network is shown decides the files. `raw` pixels are still to be preprocessed, as for VGG16: they are quicker
    to hash than the result, which is not needed when all is stored.
    """
    paths = store.paths(shown, subtract_means(PROBE) if raw else np.empty(0))
    features = {name: store.read(path) for name, path in paths.items()}
    missing = tuple(name for name in names if features.get(name) is None)
    if not missing:
        bar.update(len(shown))
        return features
    ready, answers = subtract_means(shown) if raw else shown, []
    for start in range(0, len(ready), batch_size):
        batch = np.asarray(ready[start : start + batch_size], dtype="float32")
        answers.append(compiled(missing)(batch))
        bar.update(len(batch))
    for name, values in zip(missing, zip(*answers, strict=True), strict=True):
        features[name] = np.concatenate(values)
        if paths:
            store.write(paths[name], features[name])
    return features


def _until(base_model: keras.Model, names: Sequence[str]) -> keras.Model:
    """Return the model that ends at these layers; later layers are not computed."""
    from keras import Model

    return Model(base_model.inputs[0], [base_model.get_layer(name).output for name in names])


def _compiled(base_model: keras.Model, names: Sequence[str], *, pooling: str | None) -> Callable:
    """Return a function from a batch to a list of arrays, one for each layer; made once for a model and these layers."""
    model, known = _until(base_model, names), COMPILED.setdefault(base_model, {})
    key = names, pooling, architecture(model)
    if key not in known:
        known[key] = _compile(model, pooling)
    return known[key]


def _compile(model: keras.Model, pooling: str | None) -> Callable:
    import tensorflow as tf
    from keras import ops, tree

    pool = {"avg": ops.mean, "max": ops.max}.get(pooling)

    @tf.function(input_signature=[tf.TensorSpec([None, *model.inputs[0].shape[1:]], "float32")])
    def forward(batch: tf.Tensor) -> list[tf.Tensor]:
        answers = [ops.cast(answer, "float32") for answer in tree.flatten(model(batch, training=False))]
        return [pool(maps, axis=(1, 2)) if pool and len(maps.shape) == 4 else maps for maps in answers]

    return lambda batch: [answer.numpy() for answer in forward(tf.constant(batch))]  # a concrete one would never be freed


def _chunks(images: Iterable) -> Iterator[np.ndarray]:
    """Yield arrays of up to 64 images from an array, or from anything that yields images or batches."""
    is_array = hasattr(images, "ndim") and hasattr(images, "dtype")
    if is_array and len(images.shape) != 4:
        raise ValueError(
            f"images has shape {tuple(images.shape)}; wanted (n, height, width, channels)."
            " A single image needs one more axis: image[np.newaxis]."
        )
    slices = (images[start : start + CHUNK_SIZE] for start in range(0, len(images) if is_array else 0, CHUNK_SIZE))
    stream = _single_images(slices if is_array else images)
    while chunk := list(itertools.islice(stream, CHUNK_SIZE)):
        shapes = sorted({image.shape for image in chunk})
        if len(shapes) > 1:
            raise ValueError(f"The images have different shapes, {shapes}; resize them to one first.")
        yield np.stack(chunk)


def _single_images(images: Iterable) -> Iterator[np.ndarray]:
    for item in images:
        array = np.empty(0) if isinstance(item, tuple | dict | str | os.PathLike) else np.asarray(item)
        if array.ndim not in (3, 4):
            kind = f"{type(item).__name__} {np.shape(array) if array.size else ''}".strip()
            raise ValueError(
                f"images yielded a {kind}; wanted images (height, width, channels) or batches of them, without labels."
            )
        yield from array if array.ndim == 4 else [array]


def _check_numbers(chunk: np.ndarray, *, first: int) -> None:
    if chunk.dtype.kind not in "uif":
        raise ValueError(f"The images are of type {chunk.dtype}; wanted numbers, such as uint8 or float32.")
    if chunk.dtype.kind == "f" and not np.isfinite(chunk).all():
        place = first + int(np.argmin(np.isfinite(chunk).all(axis=(1, 2, 3))))
        raise ValueError(f"Image {place} holds values that are not numbers (NaN) or infinite; repair or drop it.")


def _check_shape(shown: np.ndarray, count: int, base_model: keras.Model) -> None:
    wanted, shape = tuple(base_model.inputs[0].shape[1:]), shown.shape[1:]
    fits = len(shape) == len(wanted) and all(w in (None, s) for w, s in zip(wanted, shape, strict=True))
    if not fits or len(shown) != count:
        grey = shape[2:] == (1,) and wanted[2:] == (3,)
        advice = "Repeat the grey channel: np.repeat(images, 3, axis=-1)." if grey else "Resize or crop the images first."
        received = f"{len(shown)} of shape {shape} for {count}"
        raise ValueError(f"base_model wants images of shape {wanted} and received {received}. {advice}")


def _check_arguments(base_model: keras.Model, names: list[str], pooling: str | None, batch_size: int) -> None:
    if len(getattr(base_model, "inputs", None) or ()) != 1:
        raise ValueError("base_model has not exactly one input; give a functional Keras model such as load_vgg16().")
    known = [layer.name for layer in base_model.layers]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        asked = ", ".join(map(repr, unknown)) or "none"
        raise ValueError(f"base_model has no such layer: {asked}. Choose from: {', '.join(known)}.")
    if pooling not in ("avg", "max", None):
        raise ValueError(f'pooling is {pooling!r}; choose "avg", "max" or None.')
    if not isinstance(batch_size, int | np.integer) or batch_size < 1:
        raise ValueError(f"batch_size is {batch_size!r}; give a whole number from 1 up.")


def _progress_bar(images: Iterable, progress: bool) -> Any:
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
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    train_features = np.asarray(train_features).reshape(len(train_features), -1)
    test_features = np.asarray(test_features).reshape(len(test_features), -1)
    predictions = []
    with threadpool_limits(1):
        for draw in range(draws):
            chosen = take_per_class(train_labels, labels_per_class=labels_per_class, seed=draw)
            classifier = make_pipeline(StandardScaler(), build_classifier())
            classifier.fit(train_features[chosen], train_labels[chosen])
            predictions.append(classifier.predict(test_features))
    return np.stack(predictions)


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
    settings = {"build_classifier": build_classifier, "draws": draws}
    columns = []
    for count in label_counts:
        predictions = predict_per_draw(train_features, train_labels, test_features, labels_per_class=count, **settings)
        columns.append(accuracy_per_draw(predictions, test_labels))
    return np.stack(columns, axis=1)
