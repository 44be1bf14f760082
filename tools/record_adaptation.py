"""Record the experiments of notebook 10 in helpers/runs/adaptation.json: a target without labels that looks different.

    python tools/record_adaptation.py [--at-most MINUTES]

What is in the file already is kept, so an interrupted recording goes on. A record has one arm on one shift: ten runs, other
images in source and pool each. Digits: 1,000 of MNIST, a pool of 1,000 of UCI, 600 others for the test. Clothes: 30
photographs of a class as source, 30 others as pool, and the test part, the same 372 in all runs; VGG16's block 4, 128 px.

Named before the first run. Main comparison: clothes, mean over grey, blur, contrast, noise and scale, CORAL minus
standardising per domain. If the interval over the runs excludes zero, the covariance matters there; if not, they are "not
told apart". Second: digits, DANN minus its twin of strength 0. Settings are chosen without a label of the target: C, ridge
and dimensions by three folds of the (moved) source; DANN's strength and rate, its twin's rate, by reverse validation. The
rest is exploration. With labels, C and settings are those of the arm without. The bound chooses on its own labels.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import islice
from typing import Any

import numpy as np
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.svm import SVC
from sklearn.utils import Bunch
from threadpoolctl import threadpool_limits

from helpers import adaptation, networks
from helpers.data import load_clothing, straighten, take_per_class
from helpers.experiments import colour_numbers, small_pixels
from helpers.explorers.domain_adaptation import part_of_the_way
from helpers.features import extract_features
from helpers.training import RUNS_FOLDER, record_missing
from helpers.vgg16 import load_vgg16

PATH, RUNS, PARTS = RUNS_FOLDER / "adaptation.json", range(300, 310), ("train", "test")
MAIN = ("grey", "blur", "contrast", "noise", "scale")
C, RULES = (0.01, 0.1, 1.0), ("source", "entropy", "reverse", "oracle")
STEPS, DANN = 4000, tuple(itertools.product((0.0, 0.03, 0.1, 0.3, 1.0), (0.001, 0.003, 0.01)))  # strength, learning rate
SETTINGS = {
    "CORAL": [{"ridge": ridge} for ridge in (0.01, 0.1, 1.0, 10.0)],
    "standardise, CORAL": [{"ridge": ridge} for ridge in (0.01, 0.1, 1.0, 10.0)],
    "subspaces": [{"dimensions": dimensions} for dimensions in (10, 20, 40)],
}
SHARES = {"full": [1] * 10, "half": [1] * 5 + [0] * 5, "16:1": [16] * 5 + [1] * 5}
MAPS: dict[str, Callable] = {
    "source only": adaptation.scale_alike,
    "mean": lambda *rows: adaptation.standardise_each(*adaptation.scale_alike(*rows), deviation=False),
    "standardise": adaptation.standardise_each,
    "source statistics": lambda source, *rows: adaptation.standardise_each(source, source, *rows)[1:],  # a control: no pool
    "CORAL": lambda *rows, ridge: adaptation.coral(*adaptation.scale_alike(*rows), ridge=ridge),
    "standardise, CORAL": lambda *rows, ridge: adaptation.coral(*adaptation.standardise_each(*rows), ridge=ridge),
    "subspaces": lambda *rows, **size: adaptation.align_subspaces(*adaptation.standardise_each(*rows), **size),
    "length": lambda *rows: adaptation.scale_alike(*(row / np.linalg.norm(row, axis=1, keepdims=True) for row in rows)),
    "straightened": lambda *rows: adaptation.scale_alike(*map(upright, rows)),
    "straightened, mean": lambda *rows: MAPS["mean"](*map(upright, rows)),
    "two numbers": lambda *rows: [(row - row.mean()) / row.std() for row in rows],
}


clothes = cache(load_clothing)


def upright(rows: np.ndarray) -> np.ndarray:
    """Return digits that are equally wide and upright, as rows: no label and no pool is asked."""
    return straighten(rows.reshape(-1, 8, 8)).reshape(len(rows), -1)


def clothing_images(shift: str, part: str) -> np.ndarray:
    """Return the photographs of a part behind a shift."""
    images, how = clothes()[f"{part}_images"], {"dose": adaptation.DOSES.get(shift, 0), "seed": PARTS.index(part)}
    return images if shift == "none" else adaptation.shift_images(images, kind=shift, **how)


@cache
def clothing_rows(shift: str, part: str, view: str) -> np.ndarray:
    """Return what a part looks like behind a shift: features of block 4, "pixels" or "colours"."""
    images = clothing_images(shift, part)
    if view in ("pixels", "colours"):
        return small_pixels(images) if view == "pixels" else colour_numbers(images)
    return extract_features(images, base_model=load_vgg16(input_shape=images.shape[1:]), layers="block4_pool")


def domains(data: str, shift: str, *, run: int, labels_per_class: int = 0, pool: str = "all", view: str = "") -> Bunch:
    """Return one run: `source`, `pool`, `test` and their labels, and `few`, places in the pool that are labelled."""
    if data == "digits":
        found = adaptation.draw_domains(run=run, target="uci" if shift == "scanner" else "mnist")
        task = Bunch(**{part: found[f"{part}_images"].astype("float64") for part in ("source", "pool", "test")})
        task.update({f"{part}_labels": found[f"{part}_labels"] for part in ("source", "pool", "test")})
        task.validation = found.source_validation_images, found.source_validation_labels
    else:
        labels, own = clothes().train_labels, take_per_class(clothes().train_labels, labels_per_class=30, seed=run)
        rest = np.random.default_rng([103, run]).permutation(np.setdiff1d(np.arange(len(labels)), own))
        near, look = shift if view == "bound" else "none", view if view in ("pixels", "colours") else ""
        task = Bunch(source=clothing_rows(near, "train", look)[own], source_labels=labels[own])
        task.update(pool=clothing_rows(shift, "train", look)[rest], pool_labels=labels[rest])
        task.test, task.test_labels = (
            clothing_rows(shift, "test", look),
            clothes().test_labels,
        )
    if labels_per_class:
        task.few = take_per_class(task.pool_labels, labels_per_class=labels_per_class, seed=run)
    if pool != "all":
        shares = np.array(SHARES.get(pool, SHARES["full"]))[np.random.default_rng([104, run]).permutation(10)]
        count = int(pool) if pool.isdigit() else {"digits": 400, "clothes": 150}[data]
        chosen = np.random.default_rng([105, run]).permutation(len(task.pool))[:count]
        if not pool.isdigit():
            chosen = adaptation.draw_pool(task.pool_labels, shares=shares, count=count, seed=run)
        task.update(pool=task.pool[chosen], pool_labels=task.pool_labels[chosen])
    if view == "bound" and data == "digits":
        task.update(source=task.pool, source_labels=task.pool_labels)
    return task


def score(data: str, labels: np.ndarray, answers: np.ndarray) -> float:
    """Return the accuracy, for clothes the balanced one: their test part is not."""
    return float(balanced_accuracy_score(labels, answers) if data == "clothes" else (labels == answers).mean())


def judge(data: str, task: Bunch, fit: Callable, moved: tuple) -> dict[str, float]:
    """Return how good a candidate looks by each rule, the higher the better, and how good it is on the test."""
    source, pool, test = moved
    model, means = fit(source, task.source_labels, pool), []
    for one, other in StratifiedKFold(3, shuffle=True, random_state=0).split(source, task.source_labels):
        said = fit(source[one], task.source_labels[one], pool).predict(source[other])
        means.append(score(data, task.source_labels[other], said))
    answers, found = model.predict(pool), {"source": float(np.mean(means)), "reverse": 0.0}
    found["entropy"] = -adaptation.target_entropy(model.predict_proba(pool))
    if len(np.unique(answers)) > 1:
        found["reverse"] = score(data, task.source_labels, fit(pool, answers, source).predict(source))
    return found | {"oracle": score(data, task.test_labels, model.predict(test))}


def without_labels(data: str, shift: str, arm: str, pool: str) -> dict[str, Any]:
    """Return the test accuracies of an arm by each rule of choice; `test` is by the rule "source"."""
    arm, _, trained = arm.partition(" + ")
    view, move = "bound" if arm == "bound" else "", MAPS.get(arm, MAPS["source only"])
    values = [{"threshold": one} for one in (0.5, 0.7, 0.9, 0.99)] if trained else [{"C": one} for one in C]
    maps = SETTINGS.get(arm, [{}])
    tried: list[list] = [[] for _ in itertools.product(maps, values)]
    for run in RUNS:
        task = domains(data, shift, run=run, pool=pool, view=view)
        ends = [tuple(move(task.source, task.pool, task.test, **one)) for one in maps]
        for found, (moved, value) in zip(tried, itertools.product(ends, values), strict=True):
            fit = partial(adaptation.self_train, threshold=value.get("threshold", 2), strength=value.get("C", 0.1))
            found.append(judge(data, task, fit, moved))
    return chosen_by_rules(tried, [one | other for one, other in itertools.product(maps, values)])


def chosen_by_rules(tried: list, settings: list, rule: str = "source") -> dict[str, Any]:
    """Return test accuracies of the runs with what each rule chose in each, and what `rule` chose."""
    found = {key: np.array([[one[key] for one in runs] for runs in tried]) for key in RULES}  # candidates, runs
    best = {key: found[key].argmax(axis=0) for key in RULES}
    tests = {key: [round(float(v), 4) for v in found["oracle"][best[key], range(len(RUNS))]] for key in RULES}
    shown = [[*one.values(), *(round(float(found[key][i].mean()), 4) for key in RULES)] for i, one in enumerate(settings)]
    return {"chosen": [settings[i] for i in best[rule]], "test": tests[rule], "by": tests, "tried": shown}


def with_labels(data: str, shift: str, arm: str, labels_per_class: int) -> dict[str, Any]:
    """Return test accuracies with a few labels of the target: "target only", or an arm with them, worth half of all."""
    base, tests = arm.removesuffix(" + labels").replace("target only", "source only"), []
    wanted = {"data": data, "shift": shift, "arm": base, "labels_per_class": 0, "pool": "all"}
    plain = next(run["chosen"] for run in read() if wanted.items() <= run.items())
    for run, setting in zip(RUNS, plain, strict=True):
        task = domains(data, shift, run=run, labels_per_class=labels_per_class)
        outer = {key: value for key, value in setting.items() if key != "C"}
        source, pool, test = MAPS[base](task.source, task.pool, task.test, **outer)
        rows, labels, few = pool[task.few], task.pool_labels[task.few], 0
        if arm != "target only":
            few, rows, labels = len(rows), np.concatenate([source, rows]), np.concatenate([task.source_labels, labels])
        model = adaptation.fit_weighted(rows, labels, few=few, strength=setting["C"])
        tests.append(score(data, task.test_labels, model.predict(test)))
    return {"chosen": plain, "test": [round(value, 4) for value in tests]}


def baseline(data: str, shift: str, arm: str, labels_per_class: int) -> dict[str, Any]:
    """Return test accuracies of a tuned SVM, or with 10, 20 or 50 labels of the pool that do not come from each class.

    "clusters": as many clusters as labels, each named by the image in its middle. "middles": a classifier learns these
    images alone. "any": it learns as many images at random.
    """
    tests, chosen = [], []
    for place, run in enumerate(RUNS):
        view = arm.partition(", ")[2] if arm.startswith("clusters") else arm.partition(", ")[0]
        task = domains(data, shift, run=run, view=view if data == "clothes" else "")
        if view == "source network":
            layers = [(weights[place], bias[place]) for weights, bias in source_network()]
            for part in ("pool", "test"):
                task[part] = networks.forward(layers, task[part].astype("float32"), activation="relu")[-2]
        with threadpool_limits(1):
            if "SVM" in arm:
                source, _, test = MAPS.get(view, MAPS["source only"])(task.source, task.pool, task.test)
                model = GridSearchCV(SVC(), {"C": [1.0, 10.0, 100.0]}, cv=3).fit(source, task.source_labels)
                chosen.append(model.best_params_)
            else:
                test, model = task.test, labelled(task, arm, 10 * labels_per_class, seed=run)
        tests.append(score(data, task.test_labels, model.predict(test)))
    return {"chosen": chosen, "test": [round(value, 4) for value in tests]}


def labelled(task: Bunch, arm: str, count: int, *, seed: int) -> Any:
    """Return what has learned from so many labels of the pool."""
    if arm.startswith("any"):
        asked = np.random.default_rng([106, seed]).permutation(len(task.pool))[:count]
        return adaptation.fit_weighted(task.pool[asked], task.pool_labels[asked])
    clusters, names = adaptation.name_clusters(task.pool, task.pool_labels, clusters=count, seed=seed)
    if arm.startswith("middles"):
        return adaptation.fit_weighted(task.pool[clusters.transform(task.pool).argmin(axis=0)], names)
    return Bunch(predict=lambda rows: names[clusters.predict(rows)])


@cache
def source_network() -> Any:
    """Return a network for each run that has learned the source's digits for 400 steps."""
    tasks = [domains("digits", "scanner", run=run) for run in RUNS]
    images, labels = (np.stack([task[part] for task in tasks]) for part in ("source", "source_labels"))
    return networks.train(networks.build_weights(seeds=RUNS), images, labels, steps=400, learning_rate=0.003).weights


@cache
def dann_stack(view: str) -> tuple[np.ndarray, ...]:
    """Return source, pool, test and validation (runs, n, 64), and labels of all but the pool; `view`: "mean", or as is."""
    stacked = []
    for run in RUNS:
        task, each = domains("digits", "scanner", run=run), partial(adaptation.standardise_each, deviation=False)
        rows = adaptation.scale_alike(task.source, task.pool, task.test, task.validation[0])
        if view:
            rows = *each(*rows[:3]), each(rows[1], rows[0], rows[3])[2]
        own = [some.astype("float32") for some in rows]
        stacked.append([*own, task.source_labels, task.test_labels, task.validation[1]])
    return tuple(map(np.stack, zip(*stacked, strict=True)))


def train_dann(source: np.ndarray, labels: np.ndarray, target: np.ndarray, **settings: float) -> Any:
    """Return the layers that read labels, one network a run."""
    sizes = ((64, 64, 64), (64, 10), (64, 32, 2))
    parts = tuple(networks.build_weights(size, seeds=[1000 * i + run for run in RUNS]) for i, size in enumerate(sizes))
    with threadpool_limits(1):
        body, head, _ = next(islice(networks.adversarial_steps(parts, source, labels, target, **settings), STEPS, None))
    return [*body, *head]


def judge_dann(view: str, **settings: float) -> list[dict[str, float]]:
    """Return how good one candidate looks by each rule in each run, and how good it is."""
    source, target, test, validation, labels, test_labels, validation_labels = dann_stack(view)
    layers = train_dann(source, labels, target, **settings)
    probabilities = networks.softmax(networks.predict(layers, target, activation="relu"))
    back = train_dann(target, probabilities.argmax(axis=-1), source, **settings)
    shown = (("source", layers, validation, validation_labels), ("reverse", back, validation, validation_labels))
    found = {key: networks.accuracy(*what) for key, *what in (*shown, ("oracle", layers, test, test_labels))}
    found["entropy"] = -np.array([adaptation.target_entropy(one.astype("float64")) for one in probabilities])
    return [{key: float(values[run]) for key, values in found.items()} for run in range(len(RUNS))]


def dann(arm: str) -> dict[str, Any]:
    """Return a DANN, or its twin of strength 0, chosen by reverse validation; after a comma the map of its input."""
    name, _, view = arm.partition(", input: ")
    pairs = [{"strength": s, "learning_rate": r} for s, r in DANN if (s == 0) == name.endswith("twin")]
    return chosen_by_rules([judge_dann(view, **pair) for pair in pairs], pairs, rule="reverse")


def film(arm: str, labels_per_class: int) -> dict[str, Any]:
    """Return test accuracies (21 strengths, runs) of digits that have gone a part of the way that a map leads."""
    tests = np.zeros((21, len(RUNS)))
    for place, run in enumerate(RUNS):
        task = domains("digits", "scanner", run=run, labels_per_class=labels_per_class or 1)
        few = task.few[: 10 * labels_per_class]
        labels = np.concatenate([task.source_labels, task.pool_labels[few]])
        for stop in range(21):
            source, pool, test = part_of_the_way(arm, stop / 20, task.source, task.pool, task.test)
            model = adaptation.fit_weighted(np.concatenate([source, pool[few]]), labels, few=len(few))
            tests[stop, place] = model.score(test, task.test_labels)
    return {"chosen": {}, "test": tests.round(4).tolist()}


def plan() -> Iterator[dict[str, Any]]:
    """Yield all records that are wanted, in the order of their worth."""

    def ask(data: str, shifts: Any, arms: Any, *, labels: Any = (0,), pools: Any = ("all",)) -> Iterator[dict[str, Any]]:
        for shift, pool, count, arm in itertools.product(shifts, pools, labels, arms):
            yield {"data": data, "shift": shift, "arm": arm, "labels_per_class": count, "pool": pool}

    near, clear = ("none", "scanner"), ("source only", "mean", "standardise", "CORAL")
    more = ("standardise, CORAL", "subspaces", "length", "bound")
    learned = [f"{arm} + self-training" for arm in clear[:3]]
    helped = ["target only", *(f"{arm} + labels" for arm in clear)]
    yield from ask("digits", near[1:], (*clear, "source statistics", *more, "two numbers", *learned, "DANN", "DANN twin"))
    yield from ask("digits", near[1:], helped, labels=(1, 2, 5))
    yield from ask("digits", near[1:], ("clusters, pixels", "clusters, source network"), labels=(1, 2, 5))
    yield from ask("digits", near[1:], ("middles", "any"), labels=(1, 2, 5))
    yield from ask("digits", near[1:], ("straightened", "straightened, mean", "pixels, SVM", "mean, SVM"))
    yield from ask("clothes", ("none", *MAIN), (*clear, "source statistics"))
    yield from ask("clothes", ("none", *MAIN), ("clusters, features", *helped[:2], helped[3]), labels=(1, 5))
    yield from ask("film", near[1:], (*clear[1:], "subspaces"), labels=(0, 1, 5))
    yield from ask("clothes", ("none", "noise"), clear, pools=("full", "half"))
    yield from ask("digits", near, clear, pools=SHARES)
    yield from ask("clothes", MAIN, more[::-1])
    yield from ask("clothes", ("none", *MAIN), ("pixels, SVM", "colours, SVM"))
    yield from ask("clothes", ("noise",), clear[1:3], pools=("10", "25", "50", "100", "200"))
    yield from ask("digits", near[1:], clear[1:3], pools=("10", "25", "50", "100", "200"))
    yield from ask("clothes", ("none", *MAIN), ("clusters, pixels",), labels=(1, 5))
    yield from ask("clothes", ("noise",), ("source only + self-training", "standardise + self-training"))


def read() -> list[dict[str, Any]]:
    """Return what is recorded."""
    return json.loads(PATH.read_text(encoding="utf-8"))["runs"] if PATH.exists() else []


def act(data: str, shift: str, arm: str, labels_per_class: int, pool: str) -> dict[str, Any]:
    """Return one record."""
    if data == "film":
        return film(arm, labels_per_class)
    if "SVM" in arm or arm.startswith(("clusters", "middles", "any")):
        return baseline(data, shift, arm, labels_per_class)
    if labels_per_class:
        return with_labels(data, shift, arm, labels_per_class)
    if arm.startswith("DANN"):
        return dann(arm)
    return without_labels(data, shift, arm, pool)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--at-most", type=float, default=60, metavar="MINUTES", help="stop after the record in hand (60)")
    about = {"first and last run": [RUNS[0], RUNS[-1]], "DANN steps": STEPS}
    record_missing(PATH, plan(), act, until=time.monotonic() + 60 * parser.parse_args().at_most, recorded=about)
