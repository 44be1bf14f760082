"""Small helpers behind the notebooks of the Transfer Learning Workbook.

Importing this package is cheap: TensorFlow is imported by the functions that need it, when they are called. What is
done here has to happen before that: quiet start-up messages, the TensorFlow backend, GPU memory taken as it is needed
(so that two kernels can share a card), and the device that the environment variable `WORKBOOK_DEVICE` names.
"""

import os

from helpers.quiet import silence_tensorflow

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
if os.environ.get("WORKBOOK_DEVICE") == "cpu":
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
silence_tensorflow()

__version__ = "0.1.0"
