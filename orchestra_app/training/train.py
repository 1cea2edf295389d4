"""Runs a training job: capped, stoppable, and after a crash on from its last checkpoint."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from orchestra_app.core.errors import OrchestraError, TrainingError
from orchestra_app.orchestrator.stop import Stop
from orchestra_app.training.course import Course, Told
from orchestra_app.training.definition import Definition
from orchestra_app.training.progress import Finished, append
from orchestra_app.training.recipe_job import run_recipe
from orchestra_app.training.rollouts import World

LOCK = ".lock"
"""A file in a job's folder that whoever runs the job has locked."""


async def train(
    world: World, definition: Definition, folder: Path, *, stop: Stop | None = None
) -> AsyncGenerator[Told]:
    """Yield the progress of a job, kept in `folder` with its checkpoints, from the latest of these on.

    Setting `stop` ends it with a checkpoint; closing the generator ends it without one. What goes wrong on
    the way is the last event, and the checkpoints stay. Raises ConfigError, BackendError or TrainingError
    where the job cannot begin; the file of events then ends with it, unless another process runs the job.
    Consume it with `aclosing`.
    """
    make_folder(folder)
    with _alone(folder):
        async with aclosing(_trained(world, definition, folder, stop or Stop())) as told:
            async for event in told:
                yield event


async def _trained(world: World, definition: Definition, folder: Path, stop: Stop) -> AsyncGenerator[Told]:
    if definition.kind == "recipe":
        async with aclosing(run_recipe(definition, folder, stop)) as told:
            async for event in told:
                append(folder, event)
                yield event
        return
    try:
        course = await Course.open(world, definition, folder, stop)
    except OrchestraError as error:
        append(folder, Finished(status="failed", step=0, reason=str(error)))
        raise
    try:
        async with aclosing(course.go_on()) as events:
            async for event in events:
                append(folder, event)
                yield event
    finally:
        await course.close()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a job's folder, since two processes would delete each other's checkpoints and spend twice."""
    lock = FileLock(folder / LOCK, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise TrainingError(
            f"Another process runs the job in {folder}: wait until it has ended, or stop it first."
        ) from None
    try:
        yield
    finally:
        lock.release()


def make_folder(folder: Path) -> None:
    """Make a job's folder where it is missing; raises TrainingError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(
            f"{folder} cannot be made ({error.strerror}): name another folder, or allow writing there."
        ) from error
