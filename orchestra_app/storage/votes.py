"""Keeps votes; a vote goes with either of its traces."""

from collections.abc import Sequence
from typing import Literal

from sqlalchemy import ColumnElement, Connection, delete, insert, select

from orchestra_app.core.errors import StorageError
from orchestra_app.core.vote import Vote
from orchestra_app.storage.rows import microseconds, moment
from orchestra_app.storage.schema import TRACE, VOTE

Kept = Literal["added", "same", "refused"]
"""`same`: that person's vote on the pair was there, and stays; `refused`: one of the pair is not there."""


def add(connection: Connection, vote: Vote) -> int:
    """Keep a vote and return its id; a second vote of the same person on the same pair replaces the first.

    Raises StorageError where a trace of it is gone.
    """
    found = connection.execute(select(TRACE.c.id).where(TRACE.c.id.in_([vote.a, vote.b]))).all()
    if len(found) != 2:
        raise StorageError("A trace of this pair was deleted; vote on another pair.")
    connection.execute(delete(VOTE).where(*_same((vote.a, vote.b), vote.by)))
    row = insert(VOTE).values(a=vote.a, b=vote.b, choice=vote.choice, by=vote.by, at=microseconds(vote.at))
    return connection.execute(row.returning(VOTE.c.id)).scalar_one()


def insert_all(connection: Connection, votes: Sequence[Vote]) -> list[Kept]:
    """Keep votes from elsewhere and return what became of each."""
    return [_insert(connection, vote) for vote in votes]


def _insert(connection: Connection, vote: Vote) -> Kept:
    if connection.execute(select(VOTE.c.id).where(*_same((vote.a, vote.b), vote.by))).first():
        return "same"
    try:
        add(connection, vote)
    except StorageError:
        return "refused"
    return "added"


def _same(pair: tuple[str, str], by: str) -> tuple[ColumnElement[bool], ...]:
    """Return what finds a person's vote on a pair."""
    return VOTE.c.a == pair[0], VOTE.c.b == pair[1], VOTE.c.by == by


def find(connection: Connection, by: str | None) -> dict[int, Vote]:
    """Return the votes by their id, the oldest first; `by` leaves only one person's."""
    query = select(VOTE).order_by(VOTE.c.id)
    rows = connection.execute(query if by is None else query.where(VOTE.c.by == by)).mappings()
    return {
        row["id"]: Vote(a=row["a"], b=row["b"], choice=row["choice"], by=row["by"], at=moment(row["at"]))
        for row in rows
    }


def remove(connection: Connection, vote_id: int, pair: tuple[str, str], by: str) -> bool:
    """Remove a person's vote on a pair; return whether it was there.

    SQLite gives the id of a vote that is gone to a later one, so the id alone may be somebody else's.
    """
    return connection.execute(delete(VOTE).where(VOTE.c.id == vote_id, *_same(pair, by))).rowcount > 0
