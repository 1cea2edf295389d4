"""Finds what belongs to a trace: the one it was forked from, its own forks, and others of its question."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from orchestra_app.core.events import Status
from orchestra_app.storage.queries import Verdict
from orchestra_app.storage.rows import moment, plain
from orchestra_app.storage.schema import TRACE

MOST = 20
"""Relatives of one kind that are given, the newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relative:
    """Another trace, as a link to it says it."""

    id: str
    policy: str
    status: Status
    verdict: Verdict
    cost: float
    """USD."""
    seconds: float
    turns: int
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Kin:
    """The relatives of one trace that its owner has."""

    parent: Relative | None = None
    children: tuple[Relative, ...] = ()
    others: tuple[Relative, ...] = ()
    """Further traces of the same question."""

    @property
    def all(self) -> tuple[Relative, ...]:
        """Everybody, the closest first."""
        return (*((self.parent,) if self.parent else ()), *self.children, *self.others)


_COLUMNS = [TRACE.c[name] for name in Relative.__dataclass_fields__]


def find_kin(connection: Connection, trace_id: str, owner: str | None) -> Kin:
    """Return the relatives of a trace among those of `owner`; none where it is not theirs. None: of all."""
    mine = () if owner is None else (TRACE.c.owner == owner,)
    query = select(TRACE.c.parent, TRACE.c.question).where(TRACE.c.id == trace_id, *mine)
    row = connection.execute(query).first()
    if row is None:
        return Kin()

    def found(*conditions: Any) -> tuple[Relative, ...]:
        query = select(*_COLUMNS).where(*mine, *conditions).order_by(TRACE.c.started_at.desc()).limit(MOST)
        return tuple(
            Relative(**{**each, "started_at": moment(each["started_at"])})
            for each in connection.execute(query).mappings()
        )

    parents = found(TRACE.c.id == row.parent) if row.parent else ()
    children = found(TRACE.c.parent == trace_id)
    known = [trace_id, *(each.id for each in (*parents, *children))]
    others = found(TRACE.c.question == plain(row.question), TRACE.c.id.not_in(known))
    return Kin(next(iter(parents), None), children, others)
