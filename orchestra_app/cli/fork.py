"""`orchestra traces fork`: another way from a turn of a saved trace."""

from typing import Annotated

import typer

from orchestra_app.cli import options
from orchestra_app.cli.app import command, opened
from orchestra_app.cli.ask import watched
from orchestra_app.cli.traces import existing, traces
from orchestra_app.core.catalog import Catalog
from orchestra_app.core.task import Budget, Preference, Task
from orchestra_app.orchestrator.fork import Fork
from orchestra_app.orchestrator.loop import Options


@traces.command("fork")
@command
async def fork(
    trace_id: Annotated[str, typer.Argument(help="The trace's id.")],
    turn: Annotated[int, typer.Option(help="The first turn that runs again; earlier ones are taken over.")],
    prefer: Annotated[
        list[str] | None, typer.Option(help="NAME=0..1, in place of the trace's own slider of this name.")
    ] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="To be excluded besides what was.")] = None,
    cheapness: Annotated[str | None, typer.Option(help="How much cheapness matters, 0..1.")] = None,
    speed: Annotated[str | None, typer.Option(help="How much speed matters, 0..1.")] = None,
    budget_cost: Annotated[
        str | None, typer.Option(help="USD at most for the whole trace, or none; as it was by default.")
    ] = None,
    budget_seconds: Annotated[str | None, typer.Option(help="Seconds at most, or none.")] = None,
    budget_turns: Annotated[int | None, typer.Option(min=1, max=200, help="Turns at most.")] = None,
    policy: Annotated[str | None, typer.Option(help="Which policy conducts from there.")] = None,
    catalog: Annotated[
        str | None,
        typer.Option(help="The file of the trace's catalogue, where it is not one of the bundled."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Makes a rehearsal repeatable; as it was by default.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the trace as JSON and nothing else.")
    ] = False,
) -> int:
    """Run a saved trace again from a turn under other settings; what is not named stays as it was.

    The turns before it are taken over and count in the budget, but nothing is paid again. Exit codes are
    those of `ask`.
    """
    async with opened() as workspace:
        trace = await existing(workspace, trace_id)
        way = Fork(trace, turn)
        name = workspace.add_catalog(catalog) if catalog else trace.catalog.name
        known, old = workspace.catalog(name), trace.task
        wish = {} if cheapness is None else {"cost": options.slider("--cheapness", cheapness)}
        wish |= {} if speed is None else {"latency": options.slider("--speed", speed)}
        preference = _preference(old, prefer or [], exclude or [], known).model_copy(update=wish)
        limits = {} if budget_cost is None else {"cost": _usd(budget_cost)}
        limits |= {} if budget_seconds is None else {"seconds": _seconds(budget_seconds)}
        limits |= {} if budget_turns is None else {"turns": budget_turns}
        task = way.task(preference, Budget.model_validate(old.budget.model_dump() | limits))
        orchestrator = await workspace.orchestrator(name, policy or trace.policy)
        chosen = Options(seed=trace.seed if seed is None else seed, fork=way)
        return await watched(workspace, orchestrator, task, chosen, as_json=as_json)


def _preference(old: Task, prefer: list[str], exclude: list[str], known: Catalog) -> Preference:
    """Return the old wish with what was typed in its place."""
    wish = old.preference
    excluded = dict.fromkeys((*wish.excluded, *options.exclusions(exclude, known)))
    weights = wish.weights | options.weights(prefer, known)
    return wish.model_copy(update={"weights": weights, "excluded": tuple(excluded)})


def _usd(text: str) -> float | None:
    return options.limit("--budget-cost", text, "USD", zero=True)


def _seconds(text: str) -> float | None:
    return options.limit("--budget-seconds", text, "seconds")
