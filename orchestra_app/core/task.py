"""What is asked: a question with preferences, a budget and, if known, its gold answer."""

import hashlib
import json
from typing import Annotated

from pydantic import Field

from orchestra_app.core.value import Value

NEUTRAL = 0.5
Slider = Annotated[float, Field(ge=0, le=1)]


class Preference(Value):
    """What the person would like to be used; 0.5 is neutral and 0 means never."""

    weights: dict[str, Slider] = Field(default_factory=dict)
    """Sliders by tool, search source or model name; a missing name is neutral."""
    excluded: tuple[str, ...] = ()
    """Names never to be used: a tool, source, model or alias, or `vendor:NAME`."""
    cost: Slider = 0.25
    """How much cheapness matters."""
    latency: Slider = 0.25
    """How much speed matters."""
    accuracy: Slider = 1.0
    """How much a right answer matters; used by the paper's reward only."""
    soft: bool = False
    """True where a slider at 0 discourages instead of forbidding."""

    def of(self, name: str) -> float:
        """Return the slider of one tool, source or model."""
        return self.weights.get(name, NEUTRAL)


class Budget(Value):
    """What one run may use at most; None is without limit."""

    cost: float | None = Field(default=0.10, ge=0)
    """USD."""
    seconds: float | None = Field(default=120.0, gt=0)
    """Seconds from the start of the run."""
    turns: int = Field(default=20, ge=1, le=200)
    """Replies of the policy."""


def wish_key(preference: Preference, budget: Budget) -> str:
    """Return a short key of sliders and a budget; equal ones have the same, in whatever order they stand."""
    said = preference.model_dump(mode="json", exclude_defaults=True)
    said["excluded"] = sorted(preference.excluded)
    # Without what is usual, so that a new field leaves the keys of old traces as they are.
    text = json.dumps([said, budget.model_dump(mode="json", exclude_defaults=True)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


MAX_QUESTION = 20_000
"""Characters of the longest question that is taken."""


class Task(Value):
    """A question to be answered under preferences and a budget."""

    id: str
    question: str = Field(min_length=1, max_length=MAX_QUESTION)
    answer: str | None = None
    """The gold answer, if known."""
    preference: Preference = Preference()
    budget: Budget = Budget()
    source: str = ""
    """Where the question comes from, such as `page`, `cli` or a question set's name."""

    @property
    def wish(self) -> str:
        """The key of its sliders and its budget."""
        return wish_key(self.preference, self.budget)
