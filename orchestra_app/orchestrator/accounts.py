"""Caps that several runs share: a job's money, a visitor's day, the installation's day.

Amounts are whole pico-dollars (1e-12 USD), so that sums are exact and a cap is a cap.
"""

import asyncio
import math
import threading
from contextlib import suppress
from typing import Protocol

from orchestra_app.core.errors import StorageError

PICO = 10**12
MOST = 2**62
"""Pico-dollars that the store keeps in one account at most."""


def pico(usd: float) -> int:
    """Return `usd` as pico-dollars, rounded up."""
    amount = usd * PICO
    return math.ceil(amount) if math.isfinite(amount) else math.ceil(usd) * PICO


def cap_of(usd: float) -> int:
    """Return a cap of `usd` as pico-dollars, rounded down: at most what the store can keep."""
    return math.floor(min(usd * PICO, MOST))


class Account(Protocol):
    """Money that is taken before a use and given back where less was used."""

    name: str

    async def ensure(self, amount: int) -> int:
        """Make up to `amount` ready to be taken at once and return how much is."""
        ...

    def take(self, amount: int) -> bool:
        """Take `amount` if it is ready; never waits."""
        ...

    def give(self, amount: int) -> None:
        """Give back what was taken and not used; a negative amount books an excess that was billed."""
        ...


class Shared:
    """A cap inside this process, such as a job's."""

    def __init__(self, name: str, cap: float):
        self.name = name
        self.free = cap_of(cap)
        """Pico-dollars that can be taken now; below 0 where more was billed than there was."""
        self._lock = threading.Lock()

    async def ensure(self, amount: int) -> int:
        return min(amount, max(0, self.free))

    def take(self, amount: int) -> bool:
        with self._lock:
            if amount > self.free:
                return False
            self.free -= amount
            return True

    def give(self, amount: int) -> None:
        with self._lock:
            self.free += amount

    def empty(self) -> int:
        """Take all there is, or all that is owed, and return it."""
        with self._lock:
            free, self.free = self.free, 0
            return free

    @property
    def left(self) -> float:
        """USD left."""
        return self.free / PICO


class Leases(Protocol):
    """Where day accounts live: the store."""

    def lease(self, key: str, amount: int, cap: int | None) -> bool:
        """Take `amount` if no more than `cap` is then taken together; None: whatever is taken."""
        ...

    def give_back(self, key: str, amount: int) -> None: ...

    def taken(self, key: str) -> int: ...


class Day:
    """A day's cap in the database, of which this process leases slices.

    What a dead process had leased and not given back counts as spent.
    """

    SLICES = 50
    """The cap is leased in this many slices at most, so that not every call touches the database."""

    def __init__(self, name: str, cap: float, leases: Leases):
        self.name = name
        self._cap = cap_of(cap)
        self._leases = leases
        self._leased_here = Shared(name, 0.0)
        self._leasing = asyncio.Lock()

    async def ensure(self, amount: int) -> int:
        # Another run may take what was leased before this one looks, so it is looked again.
        while self._leased_here.free < amount:
            async with self._leasing:
                if not await asyncio.to_thread(self._lease, amount):
                    break
        return await self._leased_here.ensure(amount)

    def _lease(self, amount: int) -> bool:
        """Lease what is missing or what is left; return whether there is anything new."""
        short = amount - self._leased_here.free
        if short <= 0 or self._leased(max(short, self._cap // self.SLICES)) or self._leased(short):
            return True
        return self._leased(self._cap - self._leases.taken(self.name))

    def _leased(self, amount: int) -> bool:
        if not (0 < amount <= self._cap and self._leases.lease(self.name, amount, self._cap)):
            return False
        self._leased_here.give(amount)
        return True

    @property
    def left(self) -> float:
        """USD that this process can still take, as far as the database knows now."""
        return max(0, self._cap - self._leases.taken(self.name) + self._leased_here.free) / PICO

    def take(self, amount: int) -> bool:
        return self._leased_here.take(amount)

    def give(self, amount: int) -> None:
        self._leased_here.give(amount)
        if self._leased_here.free < 0:
            # What was billed beyond a reservation counts at once for every process; what cannot be written
            # now stays owed here and is written with the next excess or at the close.
            with suppress(StorageError):
                self._owe()

    def _owe(self) -> None:
        debt = min(-self._leased_here.free, MOST)
        self._leases.lease(self.name, debt, None)
        self._leased_here.give(debt)

    def close(self) -> None:
        """Give what was leased and not spent back; what was billed beyond it is booked."""
        if self._leased_here.free < 0:
            self._owe()
        elif free := self._leased_here.empty():
            self._leases.give_back(self.name, free)
