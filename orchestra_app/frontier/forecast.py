"""What a question will cost and take, before it is asked: split-conformal quantiles from saved traces.

A ridge regression says what is usual for a question like this one; how far saved traces lay above that, on a
part of them that the regression has not seen, gives quantiles that hold whatever the distribution is, as long
as the new question is like the old ones (Lei et al., 2018, "Distribution-free predictive inference").
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from orchestra_app.core.events import FINISHED
from orchestra_app.core.task import NEUTRAL, Budget, Preference
from orchestra_app.storage.outcomes import Outcome

FEWEST = 40
"""Finished traces of a policy below which nothing is forecast."""
FOLDS = 5
RIDGE = 1.0
SMALLEST = np.array([1e-6, 0.1])
"""USD and seconds that are added before taking logarithms, since a run may cost nothing."""
MIDDLE, HIGH = 0.5, 0.9
UNLIMITED_COST, UNLIMITED_SECONDS = 10.0, 10_000.0
"""What no budget counts as, among the features."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Forecast:
    """What one question is likely to cost and take."""

    cost: tuple[float, float]
    """P50 and P90 in USD."""
    seconds: tuple[float, float]
    """P50 and P90."""
    coverage: tuple[float, float]
    """The share of held-out saved traces that stayed within their P90, of cost and of seconds."""
    count: int
    """Saved traces that it is learned from."""


@dataclass(frozen=True, slots=True)
class _Model:
    """One policy's regression with its quantiles."""

    centre: Array
    scale: Array
    weights: Array
    """[features + 1, 2] for the logarithms of USD and seconds."""
    above: Array
    """[2, 2]: by how much P50 and P90 lie above the regression, for USD and seconds."""

    def quantiles(self, features: Array) -> Array:
        """Return [rows, 2, 2]: P50 and P90 of USD and seconds."""
        usual = _design((features - self.centre) / self.scale) @ self.weights
        return np.maximum(0.0, np.exp(usual[:, None, :] + self.above) - SMALLEST)


@dataclass(frozen=True, slots=True)
class Forecaster:
    """What saved traces of one catalogue teach."""

    models: dict[str, _Model]
    coverage: dict[str, tuple[float, float]]
    counts: dict[str, int]
    """Finished traces by policy."""
    means: dict[str, float]
    """USD per run by policy."""
    paces: dict[str, float]
    """Seconds per run by policy."""

    def forecast(self, policy: str, question: str, preference: Preference, budget: Budget) -> Forecast | None:
        """Return the forecast for a question; None where fewer than `FEWEST` traces of the policy are known.

        An empty question counts as one of the usual length.
        """
        if policy not in self.models:
            return None
        model, features = self.models[policy], _features(question, preference, budget)
        if not question:
            features[0] = model.centre[0]
        (middle_cost, middle_seconds), (high_cost, high_seconds) = model.quantiles(features[None])[0]
        most = math.inf if budget.cost is None else budget.cost
        longest = math.inf if budget.seconds is None else budget.seconds
        return Forecast(
            cost=(min(float(middle_cost), most), min(float(high_cost), most)),
            seconds=(min(float(middle_seconds), longest), min(float(high_seconds), longest)),
            coverage=self.coverage[policy],
            count=self.counts[policy],
        )


def learn(outcomes: Iterable[Outcome]) -> Forecaster:
    """Return what saved traces of one catalogue teach; forks and runs that were cut off are passed over."""
    by_policy: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.status in FINISHED and outcome.parent is None:
            by_policy[outcome.policy].append(outcome)
    models: dict[str, _Model] = {}
    coverage: dict[str, tuple[float, float]] = {}
    for policy, found in by_policy.items():
        features, figures, parts = _columns(found)
        # All traces of one question are in one part, so that no part has seen another's questions.
        if len(found) >= FEWEST and len(set(parts)) > FOLDS:
            folds = parts % FOLDS
            coverage[policy] = _coverage(features, figures, folds, parts)
            models[policy] = _fit(features, figures, parts)
    counts = {policy: len(found) for policy, found in by_policy.items()}
    means = {
        policy: math.fsum(outcome.cost for outcome in found) / len(found)
        for policy, found in by_policy.items()
    }
    paces = {
        policy: math.fsum(outcome.seconds for outcome in found) / len(found)
        for policy, found in by_policy.items()
    }
    return Forecaster(models, coverage, counts, means, paces)


def _features(question: str, preference: Preference, budget: Budget) -> Array:
    sliders = list(preference.weights.values())
    return np.array(
        [
            math.log1p(len(question)),
            math.log(max(1e-6, UNLIMITED_COST if budget.cost is None else budget.cost)),
            math.log(UNLIMITED_SECONDS if budget.seconds is None else budget.seconds),
            math.log(budget.turns),
            preference.cost,
            preference.latency,
            sum(slider > NEUTRAL for slider in sliders),
            sum(slider < NEUTRAL for slider in sliders) + len(preference.excluded),
        ]
    )


def _columns(outcomes: Sequence[Outcome]) -> tuple[Array, Array, NDArray[np.int64]]:
    """Return features, [traces, 2] USD and seconds, and a number that depends on the question alone."""
    tasks = [outcome.task for outcome in outcomes]
    features = np.stack([_features(task.question, task.preference, task.budget) for task in tasks])
    figures = np.array([(outcome.cost, outcome.seconds) for outcome in outcomes])
    parts = np.array([crc32(task.question.encode()) for task in tasks])
    return features, figures, parts


def _fit(features: Array, figures: Array, parts: NDArray[np.int64]) -> _Model:
    """Return the model of one half of the questions, with its quantiles from the other half."""
    learned = parts // FOLDS % 2 == 0
    if learned.all() or not learned.any():
        learned = np.arange(len(parts)) % 2 == 0
    logs = np.log(figures + SMALLEST)
    centre, scale = features[learned].mean(0), features[learned].std(0)
    scale[scale == 0] = 1.0
    design = _design((features[learned] - centre) / scale)
    penalty = RIDGE * np.eye(design.shape[1])
    penalty[0, 0] = 0.0
    weights: Array = np.linalg.solve(design.T @ design + penalty, design.T @ logs[learned]).astype(float)
    rest = ~learned
    above = np.sort(logs[rest] - _design((features[rest] - centre) / scale) @ weights, axis=0)
    return _Model(centre, scale, weights, np.stack([above[_rank(len(above), q)] for q in (MIDDLE, HIGH)]))


def _rank(count: int, quantile: float) -> int:
    """Return the place of a conformal quantile among `count` sorted residuals."""
    return min(count, math.ceil((count + 1) * quantile)) - 1


def _coverage(
    features: Array, figures: Array, folds: NDArray[np.int64], parts: NDArray[np.int64]
) -> tuple[float, float]:
    """Return the shares of traces within the P90 of a model that has seen none of their questions."""
    within = np.zeros(2)
    for fold in range(FOLDS):
        held = folds == fold
        if held.any() and not held.all():
            high = _fit(features[~held], figures[~held], parts[~held]).quantiles(features[held])[:, 1]
            within += (figures[held] <= high * (1 + 1e-9) + 1e-12).sum(0)
    cost, seconds = within / len(figures)
    return float(cost), float(seconds)


def _design(features: Array) -> Array:
    return np.concatenate([np.ones((len(features), 1)), features], axis=1)
