"""Follows a run for a page: a generator of what its view shows, from wherever the run stands to its end."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

from orchestra_app.core.errors import OrchestraError
from orchestra_app.core.trace import Trace
from orchestra_app.orchestrator.runs import Run
from orchestra_app.ui.asking import Desk, look, siblings
from orchestra_app.ui.facts import facts
from orchestra_app.ui.texts import TEXTS
from orchestra_app.ui.transcript import transcript
from orchestra_app.ui.view import View
from orchestra_app.ui.visitor import Visitor


class Watching:
    """What each open page asked for last, a run or a list, so that it hears no more of what was before."""

    def __init__(self) -> None:
        self._shown: dict[str, tuple[str, object]] = {}

    def begin(self, page: str, what: str = "") -> Callable[[], bool]:
        """Take note that a page turns to something; returns what says whether it is still that."""
        mark = self._shown[page] = what, object()
        return lambda: self._shown.get(page) is mark

    def asked(self, page: str) -> str:
        """Return what a page turned to last, where that was named."""
        return self._shown.get(page, ("", None))[0]

    def forget(self, page: str) -> None:
        """Take note that a page was closed."""
        self._shown.pop(page, None)


async def follow(desk: Desk, visitor: Visitor, run_id: str, view: View) -> AsyncGenerator[dict[Any, Any]]:
    """Yield what `view` shows of a run after each change, to its end.

    A page may miss an update that the next one overtakes, so each shows everything.
    Raises OrchestraError where the visitor may not look at it or it could not be kept.
    """
    run = desk.workspace.runs.get(run_id, visitor.sees)
    if run is not None and not run.done:
        async with aclosing(_live(desk, visitor, run, view)) as shown:
            async for values in shown:
                yield values
        if run.error:
            raise OrchestraError(run.error)
    yield await kept(desk, visitor, run_id, view)


async def kept(
    desk: Desk, visitor: Visitor, trace_id: str, view: View, *, first: bool = True, rest: bool = True
) -> dict[Any, Any]:
    """Return what `view` shows of a trace that is over; raises OrchestraError as `follow` does.

    first, rest: whether its first screen and what stands below that are wanted.
    """
    trace, texts = await look(desk, visitor, trace_id), TEXTS[visitor.language]
    catalog = await desk.workspace.store.catalog(trace.catalog.hash)
    shown: dict[Any, Any] = {}
    if first:
        mine = trace.owner == visitor.owner
        shown |= view.first_screen(trace, texts, catalog=catalog, mine=mine)
    if rest:
        group, count = await siblings(desk, visitor, trace)
        beside = facts(trace, group, texts, count=count)
        shown |= view.below(trace, texts, pieces=transcript(trace, catalog, texts), beside=beside)
    return shown


async def _live(desk: Desk, visitor: Visitor, run: Run, view: View) -> AsyncGenerator[dict[Any, Any]]:
    texts, catalog, settled = TEXTS[visitor.language], None, []
    async with aclosing(desk.workspace.runs.watch(run)) as changes:
        async for _ in changes:
            trace = run.trace
            if trace is None or run.done:
                continue
            catalog = catalog or await desk.workspace.store.catalog(trace.catalog.hash)
            pieces = transcript(trace, catalog, texts, settled=settled)
            settled = pieces[:-1]
            above = view.first_screen(
                trace,
                texts,
                catalog=catalog,
                now=_now(run, trace),
                speed=run.speed or 1.0,
                reserved=run.reserved,
                text=run.text,
                mine=trace.owner == visitor.owner,
            )
            yield above | view.below(trace, texts, pieces=pieces)


def _now(run: Run, trace: Trace) -> float:
    """Return the seconds since the start; a played run's clock is that of its latest event."""
    if run.speed is not None:
        return trace.seconds
    return max(trace.seconds, run.since + (datetime.now(UTC) - trace.started_at).total_seconds())
