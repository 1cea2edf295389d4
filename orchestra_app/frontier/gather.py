"""Gathers the runs of a report from the store: a sweep's, or all that are labelled so far."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from orchestra_app.core.catalog import Catalog
from orchestra_app.core.task import Budget, Preference, Task
from orchestra_app.frontier.definition import Run, Sweep
from orchestra_app.frontier.report import LABELLED, Report, Subject, report
from orchestra_app.frontier.rows import Row, row_of
from orchestra_app.frontier.stock import take_stock
from orchestra_app.frontier.sweep import World, finished_row, judge
from orchestra_app.orchestrator.presets import PRESETS, preset
from orchestra_app.storage.outcomes import BATCH, Outcome, Wanted
from orchestra_app.storage.store import Store


async def sweep_rows(world: World, sweep: Sweep) -> list[Row]:
    """Return the finished runs of a sweep; raises ConfigError where it is under way elsewhere."""
    stock = await take_stock(world.store, sweep)
    rows: list[Row] = []
    ids = list(stock.finished)
    for start in range(0, len(ids), BATCH):
        for trace_id, trace in (await world.store.traces(ids[start : start + BATCH])).items():
            run: Run = stock.finished[trace_id]
            # A process that was killed right after the last event has left the comparison undone.
            await judge(world, trace)
            rows.append(finished_row(run, trace))
    return rows


def sweep_subject(sweep: Sweep, catalog: Catalog) -> Subject:
    """Return what a sweep's report is about."""
    return Subject(
        title=sweep.title,
        catalog=catalog,
        policies={setting.name: setting.policy for setting in sweep.settings},
        wishes={setting.name: setting.wish for setting in sweep.settings},
        repeats=sweep.repeats,
    )


MOST_LABELLED = 20_000
"""Labelled traces that are compared at most, the newest ones."""
MOST_READ = 2_000
"""The newest of them are read whole, for their tools, their adherence and the dates of their prices."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """The runs of a report."""

    rows: list[Row]
    subject: Subject


async def labelled(store: Store, catalog: Catalog, *, owner: str | None = None) -> Report | None:
    """Return the frontier of all labelled traces of a catalogue so far; nothing is run. None without any.

    owner: only this visitor's traces.
    """
    found = await labelled_runs(store, catalog, owner=owner)
    return await asyncio.to_thread(report, found.rows, found.subject) if found else None


async def labelled_runs(store: Store, catalog: Catalog, *, owner: str | None = None) -> Gathered | None:
    """Return the runs of `labelled`; simulated and real ones of a catalogue's name are never together."""
    wanted = Wanted(catalog=catalog.name, owner=owner, verdicts=("correct", "incorrect"), limit=MOST_LABELLED)
    outcomes = await store.outcomes(wanted)
    # Nothing was charged where there is no cost, so only the catalogue tells what such a run was.
    outcomes = [each for each in outcomes if not each.cost or each.simulated == catalog.simulated]
    if not outcomes:
        return None
    whole = await store.traces([outcome.id for outcome in outcomes[:MOST_READ]])
    names = _names(outcomes, catalog)
    named = {outcome.id: names[outcome.policy, outcome.wish] for outcome in outcomes}
    rows = [
        row_of(
            whole[each.id], setting=named[each.id], question=each.task.question, simulated=catalog.simulated
        )
        if each.id in whole
        else _light(each, named[each.id], catalog)
        for each in outcomes
    ]
    settings = sorted((name, policy, wish) for (policy, wish), name in names.items())
    subject = Subject(
        title=LABELLED,
        catalog=catalog,
        policies={name: policy for name, policy, _ in settings},
        wishes={name: wish for name, _, wish in settings},
    )
    return Gathered(rows, subject)


def _names(outcomes: Iterable[Outcome], catalog: Catalog) -> dict[tuple[str, str], str]:
    """Return a name for each policy under each wish; two that would be called the same carry their keys."""
    tasks = {(each.policy, each.wish): each.task for each in outcomes}
    found = {key: _name(key[0], task, catalog) for key, task in tasks.items()}
    often = Counter(found.values())
    return {key: name if often[name] == 1 else f"{name} · {key[1][:6]}" for key, name in found.items()}


def _name(policy: str, task: Task, catalog: Catalog) -> str:
    parts, usual = [policy], Budget()
    if task.preference != Preference():
        known = (name for name in PRESETS if preset(name, catalog) == task.preference)
        parts.append(next(known, None) or _sliders(task.preference))
    if task.budget != usual:
        cost, seconds, turns = task.budget.cost, task.budget.seconds, task.budget.turns
        parts.append("no limit" if cost is None else f"${cost:g}")
        parts += [f"{seconds:g} s"] if seconds is not None else []
        parts += [f"{turns} turns"] if turns != usual.turns else []
    return ", ".join(parts)


def _sliders(preference: Preference) -> str:
    changed = preference.model_dump(exclude_defaults=True)
    said = [f"{name} {value:g}" for name, value in changed.pop("weights", {}).items()]
    said += [f"without {name}" for name in changed.pop("excluded", ())]
    return " ".join([*said, *(f"{name} {value:g}" for name, value in changed.items())])


def _light(outcome: Outcome, setting: str, catalog: Catalog) -> Row:
    return Row(
        trace_id=outcome.id,
        setting=setting,
        question=outcome.task.question,
        status=outcome.status,
        correct=outcome.verdict == "correct",
        cost=outcome.cost,
        seconds=outcome.seconds,
        tools={},
        simulated=catalog.simulated,
    )
