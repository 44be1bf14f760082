"""Diagnoses of a learner's own program: its model, its data, its inputs. They depend on nothing of the course.

Each looks at a Keras program that runs, and says in a line what is wrong with it and which line to change.
"""

from __future__ import annotations

from helpers.diagnostics.data import (
    diagnose_augmentation_varies,
    diagnose_class_order,
    diagnose_every_image_seen,
    diagnose_splits,
)
from helpers.diagnostics.inputs import diagnose_head_and_loss, diagnose_input_range
from helpers.diagnostics.model import (
    diagnose_batch_norm_still,
    diagnose_trainable,
    diagnose_weights_moved,
    take_snapshot,
)
from helpers.diagnostics.result import Diagnosis, report

__all__ = [
    "Diagnosis",
    "diagnose_augmentation_varies",
    "diagnose_batch_norm_still",
    "diagnose_class_order",
    "diagnose_every_image_seen",
    "diagnose_head_and_loss",
    "diagnose_input_range",
    "diagnose_splits",
    "diagnose_trainable",
    "diagnose_weights_moved",
    "report",
    "take_snapshot",
]
