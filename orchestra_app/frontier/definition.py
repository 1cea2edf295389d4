"""A sweep as a value: which questions are asked under which settings, and what identifies each run."""

import hashlib
import itertools
import os
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import Field, ValidationError, model_validator

from orchestra_app.core.errors import ConfigError
from orchestra_app.core.events import CatalogRef
from orchestra_app.core.task import Budget, Preference, Task, wish_key
from orchestra_app.core.value import Value
from orchestra_app.orchestrator.presets import NEUTRAL_PRESET
from orchestra_app.orchestrator.questions import Question, digest

ALWAYS = ("do-nothing", "cheapest", "random", "rules", "best-expert", "best-pipeline")
"""Baselines that every sweep runs, so that its policies are never seen without them."""
MOST_RUNS = 200_000


class Setting(Value):
    """One way to answer questions: a policy under sliders and a budget."""

    name: str
    """Unique in its sweep."""
    policy: str
    preset: str = NEUTRAL_PRESET
    """How the sliders are called."""
    preference: Preference = Preference()
    budget: Budget = Budget()

    @property
    def wish(self) -> str:
        """The key of the sliders and the budget."""
        return wish_key(self.preference, self.budget)


class Sweep(Value):
    """Every question under every setting, some times over."""

    id: str = Field(default_factory=lambda: uuid.uuid4().hex[:12], pattern=r"^[0-9a-z]{6,32}$")
    title: str
    """Where the questions come from."""
    catalog: CatalogRef
    simulated: bool
    questions: tuple[Question, ...] = Field(min_length=1)
    settings: tuple[Setting, ...] = Field(min_length=1)
    repeats: int = Field(default=1, ge=1, le=100)
    seed: int = 0
    """Of the first repeat; every setting has the same one, so that they meet the same luck."""
    cap: float | None = Field(default=None, gt=0)
    """USD that the whole sweep may spend, what was spent before a crash included; None: without limit."""
    concurrency: int = Field(default=4, ge=1, le=64)
    """Runs at the same time."""
    owner: str = "local"
    consent: bool = False
    created_at: datetime
    """In UTC."""

    @model_validator(mode="after")
    def _one_name_each(self) -> "Sweep":
        names = [setting.name for setting in self.settings]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"the setting {twice[0]!r} stands twice")
        if self.total > MOST_RUNS:
            raise ValueError(f"{self.total:,} runs are more than {MOST_RUNS:,}; take fewer questions")
        return self

    @property
    def total(self) -> int:
        """Runs that it consists of."""
        return len(self.questions) * len(self.settings) * self.repeats

    @property
    def group(self) -> str:
        """How the names of the groups of its traces begin."""
        return f"sweep-{self.id}/"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a sweep."""

    sweep: Sweep
    setting: Setting
    question: Question
    repeat: int

    @property
    def task(self) -> Task:
        """What is asked."""
        return Task(
            id=self.question.id,
            question=self.question.text,
            answer=self.question.answer,
            preference=self.setting.preference,
            budget=self.setting.budget,
            source=self.question.source,
        )

    @property
    def group(self) -> str:
        """The traces of one task: the same question, sliders and budget, under several policies."""
        return f"{self.sweep.group}{digest(self.question.id)}-{self.setting.wish}"

    def trace_id(self, attempt: int) -> str:
        """Return the id that the trace of this run has, the same in every process.

        attempt: 0, or the number of earlier ones that were stopped or interrupted.
        """
        parts = (self.sweep.id, self.setting.name, self.question.id, str(self.repeat), str(attempt))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def runs(sweep: Sweep) -> Iterator[Run]:
    """Yield every run, question by question, so that a stopped sweep has asked all settings the same."""
    for repeat, question, setting in itertools.product(range(sweep.repeats), sweep.questions, sweep.settings):
        yield Run(sweep, setting, question, repeat)


def settings_of(
    policies: Iterable[str], presets: Mapping[str, Preference], budgets: Sequence[Budget]
) -> tuple[Setting, ...]:
    """Return every policy under every preset and budget, and the baselines that are always there.

    A baseline that is not named itself runs with neutral sliders and the largest budget.
    """
    policies = list(dict.fromkeys(policies))
    found = [
        Setting(
            name=_name(policy, preset, budget, budgets),
            policy=policy,
            preset=preset,
            preference=preference,
            budget=budget,
        )
        for policy in policies
        for preset, preference in presets.items()
        for budget in budgets
    ]
    largest = max(budgets, key=lambda budget: float("inf") if budget.cost is None else budget.cost)
    neutral = {setting.policy for setting in found if setting.preference == Preference()}
    missing = (name for name in ALWAYS if name not in neutral)
    return (*(Setting(name=name, policy=name, budget=largest) for name in missing), *found)


def _name(policy: str, preset: str, budget: Budget, budgets: Sequence[Budget]) -> str:
    parts = [policy]
    if preset != NEUTRAL_PRESET:
        parts.append(preset)
    if len(budgets) > 1:
        parts.append("no limit" if budget.cost is None else f"${budget.cost:g}")
    return ", ".join(parts)


def save(sweep: Sweep, folder: Path) -> None:
    """Keep a sweep's definition in a folder, whole or not at all; raises ConfigError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=folder, delete=False, encoding="utf-8") as file:
            file.write(sweep.model_dump_json())
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(_file(folder, sweep.id))
    except OSError as error:
        raise ConfigError(
            f"The sweep cannot be kept in {folder} ({error.strerror}); make the folder writable."
        ) from error


def load(folder: Path, sweep_id: str) -> Sweep:
    """Return a sweep that was kept; raises ConfigError where there is none."""
    try:
        return Sweep.model_validate_json(_file(folder, sweep_id).read_bytes())
    except (OSError, ValidationError):
        known = ", ".join(saved(folder)[:SHOWN]) or "there is none yet"
        raise ConfigError(f"There is no sweep {sweep_id[:40]!r} to go on with; known are: {known}.") from None


SHOWN = 8


def saved(folder: Path) -> list[str]:
    """Return the ids of the sweeps in a folder, the newest first."""
    files = sorted(folder.glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    return [file.stem for file in files]


def _file(folder: Path, sweep_id: str) -> Path:
    # An id that was typed must not lead out of the folder.
    return folder / f"{Path(sweep_id).name}.json"
