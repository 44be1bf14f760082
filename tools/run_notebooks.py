"""Execute notebooks and store their outputs in a form that does not change without a reason.

    python tools/run_notebooks.py [NOTEBOOK ...]

Without arguments every notebook of the course is run. A notebook is replaced only when all of its cells ran. Explorers
leave a picture in the notebook; their films, for the site, go to docs/films.
"""

from __future__ import annotations

import os
import sys
import time
import uuid
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

ROOT = Path(__file__).resolve().parents[1]
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def execute(path: Path) -> nbformat.NotebookNode:
    """Return the notebook with the outputs of a fresh run in its own folder."""
    notebook = nbformat.read(path, as_version=4)
    # With PYTEST_CURRENT_TEST in its environment a kernel leaves alone what C++ libraries write to the terminal. The
    # tests run that way too; without it, start-up messages of TensorFlow would be stored.
    os.environ.update(PYTEST_CURRENT_TEST="storing outputs", WORKBOOK_PROGRESS="0")
    os.environ["WORKBOOK_FILMS"] = str(ROOT / "docs" / "films")
    os.environ["WORKBOOK_LEARNER_FILE"] = str(ROOT / "build" / "nobody.json")  # a learner's own progress is not stored
    client = NotebookClient(
        notebook,
        timeout=600,
        coalesce_streams=True,
        kernel_name="python3",
        store_widget_state=False,
        resources={"metadata": {"path": path.parent}},
    )
    client.execute()
    return notebook


def normalise(notebook: nbformat.NotebookNode, *, name: str) -> nbformat.NotebookNode:
    """Return the notebook without anything that differs from run to run: times, widget state, random identifiers."""
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": {"name": "python"}})
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({"tags": cell.metadata.tags} if cell.metadata.get("tags") else {})
        for position, output in enumerate(cell.get("outputs", [])):
            view = output.get("data", {}).get(WIDGET_VIEW)
            if view is not None:
                view["model_id"] = uuid.uuid5(uuid.NAMESPACE_OID, f"{name}/{cell.id}/{position}").hex
    return notebook


def complaints(notebook: nbformat.NotebookNode) -> list[str]:
    """Return what must not be stored: messages on stderr."""
    return [
        f"cell {index} wrote to stderr: {output.text.strip()[:300]}"
        for index, cell in enumerate(notebook.cells)
        for output in cell.get("outputs", [])
        if output.output_type == "stream" and output.name == "stderr"
    ]


def store(path: Path) -> None:
    """Run one notebook and replace its file; raise `SystemExit` with one message where that is not possible."""
    start = time.perf_counter()
    try:
        notebook = execute(path)
    except (CellExecutionError, DeadKernelError) as error:
        raise SystemExit(f"{path.name} was left as it is, since a cell failed:\n{error}") from None
    if problems := complaints(notebook):
        raise SystemExit(f"{path.name} was left as it is:\n" + "\n".join(problems))
    temporary = path.with_suffix(".tmp")
    nbformat.write(normalise(notebook, name=path.stem), temporary)
    temporary.replace(path)
    print(f"{path.name}: {time.perf_counter() - start:.0f} s, {path.stat().st_size / 1e6:.2f} MB", flush=True)


def main(arguments: list[str]) -> None:
    """Run the named notebooks, or all of them."""
    for path in [Path(name).resolve() for name in arguments] or sorted((ROOT / "notebooks").glob("[0-9][0-9]*_*.ipynb")):
        store(path)


if __name__ == "__main__":
    main(sys.argv[1:])
