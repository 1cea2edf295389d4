"""A request as a model in this process takes it: what it is asked, what that may cost, and its seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from orchestra_app.backends.base import Request
from orchestra_app.core.errors import ContextError
from orchestra_app.core.message import ToolCall
from orchestra_app.core.purse import Use
from orchestra_app.core.usage import Price, Usage

FREE = Price(source="this computer")
"""What a model costs here where the catalogue says nothing."""
TEMPERATURE = 1.0
"""Where neither request nor catalogue says: what a policy is trained at."""
MOST_PAIRS = 2**30
"""Pairs of prompt tokens in a batch: its attention mask takes a byte for each."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the model takes it."""

    prompt: list[int]
    legal: dict[str, ToolCall] | None
    """The calls that the reply may be, as they are spelt; None: it is free."""
    room: int
    """Tokens that the model's own context leaves for the reply."""


def worst_case(request: Request, asked: Asked) -> Use:
    """Return the worst case of a request whose prompt has been counted."""
    input_tokens = len(asked.prompt)
    room = min(request.model.context - input_tokens, asked.room)
    if room < 1:
        raise ContextError(
            f"The prompt has {input_tokens:,} tokens, but the catalogue gives {request.name} a context of "
            f"{request.model.context:,}: raise its context, or ask a shorter question."
        )
    most = min(request.max_output, room)
    return Use(
        who=request.name,
        kind=request.kind,
        price=request.model.price or FREE,
        most=Usage(input_tokens=input_tokens, output_tokens=most),
        least=Usage(input_tokens=input_tokens, output_tokens=min(request.min_output, most)),
        simulated=request.state.catalog.simulated,
    )


def fitting(lengths: Sequence[int]) -> int:
    """Return how many of the prompts of these lengths go into one batch: at least one where there is any."""
    longest = 0
    for count, length in enumerate(lengths):
        longest = max(longest, length)
        if count and (count + 1) * longest**2 > MOST_PAIRS:
            return count
    return len(lengths)


def seed_of(request: Request) -> int:
    """Return the seed of one reply: equal for equal run seed, question and turn."""
    state = request.state
    key = f"{state.seed}\n{len(state.turns)}\n{request.role}\n{request.alias}\n{state.task.question}"
    return int.from_bytes(blake2b(key.encode(errors="replace"), digest_size=8).digest())


def temperature_of(request: Request) -> float:
    """Return the temperature of a reply: the request's, the catalogue's, or the usual one."""
    stated = request.model.temperature if request.temperature is None else request.temperature
    return TEMPERATURE if stated is None else stated
