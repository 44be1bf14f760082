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


def run(*configurations):
    """Return what the script printed in a process for each TF_CONFIG, None for none; all are stopped in any case."""
    running = []
    try:
        for config in configurations:
            environment = os.environ | ({"TF_CONFIG": json.dumps(config)} if config else {})
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
            running.append(subprocess.Popen([sys.executable, str(SCRIPT)], env=environment, **pipes))
        printed = [process.communicate(timeout=SECONDS) for process in running]
    finally:
        for process in running:
            process.kill()
    for process, (_, errors) in zip(running, printed, strict=True):
        assert process.returncode == 0, errors[-2000:]
    return [json.loads(out.splitlines()[-1]) for out, _ in printed]


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


@pytest.fixture(scope="module")
def results():
    return run(None)[0]


@pytest.fixture
def alone(results):
    assert results["one"]["replicas"] == 1 and results["one"]["loss"][2] < results["one"]["loss"][0]
    return results["one"]


def same(one, other):
    return one["loss"] == pytest.approx(other["loss"], rel=1e-5) and one["weights"] == pytest.approx(
        other["weights"], rel=1e-5
    )


@pytest.mark.parametrize("way", ["mirrored", "fit"])
def test_two_devices_in_one_process(alone, results, way):
    both = results[way]
    assert both["replicas"] == 2
    assert both["weights"] == pytest.approx(alone["weights"], rel=1e-5)
    if way != "fit":  # fit() weights the mean of its losses otherwise
        assert same(both, alone)


@pytest.mark.skipif(os.name == "nt", reason="two processes find each other through sockets of Linux and macOS here")
def test_two_processes(alone):
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
    first, second = run(*({"cluster": cluster, "task": {"type": "worker", "index": index}} for index in range(2)))
    assert first["workers"]["replicas"] == second["workers"]["replicas"] == 2
    assert same(first["workers"], alone) and same(second["workers"], alone)
