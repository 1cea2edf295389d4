"""The zygote: a process that holds the preloaded libraries and no secret, and forks a confined child per run.

It never sees code or output: those travel on descriptors that only the child and the asking process read.
"""

import collections
import contextlib
import os
import secrets
import selectors
import signal
import socket
import time
from pathlib import Path
from typing import NoReturn

from . import confine, limits, program

_FAILED = 97


class Run:
    """One run, from its request until its report is sent."""

    def __init__(self, seconds: float, descriptors: list[int]):
        self.seconds = seconds
        self.code, self.stdout, self.stderr, report = descriptors
        self.report = socket.socket(fileno=report)
        self.ending = limits.NOT_STARTED
        self.pid = self.pidfd = -1
        self.started = 0.0
        self.scratch = Path()

    def kill(self, ending: int) -> None:
        """Kill the child; its report follows when it is gone."""
        self.ending = ending
        signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    def tell(self, status: int = 0, number: int = 0) -> None:
        """Send the report and let go of everything; the asking process may have stopped listening."""
        seconds = time.monotonic() - self.started if self.started else 0.0
        with contextlib.suppress(OSError):
            self.report.send(limits.REPORT.pack(self.ending, status, number, seconds))
        self.report.close()
        for descriptor in (self.code, self.stdout, self.stderr, self.pidfd):
            if descriptor >= 0:
                os.close(descriptor)

    def reap(self) -> None:
        """Collect the child's exit status and report it."""
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        # The child empties the code's file as the last thing before it runs the code, and then closes it:
        # what never came so far cannot be mistaken for a program, nor a program for it.
        if self.ending == limits.ENDED and status == _FAILED and os.fstat(self.code).st_size:
            self.ending = limits.NOT_CONFINED
        self.tell(max(status, 0), max(-status, 0))

    def oversize(self) -> bool:
        """Tell whether the scratch folder holds more than it may."""
        size = 0
        for files, entry in enumerate(os.scandir(self.scratch), start=1):
            size += entry.stat(follow_symlinks=False).st_blocks * 512
            if size > limits.FOLDER or files > limits.FILES:
                return True
        return False

    def sweep(self) -> None:
        """Remove the scratch folder, which is flat since no folder can be made in it."""
        for entry in os.scandir(self.scratch):
            os.unlink(entry)  # noqa: PTH108
        self.scratch.rmdir()


def _child(run: Run, common: confine.Confinement, parent: int) -> NoReturn:
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.setsid()
        os.dup2(run.stdout, 1)
        os.dup2(run.stderr, 2)
        source = os.pread(run.code, os.fstat(run.code).st_size, 0)
        program.prepare(str(run.scratch))
        confine.confine(common, str(run.scratch), run.seconds, parent)
        os.ftruncate(run.code, 0)
        os.closerange(3, 1 << 20)
    except BaseException as error:  # noqa: BLE001  nothing may leave this function with rights left
        os.write(2, f"{type(error).__name__}: {error}".encode())
        os._exit(_FAILED)
    program.run(source)


class Zygote:
    """Serves requests from one control socket until that closes or the process behind it ends."""

    def __init__(self, control: socket.socket, parent: int, common: confine.Confinement, folder: Path):
        self.control = control
        self.common = common
        self.folder = folder
        self.selector = selectors.DefaultSelector()
        self.waiting: collections.deque[Run] = collections.deque()
        self.running: list[Run] = []
        self.looked = 0.0
        self.selector.register(control, selectors.EVENT_READ, self.accept)
        # The socket may have leaked into another child of the parent; its process cannot.
        try:
            self.selector.register(os.pidfd_open(parent), selectors.EVENT_READ, self.leave)
        except ProcessLookupError:
            self.leave()

    def serve(self) -> NoReturn:
        """Handle events for good."""
        while True:
            for key, _ in self.selector.select(self.pause()):
                key.data()
            self.look()
            while self.waiting and len(self.running) < limits.AT_ONCE:
                self.start(self.waiting.popleft())

    def pause(self) -> float | None:
        """Return the seconds until something may have to be killed, None while nothing runs."""
        if not self.running:
            return None
        nearest = min(run.started + run.seconds for run in self.running)
        return max(0.0, min(nearest - time.monotonic(), limits.LOOK))

    def accept(self) -> None:
        """Take one request."""
        message, descriptors, _, _ = socket.recv_fds(self.control, limits.REQUEST.size, 4)
        if not message:
            self.leave()
        (seconds,) = limits.REQUEST.unpack(message)
        self.waiting.append(Run(seconds, descriptors))

    def start(self, run: Run) -> None:
        """Fork the child of a run."""
        run.scratch = self.folder / secrets.token_hex(8)
        run.scratch.mkdir(0o700)
        if os.geteuid() == 0:
            os.chown(run.scratch, confine.NOBODY, confine.NOBODY)
        run.started = time.monotonic()
        parent = os.getpid()
        try:
            run.pid = os.fork()
        except OSError:
            run.sweep()
            run.tell()
            return
        if run.pid == 0:
            _child(run, self.common, parent)
        run.pidfd = os.pidfd_open(run.pid)
        run.ending = limits.ENDED
        self.running.append(run)
        self.selector.register(run.pidfd, selectors.EVENT_READ, lambda: self.finish(run))
        self.selector.register(run.report, selectors.EVENT_READ, lambda: self.abandon(run))

    def abandon(self, run: Run) -> None:
        """Kill a run nobody waits for any more."""
        if run in self.running:
            self.selector.unregister(run.report)
            run.kill(limits.ENDED)

    def finish(self, run: Run) -> None:
        """Report a run whose child is gone."""
        self.running.remove(run)
        self.selector.unregister(run.pidfd)
        if run.report in self.selector.get_map():
            self.selector.unregister(run.report)
        run.reap()
        run.sweep()

    def look(self) -> None:
        """Kill what is past its deadline or over its room."""
        now = time.monotonic()
        due = now >= self.looked + limits.LOOK
        for run in self.running:
            if now >= run.started + run.seconds:
                run.kill(limits.TIMED_OUT)
            elif due and run.oversize():
                run.kill(limits.TOO_MUCH_DISK)
        self.looked = now if due else self.looked

    def leave(self) -> NoReturn:
        """Kill everything, remove the folder and end."""
        for run in self.running:
            run.kill(limits.ENDED)
            os.waitpid(run.pid, 0)
            run.sweep()
        self.folder.rmdir()
        os._exit(0)
