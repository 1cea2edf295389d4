"""The registry of runs: they live on the server, outlive the page that started them, and can be watched."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field

from orchestra_app.core.errors import OrchestraError
from orchestra_app.core.events import Event
from orchestra_app.core.trace import Trace
from orchestra_app.orchestrator.stop import Stop

KEPT = 200
"""Finished runs that stay in memory; older ones are read from the store."""
TEXT_SECONDS = 0.25
"""Streamed text is shown at most this often; everything else at once."""


@dataclass
class Run:
    """One run in this process."""

    id: str
    owner: str
    speed: float | None
    """Simulated seconds that are played in one real second; None: as fast as it goes."""
    since: float = 0.0
    """Seconds after its start at which it begins here: what it took over is played at once."""
    stop: Stop = field(default_factory=Stop)
    trace: Trace | None = None
    text: str = ""
    """What the policy has streamed in this turn."""
    reserved: float = 0.0
    """USD set aside for the calls under way."""
    error: str | None = None
    """Why the run could not even be kept, if so."""
    done: bool = False
    version: int = 0
    """Grows with every change."""
    steps: int = 0
    """Grows with every change but streamed text."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _skipped: asyncio.Event = field(default_factory=asyncio.Event)

    def changed(self, *, text: bool = False) -> None:
        """Wake everybody who watches; `text`: there is only more of the policy's text."""
        self.version += 1
        self.steps += not text
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait(self, seen: int) -> None:
        """Return once there is something newer than version `seen`."""
        while self.version == seen and not self.done:
            await self._changed.wait()

    async def wait_for_step(self, seen: int) -> None:
        """Return once there is something newer than step `seen`, or `TEXT_SECONDS` have passed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(TEXT_SECONDS):
                while self.steps == seen and not self.done:
                    await self._changed.wait()

    def skip(self) -> None:
        """Play the rest of a simulated run at once."""
        if not self._skipped.is_set():
            self.speed = None
            self._skipped.set()
            self.changed()

    def halt(self) -> None:
        """Stop the run: what is in flight settles and nothing new starts."""
        self.stop.set()
        self._skipped.set()

    async def pace(self, events: AsyncGenerator[Event]) -> AsyncGenerator[Event]:
        """Pass events on at the speed of the run."""
        at = self.since
        async with aclosing(events):
            async for event in events:
                now = getattr(event, "at", 0.0)
                if self.speed and now > at and not self._skipped.is_set():
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._skipped.wait(), (now - at) / self.speed)
                at = max(at, now)
                yield event

    def on_text(self, piece: str) -> None:
        """Take a piece of the policy's text as it streams in."""
        self.text += piece
        self.changed(text=True)

    def on_reserved(self, usd: float) -> None:
        """Take note of what is set aside, until the next event says what it came to."""
        self.reserved = usd
        self.changed(text=True)


class Runs:
    """Every run of this process by its id."""

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, run: Run, record: Callable[[Run], AsyncGenerator[tuple[Event, Trace]]]) -> None:
        """Start a run in a task of its own; `record` makes its recorded events."""
        self._forget()
        self._runs[run.id] = run
        task = asyncio.create_task(self._follow(run, record))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _follow(self, run: Run, record: Callable[[Run], AsyncGenerator[tuple[Event, Trace]]]) -> None:
        try:
            async with aclosing(record(run)) as recorded:
                async for _, trace in recorded:
                    run.trace, run.text, run.reserved = trace, "", 0.0
                    run.changed()
        except OrchestraError as error:
            run.error = str(error)
        finally:
            if run.error is None and (run.trace is None or run.trace.status == "running"):
                run.error = "The run ended in an unexpected error; see the log of the server."
            run.done = True
            run.changed()

    def get(self, run_id: str, owner: str | None = None) -> Run | None:
        """Return a run of this process; None where there is none or it is somebody else's."""
        run = self._runs.get(run_id)
        return run if run and owner in (None, run.owner) else None

    async def watch(self, run: Run) -> AsyncGenerator[Run]:
        """Yield the run now and after each change until it is done; text at most four times a second."""
        while True:
            seen, steps = run.version, run.steps
            if run.trace is not None or run.done:
                yield run
            if run.done and run.version == seen:
                return
            await run.wait(seen)
            if run.steps == steps:
                await run.wait_for_step(steps)

    def active(self, owner: str | None = None) -> int:
        """Return how many runs are under way, of one visitor or of all."""
        return sum(1 for run in self._runs.values() if owner in (None, run.owner) and not run.done)

    def _forget(self) -> None:
        done = [run_id for run_id, run in self._runs.items() if run.done]
        for run_id in done[: max(0, len(done) - KEPT)]:
            del self._runs[run_id]

    async def aclose(self) -> None:
        """Stop every run and wait until each is kept."""
        for run in self._runs.values():
            run.halt()
        await asyncio.gather(*self._tasks, return_exceptions=True)
