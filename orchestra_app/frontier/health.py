"""Whether a policy still routes: the spread of its calls, how often it asks its own family, and an alarm."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from orchestra_app.core.catalog import BASELINES, Catalog
from orchestra_app.frontier.remarks import Remark, remark

COLLAPSED = 0.9
"""Share of calls to one model or tool from which on routing counts as collapsed."""
SURE = 1.96
"""Standard errors by which the share must be above that."""


@dataclass(frozen=True, slots=True)
class Health:
    """How a policy spreads its calls."""

    calls: int
    entropy: float
    """Bits; 0 where every call is the same."""
    effective: float
    """Two to the power of the entropy: among how many it chooses as if evenly."""
    favourite: str | None
    share: float
    """Share of the calls that the favourite has."""
    own_share: float | None
    """Share of the calls to models of the policy's own vendor; None where it has none."""
    own_offered: float | None
    """Share of the catalogue's aliases that are of that vendor: what even routing would give."""
    alarm: Remark | None
    """Where routing has collapsed."""


def health(calls: Mapping[str, int], *, policy: str = "", catalog: Catalog | None = None) -> Health:
    """Return how the calls of a policy, by model or by tool, are spread.

    The alarm needs enough calls to be sure (the lower end of Wilson's interval of the share lies above
    `COLLAPSED`) and spares policies that are fixed by design.
    """
    total = sum(calls.values())
    if total == 0:
        return Health(0, 0.0, 0.0, None, 0.0, None, None, None)
    shares = [number / total for number in calls.values() if number]
    entropy = max(0.0, -math.fsum(share * math.log2(share) for share in shares))
    favourite = max(calls, key=lambda name: calls[name])
    share = calls[favourite] / total
    own, offered = _own(calls, policy, catalog) if catalog else (None, None)
    alarm = None
    if policy not in BASELINES and _surely_above(share, total):
        alarm = remark("frontier_collapsed", most=calls[favourite], total=total, favourite=favourite)
    return Health(total, entropy, 2**entropy, favourite, share, own, offered, alarm)


def _surely_above(share: float, total: int) -> bool:
    square = SURE**2 / total
    centre = share + square / 2
    reach = SURE * math.sqrt(share * (1 - share) / total + square / (4 * total))
    return (centre - reach) / (1 + square) > COLLAPSED


def _own(calls: Mapping[str, int], policy: str, catalog: Catalog) -> tuple[float, float] | tuple[None, None]:
    """Return the shares of the policy's own vendor among calls and among aliases."""
    spec = catalog.policies.get(policy)
    vendor = _vendor(catalog, spec.model) if spec else ""
    if not vendor:
        return None, None
    asked = {name: number for name, number in calls.items() if name in catalog.models}
    own = sum(number for name, number in asked.items() if _vendor(catalog, name) == vendor)
    models = [choice.model for tool in catalog.tools.values() for choice in tool.choices.values()]
    offered = sum(_vendor(catalog, name) == vendor for name in models) / len(models)
    return own / max(1, sum(asked.values())), offered


def _vendor(catalog: Catalog, model: str) -> str:
    return catalog.models[model].vendor
