"""The list of traces: whose it shows, what its marks lead to, and what an empty one offers."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import gradio as gr
import pytest

from orchestra_app.core.errors import ConfigError
from orchestra_app.storage.queries import Summary
from orchestra_app.ui.asking import Desk, find, look
from orchestra_app.ui.listing import listing, person, short
from orchestra_app.ui.pages.traces import PAGE, TracesPage, listed, restored, traces_page
from orchestra_app.ui.pages.traces_filters import marks
from orchestra_app.ui.texts import TEXTS
from orchestra_app.ui.visitor import Door, Visitor
from orchestra_app.workspace import Workspace
from tests.storage.storage_rollouts import START, fold, rollout

EN = TEXTS["en"]
ANN, BOB, ADMIN = (Visitor(f"hf:{name}", name == "root", "en") for name in ("ann", "bob", "root"))
NASTY = '<img src=x onerror="hurt()">/x'


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    workspace = await Workspace.open()
    made = [
        rollout(
            f"a{number}",
            cost=number / 1000,
            started={"owner": ANN.owner, "started_at": START + timedelta(hours=number)},
        )
        for number in range(PAGE + 3)
    ]
    made.append(rollout("b", started={"owner": BOB.owner, "parent": "c", "group": "g/1"}))
    await workspace.store.insert([fold(events) for events in made])
    yield Desk(workspace, Door(local=False))
    await workspace.aclose()


@pytest.fixture
async def kept() -> TracesPage:
    # Where no loop runs, Gradio makes one and leaves it open.
    with gr.Blocks():
        return traces_page(gr.BrowserState({}))


async def shown(desk: Desk, kept: TracesPage, visitor: Visitor, **values: Any) -> tuple[str, str]:
    """Return the rows and the link of the list."""
    drawn = await listed(desk, kept, visitor, values)
    return "".join(drawn[kept.rows]["parts"]), drawn[kept.address]["link"]


async def test_visitors_see_their_own_and_an_admin_sees_everybodys(desk: Desk, kept: TracesPage):
    forged = {"who": BOB.owner, "parent": "c", "group": "g/*"}
    assert 'data-id="a1"' not in (await shown(desk, kept, BOB, who=ANN.owner))[0]
    assert 'class="empty"' in (await shown(desk, kept, ANN, **forged, owner=BOB.owner))[0]
    assert 'data-id="b"' in (await shown(desk, kept, ADMIN, sort="cheapest"))[0]
    assert 'data-id="b"' not in (await shown(desk, kept, ADMIN, who=ANN.owner))[0]


async def test_an_answer_that_a_page_has_asked_past_changes_nothing(desk: Desk, kept: TracesPage):
    here, there = (Visitor(ANN.owner, False, "en", page) for page in ("one", "two"))
    asked = (listed(desk, kept, here, {"text": text}) for text in ("", "nothing"))
    old, new, other = await asyncio.gather(*asked, listed(desk, kept, there, {}))
    assert list(old) == [kept.problem]
    assert 'class="empty"' in "".join(new[kept.rows]["parts"])
    assert kept.rows in other


async def test_an_admin_looks_at_everybodys_traces_but_has_only_their_own(desk: Desk):
    assert (await look(desk, ADMIN, "a1")).owner == ANN.owner
    assert (await look(desk, ANN, "a1")).owner == ANN.owner
    odds = ("none", "\ud800", "a\0b", "", "x" * 300, None)
    for refused in (
        look(desk, BOB, "a1"),
        find(desk, ADMIN, "a1"),
        *(look(desk, ADMIN, odd) for odd in odds),
    ):
        with pytest.raises(ConfigError, match="There is no trace"):
            await refused
    assert await desk.workspace.store.delete("a1", ADMIN.owner) is False


async def test_the_address_says_what_is_shown(desk: Desk, kept: TracesPage):
    rows, address = await shown(desk, kept, ANN, sort="dearest", number="999", text=" oranmore ")
    assert address == "?tab=traces&text=oranmore&sort=dearest&number=2"
    assert rows.count('class="trace"') == 3 and 'data-id="a0"' in rows


async def test_a_link_fills_the_form_and_menus_keep_what_has_no_trace(desk: Desk, kept: TracesPage):
    query = {
        "policy": "ghost",
        "verdict": "no",
        "cost_from": "x",
        "group": "g",
        "sort": "cheapest",
        "odd": "1",
    }
    values = await restored(desk, kept, ANN, query)
    fields, only = kept.filters.fields, kept.filters.only
    menu = values[fields["policy"]]
    assert menu.value == "ghost" and ("ghost (0)", "ghost") in menu.choices
    assert (f"rules ({PAGE + 3})", "rules") in menu.choices
    assert values[fields["verdict"]].value == "" and values[fields["cost_from"]] == ""
    assert values[only] == {"group": "g"} and values[fields["sort"]] == "cheapest"
    assert not values[fields["who"]].visible
    assert (await restored(desk, kept, ADMIN, {}))[fields["who"]].visible


def summary(**other: Any) -> Summary:
    return Summary(
        **{
            **dict.fromkeys(("id", "question", "policy", "catalog", "catalog_hash", "source"), "x"),
            **dict.fromkeys(("answer", "error", "parent", "group", "seed"), None),
            **dict.fromkeys(("cost", "seconds", "turns"), 1),
            **{"status": "answered", "verdict": "unlabelled", "protocol": "packed", "tools": ()},
            **{"simulated": True, "owner": "local", "consent": False, "started_at": START},
            **other,
        }
    )


def test_a_row_names_its_parent_and_its_group_and_nothing_where_it_has_none():
    html = str(listing([summary(parent="f" * 32, group="sweep-1/q-w")], EN, filtered=False, you="local"))
    assert 'data-action="open" data-id="ffffffffffffffffffffffffffffffff"' in html
    assert "fork of ffffffff<" in html
    assert 'data-action="group" data-id="sweep-1/q-w"' in html and "group sweep-1<" in html
    assert "kin" not in str(listing([summary()], EN, filtered=False))


def test_the_owner_stands_beside_the_traces_of_others():
    rows = [summary(owner="local"), summary(owner="hf:ann"), summary(owner="visitor:0123456789ab")]
    html = str(listing(rows, EN, filtered=False, you="local"))
    assert html.count('class="who"') == 2 and ">ann<" in html and ">visitor 01234567<" in html
    assert person("local", "local", EN) == "you" and person("odd", None, EN) == "odd"


def test_an_empty_list_offers_what_to_do():
    assert 'data-action="ask"' in listing([], EN, filtered=False)
    assert 'data-action="clear"' in listing([], EN, filtered=True)


def test_marks_and_names_stay_text():
    made = [listing([summary(parent=NASTY, group=NASTY, owner=NASTY)], EN, filtered=True, you="me")]
    made += marks({"group": NASTY, "parent": NASTY, "source": NASTY}, ("cost_from",), EN)["parts"]
    html = "".join(map(str, made))
    assert "<img" not in html and html.count('data-action="drop"') == 3 and EN["filter_from"] in html
    assert len(short("y" * 200)) == 32
