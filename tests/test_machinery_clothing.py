"""The photographs of clothes: every way to get them and every way in which it can go wrong, on 127.0.0.1 alone.

Nearly all tests work on a small made-up set in the same layout; those with the mark `clothing` on the real one.
"""

import errno
import hashlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import course
import numpy as np
import pytest
from faulty_server import Server
from filelock import FileLock
from PIL import Image

from helpers import PhotographsMissing, clothing_folder, load_clothing
from helpers.__main__ import main
from helpers._machinery import clothing, downloads
from helpers._machinery.clothing import CLOTHING, read_clothing
from helpers._machinery.downloads import AssetError
from helpers._machinery.photographs import squash_picture
from helpers.data import PARTS

PRESENT = dict(CLOTHING)
PER_CLASS = {"train": 4, "validation": 2, "test": 1}  # in the archive; the course takes three of train
CHUNK = 1 << 14


# What the tests are made of


def jpeg(number, **settings):
    noise = np.random.default_rng(number).integers(0, 256, (53, 40, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "JPEG", **settings)
    return file.getvalue()


def all_files():
    keys = [
        (part, name, f"{number}a-b.jpg")
        for part in PARTS
        for name in PRESENT["classes"]
        for number in range(PER_CLASS[part])
    ]
    return {key: jpeg(number) for number, key in enumerate(keys)}


def zipped(files, *, root="clothing-dataset-small-119", method=zipfile.ZIP_STORED, extra=()):
    """The bytes of an archive as the repository's, with whatever else is put into it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr(f"{root}/README.md", "Clothes")
        for name, content in extra:
            archive.writestr(name, content)
        for key, content in reversed(files.items()):
            archive.writestr("/".join((root, *key)), content)
    return file.getvalue()


EVERYTHING = all_files()
WANTED = {key: content for key, content in sorted(EVERYTHING.items()) if not (key[0] == "train" and key[2][0] == "3")}
DIGEST = hashlib.sha256(b"".join("/".join(key).encode() + b"\0" + content for key, content in WANTED.items())).hexdigest()


def write_folder(folder, files):
    for key, content in files.items():
        path = folder.joinpath(*key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, no folder named, and a made-up set at an address that nobody answers."""
    monkeypatch.delenv("WORKBOOK_CLOTHING", raising=False)
    monkeypatch.setenv("WORKBOOK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("WORKBOOK_PROGRESS", "0")
    monkeypatch.setenv("NO_PROXY", "*")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/119.zip"
    about = {"digest": DIGEST, "train_per_class": 3, "parts": {"train": 30, "validation": 20, "test": 10}, "url": url}
    for name, value in about.items():
        monkeypatch.setitem(CLOTHING, name, value)
    return tmp_path / "cache" / "photographs"


@pytest.fixture
def filled_cache(cache):
    write_folder(cache / "clothing", WANTED)
    return cache


@pytest.fixture
def server(cache, monkeypatch):
    with Server(zipped(EVERYTHING), name="119.zip", chunk=CHUNK) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        monkeypatch.setitem(CLOTHING, "url", server.url)
        yield server
        server.shutdown()


def start(code):
    """A Python process that runs `code` with the same made-up set."""
    before = "import json, sys\nfrom helpers._machinery import clothing\nclothing.CLOTHING.update(json.loads(sys.argv[1]))\n"
    command = [sys.executable, "-c", before + code, json.dumps(CLOTHING)]
    return subprocess.Popen(command, cwd=course.ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(process):
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def leftovers(cache):
    return {path.relative_to(cache).parts for path in cache.rglob("*") if path.is_file() and path.suffix != ".lock"}


KEPT = {("clothing", *key) for key in WANTED}


def assert_one_sentence(error, *parts):
    text = str(error)
    assert "\n" not in text and ". " not in text and text.endswith(".")
    for part in (
        *parts,
        "python -m helpers photographs",
        "WORKBOOK_CLOTHING",
        CLOTHING["url"],
        str(clothing.clothing_path()),
    ):
        assert part in text


# The folder that the user names


def test_a_folder_of_the_users_own_is_taken_and_nothing_else_touched(server, tmp_path, cache, monkeypatch):
    own = write_folder(tmp_path / "own", WANTED)
    (own / "README.md").write_text("beside the three folders there may be anything")
    (own / "train" / "hat" / ".hidden").write_text("as some systems leave")
    monkeypatch.setenv("WORKBOOK_CLOTHING", str(own))
    assert read_clothing() == WANTED and list(read_clothing()) == sorted(WANTED)
    assert clothing_folder() == own
    assert server.asked == 0 and not cache.exists()


def lacks_a_class(own):
    for path in (own / "test" / "hat").iterdir():
        path.unlink()
    (own / "test" / "hat").rmdir()


def has_another_class(own):
    (own / "train" / "socks").mkdir()


def lacks_a_photograph(own):
    next((own / "validation" / "skirt").iterdir()).unlink()


def has_more_photographs(own):
    write_folder(own, EVERYTHING)


def has_another_photograph(own):
    next((own / "validation" / "skirt").iterdir()).write_bytes(jpeg(7, quality=30))


def has_a_renamed_photograph(own):
    path = next((own / "validation" / "skirt").iterdir())
    path.rename(path.with_name("z.jpg"))


def lacks_a_part(own):
    (own / "train").rename(own / "training")


@pytest.mark.parametrize(
    "damage, reason",
    [
        (lacks_a_class, "test has the folders dress, longsleeve"),
        (has_another_class, "train has the folders .*, skirt, socks, t-shirt, not dress"),
        (lacks_a_photograph, r"holds \[30, 19, 10\] files \(train, validation, test\), not \[30, 20, 10\]"),
        (has_more_photographs, r"holds \[40, 20, 10\] files"),
        (has_another_photograph, "SHA-256"),
        (has_a_renamed_photograph, "SHA-256"),
        (lacks_a_part, "No such file or directory.*train"),
    ],
)
def test_a_wrong_folder_of_the_users_own_is_an_error_also_when_all_else_is_there(
    damage, reason, server, tmp_path, filled_cache, monkeypatch
):
    own = write_folder(tmp_path / "own", WANTED)
    damage(own)
    monkeypatch.setenv("WORKBOOK_CLOTHING", str(own))
    for call in (load_clothing, clothing_folder, lambda: read_clothing(fetch=False)):
        with pytest.raises(AssetError, match=f"WORKBOOK_CLOTHING names a folder.*{reason}.*unset the variable") as caught:
            call()
        assert str(own) in str(caught.value) and not isinstance(caught.value, PhotographsMissing)
    assert server.asked == 0


@pytest.mark.parametrize("kind", ["absent", "file"])
def test_a_folder_that_is_none_is_an_error(kind, tmp_path, filled_cache, monkeypatch):
    if kind == "file":
        (tmp_path / "own").write_text("")
    monkeypatch.setenv("WORKBOOK_CLOTHING", str(tmp_path / "own"))
    with pytest.raises(AssetError, match="WORKBOOK_CLOTHING names a folder that cannot be used.*Correct the path"):
        load_clothing()


# What comes back


def test_the_data_have_the_form_of_textures(filled_cache):
    clothes = load_clothing(image_size=20)
    assert clothes.class_names == PRESENT["classes"]
    for part, count in CLOTHING["parts"].items():
        images, labels = clothes[f"{part}_images"], clothes[f"{part}_labels"]
        assert images.shape == (count, 20, 20, 3) and images.dtype == np.uint8
        assert labels.shape == (count,) and labels.dtype == np.int64
        assert np.bincount(labels).tolist() == [count // 10] * 10
        assert list(labels) != sorted(labels), "classes are mixed"
        for image, label in zip(images, labels, strict=True):
            same = [
                key for key, content in WANTED.items() if key[0] == part and (squash_picture(content, 20) == image).all()
            ]
            assert [key[1] for key in same] == [clothes.class_names[label]]


def test_fewer_labels_are_drawn_for_train_alone_nested_and_by_seed(filled_cache):
    def drawn(**settings):
        clothes = load_clothing(image_size=16, **settings)
        return {image.tobytes() for image in clothes.train_images}, clothes

    (one, few), (two, many), (other, _) = (drawn(labels_per_class=n, seed=s) for n, s in ((1, 4), (2, 4), (1, 5)))
    assert len(one) == 10 and one < two and one != other and np.bincount(many.train_labels).tolist() == [2] * 10
    assert two < drawn()[0] and len(drawn()[0]) == 30
    for part in ("validation", "test"):
        assert np.array_equal(few[f"{part}_images"], drawn(seed=9)[1][f"{part}_images"])


@pytest.mark.parametrize(
    "argument, value",
    [("image_size", 0), ("image_size", 15), ("image_size", 96.0), ("seed", -1), ("seed", None)]
    + [("labels_per_class", bad) for bad in (0, 4, 1.5, "3", True)],
)
def test_bad_arguments_are_refused_before_anything_is_fetched(argument, value, server):
    with pytest.raises(ValueError, match=argument) as refusal:
        load_clothing(**{argument: value})
    assert repr(value) in str(refusal.value) and server.asked == 0


def test_pictures_are_squashed_whole_and_upright():
    sky_and_earth = Image.fromarray(np.repeat(np.array([[[0, 0, 255]], [[0, 128, 0]]], np.uint8), 40, axis=0))
    wide = sky_and_earth.resize((120, 80))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side: turn clockwise to see it upright
    plain, turned, grey = io.BytesIO(), io.BytesIO(), io.BytesIO()
    wide.save(plain, "JPEG", quality=95)
    wide.rotate(90, expand=True).save(turned, "JPEG", quality=95, exif=exif)
    wide.convert("L").save(grey, "JPEG")
    squares = [squash_picture(file.getvalue(), 32) for file in (plain, turned)]
    for square in squares:
        assert square.shape == (32, 32, 3) and square.dtype == np.uint8
        assert np.abs(square[:15].mean((0, 1)) - [0, 0, 255]).max() < 8
        assert np.abs(square[17:].mean((0, 1)) - [0, 128, 0]).max() < 8
    assert squash_picture(grey.getvalue(), 16).shape == (16, 16, 3)


def test_importing_the_module_imports_nothing_slow():
    slow = "{'tensorflow', 'keras', 'requests', 'PIL', 'pooch', 'tqdm', 'sklearn'}"
    assert finish(start(f"print(sorted({slow} & set(sys.modules)))"))[1].strip() == "[]"


# The cache and the archive


def test_the_archive_ends_in_the_cache_only_the_courses_part_and_once(server, cache):
    for _ in range(2):
        assert read_clothing() == WANTED
    assert server.asked == 1
    assert leftovers(cache) == KEPT
    assert clothing_folder() == cache / "clothing"


@pytest.mark.parametrize("says_length", [True, False])
def test_a_download_shows_its_progress_unless_told_not_to(says_length, server, capsys, monkeypatch):
    server.says_length = says_length
    monkeypatch.delenv("WORKBOOK_PROGRESS")
    read_clothing()
    out, shown = capsys.readouterr()
    assert out == "" and "B/s" in shown and ("100%" in shown) == says_length


def test_nothing_is_shown_when_told_not_to(server, capsys):
    read_clothing()
    assert capsys.readouterr() == ("", "")


def test_a_filled_cache_asks_nothing_of_the_network(filled_cache):
    guard = (
        "asks = ('socket.', 'subprocess.'); "
        "sys.addaudithook(lambda event, _: event.startswith(asks) and sys.exit(event)); "
        "print(len(clothing.read_clothing()))"
    )
    assert finish(start(guard)) == (0, "60\n", "")
    for path in (filled_cache / "clothing" / "test" / "hat").iterdir():
        path.unlink()  # now the guard has to stop it
    code, _, stopped_at = finish(start(guard))
    assert code == 1 and "socket." in stopped_at


def test_looking_without_fetching_changes_nothing(server, cache):
    assert read_clothing(fetch=False) is None
    assert server.asked == 0 and not cache.exists()
    read_clothing()
    assert read_clothing(fetch=False) == WANTED


def truncate(folder):
    os.truncate(next((folder / "train" / "hat").iterdir()), 100)


def lose_a_folder(folder):
    lacks_a_class(folder)


def become_a_file(folder):
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()
    folder.write_text("")


@pytest.mark.parametrize("damage", [truncate, lose_a_folder, become_a_file, has_more_photographs])
def test_a_damaged_cache_is_replaced_and_never_returned(damage, filled_cache, server, caplog):
    damage(filled_cache / "clothing")
    assert read_clothing(fetch=False) is None and caplog.text == ""
    server.status = 500
    with pytest.raises(PhotographsMissing, match="500 Server Error"):
        load_clothing()
    assert "damaged" in caplog.text
    server.status = 200
    assert read_clothing() == WANTED and leftovers(filled_cache) == KEPT
    caplog.clear()
    assert read_clothing() == WANTED and caplog.text == ""


def changed(files, key=("validation", "hat", "0a-b.jpg")):
    return files | {key: jpeg(99)}


def flipped(body):
    place = body.index(EVERYTHING["test", "hat", "0a-b.jpg"]) + 200
    return body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]


WHOLE = zipped(EVERYTHING)
BODIES = {
    "another photograph": (zipped(changed(EVERYTHING)), "SHA-256"),
    "a photograph less": (zipped({key: EVERYTHING[key] for key in list(EVERYTHING)[:-1]}), "test"),
    "a page": (b"<html>Please log in</html>", "not a zip file"),
    "nothing": (b"", "not a zip file"),
    "half": (WHOLE[: len(WHOLE) // 2], "not a zip file"),
    "without its beginning": (WHOLE[len(WHOLE) // 2 :], "not the whole archive"),
    "a flipped bit": (flipped(WHOLE), "Bad CRC-32"),
    "no folder": (zipped({}, root="a"), "No such|folders|list"),
    "two folders": (zipped(EVERYTHING, extra=[("another/file.txt", "")]), "too many values"),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_wrong_archive_is_not_believed(name, server, cache):
    server.body, reason = BODIES[name]
    server.says_length = name != "half"  # as when a server does not say how long it will be
    with pytest.raises(PhotographsMissing, match=reason) as caught:
        load_clothing()
    assert_one_sentence(caught.value)
    assert leftovers(cache) == set() and read_clothing(fetch=False) is None
    server.body = WHOLE
    assert read_clothing() == WANTED


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_line_that_drops_is_told(method, server, cache):
    server.body = zipped(EVERYTHING, method=method)
    server.drop_after = len(server.body) // 2
    with pytest.raises(PhotographsMissing, match="IncompleteRead|Connection broken") as caught:
        load_clothing()
    assert_one_sentence(caught.value)
    assert leftovers(cache) == set()


@pytest.mark.parametrize(
    "name",
    [
        "../outside.jpg",
        "../../../outside.jpg",
        "/outside.jpg",
        "{root}/train/hat/../../../../../outside.jpg",
        "..\\outside.jpg",
    ]
    + ["{root}/train/../outside.jpg", "{root}/../outside.jpg", "C:/outside.jpg", "{absolute}/outside.jpg"],
)
def test_names_that_lead_out_of_the_archive_write_nothing_outside(name, server, cache, tmp_path):
    name = name.format(root="clothing-dataset-small-119", absolute=tmp_path)
    server.body = zipped(EVERYTHING, extra=[(name, jpeg(1))])
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    try:
        assert read_clothing() == WANTED
    except PhotographsMissing:
        assert leftovers(cache) == set()
    new = {path for path in tmp_path.rglob("*") if path.is_file()} - before - {cache / "clothing.lock"}
    assert new <= {cache.joinpath(*key) for key in KEPT}
    assert not Path("/outside.jpg").exists() and not list(course.ROOT.glob("outside*"))


def arrived(cache):
    return sum(path.stat().st_size for path in cache.glob("clothing-*/*") if path.is_file())


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("share", [0, 0.9])
def test_a_killed_download_leaves_nothing_wrong_behind(share, server, cache, monkeypatch):
    server.body = zipped(EVERYTHING, extra=[("clothing-dataset-small-119/large.bin", os.urandom(1 << 20))])
    server.pause = 0.02
    process = start("clothing.read_clothing()")
    deadline = time.monotonic() + 30
    while not (server.asked and arrived(cache) >= share * (1 << 20)) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert finish(process)[0] == -signal.SIGKILL
    assert read_clothing(fetch=False) is None
    server.pause = 0
    assert read_clothing() == WANTED and leftovers(cache) == KEPT


MOMENTS = [
    ("zipfile.ZipFile.open", 1),
    ("hashlib.sha256", 3),
    ("pathlib.Path.write_bytes", 1),
    ("pathlib.Path.write_bytes", 37),
    ("pathlib.Path.write_bytes", 60),
    ("os.replace", 1),
    ("os.replace", 2),
    ("shutil.rmtree", 1),
]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("moment, call", MOMENTS)
def test_a_process_killed_while_it_stores_leaves_nothing_wrong_behind(moment, call, when, server, filled_cache):
    truncate(filled_cache / "clothing")  # so that there is something to replace, too
    code = f"""
import hashlib, os, pathlib, shutil, signal, zipfile
original, calls = {moment}, []
def killed(*arguments, **settings):
    calls.append(1)
    if len(calls) == {call} and {when == "before"}:
        os.kill(os.getpid(), signal.SIGKILL)
    result = original(*arguments, **settings)
    if len(calls) == {call}:
        os.kill(os.getpid(), signal.SIGKILL)
    return result
{moment} = killed
clothing.read_clothing()
"""
    assert finish(start(code))[0] == -signal.SIGKILL
    assert read_clothing(fetch=False) in (None, WANTED)
    assert read_clothing() == WANTED
    assert KEPT <= leftovers(filled_cache)


def test_a_full_disk_is_one_sentence_and_leaves_nothing(server, cache, monkeypatch):
    written, original = [], Path.write_bytes

    def full(path, content):
        written.append(path)
        if len(written) > 20:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return original(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(PhotographsMissing, match="No space left on device") as caught:
        load_clothing()
    assert_one_sentence(caught.value, "room on the disk")
    assert leftovers(cache) == set()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on the size of a file")
def test_a_disk_that_is_full_before_the_archive_is_whole_is_one_sentence(server, cache):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)); "
    code, _, error = finish(start(limit + "clothing.read_clothing()"))
    assert code == 1 and "PhotographsMissing" in error.splitlines()[-1] and "File too large" in error.splitlines()[-1]
    assert leftovers(cache) == set()


def test_a_cache_that_cannot_be_a_folder_is_one_sentence(tmp_path, server, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WORKBOOK_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(PhotographsMissing) as caught:
        load_clothing()
    assert_one_sentence(caught.value, str(tmp_path / "file"))


def test_without_a_network_one_sentence_says_what_was_tried_and_what_to_do(cache):
    with pytest.raises(PhotographsMissing, match=r"\[Errno \d+\] Connection refused") as caught:
        load_clothing()
    assert_one_sentence(caught.value)
    with pytest.raises(PhotographsMissing):
        clothing_folder()


def test_a_server_that_lacks_it_is_told(server):
    server.status = 404
    with pytest.raises(PhotographsMissing, match="404 Client Error") as caught:
        load_clothing()
    assert_one_sentence(caught.value)


def test_a_server_that_never_answers_does_not_hang(cache, monkeypatch):
    monkeypatch.setattr(downloads, "TIMEOUT", (0.3, 0.3))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setitem(CLOTHING, "url", f"http://127.0.0.1:{silent.getsockname()[1]}/119.zip")
        begin = time.monotonic()
        with pytest.raises(PhotographsMissing, match="timed out"):
            load_clothing()
    assert time.monotonic() - begin < 5


def test_two_processes_at_once_download_once(server, cache):
    server.pause = 0.1
    processes = [start("print(len(clothing.read_clothing()))") for _ in range(2)]
    for code, out, error in map(finish, processes):
        assert (code, out.strip()) == (0, "60"), error
    assert server.asked == 1 and leftovers(cache) == KEPT


def test_a_process_that_waits_for_another_says_so(server, cache):
    cache.mkdir(parents=True)
    with FileLock(cache / "clothing.lock"):
        process = start("print(len(clothing.read_clothing()))")
        assert process.stderr.readline() == "Another process is fetching the same photographs; waiting for it.\n"
    assert finish(process) == (0, "60\n", "")


# The command line and the marker


def test_the_command_fetches_and_says_whose_they_are(server, cache, capsys):
    assert main(["photographs"]) == 0
    out, error = capsys.readouterr()
    assert error == "" and out.count("\n") == 1
    for part in ("Clothing dataset (small)", "Alexey Grigorev and 32 contributors", "CC0 1.0", str(cache / "clothing")):
        assert part in out
    assert server.asked == 1


def test_the_command_is_one_sentence_and_a_failure_where_it_cannot(cache, capsys):
    assert main(["photographs"]) == 1
    out, error = capsys.readouterr()
    assert out == "" and error.count("\n") == 1
    assert_one_sentence(error.rstrip("\n"))


def test_marked_tests_are_skipped_without_asking_the_network(cache):
    program = [sys.executable, "-m", "pytest", "-q", "-rs", "-m", "clothing", __file__]
    ran = subprocess.run(program, cwd=course.ROOT, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0 and "python -m helpers photographs" in ran.stdout, ran.stdout + ran.stderr
    assert "skipped" in ran.stdout and "passed" not in ran.stdout and not cache.exists()


# The photographs themselves


@pytest.mark.clothing
def test_the_photographs_are_those_of_the_course():
    clothes = load_clothing(image_size=32)
    assert clothes.class_names == "dress hat longsleeve outwear pants shirt shoes shorts skirt t-shirt".split()
    assert [len(clothes[f"{part}_images"]) for part in PARTS] == [600, 341, 372]
    assert np.bincount(clothes.train_labels).tolist() == [60] * 10
    shares = np.bincount(clothes.test_labels) / 372
    assert clothes.class_names[shares.argmax()] == "shoes" and shares.max() == pytest.approx(0.196, abs=0.001)
    everything = np.concatenate([clothes[f"{part}_images"].reshape(-1, 3072) for part in PARTS])
    assert 90 < everything.mean() < 190 and len(np.unique(everything, axis=0)) > 1300


@pytest.mark.clothing
def test_their_digest_is_the_published_one():
    folder, digest = clothing_folder(), hashlib.sha256()
    files = [path for part in ("test", "train", "validation") for path in sorted((folder / part).glob("*/*"))]
    for path in files:
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    assert digest.hexdigest() == PRESENT["digest"] and len(files) == 1313
    assert digest.hexdigest().startswith("a5f8bb1c") and digest.hexdigest().endswith("0b47")


@pytest.mark.clothing
def test_loading_takes_seconds_and_gives_the_same_images_every_time():
    begin = time.monotonic()
    one, two = (load_clothing(image_size=96, labels_per_class=5, seed=1) for _ in range(2))
    assert time.monotonic() - begin < 20
    for part in PARTS:
        assert np.array_equal(one[f"{part}_images"], two[f"{part}_images"])


@pytest.mark.clothing
def test_keras_reads_the_folder_as_it_stands():
    import keras

    read = keras.utils.image_dataset_from_directory(
        clothing_folder() / "validation", image_size=(64, 64), batch_size=None, shuffle=False, verbose=False
    )
    assert read.class_names == PRESENT["classes"]
    clothes = load_clothing(image_size=64)
    theirs, labels = (np.stack(column) for column in zip(*read.as_numpy_iterator(), strict=True))
    assert (
        theirs.shape == (341, 64, 64, 3) and np.bincount(labels).tolist() == np.bincount(clothes.validation_labels).tolist()
    )
    for image, label in zip(clothes.validation_images[:40].astype("float32"), clothes.validation_labels, strict=False):
        distances = np.abs(theirs - image).mean((1, 2, 3))
        assert distances.min() < 20 and labels[distances.argmin()] == label
