"""The room in which a learner's code runs, with no network and nothing of the disk but Python and the course.

Of the project it sees `helpers`, the visible checks and the weights of VGG16, and not the hidden checks, the submissions or
the grade book. Its folder is a small disk in memory that is gone afterwards. Nothing goes out of it but the messages of the
kernel.
"""

import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from traitlets import Dict, Instance

from helpers._machinery.weights import ASSETS

ROOT = Path(__file__).resolve().parents[1]
LEARNERS = ROOT / ".venv"  # what a learner has, and so neither nbgrader nor what it brings along
PREFIX = LEARNERS if (LEARNERS / "bin" / "python").exists() else Path(sys.prefix)
WORK, COURSE = "/assignment", "/course"  # where the code runs, and where it finds helpers
DISKS = ("/dev/shm", "/tmp", WORK)  # in memory
DISK, FILE, MEMORY, PROCESSES = 256_000_000, 64_000_000, 6 << 30, 256
NO_WEIGHTS = "No submission was graded: VGG16's weights are missing. `.venv/bin/python -m helpers weights` fetches them."
IMAGE, LONGEST = "workbook-sandbox", 4 * 3600  # seconds after which a container that everybody has forgotten ends by itself
PROGRAMS = {"bubblewrap": "bwrap", "podman": "podman", "docker": "docker"}
SYSTEM = ("/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts")
ENVIRONMENT = {
    "HOME": "/tmp",
    "IPYTHONDIR": "/tmp/ipython",
    "LANG": "C.UTF-8",
    "MPLCONFIGDIR": "/tmp/matplotlib",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONPATH": COURSE,
    "WORKBOOK_LEARNER_FILE": "/tmp/learner.sqlite",
}
REMEDY = "No submission was graded: the code of others does not run on this machine without a sandbox."

ADVICE = {
    "bubblewrap": "are user namespaces allowed for your account? With --sandbox podman or docker a container does it.",
    "podman": "does `podman run` work for your account?",
    "docker": "does the daemon run, and may your account use it?",
}


class SandboxError(RuntimeError):
    """Why there is no sandbox here, in one sentence."""


@functools.cache
def require() -> None:
    """Raise `SandboxError` unless a sandbox can be made here; return nothing."""
    kind = chosen()
    if not shutil.which(PROGRAMS[kind]):
        package = "docker.io" if kind == "docker" else kind
        raise SandboxError(f"{REMEDY} Install {kind} (Debian and Ubuntu: apt install {package}).")
    if kind != "bubblewrap":
        _make_image(kind)
    with tempfile.TemporaryDirectory(prefix="wb-") as run:
        probe = [*command(Path(run), {}), f"{PREFIX}/bin/python", "-c", "import helpers, ipykernel, numpy"]
        answer = subprocess.run(probe, capture_output=True, text=True, timeout=120)
    if answer.returncode:
        lines = answer.stderr.strip().splitlines() or ["without a word"]
        said = next((line for line in lines if re.search("cannot|error|denied", line, re.IGNORECASE)), lines[-1])
        raise SandboxError(f"{REMEDY} {kind} cannot make one ({said}): {ADVICE[kind]}")


def require_weights(unit: str) -> None:
    """Raise `SandboxError` if a unit uses VGG16 and its weights are not on this machine: a sandbox cannot fetch them."""
    source = ROOT / "assignments" / "source" / f"{unit}.py"
    if "load_vgg16(" in source.read_text(encoding="utf-8") and not ASSETS["imagenet"].path.exists():
        raise SandboxError(NO_WEIGHTS)


def chosen() -> str:
    """Return which program makes the sandbox: bubblewrap, or what WORKBOOK_SANDBOX names."""
    kind = os.environ.get("WORKBOOK_SANDBOX") or "bubblewrap"
    if kind not in PROGRAMS:
        raise SandboxError(f"{REMEDY} There is no sandbox {kind!r}: choose {', '.join(PROGRAMS)}.")
    return kind


def command(run: Path, files: dict[str, Path]) -> list[str]:
    """Return the beginning of a command that runs in the sandbox.

    `run` is the folder of the kernel's sockets, the only one that both sides write; `files` are readable, by name.
    """
    weights = {asset.variable: asset.path for asset in ASSETS.values() if asset.path.exists()}  # verified at every load
    pythons = [PREFIX, Path(sys.base_prefix)]
    parts = map(Path, ("/usr", *SYSTEM, *map(Path.resolve, pythons), *pythons))
    shown = {str(path): path for path in parts if path.exists()}
    shown |= {f"/weights/{path.name}": path for path in weights.values()} | {f"{COURSE}/helpers": ROOT / "helpers"}
    shown |= {f"{WORK}/{name}": path for name, path in files.items()}
    environment = ENVIRONMENT | {"PATH": f"{PREFIX}/bin:/usr/bin", "JUPYTER_RUNTIME_DIR": str(run)}
    environment |= {variable: f"/weights/{path.name}" for variable, path in weights.items()}
    make = _bubblewrap if chosen() == "bubblewrap" else functools.partial(_container, chosen())
    return [*make(run, shown, environment), "prlimit", f"--as={MEMORY}", f"--fsize={FILE}", "--core=0"]


def _bubblewrap(run: Path, shown: dict[str, Path], environment: dict[str, str]) -> list[str]:
    binds = [("--size", DISK, "--tmpfs", folder) for folder in DISKS]
    binds = [("--proc", "/proc"), ("--dev", "/dev"), *binds]
    binds += [("--ro-bind", path, place) for place, path in shown.items()] + [("--bind", run, run)]
    binds += [("--setenv", name, value) for name, value in environment.items()]
    apart = ["--unshare-all", "--die-with-parent", "--new-session", "--uid", "65534", "--gid", "65534", "--clearenv"]
    closed = ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", WORK]
    inside = [str(part) for bind in binds for part in bind]
    return ["bwrap", *apart, *inside, *closed, "prlimit", f"--nproc={PROCESSES}"]


def _container(engine: str, run: Path, shown: dict[str, Path], environment: dict[str, str]) -> list[str]:
    """Return the same room as a container; its image is empty, so nothing is fetched: all is this machine's, read-only."""
    user = [f"--user={os.getuid()}:{os.getgid()}"] + (["--userns=keep-id"] if engine == "podman" and os.getuid() else [])
    apart = ["--network=none", "--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", "--env=HOSTNAME=room"]
    limits = [f"--pids-limit={PROCESSES}", f"--memory={MEMORY}", f"--memory-swap={MEMORY}", f"--shm-size={DISK}"]
    limits += ["--stop-timeout=0", "--ulimit=nofile=1024:1024", "--ulimit=nproc=4096:4096"]
    limits += [f"--tmpfs={folder}:rw,size={DISK},mode=1777" for folder in DISKS if folder != "/dev/shm"]
    binds = [f"--volume={path}:{place}:ro" for place, path in shown.items()] + [f"--volume={run}:{run}:rw"]
    told = [f"--env={name}={value}" for name, value in environment.items()]
    names = ["--rm", f"--label={IMAGE}", f"--name={_name(run)}"]
    inside = ["timeout", "--signal=KILL", str(LONGEST)]
    return [engine, "run", *names, *user, *apart, *limits, *binds, *told, f"--workdir={WORK}", IMAGE, *inside]


def _make_image(engine: str) -> None:
    """Make the empty image unless it is there; whatever goes wrong shows in the first container."""
    if subprocess.run([engine, "image", "inspect", IMAGE], capture_output=True).returncode:
        subprocess.run([engine, "import", "-", IMAGE], input=bytes(10_240), capture_output=True)  # a tar with no file


def _name(folder: Path) -> str:
    return re.sub(r"[^a-zA-Z0-9_.]+", "-", str(folder)).strip("-")


def end(folder: Path) -> None:
    """End the containers whose kernels talk through a folder, or one in it, if any outlived who started them.

    bubblewrap leaves none.
    """
    if (engine := chosen()) == "bubblewrap":
        return
    found = subprocess.run([engine, "ps", "-aq", f"--filter=name=^{_name(folder)}"], capture_output=True, text=True)
    if names := found.stdout.split():
        subprocess.run([engine, "rm", "--force", *names], capture_output=True)


class Kernels(KernelSpecManager):
    """What Jupyter asks for kernels: whatever the name, it gets one in a sandbox."""

    run, files = Instance(Path), Dict()

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return the description of a kernel in a sandbox with this folder for its sockets, and these files."""
        argv = [
            *command(self.run, self.files),
            f"{PREFIX}/bin/python",
            "-m",
            "ipykernel_launcher",
            "-f",
            "{connection_file}",
        ]
        return KernelSpec(argv=argv, display_name="Sandboxed Python 3", language="python", interrupt_mode="message")
