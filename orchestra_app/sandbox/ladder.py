"""Chooses the best sandbox that holds on this machine, at first use, and says which one it is."""

import asyncio
import atexit
import contextlib
import os
import platform
import signal
import sys
from pathlib import Path

from orchestra_app.core.errors import ToolError
from orchestra_app.core.message import Execution
from orchestra_app.sandbox import deno
from orchestra_app.sandbox.base import Sandbox
from orchestra_app.sandbox.landlocked import Landlocked
from orchestra_app.sandbox.probe import probe
from orchestra_app.sandbox.process import Process

_early: list[Process] = []
_NEEDED = ((os, "memfd_create"), (os, "pidfd_open"), (signal, "pidfd_send_signal"))


class Off:
    """The rung below all others: nothing runs."""

    rung = "off"

    def __init__(self, reason: str):
        self.reason = reason

    async def run(self, code: str, *, seconds: float = 10.0) -> Execution:
        """Raise ToolError with the reason."""
        raise ToolError(self.reason)

    async def aclose(self) -> None:
        """Do nothing."""


def landlock_obstacle() -> str | None:
    """Say why this machine cannot confine a process, None where it seems to."""
    if sys.platform != "linux":
        return f"{platform.system()} has no Landlock."
    # These modules call into the C library of Linux, so they load only here.
    from orchestra_app.sandbox.inside import landlock, syscalls

    if platform.machine() not in syscalls.NUMBERS:
        return f"There is no table of system calls for {platform.machine()}."
    # Some builds of Python lack these, since the C library that they were made with is old.
    if missing := [name for owner, name in _NEEDED if not hasattr(owner, name)]:
        return f"This Python has no {' and no '.join(missing)}: use another build of it."
    return None if landlock.version() else "This kernel has no Landlock, or the container forbids it."


def start_early() -> None:
    """Start the zygote now, in the background, so that the first run need not wait for its libraries."""
    if _early or landlock_obstacle():
        return
    # What is missing is said by the first run, to whoever asked for it.
    with contextlib.suppress(ToolError):
        _early.append(Process())
        atexit.register(_end_early)


def _end_early() -> None:
    while _early:
        _early.pop().close()


class Ladder:
    """A sandbox that becomes, at first use, the first rung that holds against the probe."""

    def __init__(self, cache: Path | None):
        self._cache = cache
        self._chosen: Sandbox | None = None
        self._choosing = asyncio.Lock()
        expected = Landlocked if landlock_obstacle() is None else deno.Deno
        off = self._off() if expected is deno.Deno and deno.obstacle(cache) else None
        self._shown: Off | type[Landlocked] | type[deno.Deno] = off or expected

    @property
    def rung(self) -> str:
        """The rung in use; before the first use the one that this machine seems to allow."""
        return (self._chosen or self._shown).rung

    @property
    def reason(self) -> str:
        """One sentence for people about that rung."""
        return (self._chosen or self._shown).reason

    async def run(self, code: str, *, seconds: float = 10.0) -> Execution:
        """Run the code for at most `seconds` of wall time; raises ToolError where no rung holds."""
        if self._chosen is None:
            async with self._choosing:
                if self._chosen is None:
                    await self._become(await self._choose())
        assert self._chosen
        return await self._chosen.run(code, seconds=seconds)

    async def _become(self, found: Sandbox) -> None:
        if self._chosen is None:
            self._chosen = found
        else:
            # It was closed during the probe.
            await found.aclose()

    async def aclose(self) -> None:
        """End every process; nothing runs afterwards."""
        chosen, self._chosen = self._chosen, Off("The sandbox is closed.")
        if chosen:
            await chosen.aclose()
        # A probe under way ends what it has opened.
        async with self._choosing:
            pass

    async def _choose(self) -> Sandbox:
        obstacle = landlock_obstacle()
        if obstacle is None:
            landlocked = Landlocked(_early.pop() if _early else None)
            obstacle = await _holds(landlocked, self._cache)
            if obstacle is None:
                return landlocked
        if deno.obstacle(self._cache) is None:
            worker = deno.Deno(self._cache)
            obstacle = await _holds(worker, self._cache)
            if obstacle is None:
                return worker
        return self._off(obstacle)

    def _off(self, obstacle: str | None = None) -> Off:
        found = obstacle or landlock_obstacle() or ""
        return Off(f"Python code is off. {found} {deno.obstacle(self._cache) or ''}".strip())


async def _holds(sandbox: Sandbox, cache: Path | None) -> str | None:
    """Probe a sandbox, and end it again where it does not hold."""
    obstacle: str | None = "The probe was interrupted."
    try:
        obstacle = await probe(sandbox, cache)
    finally:
        if obstacle:
            await sandbox.aclose()
    return obstacle


def open_sandbox(cache: Path | None) -> Sandbox:
    """Open the best sandbox of this machine; `cache` keeps the probe's verdict, and may hold Pyodide."""
    return Ladder(cache)
