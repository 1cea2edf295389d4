"""The page that is built: strangers spend no real money on it without a cap, and its events stay cheap."""

import asyncio
import sys

import pytest
from gradio.state_holder import SessionState

from orchestra_app.core.errors import ConfigError
from orchestra_app.ui.app import build
from orchestra_app.ui.asking import Desk, begin
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
