"""What every diagnosis returns: right or wrong, why, and the line to change; and a table of several."""

import textwrap
from dataclasses import dataclass


@dataclass(frozen=True)
class Diagnosis:
    """What was found. It counts as True when all is well. It prints as one line, or two with what to change.

    `message` says what was seen, `change` is the line of code that puts it right (empty when nothing has to change).
    """

    name: str
    ok: bool
    message: str
    change: str = ""

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        message, change = " ".join(self.message.split()), " ".join(self.change.split())
        return f"OK: {message}" if self.ok else f"Problem: {message}\n   Change: {change}"


def report(*results: Diagnosis, width: int = 100) -> str:
    """Return a table of diagnoses as text, the problems first, each with the line to change below it."""
    if strangers := [one for one in results if not isinstance(one, Diagnosis)]:
        raise TypeError(f"report() takes what the checks return; received {type(strangers[0]).__name__}.")
    rows, longest = [], max((len(result.name) for result in results), default=0)
    for result in sorted(results, key=lambda one: one.ok):
        start = f"{'OK' if result.ok else 'Problem':8}{result.name:{longest}}  "
        for text, first in ((result.message, start), (result.change and f"Change: {result.change}", " " * len(start))):
            rows += textwrap.wrap(text, width, initial_indent=first, subsequent_indent=" " * len(start))
    return "\n".join(rows)
