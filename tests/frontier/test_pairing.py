"""Two traces beside each other: every turn stands once and in order, and equal beginnings stand together."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from orchestra_app.core.events import CatalogRef
from orchestra_app.core.message import Reply, ToolCall, ToolResult
from orchestra_app.core.task import Task
from orchestra_app.core.trace import Trace, Turn
from orchestra_app.frontier.pairing import Pair, pair

WAYS = st.lists(st.sampled_from(("s1", "s2", "r1", "a1", "")), max_size=8)


def trace(way: list[str], said: str = "") -> Trace:
    """A trace whose turns call these aliases; an empty one is a turn without a call."""
    turns = []
    for number, alias in enumerate(way, 1):
        call = ToolCall(id=f"{number}.1", name=alias[:1], arguments={"model": alias})
        results = (ToolResult(call_id=call.id, output=said),) if alias else ()
        turns.append(
            Turn(
                offered=(), instruction="", reply=Reply(calls=(call,) if alias else (), at=1), results=results
            )
        )
    return Trace(
        id="t",
        task=Task(id="t", question="Why?"),
        policy="p",
        catalog=CatalogRef(name="c", hash="0"),
        protocol="packed",
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        turns=turns,
    )


@given(WAYS, WAYS)
def test_every_turn_of_both_stands_in_one_row_and_in_its_order(left: list[str], right: list[str]):
    rows = pair(trace(left), trace(right))
    assert [row.left for row in rows if row.left is not None] == list(range(len(left)))
    assert [row.right for row in rows if row.right is not None] == list(range(len(right)))
    for row in rows:
        assert (row.left is None) == (row.relation == "right")
        assert (row.right is None) == (row.relation == "left")
        if row.left is not None and row.right is not None:
            assert (row.relation == "other") == (left[row.left] != right[row.right])


@given(WAYS)
def test_a_trace_beside_itself_is_the_same_throughout(way: list[str]):
    assert {row.relation for row in pair(trace(way), trace(way))} <= {"same"}
    calls = {row.relation for row in pair(trace(way), trace(way, said="other"))}
    assert calls <= {"same", "result"} and ("result" in calls) == any(way)


@given(WAYS, WAYS, WAYS)
def test_an_equal_beginning_stands_together(begin: list[str], left: list[str], right: list[str]):
    rows = pair(trace(begin + left), trace(begin + right))
    assert rows[: len(begin)] == [Pair(place, place, "same") for place in range(len(begin))]


def test_a_call_that_comes_again_after_another_one_is_found():
    rows = pair(trace(["s1", "a1"]), trace(["s1", "r1", "s2", "a1"]))
    assert rows == [Pair(0, 0, "same"), Pair(None, 1, "right"), Pair(None, 2, "right"), Pair(1, 3, "same")]
    rows = pair(trace(["s1", "a1"]), trace(["s2", "a1"]))
    assert rows == [Pair(0, 0, "other"), Pair(1, 1, "same")]
