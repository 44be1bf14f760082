"""Makes `.venv` and installs the workbook in it, or does nothing when that is done already.

`make` runs this file with whichever Python it finds, so it keeps to the standard library and to what Python
3.6 understands: an old Python has to be able to say that it is too old. What pip says goes to
`.venv/install.log`; a person sees one line of progress, or one sentence when something is in the way.
"""

import argparse
import errno
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
VENV_PYTHON = os.path.join(VENV, "bin", "python") if os.name != "nt" else os.path.join(VENV, "Scripts", "python.exe")
STAMP = os.path.join(VENV, "workbook-setup.json")
LOG = os.path.join(VENV, "install.log")
LOCK, GPU_LOCK, PROJECT = "requirements.lock", "requirements-gpu.lock", "pyproject.toml"

SUPPORTED = ((3, 11), (3, 12), (3, 13))
WANTED = "3.11, 3.12 or 3.13"
REMEDY = "Install one, or name it: make lab PYTHON=python3.12"
NAMES = ("python3", "python3.13", "python3.12", "python3.11", "python")
GIGABYTES, GPU_GIGABYTES = 5.0, 13.0  # .venv has 3.2 and 7.6; the rest is for downloads on their way

PROBE = """
import json, os, platform, struct, sys
try:
    import ensurepip, venv
    makes_venvs = True
except ImportError:
    makes_venvs = False
print(json.dumps({
    "version": list(sys.version_info[:3]), "executable": sys.executable, "makes_venvs": makes_venvs,
    "base": os.path.realpath(getattr(sys, "base_prefix", sys.prefix)),
    "kind": platform.python_implementation(), "bits": 8 * struct.calcsize("P"),
}))
"""


class SetupError(Exception):
    """The one sentence that a person reads when the set-up cannot go on."""


# --- Which Python ---


def probe(executable):
    """Returns what a Python says about itself, or None when it does not run (as a pyenv shim may)."""
    command = [executable, "-E", "-s", "-c", PROBE]
    try:
        answer = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, timeout=30
        )
        return json.loads(answer.stdout.decode("utf-8")) if answer.returncode == 0 else None
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def candidates(named):
    """Yields the interpreters to try: the named one alone, or every usual name in every folder of PATH."""
    if named:
        yield shutil.which(os.path.expanduser(named)) or named
        return
    for name in NAMES:
        for folder in os.environ.get("PATH", "").split(os.pathsep):
            found = shutil.which(name, path=folder) if folder else None
            if found and not os.path.abspath(found).startswith(VENV + os.sep):
                yield found


def complaint(python):
    """Returns None for a Python that will do, else (how near it comes, what it lacks in one sentence)."""
    version = ".".join(str(part) for part in python["version"])
    where = f"Python {version} at {python['executable']}"
    if tuple(python["version"][:2]) not in SUPPORTED:
        return 0, f"{where} is not supported: the workbook needs {WANTED}. {REMEDY}"
    if python["kind"] != "CPython" or python["bits"] != 64:
        return (
            0,
            f"{where} is {python['kind']} with {python['bits']} bits: it has to be CPython with 64. {REMEDY}",
        )
    if not python["makes_venvs"]:
        package = f"apt install python{python['version'][0]}.{python['version'][1]}-venv"
        lacks = f"cannot make virtual environments: install its venv module (on Debian and Ubuntu: {package})"
        return 1, f"{where} {lacks}, or name another Python: make lab PYTHON=python3.12"
    return None


def choose_python(named):
    """Returns the first Python that will do; raises SetupError with what the nearest one lacks."""
    complaints, seen = [], set()
    for path in candidates(named):
        python = None if path in seen else probe(path)
        seen.add(path)
        if python is not None:
            lack = complaint(python)
            if lack is None:
                return python
            complaints.append(lack)
    if complaints:
        raise SetupError(max(complaints, key=lambda pair: pair[0])[1])
    if named:
        raise SetupError(f"PYTHON={named} is not a Python that runs: the workbook needs {WANTED}. {REMEDY}")
    raise SetupError(f"No Python was found: the workbook needs {WANTED}. {REMEDY}")


# --- What is there, and what is wanted ---


def has_gpu():
    """Returns True when the driver of an NVIDIA card is loaded (Linux, or Linux under Windows)."""
    cards = "/proc/driver/nvidia/gpus"
    return sys.platform.startswith("linux") and (
        bool(os.path.isdir(cards) and os.listdir(cards))
        or os.path.exists("/dev/nvidia0")
        or (os.path.exists("/dev/dxg") and os.path.exists("/usr/lib/wsl/lib/nvidia-smi"))
    )


def wants_gpu(device, stamp):
    """Returns True when TensorFlow's CUDA libraries are wanted; raises SetupError when no card is there."""
    if device == "gpu" and not (has_gpu() or (sys.platform.startswith("linux") and shutil.which("nvidia-smi"))):
        lacks = "no NVIDIA card with its driver was found on this machine"
        raise SetupError(f"DEVICE=gpu asks for a GPU, but {lacks}: use DEVICE=auto or DEVICE=cpu.")
    return device == "gpu" or bool(stamp.get("gpu")) or (device == "auto" and has_gpu())


def locks(gpu):
    """Returns the names of the requirement files to install."""
    return [LOCK, GPU_LOCK] if gpu else [LOCK]


def digest(python, gpu):
    """Returns the SHA-256 of what decides what is installed: locks, project, Python version."""
    whole = hashlib.sha256(repr(tuple(python["version"])).encode("utf-8"))
    for name in locks(gpu) + [PROJECT]:
        with open(os.path.join(ROOT, name), "rb") as file:
            whole.update(name.encode("utf-8") + b"\0" + hashlib.sha256(file.read()).digest())
    return whole.hexdigest()


def read_stamp():
    """Returns what the last set-up wrote into `.venv`, or an empty dict."""
    try:
        with open(STAMP, encoding="utf-8") as file:
            stamp = json.load(file)
        return stamp if isinstance(stamp, dict) else {}
    except (OSError, ValueError):
        return {}


def write_stamp(stamp):
    """Writes the stamp in one move, so that it is never half written."""
    with open(STAMP + ".part", "w", encoding="utf-8") as file:
        json.dump(stamp, file, indent=1, sort_keys=True)
    os.replace(STAMP + ".part", STAMP)


def is_usable(current, stamp, wanted):
    """Returns True when `.venv` can be kept: it runs, is whole, was made here and by the Python named."""
    if current is None or complaint(current):
        return False
    if wanted and (wanted["base"], wanted["version"][:2]) != (current["base"], current["version"][:2]):
        return False
    if stamp:
        return stamp.get("complete") is True and stamp.get("path") == os.path.realpath(VENV)
    try:  # made by hand: good, unless it was moved here
        with open(os.path.join(os.path.dirname(VENV_PYTHON), "activate"), encoding="utf-8") as file:
            return VENV in file.read()
    except OSError:
        return False


# --- Doing it ---


def check_space(needed):
    """Raises SetupError when fewer than `needed` gigabytes are free."""
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < needed:
        raise SetupError(f"The disk is too full: {free:.1f} GB are free in {ROOT} and about {needed:.0f} are needed.")


def make_venv(python, stamp, needed):
    """Makes an empty `.venv` in place of what may be there, marked as unfinished from the start."""
    known = os.path.exists(os.path.join(VENV, "pyvenv.cfg")) or read_stamp()
    if os.path.isdir(VENV) and os.listdir(VENV) and not known:
        raise SetupError(f"{VENV} is in the way and is no virtual environment: move it away and try again.")
    if os.path.islink(VENV) or os.path.isfile(VENV):
        os.unlink(VENV)
    shutil.rmtree(VENV, ignore_errors=True)
    check_space(needed)
    os.makedirs(VENV, exist_ok=True)
    write_stamp(stamp)
    with open(LOG, "wb") as log:
        command = [python["executable"], "-E", "-s", "-m", "venv", VENV]
        code = subprocess.call(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT)
    if code:
        raise SetupError(explain(read_log(), code, python, LOCK))


def pip_environment():
    """Returns the environment for pip: a person's index settings stay, what would install elsewhere goes."""
    away = ("PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIREMENT")
    kept = {name: value for name, value in os.environ.items() if name not in away}
    kept.update(PIP_USER="0", PIP_NO_INPUT="1", PIP_DISABLE_PIP_VERSION_CHECK="1", PYTHONNOUSERSITE="1")
    return kept


def pip(arguments, progress):
    """Runs `pip install` in `.venv`, all that it says in the log; returns its exit code."""
    command = [VENV_PYTHON, "-m", "pip", "install", "--progress-bar", "off"] + arguments
    with open(LOG, "ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT, env=pip_environment()
        )
        try:
            while process.poll() is None:
                progress.show()
                time.sleep(0.2)
        except BaseException:
            process.terminate()
            process.wait()
            raise
    return process.returncode


def install(python, stamp, progress):
    """Installs the locks and then the project; raises SetupError with the likely cause when pip fails."""
    names = locks(stamp["gpu"])
    files = [argument for name in names for argument in ("-r", name)]
    code = pip(["--require-hashes", "--no-deps"] + files, progress)
    if not code:
        write_stamp(dict(stamp, previous={}, digest="", complete=True))  # whole, but the project is still to come
        code = pip(["--no-index", "--no-deps", "--no-build-isolation", "-e", "."], progress)
    elif "Installing collected packages" not in read_log():
        restore(stamp)  # pip stopped before it changed anything: what was there is still whole
    if code:
        raise SetupError(explain(read_log(), code, python, " or ".join(names)))


def restore(stamp):
    """Puts back the stamp of the set-up before this one, or none where there was none."""
    if stamp.get("previous"):
        write_stamp(stamp["previous"])
    else:
        os.unlink(STAMP)


def set_up(arguments):
    """Brings `.venv` to what the locks say; returns at once when it is there already."""
    wanted = choose_python(arguments.python) if arguments.python else None
    stamp, current = read_stamp(), probe(VENV_PYTHON) if os.path.exists(VENV_PYTHON) else None
    gpu, usable = wants_gpu(arguments.device, stamp), is_usable(current, stamp, wanted)
    if usable and stamp.get("digest") == digest(current, gpu):
        return
    python = current if usable else wanted or choose_python("")
    new = {"digest": digest(python, gpu), "gpu": gpu, "path": os.path.realpath(VENV), "complete": False}
    if usable:
        write_stamp(dict(new, previous=stamp))
        open(LOG, "wb").close()
    else:
        make_venv(python, new, arguments.needs_gb or (GPU_GIGABYTES if gpu else GIGABYTES))
    with Progress(count_packages(locks(gpu)), fresh=not usable) as progress:
        install(python, dict(new, previous=stamp if usable else {}), progress)
        write_stamp(dict(new, complete=True))
    version = ".".join(str(part) for part in python["version"])
    print(f"The environment is ready: Python {version} in .venv, after {progress.elapsed()} minutes.")


def alone():
    """Waits until no other set-up works on this folder; the place is held until the program ends."""
    if fcntl is None:
        return
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            print("Another set-up is at work in this folder: waiting for it ...", flush=True)
            fcntl.flock(folder, fcntl.LOCK_EX)


# --- What a person sees ---


class Progress:
    """One line that is rewritten on a terminal, and silence in between where there is none (CI, a file)."""

    def __init__(self, total, fresh):
        self.total, self.started, self.live = total, time.time(), sys.stdout.isatty()
        self.intent = f"Installing {total} packages into .venv: some minutes, this once."
        if not fresh:
            self.intent = f"Bringing the {total} packages in .venv up to date."

    def __enter__(self):
        print(self.intent, flush=True)
        return self

    def __exit__(self, *_):
        if self.live:
            print("\r\033[K", end="", flush=True)

    def elapsed(self):
        return "{}:{:02d}".format(*divmod(int(time.time() - self.started), 60))

    def show(self):
        if self.live:
            line = f"  {self.elapsed()}  {self.phase(read_log())}"
            print("\r\033[K" + line[: shutil.get_terminal_size().columns - 1], end="", flush=True)

    def phase(self, log):
        """Returns what pip is at, judged by its log and by what has arrived in `.venv`."""
        if "Installing collected packages" in log:
            return f"unpacking: {min(count_installed(), self.total)} of {self.total} packages"
        met = re.findall(r"^(?:Collecting|Processing|Requirement already satisfied:) (\S+)", log, re.MULTILINE)
        name = os.path.basename(met[-1]).partition("==")[0].partition("-")[0] if met else "..."
        slow = "; the package index is slow to answer" if "Retrying (" in log[-2000:] else ""
        return f"fetching: {len(met)} of {self.total} packages ({name}){slow}"


def count_installed():
    """Returns how many packages are in `.venv`."""
    library = os.path.join(VENV, "lib")
    folders = [os.path.join(library, name, "site-packages") for name in os.listdir(library)]
    names = [name for folder in folders if os.path.isdir(folder) for name in os.listdir(folder)]
    return sum(name.endswith(".dist-info") for name in names)


def count_packages(names):
    """Returns how many packages the locks pin, each counted once whatever its markers."""
    found = set()
    for name in names:
        with open(os.path.join(ROOT, name), encoding="utf-8") as file:
            found.update(re.findall(r"^([A-Za-z0-9][\w.-]*)==", file.read(), re.MULTILINE))
    return len(found)


def read_log():
    """Returns what pip has said so far."""
    try:
        with open(LOG, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


NO_SPACE = re.compile(r"No space left on device|Errno 28\b|Disk quota exceeded|Errno 122\b")
BAD_HASH = re.compile(r"DO NOT MATCH THE HASHES[^\n]*\n\s+(\S+)")
NO_WRITE = re.compile(r"Read-only file system|Errno 30\b|Permission denied|Errno 13\b")
NO_TRUST = re.compile(r"CERTIFICATE_VERIFY_FAILED|SSLError|SSLCertVerificationError|not a trusted or secure host")
NO_NETWORK = re.compile(
    r"Retrying \(|Max retries exceeded|ConnectionError|Connection (?:refused|reset|aborted|broken)|timed out|"
    r"TimeoutError|IncompleteRead|ProxyError|name resolution|Name or service not known|"
    r"[Nn]etwork is unreachable|HTTP error 5\d\d"
)
NOT_THERE = re.compile(r"No matching distribution found for ([^\s;]+)")


def explain(log, code, python, lock):
    """Returns one sentence that names the likely cause of a failed installation, and where to read more."""
    return f"{cause(log, code, python, lock)} All that pip said is in {LOG}"


def cause(log, code, python, lock):
    """Returns the likely cause, the surest signs first."""
    bad, missing = BAD_HASH.search(log), NOT_THERE.search(log)
    if NO_SPACE.search(log):
        return "The disk got full while installing: free some space, or let TMPDIR name a roomier folder."
    if bad:
        other = "the package index, a proxy or a cache handed out another file, and it was not installed"
        return f"{bad.group(1)} does not match its hash in {lock}: {other}."
    if NO_WRITE.search(log):
        return "pip may not write to a folder that it needs (.venv, its cache or the temporary folder)."
    if NO_TRUST.search(log):
        ways = "PIP_CERT can name your network's certificates, PIP_TRUSTED_HOST an index without https"
        return f"pip does not trust the package index: {ways}."
    if NO_NETWORK.search(log):
        return "No package index could be reached: check the network, the proxy and `pip config list`."
    if missing:
        minor = ".".join(str(part) for part in python["version"][:2])
        here = f"Python {minor} on {platform.system()} {platform.machine()}"
        return f"The package index has no {missing.group(1)} for {here}."
    errors = re.findall(r"^(?:ERROR|Error): (.+)$", log, re.MULTILINE)
    return f"pip failed with exit code {code}" + (f": {errors[-1].rstrip('.')}." if errors else ".")


def main():
    """Returns the exit code: 0 when the environment is ready, 1 after one sentence on what is in the way."""
    parser = argparse.ArgumentParser(description="Make .venv and install the workbook in it.")
    parser.add_argument("--python", default="", help="the Python to make it with (default: the first fit one)")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "gpu"), help="gpu adds CUDA")
    parser.add_argument("--needs-gb", type=float, default=0, help="the free disk space to insist on")
    arguments = parser.parse_args()
    try:
        alone()
        set_up(arguments)
        return 0
    except SetupError as error:
        message = str(error)
    except KeyboardInterrupt:
        message = "interrupted; the next run starts afresh."
    except OSError as error:
        where = error.filename or ROOT
        message = f"{where} cannot be written ({error.strerror or error}): use a folder of your own."
    print(f"Set-up stopped: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
