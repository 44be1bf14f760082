"""The same training on one device, on two in one process, and on two processes, gives the same losses and weights."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("several_devices.py")
SECONDS = 240  # a process that waits for the other must not wait for ever


def train(*arguments, **environment):
    command = [sys.executable, str(SCRIPT), *arguments]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def workers():
    """Return what two processes printed that trained together on loopback; both are stopped in any case."""
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    running = []
    try:
        for index in range(2):
            config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            environment = os.environ | {"TF_CONFIG": json.dumps(config)}
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
            running.append(subprocess.Popen([sys.executable, str(SCRIPT), "workers"], env=environment, **pipes))
        printed = [process.communicate(timeout=SECONDS) for process in running]
    finally:
        for process in running:
            process.kill()
    for process, (_, errors) in zip(running, printed, strict=True):
        assert process.returncode == 0, errors[-2000:]
    return [json.loads(out.splitlines()[-1]) for out, _ in printed]


@pytest.fixture(scope="module")
def alone():
    result = train("one")
    assert result["replicas"] == 1 and result["loss"][2] < result["loss"][0]
    return result


def same(one, other):
    return one["loss"] == pytest.approx(other["loss"], rel=1e-5) and one["weights"] == pytest.approx(
        other["weights"], rel=1e-5
    )


@pytest.mark.parametrize("how", [(), ("fit",)])
def test_two_devices_in_one_process(alone, how):
    both = train("mirrored", *how)
    assert both["replicas"] == 2
    assert both["weights"] == pytest.approx(alone["weights"], rel=1e-5)
    if not how:  # fit() weights the mean of its losses otherwise
        assert same(both, alone)


@pytest.mark.skipif(os.name == "nt", reason="two processes find each other through sockets of Linux and macOS here")
def test_two_processes(alone):
    first, second = workers()
    assert first["replicas"] == second["replicas"] == 2
    assert same(first, alone) and same(second, alone)
