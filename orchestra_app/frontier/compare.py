"""The frontier as it is shown: each setting's figures with intervals, and which settings to believe in."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from orchestra_app.frontier.bootstrap import (
    REPLICATES,
    Cloud,
    Difference,
    Estimate,
    Samples,
    bootstrap,
    difference,
    estimates,
    per_correct,
)
from orchestra_app.frontier.remarks import Remark, remark
from orchestra_app.frontier.staircase import Band, band, on_frontier, staircase

FEW = 10
"""Questions below which a setting is not compared: a bootstrap of fewer is too sure of itself."""
ENOUGH = 0.5
"""Share of the most asked setting's questions that a setting needs, to be compared on common questions."""


@dataclass(frozen=True, slots=True)
class Point:
    """One setting in the chart."""

    setting: str
    count: int
    """Questions that its figures rest on; without any they are NaN."""
    accuracy: Estimate
    cost: Estimate
    """USD per question."""
    seconds: Estimate
    per_correct: Estimate | None
    """USD per right answer; None where no answer was right."""
    on_frontier: float
    """The share of replicates in which it is on the staircase."""
    on_staircase: bool
    """Whether it is on the staircase of the measured means."""
    greyed: bool
    """True where it cannot be told apart from a setting that is no dearer."""
    reason: Remark | None
    """Why it is greyed, or by what it is surpassed; None otherwise."""


@dataclass(frozen=True, slots=True)
class Frontier:
    """A comparison of settings."""

    points: tuple[Point, ...]
    """In the order of the settings; those with too few questions have no interval to speak of."""
    band: Band | None
    cloud: Cloud | None
    """What differences and ellipses are read off; its settings are those that are compared."""
    count: int
    """Questions that the comparison rests on."""
    paired: bool
    """Whether all settings are compared on the same questions."""
    note: Remark | None
    """What must be said with every figure of it."""

    def difference(self, one: str, other: str) -> Difference | None:
        """Return one setting minus another; None where no comparison of them is possible."""
        names = self.cloud.samples.settings if self.cloud else ()
        if self.cloud is None or one not in names or other not in names:
            return None
        return difference(self.cloud, names.index(one), names.index(other))


def compare(samples: Samples, *, replicates: int = REPLICATES, seed: int = 0) -> Frontier:
    """Return the frontier of the settings of `samples`.

    Settings are compared on the questions that all of them ran on; one with less than half of the questions
    of the others, or with fewer than `FEW`, is left out with the reason. Where too few questions are common,
    each setting keeps its own and the note says so.
    """
    chosen, questions, paired = _comparable(samples)
    left_out = [place for place in range(len(samples.settings)) if place not in chosen]
    if not len(chosen):
        points = [_uncompared(samples, place) for place in left_out]
        return Frontier(tuple(points), None, None, 0, True, remark("frontier_nothing"))
    cloud = bootstrap(samples.only(chosen, questions), replicates=replicates, seed=seed)
    compared = {point.setting: point for point in _points(cloud)}
    for place in left_out:
        compared[samples.settings[place]] = _uncompared(samples, place)
    points = tuple(compared[name] for name in samples.settings)
    return Frontier(points, band(cloud), cloud, len(questions), paired, _note(samples, questions, paired))


def _comparable(samples: Samples) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return the places of the settings and the questions to compare, and whether all ran on all of them."""
    counts = samples.ran.sum(1)
    most = counts.max(initial=0)
    chosen = np.flatnonzero((counts >= FEW) & (counts >= ENOUGH * most))
    common = np.flatnonzero(samples.ran[chosen].all(0))
    if len(common) >= max(FEW, ENOUGH * most):
        return chosen, common, True
    chosen = np.flatnonzero(counts >= FEW)
    return chosen, np.flatnonzero(samples.ran[chosen].any(0)), False


def _note(samples: Samples, questions: np.ndarray, paired: bool) -> Remark | None:
    if not paired:
        return remark("frontier_own_questions")
    dropped = len(samples.questions) - len(questions)
    return remark("frontier_dropped", count=dropped) if dropped else None


def _points(cloud: Cloud) -> list[Point]:
    names = cloud.samples.settings
    shares, found, ratios = on_frontier(cloud), estimates(cloud), per_correct(cloud)
    steps = staircase(list(zip(cloud.means[1], cloud.means[0], strict=True)))
    reasons = _reasons(cloud)
    return [
        Point(
            setting=name,
            count=int(cloud.samples.ran[place].sum()),
            accuracy=found[place][0],
            cost=found[place][1],
            seconds=found[place][2],
            per_correct=ratios[place],
            on_frontier=float(shares[place]),
            on_staircase=place in steps,
            greyed=reasons[place][0],
            reason=reasons[place][1],
        )
        for place, name in enumerate(names)
    ]


def _uncompared(samples: Samples, place: int) -> Point:
    ran = samples.ran[place]
    count = int(ran.sum())
    figures = np.stack([samples.correct[place], samples.cost[place], samples.seconds[place]])[:, ran]
    means = figures.mean(1) if count else np.full(3, np.nan)
    accuracy, cost, seconds = (Estimate(float(mean), float("-inf"), float("inf")) for mean in means)
    reason = remark("frontier_too_few", count=count)
    return Point(samples.settings[place], count, accuracy, cost, seconds, None, 0.0, False, True, reason)


def _reasons(cloud: Cloud) -> list[tuple[bool, Remark | None]]:
    """Return for each setting whether it is greyed, and why it is that or surpassed."""
    cost = cloud.means[1]
    found: list[list[tuple[int, int, Remark]]] = [[] for _ in cost]
    for pair in combinations(range(len(cost)), 2):
        cheaper, dearer = sorted(pair, key=lambda place: (cost[place], place))
        apart = difference(cloud, dearer, cheaper)
        if apart is not None and (said := _reason(cloud, cheaper, dearer, apart)):
            rank, why = said
            found[dearer].append((rank, -cheaper, why))
    return [_strongest(cloud, each) for each in found]


def _strongest(cloud: Cloud, reasons: Sequence[tuple[int, int, Remark]]) -> tuple[bool, Remark | None]:
    """Return the reason that says most, named with the most accurate of the settings that give it."""
    if not reasons:
        return False, None
    rank, _, why = min(reasons, key=lambda each: (each[0], -cloud.means[0, -each[1]]))
    return rank > 0, why


def _reason(cloud: Cloud, cheaper: int, dearer: int, apart: Difference) -> tuple[int, Remark] | None:
    """Return why the dearer of two settings is not shown to be worth it; None where it is more accurate.

    The rank is 0 where it is surpassed for sure, 1 where nothing tells the two apart, 2 where only cost does.
    """
    name, accuracy = cloud.samples.settings[cheaper], apart.accuracy
    points = {name: f"{100 * share:+.1f}".replace("-", "−") for name, share in accuracy._asdict().items()}
    figures = remark("frontier_apart", **points, count=apart.count)
    surely_dearer = apart.cost.low > 0
    if accuracy.high < 0 and surely_dearer:
        return 0, remark("frontier_surpassed", name=name, apart=figures, times=_times(cloud, cheaper, dearer))
    if not accuracy.includes_zero:
        return None
    if not surely_dearer:
        return 1, remark("frontier_alike", name=name, apart=figures)
    return 2, remark("frontier_as_accurate", name=name, apart=figures, times=_times(cloud, cheaper, dearer))


def _times(cloud: Cloud, cheaper: int, dearer: int) -> Remark:
    least, most = cloud.means[1, cheaper], cloud.means[1, dearer]
    return remark("frontier_times", ratio=most / least) if least > 0 else remark("frontier_beyond", usd=most)
