"""A backend whose replies are written beforehand: for tests, and for runs that must not depend on a model."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from orchestra_app.backends.base import Request, input_bound
from orchestra_app.backends.prices import use_of
from orchestra_app.core.errors import BackendError, OrchestraError
from orchestra_app.core.message import Reply, ToolCall
from orchestra_app.core.purse import Purse
from orchestra_app.core.usage import Usage


@dataclass(frozen=True, slots=True)
class Line:
    """One reply, or the error in its place, and what it uses."""

    reply: Reply | OrchestraError
    usage: Usage | None = Usage()
    """None: not told, so the reservation is booked."""
    cost: float | None = None
    """USD as if the provider had reported it."""
    seconds: float = 0.0
    """Seconds that pass before it comes."""


Written = Line | Reply | OrchestraError | str
Script = Iterable[Written] | Callable[[Request], Written]


class Scripted:
    """Gives the replies of a script: a list that is used up in order, or a function of the request.

    A text stands for a reply with that text, a reply or an error for a line that uses nothing.
    """

    def __init__(self, script: Script, *, simulated: bool = False):
        self._next = script if callable(script) else _in_order(script)
        self._simulated = simulated
        self.requests: list[Request] = []
        """Every request that came, in order."""

    async def complete(self, request: Request, purse: Purse) -> Reply:
        """Return or raise the next line of the script, booked in `purse`."""
        self.requests.append(request)
        use = use_of(request, input_bound(request), simulated=self._simulated)
        reservation = await purse.reserve(use)
        usage, cost = None, None
        try:
            line = _line(self._next(request))
            if line.seconds:
                await asyncio.sleep(line.seconds)
            usage, cost = line.usage, line.cost
            if isinstance(line.reply, OrchestraError):
                raise line.reply
            if request.on_text is not None and line.reply.text:
                request.on_text(line.reply.text)
            return line.reply
        finally:
            purse.settle(reservation, usage, reported=cost)


def calling(name: str, arguments: dict[str, Any] | str, *, call_id: str = "call_1", why: str = "") -> Reply:
    """Return a reply that calls one tool; `why` stands as its reasoning."""
    return Reply(reasoning=why, calls=(ToolCall(id=call_id, name=name, arguments=arguments),))


def _in_order(lines: Iterable[Written]) -> Callable[[Request], Written]:
    rest = iter(lines)
    return lambda _: next(rest, BackendError("The script has no reply left; give it more lines."))


def _line(written: Written) -> Line:
    match written:
        case Line():
            return written
        case str():
            return Line(Reply(text=written))
    return Line(written)
