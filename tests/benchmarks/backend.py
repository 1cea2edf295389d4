"""CPU per call of the openai backend against a bare client; run as `python -m tests.benchmarks.backend`."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from openai import AsyncOpenAI

from orchestra_app.backends.base import Request, State
from orchestra_app.backends.body import body_of
from orchestra_app.backends.openai import OpenAIBackend
from orchestra_app.core.catalog import Catalog, Choice, Model, ToolSpec
from orchestra_app.core.message import Message
from orchestra_app.core.purse import Reservation, Use
from orchestra_app.core.task import Task
from orchestra_app.core.usage import Charge, Price, Usage
from tests.fake_openai import FakeOpenAI

CALLS = 400
ROUNDS = 5
PRICE = Price(input=1, output=10)
TOOL = {
    "type": "function",
    "function": {"name": "search", "description": "Searches. " * 90, "parameters": {}},
}


class Generous:
    """A purse that grants everything."""

    async def reserve(self, use: Use) -> Reservation:
        return Reservation(use, use.most, None, 0.0, 0.0)

    def settle(
        self,
        reservation: Reservation,
        usage: Usage | None,
        *,
        reported: float | None = None,
        simulated: bool | None = None,
    ) -> Charge:
        used = usage or reservation.granted
        return Charge(who=reservation.use.who, kind="policy", usage=used, price=PRICE, cost=PRICE.cost(used))


def a_request(url: str) -> Request:
    """Return a turn of a policy: two messages of 4 kB and three tools."""
    answer = ToolSpec(
        kind="answer", title="", description="", choices={"a": Choice(model="tool-call", latency=1)}
    )
    model = Model(url=url, price=PRICE)
    catalog = Catalog(name="bench", title="", models={"tool-call": model}, tools={"answer": answer})
    messages = (
        Message(role="system", content="You are good at using tools."),
        Message(role="user", content="Problem " * 500),
    )
    state = State(task=Task(id="t", question="q"), catalog=catalog)
    return Request("tool-call", model, messages, state, kind="policy", tools=(TOOL, TOOL, TOOL))


async def cpu(call: Callable[[], Awaitable[object]]) -> float:
    """Return CPU seconds of one call."""
    started = time.process_time()
    for _ in range(CALLS):
        await call()
    return (time.process_time() - started) / CALLS


async def rate(call: Callable[[], Awaitable[object]]) -> float:
    """Return calls per second with 64 at once."""
    gate = asyncio.Semaphore(64)

    async def one() -> None:
        async with gate:
            await call()

    started = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(CALLS * 2)))
    return CALLS * 2 / (time.perf_counter() - started)


async def main() -> None:
    with FakeOpenAI() as fake:
        request, purse = a_request(fake.url), Generous()
        streamed = Request(
            "tool-call", request.model, request.messages, request.state, on_text=lambda _: None
        )
        bare = AsyncOpenAI(api_key="none", base_url=fake.url, max_retries=0)
        backend = OpenAIBackend({}.get)
        body = body_of(request, request.max_output)
        loops: dict[str, Callable[[], Awaitable[object]]] = {
            "bare openai.AsyncOpenAI": lambda: bare.chat.completions.create(**body),
            "openai backend": lambda: backend.complete(request, purse),
            "openai backend, streamed": lambda: backend.complete(streamed, purse),
        }
        best = dict.fromkeys(loops, float("inf"))
        for _ in range(ROUNDS):
            for name, call in loops.items():
                best[name] = min(best[name], await cpu(call))
        floor = best["bare openai.AsyncOpenAI"]
        for name, seconds in best.items():
            print(f"{name:26} {seconds * 1e3:6.3f} ms CPU per call, {seconds / floor:5.2f} x bare")
        rates = {name: max([await rate(call) for _ in range(2)]) for name, call in loops.items()}
        slowest = rates["bare openai.AsyncOpenAI"]
        for name, found in rates.items():
            print(f"{name:26} {found:6.0f} calls/s at 64, {found / slowest:5.2f} x bare")
        await bare.close()
        await backend.close()


if __name__ == "__main__":
    asyncio.run(main())
