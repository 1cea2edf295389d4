import asyncio
import contextlib
import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from orchestra_fakes import Memory

from orchestra_app.core.errors import BudgetError
from orchestra_app.core.purse import Reservation, Use
from orchestra_app.core.task import Budget
from orchestra_app.core.usage import Price, Usage
from orchestra_app.orchestrator.accounts import MOST, PICO, Day, Shared, pico
from orchestra_app.orchestrator.clock import Clock
from orchestra_app.orchestrator.ledger import CallPurse, Hold, RunPurse, worst

PRICE = Price(input=2, cached=0.5, output=10)
FREE = Price()


def make_run(
    cost: float | None = 1.0, *accounts, seconds: float | None = None, start: float = 0.0
) -> RunPurse:
    return RunPurse(Budget(cost=cost, seconds=seconds), accounts, clock=Clock(simulated=True, start=start))


def use(
    output: int = 1000, *, least: int = 10, prompt: int = 500, price: Price | None = PRICE, units: float = 0.0
) -> Use:
    return Use(
        "model",
        "expert",
        price,
        most=Usage(input_tokens=prompt, output_tokens=output, units=units),
        least=Usage(input_tokens=prompt, output_tokens=min(least, output)),
    )


# What a provider says of a call: (kind, size).
HOSTILE = st.sampled_from(["honest", "more", "huge", "absurd", "missing", "raise"])
REPORTED = st.one_of(
    st.none(),
    st.sampled_from([math.nan, math.inf, -math.inf, -1.0, 0.0]),
    st.floats(0, 0.01),
    st.floats(0, 50),
)
PRICES = st.builds(
    Price,
    input=st.floats(0, 75),
    cached=st.none() | st.floats(0, 80),
    output=st.floats(0, 75),
    unit=st.floats(0, 0.02),
)


@dataclass
class Step:
    price: Price
    prompt: int
    least: int
    output: int
    units: float
    hold: float
    says: str
    part: float
    reported: float | None
    pauses: tuple[int, int]
    """Turns of the loop before the reservation and before the settlement."""


STEPS = st.builds(
    Step,
    price=st.one_of(st.just(FREE), PRICES),
    prompt=st.integers(0, 20_000),
    least=st.integers(0, 200),
    output=st.integers(200, 20_000),
    units=st.sampled_from([0.0, 1.0, 10.0]),
    hold=st.sampled_from([0.0, 0.0, 0.001, 0.05]),
    says=HOSTILE,
    part=st.floats(0, 1),
    reported=REPORTED,
    pauses=st.tuples(st.integers(0, 3), st.integers(0, 6)),
)


@dataclass
class Audit:
    """An independent sum of what may be booked."""

    cap: int
    spent: int = 0
    open: int = 0
    excess: int = 0
    overrun: set[int] = field(default_factory=set)

    def check(self) -> None:
        assert self.spent + self.open <= self.cap + self.excess


def said(step: Step, granted: Usage) -> Usage | None:
    tokens = {
        "honest": int(granted.output_tokens * step.part),
        "more": granted.output_tokens + int(5000 * step.part),
        "huge": granted.output_tokens + 10**8,
        "absurd": 10**400,
    }
    if step.says not in tokens:
        return None
    cached = int(granted.input_tokens * step.part)
    return granted.model_copy(
        update={
            "output_tokens": tokens[step.says],
            "cached_tokens": cached,
            "units": granted.units * step.part,
        }
    )


def booked(reservation: Reservation, amount: int, usage: Usage | None, reported: float | None) -> int:
    """What has to be booked, said in another way than the ledger does."""
    assert reservation.use.price is not None
    figures = [] if usage is None or usage.output_tokens > 10**300 else [reservation.use.price.cost(usage)]
    if reported is not None and 0 <= reported < math.inf:
        told = pico(reported)
        return told if usage is not None else max(told, amount)
    if not figures:
        return amount
    granted = reservation.granted
    assert usage is not None
    if usage.output_tokens <= granted.output_tokens:
        # Rounding must not make an honest call look dearer than its worst case.
        return min(pico(figures[0]), amount)
    return pico(figures[0])


async def spend(run: RunPurse, number: int, step: Step, audit: Audit) -> None:
    for _ in range(step.pauses[0]):
        await asyncio.sleep(0)
    purse = CallPurse(run, Hold(cost=step.hold))
    wanted = Use(
        "model",
        "expert",
        step.price,
        most=Usage(input_tokens=step.prompt, output_tokens=step.output, units=step.units),
        least=Usage(input_tokens=step.prompt, output_tokens=step.least),
    )
    try:
        reservation = await purse.reserve(wanted)
    except BudgetError:
        assert worst(step.price, wanted.least) > 0, "a free use was refused"
        return
    amount = worst(step.price, reservation.granted)
    assert amount == 0 or number not in audit.overrun
    assert step.least <= reservation.granted.output_tokens <= step.output
    if amount and run.cost_left is not None:
        assert run.cost_left >= step.hold - 1e-12, "the hold was touched"
    audit.open += amount
    audit.check()
    usage, reported = None, None
    try:
        for _ in range(step.pauses[1]):
            await asyncio.sleep(0)
        if step.says == "raise":
            raise ConnectionError
        usage, reported = said(step, reservation.granted), step.reported
    except ConnectionError:
        pass
    finally:
        spent = booked(reservation, amount, usage, reported)
        charge = purse.settle(reservation, usage, reported=reported)
        assert charge.cost == pytest.approx(spent / PICO, abs=2e-12)
        audit.open -= amount
        audit.spent += spent
        audit.excess += max(0, spent - amount)
        if spent > amount:
            audit.overrun.add(number)
        assert (run.overrun is not None) == (number in audit.overrun)
        audit.check()


@settings(max_examples=150, deadline=None)
@given(
    plans=st.lists(st.lists(STEPS, min_size=1, max_size=4), min_size=1, max_size=6),
    cap=st.floats(0, 1.0),
    own=st.one_of(st.none(), st.floats(0, 0.5)),
    day=st.booleans(),
    cancelled=st.dictionaries(st.integers(0, 30), st.integers(0, 12), max_size=6),
)
def test_concurrent_runs_on_one_cap_never_spend_more_than_it_but_for_what_providers_overbill(
    plans: list[list[Step]], cap: float, own: float | None, day: bool, cancelled: dict[int, int]
):
    async def main() -> None:
        memory = Memory()
        account = Day("day", cap, memory) if day else Shared("job", cap)
        audit = Audit(math.floor(cap * PICO))
        runs = [make_run(own, account) for _ in plans]
        tasks = [
            asyncio.create_task(spend(run, number, step, audit))
            for number, (run, steps) in enumerate(zip(runs, plans, strict=True))
            for step in steps
        ]
        for turn in range(13):
            for index, when in cancelled.items():
                if when == turn and index < len(tasks):
                    tasks[index].cancel()
            await asyncio.sleep(0)
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
                raise result
        assert audit.open == 0 and all(run.reserved == 0 for run in runs)
        assert sum(round(run.spent * PICO) for run in runs) == pytest.approx(audit.spent, rel=1e-12)
        if isinstance(account, Shared):
            assert round(account.left * PICO) == pytest.approx(audit.cap - audit.spent, rel=1e-12)
        else:
            account.close()
            assert memory.taken("day") == audit.spent

    asyncio.run(main())


@settings(deadline=None)
@given(PRICES, st.integers(0, 400_000), st.integers(0, 40_000), st.floats(0, 100), st.floats(0, 1))
def test_what_was_granted_never_counts_as_overbilled_however_it_is_rounded(
    price: Price, prompt: int, output: int, units: float, cached: float
):
    async def main() -> None:
        for usage in (None, granted, granted.model_copy(update={"cached_tokens": int(prompt * cached)})):
            run = make_run(None)
            purse = CallPurse(run)
            reservation = await purse.reserve(Use("m", "expert", price, granted, granted))
            purse.settle(reservation, usage)
            assert run.overrun is None
            assert run.spent <= reservation.amount

    granted = Usage(input_tokens=prompt, output_tokens=output, units=units)
    asyncio.run(main())


@settings(deadline=None)
@given(
    PRICES,
    st.floats(0, 2),
    st.integers(0, 5000),
    st.integers(0, 500),
    st.integers(500, 50_000),
    st.floats(0, 0.2),
)
def test_clipping_stays_between_the_least_and_what_is_left_beside_the_hold(
    price: Price, cap: float, prompt: int, least: int, output: int, hold: float
):
    async def main() -> None:
        run = make_run(cap)
        wanted = Use(
            "m",
            "expert",
            price,
            most=Usage(input_tokens=prompt, output_tokens=output, units=9),
            least=Usage(input_tokens=prompt, output_tokens=least, units=2),
        )
        try:
            granted = (await CallPurse(run, Hold(hold)).reserve(wanted)).granted
        except BudgetError as error:
            assert worst(price, wanted.least) > math.floor(cap * PICO) - pico(hold)
            assert error.needed is not None and error.left is not None and error.needed > error.left
            return
        assert least <= granted.output_tokens <= output and 2 <= granted.units <= 9
        assert granted.input_tokens == prompt
        amount = worst(price, granted)
        assert amount == 0 or amount + pico(hold) <= math.floor(cap * PICO)
        if worst(price, wanted.most) + pico(hold) <= math.floor(cap * PICO):
            assert granted == wanted.most

    asyncio.run(main())


async def test_a_clipped_call_gets_nearly_all_that_is_left():
    run = make_run(0.01)
    reservation = await CallPurse(run, Hold(0.002)).reserve(use(output=100_000))
    assert 0.00799 < reservation.amount <= 0.008


async def test_after_an_overrun_only_free_uses_start():
    run = make_run(1.0)
    purse = CallPurse(run)
    purse.settle(await purse.reserve(use(10)), Usage(output_tokens=200_000))
    assert run.overrun == "model" and run.spent == 2.0 and run.cost_left == 0
    with pytest.raises(BudgetError, match="model billed more than was reserved"):
        await purse.reserve(use(10))
    clipped = Use("m", "expert", PRICE, most=Usage(input_tokens=500, output_tokens=500), least=Usage())
    assert (await purse.reserve(clipped)).amount == 0, "no paid reservation, however small"
    await CallPurse(run, Hold(0.5)).reserve(use(10, price=FREE))


async def test_an_overrun_below_the_cap_stops_paid_uses_too():
    run = make_run(1.0)
    purse = CallPurse(run)
    purse.settle(await purse.reserve(use(10)), Usage(output_tokens=11), reported=0.01)
    assert run.spent == 0.01 and await run.available(1.0) == 0
    with pytest.raises(BudgetError, match="billed more"):
        await purse.reserve(use(10))


async def test_an_overrun_while_another_reservation_waits_for_a_lease_stops_it():
    run = make_run(None, Day("day", 10.0, Memory()))
    purse = CallPurse(run)
    reservation = await purse.reserve(use(10))
    waiting = asyncio.create_task(purse.reserve(use(800_000)))
    await asyncio.sleep(0)
    assert not waiting.done()
    purse.settle(reservation, Usage(output_tokens=2000))
    with pytest.raises(BudgetError, match="billed more"):
        await waiting


async def test_settling_twice_raises_and_books_once():
    run = make_run(1.0)
    purse = CallPurse(run)
    reservation = await purse.reserve(use(1000))
    purse.settle(reservation, Usage(output_tokens=100))
    with pytest.raises(ValueError, match="settled already"):
        purse.settle(reservation, Usage(output_tokens=100))
    with pytest.raises(ValueError, match="settled already"):
        CallPurse(run).settle(reservation, None)
    assert (run.spent, run.reserved, len(purse.charges)) == (0.001, 0, 1)


@pytest.mark.parametrize(
    ("usage", "reported", "cost", "kept", "estimated"),
    [
        (Usage(input_tokens=500, output_tokens=100), None, 0.002, None, False),
        (Usage(input_tokens=500, cached_tokens=400, output_tokens=100), None, 0.0014, None, False),
        (Usage(input_tokens=500, output_tokens=100), 0.0005, 0.0005, 0.0005, False),
        (Usage(input_tokens=500, output_tokens=100), 0.0, 0.0, 0.0, False),
        (Usage(input_tokens=500, output_tokens=100), math.nan, 0.002, None, False),
        (Usage(input_tokens=500, output_tokens=100), -3.0, 0.002, None, False),
        (Usage(input_tokens=500, output_tokens=100), math.inf, 0.002, None, False),
        (Usage(input_tokens=500, output_tokens=100), 1e300, 1e300, 1e300, False),
        (None, None, 0.011, None, True),
        (None, 0.001, 0.011, None, True),
        (None, 5.0, 5.0, 5.0, True),
        (Usage(output_tokens=10**400), None, 0.011, None, True),
    ],
)
async def test_each_kind_of_figure_is_booked_as_the_design_says(usage, reported, cost, kept, estimated):
    run = make_run(1.0)
    purse = CallPurse(run)
    charge = purse.settle(await purse.reserve(use(1000)), usage, reported=reported)
    assert (charge.cost, charge.reported, charge.estimated) == (cost, kept, estimated)
    assert run.spent == cost and run.reserved == 0
    assert run.overrun == ("model" if cost > 0.011 else None)


async def test_an_unknown_price_is_refused_with_a_budget_and_allowed_without():
    with pytest.raises(BudgetError, match="add a price for model to the catalogue"):
        await CallPurse(make_run(1.0)).reserve(use(price=None))
    with pytest.raises(BudgetError, match="add a price"):
        await CallPurse(make_run(None, Shared("job", 1.0))).reserve(use(price=None))
    run = RunPurse(Budget(cost=None, seconds=None), clock=Clock(simulated=False))
    purse = CallPurse(run)
    charge = purse.settle(await purse.reserve(use(price=None)), Usage(output_tokens=9), reported=0.3)
    assert (charge.cost, charge.estimated, run.overrun) == (0.3, False, None)
    await purse.reserve(use())


async def test_closing_a_call_books_what_was_left_open_at_its_reservation():
    run = make_run(1.0)
    purse = CallPurse(run)
    await purse.reserve(use(1000))
    await purse.reserve(use(2000))
    purse.close()
    purse.close()
    assert run.reserved == 0 and run.spent == pytest.approx(0.011 + 0.021, abs=1e-12)
    assert [charge.estimated for charge in purse.charges] == [True, True]
    assert run.overrun is None


async def test_every_attempt_of_a_retried_call_is_a_charge_of_its_own():
    run = make_run(0.04)
    purse = CallPurse(run)
    for _ in range(3):
        purse.settle(await purse.reserve(use(1000)), None)
    assert [charge.cost for charge in purse.charges] == [0.011] * 3
    reservation = await purse.reserve(use(1000))
    assert reservation.granted.output_tokens < 1000
    with pytest.raises(BudgetError, match="only"):
        await purse.reserve(use(1000, least=600))


async def test_the_seconds_of_a_reservation_leave_the_hold_untouched():
    run = make_run(None, seconds=60, start=10)
    assert (await CallPurse(run, Hold(seconds=20)).reserve(use())).seconds == 30
    with pytest.raises(BudgetError, match="No time is left"):
        await CallPurse(run, Hold(seconds=50)).reserve(use(price=FREE))


async def test_seconds_of_calls_side_by_side_overlap_in_simulated_time():
    run = make_run(None, seconds=60)
    first, second = CallPurse(run), CallPurse(run)
    first.settle(await first.reserve(use()), Usage(seconds=8))
    first.settle(await first.reserve(use()), Usage(seconds=4))
    assert (await first.reserve(use())).seconds == 48
    second.settle(await second.reserve(use()), Usage(seconds=5))
    assert [charge.at for charge in first.charges + second.charges] == [0, 8, 0]
    second.close()
    assert run.clock.now() == 5
    first.close()
    assert run.clock.now() == 12 and run.seconds_left == 48


async def test_money_that_was_spent_before_counts_in_the_budget_but_in_no_account():
    job = Shared("job", 1.0)
    run = RunPurse(Budget(cost=1.0, seconds=None), [job], clock=Clock(simulated=True), spent=0.995)
    assert run.cost_left == pytest.approx(0.005) and job.left == 1.0
    with pytest.raises(BudgetError):
        await CallPurse(run).reserve(use(1000, least=1000))


@pytest.mark.parametrize(
    ("price", "prompt", "cached", "output"),
    [
        (Price(input=16.76, output=10.49), 136785, 56413, 7716),
        (Price(input=11.89, output=13.97), 41964, 14620, 7845),
    ],
)
async def test_a_cached_prompt_whose_cost_rounds_up_is_no_overrun(price, prompt, cached, output):
    run = make_run(None)
    purse = CallPurse(run)
    granted = Usage(input_tokens=prompt, output_tokens=output)
    reservation = await purse.reserve(Use("m", "expert", price, granted, granted))
    used = granted.model_copy(update={"cached_tokens": cached})
    assert pico(price.cost(used)) > worst(price, granted)
    purse.settle(reservation, used)
    assert run.overrun is None and run.spent == reservation.amount


async def test_the_hold_is_kept_on_shared_accounts_too():
    run = make_run(None, Shared("job", 0.02), Day("day", 0.03, Memory()))
    reservation = await CallPurse(run, Hold(0.005)).reserve(use(100_000))
    assert 0.0149 < reservation.amount <= 0.015
    with pytest.raises(BudgetError):
        await CallPurse(run, Hold(0.005)).reserve(use(10))
    await CallPurse(run).reserve(use(10))


async def test_what_one_account_gave_goes_back_where_the_next_is_emptied_meanwhile():
    class Contested(Shared):
        """Another run takes its money between the look and the reservation."""

        async def ensure(self, amount: int) -> int:
            return amount

    job, contested = Shared("job", 1.0), Contested("day", 0.0)
    with pytest.raises(BudgetError):
        await CallPurse(make_run(None, job, contested)).reserve(use(1000))
    assert job.left == 1.0


async def test_what_is_exactly_affordable_starts():
    price = Price(unit=0.01)
    once = Use("web", "search", price, Usage(units=1), Usage(units=1))
    run = make_run(0.02)
    purse = CallPurse(run)
    for _ in range(2):
        purse.settle(await purse.reserve(once), Usage(units=1))
    assert run.cost_left == 0
    with pytest.raises(BudgetError):
        await purse.reserve(once)


@pytest.mark.parametrize("accounts", [1, 2])
async def test_many_runs_at_once_get_all_of_a_day_that_suffices_for_them(accounts: int):
    memory = Memory()
    shared = Day("day", 64 * 0.011, memory)
    visitors = [Day(f"visitor:{index}", 0.011, memory) for index in range(64)]

    async def one(index: int) -> None:
        run = make_run(None, *[shared, visitors[index]][:accounts])
        purse = CallPurse(run)
        reservation = await purse.reserve(use(1000, least=1000))
        await asyncio.sleep(0)
        purse.settle(reservation, None)

    await asyncio.gather(*(one(index) for index in range(64)))
    assert memory.taken("day") == 64 * 11 * 10**9
    assert await shared.ensure(1) == 0


async def test_a_cancelled_reservation_leaves_nothing_set_aside():
    memory = Memory()
    day = Day("day", 1.0, memory)
    run = make_run(None, day)
    task = asyncio.create_task(CallPurse(run).reserve(use(1000)))
    await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    # The lease may come all the same; it stays with the account.
    await asyncio.sleep(0.05)
    assert run.reserved == 0
    day.close()
    assert memory.taken("day") == 0


async def test_what_nobody_is_paid_for_counts_in_the_runs_own_budget_alone():
    job = Shared("job", 0.001)
    run = make_run(0.1, job)
    purse = CallPurse(run)
    reservation = await purse.reserve(use()._replace(paid=False))
    charge = purse.settle(reservation, Usage(input_tokens=500, output_tokens=1000), simulated=True)
    assert charge.cost == run.spent == pytest.approx(0.011) and job.left == 0.001
    with pytest.raises(BudgetError):
        await purse.reserve(use())
    with pytest.raises(BudgetError):
        await purse.reserve(use(10_000, least=10_000)._replace(paid=False))


async def test_a_budget_beyond_all_measure_counts_as_the_largest_that_can_be_kept():
    run = RunPurse(Budget(cost=1e300), (), clock=Clock(simulated=True))
    assert run.cost_left == MOST / PICO
    assert (await CallPurse(run).reserve(use())).amount > 0
