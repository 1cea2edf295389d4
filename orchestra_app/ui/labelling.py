"""What a visitor adds to a verdict on a trace of their own: details, marks on calls, automatic verdicts."""

from typing import Any

from orchestra_app.core.errors import ConfigError
from orchestra_app.core.trace import Label
from orchestra_app.scoring.verdict import gold_of, is_new, verdict
from orchestra_app.ui import labels
from orchestra_app.ui.asking import Desk, find
from orchestra_app.ui.labels import MARKS, Details
from orchestra_app.ui.texts import TEXTS
from orchestra_app.ui.visitor import Visitor


async def amend(desk: Desk, visitor: Visitor, trace_id: Any, details: Details) -> int:
    """Keep a visitor's latest verdict once more with further details and return the new label's id.

    The earlier label stays, so that taking the new one back restores it. Raises ConfigError.
    """
    texts = TEXTS[visitor.language]
    trace = await find(desk, visitor, trace_id)
    mine = labels.latest(await desk.workspace.store.labels(trace.id), visitor.owner)
    if mine is None:
        raise ConfigError(texts["labels_verdict_first"])
    fields = details.fields(texts)
    if all(getattr(mine[1], name) == value for name, value in fields.items()):
        raise ConfigError(texts["labels_nothing_new"])
    known = {name: getattr(mine[1], name) for name in ("correct", "rating", "gold", "note", "by")}
    return await desk.workspace.store.add_label(trace.id, labels.made(texts, **known | fields))


async def mark(desk: Desk, visitor: Visitor, trace_id: Any, name: str, place: str) -> int | None:
    """Mark one call of a visitor's trace and return the label's id; the same mark again takes it back.

    The mark before it stays, so that taking the new one back restores it.
    place: where the call stands among all calls of the trace, from 0. Raises ConfigError.
    """
    texts, store = TEXTS[visitor.language], desk.workspace.store
    trace = await find(desk, visitor, trace_id)
    called = labels.calls(trace)
    if name not in MARKS or not place.isdecimal() or len(place) > 6 or int(place) >= len(called):
        raise ConfigError(texts["labels_no_call"])
    call_id = called[int(place)][1].id
    kept = await store.labels(trace.id)
    before = labels.latest(kept, visitor.owner, call_id)
    again = before is not None and before[1].correct is MARKS[name]
    for number, label in kept.items():
        mine = label.source == "human" and label.by == visitor.owner and label.call_id == call_id
        if mine and (again or before is None or number != before[0]):
            await store.remove_label(number)
    if again:
        return None
    made = labels.made(texts, correct=MARKS[name], call_id=call_id, by=visitor.owner)
    return await store.add_label(trace.id, made)


async def check(desk: Desk, visitor: Visitor, trace_id: Any) -> Label:
    """Compare the answer with the right one, by its writing and as mathematics, and keep what that says.

    Costs nothing. Raises ConfigError where nothing can be said.
    """
    texts = TEXTS[visitor.language]
    trace = await find(desk, visitor, trace_id)
    if gold_of(trace) is None:
        raise ConfigError(texts["labels_no_gold" if trace.answer else "labels_no_answer"])
    label = await verdict(trace, desk.workspace.sandbox)
    if label is None:
        ended = trace.status in ("running", "stopped", "interrupted")
        raise ConfigError(texts["labels_not_over" if ended else "labels_open"])
    if is_new(trace, label):
        await desk.workspace.store.add_label(trace.id, label)
    return label
