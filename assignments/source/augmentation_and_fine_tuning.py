# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Augmentation and fine-tuning: assignment
#
# *Which pictures may a network see, and which of its weights may move?*
#
# **90 minutes**  |  ← **before:** notebooks 05 and 06  |  no GPU needed
#
# Seven tasks, from small to open. In the first six you write a function. Keep its name and its arguments: the cell below calls it on a small example. The last task asks for a few sentences.
#
# Look up whatever you like in the notebooks. Tasks 4 and 5 train with Keras; the other ones need nothing but NumPy and, if you like, scikit-learn.

# %% [markdown] only="class"
# **How you are marked.** Each check is worth the points that it names. Hidden checks call the same functions with other numbers, so an answer that is written for the example alone gets the points of the example alone. A person reads the last task. You can add cells of your own wherever you like; leave the cells with checks where they are.

# %%
import checks as check
import keras
import numpy as np

from helpers import extract_features, load_vgg16, split_model

# %% only="class"
from helpers.exercises.feedback import stop_at_mistakes

stop_at_mistakes()

# %% [markdown]
# Task 5 needs two functions that are given. `block4_maps(images)` shows images of 32 x 32 pixels to a frozen VGG16 and returns the maps of block 4, shape (n, 2, 2, 512). `new_block5()` returns a Keras model from such maps to those of block 5, shape (n, 1, 1, 512). Each call builds a new one, with the weights from ImageNet.

# %%
frozen = []  # VGG16 is loaded when it is first needed


def block4_maps(images):
    if not frozen:
        frozen.append(load_vgg16(input_shape=(32, 32, 3)))
    return extract_features(images, base_model=frozen[0], layers="block4_pool", pooling=None)


def new_block5():
    return split_model(load_vgg16(input_shape=(32, 32, 3)), "block4_pool")[1]


# %% [markdown]
# ## 1. Signs in the mirror
#
# A sign that says "turn left" says "turn right" in a mirror. So a flip need not destroy a label; it can turn it into another one, and then the label has to follow.
#
# `images` are road signs, shape (n, height, width, 3), and `labels` their classes. `partner` is an array: `partner[k]` is the class that a sign of class `k` shows when left and right are swapped. It is `k` itself for a sign that looks the same, and -1 where the mirror image is no sign at all.
#
# Write `with_mirror_images(images, labels, partner)`. Return two arrays, images and labels: first all that were given, in their order, then the mirror image of each one that has a partner, in the same order.


# %% answer="with_mirror_images"
def with_mirror_images(images, labels, partner):
    ### BEGIN SOLUTION
    mirrored = partner[labels]
    kept = mirrored >= 0
    return np.concatenate([images, images[kept, :, ::-1]]), np.concatenate([labels, mirrored[kept]])
    ### END SOLUTION


# %% visible="with_mirror_images" points=2
check.check_with_mirror_images(with_mirror_images)

# %% [markdown] hint="with_mirror_images"
# `partner[labels]` looks up the partners of all labels at once. The axes of `images` are number, row, column and colour: along which of them does a mirror on the wall turn a picture around?

# %% hidden="with_mirror_images" points=1
hidden.check_with_mirror_images(with_mirror_images)

# %% [markdown]
# ## 2. One rate for each step
#
# Weights that are good already are easily ruined by the first few steps, when the optimizer knows nothing about its gradients yet. The usual remedy is a **warm-up**: the rate rises at first, and falls afterwards.
#
# Write `learning_rates(images, batch_size, epochs, warm_up, peak)`, where `images` is how many there are, and every epoch shows all of them. Return a list with one rate for each step of the training. The first `warm_up` steps rise in equal parts, from one part up to the peak. From there the rate falls in equal parts, and the last step is one part above zero.
#
# Seven steps with a warm-up of three and a peak of 0.03 have the rates 0.01, 0.02, 0.03, 0.024, 0.018, 0.012 and 0.006.


# %% answer="learning_rates"
def learning_rates(images, batch_size, epochs, warm_up, peak):
    ### BEGIN SOLUTION
    steps = epochs * int(np.ceil(images / batch_size))
    falling = steps - warm_up + 1
    return [peak * min(step / warm_up, (steps + 1 - step) / falling) for step in range(1, steps + 1)]
    ### END SOLUTION


# %% visible="learning_rates" points=2
check.check_learning_rates(learning_rates)

# %% [markdown] hint="learning_rates"
# How many steps does an epoch have when the last batch is smaller than the others? Then count the steps from 1. Step number `warm_up` has the peak. How many parts is it from there to zero, if zero would come right after the last step?

# %% hidden="learning_rates" points=2
hidden.check_learning_rates(learning_rates)

# %% [markdown]
# ## 3. Views, and a fair test
#
# Somebody has computed features of photographs and of views of them, and has put all of them into one table. Row `i` of it comes from the photograph with the number `photographs[i]`. It shows the photograph as it is where `views[i]` is 0, and a changed view of it where `views[i]` is 1, 2, 3 or more. The rows are in no particular order.
#
# Write `split_rows(photographs, views, share, seed)`. It draws the photographs for the test at random, `round(share * n)` of the `n` that there are, and returns two arrays of row numbers: the rows to train with and the rows to test with. Nothing that comes from a photograph of the test may be trained on, everything else is, and the test has each of its photographs once, as it is. The same seed gives the same split.


# %% answer="split_rows"
def split_rows(photographs, views, share, seed):
    ### BEGIN SOLUTION
    different = np.unique(photographs)
    drawn = np.random.default_rng(seed).choice(different, size=round(share * len(different)), replace=False)
    tested = np.isin(photographs, drawn)
    return np.flatnonzero(~tested), np.flatnonzero(tested & (views == 0))
    ### END SOLUTION


# %% visible="split_rows" points=3
check.check_split_rows(split_rows)

# %% [markdown] hint="split_rows"
# What is drawn: rows, or photographs? `np.unique` lists the photographs that there are, and `np.isin(photographs, drawn)` says of each row whether its photograph was drawn.

# %% hidden="split_rows" points=2
hidden.check_split_rows(split_rows)

# %% [markdown]
# ## 4. Who may move
#
# `layers` is a network, a list of pairs (weights, bias), where the weights have a row for each input. In Keras these are `Dense` layers. They are called "block1", "block2" and so on, and the last one is called "head". The blocks use the ReLU, and the head the softmax.
#
# Write `two_phases(layers, images, labels, opened)`. Build this network in Keras and give it these weights. In phase 1 only the head learns: ten steps of `keras.optimizers.SGD(0.5)`, each with all images in one batch. In phase 2 the head goes on learning, together with the blocks whose names are in the list `opened`, and with no other one: ten more steps of the same kind at 0.05, a tenth of the rate. Return two lists of pairs: the weights after phase 1 and those after phase 2.
#
# The check works out for itself where every weight has to end up.


# %% answer="two_phases"
def two_phases(layers, images, labels, opened):
    ### BEGIN SOLUTION
    names = [f"block{number}" for number in range(1, len(layers))] + ["head"]
    model = keras.Sequential([keras.Input(images.shape[1:])])
    for name, (weights, bias) in zip(names, layers, strict=True):
        kind = "softmax" if name == "head" else "relu"
        model.add(keras.layers.Dense(len(bias), activation=kind, name=name))
        model.layers[-1].set_weights([weights, bias])
    found = []
    for learn, rate in ((["head"], 0.5), (["head", *opened], 0.05)):
        for layer in model.layers:
            layer.trainable = layer.name in learn
        model.compile(keras.optimizers.SGD(rate), "sparse_categorical_crossentropy", jit_compile=False)
        model.fit(images, labels, epochs=10, batch_size=len(images), verbose=0)
        found.append([tuple(layer.get_weights()) for layer in model.layers])
    return found
    ### END SOLUTION


# %% visible="two_phases" points=3
check.check_two_phases(two_phases)

# %% [markdown] hint="two_phases"
# A `Dense` layer takes its weights with `set_weights([weights, bias])` and gives them back with `get_weights()`. With `batch_size=len(images)` an epoch is one step. The order in each phase: which layers learn, then `compile()`, then `fit()`.

# %% hidden="two_phases" points=3
hidden.check_two_phases(two_phases)

# %% [markdown]
# ## 5. Block 5, and not for the worse
#
# Now with VGG16. `images` are patches of materials, 32 x 32 pixels, four of each class, and `labels` their classes from 0 up. `others` are patches without labels.
#
# Write `fine_tune_block5(images, labels, others)`. In phase 1 a head learns alone: the average over all places of block 5, then one softmax layer that starts at zero. It gets twenty steps of Adam at 0.001, each with all images. In phase 2 block 5 learns together with the head, three epochs in batches of 16, with Adam at a rate of your choice. Blocks 1 to 4 stay frozen, so compute their maps once.
#
# Return three things: the probabilities for `others`, shape (n, classes), after phase 1; those after phase 2; and the bias of "block5_conv1" after phase 2. The check knows the classes of `others`. After phase 1, 0.70 of your answers have to be right. Phase 2 has to move block 5, and may lower this share by no more than 0.15.


# %% answer="fine_tune_block5"
def fine_tune_block5(images, labels, others):
    ### BEGIN SOLUTION
    maps, other_maps = block4_maps(images), block4_maps(others)
    block5, settings = new_block5(), {"loss": "sparse_categorical_crossentropy", "jit_compile": False}
    answers = keras.layers.Dense(len(np.unique(labels)), activation="softmax", kernel_initializer="zeros")
    head = keras.Sequential([keras.layers.GlobalAveragePooling2D(), answers])
    head.compile(keras.optimizers.Adam(0.001), **settings)
    head.fit(block5(maps), labels, epochs=20, batch_size=len(labels), verbose=0)
    alone = head(block5(other_maps))
    model = keras.Sequential([block5, head])
    model.compile(keras.optimizers.Adam(0.00001), **settings)
    model.fit(maps, labels, epochs=3, batch_size=16, verbose=0)
    return alone, model(other_maps), block5.get_layer("block5_conv1").bias
    ### END SOLUTION


# %% visible="fine_tune_block5" points=3
check.check_fine_tune_block5(fine_tune_block5)

# %% [markdown] hint="fine_tune_block5"
# `new_block5()(maps)` gives what the head is trained on in phase 1, and `keras.Sequential([block5, head])` is the whole for phase 2. Compile each of the two before it is trained. Adam's usual rate is 0.001; weights that are good already want a much smaller one.

# %% hidden="fine_tune_block5" points=2
hidden.check_fine_tune_block5(fine_tune_block5)

# %% [markdown]
# ## 6. From behind the window
#
# A shop has painted its prices on the window, in a code: each of the ten digits stands for one of the ten, and only the shop knows which. You have 200 labelled pictures of painted digits, taken in front of the shop with a steady hand, so each digit stands in the middle. The label is what the digit stands for.
#
# The new pictures come from a shaky camera: each digit stands up to three pixels away from the middle, up or down and left or right. And half of them were taken from inside the shop, where all writing is mirrored. What a digit stands for is the same from inside.
#
# Write `read_window(images, labels, others)`. Pictures are (n, 20, 20), 0 is glass and 1 is paint. Return what the digit on each of `others` stands for, shape (n,). The code is another one in every check. Train any classifier you like, on the pictures that are given and on whatever you make of them.
#
# A nearest neighbour among the pictures as they are reads 0.20 of them, and 0.65 are wanted. Besides, no more than 0.03 of the painted sixes and nines may be taken for one another.


# %% answer="read_window"
def read_window(images, labels, others):
    ### BEGIN SOLUTION
    from sklearn.neighbors import KNeighborsClassifier

    both = np.concatenate([images, images[:, :, ::-1]])
    shifts = [(down, right) for down in range(-3, 4) for right in range(-3, 4)]
    views = np.concatenate([np.roll(both, shift, axis=(1, 2)) for shift in shifts])
    nearest = KNeighborsClassifier(1).fit(views.reshape(-1, 400), np.tile(labels, 2 * len(shifts)))
    return nearest.predict(others.reshape(-1, 400))
    ### END SOLUTION


# %% visible="read_window" points=3
check.check_read_window(read_window)

# %% [markdown] hint="read_window"
# Which changes turn a picture that you have into one that could come from the shaky camera? Make all of them, or draw some in every epoch. There are three pixels of glass around each digit, so `np.roll` pushes nothing over the edge. And the labels have to be as many as the pictures, in the same order.

# %% hidden="read_window" points=3
hidden.check_read_window(read_window)

# %% [markdown]
# ## 7. In your own words
#
# A colleague wants to tell ten kinds of butterflies apart. "I have 300 photographs, thirty of each kind. I made nine views of each: mirrored, turned, zoomed, and some with other colours. Then I mixed all 3,000 pictures and kept a fifth of them for the test. I put a new head on VGG16 and trained it and block 5 together, with Adam at 0.001. The test says 0.97. But on this summer's photographs it is right for 0.41 only."
#
# What happened? Answer in six to twelve sentences: (a) Why does the test say 0.97, and how do you get a number that can be believed? (b) What in the training could have cost accuracy, and what would you do instead? (c) Which of the views would you question, and how do you find out whether views help at all?
#
# Each part asks two things, and a reasoned answer to each of them is worth one point.

# %% [markdown] essay="in_your_own_words" points=6
# ### BEGIN SOLUTION
# (a) The views of one photograph were spread over both parts. For nearly every picture of the test, views of the same photograph were trained on, so the test asks how well the network remembers. Split the photographs first, or better the days and places where they were taken, make views of the training part alone, and test with photographs as they are.
#
# (b) A new head is wrong about nearly everything at first, and its large gradients go into block 5. Together with a rate of 0.001 they can ruin what VGG16 has learned from ImageNet. Train the head alone first, on features that are computed once. Then open block 5, compile again, and use a rate of 0.0001 or less. A validation set says which rate, when to stop, and whether block 5 is worth it: if not, keep the head.
#
# (c) Other colours: kinds of butterflies often differ in colour, so the label may not survive. A mirror image is fair, since butterflies are nearly symmetric. Whether views help is measured by two arms, with views and without, with the same labelled photographs, the same number of steps, and the best learning rate of each chosen on validation; several runs, the difference run by run, and its interval.
# ### END SOLUTION
