"""What `load_image_folder` says about a folder: a table of its classes, every file that is not used and why, and notes."""

from __future__ import annotations

import textwrap
import unicodedata
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from helpers._machinery.images import Look, shown
from helpers._machinery.photographs import PARTS

COPIES = "Copies are found if scaled, compressed again, mirrored or grey; not if cropped by 5 % or more, framed or turned."
LISTED = 20  # files that the report names for one reason
WIDTH = 96  # letters in a line: a page breaks longer ones anywhere, also inside of a name
NO_CLASS = "(no class)"


@dataclass(repr=False)
class FolderReport:
    """What is in a folder; printed, a table of its classes, then every file that is not used and why, then notes."""

    name: str
    rows: list[dict[str, Any]]  # one for each class: its name, pictures in each part, files not used
    formats: Counter
    sides: list[tuple[int, int]]
    skipped: list[tuple[Path, str]]  # path in the folder, and why in a sentence that begins with it
    duplicates: list[list[Path]]  # groups of pictures that are the same, or nearly
    notes: list[str] = field(default_factory=list)

    @property
    def found(self) -> int:
        """All files that were found: those used and those not."""
        return len(self.sides) + len(self.skipped)

    def __repr__(self) -> str:
        lines = [*self._kinds(), *self._not_used(), *self._remarks()]
        whole = {"break_long_words": False, "break_on_hyphens": False}
        wrapped = [textwrap.fill(line, WIDTH, subsequent_indent="  " * line.startswith("-"), **whole) for line in lines]
        return "\n".join([*self._table(), "", *wrapped])

    def _table(self) -> list[str]:
        columns = list(self.rows[0])
        total = {"class": "all"} | {name: sum(row[name] for row in self.rows) for name in columns[1:]}
        width = max(len(row["class"]) for row in [*self.rows, total])
        lines = [{name: name for name in columns}, *self.rows, total]
        return [line["class"].ljust(width) + "".join(f"{line[name]:>12}" for name in columns[1:]) for line in lines]

    def _kinds(self) -> list[str]:
        ordered = sorted(self.sides, key=lambda sides: sides[0] * sides[1])
        least, middle, most = ("{} x {}".format(*ordered[place]) for place in (0, len(ordered) // 2, -1))
        formats = ", ".join(f"{count} {name}" for name, count in sorted(self.formats.items()))
        used = f"{len(self.sides)} of {self.found} files in {shown(self.name)} are used"
        return [f"{used}: {formats}.", f"Sizes from {least} to {most} pixels, {middle} in the middle."]

    def _not_used(self) -> list[str]:
        reasons = defaultdict(list)
        for path, reason in self.skipped:
            reasons[reason].append(path)
        lines = ["", "Not used:"] if reasons else []
        for reason, paths in reasons.items():
            lines += [f"- {shown(path)} {reason}." for path in paths[:LISTED]]
            lines += [f"- {len(paths) - LISTED} more: each {reason}."] if len(paths) > LISTED else []
        return lines

    def _remarks(self) -> list[str]:
        return ["", "Good to know:", *(f"- {note}" for note in self.notes)] if self.notes else []


@dataclass
class FolderFile:
    """One file: where, of which class, in which part (None: to be drawn), why it is not used ("" if it is), how it looks."""

    path: Path
    inside: Path  # the path in the folder
    name: str  # of the class
    part: str | None
    reason: str
    look: Look | None = None
    group: int = -1


def class_name(folder: str) -> str:
    """Return the name of a folder as text that looks the same everywhere: accents in one piece, nothing unprintable."""
    return unicodedata.normalize("NFC", shown(folder))


def report_on(folder: Path, files: list[FolderFile], *, empty: set[str]) -> FolderReport:
    """Return the report on all files that were found; `empty` names classes that may have none."""
    used, skipped = [file for file in files if not file.reason], [file for file in files if file.reason]
    counts = Counter((file.name, "not used" if file.reason else file.part) for file in files)
    names = sorted(({file.name for file in files} | empty) - {NO_CLASS}) + [NO_CLASS] * bool(counts[NO_CLASS, "not used"])
    rows = [{"class": name} | {column: counts[name, column] for column in (*PARTS, "not used")} for name in names]
    groups = defaultdict(list)
    for file in used:
        groups[file.group].append(file)
    alike = [group for group in groups.values() if len(group) > 1]
    return FolderReport(
        name=folder.name or str(folder),
        rows=rows,
        formats=Counter(file.look.picture.format for file in used),
        sides=[file.look.picture.sides for file in used],
        skipped=[(file.inside, file.reason) for file in skipped],
        duplicates=[[file.inside for file in group] for group in alike],
        notes=[*_notes_on_classes(rows), *_notes_on_nesting(used), *_notes_on_groups(alike), *_notes_on_files(used)],
    )


def _notes_on_classes(rows: list[dict]) -> list[str]:
    rows = [row for row in rows if row["class"] != NO_CLASS]
    counts, notes = {row["class"]: sum(row[part] for part in PARTS) for row in rows}, []
    used, without = {name: count for name, count in counts.items() if count}, [name for name in counts if not counts[name]]
    notes += [f"{name} has no picture that can be used, so it is no class." for name in without]
    if len(used) == 1:
        notes.append(f"There is only one class, {next(iter(used))}: nothing can be told apart; add a folder for another.")
    same = defaultdict(list)
    for name in used:
        same[" ".join(name.casefold().split())].append(name)
    notes += [
        f"{' and '.join(names)} differ only in case or spaces, but count as classes." for names in same.values() if names[1:]
    ]
    parts = [part for part in PARTS if any(row[part] for row in rows)]
    for row in rows:
        missing = [part for part in parts if not row[part]]
        if row["class"] in used and missing:
            count = used[row["class"]]
            end = ", so nothing tests it until it has more" * ("test" in missing)
            notes.append(f"{row['class']} has {count} picture{'s' * (count > 1)}, and none in {' and '.join(missing)}{end}.")
    if used and max(used.values()) > 3 * min(used.values()):
        least, most = min(used, key=used.get), max(used, key=used.get)
        notes.append(f"The classes are unbalanced: {most} has {used[most]}, {least} has {used[least]}.")
    return notes


def _notes_on_nesting(used: list[FolderFile]) -> list[str]:
    """Return the hint that a folder too high was given, where it looks like that: one class, which holds only folders."""
    below = {file.inside.parts[:-1] for file in used}
    if len({file.name for file in used}) > 1 or len(below) < 2 or any(len(parts) < 2 for parts in below):
        return []
    return [f"All pictures of {used[0].name} lie in folders below it; if these are the classes, load that folder instead."]


def _notes_on_groups(alike: list[list[FolderFile]]) -> list[str]:
    if not alike:
        return [f"No two pictures look alike. {COPIES}"]
    apart = [group for group in alike if len({file.part for file in group}) > 1]
    mixed = [group for group in alike if len({file.name for file in group}) > 1]
    end = "" if apart else ", and none of them is on two sides"
    others = [group for group in alike if len({(file.part, file.name) for file in group}) == 1]
    notes = [f"{sum(map(len, alike))} pictures look alike, in {len(alike)} group{'s' * (len(alike) > 1)}{end}. {COPIES}"]
    kinds = {"On both sides of the given split": apart, "Alike, but of several classes": mixed, "Alike": others}
    for words, groups in kinds.items():
        notes += [f"{words}: {_listed(group, with_part=groups is apart)}." for group in groups[:LISTED]]
        more = f"{words}: {len(groups) - LISTED} more groups (all are in report.duplicates)."
        notes += [more] if len(groups) > LISTED else []
    return notes


def _notes_on_files(files: list[FolderFile]) -> list[str]:
    remarks = defaultdict(list)
    for file in files:
        for remark in file.look.picture.remarks:
            remarks[remark].append(file)
    return [f"{remark}: {len(group)} ({_listed(group)})." for remark, group in sorted(remarks.items())]


def _listed(files: list[FolderFile], *, with_part: bool = False) -> str:
    names = [shown(file.inside) + (f" ({file.part})" if with_part else "") for file in files]
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
