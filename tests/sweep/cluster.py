"""A SLURM cluster of one node and a PostgreSQL server, on this machine, as long as a test lasts."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"


def program(name: str, package: str) -> str:
    """Path of a program; the test is skipped where it is missing."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    found = shutil.which(name, path=":".join([_PATH, *map(str, versions)]))
    if found is None:
        pytest.skip(f"{name} is not installed (apt-get install {package})")
    if os.getuid() != 0:
        pytest.skip(f"{name}: only root can start it for other users")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def slurm(folder: Path) -> Iterator[dict[str, str]]:
    """Start munge, the controller and one node; yields the environment of its commands."""
    munged, mungekey = program("munged", "munge"), program("mungekey", "munge")
    slurmctld, slurmd = program("slurmctld", "slurm-wlm"), program("slurmd", "slurm-wlm")
    sinfo = program("sinfo", "slurm-wlm")
    for name in ("munge", "state", "spool"):
        (folder / name).mkdir(mode=0o700)
    # Munge trusts no folder that others can write to, so that /tmp is too open above its key.
    key, sock = folder / "munge" / "key", folder / "munge" / "socket"
    subprocess.run([mungekey, "--create", f"--keyfile={key}"], check=True)
    host = socket.gethostname()
    (folder / "slurm.conf").write_text(
        f"""
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={free_port()}
SlurmdPort={free_port()}
AuthType=auth/munge
AuthInfo=socket={sock},cred_expire=3
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
KillWait=20
SchedulerParameters=sched_interval=2,batch_sched_delay=1
MinJobAge=600
JobRequeue=1
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=8000 State=UNKNOWN
SlurmdParameters=config_overrides
MpiDefault=none
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
    )
    env = os.environ | {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": _PATH}
    options = ["--foreground", "--force", f"--key-file={key}", f"--socket={sock}"]
    options += [f"--{n}-file={folder}/munge/{n}" for n in ("pid", "log", "seed")]
    commands = [[munged, *options], [slurmctld, "-D"], [slurmd, "-D", "-N", host]]
    processes = []
    try:
        for command in commands:
            with (folder / f"{Path(command[0]).name}.out").open("w") as out:
                processes.append(subprocess.Popen(command, env=env, stdout=out, stderr=out))
            time.sleep(1)
        _wait(lambda: "idle" in _said([sinfo, "-h", "-o", "%T"], env), folder)
        yield env
    finally:
        for process in reversed(processes):
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def postgres() -> Iterator[str]:
    """Start a server; yields the URL of an empty database."""
    initdb, server = program("initdb", "postgresql"), program("postgres", "postgresql")
    pytest.importorskip("psycopg", reason="pip install 'psycopg[binary]'")
    # Of the server's own user, who may not enter the folders of tests.
    port, data = free_port(), Path(tempfile.mkdtemp(prefix="postgres-"))
    shutil.chown(data, "postgres", "postgres")
    command = [initdb, "-D", str(data), "-A", "trust", "-U", "lab", "--no-sync"]
    subprocess.run(command, check=True, user="postgres", stdout=subprocess.DEVNULL, cwd=data)
    command = [server, "-D", str(data), "-p", str(port), "-k", str(data), "-h", "127.0.0.1"]
    with subprocess.Popen(command, user="postgres", stderr=subprocess.DEVNULL, cwd=data) as running:
        try:
            _wait(lambda: _open(port), data)
            yield f"postgresql+psycopg://lab@127.0.0.1:{port}/postgres"
        finally:
            running.send_signal(signal.SIGINT)  # at once; SIGTERM waits for open connections
            running.wait(30)
            shutil.rmtree(data, ignore_errors=True)


def _open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _said(command: list[str], env: dict[str, str]) -> str:
    return subprocess.run(command, env=env, capture_output=True, text=True).stdout


def _wait(what: object, folder: Path, limit_s: float = 60) -> None:
    assert callable(what)
    end = time.monotonic() + limit_s
    while not what():
        logs = {p.name: p.read_text()[-800:] for p in folder.glob("*.out")}
        logs |= {p.name: p.read_text()[-800:] for p in folder.glob("*.log")}
        assert time.monotonic() < end, logs
        time.sleep(0.5)
