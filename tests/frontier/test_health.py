"""The alarm of collapsed routing: rings for the published failure, not for a healthy mix."""

import math

import pytest

from orchestra_app.catalogs import load_catalog
from orchestra_app.frontier.health import health


def test_router_r1s_published_failure_raises_the_alarm():
    found = health({"llama-3.3-70b": 2772, "the five others": 51}, policy="router-r1")
    assert "2,772 of 2,823 calls go to llama-3.3-70b" in str(found.alarm)
    assert found.share == pytest.approx(0.982, abs=1e-3) and found.effective < 1.2


@pytest.mark.parametrize(
    "calls",
    [
        {"gpt-5": 195, "gpt-5-mini": 207, "qwen3-32b": 159, "local": 220, "tavily": 85, "python": 98},
        {"a": 85, "b": 15},
        {"a": 9, "b": 1},
        {"a": 12},
        {"a": 92, "b": 8},
        {},
    ],
)
def test_a_healthy_mix_and_too_few_calls_raise_none(calls):
    assert health(calls, policy="orchestrator-8b").alarm is None


def test_a_baseline_that_calls_one_model_by_design_raises_none():
    assert health({"gpt-5": 500}, policy="best-expert").alarm is None
    assert health({"gpt-5": 500}, policy="mine").alarm is not None


def test_even_calls_have_the_entropy_of_their_number():
    found = health(dict.fromkeys("abcd", 25))
    assert found.entropy == pytest.approx(2.0) and found.effective == pytest.approx(4.0)


def test_self_preference_stands_beside_what_even_routing_would_give():
    catalog = load_catalog("live")
    policy = next(
        name for name, spec in catalog.policies.items() if catalog.models[spec.model].vendor == "openai"
    )
    own = {name for name, model in catalog.models.items() if model.vendor == "openai"}
    found = health({"gpt-5-mini": 98, "qwen3-32b": 2}, policy=policy, catalog=catalog)
    assert "gpt-5-mini" in own and found.own_share == pytest.approx(0.98)
    assert found.own_offered is not None and 0 < found.own_offered < 1
    assert math.isclose(found.share, 0.98)


def test_a_policy_without_a_model_has_no_family():
    assert health({"gpt-5": 1}, policy="rules", catalog=load_catalog("rehearsal")).own_share is None
