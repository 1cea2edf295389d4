import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_app.scoring.agreement import agreement, judge_and_people, people, wilson
from tests.scoring.scored_traces import label, made

verdicts = st.sampled_from([True, False, None])
pairs = st.lists(st.tuples(verdicts, verdicts), max_size=40)


def test_kappa_is_that_of_the_textbook():
    # Cohen's own kind of table: 20 and 15 the same, 5 and 10 not
    table = [(True, True)] * 20 + [(True, False)] * 5 + [(False, True)] * 10 + [(False, False)] * 15
    found = agreement(table)
    assert (found.pairs, found.observed, found.kappa) == (50, 0.7, pytest.approx(0.4))


def test_agreement_that_chance_gives_is_zero_and_complete_agreement_is_one():
    assert agreement([(a, b) for a in (True, False) for b in (True, False)]).kappa == 0
    assert agreement([(True, True), (False, False), (None, None)]).kappa == 1
    assert agreement([(True, False), (False, True)]).kappa == -1


@pytest.mark.parametrize("nothing", [[], [(True, True)] * 9])
def test_kappa_is_unknown_where_nothing_can_be_said(nothing):
    assert agreement(nothing).kappa is None


@given(pairs)
def test_kappa_is_symmetric_and_never_above_what_was_observed(pairs):
    found, turned = agreement(pairs), agreement([(b, a) for a, b in pairs])
    assert found == turned
    if found.kappa is not None and found.observed is not None:
        assert -1 <= found.kappa <= found.observed


def test_the_latest_whole_label_of_each_person_counts():
    trace = made(
        labels=[
            label(True, by="ann", minute=1),
            label(False, by="ann", minute=5),
            label(True, by="bob", minute=2),
            label(True, by="bob", minute=9, call_id="0"),
            label(True, by="gpt-5", source="judge", minute=3),
        ]
    )
    assert people(trace) == [(False, True)]
    assert judge_and_people(trace) == [(True, False)]
    assert people(made()) == [] and judge_and_people(made()) == []


@given(pairs)
def test_the_interval_holds_kappa_and_keeps_a_width_where_few_agree_completely(pairs):
    found = agreement(pairs)
    assert (found.interval is None) is (found.kappa is None)
    if found.interval and found.kappa is not None:
        low, high = found.interval
        assert -1 <= low <= found.kappa + 1e-9 and found.kappa - 1e-9 <= high <= 1 + 1e-9
        assert high - low > 0


def test_more_pairs_narrow_the_interval():
    few, many = (agreement([(True, True), (False, False), (True, False)] * times) for times in (2, 40))
    assert few.interval and many.interval
    assert many.interval[1] - many.interval[0] < few.interval[1] - few.interval[0]


@pytest.mark.parametrize("total", [1, 4, 10, 51, 1_000])
def test_a_share_stands_within_its_interval_also_at_the_ends(total: int):
    for wins in (0, total // 2, total):
        low, high = wilson(wins / total, total)
        assert 0 <= low <= wins / total <= high <= 1
