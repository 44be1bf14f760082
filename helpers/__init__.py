"""What stands behind the notebooks of the Transfer Learning Workbook; any name below comes with `from helpers import ...`.

The eighteen modules named here are what a learner opens; `explorers` and `exercises` have one module a notebook,
`diagnostics` looks at a learner's own program, `_machinery` is what nobody has to open. Importing this package is cheap: a
name brings its module when it is asked for, and TensorFlow is imported where it is used. What is done here comes first.
"""

import os

import lazy_loader

from helpers._machinery.quiet import silence_tensorflow

CONTENTS = {
    "data": "PhotographsMissing clothing_folder draw_labelled held_out load_clothing load_digit_images load_digit_pair "
    "load_mnist_digits load_photographs load_textures load_toy_2d measure_shape photograph_credits split_digit_pair "
    "straighten take_per_class write_image_folders",
    "folders": "ImageStream belonging_together load_image_folder sort_into_parts",
    "vgg16": "CHANNEL_MEANS layer_table load_vgg16 preprocess_vgg16",
    "features": "accuracy_per_draw extract_features label_curve predict_per_draw",
    "networks": "",  # short names, for use as helpers.networks
    "transfer_kinds": "",  # the methods of notebook 09, for use as helpers.transfer_kinds
    "adaptation": "",  # the methods of notebook 10, for use as helpers.adaptation
    "dann": "GradientReversal mixed_batches",
    "lifelong": "",  # those of notebook 11
    "bugs": "",  # the programs of notebook 12
    "augmentation": "augmented_views build_augmentation view_batches",
    "fine_tuning": "adam_by_block build_classifier freeze_before layer_distances split_model",
    "experiments": "decode_answers run_arm",
    "saving": "class_names_of export_classifier predict_photographs",
    "sources": "SCORES damage fine_tune_source h_score leep load_source log_me logistic_probe multiply_adds n_leep "
    "nearest_neighbour_probe standardise",
    "evaluation": "calibration_bins grad_cam most_confident_mistakes paired_interval",
    "plots": "",  # the style, show() and every plot_, for use as helpers.plots
    "training": "about_runs choose_precision fit_on_devices fit_resumable live_curves load_runs",
    "exercises.progress": "forget_progress show_progress",
    "_machinery.doctor": "doctor",
}
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["adaptation", "bugs", "lifelong", "networks", "plots", "transfer_kinds"],
    submod_attrs={module: names.split() for module, names in CONTENTS.items()},
)

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # two kernels can share a card
if os.environ.get("WORKBOOK_DEVICE") == "cpu":
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
silence_tensorflow()

__version__ = "0.1.0"
