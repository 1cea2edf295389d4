"""`orchestra traces` and `orchestra label`: what was asked before, and whether it was right."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from orchestra_app.cli.app import app, command, console, opened, print_json
from orchestra_app.cli.view import draw, draw_end, draw_summary
from orchestra_app.core.errors import ConfigError
from orchestra_app.core.events import Status
from orchestra_app.core.trace import Label, Trace
from orchestra_app.dataset.telemetry import Telemetry, configured
from orchestra_app.storage.queries import Filter, Verdict
from orchestra_app.workspace import Workspace

traces = typer.Typer(help="List and show saved traces.", no_args_is_help=True)
app.add_typer(traces, name="traces")

SENT_AT_ONCE = 20
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


@traces.command("list")
@command
async def list_traces(
    text: Annotated[str, typer.Option(help="Part of the question or the answer.")] = "",
    policy: Annotated[str | None, typer.Option(help="Only those that this policy conducted.")] = None,
    catalog: Annotated[str | None, typer.Option(help="Only those of this catalogue.")] = None,
    status: Annotated[Status | None, typer.Option(help="Only those that ended so.")] = None,
    verdict: Annotated[Verdict | None, typer.Option(help="Only those with this verdict.")] = None,
    page: Annotated[int, typer.Option(min=1, max=1_000_000)] = 1,
    size: Annotated[int, typer.Option(min=1, max=500)] = 20,
    as_json: JsonOption = False,
) -> None:
    """List saved traces, the newest first."""
    wanted = Filter(text=text, policy=policy, catalog=catalog, status=status, verdict=verdict)
    async with opened() as workspace:
        found = await workspace.store.list(wanted, page=page, size=size)
    if as_json:
        print_json([asdict(each) | {"started_at": each.started_at.isoformat()} for each in found])
    elif found:
        for each in found:
            console.print(draw_summary(each), soft_wrap=True)
    elif wanted == Filter() and page == 1:
        console.print('No traces yet. Ask something: orchestra ask "What is 6 * 7?"', markup=False)
    else:
        console.print("No trace fits.")


@traces.command("send")
@command
async def send(
    ids: Annotated[list[str] | None, typer.Argument(help="Ids of traces; none: all that are over.")] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(help="The collector's address for traces, such as http://localhost:4318/v1/traces."),
    ] = None,
) -> None:
    """Send traces to an OpenTelemetry collector; without --endpoint, to the one the environment names."""
    if endpoint is None and not configured():
        raise ConfigError("Name a collector with --endpoint, or set OTEL_EXPORTER_OTLP_ENDPOINT.")
    telemetry = Telemetry(endpoint)
    sent = 0
    try:
        async with opened() as workspace:
            wanted = await _named(workspace, ids) if ids else await workspace.store.ids()
            for start in range(0, len(wanted), SENT_AT_ONCE):
                found = await workspace.store.traces(wanted[start : start + SENT_AT_ONCE])
                over = [trace for trace in found.values() if trace.status != "running"]
                await telemetry.send(over)
                sent += len(over)
    finally:
        await telemetry.aclose()
    console.print(f"Sent {sent} of {len(wanted)} traces.")


async def _named(workspace: Workspace, ids: list[str]) -> tuple[str, ...]:
    """Return each id once; raises ConfigError for one that no trace has."""
    return tuple([(await existing(workspace, each)).id for each in dict.fromkeys(ids)])


@traces.command("show")
@command
async def show(
    trace_id: Annotated[str, typer.Argument(help="The trace's id.")], as_json: JsonOption = False
) -> None:
    """Show one trace."""
    async with opened() as workspace:
        trace = await existing(workspace, trace_id)
    if as_json:
        print_json(trace.export())
    else:
        console.print(draw(trace))
        console.print(draw_end(trace))


@app.command()
@command
async def label(
    trace_id: Annotated[str, typer.Argument(help="The trace's id.")],
    correct: Annotated[bool, typer.Option("--correct", help="The answer was right.")] = False,
    incorrect: Annotated[bool, typer.Option("--incorrect", help="The answer was wrong.")] = False,
    unsure: Annotated[bool, typer.Option("--unsure", help="It cannot be told.")] = False,
    gold: Annotated[str | None, typer.Option(help="The right answer, if known.")] = None,
    note: Annotated[str | None, typer.Option(help="Why.")] = None,
) -> None:
    """Say whether a trace's answer was right."""
    if correct + incorrect + unsure != 1:
        raise ConfigError("Give exactly one of --correct, --incorrect and --unsure.")
    verdict = None if unsure else correct
    async with opened() as workspace:
        trace = await existing(workspace, trace_id)
        if correct and not trace.answer:
            raise ConfigError("There is no answer that could be correct: give --incorrect or --unsure.")
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
