"""Which exercises a learner has solved, kept from one day to the next in one small SQLite file on this computer.

The file is `learner.sqlite` in the cache folder of the workbook, or the one that the variable WORKBOOK_LEARNER_FILE
names. Nothing of it leaves the computer, and where it cannot be written the course works without it.
"""

import contextlib
import datetime
import json
import logging
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

log = logging.getLogger(__name__)
RECORD = "INSERT OR IGNORE INTO solved VALUES (?, ?, ?)"  # the first day stays


def progress_file() -> Path:
    """Return where the progress is kept; the file need not exist. A name that ends in .json gets .sqlite for it."""
    if named := os.environ.get("WORKBOOK_LEARNER_FILE"):
        path = Path(named).expanduser().resolve()
        return path.with_suffix(".sqlite") if path.suffix == ".json" else path
    from helpers._machinery.downloads import cache_folder

    return cache_folder() / "learner.sqlite"


def record_solved(topic: str, exercise: str) -> None:
    """Remember that an exercise of a topic is solved since today, or earlier; never raises, whatever happens."""
    _ask(RECORD, topic, exercise, datetime.date.today().isoformat())


def load_solved() -> tuple[dict[tuple[str, str], str], str]:
    """Return the day of each solved (topic, exercise), and a notice for the learner if a damaged file was put aside."""
    rows, notice = _ask("SELECT topic, exercise, day FROM solved")
    return {(topic, exercise): day for topic, exercise, day in rows}, notice


def _ask(question: str, *values: str) -> tuple[list[tuple[str, ...]], str]:
    """Return the rows that the database answers with, none where there can be no database, and a notice."""
    try:
        path = progress_file()
        with _database(path) as database:
            return database.execute(question, values).fetchall(), ""
    except Exception as error:  # a read-only folder, a full disk, a lock that stays: the course goes on
        if type(error) is not sqlite3.DatabaseError:
            log.debug("The progress was not read or written: %s", error)
            return [], ""
    aside = path.with_name(f"{path.stem}-damaged-{datetime.datetime.now():%Y%m%d-%H%M%S-%f}{path.suffix}")
    text = f"Your progress could not be read and begins anew. The old file is kept as {aside.name}, in the same folder."
    with contextlib.suppress(OSError):  # another notebook has done it, or the folder is read-only
        path.replace(aside)
        log.warning(text)
        return _ask(question, *values)[0], text
    return [], ""


@contextlib.contextmanager
def _database(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the database, made anew where there is none; all that is done with it is written, or nothing of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(path, timeout=10)) as database, database:  # seconds, while another writes
        if not database.execute("SELECT name FROM sqlite_master").fetchone():
            database.execute("BEGIN IMMEDIATE")
            database.execute("CREATE TABLE IF NOT EXISTS solved (topic, exercise, day, PRIMARY KEY (topic, exercise))")
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
                topics = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["solved"]
                rows = [(topic, name, str(day)) for topic, days in topics.items() for name, day in days.items()]
                database.executemany(RECORD, rows)  # what the first version of the course kept
        yield database
