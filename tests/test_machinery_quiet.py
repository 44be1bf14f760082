"""The first import of TensorFlow says nothing, in a terminal and in a kernel, and leaves stderr as it was."""

import logging
import subprocess
import sys


def run(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_importing_keras_after_helpers_writes_nothing():
    answer = run("import helpers, keras, tensorflow as tf; print(tf.__spec__.loader.__class__.__name__)")
    assert answer.returncode == 0 and answer.stderr == ""
    assert answer.stdout == "SourceFileLoader\n"


def test_stderr_works_again_afterwards():
    answer = run("import helpers, tensorflow, os, sys; print('python', file=sys.stderr); os.write(2, b'descriptor')")
    assert sorted(answer.stderr.split()) == ["descriptor", "python"]


def test_importing_helpers_imports_neither_tensorflow_nor_numpy():
    slow = ("tensorflow", "keras", "numpy", "sklearn", "matplotlib", "ipywidgets")
    answer = run(f"import helpers, sys; print([name for name in {slow} if name in sys.modules])")
    assert answer.stdout == "[]\n"


def test_it_is_not_told_that_tensorflow_traces_again():
    logger = logging.getLogger("tensorflow")
    told = [logger.makeRecord("tensorflow", 30, "", 0, text, (), None) for text in ("5 calls triggered retracing", "other")]
    assert [bool(logger.filter(record)) for record in told] == [False, True]
