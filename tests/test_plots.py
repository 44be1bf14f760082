"""The plots: what is drawn is what was given, bad input is named, and pictures reach the page with their text."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from helpers import plots


def test_curves_draw_the_mean_and_the_range_over_runs():
    runs = np.array([[0.1, 0.3], [0.3, 0.5]])
    axes = plots.plot_curves([1, 5], {"a": runs, "b": runs + 0.4}, xlabel="labels", chance=0.1)
    mean = axes.lines[0]
    assert np.allclose(mean.get_ydata(), [0.2, 0.4]) and list(mean.get_xdata()) == [1, 5]
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert band.min() == pytest.approx(0.1) and band.max() == pytest.approx(0.5)
    assert axes.lines[0].get_marker() != axes.lines[1].get_marker()
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b", "guessing"]


def test_a_curve_of_the_wrong_length_is_named():
    with pytest.raises(ValueError, match="'short' has 1 values a run for 2 positions"):
        plots.plot_curves([1, 5], {"short": np.zeros((3, 1))}, xlabel="labels")


def test_bars_are_means_and_dots_are_runs():
    axes = plots.plot_bars({"a": np.array([0.2, 0.4]), "b": 0.9}, chance=0.1)
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([0.3, 0.9])
    dots, guessing = axes.lines  # one value is a bar without a dot
    assert list(dots.get_xdata()) == [0.2, 0.4] and list(guessing.get_xdata()) == [0.1, 0.1]
    assert "guessing" in axes.get_xlabel()


def test_confusion_counts_true_classes_in_rows():
    axes = plots.plot_confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), class_names=["cat", "dog"])
    assert axes.images[0].get_array().tolist() == [[1, 1], [0, 1]]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")


def test_a_class_without_a_name_is_refused():
    with pytest.raises(ValueError, match="outside 0 to 1"):
        plots.plot_confusion(np.array([0, 1]), np.array([0, 2]), class_names=["cat", "dog"])


def test_an_empty_confusion_matrix_can_be_drawn():
    axes = plots.plot_confusion(np.array([], int), np.array([], int), class_names=["cat", "dog"])
    assert axes.images[0].get_array().sum() == 0


def test_a_repeated_run_beside_its_record():
    trained = {"curve": [[32, 1.0, 0.5, 0.4], [64, 0.5, 0.7, 0.6]], "test_accuracy": 0.5, "seconds": 12.3}
    axes = plots.plot_repeat(trained, trained | {"test_accuracy": 0.25})
    assert [line.get_xydata().tolist() for line in axes.lines] == [[[32, 0.4], [64, 0.6]]] * 2
    assert [text.get_text() for text in axes.get_legend().get_texts()][1] == "just now: test accuracy 0.250, 12 s"
    classical = {"candidates": [0.1, 0.2, 0.3, 0.2], "test_accuracy": 0.3, "seconds": 1}
    axes = plots.plot_repeat(classical, classical)
    assert axes.lines[0].get_xdata().tolist() == [1, 2, 3, 4] and axes.get_xlabel() == "number of C"


def test_a_grid_has_one_place_for_each_image():
    images = np.zeros((5, 8, 8, 3), "uint8")
    grid = plots.plot_images(images, titles=list("abcde"), columns=3)
    assert len(grid) == 6 and [len(axes.images) for axes in grid] == [1, 1, 1, 1, 1, 0]
    assert not any(axes.axison for axes in grid)


@pytest.mark.parametrize(("count", "titles", "word"), [(0, None, "empty"), (2, ["one"], "2 images and 1 titles")])
def test_images_and_titles_have_to_fit(count, titles, word):
    with pytest.raises(ValueError, match=word):
        plots.plot_images(np.zeros((count, 8, 8)), titles=titles)


def test_show_gives_html_with_the_text_and_a_png(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw: shown.append(bundle))
    plots.show(plots.new_axes(rows=1, columns=2), alt='two "empty" plots & nothing else')
    bundle = shown[0]
    assert 'alt="two &quot;empty&quot; plots &amp; nothing else"' in bundle["text/html"]
    assert bundle["image/png"].startswith(b"\x89PNG") and "two" in bundle["text/plain"]
    with pytest.raises(ValueError, match="alt is empty"):
        plots.show(plots.new_axes(), alt=" ")


def test_the_palette_keeps_its_distance_from_white():
    def luminance(color):
        channels = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
        return np.dot([0.2126, 0.7152, 0.0722], channels)

    contrast = [1.05 / (luminance(color) + 0.05) for color in plots.PALETTE]
    assert min(contrast) > 2 and sum(ratio > 3 for ratio in contrast) >= 5
    assert len(set(plots.MARKERS)) == len(plots.PALETTE) == len(set(plots.PALETTE))


def texts(axes):
    return [text.get_text() for text in axes.texts if text.get_text()]


def test_a_row_for_each_network_and_a_box_for_each_layer():
    axes = plots.plot_layers(
        {
            "from scratch": {"hidden": "new", "output": "new"},
            "frozen": {"hidden": "frozen", "output": "trained"},
        }
    )
    assert len(axes.patches) == 4
    assert texts(axes).count("hidden") == 2 and texts(axes).count("new") == 2 and texts(axes).count("frozen") == 2
    colours = [patch.get_facecolor() for patch in axes.patches]
    assert colours[0] == colours[1] and len(set(colours)) == 3


def test_the_second_line_and_the_state_share_a_text():
    axes = plots.plot_layers({"VGG16": {"image\n64 x 64 x 3": "", "block 1\n32 x 32 x 64": "frozen"}})
    assert {"image", "64 x 64 x 3", "block 1", "32 x 32 x 64\nfrozen"} <= set(texts(axes))


def test_every_state_can_be_told_apart_without_colour():
    axes = plots.plot_layers({"all": {f"layer {number}": state for number, state in enumerate(plots.STATES)}})
    assert set(filter(None, plots.STATES)) <= set(texts(axes))


def test_states_of_vgg16():
    assert list(plots.vgg16_states("head").values()) == ["frozen"] * 5 + ["new"]
    assert plots.vgg16_states("block 4", head="trained") == {
        **dict.fromkeys(["block 1", "block 2", "block 3"], "frozen"),
        **dict.fromkeys(["block 4", "block 5", "head"], "trained"),
    }


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda: plots.plot_layers({"a": {"block 1": "thawed"}}), "block 1 is 'thawed'.*'frozen'"),
        (lambda: plots.vgg16_states("block5"), "first_trained is 'block5'.*block 5, head"),
    ],
)
def test_errors_say_what_can_be_chosen(call, said):
    with pytest.raises(ValueError, match=said):
        call()
