"""Keeps votes; a vote goes with either of its traces."""

from sqlalchemy import Connection, delete, insert, select

from orchestra_app.core.errors import StorageError
from orchestra_app.core.vote import Vote
from orchestra_app.storage.rows import microseconds, moment
from orchestra_app.storage.schema import TRACE, VOTE


def add(connection: Connection, vote: Vote) -> int:
    """Keep a vote and return its id; a second vote of the same person on the same pair replaces the first.

    Raises StorageError where a trace of it is gone.
    """
    found = connection.execute(select(TRACE.c.id).where(TRACE.c.id.in_([vote.a, vote.b]))).all()
    if len(found) != 2:
        raise StorageError("A trace of this pair was deleted; vote on another pair.")
    mine = (VOTE.c.a == vote.a, VOTE.c.b == vote.b, VOTE.c.by == vote.by)
    connection.execute(delete(VOTE).where(*mine))
    row = insert(VOTE).values(a=vote.a, b=vote.b, choice=vote.choice, by=vote.by, at=microseconds(vote.at))
    return connection.execute(row.returning(VOTE.c.id)).scalar_one()


def find(connection: Connection, by: str | None) -> dict[int, Vote]:
    """Return the votes by their id, the oldest first; `by` leaves only one person's."""
    query = select(VOTE).order_by(VOTE.c.id)
    rows = connection.execute(query if by is None else query.where(VOTE.c.by == by)).mappings()
    return {
        row["id"]: Vote(a=row["a"], b=row["b"], choice=row["choice"], by=row["by"], at=moment(row["at"]))
        for row in rows
    }


def remove(connection: Connection, vote_id: int) -> bool:
    """Remove a vote; return whether it was there."""
    return connection.execute(delete(VOTE).where(VOTE.c.id == vote_id)).rowcount > 0
