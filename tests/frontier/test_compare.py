"""Which settings are believed, which are greyed and why, and how missing runs are dealt with."""

import math

import numpy as np
import pytest
from frontier_rows import row, samples

from orchestra_app.frontier.compare import FEW, compare
from orchestra_app.frontier.rows import ORACLE, oracle, table

NAN = math.nan


def flips(chance: float, count: int, seed: int = 0) -> list[float]:
    return (np.random.default_rng(seed).random(count) < chance).astype(float).tolist()


def test_a_better_and_dearer_setting_stands_and_its_dearer_twin_is_greyed_with_the_reason():
    good = flips(0.8, 200, 1)
    found = compare(samples([flips(0.3, 200), good, good], [0.01, 0.05, 0.2]))
    cheap, better, twin = found.points
    assert not cheap.greyed and not better.greyed and cheap.on_staircase and better.on_staircase
    assert (
        twin.greyed
        and "cannot be told apart from that of s1" in str(twin.reason)
        and "4.0 ×" in str(twin.reason)
    )


def test_what_is_surely_worse_and_dearer_is_surpassed_but_not_greyed():
    found = compare(samples([flips(0.8, 200), flips(0.3, 200, 1)], [0.01, 0.05]))
    assert not found.points[1].greyed and str(found.points[1].reason).startswith("Surpassed by s0")
    assert found.points[1].on_frontier == 0


def test_equal_costs_and_accuracies_cannot_be_told_apart():
    cost = np.random.default_rng(1).lognormal(0, 1, (2, 50))
    found = compare(samples([flips(0.5, 50), flips(0.5, 50, 9)], cost))
    assert sum("Cannot be told apart" in str(point.reason) for point in found.points) == 1


@pytest.mark.parametrize("count", [1, FEW - 1])
def test_few_questions_compare_nothing_and_say_how_many_there_are(count):
    found = compare(samples([[1.0] * count, [0.0] * count]))
    assert found.cloud is None and all(
        f"Too few questions with a verdict to compare: {count}." == str(point.reason)
        for point in found.points
    )
    assert all(point.greyed and math.isinf(point.accuracy.high) for point in found.points)


def test_a_setting_that_has_only_begun_does_not_cost_the_others_their_questions():
    full, begun = flips(0.6, 100), [*flips(0.6, 12), *[NAN] * 88]
    found = compare(samples([full, full, begun]))
    assert found.count == 100 and found.points[0].count == 100
    assert found.points[2].greyed and "Too few questions" in str(found.points[2].reason)


def test_settings_are_compared_on_common_questions_and_the_rest_is_counted():
    found = compare(samples([flips(0.6, 40), [NAN] * 10 + flips(0.6, 30)]))
    assert found.paired and found.count == 30 and "run on them: 10." in str(found.note)
    assert [point.count for point in found.points] == [30, 30]


def test_settings_with_questions_of_their_own_are_shown_unpaired_and_say_so():
    one, other = flips(0.6, 30) + [NAN] * 30, [NAN] * 30 + flips(0.6, 30)
    found = compare(samples([one, other]))
    assert not found.paired and "not asked the same questions" in str(found.note)
    assert [point.count for point in found.points] == [30, 30] and found.difference("s0", "s1") is None


def test_nothing_is_compared_where_nothing_ran():
    found = compare(table([], ["a"]))
    assert found.cloud is None and found.points[0].count == 0 and found.points[0].greyed
    assert math.isnan(found.points[0].accuracy.mean) and math.isnan(found.points[0].cost.mean)


def test_repeats_are_averaged_and_runs_without_a_verdict_left_out():
    rows = [row("a", "q", True), row("a", "q", False, repeat=1), row("a", "r", None), row("b", "q", True)]
    found = table(rows, ["a", "b"])
    assert found.questions == ("q",) and found.correct.tolist() == [[0.5], [1.0]]


def test_without_any_verdict_the_cost_is_still_known():
    found = table([row("a", "q", None, cost=2.0)], ["a"], judged=False)
    assert found.cost.tolist() == [[2.0]] and found.correct.tolist() == [[0.0]]


def test_the_oracle_takes_the_cheapest_right_run_and_never_beats_itself_by_luck_of_missing_ones():
    rows = [
        row("a", "q", True, cost=3.0),
        row("b", "q", True, cost=2.0),
        row("a", "r", False, cost=1.0),
        row("b", "r", False, cost=5.0),
        row("a", "only a", True),
    ]
    chosen = {each.question: (each.setting, each.correct, each.cost) for each in oracle(rows, ["a", "b"])}
    assert chosen == {"q": (ORACLE, True, 2.0), "r": (ORACLE, False, 1.0)}


def test_of_a_setting_with_fewer_runs_the_oracle_takes_them_in_turn_and_bounds_every_setting():
    rows = [row("a", "q", True), row("a", "q", False, cost=9.0), row("b", "q", False), row("b", "r", True)]
    chosen = oracle(rows, ["a", "b"])
    assert [(each.question, each.repeat, each.correct) for each in chosen] == [
        ("q", 0, True),
        ("q", 1, False),
    ]
    bound = table(chosen, [ORACLE]).correct.mean()
    assert bound == table(rows, ["a", "b"]).correct[0, 0] == 0.5
