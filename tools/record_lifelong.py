"""Record the comparisons of notebook 11 in helpers/runs/lifelong.json: methods that learn one task after another.

    python tools/record_lifelong.py [--at-most MINUTES]

Main comparison, named before it was run: digits in pairs, all classes asked, rehearsal in as many bytes as ten means take
(2,560, or 4 images a class) minus the nearest mean, paired over ten runs. Second: EWC minus fine-tuning, with all classes
asked, and with the task known. All else is exploration.

Every candidate learns runs 300 to 304 and is asked the validation images of all tasks: in hindsight, but alike for all. The
best one for each question then learns runs 400 to 409, and is asked the test images once. What was changed to overturn the
conclusions, and clothes, have four learning rates instead of five, and five strengths of EWC instead of nine. A record has
both tables (runs, after task, asked task). What is in the file already is kept, so an interrupted recording goes on.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator
from functools import cache, partial
from typing import Any

import numpy as np
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC
from sklearn.utils import Bunch
from threadpoolctl import threadpool_limits

from helpers import lifelong
from helpers.data import load_clothing, take_per_class
from helpers.evaluation import paired_interval
from helpers.experiments import colour_numbers, small_pixels
from helpers.features import extract_features
from helpers.networks import forward
from helpers.training import RUNS_FOLDER, record_missing
from helpers.vgg16 import load_vgg16

PATH, TUNING, RUNS = RUNS_FOLDER / "lifelong.json", range(300, 305), range(400, 410)
RATES = (0.0001, 0.0003, 0.001, 0.003, 0.01)
STRENGTHS = {  # of each method that has one: eight decades for EWC
    "EWC": tuple(10.0**power for power in range(9)),
    "L2": tuple(10.0**power for power in range(-5, 3)),
    "joint, logistic": (0.001, 0.01, 0.1, 1.0, 10.0, 100.0),
    "shared covariance": (0.0, 0.01, 0.03, 0.1, 0.3, 0.6, 0.9),
}
MEMORIES = (4, 1, 5, 20, 50)
LINE = (
    "fine-tune",
    "nearest mean",
    "EWC",
    "shared covariance",
    "joint",
    "current classes only",
    "EWC, current classes only",
)
LINE += ("L2", "EWC, empirical", "frozen body", "growing head", "untrained", "joint, SVM")
LINE += ("frozen head",)
SAME_CLASSES = (
    "fine-tune",
    "nearest mean",
    "EWC",
    "shared covariance",
    "joint",
    "L2",
    "frozen body",
    "untrained",
    "joint, SVM",
)
CLOTHES = ("clothes, random VGG16", "clothes, pixels", "clothes, colours")
CHANGED = {  # what else was tried to overturn the conclusions: other arguments of the tasks, and of the learning
    "other runs": ({"runs": range(420, 440)}, {}),
    "other orders": ({"shuffled": True}, {}),
    "twice the steps": ({}, {"steps": 400}),
    "four times the steps": ({}, {"steps": 800}),
    "larger network": ({}, {"hidden": (256, 256)}),
    "wide network": ({}, {"hidden": (1024,)}),
    "five digits a task": ({"per_task": 5}, {}),
    "50 images a class": ({"counts": (50, 50, 150)}, {}),
}
FILM = {  # for each method three strengths; a memory for rehearsal
    "fine-tune": (0.0, 0.0, 0.0),
    "L2": (0.01, 0.1, 1.0),
    "EWC": (100.0, 10_000.0, 1_000_000.0),
    "rehearsal": (1, 4, 20),
}
SNAPSHOTS = (0, 2, 4, 6, 8, 10, 13, 16, 19, 22, 25, 28, 31, 34, 37, 40, 43, 46, 50, 54, 58, 62, 66, 70, 75, 80, 86, 92)
SNAPSHOTS += (100, 110, 120, 130, 145, 160, 180, 200, 225, 250, 275, 300)


@cache
def tasks(data: str, runs: range, **changes: Any) -> list[Any]:
    """Return the tasks of these runs."""
    if data.startswith("clothes"):
        return clothes_tasks(data, runs)
    if data == "digits":
        return lifelong.digit_tasks(runs=runs, **changes)
    return lifelong.look_tasks(data.split(" then "), runs=runs)


@cache
def clothes_rows(data: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return a row of numbers and a label for each photograph of clothes, of the three parts."""
    clothes = load_clothing()
    view = {"clothes, pixels": small_pixels, "clothes, colours": colour_numbers}.get(data)
    if view is None:
        source = "random" if "random" in data else "imagenet"
        base_model = load_vgg16(source, input_shape=clothes.train_images.shape[1:])
        view = partial(extract_features, base_model=base_model, layers="block4_pool")
    return {part: (np.float32(view(clothes[f"{part}_images"])), clothes[f"{part}_labels"]) for part in lifelong.PARTS}


def clothes_tasks(data: str, runs: range) -> list[Any]:
    """Return pairs of clothes at random, 40 of 60 photographs of each class in each run, in the scale of the first task."""
    rows, drawn = clothes_rows(data), []
    for run in runs:
        few = take_per_class(rows["train"][1], labels_per_class=40, seed=run)
        drawn.append(rows | {"train": tuple(some[few] for some in rows["train"])})
    found = lifelong.split_tasks(drawn, seeds=runs, image_bytes=rows["train"][0][0].nbytes)
    middle, scale = found[0].train_images.mean(axis=1, keepdims=True), found[0].train_images.std(axis=(1, 2), keepdims=True)
    for task, part in itertools.product(found, lifelong.PARTS):
        task[f"{part}_images"] = (task[f"{part}_images"] - middle) / scale
    return found


def learn(
    data: str, method: str, memory: int, runs: range, part: str, *, learning_rate: float, strength: float, changed: str
) -> lifelong.Learned:
    """Return what a method learns in these runs."""
    others, settings = CHANGED.get(changed, ({}, {}))
    seeds = runs if part == "validation" else others.get("runs", runs)
    changes = {key: value for key, value in others.items() if key != "runs"}
    some = tasks(data, seeds, **changes)
    kept = (memory or 0) * sum(len(task.classes) * task.image_bytes for task in some)
    images_alone = method.startswith("memory") or method.endswith("centres")
    if method.startswith("memory"):
        some, method = only_memory(some, memory, seeds), method.replace("memory", "joint")
    if method.endswith(("SVM", "logistic")):
        return classical(some, kind=method.split()[-1], strength=strength, part=part)._replace(bytes=kept)
    method = {"joint, network": "joint", "joint, shared covariance": "shared covariance"}.get(method, method)
    shape = {"hidden": (64,) if data.startswith("clothes") else (64, 64)}
    settings = {"steps": 400 if "then" in data else 200} | shape | settings
    if method == "untrained":
        method, settings = "fine-tune", settings | {"steps": 0}
    if method == "rehearsal, centres":
        some, method = with_centres(data, seeds, memory, **changes), "fine-tune"
    settings |= {"learning_rate": learning_rate, "strength": strength, "memory": memory or 0}
    found = lifelong.learn_tasks(some, method=method, seeds=seeds, part=part, **settings)
    return found._replace(bytes=kept if images_alone else found.bytes)


def only_memory(some: list[Any], memory: int, seeds: range) -> list[Any]:
    """Return the tasks with no other training images than those that rehearsal keeps."""
    found = [task.copy() for task in some]
    for task in found:
        pairs = list(zip(task["train_labels"], seeds, strict=True))
        chosen = np.stack([lifelong.choose_memory(labels, per_class=memory, seed=seed) for labels, seed in pairs])
        task["train_images"] = np.take_along_axis(task["train_images"], chosen[..., np.newaxis], axis=1)
        task["train_labels"] = np.take_along_axis(task["train_labels"], chosen, axis=1)
    return [Bunch(**task) for task in found]


@cache
def with_centres(data: str, seeds: range, count: int, **changes: Any) -> list[Any]:
    """Return tasks that replay `count` centres of k-means, in whole bytes, of each class before: as often as its images."""
    found, kept = [], []
    for task in tasks(data, seeds, **changes):
        most = task.train_labels.shape[1]
        again = [(np.resize(np.arange(images.shape[1]), most), images, labels) for images, labels in kept]
        images = [task.train_images, *(images[:, places] for places, images, _ in again)]
        labels = [task.train_labels, *(labels[:, places] for places, _, labels in again)]
        new = {"train_images": np.concatenate(images, axis=1), "train_labels": np.concatenate(labels, axis=1)}
        found.append(Bunch(**task | new))
        rows = [
            [i[of == label] for label in task.classes] for i, of in zip(task.train_images, task.train_labels, strict=True)
        ]
        centres = [[KMeans(count, n_init=3, random_state=0).fit(own).cluster_centers_ for own in row] for row in rows]
        whole = np.float32(np.round(255 * np.reshape(centres, (len(rows), -1, 64))) / 255)
        kept.append((whole, np.broadcast_to(np.repeat(task.classes, count), whole.shape[:2])))
    return found


def classical(some: list[Any], *, kind: str, strength: float, part: str) -> lifelong.Learned:
    """Return the accuracies of a model that has all tasks at once, in a table with one row."""
    rows = []
    for run in range(len(some[0].train_labels)):
        images, labels = (np.concatenate([task[f"train_{what}"][run] for task in some]) for what in ("images", "labels"))
        with threadpool_limits(1):
            model = SVC(C=strength) if kind == "SVM" else LogisticRegression(C=strength, max_iter=500)
            model.fit(images, labels)
            rows.append([model.decision_function(task[f"{part}_images"][run]) for task in some])
    shown = [np.stack(logits) for logits in zip(*rows, strict=True)]
    tables = np.array(
        [lifelong.score(*both, part) for both in zip(some, shown, strict=True)]
    )  # (asked task, question, runs)
    return lifelong.Learned(*tables.transpose(1, 2, 0)[:, :, np.newaxis], None, 0)


def compare(data: str, method: str, memory: int | None, changed: str = "") -> dict[str, Any]:
    """Return a record: what validation says of all candidates, and both tables of the best one for each question."""
    no_steps = method.endswith(("mean", "covariance", "untrained", "SVM", "logistic"))
    strengths = STRENGTHS | {"joint, SVM": (1.0, 10.0, 100.0)}
    alike = method.replace("memory", "joint")
    strengths = strengths.get(
        alike, strengths.get(alike.removeprefix("joint, "), strengths.get(method.partition(",")[0], (0.0,)))
    )
    if (changed or data != "digits" or memory) and method.endswith("shared covariance"):
        strengths = strengths[1:]  # pixels without ink, or fewer photographs than features: it cannot be inverted without
    if method.startswith("EWC") and (changed or data != "digits"):  # around what was best on digits in pairs
        strengths = strengths[1:6]
    rates = (0.001,) if no_steps else RATES[:4] if changed or data.startswith("clothes") else RATES
    candidates = list(itertools.product(rates, strengths))
    act = partial(learn, data, method, memory, changed=changed)
    tried = []
    for rate, strength in candidates:
        found = act(TUNING, "validation", learning_rate=rate, strength=strength)
        tried.append([rate, strength, *(round(float(lifelong.average_accuracy(table).mean()), 4) for table in found[:2])])
    chosen = {name: max(tried, key=lambda one: one[place])[:2] for place, name in ((2, "all_classes"), (3, "task_known"))}
    results = {name: act(RUNS, "test", learning_rate=best[0], strength=best[1]) for name, best in chosen.items()}
    tables = {name: getattr(result, name) for name, result in results.items()}
    tables["same_known"] = results["all_classes"].task_known  # the task known, in the setting of the other question
    record = {f"chosen_{name}": dict(zip(("learning_rate", "strength"), best, strict=True)) for name, best in chosen.items()}
    record |= {name: np.round(table, 4).tolist() for name, table in tables.items()}
    return record | {"tried": tried, "bytes": results["all_classes"].bytes}


def film(method: str, place: int) -> dict[str, Any]:
    """Return snapshots of ten networks that know the digits 0 to 4 and learn 5 to 9, at one of three strengths."""
    some, value = tasks("digits", RUNS, per_task=5), FILM[method][place]
    start, rows = [], []

    def watch(number: int, step: int, layers: Any) -> None:
        if number and step == 0:
            start.extend(part.copy() for layer in layers for part in layer)
        if number and step in SNAPSHOTS:
            rows.append(snapshot(some, layers, start))

    settings = {"learning_rate": 0.001, "steps": 300, "watch": watch}
    settings |= {"memory": value} if method == "rehearsal" else {"strength": value}
    lifelong.learn_tasks(some, method=method, seeds=RUNS, **settings)
    halved = np.stack([row.pop("each") for row in rows]) < 0.5  # (snapshots, runs, digits)
    when = np.where(halved.any(axis=0), halved.argmax(axis=0), len(rows))
    first = [np.flatnonzero(of_run == of_run.min()).tolist() for of_run in when if of_run.min() < len(rows)]
    return {"value": value, "steps": list(SNAPSHOTS), "first": first} | {key: [row[key] for row in rows] for key in rows[0]}


def snapshot(some: list[Any], layers: Any, start: list[np.ndarray]) -> dict[str, Any]:
    """Return the accuracies of a moment with their intervals, the old digits one by one, and twenty answers of run 400."""
    old, new = (forward(layers, task.test_images, activation="relu")[-1] for task in some)
    answers, labels = old.argmax(axis=-1), some[0].test_labels
    right = {
        "old": answers == labels,
        "new": new.argmax(-1) == some[1].test_labels,
        "known": old[..., :5].argmax(-1) == labels,
    }
    each = np.stack([[(of == d)[row == d].mean() for d in range(5)] for of, row in zip(answers, labels, strict=True)])
    shown = np.concatenate([np.flatnonzero(labels[0] == digit)[:4] for digit in range(5)])
    moved = [
        ((now - then) ** 2).sum(axis=(1, 2)) for now, then in zip((p for pair in layers for p in pair), start, strict=True)
    ]
    return {
        **{name: [round(value, 3) for value in paired_interval(some.mean(axis=1))] for name, some in right.items()},
        "by_digit": np.round(each.mean(axis=0), 3).tolist(),
        "each": each,
        "answers": "".join(map(str, answers[0, shown])),
        "distance": round(float(np.sqrt(sum(moved)).mean()), 3),
    }


def plan() -> Iterator[dict[str, Any]]:
    """Yield all records that are wanted, in the order of their worth."""

    def rows(data: str, methods: tuple[str, ...], memories: tuple[int, ...] = MEMORIES, **more: Any) -> Iterator[dict]:
        for method, memory in itertools.product(("rehearsal", "memory, SVM"), memories):
            yield {"data": data, "method": method, "memory": memory, **more}
        for method in methods:
            yield {"data": data, "method": method, "memory": None, **more}

    yield from rows("digits", LINE)
    yield from ({"film": True, "method": method, "place": place} for method in FILM for place in range(3))
    for data in ("mnist then uci", "uci then mnist"):
        yield from rows(data, SAME_CLASSES, (1, 5, 20))
    yield from rows("clothes", (*LINE[:7], *LINE[10:13]), (1, 5, 20))
    for changed in CHANGED:
        large = changed.endswith("network")
        yield from rows("digits", LINE[: 3 if large else 4], (4,) if changed == "wide network" else (4, 20), changed=changed)
    for changed in ({}, {"changed": "larger network"}, {"changed": "wide network"}):
        yield {"data": "digits", "method": "rehearsal, shared", "memory": 4, **changed}
    yield from ({"data": data, "method": "joint, logistic", "memory": None} for data in ("clothes", "digits"))
    yield {"data": "digits", "method": "joint", "memory": None, "changed": "four times the steps"}
    for changed in ({}, {"changed": "other runs"}, {"changed": "larger network"}):
        yield {"data": "digits", "method": "rehearsal, centres", "memory": 4, **changed}
    for data, memory in (("digits", 4), ("digits", 20), ("digits", 50), ("clothes", 5), ("clothes", 20)):
        for kind in ("network", "shared covariance", "logistic"):
            yield {"data": data, "method": f"memory, {kind}", "memory": memory}
    for data in CLOTHES:
        few = data != "clothes, pixels"  # the covariance of 3,072 numbers would take hours
        yield from rows(data, ("nearest mean", "joint", "shared covariance")[: 2 + few], ())


def act(**asked: Any) -> dict[str, Any]:
    """Return one record."""
    return film(asked["method"], asked["place"]) if "film" in asked else compare(**asked)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--at-most", type=float, default=60, metavar="MINUTES", help="stop after the record in hand (60)")
    about = {"tuned on": [TUNING[0], TUNING[-1]], "runs": [RUNS[0], RUNS[-1]]}
    record_missing(PATH, plan(), act, until=time.monotonic() + 60 * parser.parse_args().at_most, recorded=about)
