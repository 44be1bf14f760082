"""Count the lines of each room against the budgets in pyproject.toml, and fail above one: `make check`."""

from __future__ import annotations

import ast
import os
import statistics
import sys
import tomllib
from pathlib import Path


def count_lines(path: Path) -> int:
    """Return what `wc -l` says of a file."""
    return path.read_bytes().count(b"\n")


def function_lengths(path: Path) -> dict[str, int]:
    """Return the lines of each function of a module, from `def` to its end, by file, line and name."""
    functions = [node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.FunctionDef)]
    return {f"{path}:{node.lineno} {node.name}": node.end_lineno - node.lineno + 1 for node in functions}


def measure(budgets: dict) -> list[tuple[str, float, int, str]]:
    """Return a row for each budget: what is counted, how many lines it has, and may have, and which one is longest."""
    modules = sorted(path for room in ("helpers", "assignments") for path in Path(room).rglob("*.py"))
    files = {str(path): count_lines(path) for path in modules}
    functions = {name: lines for path in modules for name, lines in function_lengths(path).items()}
    rooms = [(room, sum(map(count_lines, Path().glob(room))), most, "") for room, most in budgets["rooms"].items()]
    return rooms + [
        ("longest file", max(files.values()), budgets["file"], max(files, key=files.get)),
        ("longest function", max(functions.values()), budgets["function"], max(functions, key=functions.get)),
        ("median function", statistics.median(functions.values()), budgets["median_function"], ""),
    ]


if __name__ == "__main__":
    os.chdir(Path(__file__).resolve().parents[1])
    rows = measure(tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["tool"]["workbook"]["budgets"])
    print(f"{'lines of':<30}{'now':>8}{'budget':>8}")
    for name, now, budget, where in rows:
        print(f"{name:<30}{now:>8g}{budget:>8}  {'TOO MANY  ' * (now > budget)}{where}".rstrip())
    sys.exit(any(now > budget for _, now, budget, _ in rows))
