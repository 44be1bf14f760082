"""How the notebooks are tested: every cell, then every exercise with its solution and its wrong answers.

nbval runs each notebook in one kernel and compares what it prints with what is stored. This file adds four things to it:
- behind each "Your turn" cell, further items run that cell with every wrong answer (each has to give its own hint), with
  the folded solution ("Correct: ..."), and with the stub again, all in the kernel that is already there;
- a kernel that dies fails its cell within a second, and a failed cell ends its notebook;
- HTML, pictures and progress on stderr are not compared, and the last value of a cell is kept as in JupyterLab;
- in a cell tagged `about-0.02` words are compared exactly, and numbers within 0.02 (those before a % within 2);
- kernels take the device that WORKBOOK_DEVICE names, and show no progress bars.

Tests with the mark `clothing` are skipped where the photographs of clothes are not; nothing is fetched for them.

It reaches into nbval 0.11.0, which is therefore pinned; tests/test_nbval_setup.py holds what is relied on.
"""

import copy
import os
import re
import sys
import tempfile
import time
from pathlib import Path
from queue import Empty

import pytest
from nbformat import NotebookNode
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell, IPyNbFile

sys.path.insert(0, str(Path(__file__).parent / "tests"))
import course  # noqa: E402

import helpers  # noqa: E402, F401  (sets the environment that kernels inherit)
from helpers._machinery.clothing import AssetError, read_clothing  # noqa: E402

os.environ["WORKBOOK_PROGRESS"] = "0"
LEARNER = tempfile.TemporaryDirectory(prefix="workbook-")  # removed at the end
os.environ["WORKBOOK_LEARNER_FILE"] = str(Path(LEARNER.name) / "learner.sqlite")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
NUMBER = re.compile(r"([-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)")
NOT_COMPARED = ("stderr", "text/html", "image/svg+xml")


class ExerciseItem(IPyNbCell):
    """A "Your turn" cell with another answer in it: the feedback has to begin and go on as expected."""

    def expect(self, source: str, *, start: str, part: str = "") -> "ExerciseItem":
        self.cell = NotebookNode(source=source, execution_count=None, outputs=[], metadata=NotebookNode())
        self.start, self.part = start, part
        return self

    def runtest(self) -> None:
        super().runtest()
        printed = "".join(output.text for output in self.test_outputs if output.output_type == "stream")
        feedback = (printed.splitlines() or [""])[-1]  # an answer may print something of its own before it
        if not feedback.startswith(self.start) or self.part not in feedback:
            self.raise_cell_error(f"expected '{self.start} ...{self.part}...', received:\n{printed}")


def exercise_items(cell: IPyNbCell, exercise: course.Exercise) -> list[ExerciseItem]:
    """Return the items that try an exercise: wrong answers, solution, and the stub once more."""

    def item(name: str) -> ExerciseItem:
        return ExerciseItem.from_parent(
            cell.parent,
            name=f"{cell.name} {name}",
            cell_num=cell.cell_num,
            cell=cell.cell,
            options=cell.options,
        )

    wrong = course.wrong_answers(exercise.notebook).get(exercise.check, [])
    items = [
        item(f"{exercise.check} wrong answer {number}").expect(
            exercise.with_answer(entry["answer"]), start="Not yet:", part=entry["hint"]
        )
        for number, entry in enumerate(wrong, start=1)
    ]
    items.append(item(f"{exercise.check} solution").expect(exercise.with_answer(exercise.solution), start="Correct:"))
    items.append(item(f"{exercise.check} stub again").expect(exercise.stub, start="Your turn:"))
    return items


def collect_with_exercises(self: IPyNbFile):
    """Yield the cells of a notebook as nbval does, and behind each "Your turn" the items that try it."""
    path = Path(self.path)
    tried = {e.stub: e for e in course.exercises(path)} if path in course.NOTEBOOKS else {}
    for cell in _collect(self):
        yield cell
        if cell.cell.source in tried:
            yield from exercise_items(cell, tried[cell.cell.source])


def await_reply(self: RunningKernel, message_id: str, timeout: float | None = None) -> None:
    """Wait until the kernel has answered; a kernel that has died raises at once."""
    end = None if timeout is None else time.monotonic() + timeout
    while True:
        try:
            message = self.get_message("shell", timeout=1)
        except Empty:
            if not self.is_alive():
                raise RuntimeError("the kernel died while it ran this cell") from None
            if end is not None and time.monotonic() > end:
                raise
            continue
        if message["parent_header"].get("msg_id") == message_id:
            return


def execute_cell_input(self: RunningKernel, cell_input: str, allow_stdin: bool | None = None) -> str:
    """Send a cell as JupyterLab does, with history, so that `_` and a trailing `;` mean what they mean there."""
    return self.kc.execute(cell_input, store_history=True, allow_stdin=allow_stdin, stop_on_error=False)


def align_numbers(text: str, reference: str, *, within: float = 0.02) -> str:
    """Return the reference where `text` has the same words and numbers close to its own; else `text` as it is."""
    parts, wanted = (NUMBER.split(one) for one in (text, reference))  # words and numbers in turn
    if parts[::2] != wanted[::2]:
        return text
    percent = [100 if words.lstrip(" ").startswith("%") else 1 for words in wanted[2::2]]
    apart = [abs(float(a) - float(b)) for a, b in zip(parts[1::2], wanted[1::2], strict=True)]
    close = all(distance <= within * unit + 1e-9 for distance, unit in zip(apart, percent, strict=True))
    return reference if close else text


def compare_outputs(self: IPyNbCell, test: list, ref: list, skip_compare: tuple | None = None) -> bool:
    """Compare as nbval does; in a cell tagged `about-0.02`, numbers that are close to the stored ones count as equal."""
    if "about-0.02" in course.tags(self.cell) and len(test) == len(ref):
        test = copy.deepcopy(test)
        for output, stored in zip(test, ref, strict=True):
            for holder, other in ((output, stored), (output.get("data", {}), stored.get("data", {}))):
                for key in {"text", "text/plain"} & set(holder) & set(other):
                    holder[key] = align_numbers(holder[key], other[key])
    return _compare(self, test, ref, skip_compare)


_collect, _compare = IPyNbFile.collect, IPyNbCell.compare_outputs
IPyNbCell.compare_outputs = compare_outputs
IPyNbFile.collect = collect_with_exercises
RunningKernel.await_reply = await_reply
RunningKernel.execute_cell_input = execute_cell_input


def pytest_collectstart(collector: pytest.Collector) -> None:
    if isinstance(collector, IPyNbFile):
        collector.skip_compare += NOT_COMPARED


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    marked = [item for item in items if item.get_closest_marker("clothing")]
    try:
        here = bool(marked) and read_clothing(fetch=False) is not None
    except AssetError as error:
        raise pytest.UsageError(str(error)) from error
    for item in marked if not here else ():
        item.add_marker(pytest.mark.skip(reason="the photographs of clothes are not here: `python -m helpers photographs`"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    report = yield
    if isinstance(item, IPyNbCell) and report.failed and not isinstance(item, ExerciseItem):
        item.parent.failed_at = getattr(item.parent, "failed_at", item.name)
    return report


@pytest.hookimpl(trylast=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    failed_at = getattr(item.parent, "failed_at", None)
    if isinstance(item, IPyNbCell) and failed_at:
        pytest.skip(f"this notebook failed earlier, at {failed_at}")
