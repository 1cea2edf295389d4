"""`orchestra traces` and `orchestra label`: what was asked before, and whether it was right."""

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from orchestra_app.cli.app import app, command, console, opened
from orchestra_app.cli.view import draw
from orchestra_app.core.errors import ConfigError
from orchestra_app.core.trace import Label, Trace
from orchestra_app.storage.queries import Filter
from orchestra_app.workspace import Workspace

traces = typer.Typer(help="List and show saved traces.", no_args_is_help=True)
app.add_typer(traces, name="traces")

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


@traces.command("list")
@command
async def list_traces(
    text: Annotated[str, typer.Option(help="Part of the question or the answer.")] = "",
    policy: Annotated[str | None, typer.Option()] = None,
    catalog: Annotated[str | None, typer.Option()] = None,
    page: Annotated[int, typer.Option(min=1)] = 1,
    size: Annotated[int, typer.Option(min=1, max=500)] = 20,
    as_json: JsonOption = False,
) -> None:
    """List saved traces, the newest first."""
    async with opened() as workspace:
        wanted = Filter(text=text, policy=policy, catalog=catalog)
        found = await workspace.store.list(wanted, page=page, size=size)
    if as_json:
        rows = [asdict(each) | {"started_at": each.started_at.isoformat()} for each in found]
        sys.stdout.write(json.dumps(rows, ensure_ascii=False) + "\n")
        return
    if not found:
        console.print('No traces yet. Ask something: orchestra ask "What is 6 * 7?"', markup=False)
        return
    table = Table(box=None, header_style="dim")
    for name in ("id", "started", "status", "verdict", "$", "s", "policy", "question"):
        table.add_column(name, no_wrap=name != "question", min_width=32 if name == "id" else None)
    for each in found:
        started = each.started_at.strftime("%Y-%m-%d %H:%M")
        cells = (each.id, started, each.status, each.verdict, f"{each.cost:.5f}", f"{each.seconds:.1f}")
        table.add_row(*cells, Text(each.policy), Text(each.question[:80]))
    console.print(table)


@traces.command("show")
@command
async def show(
    trace_id: Annotated[str, typer.Argument(help="The trace's id.")], as_json: JsonOption = False
) -> None:
    """Show one trace."""
    async with opened() as workspace:
        trace = await existing(workspace, trace_id)
    if as_json:
        sys.stdout.write(json.dumps(trace.export(), ensure_ascii=False) + "\n")
    else:
        console.print(draw(trace))


@app.command()
@command
async def label(
    trace_id: Annotated[str, typer.Argument(help="The trace's id.")],
    correct: Annotated[bool, typer.Option("--correct")] = False,
    incorrect: Annotated[bool, typer.Option("--incorrect")] = False,
    unsure: Annotated[bool, typer.Option("--unsure")] = False,
    gold: Annotated[str | None, typer.Option(help="The right answer, if known.")] = None,
    note: Annotated[str | None, typer.Option()] = None,
) -> None:
    """Say whether a trace's answer was right."""
    if correct + incorrect + unsure != 1:
        raise ConfigError("Give exactly one of --correct, --incorrect and --unsure.")
    verdict = None if unsure else correct
    async with opened() as workspace:
        trace = await existing(workspace, trace_id)
        made = Label(source="human", correct=verdict, gold=gold, note=note, by="local", at=datetime.now(UTC))
        await workspace.store.add_label(trace.id, made)
    console.print(f"Trace {trace.id} is labelled.", markup=False)


async def existing(workspace: Workspace, trace_id: str) -> Trace:
    """Return a saved trace; raises ConfigError where there is none."""
    trace = await workspace.store.get(trace_id)
    if trace is None:
        raise ConfigError(
            f"There is no trace {trace_id[:80]!r}; `orchestra traces list` shows those there are."
        )
    return trace
