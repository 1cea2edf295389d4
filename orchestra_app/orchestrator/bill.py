"""What is booked for a use, whatever its provider says it was."""

import math
from typing import NamedTuple

from orchestra_app.core.purse import Reservation
from orchestra_app.core.usage import Price, Usage
from orchestra_app.orchestrator.accounts import PICO, pico

UNKNOWN = Price(source="unknown")


class Bill(NamedTuple):
    """What a use comes to."""

    usage: Usage
    cost: float
    """USD."""
    spent: int
    """The same in pico-dollars."""
    reported: float | None = None
    estimated: bool = False


def bill_of(reservation: Reservation, amount: int, usage: Usage | None, reported: float | None) -> Bill:
    """Return what is booked for a reservation of `amount` pico-dollars, whatever the provider says."""
    price, granted = reservation.use.price, reservation.granted
    if reported is not None and math.isfinite(reported) and reported >= 0:
        spent = pico(reported)
        if usage is not None or spent > amount:
            return Bill(usage or granted, reported, spent, reported, estimated=usage is None)
    listed = _listed(price or UNKNOWN, usage)
    if usage is None or listed is None:
        return Bill(granted, amount / PICO, amount, estimated=True)
    spent = pico(listed)
    if _within(usage, granted):
        # What was granted cannot cost more than was reserved, however its sum is rounded.
        spent = min(spent, amount)
    return Bill(usage, listed, spent, estimated=price is None)


def _listed(price: Price, usage: Usage | None) -> float | None:
    """Return the USD of `usage` at `price`; None where there is no figure that a sum can be made of."""
    try:
        cost = math.inf if usage is None else price.cost(usage)
    except OverflowError:
        return None
    return cost if math.isfinite(cost) else None


def _within(usage: Usage, granted: Usage) -> bool:
    return (
        usage.input_tokens <= granted.input_tokens
        and usage.output_tokens <= granted.output_tokens
        and usage.units <= granted.units
    )
