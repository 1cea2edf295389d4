"""`orchestra ask`: one question, live on the terminal or as JSON."""

import json
import sys
from contextlib import aclosing, nullcontext
from typing import Annotated

import typer
from rich.live import Live

from orchestra_app.cli.app import EXHAUSTED, FAILED, app, command, console, opened
from orchestra_app.cli.view import draw
from orchestra_app.core.errors import ConfigError
from orchestra_app.core.task import Budget, Preference
from orchestra_app.core.trace import Trace
from orchestra_app.orchestrator.loop import Options
from orchestra_app.workspace import Workspace

CODES = {"answered": 0, "exhausted": EXHAUSTED}


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
    cheapness: Annotated[float, typer.Option(help="How much cheapness matters, 0..1.")] = 0.25,
    speed: Annotated[float, typer.Option(help="How much speed matters, 0..1.")] = 0.25,
    budget_cost: Annotated[str, typer.Option(help="USD at most, or none.")] = "0.10",
    budget_seconds: Annotated[str, typer.Option(help="Seconds at most, or none.")] = "120",
    budget_turns: Annotated[int, typer.Option(help="Turns of the policy at most.")] = 20,
    policy: Annotated[str | None, typer.Option(help="Which policy conducts.")] = None,
    catalog: Annotated[str | None, typer.Option(help="A catalogue's name or TOML file.")] = None,
    seed: Annotated[int, typer.Option(help="Makes a rehearsal repeatable.")] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the trace as JSON and nothing else.")
    ] = False,
) -> int:
    """Ask a question. Exit code 0 answered, 2 bad input, 3 budget exhausted, 4 failed."""
    async with opened() as workspace:
        preference = Preference(
            weights=weights(prefer or [], workspace, catalog),
            excluded=tuple(exclude or ()),
            cost=cheapness,
            latency=speed,
            soft=soft,
        )
        budget = Budget(
            cost=amount("--budget-cost", budget_cost),
            seconds=amount("--budget-seconds", budget_seconds),
            turns=budget_turns,
        )
        text = sys.stdin.read() if question == "-" else question
        fields = {"preference": preference, "budget": budget, "source": "cli"}
        task = workspace.task(text, catalog, **fields)
        orchestrator = await workspace.orchestrator(catalog, policy)
        trace: Trace | None = None
        with nullcontext() if as_json else Live(console=console, refresh_per_second=8) as live:
            async with aclosing(workspace.rollout(orchestrator, task, Options(seed=seed))) as rollout:
                async for _, current in rollout:
                    trace = current
                    if live:
                        live.update(draw(current))
        if trace is None:
            return FAILED
        if as_json:
            sys.stdout.write(json.dumps(trace.export(), ensure_ascii=False) + "\n")
        return CODES.get(trace.status, FAILED)


def weights(texts: list[str], workspace: Workspace, catalog: str | None) -> dict[str, float]:
    """Return sliders from NAME=VALUE texts; raises ConfigError for what is not one."""
    known = workspace.catalog(catalog).sliders
    found = {}
    for text in texts:
        name, separator, value = text.rpartition("=")
        if not separator or name not in known:
            raise ConfigError(f"--prefer {text!r} is not NAME=VALUE with a NAME of: {', '.join(known)}.")
        found[name] = number("--prefer", value)
    return found


def amount(option: str, text: str) -> float | None:
    """Return a limit, or None for `none`."""
    return None if text.strip().lower() in ("none", "unlimited") else number(option, text)


def number(option: str, text: str) -> float:
    """Return the number that an option was given; raises ConfigError for anything else."""
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"{option} needs a number, not {text!r}.") from None
