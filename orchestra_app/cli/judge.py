"""`orchestra judge`: automatic verdicts on saved traces."""

from typing import Annotated

import typer

from orchestra_app.cli import options
from orchestra_app.cli.app import FAILED, app, command, console, errors, opened
from orchestra_app.cli.traces import existing
from orchestra_app.core.errors import BackendError, BudgetError, ConfigError
from orchestra_app.core.task import Budget
from orchestra_app.core.trace import Label, Trace
from orchestra_app.orchestrator.ledger import CallPurse, RunPurse
from orchestra_app.scoring.judge import Judge
from orchestra_app.scoring.verdict import gold_of, is_new, judged, verdict
from orchestra_app.workspace import Workspace

SAID = {True: "correct", False: "incorrect", None: "unsure"}


@app.command()
@command
async def judge(
    trace_ids: Annotated[list[str], typer.Argument(help="The traces' ids.")],
    model: Annotated[
        str | None, typer.Option("--judge", help="A model to ask where comparing does not decide.")
    ] = None,
    catalog: Annotated[str | None, typer.Option(help="The catalogue that has the judge.")] = None,
    gold: Annotated[str | None, typer.Option(help="The right answer, where the trace has none.")] = None,
    budget_cost: Annotated[str, typer.Option(help="USD for all verdicts together, or none.")] = "0.10",
) -> int:
    """Compare answers with their gold answers and label the traces. Exit code 4 where the judge failed."""
    if gold is not None and len(trace_ids) > 1:
        raise ConfigError("--gold goes with one trace.")
    if catalog is not None and not model:
        raise ConfigError("--catalog goes with --judge, the model to ask.")
    budget = Budget(cost=options.limit("--budget-cost", budget_cost, "USD", zero=True), seconds=None)
    async with opened() as workspace:
        traces = [await existing(workspace, trace_id) for trace_id in trace_ids]
        asked = None
        if model:
            asked = await workspace.judge(model, workspace.add_catalog(catalog) if catalog else None)
        purse = workspace.ledger.open(budget, owner="local", simulated=False)
        failures = 0
        for trace in traces:
            try:
                label = await _verdict(workspace, trace, asked, purse, gold=gold)
            except (BackendError, BudgetError) as error:
                failures += 1
                errors.print(f"{trace.id}: {error}", markup=False, soft_wrap=True)
                continue
            said = await _kept(workspace, trace, label) if label else _open(trace, asked, gold)
            console.print(f"{trace.id}: {said}", markup=False, soft_wrap=True)
        if asked:
            console.print(f"The judge cost ${purse.spent:.6f}.", markup=False)
    return FAILED if failures else 0


async def _verdict(
    workspace: Workspace, trace: Trace, asked: Judge | None, run: RunPurse, *, gold: str | None
) -> Label | None:
    purse = CallPurse(run)
    judge = None if asked is None or judged(trace, asked.name, gold or gold_of(trace)) else asked
    try:
        return await verdict(trace, workspace.sandbox, gold=gold, judge=judge, purse=purse)
    finally:
        purse.close()


async def _kept(workspace: Workspace, trace: Trace, label: Label) -> str:
    """Keep a label that says anything new, and return what a person reads about it."""
    if is_new(trace, label):
        await workspace.store.add_label(trace.id, label)
    return f"{SAID[label.correct]} ({label.by}: {label.note})"


def _open(trace: Trace, asked: Judge | None, gold: str | None) -> str:
    if not (gold or gold_of(trace)):
        return "not judged: no gold answer is known; give it with --gold."
    if trace.status in ("running", "stopped", "interrupted"):
        return f"not judged: the run is {trace.status}."
    if asked:
        return f"{asked.name} has judged it before."
    return "open: the answer is written differently; name a model with --judge."
