"""The selection of traces that wait for a person's verdict, on both databases."""

import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from storage_rollouts import START, rollout, save

from orchestra_app.core.trace import Label, Trace
from orchestra_app.storage import labels
from orchestra_app.storage.queueing import Progress, Scope
from orchestra_app.storage.store import Store

Filled = Callable[..., Awaitable[list[str]]]
ALL = Scope(by="ann", everybody=True)


def said(by: str, correct: bool | None = True, **fields: Any) -> Label:
    return Label(**{"source": "human", "correct": correct, "by": by, "at": datetime.now(UTC), **fields})


async def fill(store: Store, number: int, **started: Any) -> list[str]:
    names = [f"{started.get('owner', 'local')}-{each:03}" for each in range(number)]
    for each, name in enumerate(names):
        at = {"started_at": START + timedelta(seconds=each)}
        await save(store, rollout(name, turns=1, started={**at, **started}))
    return names


async def served(store: Store, scope: Scope) -> list[str]:
    """All that the scope's person is served when they pass each over."""
    found: list[str] = []
    while waiting := await store.next_waiting(scope, found):
        found.append(waiting.id)
    return found


async def test_the_oldest_trace_that_nobody_judged_comes_first_and_what_no_person_judged_after_it(
    store: Store,
):
    names = await fill(store, 5)
    await store.add_label(names[0], said("bob"))
    await store.add_label(names[1], said("gpt-5", source="judge"))
    await store.add_label(names[2], said("orchestra", source="benchmark"))
    await store.add_label(names[3], said("bob", call_id="call 0"))
    wanted = [names[3], names[4], names[1], names[2]]
    assert await served(store, ALL) == wanted == await served(store, ALL)


async def test_a_running_or_unanswered_trace_is_never_served(store: Store):
    events = rollout("failed")
    await save(store, [*events[:-1], events[-1].model_copy(update={"status": "failed", "answer": None})])
    assert await served(store, ALL) == []


async def test_filters_narrow_what_is_served_and_counted(store: Store):
    mine, other = await fill(store, 2), await fill(store, 3, owner="bob", policy="cheap")
    cheap = Scope(by="ann", everybody=True, policy="cheap", catalog="rehearsal")
    assert await served(store, cheap) == other
    assert (await store.labelling(cheap)).traces == len(other)
    found = await store.labelling_choices(ALL)
    assert found.policies == {"cheap": 3, "rules": 2} and found.catalogs == {"rehearsal": 5}
    assert await served(store, Scope(by="local")) == mine


async def test_others_are_served_only_what_its_owner_consented_to(store: Store):
    own, shared = await fill(store, 1, owner="ann"), await fill(store, 2, owner="bob", consent=True)
    secret = await fill(store, 2, owner="eve")
    assert await served(store, Scope(by="ann")) == own
    assert set(await served(store, Scope(by="ann", consented=True))) == {*own, *shared}
    for scope, wanted in ((Scope(by="ann"), False), (Scope(by="eve"), True), (ALL, True)):
        assert await store.may_label(scope, secret[0]) is wanted
    assert await store.may_label(Scope(by="ann", consented=True), shared[0])
    assert not await store.may_label(ALL, "no such trace")


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 1.0])
async def test_about_the_wished_share_is_served_to_two_people_and_never_to_a_third(
    store: Store, share: float
):
    names = await fill(store, 60)
    for name in names:
        await store.add_label(name, said("bob"))
    scope = Scope(by="ann", everybody=True, twice=share)
    second = await served(store, scope)
    assert second == await served(store, scope)
    assert abs(len(second) / len(names) - share) <= 0.12
    for name in second:
        await store.add_label(name, said("ann"))
    assert await served(store, Scope(by="eve", everybody=True, twice=share)) == []
    assert (await store.labelling(scope)).done == len(names)


async def test_progress_counts_mine_all_and_those_that_wait_for_a_second_person(store: Store):
    names = await fill(store, 4)
    scope = Scope(by="ann", everybody=True, twice=1.0)
    assert await store.labelling(scope) == Progress(traces=4, mine=0, left=4, done=0, second=0)
    await store.add_label(names[0], said("ann"))
    await store.add_label(names[0], said("ann", False))
    await store.add_label(names[1], said("bob"))
    await store.add_label(names[1], said("ann"))
    await store.add_label(names[2], said("bob"))
    await store.add_label(names[3], said("ann", call_id="call 0"))
    assert await store.labelling(scope) == Progress(traces=4, mine=2, left=2, done=1, second=2)


async def test_the_latest_verdict_of_each_person_is_what_they_are_compared_by(store: Store):
    names = await fill(store, 3)
    for name, by, correct in [
        (names[0], "ann", True),
        (names[0], "bob", False),
        (names[0], "ann", None),
        (names[1], "ann", True),
    ]:
        await store.add_label(name, said(by, correct))
    assert list(await store.labelled_by_many(ALL)) == [{"ann": None, "bob": False}]
    assert await store.labelled_by_many(Scope(by="eve")) == ()


async def test_marks_never_change_a_verdict_whatever_their_order(store: Store):
    (name,) = await fill(store, 1)
    marks = [said("ann", value, call_id="call 0") for value in (True, None, False)]
    for label in marks:
        await store.add_label(name, label)
    assert [each.verdict for each in await store.list()] == ["unlabelled"]
    await store.add_label(name, said("ann", True))
    await store.add_label(name, said("ann", False, call_id="call 0"))
    trace = await store.get(name)
    assert trace is not None and trace.correct is True
    assert [each.verdict for each in await store.list()] == ["correct"]


async def test_two_people_who_label_at_once_are_both_kept_and_the_verdict_is_the_later(store: Store):
    (name,) = await fill(store, 1)
    ready = threading.Barrier(8)

    def label(number: int) -> None:
        ready.wait()
        store._write(labels.add, name, said(f"p{number}", number % 2 == 0))

    threads = [threading.Thread(target=label, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    trace = await store.get(name)
    assert isinstance(trace, Trace) and {each.by for each in trace.labels} == {f"p{n}" for n in range(8)}
    latest = max(trace.labels, key=lambda each: each.at)
    assert trace.correct is latest.correct
    wanted = "correct" if latest.correct else "incorrect"
    assert [each.verdict for each in await store.list()] == [wanted]
