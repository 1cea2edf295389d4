"""The store on both databases: what goes in comes out, and is found, labelled and deleted."""

import asyncio
import sqlite3
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from storage_rollouts import START, charge, fold, rollout, rollouts, save

from orchestra_app.core.catalog import Catalog, Choice, Model, ToolSpec
from orchestra_app.core.errors import StorageError
from orchestra_app.core.events import CatalogRef, Event, ReplyReceived
from orchestra_app.core.message import Offer
from orchestra_app.core.trace import Label, Trace
from orchestra_app.storage.queries import Filter, Sort
from orchestra_app.storage.store import Store


@pytest.mark.parametrize("name", ["\x00", "".join(map(chr, range(0x4E00, 0x5200)))], ids=["NUL", "long"])
async def test_an_odd_name_of_a_tool_loses_no_trace(store: Store, name: str):
    started, reply, *rest = rollout("odd", turns=1)
    assert isinstance(reply, ReplyReceived)
    calls = tuple(call.model_copy(update={"name": name}) for call in reply.reply.calls)
    odd = reply.model_copy(update={"reply": reply.reply.model_copy(update={"calls": calls})})
    trace = await save(store, [started, odd, *rest])
    assert trace.tool_counts == {name: 1}
    assert await store.get("odd") == trace


@given(rollouts())
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_any_trace_is_rebuilt_exactly(store: Store, events: list[Event]):
    trace = await save(store, events)
    found = await store.get(trace.id)
    assert found == trace == fold(events)
    assert found is not None and found.model_dump_json() == trace.model_dump_json()


async def test_a_schema_is_kept_once_and_its_key_order_comes_back(store: Store, address: str):
    schema = {"type": "function", "function": {"name": "z", "a": 1, "Z": {"b": 1, "a": 2}, "é": "\x00"}}
    events = rollout("one", turns=3)
    events = [
        event.model_copy(update={"offered": (Offer(tool_schema=dict(schema), slider=number / 8),)})
        if event.type == "reply"
        else event
        for number, event in enumerate(events)
    ]
    await save(store, events)
    found = await store.get("one")
    assert found is not None
    assert [repr(turn.offered[0].tool_schema) for turn in found.turns] == [repr(schema)] * 3
    assert [turn.offered[0].slider for turn in found.turns] == [1 / 8, 3 / 8, 5 / 8]
    # The second recording finds the schema in the database and not only in this process.
    again = Store.open(address)
    try:
        await save(again, [events[0].model_copy(update={"trace_id": "two"}), *events[1:]])
        assert (await again.get("two")) == found.model_copy(update={"id": "two"})
    finally:
        again.close()


async def test_half_characters_in_free_arguments_do_not_lose_the_trace(store: Store):
    events = rollout("half")
    for event in events:
        if event.type == "reply":
            event.reply.calls[0].arguments["odd"] = "a\ud800b"  # pyright: ignore
    await save(store, events)
    found = await store.get("half")
    assert found is not None and found.status == "answered"
    assert found.turns[0].reply.calls[0].arguments["odd"] == "a?b"  # pyright: ignore


async def test_arguments_of_many_levels_come_back(store: Store):
    events = rollout("deep")
    nested: list[object] = []
    for _ in range(400):
        nested = [nested]
    for event in events:
        if event.type == "reply":
            event.reply.calls[0].arguments["odd"] = nested  # pyright: ignore
    trace = await save(store, events)
    assert await store.get("deep") == trace


async def test_a_trace_that_no_database_takes_fails_alone(store: Store):
    odd = rollout("odd")
    odd[-1] = odd[-1].model_copy(update={"answer": "a\ud800b"})
    results = await asyncio.gather(
        *(save(store, events) for events in (rollout("a"), odd, rollout("b"))), return_exceptions=True
    )
    assert [type(result) for result in results] == [Trace, StorageError, Trace]
    assert await store.get("b") == results[2]


async def test_a_trace_is_shown_to_its_owner_only(store: Store):
    await save(store, rollout("a", started={"owner": "ann"}))
    assert await store.get("a", owner="ann") is not None
    assert await store.get("a", owner="bob") is None
    assert await store.get("b") is None
    assert await store.delete("a", "bob") is False
    assert await store.delete("a", "ann") is True
    assert await store.get("a") is None


TRACES = {
    "plain": rollout("plain"),
    "dear": rollout("dear", cost=0.5, started={"policy": "gpt-5", "started_at": START + timedelta(days=2)}),
    "chat": rollout("chat", turns=1, started={"catalog": CatalogRef(name="live", hash="x"), "owner": "ann"}),
    "100%_x": rollout("100%_x", started={"started_at": START - timedelta(days=2)}),
    "swept": rollout("swept", turns=9, started={"group": "sweep-1/q1-w1", "owner": "bob", "parent": "plain"}),
    "forked": rollout(
        "forked", turns=5, started={"group": "sweep-1/q2-w1", "owner": "bob", "parent": "x?[*"}
    ),
    "odd": rollout("odd", started={"group": "sweep-1/q1-w2[*?_%]", "owner": "cat\x00", "policy": "\x00"}),
}
OLD = {"plain", "dear", "chat", "100%_x"}
"""Those whose owner is not one of the later ones."""
LATER = {"swept", "forked", "odd"}
WANTED = {
    "everything": (Filter(), OLD | LATER),
    "text": (Filter(text="ORANMORE? (plain"), {"plain"}),
    "text in answer": (Filter(text="answer of dear"), {"dear"}),
    "wild cards are letters": (Filter(text="100%_"), {"100%_x"}),
    "wild card alone": (Filter(text="%%"), set()),
    "backslash": (Filter(text="\\"), set()),
    "no character": (Filter(text="\x00"), set()),
    "catalog": (Filter(catalog="live"), {"chat"}),
    "policy": (Filter(policy="gpt-5"), {"dear"}),
    "a policy that no database takes as it is": (Filter(policy="\x00"), {"odd"}),
    "status": (Filter(status="answered"), OLD | LATER),
    "other status": (Filter(status="failed"), set()),
    "tool": (Filter(tool="search"), {"plain", "dear", "100%_x"} | LATER),
    "part of a tool": (Filter(tool="sea"), set()),
    "owner": (Filter(owner="ann"), {"chat"}),
    "cost from": (Filter(cost_from=0.1), {"dear"}),
    "cost to": (Filter(cost_to=0.1), (OLD | LATER) - {"dear"}),
    "seconds from": (Filter(seconds_from=5), {"swept", "forked"}),
    "seconds from and to": (Filter(seconds_from=1.5, seconds_to=5), (OLD | LATER) - {"chat", "swept"}),
    "since": (Filter(since=START), {"plain", "dear", "chat"} | LATER),
    "until": (Filter(until=START), {"100%_x"}),
    "verdict": (Filter(verdict="correct"), {"plain"}),
    "decided": (Filter(verdict="decided"), {"plain"}),
    "no verdict": (Filter(verdict="unlabelled", owner="local"), {"dear", "100%_x"}),
    "source": (Filter(source="test"), OLD | LATER),
    "other source": (Filter(source="page"), set()),
    "parent": (Filter(parent="plain"), {"swept"}),
    "another's parent": (Filter(parent="plain", owner="local"), set()),
    "odd parent": (Filter(parent="x?[*"), {"forked"}),
    "group": (Filter(group="sweep-1/q1-w1"), {"swept"}),
    "group of a setting": (Filter(group="sweep-1/*-w1"), {"swept", "forked"}),
    "group of a setting, of one owner": (Filter(group="sweep-1/*", owner="cat\x00"), {"odd"}),
    "part of a group": (Filter(group="sweep-1/"), set()),
    "only the first star is wild": (Filter(group="sweep-1/*[*?_%]"), {"odd"}),
    "other wild cards are letters": (Filter(group="sweep_%/q1-w1*"), set()),
    "any group": (Filter(group="*"), LATER),
}


async def test_each_filter_finds_just_its_traces(store: Store):
    for events in TRACES.values():
        await save(store, events)
    await store.add_label("plain", Label(source="human", correct=True, at=START))
    for title, (wanted, names) in WANTED.items():
        assert {row.id for row in await store.list(wanted)} == names, title
        assert await store.count(wanted) == len(names), title


async def test_a_list_is_ordered_by_date_and_cut_into_pages(store: Store):
    for number in range(7):
        await save(store, rollout(f"t{number}", started={"started_at": START + timedelta(hours=number % 5)}))
    whole = [row.id for row in await store.list()]
    assert whole == ["t4", "t3", "t2", "t6", "t1", "t5", "t0"]
    pages = [[row.id for row in await store.list(page=page, size=3)] for page in (1, 2, 3, 4)]
    assert pages == [whole[:3], whole[3:6], whole[6:], []]


SORTED: dict[Sort, list[str]] = {
    "newest": ["t3", "t2", "t1", "t0"],
    "dearest": ["t1", "t2", "t3", "t0"],
    "cheapest": ["t0", "t3", "t2", "t1"],
    "slowest": ["t3", "t0", "t2", "t1"],
}


async def test_a_list_is_sorted_before_it_is_cut_into_pages(store: Store):
    for number, (cost, turns) in enumerate(((0, 5), (0.9, 1), (0.25, 3), (0.1, 6))):
        later = {"started_at": START + timedelta(hours=number)}
        await save(store, rollout(f"t{number}", cost=cost, turns=turns, started=later))
    for sort, names in SORTED.items():
        for wanted in (Filter(), Filter(owner="local", text="Oranmore")):
            pages = [await store.list(wanted, page=page, size=3, sort=sort) for page in (1, 2, 3)]
            assert [[row.id for row in page] for page in pages] == [names[:3], names[3:], []], sort


async def test_of_equal_costs_the_newest_is_first(store: Store):
    for number in range(3):
        await save(store, rollout(f"t{number}", started={"started_at": START + timedelta(hours=number)}))
    for sort in ("dearest", "cheapest", "slowest"):
        assert [row.id for row in await store.list(sort=sort)] == ["t2", "t1", "t0"]


async def test_a_light_row_says_what_the_trace_says(store: Store):
    events = rollout("a", cost=0.1, started={"seed": 7, "group": "g", "parent": "p", "consent": True})
    trace = await save(store, events)
    (row,) = await store.list()
    assert row.cost == trace.cost == 0.1 * 4
    assert (row.id, row.turns, row.seconds) == ("a", 2, trace.seconds)
    assert (row.question, row.answer, row.error) == (trace.task.question, trace.answer, None)
    assert (row.status, row.verdict, row.simulated, row.consent) == ("answered", "unlabelled", True, True)
    assert (row.tools, row.source) == (("answer", "search"), "test")
    assert (row.seed, row.group, row.parent, row.started_at) == (7, "g", "p", START)


async def test_facets_count_every_value(store: Store):
    for events in TRACES.values():
        await save(store, events)
    facets = await store.facets()
    assert facets.catalogs == {"live": 1, "rehearsal": 6}
    assert facets.policies == {"gpt-5": 1, "rules": 5, "\ufffd": 1}
    assert facets.statuses == {"answered": 7}
    assert facets.verdicts == {"unlabelled": 7}
    assert facets.tools == {"answer": 7, "search": 6}
    assert facets.owners == {"ann": 1, "bob": 2, "cat\ufffd": 1, "local": 3}
    of_ann = await store.facets(Filter(owner="ann"))
    assert (of_ann.tools, of_ann.owners) == ({"answer": 1}, {"ann": 1})
    assert (await store.facets(Filter(owner="ann", catalog="rehearsal"))).policies == {}


async def test_facets_follow_every_change(store: Store):
    await save(store, rollout("a"))
    await save(store, rollout("b", turns=1, started={"owner": "ann"}))
    label = await store.add_label("a", Label(source="human", correct=True, at=START))
    assert (await store.facets()).verdicts == {"correct": 1, "unlabelled": 1}
    await store.remove_label(label)
    await store.delete("b", "ann")
    facets = await store.facets()
    assert (facets.verdicts, facets.owners) == ({"unlabelled": 1}, {"local": 1})


async def test_the_verdict_of_a_row_follows_the_labels(store: Store):
    await save(store, rollout("a"))
    judge = Label(source="judge", correct=False, at=START, charge=charge("gpt-5", 0.01), note="\x00")
    human = Label(source="human", correct=True, rating=4, gold="42", at=START, by="ann")
    unsure = human.model_copy(update={"correct": None, "at": START + timedelta(seconds=1)})
    of_call = human.model_copy(update={"call_id": "call 0"})
    numbers, verdicts = [], []
    for label in (of_call, judge, human, unsure):
        numbers.append(await store.add_label("a", label))
        verdicts.append((await store.list())[0].verdict)
    assert verdicts == ["unlabelled", "incorrect", "correct", "unsure"]
    assert await store.labels("a") == dict(zip(numbers, (of_call, judge, human, unsure), strict=True))
    found = await store.get("a")
    assert found is not None and found.labels == [of_call, judge, human, unsure]
    assert await store.remove_label(numbers[3]) is True
    assert await store.remove_label(numbers[3]) is False
    assert (await store.list())[0].verdict == "correct"


async def test_labels_given_at_once_are_all_kept(store: Store):
    await save(store, rollout("a"))
    labels = [Label(source="human", correct=n == 9, at=START + timedelta(seconds=n)) for n in range(10)]
    await asyncio.gather(*(store.add_label("a", label) for label in labels))
    assert len(await store.labels("a")) == 10
    assert (await store.list())[0].verdict == "correct"


async def test_a_label_on_nothing_is_refused(store: Store):
    with pytest.raises(StorageError, match="no trace"):
        await store.add_label("none", Label(source="human", at=START))


async def test_deleting_a_trace_takes_its_turns_and_labels_along(store: Store):
    trace = await save(store, rollout("a"))
    number = await store.add_label("a", Label(source="human", at=START))
    assert await store.delete("a", "local")
    assert await store.remove_label(number) is False
    # The same id can be used again and begins empty.
    assert await save(store, rollout("a")) == trace
    assert await store.get("a") == trace


async def test_a_catalogue_is_kept_under_its_hash(store: Store):
    tool = ToolSpec(kind="answer", title="A", description="", choices={"a": Choice(model="m", latency=1)})
    catalog = Catalog(name="small", title="Small", models={"m": Model()}, tools={"answer": tool})
    # The first runs over a new catalogue may all want to keep it.
    await asyncio.gather(*(store.save_catalog(catalog) for _ in range(8)))
    assert await store.catalog(catalog.hash) == catalog
    assert await store.catalog("0") is None


@pytest.mark.parametrize("damage", ["UPDATE turn SET body = '{'", "DELETE FROM event"])
async def test_a_damaged_trace_is_a_sentence_that_names_it(tmp_path, damage: str):
    store = Store.open(tmp_path)
    try:
        await save(store, rollout("broken"))
        await save(store, rollout("whole", turns=0))
        connection = sqlite3.connect(tmp_path / "orchestra.db")
        with connection:
            connection.execute(damage + " WHERE trace_id = 'broken'")
        connection.close()
        with pytest.raises(StorageError, match="Trace broken is damaged"):
            await store.get("broken")
        assert (await store.get("whole")) is not None
    finally:
        store.close()
