"""nbgrader's Formgrader on this machine, without JupyterLab: the page on which a person marks by hand."""

import os
import subprocess
import sys
from pathlib import Path

from assignments.hub import enclosure

OTHERS = ("assignment_list", "course_list", "validate_assignment")
EXTENSIONS = {"nbgrader.server_extensions.formgrader": True, "jupyterlab": False, "notebook": False, "jupyter_lsp": False}
EXTENSIONS |= {f"nbgrader.server_extensions.{name}": False for name in OTHERS}


def serve(course: Path, *more: str, browser: bool = True) -> int:
    """Return the exit code of the server, which opens the Formgrader in a browser and runs until Ctrl+C.

    It answers on this machine only, and to nobody who does not have its token.
    """
    if not (course / "gradebook.db").exists():
        raise SystemExit(f"There is no grade book in {course}: give --out the folder that `grade` wrote.")
    command = [sys.executable, "-m", "jupyter_server", "--ServerApp.ip=127.0.0.1", f"--ServerApp.root_dir={course}"]
    command += ["--ServerApp.default_url=/formgrader/gradebook", f"--ServerApp.open_browser={browser}"]
    command += [f"--ServerApp.jpserver_extensions={EXTENSIONS}", "--ServerApp.terminals_enabled=False"]
    command += [f"--Exchange.root={course}"]  # there is none here, and nbgrader would complain
    command += ["--allow-root"] if os.geteuid() == 0 else []
    shared = os.pathsep.join(str(prefix / "share" / "jupyter") for prefix in enclosure.prefixes())
    try:
        return subprocess.run([*command, *more], cwd=course, env=os.environ | {"JUPYTER_PATH": shared}).returncode
    except KeyboardInterrupt:
        return 0
