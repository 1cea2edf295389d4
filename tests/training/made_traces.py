"""Traces made by hand for the tests of samples."""

from datetime import UTC, datetime
from typing import Any

from orchestra_app.core.events import CatalogRef
from orchestra_app.core.message import Offer, Reply, ToolCall, ToolResult
from orchestra_app.core.task import Task
from orchestra_app.core.trace import Label, Trace, Turn
from orchestra_app.core.usage import Charge, Price, Usage

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def offer(name: str, *aliases: str) -> Offer:
    schema = {"type": "function", "function": {"name": name, "description": "", "parameters": {}}}
    return Offer(tool_schema=schema, choices=dict.fromkeys(aliases, 0.5))


OFFERED = (offer("search", "search-1"), offer("answer", "answer-1", "answer-2"))


def turn(tool: str, alias: str, *, forced: str | None = None, cost: float = 0.01) -> Turn:
    price = Price(source="test")
    charge = Charge(who="m", kind="expert", usage=Usage(), price=price, cost=cost, simulated=True)
    call = ToolCall(id="1.1", name=tool, arguments={"model": alias})
    result = ToolResult(call_id="1.1", charges=(charge,))
    return Turn(offered=OFFERED, instruction="", reply=Reply(calls=(call,)), results=(result,), forced=forced)


def trace(name: str, correct: bool | None, *turns: Turn, **fields: Any) -> Trace:
    labels = [Label(source="benchmark", correct=correct, at=NOW)]
    known: dict[str, Any] = {
        "task": Task(id="q", question="What is 6 * 7?"),
        "policy": "p",
        "catalog": CatalogRef(name="rehearsal", hash="h"),
        "protocol": "packed",
        "status": "answered",
        "answer": name,
        "started_at": NOW,
        "labels": labels,
        "turns": list(turns) or [turn("answer", "answer-1")],
    }
    return Trace(id=name, **{**known, **fields})
