"""The editable price table: whatever is typed or forged into it is a price, nothing, or a sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_app.core.message import Reply
from orchestra_app.core.trace import Trace, Turn
from orchestra_app.core.usage import Charge, Price, Usage
from orchestra_app.ui import whatif
from orchestra_app.ui.texts import TEXTS

CHEAP, DEAR = Price(input=1), Price(input=10)


def charged(who: str, price: Price) -> Charge:
    usage = Usage(input_tokens=1_000)
    return Charge(who=who, kind="expert", usage=usage, price=price, cost=price.cost(usage))


def snapped(charges: list[Charge]) -> Trace:
    """A trace of one turn with these charges."""
    turn = Turn(offered=(), instruction="", reply=Reply(charges=tuple(charges)))
    return Trace.model_construct(id="t", turns=[turn])


CELLS = st.none() | st.floats() | st.text(max_size=4) | st.booleans() | st.integers() | st.lists(st.none())


@given(st.lists(st.lists(CELLS, max_size=6) | CELLS, max_size=4), st.lists(CELLS, min_size=4, max_size=4))
def test_whatever_stands_in_the_table_is_a_price_or_a_sentence(rows, rates):
    trace = snapped([charged("gpt-5", CHEAP)])
    try:
        found = whatif.read(trace, [*rows, [whatif.names(trace)[0], *rates]])
    except whatif.BadRate as wrong:
        assert wrong.name in whatif.names(trace) and wrong.rate in whatif.RATES
        return
    assert set(found) <= set(whatif.names(trace))
    _, costs = whatif.bill(trace, found, TEXTS["en"])
    assert all(0 <= cost < 1e9 for cost in costs)


def test_a_name_that_was_booked_at_two_prices_keeps_both_while_its_row_is_empty():
    trace = snapped([charged("one", CHEAP), charged("one", DEAR), charged("two", CHEAP)])
    rows = whatif.rows(trace, whatif.booked(trace))
    assert rows == [["one", None, None, None, None], ["two", 1.0, None, 0.0, 0.0]]
    bill, costs = whatif.bill(trace, whatif.read(trace, rows), TEXTS["en"])
    assert costs == [0.001, 0.01, 0.001] and "No price here for one" in bill
    rows[0][1] = "5"
    _, costs = whatif.bill(trace, whatif.read(trace, rows), TEXTS["en"])
    assert costs == pytest.approx([0.005, 0.005, 0.001])


def test_both_languages_have_every_text_of_the_studies():
    from orchestra_app.ui.texts_study import CHINESE, ENGLISH

    assert ENGLISH.keys() == CHINESE.keys() and all(key.startswith("study_") for key in ENGLISH)
    for key, text in ENGLISH.items():
        assert sorted(_fields(text)) == sorted(_fields(CHINESE[key])), key


def _fields(text: str) -> list[str]:
    from string import Formatter

    return [name for _, name, _, _ in Formatter().parse(text) if name]
