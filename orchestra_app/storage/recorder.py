"""Saves a rollout while it passes on: events go in, each comes out with the trace so far."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing

from orchestra_app.core.events import Event, RolloutFinished, RolloutStarted, Status
from orchestra_app.core.trace import Trace
from orchestra_app.storage.store import Store
from orchestra_app.storage.writer import Draft, Writer

_BROKEN = "The run ended in an unexpected error; its turns up to then are kept."


async def record(
    events: AsyncGenerator[Event, None], store: Store
) -> AsyncGenerator[tuple[Event, Trace], None]:
    """Yield each event with the trace that it leads to, the same object every time.

    A running trace is at most 100 ms behind in the database; a finished one is durable before its last event
    is passed on. Where the consumer stops early or is cancelled, `events` is closed and the trace is saved as
    `stopped`. Raises StorageError where the trace cannot be saved. Consume it with `aclosing`.
    """
    draft: Draft | None = None
    end: Status = "stopped"
    try:
        async with aclosing(events):
            async for event in events:
                if isinstance(event, RolloutStarted):
                    draft = store.writer.begin(event)
                elif draft is None:
                    raise ValueError(f"A rollout begins with its start, not with a {event.type} event.")
                else:
                    await _add(store.writer, draft, event)
                yield event, draft.trace
            end = "interrupted"
    finally:
        # An error that is none of a rollout's own is a bug, which travels up; a cancellation is no error.
        broken = isinstance(sys.exc_info()[1], Exception)
        if draft is not None and draft.trace.status == "running" and draft.error is None:
            end, error = ("failed", _BROKEN) if broken else (end, None)
            last = RolloutFinished(status=end, error=error, at=draft.trace.seconds)
            await _add(store.writer, draft, last)


async def _add(writer: Writer, draft: Draft, event: Event) -> None:
    writer.add(draft, event)
    if draft.saved is not None:
        await _until_saved(draft.saved)


async def _until_saved(saved: "asyncio.Future[None]") -> None:
    """Wait until the trace is durable, and only then let a cancellation go on."""
    cancelled: asyncio.CancelledError | None = None
    while not saved.done():
        try:
            await asyncio.wait([saved])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    saved.result()
