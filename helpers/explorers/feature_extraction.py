"""Notebook 04: frozen sources against each other on two targets, and what a channel of VGG16 answers to most strongly."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from helpers.evaluation import paired_interval
from helpers.explorers.shell import Drawing, Explorer, Guess, LiveFigure, choice
from helpers.plots import MARKERS, PALETTE
from helpers.vgg16 import layer_table

SOURCES, PAIRS = ("random", "edges", "ImageNet"), ((2, 0), (2, 1), (1, 0))  # places of the sources that are compared
CROP = 96  # pixels of a picture of the channel explorer
Runs = Mapping[tuple[str, int, int], np.ndarray]  # accuracy of each run by (source, block, labels per class)


def sources_explorer(targets: Mapping[str, Runs], *, baselines: Mapping[str, Mapping[str, Sequence[float]]]) -> Explorer:
    """Return an explorer of target, block and labels per class: accuracy of three frozen VGG16s, and paired differences.

    `targets` maps the name of a target to the accuracies (runs,) of "random", "edges" and "ImageNet" by block and labels
    per class; `baselines` has for each target lines by name, one value for each number of labels.
    """
    counts = {name: sorted({count for *_, count in runs}) for name, runs in targets.items()}
    drawn = {name: _curves_and_differences(counts[name], baselines[name]) for name in targets}

    def draw(target: str, block: int, place: int) -> Drawing:
        runs, (live, update) = targets[target], drawn[target]
        means = np.array([[paired_interval(runs[source, block, count]) for count in counts[target]] for source in SOURCES])
        here = [runs[source, block, counts[target][place]] for source in SOURCES]
        differences = [paired_interval(here[one] - here[other]) for one, other in PAIRS]
        update(means, place, differences, title=f"{target}, block {block}: mean, 95 % interval")
        said = ", ".join(f"{source} {values.mean():.2f}" for source, values in zip(SOURCES, here, strict=True))
        labels = "1 label" if counts[target][place] == 1 else f"{counts[target][place]} labels"
        told = "; ".join(map(_difference_said, PAIRS, differences))
        return live, f"{target}, block {block}, {labels} per class: {said}. {told}."

    texts = [", ".join(f"{name}: {counts[name][place]}" for name in targets) for place in range(3)]
    controls = {
        "target": choice("target", list(targets), kind="menu"),
        "block": choice("block", [1, 2, 3, 4, 5]),
        "place": choice("labels per class", list(zip(texts, range(3), strict=True))),
    }
    name, last = list(targets)[-1], counts[list(targets)[-1]][-1]
    right = {source: targets[name][source, 1, last].mean() for source in SOURCES}
    question = f"On {name}, block 1, {last} labels per class: what share does the network get right that was never trained?"
    measured = f"{right['random']:.2f} (edges {right['edges']:.2f}, ImageNet {right['ImageNet']:.2f})"
    guess = Guess(question, choice("my guess", [round(0.1 * tenth, 1) for tenth in range(1, 10)]), measured)
    return Explorer(draw, controls, name="Which block suits random weights? Three frozen VGG16s on two targets", guess=guess)


def _difference_said(pair: tuple[int, int], interval: tuple[float, float, float]) -> str:
    mean, low, high = interval
    told = "" if low > 0 or high < 0 else ", not told apart"
    return f"{SOURCES[pair[0]]} minus {SOURCES[pair[1]]} {mean:+.2f} ({low:+.2f} to {high:+.2f}{told})"


def _curves_and_differences(
    counts: Sequence[int], baselines: Mapping[str, Sequence[float]]
) -> tuple[LiveFigure, Callable[..., None]]:
    """Return a figure of accuracy over labels and of paired differences, and the function that gives both new values."""
    figure = Figure(figsize=(9.6, 4.0), layout="constrained")
    curve, apart = figure.subplots(1, 2, width_ratios=(1.25, 1))
    curve.set(xscale="log", xlabel="labels per class")
    heading = curve.set_title(" ")
    curve.set(ylabel="accuracy", ylim=(0, 1.3), yticks=np.linspace(0, 1, 6))
    curve.set_xticks(counts, [str(count) for count in counts], minor=False)
    curve.minorticks_off()
    curve.set_xlim(counts[0] * 0.8, counts[-1] * 1.25)
    for (label, values), style in zip(baselines.items(), (":", "--"), strict=False):
        curve.plot(counts, values, style, color="0.4", linewidth=1.5, label=label)
    rows = [
        curve.plot(counts, [0] * 3, MARKERS[row], ls="-", color=PALETTE[row], label=s)[0] for row, s in enumerate(SOURCES)
    ]
    bars = [
        curve.plot([count] * 2, [0, 0], color=PALETTE[row], linewidth=3, alpha=0.5)[0]
        for row in range(3)
        for count in counts
    ]
    here = curve.axvline(counts[0], color="0.7", linewidth=8, alpha=0.4, zorder=0)
    curve.legend(loc="upper left", ncols=2, fontsize=8)
    apart.set(xlim=(-0.75, 0.75), ylim=(2.5, -0.5), xlabel="paired difference of accuracy", title="at the grey line")
    apart.set_yticks(range(3), [f"{SOURCES[one]}\nminus {SOURCES[other]}" for one, other in PAIRS])
    apart.axvline(0, color="black", linewidth=1)
    ends = [apart.plot([0, 0], [row] * 2, color="black", linewidth=2)[0] for row in range(3)]
    (dots,) = apart.plot([0] * 3, range(3), "o", color="black")
    live = LiveFigure(figure, moving=[heading, here, *bars, *rows, *ends, dots])

    def update(means: np.ndarray, place: int, differences: Sequence[tuple[float, float, float]], *, title: str) -> None:
        heading.set_text(title)
        for row, line in enumerate(rows):
            line.set_ydata(means[row, :, 0])
        for bar, interval in zip(bars, means.reshape(-1, 3), strict=True):
            bar.set_ydata(interval[1:])
        here.set_xdata([counts[place]] * 2)
        dots.set_xdata([mean for mean, *_ in differences])
        for line, (_, low, high) in zip(ends, differences, strict=True):
            line.set_xdata([low, high])

    return live, update


def seen_square(layer: str, row: int, column: int) -> tuple[int, int, int, int]:
    """Return (left, top, right, bottom), in pixels, of what a value of a layer of VGG16 sees; it may leave the image."""
    before = 0  # pixels that the square of place 0 begins to the left of the image: one stride for each convolution
    for entry in layer_table(input_shape=(32, 32, 3)):
        before += entry["stride"] if "conv" in entry["name"] else 0
        if entry["name"] == layer:
            left, top = (place * entry["stride"] - before for place in (column, row))
            return left, top, left + entry["receptive_field"], top + entry["receptive_field"]
    raise ValueError(f"VGG16 has no layer {layer!r}.")


def strongest_places(maps: np.ndarray, *, layer: str, count: int = 8) -> list[tuple[int, int, int]]:
    """Return (image, row, column) of the strongest values of maps (n, height, width), at most two an image, apart."""
    left, _, right, _ = seen_square(layer, 0, 0)
    _, _, second, _ = seen_square(layer, 0, 1)
    least, found = max(2, (right - left) // (2 * (second - right))), []  # places between two of one image
    for image, row, column in zip(*np.unravel_index(np.argsort(-maps, axis=None, kind="stable"), maps.shape), strict=True):
        same = [(r, c) for i, r, c in found if i == image]
        if len(same) < 2 and all(max(abs(r - row), abs(c - column)) >= least for r, c in same):
            found.append((int(image), int(row), int(column)))
        if len(found) == count:
            break
    return found


def channels_explorer(
    images: np.ndarray, names: Sequence[str], maps: Mapping[str, np.ndarray], *, channels: int = 8
) -> Explorer:
    """Return an explorer of layer and channel: the eight places of the images to which the channel answers most strongly.

    `images` is (n, side, side, 3) uint8, `names` has their names, `maps` what layers answer to them, (n, height, width,
    channels) by the layer's name. The frame in a picture is all that the value sees.
    """
    figure = Figure(figsize=(8.4, 4.8), layout="constrained")
    grid = figure.subplots(2, 4).ravel()
    pictures = [axes.imshow(np.zeros((CROP, CROP, 3), "uint8")) for axes in grid]
    frames = [axes.add_patch(Rectangle((0, 0), 1, 1, fill=False, edgecolor="#FFFFFF", linewidth=2.5)) for axes in grid]
    inner = [axes.add_patch(Rectangle((0, 0), 1, 1, fill=False, edgecolor="#D55E00", linewidth=1.2)) for axes in grid]
    titles = [axes.text(CROP / 2, -4, "", ha="center", fontsize=9) for axes in grid]
    for axes in grid:
        axes.axis("off")
        axes.set_title(" ", fontsize=9)  # keeps room for the texts above
    live = LiveFigure(figure, moving=[*pictures, *frames, *inner, *titles])

    def draw(layer: str, channel: int) -> Drawing:
        values = maps[layer][..., channel]
        places = strongest_places(values, layer=layer)
        left, _, right, _ = seen_square(layer, 0, 0)
        for place, picture, *boxes, title in zip(places, pictures, frames, inner, titles, strict=True):
            crop, share = _crop(images[place[0]], seen_square(layer, *place[1:]))
            answers = values[place] > 0
            picture.set_data(crop if answers else np.full_like(crop, 255))
            for box in boxes:
                box.set_bounds(*[CROP * (1 - share) / 2 - 0.5] * 2, CROP * share, CROP * share)
                box.set_visible(answers)
            title.set_text(f"{names[place[0]]}, {values[place]:.{int(values[place] < 10)}f}" if answers else "no answer")
        shown = list(dict.fromkeys(names[place[0]] for place in places if values[place] > 0))
        return live, (
            f"{layer}, channel {channel}: a value sees {right - left} x {right - left} pixels. "
            f"Strongest in: {', '.join(shown) or 'none'}. Zero at {np.mean(values <= 0):.0%} of all places."
        )

    layer = choice("layer", list(maps), value=list(maps)[min(2, len(maps) - 1)])
    controls = {"layer": layer, "channel": choice("channel", range(channels))}
    name, guess = "What does this channel look for? Its eight strongest places", _guess_of_zeros(maps, channels)
    return Explorer(draw, controls, name=name, guess=guess, photographs=True)


def _guess_of_zeros(maps: Mapping[str, np.ndarray], channels: int) -> Guess:
    first, *_, last = maps
    zeros = {layer: np.mean(maps[layer][..., :channels] <= 0) for layer in (first, last)}
    question = f"The first {channels} channels of {last}: at what share of all places do they find nothing, and answer zero?"
    control = choice("my guess", [f"{percent} %" for percent in range(0, 101, 10)], value="50 %")
    return Guess(question, control, f"{zeros[last]:.0%} (in {first} {zeros[first]:.0%})")


def _crop(image: np.ndarray, square: tuple[int, int, int, int]) -> tuple[np.ndarray, float]:
    """Return a picture of the square and some of what is around it (CROP, CROP, 3), and the square's share of its side."""
    from PIL import Image

    left, top, right, bottom = square
    margin = max((right - left) // 4, (24 - (right - left)) // 2)
    box = (left - margin, top - margin, right + margin, bottom + margin)
    padded = Image.new("RGB", (box[2] - box[0], box[3] - box[1]), "#777777")
    padded.paste(Image.fromarray(image), (-box[0], -box[1]))
    return np.asarray(padded.resize((CROP, CROP), Image.Resampling.BILINEAR)), (right - left) / padded.width
