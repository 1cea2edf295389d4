"""Stated usage is booked only where it can be true."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_app.backends.metering import read_cost, read_usage
from orchestra_app.core.usage import Usage

VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just({})
DETAILS = st.dictionaries(st.sampled_from(["cached_tokens", "reasoning_tokens"]), VALUES) | VALUES
STATED = st.dictionaries(
    st.sampled_from(
        ["prompt_tokens", "completion_tokens", "total_tokens", "prompt_cache_hit_tokens", "cost"]
    ),
    VALUES,
)


@given(STATED, DETAILS, DETAILS)
def test_no_stated_usage_raises_or_is_impossible(stated: dict[str, Any], prompt: Any, output: Any):
    stated |= {"prompt_tokens_details": prompt, "completion_tokens_details": output}
    usage, cost = read_usage(stated, 1.0), read_cost(stated)
    assert cost is None or (math.isfinite(cost) and cost >= 0)
    if usage is not None:
        assert 0 <= usage.cached_tokens <= usage.input_tokens
        assert 0 <= usage.reasoning_tokens <= usage.output_tokens


@pytest.mark.parametrize(
    "stated",
    [
        None,
        [],
        {},
        {"prompt_tokens": 3},
        {"prompt_tokens": -3, "completion_tokens": 1},
        {"prompt_tokens": 3, "completion_tokens": "1"},
        {"prompt_tokens": 3, "completion_tokens": True},
        {"prompt_tokens": 3, "completion_tokens": 10**12},
        {"prompt_tokens": 3, "completion_tokens": math.nan},
    ],
)
def test_unusable_usage_is_unknown_never_zero(stated: Any):
    assert read_usage(stated, 1.0) is None


@pytest.mark.parametrize(
    ("details", "wanted"),
    [
        ({"prompt_tokens_details": {"cached_tokens": 4}}, {"cached_tokens": 4}),
        ({"prompt_cache_hit_tokens": 4}, {"cached_tokens": 4}),
        ({"prompt_tokens_details": {"cached_tokens": 99}}, {"cached_tokens": 10}),
        ({"prompt_tokens_details": {"cached_tokens": "x"}, "prompt_cache_hit_tokens": -1}, {}),
        ({"completion_tokens_details": {"reasoning_tokens": 5}}, {"reasoning_tokens": 5}),
        (
            {"completion_tokens_details": {"reasoning_tokens": 5}, "total_tokens": 35},
            {"reasoning_tokens": 5, "output_tokens": 25},
        ),
        ({"total_tokens": 10**9}, {}),
    ],
)
def test_cached_and_reasoning_tokens_are_read_in_every_usual_field(
    details: dict[str, Any], wanted: dict[str, int]
):
    usage = read_usage({"prompt_tokens": 10, "completion_tokens": 20.0, **details}, 2.0)
    assert usage == Usage(**{"input_tokens": 10, "output_tokens": 20, "seconds": 2.0, **wanted})


@pytest.mark.parametrize(
    ("total", "reasoning", "granted", "output"),
    [
        (1_600, 0, 4_000, 1_590),
        (1_600, 0, 1_000, 1_000),
        (1_600, 40, 4_000, 1_590),
        (1_600, 0, 0, 20),
        (30, 0, 99, 20),
    ],
)
def test_thoughts_that_only_the_total_holds_are_booked_up_to_what_was_granted(
    total: int, reasoning: int, granted: int, output: int
):
    stated = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": total}
    stated |= {"completion_tokens_details": {"reasoning_tokens": reasoning}}
    usage = read_usage(stated, 1.0, granted)
    assert usage is not None and (usage.input_tokens, usage.output_tokens) == (10, output)


@pytest.mark.parametrize(
    ("stated", "cost"),
    [
        ({"cost": 0.25}, 0.25),
        ({"cost": 0}, 0.0),
        ({"cost": -1}, None),
        ({"cost": math.inf}, None),
        ({"cost": 1e9}, None),
        ({"cost": 10**400}, None),
        ({"cost": math.nan}, None),
        ({"cost": "0.25"}, None),
        ({"cost": True}, None),
        ({"cost": 0.01, "is_byok": True}, None),
        ({}, None),
        (None, None),
    ],
)
def test_a_stated_cost_is_taken_only_where_it_can_be_true(stated: Any, cost: float | None):
    assert read_cost(stated) == cost
