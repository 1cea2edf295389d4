"""Blind votes: the order in which answers stood changes nothing, and intervals hold what they promise."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_app.core.vote import Choice
from orchestra_app.frontier.duels import Duel, Side, mean_interval, standings, student

CHOICES: tuple[Choice, ...] = ("a", "b", "tie", "both bad")
SIDES = st.builds(Side, st.sampled_from("xyz"), st.floats(0, 1), st.floats(0, 100))
DUELS = st.lists(st.builds(Duel, SIDES, SIDES, st.sampled_from(CHOICES)), max_size=30)


@given(DUELS)
def test_which_answer_stood_first_changes_no_standing(duels: list[Duel]):
    other: dict[Choice, Choice] = {"a": "b", "b": "a", "tie": "tie", "both bad": "both bad"}
    assert standings(duels) == standings([Duel(each.b, each.a, other[each.choice]) for each in duels])


@given(DUELS)
def test_every_duel_of_two_settings_counts_once_and_shares_stay_in_their_interval(duels: list[Duel]):
    found = standings(duels)
    assert sum(each.count for each in found) == sum(each.a.setting != each.b.setting for each in duels)
    assert all(0 <= each.rate.low <= each.rate.mean <= each.rate.high <= 1 for each in found)


def test_a_tie_and_two_bad_answers_are_half_a_win_and_the_saving_is_the_firsts():
    cheap, dear = Side("cheap", 0.01, 2.0), Side("dear", 0.05, 8.0)
    (found,) = standings([Duel(dear, cheap, choice) for choice in ("b", "b", "tie", "both bad")])
    assert (found.first, found.wins, found.losses, found.ties, found.bad) == ("cheap", 2, 0, 1, 1)
    assert found.rate.mean == 0.75
    assert found.cost == pytest.approx((0.04, 0.04, 0.04)) and found.seconds == pytest.approx((6, 6, 6))


def test_one_duel_gives_a_rate_but_no_interval_of_what_is_saved():
    (found,) = standings([Duel(Side("x", 1, 1), Side("y", 2, 2), "a")])
    assert found.rate.low < 0.5 and found.cost is None and found.seconds is None


@pytest.mark.parametrize(
    ("freedom", "quantile"),
    [(1, 12.7062), (2, 4.30265), (3, 3.18245), (4, 2.77645), (9, 2.26216), (30, 2.04227), (1000, 1.96234)],
)
def test_students_quantiles_are_those_of_the_tables(freedom: int, quantile: float):
    assert student(freedom) == pytest.approx(quantile, rel=0.002)


def test_the_interval_of_a_mean_covers_it_in_about_95_of_100_samples():
    chance = random.Random(7)
    found = [mean_interval([chance.gauss(3, 2) for _ in range(5)]) for _ in range(2_000)]
    covered = sum(each is not None and each.low <= 3 <= each.high for each in found) / len(found)
    assert 0.93 < covered < 0.97
