"""`orchestra catalog`: check a catalogue, or make one from the reference's tools.json."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from orchestra_app import catalogs
from orchestra_app.backends.tokens import counter
from orchestra_app.cli.app import BAD_INPUT, app, command, console, errors
from orchestra_app.core.errors import ConfigError

catalog = typer.Typer(help="Check and import catalogues.", no_args_is_help=True)
app.add_typer(catalog, name="catalog")


@catalog.command()
@command
async def check(file: Annotated[str, typer.Argument(help="A TOML file, or a bundled name.")]) -> int:
    """Say what is wrong with a catalogue, by line and key. Exit code 0 where it can be used, 2 where not."""
    problems = catalogs.check(file) or _tokenizers(file)
    for problem in problems:
        errors.print(problem, markup=False, soft_wrap=True)
    if not problems:
        console.print(f"{file} is a catalogue.", markup=False, soft_wrap=True)
    return BAD_INPUT if problems else 0


def _tokenizers(file: str) -> list[str]:
    """Return what the library that reads tokenizers says against those of a catalogue."""
    problems = []
    for name, model in catalogs.load_catalog(file).models.items():
        try:
            counter(model)
        except ConfigError as error:
            problems.append(f"{file}: `models.{name}.tokenizer`: {error}")
    return problems


@catalog.command("import")
@command
async def import_(
    file: Annotated[Path, typer.Argument(help="tools.json of ToolOrchestra.")],
    out: Annotated[
        Path | None, typer.Option(help="A file that is not there yet; standard output if left out.")
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option(help='A JSON file {"alias": "model id"} for aliases of your own.')
    ] = None,
) -> None:
    """Make a catalogue in TOML from the reference's tools.json; what was assumed goes to standard error."""
    text, notes = catalogs.import_tools(file, mapping)
    if out is None:
        sys.stdout.write(text)
    else:
        _write(out, text)
    for note in notes:
        errors.print(note, markup=False, soft_wrap=True)


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(f"{path} is there already; name another file, or delete this one.") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror}); name another file.") from None
