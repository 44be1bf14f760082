"""What `helpers.doctor` asks of the machine: what computes, and is there room in memory?"""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from helpers._machinery.diagnoses import OK, PROBLEM, WARNING, Finding
from helpers._machinery.quiet import no_terminal_messages

MEMORY_GB = 3.0


def check_device() -> Finding:
    """What will compute: the names of the GPUs that TensorFlow sees, or the processor's cores."""
    if _lacks_avx():
        fix = "Work on another computer: TensorFlow's packages are built for processors with AVX."
        return Finding(PROBLEM, "this processor has no AVX instructions, so TensorFlow cannot start", fix)
    cards, seen = _cards(), _gpus_seen()
    cores = f"CPU, {_cores()} cores"
    if seen:
        return Finding(OK, f"GPU: {', '.join(seen)}")
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("-1", "") or not cards:
        return Finding(OK, cores + (" (the GPU is hidden on request)" if cards else ""))
    if sys.platform == "win32":
        fix = "TensorFlow needs WSL 2 to use a GPU under Windows."
        return Finding(WARNING, f"{cores}; {cards[0]} is not used", fix)
    fix = "Run `make lab DEVICE=gpu` for TensorFlow's CUDA libraries; if that is done, update the driver."
    return Finding(WARNING, f"{cores}; {cards[0]} is there but TensorFlow does not see it", fix)


def _gpus_seen() -> list[str]:
    """The names of the GPUs that TensorFlow can use; imports it, without taking any memory of a card."""
    import tensorflow as tf

    with no_terminal_messages():
        gpus = tf.config.list_physical_devices("GPU")
    return [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]


def _cards() -> list[str]:
    """The names of the NVIDIA cards that the driver knows."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    command = [tool, "--query-gpu=name", "--format=csv,noheader"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    return answer.stdout.strip().splitlines() if answer.returncode == 0 else []


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _lacks_avx() -> bool:
    """True for an Intel or AMD processor whose flags are known and lack AVX."""
    file = Path("/proc/cpuinfo")
    flags = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    return platform.machine() == "x86_64" and "flags" in flags and " avx" not in flags


def check_memory() -> Finding:
    """Is there room for a notebook with VGG16?"""
    import psutil

    memory = psutil.virtual_memory()
    free, total = memory.available / 2**30, memory.total / 2**30
    if free >= MEMORY_GB:
        return Finding(OK, f"{free:.1f} of {total:.1f} GB free")
    fix = f"Close other programs and kernels (Kernel > Shut Down All Kernels); {MEMORY_GB:.0f} GB will do."
    return Finding(WARNING, f"only {free:.1f} of {total:.1f} GB free", fix)
