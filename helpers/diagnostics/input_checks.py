"""Do the images have the values that a pretrained network was trained on?

Three ways to prepare images are in use (`mode` in `keras.applications`): "caffe" swaps to BGR and takes off the ImageNet
means, "tf" scales to -1..1, "torch" scales to 0..1, then takes off means and divides by deviations. "raw" networks hold
that step themselves and want 0..255. Sources: Simonyan and Zisserman, 2014; the documentation of each network in Keras.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from helpers.diagnostics.image_passes import Passes, kept_random_state
from helpers.diagnostics.result import Diagnosis

BANDS = {"raw": (0.0, 255.0), "caffe": (-123.68, 151.061), "tf": (-1.0, 1.0), "torch": (-2.118, 2.64)}
WANTED = {
    "raw": "0 to 255",
    "caffe": "BGR minus the ImageNet means, about -124 to 151",
    "tf": "-1 to 1",
    "torch": "standardised by the ImageNet means, about -2.1 to 2.6",
}
MODES = {  # the longest beginning of a name counts
    **dict.fromkeys(("efficientnet", "mobilenetv3", "convnext"), "raw"),
    **dict.fromkeys(("vgg16", "vgg19", "resnet50", "resnet101", "resnet152"), "caffe"),
    **dict.fromkeys(("mobilenet", "mobilenetv2", "inceptionv3", "inceptionresnetv2", "xception", "nasnet"), "tf"),
    **dict.fromkeys(("resnet50v2", "resnet101v2", "resnet152v2"), "tf"),
    "densenet": "torch",
}
MODULES = {
    "resnet101": "resnet", "resnet152": "resnet", "resnet50": "resnet50", "resnet50v2": "resnet_v2",
    "resnet101v2": "resnet_v2", "resnet152v2": "resnet_v2", "mobilenetv2": "mobilenet_v2", "inceptionv3": "inception_v3",
    "inceptionresnetv2": "inception_resnet_v2", "mobilenetv3": "mobilenet_v3",
}  # fmt: skip
ALLOWED = 0.005  # share of values that may lie outside, from resizing with overshoot
EDGE = 0.02


def diagnose_input_range(images: Any, *, backbone: str, limit: int = 256) -> Diagnosis:
    """Return whether images have the range of values that `backbone` ("vgg16", "mobilenet_v2", ...) was trained on.

    `images`: what reaches the backbone, as an array (n, height, width, 3) or a dataset; the first `limit` are looked at.
    Where the model prepares them itself, give what comes out of that step, `preprocess_input(images)`. That red and blue
    are swapped cannot be known from a batch, and pictures without any dark place look like another scale.
    """
    name, mode = _mode(backbone)
    values = _values(images, limit)
    low, high = (float(edge) for edge in np.quantile(values, [ALLOWED, 1 - ALLOWED]))
    seen = f"the values go from {values.min():.4g} to {values.max():.4g}"
    fault = _fault(values, mode, low, high)
    if fault is None:
        return Diagnosis("input range", True, f"{seen}, as {backbone} wants them ({WANTED[mode]}).")
    return Diagnosis(
        "input range", False, f"{seen}: {fault}. {backbone} wants {WANTED[mode]}.", _line(name, mode, fault)
    )


def _fault(values: np.ndarray, mode: str, low: float, high: float) -> str | None:
    """Return what the values look like instead, or None when they fit."""
    if not np.isfinite(values).all():
        return "some are not numbers (NaN) or infinite"
    if values.min() == values.max():
        return "all are the same, there is no picture"
    if low >= 0 and values.min() >= -EDGE:
        if high <= 1 + EDGE:
            return "they look scaled to 0..1"
        if mode != "raw":
            return "they look like raw pixels, not preprocessed"
        return None if high <= 255 + 1 else "they are larger than those of pixels"
    return _fault_below_zero(values, mode, low, high)


def _fault_below_zero(values: np.ndarray, mode: str, low: float, high: float) -> str | None:
    smallest, largest = BANDS[mode]
    squeezed = {"caffe": -100.0, "tf": -0.98, "torch": -1.7}
    if mode in squeezed and high < squeezed[mode]:
        return "preprocessed twice, or scaled to 0..1 and then preprocessed"
    if mode in ("raw", "caffe") and low >= -0.49 and high <= 0.6:
        return "they look preprocessed and then divided by 255"
    if mode != "tf" and low >= -1 - EDGE and high <= 1 + EDGE and (mode != "torch" or (low < -0.95 and high > 0.95)):
        return "they look scaled to -1..1"
    if mode == "caffe" and low >= BANDS["torch"][0] - EDGE and high <= BANDS["torch"][1] + EDGE:
        return "they look prepared for a network of another kind (torch)"
    if mode == "caffe" and low < smallest - 1:
        return "preprocessed twice"
    if mode == "caffe" and values.shape[-1] == 3 and np.quantile(values[..., 0], ALLOWED) < -103.939 - 1:
        return "the mean of red was taken from the first channel: not swapped to BGR"
    slack = min(1.0, 0.01 * (largest - smallest))
    if low < smallest - slack or high > largest + slack:
        return "they look prepared for a network of another kind"
    return None


def _line(name: str, mode: str, fault: str) -> str:
    if mode == "raw":
        return f"take out preprocessing and rescaling: {name} does it itself"
    call = f"images = keras.applications.{MODULES.get(name, name)}.preprocess_input(images)"
    return f"{call}  # once, on raw pixels 0..255, with no rescale=1/255 before or after"


def _mode(backbone: str) -> tuple[str, str]:
    if not isinstance(backbone, str):
        raise TypeError(f'backbone is a name such as "vgg16"; received {type(backbone).__name__}.')
    plain = backbone.lower().replace("_", "").replace("-", "")
    fitting = [name for name in MODES if plain.startswith(name)]
    if not fitting:
        raise ValueError(f"backbone {backbone!r} is not known; choose from: {', '.join(sorted(MODES))}.")
    name = max(fitting, key=len)
    return name, MODES[name]


def _values(images: Any, limit: int) -> np.ndarray:
    batches, count = [], 0
    with kept_random_state():
        for batch, _ in Passes(images).epoch() if not Passes(images).endless else Passes(images, steps=limit).epoch():
            batches.append(np.asarray(batch[: limit - count], dtype="float64"))
            count += len(batches[-1])
            if count >= limit:
                break
    if not count:
        raise ValueError("there is not one image in it.")
    if batches[0].ndim != 4:
        raise ValueError(f"images have shape {batches[0].shape}; wanted (n, height, width, channels).")
    same = [batch for batch in batches if batch.shape[1:] == batches[0].shape[1:]]
    return np.concatenate(same)
