"""Where a run would have stopped under another budget, and how it follows other sliders; nothing is run."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from orchestra_app.core.catalog import Catalog, ToolSpec
from orchestra_app.core.message import Offer, ToolCall
from orchestra_app.core.task import NEUTRAL, Budget, Preference
from orchestra_app.core.trace import Trace, Turn, alias_of, regret
from orchestra_app.core.usage import Charge


@dataclass(frozen=True, slots=True)
class Break:
    """The first use of a run that another budget would not have let happen as it did."""

    turn: int
    """From 1."""
    call_id: str | None
    """None: the policy's own reply."""
    who: str
    """Who was to be paid or waited for; empty where the turns ran out."""
    spent: float
    """USD spent before."""
    seconds: float
    """Seconds after the start."""
    limit: Literal["cost", "seconds", "turns"] = "turns"
    """Which limit of the budget it met."""


def first_break(trace: Trace, budget: Budget, costs: Sequence[float] | None = None) -> Break | None:
    """Return where the run would have left its way under `budget`, or None where all of it fits.

    It is the first charge that brings the sum of what was really paid above the budget's USD, or that ends
    after its seconds, or the first turn too many. A live run reserves the worst case of each use, which is
    not stored, so it would have left its way there at the latest; it would then have taken a cheaper one.
    costs: USD of each charge in the order of `Trace.charges`, where other prices are assumed too.
    """
    spent: list[float] = []
    for turn, call_id, charge in _steps(trace):
        at = Break(turn, call_id, charge.who if charge else "", math.fsum(spent), _began(trace, turn))
        if turn > budget.turns:
            return at
        if charge is None:
            continue
        cost = charge.cost if costs is None else costs[len(spent)]
        ends = charge.at + charge.usage.seconds
        at = Break(turn, call_id, charge.who, math.fsum(spent), charge.at, "cost")
        if budget.cost is not None and math.fsum([*spent, cost]) > budget.cost:
            return at
        if budget.seconds is not None and ends > budget.seconds:
            return replace(at, limit="seconds")
        spent.append(cost)
    return None


def _began(trace: Trace, turn: int) -> float:
    return trace.turns[turn - 2].reply.at if turn > 1 else 0.0


def _steps(trace: Trace) -> Iterator[tuple[int, str | None, Charge | None]]:
    """Yield every charge in the order of `Trace.charges`, with its turn and call; None begins a turn."""
    for number, turn in enumerate(trace.turns, 1):
        yield number, None, None
        for charge in turn.reply.charges:
            yield number, None, charge
        for result in turn.results:
            for charge in result.charges:
                yield number, result.call_id, charge


@dataclass(frozen=True, slots=True)
class Followed:
    """How a run's calls look under other sliders."""

    adherence: float
    """In [0, 1], as `Trace.adherence` counts it."""
    forbidden: tuple[str, ...]
    """Ids of the calls that these sliders and exclusions would not have offered."""


def follow(trace: Trace, preference: Preference, catalog: Catalog) -> Followed:
    """Return how the run's calls follow `preference`, among the aliases that were on offer then.

    catalog: the snapshot that the trace names, which says which model an alias is. An alias that the
    preference forbids counts as not offered, so calling it is as regrettable as can be.
    """
    regrets, forbidden = [], []
    for turn, call, _ in trace.calls:
        seen = turn.model_copy(
            update={"offered": tuple(_reoffered(offer, preference, catalog) for offer in turn.offered)}
        )
        if _forbids(seen, call, preference, catalog):
            forbidden.append(call.id)
        regrets.append(regret(seen, call))
    return Followed(max(0.0, 1.0 - math.fsum(regrets)), tuple(forbidden))


def _reoffered(offer: Offer, preference: Preference, catalog: Catalog) -> Offer:
    choices = {alias: _slider(offer.name, alias, preference, catalog) for alias in offer.choices}
    return Offer.model_construct(
        tool_schema=offer.tool_schema, choices=choices, slider=preference.of(offer.name)
    )


def _slider(tool: str, alias: str, preference: Preference, catalog: Catalog) -> float:
    """Return the preference of an alias: its model's, held down by those of its sources and tools."""
    if _excluded(tool, alias, preference, catalog):
        return 0.0
    own = preference.of(_model(alias, catalog))
    spec = catalog.tools.get(tool)
    if spec is None:
        # A tool of the chat protocol: its aliases are models, which several tools of the catalogue may use.
        homes = [name for name, each in catalog.tools.items() if each.kind != "search" and _uses(each, alias)]
        best = _best(homes, preference)
        return own if best >= NEUTRAL else min(own, best)
    return min(own, _best(spec.sources, preference)) if spec.sources else own


def _best(names: Sequence[str], preference: Preference) -> float:
    """Return the highest slider of the sources or tools that are not excluded; 0 where there is none."""
    return max((preference.of(name) for name in names if name not in preference.excluded), default=0.0)


def _uses(spec: ToolSpec, model: str) -> bool:
    return any(choice.model == model for choice in spec.choices.values())


def _model(alias: str, catalog: Catalog) -> str:
    found = catalog.choice(alias)
    return found[1].model if found else alias


def _excluded(tool: str, alias: str, preference: Preference, catalog: Catalog) -> bool:
    model = _model(alias, catalog)
    vendor = f"vendor:{catalog.models[model].vendor}" if model in catalog.models else ""
    return not {tool, alias, model, vendor}.isdisjoint(preference.excluded)


def _forbids(turn: Turn, call: ToolCall, preference: Preference, catalog: Catalog) -> bool:
    alias = alias_of(call) or ""
    if _excluded(call.name, alias, preference, catalog):
        return True
    offer = next((each for each in turn.offered if each.name == call.name), None)
    if preference.soft or offer is None:
        return False
    return offer.slider == 0 or offer.choices.get(alias, NEUTRAL) == 0
