"""The page that a student gets back: marks, what the checks said, comments, the own work; no script, nothing from the net.

Of a hidden check it shows the sentence that it said, and nothing else. The formulas of a task become MathML; whatever the
student wrote is shown as text.
"""

import html
import re
from typing import TYPE_CHECKING, Any

import mistune
import nbformat
from latex2mathml.converter import convert
from nbformat import NotebookNode

if TYPE_CHECKING:
    from assignments.grading import Settings

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 1rem/1.5 sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; color: #111; background: #fff;
  overflow-wrap: break-word }}
pre {{ background: #f3f3f3; padding: .6rem; overflow-x: auto; white-space: pre-wrap; border-left: .3rem solid #bbb }}
table {{ border-collapse: collapse; display: block; overflow-x: auto }}
td, th {{ border: 1px solid #888; padding: .2rem .4rem; text-align: left }}
.said {{ border-left-color: #0b5394; background: #eef4fb }} img {{ max-width: 100% }}
@media (prefers-color-scheme: dark) {{
  body {{ color: #eee; background: #161616 }} pre {{ background: #262626 }} .said {{ background: #16283c }}
}}
</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""
FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+)\$", re.DOTALL)
COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
MOST_TEXT = 10_000


def page(settings: "Settings", student: str) -> str:
    """Return the page of a student as HTML."""
    from assignments import grading

    marks = grading.marks(settings, student)
    path = settings.course / "autograded" / student / settings.unit / f"{settings.unit}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    points = f"{marks['score']:g} of {marks['most']:g} points"
    title = f"{settings.unit}: {student}"
    parts = [f"<h1>{html.escape(title)}</h1>", f"<p><strong>{points}</strong>{_still(marks)}</p>", _table(marks)]
    parts += [_cell(cell, marks) for cell in notebook.cells]
    return PAGE.format(title=html.escape(title), body="\n".join(parts))


def _still(marks: dict[str, Any]) -> str:
    penalty = f", {marks['penalty']:g} of them taken off for being late" if marks["penalty"] else ""
    waiting = f". Still to be marked by a person: {', '.join(marks['waiting'])}" if marks["waiting"] else ""
    return html.escape(penalty + waiting)


def _table(marks: dict[str, Any]) -> str:
    head = "<tr><th scope='col'>task</th><th scope='col'>points</th><th scope='col'>of</th><th scope='col'>comment</th></tr>"
    lines = []
    for name, score in marks["cells"].items():
        shown = "to be marked" if name in marks["waiting"] else f"{score:g}"
        comment = marks["comments"].get(name) or ""
        cells = (name, shown, f"{marks['of'][name]:g}", comment)
        lines.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>")
    return f"<table>{head}{''.join(lines)}</table>"


def _cell(cell: NotebookNode, marks: dict[str, Any]) -> str:
    about = cell.metadata.get("nbgrader", {})
    if cell.cell_type == "code" and about.get("grade"):
        name = about["grade_id"]
        said = "\n".join(_text(output) for output in cell.outputs)
        score = f"{marks['cells'].get(name) or 0:g} of {marks['of'][name]:g}"
        return f"<pre class='said'><strong>{html.escape(name)}, {score}</strong>\n{html.escape(said.strip())}</pre>"
    if cell.cell_type == "code":
        return f"<pre>{html.escape(cell.source)}</pre>" + "".join(map(_output, cell.outputs))
    if about.get("locked"):
        return _task(cell.source)
    return f"<pre>{cell.source[:MOST_TEXT]}</pre>"  # CleanOutputs has escaped what a student wrote


def _text(output: NotebookNode) -> str:
    if output.output_type == "stream":
        return output.text
    return "\n".join(output.traceback) if output.output_type == "error" else output.data.get("text/plain", "")


def _output(output: NotebookNode) -> str:
    for kind in ("image/png", "image/jpeg"):
        if kind in output.get("data", {}):
            picture = "".join(output.data[kind].split())
            return f"<img alt='a picture that the code above has drawn' src='data:{kind};base64,{picture}'>"
    return f"<pre>{html.escape(COLOUR.sub('', _text(output))[:MOST_TEXT])}</pre>"


def _task(source: str) -> str:
    """Return the text of a task as HTML, its formulas as MathML."""
    formulas: list[str] = []

    def keep(found: re.Match) -> str:
        formulas.append(convert(found[1] or found[2], display="block" if found[1] else "inline"))
        return f"FORMULA{len(formulas) - 1}."

    text = mistune.html(FORMULA.sub(keep, source))
    return re.sub(r"FORMULA(\d+)\.", lambda found: formulas[int(found[1])], text)
