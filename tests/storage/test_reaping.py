"""Reaping: rows of dead or silent processes are closed, a living process keeps its own."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import pytest
from sqlalchemy import text
from storage_rollouts import fold, rollout, stream, until

from orchestra_app.core.events import Event, RolloutStarted
from orchestra_app.storage import process
from orchestra_app.storage.opening import open_database
from orchestra_app.storage.process import Process
from orchestra_app.storage.recorder import record
from orchestra_app.storage.store import Store
from orchestra_app.storage.writer import Writer


def _dead() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


ME = process.current()
ELSEWHERE = "another machine"
ROWS = {
    "this process": (ME, 0, False),
    "this process, quiet for a while": (ME, 25, False),
    "this process, silent": (ME, 31, True),
    "dead process": (Process(ME.host, _dead(), ME.started), 0, True),
    "number used again": (Process(ME.host, ME.pid, "1"), 0, True),
    "another living process": (
        Process(ME.host, os.getppid(), process._process(os.getppid()).started),
        5,
        False,
    ),
    "another machine": (Process(ELSEWHERE, 1, "1"), 25, False),
    "another machine, silent": (Process(ELSEWHERE, 1, "1"), 31, True),
}


@pytest.mark.parametrize("title", ROWS)
async def test_only_rows_of_dead_or_silent_processes_are_closed(address: str, title: str):
    owner, silent, closed = ROWS[title]
    store, database = Store.open(address), open_database(address)
    recorded = record(stream(rollout("a")), store)
    for _ in range(3):
        await anext(recorded)
    before = fold(rollout("a")[:3])
    await until(lambda: store.get("a"), before)
    with database.write() as connection:
        change = (
            "UPDATE trace SET host = :host, pid = :pid, process = :started, heartbeat = heartbeat - :silent"
        )
        values = {"host": owner.host, "pid": owner.pid, "started": owner.started, "silent": silent}
        connection.execute(text(change), values)
    assert await store.reap() == closed
    found = await store.get("a")
    assert found is not None and found.turns == before.turns and found.seconds == before.seconds
    assert found.status == ("interrupted" if closed else "running")
    assert (found.error is not None) == closed
    # Whoever took it for dead was wrong: it is still being recorded, and ends as it should.
    rest = [event async for event, _ in recorded]
    assert rest and await store.get("a") == fold(rollout("a"))
    database.engine.dispose()
    store.close()


async def test_a_finished_trace_is_never_reaped(store: Store):
    async with aclosing(record(stream(rollout("a")), store)) as recorded:
        [_ async for _ in recorded]
    assert await store.reap() == 0
    assert await store.get("a") == fold(rollout("a"))


async def test_a_running_trace_gives_signs_of_life_and_revives(address: str):
    database = open_database(address)
    writer = Writer(database, heartbeat=0.02)
    start = rollout("a")[0]
    assert isinstance(start, RolloutStarted)
    draft = writer.begin(start)

    async def look(change: str = "") -> tuple[str, bool]:
        with database.write() as connection:
            if change:
                connection.execute(text(f"UPDATE trace SET {change}"))
            row = connection.execute(text("SELECT status, heartbeat FROM trace")).one_or_none()
        return (row.status, row.heartbeat > time.time() - 60) if row else ("", False)

    await until(look, ("running", True))
    await look("heartbeat = 0, status = 'interrupted'")
    await until(look, ("running", True))
    assert draft.error is None
    # A draft that nobody holds any more falls silent.
    del draft
    await asyncio.sleep(0.1)
    await look("heartbeat = 0")
    await asyncio.sleep(0.1)
    assert await look() == ("running", False)
    writer.close()
    database.engine.dispose()


async def test_opening_a_store_leaves_the_run_of_another_living_process_alone(tmp_path: Path):
    async def run() -> AsyncGenerator[Event, None]:
        for event in rollout("a")[:3]:
            yield event
        code = (
            "import asyncio, sys; from orchestra_app.storage.store import Store\n"
            "store = Store.open(sys.argv[1]); trace = asyncio.run(store.get('a'))\n"
            "print(trace.status, len(trace.turns)); store.close()"
        )
        await asyncio.sleep(0.2)
        command = (sys.executable, "-c", code, str(tmp_path))
        child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        output, _ = await child.communicate()
        assert output.split() == [b"running", b"1"]
        for event in rollout("a")[3:]:
            yield event

    store = Store.open(tmp_path)
    async with aclosing(record(run(), store)) as recorded:
        [_ async for _ in recorded]
    assert await store.get("a") == fold(rollout("a"))
    store.close()
