"""What an answer would cost before anything is asked: the cheapest and the dearest ordinary route."""

from dataclasses import dataclass

from orchestra_app.core.catalog import Catalog, Choice
from orchestra_app.core.task import Preference
from orchestra_app.core.text import EstimatedTokens
from orchestra_app.core.usage import Usage
from orchestra_app.tools.base import Toolbox

CONTEXT_TOKENS = 600
"""Tokens that an ordinary prompt has beside the question: what was asked for and what was found."""


@dataclass(frozen=True, slots=True)
class Route:
    """A sequence of calls with what it usually costs and takes."""

    aliases: tuple[str, ...]
    cost: float
    """USD."""
    seconds: float


def routes(
    toolbox: Toolbox, catalog: Catalog, question: str, preference: Preference
) -> tuple[Route, Route] | None:
    """Return the cheapest route (one answer) and the dearest (each tool's dearest alias once).

    None where no answer is permitted or a price is unknown.
    """
    steps: dict[str, list[Route]] = {}
    endings: list[Route] = []
    for each in toolbox.wanted(preference):
        if route := _route(each.alias or "", catalog, question):
            choices = endings if each.tool.ends else steps.setdefault(each.tool.name, [])
            choices.append(route)
    if not endings:
        return None
    dearest = [max(choices, key=lambda route: route.cost) for choices in [*steps.values(), endings]]
    return min(endings, key=lambda route: (route.cost, route.seconds)), Route(
        aliases=tuple(alias for route in dearest for alias in route.aliases),
        cost=sum(route.cost for route in dearest),
        seconds=sum(route.seconds for route in dearest),
    )


def _route(alias: str, catalog: Catalog, question: str) -> Route | None:
    found = catalog.choice(alias)
    if found is None:
        return None
    tool, choice = found
    price = catalog.models[choice.model].price
    if price is None:
        return None
    used = Usage(
        input_tokens=CONTEXT_TOKENS + EstimatedTokens().count(question), output_tokens=choice.typical_output
    )
    return Route((alias,), price.cost(used) + _extra(tool, catalog), _seconds(tool, choice, catalog))


def _extra(tool: str, catalog: Catalog) -> float:
    sources = catalog.tools[tool].sources
    return max((catalog.sources[name].price.unit for name in sources), default=0.0)


def _seconds(tool: str, choice: Choice, catalog: Catalog) -> float:
    sources = catalog.tools[tool].sources
    return choice.latency + max((catalog.sources[name].latency for name in sources), default=0.0)
