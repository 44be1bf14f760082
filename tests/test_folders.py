"""A folder of photographs as people have them: every file is used or named, and no picture is on two sides of a split."""

import contextlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps, PngImagePlugin, features

from helpers import belonging_together, load_image_folder, sort_into_parts
from helpers._machinery.folder_report import FolderFile
from helpers._machinery.images import group_alike, look_at, read_picture
from helpers.folders import _deal

PARTS = ("train", "validation", "test")


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setenv("WORKBOOK_PROGRESS", "0")


def photo(seed: int, size: tuple[int, int] = (96, 64)) -> Image.Image:
    """Return a picture of coloured clouds: no two of them look alike."""
    cells = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype="uint8")
    return Image.fromarray(cells).resize(size, Image.Resampling.BICUBIC)


def encoded(picture: Image.Image, kind: str, **options) -> bytes:
    """Return the bytes of a file."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def saved(path: Path, picture: Image.Image, **options) -> Path:
    """Return the path of a picture that was written, in folders that may be new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, **options)
    return path


def classes(folder: Path, counts: dict[str, int], *, first: int = 0) -> Path:
    """Return a folder with so many pictures of each class, no two alike."""
    for name, count in counts.items():
        for number in range(first, first + count):
            saved(folder / name / f"{number:03d}.png", photo(hash_of(f"{name} {number}"), (40, 40)))
    return folder


def hash_of(text: str) -> int:
    """Return a number that is the same in every process."""
    return int.from_bytes(text.encode()) % 2**61


# Whatever people keep in their folders

ORIENTATION = 0x0112
USED, BROKEN = "", "is damaged"
TEXT, NONE = "is text", "is no picture"
GARBAGE = np.random.default_rng(1).integers(128, 256, 5000, dtype="uint8").tobytes()


def turned(orientation: int) -> bytes:
    """Return a JPEG file whose camera noted how it was held."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return encoded(photo(500 + orientation), "JPEG", exif=exif)


def tiff(array: np.ndarray, mode: str | None = None) -> bytes:
    """Return a TIFF file with the values of an array."""
    return encoded(Image.fromarray(array) if mode is None else photo(9).convert("RGB").convert(mode), "TIFF")


def wide(seed: int, most: float, kind: str) -> np.ndarray:
    """Return grey values of a cloud, from 0 to `most`."""
    return (np.asarray(photo(seed).convert("L"), dtype=float) * most / 255).astype(kind)


def text_bomb() -> bytes:
    """Return a PNG file whose comment is small on the disk and huge in memory."""
    info = PngImagePlugin.PngInfo()
    info.add_text("comment", "a" * 80_000_000, zip=True)
    return encoded(photo(77), "PNG", pnginfo=info)


def false_header() -> bytes:
    """Return a PNG file that says it has 2 500 million pixels."""
    import struct
    import zlib

    head = b"IHDR" + struct.pack(">IIBBBBB", 50000, 50000, 8, 2, 0, 0, 0)
    whole = encoded(photo(78), "PNG")
    return whole[:12] + head + struct.pack(">I", zlib.crc32(head)) + whole[33:]


def contents() -> dict[str, tuple[bytes, str]]:
    """Return the bytes of files, and why each cannot be used: the beginning of a sentence, "" where it can."""
    jpeg, png, gif, webp, bmp = (
        encoded(photo(seed), kind) for seed, kind in enumerate(("JPEG", "PNG", "GIF", "WEBP", "BMP"))
    )
    frames = [photo(seed) for seed in range(60, 63)]
    several = {"save_all": True, "append_images": frames[1:]}
    clear = photo(30).convert("RGBA")
    clear.putalpha(photo(31).convert("L"))
    palette = photo(32).quantize(16)
    numbers = wide(40, 65535, "uint16")
    nan = wide(41, 1, "float32")
    nan[3, 4] = np.nan
    middle = bytearray(png)
    middle[len(png) // 2 : len(png) // 2 + 40] = GARBAGE[:40]
    found = {
        # formats, and names that say something else
        "plain.jpg": (jpeg, USED),
        "plain.png": (png, USED),
        "plain.gif": (gif, USED),
        "plain.webp": (webp, USED),
        "plain.bmp": (bmp, USED),
        "plain.tif": (encoded(photo(5), "TIFF"), USED),
        "plain.ppm": (encoded(photo(6), "PPM"), USED),
        "plain.jp2": (encoded(photo(7), "JPEG2000"), USED),
        "two lenses.jpg": (encoded(photo(8), "MPO", save_all=True, append_images=[photo(9)]), USED),
        "SHOUTING.JPG": (encoded(photo(10), "JPEG"), USED),
        "no suffix": (encoded(photo(11), "JPEG"), USED),
        "png.jpg": (encoded(photo(12), "PNG"), USED),
        "jpeg.png": (encoded(photo(13), "JPEG"), USED),
        "picture.txt": (encoded(photo(14), "JPEG"), USED),
        "progressive.jpg": (encoded(photo(15), "JPEG", progressive=True), USED),
        "with something behind.jpg": (encoded(photo(16), "JPEG") + GARBAGE, USED),
        # what is no picture
        "text.jpg": (b"Dear diary,\nno picture today.\n", TEXT),
        "utf-8.jpg": ("\ufeffLieber Leser, schöne Grüße".encode(), TEXT),
        "utf-16.jpg": ("no picture".encode("utf-16"), NONE),
        "not found.jpg": (b"\n<!DOCTYPE html><html>404</html>", "is a web page"),
        "error.jpg": (b'{"error": 403}', TEXT),
        "paper.jpg": (b"%PDF-1.7\n", "is a PDF"),
        "archive.jpg": (b"PK\x03\x04" + GARBAGE, "is an archive"),
        "logo.svg": (b'<svg xmlns="x"></svg>', "is a drawing"),
        "pointer.jpg": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "only points to the picture"),
        "phone.heic": (b"\0\0\0\x24ftypheic" + GARBAGE, "is HEIC"),
        "phone.jpg": (b"\0\0\0\x24ftypmif1" + GARBAGE, "is HEIC"),
        "film.mp4": (b"\0\0\0\x20ftypisom" + GARBAGE, "is a film"),
        "camera.DNG": (encoded(photo(17), "TIFF"), "is a camera's raw file"),
        "program.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n", TEXT),
        "icon.jpg": (encoded(photo(18, (32, 32)), "ICO"), NONE),
        "noise.jpg": (GARBAGE, NONE),
        "zeros.jpg": (bytes(4000), NONE),
        "empty.jpg": (b"", "is empty"),
        # damaged
        "half.jpg": (jpeg[: len(jpeg) // 2], BROKEN),
        "half.png": (png[: len(png) // 2], BROKEN),
        "half.gif": (gif[: len(gif) // 2], BROKEN),
        "half.webp": (webp[: len(webp) // 2], BROKEN),
        "half.bmp": (bmp[: len(bmp) // 2], BROKEN),
        "half.tif": (encoded(photo(19), "TIFF")[:3000], "is "),
        "head.jpg": (jpeg[:20], "is "),
        "head.png": (png[:20], "is "),
        "wounded.png": (bytes(middle), BROKEN),
        "last bytes missing.jpg": (jpeg[:-2], BROKEN),
        # sizes
        "pixel.png": (encoded(photo(20, (1, 1)), "PNG"), "has only 1 x 1 pixels"),
        "thread.png": (encoded(photo(21, (7, 400)), "PNG"), "has only 7 x 400 pixels"),
        "tiny.png": (encoded(photo(22, (8, 8)), "PNG"), USED),
        "strip.png": (encoded(photo(23, (2000, 10)), "PNG"), USED),
        "large.jpg": (encoded(photo(24, (8000, 9000)), "JPEG"), USED),
        "large.png": (encoded(Image.new("1", (8000, 9000)), "PNG"), "has 8000 x 9000 pixels"),
        "bomb.png": (encoded(Image.new("1", (20000, 10000)), "PNG"), "has more than 178 million pixels"),
        "false header.png": (false_header(), "has more than 178 million pixels"),
        "long comment.png": (text_bomb(), BROKEN),
        # kinds of pixels
        "grey.jpg": (encoded(photo(25).convert("L"), "JPEG"), USED),
        "sixteen.png": (encoded(Image.fromarray(numbers), "PNG"), USED),
        "sixteen.tif": (tiff(wide(42, 65535, "uint16")), USED),
        "integers.tif": (tiff(wide(43, 1e9, "int32")), USED),
        "floats.tif": (tiff(wide(44, 1, "float32")), USED),
        "nan.tif": (tiff(nan), "holds values that are no numbers"),
        "print.jpg": (encoded(photo(26).convert("CMYK"), "JPEG"), USED),
        "lab.tif": (tiff(numbers, "LAB"), USED),
        "palette.png": (encoded(palette, "PNG"), USED),
        "palette, clear.png": (encoded(photo(33).quantize(16), "PNG", transparency=3), USED),
        "clear.png": (encoded(clear, "PNG"), USED),
        "clear grey.png": (encoded(clear.transpose(Image.Transpose.ROTATE_180).convert("LA"), "PNG"), USED),
        "nothing to see.png": (encoded(Image.new("RGBA", (50, 50)), "PNG"), USED),
        "black and white.png": (encoded(photo(27).convert("1"), "PNG"), USED),
        # several pictures
        "moving.gif": (encoded(frames[0], "GIF", **several), USED),
        "moving.webp": (encoded(photo(63), "WEBP", **several), USED),
        "moving.png": (encoded(photo(64), "PNG", **several), USED),
        "pages.tif": (encoded(photo(65), "TIFF", **several), USED),
        # notes of the camera
        **{f"turned {number}.jpg": (turned(number), USED) for number in range(1, 9)},
        "turned 99.jpg": (turned(99), USED),
        "camera mumbles.jpg": (encoded(photo(28), "JPEG", exif=b"Exif\0\0" + GARBAGE[:500]), USED),
        "wrong profile.png": (encoded(photo(29), "PNG", icc_profile=GARBAGE[:300]), USED),
        # names
        "猫 🐈 Ä.jpg": (encoded(photo(80), "JPEG"), USED),
        "l" * 251 + ".jpg": (encoded(photo(81), "JPEG"), USED),
        "-rf.jpg": (encoded(photo(82), "JPEG"), USED),
        "100 %s {} $HOME 'quoted'.jpg": (encoded(photo(83), "JPEG"), USED),
        "deeper/and deeper/picture.jpg": (encoded(photo(84), "JPEG"), USED),
        "folder.jpg/picture.jpg": (encoded(photo(85), "JPEG"), USED),
        "/".join(["d"] * 60) + "/deep.jpg": (encoded(photo(86), "JPEG"), "is a folder more than 50 levels down"),
        # hidden
        ".hidden.jpg": (jpeg, "is hidden"),
        "._photo.jpg": (GARBAGE[:100], "is hidden"),
        ".DS_Store": (GARBAGE, "is hidden"),
        "Thumbs.db": (GARBAGE, "is hidden"),
        "desktop.ini": (b"[x]", "is hidden"),
        "@eaDir/thumb.jpg": (jpeg, "is hidden"),
        ".ipynb_checkpoints/x.jpg": (jpeg, "is hidden"),
    }
    if features.check("avif"):
        found["plain.avif"] = encoded(photo(34), "AVIF"), USED
    if sys.platform != "win32":
        found["new\nline, \x1b[31mred.jpg"] = encoded(photo(87), "JPEG"), USED
        found[os.fsdecode(b"no text \xff.jpg")] = encoded(photo(88), "JPEG"), USED
        found["empty\nline, \x1b[31mred.jpg"] = found[os.fsdecode(b"empty \xff.jpg")] = b"", "is empty"
    return {f"cat/{name}": row for name, row in found.items()} | {
        "__MACOSX/cat/._x.jpg": (GARBAGE, "is hidden"),
        ".git/config": (b"[core]", "is hidden"),
        "beside.jpg": (jpeg, "lies beside the folders"),
        "README.md": (b"# Cats", "lies beside the folders"),
        "dog/1.jpg": (encoded(photo(100), "JPEG"), USED),
        "Dog/1.jpg": (encoded(photo(101), "JPEG"), USED),
        "only one/1.jpg": (encoded(photo(102), "JPEG"), USED),
        "nothing good/1.jpg": (b"", "is empty"),
        "caf\u00e9/1.jpg": (encoded(photo(103), "JPEG"), USED),
        "cafe\u0301/2.jpg": (encoded(photo(104), "JPEG"), USED),
        "twice/copy.jpg": (encoded(photo(100), "JPEG"), USED),
    }


def add_links(folder: Path, outside: Path) -> dict[str, str]:
    """Return, for links and special files that were made, why each cannot be used."""
    saved(outside / "pool" / "1.jpg", photo(110))
    saved(outside / "single.jpg", photo(111))
    (outside / "pool" / "round").symlink_to(outside / "pool")
    links = {
        "cat/link inside.jpg": (folder / "cat" / "plain.jpg", USED),
        "cat/link outside.jpg": (outside / "single.jpg", USED),
        "cat/link nowhere.jpg": (outside / "gone.jpg", "is a link that leads nowhere"),
        "cat/link to itself.jpg": (folder / "cat" / "link to itself.jpg", "is a link that leads in a circle"),
        "cat/round": (folder / "cat", "is a link to a folder that is counted already"),
        "up": (folder.parent, "is a link to a folder that is counted already"),
        "again": (folder / "dog", "is a link to a folder that is counted already"),
        "linked": (outside / "pool", None),  # a class; its two files follow
    }
    for name, (target, _) in links.items():
        (folder / name).symlink_to(target)
    os.link(folder / "dog" / "1.jpg", folder / "cat" / "hard link.jpg")
    os.mkfifo(folder / "cat" / "pipe.jpg")
    with open(folder / "cat" / "sparse.jpg", "wb") as file:
        file.truncate(600_000_000)
    (folder / "cat" / "forbidden.jpg").write_bytes(encoded(photo(112), "JPEG"))
    (folder / "cat" / "forbidden.jpg").chmod(0)
    (folder / "cat" / "locked").mkdir(mode=0)
    (folder / "nothing at all").mkdir()
    made = {name: reason for name, (_, reason) in links.items() if reason is not None}
    made |= {"linked/1.jpg": USED, "linked/round": "is a link to a folder that is counted already"}
    made |= {"cat/hard link.jpg": USED, "cat/pipe.jpg": "is no ordinary file", "cat/sparse.jpg": "has 0.6 GB"}
    return made | {"cat/forbidden.jpg": "may not be read", "cat/locked": "is a folder that cannot be listed"}


@contextlib.contextmanager
def as_nobody():
    """Be a user for whom permissions count, which they do not for root."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


@pytest.fixture
def open_folder():
    """A folder that other users can reach, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    if (locked := folder / "all" / "cat" / "locked").exists():
        locked.chmod(0o700)
    shutil.rmtree(folder)


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes")
def test_every_file_of_the_worst_folder_is_used_or_named(open_folder):
    folder, outside = open_folder / "all", open_folder / "outside"
    expected = {}
    for name, (content, reason) in contents().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        deep = len(path.relative_to(folder).parts) > 51
        expected[str(Path(*path.relative_to(folder).parts[:51])) if deep else name] = reason
    expected |= add_links(folder, outside)
    assert len(expected) > 120
    load_image_folder(classes(open_folder / "first", {"a": 1}))  # imports what it needs, while we may
    with as_nobody(), warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = load_image_folder(folder, image_size=32)
    report, text = loaded.report, repr(loaded.report)
    found = {str(path): reason for path, reason in report.skipped}
    assert len(found) == len(report.skipped), "nothing is named twice"
    found |= {str(path.relative_to(folder)): USED for part in PARTS for path in loaded[f"{part}_paths"]}
    assert found.keys() == expected.keys()
    wrong = {name: (found[name], reason) for name, reason in expected.items() if not found[name].startswith(reason)}
    wrong |= {name: (found[name], reason) for name, reason in expected.items() if bool(found[name]) != bool(reason)}
    assert not wrong
    assert report.found == len(expected) == len(report.sides) + len(report.skipped)
    assert sum(sum(row[column] for column in (*PARTS, "not used")) for row in report.rows) == report.found
    assert (
        text.encode("utf-8")
        and "\x1b" not in text
        and r"empty\nline, \x1b[31mred.jpg is" in text
        and r"empty \xff.jpg is" in text
    )
    for part in PARTS:
        assert len(np.asarray(loaded[f"{part}_images"])) == len(loaded[f"{part}_labels"])
    assert loaded.class_names == ["Dog", "café", "cat", "dog", "linked", "only one", "twice"]
    notes = "\n".join(report.notes)
    for words in NOTES:
        assert words in notes, words


NOTES = (
    "nothing at all has no picture that can be used",
    "nothing good has no picture that can be used",
    "Dog and dog differ only in case",
    "only one has 1 picture, and none in validation and test, so nothing tests it",
    "The classes are unbalanced: cat has",
    "Alike, but of several classes",
    "Turned upright as the camera noted: 7 (cat/turned 2.jpg, ",
    "Moving or of several pages",
    "PNG though the name ends in .jpg: 1 (cat/png.jpg)",
    "JPEG though the name ends in .png: 1 (cat/jpeg.png)",
    "Colours as CMYK",
    "Transparent in places",
    "More than 8 bits a pixel",
)


# What ends the loading


def test_a_path_that_cannot_be_meant_is_one_clear_error(tmp_path):
    file = saved(tmp_path / "beside" / "photo.png", photo(0))
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad" / "cat").mkdir(parents=True)
    (tmp_path / "bad" / "cat" / "a.jpg").write_bytes(b"")
    (tmp_path / "split" / "train" / "cat").mkdir(parents=True)
    (tmp_path / "split" / "train" / "cat" / "x.png").write_bytes(b"")
    saved(tmp_path / "split" / "test" / "cat" / "y.png", photo(1))
    wrong = {
        tmp_path / "gone": "there is no folder .*gone",
        "": "there is no folder",
        "x" * 5000: "there is no folder",
        file: "photo.png is a file",
        tmp_path / "empty": "there are no files",
        tmp_path / "split": "no picture to train with .*x.png is empty",
        file.parent: "photo.png lies beside the folders of the classes",
        tmp_path / "bad": "no picture .*a.jpg is empty",
    }
    for path, sentence in wrong.items():
        with pytest.raises(ValueError, match=sentence) as caught:
            load_image_folder(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [{"image_size": 4}, {"image_size": 64.0}, {"validation": 1}, {"test": -0.1}, {"test": "a"}, {"seed": -1}, {"seed": True}]
    + [{"validation": 0.5, "test": 0.5}],
)
def test_arguments_that_cannot_be_meant_are_named(tmp_path, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        load_image_folder(classes(tmp_path, {"a": 1}), **wrong)


def test_a_path_may_come_with_quotes_and_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    classes(tmp_path / "my photos", {"a": 2, "b": 2})
    assert load_image_folder(f' "{tmp_path / "my photos"}" ').class_names == ["a", "b"]
    assert load_image_folder("~/my photos").class_names == ["a", "b"]
    assert load_image_folder((tmp_path / "my photos").as_uri()).class_names == ["a", "b"]
    assert load_image_folder(classes(tmp_path / "ends in a space ", {"c": 1})).class_names == ["c"]


# The split


def sides(loaded) -> dict[str, str]:
    """Return the part of each picture by its class and name."""
    return {f"{path.parent.name}/{path.name}": part for part in PARTS for path in loaded[f"{part}_paths"]}


@pytest.fixture(scope="module")
def three_classes(tmp_path_factory):
    return classes(tmp_path_factory.mktemp("three"), {"cat": 60, "dog": 40, "eel": 12})


def test_the_parts_have_about_the_shares_asked_for_and_nothing_twice(three_classes):
    loaded = load_image_folder(three_classes, validation=0.3, test=0.2)
    parts = sides(loaded)
    assert len(parts) == 112 == sum(len(loaded[f"{part}_paths"]) for part in PARTS)
    counts = {part: list(parts.values()).count(part) for part in PARTS}
    assert abs(counts["validation"] - 0.3 * 112) < 15 and abs(counts["test"] - 0.2 * 112) < 13  # three deviations
    for part in PARTS:
        names = [loaded.class_names[label] for label in loaded[f"{part}_labels"]]
        assert names == [path.parent.name for path in loaded[f"{part}_paths"]]
        assert set(names) == {"cat", "dog", "eel"}


def test_a_split_depends_on_the_seed_alone(three_classes):
    first, again, other = (sides(load_image_folder(three_classes, seed=seed)) for seed in (0, 0, 1))
    assert first == again != other
    less = sides(load_image_folder(three_classes, validation=0.1))
    assert [name for name in first if first[name] == "test"] == [name for name in less if less[name] == "test"]


def test_without_validation_and_test_all_is_for_training(three_classes):
    loaded = load_image_folder(three_classes, validation=0, test=0)
    assert set(sides(loaded).values()) == {"train"}
    assert loaded.test_images.shape == (0, 128, 128, 3) and np.asarray(loaded.test_images).shape == (0, 128, 128, 3)


def test_pictures_stay_where_they_are_when_others_come_and_names_change(three_classes, tmp_path):
    before = sides(load_image_folder(three_classes))
    shutil.copytree(three_classes, tmp_path / "later")
    classes(tmp_path / "later", {"ant": 9, "cat": 30, "dog": 3}, first=100)
    after = sides(load_image_folder(tmp_path / "later"))
    assert len(after) == 112 + 42 and {name: after[name] for name in before} == before
    for path in sorted((tmp_path / "later" / "cat").iterdir()):
        path.rename(path.with_name(f"renamed {path.name}"))
    renamed = {name.replace("renamed ", ""): part for name, part in sides(load_image_folder(tmp_path / "later")).items()}
    assert renamed == after


def test_a_small_class_shares_what_is_not_test_between_train_and_validation(tmp_path):
    """Whether it has something in test is left to chance, and the report says when it has not."""
    for seed in range(12):
        count = 1 + seed % 4
        loaded = load_image_folder(classes(tmp_path / str(seed), {"large": 30, "small": count}), seed=seed)
        parts = [part for name, part in sides(loaded).items() if name.startswith("small")]
        rest = count - parts.count("test")
        assert "train" in parts and ("validation" in parts) == (rest > 1)
        [note] = [note for note in loaded.report.notes if note.startswith("small has")] or [""]
        assert ("test" in parts) != ("nothing tests it" in note)


def growing(seed: int) -> list[tuple[str, str]]:
    """Return pictures as (class, digest) in the order in which they come to a small folder of one to four classes."""
    draw = np.random.default_rng(seed)
    names = "abcd"[: draw.integers(1, 5)]
    return [(names[draw.integers(len(names))], draw.bytes(8).hex()) for _ in range(draw.integers(3, 40))]


def dealt(pictures: list[tuple[str, str]], groups: list[int], **shares: float) -> list[str]:
    """Return the part of each picture in a folder that holds these."""
    shares = {"test": 0.2, "validation": 0.2} | shares
    files = [
        FolderFile(Path(digest), Path(digest), name, None, "", look=SimpleNamespace(digest=digest), group=group)
        for (name, digest), group in zip(pictures, groups, strict=True)
    ]
    _deal(files, shares, 0)
    return [file.part for file in files]


def test_no_picture_leaves_test_as_a_small_folder_grows_and_hardly_one_enters():
    moves = Counter()
    for seed in range(400):
        pictures, before = growing(seed), []
        shares = [{}, {"validation": 0.0}, {"test": 0.5}, {"test": 0.0}][seed % 4]
        for count in range(1, len(pictures) + 1):
            after = dealt(pictures[:count], range(count), **shares)
            train = Counter(name for (name, _), part in zip(pictures, before, strict=False) if part == "train")
            assert {name for (name, _), part in zip(pictures, after, strict=False) if part == "train"} >= train.keys()
            for (name, _), old, new in zip(pictures, before, after, strict=False):
                assert old != "test" or new == "test", (seed, count)
                assert new != "test" or old == "test" or (old, train[name]) == ("train", 1), "was all that its class had"
                moves[old, new] += 1
            before = after
    assert 0 < moves["train", "test"] < 0.005 * moves.total() and moves["validation", "train"], "both were tried"


def test_only_a_new_copy_can_take_a_picture_out_of_test():
    """A copy of each of sixty pictures comes: what is unlike it stays, a copy keeps to its picture, and some change side."""
    pictures = [("a", np.random.default_rng(number).bytes(8).hex()) for number in range(120)]
    before, left = dealt(pictures[:60], range(60)), 0
    for copied in range(60):
        after = dealt([*pictures[:60], pictures[60 + copied]], [*range(60), copied])
        assert after[copied] == after[60]
        others = [number for number in range(60) if number != copied]
        assert all(before[number] == after[number] for number in others if "test" in (before[number], after[number]))
        left += before[copied] == "test" != after[copied]
    assert 0 < left < 15


CHANGES = {
    "same": lambda picture: picture,
    "smaller": lambda picture: picture.resize((60, 40)),
    "pressed": lambda picture: Image.open(io.BytesIO(encoded(picture, "JPEG", quality=25))).convert("RGB"),
    "brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.2),
    "grey": lambda picture: picture.convert("L").convert("RGB"),
    "mirrored": ImageOps.mirror,
    "cut": lambda picture: picture.crop((2, 1, 95, 63)),
}


def test_near_duplicates_are_found_and_stay_on_one_side(tmp_path):
    for number in range(70):
        change = CHANGES[list(CHANGES)[number % len(CHANGES)]]
        picture = photo(1000 + number)
        saved(tmp_path / "cat" / f"{number:02d} first.png", picture)
        saved(tmp_path / ("cat" if number < 60 else "dog") / f"{number:02d} second.png", change(picture))
    loaded = load_image_folder(tmp_path)
    groups = sorted(sorted(path.name[:2] for path in group) for group in loaded.report.duplicates)
    assert groups == [[f"{number:02d}"] * 2 for number in range(70)]
    parts = {path.name: part for part in PARTS for path in loaded[f"{part}_paths"]}
    apart = [number for number in range(70) if parts[f"{number:02d} first.png"] != parts[f"{number:02d} second.png"]]
    assert not apart and set(parts.values()) == set(PARTS)
    assert sum("of several classes" in note for note in loaded.report.notes) == 10


MISSED = {
    "a tenth cut off": lambda picture: picture.crop((5, 3, 91, 61)),
    "framed": lambda picture: ImageOps.expand(picture, 8, "white"),
    "turned by 90 degrees": lambda picture: picture.transpose(Image.Transpose.ROTATE_90),
}


def test_the_report_says_which_copies_are_missed(tmp_path):
    for number, (name, change) in enumerate(MISSED.items()):
        saved(tmp_path / "cat" / f"{name}.png", photo(3000 + number))
        saved(tmp_path / "cat" / f"{name}, changed.png", change(photo(3000 + number)))
    report = load_image_folder(tmp_path).report
    assert report.duplicates == []
    [note] = [note for note in report.notes if note.startswith("No two pictures look alike.")]
    assert "not if cropped by 5 % or more, framed or turned" in note


def test_pictures_that_look_alike_are_named_and_have_one_group(tmp_path):
    classes(tmp_path, {"cat": 12, "dog": 9})
    for number in (1, 2):
        saved(tmp_path / "cat" / f"again {number}.jpg", Image.open(tmp_path / "cat" / "003.png"), quality=70)
    loaded = load_image_folder(tmp_path)
    assert "- Alike: cat/003.png, cat/again 1.jpg, cat/again 2.jpg." in repr(loaded.report).replace(os.sep, "/")
    groups = {path.name: group for part in PARTS for path, group in grouped(loaded, part) if path.parent.name == "cat"}
    assert groups["003.png"] == groups["again 1.jpg"] == groups["again 2.jpg"] and len(set(groups.values())) == 12


def grouped(loaded, part: str):
    return zip(loaded[f"{part}_paths"], loaded[f"{part}_groups"], strict=True)


def test_no_line_of_a_report_is_so_long_that_a_page_breaks_it(tmp_path):
    for number in range(30):
        saved(tmp_path / "cat" / f"a photograph with a long name {number}.jpg", photo(number), format="PNG")
    text = repr(load_image_folder(tmp_path).report)
    assert max(map(len, text.splitlines())) <= 96 and "JPEG" not in text and "PNG though the name ends in .jpg: 30" in text


def test_what_a_name_or_the_eye_links_belongs_together_also_by_a_chain():
    groups = belonging_together(np.array([5, 5, 7, 8, 9]), ["a", "b", "b", "c", "d"])
    assert groups[0] == groups[1] == groups[2] and len(set(groups.tolist())) == 3


def test_sorting_into_parts_keeps_together_what_belongs_together(tmp_path):
    source = classes(tmp_path / "mine", {"bag": 40, "hat": 20, "one": 1, "three": 3})
    saved(source / "bag" / "copy.jpg", Image.open(source / "bag" / "007.png"), quality=70)
    (source / "bag" / "deeper").mkdir()
    (source / "bag" / "030.png").rename(source / "bag" / "deeper" / "000.png")

    def group_of(path):
        return path.parent.name, path.stem[:2]  # ten to a group

    loaded = load_image_folder(sort_into_parts(source, tmp_path / "sorted"))
    assert len(loaded.report.sides) == 65 and not loaded.report.skipped
    counts = {row["class"]: [row[part] for part in PARTS] for row in loaded.report.rows}
    assert counts["one"] == [1, 0, 0] and counts["three"] == [1, 1, 1] and counts["hat"] == [12, 4, 4]
    assert not [note for note in loaded.report.notes if note.startswith("On both sides")]
    again = load_image_folder(sort_into_parts(source, tmp_path / "by tens", group_of))
    for tens in ("01", "02"):
        found = [(part, path.stem[:2]) for part in PARTS for path in again[f"{part}_paths"] if path.parent.name == "bag"]
        assert found.count((found[[name for _, name in found].index(tens)][0], tens)) == 10


def test_sorting_never_writes_into_a_folder_that_has_something(tmp_path):
    source = classes(tmp_path / "mine", {"a": 3, "b": 3})
    with pytest.raises(ValueError, match="lies in the folder"):
        sort_into_parts(source, source / "sorted")
    with pytest.raises(FileExistsError, match="is not empty"):
        sort_into_parts(source, tmp_path)


def test_blank_pictures_are_no_near_duplicates_of_one_another(tmp_path):
    slope = np.linspace(0, 3, 30).astype(int)[None, :, None]  # the lamp stood on one side
    paths = [tmp_path / f"{grey}.png" for grey in range(0, 250, 25)]
    for grey, path in zip(range(0, 250, 25), paths, strict=True):
        saved(path, Image.fromarray((slope + [[[grey, grey, 250 - grey]]] + np.zeros((30, 1, 1))).astype("uint8")))
    shutil.copy(paths[0], tmp_path / "again.png")
    groups = group_alike([look_at(path) for path in [*paths, tmp_path / "again.png"]])
    assert len(set(groups.tolist())) == 10 and groups[0] == groups[-1]


def test_parts_that_are_given_are_kept_and_what_is_on_both_sides_is_named(tmp_path):
    classes(tmp_path / "Train", {"cat": 6, "dog": 5})
    classes(tmp_path / "val", {"cat": 2, "dog": 2}, first=50)
    classes(tmp_path / "test", {"cat": 3, "dog": 2, "eel": 1}, first=80)
    saved(tmp_path / "test" / "cat" / "leak.jpg", Image.open(tmp_path / "Train" / "cat" / "002.png"), quality=60)
    saved(tmp_path / "old" / "cat" / "x.png", photo(5))
    loaded = load_image_folder(tmp_path)
    assert [len(loaded[f"{part}_labels"]) for part in PARTS] == [11, 4, 6] and loaded.class_names == ["cat", "dog"]
    reasons = {str(path): reason for path, reason in loaded.report.skipped}
    assert "nothing in train" in reasons[os.path.join("test", "eel", "080.png")]
    assert "outside of Train, test, val" in reasons[os.path.join("old", "cat", "x.png")]
    [note] = [note for note in loaded.report.notes if "On both sides" in note]
    assert "002.png (train)" in note and "leak.jpg (test)" in note


def test_a_part_that_is_missing_is_drawn_from_train(tmp_path):
    classes(tmp_path / "train", {"cat": 30, "dog": 30})
    classes(tmp_path / "test", {"cat": 5, "dog": 5}, first=50)
    loaded = load_image_folder(tmp_path, validation=0.3, test=0.3)
    assert len(loaded.test_labels) == 10 and all(path.parts[-3] == "test" for path in loaded.test_paths)
    assert 8 <= len(loaded.validation_labels) <= 28 and len(loaded.train_labels) == 60 - len(loaded.validation_labels)


def test_test_pictures_without_a_class_leave_the_test_part_to_be_drawn(tmp_path):
    classes(tmp_path / "train", {"cat": 30, "dog": 30})
    saved(tmp_path / "test" / "1.png", photo(1))
    loaded = load_image_folder(tmp_path)
    assert 4 <= len(loaded.test_labels) <= 22 and all(path.parts[-3] == "train" for path in loaded.test_paths)
    [(path, reason)] = loaded.report.skipped
    assert path.name == "1.png" and "it has no class" in reason


def test_trains_beside_cars_are_a_class(tmp_path):
    assert load_image_folder(classes(tmp_path, {"car": 3, "train": 3})).class_names == ["car", "train"]


def test_a_single_class_is_said_to_be_one(tmp_path):
    loaded = load_image_folder(classes(tmp_path, {"cat": 5}))
    assert loaded.class_names == ["cat"] and any("only one class, cat" in note for note in loaded.report.notes)
    assert not any("load that folder instead" in note for note in loaded.report.notes)


def test_a_folder_that_is_one_too_high_is_noticed(tmp_path):
    classes(tmp_path / "photographs", {"cat": 3, "dog": 3})
    notes = load_image_folder(tmp_path).report.notes
    assert any("photographs lie in folders below it" in note and "load that folder instead" in note for note in notes)


def test_a_report_on_many_files_stays_short(tmp_path):
    for number in range(30):
        for name in ("cat", "dog"):
            saved(tmp_path / name / f"{number}.png", photo(2000 + number, (40, 40)))
            (tmp_path / name / f"{number}.jpg").write_bytes(b"")
    report = load_image_folder(tmp_path).report
    assert len(report.skipped) == 60 and len(report.duplicates) == 30
    text = repr(report)
    assert "- 40 more: each is empty." in text and "of several classes: 10 more groups" in text
    assert len(text.splitlines()) < 60


# What a file shows


def test_every_way_to_hold_a_camera_gives_the_same_picture(tmp_path):
    upright = photo(7, (64, 64))
    back = [None, None, *(Image.Transpose(number) for number in (0, 3, 1, 5, 2, 6, 4))]  # what undoes each note
    for orientation in range(2, 9):
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        path = saved(tmp_path / f"{orientation}.png", upright.transpose(back[orientation]), exif=exif)
        assert np.array_equal(read_picture(path, 64).pixels, np.asarray(upright)), orientation


def test_sides_are_those_of_the_upright_picture(tmp_path):
    (tmp_path / "turned.jpg").write_bytes(turned(6))
    assert read_picture(tmp_path / "turned.jpg", 32).sides == (64, 96)


def test_pixels_of_every_kind_become_eight_bits_of_three_colours(tmp_path):
    grey = np.arange(64 * 64).reshape(64, 64) // 16
    wanted = np.repeat(grey[:, :, None], 3, axis=2)
    kinds = {"16.png": (grey * 257).astype("uint16"), "32.tif": (grey * 1000 - 5).astype("int32")}
    for name, values in (kinds | {"float.tif": (grey / 255).astype("float32")}).items():
        pixels = read_picture(saved(tmp_path / name, Image.fromarray(values)), 64).pixels
        assert pixels.dtype == "uint8" and np.abs(pixels.astype(int) - wanted).max() <= 1, name
    clear = np.zeros((64, 64, 4), "uint8")
    clear[:32] = [200, 10, 20, 255]
    pixels = read_picture(saved(tmp_path / "clear.png", Image.fromarray(clear)), 64).pixels
    assert (pixels[:31] == [200, 10, 20]).all() and (pixels[33:] == 255).all()
    print_colours = read_picture(saved(tmp_path / "p.jpg", Image.new("CMYK", (20, 20), (0, 255, 255, 0))), 32).pixels
    assert np.abs(print_colours.astype(int) - [254, 0, 0]).max() < 12


def test_a_large_photograph_is_nearly_what_decoding_all_of_it_gives(tmp_path):
    fine = Image.fromarray(np.random.default_rng(0).integers(0, 256, (100, 130, 3), dtype="uint8"))
    path = saved(tmp_path / "large.jpg", fine.resize((900, 700), Image.Resampling.BICUBIC), quality=90)
    whole = np.asarray(Image.open(path).resize((64, 64), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(read_picture(path, 64).pixels - whole).mean() < 1
    small = saved(tmp_path / "small.png", photo(4, (300, 200)))
    assert np.array_equal(read_picture(small, 64).pixels, Image.open(small).resize((64, 64), Image.Resampling.BILINEAR))


# The stream


def test_a_stream_is_indexed_like_an_array(three_classes):
    images = load_image_folder(three_classes, image_size=16).train_images
    whole = np.asarray(images)
    assert whole.shape == images.shape == (len(images), 16, 16, 3) and whole.dtype == images.dtype == np.uint8
    mask = np.arange(len(images)) % 9 == 0
    for index in (3, -1, np.int64(2), slice(5, 70), [5, 2, 5], np.array([0, -1]), mask, []):
        index = np.array(index, int) if isinstance(index, list) else index
        assert np.array_equal(images[index], whole[index])
    assert np.array_equal(np.stack(list(images)), whole)
    with pytest.raises(IndexError):
        images[len(images)]


def test_a_file_that_vanished_is_named(tmp_path):
    images = load_image_folder(classes(tmp_path, {"a": 3, "b": 3}), test=0, validation=0).train_images
    (tmp_path / "a" / "001.png").unlink()
    with pytest.raises(OSError, match=r"001.png is not there.* load the folder again"):
        images[:]


def test_batches_feed_fit_with_each_picture_once_in_a_new_order(three_classes):
    loaded = load_image_folder(three_classes, image_size=8)
    images, labels = loaded.train_images, loaded.train_labels
    for seed in (None, 3):
        batches = images.batches(labels, batch_size=16, seed=seed)
        epochs = [[np.concatenate(arrays) for arrays in zip(*batches.as_numpy_iterator(), strict=True)] for _ in range(2)]
        for seen, given in epochs:
            order = np.lexsort(seen.reshape(len(seen), -1).T)
            right = np.lexsort(images[:].reshape(len(seen), -1).T)
            assert np.array_equal(seen[order], images[:][right]) and np.array_equal(given[order], labels[right])
        assert np.array_equal(epochs[0][0], epochs[1][0]) == (seed is None)
    assert len(batches) == -(-len(labels) // 16)
    with pytest.raises(ValueError, match="one label for each"):
        images.batches(labels[:5])


def test_batches_train_a_network(three_classes):
    import keras

    loaded = load_image_folder(three_classes, image_size=8)
    layers = [keras.Input((8, 8, 3)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten()]
    model = keras.Sequential([*layers, keras.layers.Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    parts = [loaded[f"{part}_images"].batches(loaded[f"{part}_labels"], seed=0) for part in PARTS[:2]]
    history = model.fit(parts[0], validation_data=parts[1], epochs=3, shuffle=False, verbose=0).history
    assert history["loss"][-1] < history["loss"][0] and len(history["val_loss"]) == 3


# Features


KILLED = """
import os, sys, time
import keras, tensorflow
from helpers import extract_features, load_image_folder
from test_folders import small_network

folder, caches = sys.argv[1:]
moments = [float(line) for line in sys.stdin.readline().split()]

def run(cache):
    os.environ["WORKBOOK_CACHE"] = cache
    images = load_image_folder(folder, image_size=32, validation=0, test=0).train_images
    extract_features(images, base_model=small_network(), layers="maps")

def start(cache):
    if not (child := os.fork()):
        run(cache)
        os._exit(0)
    return child

began = time.monotonic()
assert os.waitpid(start(f"{caches}/whole"), 0)[1] == 0
takes, number = time.monotonic() - began, 0
while moments:
    child = start(cache := f"{caches}/{number}")
    time.sleep(moments[-1] * takes)
    os.kill(child, 9)
    if os.waitpid(child, 0)[1] == 9:
        print(moments.pop())
    else:  # it was through already: the machine has become faster, or most was stored
        takes *= 0.8
    number += os.path.isdir(f"{cache}/features") and len(os.listdir(f"{cache}/features")) >= 6
"""


def small_network():
    """Return a network of two layers, with the same weights each time."""
    import keras

    pixels, start = keras.Input((32, 32, 3)), keras.initializers.GlorotUniform(seed=1)
    return keras.Model(pixels, keras.layers.Conv2D(64, 5, kernel_initializer=start, name="maps")(pixels))


@pytest.mark.skipif(sys.platform != "linux", reason="TensorFlow cannot be forked everywhere")
def test_killed_at_twenty_moments_it_goes_on_without_a_wrong_feature(tmp_path, monkeypatch):
    """Each run is killed in a folder of features that the killed ones before it left, until that is full."""
    from helpers import extract_features

    folder, caches = classes(tmp_path / "photographs", {"cat": 200, "dog": 184}), tmp_path / "caches"
    moments = " ".join(map(str, np.random.default_rng(0).uniform(0.2, 1, 20)))
    command = [sys.executable, "-c", KILLED, str(folder), str(caches)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*sys.path, str(Path(__file__).parent)])}
    answer = subprocess.run(command, input=moments, capture_output=True, text=True, timeout=900, env=environment)
    assert answer.returncode == 0, answer.stderr
    assert len(answer.stdout.split()) == 20
    images = load_image_folder(folder, image_size=32, validation=0, test=0).train_images
    network = {"base_model": small_network(), "layers": "maps"}
    whole = extract_features(np.asarray(images), **network, cache=False)
    stored = [place for place in caches.iterdir() if list(place.glob("features/*.features"))]
    assert len(stored) >= 2
    for place in stored:
        monkeypatch.setenv("WORKBOOK_CACHE", str(place))
        assert np.array_equal(extract_features(images, **network), whole)
        assert len(list(place.glob("features/*.features"))) == 6


def test_features_of_a_stream_are_those_of_an_array_and_come_from_the_cache(three_classes, tmp_path, monkeypatch):
    from helpers import extract_features, load_vgg16

    monkeypatch.setenv("WORKBOOK_CACHE", str(tmp_path))
    images = load_image_folder(three_classes, image_size=32).train_images
    network = {"base_model": load_vgg16("random", input_shape=(32, 32, 3)), "layers": "block1_pool"}
    features_of_array = extract_features(np.asarray(images), **network)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("features/*")}
    assert np.array_equal(extract_features(images, **network), features_of_array)
    assert before and before == {path: path.stat().st_mtime_ns for path in tmp_path.glob("features/*")}
