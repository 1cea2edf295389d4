"""The score of a trace: what stands on which lane, when, at which cost, and how it grows."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra_app.core.events import (
    CatalogRef,
    Event,
    ReplyReceived,
    RolloutFinished,
    RolloutStarted,
    ToolFinished,
)
from orchestra_app.core.message import Document, Execution, Reply, ToolCall, ToolResult
from orchestra_app.core.task import Task
from orchestra_app.core.trace import Label, Trace
from orchestra_app.core.usage import Charge, Kind, Price, Usage
from orchestra_app.ui.bill import bill
from orchestra_app.ui.graph import NAME_BYTES, TEXT_BYTES, clean, notes, score

STARTED = datetime(2026, 1, 2, tzinfo=UTC)
RATES = Price(input=1.0, output=4.0, source="example.org", date="2026-01-01")


def charge(who: str, kind: Kind, at: float, seconds: float, cost: float = 0.001, **fields: Any) -> Charge:
    usage = Usage(input_tokens=100, output_tokens=20, seconds=seconds)
    return Charge(who=who, kind=kind, usage=usage, price=RATES, cost=cost, at=at, **fields)


def call(id: str, name: str = "enhance_reasoning", model: str | None = "reasoner-1") -> ToolCall:
    return ToolCall(id=id, name=name, arguments={"model": model} if model else {})


def started(**fields: Any) -> RolloutStarted:
    task = fields.pop("task", Task(id="t", question="How deep is the harbour?"))
    ref = CatalogRef(name="rehearsal", hash="0" * 16)
    return RolloutStarted(
        trace_id="r",
        task=task,
        policy="conductor",
        catalog=ref,
        protocol="packed",
        started_at=STARTED,
        **fields,
    )


def replied(
    at: float, *calls: ToolCall, charges: Iterable[Charge] | None = None, **fields: Any
) -> ReplyReceived:
    paid = (charge("conductor", "policy", at - 1, 1.0, 0.0001),) if charges is None else tuple(charges)
    return ReplyReceived(
        offered=(), instruction="", reply=Reply(calls=calls, charges=paid, at=at), at=at, **fields
    )


def finished(at: float, id: str, *charges: Charge, **fields: Any) -> ToolFinished:
    return ToolFinished(result=ToolResult(call_id=id, charges=charges, at=at, **fields), at=at)


def folded(*events: Event) -> Trace:
    trace = Trace.start(started())
    for event in events:
        trace.apply(event)
    return trace


def played(trace: Trace, **options: Any) -> list[dict[str, Any]]:
    """Return the notes of the score as the browser reads them."""
    return [json.loads(note) for note in score(trace, **options)["notes"]]


WHOLE: tuple[Event, ...] = (
    replied(1, call("a"), call("b", "search", "search-1")),
    finished(5, "b", charge("gpt", "search", 1, 3), charge("wiki", "retrieve", 4, 1, 0.0)),
    finished(9, "a", charge("gpt", "expert", 1, 6, 0.02), charge("python", "python", 7, 2, 0.0002)),
    replied(10, call("c", "enhance_reasoning", "nobody")),
    finished(10, "c", error="There is no alias 'nobody'."),
    replied(10, call("d", "answer", "answer-1"), charges=(), forced="Two turns in a row were useless."),
    finished(14, "d", charge("gpt", "expert", 10, 4, 0.03, estimated=True, simulated=True), answer="42"),
    RolloutFinished(status="answered", answer="42", at=14),
)


def test_the_snapshot_of_a_whole_run_is_this() -> None:
    shot = score(folded(*WHOLE))
    used = [100, 0, 20, 0, 0.0]
    assert [json.loads(note) for note in shot.pop("notes")] == [
        {"i": "1", "l": "policy", "s": 0.0, "w": "conductor", "d": 1.0, "c": 0.0001, "p": 0, "u": used,
         "a": "enhance_reasoning → reasoner-1, search → search-1"},
        {"i": "1.1", "l": "expert", "s": 1.0, "w": "gpt", "d": 6.0, "c": 0.02, "p": 0, "u": used,
         "a": "enhance_reasoning → reasoner-1"},
        {"i": "1.2", "l": "search", "s": 1.0, "w": "gpt", "d": 3.0, "c": 0.001, "p": 0, "u": used,
         "a": "search → search-1"},
        {"i": "1.2+1", "l": "retrieve", "s": 4.0, "w": "wiki", "d": 1.0, "c": 0.0, "p": 0, "u": used,
         "a": "search → search-1"},
        {"i": "1.1+1", "l": "python", "s": 7.0, "w": "python", "d": 2.0, "c": 0.0002, "p": 0, "u": used,
         "a": "enhance_reasoning → reasoner-1"},
        {"i": "2", "l": "policy", "s": 9.0, "w": "conductor", "d": 1.0, "c": 0.0001, "p": 0, "u": used,
         "a": "enhance_reasoning → nobody"},
        {"i": "2.1", "l": "expert", "s": 10.0, "w": "nobody", "d": 0.0, "a": "enhance_reasoning → nobody",
         "e": "There is no alias 'nobody'."},
        {"i": "3", "l": "policy", "s": 10.0, "w": "conductor", "d": 0.0, "a": "answer → answer-1",
         "f": "Two turns in a row were useless."},
        {"i": "3.1", "l": "expert", "s": 10.0, "w": "gpt", "d": 4.0, "c": 0.03, "p": 0, "u": used,
         "a": "answer → answer-1", "m": "es"},
    ]  # fmt: skip
    assert shot == {
        "run": "r",
        "question": "How deep is the harbour?",
        "status": "answered",
        "live": False,
        "simulated": False,
        "speed": 1.0,
        "now": 14.0,
        "end": 14.0,
        "cost": 0.0514,
        "reserved": 0.0,
        "turns": 3,
        "budget": {"cost": 0.1, "seconds": 120.0, "turns": 20},
        "error": "",
        "prices": ['[1.0,1.0,4.0,0.0,"example.org 2026-01-01"]'],
    }


def test_notes_keep_their_order_while_a_run_grows() -> None:
    before: list[str] = []
    for count in range(len(WHOLE) + 1):
        now = [note["i"] for note in played(folded(*WHOLE[:count]))]
        assert now[: len(before)] == before
        assert len(now) == len(set(now))
        before = now


def test_a_note_under_way_stays_on_its_lane_when_it_ends() -> None:
    lanes: dict[str, str] = {}
    for count in range(len(WHOLE) + 1):
        for note in notes(folded(*WHOLE[:count])):
            assert lanes.setdefault(note.id, note.lane) == note.lane


def test_an_event_sends_at_most_one_and_a_half_kilobytes_whatever_the_texts() -> None:
    wild = "🎻" * 5_000
    events = [replied(1, call("a", wild, wild)), finished(2, "a", charge(wild, "expert", 1, 1), error=wild)]
    before = score(folded())
    for count in range(1, len(events) + 1):
        after = score(folded(*events[:count]))
        size = sum(len(json.dumps(note, ensure_ascii=False).encode()) for note in after["notes"])
        assert size - len(json.dumps(before["notes"]).encode()) < 1_500
        before = after


@pytest.mark.parametrize(
    ("events", "waiting"),
    [
        ((), ("1", "policy", "conductor", 0.0)),
        ((replied(1, call("a")),), ("1.1", "expert", "reasoner-1", 1)),
        ((replied(1, call("a", "search", "search-1")),), ("1.1", "search", "search-1", 1)),
        ((replied(1, call("a", "weather", None)),), ("1.1", "python", "weather", 1)),
        (
            (replied(1, call("a")), finished(4, "a", charge("gpt", "expert", 1, 3))),
            ("2", "policy", "conductor", 4),
        ),
        ((replied(1),), ("2", "policy", "conductor", 1)),
    ],
)
def test_what_is_under_way_is_one_open_note(events: tuple[Event, ...], waiting: tuple[Any, ...]) -> None:
    opened = [note for note in notes(folded(*events)) if note.seconds is None]
    assert [(note.id, note.lane, note.who, note.at) for note in opened] == [waiting]


def test_nobody_thinks_any_more_once_the_answer_is_there() -> None:
    assert all(note.seconds is not None for note in notes(folded(*WHOLE[:-1])))


def test_a_call_without_result_is_cut_when_the_run_ends() -> None:
    trace = folded(replied(1, call("a")), RolloutFinished(status="stopped", at=6))
    note = played(trace)[-1]
    assert (note["i"], note["d"], note["m"]) == ("1.1", 5.0, "x")


@pytest.mark.parametrize(
    ("result", "lane"),
    [
        ({"documents": (Document(text="x"),)}, "retrieve"),
        ({"executions": (Execution(code="x"),)}, "python"),
        ({"output": "x"}, "expert"),
        ({"error": "No."}, "expert"),
    ],
)
def test_a_call_without_charge_has_a_lane(result: dict[str, Any], lane: str) -> None:
    note = notes(folded(replied(1, call("a")), finished(3, "a", **result)))[1]
    assert (note.lane, note.at, note.seconds, note.charge) == (lane, 1, 2, None)


def test_every_attempt_of_a_reply_is_a_note() -> None:
    attempts = (charge("conductor", "policy", 0, 2, estimated=True), charge("conductor", "policy", 2, 1))
    found = notes(folded(replied(3, call("a"), charges=attempts)))
    assert [(note.id, note.at, note.seconds) for note in found[:2]] == [("1", 0, 2), ("1+1", 2, 1)]


def test_an_estimated_charge_lasts_until_its_result() -> None:
    found = notes(
        folded(replied(1, call("a")), finished(8, "a", charge("gpt", "expert", 1, 0, estimated=True)))
    )
    assert found[1].seconds == 7


@pytest.mark.parametrize("now", [0.5, 1.0, 2.0, 4.5, 8.0, 9.99, 10.0, 13.9])
def test_the_past_is_drawn_as_it_looked_then(now: float) -> None:
    shot = score(folded(*WHOLE), now=now, speed=0)
    heard = [json.loads(note) for note in shot["notes"]]
    assert (shot["status"], shot["live"], shot["now"], shot["end"]) == ("running", False, now, 14.0)
    for note in heard:
        assert note["s"] <= now
        assert ("d" in note) == (note["s"] + note.get("d", 99) <= now)
        assert "d" in note or "c" not in note
    assert shot["cost"] == pytest.approx(sum(note.get("c", 0) for note in heard))


def test_a_moment_after_the_end_is_the_end() -> None:
    trace = folded(*WHOLE)
    assert score(trace, now=99) == score(trace)


def test_money_set_aside_is_shown_only_while_the_run_goes_on() -> None:
    assert score(folded(), reserved=0.5)["reserved"] == 0.5
    assert score(folded(*WHOLE), reserved=0.5)["reserved"] == 0


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x00\x1b[31m\nb", "a [31m b"),
        ("abc\u202edef\u2066", "abc def"),
        ("\ud800", "?"),
        ("<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"),
        ("${x}{{y}}", "${x}{{y}}"),
        ("👩‍🚀 你好", "👩‍🚀 你好"),
        ("", ""),
    ],
)
def test_text_loses_control_and_direction_and_nothing_else(text: str, shown: str) -> None:
    assert clean(text, NAME_BYTES) == shown


@given(st.text(max_size=400), st.integers(4, 300))
@settings(max_examples=200, deadline=None)
def test_cleaned_text_is_one_short_line_that_can_be_sent(text: str, limit: int) -> None:
    shown = clean(text, limit)
    assert len(shown.encode()) <= limit
    assert "\n" not in shown
    assert clean(shown, limit) == shown


def test_a_question_of_any_length_is_cut() -> None:
    trace = Trace.start(started(task=Task(id="t", question="长" * 20_000)))
    assert len(score(trace)["question"].encode()) <= TEXT_BYTES


def test_the_bill_adds_up_to_the_cost_of_the_trace() -> None:
    trace = folded(*WHOLE)
    made = bill(trace)
    assert [(row.who, row.kind, row.uses, row.estimated, row.simulated) for row in made.rows] == [
        ("conductor", "policy", 2, 0, 0),
        ("gpt", "search", 1, 0, 0),
        ("wiki", "retrieve", 1, 0, 0),
        ("gpt", "expert", 2, 1, 1),
        ("python", "python", 1, 0, 0),
    ]
    assert sum(row.cost for row in made.rows) == pytest.approx(made.total)
    assert made.total == trace.cost


def test_prices_of_one_model_that_changed_stand_in_rows_of_their_own() -> None:
    dear = charge("gpt", "expert", 5, 1).model_copy(update={"price": Price(input=9.0)})
    trace = folded(replied(1, call("a")), finished(6, "a", charge("gpt", "expert", 1, 3), dear))
    assert [row.price.input for row in bill(trace).rows if row.who == "gpt"] == [1.0, 9.0]


def test_a_verdict_that_was_paid_for_stands_beside_the_bill() -> None:
    trace = folded(*WHOLE)
    trace.labels.append(
        Label(source="judge", correct=True, charge=charge("judge", "judge", 14, 2, 0.5), at=STARTED)
    )
    made = bill(trace)
    assert [(row.who, row.cost) for row in made.judged] == [("judge", 0.5)]
    assert made.total == trace.cost
    assert "judge" not in {note.lane for note in notes(trace)}
