"""The adversarial network of notebook 10: features from which the label can be read, and the domain cannot.

DANN: Ganin and others, "Domain-Adversarial Training of Neural Networks", 2016. The same network in NumPy, many runs side by
side, is trained by `helpers.networks.adversarial_steps`.
"""

from __future__ import annotations

import keras
import numpy as np


@keras.saving.register_keras_serializable("workbook")
class GradientReversal(keras.layers.Layer):
    """Gives its input on as it is; on the way back, the gradient is multiplied by -strength."""

    def __init__(self, strength: float = 1.0, **options) -> None:
        super().__init__(**options)
        self.strength = float(strength)

    def call(self, features):
        """Return the features: x + s x counts as a constant, so only - s x has a gradient."""
        return keras.ops.stop_gradient(features + self.strength * features) - self.strength * features

    def get_config(self) -> dict:
        """Return what a saved model needs to build this layer again."""
        return super().get_config() | {"strength": self.strength}


def mixed_batches(
    source: np.ndarray, labels: np.ndarray, target: np.ndarray, *, steps: int, batch_size: int = 64, seed: int = 0
) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return what `fit()` takes, for so many steps of twice `batch_size`: half source, half target; do not shuffle them.

    Images, answers and weights. The target's label is unknown: it stands there as 0 and weighs 0, while the source's weighs
    2, so that the loss of the label is the mean over the source.
    """
    random, shape = np.random.default_rng([102, seed]), (steps, batch_size)
    one, other = random.integers(len(source), size=shape), random.integers(len(target), size=shape)
    images = np.concatenate([source[one], target[other]], axis=1)
    domain = np.repeat([[0, 1]], batch_size, axis=1).repeat(steps, axis=0)
    answers = {"label": np.concatenate([labels[one], np.zeros_like(other)], axis=1).ravel(), "domain": domain.ravel()}
    weights = {"label": 2.0 * (domain.ravel() == 0), "domain": np.ones(domain.size)}
    return images.reshape(-1, source.shape[1]), answers, weights
