"""The page and the command line are two faces of one run."""

import asyncio
import json
from contextlib import aclosing
from typing import Any

from typer.testing import CliRunner

import orchestra_app.__main__  # noqa: F401 - it is what brings the commands together
from orchestra_app.cli.app import app
from orchestra_app.rehearsal.questions import questions
from orchestra_app.ui.asking import Desk, begin
from orchestra_app.ui.visitor import LOCAL, Door, Visitor
from orchestra_app.ui.wish import Wish
from orchestra_app.workspace import Workspace

WISH = Wish(
    question=next(each.text for each in questions("heldout") if each.kind == "twodoc"),
    weights={"gpt-5": 0.9, "search": 0.5},
    budget_cost=0.05,
    seed=7,
)


async def asked_on_the_page() -> dict[str, Any]:
    workspace = await Workspace.open()
    try:
        desk = Desk(workspace, Door(local=True))
        run = await begin(desk, Visitor(LOCAL, True, "en"), WISH, played=False)
        async with aclosing(workspace.runs.watch(run)) as changes:
            async for _ in changes:
                pass
        assert run.trace is not None and run.trace.status == "answered"
        return run.trace.export()
    finally:
        await workspace.aclose()


def without_ids_and_clock(trace: dict[str, Any]) -> dict[str, Any]:
    trace = {key: value for key, value in trace.items() if key not in ("id", "started_at")}
    trace["task"] = {key: value for key, value in trace["task"].items() if key != "id"}
    trace["labels"] = [{**label, "at": None} for label in trace["labels"]]
    return trace


def test_one_seed_gives_the_same_trace_on_the_page_and_on_the_command_line():
    page = asyncio.run(asked_on_the_page())
    arguments = [
        "ask",
        WISH.question,
        "--prefer",
        "gpt-5=0.9",
        "--budget-cost",
        "0.05",
        "--seed",
        "7",
        "--json",
    ]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    typed = json.loads(result.stdout)
    assert without_ids_and_clock(typed) == without_ids_and_clock(page)
    assert len(page["turns"]) >= 2 and page["cost"] > 0
