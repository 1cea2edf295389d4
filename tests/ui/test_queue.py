"""The queue: who is served what, claims, skipping, taking back, and what the owner decides."""

from collections.abc import AsyncIterator

import pytest

from orchestra_app.core.errors import ConfigError
from orchestra_app.core.trace import Trace
from orchestra_app.orchestrator.loop import Options
from orchestra_app.scoring.agreement import agreement, people
from orchestra_app.storage.guidelines import Rules, read_rules, write_rules
from orchestra_app.storage.queueing import Waiting
from orchestra_app.ui import serving
from orchestra_app.ui.asking import Desk
from orchestra_app.ui.labels import Details
from orchestra_app.ui.queue import CLAIMED, Queue
from orchestra_app.ui.queue_view import agreed, card, rendered
from orchestra_app.ui.serving import Narrowed
from orchestra_app.ui.texts import TEXTS
from orchestra_app.ui.visitor import Door, Visitor
from orchestra_app.workspace import Workspace

ADMIN, BOSS = Visitor("hf:boss", True, "en"), Visitor("hf:chef", True, "en")
ANN, EVE, SIGNED = (Visitor(name, False, "en") for name in ("visitor:ann", "visitor:eve", "hf:sig"))
ANY, PLAIN = Narrowed(), Details()


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    workspace = await Workspace.open()
    yield Desk(workspace, Door(local=False, admins=("boss", "chef")))
    await workspace.aclose()


async def asked(desk: Desk, number: int, *, owner: str = "visitor:ann", consent: bool = False) -> list[str]:
    orchestrator, names = await desk.workspace.orchestrator("rehearsal", "rules"), []
    for each in range(number):
        task = desk.workspace.task(f"What is {each} + 41?", "rehearsal")
        options = Options(owner=owner, consent=consent)
        rollout = desk.workspace.rollout(orchestrator, task, options)
        names.append([trace async for _, trace in rollout][-1].id)
    return names


async def twice(desk: Desk, share: float, *, anybody: bool = False) -> None:
    await serving.decide(desk, ADMIN, "", share * 100, anybody)


async def next_id(desk: Desk, queue: Queue, visitor: Visitor) -> str | None:
    trace = await serving.serve(desk, queue, visitor, ANY)
    return trace.id if trace else None


async def test_one_after_the_other_is_served_and_undo_walks_back_across_traces(desk: Desk):
    names, queue = await asked(desk, 3), Queue()
    for name in names:
        assert await next_id(desk, queue, ANN) == name
        await serving.say(desk, queue, ANN, name, "correct", PLAIN)
    assert await next_id(desk, queue, ANN) is None
    for name in reversed(names):
        assert (await serving.undo(desk, queue, ANN)).id == name
    with pytest.raises(ConfigError, match="no verdict from this queue left"):
        await serving.undo(desk, queue, ANN)
    assert (await serving.measured(desk, ANN, ANY))[0].mine == 0


async def test_a_skipped_trace_comes_again_at_the_end(desk: Desk):
    names, queue = await asked(desk, 3), Queue()
    await serving.skip(desk, queue, ANN, names[0])
    for name in (*names[1:], names[0]):
        assert await next_id(desk, queue, ANN) == name
        await serving.say(desk, queue, ANN, name, "unsure", PLAIN)


async def test_what_one_looks_at_is_served_to_another_only_if_two_label_it(desk: Desk):
    names, queue = await asked(desk, 2), Queue()
    await twice(desk, 0.0)
    assert [await next_id(desk, queue, each) for each in (ADMIN, BOSS)] == names
    assert await next_id(desk, queue, ANN) is None
    queue = Queue()
    await twice(desk, 1.0)
    assert [await next_id(desk, queue, each) for each in (ADMIN, BOSS, ANN)] == [names[0], names[0], names[1]]


def test_a_claim_ends_with_its_time_and_with_the_next_one():
    now = [0.0]
    queue = Queue(lambda: now[0])
    assert queue.claim("ann", Waiting("a", 1)) and not queue.claim("bob", Waiting("a", 1))
    assert queue.passed("bob") == {"a"} and queue.passed("ann") == set()
    now[0] = CLAIMED + 1
    assert queue.claim("bob", Waiting("a", 1)) and queue.claim("bob", Waiting("b", 1))
    assert queue.passed("ann") == {"b"}


async def test_visitors_are_served_their_own_and_what_was_consented_to_without_its_owner(desk: Desk):
    (own,) = await asked(desk, 1, owner=EVE.owner)
    (shared,) = await asked(desk, 1, consent=True)
    (secret,) = await asked(desk, 1)
    served: dict[str, list[Trace]] = {}
    for who in (EVE, SIGNED, ADMIN):
        queue, served[who.owner] = Queue(), []
        while trace := await serving.serve(desk, queue, who, ANY):
            served[who.owner].append(trace)
            await serving.say(desk, queue, who, trace.id, "correct", PLAIN)
        for _ in served[who.owner]:
            await serving.undo(desk, queue, who)
    assert [[each.id for each in found] for found in served.values()] == [
        [own],
        [shared],
        [own, shared, secret],
    ]
    assert all(not each.owner and not each.labels for found in served.values() for each in found)
    await serving.say(desk, Queue(), EVE, own, "correct", PLAIN)
    assert await next_id(desk, Queue(), EVE) is None
    await twice(desk, 0.0, anybody=True)
    assert await next_id(desk, Queue(), EVE) == shared


async def test_forged_ids_reach_no_trace_that_somebody_may_not_label(desk: Desk):
    (secret,), queue = await asked(desk, 1), Queue()
    for wrong in (secret, "", None, 7, "x" * 100, ["a"], "\ud800", "a\0b"):
        with pytest.raises(ConfigError, match="There is no trace"):
            await serving.say(desk, queue, EVE, wrong, "correct", PLAIN)
        with pytest.raises(ConfigError, match="There is no trace"):
            await serving.skip(desk, queue, EVE, wrong)
    assert await desk.workspace.store.labels(secret) == {}
    with pytest.raises(ConfigError, match="no verdict from this queue"):
        await serving.undo(desk, queue, EVE)


async def test_kappa_is_that_of_the_scoring_over_the_same_traces(desk: Desk):
    names, queue = await asked(desk, 6), Queue()
    await twice(desk, 1.0)
    for number, name in enumerate(names):
        await serving.say(desk, queue, ADMIN, name, "correct" if number % 2 else "incorrect", PLAIN)
        await serving.say(desk, queue, BOSS, name, "correct" if number > 1 else "incorrect", PLAIN)
    found = (await serving.measured(desk, ADMIN, ANY))[1]
    kept = await desk.workspace.store.traces(names)
    assert found == agreement(pair for trace in kept.values() for pair in people(trace))
    assert found.pairs == len(names) and "n = 6 pairs" in agreed(found, 1.0, TEXTS["en"])


async def test_only_an_administrator_decides_and_only_what_can_be(desk: Desk):
    home = desk.workspace.settings.home
    for who, share in ((ANN, 50), (SIGNED, 50), (ADMIN, 101), (ADMIN, "x"), (ADMIN, True), (ADMIN, -1)):
        with pytest.raises(ConfigError):
            await serving.decide(desk, who, "# mine", share, True)
    assert read_rules(home) == Rules()
    await serving.decide(desk, ADMIN, "# mine", 50, True)
    assert read_rules(home) == Rules(0.5, True) and await serving.guidelines(desk, ANN) == "# mine"
    write_rules(home, Rules(0.0))
    await serving.decide(desk, ADMIN, "", 20, False)
    assert "final answer" in await serving.guidelines(desk, ANN)


def test_guidelines_ask_no_other_host_and_run_nothing():
    hostile = (
        "# Title\n\n![x](https://evil.example/x.png) <img src=x onerror=y> <script>z</script>\n\n"
        "[a](javascript:alert(1)) [b](https://example.org) **bold**"
    )
    shown = rendered(hostile, TEXTS["en"])
    assert "<img" not in shown and "<script" not in shown and 'href="javascript' not in shown
    assert "<h1>Title</h1>" in shown and "<strong>bold</strong>" in shown


async def test_a_served_trace_tells_neither_verdicts_nor_policy(desk: Desk):
    (name,) = await asked(desk, 1)
    await desk.workspace.store.add_label(name, serving.whole(EVE.owner, "incorrect", PLAIN, TEXTS["en"]))
    trace = await desk.workspace.store.get(name)
    assert trace is not None
    shown = "".join(str(each) for each in card(serving.unsigned(trace), None, TEXTS["en"]))
    # What is too long to show scrolls on its own, with the keys too.
    assert all(f'<{each} dir="auto" tabindex="0"' in shown for each in ("h2", 'div class="text"'))
    assert "Incorrect" not in shown and ANN.owner not in shown and trace.policy not in shown
