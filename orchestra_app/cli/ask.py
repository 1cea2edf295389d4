"""`orchestra ask`: one question, live on the terminal or as JSON."""

from contextlib import aclosing, nullcontext
from typing import Annotated

import typer
from rich.live import Live

from orchestra_app.cli import options
from orchestra_app.cli.app import EXHAUSTED, FAILED, INTERRUPTED, app, command, console, opened, print_json
from orchestra_app.cli.signals import halting
from orchestra_app.cli.view import draw, draw_end
from orchestra_app.core.task import Budget, Preference, Task
from orchestra_app.core.trace import Trace
from orchestra_app.orchestrator.loop import Options, Orchestrator
from orchestra_app.workspace import Workspace

CODES = {"answered": 0, "exhausted": EXHAUSTED, "stopped": INTERRUPTED}


@app.command()
@command
async def ask(
    question: Annotated[str, typer.Argument(help="The question; `-` reads it from standard input.")],
    prefer: Annotated[
        list[str] | None, typer.Option(help="NAME=0..1 for a tool, source or model; 0.5 is neutral, 0 never.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="A tool, source, model or alias, or vendor:NAME.")
    ] = None,
    soft: Annotated[bool, typer.Option("--soft", help="A slider at 0 discourages only.")] = False,
    cheapness: Annotated[str, typer.Option(help="How much cheapness matters, 0..1.")] = "0.25",
    speed: Annotated[str, typer.Option(help="How much speed matters, 0..1.")] = "0.25",
    budget_cost: Annotated[str, typer.Option(help="USD at most, or none.")] = "0.10",
    budget_seconds: Annotated[str, typer.Option(help="Seconds at most, or none.")] = "120",
    budget_turns: Annotated[int, typer.Option(min=1, max=200, help="Turns of the policy at most.")] = 20,
    policy: Annotated[str | None, typer.Option(help="Which policy conducts.")] = None,
    catalog: Annotated[str | None, typer.Option(help="A catalogue's name or TOML file.")] = None,
    seed: Annotated[int, typer.Option(help="Makes a rehearsal repeatable.")] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the trace as JSON and nothing else.")
    ] = False,
) -> int:
    """Ask a question. Exit code 0 answered, 2 bad input, 3 budget exhausted, 4 failed, 130 stopped."""
    async with opened() as workspace:
        name = workspace.add_catalog(catalog) if catalog else workspace.default_catalog
        known = workspace.catalog(name)
        preference = Preference(
            weights=options.weights(prefer or (), known),
            excluded=options.exclusions(exclude or (), known),
            cost=options.slider("--cheapness", cheapness),
            latency=options.slider("--speed", speed),
            soft=soft,
        )
        budget = Budget(
            cost=options.limit("--budget-cost", budget_cost, "USD", zero=True),
            seconds=options.limit("--budget-seconds", budget_seconds, "seconds"),
            turns=budget_turns,
        )
        fields = {"preference": preference, "budget": budget, "source": "cli"}
        task = workspace.task(options.question(question), name, **fields)
        orchestrator = await workspace.orchestrator(name, policy)
        return await watched(workspace, orchestrator, task, Options(seed=seed), as_json=as_json)


async def watched(
    workspace: Workspace, orchestrator: Orchestrator, task: Task, chosen: Options, *, as_json: bool
) -> int:
    """Run the task to its end, show it as it was asked for, and return the exit code."""
    trace = await _run(workspace, orchestrator, task, chosen, live=not as_json)
    if as_json:
        print_json(trace.export())
    else:
        console.print(draw_end(trace))
    return CODES.get(trace.status, FAILED)


async def _run(
    workspace: Workspace, orchestrator: Orchestrator, task: Task, chosen: Options, *, live: bool
) -> Trace:
    """Run the task to its end, drawn as it goes where a person watches, and return the trace."""
    shown = Live(console=console, refresh_per_second=8) if live and console.is_terminal else nullcontext()
    trace = None
    with halting(chosen.stop), shown as drawing:
        async with aclosing(workspace.rollout(orchestrator, task, chosen)) as rollout:
            async for _, trace in rollout:
                if drawing:
                    drawing.update(draw(trace))
    assert trace is not None, "a rollout has at least its first event"
    if live and not console.is_terminal:
        console.print(draw(trace))
    return trace
