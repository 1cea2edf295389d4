"""The paired cluster bootstrap: reproducible, paired, honest about missing pairs and about certainty."""

import math

import numpy as np
import pytest
from frontier_rows import samples
from hypothesis import given
from hypothesis import strategies as st

from orchestra_app.frontier.bootstrap import (
    bootstrap,
    covariance,
    difference,
    ellipse,
    estimates,
    per_correct,
)

RANDOM = np.random.default_rng(7)
HARD = RANDOM.normal(0, 1.5, 400)
NAN = math.nan


def drawn(skill: float, seed: int) -> np.ndarray:
    chance = 1 / (1 + np.exp(HARD - skill))
    return (np.random.default_rng(seed).random(len(HARD)) < chance).astype(float)


def test_the_same_seed_gives_the_same_intervals_and_another_one_others():
    found = samples([drawn(0.5, 1), drawn(0, 2)])
    assert estimates(bootstrap(found, seed=3)) == estimates(bootstrap(found, seed=3))
    assert estimates(bootstrap(found, seed=3)) != estimates(bootstrap(found, seed=4))


def test_pairing_makes_the_interval_of_a_difference_narrower_than_two_independent_ones():
    found = samples([drawn(0.5, 1), drawn(0.3, 2)])
    cloud = bootstrap(found)
    apart = difference(cloud, 0, 1)
    assert apart is not None
    (one, *_), (other, *_) = estimates(cloud)
    unpaired = math.hypot(one.high - one.low, other.high - other.low)
    assert apart.accuracy.high - apart.accuracy.low < 0.9 * unpaired


def test_a_setting_does_not_differ_from_itself():
    found = samples([drawn(0, 1), drawn(0, 1)])
    apart = difference(bootstrap(found), 0, 1)
    assert apart is not None and apart.accuracy == (0, 0, 0) and not apart.apart


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    inside = 0
    for seed in range(200):
        right = (np.random.default_rng(seed).random(120) < 0.7).astype(float)
        accuracy, *_ = estimates(bootstrap(samples([right]), replicates=400, seed=seed))[0]
        inside += accuracy.low <= 0.7 <= accuracy.high
    assert 0.88 <= inside / 200 <= 0.99


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.floats(0, 5))
def test_the_mean_lies_in_its_interval(right, cost):
    cloud = bootstrap(samples([[float(each) for each in right]], [cost]), replicates=300)
    for estimate in estimates(cloud)[0]:
        assert estimate.low <= estimate.mean + 1e-12 and estimate.mean <= estimate.high + 1e-12


@pytest.mark.parametrize(("right", "count"), [(0.0, 20), (1.0, 20), (0.0, 600)])
def test_never_and_always_right_are_not_taken_for_certain(right, count):
    accuracy, *_ = estimates(bootstrap(samples([[right] * count])))[0]
    assert accuracy.mean == right
    assert accuracy.high - accuracy.low == pytest.approx(1 - 0.025 ** (1 / count))


def test_missing_pairs_count_in_nothing_but_their_own_setting():
    some = [1.0, 0.0] * 20
    found = samples([some, [NAN] * 20 + some[20:]])
    cloud = bootstrap(found)
    assert cloud.means[0].tolist() == [0.5, 0.5]
    apart = difference(cloud, 0, 1)
    assert apart is not None and apart.count == 20 and apart.accuracy == (0, 0, 0)


def test_settings_without_a_common_question_have_no_difference():
    assert difference(bootstrap(samples([[1, NAN], [NAN, 1]])), 0, 1) is None


def test_the_cost_of_a_right_answer_is_a_ratio_of_sums():
    found = samples([[1, 0, 1, 0], [0, 0, 0, 0]], [[1, 2, 3, 4], [1, 1, 1, 1]])
    ratio, none = per_correct(bootstrap(found))
    assert none is None and ratio is not None and ratio.mean == pytest.approx(10 / 2)
    assert ratio.low < 5 < ratio.high == math.inf


def test_an_ellipse_holds_about_95_percent_of_the_replicates():
    cost = np.random.default_rng(1).lognormal(-4, 0.7, (1, 400))
    cloud = bootstrap(samples([drawn(0, 5)], cost))
    found = covariance(cloud, 0)
    assert found is not None
    centre, spread = found
    points = np.stack([np.log10(cloud.cost[:, 0]), cloud.accuracy[:, 0]]) - centre[:, None]
    distance = (points * np.linalg.solve(spread, points)).sum(0)
    assert 0.92 < (distance < 5.991).mean() < 0.98
    outline = ellipse(centre, spread) - centre[:, None]
    assert np.allclose((outline * np.linalg.solve(spread, outline)).sum(0), 5.991)


def test_a_free_setting_has_no_ellipse_on_a_log_axis():
    assert covariance(bootstrap(samples([[1, 0, 1]], [0.0])), 0) is None
