"""Recording: what is told as saved is saved, and early ends leave a closed trace."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import pytest
from sqlalchemy import event as sqlalchemy_event
from storage_rollouts import fold, rollout, save, stream, until

from orchestra_app.core.errors import StorageError
from orchestra_app.core.events import Event
from orchestra_app.core.trace import Trace
from orchestra_app.storage.opening import open_database
from orchestra_app.storage.recorder import record
from orchestra_app.storage.store import Store


async def test_each_event_comes_with_the_trace_that_it_leads_to(store: Store):
    events = rollout("a")
    async with aclosing(record(stream(events), store)) as recorded:
        seen = [(event, trace.model_copy(deep=True)) async for event, trace in recorded]
    assert seen == [(event, fold(events[: place + 1])) for place, event in enumerate(events)]


async def test_a_finished_trace_is_durable_before_its_last_event_is_passed_on(tmp_path: Path):
    database = open_database(tmp_path)
    statements: list[str] = []

    @sqlalchemy_event.listens_for(database.engine, "connect")
    def listen(connection: sqlite3.Connection, _: object) -> None:
        connection.set_trace_callback(statements.append)

    database.engine.dispose()
    store = Store(database)
    async with aclosing(record(stream(rollout("a")), store)) as recorded:
        async for event, _ in recorded:
            if event.type == "finished":
                with sqlite3.connect(tmp_path / "orchestra.db") as other:
                    assert other.execute("SELECT status, turns FROM trace").fetchall() == [("answered", 2)]
                other.close()
                commit = len(statements) - 1 - statements[::-1].index("COMMIT")
                settings = [text for text in statements[:commit] if "synchronous" in text]
                assert settings[-1] == "PRAGMA synchronous=FULL"
    store.close()


async def test_a_running_trace_is_written_while_it_runs(store: Store):
    events = rollout("a")
    async with aclosing(record(stream(events), store)) as recorded:
        for count in range(1, len(events)):
            await anext(recorded)
            await until(lambda: store.get("a"), fold(events[:count]))


async def test_many_rollouts_at_once_are_all_kept_whole(store: Store):
    names = [f"t{number}" for number in range(64)]
    traces = await asyncio.gather(*(save(store, rollout(name, turns=4)) for name in names))
    assert await asyncio.gather(*(store.get(name) for name in names)) == traces
    assert await store.count() == 64


async def test_a_consumer_that_stops_early_closes_the_run_and_then_the_trace(store: Store):
    order: list[str] = []

    async def run() -> AsyncGenerator[Event, None]:
        try:
            for event in rollout("a"):
                yield event
        finally:
            found = await store.get("a")
            order.append(found.status if found else "not yet written")

    async with aclosing(record(run(), store)) as recorded:
        async for event, _ in recorded:
            if event.type == "tool":
                await asyncio.sleep(0.1)
                break
    found = await store.get("a")
    assert found is not None
    assert [*order, found.status] == ["running", "stopped"]
    assert found.turns == fold(rollout("a")[:3]).turns


@pytest.mark.parametrize("cancels", [1, 2])
async def test_a_cancelled_run_is_saved_as_stopped_and_stays_cancelled(store: Store, cancels: int):
    reached = asyncio.Event()

    async def run() -> AsyncGenerator[Event, None]:
        for event in rollout("a")[:2]:
            yield event
        reached.set()
        await asyncio.sleep(60)

    async def consume() -> None:
        async with aclosing(record(run(), store)) as recorded:
            async for _ in recorded:
                pass

    task = asyncio.create_task(consume())
    await reached.wait()
    for _ in range(cancels):
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task
    found = await store.get("a")
    assert found is not None and found.status == "stopped" and len(found.turns) == 1


async def test_a_bug_in_the_run_travels_up_and_closes_the_trace_as_failed(store: Store):
    async def run() -> AsyncGenerator[Event, None]:
        for event in rollout("a")[:2]:
            yield event
        raise ZeroDivisionError("sk-secret")

    with pytest.raises(ZeroDivisionError):
        async with aclosing(record(run(), store)) as recorded:
            async for _ in recorded:
                pass
    found = await store.get("a")
    assert found is not None and found.status == "failed"
    assert "sk-secret" not in found.model_dump_json()


async def test_a_run_without_an_end_is_not_left_running(store: Store):
    await save(store, rollout("a")[:-1])
    found = await store.get("a")
    assert found is not None and found.status == "interrupted"


async def test_events_that_do_not_begin_with_the_start_are_refused(store: Store):
    with pytest.raises(ValueError, match="begins with its start"):
        await save(store, rollout("a")[1:])


async def test_an_id_that_is_taken_fails_alone(store: Store):
    first = await save(store, rollout("a"))
    results = await asyncio.gather(
        *(save(store, rollout(name, turns=3)) for name in ("b", "a", "c")), return_exceptions=True
    )
    assert isinstance(results[1], StorageError) and "Trace a " in str(results[1])
    assert await store.get("a") == first
    assert [await store.get("b"), await store.get("c")] == [results[0], results[2]]


async def test_a_trace_that_lost_turns_is_not_saved_as_whole(tmp_path: Path):
    database = open_database(tmp_path)
    refusing, finished = threading.Event(), threading.Event()

    def authorize(action: int, name: str | None, *_: object) -> int:
        if action != sqlite3.SQLITE_TRANSACTION or name != "BEGIN" or refusing.is_set():
            return sqlite3.SQLITE_OK
        refusing.set()
        finished.wait()
        return sqlite3.SQLITE_DENY

    @sqlalchemy_event.listens_for(database.engine, "connect")
    def listen(connection: sqlite3.Connection, _: object) -> None:
        connection.set_authorizer(authorize)

    database.engine.dispose()
    store = Store(database)
    recorded = record(stream(rollout("a")), store)
    for _ in range(3):
        await anext(recorded)
    await asyncio.to_thread(refusing.wait)
    rest = asyncio.create_task(_drain(recorded))
    await asyncio.sleep(0.05)
    finished.set()
    with pytest.raises(StorageError):
        await rest
    assert await store.get("a") is None
    store.close()


async def _drain(recorded: AsyncGenerator[tuple[Event, Trace], None]) -> None:
    async with aclosing(recorded):
        [_ async for _ in recorded]


async def test_a_closed_store_refuses_a_run_in_a_sentence(store: Store):
    store.close()
    with pytest.raises(StorageError, match="closed"):
        await save(store, rollout("a"))


async def test_closing_the_store_writes_what_is_left(address: str):
    store = Store.open(address)
    recorded = record(stream(rollout("a")), store)
    await anext(recorded)
    await anext(recorded)
    store.close()
    again = Store.open(address)
    found = await again.get("a")
    assert found is not None and found == fold(rollout("a")[:2])
    again.close()
    with pytest.raises(StorageError, match="closed"):
        await recorded.aclose()


async def test_a_full_disk_reaches_the_consumer_and_ends_the_run(tmp_path: Path):
    database = open_database(tmp_path)
    ended = []

    @sqlalchemy_event.listens_for(database.engine, "connect")
    def limit(connection: sqlite3.Connection, _: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages + 2}")

    async def run() -> AsyncGenerator[Event, None]:
        try:
            for event in rollout("a", turns=50):
                yield event
        finally:
            ended.append(True)

    database.engine.dispose()
    store = Store(database)
    with pytest.raises(StorageError, match="full; free some space"):
        async with aclosing(record(run(), store)) as recorded:
            async for _ in recorded:
                pass
    assert ended == [True]
    store.close()
