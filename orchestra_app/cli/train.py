"""`orchestra train`: trains the policy as a definition file says."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestra_app.cli.app import app, command, opened, print_json
from orchestra_app.core.errors import ConfigError

CHANGED = ("mode", "base", "catalog", "steps")
"""The options that change what the job's file says."""
APART = (
    ("resume", ("job",), "Give a job's file for a new job or --resume for an old one, not both."),
    ("resume", ("folder",), "A job goes on in its own folder; leave --folder out."),
    ("launcher", ("folder",), "A job that is handed over lies in the data folder; leave --folder out."),
    (
        "recipe",
        ("job", "resume", *CHANGED),
        "The recipe is a whole job of its own; leave a job's file, --resume, --mode, --base, --catalog and "
        "--steps out.",
    ),
    (
        "export_verl",
        ("folder", "launcher", "recipe"),
        "--export-verl writes one job into its own folder; leave --folder, --launcher and --recipe out.",
    ),
)
"""Options, each with those that would be ignored beside it, and what is said of them."""


@app.command()
@command
async def train(
    context: typer.Context,
    job: Annotated[Path | None, typer.Argument(help="The job's definition, a TOML file.")] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where checkpoints and events go; the data folder if left out.")
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the job in this folder.")] = None,
    recipe: Annotated[
        str | None, typer.Option(help="`rehearsal`: make the small policy of the rehearsal from nothing.")
    ] = None,
    mode: Annotated[str | None, typer.Option(help="rollout or traces, instead of the file's.")] = None,
    base: Annotated[str | None, typer.Option(help="The policy to start from, instead of the file's.")] = None,
    catalog: Annotated[str | None, typer.Option(help="A catalogue's name or TOML file.")] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Optimiser updates, instead of the file's.")
    ] = None,
    export_verl: Annotated[
        Path | None,
        typer.Option(help="Write what a Ray cluster with verl needs into this new folder, and stop."),
    ] = None,
    launcher: Annotated[
        str | None,
        typer.Option(help="Hand the job over and return: process, hub or ray; with --resume, where it ran."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what there is to learn, and stop.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> int:
    """Train a policy on fresh rollouts or on saved traces.

    Exit code 0 done, 2 bad input, 3 stopped by the cap, 4 failed, 130 stopped with a checkpoint.
    """
    # Loaded only here, since the other commands need neither numpy nor torch.
    from orchestra_app.cli import training

    _refuse(context.params)
    if recipe not in (None, "rehearsal"):
        raise ConfigError(f"There is no recipe {recipe[:40]!r}; there is one: rehearsal.")
    kind = {"kind": "recipe", "name": "small-policy"} if recipe else {}
    given = kind | {"mode": mode, "base": base, "catalog": catalog, "steps": steps}
    changed = {name: value for name, value in given.items() if value is not None}
    written = training.defined(job, resume, changed)
    async with opened() as workspace:
        place = resume or folder or training.new_folder(workspace, written)
        definition = written.model_copy(update={"catalog": workspace.add_catalog(written.catalog)})
        if dry_run:
            found = await training.surveyed(workspace, definition)
            if as_json:
                print_json(training.survey_values(found))
            else:
                training.show_survey(definition, found)
            return 2 if found.obstacle else 0
        if export_verl is not None:
            training.hand_over(workspace, definition, export_verl, as_json=as_json)
            return 0
        if launcher is not None and resume is not None:
            await training.launch_again(workspace, resume, as_json=as_json)
            return 0
        if launcher is not None:
            await training.launch(workspace, definition, launcher, written, as_json=as_json)
            return 0
        return await training.run(workspace, definition, place, written, as_json=as_json)


def _refuse(given: Mapping[str, Any]) -> None:
    """Raise ConfigError where an option would be ignored beside another."""
    named = {name for name, value in given.items() if value is not None}
    for option, others, said in APART:
        if option in named and not named.isdisjoint(others):
            raise ConfigError(said)
    if {"launcher", "resume"} <= named and not named.isdisjoint(CHANGED):
        raise ConfigError("A job goes on as its folder says: change its job.toml instead.")
