import pytest

from helpers.plots import STATES, plot_layers, vgg16_states


def texts(axes):
    return [text.get_text() for text in axes.texts if text.get_text()]


def test_a_row_for_each_network_and_a_box_for_each_layer():
    axes = plot_layers(
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
    axes = plot_layers({"VGG16": {"image\n64 x 64 x 3": "", "block 1\n32 x 32 x 64": "frozen"}})
    assert {"image", "64 x 64 x 3", "block 1", "32 x 32 x 64\nfrozen"} <= set(texts(axes))


def test_every_state_can_be_told_apart_without_colour():
    axes = plot_layers({"all": {f"layer {number}": state for number, state in enumerate(STATES)}})
    assert set(filter(None, STATES)) <= set(texts(axes))


def test_states_of_vgg16():
    assert list(vgg16_states("head").values()) == ["frozen"] * 5 + ["new"]
    assert vgg16_states("block 4", head="trained") == {
        **dict.fromkeys(["block 1", "block 2", "block 3"], "frozen"),
        **dict.fromkeys(["block 4", "block 5", "head"], "trained"),
    }


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda: plot_layers({"a": {"block 1": "thawed"}}), "block 1 is 'thawed'.*'frozen'"),
        (lambda: vgg16_states("block5"), "first_trained is 'block5'.*block 5, head"),
    ],
)
def test_errors_say_what_can_be_chosen(call, said):
    with pytest.raises(ValueError, match=said):
        call()
