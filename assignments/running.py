"""How nbgrader runs a submission here: a learner's cells in the sandbox, the checks that give points outside of it.

nbgrader's own steps stay; `SandboxedExecute` takes the place of `Execute`, and `CleanOutputs` comes behind it.
"""

import ast
import asyncio
import html
import json
import re
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
from jupyter_core.utils import run_sync
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.preprocessors import Execute, NbGraderPreprocessor
from traitlets import Unicode

from assignments import collecting, sandbox, units, wire

WIRE = (units.HERE / "wire.py").read_text(encoding="utf-8")
SAFE = ("text/plain", "image/png", "image/jpeg")
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")
MATH_COMMANDS = re.compile(r"\\(?=href|require|cssId|class|style|unicode|def|let|newcommand)")
LANGUAGE = {"name": "python", "file_extension": ".py", "mimetype": "text/x-python", "pygments_lexer": "ipython3"}


class TooSlow(Exception):
    """A function of the notebook did not answer in time."""


class SandboxedExecute(Execute):
    """nbgrader's Execute, but a cell that gives points is not run: its check looks into the kernel from outside."""

    def preprocess(self, nb: NotebookNode, resources: Any, *more: Any) -> tuple[NotebookNode, Any]:
        """Return the notebook, run in a sandbox that is made for it; raise `SandboxError` where there can be none."""
        sandbox.require()
        self.unit = resources["nbgrader"]["assignment"]
        with tempfile.TemporaryDirectory(
            prefix="wb-", ignore_cleanup_errors=True
        ) as room:  # a short name: paths of sockets have 100 letters
            self.room = Path(room)
            try:
                return super().preprocess(nb, resources, *more)
            finally:
                sandbox.end(self.room)

    def create_kernel_manager(self) -> Any:
        """Return the manager of a kernel that speaks through the sandbox's folder, and not through the network."""
        manager = super().create_kernel_manager()
        files = {"checks.py": units.HERE / "checks" / f"{self.unit}.py"}
        manager.kernel_spec_manager = sandbox.Kernels(run=self.room, files=files)
        manager.transport, manager.ip = "ipc", str(self.room / "s")
        manager.connection_file = str(self.room / "kernel.json")
        return manager

    def handle_comm_msg(self, *_: Any) -> None:
        """Return nothing and do nothing: widgets are not kept."""

    async def async_execute_cell(self, cell: NotebookNode, cell_index: int, **settings: Any) -> NotebookNode:
        """Return the cell with its outputs; those of a check are ours alone, whatever the kernel says."""
        check = units.read_checks(self.unit).get(cell.metadata.get("nbgrader", {}).get("grade_id"))
        if check is None:
            return harmless(await super().async_execute_cell(cell, cell_index, **settings))
        line = await asyncio.to_thread(self.verdict, check, asyncio.get_running_loop())
        await self._async_check_alive()  # a kernel that a learner's function ended is no wrong answer
        right = line.startswith("Correct:")
        error = {"ename": "CheckFailed", "evalue": line, "traceback": [line]}
        cell.outputs = [new_output("stream", text=line + "\n") if right else new_output("error", **error)]
        self.nb["cells"][cell_index] = cell
        return cell

    execute_cell = run_sync(async_execute_cell)

    def verdict(self, check: units.Check, loop: asyncio.AbstractEventLoop) -> str:
        """Return the line of feedback of a check; the coroutines that ask the kernel run in `loop`."""
        deadline = time.monotonic() + self.timeout

        def ask(request: dict[str, Any]) -> dict[str, Any]:
            return asyncio.run_coroutine_threadsafe(self.ask(request, deadline), loop).result()

        try:
            return check.function.line_for(*(wire.fetch(ask, name) for name in check.names))[:1000]
        except Exception as error:  # whatever the kernel hands over, it is an answer that is not right
            return f"Not yet: {error}"[:1000]

    async def ask(self, request: dict[str, Any], deadline: float) -> dict[str, Any]:
        """Return what `wire.serve` answers in the kernel; raise `TooSlow` when it does not in time."""
        call = f"scope['serve']({json.dumps(request)!r}, globals())"
        code = f"(lambda scope: (exec({WIRE!r}, scope), {call})[1])({{'__name__': 'wire'}})"
        message = self.kc.execute("", silent=True, store_history=False, user_expressions={"answer": code}, allow_stdin=False)
        expressions = (await self._reply(message, deadline))["content"].get("user_expressions", {})
        answer = expressions.get("answer", {})
        if answer.get("status") != "ok":
            raise ValueError(f"{answer.get('ename', 'the kernel')}: {answer.get('evalue', 'no answer')}"[:500])
        return json.loads(ast.literal_eval(answer["data"]["text/plain"]))

    async def _reply(self, message: str, deadline: float) -> dict[str, Any]:
        while time.monotonic() < deadline:
            try:
                reply = await self.kc.get_shell_msg(timeout=min(1, max(0.01, deadline - time.monotonic())))
            except Exception as error:  # queue.Empty: nothing yet
                if type(error).__name__ != "Empty":
                    raise
                await self._async_check_alive()
                continue
            if reply["parent_header"].get("msg_id") == message:
                return reply
        await self.km.interrupt_kernel()
        raise TooSlow(f"no answer within {self.timeout} seconds.")


class Rebuild(NbGraderPreprocessor):
    """Every cell that the class was given is what it was, and there once, before nbgrader looks at a submission."""

    release = Unicode(help="the folder of what classes were given").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Return the notebook rebuilt; what had to be repaired is in the log."""
        about = resources["nbgrader"]
        path = Path(self.release) / about["assignment"] / f"{about['notebook']}.ipynb"
        rebuilt, notes = collecting.rebuild(collecting.plain(nb), nbformat.read(path, as_version=4))
        self.log.warning("Repaired: %s", "; ".join(notes) or "nothing")
        return rebuilt, resources


class CleanOutputs(NbGraderPreprocessor):
    """Nothing that a learner wrote or printed reaches a browser as HTML, and only an exception costs points."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Return the notebook with harmless outputs, and without what a kernel wrote about itself."""
        nb.metadata = NotebookNode(kernelspec=units.KERNEL, language_info=LANGUAGE)
        for cell in nb.cells:
            nbgrader = cell.metadata.get("nbgrader", {})
            cell.metadata = NotebookNode(nbgrader=nbgrader) if nbgrader else NotebookNode()
            cell.pop("attachments", None)
            if cell.cell_type == "markdown" and (nbgrader.get("solution") or not nbgrader.get("locked")):
                cell.source = MATH_COMMANDS.sub("", html.escape(cell.source, quote=False))
            harmless(cell)
        return nb, resources


def harmless(cell: NotebookNode) -> NotebookNode:
    """Return the cell; of what a kernel wrote on it only text, pictures and a number are left."""
    if cell.cell_type == "code":
        cell.outputs = [clean(output) for output in cell.get("outputs", [])]
        cell.execution_count = cell.execution_count if type(cell.get("execution_count")) is int else None
    return cell


def clean(output: dict[str, Any]) -> NotebookNode:
    """Return an output of which only text and pictures are left, neither of them a mark."""
    if output.get("output_type") == "stream":
        return new_output("stream", text=str(output.get("text", "")))
    if output.get("output_type") == "error":
        lines = [str(line) for line in output.get("traceback", [])]
        return new_output("error", ename=str(output.get("ename")), evalue=str(output.get("evalue")), traceback=lines)
    data = {kind: str(content) for kind, content in output.get("data", {}).items() if kind in SAFE}
    kept = {kind: content for kind, content in data.items() if kind == "text/plain" or BASE64.fullmatch(content)}
    return new_output("display_data", data=kept or {"text/plain": "(an output that is not shown here)"})
