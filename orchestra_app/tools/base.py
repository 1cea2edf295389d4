"""What may be called: the protocol of a tool, and the toolbox that offers and runs them."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from orchestra_app.backends.base import State
from orchestra_app.core.message import Offer, ToolCall, ToolResult
from orchestra_app.core.purse import Purse
from orchestra_app.core.task import Preference


class Floor(NamedTuple):
    """The least that a call can need."""

    cost: float | None
    """USD of its smallest worst case; None: a price is unknown."""
    seconds: float
    """Seconds that it usually takes."""
    rate: float = 0.0
    """USD for each further token of its prompt."""


class Tool(Protocol):
    """Something the policy can call."""

    @property
    def name(self) -> str: ...

    @property
    def ends(self) -> bool:
        """True where a successful call gives the final answer."""
        ...

    @property
    def works(self) -> bool:
        """False where it has turned out that it cannot be called here."""
        ...

    @property
    def aliases(self) -> tuple[str, ...]:
        """The values of its `model` argument; empty for a tool that takes none."""
        ...

    def names(self, alias: str | None) -> tuple[str, ...]:
        """Return the names by which one alias can be excluded, the tool's own name apart."""
        ...

    def preference(self, alias: str | None, preference: Preference) -> float | None:
        """Return the preference of one alias in [0, 1]: the lower of its model's and its source's slider.

        None where everything is forbidden that it could be done with.
        """
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


@dataclass(frozen=True, slots=True)
class Wanted:
    """A tool with one of its aliases that a preference permits."""

    tool: Tool
    alias: str | None
    preference: float
    """In [0, 1]."""


class Toolbox:
    """The tools of one catalogue, in the order in which they are offered."""

    REMEMBERED = 256
    """Preferences whose permitted aliases are kept, since every turn of every run asks for the same few."""

    def __init__(self, tools: Sequence[Tool]):
        self.tools = {tool.name: tool for tool in tools}
        self._wanted: dict[Hashable, tuple[Wanted, ...]] = {}

    def wanted(self, preference: Preference) -> tuple[Wanted, ...]:
        """Return every tool that works and alias that neither a slider at 0 nor an exclusion forbids."""
        key = (frozenset(preference.weights.items()), tuple(preference.excluded), preference.soft)
        kept = self._wanted.get(key)
        if kept is None:
            if len(self._wanted) >= self.REMEMBERED:
                self._wanted.clear()
            kept = self._wanted[key] = tuple(self._permitted(preference))
        # Whether a tool works may change during a run.
        return tuple([each for each in kept if each.tool.works])

    def _permitted(self, preference: Preference) -> Iterator[Wanted]:
        for tool in self.tools.values():
            if not permitted(tool.name, preference.of(tool.name), (), preference):
                continue
            for alias in tool.aliases or (None,):
                slider = tool.preference(alias, preference)
                if slider is not None and permitted(tool.name, slider, tool.names(alias), preference):
                    yield Wanted(tool, alias, slider)

    def offer(self, preference: Preference, chosen: Iterable[Wanted]) -> tuple[Offer, ...]:
        """Return what is offered: every tool that still works, with its `chosen` aliases."""
        choices: dict[str, dict[str, float]] = {}
        for each in chosen:
            if not each.tool.works:
                continue
            aliases = choices.setdefault(each.tool.name, {})
            if each.alias is not None:
                aliases[each.alias] = each.preference
        return tuple(
            Offer.model_construct(
                tool_schema=self.tools[name].schema(tuple(aliases)),
                choices=aliases,
                slider=preference.of(name),
            )
            for name, aliases in choices.items()
        )


def permitted(name: str, slider: float, names: tuple[str, ...], preference: Preference) -> bool:
    """Return whether neither a slider at 0 nor an exclusion forbids this name."""
    if any(each in preference.excluded for each in (name, *names)):
        return False
    return slider > 0 or preference.soft
