import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from orchestra_fakes import make_catalog

from orchestra_app.core.task import Preference
from orchestra_app.orchestrator.instruction import COST_STEPS, SECONDS_STEPS, instruction

CATALOG = make_catalog()


def said(
    preference: Preference | None = None, cost: float | None = None, seconds: float | None = None
) -> str:
    return instruction(preference or Preference(), CATALOG, cost_left=cost, seconds_left=seconds)


@pytest.mark.parametrize(
    ("preference", "cost", "seconds", "expected"),
    [
        ({}, None, None, ""),
        ({"weights": {"dear": 0.5, "search": 0.5}}, None, None, ""),
        ({"accuracy": 0.2}, None, None, ""),
        ({"cost": 0.1, "latency": 0.74}, None, None, ""),
        ({"weights": {"dear": 0.9}}, None, None, "Prefer dear."),
        ({"weights": {"dear": 0.51}}, None, None, "Prefer dear."),
        ({"weights": {"dear": 0.49}}, None, None, "Avoid dear."),
        ({"weights": {"dear": 0}}, None, None, "Do not use dear."),
        ({"weights": {"dear": 0}, "soft": True}, None, None, "Do not use dear."),
        ({"weights": {"dear": 0}, "excluded": ["dear"]}, None, None, "Do not use dear."),
        ({"excluded": ["vendor:acme", "answer-1"]}, None, None, "Do not use acme. Do not use answer-1."),
        ({"weights": {"unheard-of": 0.9}}, None, None, ""),
        ({"cost": 0.75, "latency": 1}, None, None, "Keep the cost low. Answer quickly."),
        ({"cost": 0.09, "latency": 0}, None, None, "Cost does not matter. Speed does not matter."),
        ({}, 0.1, 120, "Spend at most $0.1. Take at most 120 seconds."),
        ({}, 0.0999, 119.9, "Spend at most $0.05. Take at most 90 seconds."),
        ({}, 0.0, 0.0, "Spend at most $0. Take at most 0 seconds."),
        ({}, 4e6, 1e9, "Spend at most $10. Take at most 3600 seconds."),
        ({}, 0.0005, 5, "Spend at most $0.0005. Take at most 5 seconds."),
        (
            {
                "weights": {"dear": 0.2, "cheap": 0.8, "library": 1, "search": 0, "answer": 0.7},
                "excluded": ["vendor:acme"],
                "cost": 1,
                "latency": 0.05,
            },
            0.02,
            60,
            "Prefer answer. Prefer library. Prefer cheap. Avoid dear. Do not use search. Do not use acme. "
            "Keep the cost low. Speed does not matter. Spend at most $0.02. Take at most 60 seconds.",
        ),
    ],
)
def test_a_preference_has_one_canonical_wording(preference, cost, seconds, expected):
    assert said(Preference.model_validate(preference), cost, seconds) == expected


SLIDERS = st.dictionaries(st.sampled_from(CATALOG.sliders), st.sampled_from([0, 0.2, 0.5, 0.8, 1]))


@settings(deadline=None)
@given(SLIDERS, st.randoms())
def test_the_order_in_which_sliders_were_moved_is_not_said(weights, random):
    shuffled = list(weights.items())
    random.shuffle(shuffled)
    assert said(Preference(weights=weights)) == said(Preference(weights=dict(shuffled)))


@settings(deadline=None)
@given(st.floats(0, 20), st.floats(0, 4000))
def test_what_is_left_is_rounded_down_to_few_steps(cost: float, seconds: float):
    words = said(None, cost, seconds).replace("$", "").split()
    dollars, left = float(words[3].rstrip(".")), float(words[7])
    assert dollars <= cost + 1e-12 and left <= seconds + 1e-12
    assert dollars in (0, *COST_STEPS) and left in (0, *SECONDS_STEPS)
    assert all(step > cost for step in COST_STEPS if step > dollars)
