"""Serves traces from the queue to whoever labels, keeps their verdicts and takes them back.

Who may label what is decided here alone: an administrator every trace, anybody their own, and, where the
rules allow it, what other owners consented to share. A trace is served without its labels and its owner.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from orchestra_app.core.errors import ConfigError
from orchestra_app.core.trace import Trace, is_id
from orchestra_app.scoring.agreement import Agreement, agreement, between
from orchestra_app.storage.guidelines import (
    LONGEST,
    Rules,
    read_guidelines,
    read_rules,
    write_guidelines,
    write_rules,
)
from orchestra_app.storage.queueing import Choices, Progress, Scope
from orchestra_app.ui.asking import Desk
from orchestra_app.ui.labels import Details, whole
from orchestra_app.ui.queue import Queue
from orchestra_app.ui.texts import TEXTS
from orchestra_app.ui.visitor import Visitor


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What the page sent as its filters, of any kind whatever."""

    catalog: Any = None
    policy: Any = None


async def scope_of(desk: Desk, visitor: Visitor, narrowed: Narrowed | None = None) -> Scope:
    """Return which traces a visitor may label, and of those the ones that the filters leave."""
    known, narrowed = await rules(desk), narrowed or Narrowed()
    return Scope(
        by=visitor.owner,
        everybody=visitor.admin,
        consented=known.anybody or visitor.owner.startswith("hf:"),
        catalog=_name(narrowed.catalog),
        policy=_name(narrowed.policy),
        twice=known.twice,
    )


async def serve(desk: Desk, queue: Queue, visitor: Visitor, narrowed: Narrowed) -> Trace | None:
    """Return the next trace that waits for a visitor's verdict and claim it; None where none does.

    Skipped traces come again once nothing else is left.
    """
    scope = await scope_of(desk, visitor, narrowed)
    refused: set[str] = set()
    while True:
        waiting = await desk.workspace.store.next_waiting(scope, queue.passed(visitor.owner) | refused)
        if waiting is None:
            if queue.again(visitor.owner):
                continue
            queue.release(visitor.owner)
            return None
        # Between the two looks somebody else may have been served it.
        if queue.claim(visitor.owner, waiting) and (trace := await desk.workspace.store.get(waiting.id)):
            return unsigned(trace)
        refused.add(waiting.id)


async def say(
    desk: Desk, queue: Queue, visitor: Visitor, trace_id: Any, verdict: str, details: Details
) -> None:
    """Keep a visitor's verdict on a trace that they may label; raises ConfigError and StorageError."""
    texts = TEXTS[visitor.language]
    await _admitted(desk, visitor, trace_id)
    label = whole(visitor.owner, verdict, details, texts)
    queue.said(visitor.owner, trace_id, await desk.workspace.store.add_label(trace_id, label))


async def skip(desk: Desk, queue: Queue, visitor: Visitor, trace_id: Any) -> None:
    """Put a trace behind all others for a visitor; raises ConfigError for one that they may not label."""
    await _admitted(desk, visitor, trace_id)
    queue.skip(visitor.owner, trace_id)


async def undo(desk: Desk, queue: Queue, visitor: Visitor) -> Trace:
    """Take the visitor's latest verdict from this queue back and return its trace, to be labelled anew.

    Raises ConfigError where there is nothing to take back.
    """
    store = desk.workspace.store
    while said := queue.last(visitor.owner):
        trace_id, label_id = said
        label = (await store.labels(trace_id)).get(label_id)
        # It may be gone already: taken back elsewhere, or deleted with its trace.
        if label and label.by == visitor.owner and await store.remove_label(label_id):
            await _admitted(desk, visitor, trace_id)
            if trace := await store.get(trace_id):
                return unsigned(trace)
    raise ConfigError(TEXTS[visitor.language]["queue_no_undo"])


async def measured(desk: Desk, visitor: Visitor, narrowed: Narrowed) -> tuple[Progress, Agreement]:
    """Return how far the visitor's part of the queue is labelled, and how far people agree on it."""
    scope = await scope_of(desk, visitor, narrowed)
    progress = await desk.workspace.store.labelling(scope)
    shared = await desk.workspace.store.labelled_by_many(scope)
    return progress, agreement(pair for latest in shared for pair in between(latest))


async def choices(desk: Desk, visitor: Visitor) -> Choices:
    """Return what the visitor's part of the queue can be narrowed to."""
    return await desk.workspace.store.labelling_choices(await scope_of(desk, visitor))


async def guidelines(desk: Desk, visitor: Visitor) -> str:
    """Return the guidelines as Markdown: the owner's, or the usual ones."""
    text = await asyncio.to_thread(read_guidelines, desk.workspace.settings.home)
    return text or TEXTS[visitor.language]["queue_guidelines_usual"]


async def decide(desk: Desk, visitor: Visitor, text: Any, percent: Any, anybody: Any) -> None:
    """Keep what an administrator decides; raises ConfigError for anybody else and for what cannot be kept.

    percent: the share of traces that two people label.
    """
    texts, home = TEXTS[visitor.language], desk.workspace.settings.home
    if not visitor.admin:
        raise ConfigError(texts["queue_not_admin"])
    written = text.strip() if isinstance(text, str) else ""
    if len(written) > LONGEST:
        raise ConfigError(texts["queue_long"].format(limit=f"{LONGEST:,}"))
    if isinstance(percent, bool) or not isinstance(percent, int | float) or not 0 <= percent <= 100:
        raise ConfigError(texts["queue_bad_share"])
    usual = {table["queue_guidelines_usual"].strip() for table in TEXTS.values()}
    await asyncio.to_thread(write_guidelines, home, "" if written in usual else written)
    await asyncio.to_thread(write_rules, home, Rules(percent / 100, anybody is True))


async def rules(desk: Desk) -> Rules:
    """Return how traces are served."""
    return await asyncio.to_thread(read_rules, desk.workspace.settings.home)


def unsigned(trace: Trace) -> Trace:
    """Return a trace as it is served: without what others said of it, and without who asked."""
    return trace.model_copy(update={"labels": [], "owner": ""})


def _name(value: Any) -> str | None:
    return value[:200] if isinstance(value, str) and value else None


async def _admitted(desk: Desk, visitor: Visitor, trace_id: Any) -> None:
    scope = await scope_of(desk, visitor)
    if not is_id(trace_id) or not await desk.workspace.store.may_label(scope, trace_id):
        raise ConfigError(TEXTS[visitor.language]["no_trace"].format(id=str(trace_id)[:64]))
