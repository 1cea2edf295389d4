"""Blind duels: the order is random and hidden until the vote; forged or second votes count for nothing."""

import random
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from orchestra_app.core.errors import ConfigError
from orchestra_app.ui import duels
from orchestra_app.ui.asking import Desk
from orchestra_app.ui.duels import Asked, Duel, Duels, Setting, setting_of
from orchestra_app.ui.pages.ask import ask_page, started
from orchestra_app.ui.pages.blind import BlindPage, blind_page
from orchestra_app.ui.pages.blind_events import attached, offered, shown, voted, wire_blind
from orchestra_app.ui.visitor import Door, Visitor
from orchestra_app.ui.wish import Wish
from orchestra_app.workspace import Workspace

ANN, EVE = (Visitor(name, False, "en") for name in ("visitor:ann", "visitor:eve"))
ADMIN = Visitor("local", True, "en")
ONE, OTHER = Setting("rules", "frugal"), Setting("best-expert", "best")


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    workspace = await Workspace.open()
    yield Desk(workspace, Door(local=False))
    await workspace.aclose()


def laid_out() -> BlindPage:
    with gr.Blocks():
        return blind_page(gr.BrowserState({}), [("rehearsal", "rehearsal")])


async def dueled(desk: Desk, known: Duels, visitor: Visitor = ANN, **asked: Any) -> Duel:
    wanted = {"question": "What is 6 * 7?", "catalog": "rehearsal", "settings": (ONE, OTHER)} | asked
    duel = await duels.start(desk, known, visitor, Asked(**wanted))
    await duels.finished(desk, visitor, duel)
    return duel


async def test_the_coin_puts_each_setting_first_about_as_often(desk: Desk):
    known = Duels(random.Random(3))
    first = [(await dueled(desk, known)).settings[0] for _ in range(12)]
    assert {ONE, OTHER} == set(first) and 2 <= first.count(ONE) <= 10


async def test_nothing_that_is_shown_before_the_vote_tells_a_setting_and_everything_after_it(
    desk: Desk,
):
    known, laid = Duels(random.Random(1)), laid_out()
    duel = await dueled(desk, known)
    before = "".join([str(list(each.values())) async for each in attached(desk, known, laid, ANN, duel.id)])
    hidden = ("rules", "best-expert", "Frugal", "Best", "$", "Open the trace", *duel.runs)
    assert "42" in before and not [each for each in hidden if each in before]
    after = str(list((await voted(desk, known, laid, ANN, duel.id, "a")).values()))
    assert not [each for each in ("rules", "best-expert", "$", *duel.runs) if each not in after]
    assert str(list((await shown(desk, laid, ANN, duel)).values())).count("Open the trace") == 2


async def test_the_answers_of_an_earlier_pair_never_stand_above_the_votes_of_a_later_one(desk: Desk):
    known, laid = Duels(), laid_out()
    with gr.Blocks() as blocks:
        tabs = gr.Tab(), gr.Tab()
        laid = blind_page(gr.BrowserState({}), [("rehearsal", "rehearsal")])
        wire_blind(desk, laid, tabs=tabs, known=known)
    modes = {each.trigger_mode: each.fn for each in blocks.fns.values() if each.name == "attach"}
    attach: Any = modes["multiple"]
    request = SimpleNamespace(session_hash="page", headers={}, client=None)
    stored = {"token": "0" * 32}
    who = desk.door.visitor(request, stored["token"])
    first, second = await dueled(desk, known, who), await dueled(desk, known, who, question="What is 6 * 8?")
    earlier, later = (attach(request, stored, each.id) for each in (first, second))
    for each in (earlier, later, later):
        values = await anext(each)
    assert "48" in str(values)
    assert not [each async for each in earlier]


async def test_a_vote_is_the_owners_one_real_choice_and_counts_once(desk: Desk):
    known = Duels()
    duel = await dueled(desk, known)
    forged: list[tuple[Visitor, Any, Any]] = [
        (EVE, duel.id, "a"),
        (ADMIN, duel.id, "a"),
        (ANN, "nothing", "a"),
        (ANN, None, "a"),
        (ANN, {"id": duel.id}, "a"),
        (ANN, duel.runs[0], "a"),
        (ANN, duel.id, "c"),
        (ANN, duel.id, ["a"]),
    ]
    for visitor, name, choice in forged:
        with pytest.raises(ConfigError):
            await duels.say(desk, known, visitor, name, choice)
    assert not await desk.workspace.store.votes()
    await duels.say(desk, known, ANN, duel.id, "both bad")
    with pytest.raises(ConfigError, match="does not count"):
        await duels.say(desk, known, ANN, duel.id, "a")
    (vote,) = (await desk.workspace.store.votes()).values()
    assert (vote.a, vote.b, vote.choice, vote.by) == (*duel.runs, "both bad", ANN.owner)


async def test_a_vote_that_was_taken_back_is_gone_and_cannot_be_given_again(desk: Desk):
    known = Duels()
    duel = await dueled(desk, known)
    await duels.say(desk, known, ANN, duel.id, "b")
    with pytest.raises(ConfigError):
        await duels.take_back(desk, known, EVE, duel.id)
    await duels.take_back(desk, known, ANN, duel.id)
    assert not await desk.workspace.store.votes() and not await duels.table(desk, known, ANN)
    for again in (duels.say(desk, known, ANN, duel.id, "b"), duels.take_back(desk, known, ANN, duel.id)):
        with pytest.raises(ConfigError):
            await again


async def test_a_deleted_answer_and_a_duel_from_before_a_restart_are_told_in_a_sentence(desk: Desk):
    known, laid = Duels(), laid_out()
    duel = await dueled(desk, known)

    async def told(after: Duels) -> str:
        return str([values async for values in attached(desk, after, laid, ANN, duel.id)])

    assert "started anew" in await told(Duels())
    await desk.workspace.store.delete(duel.runs[0], ANN.owner)
    assert "was deleted" in await told(known)


async def test_the_table_tells_who_won_whatever_stood_first_and_visitors_see_their_own(desk: Desk):
    known = Duels()
    for _ in range(3):
        duel = await dueled(desk, known)
        await duels.say(desk, known, ANN, duel.id, "a" if duel.settings[0] == ONE else "b")
    (found,) = await duels.table(desk, known, ANN)
    assert found.second == "rules · Frugal · rehearsal" and (found.wins, found.losses) == (0, 3)
    assert found.cost and found.cost.mean < 0, "the dear expert saves nothing"
    assert not await duels.table(desk, known, EVE)
    assert (await duels.table(desk, known, ADMIN))[0].count == 3


async def test_traces_know_their_preset_again_and_two_drawn_settings_differ(desk: Desk):
    known = Duels(random.Random(5))
    for _ in range(4):
        duel = await dueled(desk, known, settings=None, consent=True)
        assert duel.settings[0] != duel.settings[1]
        for name, setting in zip(duel.runs, duel.settings, strict=True):
            trace = await desk.workspace.store.get(name)
            assert trace and trace.consent and trace.owner == ANN.owner
            assert setting_of(trace, await desk.workspace.store.catalog(trace.catalog.hash)) == setting


@pytest.mark.parametrize(
    "asked",
    [
        {"settings": (ONE, ONE)},
        {"settings": (ONE, Setting("nobody", "best"))},
        {"settings": (ONE, Setting("rules", "quick' --"))},
        {"question": "  "},
        {"question": {"a": 1}},
        {"catalog": "nowhere"},
    ],
)
async def test_what_cannot_be_asked_runs_nothing(desk: Desk, asked: dict[str, Any]):
    with pytest.raises(ConfigError):
        await dueled(desk, Duels(), **asked)
    assert not await desk.workspace.store.count() and not desk.workspace.runs.active()


def test_nobody_can_make_others_lose_their_duel():
    known = Duels()

    def begun(name: str, owner: str) -> Duel:
        duel = Duel(name, owner, ("a", "b"), (ONE, OTHER))
        known.add(duel)
        return duel

    begun("first", ANN.owner)
    for number in range(duels.KEPT):
        begun(f"eve-{number}", EVE.owner)
    assert known.find(ANN, "first") and known.find(EVE, f"eve-{duels.KEPT - 1}")
    with pytest.raises(ConfigError):
        known.find(EVE, "eve-0")
    begun("told", EVE.owner).revealed = True
    for number in range(duels.KEPT):
        begun(f"other-{number}", f"visitor:{number}")
        if number == duels.KEPT - 25:
            # All are kept up to here but the one whose settings were told already.
            assert known.find(ANN, "first")
    with pytest.raises(ConfigError):
        known.find(EVE, "told")


async def test_what_was_chosen_in_the_menus_stays_where_it_can_be_used(desk: Desk):
    page = laid_out()
    again = await offered(desk, page, "rehearsal", ("rules", "nobody"))
    # One that is still there is not named, so that another which was chosen meanwhile stays.
    assert [again[menu].constructor_args.get("value") for menu in page.policies] == [None, "small"]


async def test_a_refused_question_leaves_the_run_on_the_page_with_its_buttons(desk: Desk):
    with gr.Blocks():
        page = ask_page(gr.BrowserState({}), [("rehearsal", "rehearsal")])
    refused = await started(desk, page, ANN, ("rehearsal", "nobody"), {}, Wish(question="What is 6 * 7?"))
    assert "nobody" in str(refused[page.problem]) and page.current not in refused
