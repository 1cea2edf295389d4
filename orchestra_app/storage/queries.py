"""Finds traces: filters, pages of light rows, counts and what there is to filter by."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, func, select

from orchestra_app.core.events import Status
from orchestra_app.storage.rows import microseconds, moment, plain
from orchestra_app.storage.schema import TRACE

Verdict = Literal["correct", "incorrect", "unsure", "unlabelled"]

SHOWN = 300
"""Characters of a question, an answer or an error that a light row carries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which traces are wanted; None and empty mean any."""

    text: str = ""
    """Part of the question or the answer, in any case of ASCII letters."""
    catalog: str | None = None
    policy: str | None = None
    status: Status | None = None
    verdict: Verdict | None = None
    tool: str | None = None
    """A tool that ran."""
    owner: str | None = None
    cost_from: float | None = None
    """USD, inclusive."""
    cost_to: float | None = None
    """USD, inclusive."""
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


_CUT = ("question", "answer", "error")
_SHORT = [
    func.substr(TRACE.c[name], 1, SHOWN).label(name) if name in _CUT else TRACE.c[name]
    for name in Summary.__dataclass_fields__
]


def list_traces(connection: Connection, wanted: Filter, *, page: int, size: int) -> tuple[Summary, ...]:
    """Return one page of the traces that are wanted, the newest first; pages count from 1."""
    # A search for text reads every row, which is twice as fast in the order in which they lie.
    date = TRACE.c.started_at + 0 if wanted.text else TRACE.c.started_at
    query = select(*_SHORT).where(*_conditions(wanted, connection.dialect.name))
    query = query.order_by(date.desc(), TRACE.c.id.desc())
    query = query.limit(size).offset((max(page, 1) - 1) * size)
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
    columns = (TRACE.c.catalog, TRACE.c.policy, TRACE.c.status, TRACE.c.verdict, TRACE.c.tools)
    conditions = _conditions(wanted, connection.dialect.name)
    query = select(*columns, func.count()).where(*conditions).group_by(*columns)
    counts = [Counter[str]() for _ in columns]
    for *values, number in connection.execute(query):
        for counter, value in zip(counts[:-1], values[:-1], strict=True):
            counter[value] += number
        for tool in _tools(values[-1]):
            counts[-1][tool] += number
    return Facets(*(dict(sorted(counter.items())) for counter in counts))


def _summary(row: dict[str, Any]) -> Summary:
    return Summary(**{**row, "tools": _tools(row["tools"]), "started_at": moment(row["started_at"])})


def _tools(column: str) -> tuple[str, ...]:
    return tuple(name for name in column.split("|") if name)


def _conditions(wanted: Filter, dialect: str) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    for name in ("catalog", "policy", "status", "verdict", "owner"):
        value = getattr(wanted, name)
        if value is not None:
            conditions.append(TRACE.c[name] == value)
    if wanted.tool:
        conditions.append(TRACE.c.tools.like(_part(f"|{wanted.tool}|"), escape="\\"))
    if wanted.text:
        # SQLite's LIKE ignores the case of ASCII letters by itself.
        fits = "like" if dialect == "sqlite" else "ilike"
        part = _part(wanted.text)
        question, answer = (
            getattr(column, fits)(part, escape="\\") for column in (TRACE.c.question, TRACE.c.answer)
        )
        conditions.append(question | answer)
    if wanted.cost_from is not None:
        conditions.append(TRACE.c.cost >= wanted.cost_from)
    if wanted.cost_to is not None:
        conditions.append(TRACE.c.cost <= wanted.cost_to)
    if wanted.since is not None:
        conditions.append(TRACE.c.started_at >= microseconds(wanted.since))
    if wanted.until is not None:
        conditions.append(TRACE.c.started_at < microseconds(wanted.until))
    return conditions


def _part(text: str) -> str:
    clean = plain(text) or ""
    return "%" + clean.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
