"""Day accounts: sums of money that several processes draw on, never beyond their cap."""

from sqlalchemy import text

from orchestra_app.storage.database import Database

PICO = 10**12
"""Pico-dollars in one USD."""
_MOST = 2**62

_LEASE = text(
    "INSERT INTO account (key, taken) SELECT :key, :amount WHERE :room >= 0 "
    "ON CONFLICT (key) DO UPDATE SET taken = account.taken + excluded.taken WHERE account.taken <= :room"
)
_GIVE_BACK = text(
    "UPDATE account SET taken = CASE WHEN taken > :amount THEN taken - :amount ELSE 0 END WHERE key = :key"
)
_TAKEN = text("SELECT taken FROM account WHERE key = :key")


def lease(database: Database, key: str, amount: int, cap: int | None) -> bool:
    """Take `amount` pico-dollars from the account if `cap` allows it, atomically across processes.

    cap: the most that may be taken together; None: without limit. Returns whether it was taken.
    """
    _check(amount)
    room = (_MOST if cap is None else min(cap, _MOST)) - amount
    if room < 0:
        return False
    with database.write() as connection:
        return connection.execute(_LEASE, {"key": key, "amount": amount, "room": room}).rowcount > 0


def give_back(database: Database, key: str, amount: int) -> None:
    """Return `amount` pico-dollars that were taken and not spent; an account never falls below 0."""
    _check(amount)
    with database.write() as connection:
        connection.execute(_GIVE_BACK, {"key": key, "amount": amount})


def taken(database: Database, key: str) -> int:
    """Return the pico-dollars taken from the account so far; 0 for one that nobody has used."""
    with database.read() as connection:
        return connection.execute(_TAKEN, {"key": key}).scalar() or 0


def _check(amount: int) -> None:
    if not 0 <= amount <= _MOST:
        raise ValueError(f"An amount lies between 0 and {_MOST} pico-dollars, not at {amount}.")
