"""The one thread that writes traces: it gathers what has come, and commits the finished ones together."""

import asyncio
import contextlib
import math
import threading
import time
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from orchestra_app.core.errors import StorageError
from orchestra_app.core.events import Event, RolloutFinished, RolloutStarted
from orchestra_app.core.trace import Trace, Turn
from orchestra_app.storage.database import ODD_VALUES, Database, explain, is_about_rows
from orchestra_app.storage.process import current
from orchestra_app.storage.rows import OfferPacker, changing_columns, dump_turn, event_row, started_columns
from orchestra_app.storage.statements import statements

LINGER = 0.04
"""Seconds that an event of a running trace waits for others before it is written."""
HEARTBEAT = 5.0
"""Seconds between the signs of life of running traces."""

_ODD = (
    "Trace {id} cannot be kept: one with this id is there already, or it has values that no database takes."
)
_BROKEN = "Traces are no longer saved because of an unexpected error; restart Orchestra."


@dataclass(eq=False)
class Draft:
    """A running trace with what is not yet written of it."""

    start: RolloutStarted
    trace: Trace
    turns: dict[int, Turn] = field(default_factory=dict)
    """Turns that are new or have changed, by their place."""
    since: float = 0.0
    """When the oldest unwritten event came, by `time.monotonic`."""
    finish: RolloutFinished | None = None
    saved: "asyncio.Future[None] | None" = None
    """Done when the finished trace is durable."""
    kept: bool = False
    """True once the trace has its row."""
    error: StorageError | None = None


class Job(NamedTuple):
    """What is to be written of one draft now."""

    draft: Draft
    trace: Trace
    turns: dict[int, Turn]
    finish: RolloutFinished | None


class Writer:
    """Writes the drafts of one store from a thread of its own, which starts with the first draft."""

    def __init__(self, database: Database, *, heartbeat: float = HEARTBEAT):
        self._database = database
        self._statements = statements(database.engine.dialect.name)
        self._packer = OfferPacker()
        self._wake = threading.Condition()
        self._waiting: dict[Draft, None] = {}
        self._urgent = False
        self._idle = False
        self._running: weakref.WeakSet[Draft] = weakref.WeakSet()
        self._heartbeat = heartbeat
        self._next_beat = 0.0
        self._thread: threading.Thread | None = None
        self._closed = False

    def begin(self, event: RolloutStarted) -> Draft:
        """Return the draft of a new trace; raises StorageError where the store is closed."""
        draft = Draft(start=event, trace=Trace.start(event))
        with self._wake:
            self._put(draft)
            self._running.add(draft)
            if self._thread is None:
                self._next_beat = time.monotonic() + self._heartbeat
                self._thread = threading.Thread(target=self._run, name="orchestra-writer", daemon=True)
                self._thread.start()
        return draft

    def add(self, draft: Draft, event: Event) -> None:
        """Fold the next event into the draft's trace and have it written; raises StorageError."""
        with self._wake:
            draft.trace.apply(event)
            if isinstance(event, RolloutFinished):
                draft.finish = event
                draft.saved = asyncio.get_running_loop().create_future()
                self._running.discard(draft)
                self._urgent = True
            else:
                last = len(draft.trace.turns) - 1
                draft.turns[last] = draft.trace.turns[last]
            self._put(draft)

    def close(self) -> None:
        """Write what is left and end the thread."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()

    def _put(self, draft: Draft) -> None:
        if draft.error is not None:
            raise draft.error
        if self._closed:
            raise StorageError("The store is closed; open it again to record a run.")
        if draft not in self._waiting:
            self._waiting[draft] = None
            draft.since = time.monotonic()
        # A thread that already waits for the end of LINGER finds this event by itself.
        if self._urgent or self._idle:
            self._wake.notify()

    def _run(self) -> None:
        try:
            while self._step():
                pass
        except BaseException:
            with self._wake:
                self._closed = True
                self._fail([*self._waiting, *self._running], StorageError(_BROKEN))
            raise

    def _step(self) -> bool:
        with self._wake:
            while (delay := self._delay(time.monotonic())) > 0:
                self._idle = not self._waiting
                self._wake.wait(None if delay == math.inf else delay)
            self._idle = self._urgent = False
            now = time.monotonic()
            jobs = [self._take(draft) for draft in list(self._waiting) if self._due(draft, now)]
            beating = [draft for draft in self._running if draft.kept] if now >= self._next_beat else []
            going_on = not self._closed or bool(self._waiting)
        for job in jobs:
            if job.draft.error is not None:
                # Turns of it are lost already: what came since must not make it look whole.
                self._fail([job.draft], job.draft.error)
        self._write([job for job in jobs if job.draft.error is None])
        if now >= self._next_beat:
            self._beat(beating)
            self._next_beat = now + self._heartbeat
        return going_on

    def _delay(self, now: float) -> float:
        """Return the seconds until there is something to do."""
        if self._urgent or self._closed:
            return 0.0
        oldest = min((draft.since + LINGER for draft in self._waiting), default=math.inf)
        return min(oldest, self._next_beat if self._running else math.inf) - now

    def _due(self, draft: Draft, now: float) -> bool:
        return self._closed or draft.finish is not None or draft.since + LINGER <= now

    def _take(self, draft: Draft) -> Job:
        del self._waiting[draft]
        turns, draft.turns = draft.turns, {}
        trace = draft.trace.model_copy(update={"turns": list(draft.trace.turns)})
        return Job(draft, trace, turns, draft.finish)

    def _write(self, jobs: list[Job]) -> None:
        if not jobs:
            return
        try:
            self._commit(jobs)
        except (*ODD_VALUES, *self._database.errors) as error:
            if len(jobs) > 1 and is_about_rows(error):
                # One bad trace must not take the others of its commit down.
                for job in jobs:
                    self._write([job])
                return
            said = _ODD.format(id=jobs[0].trace.id) if is_about_rows(error) else None
            failure = StorageError(said) if said else explain(error, self._database.place)
            self._fail([job.draft for job in jobs], failure)
            return
        except BaseException:
            self._fail([job.draft for job in jobs], StorageError(_BROKEN))
            raise
        for job in jobs:
            job.draft.kept = True
        _tell([job.draft for job in jobs if job.finish], None)

    def _commit(self, jobs: list[Job]) -> None:
        inserts, updates, events, turns, schemas = [], [], [], [], {}
        for job in jobs:
            changing = changing_columns(job.trace, job.finish)
            if job.draft.kept:
                updates.append({"id": job.trace.id, **changing})
            else:
                inserts.append({**started_columns(job.draft.start, current()), **changing})
                events.append(event_row(job.trace.id, job.draft.start))
            if job.finish is not None:
                events.append(event_row(job.trace.id, job.finish))
            for number, turn in job.turns.items():
                offered, texts = self._packer.pack(turn.offered)
                body = dump_turn(turn)
                turns.append({"trace_id": job.trace.id, "number": number, "offered": offered, "body": body})
                schemas.update(texts)
        new = [{"hash": key, "body": body} for key, body in schemas.items() if key not in self._packer.kept]
        sql = self._statements
        work = (
            (sql.put_schema, new),
            (sql.insert_trace, inserts),
            (sql.update_trace, updates),
            (sql.put_event, events),
            (sql.put_turn, turns),
        )
        with self._database.bulk(durable=any(job.finish for job in jobs)) as cursor:
            for statement, rows in work:
                if rows:
                    cursor.executemany(statement, rows)
        self._packer.kept.update(schemas)

    def _beat(self, drafts: list[Draft]) -> None:
        if not drafts:
            return
        rows = [{"id": draft.trace.id} for draft in drafts]
        # A missed beat is no loss: the next one comes in time, and a failing disk shows at the next event.
        with contextlib.suppress(*self._database.errors), self._database.bulk(durable=False) as cursor:
            cursor.executemany(self._statements.beat, rows)

    def _fail(self, drafts: Sequence[Draft], error: StorageError) -> None:
        for draft in drafts:
            draft.error = error
        _tell([draft for draft in drafts if draft.finish], error)


def _tell(drafts: list[Draft], error: StorageError | None) -> None:
    """Resolve the waiting futures, with one call for each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for draft in drafts:
        if draft.saved is not None:
            by_loop.setdefault(draft.saved.get_loop(), []).append(draft.saved)
    for loop, futures in by_loop.items():
        # A loop that has ended has nobody left to tell.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_resolve, futures, error)


def _resolve(futures: list[asyncio.Future[None]], error: StorageError | None) -> None:
    for future in futures:
        if future.done():
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
