"""`orchestra catalog`: check a catalogue, or make one from the reference's tools.json."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from orchestra_app import catalogs
from orchestra_app.cli.app import BAD_INPUT, app, command, console, errors

catalog = typer.Typer(help="Check and import catalogues.", no_args_is_help=True)
app.add_typer(catalog, name="catalog")


@catalog.command()
@command
async def check(file: Annotated[str, typer.Argument(help="A TOML file, or a bundled name.")]) -> int:
    """Say what is wrong with a catalogue, by line and key."""
    problems = catalogs.check(file)
    for problem in problems:
        errors.print(problem, markup=False, soft_wrap=True)
    if not problems:
        console.print(f"{file} is a catalogue.", markup=False)
    return BAD_INPUT if problems else 0


@catalog.command("import")
@command
async def import_(
    file: Annotated[Path, typer.Argument(help="tools.json of ToolOrchestra.")],
    out: Annotated[Path | None, typer.Option(help="Where to write; standard output if left out.")] = None,
) -> int:
    """Make a catalogue in TOML from the reference's tools.json."""
    text, notes = catalogs.import_tools(file)
    if out is None:
        sys.stdout.write(text)
    else:
        out.write_text(text, encoding="utf-8")
    for note in notes:
        errors.print(note, markup=False, soft_wrap=True)
    return 0
