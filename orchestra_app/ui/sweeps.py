"""The registry of sweeps: they live on the server, outlive the page that started them, and can be watched."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field

from orchestra_app.core.errors import ConfigError, OrchestraError
from orchestra_app.frontier.definition import Sweep
from orchestra_app.frontier.gather import sweep_rows
from orchestra_app.frontier.rows import Row
from orchestra_app.frontier.sweep import RunFinished, SweepFinished, SweepStarted, World, sweep
from orchestra_app.orchestrator.stop import Stop

EVERY = 0.25
"""Seconds between two pictures of a sweep."""


@dataclass
class Underway:
    """One sweep in this process."""

    definition: Sweep
    stop: Stop = field(default_factory=Stop)
    rows: list[Row] = field(default_factory=list)
    """Of the runs that are finished, earlier ones included."""
    progress: SweepStarted | RunFinished | None = None
    ended: SweepFinished | None = None
    error: str | None = None
    """Why it ended before its time, if so."""
    done: bool = False
    version: int = 0
    """Grows with every change."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def changed(self) -> None:
        """Wake everybody who watches."""
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait(self, seen: int) -> None:
        """Return once there is something newer than version `seen`."""
        while self.version == seen and not self.done:
            await self._changed.wait()


class Sweeps:
    """The sweeps of this process by their id; one runs at a time."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._sweeps: dict[str, Underway] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, definition: Sweep) -> Underway:
        """Start a sweep in a task of its own; the one that is under way already is returned as it is.

        Raises ConfigError where another one is under way.
        """
        running = self.running()
        if running is not None:
            if running.definition.id == definition.id:
                return running
            raise ConfigError("Another sweep is under way here; wait until it is done, or stop it.")
        started = self._sweeps[definition.id] = Underway(definition)
        task = asyncio.create_task(self._follow(started))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return started

    async def _follow(self, one: Underway) -> None:
        try:
            one.rows = await sweep_rows(self._world, one.definition)
            async with aclosing(sweep(self._world, one.definition, stop=one.stop)) as progress:
                async for event in progress:
                    match event:
                        case RunFinished():
                            one.rows.append(event.row)
                            one.progress = event
                        case SweepStarted():
                            one.progress = event
                        case SweepFinished():
                            one.ended = event
                    one.changed()
        except OrchestraError as error:
            one.error = str(error)
        finally:
            if one.ended is None and one.error is None:
                one.error = (
                    "The sweep ended in an unexpected error; see the log of the server, then resume it."
                )
            one.done = True
            one.changed()

    def get(self, sweep_id: str, owner: str | None = None) -> Underway | None:
        """Return a sweep of this process; None where there is none or it is not this owner's."""
        one = self._sweeps.get(sweep_id)
        return one if one and owner in (None, one.definition.owner) else None

    def running(self) -> Underway | None:
        """Return the sweep that is under way."""
        return next((one for one in self._sweeps.values() if not one.done), None)

    async def watch(self, one: Underway) -> AsyncGenerator[Underway]:
        """Yield the sweep now and after changes, at most four times a second, until it is done."""
        while True:
            seen = one.version
            yield one
            if one.done and one.version == seen:
                return
            await one.wait(seen)
            if not one.done:
                with suppress(TimeoutError):
                    async with asyncio.timeout(EVERY):
                        while not one.done:
                            await one.wait(one.version)

    async def aclose(self) -> None:
        """Stop what is under way and wait until it is kept."""
        for one in self._sweeps.values():
            one.stop.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)
