"""What a visitor asks for, checked field by field; forged values end here with a sentence."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestra_app.core.catalog import Catalog
from orchestra_app.core.task import MAX_QUESTION, NEUTRAL, Budget, Preference

MAX_TURNS = 200
MAX_COST = 1_000.0
"""USD of the highest budget of one run that is taken."""
MAX_SECONDS = 86_400.0
MAX_SEED = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Wish:
    """A form as it was sent; nothing in it is believed before `problems` found nothing."""

    question: Any = ""
    weights: Mapping[str, Any] = field(default_factory=dict)
    excluded: Any = ()
    soft: Any = False
    cost: Any = 0.25
    latency: Any = 0.25
    budget_cost: Any = 0.10
    budget_seconds: Any = 120.0
    budget_turns: Any = 20
    seed: Any = 0

    @property
    def preference(self) -> Preference:
        """The sliders; only after `problems` found nothing."""
        return Preference(
            weights={name: float(value) for name, value in self.weights.items() if value != NEUTRAL},
            excluded=tuple(self.excluded or ()),
            cost=float(self.cost),
            latency=float(self.latency),
            soft=self.soft,
        )

    @property
    def budget(self) -> Budget:
        """The limits, empty ones as none; only after `problems` found nothing."""
        cost, seconds = self.budget_cost, self.budget_seconds
        return Budget(
            cost=None if cost is None else float(cost),
            seconds=None if seconds is None else float(seconds),
            turns=int(self.budget_turns),
        )


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a field cannot be used: the key of a text, with what is filled into it."""

    where: str
    """The field of the wish."""
    text: str
    values: dict[str, Any] = field(default_factory=dict)

    def sentence(self, texts: Mapping[str, str]) -> str:
        return texts[self.text].format(**self.values)


def problems(wish: Wish, catalog: Catalog) -> list[Problem]:
    """Return what is wrong with a wish, the question first; empty where it can be asked."""
    found = [_question(wish.question), *_sliders(wish, catalog), _excluded(wish.excluded, catalog)]
    found += [
        None if isinstance(wish.soft, bool) else Problem("soft", "bad_soft"),
        _limit("budget_cost", wish.budget_cost, 0.0, MAX_COST),
        _limit("budget_seconds", wish.budget_seconds, 1.0, MAX_SECONDS),
        _whole("budget_turns", wish.budget_turns, 1, MAX_TURNS),
        _whole("seed", wish.seed, 0, MAX_SEED),
    ]
    return [problem for problem in found if problem]


def _question(text: Any) -> Problem | None:
    if not isinstance(text, str) or not text.strip():
        return Problem("question", "no_question")
    if len(text.strip()) > MAX_QUESTION:
        return Problem(
            "question", "long_question", {"limit": f"{MAX_QUESTION:,}", "length": f"{len(text):,}"}
        )
    return None


def _sliders(wish: Wish, catalog: Catalog) -> list[Problem]:
    if not isinstance(wish.weights, Mapping):
        return [Problem("weights", "bad_slider", {"name": str(wish.weights)[:80]})]
    found = [
        Problem("weights", "unknown_slider", {"name": str(name)[:80], "known": ", ".join(catalog.sliders)})
        for name in wish.weights
        if name not in catalog.sliders
    ]
    values = {**wish.weights, "cost": wish.cost, "latency": wish.latency}
    for name, value in values.items():
        if not _within(value, 0.0, 1.0):
            found.append(Problem("weights", "bad_slider", {"name": str(name)[:80]}))
    return found


def _excluded(names: Any, catalog: Catalog) -> Problem | None:
    known = {*catalog.sliders, *(alias for tool in catalog.tools.values() for alias in tool.choices)}
    known |= {f"vendor:{model.vendor}" for model in catalog.models.values() if model.vendor}
    if not isinstance(names or (), (list, tuple)):
        return Problem("excluded", "bad_exclusion", {"name": str(names)[:80]})
    strange = [str(name) for name in names or () if not isinstance(name, str) or name not in known]
    return Problem("excluded", "bad_exclusion", {"name": strange[0][:80]}) if strange else None


def _limit(name: str, value: Any, least: float, most: float) -> Problem | None:
    if value is None or _within(value, least, most):
        return None
    return Problem(name, f"bad_{name}", {"least": f"{least:g}", "most": f"{most:,.0f}"})


def _whole(name: str, value: Any, least: int, most: int) -> Problem | None:
    if _within(value, least, most) and float(value) == int(value):
        return None
    return Problem(name, f"bad_{name}", {"least": least, "most": f"{most:,}"})


def _within(value: Any, least: float, most: float) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and least <= value <= most
