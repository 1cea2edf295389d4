"""How sure a comparison of settings is: a paired cluster bootstrap over questions.

A replicate draws questions with replacement and takes every setting's accuracy, cost and seconds on the same
draw, so that hard questions count for all settings alike and the three figures vary together.
"""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

REPLICATES = 2_000
LOW, HIGH = 0.025, 0.975
"""The ends of a 95 % interval."""


class Estimate(NamedTuple):
    """A figure with its 95 % interval."""

    mean: float
    low: float
    high: float

    @property
    def includes_zero(self) -> bool:
        return self.low <= 0.0 <= self.high


@dataclass(frozen=True, slots=True)
class Samples:
    """What came of each setting on each question, averaged over repeats; NaN where it was not run."""

    settings: tuple[str, ...]
    questions: tuple[str, ...]
    correct: Array
    """[settings, questions], the share of right answers."""
    cost: Array
    """[settings, questions] in USD."""
    seconds: Array
    """[settings, questions]"""

    @property
    def ran(self) -> NDArray[np.bool_]:
        """[settings, questions], where there is an outcome."""
        return ~np.isnan(self.correct)

    def only(self, settings: NDArray[np.intp], questions: NDArray[np.intp]) -> "Samples":
        """Return some settings on some questions, by their places."""
        cut = np.ix_(settings, questions)
        return Samples(
            tuple(self.settings[each] for each in settings),
            tuple(self.questions[each] for each in questions),
            self.correct[cut],
            self.cost[cut],
            self.seconds[cut],
        )


@dataclass(frozen=True, slots=True)
class Cloud:
    """Replicates of every setting's means; `draws` says how often each question was drawn in each."""

    samples: Samples
    draws: Array
    """[replicates, questions]"""
    means: Array
    """[3, settings]: accuracy, USD and seconds as they were measured."""
    replicates: Array
    """[3, replicates, settings], in the same order."""

    @property
    def accuracy(self) -> Array:
        return self.replicates[0]

    @property
    def cost(self) -> Array:
        return self.replicates[1]


def by_seconds(cloud: Cloud) -> Cloud:
    """Return the same cloud with seconds in the place of cost, to draw accuracy against time."""
    order = [0, 2, 1]
    samples = replace(cloud.samples, cost=cloud.samples.seconds, seconds=cloud.samples.cost)
    return Cloud(samples, cloud.draws, cloud.means[order], cloud.replicates[order])


def bootstrap(samples: Samples, *, replicates: int = REPLICATES, seed: int = 0) -> Cloud:
    """Return the cloud of a comparison; the same seed gives the same cloud."""
    count = len(samples.questions)
    drawn = np.random.default_rng(seed).integers(0, count, (replicates, count))
    drawn += np.arange(replicates)[:, None] * count
    draws = np.bincount(drawn.ravel(), minlength=replicates * count).reshape(replicates, count).astype(float)
    return Cloud(samples, draws, _means(samples, np.ones((1, count)))[:, 0], _means(samples, draws))


def _means(samples: Samples, draws: Array) -> Array:
    """Return [3, replicates, settings]: means over the questions that each setting ran on."""
    ran = samples.ran
    figures = np.stack([samples.correct, samples.cost, samples.seconds])
    filled = figures if ran.all() else np.where(ran, figures, 0.0)
    sums = draws @ filled.reshape(-1, filled.shape[2]).T
    means = np.ascontiguousarray(sums.reshape(len(draws), 3, -1).transpose(1, 0, 2))
    if ran.all():
        return means / draws.sum(1)[:, None]
    often = draws @ ran.T.astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        # A draw that missed all questions of a setting says nothing about it: its own mean stands in.
        own = filled.sum(2) / ran.sum(1)
        return np.where(often > 0, means / often, own[:, None, :])


def estimates(cloud: Cloud) -> list[tuple[Estimate, Estimate, Estimate]]:
    """Return accuracy, USD and seconds per question of each setting."""
    low, high = ends(cloud.replicates, axis=1)
    found = []
    for place, ran in enumerate(cloud.samples.ran):
        accuracy, cost, seconds = (
            Estimate(float(cloud.means[k, place]), float(low[k, place]), float(high[k, place]))
            for k in range(3)
        )
        found.append((_bounded(accuracy, int(ran.sum())), cost, seconds))
    return found


def _bounded(accuracy: Estimate, count: int) -> Estimate:
    """Widen the interval of a setting that was always or never right, where every replicate is the same.

    Its open end is the exact binomial one (Clopper and Pearson, 1934).
    """
    if accuracy.low != accuracy.high or accuracy.mean not in (0.0, 1.0):
        return accuracy
    bound = 1 - LOW ** (1 / max(count, 1))
    return Estimate(0.0, 0.0, bound) if accuracy.mean == 0 else Estimate(1.0, 1 - bound, 1.0)


def per_correct(cloud: Cloud) -> list[Estimate | None]:
    """Return the USD per right answer of each setting, a ratio of sums; None where no answer was right.

    The upper end is infinite where more than one replicate in forty has no right answer.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(cloud.accuracy > 0, cloud.cost / cloud.accuracy, np.inf)
        means = cloud.means[1] / cloud.means[0]
    low, high = ends(ratios, axis=0)
    return [
        Estimate(float(means[k]), float(low[k]), float(high[k])) if cloud.means[0, k] > 0 else None
        for k in range(len(means))
    ]


def covariance(cloud: Cloud, place: int) -> tuple[Array, Array] | None:
    """Return the centre and the 2 × 2 covariance of (log10 USD, accuracy) of one setting, for an ellipse.

    None where it costs nothing or never varies, so that there is no ellipse on a log axis.
    """
    cost = cloud.cost[:, place]
    if not (cost > 0).all():
        return None
    pairs = np.stack([np.log10(cost), cloud.accuracy[:, place]])
    centre = np.array([math.log10(cloud.means[1, place]), cloud.means[0, place]])
    spread = np.cov(pairs)
    return (centre, spread) if np.linalg.det(spread) > 0 else None


def ellipse(centre: Array, spread: Array, *, corners: int = 64) -> Array:
    """Return [2, corners]: the outline that holds 95 % of a normal cloud with this covariance."""
    angles = np.linspace(0, 2 * np.pi, corners)
    # 5.991 is the 95 % quantile of a chi-squared variable of two degrees of freedom.
    reach = np.linalg.cholesky(spread) * math.sqrt(5.991)
    return centre[:, None] + reach @ np.stack([np.cos(angles), np.sin(angles)])


@dataclass(frozen=True, slots=True)
class Difference:
    """One setting minus another, on the questions that both ran on."""

    accuracy: Estimate
    cost: Estimate
    """USD per question."""
    seconds: Estimate
    count: int
    """Questions that both ran on."""

    @property
    def apart(self) -> bool:
        """True where accuracy or cost differ for sure."""
        return not (self.accuracy.includes_zero and self.cost.includes_zero)


def difference(cloud: Cloud, one: int, other: int) -> Difference | None:
    """Return setting `one` minus setting `other`, paired by question; None where no question is common."""
    ran = cloud.samples.ran
    both = ran[one] & ran[other]
    if not both.any():
        return None
    if both.all():
        means, replicates = cloud.means[:, [one, other]], cloud.replicates[:, :, [one, other]]
    else:
        pair = cloud.samples.only(np.array([one, other]), np.flatnonzero(both))
        means = _means(pair, np.ones((1, int(both.sum()))))[:, 0]
        replicates = _means(pair, cloud.draws[:, both])
    low, high = ends(replicates[:, :, 0] - replicates[:, :, 1], axis=1)
    figures = [Estimate(float(means[k, 0] - means[k, 1]), float(low[k]), float(high[k])) for k in range(3)]
    return Difference(*figures, count=int(both.sum()))


def ends(replicates: Array, *, axis: int) -> tuple[Array, Array]:
    """Return the ends of the 95 % intervals along the axis of the replicates."""
    count = replicates.shape[axis]
    low, high = math.floor(LOW * (count - 1)), math.ceil(HIGH * (count - 1))
    ordered = np.partition(replicates, (low, high), axis=axis)
    return ordered.take(low, axis), ordered.take(high, axis)
