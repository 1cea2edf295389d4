"""Finds the traces that wait for a person's verdict, and how far the people who label have come.

Only verdicts of people on whole traces count here: marks on single calls and automatic verdicts do not.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, distinct, func, select

from orchestra_app.storage.schema import LABEL, TRACE


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which answered traces somebody may label, and which of those are wanted."""

    by: str
    """Who labels."""
    everybody: bool = False
    """True: the traces of every owner."""
    consented: bool = False
    """True: besides their own, those whose owners consented."""
    catalog: str | None = None
    policy: str | None = None
    twice: float = 0.0
    """Share of the traces that two people are to label, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A trace that somebody may be served."""

    id: str
    room: int
    """How many people's verdicts it still wants."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a scope is labelled."""

    traces: int = 0
    mine: int = 0
    """Traces that this person has labelled."""
    left: int = 0
    """Traces that this person may still be served."""
    done: int = 0
    """Traces with as many people's verdicts as they are to have."""
    second: int = 0
    """Traces with one verdict that wait for somebody else's."""


@dataclass(frozen=True, slots=True)
class Choices:
    """How many traces of a scope there are by each value that it can be narrowed to."""

    catalogs: dict[str, int] = field(default_factory=dict)
    policies: dict[str, int] = field(default_factory=dict)


def next_waiting(connection: Connection, scope: Scope, passed: Collection[str] = ()) -> Waiting | None:
    """Return the oldest trace that waits for a verdict of this person; None where none does.

    Those that only a comparison or a judge has judged come last. passed: ids that are not to be served now.
    """
    room = _needed(scope) - _people()
    query = select(TRACE.c.id, room).where(*_open(scope), *_wanted(scope), ~_mine(scope), room > 0)
    query = query.where(TRACE.c.id.not_in(passed)).order_by(TRACE.c.started_at, TRACE.c.id).limit(1)
    needs_people = (TRACE.c.verdict == "unlabelled") | (_people() > 0)
    row = connection.execute(query.where(needs_people)).first() or connection.execute(query).first()
    return Waiting(*row) if row else None


def measure(connection: Connection, scope: Scope) -> Progress:
    """Return how far the scope is labelled."""
    mine = func.max(case((LABEL.c.by == scope.by, 1), else_=0))
    by_trace = select(LABEL.c.trace_id, func.count(distinct(LABEL.c.by)).label("people"), mine.label("mine"))
    said = by_trace.where(*_HUMAN).group_by(LABEL.c.trace_id).subquery()
    people, needed = func.coalesce(said.c.people, 0), _needed(scope)
    labelled = func.coalesce(said.c.mine, 0) == 1
    left, second = and_(~labelled, people < needed), and_(people == 1, needed == 2)
    conditions = (labelled, left, people >= needed, second)
    counts = (func.coalesce(func.sum(case((condition, 1), else_=0)), 0) for condition in conditions)
    query = select(func.count(), *counts).select_from(TRACE.outerjoin(said, said.c.trace_id == TRACE.c.id))
    return Progress(*map(int, connection.execute(query.where(*_open(scope), *_wanted(scope))).one()))


def find_choices(connection: Connection, scope: Scope) -> Choices:
    """Return the catalogues and policies of the traces that this person may label."""
    query = select(TRACE.c.catalog, TRACE.c.policy, func.count()).where(*_open(scope))
    catalogs, policies = Counter[str](), Counter[str]()
    for catalog, policy, number in connection.execute(query.group_by(TRACE.c.catalog, TRACE.c.policy)):
        catalogs[catalog] += number
        policies[policy] += number
    return Choices(dict(sorted(catalogs.items())), dict(sorted(policies.items())))


def find_shared(connection: Connection, scope: Scope) -> tuple[Mapping[str, bool | None], ...]:
    """Return the latest verdict of each person, by name, for traces that more than one has labelled."""
    several = func.count(distinct(LABEL.c.by)) > 1
    shared = select(LABEL.c.trace_id).where(*_HUMAN).group_by(LABEL.c.trace_id).having(several)
    query = select(LABEL.c.trace_id, LABEL.c.by, LABEL.c.correct).join(TRACE, TRACE.c.id == LABEL.c.trace_id)
    query = query.where(*_HUMAN, *_open(scope), *_wanted(scope), LABEL.c.trace_id.in_(shared))
    found = defaultdict[str, dict[str, bool | None]](dict)
    for trace_id, by, correct in connection.execute(query.order_by(LABEL.c.at, LABEL.c.id)):
        found[trace_id][by] = correct
    return tuple(found.values())


def may_label(connection: Connection, scope: Scope, trace_id: str) -> bool:
    """Return whether a trace is one of those that this person may label, whoever else has."""
    query = select(TRACE.c.id).where(TRACE.c.id == trace_id, *_open(scope))
    return connection.execute(query).first() is not None


_HUMAN = (LABEL.c.source == "human", LABEL.c.call_id.is_(None))


def _open(scope: Scope) -> list[ColumnElement[bool]]:
    conditions = [TRACE.c.status == "answered"]
    if not scope.everybody:
        own = TRACE.c.owner == scope.by
        conditions.append(own | TRACE.c.consent.is_(True) if scope.consented else own)
    return conditions


def _wanted(scope: Scope) -> list[ColumnElement[bool]]:
    narrowed = ((TRACE.c.catalog, scope.catalog), (TRACE.c.policy, scope.policy))
    return [column == value for column, value in narrowed if value is not None]


def _people() -> Any:
    """Return how many people gave a verdict on a trace."""
    query = select(func.count(distinct(LABEL.c.by))).where(LABEL.c.trace_id == TRACE.c.id, *_HUMAN)
    return query.correlate(TRACE).scalar_subquery()


def _mine(scope: Scope) -> ColumnElement[bool]:
    query = select(LABEL.c.id).where(LABEL.c.trace_id == TRACE.c.id, *_HUMAN, LABEL.c.by == scope.by)
    return query.correlate(TRACE).exists()


def _needed(scope: Scope) -> ColumnElement[int]:
    return case((_twice(scope), 2), else_=1)


def _twice(scope: Scope) -> ColumnElement[bool]:
    # The start stays the same wherever a trace goes, and both databases can mix it evenly; ids they cannot.
    return TRACE.c.started_at % 1_000_003 * 7_919 % 1_000 < round(scope.twice * 1_000)
