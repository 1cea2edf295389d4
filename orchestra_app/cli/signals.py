"""Ctrl-C and a polite kill as a stop that settles and keeps what is under way."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from orchestra_app.orchestrator.stop import Stop


@contextmanager
def halting(stop: Stop) -> Iterator[None]:
    """Let Ctrl-C and a polite kill set `stop`, so that all is settled and kept; a second one ends it."""
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)

    def restore() -> None:
        for number in numbers:
            loop.remove_signal_handler(number)

    def halt() -> None:
        restore()
        stop.set()

    try:
        for number in numbers:
            loop.add_signal_handler(number, halt)
    except (NotImplementedError, RuntimeError, ValueError):
        # Windows has none, and only the main thread may have them.
        yield
        return
    try:
        yield
    finally:
        restore()
