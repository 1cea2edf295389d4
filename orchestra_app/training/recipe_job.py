"""The recipe of the small policy as a job: its progress as events, and a checkpoint at the end."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

from orchestra_app.core.errors import TrainingError
from orchestra_app.orchestrator.stop import Stop
from orchestra_app.training import checkpoint, recipe
from orchestra_app.training.definition import Definition
from orchestra_app.training.progress import (
    Finished,
    Learned,
    Rollouts,
    Saved,
    Seconds,
    Started,
    Stepped,
    Tally,
)

STOPPED = "It was stopped; launch it anew."
TOLD_EVERY = 64
"""Steps of the recipe that one event stands for."""

Told = Started | Stepped | Saved | Finished


async def run_recipe(definition: Definition, folder: Path, stop: Stop) -> AsyncGenerator[Told]:
    """Yield the progress of the recipe; stopping it leaves no checkpoint, since it begins from nothing."""
    yield Started(
        job=folder.name, steps=recipe.STEPS, done=0, mode="rollout", simulated=True, parameters=0, trained=0
    )
    place, last, done = checkpoint.place(folder, recipe.STEPS), time.perf_counter(), 0
    try:
        async with aclosing(recipe.rehearsal(place, seed=definition.seed)) as steps:
            async for each in steps:
                done = each.step
                if stop.is_set:
                    yield Finished(status="stopped", step=done, reason=STOPPED)
                    return
                if done % TOLD_EVERY == 0 or done == each.steps:
                    now = time.perf_counter()
                    yield _stepped(each, definition, now - last)
                    last = now
    except TrainingError as error:
        # An interruption in a terminal reaches the processes of the recipe, too.
        if stop.is_set:
            yield Finished(status="stopped", step=done, reason=STOPPED)
        else:
            yield Finished(status="failed", step=done, reason=str(error))
        return
    yield Saved(step=done, path=str(place))
    yield Finished(status="done", step=done, checkpoint=str(place))


def _stepped(each: recipe.Progress, definition: Definition, seconds: float) -> Stepped:
    return Stepped(
        step=each.step,
        rollouts=Rollouts(accuracy=each.accuracy),
        learned=Learned(loss=each.loss),
        tally=Tally(),
        seconds=Seconds(other=seconds),
        rate=definition.learning_rate,
    )
