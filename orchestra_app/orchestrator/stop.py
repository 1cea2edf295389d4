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
        self._under_way: asyncio.Task[Any] | None = None

    def set(self) -> None:
        """Stop the run: cancel what is under way and let nothing new start."""
        self._set = True
        if self._under_way is not None:
            self._under_way.cancel()

    @property
    def is_set(self) -> bool:
        return self._set

    async def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Return what `work` gives; raises Stopped where the switch is set before it is done."""
        if self._set:
            work.close()
            raise Stopped
        self._under_way = asyncio.ensure_future(work)
        try:
            return await self._under_way
        except asyncio.CancelledError:
            under_way = self._under_way
            if not under_way.done():
                under_way.cancel()
                await asyncio.gather(under_way, return_exceptions=True)
            current = asyncio.current_task()
            if self._set and not (current and current.cancelling()):
                raise Stopped from None
            raise
        finally:
            self._under_way = None
