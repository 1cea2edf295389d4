"""Rows from a process of their own: the planner never asks the model, so that both can work at once.

Run as `python -m orchestra_app.training.rows`; it writes one pickled pool after another to its output.
"""

import asyncio
import json
import os
import pickle
import struct
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import asdict, dataclass

from orchestra_app.catalogs import load_catalog
from orchestra_app.core.errors import TrainingError
from orchestra_app.orchestrator.presets import preset
from orchestra_app.rehearsal.questions import questions
from orchestra_app.rehearsal.typed import typed
from orchestra_app.training.stage import open_stage
from orchestra_app.training.teacher import Curriculum, Prompts, Rehearsals, Row
from orchestra_app.training.tokenizer import make_tokenizer

HELD_BACK = 600
"""Train questions that the small policy never sees, for choosing settings by."""
WISHES = {"balanced": 4.0, "best": 3.0, "frugal": 1.0, "quick": 1.0}
"""Presets that it meets, and how often: under `best` nearly equal calls have to be told apart."""
AHEAD = 4 * 2**20
"""Bytes of rows that wait to be learned from, more or less."""
SIZE = struct.Struct("<Q")
COMMAND = (sys.executable, "-m", "orchestra_app.training.rows")


@dataclass(frozen=True, slots=True)
class Order:
    """Which rows are wanted."""

    seed: int
    pools: int
    first: int
    """Pools at the start that hold first turns only, which are short."""
    size: int
    """Rows of a pool."""


async def pools(order: Order) -> AsyncGenerator[list[Row]]:
    """Yield the pools of an order, made in this process."""
    catalog = load_catalog("rehearsal")
    curriculum = Curriculum(
        questions("train")[:-HELD_BACK],
        typed("train"),
        [(preset(name, catalog), often) for name, often in WISHES.items()],
    )
    async with open_stage(catalog) as stage:
        rehearsals = Rehearsals(stage, Prompts(make_tokenizer(catalog)), curriculum, seed=order.seed)
        for number in range(order.pools):
            yield await rehearsals.rows(order.size, first=number < order.first)


async def distant_pools(order: Order, command: Sequence[str] = COMMAND) -> AsyncGenerator[list[Row]]:
    """Yield the same pools, made in a process that ends with this generator.

    Raises TrainingError where that process cannot be started or ends early.
    """
    async with _process((*command, json.dumps(asdict(order)))) as process:
        assert process.stdout is not None, "it was asked for"
        for _ in range(order.pools):
            try:
                (size,) = SIZE.unpack(await process.stdout.readexactly(SIZE.size))
                pool = await process.stdout.readexactly(size)
            except asyncio.IncompleteReadError as error:
                status = await process.wait()
                raise TrainingError(
                    f"The process that makes the rows to learn from ended early (status {status}): see what "
                    "it printed, look for memory, and start anew."
                ) from error
            yield await asyncio.to_thread(pickle.loads, pool)


@asynccontextmanager
async def _process(command: Sequence[str]) -> AsyncGenerator[asyncio.subprocess.Process]:
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, limit=AHEAD
        )
    except OSError as error:
        raise TrainingError(f"The process that makes rows cannot be started ({error}).") from error
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def write(order: Order) -> None:
    """Write the pools of an order to the standard output until nobody reads them any more."""
    with os.fdopen(os.dup(1), "wb") as output:
        # Whatever else is printed in this process must not come between.
        os.dup2(2, 1)
        async with aclosing(pools(order)) as found:
            async for pool in found:
                packed = pickle.dumps(pool, protocol=pickle.HIGHEST_PROTOCOL)
                output.write(SIZE.pack(len(packed)) + packed)
                output.flush()


if __name__ == "__main__":
    with suppress(BrokenPipeError, KeyboardInterrupt):
        asyncio.run(write(Order(**json.loads(sys.argv[1]))))
