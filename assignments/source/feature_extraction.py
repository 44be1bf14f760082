# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Feature extraction: assignment
#
# *What can you build on a network that stays as it is?*
#
# **85 minutes**  |  ← **before:** notebook 04  |  no GPU needed
#
# Seven tasks, from small to open. In the first six you write a function. Keep its name and its arguments: the cell below calls it on a small example. The last task asks for a few sentences.
#
# Look up whatever you like in notebook 04. All that you need is there, but no task can be answered by copying a cell.

# %% [markdown] only="class"
# **How you are marked.** Each check is worth the points that it names. Hidden checks call the same functions with other numbers, so an answer that is written for the example alone gets the points of the example alone. A person reads the last task. You can add cells of your own wherever you like; leave the cells with checks where they are.

# %%
import checks as check
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers import extract_features, load_vgg16, preprocess_vgg16

base_model = load_vgg16("imagenet", input_shape=(64, 64, 3))
base_model.trainable = False

# %% only="class"
from helpers.exercises.feedback import stop_at_mistakes

stop_at_mistakes()

# %% [markdown]
# ## 1. How large is the head?
#
# A picture of `size` x `size` pixels goes through VGG16 up to the end of block `block`, that is, up to and including its pooling layer. The maps are averaged, if `averaged` is `True`, or flattened, if it is `False`. One dense layer follows, with one output for each class.
#
# Write `head_parameters(size, block, averaged, classes)`: how many weights and biases does this dense layer have? The size may be any whole number from 32 up. (The table in notebook 04 shows how many maps each block has.)


# %% answer="head_parameters"
def head_parameters(size, block, averaged, classes):
    ### BEGIN SOLUTION
    channels = {1: 64, 2: 128, 3: 256, 4: 512, 5: 512}[block]
    for _ in range(block):
        size = size // 2
    features = channels if averaged else size * size * channels
    return (features + 1) * classes
    ### END SOLUTION


# %% visible="head_parameters" points=2
check.check_head_parameters(head_parameters)

# %% [markdown] hint="head_parameters"
# How wide are the maps after one pooling, after two, after `block` of them? What becomes of a side of 25 pixels? Then count the features, and give every class a weight for each of them, and one number more.

# %% hidden="head_parameters" points=1
hidden.check_head_parameters(head_parameters)

# %% [markdown]
# ## 2. Several blocks side by side
#
# Write `describe(train_maps, new_maps)`. Both are lists with the maps of the same blocks, each an array (pictures, height, width, channels); the blocks may differ in size. Return two arrays, the features of the training pictures and those of the new ones, with a row for each picture:
#
# - every map is averaged over its height and width, and the blocks stand side by side in their order;
# - a feature that is the same for all training pictures tells us nothing, and is left out of both arrays;
# - each of the others is standardised, with `np.mean` and `np.std`, so that nothing is learned from the new pictures.


# %% answer="describe"
def describe(train_maps, new_maps):
    ### BEGIN SOLUTION
    train, new = (np.concatenate([block.mean(axis=(1, 2)) for block in maps], axis=1) for maps in (train_maps, new_maps))
    center, spread = train.mean(axis=0), train.std(axis=0)
    alive = spread > 0
    return tuple((part[:, alive] - center[alive]) / spread[alive] for part in (train, new))
    ### END SOLUTION


# %% visible="describe" points=3
check.check_describe(describe)

# %% [markdown] hint="describe"
# `maps.mean(axis=(1, 2))` and `np.concatenate(..., axis=1)` make one array of each list. Then work out a mean, a deviation, and which deviations are zero. Which pictures may you look at for these three?

# %% hidden="describe" points=3
hidden.check_describe(describe)

# %% [markdown]
# ## 3. One layer instead of two steps
#
# A logistic regression behind a `StandardScaler` is to be saved inside a Keras network, as one `Dense` layer that takes the raw features. The scaler holds `mean` and `deviation`, one number for each feature. The regression holds `coefficients` (classes, features) and `intercept` (classes,): for each class it multiplies the standardised features by their coefficients, adds the products up, and adds the intercept.
#
# Write `dense_weights(mean, deviation, coefficients, intercept)`. Return the kernel (features, classes) and the bias (classes,) of the layer, so that `features @ kernel + bias` is what scaler and regression give together, before the softmax.


# %% answer="dense_weights"
def dense_weights(mean, deviation, coefficients, intercept):
    ### BEGIN SOLUTION
    kernel = coefficients.T / deviation[:, np.newaxis]
    return kernel, intercept - mean @ kernel
    ### END SOLUTION


# %% visible="dense_weights" points=2
check.check_dense_weights(dense_weights)

# %% [markdown] hint="dense_weights"
# Write the score of one class down: $\sum_j w_j (h_j - \mu_j) / \sigma_j + b$. What stands in front of $h_j$? What is left when all $h_j$ are zero?

# %% hidden="dense_weights" points=2
hidden.check_dense_weights(dense_weights)

# %% [markdown]
# ## 4. Who prepared the pictures, and how?
#
# Some colleagues showed the same pictures to VGG16, and kept the means of the first eight channels of `block1_pool`. They don't agree, because they prepared the pictures in different ways. You have the pictures as they are: red, green, blue, from 0 to 255. You suspect four ways, and there may be others:
#
# - `"right"`: as VGG16 wants it;
# - `"turned"`: the channels were already in the order blue, green, red when the pictures came to `preprocess_vgg16`, which took them for red, green, blue;
# - `"scaled"`: the pixels were divided by 255 before they came to `preprocess_vgg16`;
# - `"raw"`: nothing was done;
# - `"other"`: none of these four.
#
# Write `find_preparations(images, features)`. `images` is (n, 64, 64, 3), and `features` a dictionary with an array (n, 8) for the name of each colleague. Return a dictionary with one of the five words for each name. (The colleagues rounded to whole numbers, so count two numbers as equal when they differ by no more than 1.)


# %% answer="find_preparations"
def find_preparations(images, features):
    ### BEGIN SOLUTION
    shown = {
        "right": preprocess_vgg16(images),
        "turned": preprocess_vgg16(images[..., ::-1]),
        "scaled": preprocess_vgg16(images / 255),
        "raw": np.float32(images),
    }
    settings = {"base_model": base_model, "layers": "block1_pool", "preprocess": None}
    ours = {way: extract_features(ready, **settings)[:, :8] for way, ready in shown.items()}
    found = dict.fromkeys(features, "other")
    for name, theirs in features.items():
        for way, values in ours.items():
            if np.allclose(values, theirs, rtol=0, atol=1):
                found[name] = way
    return found
    ### END SOLUTION


# %% visible="find_preparations" points=3
check.check_find_preparations(find_preparations)

# %% [markdown] hint="find_preparations"
# Prepare the pictures in each of the four ways, and give them to `extract_features` with `preprocess=None` and `layers="block1_pool"`. Of the 64 columns take the first eight. `np.allclose(one, other, rtol=0, atol=1)` says whether two arrays differ by no more than 1.

# %% hidden="find_preparations" points=3
hidden.check_find_preparations(find_preparations)

# %% [markdown]
# ## 5. Which block, and which C?
#
# Each photograph was cut into six patches, so patches of one photograph look alike. That is why whole photographs were put into a **fold**: `folds` says for each patch to which fold it belongs. Each fold is left out once: a classifier learns from all other folds, and names the patches of the fold that was left out. What counts is the mean share of right answers over the folds.
#
# Write `choose(features, labels, folds)`. `features` is a dictionary with an array (n, d) for each block. The classifier is a `StandardScaler` and a `LogisticRegression(C=C, max_iter=2000)`, with C one of 0.01, 1 and 100. Return the best pair, the name of a block and a C.


# %% answer="choose"
def choose(features, labels, folds):
    ### BEGIN SOLUTION
    results = {}
    for block, values in features.items():
        for c in (0.01, 1, 100):
            shares = []
            for fold in np.unique(folds):
                out = folds == fold
                model = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=2000))
                shares.append(model.fit(values[~out], labels[~out]).score(values[out], labels[out]))
            results[block, c] = np.mean(shares)
    return max(results, key=results.get)
    ### END SOLUTION


# %% visible="choose" points=3
check.check_choose(choose)

# %% [markdown] hint="choose"
# Three loops, one in the other: blocks, values of C, folds. `folds == fold` is `True` for the patches that are left out, `~(folds == fold)` for those to learn from. A pipeline has `fit` and `score`.

# %% hidden="choose" points=3
hidden.check_choose(choose)

# %% [markdown]
# ## 6. In coloured light
#
# Patches of the fourteen materials, in grey, each in a light of its own: brightness and contrast of red, green and blue are drawn at random for each patch. So the six colour numbers of notebook 04 tell next to nothing here.
#
# Write `name_patches(train_images, train_labels, new_images)`. The images are (n, 64, 64, 3), red, green, blue from 0 to 255, with eight training patches of each class. Return the class of each new patch, a number from 0 to 13; which number stands for which material is drawn anew in every check. The check keeps the classes of the new patches to itself. It wants 0.70 of them right; guessing gets 0.07.
#
# `check.practice(seed)` returns patches like those of the check to try things out: training patches, their labels, new patches, their labels. `name_patches` should take no more than ten seconds.


# %% answer="name_patches"
def name_patches(train_images, train_labels, new_images):
    ### BEGIN SOLUTION
    settings = {"base_model": base_model, "layers": "block4_pool"}
    train, new = (extract_features(images, **settings) for images in (train_images, new_images))
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    return model.fit(train, train_labels).predict(new)
    ### END SOLUTION


# %% visible="name_patches" points=3
check.check_name_patches(name_patches)

# %% [markdown] hint="name_patches"
# `extract_features` and a linear classifier are enough. From which block? `extract_features` takes a list of layers, too, and the patches of `check.practice` have labels on which you can choose.

# %% hidden="name_patches" points=3
hidden.check_name_patches(name_patches)

# %% [markdown]
# ## 7. In your own words
#
# A colleague photographed four kinds of birds, in ten series of twenty pictures for each kind. "I put half of all pictures, chosen at random, into the test set. Then I tried five blocks, four values of C, averaging and flattening: forty classifiers. The best one gets 0.93 on the test set. By the way, I had forgotten to turn the channels around, but when I repaired it the result was 0.92. So preparation does not matter."
#
# Answer in five to ten sentences. (a) What is a test set for, and why is 0.93 not what the colleague may expect from new pictures, if you think of the forty classifiers? (b) What is wrong with the way the pictures were split, and how would you split them? (c) Why can a wrong preparation leave the result nearly unchanged, and how would you notice it all the same?
#
# Each part asks two things, and a reasoned answer to each of them is worth one point.

# %% [markdown] essay="in_your_own_words" points=6
# ### BEGIN SOLUTION
# (a) A test set says how good a finished program is on pictures that had no part in making it. Here it chose the program: among forty results the largest is partly luck, so 0.93 is too high on average. Block, C and the way of pooling are chosen on validation pictures or folds, and the test set is opened once, for the one that was chosen.
#
# (b) Pictures of one series look alike: the same bird, branch and light. With a random split nearly every series is in both halves, so a classifier can recognise the series without knowing the kind of bird. Whole series belong into training, validation or test, and then the result says something about a new series.
#
# (c) The features of a wrongly prepared picture are other numbers, but training and test pictures are wrong in the same way, a scaler evens out their size, and the classifier is fitted to whatever they are. What it loses may be smaller than the luck of one split. You notice it by looking at what the network gets, for example one pixel whose colour is known, or by comparing the features of one picture with those of a program that is known to be right.
# ### END SOLUTION
