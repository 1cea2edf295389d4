"""The staircase: what is on it is surpassed by nothing, what is off it is, and its band holds it."""

import numpy as np
from frontier_rows import samples
from hypothesis import given
from hypothesis import strategies as st

from orchestra_app.frontier.bootstrap import bootstrap
from orchestra_app.frontier.staircase import band, on_frontier, staircase

POINTS = st.lists(st.tuples(st.floats(0, 10), st.floats(0, 1)), max_size=12)


def surpasses(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] <= other[0] and one[1] >= other[1] and one != other


@given(POINTS)
def test_on_the_staircase_is_exactly_what_nothing_surpasses(points):
    steps = staircase(points)
    wanted = {i for i, each in enumerate(points) if not any(surpasses(other, each) for other in points)}
    assert set(steps) == wanted


@given(POINTS)
def test_the_staircase_climbs(points):
    steps = [points[each] for each in staircase(points)]
    assert steps == sorted(steps) and [y for _, y in steps] == sorted(y for _, y in steps)


def test_a_staircase_keeps_what_a_hull_would_drop():
    # (2, 0.3) lies under the line from (1, 0.2) to (3, 0.9), but no single setting is as good for that money.
    assert staircase([(3, 0.9), (2, 0.3), (1, 0.2)]) == [2, 1, 0]


def test_the_chance_to_be_on_the_frontier_is_one_for_the_cheapest_and_splits_between_twins():
    rng = np.random.default_rng(0)
    right = (rng.random((2, 300)) < 0.6).astype(float)
    cost = np.stack([np.full(300, 0.5), *rng.lognormal(0, 0.1, (2, 300))])
    cheap, one, other = on_frontier(bootstrap(samples([np.zeros(300), *right], cost)))
    assert cheap == 1.0 and 0.2 < one <= 1 and 0.2 < other <= 1


def test_the_band_holds_the_measured_staircase_and_both_only_climb():
    rng = np.random.default_rng(2)
    right = (rng.random((4, 200)) < np.array([[0.2], [0.5], [0.6], [0.9]])).astype(float)
    found = band(bootstrap(samples(right, [0.001, 0.01, 0.05, 0.2])))
    for line in (found.low, found.accuracy, found.high, found.cost):
        assert (np.diff(line) >= 0).all()
    assert (found.low <= found.accuracy + 1e-9).all() and (found.accuracy <= found.high + 1e-9).all()


def test_free_settings_alone_still_have_a_band():
    found = band(bootstrap(samples([[1, 0, 1, 1]], [0.0])))
    assert found.accuracy.tolist() == [0.75]
