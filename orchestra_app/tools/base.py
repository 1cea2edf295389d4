"""What may be called: the protocol of a tool, and the toolbox that offers and runs them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from orchestra_app.backends.base import State
from orchestra_app.core.message import Offer, ToolCall, ToolResult
from orchestra_app.core.purse import Purse
from orchestra_app.core.task import Preference


@dataclass(frozen=True, slots=True)
class Floor:
    """The least that a call can need."""

    cost: float | None
    """USD of its smallest worst case; None: a price is unknown."""
    seconds: float
    """Seconds that it usually takes."""


class Tool(Protocol):
    """Something the policy can call."""

    @property
    def name(self) -> str: ...

    @property
    def ends(self) -> bool:
        """True where a successful call gives the final answer."""
        ...

    @property
    def aliases(self) -> tuple[str, ...]:
        """The values of its `model` argument; empty for a tool that takes none."""
        ...

    def names(self, alias: str | None) -> tuple[str, ...]:
        """Return the names by which one alias can be excluded, the tool's own name apart."""
        ...

    def preference(self, alias: str | None, preference: Preference) -> float:
        """Return the preference of one alias in [0, 1]: the lower of its model's and its source's slider."""
        ...

    def schema(self, aliases: tuple[str, ...]) -> dict[str, Any]:
        """Return the function schema that offers just these aliases; equal arguments give the same object."""
        ...

    def floor(self, alias: str | None, state: State) -> Floor:
        """Return what a call needs at least in this state."""
        ...

    async def call(self, call: ToolCall, state: State, purse: Purse) -> ToolResult:
        """Do the work of one valid call; raises ToolError, BudgetError or BackendError.

        The loop takes the charges from `purse`, so a result need not repeat them and an error loses none.
        """
        ...


Allowed = Callable[[Tool, str | None], bool]
"""Says whether one alias of a tool may be offered now."""


class Toolbox:
    """The tools of one catalogue, in the order in which they are offered."""

    def __init__(self, tools: Sequence[Tool]):
        self.tools = {tool.name: tool for tool in tools}

    def offer(self, preference: Preference, allowed: Allowed) -> tuple[Offer, ...]:
        """Return what is offered: every tool with the aliases that the preference and `allowed` leave."""
        found = []
        for tool in self.tools.values():
            slider = preference.of(tool.name)
            if not permitted(tool.name, slider, (), preference):
                continue
            choices = {
                alias: tool.preference(alias, preference)
                for alias in tool.aliases or (None,)
                if permitted(tool.name, tool.preference(alias, preference), tool.names(alias), preference)
                and allowed(tool, alias)
            }
            if choices:
                aliases = {alias: value for alias, value in choices.items() if alias is not None}
                schema = tool.schema(tuple(aliases))
                found.append(Offer.model_construct(tool_schema=schema, choices=aliases, slider=slider))
        return tuple(found)


def permitted(name: str, slider: float, names: tuple[str, ...], preference: Preference) -> bool:
    """Return whether neither a slider at 0 nor an exclusion forbids this name."""
    if any(each in preference.excluded for each in (name, *names)):
        return False
    return slider > 0 or preference.soft
