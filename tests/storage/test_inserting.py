"""What comes from elsewhere is kept exactly, and never over what is there."""

import asyncio
import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestra_app.catalogs import load_catalog
from orchestra_app.core.events import Event
from orchestra_app.core.trace import Label, Trace
from orchestra_app.storage.queries import Filter
from orchestra_app.storage.store import Store
from tests.storage.storage_rollouts import START, charge, fold, rollout, rollouts, save

LABELS = st.builds(
    Label,
    source=st.sampled_from(["human", "judge", "benchmark"]),
    correct=st.none() | st.booleans(),
    note=st.none() | st.text(max_size=20),
    gold=st.none() | st.text(max_size=20),
    by=st.text(max_size=10),
    charge=st.none() | st.just(charge("gpt-5", 0.25)),
    at=st.integers(0, 10**6).map(lambda seconds: START + timedelta(seconds=seconds)),
)


def one(name: str, **fields) -> Trace:
    return fold(rollout(name, **fields))


def judged(trace: Trace, correct: bool) -> Trace:
    said = Label(source="human", correct=correct, by="ann", at=datetime(2026, 11, 24, tzinfo=UTC))
    return trace.model_copy(update={"labels": [said]})


@given(rollouts(), st.lists(LABELS, max_size=3))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_finished_trace_comes_back_as_it_was_with_its_labels(
    store: Store, events: list[Event], labels: list[Label]
):
    trace = fold(events).model_copy(update={"labels": labels})
    assert asyncio.run(store.insert([trace])) == ("added",)
    assert asyncio.run(store.get(trace.id)) == trace
    assert asyncio.run(store.insert([trace])) == ("same",)


async def test_a_trace_that_is_there_stays_as_it_is(store: Store):
    mine = await save(store, rollout("a"))
    other = judged(mine, True)
    assert await store.insert([other, one("b"), mine, one("b")]) == ("kept", "added", "same", "same")
    assert await store.get("a") == mine


async def test_one_bad_trace_does_not_take_the_others_down(store: Store):
    bad = one("bad")
    bad.seconds = math.inf
    huge = one("huge")
    dear = huge.turns[0].reply.charges[0].model_copy(update={"cost": 1e308})
    reply = huge.turns[0].reply.model_copy(update={"charges": (dear, dear)})
    huge.turns[0] = huge.turns[0].model_copy(update={"reply": reply})
    assert await store.insert([one("a"), bad, huge, one("b")]) == ("added", "refused", "refused", "added")
    assert await store.ids() == ("a", "b")
    assert await store.get("bad") is None


async def test_the_verdict_of_an_inserted_trace_can_be_found(store: Store):
    await store.insert([judged(one("right"), True), judged(one("wrong"), False), one("open")])
    assert await store.ids(Filter(verdict="correct")) == ("right",)
    assert await store.ids(Filter(verdict="incorrect")) == ("wrong",)
    assert await store.ids(Filter(verdict="unlabelled")) == ("open",)


async def test_ids_are_those_that_are_wanted_the_oldest_first(store: Store):
    days = {"late": 9, "early": 1, "middle": 5}
    await store.insert(
        [one(name, started={"started_at": START + timedelta(days=day)}) for name, day in days.items()]
    )
    assert await store.ids() == ("early", "middle", "late")
    assert await store.ids(Filter(since=START + timedelta(days=2))) == ("middle", "late")


async def test_a_snapshot_is_kept_as_its_text_under_its_own_hash_only(store: Store):
    catalog = load_catalog("rehearsal")
    text = catalog.model_dump_json()
    for body, digest in ((text, "0" * 16), (text + " ", catalog.hash)):
        with pytest.raises(ValueError, match="hash"):
            await store.insert_snapshot(body, digest)
    assert await store.snapshot(catalog.hash) is None
    assert await store.insert_snapshot(text, catalog.hash) is True
    assert await store.insert_snapshot(text, catalog.hash) is False
    assert await store.snapshot(catalog.hash) == text and await store.catalog(catalog.hash) == catalog
