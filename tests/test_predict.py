"""One file with preprocessing and class names, loaded here, elsewhere and by the command line: the same answers."""

import json
import os
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from helpers import build_classifier, class_names_of, export_classifier, load_vgg16, predict_photographs, preprocess_vgg16
from helpers.__main__ import main
from helpers._machinery.images import read_picture
from helpers._machinery.photographs import photograph_path

NAMES = ["cat", "long sleeve", "T-shirt", "Äpfel & Birnen", "猫", "a.b~c>d/e_f%20", "x" * 200]


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return build_classifier(load_vgg16("random", input_shape=(48, 48, 3)), classes=len(NAMES), start="random")


@pytest.fixture(scope="module")
def file(model, tmp_path_factory):
    return export_classifier(model, tmp_path_factory.mktemp("models") / "mine.keras", class_names=NAMES)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """A folder with four pictures of 48 x 48 pixels, one bad file, and what a system puts there."""
    folder = tmp_path_factory.mktemp("photographs")
    (folder / "more").mkdir()
    for number, name in enumerate(["a.png", "b.png", "more/c.png", "more/猫.png"]):
        pixels = np.random.default_rng(number).integers(0, 256, (48, 48, 3), dtype="uint8")
        Image.fromarray(pixels).save(folder / name)
    (folder / "bad.jpg").write_text("no picture")
    (folder / ".DS_Store").write_bytes(b"\0")
    return folder


def pixels_of(folder, *names):
    """Return pictures as float32 (n, 48, 48, 3)."""
    return np.stack([np.asarray(Image.open(folder / name)) for name in names]).astype("float32")


# The file


def test_the_file_answers_as_the_model_does_and_knows_its_classes(model, file, photographs):
    pixels = pixels_of(photographs, "a.png", "b.png")
    loaded = keras.saving.load_model(file)
    assert np.array_equal(loaded.predict(pixels, verbose=0), model.predict(preprocess_vgg16(pixels), verbose=0))
    assert class_names_of(loaded) == NAMES and class_names_of(model) == []
    assert [path.name for path in file.parent.iterdir()] == ["mine.keras"]


def test_photographs_of_any_size_go_in(file):
    loaded = keras.saving.load_model(file)
    assert loaded.predict(np.zeros((2, 300, 77, 3)), verbose=0).shape == (2, len(NAMES))


def test_names_survive_what_people_do_with_a_model(file, tmp_path):
    loaded = keras.saving.load_model(file)
    loaded.compile("sgd", "sparse_categorical_crossentropy")
    loaded.fit(np.zeros((3, 48, 48, 3)), np.arange(3), verbose=0)
    loaded.save(tmp_path / "again.keras")
    assert class_names_of(keras.saving.load_model(tmp_path / "again.keras")) == NAMES
    assert class_names_of(keras.Model(loaded.inputs, loaded.outputs)) == NAMES
    assert class_names_of(keras.models.clone_model(loaded)) == NAMES


def test_a_thousand_names_are_no_trouble(tmp_path):
    names = [f"species number {number}" for number in range(1000)]
    small = keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(1000, activation="softmax")])
    path = export_classifier(small, tmp_path / "many.keras", class_names=names, preprocess=None)
    assert class_names_of(keras.saving.load_model(path)) == names


def test_preprocessing_may_be_a_layer_or_nothing(tmp_path):
    small = keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(2, activation="softmax")])
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3)).astype("float32")
    for preprocess, ready in ((None, pixels), (layers.Rescaling(1 / 255), pixels / 255)):
        path = export_classifier(
            small, tmp_path / "small.keras", class_names=["a", "b"], preprocess=preprocess, overwrite=True
        )
        assert np.allclose(
            keras.saving.load_model(path).predict(pixels, verbose=0), small.predict(ready, verbose=0), atol=1e-6
        )


def test_a_file_that_is_there_is_written_over_only_when_asked(file, model):
    before = file.read_bytes()
    with pytest.raises(FileExistsError, match=r"mine.keras is there already.* overwrite=True"):
        export_classifier(model, file, class_names=NAMES[::-1])
    assert file.read_bytes() == before and [path.name for path in file.parent.iterdir()] == ["mine.keras"]


@pytest.fixture(scope="module")
def full_size(tmp_path_factory):
    """Four photographs of 512 or 1000 pixels, each as PNG and as JPEG."""
    folder = tmp_path_factory.mktemp("full size")
    for name, side in {"gravel": 512, "brick": 1000, "chelsea": 512, "coffee": 1000}.items():
        with Image.open(photograph_path(name)) as picture:
            large = picture.convert("RGB").resize((side, side * 3 // 4), Image.Resampling.LANCZOS)
        large.save(folder / f"{name}.png")
        large.save(folder / f"{name}.jpg", quality=90)
    return folder


NEAR = {".png": (0.3, 0.02, 0.02), ".jpg": (1.5, 0.15, 0.1)}  # measured: at most 0.27, 0.013, 0.011 and 1.24, 0.10, 0.06


@pytest.mark.parametrize("size", [48, 128])
def test_full_size_photographs_go_in_as_training_saw_them(size, full_size, tmp_path):
    """Near are grey levels (mean), features (relative), probabilities: Pillow rounds, and reads JPEG at a smaller scale."""
    keras.utils.set_random_seed(0)
    model = build_classifier(load_vgg16(input_shape=(size, size, 3)), classes=5, start="random")
    path = export_classifier(model, tmp_path / "large.keras", class_names=list("abcde"))
    loaded, pooled = keras.saving.load_model(path), keras.Model(model.inputs, model.layers[-2].output)
    before = keras.Model(loaded.inputs, [loaded.get_layer("resize").output, loaded.get_layer("preprocess_vgg16").output])
    photographs = sorted(full_size.iterdir())
    answers = predict_photographs(loaded, photographs)
    for photograph, answer in zip(photographs, answers, strict=True):
        trained_on = read_picture(photograph, size).pixels[None].astype("float32")
        with Image.open(photograph) as picture:
            pixels = np.asarray(picture, "float32")[None]
        resized, ready = before.predict_on_batch(pixels)
        there, here = (pooled.predict_on_batch(images) for images in (ready, preprocess_vgg16(trained_on)))
        found = (
            np.abs(resized - trained_on).mean(),
            np.linalg.norm(there - here) / np.linalg.norm(here),
            np.abs(loaded.predict_on_batch(pixels) - list(answer["probabilities"].values())).max(),
        )
        assert (np.array(found) < NEAR[photograph.suffix]).all(), (photograph.name, found)


class Own(layers.Layer):
    """A layer that nobody else has."""

    def call(self, inputs):
        """Return what came."""
        return inputs


@pytest.mark.parametrize(
    "change, sentence",
    [
        ({"path": "mine.h5"}, "ends in .keras"),
        ({"class_names": ["a", "b", "c"]}, "gives 2 numbers, but there are 3"),
        ({"class_names": ["a", "a"]}, "different"),
        ({"class_names": ["a", ""]}, "none empty"),
        ({"preprocess": "resnet"}, "preprocess is 'resnet'"),
        ({"image_size": 9}, "image_size is 9, but the model wants 8"),
        ({"layer": Own(name="mine")}, "'mine' is code of your own"),
        ({"layer": layers.Lambda(lambda x: x, name="short")}, "'short' is code of your own"),
    ],
)
def test_what_another_machine_could_not_use_is_refused(change, sentence, tmp_path):
    layer = change.pop("layer", layers.Flatten())
    small = keras.Sequential([keras.Input((8, 8, 3)), layer, layers.Flatten(), layers.Dense(2, activation="softmax")])
    path = tmp_path / change.pop("path", "small.keras")
    with pytest.raises(ValueError, match=sentence):
        export_classifier(small, path, **{"class_names": ["a", "b"]} | change)
    assert not list(tmp_path.iterdir())


# Elsewhere

PLAIN = """
import sys
sys.modules["helpers"] = None  # importing it fails
try:
    import helpers
except ImportError:
    import keras, json
    from urllib.parse import unquote
    model = keras.models.load_model(sys.argv[1])
    names = [unquote(name.replace(".", "%")) for name in model.layers[-1].name.split(">")[1:]]
    image = keras.utils.load_img(sys.argv[2], target_size=(48, 48), interpolation="bilinear")
    print(json.dumps(dict(zip(names, model.predict(keras.utils.img_to_array(image)[None], verbose=0)[0].tolist()))))
"""


def test_the_file_runs_where_the_workbook_is_not(file, photographs, tmp_path):
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "KERAS_BACKEND")}
    command = [sys.executable, "-c", PLAIN, str(file), str(photographs / "a.png")]
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    answers = json.loads(run.stdout.splitlines()[-1])
    [here] = predict_photographs(file, [photographs / "a.png"])
    assert list(answers) == NAMES
    assert np.allclose(list(answers.values()), list(here["probabilities"].values()), atol=1e-6)


# Answers


def test_files_and_folders_are_answered_and_bad_ones_named(file, photographs, tmp_path):
    (tmp_path / "empty").mkdir()
    paths = [photographs / "b.png", photographs, tmp_path / "gone.jpg", str(tmp_path / "empty")]
    answers = predict_photographs(file, paths, batch_size=3)
    names = [os.path.relpath(answer["file"], photographs) for answer in answers[:6]]
    assert names == ["b.png", "a.png", "b.png", "bad.jpg", os.path.join("more", "c.png"), os.path.join("more", "猫.png")]
    assert [answer["error"].split(" is ")[1] for answer in answers if "error" in answer] == [
        "text, not a picture.",
        "not there.",
        "a folder without a file.",
    ]
    probabilities = keras.saving.load_model(file).predict(pixels_of(photographs, "b.png", "a.png", "b.png"), verbose=0)
    for answer, row in zip(answers[:3], probabilities, strict=True):
        assert answer["class"] == NAMES[row.argmax()] and np.isclose(answer["probability"], row.max(), atol=1e-6)
        assert np.allclose(list(answer["probabilities"].values()), row, atol=1e-6)


def test_a_model_without_names_answers_with_numbers(model, photographs, tmp_path, capsys):
    inputs = keras.Input((48, 48, 3))
    keras.Model(inputs, model(layers.Rescaling(1.0, offset=-110.0)(inputs))).save(tmp_path / "plain.keras")
    assert main(["predict", str(tmp_path / "plain.keras"), str(photographs / "a.png"), "--json"]) == 0
    out, error = capsys.readouterr()
    [answer] = json.loads(out)
    assert answer["class"] in range(len(NAMES)) and "no names of classes" in error
    assert main(["predict", str(tmp_path / "plain.keras"), str(photographs / "a.png")]) == 0
    assert f"a.png: {answer['class']} {answer['probability']:.3f}" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["missing", "text", "a zip", "no probabilities", "any size"])
def test_a_model_that_is_none_is_one_sentence(kind, photographs, tmp_path, capsys):
    path = tmp_path / "model.keras"
    if kind == "text":
        path.write_text("no model")
    elif kind == "a zip":
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("notes.txt", "no model")
    elif kind != "missing":
        inputs = keras.Input((48, 48, 3) if kind == "no probabilities" else (None, None, 3))
        keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(inputs))).save(path)
    assert main(["predict", str(path), str(photographs / "a.png")]) == 1
    out, error = capsys.readouterr()
    assert out == "" and f"{path} cannot be used as a classifier" in error and "Traceback" not in error
    assert error.count("\n") == 1 and error.endswith(".\n") and len(error) < 500


def command(*arguments, **environment):
    """Return how `python -m helpers predict` ended, in a process of its own."""
    run = [sys.executable, "-m", "helpers", "predict", *map(str, arguments)]
    return subprocess.run(run, capture_output=True, env=os.environ | environment, timeout=300)


def test_the_command_answers_in_another_process(file, photographs):
    run = command(file, photographs, "--json")
    assert run.returncode == 1, "one file was bad"
    answers = json.loads(run.stdout)
    assert len(answers) == 5
    expected = predict_photographs(file, [photographs])
    for answer, here in zip(answers, expected, strict=True):
        assert answer.keys() == here.keys() and answer["file"] == here["file"] and answer.get("class") == here.get("class")
        assert np.isclose(answer.get("probability", 0), here.get("probability", 0), atol=1e-5)
    assert run.stderr.decode().splitlines() == [f"{photographs / 'bad.jpg'} is text, not a picture."]


@pytest.mark.skipif(sys.platform == "win32", reason="pipes")
def test_a_reader_that_has_seen_enough_is_no_error(file, photographs):
    words = [sys.executable, "-m", "helpers", "predict", str(file), str(photographs / "more")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        run.stdout.close()  # before the first answer
        error = run.stderr.read()
    assert run.returncode == 0 and error == b""


def test_a_terminal_that_knows_few_letters_gets_all_answers(file, photographs):
    run = command(file, photographs / "more", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert run.returncode == 0, run.stderr
    assert len(run.stdout.splitlines()) == 2 and b"\\u732b.png: " in run.stdout


def test_the_help_says_what_goes_in(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["predict", "--help"])
    text = capsys.readouterr().out
    assert ended.value.code == 0 and "model.keras" in text and "--json" in text and "folder" in text
