"""A process killed at random moments loses no finished trace, and little of running ones."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

import pytest
from storage_rollouts import fold, rollout

from orchestra_app.core.events import Event
from orchestra_app.core.trace import Trace
from orchestra_app.storage.store import Store

ROUNDS = 100
LOSS = 0.1
"""Seconds of a running trace's events that may be lost."""


@pytest.mark.slow
async def test_a_process_killed_at_random_moments_loses_no_finished_trace(tmp_path: Path):
    late = []
    with _child(tmp_path) as child:
        assert child.stdin is not None and child.stdout is not None
        for number in range(ROUNDS):
            told = _one_round(child.stdin, child.stdout, str(number))
            late.append(await _check(tmp_path, told))
        child.stdin.close()
    finished, running, lateness = (sum(part) for part in zip(*late, strict=True))
    print(f"{ROUNDS} kills, {finished} finished and {running} running traces, {lateness} rounds lost more")
    assert finished > ROUNDS and running > ROUNDS
    # The scheduler of a busy machine may hold the writer back now and then; as a rule it must not happen.
    assert lateness <= ROUNDS // 20


def _child(folder: Path) -> subprocess.Popen[str]:
    script = Path(__file__).with_name("killed_child.py")
    root = str(Path(__file__).parents[2])
    return subprocess.Popen(
        [sys.executable, str(script), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    )


def _one_round(orders: IO[str], reports: IO[str], name: str) -> list[tuple[str, int, float]]:
    """Have a child record, kill it, and return what it said: trace, number of its events, when."""
    print(name, file=orders, flush=True)
    word, pid, _ = reports.readline().split()
    assert word == "started"
    killer = threading.Timer(random.uniform(0.01, 0.25), os.kill, (int(pid), signal.SIGKILL))
    killer.start()
    told = []
    while (line := reports.readline()) != "ended 0 0\n":
        trace, count, when = line.split()
        told.append((trace, int(count), float(when)))
    killer.join()
    return told


async def _check(folder: Path, told: list[tuple[str, int, float]]) -> tuple[int, int, bool]:
    """Return the finished and running traces that the child told of, and whether too much was lost."""
    with sqlite3.connect(folder / "orchestra.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    store = Store.open(folder)
    end = max((when for _, _, when in told), default=time.monotonic())
    finished, running, late = 0, 0, False
    for name in {name for name, _, _ in told}:
        events = rollout(name, turns=1 + (int(name.rpartition(".")[2]) + 1) % 5)
        passed = {count: when for each, count, when in told if each == name}
        trace = await store.get(name)
        if len(events) in passed:
            finished += 1
            assert trace == fold(events)
            continue
        running += 1
        kept = _kept(trace, events)
        late = late or any(when < end - LOSS for count, when in passed.items() if count > kept)
    assert await store.count() == len(
        [row for row in await store.list(size=100_000) if row.status != "running"]
    )
    store.close()
    return finished, running, late


def _kept(trace: Trace | None, events: list[Event]) -> int:
    """Return how many of the events a trace was saved with, and check that they are the first ones."""
    if trace is None:
        return 0
    count = 1 + sum(1 + len(turn.results) for turn in trace.turns)
    if trace.status == "answered":
        assert trace == fold(events)
        return len(events)
    expected = fold(events[:count])
    assert trace.status == "interrupted"
    assert (trace.turns, trace.seconds) == (expected.turns, expected.seconds)
    return count
