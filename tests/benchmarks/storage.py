"""How fast traces are recorded and found: `python tests/benchmarks/storage.py [postgresql://…]`."""

import asyncio
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1] / "storage")]

# ruff: noqa: E402
from storage_rollouts import fold, rollout  # pyright: ignore[reportMissingImports]

from orchestra_app.core.events import Event, RolloutFinished, RolloutStarted
from orchestra_app.core.task import Budget, Task
from orchestra_app.storage.opening import open_database
from orchestra_app.storage.process import current
from orchestra_app.storage.queries import Filter, Sort
from orchestra_app.storage.recorder import record
from orchestra_app.storage.rows import changing_columns, started_columns
from orchestra_app.storage.statements import statements
from orchestra_app.storage.store import Store

AT_ONCE, TURNS, EACH, MANY = 64, 4, 25, 100_000
OTHERS = tuple(f"visitor:{number:024x}" for number in range(4))
TASKS = tuple(Task(id="q", question="Why?", budget=Budget(turns=turns)) for turns in range(1, 13))
SWEEP = Filter(group="sweep-000003/*", policy="b", wish=TASKS[3].wish, owner="local", status="finished")
LABELLED = Filter(policy="b", wish=TASKS[3].wish, catalog="rehearsal", verdict="decided")
CASES: list[tuple[str, Filter, int, Sort]] = [
    ("all", Filter(), 1, "newest"),
    ("the last page", Filter(), MANY // 50, "newest"),
    ("one owner's", Filter(owner="local"), 1, "newest"),
    ("status and policy", Filter(status="answered", policy="b"), 1, "newest"),
    ("verdict and cost", Filter(verdict="correct", cost_from=0.01, owner="local"), 1, "newest"),
    ("tool", Filter(tool="search", status="failed"), 1, "newest"),
    ("text", Filter(text="(t4242"), 1, "newest"),
    ("one setting of a sweep", SWEEP, 1, "newest"),
    ("one setting of what is labelled", LABELLED, 1, "newest"),
    ("the dearest", Filter(), 1, "dearest"),
    ("the dearest, second page", Filter(), 2, "dearest"),
    ("one owner's cheapest", Filter(owner="local"), 1, "cheapest"),
    ("one policy's slowest of a source", Filter(policy="b", source="test", seconds_from=2), 1, "slowest"),
    ("dearest with a text", Filter(text="t4", owner="local"), 1, "dearest"),
]


async def _events(name: str) -> AsyncGenerator[Event, None]:
    for event in rollout(name, turns=TURNS):
        yield event


async def _drain(stream: AsyncGenerator[Any, None]) -> None:
    async with aclosing(stream) as items:
        async for _ in items:
            pass


async def _at_once(make: Callable[[str], AsyncGenerator[Any, None]]) -> tuple[float, float]:
    """Return the seconds and the CPU seconds of all rollouts together."""

    async def worker(number: int) -> None:
        for each in range(EACH):
            await _drain(make(f"{random.random()}.{number}.{each}"))

    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(worker(number) for number in range(AT_ONCE)))
    return time.perf_counter() - began, time.process_time() - cpu


def _bare(folder: Path) -> float:
    """Return the seconds that plain inserts of the same traces take, 64 to a commit."""
    connection = sqlite3.connect(folder / "bare.db")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE trace (id TEXT PRIMARY KEY, body TEXT)")
    began = time.perf_counter()
    for batch in range(EACH):
        names = [f"{number}.{batch}" for number in range(AT_ONCE)]
        rows = [(name, fold(rollout(name, turns=TURNS)).model_dump_json()) for name in names]
        with connection:
            connection.executemany("INSERT INTO trace VALUES (?, ?)", rows)
    connection.close()
    return time.perf_counter() - began


async def recording(address: str, folder: Path) -> None:
    store = Store.open(address)
    await _drain(record(_events("warm"), store))
    seconds, cpu = await _at_once(lambda name: record(_events(name), store))
    bare_seconds, bare_cpu = await _at_once(_events)
    store.close()
    total, inserts = AT_ONCE * EACH, _bare(folder)
    print(f"recording, {AT_ONCE} at once, {TURNS} turns: {total / seconds:.0f} traces/s (goal 500)")
    print(f"  {seconds / inserts:.2f} x the time of plain inserts of the same traces, 64 to a commit")
    print(f"  {(cpu - bare_cpu) / total / TURNS * 1e3:.3f} ms CPU per turn beyond making the events")


def _fill(address: str) -> None:
    database, choose = open_database(address), random.Random(0)
    rows = []
    for number in range(MANY):
        start, *_, end = events = rollout(f"t{number}", turns=1 + number % 4, cost=choose.random() / 100)
        assert isinstance(start, RolloutStarted) and isinstance(end, RolloutFinished)
        start = start.model_copy(
            update={
                "started_at": start.started_at + timedelta(seconds=number),
                "policy": choose.choice("abcde"),
                "owner": choose.choice(("local", "local", *OTHERS)),
                "task": start.task.model_copy(update={"budget": TASKS[number % 12].budget}),
                "group": choose.choice((None, f"sweep-{number % 9:06}/{number % 500:08}-{number % 12:08}")),
            }
        )
        end = end.model_copy(update={"status": choose.choice(("answered", "answered", "answered", "failed"))})
        verdict = choose.choice(("correct", "incorrect", "unsure", "unlabelled"))
        trace = fold(events)
        rows.append({**started_columns(start, current()), **changing_columns(trace, end), "verdict": verdict})
    with database.bulk(durable=False) as cursor:
        cursor.executemany(statements(database.engine.dialect.name).insert_trace, rows)
    if database.path is None:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE trace")
    database.engine.dispose()


async def finding(address: str) -> None:
    _fill(address)
    store = Store.open(address)
    for case in CASES:
        await _timed(f"list + count of {MANY} traces, {case[0]}", partial(_page, store, *case[1:]))
    for title, wanted in {"one owner": Filter(owner="local"), "all owners": Filter()}.items():
        await _timed(f"facets of {MANY} traces, {title}", partial(store.facets, wanted))
    store.close()


async def _page(store: Store, wanted: Filter, page: int, sort: Sort) -> None:
    await asyncio.gather(store.list(wanted, page=page, sort=sort), store.count(wanted))


async def _timed(title: str, work: Callable[[], Awaitable[Any]]) -> None:
    took = []
    for _ in range(7):
        began, cpu = time.perf_counter(), time.process_time()
        await work()
        took.append((time.perf_counter() - began, time.process_time() - cpu))
    middle, cpu = sorted(took)[3]
    ratio = f"{middle / 0.05:.2f} x the goal of 50 ms, {cpu * 1e3:.1f} ms CPU"
    print(f"{title}: {middle * 1e3:.1f} ms, {ratio}")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        address = sys.argv[1] if len(sys.argv) > 1 else folder
        asyncio.run(recording(address, Path(folder)))
        asyncio.run(finding(address))


if __name__ == "__main__":
    main()
