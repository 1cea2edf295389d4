"""Saved groups as samples, in the order in which a job learns from them."""

import asyncio
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from orchestra_app.core.catalog import Catalog
from orchestra_app.core.errors import TrainingError
from orchestra_app.storage.store import Store
from orchestra_app.training import figures
from orchestra_app.training.definition import Definition
from orchestra_app.training.gather import harvest, nothing_to_learn
from orchestra_app.training.progress import Rollouts, Tally
from orchestra_app.training.samples import Group, Sample, samples

if TYPE_CHECKING:
    from orchestra_app.training.learner import Learner


@dataclass(frozen=True, slots=True)
class Stored:
    """What saved traces have to teach, with the log-probabilities that it was said with."""

    groups: list[Group]
    samples: list[list[Sample]]
    """By group."""
    tally: Tally

    def of_step(self, step: int, definition: Definition) -> tuple[list[Sample], Rollouts, Tally]:
        """Return the samples of the groups of a step: each comes once before any comes again."""
        count = len(self.groups)
        chosen = []
        for number in range(min(definition.groups, count)):
            epoch, place = divmod(step * min(definition.groups, count) + number, count)
            order = list(range(count))
            Random(f"{definition.seed} {epoch}").shuffle(order)
            chosen.append(order[place])
        found = [sample for index in chosen for sample in self.samples[index]]
        members = [self.groups[index].traces for index in chosen]
        tally = Tally(groups=len(chosen), learned_groups=len(chosen), samples=len(found))
        return found, figures.of_groups(members, definition), tally


async def stored(store: Store, definition: Definition, catalog: Catalog, learner: "Learner") -> Stored:
    """Return the saved groups that a definition wants; raises TrainingError where they teach nothing."""
    gathered = await harvest(store, definition, catalog)
    tally = gathered.tally
    per_group: list[list[Sample]] = []
    for group in gathered.groups:
        found, left_out = samples([group], learner.local, definition, gathered.catalogs)
        tally = tally + left_out
        per_group.append(found)
    if not tally.samples:
        raise TrainingError(nothing_to_learn(tally))
    known = iter(await asyncio.to_thread(learner.known, [each for group in per_group for each in group]))
    return Stored(gathered.groups, [[next(known) for _ in group] for group in per_group], tally)
