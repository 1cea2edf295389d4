"""What a group earns, as inequalities."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from orchestra_app.core.task import Preference
from orchestra_app.scoring.reward import (
    Form,
    advantages,
    normalised,
    paper,
    paper_features,
    preference_score,
    product,
    rewards,
)
from tests.scoring.scored_traces import DISLIKED, LIKED, made

SIZE = 5
shares = st.floats(0, 1)
amounts = st.floats(0, 1e6)
FORMS: list[Form] = ["product", "paper"]


def columns(values: st.SearchStrategy) -> st.SearchStrategy:
    return arrays(float, SIZE, elements=values)


solved = arrays(bool, SIZE)


def earned(cost, seconds, adherence, correct, weights=(0.25, 0.25)):
    return product(cost, seconds, adherence, correct, cost_weight=weights[0], latency_weight=weights[1])


@given(columns(amounts), columns(amounts), columns(shares), solved, shares, shares)
def test_wrong_earns_nothing_and_right_always_more(cost, seconds, adherence, correct, w_cost, w_seconds):
    reward = earned(cost, seconds, adherence, correct, (w_cost, w_seconds))
    assert (reward[~correct] == 0).all()
    assert (reward[correct] >= 0.2 * 0.2 - 1e-12).all() and (reward <= 1).all()


@given(columns(amounts), columns(amounts), columns(shares), solved, st.permutations(range(SIZE)))
def test_the_order_of_the_group_does_not_matter(cost, seconds, adherence, correct, order):
    order = np.array(order)
    reward = earned(cost, seconds, adherence, correct)
    moved = earned(cost[order], seconds[order], adherence[order], correct[order])
    assert np.array_equal(reward[order], moved)
    assert np.allclose(advantages(reward)[order], advantages(moved))


@given(columns(amounts), columns(amounts), columns(shares), st.integers(0, SIZE - 1), amounts, amounts)
def test_padding_with_liked_calls_never_pays(cost, seconds, adherence, who, more_cost, more_seconds):
    correct = np.ones(SIZE, bool)
    before = earned(cost, seconds, adherence, correct)[who]
    cost[who] += more_cost
    seconds[who] += more_seconds
    assert earned(cost, seconds, adherence, correct)[who] <= before + 1e-9


@given(columns(amounts), shares)
def test_the_cheaper_of_two_equal_traces_earns_no_less(cost, weight):
    same = np.ones(SIZE)
    reward = earned(cost, same, same, same.astype(bool), (weight, 0.25))
    assert (np.diff(reward[np.argsort(cost)]) <= 1e-12).all()


@given(columns(amounts), amounts, amounts)
def test_a_feature_that_is_the_same_for_all_adds_nothing(cost, constant, other):
    same, correct = np.ones(SIZE), np.ones(SIZE, bool)
    assert np.array_equal(
        earned(cost, same * constant, same, correct), earned(cost, same * other, same, correct)
    )
    features = np.column_stack([cost, same * constant])
    assert np.array_equal(paper(features, [0.5, 1.0], correct), paper(features[:, :1], [0.5], correct))


def test_a_full_slider_still_lets_a_dear_right_answer_earn():
    reward = earned([0, 9], [0, 9], [1, 1], [True, True], (1, 1))
    assert reward == pytest.approx([1, 0.2])


def test_the_papers_reward_falls_with_cost_where_the_public_code_pays_for_expense():
    features = np.array([[1.0, -cost, -9.0] for cost in (1.0, 2.0, 3.0)])
    assert paper(features, [1, 1, 1], [True] * 3) == pytest.approx([1.0, 0.5, 0.0])
    assert paper(features, [1, 1, 1], [True, False, True])[1] == 0


@given(arrays(float, (SIZE, 4), elements=st.floats(-1e6, 1e6)), arrays(float, 4, elements=shares), solved)
def test_the_papers_reward_lies_between_zero_and_the_sum_of_its_weights(features, weights, correct):
    reward = paper(features, weights, correct)
    assert (reward >= 0).all() and (reward <= weights.sum() + 1e-9).all() and not reward[~correct].any()


def test_the_preference_score_counts_tools_up_and_cost_down_against_the_baseline():
    weights = [1, 0, 0.5, 0.5]
    baseline = [2, 1, 6.0, 30.0]
    score = preference_score([4, 1, 3.0, 10.0], baseline, weights, solved=True)
    assert score == pytest.approx(4 / 2 + 0.5 * 6 / 3 + 0.5 * 30 / 10)
    assert preference_score([4, 1, 3.0, 10.0], baseline, weights, solved=False) == 0
    assert preference_score([4, 1, 2.0, 10.0], baseline, weights, solved=True) > score
    assert preference_score([4, 0, 0.0, 0.0], [0, 0, 0.5, 0.5], weights, True) == pytest.approx(4.5)


@given(columns(st.floats(0, 1)))
def test_advantages_are_centred_keep_the_order_and_have_one_spread(reward):
    found = advantages(reward)
    if reward.std() < 1e-6:
        assume(reward.std() == 0)
        assert not found.any()
        return
    assert found.mean() == pytest.approx(0, abs=1e-6) and found.std() == pytest.approx(1)
    assert (np.diff(found[np.argsort(reward)]) >= 0).all()


def test_traces_without_a_verdict_leave_the_group():
    group = [
        made(cost=1.0),
        made(cost=2.0),
        made(cost=99.0, correct=None),
        made(cost=9, correct="unlabelled"),
    ]
    for form in FORMS:
        reward = rewards(group, form=form)
        assert np.isnan(reward[2:]).all() and np.array_equal(reward[:2], rewards(group[:2], form=form))
        assert np.isnan(advantages(reward)[2:]).all() and not np.isnan(advantages(reward)[:2]).any()
    assert np.isnan(rewards(group[2:])).all() and np.isnan(advantages(rewards(group[2:]))).all()
    assert rewards([]).shape == (0,)


@pytest.mark.parametrize("form", FORMS)
def test_of_traces_the_cheaper_quicker_and_right_one_earns_more(form: Form):
    cheap, dear, slow, wrong = rewards(
        [made(cost=0.1), made(cost=0.5), made(cost=0.1, seconds=9), made(correct=False)], form=form
    )
    assert cheap > dear and cheap > slow and wrong == 0
    if form == "product":
        assert dear > 0


def test_the_sliders_of_the_task_weigh_cost_and_calls():
    indifferent = Preference(cost=0, latency=0)
    same = rewards([made(cost=c, preference=indifferent) for c in (1, 9)])
    assert same[0] == same[1]
    liked, disliked = rewards([made(calls=[LIKED]), made(calls=[DISLIKED])])
    assert liked > disliked > 0


def test_padding_a_trace_with_liked_calls_never_pays():
    once, padded = rewards([made(cost=0.1, calls=[LIKED]), made(cost=0.3, seconds=3, calls=[LIKED] * 3)])
    assert padded < once


def test_the_papers_features_are_calls_by_alias_with_the_sliders_that_were_offered():
    group = [made(cost=2, seconds=3, calls=[LIKED, LIKED]), made(correct=False, calls=[DISLIKED])]
    features, weights = paper_features(group)
    assert features.tolist() == [[2, 0, 1, -2, -3], [0, 1, 0, 0, -1]]
    assert weights.tolist() == [0.9, 0.6, 1.0, 0.25, 0.25]


@given(arrays(float, (SIZE, 2), elements=st.floats(-1e9, 1e9)))
def test_normalised_values_lie_between_zero_and_one(values):
    found = normalised(values)
    assert ((found >= 0) & (found <= 1)).all()
