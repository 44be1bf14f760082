"""The room in which a learner's code runs: bubblewrap, with no network and nothing of the disk but Python and the course.

Of the project it sees `helpers`, the visible checks and the weights of VGG16, and not the hidden checks, the submissions or
the grade book. Its folder is a small disk in memory that is gone afterwards. Nothing goes out of it but the messages of the
kernel.
"""

import functools
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
DISK, FILE, MEMORY, PROCESSES = 256_000_000, 64_000_000, 6 << 30, 256
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


class SandboxError(RuntimeError):
    """Why there is no sandbox here, in one sentence."""


@functools.cache
def require() -> None:
    """Raise `SandboxError` unless a sandbox can be made here; return nothing."""
    if not shutil.which("bwrap"):
        raise SandboxError(f"{REMEDY} Install bubblewrap (Debian and Ubuntu: apt install bubblewrap).")
    with tempfile.TemporaryDirectory() as run:
        probe = [*command(Path(run), {}), f"{PREFIX}/bin/python", "-c", "import helpers, ipykernel, numpy"]
        answer = subprocess.run(probe, capture_output=True, text=True, timeout=120)
    if answer.returncode:
        said = (answer.stderr.strip().splitlines() or ["without a word"])[-1]
        raise SandboxError(f"{REMEDY} bubblewrap cannot make one ({said}): are user namespaces allowed for your account?")


def command(run: Path, files: dict[str, Path]) -> list[str]:
    """Return the beginning of a command that runs in the sandbox.

    `run` is the folder of the kernel's sockets, the only one that both sides write; `files` are readable, by name.
    """
    shown = [PREFIX, Path(sys.base_prefix)]
    binds = [("--ro-bind", "/usr", "/usr"), *(("--ro-bind-try", path, path) for path in SYSTEM)]
    binds += [("--proc", "/proc"), ("--dev", "/dev")]
    binds += [("--size", DISK, "--tmpfs", folder) for folder in ("/dev/shm", "/tmp", WORK)]
    binds += [("--ro-bind-try", path, path) for path in dict.fromkeys(map(str, (*map(Path.resolve, shown), *shown)))]
    binds += [("--ro-bind", ROOT / "helpers", f"{COURSE}/helpers"), ("--bind", run, run)]
    binds += [("--ro-bind", path, f"{WORK}/{name}") for name, path in files.items()]
    for asset in ASSETS.values():  # VGG16's weights, which helpers verifies whenever it reads them
        place = f"/weights/{asset.path.name}"
        binds += [("--ro-bind-try", asset.path, place), ("--setenv", asset.variable, place)] if asset.path.exists() else []
    binds += [("--setenv", name, value) for name, value in ENVIRONMENT.items()]
    binds += [("--setenv", "PATH", f"{PREFIX}/bin:/usr/bin"), ("--setenv", "JUPYTER_RUNTIME_DIR", run)]
    apart = ["--unshare-all", "--die-with-parent", "--new-session", "--uid", "65534", "--gid", "65534", "--clearenv"]
    limits = [f"--as={MEMORY}", f"--nproc={PROCESSES}", f"--fsize={FILE}", "--core=0"]
    inside = [str(part) for bind in binds for part in bind]
    return ["bwrap", *apart, *inside, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", WORK, "prlimit", *limits]


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
