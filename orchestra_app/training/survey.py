"""What there is to learn, and what a job will cost and take, before it is launched; loads no model."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestra_app.core.errors import ConfigError
from orchestra_app.storage.outcomes import Wanted
from orchestra_app.training.definition import Definition, load_definition
from orchestra_app.training.gather import harvest, nothing_to_learn
from orchestra_app.training.launch import DEFINITION
from orchestra_app.training.opening import learned_from, question_set, refusal
from orchestra_app.training.progress import Stepped, Tally, read
from orchestra_app.training.rollouts import World

LEARNED_FROM = 2_000
"""Saved runs whose mean cost a forecast takes, the newest ones."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What a definition comes to."""

    tally: Tally
    """What saved traces have to teach, in mode `traces`."""
    questions: int
    rollouts: int
    """Rollouts that the whole job makes, evaluations included."""
    cost: float | None
    """USD that they are likely to cost; None: no run of this catalogue is saved yet."""
    seconds: float | None
    """Seconds that the job is likely to take here; None: no job of this size has run yet."""
    obstacle: str | None
    """Why the job may not start or would learn nothing, as a sentence."""


async def survey(world: World, definition: Definition, folders: Iterable[Path] = ()) -> Survey:
    """Return what there is to learn. folders: of earlier jobs. Raises ConfigError and TrainingError."""
    catalog = world.catalog(definition.catalog)
    obstacle = refusal(definition, catalog)
    tally, asked, rollouts = Tally(), 0, 0
    if definition.mode == "traces":
        tally = (await harvest(world.store, definition, catalog)).tally
        if not tally.learned_groups:
            obstacle = obstacle or nothing_to_learn(tally)
    else:
        asked = len(learned_from(definition))
        rollouts = definition.steps * definition.groups * definition.group_size
    if definition.evaluate_every:
        times = 2 + (definition.steps - 1) // definition.evaluate_every
        rollouts += times * min(definition.evaluate_count, len(question_set(definition.evaluate_on)))
    known = await world.store.outcomes(
        Wanted(catalog=catalog.name, statuses=("answered", "exhausted"), limit=LEARNED_FROM)
    )
    each = sum(outcome.cost for outcome in known) / len(known) if known else None
    cost = 0.0 if not rollouts else None if each is None else each * rollouts
    bases = {each.id: str(each.card.get("base", "")) for each in await world.store.checkpoints()}
    return Survey(tally, asked, rollouts, cost, _seconds(definition, folders, bases), obstacle)


def _seconds(definition: Definition, folders: Iterable[Path], bases: Mapping[str, str]) -> float | None:
    """Return the seconds of a job, from the steps of earlier ones that trained the same policy alike."""
    paces, wanted = [], _pace(definition, bases)
    for folder in folders:
        try:
            alike = _pace(load_definition(folder / DEFINITION), bases) == wanted
        except ConfigError:
            continue
        for event in read(folder)[0] if alike else ():
            if isinstance(event, Stepped) and event.learned.tokens and event.rollouts.count:
                paces.append(event.seconds.total / event.rollouts.count)
    if not paces:
        return None
    return sum(paces) / len(paces) * definition.groups * definition.group_size * definition.steps


def _pace(definition: Definition, bases: Mapping[str, str]) -> tuple[object, ...]:
    """Return what decides how long a rollout takes to make and to learn; bases: of checkpoints by id."""
    base, seen = definition.base, set[str]()
    while base in bases and base not in seen:
        seen.add(base)
        base = bases[base]
    each = definition
    return base, each.mode, each.tools, each.rank, each.device, each.processes, each.learns
