"""A visitor at a desk over the rehearsal, with a trace of three turns."""

from contextlib import aclosing
from typing import Any

from orchestra_app import Options, Trace, Workspace
from orchestra_app.core.task import Budget, Preference
from orchestra_app.orchestrator.fork import Fork
from orchestra_app.rehearsal.questions import as_task, questions
from orchestra_app.ui.visitor import Visitor

ADA = Visitor("visitor:ada", False, "en")
BOB = Visitor("visitor:bob", False, "en")
ADMIN = Visitor("local", True, "en")
FREE = Budget(cost=None, seconds=None, turns=20)


async def played(world: Workspace, *, owner: str = ADA.owner, fork: Fork | None = None, **wish: Any) -> Trace:
    """A finished run of `best-pipeline`: the first held-out question, or another way from a trace."""
    preference, budget = Preference(**wish), FREE
    task = (
        fork.task(preference, budget)
        if fork
        else as_task(questions("heldout")[0], preference=preference, budget=budget)
    )
    orchestrator = await world.orchestrator(policy="best-pipeline")
    options = Options(owner=owner, fork=fork)
    async with aclosing(world.rollout(orchestrator, task, options)) as rollout:
        *_, (_, trace) = [pair async for pair in rollout]
    return trace
