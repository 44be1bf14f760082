"""Visible checks of the assignment on augmentation and fine-tuning: small examples, each with its usual mistakes.

A learner gets this file. It holds the numbers of the examples and no formula that a task asks for.
"""

import functools
from typing import Any

import numpy as np

from helpers._machinery.weights import load_weights
from helpers.data import load_mnist_digits, load_textures, take_per_class
from helpers.exercises.feedback import NotYet, as_array, call, exercise, expect, hint_if
from helpers.networks import backward, build_mlp

SEEN, IN_A_MIRROR, UPSIDE_DOWN = [[1, 2, 3], [4, 5, 6]], [[3, 2, 1], [6, 5, 4]], [[4, 5, 6], [1, 2, 3]]
SIGNS, PARTNER = np.array([0, 2, 3, 1]), np.array([1, 0, -1, 3])  # left, stop, no entry, right
RATES = [0.02, 0.04, 0.035, 0.03, 0.025, 0.02, 0.015, 0.01, 0.005]
ALONE, MOST_LOST, WINDOW, MIXED = 0.7, 0.15, 0.65, 0.03


def parts_of(result: Any, count: int, what: str) -> tuple:
    """Return the parts of what a function returned, or raise a hint that says what is wanted."""
    fits = isinstance(result, tuple | list) and len(result) == count
    hint_if(not fits, f"{what} are wanted, with commas between them, after the `return`.")
    return tuple(result)


def pictures(table: list, numbers: list) -> np.ndarray:
    """Return one small colour picture for each number, in which every pixel has another value."""
    return np.stack([np.array(table) + 10 * number for number in numbers])[..., np.newaxis] + np.array([0, 100, 200])


@exercise("the signs that have a partner are there twice, and left has become right.")
def check_with_mirror_images(answer: Any) -> None:
    given = pictures(SEEN, [0, 1, 2, 3])
    result = call(answer, advice="Work with copies.", images=given, labels=SIGNS, partner=PARTNER)
    images, labels = map(as_array, parts_of(result, 2, "images and labels"))
    hint_if(len(images) != len(labels), f"there are {len(images)} images and {len(labels)} labels.")
    counts = {
        8: "the mirror image of a stop sign is no sign. Leave out what has no partner.",
        4: "four signs are given, and four come back. Three of them have a mirror image besides.",
        3: "the signs that were given are missing. They come first.",
    }
    hint_if(len(images) != 7, counts.get(len(images), f"seven signs are wanted, and there are {len(images)}."))
    hint_if(not np.array_equal(images[:4], given), "the first four images are not those that were given.")
    kept, first = [0, 2, 3], f"{SIGNS.tolist()}, as given, come first."
    wrong = [
        (pictures(SEEN, kept), "the last three images are not mirrored."),
        (pictures(UPSIDE_DOWN, kept), "the last three images are upside down. A mirror swaps left and right."),
        (pictures(SEEN, kept)[..., [2, 1, 0]], "that swaps the colours. The columns are one axis further to the front."),
    ]
    expect(images[4:], pictures(IN_A_MIRROR, kept), wrong, "the last three images are not signs 0, 2 and 3 in a mirror.")
    hint_if(not np.array_equal(labels[:4], SIGNS), f"the labels are not right: {first}")
    wrong = [([0, 3, 1], "the labels do not follow: a mirrored `turn left` says `turn right`.")]
    expect(labels[4:], [1, 3, 0], wrong, f"the last three labels are 1, 3 and 0, and yours are {labels[4:]}.")


@exercise("nine steps, up to the peak and down again.")
def check_learning_rates(answer: Any) -> None:
    rates = as_array(call(answer, 20, 8, 3, 2, 0.04)).ravel()
    counts = {
        6: "the last batch of an epoch is smaller than the others, and it is a step as well.",
        3: "those are the steps of one epoch, or one rate for each epoch.",
        7: "a batch ends with its epoch. How many has one epoch?",
        8: "a batch ends with its epoch. How many has one epoch?",
        60: "a step takes a whole batch, not one image.",
    }
    other = f"{len(rates)} rates. How many steps have three epochs of 20 images in batches of eight?"
    hint_if(len(rates) != 9, f"{len(rates)} rates? {counts[len(rates)]}" if len(rates) in counts else other)
    hint_if(abs(rates[0]) < 1e-9, "the first step has the rate zero, so it teaches nothing. It is one part above.")
    hint_if(abs(rates[-1]) < 1e-9, "the last step has the rate zero, so it teaches nothing. It is one part above.")
    hint_if(np.isclose(rates[1:], 0.04).all(), "after the warm-up the rate stays at its peak, and it has to fall.")
    hint_if(abs(rates[0] - 0.02) > 1e-9, f"with a warm-up of two steps the first has half the peak, not {rates[0]:.4g}.")
    hint_if(abs(rates[1] - 0.04) > 1e-9, f"step number two is the last of the warm-up: 0.04, not {rates[1]:.4g}.")
    expect(rates, RATES, [], f"up to the peak it is right. Then come 0.035 and 0.03, and yours are {rates[2:4]}.")


def table_of(numbers: list, views: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the photograph and the view of each row of a table in which the rows are mixed."""
    photographs, kinds = np.repeat(numbers, views), np.tile(np.arange(views), len(numbers))
    order = np.random.default_rng(seed).permutation(len(kinds))
    return photographs[order], kinds[order]


@exercise("three photographs are tested as they are, and nothing of them is trained on.")
def check_split_rows(answer: Any) -> None:
    measure_split(answer, *table_of(list(range(12)), 4, seed=5), share=0.25, wanted=3)


def measure_split(answer: Any, photographs: np.ndarray, views: np.ndarray, *, share: float, wanted: int) -> None:
    """Raise a hint unless the answer splits the rows of a table so that the test is fair."""
    splits = [drawn_split(answer, photographs, views, share, seed) for seed in (0, 0, 1, 2, 3)]
    for train, test in splits:
        of_test = np.unique(photographs[test])
        hint_if(not len(test), "there is nothing to test with.")
        leaks = np.isin(photographs[train], of_test).any()
        hint_if(leaks, "a photograph is tested, and rows of the same photograph are trained on. Draw photographs, not rows.")
        hint_if(views[test].any(), "the test holds changed views. Test with photographs as they are.")
        hint_if(len(of_test) != wanted, "the number of photographs in the test is not right: round(share * photographs).")
        hint_if(len(test) != wanted, "a photograph is in the test more than once.")
        rest = np.flatnonzero(~np.isin(photographs, of_test))
        hint_if(not np.isin(rest, train).all(), "rows are lost: train on all that come from no photograph of the test.")
        hint_if(len(train) != len(rest), "rows are in the training part more than once.")
    tested = [set(test) for _, test in splits]
    hint_if(tested[0] != tested[1], "the same seed gives two splits.")
    hint_if(all(one == tested[0] for one in tested), "every seed gives the same split.")


def drawn_split(answer: Any, photographs: np.ndarray, views: np.ndarray, share: float, seed: int) -> list[np.ndarray]:
    """Return the rows of both parts as whole numbers, or raise a hint."""
    parts = parts_of(call(answer, photographs.copy(), views.copy(), share, seed), 2, "the rows of both parts")
    masks = any(np.asarray(part).dtype == bool for part in parts)
    hint_if(masks, "row numbers are wanted, not True and False. np.flatnonzero makes one of the other.")
    rows = [as_array(part).ravel() for part in parts]
    valid = all(np.isin(part, np.arange(len(photographs))).all() for part in rows)
    hint_if(not valid, "row numbers are whole, from 0 up, and less than there are rows. Are yours numbers of photographs?")
    return [part.astype(int) for part in rows]


@exercise("every weight is where twice ten steps take it.")
def check_two_phases(answer: Any) -> None:
    measure_phases(answer, sizes=(5, 6, 6, 6, 3), opened=["block3"], seed=1)


def measure_phases(answer: Any, *, sizes: tuple[int, ...], opened: list[str], seed: int) -> None:
    """Raise a hint unless both phases move the layers that they should, as far as they should."""
    random = np.random.default_rng(seed)
    layers = [tuple(np.float32(part) for part in layer) for layer in build_mlp(sizes, activation="relu", seed=seed)]
    images, labels = random.normal(size=(24, sizes[0])).astype("float32"), random.integers(sizes[-1], size=24)
    result = call(answer, [tuple(part.copy() for part in layer) for layer in layers], images, labels, list(opened))
    names = [f"block{number}" for number in range(1, len(sizes) - 1)] + ["head"]
    first, second = (network(one, layers) for one in parts_of(result, 2, "the weights after both phases"))
    moved = moved_layers(names, layers, first)
    early = " and ".join(name for name in moved if name != "head")
    hint_if(early != "", f"after phase 1 {early} differ from what was given. The others keep the given weights.")
    hint_if("head" not in moved, "in phase 1 the head has not moved.")
    moved = moved_layers(names, first, second)
    hint_if(not moved, "nothing has moved in phase 2. Do you return the weights of each phase?")
    hint_if(moved == ["head"], "in phase 2 only the head has moved. Which layers learn is settled in compile().")
    hint_if("head" not in moved, "in phase 2 the head stands still. It goes on learning, together with the blocks.")
    more = " and ".join(name for name in moved if name not in ["head", *opened])
    hint_if(more != "", f"in phase 2 {more} moved as well. Only the head may, and what is opened.")
    hint_if(len(moved) <= len(opened), "in phase 2 not all of the blocks that are opened have moved.")
    right = reference(layers, images, labels, {"head"}, 0.5, names)
    hint_if(not near(first, right, layers), "in phase 1 the head moves, but not as ten full steps of SGD(0.5) take it.")
    learn = {"head", *opened}
    fast, right = (reference(first, images, labels, learn, rate, names) for rate in (0.5, 0.05))
    hint_if(near(second, fast, first), "in phase 2 the rate is still 0.5.")
    hint_if(not near(second, right, first), "in phase 2 the right layers move, but not as ten steps of SGD(0.05) take them.")


def network(answer: Any, like: list) -> list[tuple[np.ndarray, ...]]:
    """Return the layers of an answer as pairs of arrays, or raise a hint that says what they are instead."""
    try:
        layers = [tuple(as_array(part) for part in layer) for layer in answer]
    except TypeError:
        raise NotYet("a network is a list of pairs (weights, bias), and here it is something else.") from None
    shapes = [[part.shape for part in layer] for layer in like]
    fits = [[part.shape for part in layer] for layer in layers] == shapes
    hint_if(not fits, "the layers are not pairs of the shapes that were given, in the same order.")
    return layers


def moved_layers(names: list[str], before: list, after: list) -> list[str]:
    """Return the names of the layers of which any number is another one than before."""
    pairs = zip(names, before, after, strict=True)
    return [name for name, old, new in pairs if any(abs(a - b).max() > 1e-7 for a, b in zip(old, new, strict=True))]


def reference(layers: list, images: np.ndarray, labels: np.ndarray, learn: set, rate: float, names: list) -> list:
    """Return where ten steps take the layers that learn, in plain NumPy."""
    layers = [tuple(np.float64(part) for part in layer) for layer in layers]
    for _ in range(10):
        _, slopes = backward(layers, np.float64(images), labels, activation="relu")
        for place, name in enumerate(names):
            if name in learn:
                layers[place] = tuple(part - rate * slope for part, slope in zip(layers[place], slopes[place], strict=True))
    return layers


def near(found: list, right: list, start: list) -> bool:
    """Return whether the ways that all weights have gone agree to one part in a hundred of the longest."""
    triples = [triple for rows in zip(found, right, start, strict=True) for triple in zip(*rows, strict=True)]
    return all(abs(new - wanted).max() <= 0.01 * abs(wanted - old).max() + 1e-6 for new, wanted, old in triples)


@functools.cache
def taught_bias() -> np.ndarray:
    """Return the bias of block5_conv1 as ImageNet has taught it."""
    return load_weights("imagenet")["block5_conv1/bias"]


@exercise("{alone:.2f} with the head alone, {end:.2f} in the end, and block 5 has moved.")
def check_fine_tune_block5(answer: Any) -> dict[str, float]:
    return measure_block5(answer, kinds=tuple(range(14)), seed=0)


@functools.cache
def materials(kinds: tuple[int, ...], seed: int) -> tuple[np.ndarray, ...]:
    """Return patches of these materials with their labels, and others with theirs."""
    patches = load_textures(train_per_class=4, validation_per_class=1, test_per_class=8, image_size=32, seed=seed)
    chosen = []
    for part in ("train", "test"):
        rows = np.isin(patches[f"{part}_labels"], kinds)
        labels = np.array([kinds.index(label) for label in patches[f"{part}_labels"][rows]])
        chosen += [patches[f"{part}_images"][rows], labels]
    return tuple(chosen)


def measure_block5(answer: Any, *, kinds: tuple[int, ...], seed: int) -> dict[str, float]:
    """Return the shares of right answers of both phases for patches of these materials, or raise a hint."""
    images, labels, others, known = materials(kinds, seed)
    alone, end, bias = answers_of(answer, images.copy(), labels.copy(), others.copy())
    answers = [as_array(one, shape=(len(known), len(kinds))) for one in (alone, end)]
    sums = [abs(one.sum(axis=1) - 1).max() < 1e-3 and one.min() >= 0 for one in answers]
    hint_if(not all(sums), "the probabilities of a picture have to add up to 1.")
    same = abs(answers[0] - answers[1]).max() < 1e-6
    alone, end = (float((one.argmax(axis=1) == known).mean()) for one in answers)
    still = abs(as_array(bias, shape=(512,)) - taught_bias()).max() < 1e-7
    hint_if(alone < ALONE, f"the head alone is right for {alone:.2f}, not {ALONE}. Does phase 1 train it, from zero?")
    hint_if(still, "block 5 has not moved: the bias is that of ImageNet. Was it trainable at compile()?")
    hint_if(same, "both phases give the same probabilities. Compute the first ones before phase 2 begins.")
    lost = f"{alone:.2f} with the head alone, and {end:.2f} in the end: block 5 has forgotten what it knew. Smaller steps?"
    hint_if(end < alone - MOST_LOST, lost)
    return {"alone": alone, "end": end}


def answers_of(answer: Any, *given: np.ndarray) -> tuple:
    """Return the probabilities of both phases and the bias, or raise a hint."""
    try:
        result = call(answer, *given)
    except NotYet as hint:
        strange = "Unknown variable" in str(hint)
        hint_if(strange, "the optimizer does not know block 5, since it was frozen at the last compile(). Compile again.")
        raise
    return parts_of(result, 3, "the probabilities of the head alone, those in the end, and a bias")


@exercise("{front:.2f} from the front, {behind:.2f} from behind, {right:.2f} of all.")
def check_read_window(answer: Any) -> dict[str, float]:
    return measure_window(answer, draws=(0, 1))


def measure_window(answer: Any, *, draws: tuple[int, ...]) -> dict[str, float]:
    """Return the shares of digits that are read, from the front, from behind and of all, or raise a hint."""
    front, behind, mixed = np.mean([shares_of_window(answer, seed) for seed in draws], axis=0)
    right = (front + behind) / 2
    said = f"{front:.2f} from the front and {behind:.2f} from behind"
    hint_if(max(front, behind) < 0.15, f"{said} is guessing. Are the labels in the same order as the pictures?")
    hint_if(behind < front - 0.2, f"{said}: those from behind are mirrored. Is any that you train on?")
    hint_if(front < behind - 0.2, f"{said}: the pictures that are not mirrored have to be kept as well.")
    hint_if(right < 0.35, f"{said}: the new digits are not in the middle, and those that you train on are.")
    hint_if(right < WINDOW, f"{said}, and {WINDOW:.2f} is wanted. More views, up to three pixels away? Longer training?")
    upside = "Upside down, a six is a nine: can each of your views come from this camera?"
    hint_if(mixed > MIXED, f"{mixed:.2f} of the painted sixes and nines are taken for one another. {upside}")
    return {"front": front, "behind": behind, "right": right}


def shares_of_window(answer: Any, seed: int) -> list[float]:
    """Return the shares that are read from the front and from behind, and of sixes and nines that are mixed up, in one draw.

    The first 400 pictures count for the first two; behind them come 200 more sixes and nines.
    """
    digits, random = load_mnist_digits(size=14), np.random.default_rng(seed)
    images = np.pad(digits.images, ((0, 0), (3, 3), (3, 3))).astype("float32")
    own = take_per_class(digits.labels, labels_per_class=20, seed=seed)
    rest, code = random.permutation(np.setdiff1d(np.arange(len(images)), own)), random.permutation(10)
    more = [row for row in rest[400:] if digits.labels[row] in (6, 9)][:200]
    rest = np.concatenate([rest[:400], more])
    others, mirrored = images[rest], random.permutation(np.arange(600) % 2 == 1)
    others[mirrored] = others[mirrored][:, :, ::-1]
    others = np.stack([np.roll(one, random.integers(-3, 4, size=2), axis=(0, 1)) for one in others])
    meant, pair = code[digits.labels[rest]], code[[6, 9]]
    said = as_array(call(answer, images[own], code[digits.labels[own]], others), shape=(600,))
    right = said == meant
    mixed = (np.isin(said, pair) & ~right)[np.isin(meant, pair)].mean()
    return [right[:400][~mirrored[:400]].mean(), right[:400][mirrored[:400]].mean(), mixed]
