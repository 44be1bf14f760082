"""A classroom for a rehearsal: a JupyterHub with a teacher and students, whose every file lies in one folder."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from . import enclosure

HERE = Path(__file__).resolve().parent
COURSE = "workbook"
FIRST_UID = 61_000  # beyond the people of a machine, below the accounts that systemd makes up
START_LIMIT = 180  # seconds; a busy machine takes its time
OF_OURS = ("JUPYTER", "PYTHON", "PYTEST")  # variables that would lead a hub astray


def free_ports(count: int) -> tuple[int, ...]:
    """Return numbers of ports that nobody uses at this moment."""
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return tuple(listener.getsockname()[1] for listener in listeners)


@dataclasses.dataclass(frozen=True)
class Classroom:
    """Who is there, and in which folder; with `accounts`, for which we have to be root, each has a Linux account."""

    folder: Path
    accounts: bool = False
    teacher: str = "teacher"
    students: tuple[str, ...] = ("student1", "student2")
    lab_arguments: tuple[str, ...] = ()
    ports: tuple[int, ...] = dataclasses.field(default_factory=lambda: free_ports(3))
    password: str = dataclasses.field(default_factory=lambda: secrets.token_hex(8))

    @property
    def url(self) -> str:
        """Where the hub answers: on this machine only."""
        return f"http://127.0.0.1:{self.ports[0]}"

    @property
    def people(self) -> tuple[str, ...]:
        """Everybody who may log in, the teacher first."""
        return (self.teacher, *self.students)

    @property
    def out(self) -> Path:
        """Where the teacher's grade book, reports and pages are: what `python -m assignments grade` calls --out."""
        return self.home(self.teacher) / "class"

    @property
    def log(self) -> Path:
        """What hub, proxy and servers say."""
        return self.folder / "hub" / "hub.log"

    def home(self, name: str) -> Path:
        """Return somebody's home folder."""
        return self.folder / "home" / name

    def uid(self, name: str) -> int:
        """Return the number of the account that somebody works under."""
        if os.geteuid():
            return os.geteuid()
        return FIRST_UID + (self.people.index(name) if self.accounts else 0)

    def environment(self, name: str) -> dict[str, str]:
        """Return what the programs of one person find in their environment."""
        taught = name == self.teacher
        prefixes = enclosure.prefixes()
        settings = [self.folder / "settings" / part for part in ("teacher" if taught else "student", "everyone")]
        lab = next(prefix / "share/jupyter/lab" for prefix in prefixes if (prefix / "share/jupyter/lab/static").is_dir())
        return {
            "JUPYTER_CONFIG_PATH": os.pathsep.join(map(str, [*settings, *(prefix / "etc/jupyter" for prefix in prefixes)])),
            "JUPYTER_PATH": os.pathsep.join(str(prefix / "share/jupyter") for prefix in prefixes),
            "JUPYTERLAB_DIR": str(lab),
            "OPENBLAS_NUM_THREADS": "1",
            "PYTHONPATH": str(self.home(name) / "workbook" if taught else enclosure.ROOT),
            "WORKBOOK_COURSE": COURSE,
            "WORKBOOK_COURSE_FOLDER": str(self.out / "course") if taught else "",
            "WORKBOOK_EXCHANGE": str(self.folder / "exchange"),
            "WORKBOOK_STUDENT": "" if taught else name,
        }


@contextlib.contextmanager
def folder_for_a_while() -> Iterator[Path]:
    """Give a folder that is gone afterwards, as are those of earlier rehearsals that somebody killed."""
    for old in Path(tempfile.gettempdir()).glob("classroom-*-*"):
        if not enclosure.is_alive(int(old.name.split("-")[1])) and old.stat().st_uid == os.geteuid():
            shutil.rmtree(old)
    with tempfile.TemporaryDirectory(prefix=f"classroom-{os.getpid()}-") as name:
        yield Path(name)


def prepare(room: Classroom) -> None:
    """Lay out the folders and settings of a rehearsal, each with its owner."""
    for part in ("hub", "exchange", "home"):
        (room.folder / part).mkdir(parents=True, exist_ok=True)
    shutil.copytree(HERE / "settings", room.folder / "settings", dirs_exist_ok=True)
    shutil.copyfile(HERE / "jupyterhub_config.py", room.folder / "hub" / "jupyterhub_config.py")
    for name in room.people:
        room.home(name).mkdir(exist_ok=True)
        room.home(name).chmod(0o700)
    (room.out / "course").mkdir(parents=True, exist_ok=True)
    _clone(room.home(room.teacher) / "workbook")
    _write_users(room)
    facts = dataclasses.asdict(room) | {"python": enclosure.python(), "proxy": enclosure.proxy(), "people": room.people}
    facts["environment"] = {name: room.environment(name) for name in room.people}
    (room.folder / "hub" / "classroom.json").write_text(json.dumps(facts, default=str))
    _give_away(room)
    for part, mode in {".": 0o755, "hub": 0o700, "exchange": 0o777}.items():
        (room.folder / part).chmod(mode)


def _clone(folder: Path) -> None:
    """Give the teacher a copy of the project, as far as a class needs it."""
    for part in ("assignments", "helpers"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(enclosure.ROOT / part, folder / part, dirs_exist_ok=True, ignore=ignored)
    if (enclosure.ROOT / ".venv").exists() and not (folder / ".venv").exists():
        (folder / ".venv").symlink_to((enclosure.ROOT / ".venv").resolve())


def _give_away(room: Classroom) -> None:
    """Make everybody the owner of their home folder, where we are root, and of the hub's files where the hub is not."""
    if os.geteuid() == 0:
        folders = {room.home(name): room.uid(name) for name in room.people}
        folders |= {} if room.accounts else {room.folder / "hub": FIRST_UID}
        for folder, uid in folders.items():
            for path in (folder, *folder.rglob("*")):
                os.chown(path, uid, uid, follow_symlinks=False)


def _write_users(room: Classroom) -> None:
    """Write the list of users and of groups that the hub sees: those of the machine, and those of the classroom."""
    accounts = {room.uid(name): name for name in reversed(room.people)}
    users = [f"{name}:x:{uid}:{uid}::{room.home(name)}:/bin/bash" for uid, name in accounts.items()]
    groups = [f"{name}:x:{uid}:" for uid, name in accounts.items()]
    for file, lines in {"passwd": users, "group": groups}.items():
        known = Path("/etc", file).read_text().splitlines()
        (room.folder / "hub" / file).write_text("\n".join([*known, *lines, ""]))


def run_as(room: Classroom, name: str, *command: str | Path, limit: int = 300) -> subprocess.CompletedProcess:
    """Return how a command of somebody ended, who sees what they would see in a terminal of theirs, and no more."""
    own = {"HOME": room.home(name), "USER": name, "LANG": "C.UTF-8", "PATH": _path()}
    variables = [f"{key}={value}" for key, value in (own | room.environment(name)).items()]
    before = enclosure.namespaces(*enclosure.bindings(room.folder), uid=room.uid(name))
    whole = [*before, "env", "-i", f"--chdir={room.home(name)}", *variables, *map(str, command)]
    return subprocess.run(whole, capture_output=True, text=True, timeout=limit, stdin=subprocess.DEVNULL)


def _path() -> str:
    return f"{enclosure.python().parent}{os.pathsep}{os.environ['PATH']}"


@contextlib.contextmanager
def running(room: Classroom) -> Iterator[Classroom]:
    """Run the hub of a classroom that was prepared until it answers; end it and all its processes afterwards."""
    hub = [enclosure.python(), "-m", "jupyterhub", "--config", room.folder / "hub" / "jupyterhub_config.py"]
    before = enclosure.namespaces(*enclosure.bindings(room.folder), uid=0 if room.accounts else FIRST_UID)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OF_OURS)}
    kept |= {"PATH": _path(), "HOME": str(room.folder / "hub"), "LANG": "C.UTF-8"}
    with room.log.open("w") as log:
        said = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
        process = subprocess.Popen([*before, *map(str, hub)], cwd=room.folder, env=kept, start_new_session=True, **said)
    try:
        _wait(room, process)
        yield room
    finally:
        inside = enclosure.members(process.pid)
        process.send_signal(signal.SIGKILL)  # and the kernel ends what is in its namespace
        process.wait()
        while any(map(enclosure.is_alive, inside)):
            time.sleep(0.05)


def _wait(room: Classroom, process: subprocess.Popen) -> None:
    end = time.monotonic() + START_LIMIT
    while True:
        try:
            with urllib.request.urlopen(f"{room.url}/hub/api/", timeout=10):
                return
        except OSError:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"the hub did not start:\n{room.log.read_text()[-3000:]}") from None
            time.sleep(0.2)
