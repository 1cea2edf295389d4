"""Finds traces: filters, pages of light rows, counts and what there is to filter by."""

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, func, select

from orchestra_app.core.events import FINISHED, Status
from orchestra_app.storage.rows import microseconds, moment, plain
from orchestra_app.storage.schema import TRACE

Verdict = Literal["correct", "incorrect", "unsure", "unlabelled"]
Sort = Literal["newest", "dearest", "cheapest", "slowest"]

SHOWN = 300
"""Characters of a question, an answer or an error that a light row carries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which traces are wanted; None and empty mean any."""

    text: str = ""
    """Part of the question or the answer, in any case of ASCII letters."""
    catalog: str | None = None
    policy: str | None = None
    status: Status | Literal["finished"] | None = None
    """`finished`: answered, exhausted or failed."""
    verdict: Verdict | Literal["decided"] | None = None
    """`decided`: correct or incorrect."""
    tool: str | None = None
    """A tool that ran."""
    owner: str | None = None
    source: str | None = None
    """Where the question comes from, such as `page` or a question set's name."""
    wish: str | None = None
    """The key of the sliders and the budget, see `core.task.wish_key`."""
    group: str | None = None
    """The name of the group; the first `*` in it stands for any characters."""
    parent: str | None = None
    """The trace that they were forked from."""
    cost_from: float | None = None
    """USD, inclusive."""
    cost_to: float | None = None
    """USD, inclusive."""
    seconds_from: float | None = None
    """Seconds that the run took, inclusive."""
    seconds_to: float | None = None
    """Seconds that the run took, inclusive."""
    since: datetime | None = None
    """Earliest start, inclusive."""
    until: datetime | None = None
    """Latest start, exclusive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A trace without its turns, as a list shows it; long texts are cut at 300 characters."""

    id: str
    question: str
    answer: str | None
    error: str | None
    status: Status
    verdict: Verdict
    policy: str
    protocol: str
    catalog: str
    catalog_hash: str
    cost: float
    """USD."""
    seconds: float
    turns: int
    tools: tuple[str, ...]
    """The tools that ran."""
    simulated: bool
    owner: str
    consent: bool
    parent: str | None
    group: str | None
    seed: int | None
    source: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Facets:
    """How many traces there are by each value that a filter can name."""

    catalogs: dict[str, int] = field(default_factory=dict)
    policies: dict[str, int] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    verdicts: dict[str, int] = field(default_factory=dict)
    tools: dict[str, int] = field(default_factory=dict)
    owners: dict[str, int] = field(default_factory=dict)


_CUT = ("question", "answer", "error")
_SHORT = [
    func.substr(TRACE.c[name], 1, SHOWN).label(name) if name in _CUT else TRACE.c[name]
    for name in Summary.__dataclass_fields__
]


_ORDERS: dict[Sort, tuple[ColumnElement[Any], ...]] = {
    "newest": (),
    "dearest": (TRACE.c.cost.desc(),),
    "cheapest": (TRACE.c.cost,),
    "slowest": (TRACE.c.seconds.desc(),),
}
"""What a list is sorted by before the date."""


def list_traces(
    connection: Connection, wanted: Filter, *, page: int, size: int, sort: Sort = "newest"
) -> tuple[Summary, ...]:
    """Return one page of the traces that are wanted, of equals the newest first; pages count from 1."""
    # Rows that are found by another index or by reading all are sorted afterwards, in the order they lie in.
    lies = bool(wanted.text or wanted.group or wanted.parent)
    date = TRACE.c.started_at + 0 if lies else TRACE.c.started_at
    order = (*_ORDERS[sort], date.desc(), TRACE.c.id.desc())
    # The index has all that is filtered and sorted by, so that only the rows of the page are read.
    ids = select(TRACE.c.id).where(*_conditions(wanted, connection.dialect.name)).order_by(*order)
    ids = ids.limit(size).offset((max(page, 1) - 1) * size)
    query = select(*_SHORT).where(TRACE.c.id.in_(ids)).order_by(*order)
    return tuple(_summary(dict(row)) for row in connection.execute(query).mappings())


def find_ids(connection: Connection, wanted: Filter) -> tuple[str, ...]:
    """Return the ids of the traces that are wanted, the oldest first."""
    query = select(TRACE.c.id).where(*_conditions(wanted, connection.dialect.name))
    return tuple(connection.execute(query.order_by(TRACE.c.started_at, TRACE.c.id)).scalars())


def count_traces(connection: Connection, wanted: Filter) -> int:
    """Return how many traces are wanted."""
    query = select(func.count()).select_from(TRACE)
    return connection.execute(query.where(*_conditions(wanted, connection.dialect.name))).scalar_one()


def count_facets(connection: Connection, wanted: Filter) -> Facets:
    """Return the values that the wanted traces have, with how many have each."""
    columns = (TRACE.c.tools, TRACE.c.catalog, TRACE.c.policy, TRACE.c.status, TRACE.c.verdict)
    conditions = _conditions(wanted, connection.dialect.name, through=True)
    query = select(*columns, func.count()).where(*conditions).group_by(*columns)
    tools, *counts = [Counter[str]() for _ in columns]
    for ran, *values, number in connection.execute(query):
        for counter, value in zip(counts, values, strict=True):
            counter[value] += number
        for tool in _tools(ran):
            tools[tool] += number
    query = select(TRACE.c.owner, func.count()).where(*_conditions(wanted, connection.dialect.name))
    owners = {row[0]: row[1] for row in connection.execute(query.group_by(TRACE.c.owner))}
    return Facets(*(dict(sorted(counter.items())) for counter in (*counts, tools, owners)))


def _summary(row: dict[str, Any]) -> Summary:
    return Summary(**{**row, "tools": _tools(row["tools"]), "started_at": moment(row["started_at"])})


def _tools(column: str) -> tuple[str, ...]:
    return tuple(name for name in column.split("|") if name)


def _conditions(wanted: Filter, dialect: str, *, through: bool = False) -> list[ColumnElement[bool]]:
    """Return what a row must fulfil; `through`: an index is read from end to end, whoever owns the rows."""
    owner, verdict, status = TRACE.c.owner, wanted.verdict, wanted.status
    if dialect == "sqlite" and (through or wanted.group or wanted.parent):
        # SQLite, which keeps no statistics here, would take the owner for the most selective.
        owner = owner.concat("")
    conditions = [
        column == plain(value)
        for column, value in (
            (owner, wanted.owner),
            (TRACE.c.catalog, wanted.catalog),
            (TRACE.c.policy, wanted.policy),
            (TRACE.c.status, None if status == "finished" else status),
            (TRACE.c.verdict, None if verdict == "decided" else verdict),
            (TRACE.c.source, wanted.source),
            (TRACE.c.wish, wanted.wish),
            (TRACE.c.parent, wanted.parent),
        )
        if value is not None
    ]
    if verdict == "decided":
        conditions.append(TRACE.c.verdict.in_(("correct", "incorrect")))
    if status == "finished":
        conditions.append(TRACE.c.status.in_(FINISHED))
    if wanted.tool:
        conditions.append(TRACE.c.tools.like(_part(f"|{wanted.tool}|"), escape="\\"))
    if wanted.group is not None:
        conditions.append(_in_group(wanted.group, dialect))
    if wanted.text:
        # SQLite's LIKE ignores the case of ASCII letters by itself.
        fits = "like" if dialect == "sqlite" else "ilike"
        part = _part(wanted.text)
        question, answer = (
            getattr(column, fits)(part, escape="\\") for column in (TRACE.c.question, TRACE.c.answer)
        )
        conditions.append(question | answer)
    return conditions + _ranges(wanted)


def _ranges(wanted: Filter) -> list[ColumnElement[bool]]:
    since, until = (None if each is None else microseconds(each) for each in (wanted.since, wanted.until))
    bounds = (
        (TRACE.c.cost.__ge__, wanted.cost_from),
        (TRACE.c.cost.__le__, wanted.cost_to),
        (TRACE.c.seconds.__ge__, wanted.seconds_from),
        (TRACE.c.seconds.__le__, wanted.seconds_to),
        (TRACE.c.started_at.__ge__, since),
        (TRACE.c.started_at.__lt__, until),
    )
    return [fits(bound) for fits, bound in bounds if bound is not None]


def _in_group(name: str, dialect: str) -> ColumnElement[bool]:
    first, star, last = (plain(name) or "").partition("*")
    if not star:
        return TRACE.c.group == first
    if dialect == "sqlite":
        # SQLite's LIKE would not use the index of the groups.
        first, last = (re.sub(r"[*?\[]", r"[\g<0>]", part) for part in (first, last))
        return TRACE.c.group.op("GLOB")(f"{first}*{last}")
    return TRACE.c.group.like(_escaped(first) + "%" + _escaped(last), escape="\\")


def _part(text: str) -> str:
    return f"%{_escaped(plain(text) or '')}%"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
