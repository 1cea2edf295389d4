"""Other prices: the old ones give the old total to the last digit, new ones what `Price.cost` says."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from orchestra_app.core.usage import Charge, Price, Usage
from orchestra_app.frontier.repricing import by_name, columns, price_table, reprice, reprice_traces

RATE = st.floats(0, 100, allow_nan=False)
PRICES = st.builds(Price, input=RATE, cached=st.none() | RATE, output=RATE, unit=RATE)
NAMES = st.sampled_from(("gpt-5", "gpt-5-mini", "tavily", "python", "mine"))
TOKENS = st.integers(0, 300_000)
USAGES = st.builds(
    Usage, input_tokens=TOKENS, cached_tokens=TOKENS, output_tokens=TOKENS, units=st.floats(0, 1e3)
)
TABLES = st.dictionaries(NAMES, PRICES)


@st.composite
def charges(draw: st.DrawFn) -> list[Charge]:
    """Charges as the ledger books them: by the table, by the provider, or at a reservation."""
    found = []
    for _ in range(draw(st.integers(0, 12))):
        price, usage = draw(PRICES), draw(USAGES)
        kind = draw(st.sampled_from(("table", "reported", "estimated")))
        cost = price.cost(usage) if kind == "table" else draw(st.floats(0, 5))
        found.append(
            Charge(
                who=draw(NAMES),
                kind="expert",
                usage=usage,
                price=price,
                cost=cost,
                reported=cost if kind == "reported" else None,
                estimated=kind == "estimated",
            )
        )
    return found


@given(charges())
def test_each_charge_at_its_own_price_costs_what_was_booked_to_the_last_digit(booked):
    for charge in booked:
        same = reprice(columns([charge]), {charge.who: charge.price})
        assert same.total == charge.cost == same.original
        assert not same.changed.any() and not same.inexact.any()


@given(charges(), TABLES)
def test_a_new_price_costs_exactly_what_the_price_says(booked, table):
    found = reprice(columns(booked), table)
    for charge, cost, changed in zip(booked, found.cost, found.changed, strict=True):
        assert cost == (table[charge.who].cost(charge.usage) if changed else charge.cost)
        if charge.who in table and not changed:
            old, new = charge.price, table[charge.who]
            assert (old.input, old.output, old.unit) == (new.input, new.output, new.unit)
    assert found.total == math.fsum(found.cost.tolist())


@given(charges(), TABLES)
def test_reported_and_estimated_charges_are_marked_only_where_their_price_changes(booked, table):
    found = reprice(columns(booked), table)
    for charge, changed, inexact in zip(booked, found.changed, found.inexact, strict=True):
        assert inexact == (changed and (charge.reported is not None or charge.estimated))


@given(charges(), TABLES)
def test_a_name_without_a_price_keeps_its_cost_and_is_named(booked, table):
    found = reprice(columns(booked), table)
    assert set(found.unpriced) == {charge.who for charge in booked} - set(table)
    for charge, cost in zip(booked, found.cost, strict=True):
        assert charge.who in table or cost == charge.cost


@given(charges(), st.floats(1.5, 3))
def test_dearer_prices_never_cost_less(booked, factor):
    table = {
        charge.who: charge.price for charge in booked if not charge.estimated and charge.reported is None
    }
    dearer = {
        name: Price(
            input=price.input * factor,
            cached=None if price.cached is None else price.cached * factor,
            output=price.output * factor,
            unit=price.unit * factor,
        )
        for name, price in table.items()
    }
    own = [c for c in booked if table.get(c.who) == c.price and c.reported is None and not c.estimated]
    found = reprice(columns(own), dearer)
    assert (found.cost >= np.array([charge.cost for charge in own]) - 1e-12).all()


async def test_a_run_under_its_own_catalogue_costs_what_it_cost(world, traces):
    table = price_table(world.catalog())
    for trace in traces:
        found = reprice(columns(trace.charges), table)
        assert found.total == trace.cost and not found.unpriced and not found.changed.any()
    assert reprice_traces((trace.charges for trace in traces), table) == [trace.cost for trace in traces]


async def test_an_edited_price_changes_only_what_carries_its_name(world, traces):
    edited = {"gpt-5": Price(input=100.0, output=100.0, source="typed")}
    table = price_table(world.catalog(), edited)
    flat = columns([charge for trace in traces for charge in trace.charges])
    changes = by_name(flat, reprice(flat, table))
    assert changes["gpt-5"][1] > changes["gpt-5"][0] > 0
    assert all(before == after for name, (before, after) in changes.items() if name != "gpt-5")


def test_a_policy_is_priced_as_its_model(world):
    from orchestra_app.catalogs import load_catalog

    catalog = load_catalog("live")
    name, spec = next(iter(catalog.policies.items()))
    price = Price(input=7.0, source="typed")
    assert price_table(catalog, {spec.model: price})[name] == price
