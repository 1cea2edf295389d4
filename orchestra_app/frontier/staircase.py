"""The frontier of accuracy against cost as a staircase: the best accuracy for at most so much money.

It is a staircase and not a hull: a hull would promise accuracies between two settings that only a coin flip
between them gives.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestra_app.frontier.bootstrap import Array, Cloud, ends

STEPS = 64
"""Places along the cost axis at which the band is known."""


def staircase(points: Sequence[tuple[float, float]]) -> list[int]:
    """Return the places of the (cost, accuracy) points on the upper-left staircase, the cheapest first.

    A point is off it where another is no dearer and no less accurate, and better in one of them.
    """
    if not points:
        return []
    cost, accuracy = np.array(points, dtype=float).T
    kept = np.flatnonzero(undominated(cost[None], accuracy[None])[0])
    return sorted((int(each) for each in kept), key=lambda each: (points[each], each))


def undominated(cost: Array, accuracy: Array) -> NDArray[np.bool_]:
    """Return [replicates, settings]: which of the settings no other surpasses, for each replicate."""
    kept = np.ones(cost.shape, dtype=bool)
    for each in range(cost.shape[1]):
        mine, right = cost[:, each, None], accuracy[:, each, None]
        as_good = (cost <= mine) & (accuracy >= right)
        better = (cost < mine) | (accuracy > right)
        kept[:, each] = ~(as_good & better).any(1)
    return kept


def on_frontier(cloud: Cloud) -> Array:
    """Return for each setting the share of replicates in which it is on the staircase."""
    return undominated(cloud.cost, cloud.accuracy).mean(0)


@dataclass(frozen=True, slots=True)
class Band:
    """The staircase with its 95 % band along the cost axis."""

    cost: Array
    """USD per question, growing."""
    accuracy: Array
    """The best measured accuracy for at most that; 0 where nothing is affordable."""
    low: Array
    high: Array


def band(cloud: Cloud, *, steps: int = STEPS) -> Band:
    """Return the staircase of the means with the band in which the replicates' staircases lie."""
    paid = cloud.means[1][cloud.means[1] > 0]
    if len(paid) == 0:
        grid = np.zeros(1)
    else:
        grid = np.unique(np.concatenate([np.geomspace(paid.min() / 1.5, paid.max() * 1.5, steps), paid]))
    heights = _heights(cloud.cost, cloud.accuracy, grid)
    low, high = ends(heights, axis=0)
    return Band(grid, _heights(cloud.means[1:2], cloud.means[0:1], grid)[0], low, high)


def _heights(cost: Array, accuracy: Array, grid: Array) -> Array:
    """Return [replicates, places]: the best accuracy for at most the cost of each place."""
    rows = np.arange(len(cost))
    heights = np.zeros((len(cost), len(grid) + 1))
    # A mean of equal costs may lie a rounding error above each of them.
    reached = np.searchsorted(grid, cost * (1 - 1e-9))
    for each in range(cost.shape[1]):
        place = reached[:, each]
        heights[rows, place] = np.maximum(heights[rows, place], accuracy[:, each])
    return np.maximum.accumulate(heights, axis=1)[:, :-1]
