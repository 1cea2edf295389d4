"""The bill of a trace: what was used, how often, at which price, and what it came to."""

import math
from dataclasses import dataclass

from orchestra_app.core.trace import Trace
from orchestra_app.core.usage import Charge, Kind, Price, Usage
from orchestra_app.ui.graph import NAME_BYTES, clean


@dataclass(frozen=True, slots=True)
class Row:
    """Everything that one model, source or tool charged at one price."""

    who: str
    kind: Kind
    uses: int
    usage: Usage
    price: Price
    cost: float
    """USD."""
    estimated: int
    """Uses booked at their reservation, because nobody told what they took."""
    reported: int
    """Uses whose cost the provider itself gave."""
    simulated: int
    """Uses that cost no real money."""


@dataclass(frozen=True, slots=True)
class Bill:
    """The rows in the order of first use, and their sum."""

    rows: tuple[Row, ...]
    total: float
    """USD, equal to `Trace.cost`."""
    judged: tuple[Row, ...] = ()
    """What verdicts on the trace cost: outside the run, its budget and the total."""


def bill(trace: Trace) -> Bill:
    """Return the itemised bill of `trace`."""
    judged = [label.charge for label in trace.labels if label.charge]
    return Bill(_rows(trace.charges), trace.cost, _rows(judged))


def _rows(charges: list[Charge]) -> tuple[Row, ...]:
    groups: dict[tuple[str, str, Price], list[Charge]] = {}
    for charge in charges:
        groups.setdefault((charge.who, charge.kind, charge.price), []).append(charge)
    return tuple(_row(group) for group in groups.values())


def _row(charges: list[Charge]) -> Row:
    first = charges[0]
    return Row(
        who=clean(first.who, NAME_BYTES),
        kind=first.kind,
        uses=len(charges),
        usage=sum((charge.usage for charge in charges), Usage()),
        price=first.price,
        cost=math.fsum(charge.cost for charge in charges),
        estimated=sum(charge.estimated for charge in charges),
        reported=sum(charge.reported is not None for charge in charges),
        simulated=sum(charge.simulated for charge in charges),
    )
