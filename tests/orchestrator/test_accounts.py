import asyncio
import json
import math
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from orchestra_fakes import Memory

from orchestra_app.core.errors import BudgetError, StorageError
from orchestra_app.core.purse import Use
from orchestra_app.core.task import Budget
from orchestra_app.core.usage import Price, Usage
from orchestra_app.orchestrator.accounts import PICO, Account, Day, Shared, pico
from orchestra_app.orchestrator.ledger import CallPurse, Ledger
from orchestra_app.storage.store import Store

WITHOUT_LIMIT = Budget(cost=None, seconds=None)
PROCESS = Path(__file__).parent / "spending_process.py"


def fee(usd: float, least: float | None = None) -> Use:
    return Use(
        "web", "search", Price(unit=1.0), Usage(units=usd), Usage(units=usd if least is None else least)
    )


async def spend(
    ledger: Ledger, owner: str, usd: float, *, used: float | None = None, simulated=False
) -> float:
    purse = CallPurse(ledger.open(WITHOUT_LIMIT, owner=owner, simulated=simulated))
    return purse.settle(await purse.reserve(fee(usd)), Usage(units=usd if used is None else used)).cost


@settings(deadline=None)
@given(st.floats(0, 1e308))
def test_pico_dollars_are_rounded_up_and_never_overflow(usd: float):
    amount = pico(usd)
    assert isinstance(amount, int)
    assert amount >= usd * PICO or math.isinf(usd * PICO)
    assert amount <= usd * PICO * (1 + 1e-15) + 1


AMOUNTS = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 600)), max_size=30)


@settings(deadline=None)
@given(AMOUNTS, st.integers(0, 1000), st.booleans())
def test_an_account_gives_out_its_cap_at_most_and_all_of_it_if_asked(steps, cap: int, day: bool):
    """Each step wants an amount and then settles it with a figure that may be higher."""

    async def main() -> None:
        memory = Memory()
        usd = (cap + 0.5) / PICO
        account: Account = Day("day", usd, memory) if day else Shared("job", usd)
        spent = 0
        for amount, used in steps:
            ready = await account.ensure(amount)
            assert ready == max(0, min(amount, cap - spent))
            # An excess is no debt of a day that later uses pay: what costs nothing goes on.
            fits = amount <= (max(0, cap - spent) if day else cap - spent)
            assert account.take(amount) == fits
            if fits:
                account.give(amount - used)
                spent += used
            assert memory.taken("day") <= max(cap, spent)
        if isinstance(account, Day):
            account.close()
            account.close()
            assert memory.taken("day") == spent

    asyncio.run(main())


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 300), st.integers(0, 300)), max_size=40))
def test_ledgers_on_one_database_share_the_cap_and_book_what_was_spent(steps):
    """Three processes, of which the last is killed: what it had leased stays booked."""

    async def main() -> None:
        memory = Memory()
        days = [Day("day", 1000.5 / PICO, memory) for _ in range(3)]
        spent = [0, 0, 0]
        for process, amount, used in steps:
            day = days[process]
            if await day.ensure(amount) == amount and day.take(amount):
                day.give(amount - min(used, amount))
                spent[process] += min(used, amount)
        for day in days[:2]:
            day.close()
        leased_by_the_dead = memory.taken("day") - spent[0] - spent[1]
        assert spent[2] <= leased_by_the_dead
        assert memory.taken("day") <= 1000
        left = 1000 - memory.taken("day")
        assert await Day("day", 1000.5 / PICO, memory).ensure(1000) == left

    asyncio.run(main())


async def test_a_day_is_leased_in_slices_so_that_few_calls_touch_the_database():
    class Counting(Memory):
        leases = 0

        def lease(self, key: str, amount: int, cap: int | None) -> bool:
            self.leases += 1
            return super().lease(key, amount, cap)

        def taken(self, key: str) -> int:
            raise AssertionError("what is taken is asked only where a lease failed")

    memory = Counting()
    ledger = Ledger(memory, daily_cap=10.0)
    for _ in range(200):
        await spend(ledger, "ada", 0.01)
    assert memory.leases <= 11


@pytest.mark.parametrize(("daily", "visitor", "fits"), [(1.0, 0.3, 0.3), (0.3, 1.0, 0.3), (0.3, None, 0.3)])
async def test_a_visitor_and_the_installation_are_both_held_to_their_day(daily, visitor, fits):
    memory = Memory()
    ledger = Ledger(memory, daily_cap=daily, visitor_cap=visitor)
    await spend(ledger, "ada", fits - 0.05)
    with pytest.raises(BudgetError):
        await spend(ledger, "ada", 0.06)
    purse = CallPurse(ledger.open(WITHOUT_LIMIT, owner="ada", simulated=False))
    assert (await purse.reserve(fee(0.2, least=0.01))).granted.units == pytest.approx(0.05)
    purse.close()
    if daily > fits:
        await spend(ledger, "bob", 0.3)
    ledger.close()
    left = (memory.taken(key) for key in memory.accounts if key.startswith("day"))
    assert max(left) <= daily * PICO


async def test_a_refusal_by_one_account_gives_back_what_another_gave():
    memory = Memory()
    ledger = Ledger(memory, daily_cap=1.0, visitor_cap=0.1)
    for _ in range(3):
        with pytest.raises(BudgetError):
            await spend(ledger, "ada", 0.2)
    ledger.close()
    assert set(memory.accounts.values()) <= {0}


async def test_simulated_runs_touch_no_day_account():
    memory = Memory()
    ledger = Ledger(memory, daily_cap=0.0, visitor_cap=0.0)
    await spend(ledger, "ada", 5.0, simulated=True)
    assert memory.accounts == {}
    with pytest.raises(BudgetError):
        await spend(ledger, "ada", 0.01)
    assert await spend(ledger, "ada", 0.0) == 0, "what is free needs no money"


async def test_a_job_is_a_cap_for_simulated_runs_too():
    job = Shared("job", 0.1)
    ledger = Ledger(Memory())
    purse = CallPurse(ledger.open(WITHOUT_LIMIT, owner="ada", simulated=True, job=job))
    purse.settle(await purse.reserve(fee(0.08)), Usage(units=0.08))
    with pytest.raises(BudgetError):
        await purse.reserve(fee(0.03))


async def test_a_new_day_has_a_new_account_and_a_run_over_midnight_keeps_the_old_one():
    today = date(2026, 1, 2)
    memory = Memory()
    ledger = Ledger(memory, daily_cap=0.1, visitor_cap=0.1, today=lambda: today)
    late = CallPurse(ledger.open(WITHOUT_LIMIT, owner="ada", simulated=False))
    await spend(ledger, "ada", 0.06)
    reservation = await late.reserve(fee(0.03))
    today = date(2026, 1, 3)
    await spend(ledger, "ada", 0.09)
    late.settle(reservation, None)
    with pytest.raises(BudgetError):
        await late.reserve(fee(0.03))
    with pytest.raises(BudgetError):
        await spend(ledger, "ada", 0.03)
    ledger.close()
    assert memory.accounts["day:2026-01-03"] == memory.accounts["visitor:ada:2026-01-03"] == 0.09 * PICO
    assert 0.09 * PICO <= memory.accounts["day:2026-01-02"] <= 0.1 * PICO


async def test_what_was_billed_beyond_the_cap_is_booked_for_other_processes_too(tmp_path: Path):
    store = Store.open(tmp_path)
    ledger = Ledger(store, daily_cap=0.1, today=lambda: date(2026, 1, 2))
    await spend(ledger, "ada", 0.05, used=5.0)
    ledger.close()
    assert store.taken("day:2026-01-02") == 5 * PICO
    store.close()


async def test_a_cap_beyond_what_the_database_can_hold_is_no_limit_to_speak_of(tmp_path: Path):
    store = Store.open(tmp_path)
    ledger = Ledger(store, daily_cap=1e12)
    await spend(ledger, "ada", 3.0)
    with pytest.raises(BudgetError):
        await spend(ledger, "ada", 1e9)
    ledger.close()
    store.close()


def begin(store: Path, seed: int, **spec) -> subprocess.Popen:
    fields = {"store": str(store), "daily": 1.0, "owners": ["ada", "bob"], "calls": 40, "seed": seed, **spec}
    command = [sys.executable, str(PROCESS), json.dumps(fields)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def spent_by(process: subprocess.Popen) -> int:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())["spent"]


async def test_processes_on_one_database_keep_the_caps_and_a_killed_one_s_lease_stays_booked(tmp_path: Path):
    Store.open(tmp_path).close()
    # The one that is killed spends first: a late start would leave it nothing to lose.
    processes = [begin(tmp_path, 0, visitor=0.6, stall=True)]
    spent = [spent_by(processes[0])]
    processes += [begin(tmp_path, seed, visitor=0.6) for seed in (1, 2)]
    processes[0].kill()
    spent += [spent_by(process) for process in processes[1:]]
    for process in processes:
        process.wait(60)
        assert process.stdout is not None
        process.stdout.close()
    assert [process.returncode for process in processes] == [-9, 0, 0]
    store = Store.open(tmp_path)
    taken = store.taken("day:2026-01-02")
    assert spent[0] > 0 and sum(spent) <= taken <= PICO
    for owner in ("ada", "bob"):
        assert store.taken(f"visitor:{owner}:2026-01-02") <= 0.6 * PICO
    # What is left is all that a later process gets.
    ledger = Ledger(store, daily_cap=1.0, today=lambda: date(2026, 1, 2))
    purse = CallPurse(ledger.open(WITHOUT_LIMIT, owner="eve", simulated=False))
    with pytest.raises(BudgetError):
        await purse.reserve(fee((PICO - taken + 1) / PICO))
    assert (await purse.reserve(fee(1.0, least=0.0))).amount == pytest.approx(1 - taken / PICO, abs=1e-8)
    store.close()


async def test_what_is_billed_beyond_a_reservation_counts_at_once_in_every_process():
    memory = Memory()
    ours, theirs = Day("day", 1.0, memory), Day("day", 1.0, memory)
    assert await ours.ensure(pico(0.1)) and ours.take(pico(0.1))
    ours.give(pico(0.1) - pico(0.9))
    assert memory.taken("day") >= pico(0.9)
    assert await theirs.ensure(pico(0.8)) <= pico(0.1) and not theirs.take(pico(0.8))
    ours.close()
    theirs.close()
    assert memory.taken("day") == pico(0.9)


class Refusing(Memory):
    """Accounts whose database cannot be written for a while."""

    broken = False

    def lease(self, key: str, amount: int, cap: int | None) -> bool:
        if self.broken:
            raise StorageError("The disk is full.")
        return super().lease(key, amount, cap)


async def test_an_excess_that_cannot_be_written_is_written_at_the_close():
    memory = Refusing()
    day = Day("day", 1.0, memory)
    assert await day.ensure(pico(0.1)) and day.take(pico(0.1))
    memory.broken = True
    day.give(pico(0.1) - pico(0.9))
    memory.broken = False
    day.close()
    assert memory.taken("day") == pico(0.9)
