"""The same room as a container of Podman or Docker, for machines where an account may not make namespaces.

Its image is empty: programs and packages are those of this machine, read-only, so nothing is fetched and nothing differs.
"""

import os
import subprocess
from pathlib import Path

IMAGE = "workbook-sandbox"
LONGEST = 4 * 3600  # seconds after which a container that everybody has forgotten ends by itself


def make_image(engine: str) -> None:
    """Make the empty image unless it is there; whatever goes wrong shows in the first container."""
    if subprocess.run([engine, "image", "inspect", IMAGE], capture_output=True).returncode:
        subprocess.run([engine, "import", "-", IMAGE], input=bytes(10_240), capture_output=True)  # a tar with no file


def command(engine: str, run: Path, shown: dict[str, Path], environment: dict[str, str]) -> list[str]:
    """Return the beginning of a command in a container that sees what is shown, by its place, and writes to `run`."""
    from assignments.sandbox import DISK, DISKS, MEMORY, PROCESSES, WORK

    user = [f"--user={os.getuid()}:{os.getgid()}"]
    apart = ["--network=none", "--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", "--env=HOSTNAME=room"]
    limits = [f"--pids-limit={PROCESSES}", f"--memory={MEMORY}", f"--memory-swap={MEMORY}", f"--shm-size={DISK}"]
    limits += ["--stop-timeout=0", "--ulimit=nofile=1024:1024", "--ulimit=nproc=4096:4096"]
    limits += [f"--tmpfs={folder}:rw,size={DISK},mode=1777" for folder in DISKS if folder != "/dev/shm"]
    binds = [f"--volume={path}:{place}:ro" for place, path in shown.items()] + [f"--volume={run}:{run}:rw"]
    told = [f"--env={name}={value}" for name, value in environment.items()]
    names = ["--rm", f"--name={run.parent.name}-{run.name}", f"--label={IMAGE}={run.parent.name}"]
    rootless = ["--userns=keep-id"] if engine == "podman" and os.getuid() else []
    inside = ["timeout", "--signal=KILL", str(LONGEST)]
    return [engine, "run", *names, *user, *rootless, *apart, *limits, *binds, *told, f"--workdir={WORK}", IMAGE, *inside]


def end(engine: str, room: str) -> None:
    """End every container whose kernel's folder is, or was, in the room of this name."""
    found = subprocess.run([engine, "ps", "-aq", f"--filter=label={IMAGE}={room}"], capture_output=True, text=True)
    if names := found.stdout.split():
        subprocess.run([engine, "rm", "--force", *names], capture_output=True)
