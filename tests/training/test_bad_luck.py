"""What goes wrong while a job runs: a sentence, the last good checkpoint stays, and a failed call is data."""

import math
import sqlite3
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from orchestra_app import Workspace
from orchestra_app.backends.base import State
from orchestra_app.backends.local import LocalModel
from orchestra_app.core.errors import StorageError, ToolError, TrainingError
from orchestra_app.core.message import ToolCall, ToolResult
from orchestra_app.core.purse import Purse
from orchestra_app.orchestrator.loop import Orchestrator
from orchestra_app.orchestrator.stop import Stop
from orchestra_app.storage.outcomes import Wanted
from orchestra_app.tools.base import Tool, Toolbox
from orchestra_app.training import checkpoint
from orchestra_app.training.course import Course
from orchestra_app.training.definition import Definition
from orchestra_app.training.grpo import Clock, update
from orchestra_app.training.learner import Learner
from orchestra_app.training.progress import Finished, Learned, Stepped
from orchestra_app.training.rollouts import Players
from orchestra_app.training.samples import Sample
from tests.training.tiny_policy import follow

SAMPLES = [Sample((5, 6), (7, 8), 1.0, (-1.0, -1.0))]


def quick(base: Path, **fields: Any) -> Definition:
    known = {"base": str(base), "groups": 4, "group_size": 4, "steps": 3, "learning_rate": 5e-3, "warmup": 0}
    return Definition(**{**known, **fields})


class Spoilt(Learner):
    """A learner whose third step has no numbers."""

    def learn(self, samples: list[Sample], step: int, clock: Clock) -> Learned:
        if step == 3:
            samples = [replace(each, logprobs=(math.nan,) * len(each.completion)) for each in samples]
        return super().learn(samples, step, clock)


@pytest.mark.parametrize("every", [2, 5])
async def test_a_loss_that_is_no_number_ends_the_job_and_keeps_the_last_good_step(
    world: Workspace, base: Path, tmp_path: Path, every: int
):
    definition = quick(base, steps=5, checkpoint_every=every)
    course = await Course.open(world, definition, tmp_path / "job", Stop())
    course.learner = Spoilt(**vars(course.learner))
    async with aclosing(course.go_on()) as events:
        last = [event async for event in events][-1]
    await course.close()
    assert isinstance(last, Finished) and last.status == "failed" and last.step == 2
    assert last.reason.startswith("The loss is no number any more: lower learning_rate")
    assert last.checkpoint is not None
    assert checkpoint.verify(Path(last.checkpoint)).lineage.step == 2
    resumed = await follow(world, definition, tmp_path / "job")
    assert resumed[0].done == 2 and resumed[-1].status == "done"


class Unlucky(torch.nn.Module):
    """A model whose forward pass raises."""

    def __init__(self, model: Any, error: Exception):
        super().__init__()
        self.model, self.error, self.device = model, error, model.device

    def forward(self, input_ids: Any, attention_mask: Any, **_: Any) -> Any:
        raise self.error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            torch.OutOfMemoryError("CUDA out of memory."),
            "lower tokens_at_once, or train an adapter with rank",
        ),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "lower tokens_at_once"),
        (RuntimeError("CUDA error: out of memory"), "lower tokens_at_once"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED"), "lower tokens_at_once"),
        (MemoryError(), "lower tokens_at_once"),
        (RuntimeError("CUDA error: device-side assert triggered"), "GPU does not answer any more: check"),
    ],
    ids=["GPU memory", "CPU memory", "CUDA memory", "cuBLAS memory", "Python memory", "GPU gone"],
)
def test_memory_that_runs_out_and_a_gpu_that_is_gone_are_a_sentence(base: Path, error: Exception, said: str):
    model = Unlucky(LocalModel.load(str(base)).model, error)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(TrainingError, match=said):
        update(model, optimizer, SAMPLES, Definition(), pad=0)


@dataclass(frozen=True)
class FailsEveryOtherTime:
    """A tool that breaks down now and then."""

    tool: Tool
    calls: list[str]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tool, name)

    async def call(self, call: ToolCall, state: State, purse: Purse) -> ToolResult:
        self.calls.append(call.name)
        if len(self.calls) % 2:
            raise ToolError("The line is dead.")
        return await self.tool.call(call, state, purse)


@dataclass(frozen=True)
class Unreliable:
    """A world in which every tool fails every other time."""

    world: Workspace

    def __getattr__(self, name: str) -> Any:
        return getattr(self.world, name)

    async def conduct(self, *given: Any) -> Orchestrator:
        made = await self.world.conduct(*given)
        calls: list[str] = []
        broken: list[Any] = [FailsEveryOtherTime(tool, calls) for tool in made.toolbox.tools.values()]
        return replace(made, toolbox=Toolbox(broken))


async def test_a_tool_that_fails_in_a_rollout_is_data_and_the_group_goes_on(
    world: Workspace, base: Path, tmp_path: Path
):
    events = await follow(Unreliable(world), quick(base, steps=2), tmp_path / "job")  # pyright: ignore[reportArgumentType]
    assert events[-1].status == "done"
    steps = [event for event in events if isinstance(event, Stepped)]
    assert all(step.rollouts.count == 16 for step in steps)
    stored = await world.store.traces([each.id for each in await world.store.outcomes(Wanted())])
    errors = [result.error for trace in stored.values() for turn in trace.turns for result in turn.results]
    assert errors.count("The line is dead.") > 10 and errors.count(None) > 10
    assert all(trace.correct is not None for trace in stored.values())


async def test_a_damaged_trace_is_counted_and_the_others_are_learned(
    world: Workspace, base: Path, tmp_path: Path, home: Path
):
    await follow(world, quick(base, kind="collect", steps=2, groups=8), tmp_path / "maker")
    with sqlite3.connect(next(home.rglob("*.db"))) as database:
        database.execute("UPDATE turn SET body = '{' WHERE trace_id = (SELECT min(id) FROM trace)")
    database.close()
    events = await follow(world, quick(base, mode="traces"), tmp_path / "job")
    assert events[0].tally.damaged == 1 and events[0].tally.traces == 2 * 8 * 4 - 1
    assert events[-1].status == "done"


async def test_a_database_that_refuses_rollouts_ends_the_job_in_one_sentence(
    world: Workspace, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async def refuse(*_: Any) -> None:
        raise StorageError("The disk is full.")

    monkeypatch.setattr(Players, "_one", refuse)
    last = (await follow(world, quick(base, steps=1), tmp_path / "job"))[-1]
    assert isinstance(last, Finished) and (last.status, last.reason) == ("failed", "The disk is full.")
