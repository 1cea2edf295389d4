"""The sandbox on Linux: each run is a child of the zygote, confined by Landlock and seccomp."""

import asyncio
import contextlib
import errno
import os
import signal
import socket
from typing import NamedTuple

from orchestra_app.core.errors import ToolError
from orchestra_app.core.message import Execution
from orchestra_app.sandbox.inside import limits
from orchestra_app.sandbox.process import Process
from orchestra_app.sandbox.stream import Stream

CLOSED = "The sandbox is closed."
_SENTENCES = {
    limits.TOO_MUCH_DISK: f"Killed: more than {limits.FOLDER >> 20} MB or {limits.FILES} files were written.",
    limits.NOT_STARTED: "The sandbox could not start a process for the code.",
}


# What this process may lack for a further run; the zygote and the runs under way are not touched by it.
_SCARCE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.ENOSPC, errno.ETOOMANYREFS)


class _Report(NamedTuple):
    ending: int
    status: int
    signal: int
    seconds: float


class _Gone(Exception):
    """The zygote ended before it reported."""


class Landlocked:
    """Runs code in confined children of one zygote, which it restarts when that is gone."""

    rung = "landlock"
    reason = (
        "Python runs in a process confined by Landlock and seccomp, without network, secrets or the contents "
        "of your files."
    )

    def __init__(self, process: Process | None = None, *, newest_abi: int = 0):
        self._process = process
        self._newest_abi = newest_abi
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The zygote's process id, None where none runs."""
        return self._process.pid if self._process and self._process.alive else None

    async def run(self, code: str, *, seconds: float = 10.0) -> Execution:
        """Run the code for at most `seconds`; raises ToolError where it cannot be confined."""
        complaint = ""
        for _ in range(2):
            process = self._alive()
            try:
                return await _Asking(code, seconds).finish(process)
            except (_Gone, OSError) as error:
                if self._closed:
                    break
                if isinstance(error, OSError) and error.errno in _SCARCE:
                    raise ToolError(_too_many(error)) from error
                self._forget(process)
                complaint = process.complaint
        raise ToolError(f"The sandbox does not start: {complaint}." if not self._closed else CLOSED)

    async def aclose(self) -> None:
        """End the zygote and every run."""
        self._closed = True
        if self._process:
            process, self._process = self._process, None
            await asyncio.to_thread(process.close)

    def _alive(self) -> Process:
        if self._closed:
            raise ToolError(CLOSED)
        if self._process and not self._process.alive:
            self._forget(self._process)
        if self._process is None:
            self._process = Process(newest_abi=self._newest_abi)
        return self._process

    def _forget(self, process: Process) -> None:
        """Clear up after a zygote that ended; of several runs that lost it, the first does."""
        if process is self._process:
            self._process = None
            process.close()


class _Asking:
    """One request and what is read in answer to it."""

    def __init__(self, code: str, seconds: float):
        self._code = code
        self._seconds = seconds

    async def finish(self, process: Process) -> Execution:
        """Have the process run the code; raises _Gone, OSError and ToolError."""
        with contextlib.ExitStack() as closing:
            report, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            closing.callback(report.close)
            closing.callback(theirs.close)
            report.setblocking(False)
            streams: list[Stream] = []
            for _ in range(2):
                streams.append(Stream(lambda: _hang_up(report)))
                closing.callback(streams[-1].close)
            await self._send(process, [stream.writing for stream in streams], theirs)
            for stream in streams:
                stream.given()
            loop = asyncio.get_running_loop()
            answer = await loop.sock_recv(report, limits.REPORT.size)
            if not answer:
                raise _Gone
            for stream in streams:
                await stream.ended
            return self._execution(_Report(*limits.REPORT.unpack(answer)), *streams)

    async def _send(self, process: Process, outputs: list[int], theirs: socket.socket) -> None:
        source = os.memfd_create("code", os.MFD_CLOEXEC)
        try:
            with os.fdopen(os.dup(source), "wb") as file, theirs:
                # A final line end keeps the file from being empty, which would say that the code has begun.
                file.write(self._code.encode("utf-8", "surrogatepass") + b"\n")
                file.flush()
                await process.send(self._seconds, [source, *outputs, theirs.fileno()])
        finally:
            os.close(source)

    def _execution(self, report: _Report, stdout: Stream, stderr: Stream) -> Execution:
        if report.ending == limits.NOT_CONFINED:
            raise ToolError(f"Code cannot be confined on this machine: {stderr.text}.")
        sentence = _SENTENCES.get(report.ending, "")
        if report.ending == limits.ENDED and report.signal:
            flooded = "more than 4 MB were printed" if stdout.flooded or stderr.flooded else ""
            sentence = f"Killed: {flooded or signal.Signals(report.signal).name}."
        return Execution(
            code=self._code,
            stdout=stdout.text,
            stderr="\n".join(part for part in (stderr.text.rstrip("\n"), sentence) if part),
            status=report.status if report.ending == limits.ENDED and not report.signal else None,
            seconds=report.seconds,
            timed_out=report.ending == limits.TIMED_OUT,
            truncated=stdout.truncated or stderr.truncated,
        )


def _too_many(error: OSError) -> str:
    return (
        f"No further code can run at this moment ({error.strerror}): run less at once, or raise the limits "
        "of this process (ulimit -n)."
    )


def _hang_up(report: socket.socket) -> None:
    """Make the zygote kill the run, and still hear its report."""
    with contextlib.suppress(OSError):
        report.shutdown(socket.SHUT_WR)
