"""What the Frontier page does with sweeps: define one from a form, look ahead, launch, resume, gather."""

import asyncio
import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from orchestra_app.core.errors import ConfigError
from orchestra_app.core.events import FINISHED
from orchestra_app.core.task import Budget, Preference
from orchestra_app.frontier import definition
from orchestra_app.frontier.definition import Sweep
from orchestra_app.frontier.gather import Gathered, labelled_runs, sweep_rows, sweep_subject
from orchestra_app.frontier.outlook import Outlook, is_much, look_ahead
from orchestra_app.frontier.stock import take_stock
from orchestra_app.frontier.sweep import prepare
from orchestra_app.orchestrator import questions
from orchestra_app.orchestrator.presets import PRESETS, preset
from orchestra_app.orchestrator.route import Route
from orchestra_app.storage.outcomes import Wanted
from orchestra_app.ui.asking import Desk
from orchestra_app.ui.sweeps import Underway
from orchestra_app.ui.texts import TEXTS
from orchestra_app.ui.visitor import Visitor
from orchestra_app.ui.wish import MAX_COST, MAX_SECONDS, MAX_TURNS

LABELLED = "labelled"
"""Stands for the labelled traces so far, where a sweep could be named."""
SETS = ("rehearsal:heldout", "rehearsal:train", "file", "traces")
LEAST_CAP, MOST_CAP = 0.0001, 100_000.0
"""USD."""
MOST_BUDGETS = 8
LISTED = 40
"""Sweeps that the menu offers, the newest ones."""


@dataclass(frozen=True, slots=True)
class Form:
    """A sweep's form as it was sent; nothing in it is believed before `defined` has read it."""

    questions: Any = SETS[0]
    file: Any = None
    """The path that an upload was kept under."""
    limit: Any = 60
    catalog: Any = None
    policies: Any = ()
    presets: Any = ("balanced",)
    budgets: Any = "0.10"
    """USD per question, with commas between them; none is without limit."""
    seconds: Any = 120.0
    turns: Any = 20
    repeats: Any = 1
    cap: Any = ""
    """USD for the whole sweep, as text; empty: what is forecast at most."""
    seed: Any = 0
    concurrency: Any = 4


@dataclass(frozen=True, slots=True)
class Planned:
    """A sweep that could be launched."""

    sweep: Sweep
    outlook: Outlook
    refused: tuple[str, ...] = ()
    """A sentence for each row of the file that is no question."""
    answered: int = 0
    """Questions with an answer to compare with."""

    @property
    def is_much(self) -> bool:
        """Whether a person is asked before it starts."""
        return is_much(self.sweep, self.outlook)


def folder(desk: Desk) -> Path:
    """Return where the definitions of sweeps are kept."""
    return desk.workspace.settings.home / "sweeps"


async def planned(desk: Desk, visitor: Visitor, form: Form) -> Planned:
    """Return the sweep that a form describes with what it will cost and take; raises ConfigError."""
    permitted(desk, visitor, form.catalog)
    asked = await _question_set(desk, visitor, form)
    made = _defined(desk, visitor, form, asked)
    outlook = await _outlook(desk, made, list(definition.runs(made)))
    if made.cap is None and outlook.known:
        made = made.model_copy(update={"cap": outlook.cap})
    answered = sum(question.answer is not None for question in made.questions)
    return Planned(made, outlook, asked.refused, answered)


async def launched(desk: Desk, visitor: Visitor, form: Form, *, sure: bool) -> Underway | Planned:
    """Start a new sweep, or return what is planned where it is much and nobody is `sure` yet.

    Raises ConfigError, before anything is spent, where it cannot be.
    """
    plan = await planned(desk, visitor, form)
    if plan.sweep.cap is None:
        raise ConfigError(TEXTS[visitor.language]["frontier_needs_cap"])
    if plan.is_much and not sure:
        return plan
    return await _started(desk, plan.sweep)


async def resumed(desk: Desk, visitor: Visitor, sweep_id: Any, cap: Any = None) -> Underway:
    """Go on with a visitor's sweep where it was, with another cap if one is given; raises ConfigError."""
    made = await saved(desk, visitor, sweep_id)
    permitted(desk, visitor, made.catalog.name)
    if (most := _cap(cap, visitor)) is not None:
        made = made.model_copy(update={"cap": most})
    return await _started(desk, made)


async def _started(desk: Desk, made: Sweep) -> Underway:
    async with desk.starting:
        running = desk.sweeps.get(made.id)
        if running is None or running.done:
            await prepare(desk.workspace, made)
            started = desk.sweeps.start(made)
            await asyncio.to_thread(definition.save, made, folder(desk))
            return started
        return running


def permitted(desk: Desk, visitor: Visitor, catalog: Any) -> None:
    """Raise ConfigError where a visitor may not launch sweeps over a catalogue."""
    texts = TEXTS[visitor.language]
    if not visitor.admin:
        raise ConfigError(texts["frontier_admins_only"])
    known = desk.workspace.catalog(_name(catalog))
    if not (desk.door.local or known.simulated or desk.workspace.settings.daily_cap):
        raise ConfigError(texts["no_cap"])


async def saved(desk: Desk, visitor: Visitor, sweep_id: Any) -> Sweep:
    """Return a visitor's own sweep; raises ConfigError for any other."""
    if isinstance(sweep_id, str) and 0 < len(sweep_id) <= 32 and sweep_id.isalnum():
        underway = desk.sweeps.get(sweep_id, visitor.sees)
        if underway is not None:
            return underway.definition
        try:
            found = await asyncio.to_thread(definition.load, folder(desk), sweep_id)
        except ConfigError:
            # The sentence of `load` would name the sweeps of others.
            found = None
        if found is not None and visitor.sees in (None, found.owner):
            return found
    raise ConfigError(TEXTS[visitor.language]["frontier_no_sweep"].format(id=str(sweep_id)[:40]))


async def every_saved(desk: Desk, visitor: Visitor, catalog: str) -> list[Sweep]:
    """Return a visitor's sweeps over a catalogue, the newest first."""

    def read() -> Iterator[Sweep]:
        for sweep_id in definition.saved(folder(desk)):
            with suppress(ConfigError):
                made = definition.load(folder(desk), sweep_id)
                if visitor.sees in (None, made.owner) and made.catalog.name == catalog:
                    yield made

    mine = await asyncio.to_thread(lambda: list(islice(read(), LISTED)))
    return sorted(mine, key=lambda each: each.created_at, reverse=True)


async def gathered(desk: Desk, visitor: Visitor, source: Any, catalog: Any) -> Gathered | None:
    """Return a visitor's runs of a sweep, or of what they have labelled so far; None without any.

    Nothing is run for it. Raises ConfigError for what is not theirs.
    """
    if source == LABELLED:
        known = desk.workspace.catalog(_name(catalog))
        return await labelled_runs(desk.workspace.store, known, owner=visitor.sees)
    made = await saved(desk, visitor, source)
    underway = desk.sweeps.get(made.id)
    if underway is not None and not underway.done:
        if underway.progress is None:
            await underway.wait(0)
        rows = list(underway.rows)
    else:
        rows = await sweep_rows(desk.workspace, made)
    known = await desk.workspace.store.catalog(made.catalog.hash)
    subject = sweep_subject(made, known or desk.workspace.catalog(made.catalog.name))
    return Gathered(rows, subject) if rows else None


async def left(desk: Desk, made: Sweep) -> int:
    """Return how many runs of a sweep that is not under way are left."""
    return len((await take_stock(desk.workspace.store, made)).left)


async def _question_set(desk: Desk, visitor: Visitor, form: Form) -> questions.QuestionSet:
    texts = TEXTS[visitor.language]
    match form.questions:
        case "file":
            if not isinstance(form.file, str) or not form.file:
                raise ConfigError(texts["frontier_no_file"])
            path = Path(form.file)
            if path.suffix.lower() not in (".csv", ".jsonl", ".ndjson"):
                raise ConfigError(texts["frontier_odd_file"].format(name=path.name[:80]))
            return await asyncio.to_thread(questions.from_file, path)
        case "traces":
            wanted = Wanted(catalog=_name(form.catalog), owner=visitor.sees, statuses=FINISHED)
            return await questions.from_traces(desk.workspace.store, wanted)
        case str() as split if split in SETS:
            return questions.from_rehearsal(split.partition(":")[2])
    raise ConfigError(texts["no_such"].format(field=texts["frontier_set"]))


def _defined(desk: Desk, visitor: Visitor, form: Form, asked: questions.QuestionSet) -> Sweep:
    known = desk.workspace.catalog(_name(form.catalog))
    limit = None if form.limit is None else int(_number(form.limit, 1, 200_000, "frontier_limit", visitor))
    wishes: Mapping[str, Preference] = {
        name: preset(name, known) for name in _names(form.presets, PRESETS, "frontier_presets", visitor)
    }
    policies = _names(form.policies, None, "frontier_policies", visitor)
    try:
        return Sweep(
            title=asked.title,
            catalog=known.ref,
            simulated=known.simulated,
            questions=asked.first(limit).questions,
            settings=definition.settings_of(policies, wishes, _budgets(form, visitor)),
            repeats=int(_number(form.repeats, 1, 100, "frontier_repeats", visitor)),
            seed=int(_number(form.seed, 0, 2**31 - 1, "seed", visitor)),
            cap=_cap(form.cap, visitor),
            concurrency=int(_number(form.concurrency, 1, 64, "frontier_concurrency", visitor)),
            owner=visitor.owner,
            created_at=datetime.now(UTC),
        )
    except ValidationError as error:
        raise ConfigError(str(error.errors()[0]["msg"]).removeprefix("Value error, ") + ".") from None


def _budgets(form: Form, visitor: Visitor) -> list[Budget]:
    """Return a budget for each USD that was typed."""
    most = (
        None if form.seconds is None else _number(form.seconds, 1.0, MAX_SECONDS, "budget_seconds", visitor)
    )
    turns = int(_number(form.turns, 1, MAX_TURNS, "budget_turns", visitor))
    typed = form.budgets if isinstance(form.budgets, str) else ""
    parts = list(dict.fromkeys(part.strip().lstrip("$") for part in typed.replace(";", ",").split(",")))
    if not 1 <= len(parts) <= MOST_BUDGETS:
        raise ConfigError(TEXTS[visitor.language]["frontier_many_budgets"].format(most=MOST_BUDGETS))
    return [Budget(cost=_dollars(part, visitor), seconds=most, turns=turns) for part in parts]


def _dollars(text: str, visitor: Visitor) -> float | None:
    if text.lower() in ("none", "unlimited", "无"):
        return None
    return _number(_read(text), 0.0, MAX_COST, "frontier_budgets", visitor)


def _cap(typed: Any, visitor: Visitor) -> float | None:
    if typed is None or typed == "":
        return None
    value = _read(typed.strip().lstrip("$")) if isinstance(typed, str) else typed
    return _number(value, LEAST_CAP, MOST_CAP, "frontier_cap", visitor)


def _read(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _number(value: Any, least: float, most: float, field: str, visitor: Visitor) -> float:
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if number and least <= value <= most:
        return float(value)
    texts = TEXTS[visitor.language]
    said = texts["frontier_bad_number"].format(field=texts[field], least=f"{least:g}", most=f"{most:,.0f}")
    raise ConfigError(said)


def _names(values: Any, known: tuple[str, ...] | None, field: str, visitor: Visitor) -> list[str]:
    texts = TEXTS[visitor.language]
    found = list(values) if isinstance(values, (list, tuple)) else []
    strange = [each for each in found if not isinstance(each, str) or (known and each not in known)]
    if strange or not found or len(found) > 64:
        raise ConfigError(texts["no_such"].format(field=texts[field]))
    return list(dict.fromkeys(found))


def _name(catalog: Any) -> str | None:
    return catalog if isinstance(catalog, str) and catalog else None


async def _outlook(desk: Desk, made: Sweep, runs: list[definition.Run]) -> Outlook:
    tried: dict[tuple[str, str], tuple[Route, Route] | None] = {}

    async def routes(text: str, wish: Preference) -> tuple[Route, Route] | None:
        key = (text, wish.model_dump_json())
        if key not in tried:
            tried[key] = await desk.workspace.routes(text, wish, made.catalog.name)
        return tried[key]

    return await look_ahead(made, runs, await desk.forecasts.learned(made.catalog.hash), routes)
