"""What the tests of the backends share: the fake server, a purse that writes down, and requests."""

import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from orchestra_app.backends.base import Request, State
from orchestra_app.backends.openai import OpenAIBackend
from orchestra_app.core.catalog import Catalog, Choice, Model, ToolSpec
from orchestra_app.core.errors import BudgetError
from orchestra_app.core.message import Message
from orchestra_app.core.purse import Reservation, Use
from orchestra_app.core.task import Task
from orchestra_app.core.usage import Charge, Price, Usage
from tests.fake_openai import FakeOpenAI

PRICE = Price(input=1, output=10)
KEYS = {"TEST_KEY": "sk-secret-0123456789"}


@dataclass
class RecordingPurse:
    """Grants everything, up to `most` reservations, and writes down what was settled."""

    seconds: float | None = None
    granted: int | None = None
    """Output tokens that are granted at most."""
    most: int = 100
    uses: list[Use] = field(default_factory=list)
    charges: list[Charge] = field(default_factory=list)
    open: list[Reservation] = field(default_factory=list)

    async def reserve(self, use: Use) -> Reservation:
        if len(self.uses) >= self.most:
            raise BudgetError("Nothing is left.")
        self.uses.append(use)
        granted = use.most
        if self.granted is not None:
            granted = granted.model_copy(update={"output_tokens": self.granted})
        reservation = Reservation(use, granted, self.seconds, (use.price or Price()).cost(granted), 0.0)
        self.open.append(reservation)
        return reservation

    def settle(
        self,
        reservation: Reservation,
        usage: Usage | None,
        *,
        reported: float | None = None,
        simulated: bool | None = None,
    ) -> Charge:
        assert reservation in self.open, "settled twice"
        self.open.remove(reservation)
        price = reservation.use.price or Price()
        booked = reservation.granted if usage is None else usage
        charge = Charge(
            who=reservation.use.who,
            kind=reservation.use.kind,
            usage=booked,
            price=price,
            cost=price.cost(booked) if reported is None else reported,
            reported=reported,
            estimated=usage is None,
        )
        self.charges.append(charge)
        return charge


@pytest.fixture
def purse() -> RecordingPurse:
    return RecordingPurse()


@pytest.fixture(scope="session")
def fake() -> Iterator[FakeOpenAI]:
    with FakeOpenAI() as server:
        yield server


@pytest.fixture
async def backend() -> AsyncIterator[OpenAIBackend]:
    made = OpenAIBackend(KEYS.get, first_pause=0.01)
    yield made
    await made.close()


COUNT = itertools.count()


@pytest.fixture
def ask(fake: FakeOpenAI) -> Callable[..., Request]:
    """Makes a request to a model of its own, whose replies are the given steps."""

    def made(*steps: dict[str, Any], model: dict[str, Any] | None = None, **fields: Any) -> Request:
        name = f"model-{next(COUNT)}"
        if steps:
            fake.script(name, *steps)
        described = Model.model_validate({"url": fake.url, "price": PRICE, **(model or {})})
        return request(described, name=name, **fields)

    return made


def request(model: Model, *, name: str = "m", **fields: Any) -> Request:
    messages = fields.pop("messages", (Message(role="user", content="What is 2 + 2?"),))
    state = State(task=Task(id="t", question="What is 2 + 2?"), catalog=catalog())
    return Request(name=name, model=model, messages=messages, state=fields.pop("state", state), **fields)


def catalog() -> Catalog:
    answer = ToolSpec(
        kind="answer",
        title="Answer",
        description="Gives the answer.",
        choices={"answer-1": Choice(model="m", latency=1)},
    )
    return Catalog(name="test", title="Test", models={"m": Model(price=PRICE)}, tools={"answer": answer})
