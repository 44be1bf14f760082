"""Checks of notebook 11, lifelong learning."""

from typing import Any

import numpy as np

from helpers.exercises.feedback import NotYet, as_array, as_number, call, exercise, expect, expect_cases, hint_if
from helpers.training import load_runs


@exercise("no output but 0 and 1 was ever right, so a 2 is never called 2; between 2 and 3 it guesses.")
def check_first_row(answer: Any) -> None:
    asked, known = as_array(answer, shape=(2,))
    hint_if(max(asked, known) > 1, "accuracies are shares, from 0 to 1.")
    hint_if(np.isclose(asked, 0.1), "0.1 is guessing among ten. But does it guess? Which answers were right all along?")
    hint_if(
        np.isclose(asked, 0.5), "that would be guessing between 2 and 3. With ten classes asked, nobody rules out 0 and 1."
    )
    hint_if(asked > 0.1, "all ten: which two outputs has the loss pushed up, and what has it done to the others?")
    hint_if(known < 0.3, "pair known: only the outputs 2 and 3 are compared. How often is a guess between two right?")
    hint_if(known > 0.75, "pair known: it has seen no 2 and no 3, so what would it know about them?")
    hint_if(asked > 0.05, "all ten: nearer to nothing.")


TABLE = np.array([[0.9, 0.1, 0.0], [0.95, 0.7, 0.1], [0.5, 0.8, 0.85]])


@exercise("the first task lost 0.45 from its best, the second gained 0.10: 0.175 on average.")
def check_forgetting(forgetting: Any) -> None:
    number = as_number(call(forgetting, TABLE))
    best, last = TABLE[:-1, :-1].max(axis=0), TABLE[-1]
    wrong = [
        (np.mean(np.diag(TABLE)[:-1] - last[:-1]), "that starts from the diagonal. A task may be at its best later on."),
        (np.mean(TABLE[:, :-1].max(axis=0) - last[:-1]), "the best is sought in the last row as well, so nothing can gain."),
        (np.mean(TABLE[:-1].max(axis=0) - last), "the last task had no time to be forgotten. Leave its column out."),
        (
            np.mean(TABLE.max(axis=0) - last),
            "the last task had no time to be forgotten, and the last row is not a past one.",
        ),
        (np.sum(best - last[:-1]), "that is the sum over the tasks. Take the mean."),
        (np.mean(last[:-1] - best), "right, but for the sign: what is lost counts as positive."),
        (
            np.mean(TABLE[:-1, :-1].max(axis=1) - TABLE[:-1, -1]),
            "rows are 'after task', columns are 'asked task'. Swap the axes.",
        ),
        (np.mean(TABLE[-1]), "that is the average accuracy, the mean of the last row."),
    ]
    otherwise = f"{number:.4g}? For each column but the last: the best of the rows before the last, minus the last row."
    expect(number, np.mean(best - last[:-1]), wrong, otherwise)


@exercise("{honest:.2f} instead of {known:.2f}: nobody tells it the pair any more.")
def check_unaided_accuracy(accuracy: Any) -> dict[str, float]:
    from sklearn.utils import Bunch

    random, tasks = np.random.default_rng(11), []
    for classes, count in (([0, 1], 40), ([2, 3], 80)):
        labels = random.choice(classes, count)
        logits = np.eye(4)[labels] * 1.5 + random.normal(size=(count, 4)) + [0, 0, 1, 1]
        tasks.append(Bunch(classes=np.array(classes), test_images=logits, test_labels=labels))
    number = as_number(call(accuracy, lambda images: images, tasks))
    right = [task.test_images.argmax(axis=1) == task.test_labels for task in tasks]
    known = [task.classes[task.test_images[:, task.classes].argmax(axis=1)] == task.test_labels for task in tasks]
    shifted = [task.test_images[:, task.classes].argmax(axis=1) == task.test_labels for task in tasks]
    wrong = [
        (
            np.mean([np.mean(some) for some in known]),
            "the choice is still between the two classes of the task that is asked.",
        ),
        (np.mean(np.concatenate(known)), "the choice is still between two classes, and now large tasks count more as well."),
        (
            np.mean([np.mean(some) for some in shifted]),
            "argmax over two columns gives 0 or 1, which are places and not labels.",
        ),
        (np.mean(np.concatenate(right)), "the answers are honest, but each TASK should count the same: a mean of means."),
        (np.sum([np.mean(some) for some in right]), "that is the sum of the tasks' accuracies. Take their mean."),
        (np.mean(right[-1]), "that is the last task alone."),
    ]
    expect(number, np.mean([np.mean(some) for some in right]), wrong, f"{number:.4g}? Take the argmax over ALL columns.")
    return {"honest": number, "known": np.mean([np.mean(some) for some in known])}


@exercise("squares first, then the mean; and the network's own probabilities say how often each label comes up.")
def check_softmax_fisher(fisher: Any) -> None:
    random = np.random.default_rng(12)
    inputs, p = random.normal(size=(40, 3)), random.dirichlet([1, 2], size=40)
    values = as_array(call(fisher, inputs, p), shape=(3, 2))
    sure = (np.eye(2)[p.argmax(axis=1)] - p) ** 2
    wrong = [
        ((inputs**2).T @ (p * (1 - p)), "that is the sum over the images. Divide by their number."),
        (inputs.T @ (p * (1 - p)) / 40, "the input is squared as well: the gradient is (right - p) times x."),
        (
            (inputs**2).T @ p**2 / 40,
            "p squared is the gradient's square for the WRONG label only. Weigh both labels with p.",
        ),
        ((inputs**2).T @ p / 40, "weighing with p alone leaves the factor 1 - p out."),
        (
            (inputs**2).T @ sure / 40,
            "that takes the likeliest label for certain. Average over both labels, with chances p and 1 - p.",
        ),
        (
            inputs.mean(axis=0)[:, None] ** 2 * (p * (1 - p)).mean(axis=0),
            "mean inputs were squared. Square each image's own.",
        ),
        (
            ((inputs**2).mean(axis=0))[:, None] * (p * (1 - p)).mean(axis=0),
            "x squared and p (1 - p) belong to the same image.",
        ),
    ]
    expect(values, (inputs**2).T @ (p * (1 - p)) / 40, wrong, "not yet: the mean over images of x squared times p (1 - p).")


@exercise("{all_classes:.2f} and {task_known:.2f}: it tells the two digits of each pair apart, and no pair from another.")
def check_ewc_guess(answer: Any) -> dict[str, float]:
    asked, known = as_array(answer, shape=(2,))
    choice = [0.2, 0.4, 0.6, 0.8, 1.0]
    hint_if(not {asked, known} <= set(choice), f"choose both numbers from {choice}.")
    hint_if(asked > known, "all ten come first, and then the pair. With a hint it should be easier.")
    hint_if(asked == 0.2, "all ten: it is more than fine-tuning. Who moves less forgets less.")
    hint_if(asked > 0.4, "all ten: less. Old weights are held, but no old image is there to keep 0 apart from 8.")
    hint_if(known < 1, "pair known: fine-tuning alone has 0.89 there, and EWC is made for this question.")
    record = load_runs("lifelong", data="digits", method="EWC", memory=None, changed=None)[0]
    return {name: np.mean(np.array(record[name])[:, -1]) for name in ("all_classes", "task_known")}


@exercise("4 images of each class, 64 bytes each: 2,560 bytes, the same as ten means.")
def check_memory(choose: Any) -> None:
    labels = np.random.default_rng(13).permutation(np.repeat(np.arange(10), 50))
    for limit, each in ((2560, 4), (3000, 4), (12800, 20)):
        places = as_array(call(choose, labels, limit)).reshape(-1)
        hint_if(np.any(places != places.astype(int)) or places.size == 0, "places are wanted: whole numbers, at least one.")
        hint_if(len(np.unique(places)) < len(places), "the same image is in it twice.")
        hint_if(places.min() < 0 or places.max() >= len(labels), "a place lies outside of the labels.")
        counts = np.bincount(labels[places.astype(int)], minlength=10)
        hint_if(
            len(places) * 64 > limit, f"{len(places)} images of 64 bytes are {64 * len(places):,}; {limit:,} are allowed."
        )
        hint_if(len(places) == limit // 256 // 10 * 10, "that counts 256 bytes an image. As uint8, a pixel is one byte.")
        uneven = "the classes have between {0} and {1} images. Give each the same number."
        hint_if(counts.min() != counts.max(), uneven.format(counts.min(), counts.max()))
        hint_if(
            counts[0] < each,
            f"there is room for more: {limit:,} bytes hold {each} of each class, and yours has {counts[0]}.",
        )


@exercise("the old mean counts as often as images have made it, and no image has to be kept.")
def check_streaming_mean(update: Any) -> None:
    random = np.random.default_rng(14)
    old, new = random.normal(size=(7, 4)), random.normal(size=(3, 4)) + 2
    result = call(update, old.mean(axis=0), 7, new)
    hint_if(not isinstance(result, tuple | list) or len(result) != 2, "return two things: the mean and the count.")
    mean, count = as_array(result[0]), as_number(result[1])
    hint_if(mean.shape == (3, 4), "the mean has a row for each new image. Sum the images over axis 0.")
    wrong = [
        ((old.mean(axis=0) + new.mean(axis=0)) / 2, "the old mean stands for 7 images and the new one for 3. Weigh them."),
        (new.mean(axis=0), "that is the mean of the new images. The old ones are forgotten."),
        ((old.mean(axis=0) + new.sum(axis=0)) / 10, "the old mean has to count 7 times: multiply by count before adding."),
        ((old.mean(axis=0) * 7 + new.mean(axis=0)) / 8, "the new images count as one. Add their sum, and 3 to the count."),
        (old.sum(axis=0) + new.sum(axis=0), "that is the sum. Divide by the new count."),
    ]
    otherwise = "not yet: (mean * count + sum of the new images) / new count."
    expect(mean, np.concatenate([old, new]).mean(axis=0), wrong, otherwise)
    hint_if(count != 10, f"the mean is right, but the count is {count:g}; 7 images and then 3 make 10.")
    first = call(update, np.zeros(4), 0, new)
    if not np.allclose(first[0], new.mean(axis=0)):
        raise NotYet("for the first images of a class, with count 0, the mean has to be theirs.")


CASES = {"a": "discriminant", "b": "EWC", "c": "rehearsal", "d": "fine-tuning"}


@exercise("first what may be asked, then what may be stored.")
def check_which_method(answers: Any) -> None:
    known = ("fine-tuning", "EWC", "rehearsal", "discriminant")
    hints = {
        "a": "case a: any product may lie before the camera, no picture may stay, and the features do not change.",
        "b": "case b: the script is known, no image may stay, and the network has to go on learning.",
        "c": "case c: same classes, two looks, some old images may stay, the network goes on learning. What do they bring?",
        "d": "case d: is the old task ever asked again?",
    }
    expect_cases(answers, CASES, known, hints)
