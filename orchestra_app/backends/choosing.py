"""What baseline policies know of the aliases on offer: their kind, cost and latency."""

from dataclasses import dataclass, field
from functools import lru_cache

from orchestra_app.backends.base import State
from orchestra_app.backends.prices import price_of
from orchestra_app.core.catalog import Catalog, Choice, ToolKind
from orchestra_app.core.usage import Usage

PROMPT = 1_500
"""Tokens of an ordinary prompt, for comparing costs."""


@dataclass(frozen=True, slots=True)
class Option:
    """One alias on offer."""

    tool: str
    alias: str
    preference: float
    cost: float
    """USD of an ordinary call; 0 where the price is unknown."""
    seconds: float
    strength: float
    """Its rank by cost among all aliases of its tool, from 0 (cheapest) to 1 (dearest)."""
    mathematical: bool
    """True where the catalogue describes it as a model for mathematics."""


@dataclass(frozen=True, slots=True)
class _Tool:
    """A tool of one catalogue, compared by the catalogue's hash."""

    hash: str
    name: str
    catalog: Catalog = field(compare=False)


def options(state: State, kind: ToolKind) -> list[Option]:
    """Return the aliases on offer of one kind of tool, in the order of the offer."""
    catalog, found = state.catalog, []
    for offer in state.offered:
        tool = catalog.tools.get(offer.name)
        if tool is None or tool.kind != kind:
            continue
        known = _known(_Tool(catalog.hash, offer.name, catalog))
        for alias, preference in offer.choices.items():
            if alias in known:
                found.append(Option(offer.name, alias, preference, *known[alias]))
    return found


@lru_cache(maxsize=64)
def _known(tool: _Tool) -> dict[str, tuple[float, float, float, bool]]:
    """Return cost, seconds, strength and whether it is mathematical by alias."""
    choices = tool.catalog.tools[tool.name].choices
    costs = {alias: typical_cost(choice, tool.catalog) for alias, choice in choices.items()}
    ranks = sorted(set(costs.values()))
    strength = {cost: at / (len(ranks) - 1) if at else 0.0 for at, cost in enumerate(ranks)}
    if len(ranks) == 1:
        strength = {ranks[0]: 1.0}
    return {
        alias: (costs[alias], choice.latency, strength[costs[alias]], "math" in choice.ability.lower())
        for alias, choice in choices.items()
    }


def typical_cost(choice: Choice, catalog: Catalog) -> float:
    """Return the USD of an ordinary call of one alias, 0 where its price is unknown."""
    price = price_of(choice.model, catalog.models[choice.model])
    if price is None:
        return 0.0
    return price.cost(Usage(input_tokens=PROMPT, output_tokens=choice.typical_output))


def dearest(found: list[Option]) -> Option | None:
    """Return the dearest option, the first of equals."""
    return max(found, key=lambda option: option.cost, default=None)


def cheapest(found: list[Option]) -> Option | None:
    """Return the cheapest option, the fastest of equals."""
    return min(found, key=lambda option: (option.cost, option.seconds), default=None)


def middle(found: list[Option]) -> Option | None:
    """Return the option in the middle by cost, models for mathematics left out where there are others."""
    general = [option for option in found if not option.mathematical] or found
    ordered = sorted(general, key=lambda option: option.cost)
    return ordered[len(ordered) // 2] if ordered else None


def called(state: State, kind: ToolKind) -> list[str]:
    """Return the aliases of one kind of tool that earlier turns called, in order."""
    tools = state.catalog.tools
    found = []
    for turn in state.turns:
        for call in turn.reply.calls:
            if call.name in tools and tools[call.name].kind == kind and isinstance(call.arguments, dict):
                found.append(str(call.arguments.get("model", "")))
    return found
