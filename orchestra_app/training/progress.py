"""What a training job tells while it runs; the events are kept in a file, one to a line."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from orchestra_app.core.errors import TrainingError
from orchestra_app.core.value import Value

EVENTS = "events.jsonl"


class Tally(Value):
    """What there was to learn from, and what was left out of it and why."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    groups: int = 0
    """Groups that were looked at."""
    learned_groups: int = 0
    """Groups that are learned from."""
    traces: int = 0
    """Traces that were looked at."""
    human: int = 0
    """Traces whose verdict a person gave."""
    benchmark: int = 0
    """Traces whose verdict a comparison with the gold answer gave."""
    judge: int = 0
    """Traces whose verdict a judging model gave."""
    unsure: int = 0
    """Traces left out: no verdict, or an unsure one."""
    unfinished: int = 0
    """Traces left out: stopped or interrupted."""
    heldout: int = 0
    """Traces left out: an evaluation asks their questions."""
    damaged: int = 0
    """Traces left out: the database holds them no longer whole."""
    contradictory: int = 0
    """Traces left out: their verdict contradicts the gold answer, or another verdict on the same answer."""
    other_catalog: int = 0
    """Groups left out: made under another catalogue or an earlier version of it."""
    mixed_catalogs: int = 0
    """Groups left out: their traces were made under different catalogues."""
    simulated: int = 0
    """Learned traces whose experts were simulated."""
    too_small: int = 0
    """Groups left out: fewer than two traces with a verdict."""
    no_spread: int = 0
    """Groups left out: all their traces earned about the same."""
    spread: float = 0.0
    """Mean standard deviation of the rewards of the groups that are learned from."""
    unanswered: int = 0
    """Rollouts without an answer: they count in their group, but their turns are not learned."""
    turns: int = 0
    """Turns of the traces that are learned from."""
    forced: int = 0
    """Turns left out: the loop chose the call, not the policy."""
    malformed: int = 0
    """Turns whose reply held no valid call: left out, or unlearned where the reply is fresh."""
    too_long: int = 0
    """Turns left out: longer than the tokens allowed."""
    foreign: int = 0
    """Samples whose reply another policy made, spelt in this policy's tokens."""
    samples: int = 0
    """Turns that are learned."""

    def __add__(self, other: "Tally") -> "Tally":
        mine, theirs = self.model_dump(), other.model_dump()
        total = {name: value + theirs[name] for name, value in mine.items()}
        learned = total["learned_groups"] or 1
        weighted = self.spread * self.learned_groups + other.spread * other.learned_groups
        return Tally(**{**total, "spread": weighted / learned})


class Started(Value):
    """The job begins, or goes on from a checkpoint: what was told of steps beyond `done` is void then."""

    type: Literal["started"] = "started"
    job: str
    steps: int
    """Steps of the whole job."""
    done: int
    """Steps done before."""
    mode: Literal["rollout", "traces"]
    simulated: bool
    """Whether the experts are simulated."""
    parameters: int
    """Weights of the policy."""
    trained: int
    """Weights that are trained."""
    questions: int = 0
    """Questions that groups are drawn from."""
    tally: Tally = Tally()
    """What there is to learn, where saved traces are learned from."""
    spent: float = 0.0
    """USD spent before."""


class Seconds(Value):
    """Where the time of a step went, in seconds."""

    generation: float = 0.0
    tools: float = 0.0
    """Waiting for tools, judges and the store while nothing was generated."""
    forward: float = 0.0
    backward: float = 0.0
    """The optimiser's update included."""
    other: float = 0.0

    @property
    def total(self) -> float:
        return self.generation + self.tools + self.forward + self.backward + self.other


class Learned(Value):
    """Figures of one optimiser update."""

    loss: float = 0.0
    kl: float = 0.0
    """Mean divergence from the starting policy per token; 0 where it is not measured."""
    clipped: float = 0.0
    """Share of tokens whose ratio was clipped, in [0, 1]."""
    gradient: float = 0.0
    """Norm of the gradient before it was clipped."""
    tokens: int = 0
    """Tokens of replies that were learned."""
    length: float = 0.0
    """Mean tokens of a reply."""
    entropy: float = 0.0
    """Mean surprise at the tokens said, −log p, in nats."""


class Rollouts(Value):
    """What a set of rollouts came to, as means."""

    count: int = 0
    reward: float = 0.0
    accuracy: float = 0.0
    """Share of right answers, in [0, 1]."""
    efficiency: float = 0.0
    """Mean efficiency of right answers, a factor of the reward `product`."""
    adherence: float = 0.0
    cost: float = 0.0
    """USD of one rollout."""
    seconds: float = 0.0
    """Seconds of one rollout."""
    turns: float = 0.0
    calls: dict[str, float] = Field(default_factory=dict)
    """Calls of one rollout by alias."""
    failed: int = 0
    """Rollouts that ended without an answer."""
    replayed: int = 0
    """Calls that were taken from saved traces."""
    error: float = 0.0
    """Standard error of the accuracy."""


class Stepped(Value):
    """One optimiser update is done."""

    type: Literal["stepped"] = "stepped"
    step: int
    """Counted from 1."""
    rollouts: Rollouts
    """The fresh rollouts, or the saved ones that were learned."""
    learned: Learned
    tally: Tally
    seconds: Seconds
    rate: float
    """The learning rate."""
    group: str = ""
    """How the groups of the step's rollouts are called in the store, as a beginning."""
    spent: float = 0.0
    """USD of the whole job so far."""


class Evaluated(Value):
    """The policy was tried on held-out questions."""

    type: Literal["evaluated"] = "evaluated"
    step: int
    rollouts: Rollouts
    best: bool
    """Whether it is the best since the first step."""
    group: str = ""
    spent: float = 0.0


class Saved(Value):
    """A checkpoint is on the disk."""

    type: Literal["saved"] = "saved"
    step: int
    path: str
    best: bool = False


class Finished(Value):
    """The job has ended."""

    type: Literal["finished"] = "finished"
    status: Literal["done", "stopped", "capped", "failed"]
    step: int
    checkpoint: str | None = None
    """The best checkpoint, else the latest."""
    reason: str = ""
    """Why it ended early, and what to do about it."""
    spent: float = 0.0


Progress = Annotated[Started | Stepped | Evaluated | Saved | Finished, Field(discriminator="type")]
_PROGRESS: TypeAdapter[Progress] = TypeAdapter(Progress)


def append(folder: Path, event: Progress) -> None:
    """Add an event to the job's file; raises TrainingError where the disk is full."""
    try:
        with (folder / EVENTS).open("a", encoding="utf-8") as file:
            file.write(event.model_dump_json() + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise TrainingError(
            f"{folder / EVENTS} cannot be written ({error.strerror}): free some space, then resume the job."
        ) from error


def read(folder: Path, start: int = 0) -> tuple[list[Progress], int]:
    """Return the events of a job's file from the byte `start` on, and where to go on reading.

    A last line that is not whole yet, and lines that a killed process broke off, are left out.
    """
    try:
        with (folder / EVENTS).open("rb") as file:
            file.seek(start)
            text = file.read()
    except OSError:
        return [], start
    whole = text[: text.rfind(b"\n") + 1]
    return list(_parsed(whole)), start + len(whole)


def _parsed(text: bytes) -> Iterator[Progress]:
    for line in text.splitlines():
        try:
            yield _PROGRESS.validate_python(json.loads(line))
        except (ValueError, ValidationError):
            continue
