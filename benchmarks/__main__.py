"""Measure the named sections, or all of them; a run of all is written to `benchmarks/latest.md`.

    python -m benchmarks [engines] [cached] [memory] [folders] [imports] [classic] [block5] [take_home] [notebooks] [latency]

Every section runs in a process of its own. The machine should have nothing else to do; what is compared is measured in
turns, so that ratios hold even where it has.
"""

import argparse
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from benchmarks.sections import SECTIONS
from benchmarks.tables import machine, markdown

LATEST = Path(__file__).with_name("latest.md")
os.environ["WORKBOOK_PROGRESS"] = "0"


def main():
    """Print one table for each section."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("sections", nargs="*", metavar="section", help=f"of {', '.join(SECTIONS)}; default: all")
    names = parser.parse_args().sections
    if unknown := set(names) - set(SECTIONS):
        parser.error(f"there is no section {', '.join(sorted(unknown))}; choose from {', '.join(SECTIONS)}")
    parts = [f"# How fast it is\n\n{machine()}"]
    print(parts[0], flush=True)
    for name in names or SECTIONS:
        parts.append(_in_a_process_of_its_own(name))
        print(f"\n{parts[-1]}", flush=True)
    if not names:
        LATEST.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _in_a_process_of_its_own(name):
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return markdown(pool.submit(SECTIONS[name]).result())


if __name__ == "__main__":
    main()
