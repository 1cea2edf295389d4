"""The public API: `ask`, `trace`, `traces`, `label` and `frontier`, by the rules and caps of the page."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from typing import Any

import gradio as gr
from gradio.events import api

from orchestra_app.core.errors import OrchestraError
from orchestra_app.core.trace import Trace
from orchestra_app.dataset.sharing import Pseudonyms
from orchestra_app.frontier.report import export, report
from orchestra_app.orchestrator.runs import Run
from orchestra_app.ui.asking import Desk, begin, find, judge, look
from orchestra_app.ui.labels import Details
from orchestra_app.ui.links import SORTS, clean, misread, wanted
from orchestra_app.ui.sweeping import LABELLED, gathered
from orchestra_app.ui.visitor import Visitor, returned
from orchestra_app.ui.wish import Wish

Endpoint = Callable[..., Awaitable[Any]]

LONGEST = 200
"""Traces of one page of `traces`."""


def wire_api(desk: Desk) -> None:
    """Offer the endpoints; `visitor` is the secret under which an earlier call kept its traces."""
    for made in (_ask, _trace, _traces, _label, _frontier):
        endpoint = made(desk)
        api(endpoint, api_name=endpoint.__name__, concurrency_limit=None)


@contextmanager
def _sentences() -> Iterator[None]:
    """Turn what a caller can act on into an answer without a traceback."""
    try:
        yield
    except OrchestraError as error:
        raise gr.Error(str(error), print_exception=False) from None


def _ask(desk: Desk) -> Endpoint:
    async def ask(
        request: gr.Request,
        question: str,
        catalog: str = "",
        policy: str = "",
        weights: dict[str, float] | None = None,
        excluded: list[str] | None = None,
        cost: float = 0.25,
        latency: float = 0.25,
        soft: bool = False,
        budget_cost: float | None = 0.10,
        budget_seconds: float | None = 120.0,
        budget_turns: int = 20,
        seed: int = 0,
        visitor: str = "",
    ) -> dict[str, Any]:
        """Ask a question and return its trace, with `usage`, `adherence` and `correct`, when it is over."""
        with _sentences():
            secret = returned(visitor)
        who = desk.door.visitor(request, secret)
        wish = Wish(
            question=question,
            weights=weights or {},
            excluded=excluded or (),
            soft=soft,
            cost=cost,
            latency=latency,
            budget_cost=budget_cost,
            budget_seconds=budget_seconds,
            budget_turns=budget_turns,
            seed=seed,
        )
        with _sentences():
            run = await begin(desk, who, wish, catalog=catalog or None, policy=policy or None, played=False)
            return await finished(desk, who, run) | {"visitor": secret}

    return ask


def _trace(desk: Desk) -> Endpoint:
    async def trace(request: gr.Request, id: str, visitor: str = "") -> dict[str, Any]:
        """Return one of the visitor's traces, to an admin anybody's."""
        who = desk.door.visitor(request, visitor)
        with _sentences():
            return _export(await look(desk, who, id), who)

    return trace


def _traces(desk: Desk) -> Endpoint:
    async def traces(
        request: gr.Request,
        text: str = "",
        catalog: str = "",
        policy: str = "",
        status: str = "",
        verdict: str = "",
        tool: str = "",
        cost_from: float | None = None,
        cost_to: float | None = None,
        page: int = 1,
        size: int = 50,
        visitor: str = "",
        seconds_from: float | None = None,
        seconds_to: float | None = None,
        since: str = "",
        until: str = "",
        source: str = "",
        group: str = "",
        parent: str = "",
        who: str = "",
        sort: str = "newest",
    ) -> list[dict[str, Any]]:
        """Return one page of the visitor's traces, for an admin everybody's, without their turns."""
        caller = desk.door.visitor(request, visitor)
        if not (
            isinstance(size, int) and 1 <= size <= LONGEST and isinstance(page, int) and 1 <= page <= 10**6
        ):
            raise gr.Error(f"Give a page from 1 and a size from 1 to {LONGEST}.", print_exception=False)
        filters = {
            "text": text,
            "catalog": catalog,
            "policy": policy,
            "status": status,
            "verdict": verdict,
            "tool": tool,
            "cost_from": cost_from,
            "cost_to": cost_to,
            "seconds_from": seconds_from,
            "seconds_to": seconds_to,
            "since": since,
            "until": until,
            "source": source,
            "group": group,
            "parent": parent,
            "who": who,
            "sort": sort,
        }
        _refuse(misread(filters))
        filter_, order = wanted(clean(filters), caller), sort if sort in SORTS else SORTS[0]
        with _sentences():
            found = await desk.workspace.store.list(filter_, page=page, size=size, sort=order)
        return [_plain(summary) for summary in found]

    return traces


def _refuse(misread: Mapping[str, str]) -> None:
    """Raise where a filter cannot be read: without it the call would return more than was asked for."""
    if misread:
        told = (f"`{name}` must be {expected}" for name, expected in misread.items())
        raise gr.Error(f"{'; '.join(told)}.", print_exception=False)


def _label(desk: Desk) -> Endpoint:
    async def label(
        request: gr.Request, id: str, verdict: str, gold: str | float = "", visitor: str = ""
    ) -> dict[str, Any]:
        """Keep a verdict (`correct`, `incorrect` or `unsure`) on a trace of the visitor and return it."""
        who = desk.door.visitor(request, visitor)
        with _sentences():
            await judge(desk, who, id, verdict, Details(gold=gold))
            return _export(await find(desk, who, id), who)

    return label


def _frontier(desk: Desk) -> Endpoint:
    async def frontier(
        request: gr.Request, sweep: str = "", catalog: str = "", visitor: str = ""
    ) -> dict[str, Any]:
        """Return the frontier of one of the visitor's sweeps, or of their labelled traces; nothing is run."""
        who = desk.door.visitor(request, visitor)
        with _sentences():
            runs = await gathered(desk, who, sweep or LABELLED, catalog)
        if runs is None:
            raise gr.Error("There is no judged run to compare yet.", print_exception=False)
        return export(await asyncio.to_thread(report, runs.rows, runs.subject))

    return frontier


async def finished(desk: Desk, who: Visitor, run: Run) -> dict[str, Any]:
    """Return the trace of a run once it is over; a caller who leaves earlier stops it."""
    try:
        async with aclosing(desk.workspace.runs.watch(run)) as changes:
            async for _ in changes:
                pass
    finally:
        run.halt()
    if run.error:
        raise OrchestraError(run.error)
    return _export(await find(desk, who, run.id), who)


def _export(trace: Trace, who: Visitor) -> dict[str, Any]:
    """Return a trace as JSON values; visitors learn no names of others who labelled it."""
    return (trace if who.admin else Pseudonyms(who.owner).applied(trace)).export()


def _plain(summary: Any) -> dict[str, Any]:
    values = {name: getattr(summary, name) for name in type(summary).__dataclass_fields__}
    return values | {"tools": list(summary.tools), "started_at": summary.started_at.isoformat()}
