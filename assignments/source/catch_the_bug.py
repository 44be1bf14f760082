# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Catch the bug: assignment
#
# *Can you find mistakes that no error message tells you about?*
#
# **80 minutes**  |  ← **before:** notebook 12  |  no GPU needed
#
# Seven tasks, from small to open. In the first six you write a function: you predict a number, find lines, repair two programs, write a diagnosis and rank mistakes by what they cost. Keep the name of each function and its arguments: the cell below calls it on a small example. The last task asks for a bug report in words.
#
# All programs here are short and run without an error. Some of their mistakes are relatives of those in notebook 12, others are new. Its table of seven looks is a good place to start.

# %% [markdown] only="class"
# **How you are marked.** Each check is worth the points that it names. Hidden checks call the same functions with other data, so an answer that is written for the example alone gets the points of the example alone. A person reads the last task. You can add cells of your own wherever you like; leave the cells with checks where they are.

# %%
import checks as check
import numpy as np

from helpers import load_digit_pair, paired_interval

# %% only="class"
from helpers.exercises.feedback import stop_at_mistakes

stop_at_mistakes()

# %% [markdown]
# ## 1. Predict what it reports
#
# A network has one sigmoid output: is this digit a seven, yes (1) or no (0)? This is how a colleague computes the share of right answers.


# %%
def share_of_right_answers(model, images, labels):
    answers = (model.predict(images, verbose=0) > 0.5).astype(int)
    return np.mean(answers == labels)


# %% [markdown]
# `labels` is an array of zeros and ones with the shape (n,), and `predict()` gives an array of the shape (n, 1). NumPy compares the two without complaint. Suppose that the network is **right about every single image**. Write `report_of_a_perfect_network(labels)`: it returns the number that the colleague's function would return for these labels.
#
# Work it out on paper for the labels 0, 0, 0, 1 before you write any code.


# %% answer="report_of_a_perfect_network"
def report_of_a_perfect_network(labels):
    ### BEGIN SOLUTION
    yes = np.mean(labels)
    return yes**2 + (1 - yes) ** 2
    ### END SOLUTION


# %% visible="report_of_a_perfect_network" points=2
check.check_report_of_a_perfect_network(report_of_a_perfect_network)

# %% [markdown] hint="report_of_a_perfect_network"
# What shape does `answers == labels` have? Draw it for four images, with the four answers on the left and the four labels on top. How many of its entries are true?

# %% hidden="report_of_a_perfect_network" points=1
hidden.check_report_of_a_perfect_network(report_of_a_perfect_network)

# %% [markdown]
# ## 2. Point at the lines
#
# In notebook 12 a base was unfrozen, and training took no notice: `fit()` makes its list of what is trainable in its first call after `compile()`, and keeps it. You can see such a mistake without running the program. Here is one, as a list of lines.

# %%
example = """
base.trainable = False
model.compile("adam", "sparse_categorical_crossentropy")
model.fit(images, labels, epochs=3)
base.trainable = True
model.fit(images, labels, epochs=3)
model.compile("adam", "sparse_categorical_crossentropy")
model.fit(images, labels, epochs=3)
""".strip().splitlines()

for number, line in enumerate(example, 1):
    print(number, line)

# %% [markdown]
# Write `stale_fits(program)`. `program` is such a list of lines: one statement in each, one model in all of them. Return the numbers of all lines that call `.fit(` with an old list, because some `.trainable` was given a value since the last `.compile(`. In the example that is line 5 alone. Lines are counted from 1.
#
# It does not matter which value was given, or to which layer. A line that begins with `#` is a comment and does nothing. And no program here sets `.trainable` between a `compile()` and the first `fit()` after it, so you need not ask what happens then.


# %% answer="stale_fits"
def stale_fits(program):
    ### BEGIN SOLUTION
    found, changed = [], False
    for number, line in enumerate(program, 1):
        statement = line.partition("#")[0].replace(" ", "")
        if ".trainable=" in statement and ".trainable==" not in statement:
            changed = True
        if ".compile(" in statement:
            changed = False
        if ".fit(" in statement and changed:
            found.append(number)
    return found
    ### END SOLUTION


# %% visible="stale_fits" points=2
check.check_stale_fits(stale_fits)

# %% [markdown] hint="stale_fits"
# Go through the lines once, and remember one thing: has anything changed since the last `compile()`? Three kinds of lines matter. What does each do to your memory, or to your list? And a line can mention `.trainable` without changing it.

# %% hidden="stale_fits" points=2
hidden.check_stale_fits(stale_fits)

# %% [markdown]
# ## 3. Read a folder of digits
#
# `images` are scans of handwritten digits, (n, 8, 8), with values from 0 to 1. They come the way a folder gives them, **sorted by class**: first all zeros, then all ones, up to the nines. The network learns from them and then reads `new_images`, whatever the post brings: a mixed pile, or many of the same digit.

# %%
import logging

import keras

logging.getLogger("tensorflow").setLevel("ERROR")  # it would warn that every call builds a new network


# %%
def read_digits_with_mistakes(images, labels, new_images, seed):
    keras.utils.set_random_seed(seed)
    images = (images - images.mean(axis=0)) / (images.std(axis=0) + 0.1)
    new_images = (new_images - new_images.mean(axis=0)) / (new_images.std(axis=0) + 0.1)
    model = keras.Sequential([keras.Input((8, 8)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(32, activation="relu"))
    model.add(keras.layers.Dense(10, activation="softmax"))
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(images, labels, validation_split=0.2, epochs=10, verbose=0)
    return model.predict(new_images, verbose=0).argmax(axis=1)


# %% [markdown]
# Two lines are wrong, and one mistake can hide behind the other. Write `read_digits(images, labels, new_images, seed)`, the same program with both repaired. It returns one digit for each new image. The check keeps the labels of the new images to itself.


# %% answer="read_digits"
def read_digits(images, labels, new_images, seed):
    ### BEGIN SOLUTION
    keras.utils.set_random_seed(seed)
    mean, spread = images.mean(axis=0), images.std(axis=0) + 0.1
    order = np.random.default_rng(seed).permutation(len(labels))
    model = keras.Sequential([keras.Input((8, 8)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(32, activation="relu"))
    model.add(keras.layers.Dense(10, activation="softmax"))
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit((images[order] - mean) / spread, labels[order], validation_split=0.2, epochs=10, verbose=0)
    return model.predict((new_images - mean) / spread, verbose=0).argmax(axis=1)
    ### END SOLUTION


# %% [markdown]
# Here are real digits, for trials of your own. They are not sorted; `np.argsort(digits.uci_labels, kind="stable")` gives the order in which a folder would hold them.

# %%
digits = load_digit_pair()
print("images", digits.uci_images.shape, "labels", digits.uci_labels[:12])

# %% visible="read_digits" points=3
check.check_read_digits(read_digits)

# %% [markdown] hint="read_digits"
# Which images does `validation_split=0.2` hold back: random ones, or the last ones that it is given? And suppose that all new images show the same digit: what is left of it when you subtract their own mean?

# %% hidden="read_digits" points=2
hidden.check_read_digits(read_digits)

# %% [markdown]
# ## 4. An honest report
#
# This program has only a few hundred digits. So it makes three noisy copies of each, trains on three quarters of all, and reports the accuracy on the rest.


# %%
def report_with_mistake(images, labels, seed):
    random = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    noisy = [images + random.normal(0, 0.05, images.shape) for _ in range(3)]
    images, labels = np.concatenate([images, *noisy]), np.tile(labels, 4)
    order = random.permutation(len(labels))
    learn, judge = order[len(order) // 4 :], order[: len(order) // 4]
    model = keras.Sequential([keras.Input((8, 8)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(128, activation="relu"))
    model.add(keras.layers.Dense(10, activation="softmax"))
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(images[learn], labels[learn], batch_size=64, epochs=20, verbose=0)
    return model.evaluate(images[judge], labels[judge], verbose=0)[1]


# %% [markdown]
# Compared pixel by pixel, no image is in both parts, since every copy has noise of its own. Even so, the number is too good. Write `report(images, labels, seed)`, the same program repaired: it still learns from noisy copies, and it returns the accuracy as a number.
#
# How can a check know whether a report is honest? It calls your function twice: once with the true labels, and once with **random labels**, a digit drawn for each image. Nobody can predict a random label without having seen it, so an honest report is near 0.10 there.


# %% answer="report"
def report(images, labels, seed):
    ### BEGIN SOLUTION
    random = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    order = random.permutation(len(labels))
    learn, judge = order[len(order) // 4 :], order[: len(order) // 4]
    noisy = [images[learn] + random.normal(0, 0.05, images[learn].shape) for _ in range(3)]
    model = keras.Sequential([keras.Input((8, 8)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(128, activation="relu"))
    model.add(keras.layers.Dense(10, activation="softmax"))
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    copies, copied_labels = np.concatenate([images[learn], *noisy]), np.tile(labels[learn], 4)
    model.fit(copies, copied_labels, batch_size=64, epochs=20, verbose=0)
    return model.evaluate(images[judge], labels[judge], verbose=0)[1]
    ### END SOLUTION


# %% visible="report" points=3
check.check_report(report)

# %% [markdown] hint="report"
# Follow one scan and its three copies through the program. Which of them are learned from, and which are judged? Then think about the order of the steps: what should come first, copying or dividing?

# %% hidden="report" points=3
hidden.check_report(report)

# %% [markdown]
# ## 5. Labels that were dealt anew
#
# `diagnose` takes the labels as they are, so here is a mistake that it cannot see: images and labels were shuffled separately. It is as if the labels had been collected and dealt out anew, and whether one belongs to its image is now a matter of luck.
#
# Write `dealt_anew(images, labels)`, in plain NumPy. Return `False` if images that look alike have the same label more often than by chance, and `True` if they do not: then the labels seem to have been dealt anew. `images` is an array (n, ...), with any number of axes after the first and any type of numbers. `labels` are n integers, and n is at most 400.
#
# The checks try several kinds of data, sound and broken. Flag everything that is broken, and raise no alarm about what is sound. Some data have two classes only, in some nearly all images belong to one class, and some images are noisy.


# %% answer="dealt_anew"
def dealt_anew(images, labels):
    ### BEGIN SOLUTION
    rows = images.reshape(len(images), -1).astype("float64")
    squares = (rows**2).sum(axis=1)
    distances = squares[:, np.newaxis] + squares - 2 * rows @ rows.T
    np.fill_diagonal(distances, np.inf)
    nearest = distances.argmin(axis=1)
    random = np.random.default_rng(0)
    by_chance = [np.mean(mixed == mixed[nearest]) for mixed in (random.permutation(labels) for _ in range(200))]
    return bool(np.mean(labels == labels[nearest]) < np.mean(by_chance) + 5 * np.std(by_chance))
    ### END SOLUTION


# %% visible="dealt_anew" points=3
check.check_dealt_anew(dealt_anew)

# %% [markdown] hint="dealt_anew"
# For each image, find the nearest of the others. How often do the two have the same label? Now you need something to compare that with: how often would they, if the labels were dealt at random? You can deal them yourself, many times. (And mind the type: the difference of two `uint8` numbers is never negative.)

# %% hidden="dealt_anew" points=4
hidden.check_dealt_anew(dealt_anew)

# %% [markdown]
# ## 6. What to repair first
#
# Several programs were recorded with and without their mistake. `broken` and `sound` are dicts with the same keys, the names of the mistakes. Each value is an array with the true accuracies of several runs. Run $k$ with the mistake and run $k$ without it have the same seed, and so the same images.
#
# The **cost** of a mistake is the accuracy that its repair gains. Write `worth_repairing(broken, sound)`: it returns a list with the names of the mistakes whose cost, by the 95 % interval of the paired differences, lies above zero. The one with the largest mean cost comes first. (`paired_interval` is imported.)


# %% answer="worth_repairing"
def worth_repairing(broken, sound):
    ### BEGIN SOLUTION
    costs = {name: paired_interval(np.subtract(sound[name], broken[name])) for name in broken}
    told_apart = [name for name, (_, low, _) in costs.items() if low > 0]
    return sorted(told_apart, key=lambda name: costs[name][0], reverse=True)
    ### END SOLUTION


# %% visible="worth_repairing" points=2
check.check_worth_repairing(worth_repairing)

# %% [markdown] hint="worth_repairing"
# `paired_interval` takes the differences and gives three numbers: their mean, and the lower and upper end of the interval. Which two arrays do you subtract, in which order? Which of the three numbers decides whether a name is in the list, and which decides where?

# %% hidden="worth_repairing" points=2
hidden.check_worth_repairing(worth_repairing)

# %% [markdown]
# ## 7. In your own words
#
# Write a bug report on the program of task 4, in five to ten sentences, to the colleague who wrote it and is proud of its number.
#
# - (a) **What it costs.** What does the program report, and what does the repaired one report? Measure it yourself: say how many runs you made, and give the difference with its interval.
# - (b) **What is wrong.** Name the lines and the repair. Why did nothing give an alarm, not even `diagnose`?
# - (c) **How to notice it next time.** The check of task 4 used random labels. Describe *another* look that costs little, and say what it shows in this program and in the repaired one.
#
# Each part is worth two points: one for a claim that is right, one for a number of your own or a reason that follows from the program.

# %% [markdown] essay="bug_report" points=6
# ### BEGIN SOLUTION
# (a) Your program reports 1.00. I ran it ten times, each time with 400 other digits, and the repaired one with the same digits and seeds: that one reports 0.96. Run by run the difference is 0.045, with a 95 % interval from 0.030 to 0.060, so it is told apart from zero. The network is not to blame; the number is too good.
#
# (b) The lines that make noisy copies and join them come before the one that draws `order`. So nearly every scan that is judged (98 % of them in one run) has a copy of itself, with other noise, among those that were learned. Divide first, and copy only what is learned. Nothing stopped, because a program cannot know which images come from the same scan, and nobody questions a good number. `diagnose` compares pixel by pixel, finds no two equal images, and says that no image is in two parts.
#
# (c) Carry the number of each scan along with its copies, and look whether a number is in both parts: `np.tile(np.arange(400), 4)`, divided by the same `order`. In your program that holds for 98 % of the judged images, and in the repaired one for none. Or set a hundred digits aside before anything is copied, and judge the network once more on these: where the report says 1.00 and they say 0.96, the report is wrong.
# ### END SOLUTION
