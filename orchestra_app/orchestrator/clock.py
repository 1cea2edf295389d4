"""Time inside a run: the real one, or the seconds that a simulated run would take."""

import time


class Clock:
    """Seconds since the start of a run; a simulated clock moves only when it is told to."""

    __slots__ = ("_start", "_now")

    def __init__(self, *, simulated: bool, start: float = 0.0):
        self._start = None if simulated else time.monotonic() - start
        self._now = start

    @property
    def simulated(self) -> bool:
        return self._start is None

    def now(self) -> float:
        """Return the seconds since the start of the run."""
        return self._now if self._start is None else time.monotonic() - self._start

    def advance(self, to: float) -> None:
        """Move a simulated clock on to `to` seconds; a real clock needs no telling."""
        self._now = max(self._now, to)

    def branch(self) -> "Clock":
        """Return a clock for one of several calls that run at the same time."""
        if self._start is not None:
            return self
        return Clock(simulated=True, start=self._now)
