"""Launches, resumes and follows a sweep for `orchestra frontier`."""

import re
import shlex
import sys
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import typer
from pydantic import ValidationError

from orchestra_app.cli import options
from orchestra_app.cli.app import EXHAUSTED, INTERRUPTED, console, errors, print_json
from orchestra_app.cli.frontier_view import draw_report
from orchestra_app.cli.signals import halting
from orchestra_app.core.errors import ConfigError
from orchestra_app.core.events import FINISHED
from orchestra_app.core.task import Budget, Preference
from orchestra_app.core.value import sentence
from orchestra_app.frontier import definition
from orchestra_app.frontier.definition import Sweep
from orchestra_app.frontier.forecast import learn
from orchestra_app.frontier.gather import labelled, sweep_rows, sweep_subject
from orchestra_app.frontier.outlook import Outlook, is_much, look_ahead
from orchestra_app.frontier.report import Report, export, report
from orchestra_app.frontier.stock import take_stock
from orchestra_app.frontier.sweep import RunFinished, SweepFinished, prepare, sweep
from orchestra_app.orchestrator import questions
from orchestra_app.orchestrator.presets import NEUTRAL_PRESET, preset
from orchestra_app.orchestrator.stop import Stop
from orchestra_app.storage.outcomes import Wanted
from orchestra_app.workspace import Workspace

LEARNED = 5_000
"""Saved traces that a forecast is learned from at most, the newest ones."""
EVERY = 0.5
"""Seconds between two lines of progress on a terminal."""
CODES = {"done": 0, "stopped": INTERRUPTED, "capped": EXHAUSTED, "starved": EXHAUSTED}


@dataclass(frozen=True, slots=True)
class Telling:
    """How a sweep talks to the person."""

    yes: bool
    as_json: bool
    catalog: str | None = None
    """The catalogue that was typed; the commands that are told to go on with name it too."""

    def further(self, sentence: str) -> str:
        """Return what is told to go on with, as it works from here."""
        known = f" --catalog {shlex.quote(self.catalog)}" if self.catalog else ""
        return re.sub(r"--resume \w+", rf"\g<0>{known}", sentence)

    def show(self, found: Report) -> None:
        """Print a report to standard output."""
        if self.as_json:
            print_json(export(found))
        else:
            console.print(draw_report(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a new sweep is to compare."""

    catalog: str
    policies: tuple[str, ...]
    presets: tuple[str, ...]
    sliders: tuple[str, ...]
    budgets: tuple[Budget, ...]
    repeats: int
    seed: int
    concurrency: int


def budgets(costs: Sequence[str], seconds: str, turns: int) -> tuple[Budget, ...]:
    """Return a budget for each USD that was typed; raises ConfigError."""
    most = options.limit("--budget-seconds", seconds, "seconds")
    found = [options.limit("--budget-cost", cost, "USD", zero=True) for cost in costs]
    return tuple(Budget(cost=cost, seconds=most, turns=turns) for cost in dict.fromkeys(found))


async def launched(
    workspace: Workspace, name: str, limit: int | None, wish: Wish, told: Telling, *, cap: str | None
) -> tuple[Report, int]:
    """Run a new sweep over a question set; return its report and the exit code. Raises ConfigError."""
    asked = await question_set(workspace, name, wish.catalog)
    for refused in asked.refused:
        errors.print(refused, style="yellow", markup=False, soft_wrap=True)
    known = workspace.catalog(wish.catalog)
    sliders = {each: Preference(weights=options.weights(each.split(","), known)) for each in wish.sliders}
    presets = {each: preset(each, known) for each in wish.presets or (() if sliders else (NEUTRAL_PRESET,))}
    policies = wish.policies or ((await workspace.policies(wish.catalog))[0].name,)
    try:
        made = Sweep(
            title=asked.title,
            catalog=known.ref,
            simulated=known.simulated,
            questions=asked.first(limit).questions,
            settings=definition.settings_of(policies, presets | sliders, wish.budgets),
            repeats=wish.repeats,
            seed=wish.seed,
            concurrency=wish.concurrency,
            created_at=datetime.now(UTC),
        )
    except ValidationError as error:
        raise ConfigError(sentence(error)) from None
    return await _follow(workspace, made, told, cap=cap)


async def resumed(
    workspace: Workspace, sweep_id: str, told: Telling, *, cap: str | None
) -> tuple[Report, int]:
    """Go on with a sweep; return its report and the exit code. Raises ConfigError."""
    return await _follow(workspace, definition.load(folder(workspace), sweep_id), told, cap=cap)


async def labelled_so_far(workspace: Workspace, catalog: str) -> Report:
    """Return the frontier of what is labelled; raises ConfigError where nothing is."""
    found = await labelled(workspace.store, workspace.catalog(catalog))
    if found is None:
        raise ConfigError(
            f"No trace of the catalogue {catalog} is labelled yet; label some, or run a sweep: "
            "orchestra frontier --set rehearsal:heldout --limit 60"
        )
    return found


def folder(workspace: Workspace) -> Path:
    """Return where the definitions of sweeps are kept."""
    return workspace.settings.home / "sweeps"


async def question_set(workspace: Workspace, name: str, catalog: str) -> questions.QuestionSet:
    """Return the question set of a name that was typed; raises ConfigError."""
    if name == "traces":
        return await questions.from_traces(workspace.store, Wanted(catalog=catalog, statuses=FINISHED))
    if questions.is_rehearsal(name):
        return questions.from_rehearsal(name.partition(":")[2] or "heldout")
    path = Path(name)
    if path.suffix.lower() not in (".csv", ".jsonl", ".ndjson"):
        raise ConfigError(
            f"--set {name[:200]!r} is no question set; give rehearsal:heldout, traces, "
            "or a file that ends in .csv or .jsonl."
        )
    return questions.from_file(path)


async def _follow(workspace: Workspace, made: Sweep, told: Telling, *, cap: str | None) -> tuple[Report, int]:
    catalog = workspace.catalog(made.catalog.name)
    await prepare(workspace, made)
    stock = await take_stock(workspace.store, made)
    outlook = await _outlook(workspace, made, [run for run, _ in stock.left])
    if cap is not None:
        made = made.model_copy(update={"cap": options.limit("--cap", cap, "USD")})
    elif made.cap is None and not stock.finished:
        if not outlook.known:
            raise ConfigError("Some prices are unknown, so no cap can be proposed: give --cap USD or none.")
        made = made.model_copy(update={"cap": outlook.cap})
    _agree(made, outlook, told)
    definition.save(made, folder(workspace))
    ended = await _run(workspace, made)
    if ended.reason:
        errors.print(told.further(ended.reason), markup=False, soft_wrap=True)
    rows = await sweep_rows(workspace, made)
    return report(rows, sweep_subject(made, catalog)), CODES[ended.status]


async def _outlook(workspace: Workspace, made: Sweep, left: list[definition.Run]) -> Outlook:
    wanted = Wanted(catalog_hash=made.catalog.hash, statuses=FINISHED, limit=LEARNED)
    learned = learn(await workspace.store.outcomes(wanted))
    return await look_ahead(
        made, left, learned, lambda text, wish: workspace.routes(text, wish, made.catalog.name)
    )


def _agree(made: Sweep, outlook: Outlook, told: Telling) -> None:
    """Say what the sweep will be and ask where it is much; raises ConfigError where it may not start."""
    money = "no real money" if made.simulated else "real money"
    cap = "no cap" if made.cap is None else f"cap ${made.cap:g}"
    unknown = "" if outlook.known else " and what has no known price"
    errors.print(
        f"Sweep {made.id}: {outlook.runs:,} runs left of {made.total:,}, about ${outlook.likely:.2f} and "
        f"${outlook.most:.2f} at most{unknown}, {cap}; {money}.",
        markup=False,
        soft_wrap=True,
    )
    if told.yes or not is_much(made, outlook):
        return
    if not sys.stdin.isatty():
        raise ConfigError("That is much, and nobody can be asked here; add --yes to start it.")
    if not typer.confirm("Start it?", err=True):
        raise ConfigError("Nothing was started.")


async def _run(workspace: Workspace, made: Sweep) -> SweepFinished:
    """Run a sweep to its end with its progress on standard error."""
    stop = Stop()
    shown = time.monotonic()
    every = EVERY if errors.is_terminal else 20 * EVERY
    with halting(stop):
        async with aclosing(sweep(workspace, made, stop=stop)) as progress:
            async for event in progress:
                match event:
                    case RunFinished() if time.monotonic() - shown >= every:
                        shown = time.monotonic()
                        _tell(event)
                    case SweepFinished():
                        if errors.is_terminal:
                            errors.file.write("\r\x1b[K")
                        return event
    raise AssertionError("a sweep ends with its last event")


def _tell(event: RunFinished) -> None:
    minutes, seconds = divmod(round(event.seconds_left), 60)
    said = f"{event.done:,} of {event.total:,} runs, ${event.spent:.4f}, {minutes}:{seconds:02d} left"
    errors.file.write(f"\r\x1b[K{said}" if errors.is_terminal else f"{said}\n")
    errors.file.flush()
