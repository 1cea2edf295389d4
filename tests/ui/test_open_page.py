"""The page that is built: strangers spend no real money on it without a cap, and its events stay cheap."""

import asyncio
import sys
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio.state_holder import SessionState

from orchestra_app.core.errors import ConfigError
from orchestra_app.ui.app import build
from orchestra_app.ui.asking import Desk, begin
from orchestra_app.ui.follow import follow, kept
from orchestra_app.ui.pages.ask import ask_page, offered, settled, started
from orchestra_app.ui.pages.study_shown import Mixed
from orchestra_app.ui.visitor import Door, Visitor
from orchestra_app.ui.wish import Wish
from orchestra_app.workspace import Workspace

STRANGER = Visitor("visitor:1", False, "en")
WISH = Wish(question="What is 6 * 7?")


async def test_without_a_daily_cap_strangers_get_the_rehearsal_only(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-never-used")
    workspace = await Workspace.open()
    try:
        desk = Desk(workspace, Door(local=False))
        with pytest.raises(ConfigError, match="ORCHESTRA_DAILY_CAP"):
            await begin(desk, STRANGER, WISH, catalog="live", policy="cheapest")
        run = await begin(desk, STRANGER, WISH, catalog="rehearsal", played=False)
        async for _ in workspace.runs.watch(run):
            pass
        assert run.trace is not None and run.trace.status == "answered"
    finally:
        await workspace.aclose()


async def test_one_visitor_has_only_so_many_runs_under_way():
    workspace = await Workspace.open()
    try:
        desk = Desk(workspace, Door(local=False))
        for _ in range(3):
            await begin(desk, STRANGER, WISH)
        with pytest.raises(ConfigError, match="3 questions under way"):
            await begin(desk, STRANGER, WISH)
    finally:
        await workspace.aclose()


async def test_no_event_makes_gradio_copy_the_state_of_what_it_writes_to():
    workspace = await Workspace.open()
    try:
        page = build(workspace)
        assert page.fns and all(event.show_progress_on == [] for event in page.fns.values())
    finally:
        await workspace.aclose()


async def test_what_is_chosen_while_its_like_is_under_way_is_not_left_out_but_a_button_acts_once():
    workspace = await Workspace.open()
    try:
        page = build(workspace)
        taken: dict[tuple[str, str], list[str]] = {}
        for event in page.fns.values():
            for target, kind in event.targets if event.fn else ():
                name = str(getattr(page.blocks.get(target or -1), "elem_id", None) or target)
                taken.setdefault((name, kind), []).append(str(event.trigger_mode))
            # Gradio may tell twice of a state's change, and what is drawn twice loses what was set on it.
            assert not (event.renderable and isinstance(page.blocks[event.targets[0][0] or -1], gr.State))
        assert taken["frontier-source", "input"] == taken["train-catalog", "input"] == ["always_last"]
        assert taken["frontier-launch", "click"] == taken["delete-yes", "click"] == ["once"]
        assert {event.trigger_mode for event in page.fns.values() if event.trigger_after and event.fn} == {
            "multiple"
        }
        # Of two listeners that wait until the other is done, each would wake the other for ever.
        del taken["None", "then"]
        assert {name: modes for name, modes in taken.items() if modes.count("always_last") > 1} == {}
    finally:
        await workspace.aclose()


async def test_a_page_that_nobody_has_open_wakes_the_machine_less_often(monkeypatch):
    workspace = await Workspace.open()
    try:
        queue, slept = build(workspace)._queue, []

        async def sleep(seconds: float) -> None:
            slept.append(seconds)
            queue.stopped = True

        with monkeypatch.context() as patched:
            patched.setattr(asyncio, "sleep", sleep)
            await queue.start_processing()
        assert slept == [0.005]
    finally:
        await workspace.aclose()


async def test_two_mixers_of_one_page_are_drawn_at_once_and_neither_fails():
    workspace = await Workspace.open()
    quick, page = sys.getswitchinterval(), build(workspace)
    sys.setswitchinterval(1e-5)
    try:
        catalog = workspace.catalog("rehearsal")
        asked = {"catalog": "rehearsal", "obstacles": {}, "language": "en"}
        drawings = [event for event in page.fns.values() if event.renderable]
        wanted = (asked, Mixed(catalog, {}, {}, "en"))
        for _ in range(12):
            session = SessionState(page)
            for event, value in zip(drawings, wanted, strict=True):
                session[event.inputs[0]._id] = value
            drawn = await asyncio.gather(
                *(
                    page.process_api(event, [None], state=session, in_event_listener=True)
                    for event in drawings
                )
            )
            for each in drawn:
                kinds = [component["type"] for component in each["render_config"]["components"]]
                assert kinds.count("slider") == len(catalog.sliders)
    finally:
        sys.setswitchinterval(quick)
        await workspace.aclose()


async def test_a_trace_whose_opening_is_told_twice_draws_its_mixer_once():
    workspace = await Workspace.open()
    try:
        page = build(workspace)
        run = await begin(Desk(workspace, Door(local=True)), Visitor("local", True, "en"), WISH, played=False)
        async for _ in workspace.runs.watch(run):
            pass
        settle = next(
            event
            for event in page.fns.values()
            if event.name == "settle" and "study-judged" in {each.elem_id for each in event.outputs}
        )
        mixed = next(
            fn.inputs[0] for fn in page.fns.values() if fn.renderable and fn.inputs[0] in settle.outputs
        )
        session = SessionState(page)
        asked: Any = SimpleNamespace(
            session_hash="one", headers={"host": "localhost"}, client=SimpleNamespace(host="127.0.0.1")
        )

        signal = [each.elem_id for each in settle.outputs].index("study-mixing")

        async def told(trace_id: str) -> tuple[Any, Any]:
            """Return for what the mixer is drawn, and what the page is sent to draw it."""
            session[settle.inputs[0]._id] = trace_id
            done = await page.process_api(settle, [None, None], state=session, request=asked)
            return session[mixed._id], done["data"][signal]

        first, sent = await told(run.id)
        again, nothing = await told(run.id)
        assert isinstance(first, Mixed) and again is first and "key" in sent and "key" not in nothing
        for other in ("", "none such"):
            gone, sent_then = await told(other)
            assert gone is None and sent_then is None
        back, anew = await told(run.id)
        assert isinstance(back, Mixed) and anew["key"] != sent["key"]
    finally:
        await workspace.aclose()


async def test_every_menu_of_policies_is_filled_anew_when_a_tab_that_holds_it_is_turned_to():
    workspace = await Workspace.open()
    try:
        page = build(workspace)
        turned = {
            (target, output.elem_id)
            for event in page.fns.values()
            for target, kind in event.targets
            if kind == "select"
            for output in event.outputs
        }
        for menu in ("policy", "frontier-policies", "blind-policy-one", "blind-policy-other"):
            place = next(block for block in page.blocks.values() if block.elem_id == menu)
            around = []
            while place := place.parent:
                around += [place._id] if isinstance(place, gr.Tab) else []
            assert around and all((tab, menu) in turned for tab in around), menu
    finally:
        await workspace.aclose()


async def test_a_policy_that_is_gone_gives_its_place_to_the_default_and_every_menu_shows_titles():
    workspace = await Workspace.open()
    try:
        desk, page = Desk(workspace, Door(local=True)), build(workspace)
        with gr.Blocks():
            asking = ask_page(gr.BrowserState({}), [("", "rehearsal")])
        for chosen, kept in (("rules", "rules"), ("job-20-gone", "small"), (None, "small")):
            again = (await offered(desk, asking, "rehearsal", chosen))[asking.settings.policy]
            given = again.constructor_args
            # One that is still there is not named, so that another which was chosen meanwhile stays.
            assert given.get("value", chosen) == kept and kept in dict(given["choices"]).values()
            assert ("value" in given) == (chosen != kept)
        title = workspace.catalog("rehearsal").title
        menus = {"catalog", "blind-catalog", "frontier-catalog", "train-catalog", "catalog-shown"}
        shown = {
            block.elem_id
            for block in page.blocks.values()
            if (title, "rehearsal") in getattr(block, "choices", ())
        }
        assert menus <= shown
    finally:
        await workspace.aclose()


async def test_a_page_asks_nothing_else_while_its_run_lasts_and_clears_what_was_refused_at_its_end():
    workspace = await Workspace.open()
    try:
        desk = Desk(workspace, Door(local=True))
        with gr.Blocks():
            page = ask_page(gr.BrowserState({}), [("", "rehearsal")])
        begun = await started(desk, page, STRANGER, ("rehearsal", "small"), {}, WISH)
        assert not begun[page.ask].interactive and begun[page.stop].interactive
        run, outputs = begun[page.current], set(page.view.outputs)
        meanwhile = settled(desk, page, STRANGER, run)
        assert not meanwhile[page.ask].interactive and page.problem not in meanwhile
        shown = [each async for each in follow(desk, STRANGER, run, page.view)]
        # What is skipped is made anew by Gradio, which takes longer than to give it again.
        assert len(shown) > 1 and all(set(values) == outputs for values in shown)
        first, later = [
            await kept(desk, STRANGER, run, page.view, first=first, rest=not first) for first in (True, False)
        ]
        assert first | later == shown[-1]
        ended = settled(desk, page, STRANGER, run)
        refused = await started(desk, page, STRANGER, ("nothing", "small"), {}, WISH)
        told = settled(desk, page, STRANGER, run)
        for after in (ended, told):
            assert after[page.ask].interactive and not after[page.stop].interactive
        assert ended[page.problem] is None and told[page.problem] == refused[page.problem] is not None
        # Nothing was shown and nothing asked: what an address that leads nowhere was told stays.
        assert page.problem not in settled(desk, page, STRANGER, "")
    finally:
        await workspace.aclose()


async def test_what_a_followed_run_sent_while_its_page_was_left_is_taken_back():
    workspace = await Workspace.open()
    try:
        handlers = {event.fn.__qualname__: event.fn for event in build(workspace).fns.values() if event.fn}
        here = SimpleNamespace(host="127.0.0.1")
        request = SimpleNamespace(session_hash="page", headers={"host": "127.0.0.1"}, client=here)
        desk = Desk(workspace, Door(local=True))
        run = await begin(desk, desk.door.visitor(request, None), WISH, catalog="rehearsal")
        headline = []
        followed = handlers["wire_study.<locals>.attach"](request, {"run": run.id}, None, {}, {})
        async with aclosing(followed) as shown:
            async for values in shown:
                headline += [value for part, value in values.items() if part.elem_id == "trace-headline"]
                if len(headline) == 2:
                    handlers["wire_traces.<locals>.turn_back"](request)
                if len(headline) > 2:
                    break
        assert all(headline[:2]) and headline[2] is None
        run.halt()
    finally:
        await workspace.aclose()
