"""What was used, what it cost, and the price that says so."""

from typing import Annotated, Literal

from pydantic import Field

from orchestra_app.core.value import Number, Value

Kind = Literal["policy", "expert", "search", "retrieve", "python", "judge"]


class Usage(Value):
    """How much of a priced thing was used."""

    input_tokens: int = Field(default=0, ge=0)
    """Tokens of the prompt, cached ones included."""
    cached_tokens: int = Field(default=0, ge=0)
    """Tokens of the prompt that the provider had cached."""
    output_tokens: int = Field(default=0, ge=0)
    """Tokens of the reply, reasoning included."""
    reasoning_tokens: int = Field(default=0, ge=0)
    """Tokens of the reply that were reasoning."""
    units: float = Field(default=0.0, ge=0)
    """Searches made, documents extracted or seconds of the sandbox, as the price counts them."""
    seconds: float = Field(default=0.0, ge=0)
    """Seconds it took."""

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
            units=self.units + other.units,
            seconds=self.seconds + other.seconds,
        )


Rate = Annotated[Number, Field(ge=0, le=1e9)]


class Price(Value):
    """The rates of one priced thing, with where they come from."""

    input: Rate = 0.0
    """USD per million prompt tokens."""
    cached: Rate | None = None
    """USD per million cached prompt tokens; None: the same as `input`."""
    output: Rate = 0.0
    """USD per million reply tokens."""
    unit: Rate = 0.0
    """USD per unit (a search, an extract, a second of the sandbox)."""
    source: str = ""
    """Who states these rates."""
    date: str = ""
    """The day on which they were read, YYYY-MM-DD."""

    def cost(self, usage: Usage) -> float:
        """Return the USD that `usage` costs at these rates."""
        cached_rate = self.input if self.cached is None else self.cached
        cached = min(usage.cached_tokens, usage.input_tokens)
        tokens = (usage.input_tokens - cached) * self.input + cached * cached_rate
        tokens += usage.output_tokens * self.output
        return tokens / 1e6 + usage.units * self.unit

    @property
    def highest_input(self) -> float:
        """USD per million prompt tokens at the worst, whether or not the provider has them cached."""
        cached = self.cached
        return self.input if cached is None or cached <= self.input else cached


class Charge(Value):
    """One priced use inside a trace."""

    who: str
    """The model, source or tool that was used."""
    kind: Kind
    usage: Usage
    price: Price
    """The rates that held when it was booked."""
    cost: float = Field(ge=0)
    """USD booked: the provider's own figure where it gave one, else price times usage."""
    reported: float | None = None
    """USD that the provider reported, if it did."""
    estimated: bool = False
    """True where the usage was not told and the reservation was booked instead."""
    at: float = Field(default=0.0, ge=0)
    """Seconds after the start of the run at which the use began."""
    simulated: bool = False
    """True where no real money was spent."""
