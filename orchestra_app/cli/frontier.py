"""`orchestra frontier`: what accuracy costs, from a sweep over settings or from what is labelled already."""

from pathlib import Path
from typing import Annotated

import typer

from orchestra_app.cli.app import app, command, opened
from orchestra_app.core.errors import ConfigError

OF_NEW = (
    *("limit", "policy", "preset", "prefer", "budget_cost", "budget_seconds", "budget_turns", "repeats"),
    *("seed", "concurrency"),
)
"""The options that define a new sweep."""


@app.command()
@command
async def frontier(
    context: typer.Context,
    questions: Annotated[
        str | None,
        typer.Option("--set", help="rehearsal:heldout, FILE.csv, FILE.jsonl or traces."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N questions.")] = None,
    policy: Annotated[
        list[str] | None, typer.Option(help="A policy to compare; baselines are always there.")
    ] = None,
    preset: Annotated[
        list[str] | None, typer.Option(help="balanced, frugal, best or quick; repeat for more.")
    ] = None,
    prefer: Annotated[
        list[str] | None, typer.Option(help="NAME=0..1,NAME=0..1 as sliders of one more setting.")
    ] = None,
    budget_cost: Annotated[
        list[str] | None, typer.Option(help="USD per question at most, or none; repeat for more.")
    ] = None,
    budget_seconds: Annotated[str, typer.Option(help="Seconds per question at most, or none.")] = "120",
    budget_turns: Annotated[int, typer.Option(min=1, max=200, help="Turns of the policy at most.")] = 20,
    repeats: Annotated[int, typer.Option(min=1, max=100, help="Times each question is asked.")] = 1,
    catalog: Annotated[str | None, typer.Option(help="A catalogue's name or TOML file.")] = None,
    seed: Annotated[int, typer.Option(help="Makes a rehearsal repeatable.")] = 0,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Runs at the same time.")] = 4,
    cap: Annotated[
        str | None, typer.Option(help="USD for the whole sweep, or none; the forecast's most if left out.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing before it starts.")] = False,
    resume: Annotated[str | None, typer.Option(help="Go on with this sweep.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
    csv: Annotated[Path | None, typer.Option(help="Write the table to a file that is not there yet.")] = None,
) -> int:
    """Compare settings by a sweep, or without --set all labelled traces so far.

    Exit code 0 done, 2 bad input, 3 stopped by the cap, 130 stopped.
    """
    # Loaded only here, since the other commands need no numpy.
    from orchestra_app.cli import sweeping
    from orchestra_app.cli.frontier_view import write_csv

    if csv is not None and csv.exists():
        raise ConfigError(f"{csv} is there already; name another file, or delete this one.")
    if csv is not None and not csv.parent.is_dir():
        raise ConfigError(f"{csv.parent} is no folder; make it, or name a file in another one.")
    if resume is not None and questions is not None:
        raise ConfigError("Give --set for a new sweep or --resume for an old one, not both.")
    idle = () if questions else OF_NEW if resume else (*OF_NEW, "cap")
    for name in idle:
        if (source := context.get_parameter_source(name)) and source.name == "COMMANDLINE":
            option = name.replace("_", "-")
            raise ConfigError(
                f"--{option} is for a new sweep; give its questions with --set, or leave it out."
            )
    async with opened() as workspace:
        name = workspace.add_catalog(catalog) if catalog else workspace.default_catalog
        told = sweeping.Telling(yes=yes, as_json=as_json, catalog=catalog)
        if resume is not None:
            found, code = await sweeping.resumed(workspace, resume, told, cap=cap)
        elif questions is not None:
            wish = sweeping.Wish(
                catalog=name,
                policies=tuple(policy or ()),
                presets=tuple(preset or ()),
                sliders=tuple(prefer or ()),
                budgets=sweeping.budgets(budget_cost or ["0.10"], budget_seconds, budget_turns),
                repeats=repeats,
                seed=seed,
                concurrency=concurrency,
            )
            found, code = await sweeping.launched(workspace, questions, limit, wish, told, cap=cap)
        else:
            found, code = await sweeping.labelled_so_far(workspace, name), 0
    told.show(found)
    if csv is not None:
        write_csv(found, csv)
    return code
