"""Rollouts made for the tests of storage: one from a recipe, others from hypothesis."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from orchestra_app.core.events import (
    CatalogRef,
    Event,
    ReplyReceived,
    RolloutFinished,
    RolloutStarted,
    ToolFinished,
)
from orchestra_app.core.message import Document, Execution, Offer, Reply, Tokens, ToolCall, ToolResult
from orchestra_app.core.task import Budget, Preference, Task
from orchestra_app.core.trace import Trace
from orchestra_app.core.usage import Charge, Price, Usage
from orchestra_app.storage.recorder import record
from orchestra_app.storage.store import Store

START = datetime(2026, 11, 23, 12, 0, 0, 123_456, tzinfo=UTC)
PRICE = Price(input=0.25, output=2.0, source="a page", date="2026-11-01")
SCHEMAS = tuple(
    {"type": "function", "function": {"name": name, "description": "Does this. " * 80, "parameters": {}}}
    for name in ("search", "answer")
)


def rollout(
    name: str, *, turns: int = 2, cost: float = 0.001, started: dict[str, Any] | None = None
) -> list[Event]:
    """Return the events of a rollout that searches and then answers; `cost` is USD of each charge."""
    fields: dict[str, Any] = {
        "trace_id": name,
        "task": Task(
            id=f"task {name}", question=f"How many people live in Oranmore? ({name})", source="test"
        ),
        "policy": "rules",
        "catalog": CatalogRef(name="rehearsal", hash="0123456789abcdef"),
        "protocol": "packed",
        "started_at": START,
    }
    events: list[Event] = [RolloutStarted(**{**fields, **(started or {})})]
    for number in range(turns):
        tool = "answer" if number == turns - 1 else "search"
        call = ToolCall(id=f"call {number}", name=tool, arguments={"model": f"{tool}-1"})
        reply = Reply(text="…", calls=(call,), charges=(charge("rules", cost),))
        offered = tuple(
            Offer.model_construct(tool_schema=schema, choices={f"{schema['function']['name']}-1": 0.5})
            for schema in SCHEMAS
        )
        events.append(ReplyReceived(offered=offered, instruction="", reply=reply, at=number + 0.25))
        documents = (Document(text=f"Document {number} of {name}", source="local"),)
        result = ToolResult(call_id=call.id, documents=documents, charges=(charge("gpt-5-mini", cost),))
        events.append(ToolFinished(result=result, at=number + 0.75))
    events.append(RolloutFinished(status="answered", answer=f"Answer of {name}", at=turns))
    return events


def charge(who: str, cost: float) -> Charge:
    usage = Usage(input_tokens=100, output_tokens=10, seconds=0.1)
    return Charge(who=who, kind="expert", usage=usage, price=PRICE, cost=cost, simulated=True)


def fold(events: Iterable[Event]) -> Trace:
    """Return the trace that the events lead to."""
    first, *others = events
    assert isinstance(first, RolloutStarted)
    trace = Trace.start(first)
    for event in others:
        trace.apply(event)
    return trace


async def stream(events: Iterable[Event], pause: float = 0.0) -> AsyncGenerator[Event, None]:
    """Yield the events, each after `pause` seconds."""
    for event in events:
        await asyncio.sleep(pause)
        yield event


async def save(store: Store, events: Iterable[Event], pause: float = 0.0) -> Trace:
    """Record the events to their end and return the trace."""
    async with aclosing(record(stream(events, pause), store)) as recorded:
        return [trace async for _, trace in recorded][-1]


async def until(look: Callable[[], Awaitable[Any]], wanted: Any) -> None:
    """Return once `look` gives what is wanted; the test's own time limit ends a wait in vain."""
    while await look() != wanted:  # noqa: ASYNC110
        await asyncio.sleep(0.01)


_texts = st.text(max_size=30)
_amounts = st.floats(0, 1e6)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=6,
)
_objects = st.dictionaries(_texts, _json, max_size=3)
_usages = st.builds(Usage, input_tokens=st.integers(0), units=_amounts, seconds=_amounts)
_charges = st.builds(
    Charge,
    who=_texts,
    kind=st.sampled_from(("policy", "expert", "search", "python")),
    usage=_usages,
    price=st.just(PRICE),
    cost=_amounts,
    reported=st.none() | _amounts,
    simulated=st.booleans(),
)


def _tuples(of: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(of, max_size=3).map(tuple)


_executions = st.builds(
    Execution, code=_texts, stdout=_texts, status=st.none() | st.integers(), seconds=_amounts
)
_tokens = st.builds(
    Tokens,
    prompt_ids=_tuples(st.integers()),
    completion_ids=_tuples(st.integers()),
    logprobs=_tuples(_amounts),
)
_calls = st.builds(ToolCall, id=_texts, name=_texts, arguments=_objects | _texts)
_replies = st.builds(
    Reply,
    text=_texts,
    reasoning=_texts,
    calls=_tuples(_calls),
    charges=_tuples(_charges),
    tokens=st.none() | _tokens,
    at=_amounts,
)
_results = st.builds(
    ToolResult,
    call_id=_texts,
    documents=_tuples(st.builds(Document, text=_texts, title=_texts, url=_texts)),
    executions=_tuples(_executions),
    answer=st.none() | _texts,
    error=st.none() | _texts,
    charges=_tuples(_charges),
)
_offers = st.builds(
    Offer,
    tool_schema=st.builds(lambda name, rest: {"function": {"name": name, **rest}}, _texts, _objects),
    choices=st.dictionaries(_texts, st.floats(0, 1), max_size=3),
    slider=st.floats(0, 1),
)
_turn_events = st.builds(
    ReplyReceived,
    offered=_tuples(_offers),
    instruction=_texts,
    reply=_replies,
    forced=st.none() | _texts,
    at=_amounts,
) | st.builds(ToolFinished, result=_results, at=_amounts)
_starts = st.builds(
    RolloutStarted,
    # Hypothesis repeats its values, and an id must not come twice.
    trace_id=st.builds(lambda: str(uuid.uuid4())),
    task=st.builds(
        Task,
        id=_texts,
        question=st.text(min_size=1, max_size=50),
        answer=st.none() | _texts,
        preference=st.builds(Preference, weights=st.dictionaries(_texts, st.floats(0, 1), max_size=3)),
        budget=st.builds(Budget, cost=st.none() | _amounts),
        source=_texts,
    ),
    policy=_texts,
    catalog=st.builds(CatalogRef, name=_texts, hash=_texts),
    protocol=st.sampled_from(("packed", "chat")),
    render=_texts,
    seed=st.integers(),
    started_at=st.datetimes(
        datetime(1990, 1, 1),
        datetime(2100, 1, 1),
        timezones=st.sampled_from((UTC, timezone(timedelta(hours=8)))),
    ),
    parent=st.none() | _texts,
    group=st.none() | _texts,
    owner=_texts,
    consent=st.booleans(),
)
_ends = st.builds(
    RolloutFinished,
    status=st.sampled_from(("answered", "exhausted", "failed", "stopped")),
    answer=st.none() | _texts,
    error=st.none() | _texts,
    at=_amounts,
)


@st.composite
def rollouts(draw: st.DrawFn) -> list[Event]:
    """Rollouts with any values that the events take."""
    events = draw(st.lists(_turn_events, max_size=6))
    while events and isinstance(events[0], ToolFinished):
        events.pop(0)
    return [draw(_starts), *events, draw(_ends)]
