"""The film of notebook 02 and what it computes, and the autograd that the notebook builds, against TensorFlow."""

import course
import films
import numpy as np
import pytest

from helpers.explorers import backpropagation as maths
from helpers.explorers.backpropagation import blame_explorer
from helpers.plots import figure_png

NOTEBOOK = course.ROOT / "notebooks" / "02_backpropagation.ipynb"
STEP = 1e-6


@pytest.fixture(scope="module")
def explorer():
    return blame_explorer()


def states():
    for rate in (0.1, 0.5, 2.0):
        yield from maths.graph_run(learning_rate=rate)


def test_each_product_is_the_central_difference():
    """In every state of the film: only what this one edge passes on is nudged."""
    for values in states():
        weights = {name: values[name] for name in maths.START}
        assert values == maths.graph_values(weights)
        for edge, (blame, slope, product) in maths.graph_messages(values).items():
            up, down = (maths.graph_values(weights, shifts={edge: move})["L"] for move in (STEP, -STEP))
            assert product == blame * slope
            assert product == pytest.approx((up - down) / (2 * STEP), abs=1e-9), edge


def test_the_blame_of_a_weight_is_the_central_difference_and_weights_move_against_it():
    for rate in (0.1, 0.5, 2.0):
        run = maths.graph_run(learning_rate=rate)
        for before, after in zip(run[:-1], run[1:], strict=True):
            for name in maths.START:
                weights = [{w: before[w] + move * (w == name) for w in maths.START} for move in (STEP, -STEP)]
                up, down = (maths.graph_values(one)["L"] for one in weights)
                assert after[name] == pytest.approx(before[name] - rate * (up - down) / (2 * STEP), abs=1e-8)


def test_the_blame_of_h_is_a_sum_of_two():
    messages = maths.graph_messages(maths.graph_values(maths.START))
    parts = [messages["h", name][-1] for name in ("u", "v")]
    assert parts[0] < 0 < parts[1] and messages["w1", "h"][0] == pytest.approx(sum(parts), abs=1e-15)
    assert maths.total_blame(messages)["h"] == f"{parts[0]:.3f} {parts[1]:+.3f} = {sum(parts):.3f}"
    assert maths.total_blame(messages, count=6)["h"] == f"{parts[0]:.3f}"
    assert "h" not in maths.total_blame(messages, count=5)


def test_every_control_changes_the_picture_and_bears_its_ends(explorer):
    films.check_controls(explorer, same=("learning_rate",))  # before the first step it changes nothing
    pictures = [explorer.frame(step=3, learning_rate=rate).pixels for rate in (0.1, 2.0)]
    assert not np.array_equal(*pictures)


def test_the_film_shows_what_is_drawn(explorer):
    assert [len(control.values) for control in explorer.controls.values()] == [10, 6, 3]
    films.check_film(explorer)


def test_sentences_give_the_numbers_of_the_calculation(explorer):
    run = maths.graph_run(learning_rate=0.5)
    for step in (0, 3, 5):
        here, after = run[step : step + 2]
        assert f"answers {here['y']:.3f}, 1 is wanted" in explorer.frame(step=step).sentence
        assert f"goes from {here['L']:.3f} to {after['L']:.3f}" in explorer.frame(step=step, phase=9).sentence
        blame, slope, product = maths.graph_messages(here)["h", "u"]
        said = explorer.frame(step=step, phase=6).sentence
        assert f"{blame:.3f} times local slope {slope:.3f} makes {product:.3f}. The other path" in said
        assert "Both paths add up" in explorer.frame(step=step, phase=7).sentence


def test_the_guess_is_answered_by_what_is_calculated(explorer):
    before, after = maths.graph_run(learning_rate=0.5)[:2]
    assert explorer.guess.answer.startswith("it rises" if after["w1"] > before["w1"] else "it falls")


def test_an_error_is_shown_to_the_learner(explorer, monkeypatch):
    monkeypatch.setattr(explorer, "draw", lambda **values: 1 / 0)
    frame = explorer.frame()
    assert frame.pixels is None and "could not be drawn. ZeroDivisionError" in frame.sentence


def test_pictures_are_drawn():
    weights = np.linspace(-4, 4, 50)
    tangent = maths.plot_tangent(weights, weights**2, at=-1.0, slope=-2.0)
    for axes in (tangent, maths.plot_losses({"one": [3, 2, 1], "two": [3, 2, 1]})):
        assert axes.get_xlabel() and axes.get_ylabel()
        assert figure_png(axes.get_figure()).startswith(b"\x89PNG")


@pytest.fixture(scope="module")
def autograd():
    """`Value` and `backpropagate`, as they stand in the notebook."""
    names = {"np": np}
    cells = [cell.source for cell in course.code_cells(NOTEBOOK)]
    whole = max((source for source in cells if source.startswith("class Value")), key=len)
    walk = next(source for source in cells if source.startswith("def backpropagate"))
    exec(whole, names)
    exec(walk, names)
    assert sum(bool(line.strip()) for line in f"{whole}\n{walk}".splitlines()) <= 30
    return names["Value"], names["backpropagate"]


def test_the_autograd_agrees_with_tensorflow_on_two_hundred_random_graphs(autograd):
    """Values that are used again and again, in float64: the largest relative error stays below 1e-12."""
    import tensorflow as tf

    value_of, backpropagate = autograd
    worst = 0.0
    for seed in range(200):
        random = np.random.default_rng(seed)
        numbers = random.normal(size=4)
        ours, theirs = [value_of(float(number)) for number in numbers], [tf.Variable(number) for number in numbers]
        leaves, variables = list(ours), list(theirs)
        with tf.GradientTape() as tape:
            for _ in range(12):
                first, second = random.integers(len(ours), size=2)
                kind = random.integers(5)
                for values, module in ((ours, None), (theirs, tf)):
                    a, b = values[first], values[second]
                    values.append(_combine(kind, a, b, module))
            total = theirs[-1]
            for one in theirs[4:-1]:
                total = total + one
        mine = ours[-1]
        for one in ours[4:-1]:
            mine = mine + one
        backpropagate(mine)
        slopes = np.array([float(slope) for slope in tape.gradient(total, variables, unconnected_gradients="zero")])
        found = np.array([leaf.gradient for leaf in leaves])
        worst = max(worst, np.abs(found - slopes).max() / np.abs(slopes).max())
    print(f"largest relative error on 200 graphs: {worst:.1e}")
    assert worst < 1e-12


def _combine(kind, a, b, module):
    """A sum, a product, a tanh, an exponential of a tanh, or a logarithm of something positive."""
    tanh, exp, log = (
        (module.tanh, module.exp, module.math.log) if module else (lambda v: v.tanh(), lambda v: v.exp(), lambda v: v.log())
    )
    if kind == 0:
        return a + b
    if kind == 1:
        return tanh(a) * tanh(b)
    return (tanh(a), exp(tanh(a)), log(exp(tanh(a)) + exp(tanh(b))))[kind - 2]


def test_the_autograd_agrees_with_tensorflow_on_the_graphs_of_the_notebook(autograd):
    import tensorflow as tf

    value_of, backpropagate = autograd
    a, variable = value_of(2.0), tf.Variable(2.0, dtype="float64")
    with tf.GradientTape() as tape:
        loss = (3 * variable) * (variable * variable)
    backpropagate((value_of(3.0) * a) * (a * a))
    assert a.gradient == pytest.approx(float(tape.gradient(loss, variable)), rel=1e-12) == 36
    numbers = (1.0, 0.8, 1.0, -0.6)
    x, w1, w2, w3 = ours = [value_of(number) for number in numbers]
    h = (w1 * x).tanh()
    error = (w2 * h).tanh() + (w3 * h).tanh() + value_of(-1.0)
    backpropagate(value_of(0.5) * error * error)
    variables = [tf.Variable(number, dtype="float64") for number in numbers]
    with tf.GradientTape() as tape:
        hidden = tf.tanh(variables[1] * variables[0])
        loss = 0.5 * (tf.tanh(variables[2] * hidden) + tf.tanh(variables[3] * hidden) - 1) ** 2
    slopes = [float(slope) for slope in tape.gradient(loss, variables)]
    assert [one.gradient for one in ours] == pytest.approx(slopes, rel=1e-12)
    messages = maths.graph_messages(maths.graph_values(maths.START))
    assert [messages[edge][-1] for edge in (("w1", "h"), ("w2", "u"), ("w3", "v"))] == pytest.approx(slopes[1:], rel=1e-12)
