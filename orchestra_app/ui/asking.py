"""What the page and the API do alike: begin a run, find a trace, keep and take back a verdict."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from orchestra_app.core.errors import ConfigError
from orchestra_app.core.trace import Trace, is_id
from orchestra_app.orchestrator.fork import Fork
from orchestra_app.orchestrator.loop import Options
from orchestra_app.orchestrator.runs import Run
from orchestra_app.storage.queries import Filter
from orchestra_app.ui.forecasts import Forecasts
from orchestra_app.ui.labels import Details, whole
from orchestra_app.ui.sweeps import Sweeps
from orchestra_app.ui.texts import TEXTS
from orchestra_app.ui.visitor import Door, Visitor
from orchestra_app.ui.wish import Wish, problems
from orchestra_app.workspace import Workspace

MOST_RUNS = 3
"""Runs that one visitor may have under way."""
MOST_RUNS_OF_ALL = 64
"""Runs that all visitors together may have under way."""
MOST_SIBLINGS = 32
"""Traces of a group that are compared with one of them."""
PLAYED = 20.0
"""Simulated seconds that the page plays in one."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What every page and the API work with."""

    workspace: Workspace
    door: Door
    starting: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a run is begun, so that the limits count those that are just starting."""
    judging: set[str] = field(default_factory=set)
    """Owners who wait for a judge's verdict."""
    forecasts: Forecasts = field(init=False)
    sweeps: Sweeps = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "forecasts", Forecasts(self.workspace.store))
        object.__setattr__(self, "sweeps", Sweeps(self.workspace))
        self.workspace.at_close.append(self.sweeps.aclose)


async def begin(
    desk: Desk,
    visitor: Visitor,
    wish: Wish,
    *,
    catalog: str | None = None,
    policy: str | None = None,
    played: bool = True,
    fork: Fork | None = None,
    consent: bool = False,
) -> Run:
    """Start a run; raises ConfigError with one sentence, before anything is spent, where that cannot be.

    played: True where a simulated run is shown at `PLAYED`, not at once. fork: the visitor's own trace that
    it goes on from; its question is asked, whatever the wish says. consent: whether others may use the trace.
    """
    async with desk.starting:
        return await _begun(desk, visitor, wish, (catalog, policy), (played, consent), fork)


async def _begun(
    desk: Desk,
    visitor: Visitor,
    wish: Wish,
    names: tuple[str | None, str | None],
    told: tuple[bool, bool],
    fork: Fork | None,
) -> Run:
    workspace, texts = desk.workspace, TEXTS[visitor.language]
    catalog, policy = (None if name is None else str(name) for name in names)
    played, consent = told
    known = workspace.catalog(catalog)
    for problem in problems(wish, known):
        raise ConfigError(problem.sentence(texts))
    if not (desk.door.local or known.simulated or workspace.settings.daily_cap):
        raise ConfigError(texts["no_cap"])
    if workspace.runs.active() >= MOST_RUNS_OF_ALL:
        raise ConfigError(texts["too_busy"])
    if workspace.runs.active(visitor.owner) >= MOST_RUNS:
        raise ConfigError(texts["too_many"].format(number=MOST_RUNS))
    try:
        if fork:
            task = fork.task(wish.preference, wish.budget)
        else:
            fields = {"preference": wish.preference, "budget": wish.budget, "source": "page"}
            task = workspace.task(wish.question, catalog, **fields)
    except ValidationError:
        raise ConfigError(texts["odd_question"]) from None
    options = Options(owner=visitor.owner, seed=int(wish.seed), fork=fork, consent=consent)
    speed = PLAYED if played and known.simulated else None
    return await workspace.begin(task, catalog=catalog, policy=policy, options=options, speed=speed)


async def find(desk: Desk, visitor: Visitor, trace_id: Any) -> Trace:
    """Return a visitor's trace, live or kept; raises ConfigError for any other."""
    return await _found(desk, visitor, trace_id, visitor.owner)


async def look(desk: Desk, visitor: Visitor, trace_id: Any) -> Trace:
    """Return a trace that the visitor may look at, an admin at everybody's; raises ConfigError for others."""
    return await _found(desk, visitor, trace_id, visitor.sees)


async def siblings(desk: Desk, visitor: Visitor, trace: Trace) -> tuple[list[Trace], int]:
    """Return the finished traces of a trace's group that the visitor may look at, itself among them.

    With them comes how many the group has; of a large one only `MOST_SIBLINGS` are read.
    """
    # A star in a filter stands for any characters, and so for traces of other groups.
    if not trace.group or "*" in trace.group:
        return [], 0
    store = desk.workspace.store
    ids = await store.ids(Filter(group=trace.group, owner=visitor.sees))
    others = [each for each in ids if each != trace.id][: MOST_SIBLINGS - 1]
    read = await store.traces([trace.id, *others])
    return [each for each in read.values() if each.status != "running"], len(ids)


async def _found(desk: Desk, visitor: Visitor, trace_id: Any, owner: str | None) -> Trace:
    if is_id(trace_id):
        run = desk.workspace.runs.get(trace_id, owner)
        if run and run.trace and not run.done:
            return run.trace
        kept = await desk.workspace.store.get(trace_id, owner=owner)
        if kept:
            return kept
    raise ConfigError(TEXTS[visitor.language]["no_trace"].format(id=str(trace_id)[:64]))


async def judge(desk: Desk, visitor: Visitor, trace_id: Any, verdict: Any, details: Details) -> int:
    """Keep a visitor's verdict on their own trace and return the label's id; raises ConfigError.

    A trace without an answer cannot be correct: it would earn a reward for nothing.
    """
    trace = await find(desk, visitor, trace_id)
    texts = TEXTS[visitor.language]
    label = whole(visitor.owner, verdict, details, texts)
    if label.correct and not trace.answer:
        raise ConfigError(texts["labels_none_correct"])
    return await desk.workspace.store.add_label(trace.id, label)


async def take_back(desk: Desk, visitor: Visitor, trace_id: Any, label_id: Any) -> bool:
    """Remove a visitor's own verdict; return whether it was there."""
    trace = await find(desk, visitor, trace_id)
    label = (await desk.workspace.store.labels(trace.id)).get(label_id)
    if label is None or label.source != "human" or label.by != visitor.owner:
        return False
    return await desk.workspace.store.remove_label(label_id)
