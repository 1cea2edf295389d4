"""What a training job needs before its first step, and why it may not begin."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestra_app.backends.local.places import located
from orchestra_app.core.catalog import Catalog, Model
from orchestra_app.core.errors import ConfigError, TrainingError
from orchestra_app.core.usage import Price
from orchestra_app.orchestrator.accounts import Account
from orchestra_app.orchestrator.policy import Policy
from orchestra_app.orchestrator.questions import Question, from_file, from_rehearsal, is_rehearsal
from orchestra_app.storage.outcomes import Wanted
from orchestra_app.training.checkpoint import CARD, read_card
from orchestra_app.training.damage import readable
from orchestra_app.training.definition import Definition
from orchestra_app.training.replay import Saved
from orchestra_app.training.rollouts import Players, Watched, World
from orchestra_app.training.stage import POLICY_SECONDS, KnownOutputs

if TYPE_CHECKING:
    from orchestra_app.backends.local import LocalBackend, LocalModel
    from orchestra_app.training.learner import Learner

REPLAYED = 20_000
"""Saved traces whose results are replayed at most, the newest ones."""


async def starting_place(world: World, base: str) -> str:
    """Return where the starting policy lies: the folder of a checkpoint that has this id, or `base`."""
    return next((each.path for each in await world.store.checkpoints() if each.id == base), base)


def question_set(name: str) -> tuple[Question, ...]:
    """Return the questions of a set with gold answers; raises ConfigError where it has none."""
    if is_rehearsal(name):
        found = from_rehearsal(name.partition(":")[2] or "train")
    else:
        found = from_file(Path(name).expanduser())
    answered = tuple(question for question in found.questions if question.answer is not None)
    if not answered:
        raise ConfigError(f"{name} has no question with an answer to compare with: add a column `answer`.")
    return answered


def learned_from(definition: Definition) -> tuple[Question, ...]:
    """Return the questions that rollouts are made of; raises ConfigError where there is none.

    What an evaluation asks is left out, whichever files it comes from.
    """
    heldout = (
        {each.text for each in question_set(definition.evaluate_on)} if definition.evaluate_every else ()
    )
    found = tuple(each for each in question_set(definition.questions) if each.text not in heldout)
    if not found:
        raise ConfigError(
            f"{definition.evaluate_on} asks all that {definition.questions} asks: name others to train on."
        )
    return found[: definition.question_limit]


def refusal(definition: Definition, catalog: Catalog) -> str | None:
    """Return why a job may not start over a catalogue, as a sentence; None where it may."""
    runs = definition.mode == "rollout" or definition.evaluate_every
    if runs and definition.judge and definition.cap is None:
        return f"The judge {definition.judge} costs real money: set cap to the USD that the job may spend."
    if not runs or catalog.simulated:
        return None
    if definition.tools == "rehearsal":
        return (
            f"The experts of {catalog.name} cost real money: set tools = 'live' to call them, "
            "or name a simulated catalogue."
        )
    if definition.cap is None:
        return f"The experts of {catalog.name} cost real money: set cap to the USD that the job may spend."
    if definition.vary_prices:
        return (
            f"The experts of {catalog.name} cost real money, which invented prices would not count: "
            "set vary_prices = false."
        )
    return None


@dataclass(frozen=True, slots=True)
class Means:
    """What a job works with from its beginning to its end."""

    definition: Definition
    catalog: Catalog
    learner: "Learner"
    root: str
    """The first of the policies that were trained one from another."""
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
    asked = learned_from(definition) if definition.mode == "rollout" else ()
    heldout = question_set(definition.evaluate_on) if definition.evaluate_every else ()
    place = await starting_place(world, definition.base)
    learner = await asyncio.to_thread(Learner.open, definition, place)
    return Means(definition, catalog, learner, _root(definition.base, place), asked, heldout)


def _root(base: str, place: str) -> str:
    found = located(place)
    if isinstance(found, Path) and (found / CARD).is_file():
        card = read_card(found)
        return card.root or card.base or base
    return base


async def players(
    world: World, definition: Definition, catalog: Catalog, local: "LocalModel", *, account: Account | None
) -> tuple["LocalBackend", Players]:
    """Return what makes the rollouts of a job, and the backend in which its policy replies."""
    from orchestra_app.backends.local import LocalBackend

    backend = LocalBackend(lambda: local, constrained=definition.held, batch=definition.rollouts_at_once)
    policy = Policy(
        name=definition.name,
        title=definition.name,
        backend=Watched(backend),
        model=Model(backend="local", price=Price(source="this computer"), context=local.context or 32_768),
        max_output=definition.max_output,
        min_output=min(8, definition.max_output),
        temperature=definition.temperature,
        latency=POLICY_SECONDS,
    )
    saved = None
    if definition.tools == "replay":
        saved = Saved()
        wanted = Wanted(catalog_hash=catalog.hash, statuses=("answered", "failed"), limit=REPLAYED)
        ids = [outcome.id for outcome in await world.store.outcomes(wanted)]
        saved.add((await readable(world.store, ids)).values())
    sandbox = KnownOutputs(world.sandbox) if catalog.simulated else world.sandbox
    judge = await world.judge(definition.judge, catalog.name) if definition.judge else None
    made = Players(
        world,
        policy,
        sandbox,
        account=account,
        saved=saved,
        judge=judge,
        at_once=definition.rollouts_at_once,
    )
    return backend, made
