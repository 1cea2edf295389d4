"""What the loop costs, against a bare client and in process; run as `python -m tests.benchmarks.loop`."""

import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI

from orchestra_app.backends.openai import OpenAIBackend
from orchestra_app.backends.scripted import Scripted, calling
from orchestra_app.catalogs import load_catalog
from orchestra_app.core.catalog import Catalog, Model
from orchestra_app.core.task import Budget, Task
from orchestra_app.core.usage import Price
from orchestra_app.orchestrator.ledger import Ledger
from orchestra_app.orchestrator.loop import Orchestrator
from orchestra_app.orchestrator.policy import Policy
from orchestra_app.rehearsal.corpus import corpus
from orchestra_app.rehearsal.experts import SimulatedExperts
from orchestra_app.rehearsal.questions import questions
from orchestra_app.storage.recorder import record
from orchestra_app.storage.store import Store
from orchestra_app.tools.base import Toolbox
from orchestra_app.tools.box import Means, open_finders, packed_toolbox
from orchestra_app.tools.function import tool
from orchestra_app.tools.roster import Experts
from tests.fake_openai import FIVE_TURNS, FakeOpenAI

RUNS = 150
ROUNDS = 5
TURNS = 6
AT_ONCE = 64
BARE = "bare client"
PRICE = Price(input=1, output=10)

Work = Callable[[int], Awaitable[int]]
"""Does one run and returns its turns."""


async def look(word: str) -> str:
    """Look a word up."""
    return f"There is one {word} and it is 48 m tall."


async def bare_run(client: AsyncOpenAI, schema: Any, number: int) -> int:
    """Run the loop that anybody would write first."""
    messages: list = [{"role": "user", "content": f"How tall is tower {number}?"}]
    for turn in range(TURNS):
        reply = await client.chat.completions.create(
            model=FIVE_TURNS, messages=messages, tools=[schema], max_tokens=500
        )
        message: Any = reply.choices[0].message
        if not message.tool_calls:
            return turn + 1
        messages.append(message.model_dump(exclude_none=True))
        for call in message.tool_calls:
            result = await look(**json.loads(call.function.arguments))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
    raise AssertionError("the server never answered")


async def kept_run(orchestrator: Orchestrator, store: Store, task: Task) -> int:
    """Run with everything of ours: ledger, trace and SQLite."""
    async with aclosing(record(orchestrator.run(task), store)) as recorded:
        traces = [trace async for _, trace in recorded]
    assert traces[-1].status == "answered", traces[-1].error
    return len(traces[-1].turns)


async def unkept_run(orchestrator: Orchestrator, task: Task) -> int:
    """Run without storage."""
    turns = 0
    async with aclosing(orchestrator.run(task)) as events:
        async for event in events:
            turns += event.type == "reply"
    return turns


async def cpu_per_turn(work: Work) -> float:
    """Return CPU milliseconds of a turn, one run after another."""
    started, turns = time.process_time(), 0
    for number in range(RUNS):
        turns += await work(number)
    return (time.process_time() - started) / turns * 1e3


async def runs_per_second(work: Work) -> float:
    """Return the runs done in a second, 64 at once."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with gate:
            await work(number)

    started = time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(RUNS)))
    return RUNS / (time.perf_counter() - started)


def against_server(
    store: Store, fake: FakeOpenAI, client: AsyncOpenAI, backend: OpenAIBackend
) -> dict[str, Work]:
    """Return one loop with the bare client and ours with the same server."""
    model = Model(url=fake.url, price=PRICE)
    box = Toolbox([tool(look)])
    policy = Policy(FIVE_TURNS, FIVE_TURNS, backend, model, protocol="chat", max_output=500)
    orchestrator = Orchestrator(load_catalog("live"), box, policy, Ledger(store))
    schema = box.tools["look"].schema(())

    def task(number: int) -> Task:
        return Task(id=str(number), question=f"How tall is tower {number}?", budget=Budget(cost=1))

    return {
        BARE: lambda number: bare_run(client, schema, number),
        "openai backend, kept in SQLite": lambda number: kept_run(orchestrator, store, task(number)),
    }


def in_process(store: Store, catalog: Catalog) -> dict[str, Work]:
    """Return our loop over the rehearsal, with and without storage."""
    simulated = SimulatedExperts()
    finders = open_finders(catalog, bundled=corpus(), key={}.get, cache=None)
    box = packed_toolbox(Experts(catalog, lambda _: simulated), Means(finders, None))
    free = Model(backend="simulated", price=Price())
    calls = [calling("search", {"model": "search-1"}), calling("answer", {"model": "answer-1"})]
    script = Scripted(lambda request: calls[len(request.state.turns)], simulated=True)
    policy = Policy("route", "route", script, free)
    orchestrator = Orchestrator(catalog, box, policy, Ledger(store))
    asked = [
        Task(id=each.id, question=each.text, budget=Budget(cost=0.2, seconds=300))
        for each in questions("heldout")
    ]
    return {
        "rehearsal": lambda number: unkept_run(orchestrator, asked[number % len(asked)]),
        "rehearsal, kept in SQLite": lambda number: kept_run(orchestrator, store, asked[number % len(asked)]),
    }


async def compare(ways: dict[str, Work]) -> None:
    """Print each way beside the bare loop; ways take turns, so that a busy machine burdens all alike."""
    cpu = dict.fromkeys(ways, float("inf"))
    rate = dict.fromkeys(ways, 0.0)
    for _ in range(ROUNDS):
        for name, work in ways.items():
            cpu[name] = min(cpu[name], await cpu_per_turn(work))
            rate[name] = max(rate[name], await runs_per_second(work))
    for name in ways:
        print(
            f"{name:30} {cpu[name]:6.3f} ms CPU a turn, {cpu[name] / cpu[BARE]:5.3f} x bare; "
            f"{rate[name]:5.0f} runs/s at {AT_ONCE}, {rate[name] / rate[BARE]:5.2f} x bare"
        )


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder, FakeOpenAI() as fake:
        store, catalog = Store.open(Path(folder)), load_catalog("rehearsal")
        await store.save_catalog(catalog)
        client = AsyncOpenAI(api_key="none", base_url=fake.url, max_retries=0)
        backend = OpenAIBackend({}.get)
        await compare(against_server(store, fake, client, backend) | in_process(store, catalog))
        await client.close()
        await backend.close()
        store.close()


if __name__ == "__main__":
    asyncio.run(main())
