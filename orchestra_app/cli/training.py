"""Launches, resumes and follows a training job for `orchestra train`."""

import sys
from contextlib import aclosing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.table import Table

from orchestra_app.cli.app import EXHAUSTED, FAILED, INTERRUPTED, console, errors, print_json
from orchestra_app.cli.signals import halting
from orchestra_app.core.errors import ConfigError
from orchestra_app.core.job import Job
from orchestra_app.core.value import sentence
from orchestra_app.orchestrator.stop import Stop
from orchestra_app.training.definition import Definition, load_definition, to_toml
from orchestra_app.training.jobs import new_id
from orchestra_app.training.launch import DEFINITION
from orchestra_app.training.progress import EVENTS, Evaluated, Finished, Saved, Started, Stepped, Tally
from orchestra_app.training.recipe import STEPS
from orchestra_app.training.survey import Survey, survey
from orchestra_app.workspace import Workspace

CODES = {"done": 0, "stopped": INTERRUPTED, "capped": EXHAUSTED, "failed": FAILED}


def defined(job: Path | None, resume: Path | None, changed: dict[str, Any]) -> Definition:
    """Return the definition of a file, of the folder of an old job, or the defaults; raises ConfigError.

    The files that it names are named so that a process elsewhere finds them, too.
    """
    path = resume / DEFINITION if resume is not None else job
    found = load_definition(path) if path is not None else Definition()
    try:
        made = Definition.model_validate(found.model_dump() | changed)
    except ValidationError as error:
        raise ConfigError(sentence(error)) from None
    whole = {name: str(Path(file).expanduser().resolve()) for name, file in made.files.items()}
    return made.model_copy(update=whole)


def new_folder(workspace: Workspace, definition: Definition) -> Path:
    """Return where a new job's checkpoints and events go."""
    return workspace.jobs.home / f"{definition.name}-{new_id()}"


async def surveyed(workspace: Workspace, definition: Definition) -> Survey:
    """Return what there is to learn; earlier jobs tell how long it takes."""
    folders = [path.parent for path in workspace.jobs.home.glob(f"*/{EVENTS}")]
    return await survey(workspace, definition, folders)


def hand_over(workspace: Workspace, definition: Definition, folder: Path, *, as_json: bool) -> None:
    """Write a job for verl into a new folder and say what was written."""
    done = workspace.hand_over(definition, folder)
    if as_json:
        print_json(asdict(done) | {"folder": str(folder)})
        return
    console.print(
        f"Wrote {done.train} questions to train on and {done.validation} to validate with to {folder}; "
        "see its README.md.",
        markup=False,
        soft_wrap=True,
    )


async def launch(
    workspace: Workspace, definition: Definition, launcher: str, written: Definition, *, as_json: bool
) -> None:
    """Hand a job to a launcher, with its definition as written, and say how to find it again."""
    job = await workspace.train(definition, launcher=launcher, written=written)
    _say("Launched", job, as_json=as_json)


async def launch_again(workspace: Workspace, folder: Path, *, as_json: bool) -> None:
    """Let the job in a folder go on where it ran; raises TrainingError where none is known there."""
    job = await workspace.jobs.resume((await workspace.jobs.in_folder(folder)).id)
    _say("Resumed", job, as_json=as_json)


def _say(what: str, job: Job, *, as_json: bool) -> None:
    if as_json:
        print_json(job.model_dump(mode="json"))
    else:
        console.print(f"{what} {job.name} ({job.id}) in {job.folder}.", markup=False, soft_wrap=True)


def survey_values(found: Survey) -> dict[str, Any]:
    """Return a survey as JSON values."""
    return asdict(found) | {"tally": found.tally.model_dump()}


def show_survey(definition: Definition, found: Survey) -> None:
    """Print what there is to learn and what it will cost."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in _lines(definition, found):
        table.add_row(name, value)
    console.print(table)
    if found.obstacle:
        errors.print(found.obstacle, style="red", markup=False, soft_wrap=True)


def _lines(definition: Definition, found: Survey) -> list[tuple[str, str]]:
    if definition.kind == "recipe":
        return [("steps", f"{STEPS:,}"), ("starts from", "nothing"), ("likely cost", "$0.00")]
    lines = [("steps", f"{definition.steps:,}"), ("starts from", definition.base)]
    if definition.mode == "traces":
        lines += left_out(found.tally)
    else:
        lines.append(("questions", f"{found.questions:,}"))
    lines.append(("rollouts", f"{found.rollouts:,}"))
    simulated = " (simulated)" if found.simulated and found.cost else ""
    lines.append(("likely cost", "not known yet" if found.cost is None else f"${found.cost:.2f}{simulated}"))
    lines.append(("likely time", "not known yet" if found.seconds is None else f"{found.seconds:.0f} s"))
    return lines


def left_out(tally: Tally) -> list[tuple[str, str]]:
    """Return each figure of a tally that is not 0, with what it means."""
    lines = []
    for name, value in tally.model_dump().items():
        if value:
            shown = f"{value:.3f}" if isinstance(value, float) else f"{value:,}"
            lines.append((name.replace("_", " "), f"{shown}  {Tally.model_fields[name].description}"))
    return lines


async def run(
    workspace: Workspace, definition: Definition, folder: Path, written: Definition, *, as_json: bool
) -> int:
    """Train to the end with the progress on the terminal; return the exit code.

    written: the definition as it is kept for a resume, which names a catalogue's file.
    """
    from orchestra_app.training.train import make_folder, train

    make_folder(folder)
    _settle(folder, written)
    stop, steps, job = Stop(), definition.steps, None
    with halting(stop):
        async with aclosing(train(workspace, definition, folder, stop=stop)) as events:
            async for event in events:
                if isinstance(event, Started):
                    steps = event.steps
                    job = await workspace.jobs.taken_on(written, folder)
                if as_json:
                    sys.stdout.write(event.model_dump_json() + "\n")
                    sys.stdout.flush()
                else:
                    console.print(_told(event, steps), markup=False, soft_wrap=True)
                if isinstance(event, Finished):
                    if job is not None:
                        await workspace.jobs.settle(job)
                    return CODES[event.status]
    raise AssertionError("a job ends with its last event")


def _settle(folder: Path, written: Definition) -> None:
    """Keep the definition in the job's folder; raises ConfigError where a job of another one began there."""
    path = folder / DEFINITION
    if path.exists() and (folder / EVENTS).exists():
        begun, asked = defined(None, folder, {}).model_dump(), written.model_dump()
        other = [name for name in begun if name not in ("steps", "cap") and begun[name] != asked[name]]
        if other:
            raise ConfigError(
                f"{folder} holds a job that differs in {', '.join(other)}: name another folder, or change "
                f"its {DEFINITION} and resume it."
            )
        return
    try:
        path.write_text(to_toml(written), encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written ({error.strerror}): name another folder, or allow writing there."
        ) from error


def _told(event: Started | Stepped | Evaluated | Saved | Finished, steps: int) -> str:
    match event:
        case Started(parameters=0):
            return f"{event.job}: a small policy from nothing; simulated experts."
        case Started():
            simulated = "simulated experts" if event.simulated else "real experts, real money"
            return f"{event.job}: {event.parameters:,} weights, {event.trained:,} trained; {simulated}."
        case Stepped():
            each, learned = event.rollouts, event.learned
            if not each.count:
                return (
                    f"step {event.step:>5,} of {steps:,}  as the planner {each.accuracy:.2f}  "
                    f"loss {learned.loss:.3f}  took {event.seconds.total:.1f} s"
                )
            return (
                f"step {event.step:>4} of {steps}  reward {each.reward:.3f}  right {each.accuracy:.2f}  "
                f"${each.cost:.4f}  {each.seconds:.0f} s  clipped {learned.clipped:.2f}  "
                f"samples {event.tally.samples}  took {event.seconds.total:.1f} s"
            )
        case Evaluated():
            each = event.rollouts
            best = ", the best so far" if event.best else ""
            return (
                f"evaluation after step {event.step}: right {each.accuracy:.3f} ± {each.error:.3f}, "
                f"${each.cost:.4f} and {each.seconds:.0f} s a question{best}"
            )
        case Saved():
            return f"saved {event.path}"
        case Finished():
            return f"{event.status} after step {event.step}. {event.reason}".rstrip()
