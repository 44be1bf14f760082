"""The hub of a rehearsal: on this machine only, one password for all, settings by role. `classroom.py` says who is there."""

import json
from pathlib import Path

HUB = Path(__file__).resolve().parent
ROOM = json.loads((HUB / "classroom.json").read_text())
PORT, PROXY_PORT, HUB_PORT = ROOM["ports"]
c = get_config()  # noqa: F821

c.JupyterHub.bind_url = f"http://127.0.0.1:{PORT}"
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{HUB_PORT}"
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{PROXY_PORT}"
c.ConfigurableHTTPProxy.command = [ROOM["proxy"]]
c.ConfigurableHTTPProxy.pid_file = str(HUB / "proxy.pid")
c.JupyterHub.db_url = f"sqlite:///{HUB / 'hub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(HUB / "cookie_secret")

# For a rehearsal alone: whoever knows the password may say any of these names.
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = ROOM["password"]
c.Authenticator.allowed_users = set(ROOM["people"])

c.JupyterHub.spawner_class = "jupyterhub.spawner.LocalProcessSpawner" if ROOM["accounts"] else "simple"
c.SimpleLocalProcessSpawner.home_dir_template = str(Path(ROOM["folder"]) / "home" / "{username}")
c.Spawner.cmd = [ROOM["python"], "-m", "jupyterhub.singleuser"]
c.Spawner.args = list(ROOM["lab_arguments"])
c.Spawner.default_url = "/lab"
c.Spawner.http_timeout = c.Spawner.start_timeout = 120


def settings_by_role(spawner):
    """Give a server the settings of the teacher or of a student."""
    spawner.environment.update(ROOM["environment"][spawner.user.name])


c.Spawner.pre_spawn_hook = settings_by_role
