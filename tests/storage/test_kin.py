"""Who belongs to a trace, on both databases: parent, forks and others of its question, and only one's own."""

from datetime import timedelta

import pytest
from storage_rollouts import START, rollout, save

from orchestra_app.core.task import Task
from orchestra_app.storage.kin import MOST, Kin

TASK = Task(id="t", question="How deep is the harbour of Veyra?\x00")
FAMILY = {
    "root": {},
    "child": {"parent": "root"},
    "younger": {"parent": "root"},
    "grandchild": {"parent": "child"},
    "orphan": {"parent": "deleted"},
    "foreign": {"parent": "root", "owner": "guest"},
}


@pytest.fixture
async def family(store):
    for number, (name, started) in enumerate(FAMILY.items()):
        at = START + timedelta(minutes=number)
        await save(store, rollout(name, started={"task": TASK, "started_at": at, **started}))
    await save(store, rollout("stranger"))
    return store


async def names(store, trace_id: str, owner: str = "local") -> tuple:
    kin = await store.kin(trace_id, owner)
    return kin.parent and kin.parent.id, [c.id for c in kin.children], [o.id for o in kin.others]


async def test_each_trace_knows_its_parent_its_forks_and_the_rest_of_its_question(family):
    assert await names(family, "root") == (None, ["younger", "child"], ["orphan", "grandchild"])
    assert await names(family, "child") == ("root", ["grandchild"], ["orphan", "younger"])
    assert await names(family, "orphan") == (None, [], ["grandchild", "younger", "child", "root"])
    assert await names(family, "stranger") == (None, [], [])


async def test_nobody_sees_the_relatives_of_anothers_trace_nor_anothers_forks(family):
    assert await family.kin("root", "guest") == Kin() == await family.kin("nothing", "local")
    assert await names(family, "foreign", "guest") == (None, [], [])


async def test_a_deleted_relative_is_gone_and_there_is_an_end_to_the_list(family):
    await family.delete("child", "local")
    assert await names(family, "root") == (None, ["younger"], ["orphan", "grandchild"])
    for number in range(MOST + 2):
        await save(family, rollout(f"more{number}", started={"parent": "root"}))
    assert len((await family.kin("root", "local")).children) == MOST
