"""A program that records rollouts until it is killed, and tells on a pipe what it was told itself.

It is started once and forks a child for each line that comes on its standard input.
"""

import asyncio
import os
import random
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from storage_rollouts import rollout

from orchestra_app.core.events import Event
from orchestra_app.storage.recorder import record
from orchestra_app.storage.store import Store


async def _slowly(events: list[Event], longest: float) -> AsyncGenerator[Event, None]:
    for event in events:
        await asyncio.sleep(random.uniform(0, longest))
        yield event


async def _record(store: Store, round_name: str, worker: int) -> None:
    number = 0
    while True:
        name = f"{round_name}.{worker}.{number}"
        number += 1
        events = _slowly(rollout(name, turns=1 + number % 5), random.choice((0.0, 0.004, 0.04)))
        async with aclosing(record(events, store)) as recorded:
            count = 0
            async for _ in recorded:
                count += 1
                os.write(1, f"{name} {count} {time.monotonic()}\n".encode())


async def _work(store: Store, round_name: str) -> None:
    await asyncio.gather(*(_record(store, round_name, worker) for worker in range(6)))


def main(address: str) -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            random.seed(line)
            store = Store.open(address)
            os.write(1, f"started {os.getpid()} 0\n".encode())
            asyncio.run(_work(store, line.strip()))
        os.waitpid(child, 0)
        os.write(1, b"ended 0 0\n")


main(sys.argv[1])
