"""Reads one output of a run as it comes and keeps the first of it."""

import asyncio
import codecs
import os
from collections.abc import Callable

from orchestra_app.sandbox.inside import limits


class Stream:
    """A pipe that is read until its end, of which the first `limits.OUTPUT` bytes are kept."""

    def __init__(self, on_flood: Callable[[], None]):
        self._on_flood = on_flood
        self._kept = bytearray()
        self._seen = 0
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._reading, self.writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(self.writing, True)
        self._loop.add_reader(self._reading, self._read)

    @property
    def truncated(self) -> bool:
        """True where something was dropped."""
        return self._seen > len(self._kept)

    @property
    def flooded(self) -> bool:
        """True where more came than a run may print."""
        return self._seen > limits.FLOOD

    @property
    def text(self) -> str:
        """What was kept, without a character cut in two."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        return decoder.decode(bytes(self._kept), final=not self.truncated)

    def _read(self) -> None:
        try:
            chunk = os.read(self._reading, 1 << 16)
        except BlockingIOError:
            return
        if not chunk:
            self._loop.remove_reader(self._reading)
            if not self.ended.done():
                self.ended.set_result(None)
            return
        self._kept += chunk[: limits.OUTPUT - len(self._kept)]
        self._seen += len(chunk)
        if self.flooded:
            self._on_flood()

    def given(self) -> None:
        """Close this process's copy of the end that the child writes to."""
        os.close(self.writing)
        self.writing = -1

    def close(self) -> None:
        """Stop reading and let go of the pipe."""
        self._loop.remove_reader(self._reading)
        os.close(self._reading)
        if self.writing >= 0:
            self.given()
