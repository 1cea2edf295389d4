"""Keeps jobs and the checkpoints they leave."""

from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from orchestra_app.core.job import Checkpoint, Job
from orchestra_app.storage.rows import microseconds, moment
from orchestra_app.storage.schema import CHECKPOINT, JOB


def save(connection: Connection, job: Job) -> None:
    """Keep a job as it is now; one with its id is replaced."""
    fields = job.model_dump(mode="python") | {"created_at": microseconds(job.created_at)}
    if connection.execute(update(JOB).where(JOB.c.id == job.id).values(fields)).rowcount == 0:
        connection.execute(insert(JOB).values(fields))


def find(connection: Connection, kind: str | None) -> tuple[Job, ...]:
    """Return the jobs of one kind, or all, the newest first."""
    query = select(JOB).order_by(JOB.c.created_at.desc(), JOB.c.id)
    rows = connection.execute(query if kind is None else query.where(JOB.c.kind == kind)).mappings()
    return tuple(Job.model_validate(dict(row) | {"created_at": moment(row["created_at"])}) for row in rows)


def remove(connection: Connection, job_id: str) -> bool:
    """Forget a job; its checkpoints stay. Return whether it was there."""
    connection.execute(update(CHECKPOINT).where(CHECKPOINT.c.job == job_id).values(job=None))
    return connection.execute(delete(JOB).where(JOB.c.id == job_id)).rowcount > 0


def save_checkpoint(connection: Connection, checkpoint: Checkpoint) -> None:
    """Keep a checkpoint as it is now; one with its id is replaced."""
    promoted = checkpoint.promoted_at
    fields = checkpoint.model_dump(mode="python") | {
        "at": microseconds(checkpoint.at),
        "promoted_at": None if promoted is None else microseconds(promoted),
    }
    query = update(CHECKPOINT).where(CHECKPOINT.c.id == checkpoint.id).values(fields)
    if connection.execute(query).rowcount == 0:
        connection.execute(insert(CHECKPOINT).values(fields))


def find_checkpoints(connection: Connection) -> tuple[Checkpoint, ...]:
    """Return every checkpoint, the newest first."""
    rows = connection.execute(select(CHECKPOINT).order_by(CHECKPOINT.c.at.desc(), CHECKPOINT.c.id)).mappings()
    return tuple(_checkpoint(dict(row)) for row in rows)


def remove_checkpoint(connection: Connection, checkpoint_id: str) -> bool:
    """Forget a checkpoint, without its files; return whether it was there."""
    return connection.execute(delete(CHECKPOINT).where(CHECKPOINT.c.id == checkpoint_id)).rowcount > 0


def _checkpoint(row: dict[str, Any]) -> Checkpoint:
    promoted = row["promoted_at"]
    return Checkpoint.model_validate(
        row | {"at": moment(row["at"]), "promoted_at": None if promoted is None else moment(promoted)}
    )
