"""A small catalogue with tools, day accounts in memory, and what else the orchestrator stands on."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from orchestra_app.backends.base import Backend, State
from orchestra_app.backends.scripted import Script, Scripted
from orchestra_app.core.catalog import Catalog, Choice, Model, ToolSpec
from orchestra_app.core.errors import ToolError
from orchestra_app.core.message import Document, Execution, ToolCall, ToolResult
from orchestra_app.core.purse import Purse, Use
from orchestra_app.core.task import Budget, Preference, Task
from orchestra_app.core.text import byte_length
from orchestra_app.core.trace import Trace, alias_of
from orchestra_app.core.usage import Price, Usage
from orchestra_app.orchestrator.ledger import Ledger, RunPurse
from orchestra_app.orchestrator.loop import Options, Orchestrator
from orchestra_app.orchestrator.policy import Policy
from orchestra_app.tools.base import Floor, Toolbox

CHEAP = Price(input=1, output=4)
DEAR = Price(input=10, output=40)
MODELS = {"cheap": CHEAP, "dear": DEAR, "policy": Price(input=0.2, output=0.8)}
QUESTION = "How tall is the tower of Velm?"
TOOLS = {
    "search": {"search-1": ("cheap", 4.0)},
    "enhance_reasoning": {"reasoner-1": ("cheap", 3.0), "reasoner-2": ("dear", 8.0)},
    "answer": {"answer-1": ("dear", 20.0), "answer-2": ("cheap", 5.0)},
}
KINDS = {"search": "search", "enhance_reasoning": "reason", "answer": "answer"}


class Memory:
    """Day accounts of one process."""

    def __init__(self) -> None:
        self.accounts: dict[str, int] = {}
        self.lock = threading.Lock()

    def lease(self, key: str, amount: int, cap: int | None) -> bool:
        with self.lock:
            taken = self.accounts.get(key, 0) + amount
            if cap is not None and taken > cap:
                return False
            self.accounts[key] = taken
            return True

    def give_back(self, key: str, amount: int) -> None:
        assert amount >= 0
        with self.lock:
            self.accounts[key] -= amount

    def taken(self, key: str) -> int:
        return self.accounts.get(key, 0)


def make_catalog(*, simulated: bool = True, only: tuple[str, ...] = ()) -> Catalog:
    """Return the catalogue of `TOOLS`; `only`: with just these aliases."""
    models = {name: Model(vendor=f"{name}-corp", price=price) for name, price in MODELS.items()}
    tools = {}
    for tool, aliases in TOOLS.items():
        choices = {
            alias: Choice(model=model, latency=latency)
            for alias, (model, latency) in aliases.items()
            if not only or alias in only
        }
        if choices:
            tools[tool] = ToolSpec.model_validate(
                {
                    "kind": KINDS[tool],
                    "title": tool,
                    "description": tool,
                    "choices": choices,
                    "sources": ("library",) if tool == "search" else (),
                }
            )
    return Catalog.model_validate(
        {
            "name": "test",
            "title": "Test",
            "simulated": simulated,
            "models": models,
            "tools": tools,
            "sources": {"library": {"kind": "local", "title": "Library"}},
        }
    )


Outcome = ToolResult | Exception | None
Behaviour = Callable[[ToolCall, State], Outcome]


@dataclass
class FakeTool:
    """A tool whose aliases are models; it spends as a real one and does what `behave` says."""

    name: str
    catalog: Catalog
    behave: Behaviour = lambda call, state: None
    found: int = 0
    """Bytes of the document that a search finds."""
    usage: Callable[[Usage], Usage | None] = lambda granted: granted.model_copy(
        update={"output_tokens": granted.output_tokens // 2}
    )
    """What is settled for what was granted."""
    stall: asyncio.Event | None = None
    """What a call waits for before it settles."""
    called: list[ToolCall] = field(default_factory=list)
    least_output: int = 100
    most_output: int = 1000

    works = True

    @property
    def ends(self) -> bool:
        return self.name == "answer"

    @property
    def aliases(self) -> tuple[str, ...]:
        return tuple(self.catalog.tools[self.name].choices)

    def names(self, alias: str | None) -> tuple[str, ...]:
        model = self.catalog.tools[self.name].choices[alias or ""].model
        return (alias or "", model, f"vendor:{self.catalog.models[model].vendor}")

    def preference(self, alias: str | None, preference: Preference) -> float:
        return preference.of(self.catalog.tools[self.name].choices[alias or ""].model)

    def schema(self, aliases: tuple[str, ...]) -> dict[str, Any]:
        function = {"name": self.name, "description": ", ".join(aliases), "parameters": {}}
        return {"type": "function", "function": function}

    def price(self, alias: str | None) -> Price | None:
        return self.catalog.models[self.catalog.tools[self.name].choices[alias or ""].model].price

    def floor(self, alias: str | None, state: State) -> Floor:
        price, latency = self.price(alias), self.catalog.tools[self.name].choices[alias or ""].latency
        if price is None:
            return Floor(None, latency)
        cost = (self.prompt(state) * price.highest_input + self.least_output * price.output) / 1e6
        return Floor(cost, latency, price.highest_input / 1e6)

    def prompt(self, state: State) -> int:
        texts = [state.task.question, *(each.text for each in state.documents)]
        return 200 + sum(byte_length(text) for text in [*texts, *(run.stdout for run in state.executions)])

    async def call(self, call: ToolCall, state: State, purse: Purse) -> ToolResult:
        self.called.append(call)
        alias, prompt = alias_of(call), self.prompt(state)
        use = Use(
            alias or self.name,
            "expert",
            self.price(alias),
            most=Usage(input_tokens=prompt, output_tokens=self.most_output),
            least=Usage(input_tokens=prompt, output_tokens=self.least_output),
        )
        reservation = await purse.reserve(use)
        usage = None
        try:
            await (self.stall.wait() if self.stall else asyncio.sleep(0))
            outcome = self.behave(call, state)
            usage = self.usage(reservation.granted)
            latency = self.catalog.tools[self.name].choices[alias or ""].latency
            if reservation.seconds is not None and latency > reservation.seconds:
                latency, outcome = reservation.seconds, ToolError(f"{alias} was too late.")
            if usage is not None:
                usage = usage.model_copy(update={"seconds": latency})
            if isinstance(outcome, Exception):
                raise outcome
            return outcome or self.result(call)
        finally:
            purse.settle(reservation, usage)

    def result(self, call: ToolCall) -> ToolResult:
        match self.name:
            case "answer":
                return ToolResult(call_id=call.id, answer="42 m")
            case "search":
                text = f"{len(self.called)} ".ljust(self.found, "x")
                return ToolResult(call_id=call.id, documents=(Document(text=text),))
        return ToolResult(call_id=call.id, executions=(Execution(code="print(6)", stdout="6\n", status=0),))


class OpenLedger(Ledger):
    """Keeps the purses that it opened."""

    def __init__(self) -> None:
        super().__init__(Memory())
        self.purses: list[RunPurse] = []

    def open(self, *arguments: Any, **more: Any) -> RunPurse:
        self.purses.append(super().open(*arguments, **more))
        return self.purses[-1]


@dataclass
class World:
    """An orchestrator over fakes, and what was asked of them."""

    orchestrator: Orchestrator
    backend: Scripted
    tools: dict[str, FakeTool]
    ledger: OpenLedger

    @property
    def called(self) -> list[str | None]:
        return [alias_of(call) for tool in self.tools.values() for call in tool.called]


def make_world(script: Script, *, only: tuple[str, ...] = (), simulated: bool = True, **policy: Any) -> World:
    catalog = make_catalog(simulated=simulated, only=only)
    tools = {name: FakeTool(name, catalog) for name in catalog.tools}
    backend = Scripted(script, simulated=simulated)
    ledger = OpenLedger()
    made = make_policy(backend, catalog, **policy)
    orchestrator = Orchestrator(catalog, Toolbox(list(tools.values())), made, ledger)
    return World(orchestrator, backend, tools, ledger)


def make_policy(backend: Backend, catalog: Catalog, **fields: Any) -> Policy:
    fields = {"name": "policy", "title": "Policy", "model": catalog.models["policy"], **fields}
    return Policy(backend=backend, **fields)


def make_task(*, preference: Preference | None = None, question: str = QUESTION, **budget: Any) -> Task:
    budget = {"cost": None, "seconds": None, **budget}
    return Task(
        id="t", question=question, preference=preference or Preference(), budget=Budget.model_validate(budget)
    )


async def play(world: World, task: Task | None = None, **options: Any) -> Trace:
    """Return the trace of a whole run."""
    trace = None
    async for event in world.orchestrator.run(task or make_task(), Options(**options)):
        if trace is None:
            assert event.type == "started"
            trace = Trace.start(event)
        else:
            trace.apply(event)
    assert trace is not None and trace.status != "running"
    return trace
