"""Day accounts: sums are exact and never pass their cap, whoever draws on them."""

import multiprocessing
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestra_app.storage.accounts import PICO
from orchestra_app.storage.store import Store

CAP = 10 * PICO


def test_an_account_is_empty_until_something_is_taken(store: Store):
    assert store.taken("day") == 0
    assert store.lease("day", 7, CAP) is True
    store.give_back("day", 3)
    store.give_back("nobody's", 3)
    assert (store.taken("day"), store.taken("nobody's")) == (4, 0)


@pytest.mark.parametrize(
    ("amount", "cap", "granted"),
    [(0, 0, True), (1, 0, False), (CAP, CAP, True), (CAP + 1, CAP, False), (CAP, None, True), (1, -1, False)],
)
def test_the_first_lease_keeps_to_the_cap_too(store: Store, amount: int, cap: int | None, granted: bool):
    assert store.lease("day", amount, cap) is granted
    assert store.taken("day") == (amount if granted else 0)


@given(st.lists(st.tuples(st.integers(0, CAP), st.booleans()), max_size=12), st.integers(0, 3 * CAP))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_accounts_follow_plain_arithmetic(store: Store, steps: list[tuple[int, bool]], cap: int):
    store.give_back("day", 2**62)
    held = 0
    for amount, takes in steps:
        if takes:
            fits = held + amount <= cap
            assert store.lease("day", amount, cap) is fits
            held += amount if fits else 0
        else:
            store.give_back("day", amount)
            held = max(0, held - amount)
        assert store.taken("day") == held


@pytest.mark.parametrize("amount", [-1, 2**63])
def test_an_amount_that_would_overflow_or_refill_is_a_bug(store: Store, amount: int):
    for use in (lambda: store.lease("day", amount, CAP), lambda: store.give_back("day", amount)):
        with pytest.raises(ValueError, match="An amount lies between"):
            use()


def test_threads_share_one_account_within_the_cap(store: Store):
    with ThreadPoolExecutor(8) as pool:
        granted = list(pool.map(lambda _: store.lease("day", PICO // 7, CAP), range(100)))
    assert sum(granted) == 70
    assert store.taken("day") == 70 * (PICO // 7) <= CAP


def _draw(address: str, start, results) -> None:
    store = Store.open(address)
    start.wait()
    results.put(sum(store.lease("day", PICO // 7, CAP) for _ in range(60)))
    store.close()


def test_processes_share_one_account_within_the_cap(address: str):
    store = Store.open(address)
    spawn = multiprocessing.get_context("spawn")
    start, results = spawn.Barrier(2), spawn.Queue()
    children = [spawn.Process(target=_draw, args=(address, start, results)) for _ in range(2)]
    for child in children:
        child.start()
    granted = [results.get(timeout=60) for _ in children]
    for child in children:
        child.join()
    assert sum(granted) == 70 and store.taken("day") == 70 * (PICO // 7)
    store.close()
