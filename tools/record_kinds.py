"""Record the comparison of notebook 09 in helpers/runs/kinds.json: every kind of transfer on every flawed source.

    python tools/record_kinds.py [--at-most MINUTES]

What is in the file already is kept, so an interrupted recording goes on. A record has one arm on one setting: ten runs with
other digits each, the mean validation accuracy of every candidate, the one that validation chose, and its test accuracies.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import islice
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from sklearn.utils import Bunch
from threadpoolctl import threadpool_limits

from helpers import transfer_kinds as kinds
from helpers.data import load_clothing, take_per_class
from helpers.experiments import colour_numbers, small_pixels
from helpers.features import extract_features
from helpers.networks import accuracy, build_weights, new_head, predict, train, training_steps
from helpers.training import RUNS_FOLDER, record_missing
from helpers.vgg16 import load_vgg16

PATH, RUNS = RUNS_FOLDER / "kinds.json", range(200, 210)
STRENGTHS, RATES = (0.01, 0.1, 1.0, 10.0), (0.001, 0.003, 0.01)
SHARES, STEPS = (None, 0.1, 0.3, 0.6), (50, 100, 200, 400, 800)
PARTS = ("train", "validation", "test")
PLAIN = ("plain, 1-NN", "plain, centroid", "plain, SVM", "plain, logistic")
LEARNED = ("whitening, centroid", "whitening, 1-NN", "Siamese, centroid", "Siamese, 1-NN")
COMPARED = ("plain, angle", "whitening, angle", "whitening, logistic")
BLIND = ("blind whitening, centroid", "blind whitening, angle", "blind whitening, logistic")  # not told the source's classes
SETTINGS = {"whitening": (0.1, 0.3, 0.6, 0.9), "Siamese": (0.0001, 0.0003, 0.001, 0.003)}  # shrinkage; learning rate
NETWORKS = ("fine-tuned, new head", "two heads")
STRICT = {"domain classifier": (0.1, 1.0, 10.0), "kernel mean matching": (2.0, 4.0, 10.0)}  # C of the classifier; bound
WEIGHTED = ("pooled", "pooled, share tuned", "domain classifier", "kernel mean matching", "agreement", "oracle")
NAMED = "names found again, pooled"
Found = tuple[np.ndarray, np.ndarray]  # validation and test accuracies of the runs


@cache
def tasks(flaw: str, share: float, labels_per_class: int) -> list[Any]:
    """Return the digits of the ten runs."""
    return [kinds.draw_task(flaw, share=share, labels_per_class=labels_per_class, run=run) for run in RUNS]


@cache
def named(where: tuple) -> list[Any]:
    """Return the digits of the ten runs, with the source's names found again."""
    return [Bunch(**task | {"source_labels": kinds.find_names(task)}) for task in tasks(*where)]


@cache
def source_weights(arm: str, flaw: str, share: float, labels_per_class: int, value: float) -> list[np.ndarray]:
    """Return the weights that an instance-based arm gives to the source images of each run."""
    if arm in STRICT and flaw in ("mislabelled", "renamed"):  # the same images as in a sound source
        flaw, share = "", 0.0
    weigh = {
        "domain classifier": lambda task: kinds.domain_weights(task.source_images, task.target_images, strength=value),
        "kernel mean matching": lambda task: kinds.kernel_mean_matching(task.source_images, task.target_images, bound=value),
        "agreement": kinds.agreeing,
        "oracle": lambda task: 1.0 - task.bad,
    }.get(arm, lambda task: np.ones(len(task.source_labels)))
    return [weigh(task) for task in tasks(flaw, share, labels_per_class)]


def linear(
    arm: str,
    where: tuple,
    C: float,  # noqa: N803
    share: float | None = None,
    value: float = 0.0,
    kind: str = "logistic",
) -> Found:
    """Return accuracies of a logistic regression, or an SVM, on weighted source and target images."""
    found = []
    some = named(where) if arm == NAMED else tasks(*where)
    for task, weights in zip(some, source_weights(arm, *where, value), strict=True):
        target = len(task.target_labels)
        part = target / (target + weights.sum()) if share is None else share
        part = {"target only": 1, "source only": 0, "ink": 1}.get(arm, part)
        rows = np.concatenate([(1 - part) * weights / weights.sum(), np.full(target, part / target)])
        rows, used = rows / rows[rows > 0].mean(), rows > 0
        images = np.concatenate([task.source_images, task.target_images])[used]
        labels = np.concatenate([task.source_labels, task.target_labels])[used]
        view = (lambda some: np.stack([some.mean(1), some.std(1)], 1)) if arm == "ink" else np.asarray
        model = LogisticRegression(C=C, max_iter=500) if kind == "logistic" else SVC(C=10 * C)
        with threadpool_limits(1):
            model.fit(view(images), labels, sample_weight=rows[used])
            found.append([model.score(view(task[f"{p}_images"]), task[f"{p}_labels"]) for p in ("validation", "test")])
    return tuple(np.array(found).T)


def boosted(where: tuple, C: float) -> Found:  # noqa: N803
    """Return accuracies of TrAdaBoost."""
    found = []
    for task in tasks(*where):
        done = kinds.boost(task, strength=C)
        right = kinds.vote(done.answers, done.betas) == np.concatenate([task.validation_labels, task.test_labels])
        found.append([right[: kinds.VALIDATION].mean(), right[kinds.VALIDATION :].mean()])
    return tuple(np.array(found).T)


def part_of(where: tuple, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return images and labels of a part, stacked over runs."""
    return tuple(np.stack([task[f"{name}_{what}"] for task in tasks(*where)]) for what in ("images", "labels"))


@cache
def source_network(where: tuple) -> Any:
    """Return a network for each run that has learned the source for 400 steps."""
    return train(build_weights(seeds=RUNS), *part_of(where, "source"), steps=400, learning_rate=0.003).weights


def network(
    arm: str,
    where: tuple,
    rate: float,
    share: float | None = None,
    value: float = 0.0,
    steps: int | None = None,
    most: int = 800,
) -> np.ndarray:
    """Return accuracies of networks: on validation at every one of STEPS, or after `steps` on the test, (runs, ...)."""
    start, options = build_weights(seeds=RUNS), {}
    if arm in ("target only", "source only"):
        examples = part_of(where, arm.split()[0])
    elif arm in (*WEIGHTED, NAMED, "two heads"):
        some = named(where) if arm == NAMED else tasks(*where)
        images, labels, is_target = kinds.mix(some, source_weights(arm, *where, value), share=share)
        examples = images, labels + 10 * is_target * (arm == "two heads")
    else:
        examples, most = part_of(where, "target"), min(most, 400)
        start = start if arm == "random, frozen" else source_network(where)
        start = new_head(start) if arm != "fine-tuned, head kept" else start
        options = {"frozen": 2} if "frozen" in arm else {}
    if arm == "two heads":
        start, options = build_weights((64, 64, 64, 20), seeds=RUNS), {"loss": "two_heads"}
    settings = {"activation": "relu", "learning_rate": rate, "batch_size": 64} | options
    watched = tuple(step for step in STEPS if step <= most)
    measure_at, part = ((steps,), "test") if steps else (watched, "validation")
    with threadpool_limits(1):
        course = enumerate(islice(training_steps(start, *examples, **settings), measure_at[-1] + 1))
        rows = [
            accuracy(first_head(layers, arm), *part_of(where, part)) for step, (layers, _) in course if step in measure_at
        ]
    return np.stack(rows, axis=1)


def first_head(layers: Any, arm: str) -> Any:
    """Return the network with the target's head alone, where it has two."""
    return [*layers[:-1], tuple(part[..., 10:] for part in layers[-1])] if arm == "two heads" else layers


def search(kind: str, arm: str, where: tuple, *, few: bool = False) -> dict[str, Any]:
    """Return what validation says of every candidate, the best one, and its accuracies on validation and test."""
    tuned = arm in WEIGHTED[1:] or arm == "two heads"
    shares = [{"share": share} for share in (SHARES[2:3] if few else SHARES)] if tuned else [{}]
    if arm in STRICT:
        strict = [2.0] if few else STRICT[arm] if kind == "logistic" else [strictness(arm, where)]
        shares = [one | {"value": value} for value in strict for one in shares]
    tried, results = [], []
    for values in shares:
        if kind == "network":
            for rate in RATES[1:2] if few else RATES:
                course = network(arm, where, rate, most=400 if few else 800, **values)
                for steps, accuracies in zip(STEPS, course.T, strict=False):
                    tried.append(values | {"rate": rate, "steps": steps})
                    results.append((accuracies, None))
        else:
            act = boosted if arm == "TrAdaBoost" else partial(linear, arm, kind=kind)
            for C in STRENGTHS[2:3] if few else STRENGTHS:  # noqa: N806
                tried.append(values | {"C": C})
                results.append(act(where, C=C, **values))
    means = [round(float(validation.mean()), 4) for validation, _ in results]
    best = int(np.argmax(means))
    validation, test = results[best]
    test = network(arm, where, **tried[best])[:, 0] if test is None else test
    rounded = {"validation": validation, "test": test}
    rounded = {name: [round(float(value), 4) for value in values] for name, values in rounded.items()}
    shown = {} if few else {"tried": [[*one.values(), mean] for one, mean in zip(tried, means, strict=True)]}
    return {"chosen": tried[best]} | shown | rounded


def strictness(arm: str, where: tuple) -> float:
    """Return what was chosen with logistic regressions, which networks take over."""
    asked = dict(zip(("flaw", "share", "labels_per_class"), where, strict=True)) | {"arm": arm, "model": "logistic"}
    runs = json.loads(PATH.read_text(encoding="utf-8"))["runs"]
    return next(run["chosen"]["value"] for run in runs if asked.items() <= run.items())


def boosting_film(where: tuple) -> dict[str, Any]:
    """Return TrAdaBoost of run 0, round by round: who has the weight, how often it is right, and 40 weights."""
    task = tasks(*where)[0]
    found, count = kinds.boost(task), len(task.source_labels)
    clean, bad = np.flatnonzero(~task.bad)[:20], np.flatnonzero(task.bad)[:20]
    test = found.answers[:, kinds.VALIDATION :]
    votes = [kinds.vote(test[: last + 1], found.betas[: last + 1]) for last in range(len(test))]
    split = [found.weights[:, count:], found.weights[:, :count][:, ~task.bad], found.weights[:, :count][:, task.bad]]
    shown = found.weights[:, [*clean, *bad]] * found.weights.shape[1]
    return {
        "chosen": {"C": 1.0},
        "test": [round(float((vote == task.test_labels).mean()), 4) for vote in votes],
        "one": [round(float((answers == task.test_labels).mean()), 4) for answers in test],
        "betas": [float(f"{beta:.3g}") for beta in found.betas],
        "split": [[round(float(part[last].sum()), 4) for part in split] for last in range(len(test))],
        "weights": [[float(f"{weight:.3g}") for weight in row] for row in shown],
    }


@cache
def unseen(name: str) -> list[Any]:
    """Return ten splits of ten classes into five of the source and five never seen; clothes come as features of block 4."""
    if name == "digits":
        return [kinds.draw_unseen(run) for run in RUNS]
    clothes, parts = load_clothing(), {"source": "train"} | {part: part for part in PARTS}
    base = load_vgg16(input_shape=clothes.train_images.shape[1:])
    views = {"clothes, pixels": small_pixels, "clothes, colours": colour_numbers}
    view = views.get(name, partial(extract_features, base_model=base, layers="block4_pool"))
    rows = {part: view(clothes[f"{of}_images"]) for part, of in parts.items()}
    labels = {part: clothes[f"{of}_labels"] for part, of in parts.items()}
    return [kinds.split_classes(rows, labels, run=run) for run in RUNS]


@cache
def siamese(name: str, rate: float) -> list[Any]:
    """Return for each split a function that embeds features, learned from pairs of source examples."""
    splits = enumerate(unseen(name))
    return [embedding(one.source_features, one.source_labels, rate=rate, seed=run) for run, one in splits]


def embedding(features: np.ndarray, labels: np.ndarray, *, rate: float, seed: int, steps: int = 600) -> Callable:
    """Return a function that embeds features: half of a Siamese network that has learned to say "same class" or "not"."""
    import keras

    keras.utils.set_random_seed(seed)
    embed = keras.Sequential([keras.layers.Dense(64, activation="relu"), keras.layers.Dense(32)])
    one, other = keras.Input(features.shape[1:]), keras.Input(features.shape[1:])
    apart = keras.ops.sum(keras.ops.square(embed(one) - embed(other)), axis=1, keepdims=True)
    start = {"kernel_initializer": keras.initializers.Constant(-0.1), "bias_initializer": "ones"}
    model = keras.Model([one, other], keras.layers.Dense(1, activation="sigmoid", **start)(apart))
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy", jit_compile=False)
    first, second, same = kinds.draw_pairs(labels, count=64 * steps, seed=seed)
    model.fit([features[first], features[second]], same, batch_size=64, epochs=1, shuffle=False, verbose=0)
    first, second = (layer.get_weights() for layer in embed.layers)
    keras.backend.clear_session()
    return lambda rows: np.maximum(rows @ first[0] + first[1], 0) @ second[0] + second[1]


def simple(split: Any, few: np.ndarray, arm: str, value: float | tuple[float, float], embed: Any) -> list[float]:
    """Return balanced accuracies on validation and test of an arm without steps of its own."""
    shrinkage, strength = value if isinstance(value, tuple) else (value, value)
    view, method = arm.rpartition(", ")[::2]
    rows, labels = {name: split[f"{name}_features"] for name in PARTS}, split.train_labels[few]
    if view.endswith("whitening"):
        told = split.source_labels * (view == "whitening")
        matrix = kinds.whitening(split.source_features, told, shrinkage=shrinkage)
        rows = {name: some @ matrix for name, some in rows.items()}
    if view == "Siamese":
        rows = {name: embed(some) for name, some in rows.items()}
    if method == "angle":
        rows = {name: some / np.linalg.norm(some, axis=1, keepdims=True) for name, some in rows.items()}
    if method in ("centroid", "angle"):
        answers = [kinds.nearest_centroid(rows["train"][few], labels, rows[name]) for name in PARTS[1:]]
    else:
        logistic = LogisticRegression(C=strength, max_iter=500)
        model = {"1-NN": KNeighborsClassifier(1), "logistic": logistic, "SVM": SVC(C=10 * strength)}[method]
        with threadpool_limits(1):
            model.fit(rows["train"][few], labels)
            answers = [model.predict(rows[name]) for name in PARTS[1:]]
    return [balanced_accuracy_score(split[f"{name}_labels"], some) for name, some in zip(PARTS[1:], answers, strict=True)]


def new_classes(name: str, labels_per_class: int, arm: str) -> dict[str, Any]:
    """Return one record of the ten splits into classes of the source and classes never seen."""
    splits, found = unseen(name), []
    few = [take_per_class(split.train_labels, labels_per_class=labels_per_class) for split in splits]
    strengths = STRENGTHS if arm.endswith(("logistic", "SVM")) else (1.0,)
    values = SETTINGS.get(arm.partition(",")[0].removeprefix("blind "), strengths)
    values = list(itertools.product(values, strengths)) if arm.endswith("whitening, logistic") else values
    if arm in NETWORKS:
        values = [(rate, steps) for rate in RATES for steps in STEPS[:-1]]
        found = [course for rate in RATES for course in tuned_on_few(name, splits, few, arm, rate)]
    else:
        for value in values:
            embed = siamese(name, value) if arm.startswith("Siamese") else [None] * len(splits)
            found.append([simple(*one, arm, value, step) for *one, step in zip(splits, few, embed, strict=True)])
    validation, test = np.moveaxis(np.array(found), 2, 0)
    best = int(np.argmax(validation.mean(axis=1)))
    rounded = {name: [round(float(v), 4) for v in rows[best]] for name, rows in (("validation", validation), ("test", test))}
    tried = [round(float(mean), 4) for mean in validation.mean(axis=1)]
    return {"chosen": {"value": values[best]}, "tried": tried} | rounded


def tuned_on_few(name: str, splits: list, few: list, arm: str, rate: float) -> list[list[list[float]]]:
    """Return balanced accuracies, (steps, splits, 2), of networks that learned the source's classes before, or beside."""
    count = min(len(split.source_labels) for split in splits)
    source = np.stack([s.source_features[:count] for s in splits]), np.stack([s.source_labels[:count] for s in splits])
    pairs = list(zip(splits, few, strict=True))
    own = [np.stack([split[f"train_{what}"][chosen] for split, chosen in pairs]) for what in ("features", "labels")]
    sizes = (source[0].shape[-1], 64, 64)
    if arm == "two heads":
        half = np.repeat(np.arange(len(few[0])), 1 + count // len(few[0]))[:count]
        both = np.concatenate([source[0], own[0][:, half]], axis=1), np.concatenate([source[1], own[1][:, half] + 5], axis=1)
        start, examples, options = build_weights((*sizes, 10), seeds=RUNS), both, {"loss": "two_heads"}
    else:
        start = train(build_weights((*sizes, 5), seeds=RUNS), *source, steps=400, learning_rate=0.003).weights
        start, examples, options = new_head(start, classes=5), own, {}
    settings = {"activation": "relu", "learning_rate": rate, "batch_size": 64} | options
    rows = []
    with threadpool_limits(1):
        for step, (layers, _) in enumerate(islice(training_steps(start, *examples, **settings), STEPS[-2] + 1)):
            if step in STEPS:
                ends = [[(w[run], b[run, 0]) for w, b in layers] for run in range(len(splits))]
                both = zip(ends, splits, strict=True)
                rows.append([[scored(end, split, part) for part in PARTS[1:]] for end, split in both])
    return rows


def scored(layers: Any, split: Any, part: str) -> float:
    """Return the balanced accuracy of one network's last five outputs."""
    answers = predict(layers, split[f"{part}_features"], activation="relu")[:, -5:].argmax(axis=1)
    return balanced_accuracy_score(split[f"{part}_labels"], answers)


def plan() -> Iterator[dict[str, Any]]:
    """Yield all records that are wanted, in the order of their worth."""
    both, nets = ("target only", "source only", *WEIGHTED), ("two heads", "fine-tuned, head kept", "fine-tuned, new head")
    arms = [("logistic", arm) for arm in (*both, "ink", "TrAdaBoost")] + [("svm", arm) for arm in ("target only", "pooled")]
    arms += [("network", arm) for arm in (*both, *nets, "frozen, new head", "random, frozen")]
    unseen_arms = [(name, arm) for name in ("digits", "clothes") for arm in (*PLAIN, *LEARNED, *NETWORKS, *COMPARED, *BLIND)]
    unseen_arms += [(f"clothes, {view}", arm) for view in ("pixels", "colours") for arm in PLAIN]
    film = ("target only", "pooled, share tuned", "kernel mean matching", "agreement", *nets)

    def share_of(flaw: str) -> float:
        return 1.0 if flaw == "renamed" else 0.5

    def compare(*settings: tuple[str, int]) -> Iterator[dict[str, Any]]:
        for (flaw, labels), (model, arm) in itertools.product(settings, arms):
            if arm != "oracle" or flaw in kinds.FLAWS[:2]:
                yield {"flaw": flaw, "share": share_of(flaw), "labels_per_class": labels, "model": model, "arm": arm}

    yield from compare(*((flaw, 5) for flaw in kinds.FLAWS), ("other scanner", 1))
    for flaw, model in itertools.product(kinds.FLAWS, ("logistic", "svm", "network")):
        yield {"flaw": flaw, "share": share_of(flaw), "labels_per_class": 5, "model": model, "arm": NAMED}
    for flaw, share in itertools.product(kinds.FLAWS[:2], (0.25, 0.5, 0.75)):
        one = {"flaw": flaw, "share": share, "labels_per_class": 5, "film": True}
        yield one | {"model": "logistic", "arm": "TrAdaBoost"}
    for flaw, share, arm in itertools.product(kinds.FLAWS[:3], (0.0, 0.25, 0.5, 0.75, 1.0), film):
        yield {"flaw": flaw, "share": share, "labels_per_class": 5, "film": True, "model": "network", "arm": arm}
    for labels, (name, arm) in itertools.product((1, 5, 20), unseen_arms):
        yield {"flaw": name, "share": 0.0, "labels_per_class": labels, "model": "unseen", "arm": arm}
    for flaw, share, arm in itertools.product(kinds.FLAWS[:3], (0.0, 0.25, 0.5, 0.75, 1.0), film):
        yield {"flaw": flaw, "share": share, "labels_per_class": 1, "film": True, "model": "network", "arm": arm}
    yield from compare(("other scanner", 20))


def act(flaw: str, share: float, labels_per_class: int, model: str, arm: str, film: bool = False) -> dict[str, Any]:
    """Return one record."""
    if model == "unseen":
        return new_classes(flaw, labels_per_class, arm)
    if arm == "TrAdaBoost" and film:
        return boosting_film((flaw, share, labels_per_class))
    return search(model, arm, (flaw, share, labels_per_class), few=film)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--at-most", type=float, default=60, metavar="MINUTES", help="stop after the record in hand (60)")
    about = {"first and last run": [RUNS[0], RUNS[-1]]}
    record_missing(PATH, plan(), act, until=time.monotonic() + 60 * parser.parse_args().at_most, recorded=about)
    sys.exit(0)
