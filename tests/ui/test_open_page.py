"""The page that is built: strangers spend no real money on it without a cap, and its events stay cheap."""

import pytest

from orchestra_app.core.errors import ConfigError
from orchestra_app.ui.app import build
from orchestra_app.ui.asking import Desk, begin
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
