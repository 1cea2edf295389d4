"""Where a training job runs: the protocol of launchers, and the one that starts a process on this machine."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from orchestra_app.core.errors import TrainingError
from orchestra_app.core.job import Job, JobStatus
from orchestra_app.storage.process import Process, alive, process_of

DEFINITION = "job.toml"
LOG = "log.txt"
COMMAND = (sys.executable, "-m", "orchestra_app", "train")


class Launcher(Protocol):
    """Runs jobs from their folder, which holds the definition; raises TrainingError."""

    async def submit(self, job: Job, *, resume: bool = False) -> Job:
        """Start a job, or let it go on from its last checkpoint; return it with how to find it again."""
        ...

    async def status(self, job: Job) -> JobStatus:
        """Return whether a job still runs, and fetch its events into its folder if it runs elsewhere."""
        ...

    async def logs(self, job: Job, *, lines: int = 100) -> str:
        """Return the last lines that a job printed."""
        ...

    async def cancel(self, job: Job, *, at_once: bool = False) -> None:
        """Ask a job to end with a checkpoint; or end it without one."""
        ...

    async def forget(self, job: Job) -> None:
        """Delete what of a job that is over lies elsewhere than in its folder."""
        ...


def log_tail(path: Path, lines: int) -> str:
    """Return the last lines of a log; an absent one is empty."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


class ProcessLauncher:
    """Runs each job in a process group of its own, which outlives this program and is found again."""

    def __init__(self, environment: Mapping[str, str], command: tuple[str, ...] = COMMAND):
        """`environment` is added to this process's own, so that a job opens the same database."""
        self._environment = dict(environment)
        self._command = command

    async def submit(self, job: Job, *, resume: bool = False) -> Job:
        return await asyncio.to_thread(self._start, job, resume)

    async def status(self, job: Job) -> JobStatus:
        ended = alive(Process(job.host, job.pid, job.process)) is False
        return "interrupted" if ended else "running"

    async def logs(self, job: Job, *, lines: int = 100) -> str:
        return await asyncio.to_thread(log_tail, Path(job.folder) / LOG, lines)

    async def cancel(self, job: Job, *, at_once: bool = False) -> None:
        if alive(Process(job.host, job.pid, job.process)) is not True:
            return
        try:
            # Whoever started it in a script is in one group with it.
            end = os.killpg if os.getpgid(job.pid) == job.pid else os.kill
            end(job.pid, signal.SIGKILL if at_once else signal.SIGINT)
        except ProcessLookupError:
            return
        except PermissionError:
            raise TrainingError(
                f"Process {job.pid} of the job {job.name} belongs to another user: end it there."
            ) from None

    async def forget(self, job: Job) -> None:
        """Do nothing: all of it lies in its folder."""

    def _start(self, job: Job, resume: bool) -> Job:
        folder = Path(job.folder)
        arguments = (
            ["--resume", str(folder)] if resume else [str(folder / DEFINITION), "--folder", str(folder)]
        )
        try:
            with (folder / LOG).open("ab") as log:
                child = subprocess.Popen(
                    [*self._command, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    env=os.environ | self._environment,
                )
        except OSError as error:
            raise TrainingError(
                f"The job could not be started ({error.strerror}): free some memory or disk, and try again."
            ) from error
        # Somebody has to wait for it, or its entry stays in the system's table.
        threading.Thread(target=child.wait, daemon=True, name=f"job {job.id}").start()
        found = process_of(child.pid)
        return job.model_copy(
            update={
                "status": "running",
                "error": None,
                "host": found.host,
                "pid": found.pid,
                "process": found.started,
            }
        )
