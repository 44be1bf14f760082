"""TensorFlow imported without the messages that its C++ part writes before any setting for its log is read."""

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder


@contextmanager
def no_terminal_messages() -> Iterator[None]:
    """Return a context in which nothing reaches the terminal's stderr, not even from C++."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


class _QuietFinder:
    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name == "tensorflow" else None
        if spec:
            spec.loader.exec_module = no_terminal_messages()(spec.loader.exec_module)
        return spec


def silence_tensorflow() -> None:
    """Make the first import of TensorFlow a silent one, and leave out that it traces again for data of another shape."""
    logging.getLogger("tensorflow").addFilter(lambda record: "retracing" not in str(record.msg))
    sys.meta_path.insert(0, _QuietFinder)
