"""Work done in a forked process whose end, time, memory and reach are watched."""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mua_decode.commands.main import main
from mua_decode.types import InputError

CPU_S = 10  # a bad input is refused in under this; of the processor, as machines may be busy
WALL_S = 90.0
GIB = 1 << 30
_POLL_S = 0.002
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@dataclass(frozen=True)
class Verdict:
    """What became of one reading.

    ``kind`` is ``read``, ``line`` (one line that names the file), or a finding: ``unnamed``,
    ``lines``, ``other`` (another exception), ``crash``, ``hang``, ``memory``, ``reach``.
    """

    kind: str
    said: str
    cpu_s: float
    grown: int

    @property
    def sound(self) -> bool:
        return self.kind in ("read", "line")


def read_watched(
    read: Callable[[], object],
    *,
    names: tuple[str, ...],
    inside: Path,
    honest: int,
    cpu_s: int = CPU_S,
) -> Verdict:
    """Read in a forked process.

    Parameters
    ----------
    names
        Of which an error has to hold one.
    inside
        The only folder that may be written to.
    honest
        Bytes that an honest file of this kind takes when it is read.
    """
    receive, send = os.pipe()
    known = _resident(os.getpid())
    pid = os.fork()
    if pid == 0:
        os.close(receive)
        _child(read, send, inside, cpu_s)
    os.close(send)
    status, usage, most = _wait(pid, known + 2 * honest + 3 * GIB)
    with os.fdopen(receive, "rb") as pipe:
        told = pipe.read()
    spent = usage.ru_utime + usage.ru_stime
    start, _, told = told.partition(b"\n")  # what a fork shares with its parent is not its own
    grown = max(usage.ru_maxrss * 1024, most) - int(start or known)
    kind, said = json.loads(told) if told else ("", "")
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        slow = number in (signal.SIGXCPU, signal.SIGKILL) or spent >= cpu_s
        kind, said = ("hang" if slow else "crash"), signal.Signals(number).name
    elif not told:
        kind, said = "crash", f"exit code {os.WEXITSTATUS(status)}"
    if grown > 2 * honest + GIB:
        kind, said = "memory", f"{grown / GIB:.1f} GiB; {said}"
    if kind in ("read", "line") and spent > cpu_s:
        kind, said = "hang", f"{spent:.1f} s; {said}"
    if kind == "line" and not any(name in said for name in names):
        kind = "unnamed"
    return Verdict(kind, said, spent, grown)


def _child(read: Callable[[], object], send: int, inside: Path, cpu_s: int) -> None:
    reached: list[str] = []
    kind, said = "read", ""
    os.write(send, b"%d\n" % _resident(os.getpid()))
    try:
        faulthandler.disable()  # a crash is told by the signal
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 5))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (1, 2):
            os.dup2(null, descriptor)
        sys.dont_write_bytecode = True
        sys.addaudithook(_watch(str(inside.resolve()), reached))
        read()
    except InputError as error:
        said = str(error)
        kind = "line" if len(said.splitlines()) == 1 else "lines"
    except (OSError, MemoryError) as error:  # what the command line says in one line, too
        kind, said = "line", " ".join(f"{type(error).__name__}: {error}".split())
    except BaseException as error:
        kind, said = "other", " ".join(f"{type(error).__name__}: {error}".split())[:400]
    if reached:
        kind, said = "reach", "; ".join(reached[:3])
    os.write(send, json.dumps([kind, said[:2000]]).encode())
    os._exit(0)


def _watch(inside: str, reached: list[str]) -> Callable[[str, tuple[Any, ...]], None]:
    """An audit hook that notes what is written, removed, moved or called outside a folder."""
    changing = {
        "os.remove",
        "os.rename",
        "os.mkdir",
        "os.rmdir",
        "os.link",
        "os.symlink",
        "os.chmod",
    }

    def outside(path: object) -> bool:
        if not isinstance(path, str | bytes | os.PathLike):
            return False
        full = os.path.realpath(os.fsdecode(path))
        return not full.startswith((inside, "/dev/", "/proc/"))

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(args[2], int) and args[2] & _WRITES:
            if outside(args[0]):
                reached.append(f"open {os.fsdecode(args[0])}")
        elif event in changing and not _relative(args) and outside(args[0]):
            reached.append(f"{event} {os.fsdecode(args[0])}")
        elif event in ("socket.connect", "os.system", "os.exec", "ctypes.dlopen"):
            reached.append(f"{event} {str(args)[:100]}")

    return hook


def _relative(args: tuple[Any, ...]) -> bool:
    """Whether a path is meant within an open folder: ``shutil.rmtree`` empties them so."""
    return (
        isinstance(args[-1], int) and args[-1] >= 0 and not Path(os.fsdecode(args[0])).is_absolute()
    )


def _wait(pid: int, too_much: int) -> tuple[int, resource.struct_rusage, int]:
    end, pause, most = time.monotonic() + WALL_S, _POLL_S, 0
    while True:
        found, status, usage = os.wait4(pid, os.WNOHANG)
        if found:
            return status, usage, most
        most = max(most, _resident(pid))
        if time.monotonic() > end or most > too_much:
            os.kill(pid, signal.SIGKILL)
        time.sleep(pause)
        pause = min(2 * pause, 0.05)


def _resident(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/statm").read_text()
    except OSError:
        return 0
    return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE") if text else 0


class Process:
    """A command of the package in a forked process, with the processes it starts."""

    def __init__(self, pid: int, token: str) -> None:
        self.pid, self._token = pid, token
        self.code: int | None = None  # as of the shell: negative for a signal

    def poll(self) -> int | None:
        if self.code is None:
            found, status, _ = os.wait4(self.pid, os.WNOHANG)
            if found:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def wait(self, limit_s: float) -> int | None:
        """How it ended; killed, and ``None``, if it does not in time."""
        end = time.monotonic() + limit_s
        while self.poll() is None:
            if time.monotonic() > end:
                self.kill()
                return None
            time.sleep(0.01)
        return self.code

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        while self.poll() is None:
            time.sleep(0.001)

    def killed_after(self, moment_s: float, folder: Path | None) -> bool:
        """Kill it at a moment, or at the next half written file in a folder after it.

        Returns whether it had ended before.
        """
        end = time.monotonic() + moment_s
        while time.monotonic() < end:
            if self.poll() is not None:
                return True
            time.sleep(min(0.005, max(0.0, end - time.monotonic())))
        last = end + 3
        while folder is not None and time.monotonic() < last and self.poll() is None:
            if folder.is_dir() and any(folder.rglob(".*.partial*")):
                break
        if self.poll() is not None:
            return True
        self.kill()
        return False

    def orphans(self, limit_s: float) -> list[int]:
        """Processes it started that still live after a while."""
        end = time.monotonic() + limit_s
        while True:
            left = [pid for pid in _with_token(self._token) if pid != self.pid]
            if not left or time.monotonic() > end:
                return left
            time.sleep(0.1)


def start(
    arguments: Sequence[str], log: Path, *, before: Callable[[], None] | None = None
) -> Process:
    """Start a command as the command line would; what it says goes to a file."""
    token = f"{os.getpid()}-{time.monotonic_ns()}"
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            os.setsid()
            os.environ["MUA_FAULTS"] = token
            descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            for stream in (1, 2):
                os.dup2(descriptor, stream)
            if before is not None:
                before()
            main(list(arguments))
            code = 0
        except SystemExit as error:
            code = int(error.code or 0)
        except BaseException:
            traceback.print_exc()
        finally:
            for stream in (sys.stdout, sys.stderr):
                with suppress(Exception):
                    stream.flush()
            os._exit(code)
    return Process(pid, token)


def tail(log: Path) -> str:
    """The last lines of what a command said."""
    lines = log.read_text(errors="replace").strip().splitlines() if log.is_file() else []
    return " | ".join(lines[-3:])[-500:]


def _with_token(token: str) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (folder / "stat").read_text().rpartition(")")[2].split()[0] == "Z":
                continue
            if f"MUA_FAULTS={token}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found
