"""The store: everything that is kept, behind one value that the whole house shares."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, delete, select

from orchestra_app.core.catalog import Catalog
from orchestra_app.core.errors import StorageError
from orchestra_app.core.job import Checkpoint, Job
from orchestra_app.core.trace import Label, Trace
from orchestra_app.core.vote import Vote
from orchestra_app.storage import accounts, inserting, jobs, labels, queueing, reaping, votes
from orchestra_app.storage.database import Database
from orchestra_app.storage.inserting import Inserted
from orchestra_app.storage.kin import Kin, find_kin
from orchestra_app.storage.opening import open_database
from orchestra_app.storage.outcomes import Outcome, Wanted, list_golds, list_outcomes, read_traces
from orchestra_app.storage.queries import (
    Facets,
    Filter,
    Sort,
    Summary,
    count_facets,
    count_traces,
    find_ids,
    list_traces,
)
from orchestra_app.storage.rows import offer_hashes, read_trace, read_turn
from orchestra_app.storage.schema import CATALOG, EVENT, TOOL_SCHEMA, TRACE, TURN
from orchestra_app.storage.votes import Kept
from orchestra_app.storage.writer import Writer

ALL = Filter()


class Store:
    """An open database with its writer thread; every method may raise StorageError."""

    def __init__(self, database: Database):
        self._database = database
        self.writer = Writer(database)
        """Writes running traces; only `record` uses it."""
        self._snapshots: set[str] = set()
        """Hashes of the catalogues that are known to be kept, since every run names one."""

    @classmethod
    def open(cls, address: str | Path) -> Self:
        """Return the store in a folder, in a `.db` file or at a postgresql:// address.

        Makes or upgrades the tables, and closes traces that a dead process left running.
        """
        database = open_database(address)
        with ExitStack() as undo:
            undo.callback(database.engine.dispose)
            reaping.reap(database)
            undo.pop_all()
        return cls(database)

    @property
    def place(self) -> str:
        """Where it is, as a person would name it."""
        return self._database.place

    def close(self) -> None:
        """Write what is left and let the database go."""
        self.writer.close()
        self._database.engine.dispose()

    async def get(self, trace_id: str, *, owner: str | None = None) -> Trace | None:
        """Return a trace as it was recorded, with its labels; None where `owner` has none of this id."""
        return await asyncio.to_thread(self._get, trace_id, owner)

    async def traces(self, ids: Sequence[str]) -> dict[str, Trace]:
        """Return many traces as they were recorded, by their id; ids that are not there are left out."""
        return await asyncio.to_thread(self._read, read_traces, ids)

    async def outcomes(self, wanted: Wanted) -> tuple[Outcome, ...]:
        """Return what came of many runs, without their turns, the newest first."""
        return await asyncio.to_thread(self._read, list_outcomes, wanted)

    async def golds(self, wanted: Wanted) -> dict[str, str]:
        """Return the right answers that people gave on the runs that are wanted, the last by question."""
        return await asyncio.to_thread(self._read, list_golds, wanted)

    async def list(
        self, wanted: Filter = ALL, *, page: int = 1, size: int = 50, sort: Sort = "newest"
    ) -> tuple[Summary, ...]:
        """Return one page of traces without their turns, of equals the newest first; pages count from 1."""
        return await asyncio.to_thread(self._list, wanted, page, size, sort)

    async def ids(self, wanted: Filter = ALL) -> tuple[str, ...]:
        """Return the ids of all traces that are wanted, the oldest first."""
        return await asyncio.to_thread(self._read, find_ids, wanted)

    async def insert(self, traces: Sequence[Trace]) -> tuple[Inserted, ...]:
        """Keep finished traces from elsewhere with their labels; return what became of each.

        A trace whose id is there already stays as it is. All that were added are durable together.
        """
        return await asyncio.to_thread(self._insert, traces)

    async def count(self, wanted: Filter = ALL) -> int:
        """Return how many traces are wanted."""
        return await asyncio.to_thread(self._read, count_traces, wanted)

    async def facets(self, wanted: Filter = ALL) -> Facets:
        """Return the values that a list can be filtered by, with how many traces have each."""
        return await asyncio.to_thread(self._read, count_facets, wanted)

    async def kin(self, trace_id: str, owner: str | None) -> Kin:
        """Return the trace that one was forked from, its forks, and others of its question."""
        return await asyncio.to_thread(self._read, find_kin, trace_id, owner)

    async def delete(self, trace_id: str, owner: str) -> bool:
        """Delete a finished trace of `owner` with its turns and labels; return whether it was there."""
        return await asyncio.to_thread(self._delete, trace_id, owner)

    async def delete_all(self, owner: str) -> int:
        """Delete every finished trace of `owner` with its turns, labels and votes; return how many."""
        return await asyncio.to_thread(self._delete_all, owner)

    async def add_label(self, trace_id: str, label: Label) -> int:
        """Keep a label, bring the verdict up to date and return the label's id."""
        return await asyncio.to_thread(self._write, labels.add, trace_id, label)

    async def labels(self, trace_id: str) -> dict[int, Label]:
        """Return the labels of a trace by their id, the oldest first."""
        return await asyncio.to_thread(self._read, labels.find, trace_id)

    async def remove_label(self, label_id: int) -> bool:
        """Remove a label; return whether it was there."""
        return await asyncio.to_thread(self._write, labels.remove, label_id)

    async def add_vote(self, vote: Vote) -> int:
        """Keep a vote and return its id; a person's second vote on the same pair replaces the first."""
        return await asyncio.to_thread(self._write, votes.add, vote)

    async def insert_votes(self, found: Sequence[Vote]) -> Sequence[Kept]:
        """Keep votes from elsewhere; those that are there already stay as they are."""
        return await asyncio.to_thread(self._write, votes.insert_all, found)

    async def votes(self, by: str | None = None) -> dict[int, Vote]:
        """Return the votes by their id, the oldest first; `by` leaves only one person's."""
        return await asyncio.to_thread(self._read, votes.find, by)

    async def remove_vote(self, vote_id: int, pair: tuple[str, str], by: str) -> bool:
        """Remove a person's vote on a pair; return whether it was there."""
        return await asyncio.to_thread(self._write, votes.remove, vote_id, pair, by)

    async def save_job(self, job: Job) -> None:
        """Keep a job as it is now; one with its id is replaced."""
        await asyncio.to_thread(self._write, jobs.save, job)

    async def jobs(self, kind: str | None = None) -> tuple[Job, ...]:
        """Return the jobs of one kind, or all, the newest first."""
        return await asyncio.to_thread(self._read, jobs.find, kind)

    async def remove_job(self, job_id: str) -> bool:
        """Forget a job; its checkpoints stay. Return whether it was there."""
        return await asyncio.to_thread(self._write, jobs.remove, job_id)

    async def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint as it is now; one with its id is replaced."""
        await asyncio.to_thread(self._write, jobs.save_checkpoint, checkpoint)

    async def checkpoints(self) -> tuple[Checkpoint, ...]:
        """Return every checkpoint, the newest first."""
        return await asyncio.to_thread(self._read, jobs.find_checkpoints)

    async def remove_checkpoint(self, checkpoint_id: str) -> bool:
        """Forget a checkpoint, without its files; return whether it was there."""
        return await asyncio.to_thread(self._write, jobs.remove_checkpoint, checkpoint_id)

    async def next_waiting(
        self, scope: queueing.Scope, passed: Collection[str] = ()
    ) -> queueing.Waiting | None:
        """Return the oldest trace that waits for a person's verdict, but none of `passed`."""
        return await asyncio.to_thread(self._read, queueing.next_waiting, scope, passed)

    async def labelling(self, scope: queueing.Scope) -> queueing.Progress:
        """Return how far people have labelled a scope."""
        return await asyncio.to_thread(self._read, queueing.measure, scope)

    async def labelling_choices(self, scope: queueing.Scope) -> queueing.Choices:
        """Return what a scope can be narrowed to."""
        return await asyncio.to_thread(self._read, queueing.find_choices, scope)

    async def labelled_by_many(self, scope: queueing.Scope) -> tuple[Mapping[str, bool | None], ...]:
        """Return the latest verdict of each person, by name, for traces that more than one has labelled."""
        return await asyncio.to_thread(self._read, queueing.find_shared, scope)

    async def may_label(self, scope: queueing.Scope, trace_id: str) -> bool:
        """Return whether a trace is one of those that the scope's person may label."""
        return await asyncio.to_thread(self._read, queueing.may_label, scope, trace_id)

    async def save_catalog(self, catalog: Catalog) -> None:
        """Keep the snapshot that traces name by its hash; one that is there already stays."""
        if catalog.hash not in self._snapshots:
            await asyncio.to_thread(self._save_catalog, catalog)
            self._snapshots.add(catalog.hash)

    async def catalog(self, digest: str) -> Catalog | None:
        """Return the snapshot with this hash, or None."""
        return await asyncio.to_thread(self._catalog, digest)

    async def snapshot(self, digest: str) -> str | None:
        """Return the JSON text of the catalogue snapshot with this hash, as it was kept; or None."""
        return await asyncio.to_thread(self._read, inserting.find_snapshot, digest)

    async def insert_snapshot(self, body: str, digest: str) -> bool:
        """Keep the JSON text of a catalogue from elsewhere under its hash; return whether it is new.

        Raises ValueError where it is no catalogue, or not the one with this hash.
        """
        return await asyncio.to_thread(self._write, inserting.insert_snapshot, body, digest)

    async def reap(self) -> int:
        """Close running traces whose process is dead or silent for 30 s; return how many."""
        return await asyncio.to_thread(reaping.reap, self._database)

    def lease(self, key: str, amount: int, cap: int | None) -> bool:
        """Take `amount` pico-dollars from an account if `cap` allows it; blocks, safe from any thread.

        cap: the most that all processes may take together; None: without limit.
        """
        return accounts.lease(self._database, key, amount, cap)

    def give_back(self, key: str, amount: int) -> None:
        """Return pico-dollars that were leased and not spent; blocks."""
        accounts.give_back(self._database, key, amount)

    def taken(self, key: str) -> int:
        """Return the pico-dollars taken from an account so far; blocks."""
        return accounts.taken(self._database, key)

    def _read(self, query: Any, *arguments: Any) -> Any:
        with self._database.read() as connection:
            return query(connection, *arguments)

    def _write(self, change: Any, *arguments: Any) -> Any:
        with self._database.write() as connection:
            return change(connection, *arguments)

    def _list(self, wanted: Filter, page: int, size: int, sort: Sort) -> tuple[Summary, ...]:
        with self._database.read() as connection:
            return list_traces(connection, wanted, page=page, size=size, sort=sort)

    def _get(self, trace_id: str, owner: str | None) -> Trace | None:
        try:
            return self._rebuild(trace_id, owner)
        except (ValueError, KeyError) as error:
            raise StorageError(
                f"Trace {trace_id} is damaged in {self.place}: delete it, or restore a copy of the database."
            ) from error

    def _rebuild(self, trace_id: str, owner: str | None) -> Trace | None:
        with self._database.read() as connection:
            row = _one(connection, select(TRACE).where(TRACE.c.id == trace_id))
            if row is None or (owner is not None and row["owner"] != owner):
                return None
            query = select(TURN).where(TURN.c.trace_id == trace_id).order_by(TURN.c.number)
            turns = connection.execute(query).mappings().all()
            ends = connection.execute(
                select(EVENT.c.type, EVENT.c.body).where(EVENT.c.trace_id == trace_id)
            ).all()
            query = select(TOOL_SCHEMA.c.hash, TOOL_SCHEMA.c.body)
            schemas = connection.execute(query.where(TOOL_SCHEMA.c.hash.in_(offer_hashes(turns)))).all()
            known = labels.find(connection, trace_id)
        texts = {row.hash: row.body for row in schemas}
        return read_trace(
            row,
            {end.type: end.body for end in ends},
            [read_turn(turn, texts) for turn in turns],
            known.values(),
        )

    def _insert(self, traces: Sequence[Trace]) -> tuple[Inserted, ...]:
        with self._database.write() as connection:
            done: list[Inserted] = [inserting.insert(connection, trace) for trace in traces]
            there = [trace.id for trace, each in zip(traces, done, strict=True) if each == "kept"]
            known = read_traces(connection, there)
        return tuple(
            "same" if each == "kept" and known[trace.id] == trace else each
            for trace, each in zip(traces, done, strict=True)
        )

    def _delete(self, trace_id: str, owner: str) -> bool:
        with self._database.write() as connection:
            mine = (TRACE.c.id == trace_id, TRACE.c.owner == owner)
            status = connection.execute(select(TRACE.c.status).where(*mine).with_for_update()).scalar()
            if status == "running":
                raise StorageError(f"Trace {trace_id} is still running; stop it before you delete it.")
            return connection.execute(delete(TRACE).where(*mine)).rowcount > 0

    def _delete_all(self, owner: str) -> int:
        with self._database.write() as connection:
            mine = (TRACE.c.owner == owner, TRACE.c.status != "running")
            return connection.execute(delete(TRACE).where(*mine)).rowcount

    def _save_catalog(self, catalog: Catalog) -> None:
        with self._database.write() as connection:
            row = {"hash": catalog.hash, "name": catalog.name, "body": catalog.model_dump_json()}
            connection.execute(inserting.unless_there(connection, CATALOG).values(row))

    def _catalog(self, digest: str) -> Catalog | None:
        with self._database.read() as connection:
            body = connection.execute(select(CATALOG.c.body).where(CATALOG.c.hash == digest)).scalar()
        return None if body is None else Catalog.model_validate_json(body)


def _one(connection: Connection, query: Any) -> Any:
    return connection.execute(query).mappings().first()
