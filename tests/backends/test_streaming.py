"""Streams are put together however their pieces are cut and numbered."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_app.backends.reading import read_reply
from orchestra_app.backends.streaming import Gathered

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
FUNCTIONS = st.dictionaries(st.sampled_from(["name", "arguments"]), JSON)
CALLS = st.fixed_dictionaries({}, optional={"index": JSON, "id": JSON, "function": FUNCTIONS | JSON})
DELTAS = st.dictionaries(
    st.sampled_from(["content", "reasoning", "tool_calls"]), JSON | st.lists(CALLS, max_size=3)
)
EVENTS = JSON | st.fixed_dictionaries(
    {"choices": st.lists(st.fixed_dictionaries({"delta": DELTAS | JSON, "finish_reason": JSON}), max_size=2)},
    optional={"usage": JSON},
)


def gathered(*deltas: dict[str, Any], finish: str | None = "stop") -> Gathered:
    found = Gathered(lambda _: None)
    for delta in deltas:
        found.add({"choices": [{"delta": delta, "finish_reason": None}]})
    if finish:
        found.add({"choices": [{"delta": {}, "finish_reason": finish}]})
    return found


@given(st.lists(EVENTS, max_size=6))
def test_any_events_give_a_reply(events: list[Any]):
    shown: list[str] = []
    found = Gathered(shown.append)
    for event in events:
        found.add(event)
    read_reply(found.body["choices"][0])
    "".join(shown).encode()


def piece(arguments: str, name: str | None = None, **fields: Any) -> dict[str, Any]:
    function = {"arguments": arguments} | ({"name": name} if name else {})
    return {"tool_calls": [{**fields, "function": function}]}


NUMBERED = {
    "as they should be": (
        piece("", "search", index=0, id="a"),
        piece('{"model":', index=0),
        piece(' "s"}', index=0),
        piece("", "answer", index=1, id="b"),
        piece('{"model": "s"}', index=1),
    ),
    "interleaved": (
        piece("", "search", index=0, id="a"),
        piece("", "answer", index=1, id="b"),
        piece('{"model":', index=0),
        piece('{"model": "s"}', index=1),
        piece(' "s"}', index=0),
    ),
    "all numbered alike": (
        piece('{"model": "s"}', "search", index=0, id="a"),
        piece('{"model": "s"}', "answer", index=0, id="b"),
    ),
    "not numbered": (
        piece('{"model":', "search", id="a"),
        piece(' "s"}'),
        piece('{"model": "s"}', "answer", id="b"),
    ),
    "neither numbered nor named": (
        piece('{"model": "s"}', "search", id="a"),
        piece('{"model": "s"}', "answer"),
    ),
    "numbered alike and without a name": (
        piece('{"model":', "search", index=0, id="a"),
        piece(' "s"}', index=0),
        piece('{"model": "s"}', "answer", index=0),
    ),
    "two in one event": (
        {
            "tool_calls": [
                {"id": "a", "function": {"name": "search", "arguments": ""}},
                {"function": {"name": "answer", "arguments": '{"model": "s"}'}},
            ]
        },
    ),
    "arguments as objects": (
        {"tool_calls": [{"id": "a", "function": {"name": "search", "arguments": {"model": "s"}}}]},
        {"tool_calls": [{"id": "b", "function": {"name": "answer", "arguments": {"model": "s"}}}]},
    ),
    "names repeated": (
        piece('{"model":', "search", index=0, id="a"),
        piece(' "s"}', "search", index=0, id="a"),
        piece('{"model": "s"}', "answer", index=1, id="b"),
    ),
}


@pytest.mark.parametrize("case", NUMBERED)
def test_pieces_of_calls_find_their_call(case: str):
    reply = read_reply(gathered(*NUMBERED[case]).body["choices"][0])
    first, second = reply.calls
    assert (first.id, first.name, second.name) == ("a", "search", "answer")
    assert second.id in ("b", "call_2") and second.arguments == {"model": "s"}
    assert first.arguments == ({} if case == "two in one event" else {"model": "s"})


def test_text_that_comes_in_parts_is_text_and_its_thinking_is_reasoning():
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    found = gathered({"content": [thinking, {"type": "text", "text": "fo"}]}, {"content": "ur"})
    reply = read_reply(found.body["choices"][0])
    assert (reply.text, reply.reasoning) == ("four", "hm")
    assert read_reply({"message": {"content": [thinking, {"text": "four"}]}}) == reply


def test_a_stream_is_whole_only_where_the_server_said_so():
    assert gathered({"content": "a"}).complete
    assert not gathered({"content": "a"}, finish=None).complete
    counting = gathered({"content": "a"}, finish=None)
    counting.add({"choices": [{"delta": {"content": "b"}}], "usage": {"prompt_tokens": 1}})
    assert not counting.complete
    counting.add({"choices": [], "usage": {"prompt_tokens": 1}})
    assert counting.complete


def test_only_the_text_itself_is_shown_as_it_comes():
    shown: list[str] = []
    found = Gathered(shown.append)
    for delta in ({"reasoning": "hm"}, {"content": "fo"}, {"content": ""}, {"content": "ur"}):
        found.add({"choices": [{"delta": delta}]})
    assert shown == ["fo", "ur"]
