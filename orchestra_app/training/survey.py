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
    simulated: bool
    """Whether that is no real money."""
    obstacle: str | None
    """Why the job may not start or would learn nothing, as a sentence."""


async def survey(world: World, definition: Definition, folders: Iterable[Path] = ()) -> Survey:
    """Return what there is to learn. folders: of earlier jobs. Raises ConfigError and TrainingError."""
    if definition.kind == "recipe":
        return Survey(Tally(), 0, 0, cost=0.0, seconds=None, simulated=True, obstacle=None)
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
    if definition.evaluate_every and definition.learns:
        times = 2 + (definition.steps - 1) // definition.evaluate_every
        rollouts += times * min(definition.evaluate_count, len(question_set(definition.evaluate_on)))
    known = await world.store.outcomes(
        Wanted(catalog=catalog.name, statuses=("answered", "exhausted"), limit=LEARNED_FROM)
    )
    each = sum(outcome.cost for outcome in known) / len(known) if known else None
    cost = 0.0 if not rollouts else None if each is None else each * rollouts
    roots = {
        each.id: str(each.card.get("root") or each.card.get("base"))
        for each in await world.store.checkpoints()
    }
    seconds, simulated = _seconds(definition, folders, roots), catalog.simulated
    return Survey(tally, asked, rollouts, cost, seconds, simulated, obstacle)


def _seconds(definition: Definition, folders: Iterable[Path], roots: Mapping[str, str]) -> float | None:
    """Return the seconds of a job, from the steps of earlier ones that trained the same policy alike."""
    paces, wanted = [], _pace(definition, roots)
    for folder in folders:
        try:
            alike = _pace(load_definition(folder / DEFINITION), roots) == wanted
        except ConfigError:
            continue
        for event in read(folder)[0] if alike else ():
            if isinstance(event, Stepped) and event.learned.tokens and event.rollouts.count:
                paces.append(event.seconds.total / event.rollouts.count)
    if not paces:
        return None
    return sum(paces) / len(paces) * definition.groups * definition.group_size * definition.steps


def _pace(definition: Definition, roots: Mapping[str, str]) -> tuple[object, ...]:
    """Return what decides how long a rollout takes to make and to learn; roots: of checkpoints by id."""
    each, root = definition, roots.get(definition.base, definition.base)
    return root, each.mode, each.tools, each.rank, each.device, each.processes, each.learns
