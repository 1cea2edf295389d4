"""A link to the list of traces means the same when it is opened, and never shows what is another's."""

from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestra_app.storage.queries import Filter
from orchestra_app.ui.links import SORTS, VERDICTS, clean, link, misread, unread, wanted
from orchestra_app.ui.visitor import Visitor

ME = Visitor("visitor:me", False, "en")
ADMIN = Visitor("local", True, "en")
TEXTS = ("text", "catalog", "policy", "tool", "who", "source", "group", "parent")
AMOUNTS = ("cost_from", "cost_to", "seconds_from", "seconds_to")
DAYS = ("since", "until")
NAMES = (*TEXTS, *AMOUNTS, *DAYS, "status", "verdict", "sort", "number", "trace", "tab", "odd")
ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(exclude_categories=())),
    st.lists(st.text(max_size=3), max_size=2),
    st.dates().map(str),
    st.sampled_from(
        [*VERDICTS, *SORTS, "answered", "nan", "1e400", "9" * 5_000, "9999-12-31", "sweep-1/*-2"]
    ),
)
FORMS = st.dictionaries(st.sampled_from(NAMES), ANYTHING)


def opened(address: str) -> dict[str, str]:
    """Return the query as the server gets it."""
    assert address.startswith("?") and address.isascii()
    return dict(parse_qsl(address[1:], keep_blank_values=True))


@given(FORMS)
@example({"cost_from": 10**400, "number": "٣", "text": "a" * 199 + " b", "since": "20260131"})
def test_whatever_a_form_has_its_link_means_the_same_and_nothing_raises(form: dict[str, Any]):
    form.pop("trace", None)
    fields = clean(form)
    query = opened(link(**form))
    assert query.pop("tab") == "traces"
    assert query == fields == clean(query) == clean(fields)
    assert wanted(clean(query), ADMIN) == wanted(fields, ADMIN)
    unread(form)


@given(FORMS)
def test_a_forged_filter_still_shows_a_visitor_only_their_own(form: dict[str, Any]):
    found = wanted(clean(form), ME)
    assert found.owner == "visitor:me"
    assert all(0 <= bound < float("inf") for bound in (getattr(found, name) for name in AMOUNTS) if bound)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(TEXTS[1:], st.text(min_size=1, max_size=99)),
            **dict.fromkeys(AMOUNTS, st.floats(0, 1e9)),
            **dict.fromkeys(DAYS, st.dates(date(1970, 1, 1), date(9998, 12, 31))),
            "verdict": st.sampled_from(VERDICTS),
            "sort": st.sampled_from(SORTS[1:]),
            "number": st.integers(2, 999_999),
        },
    )
)
def test_what_can_be_read_stands_in_the_link(filters: dict[str, Any]):
    fields = clean(opened(link(**filters)))
    assert fields.keys() == filters.keys()
    assert all(float(fields[name]) == filters[name] for name in AMOUNTS if name in filters)
    assert not unread(filters)


BAD = {
    "status": ("done", "", 3, None),
    "verdict": ("right", "correct "),
    "sort": ("newest", "id; DROP TABLE trace", "DEAREST"),
    "cost_from": ("-1", "nan", "inf", "1e400", "a", "", [], 10**400),
    "seconds_to": ("0x1", "1,5"),
    "since": ("2026-02-30", "yesterday", "9999-12-31", "2026-1", 3.5),
    "number": ("0", "1", "-3", "1.5", "x", "1000000", True),
    "policy": ("", None, 3, ["a"]),
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BAD.items() for value in values]
)
def test_a_bad_value_counts_as_any(name: str, value: Any):
    assert clean({name: value}) == {}
    assert wanted(clean({name: value}), ME) == Filter(owner="visitor:me")


def test_days_are_whole_days_in_utc():
    found = wanted(clean({"since": "2026-01-30", "until": "2026-01-31"}), ME)
    assert (found.since, found.until) == (datetime(2026, 1, 30, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))


def test_only_an_admin_sees_and_chooses_others():
    assert wanted({}, ADMIN).owner is None
    assert wanted({"who": "hf:ann"}, ADMIN).owner == "hf:ann"
    assert wanted({"who": "hf:ann"}, ME).owner == "visitor:me"


def test_what_was_typed_and_cannot_be_read_is_named():
    form = {"cost_from": "cheap", "since": "2026-1", "until": " ", "seconds_to": "3", "text": "x"}
    assert unread(form) == ("cost_from", "since")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("status", "bogus", "one of running, answered, exhausted"),
        ("status", [], "finished"),
        ("verdict", "wrong", "one of correct, incorrect, unsure"),
        ("cost_to", "abc", "a number from 0"),
        ("cost_to", -1, "a number from 0"),
        ("seconds_from", float("nan"), "a number from 0"),
        ("since", "yesterday", "2026-01-31"),
        ("text", 5, "a text"),
        ("text", "x" * 201, "at most 200"),
        ("sort", "bogus", "one of newest, dearest"),
    ],
)
def test_a_filter_that_means_nothing_is_named_with_what_it_can_be(name: str, value: Any, expected: str):
    said = misread({"policy": "rules", name: value})
    assert said.keys() == {name} and expected in said[name]


@pytest.mark.parametrize("value", ["", " ", None])
def test_a_filter_that_is_empty_is_none(value: Any):
    assert misread(dict.fromkeys(NAMES, value)) == {}


def test_a_filter_that_can_be_read_is_not_named():
    form = {"status": "finished", "cost_from": 0, "until": "2026-01-31", "sort": "newest", "text": " x "}
    assert misread(form) == {}


def test_a_link_may_open_a_trace_over_its_list():
    assert opened(link(policy="rules", trace="t&1")) == {"tab": "traces", "policy": "rules", "trace": "t&1"}
