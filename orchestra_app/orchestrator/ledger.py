"""The budget that cannot be broken: every use reserves its worst case before it starts and settles after."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple

from orchestra_app.core.errors import BudgetError
from orchestra_app.core.purse import Reservation, Use
from orchestra_app.core.task import Budget
from orchestra_app.core.usage import Charge, Price, Usage
from orchestra_app.orchestrator.accounts import PICO, Account, Day, Leases, cap_of, pico
from orchestra_app.orchestrator.bill import UNKNOWN, bill_of
from orchestra_app.orchestrator.clock import Clock

TRIES = 8
"""Times that a reservation is tried again when another run took the money between two looks."""
CAPS = {"day": "today's cap", "visitor": "the visitor's cap for today", "job": "the cap of the whole job"}
"""What a shared account is called, by what its name begins with; every other one is a job's."""
OVERRUN = "billed more than was reserved, so nothing paid starts any more in this run."


def worst(price: Price, usage: Usage) -> int:
    """Return the pico-dollars that `usage` costs at most, however much of the prompt is cached."""
    prompt = usage.input_tokens * price.highest_input + usage.output_tokens * price.output
    return pico(prompt / 1e6 + usage.units * price.unit)


class Hold(NamedTuple):
    """What a call must leave untouched, so that a final answer stays affordable."""

    cost: float = 0.0
    """USD."""
    seconds: float = 0.0


class RunPurse:
    """The money and the time of one run; each call spends through a `CallPurse` of it."""

    def __init__(self, budget: Budget, accounts: Sequence[Account] = (), *, clock: Clock, spent: float = 0.0):
        self.clock = clock
        self.overrun: str | None = None
        """Who billed above its reservation; after that nothing paid starts."""
        self.on_reserved: Callable[[float], None] | None = None
        """Called with the USD that are set aside, whenever more is."""
        self._budget = budget
        self._cap = None if budget.cost is None else cap_of(budget.cost)
        self._accounts = tuple(accounts)
        self._spent = pico(spent)
        self._reserved = 0
        self.scarce: str | None = None
        """The shared account, one of `CAPS`, that left less than was asked for when it was last looked."""

    @property
    def spent(self) -> float:
        """USD booked."""
        return self._spent / PICO

    @property
    def reserved(self) -> float:
        """USD set aside for calls under way."""
        return self._reserved / PICO

    @property
    def budgeted(self) -> bool:
        """True where some cap on money holds."""
        return self._cap is not None or bool(self._accounts)

    @property
    def cost_left(self) -> float | None:
        """USD of the run's own budget that are neither spent nor reserved; None: without limit."""
        return None if self._cap is None else max(0, self._cap - self._spent - self._reserved) / PICO

    @property
    def seconds_left(self) -> float | None:
        """Seconds of the budget that are left; None: without limit."""
        seconds = self._budget.seconds
        return None if seconds is None else max(0.0, seconds - self.clock.now())

    async def available(self, wanted: float) -> float:
        """Return how much of `wanted` USD all caps together leave now."""
        return await self._ready(pico(wanted), 0) / PICO

    async def _ready(self, wanted: int, hold: int, *, paid: bool = True) -> int:
        self.scarce = None
        if self.overrun:
            return 0
        ready = wanted if self._cap is None else min(wanted, self._cap - self._spent - self._reserved - hold)
        for account in self._accounts if paid else ():
            if ready <= 0:
                return 0
            found = await account.ensure(ready + hold) - hold
            if found < ready:
                ready, self.scarce = found, CAPS.get(account.name.split(":")[0], CAPS["job"])
        return max(0, ready)

    def _take(self, amount: int, hold: int, *, paid: bool) -> bool:
        if amount == 0:
            return True
        if self.overrun:
            return False
        if self._cap is not None and self._spent + self._reserved + amount + hold > self._cap:
            return False
        for index, account in enumerate(self._accounts if paid else ()):
            if not account.take(amount):
                for earlier in self._accounts[:index]:
                    earlier.give(amount)
                return False
        self._reserved += amount
        return True

    async def set_aside(self, use: Use, hold: Hold) -> tuple[Usage, int]:
        """Reserve `use`, clipped to what is left; returns what is granted and its pico-dollars."""
        if use.price is None:
            if self.budgeted:
                raise BudgetError(
                    f"The price of {use.who} is unknown, so a run with a budget cannot use it: "
                    f"add a price for {use.who} to the catalogue."
                )
            return use.most, 0
        least, most, held = worst(use.price, use.least), worst(use.price, use.most), pico(hold.cost)
        for _ in range(TRIES):
            ready = await self._ready(most, held, paid=use.paid)
            if ready < least:
                break
            granted = use.most if ready >= most else _clip(use, use.price, ready)
            amount = worst(use.price, granted)
            if self._take(amount, held, paid=use.paid):
                if self.on_reserved:
                    self.on_reserved(self.reserved)
                return granted, amount
        if self.overrun:
            raise BudgetError(f"{self.overrun} {OVERRUN}")
        left = await self._ready(least, held, paid=use.paid) / PICO
        raise BudgetError(
            f"{use.who} could cost ${least / PICO:.6f}, but only ${left:.6f} are left for it"
            f"{f' of {self.scarce}' if self.scarce else ''}.",
            needed=least / PICO,
            left=left,
        )

    def book(self, amount: int, spent: int, use: Use) -> None:
        """Turn a reservation of `amount` pico-dollars into `spent` ones."""
        self._reserved -= amount
        self._spent += spent
        for account in self._accounts if use.paid else ():
            account.give(amount - spent)
        # For an unknown price nothing was reserved, so nothing can be exceeded.
        if spent > amount and use.price is not None:
            self.overrun = use.who


def _clip(use: Use, price: Price, ready: int) -> Usage:
    """Return `use.most` with output tokens and units cut so that it costs at most `ready` pico-dollars."""
    low, high = use.least, use.most
    # Cost is linear in tokens and units; the margin of a billionth covers the rounding of the products.
    least, most = worst(price, low), worst(price, high)
    share = max(0.0, (ready - least) / (most - least) - 1e-9)
    cut = {
        "output_tokens": low.output_tokens + int((high.output_tokens - low.output_tokens) * share),
        "units": low.units + (high.units - low.units) * share,
    }
    granted = high.model_copy(update=cut)
    return granted if worst(price, granted) <= ready else low


class CallPurse:
    """The purse of one call: what it reserves must leave `hold` untouched, and its charges gather here."""

    def __init__(self, run: RunPurse, hold: Hold | None = None, *, simulated: bool = False):
        self.charges: list[Charge] = []
        self.clock = run.clock.branch()
        self._run = run
        self.hold = hold or Hold()
        """What must stay untouched; the final answer sets it to nothing."""
        self._simulated = simulated
        self._open: dict[int, tuple[Reservation, int]] = {}

    async def reserve(self, use: Use) -> Reservation:
        """Set the worst case of `use` aside; see `core.purse.Purse`."""
        seconds = self._run.seconds_left
        if seconds is not None:
            # A branch of a simulated clock may be ahead of the run's own.
            seconds -= self.hold.seconds + self.clock.now() - self._run.clock.now()
            if seconds <= 0:
                raise BudgetError(f"No time is left in the budget for {use.who}.")
        granted, amount = await self._run.set_aside(use, self.hold)
        reservation = Reservation(use, granted, seconds, amount / PICO, self.clock.now())
        self._open[id(reservation)] = (reservation, amount)
        return reservation

    def settle(
        self,
        reservation: Reservation,
        usage: Usage | None,
        *,
        reported: float | None = None,
        simulated: bool | None = None,
    ) -> Charge:
        """Book what was used; see `core.purse.Purse`. Raises ValueError for a reservation settled twice."""
        if id(reservation) not in self._open:
            raise ValueError("This reservation is settled already.")
        _, amount = self._open.pop(id(reservation))
        use = reservation.use
        bill = bill_of(reservation, amount, usage, reported)
        used = bill.usage
        if used.seconds == 0 and (elapsed := self.clock.now() - reservation.at) > 0:
            used = used.model_copy(update={"seconds": elapsed})
        self.clock.advance(reservation.at + used.seconds)
        self._run.book(amount, bill.spent, use)
        charge = Charge(
            who=use.who,
            kind=use.kind,
            usage=used,
            price=use.price or UNKNOWN,
            cost=bill.cost,
            reported=bill.reported,
            estimated=bill.estimated,
            at=reservation.at,
            simulated=self._simulated if simulated is None else simulated,
        )
        self.charges.append(charge)
        return charge

    def close(self) -> None:
        """Book whatever was left unsettled at its reservation; bring the run's clock up to this call's."""
        for reservation, _ in list(self._open.values()):
            self.settle(reservation, None)
        self._run.clock.advance(self.clock.now())


class Ledger:
    """Opens purses and keeps the caps that runs share."""

    def __init__(
        self,
        leases: Leases,
        *,
        daily_cap: float | None = None,
        visitor_cap: float | None = None,
        today: Callable[[], date] = lambda: datetime.now(UTC).date(),
    ):
        self._leases = leases
        self._today = today
        self._daily_cap = daily_cap
        self._visitor_cap = visitor_cap
        self._days: dict[str, Day] = {}

    def open(
        self,
        budget: Budget,
        *,
        owner: str,
        simulated: bool,
        job: Account | None = None,
        spent: float = 0.0,
        seconds: float = 0.0,
    ) -> RunPurse:
        """Return the purse of a new run; a simulated one touches no day account, for its money is not real.

        spent, seconds: what turns taken over from another trace have used of the budget.
        """
        accounts = [*([job] if job else []), *self._today_of(owner, simulated)]
        clock = Clock(simulated=simulated, start=seconds)
        return RunPurse(budget, accounts, clock=clock, spent=spent)

    def left(self, *, owner: str, simulated: bool) -> float | None:
        """Return the USD that the day's caps leave this owner's runs; None: without limit."""
        return min((day.left for day in self._today_of(owner, simulated)), default=None)

    def _today_of(self, owner: str, simulated: bool) -> list[Day]:
        if simulated:
            return []
        today = self._today().isoformat()
        self._forget(today)
        caps = ((f"day:{today}", self._daily_cap), (f"visitor:{owner}:{today}", self._visitor_cap))
        return [self._day(key, cap) for key, cap in caps if cap is not None]

    def _day(self, key: str, cap: float) -> Day:
        if key not in self._days:
            self._days[key] = Day(key, cap, self._leases)
        return self._days[key]

    def _forget(self, today: str) -> None:
        for key in [key for key in self._days if not key.endswith(today)]:
            # Runs of yesterday may still hold the account: it is only dropped from the list here, and what
            # it leased stays booked as spent.
            del self._days[key]

    def close(self) -> None:
        """Give unspent leases back."""
        for day in self._days.values():
            day.close()
        self._days.clear()
