"""Another budget or other sliders on a stored run: its own ones change nothing, tighter ones never help."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestra_app.core.task import Budget, Preference
from orchestra_app.frontier.rejudging import first_break, follow

FREE = Budget(cost=None, seconds=None, turns=200)


async def test_its_own_sliders_give_its_own_adherence_and_forbid_nothing(world, traces):
    catalog = world.catalog()
    assert any(trace.adherence < 1 for trace in traces)
    for trace in traces:
        found = follow(trace, trace.task.preference, catalog)
        assert found.adherence == pytest.approx(trace.adherence) and found.forbidden == ()


async def test_calls_that_other_sliders_forbid_are_named(world, traces):
    catalog = world.catalog()
    trace = next(each for each in traces if each.policy == "best-pipeline")
    models = {charge.who for charge in trace.charges if charge.kind in ("expert", "search")}
    never = Preference(weights=dict.fromkeys(models, 0.0))
    everything = {call.id for _, call, _ in trace.calls}
    assert set(follow(trace, never, catalog).forbidden) == everything
    assert follow(trace, never.model_copy(update={"soft": True}), catalog).forbidden == ()
    vendors = tuple(f"vendor:{catalog.models[model].vendor}" for model in models)
    assert set(follow(trace, Preference(excluded=vendors), catalog).forbidden) == everything
    assert follow(trace, Preference(weights={"search": 0.0}), catalog).adherence < trace.adherence


async def test_without_limits_a_run_never_breaks_and_within_what_it_used_neither(traces):
    for trace in traces:
        assert first_break(trace, FREE) is None
        enough = Budget(
            cost=trace.cost, seconds=max(1.0, trace.seconds + 1e-6), turns=max(1, len(trace.turns))
        )
        assert first_break(trace, enough) is None


async def test_a_budget_just_below_the_cost_breaks_at_the_last_charge_that_costs(traces):
    for trace in traces:
        if trace.cost:
            found = first_break(trace, FREE.model_copy(update={"cost": trace.cost * (1 - 1e-9)}))
            costing = [charge for charge in trace.charges if charge.cost]
            assert found is not None and found.who == costing[-1].who and found.spent < trace.cost
            assert found.limit == "cost"


async def test_time_and_turns_break_a_run_too(traces):
    trace = max(traces, key=lambda each: len(each.turns))
    late = first_break(trace, Budget(cost=None, seconds=0.001))
    assert late is not None and late.limit == "seconds"
    found = first_break(trace, Budget(cost=None, seconds=None, turns=1))
    assert found is not None and found.turn == 2 and found.call_id is None and found.spent > 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(one=st.floats(0, 0.05), other=st.floats(0, 0.05))
def test_a_larger_budget_never_breaks_earlier(stored, one, other):
    small, large = sorted((one, other))
    for trace in stored:
        early, late = (first_break(trace, FREE.model_copy(update={"cost": cost})) for cost in (small, large))
        assert late is None or (early is not None and (early.turn, early.spent) <= (late.turn, late.spent))


@pytest.fixture
def stored(traces):
    return traces


async def test_other_prices_may_be_assumed_with_another_budget(traces):
    trace = next(each for each in traces if each.cost > 0)
    doubled = [2 * charge.cost for charge in trace.charges]
    budget = FREE.model_copy(update={"cost": trace.cost})
    assert first_break(trace, budget) is None and first_break(trace, budget, doubled) is not None
