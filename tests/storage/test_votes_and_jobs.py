"""Votes, jobs and checkpoints come back as they were kept, on both databases."""

from datetime import timedelta

import pytest
from storage_rollouts import START, rollout, save

from orchestra_app.core.errors import StorageError
from orchestra_app.core.job import Checkpoint, Job
from orchestra_app.core.vote import Vote
from orchestra_app.storage.store import Store

JOB = Job(id="j1", kind="train", definition='mode = "rollout"\n', folder="/data/j1", created_at=START)
CHECKPOINT = Checkpoint(
    id="c1", job="j1", name="better", path="/data/j1/best", catalog="rehearsal", card={"n": 1}, at=START
)


async def test_a_second_vote_of_a_person_on_a_pair_replaces_the_first(store: Store):
    for name in ("one", "two"):
        await save(store, rollout(name))
    first = Vote(a="one", b="two", choice="a", by="ann", at=START)
    await store.add_vote(first)
    await store.add_vote(first.model_copy(update={"by": "bob"}))
    number = await store.add_vote(first.model_copy(update={"choice": "both bad"}))
    assert [(vote.by, vote.choice) for vote in (await store.votes()).values()] == [
        ("bob", "a"),
        ("ann", "both bad"),
    ]
    assert list(await store.votes("ann")) == [number]
    pair = ("one", "two")
    assert not await store.remove_vote(number, pair, "bob")
    assert not await store.remove_vote(number, ("two", "one"), "ann")
    assert await store.remove_vote(number, pair, "ann") and not await store.remove_vote(number, pair, "ann")


async def test_a_vote_goes_with_either_of_its_traces_and_needs_both(store: Store):
    for name in ("one", "two"):
        await save(store, rollout(name))
    vote = Vote(a="one", b="two", choice="tie", at=START)
    await store.add_vote(vote)
    await store.delete("two", "local")
    assert await store.votes() == {}
    with pytest.raises(StorageError, match="deleted"):
        await store.add_vote(vote)


async def test_a_job_comes_back_as_it_was_last_kept(store: Store):
    later = JOB.model_copy(update={"id": "j2", "kind": "sweep", "created_at": START + timedelta(seconds=1)})
    await store.save_job(JOB)
    await store.save_job(later)
    ended = JOB.model_copy(update={"status": "failed", "error": "No memory: lower it.", "cap": 0.1})
    await store.save_job(ended)
    assert await store.jobs() == (later, ended)
    assert await store.jobs("train") == (ended,)
    assert ended.over and not later.over


async def test_a_checkpoint_outlives_its_job(store: Store):
    await store.save_job(JOB)
    await store.save_checkpoint(CHECKPOINT)
    promoted = CHECKPOINT.model_copy(update={"promoted_at": START})
    await store.save_checkpoint(promoted)
    assert await store.checkpoints() == (promoted,)
    assert await store.remove_job("j1")
    assert await store.checkpoints() == (promoted.model_copy(update={"job": None}),)
    assert await store.remove_checkpoint("c1") and await store.checkpoints() == ()
