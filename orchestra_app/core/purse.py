"""How tools, judges and backends spend: reserve the worst case first, settle the real figure after."""

from typing import NamedTuple, Protocol

from orchestra_app.core.usage import Charge, Kind, Price, Usage


class Use(NamedTuple):
    """One priced use that is about to happen."""

    who: str
    kind: Kind
    price: Price | None
    """None: the price is unknown, and a budgeted run refuses it."""
    most: Usage
    """The worst case that is wanted."""
    least: Usage
    """The smallest worst case that still makes sense; output tokens and units may be clipped down to it."""
    simulated: bool = False
    paid: bool = True
    """False: nobody is paid for it any more, so only the run's own budget counts it."""


class Reservation(NamedTuple):
    """Money set aside for one use."""

    use: Use
    granted: Usage
    """The worst case that was reserved: pass `granted.output_tokens` on as the reply's limit."""
    seconds: float | None
    """Seconds left in the budget: the timeout of the use. None: without limit."""
    amount: float
    """USD set aside."""
    at: float
    """Seconds after the start of the run."""


class Purse(Protocol):
    """Whatever pays for a use; `orchestrator.ledger` is the only real one."""

    async def reserve(self, use: Use) -> Reservation:
        """Set the worst case of `use` aside, clipped to what is left.

        Raises BudgetError where not even `least` fits.
        """
        ...

    def settle(
        self,
        reservation: Reservation,
        usage: Usage | None,
        *,
        reported: float | None = None,
        simulated: bool | None = None,
    ) -> Charge:
        """Book what was really used and free the rest.

        usage: None where it is not known; the reservation is then booked, marked `estimated`.
        reported: USD that the provider itself gave.
        """
        ...
