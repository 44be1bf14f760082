# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Transferring an MLP: assignment
#
# *What does it take to transfer a network, and to show that it helped?*
#
# **75 minutes**  |  ← **before:** notebook 03  |  no GPU needed
#
# Six tasks, from small to open. In the first five you write a function. The cell below it checks the function on a small example; give it back its name and its arguments. The last task asks for a few sentences.
#
# As in notebook 03, a network is a list of layers, and a layer is a pair (weights, bias). All layers but the last have the ReLU. Here it is always one network, so weights are (inputs, outputs) and a bias is (outputs,).

# %% [markdown] only="class"
# **How you are marked.** Each check is worth the points that it names. Hidden checks call the same functions with other numbers, so an answer that is written for the example alone gets the points of the example alone. A person reads the last task. You can add cells of your own wherever you like; leave the cells with checks where they are.

# %%
import checks as check
import numpy as np

from helpers import load_digit_pair, paired_interval
from helpers.networks import backward, build_mlp

# %% only="class"
from helpers.exercises.feedback import stop_at_mistakes

stop_at_mistakes()

# %% [markdown]
# ## 1. What is left to learn
#
# Write `trainable_parameters(sizes, frozen)`: how many weights and biases learn, when the first `frozen` layers are frozen? `[64, 32, 10]` has two layers: one from 64 to 32, and one from 32 to 10.


# %% answer="trainable_parameters"
def trainable_parameters(sizes, frozen):
    ### BEGIN SOLUTION
    layers = list(zip(sizes[:-1], sizes[1:], strict=True))
    return sum((inputs + 1) * outputs for inputs, outputs in layers[frozen:])
    ### END SOLUTION


# %% visible="trainable_parameters" points=2
check.check_trainable_parameters(trainable_parameters)

# %% [markdown] hint="trainable_parameters"
# List the layers first, as pairs of neighbours in `sizes`. Then leave out the first ones.

# %% hidden="trainable_parameters" points=1
hidden.check_trainable_parameters(trainable_parameters)

# %% [markdown]
# ## 2. The same network for other classes
#
# A network that knows ten digits shall sort leaves into four kinds. Write `with_new_head(layers, classes, seed)`. Return a network whose hidden layers are those of `layers`, and whose last layer is new: random weights that are drawn with the seed, and one output for each class. The network that was given stays as it is, also when somebody trains the new one later and changes its arrays in place.


# %% answer="with_new_head"
def with_new_head(layers, classes, seed):
    ### BEGIN SOLUTION
    inputs = layers[-1][0].shape[0]
    hidden_layers = [(weights.copy(), bias.copy()) for weights, bias in layers[:-1]]
    return hidden_layers + build_mlp((inputs, classes), activation="relu", seed=seed)
    ### END SOLUTION


# %% visible="with_new_head" points=2
check.check_with_new_head(with_new_head)

# %% [markdown] hint="with_new_head"
# The new layer has as many inputs as the old last layer. `build_mlp((inputs, classes), seed=seed)` makes a list of one layer. And what is the difference between an array and a copy of it?

# %% hidden="with_new_head" points=2
hidden.check_with_new_head(with_new_head)

# %% [markdown]
# ## 3. A learning rate for each layer
#
# Freezing is all or nothing: a layer learns, or it does not. In between, each layer can have a learning rate of its own, small for the first ones and larger for the last.
#
# Write `train_with_rates(layers, images, labels, rates, steps)`: plain gradient descent, every step on all examples, where layer number $i$ moves with `rates[i]`. Return the trained layers and leave the given ones as they are. (`backward(layers, images, labels, activation="relu")` returns the loss and the gradients, which have the form of the layers.)


# %% answer="train_with_rates"
def train_with_rates(layers, images, labels, rates, steps):
    ### BEGIN SOLUTION
    for _ in range(steps):
        _, gradients = backward(layers, images, labels, activation="relu")
        layers = [
            (weights - rate * d_weights, bias - rate * d_bias)
            for (weights, bias), (d_weights, d_bias), rate in zip(layers, gradients, rates, strict=True)
        ]
    return layers
    ### END SOLUTION


# %% visible="train_with_rates" points=3
check.check_train_with_rates(train_with_rates)

# %% [markdown] hint="train_with_rates"
# It is the loop of notebook 03, but three lists run side by side: layers, gradients and rates. When do you ask for the gradients: once, or in every step?

# %% hidden="train_with_rates" points=3
hidden.check_train_with_rates(train_with_rates)

# %% [markdown]
# ## 4. A fair comparison
#
# Two arms, from scratch and with transfer, were each trained at several learning rates, with several runs. All four arrays are (rates, runs), and run $k$ of both arms has the same labelled digits.
#
# Write `compare(scratch_validation, scratch_test, transfer_validation, transfer_test)`. Each arm gets the learning rate that is best for it on the validation digits, on average over the runs. Return three numbers, as `paired_interval` gives them: the mean gain of transfer on the test digits, and both ends of its 95 % interval.


# %% answer="compare"
def compare(scratch_validation, scratch_test, transfer_validation, transfer_test):
    ### BEGIN SOLUTION
    scratch = scratch_test[scratch_validation.mean(axis=1).argmax()]
    transfer = transfer_test[transfer_validation.mean(axis=1).argmax()]
    return paired_interval(transfer - scratch)
    ### END SOLUTION


# %% visible="compare" points=3
check.check_compare(compare)

# %% [markdown] hint="compare"
# One row of each test array is left over: the row of the best rate. Which arrays may you look at to find it? And the two arms need not have the same.

# %% hidden="compare" points=3
hidden.check_compare(compare)

# %% [markdown]
# ## 5. Ten labels
#
# `source` is a network with the layers 64, 32, 32, 10 that has learned MNIST. `images` and `labels` are ten digits of UCI, one of each kind. Write `transfer(source, images, labels, seed)`, which returns a network for UCI's digits.
#
# The check calls it for several draws of ten labels, and asks the networks about the other digits. The source untouched gets 0.60 of them, and a network that starts from scratch about as many. 0.68 are wanted. (`load_digit_pair()` has the digits of both, if you want to try something out.)


# %% answer="transfer"
def transfer(source, images, labels, seed):
    ### BEGIN SOLUTION
    return train_with_rates(source, images, labels, [0.1, 0.1, 0.1], 100)
    ### END SOLUTION


# %% visible="transfer" points=3
check.check_transfer(transfer)

# %% [markdown] hint="transfer"
# You have written all that you need. Start from the source, and train a hundred steps or so. Ten labels are soon learned by heart: what you want is that the network does not forget the rest.

# %% hidden="transfer" points=3
hidden.check_transfer(transfer)

# %% [markdown]
# ## 6. In your own words
#
# A colleague has 60 labelled photographs of leaves. "I trained a network from scratch at a learning rate of 0.01 and got 0.81. Then I started from a network that knows animals, tried learning rates until it was best, and got 0.84. Transfer works."
#
# What do you have to ask before you believe it? Answer in five to ten sentences: (a) about the learning rates, (b) about luck, (c) about what else could be compared with.
#
# Each of the three parts is worth two points: one for the question, one for saying what could be behind the 0.03 instead of transfer, or how it would have to be measured.

# %% [markdown] essay="in_your_own_words" points=6
# ### BEGIN SOLUTION
# (a) Only one of the two arms had its learning rate chosen. Scratch at its own best rate may get 0.84 as well. And on which photographs were the rates chosen? If they were the ones that are reported, the better arm is flattered, since the best of several tries is too good on average. Rates belong on a validation set, and the test set is opened once.
#
# (b) How many runs were there? Other starts and other labelled photographs change an accuracy by several hundredths where labels are few. One needs several runs with the same labels for both arms, the difference run by run, and an interval that excludes zero.
#
# (c) A support vector machine or logistic regression on simple features, and an untrained source, which shows how much a change of nothing but chance gives. If they also get 0.84, the network that knows animals was not needed.
# ### END SOLUTION
