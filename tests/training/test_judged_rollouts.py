"""A judge inside rollouts: its verdicts are learned from, the job pays for it, and its failures are data."""

import json
from collections import Counter
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from orchestra_app import Workspace
from orchestra_app.backends.base import Request
from orchestra_app.backends.scripted import Line, Scripted
from orchestra_app.core.catalog import Model
from orchestra_app.core.errors import BackendError, ConfigError, TrainingError
from orchestra_app.core.message import Reply
from orchestra_app.core.usage import Usage
from orchestra_app.scoring.judge import Judge
from orchestra_app.storage.outcomes import Wanted
from orchestra_app.training.definition import Definition
from orchestra_app.training.progress import Stepped
from tests.backends.conftest import PRICE, catalog
from tests.training.tiny_policy import follow


@dataclass(frozen=True)
class WithJudge:
    """A world with a judge."""

    world: Workspace
    asked: Scripted

    def __getattr__(self, name: str) -> Any:
        return getattr(self.world, name)

    async def judge(self, name: str, _: str | None = None) -> Judge:
        return Judge(name, Model(price=PRICE), self.asked, catalog())


def unreliable() -> Scripted:
    """Return a judge that says the same of equal answers, and breaks down every third time."""
    numbers = count()

    def say(request: Request) -> Line:
        number, usage = next(numbers), Usage(input_tokens=1_000, output_tokens=100)
        if number % 3 == 2:
            return Line(BackendError("The line is dead."), usage)
        answer = json.loads(request.messages[-1].content)["answer"]
        said = json.dumps({"correct": ("yes", "no")[crc32(answer.encode()) % 2]})
        return Line(Reply(text=said), usage)

    return Scripted(say)


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """Questions whose gold answers only a reader can compare."""
    file = tmp_path / "own.csv"
    rows = "".join(f"Which bird sings at {hour} in the morning?,the blackbird\n" for hour in range(4, 8))
    file.write_text("question,answer\n" + rows)
    return file


def definition(base: Path, asked: Path, **fields: Any) -> Definition:
    known = {"base": str(base), "questions": str(asked), "groups": 4, "group_size": 4, "steps": 2}
    return Definition(**known, judge="gpt-5", **{"cap": 100.0, **fields})


async def test_what_a_judge_says_is_learned_and_what_it_costs_is_the_jobs(
    world: Workspace, base: Path, asked: Path, tmp_path: Path
):
    judge = unreliable()
    judging: Any = WithJudge(world, judge)
    events = await follow(judging, definition(base, asked), tmp_path / "job")
    assert events[-1].status == "done"
    steps = [event for event in events if isinstance(event, Stepped)]
    assert all(step.rollouts.count == 16 for step in steps)
    found = await world.store.traces([each.id for each in await world.store.outcomes(Wanted())])
    labels = [label for trace in found.values() for label in trace.labels]
    answered = [trace for trace in found.values() if trace.answer]
    assert len(judge.requests) == len(answered) > 8
    said = Counter((label.source, label.correct) for label in labels if label.source == "judge")
    assert said["judge", True] + said["judge", False] == len(answered) - len(answered) // 3
    # A failure that was paid for is a label without a verdict, so that the bill can be explained.
    assert said["judge", None] == len(answered) // 3
    assert sum(step.tally.judge for step in steps) > 0
    costs = [label.charge.cost for label in labels if label.charge]
    assert min(costs) > 0
    spent = sum(trace.cost for trace in found.values()) + sum(costs)
    assert events[-1].spent == pytest.approx(spent, rel=1e-9)


async def test_a_judge_wants_a_cap_and_must_be_able_to_judge(
    world: Workspace, base: Path, asked: Path, tmp_path: Path
):
    with pytest.raises(TrainingError, match="The judge gpt-5 costs real money: set cap"):
        await follow(world, definition(base, asked, cap=None), tmp_path / "without")
    with pytest.raises(ConfigError, match="simulated or held to calls"):
        await follow(world, definition(base, asked), tmp_path / "simulated")
