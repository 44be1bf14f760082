"""TensorFlow imported without its start-up messages.

The C++ part of TensorFlow writes some lines to the terminal before any setting for its log is read, and JupyterLab shows
them in red below the cell that happened to import it first. They tell a learner nothing. `silence_tensorflow` makes the
first `import tensorflow` (also inside `import keras`) a silent one; what it raises, and all that comes later, is untouched.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any


@contextmanager
def no_terminal_messages() -> Iterator[None]:
    """Return a context in which nothing reaches the terminal's stderr, not even from C++."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


class _QuietLoader(importlib.abc.Loader):
    """Loads a module as its own loader does, silently."""

    def __init__(self, loader: Any) -> None:
        self.loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__.loader = module.__loader__ = self.loader
        with no_terminal_messages():
            self.loader.exec_module(module)


class _QuietFinder(importlib.abc.MetaPathFinder):
    """Finds TensorFlow where it is, and nothing else."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name != "tensorflow":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _QuietLoader(spec.loader)
        return spec


def silence_tensorflow() -> None:
    """Make the first import of TensorFlow a silent one; does nothing when it was called before."""
    if not any(isinstance(finder, _QuietFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _QuietFinder())
