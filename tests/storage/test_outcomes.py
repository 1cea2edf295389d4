"""What came of many runs at once, on both databases: the same as one by one, and only what is wanted."""

from datetime import UTC, datetime

import pytest
from storage_rollouts import rollout, save

from orchestra_app.core.trace import Label
from orchestra_app.storage.outcomes import BATCH, Wanted

NAMES = [f"t{number}" for number in range(6)]
OWNERS = {"t0": "guest"}
GROUPS = {"t0": "sweep-a1/x", "t1": "sweep-a1/y", "t2": "sweep-a10/x", "t3": "Sweep-A1/x"}


@pytest.fixture
async def filled(store):
    for name in NAMES:
        started = {"group": GROUPS.get(name), "owner": OWNERS.get(name, "local"), "seed": 3}
        await save(store, rollout(name, started=started))
    await store.add_label("t1", Label(source="human", correct=True, at=datetime.now(UTC)))
    return store


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(), NAMES),
        (Wanted(group="sweep-a1/"), ["t0", "t1"]),
        (Wanted(group="sweep-a1"), ["t0", "t1", "t2"]),
        (Wanted(owner="guest"), ["t0"]),
        (Wanted(catalog="rehearsal", statuses=("answered",)), NAMES),
        (Wanted(catalog="live"), []),
        (Wanted(catalog_hash="0" * 16), []),
        (Wanted(verdicts=("correct", "incorrect")), ["t1"]),
        (Wanted(statuses=("failed",)), []),
    ],
)
async def test_only_the_wanted_runs_are_found(filled, wanted, found):
    assert sorted(each.id for each in await filled.outcomes(wanted)) == found


async def test_the_newest_are_kept_where_there_is_a_limit(filled):
    whole, some = await filled.outcomes(Wanted()), await filled.outcomes(Wanted(limit=2))
    assert some == whole[:2]


async def test_an_outcome_and_a_trace_read_in_a_batch_are_those_read_one_by_one(filled):
    batch = await filled.traces([*NAMES, "nobody", *[f"none {n}" for n in range(BATCH)]])
    assert set(batch) == set(NAMES)
    for outcome in await filled.outcomes(Wanted()):
        trace = await filled.get(outcome.id)
        assert batch[outcome.id] == trace
        assert (outcome.task, outcome.cost, outcome.seed) == (trace.task, trace.cost, trace.seed)
        assert outcome.verdict == ("correct" if trace.correct else "unlabelled")
