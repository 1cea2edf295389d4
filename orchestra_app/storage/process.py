"""Which process runs a trace, and whether it still lives."""

import contextlib
import os
import socket
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Process:
    """One process, told apart from a later one with the same number by when it started."""

    host: str
    pid: int
    started: str
    """Its start in the system's own clock ticks; empty where the system does not tell."""


def current() -> Process:
    """Return this process."""
    return _process(os.getpid())


def process_of(pid: int) -> Process:
    """Return a process of this machine by its number."""
    return Process(host=_host(), pid=pid, started=_linux_start(pid) or "")


def alive(process: Process) -> bool | None:
    """Return whether `process` still runs; None where that cannot be told from here."""
    if process.host != current().host:
        return None
    if sys.platform == "linux":
        return _linux_start(process.pid) == process.started
    if os.name != "posix":
        return None
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


# Every look at a running row asks for this process, whose number stays its own.
_process = lru_cache(maxsize=4)(process_of)


def _host() -> str:
    # A process number means something only within one boot and namespace, and containers may share a name.
    parts = [socket.gethostname()]
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
            parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


def _linux_start(pid: int) -> str | None:
    """Return the start time of a process that has not ended, else None; the layout is that of proc(5)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]
