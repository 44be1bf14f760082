"""Diagnoses of a learner's own program: its model, its data, its inputs. They depend on nothing of the course.

Each looks at a Keras program that runs, and says in a line what is wrong with it and which line to change.
`diagnose(model, train=..., validation=..., backbone="vgg16")` makes all that apply, and prints one table.
"""

import lazy_loader

CONTENTS = {
    "data": ["diagnose_augmentation_varies", "diagnose_every_image_seen", "diagnose_splits"],
    "inputs": ["diagnose_head_and_loss", "diagnose_input_range", "diagnose_same_scale"],
    "labels": ["diagnose_class_order", "diagnose_classes", "diagnose_order_kept"],
    "learning": ["diagnose_learning", "diagnose_pretrained", "diagnose_saved"],
    "model": ["diagnose_batch_norm_still", "diagnose_trainable", "diagnose_weights_moved", "take_snapshot"],
    "result": ["Diagnosis", "report"],
    "together": ["Examination", "diagnose"],
}
__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs=CONTENTS)
