"""The model that orchestrates, as the loop needs it."""

from collections.abc import Callable
from dataclasses import dataclass

from orchestra_app.backends.base import Backend, Request, State, input_bound
from orchestra_app.core.catalog import Model
from orchestra_app.core.events import Protocol
from orchestra_app.core.message import Message


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy with its backend and limits."""

    name: str
    title: str
    backend: Backend
    model: Model
    protocol: Protocol = "packed"
    max_output: int = 4_096
    """Most tokens of one reply."""
    min_output: int = 64
    temperature: float | None = None
    latency: float = 0.0
    """Seconds that a reply usually takes."""
    gives_up: bool = False
    """True where replies without a call end the run instead of leading to a forced answer."""

    def request(
        self,
        messages: tuple[Message, ...],
        state: State,
        on_text: Callable[[str], None] | None = None,
    ) -> Request:
        """Return the request for the next reply, with the tools that `state` offers."""
        return Request(
            name=self.name,
            model=self.model,
            messages=messages,
            state=state,
            kind="policy",
            tools=tuple(offer.tool_schema for offer in state.offered),
            max_output=self.max_output,
            min_output=self.min_output,
            temperature=self.temperature,
            latency=self.latency or None,
            role="policy",
            on_text=on_text,
        )

    def floor(self, messages: tuple[Message, ...], state: State) -> float | None:
        """Return the USD of the smallest worst case of a reply to `messages`; None: the price is unknown."""
        if self.model.price is None:
            return None
        prompt = input_bound(self.request(messages, state))
        return (prompt * self.model.price.highest_input + self.min_output * self.model.price.output) / 1e6

    @property
    def input_rate(self) -> float:
        """USD per token of the prompt."""
        return self.model.price.highest_input / 1e6 if self.model.price else 0.0
