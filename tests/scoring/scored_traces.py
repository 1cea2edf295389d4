"""Traces for the tests of scoring: what they cost, how long they took, what they called, and the verdict."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestra_app.core.events import CatalogRef
from orchestra_app.core.message import Offer, Reply, ToolCall, ToolResult
from orchestra_app.core.task import Preference, Task
from orchestra_app.core.trace import Label, Trace, Turn
from orchestra_app.core.usage import Charge, Price, Usage

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
SCHEMA = {"type": "function", "function": {"name": "answer", "parameters": {}}}
LIKED, DISLIKED = "answer-1", "answer-2"


def made(
    *,
    cost: float = 0.0,
    seconds: float = 1.0,
    correct: bool | None | str = True,
    calls: Sequence[str] = (LIKED,),
    preference: Preference | None = None,
    **fields: Any,
) -> Trace:
    """Return a trace with one call a turn; `correct="unlabelled"`: without a label."""
    offered = (Offer(tool_schema=SCHEMA, choices={LIKED: 0.9, DISLIKED: 0.6}),)
    each = Charge(who="m", kind="expert", usage=Usage(), price=Price(), cost=cost / max(1, len(calls)))
    turns = [
        Turn(
            offered=offered,
            instruction="",
            reply=Reply(calls=(ToolCall(id=str(number), name="answer", arguments={"model": alias}),)),
            results=(ToolResult(call_id=str(number), answer="42", charges=(each,)),),
        )
        for number, alias in enumerate(calls)
    ]
    answer = fields.pop("gold", None)
    task = Task(id="t", question="What is 6 * 7?", answer=answer, preference=preference or Preference())
    given: dict[str, Any] = {"id": "trace", "status": "answered", "answer": "42", **fields}
    labels = [] if isinstance(correct, str) else [label(correct)]
    return Trace(
        task=task,
        policy="rules",
        catalog=CatalogRef(name="test", hash="0"),
        protocol="packed",
        started_at=START,
        turns=turns,
        seconds=seconds,
        **{"labels": labels, **given},
    )


def label(correct: bool | None, *, by: str = "ann", minute: int = 0, **fields: Any) -> Label:
    given: dict[str, Any] = {"source": "human", **fields}
    return Label(correct=correct, by=by, at=START + timedelta(minutes=minute), **given)
