"""`orchestra export` and `orchestra import`: traces as files, and back."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from orchestra_app.cli.app import BAD_INPUT, app, command, console, errors, opened
from orchestra_app.core.errors import ConfigError, StorageError
from orchestra_app.core.events import Status
from orchestra_app.dataset.export import Plan, export
from orchestra_app.dataset.folder import Format, Manifest
from orchestra_app.dataset.hub import check_target, push
from orchestra_app.dataset.imports import Imported, import_traces
from orchestra_app.storage.queries import Filter, Verdict

FORMATS = "How the traces are written; sft takes only those labelled correct, unless --verdict names others."
SHOWN = 20
"""Problems of an import that are listed; the others are counted."""


@app.command("export")
@command
async def export_(
    out: Annotated[Path, typer.Argument(help="A folder that is not there yet.")],
    form: Annotated[Format, typer.Option("--format", help=FORMATS)] = "jsonl",
    consented_only: Annotated[
        bool, typer.Option("--consented-only", help="For sharing: only with consent, people as numbers.")
    ] = False,
    mine: Annotated[
        bool,
        typer.Option(
            "--mine",
            help="With --consented-only or --push: you consent for all that was asked without a login, "
            "here or where it was imported from.",
        ),
    ] = False,
    text: Annotated[str, typer.Option(help="Part of the question or the answer.")] = "",
    policy: Annotated[str | None, typer.Option(help="Only those that this policy conducted.")] = None,
    catalog: Annotated[str | None, typer.Option(help="Only those of this catalogue.")] = None,
    status: Annotated[Status | None, typer.Option(help="Only those that ended so.")] = None,
    verdict: Annotated[Verdict | None, typer.Option(help="Only those with this verdict.")] = None,
    to: Annotated[
        str | None,
        typer.Option("--push", metavar="USER/DATASET", help="Upload it too; means --consented-only."),
    ] = None,
    public: Annotated[bool, typer.Option("--public", help="Make a pushed dataset public.")] = False,
) -> None:
    """Write saved traces into a folder, with a card that says what they are."""
    if public and not to:
        raise ConfigError("--public goes with --push USER/DATASET.")
    if mine and not (consented_only or to):
        raise ConfigError("--mine goes with --consented-only or --push USER/DATASET.")
    token = check_target(to) if to else ""
    wanted = Filter(text=text, policy=policy, catalog=catalog, status=status, verdict=verdict)
    plan = Plan(format=form, wanted=wanted, shared=consented_only or to is not None, mine=mine)
    async with opened() as workspace:
        console.print(_written(await export(workspace.store, out, plan), out), markup=False, soft_wrap=True)
    if to:
        try:
            address = await asyncio.to_thread(push, out, to, token=token, public=public)
        except StorageError as error:
            raise StorageError(f"{error} The export is whole in {out}.") from None
        console.print(f"Pushed to {address}.", markup=False, soft_wrap=True)


@app.command("import")
@command
async def import_(
    path: Annotated[Path, typer.Argument(help="The folder of an export, or a .jsonl or .parquet file.")],
) -> int:
    """Keep exported traces here. Exit code 0 where all could be read, 2 where not."""
    async with opened() as workspace:
        done = await import_traces(workspace.store, path)
    console.print(_kept(done), markup=False, soft_wrap=True)
    for problem in done.problems[:SHOWN]:
        errors.print(problem, markup=False, soft_wrap=True)
    if len(done.problems) > SHOWN:
        errors.print(f"And {len(done.problems) - SHOWN} further problems.")
    return BAD_INPUT if done.problems else 0


def _written(manifest: Manifest, out: Path) -> str:
    rows = "" if manifest.rows == manifest.traces else f" as {_many(manifest.rows, 'row')}"
    left = ", ".join(f"{number} {reason}" for reason, number in manifest.left_out.items())
    parts = [f"Exported {_many(manifest.traces, 'trace')}{rows} to {out}."]
    if manifest.simulated:
        parts.append(f"Rehearsals among them, marked so: {manifest.simulated}.")
    if left:
        parts.append(f"Left out: {left}.")
    return " ".join(parts)


def _many(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _kept(done: Imported) -> str:
    counts = done.counts
    votes = f" and {_many(done.votes, 'blind vote')}" if done.votes else ""
    parts = [f"Imported {_many(counts['added'], 'trace')}{votes}."]
    if counts["same"]:
        parts.append(f"Here already: {counts['same']}.")
    if counts["kept"]:
        parts.append(f"Another trace with the same id is here, and stays as it is: {counts['kept']}.")
    return " ".join(parts)
