# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # MLP and backpropagation: assignment
#
# *Can you follow the blame through networks that the notebooks did not show?*
#
# **75 minutes**  |  ← **before:** notebooks 01 and 02  |  no GPU needed
#
# Seven tasks, from small to open. In the first six you write a function. The cell below it checks the function on a small example that you can compute on paper; give it back its name and its arguments. The last task asks for a few sentences.
#
# Look up whatever you like in the notebooks. All that you need is there, but no task can be answered by copying a cell.

# %% [markdown] only="class"
# **How you are marked.** Each check is worth the points that it names. Hidden checks call the same functions with other numbers, so an answer that is written for the example alone gets the points of the example alone. A person reads the last task. You can add cells of your own wherever you like; leave the cells with checks where they are.

# %%
import checks as check
import numpy as np
from sklearn.datasets import load_digits

from helpers.networks import build_mlp, softmax

# %% only="class"
from helpers.exercises.feedback import stop_at_mistakes

stop_at_mistakes()

# %% [markdown]
# ## 1. How many weights?
#
# Write `count_parameters(sizes)`: how many weights and biases has an MLP with these layers? `[2, 8, 1]` are two inputs, eight hidden neurons and one output. There may be any number of hidden layers, also none.


# %% answer="count_parameters"
def count_parameters(sizes):
    ### BEGIN SOLUTION
    return sum((inputs + 1) * outputs for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True))
    ### END SOLUTION


# %% visible="count_parameters" points=2
check.check_count_parameters(count_parameters)

# %% [markdown] hint="count_parameters"
# Go through the layers in pairs. Each neuron of a layer has one weight for every neuron of the layer before it. What else has it?

# %% hidden="count_parameters" points=1
hidden.check_count_parameters(count_parameters)

# %% [markdown]
# ## 2. A neuron that counts votes
#
# Three switches are 0 or 1. A neuron looks at them, and "yes" means that its weighted sum is positive. Choose weights and bias so that it says yes when **at least two** of the three are on. `majority()` returns them: a list of three weights, and the bias.


# %% answer="majority"
def majority():
    ### BEGIN SOLUTION
    return [1.0, 1.0, 1.0], -1.5
    ### END SOLUTION


# %% visible="majority" points=2
check.check_majority(majority)

# %% [markdown] hint="majority"
# All three switches count the same. One of them must not be enough to lift the sum above zero, and two have to be.

# %% [markdown]
# ## 3. Classes that count more
#
# In a hospital, a missed illness is worse than a false alarm. So each class $k$ gets a **class weight** $c_k$, and an example of class $k$ counts $c_k$ times in the loss. With $n$ examples, labels $y_i$ and the softmax's probabilities $p$,
#
# $$L = -\frac{1}{n} \sum_i c_{y_i} \log p_{i, y_i}.$$
#
# Write `weighted_gradient(logits, labels, class_weights)`: the derivative of this loss with respect to the logits. `logits` are (n, classes), `labels` are n integers, `class_weights` has one number for each class. (`softmax` is imported.)


# %% answer="weighted_gradient"
def weighted_gradient(logits, labels, class_weights):
    ### BEGIN SOLUTION
    targets = np.eye(logits.shape[1])[labels]
    return class_weights[labels][:, np.newaxis] * (softmax(logits) - targets) / len(labels)
    ### END SOLUTION


# %% visible="weighted_gradient" points=3
check.check_weighted_gradient(weighted_gradient)

# %% [markdown] hint="weighted_gradient"
# Without class weights you know the gradient of each example. Whose weight does example $i$ carry: one number for its whole row, or one for each column?

# %% hidden="weighted_gradient" points=3
hidden.check_weighted_gradient(weighted_gradient)

# %% [markdown]
# ## 4. A layer with a shortcut
#
# Deep networks often add the input of a layer to its output, so that there is a short way for the blame as well:
#
# $$z = xW + b, \qquad y = \tanh(z) + x.$$
#
# Each row of $x$ is an example, and $W$ is square, so that the two parts can be added. Write `shortcut_backward(x, weights, bias, d_y)`. `d_y` is the blame of $y$, an array as large as $y$. Return `d_x`, `d_weights`, `d_bias`.


# %% answer="shortcut_backward"
def shortcut_backward(x, weights, bias, d_y):
    ### BEGIN SOLUTION
    delta = d_y * (1 - np.tanh(x @ weights + bias) ** 2)
    return delta @ weights.T + d_y, x.T @ delta, delta.sum(axis=0)
    ### END SOLUTION


# %% visible="shortcut_backward" points=3
check.check_shortcut_backward(shortcut_backward)

# %% [markdown] hint="shortcut_backward"
# Draw it: $x$ feeds two values. First find the delta of $z$, the blame of $y$ times the slope of tanh. From there on you have the three products of notebook 02, and one more path to $x$.

# %% hidden="shortcut_backward" points=3
hidden.check_shortcut_backward(shortcut_backward)

# %% [markdown]
# ## 5. Find the wrong entries
#
# A colleague gives you gradients that were computed by hand, and says that "nearly all" of their entries are right. Here is the loss that they belong to.


# %%
def loss(weights, x, targets):
    return 0.5 * np.mean((np.tanh(x @ weights) - targets) ** 2)


# %% [markdown]
# Write `wrong_entries(gradient, weights, x, targets)`. Nudge the weights one after the other, and return a list of the places, pairs (row, column), at which `gradient` is more than 0.0001 away from what the nudges say. Leave the weights as you found them.


# %% answer="wrong_entries"
def wrong_entries(gradient, weights, x, targets):
    ### BEGIN SOLUTION
    found, step = [], 1e-5
    for place in np.ndindex(weights.shape):
        up, down = weights.copy(), weights.copy()
        up[place] += step
        down[place] -= step
        slope = (loss(up, x, targets) - loss(down, x, targets)) / (2 * step)
        if abs(slope - gradient[place]) > 1e-4:
            found.append(place)
    return found
    ### END SOLUTION


# %% visible="wrong_entries" points=2
check.check_wrong_entries(wrong_entries)

# %% [markdown] hint="wrong_entries"
# `np.ndindex(weights.shape)` goes through all places. Nudge a copy, once up and once down, and compare with the entry of `gradient` at the same place. Two numbers that are computed in different ways are never exactly equal.

# %% hidden="wrong_entries" points=3
hidden.check_wrong_entries(wrong_entries)

# %% [markdown]
# ## 6. The rare digit
#
# Here are handwritten digits, 40 of nine kinds, but only six of the tenth. A network that is trained on them the usual way is nearly blind for the rare digit, because so little of the loss comes from it.
#
# Write `fit(images, labels, seed)`: train a network with at least one hidden layer and ReLU between the layers, in NumPy, with a loop of your own. Return its layers, a list of pairs (weights, bias), as `build_mlp` does. Use `weighted_gradient`, or any other means.
#
# The check takes digits that the network has not seen. It wants 0.85 of them right, as the mean of the ten kinds, and 0.5 of the rare kind. `fit` may take ten seconds. (`build_mlp((64, 32, 10), activation="relu", seed=seed)` makes a start.)


# %% answer="fit"
def fit(images, labels, seed):
    ### BEGIN SOLUTION
    class_weights = len(labels) / (10 * np.bincount(labels, minlength=10))
    (w1, b1), (w2, b2) = build_mlp((64, 32, 10), activation="relu", seed=seed)
    for _ in range(60):
        hidden_values = np.maximum(images @ w1 + b1, 0)
        delta = weighted_gradient(hidden_values @ w2 + b2, labels, class_weights)
        hidden_delta = (delta @ w2.T) * (hidden_values > 0)
        w2, b2 = w2 - 0.5 * hidden_values.T @ delta, b2 - 0.5 * delta.sum(axis=0)
        w1, b1 = w1 - 0.5 * images.T @ hidden_delta, b1 - 0.5 * hidden_delta.sum(axis=0)
    return [(w1, b1), (w2, b2)]
    ### END SOLUTION


# %%
digits = load_digits()
print("images", digits.data.shape, "from", digits.data.min(), "to", digits.data.max())

# %% visible="fit" points=3
check.check_fit(fit)

# %% [markdown] hint="fit"
# Count the examples of each class with `np.bincount`. A class that is rare should weigh as much in sum as one that is not. Then it is the training loop of notebook 02, with another gradient at the top.

# %% hidden="fit" points=3
hidden.check_fit(fit)

# %% [markdown]
# ## 7. In your own words
#
# A friend has written a network with the shortcut of task 4, and forgot one of the two paths to $x$. It trains: the loss falls from step to step, only somewhat slower than that of others. "So my gradient is right," says your friend.
#
# Answer in five to ten sentences. (a) Why can the loss fall although the gradient is wrong? (b) Which check would have found the mistake, what would it have shown here, and at which layers? (c) Name a mistake that this check cannot find.
#
# Each of the three parts is worth two points: one for a claim that is right, one for a reason that follows from how the blame is computed, or for numbers of your own.

# %% [markdown] essay="in_your_own_words" points=6
# ### BEGIN SOLUTION
# (a) A step lowers the loss whenever it points less than 90 degrees away from the true downhill direction. The layer behind the shortcut gets its own gradient in full, and the layers before it get one of two parts of theirs. Such a sum of right parts usually still points downhill, if not steeply.
#
# (b) Nudging every weight up and down and comparing. It would agree at the layer with the shortcut itself, where the weights are not reached through $x$, and at all that lie behind it, and disagree at every layer before it, by the missing part, with a relative error far above 0.0001.
#
# (c) Nudging compares the gradient with the loss that is written down. It cannot find a wrong loss, such as one with the wrong labels or a forgotten activation in the forward pass, nor a learning rate that is too large.
# ### END SOLUTION
