"""A small catalogue, and fakes of what tools work with: backends, a purse, a sandbox, sources."""

import asyncio
from collections.abc import Callable

from orchestra_app.backends.base import Request, State, input_bound
from orchestra_app.backends.prices import use_of
from orchestra_app.core.catalog import Catalog, Choice, Model, PythonSpec, Source, ToolSpec
from orchestra_app.core.errors import BudgetError, ToolError
from orchestra_app.core.message import Document, Execution, Reply, ToolCall
from orchestra_app.core.purse import Purse, Reservation, Use
from orchestra_app.core.task import Preference, Task
from orchestra_app.core.usage import Charge, Price, Usage
from orchestra_app.tools.roster import Experts

QUESTION = "How tall is the tower of Velm?"


def make_catalog(*, simulated: bool = False, **changed) -> Catalog:
    fields = {
        "name": "test",
        "title": "Test",
        "simulated": simulated,
        "models": {
            "big": Model(vendor="acme", price=Price(input=1.25, output=10), context=400_000, temperature=1.0),
            "small": Model(vendor="zeta", price=Price(input=0.25, output=2), context=32_768),
            "maths": Model(vendor="acme", price=Price(input=0.9, output=0.9), context=4_096),
            "mystery": Model(url="http://127.0.0.1:1/v1"),
        },
        "tools": {
            "search": ToolSpec(
                kind="search",
                title="Search",
                description="Looks for missing information.",
                choices={
                    "search-1": Choice(model="big", latency=22, max_context=120_000, max_code=40_000),
                    "search-2": Choice(model="small", latency=16, document_chars=1000),
                },
                sources=("library", "web"),
            ),
            "enhance_reasoning": ToolSpec(
                kind="reason",
                title="Reason",
                description="Writes code, runs it and returns what it prints.",
                choices={
                    "reasoner-1": Choice(
                        model="big", ability="Is strong at everything.", latency=31, max_context=120_000
                    ),
                    "reasoner-2": Choice(model="small", ability="Is good at short programs.", latency=25),
                },
            ),
            "answer": ToolSpec(
                kind="answer",
                title="Answer",
                description="Gives the final answer.",
                choices={
                    "answer-1": Choice(model="big", ability="Is right most often.", latency=96.5),
                    "answer-2": Choice(model="mystery", latency=27),
                    "answer-math": Choice(
                        model="maths",
                        latency=13,
                        max_context=2000,
                        max_code=1000,
                        max_output=2000,
                        document_chars=1000,
                        boxed=True,
                    ),
                },
            ),
        },
        "sources": {
            "library": Source(kind="local", title="Library", folder="rehearsal", top=2, latency=0.5),
            "web": Source(kind="tavily", title="Web", top=2, price=Price(unit=0.01), latency=3),
        },
        "python": PythonSpec(price=Price(unit=0.001), seconds=8),
    }
    return Catalog.model_validate(fields | changed)


def make_state(catalog: Catalog | None = None, **changed) -> State:
    preference = changed.pop("preference", Preference())
    task = Task(id="t", question=changed.pop("question", QUESTION), preference=preference)
    fields = {"task": task, "catalog": catalog or make_catalog(), "instruction": "Prefer big."}
    return State(**(fields | changed))


def call_of(name: str, **arguments) -> ToolCall:
    return ToolCall(id="c1", name=name, arguments=arguments)


class FakePurse:
    """Grants what is wanted, clipped to `seconds` and `units`; refuses the names in `refused`."""

    def __init__(self, *, seconds: float | None = None, units: float | None = None, refused: tuple = ()):
        self.seconds = seconds
        self.units = units
        self.refused = refused
        self.uses: list[Use] = []
        self.open: dict[int, Reservation] = {}
        self.charges: list[Charge] = []

    async def reserve(self, use: Use) -> Reservation:
        if use.who in self.refused:
            raise BudgetError(f"{use.who} does not fit.")
        granted = use.most
        if self.units is not None:
            granted = granted.model_copy(update={"units": min(granted.units, self.units)})
        self.uses.append(use)
        reservation = Reservation(use, granted, self.seconds, (use.price or Price()).cost(granted), 0.0)
        self.open[id(reservation)] = reservation
        return reservation

    def settle(
        self,
        reservation: Reservation,
        usage: Usage | None,
        *,
        reported: float | None = None,
        simulated: bool | None = None,
    ) -> Charge:
        del self.open[id(reservation)]
        use = reservation.use
        used = usage or reservation.granted
        price = use.price or Price()
        charge = Charge(
            who=use.who,
            kind=use.kind,
            usage=used,
            price=price,
            cost=price.cost(used),
            estimated=usage is None,
            simulated=use.simulated if simulated is None else simulated,
        )
        self.charges.append(charge)
        return charge

    @property
    def kinds(self) -> list[tuple[str, str]]:
        return [(charge.kind, charge.who) for charge in self.charges]

    @property
    def least(self) -> float:
        return sum((use.price or Price()).cost(use.least) for use in self.uses)


class FakeBackend:
    """Replies with the given text, and keeps the requests."""

    def __init__(self, text: str = "", *, finish: str = "stop", reasoning: str = ""):
        self.reply = Reply.model_validate({"text": text, "finish": finish, "reasoning": reasoning})
        self.requests: list[Request] = []

    async def complete(self, request: Request, purse: Purse) -> Reply:
        self.requests.append(request)
        reservation = await purse.reserve(use_of(request, input_bound(request)))
        purse.settle(reservation, Usage(input_tokens=10, output_tokens=5, seconds=1))
        return self.reply

    @property
    def prompt(self) -> str:
        return "\n".join(message.content for message in self.requests[-1].messages)


class FakeSandbox:
    """Returns the given execution after `pause` seconds."""

    rung = "landlock"
    reason = "A fake."

    def __init__(self, execution: Execution | None = None, *, pause: float = 0.0, error: str = ""):
        self.execution = execution or Execution(code="", stdout="42\n", status=0, seconds=0.0123)
        self.pause = pause
        self.error = error
        self.ran: list[tuple[str, float]] = []
        self.started = asyncio.Event()

    async def run(self, code: str, *, seconds: float = 10.0) -> Execution:
        self.ran.append((code, seconds))
        self.started.set()
        await asyncio.sleep(self.pause)
        if self.error:
            raise ToolError(self.error)
        return self.execution.model_copy(update={"code": code})

    async def aclose(self) -> None:
        return None


class FakeFinder:
    """Finds the given documents, or fails."""

    def __init__(self, *texts: str, error: Exception | None = None, source: str = "library"):
        self.documents = [Document(text=text, source=source) for text in texts]
        self.error = error
        self.asked: list[tuple[str, int, float | None]] = []

    async def search(self, query: str, top: int, *, seconds: float | None = None) -> list[Document]:
        self.asked.append((query, top, seconds))
        if self.error:
            raise self.error
        return self.documents[:top]


def experts_of(backend: FakeBackend, catalog: Catalog | None = None) -> Experts:
    asked: Callable[[str], FakeBackend] = lambda name: backend  # noqa: E731
    return Experts(catalog or make_catalog(), asked)
