"""What a training job needs before its first step, and why it may not begin."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestra_app.core.catalog import Catalog
from orchestra_app.core.errors import ConfigError, TrainingError
from orchestra_app.orchestrator.questions import Question, from_file, from_rehearsal
from orchestra_app.training.definition import Definition
from orchestra_app.training.rollouts import World

if TYPE_CHECKING:
    from orchestra_app.training.learner import Learner


async def starting_place(world: World, base: str) -> str:
    """Return where the starting policy lies: the folder of a checkpoint that has this id, or `base`."""
    return next((each.path for each in await world.store.checkpoints() if each.id == base), base)


def question_set(name: str) -> tuple[Question, ...]:
    """Return the questions of a set with gold answers; raises ConfigError where it has none."""
    if name.startswith("rehearsal"):
        found = from_rehearsal(name.partition(":")[2] or "train")
    else:
        found = from_file(Path(name).expanduser())
    answered = tuple(question for question in found.questions if question.answer is not None)
    if not answered:
        raise ConfigError(f"{name} has no question with an answer to compare with: add a column `answer`.")
    return answered


def refusal(definition: Definition, catalog: Catalog) -> str | None:
    """Return why a job may not start over a catalogue, as a sentence; None where it may."""
    runs = definition.mode == "rollout" or definition.evaluate_every
    if not runs or catalog.simulated:
        return None
    if definition.tools == "rehearsal":
        return (
            f"The experts of {catalog.name} cost real money: set tools = 'live' to call them, "
            "or name a simulated catalogue."
        )
    if definition.cap is None:
        return f"The experts of {catalog.name} cost real money: set cap to the USD that the job may spend."
    return None


@dataclass(frozen=True, slots=True)
class Means:
    """What a job works with from its beginning to its end."""

    definition: Definition
    catalog: Catalog
    learner: "Learner"
    questions: tuple[Question, ...]
    heldout: tuple[Question, ...]
    """The questions of an evaluation."""


async def means(world: World, definition: Definition) -> Means:
    """Return what a job works with; raises before anything is spent where it cannot begin."""
    # Loads torch, which only a job that runs here needs.
    from orchestra_app.training.learner import Learner

    catalog = world.catalog(definition.catalog)
    if why := refusal(definition, catalog):
        raise TrainingError(why)
    asked = question_set(definition.questions) if definition.mode == "rollout" else ()
    heldout = question_set(definition.evaluate_on) if definition.evaluate_every else ()
    place = await starting_place(world, definition.base)
    learner = await asyncio.to_thread(Learner.open, definition, place)
    return Means(definition, catalog, learner, asked[: definition.question_limit], heldout)
