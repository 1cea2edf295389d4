"""Stopping a run from outside: what is in flight is cancelled and settles, and nothing new starts."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class Stopped(Exception):
    """The person stopped the run."""


class Stop:
    """A switch that one run listens to."""

    def __init__(self) -> None:
        self._set = False
        self._cancelled = False
        self._under_way: asyncio.Task[Any] | None = None

    def set(self) -> None:
        """Stop the run: cancel what is under way and let nothing new start."""
        self._set = True
        if self._under_way is not None and not self._cancelled:
            self._cancelled = True
            self._under_way.cancel()

    @property
    def is_set(self) -> bool:
        return self._set

    async def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Return what `work` gives; raises Stopped where the switch is set before it is done."""
        if self._set:
            work.close()
            raise Stopped
        # The task that waits here is cancelled, as asyncio.timeout does: a task for each call costs more.
        self._under_way = task = asyncio.current_task()
        try:
            try:
                result = await work
            except Exception:
                await self._arrived()
                raise
            await self._arrived()
            return result
        except asyncio.CancelledError:
            if self._cancelled and task is not None and task.uncancel() == 0:
                raise Stopped from None
            raise
        finally:
            self._under_way = None

    async def _arrived(self) -> None:
        """Raise the cancellation that was set from inside the work, or too late for it."""
        if self._cancelled:
            await asyncio.sleep(0)
            # It came before, and the work took it for its own.
            raise asyncio.CancelledError
