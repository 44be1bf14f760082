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
# Seven tasks, from small to open. In the first six you write a function: you foretell a number, find lines, repair two programs, write a diagnosis and put mistakes in order. The cell below each function checks it on a small example; give it back its name and its arguments. The last task asks for a bug report in words.
#
# All programs here are short, run without an error, and read real handwritten digits. Their mistakes are others than those of the notebook. The seven looks that you know from there will find them.

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
# ## 1. Foretell what it reports
#
# A network has one sigmoid output: is this digit a seven, yes (1) or no (0)? A colleague counts how many answers are right.


# %%
def share_of_right_answers(model, images, labels):
    answers = (model.predict(images, verbose=0) > 0.5).astype(int)
    return np.mean(answers == labels)


# %% [markdown]
# `labels` has the shape (n,), and `predict` gives (n, 1). Nothing stops: NumPy compares all the same. Suppose that the network is **right for every single image**. Write `report_of_a_perfect_network(labels)`: which number does the colleague's function return for these labels, zeros and ones?
#
# Work it out on paper for the labels 0, 0, 0, 1 before you write anything.


# %% answer="report_of_a_perfect_network"
def report_of_a_perfect_network(labels):
    ### BEGIN SOLUTION
    yes = np.mean(labels)
    return yes**2 + (1 - yes) ** 2
    ### END SOLUTION


# %% visible="report_of_a_perfect_network" points=2
check.check_report_of_a_perfect_network(report_of_a_perfect_network)

# %% [markdown] hint="report_of_a_perfect_network"
# Which shape has `answers == labels`? Draw it for four images, with the four answers at the left and the four labels on top. How many of its entries are true?

# %% hidden="report_of_a_perfect_network" points=1
hidden.check_report_of_a_perfect_network(report_of_a_perfect_network)

# %% [markdown]
# ## 2. Point at the lines
#
# In notebook 12 a base was unfrozen, and training never learned of it. Such a mistake can be seen without running the program. Here is one, as a list of lines.

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
# Write `stale_fits(program)`. `program` is such a list of lines, one statement each, with one model. Return a list of numbers, counted from 1: those of all lines that call `.fit(` with something else being trainable than what is written there, because `.trainable` was given a value after the last `.compile(`. It does not matter which value. A line that begins with `#` is a comment, and comments do nothing.


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
# Go through the lines once, and remember one thing: has something changed that `compile()` does not know yet? Three kinds of lines matter. What does each do to your memory, or to your list? And a line can mention `.trainable` without changing it.

# %% hidden="stale_fits" points=2
hidden.check_stale_fits(stale_fits)

# %% [markdown]
# ## 3. Read a folder of digits
#
# The digits are scans, (n, 8, 8), with values from 0 to 1. They come as a folder gives them, **sorted by class**: first all zeros, then all ones, up to the nines. The network learns from them and then reads new digits, many of one kind or a few mixed ones, as the post brings them.

# %%
import logging

import keras

logging.getLogger("tensorflow").setLevel("ERROR")  # it warns that functions are traced again and again: they are new


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
# Two lines are wrong, and one mistake can hide behind the other. Write `read_digits(images, labels, new_images, seed)`, the same program repaired. It returns one digit for each new image. The check keeps the labels of the new ones to itself.


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


# %%
digits = load_digit_pair()
print("images", digits.uci_images.shape, "labels", digits.uci_labels[:12])

# %% visible="read_digits" points=3
check.check_read_digits(read_digits)

# %% [markdown] hint="read_digits"
# Which images does `validation_split=0.2` hold back: any, or the last ones of what it is given? And suppose that all new images show the same digit: what is left of it when their own mean is taken away?

# %% hidden="read_digits" points=2
hidden.check_read_digits(read_digits)

# %% [markdown]
# ## 4. An honest report
#
# This program has only a few hundred digits. So it makes three noisy copies of each, trains on three quarters, and reports the accuracy on the rest.


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
# No image is in both parts: the noise makes every copy different, to the pixel. Write `report(images, labels, seed)`, repaired. It still learns from noisy copies, and it returns the accuracy as a number.
#
# How can a check know whether a report is honest? It calls your function twice. Once with the true labels. And once with labels that were drawn by lot, where nobody can know a label that they were not told: an honest report is near 0.10 there.


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
# Follow one scan and its three copies through the program. On which sides do they end up? Then think of the order of the steps: which should come first, copying or dividing?

# %% hidden="report" points=3
hidden.check_report(report)

# %% [markdown]
# ## 5. A look that finds labels dealt anew
#
# `diagnose` takes labels as they are. But there is a mistake that happens every day: images and labels are shuffled, each in an order of its own, and no label belongs to its image any more.
#
# Write `dealt_anew(images, labels)`, in plain NumPy. Return `True` if the labels seem to have been dealt out anew, and `False` if images that look alike have the same label more often than by chance. `images` is (n, ...) with any shape behind the n and any type of numbers, `labels` are n integers, and n is at most 400.
#
# The checks hold sound data and broken data, of several kinds. You have to flag all that is broken and raise no alarm on what is sound. Some data have few classes, or one class that nearly all images belong to.


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
# Find the nearest other image of each image. How often do the two have the same label? Now you need something to compare with: how often would they, if the labels were dealt at random? You can deal them yourself, many times. (And mind the type: the difference of two `uint8` numbers is never negative.)

# %% hidden="dealt_anew" points=4
hidden.check_dealt_anew(dealt_anew)

# %% [markdown]
# ## 6. What to repair first
#
# Several programs were recorded with and without their mistake. `broken` and `sound` are dicts from the name of a mistake to the true accuracies of its runs, an array. Run $k$ of both has the same seed, so the same images.
#
# Write `worth_repairing(broken, sound)`. Return a list of the names of those mistakes whose cost is told apart from zero: the 95 % interval of the paired differences lies above zero, where a cost is what the repair would gain. The costliest on average comes first.


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
# `paired_interval` gives the mean of some differences and both ends of their interval. Which two arrays do you subtract, in which order? Which of the three numbers decides whether a name is in the list, and which decides where?

# %% hidden="worth_repairing" points=2
hidden.check_worth_repairing(worth_repairing)

# %% [markdown]
# ## 7. In your own words
#
# Write a bug report on the program of task 4, in five to ten sentences, to the colleague who wrote it. The colleague is proud of the number.
#
# (a) The symptom and what it costs: what does the program report, what is the network worth, from how many runs, and with which interval? Measure it yourself. (b) The line, the repair, and why nothing gave an alarm, also not `diagnose`. (c) How could one have noticed? Name a look that costs little, and say what it would have shown.
#
# Each of the three parts is worth two points: one for a claim that is right, one for numbers of your own or a reason that follows from the program.

# %% [markdown] essay="bug_report" points=6
# ### BEGIN SOLUTION
# (a) Your program reports 1.00. I ran it ten times, each time with 400 other digits, and the repaired one with the same digits and seeds: that reports 0.96. Run by run the difference is 0.045, with a 95 % interval from 0.030 to 0.060, so it is told apart from zero. The network itself is not to blame: it is the number that is too good.
#
# (b) The lines that make noisy copies and join them stand before the one that draws `order`. So nearly every scan that is judged (98 % of them in one run) has a copy of itself, with other noise, among those that were learned. Divide first, and copy only what is learned. Nothing stopped, because a program cannot know which images come from the same scan, and a good number raises no question. `diagnose` compares pixel by pixel, finds no two equal images, and says that no image is in two parts.
#
# (c) Give it labels that are drawn by lot. Nobody can know them, so 0.10 is all that is honest. Your program reports 0.69 there, on average over ten runs, and the repaired one 0.11. Or keep the number of each scan beside its copies, and give these numbers to the diagnosis instead of images: it would find them in both parts.
# ### END SOLUTION
