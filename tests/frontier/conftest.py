"""An open workspace over the rehearsal, and traces that it made."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from orchestra_app import Options, Settings, Trace, Workspace
from orchestra_app.core.task import Budget, Preference
from orchestra_app.rehearsal.questions import as_task, questions

POLICIES = ("rules", "random", "best-pipeline", "do-nothing")


@pytest.fixture
async def world(home: Path) -> AsyncIterator[Workspace]:
    opened = await Workspace.open(Settings(home=home))
    yield opened
    await opened.aclose()


@pytest.fixture
async def traces(world: Workspace) -> list[Trace]:
    """Finished runs of several policies under several sliders."""
    wishes = (Preference(), Preference(weights={"gpt-5": 0.9, "qwen3-32b": 0.2, "search": 0.3}))
    found = []
    for policy in POLICIES:
        orchestrator = await world.orchestrator(policy=policy)
        for number, question in enumerate(questions("heldout")[:8]):
            task = as_task(question, preference=wishes[number % 2], budget=Budget())
            async with aclosing(world.rollout(orchestrator, task, Options(seed=number))) as rollout:
                *_, (_, trace) = [pair async for pair in rollout]
            found.append(trace)
    return found
