"""Replies of any shape are read, and nothing that a server sends raises."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_app.backends.reading import clean, read_reply, split_reasoning
from orchestra_app.core.message import Reply

SEARCH = ("search", {"model": "search-1"})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
PIECES = st.sampled_from(
    [
        "<think>",
        "</think>",
        "<tool_call>",
        "</tool_call>",
        '{"name": ',
        '"search"',
        ', "arguments": ',
        "{",
        "}",
        "<function=search>",
        "</function>",
        "<parameter=model>",
        "</parameter>",
        "search<arg_key>model</arg_key>",
        "<arg_value>",
        "</arg_value>",
        "[TOOL_CALLS]",
        "search[ARGS]",
        "[{",
    ]
)
NAMES = ["content", "reasoning", "reasoning_content", "tool_calls", "refusal"]
FUNCTIONS = st.dictionaries(st.sampled_from(["name", "arguments", "parameters"]), JSON)
CALLS = st.dictionaries(st.sampled_from(["id", "type"]), JSON) | st.fixed_dictionaries(
    {"id": JSON, "function": FUNCTIONS | JSON}
)
MESSAGES = JSON | st.dictionaries(st.sampled_from(NAMES), JSON | st.lists(CALLS, max_size=3))


TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "search",
            "parameters": {"properties": {"model": {"type": "string"}, "top": {"type": "integer"}, "x": {}}},
        },
    }
]


def read(content: str, tools: Any = ()) -> Reply:
    return read_reply({"message": {"content": content}, "finish_reason": "stop"}, tools=tools)


def told(reply: Reply) -> list[tuple[str, Any]]:
    return [(call.name, call.arguments) for call in reply.calls]


def kept(reply: Reply) -> None:
    """Check what storage needs of a reply: it survives a round trip and fits into UTF-8 without NUL."""
    assert Reply.model_validate_json(reply.model_dump_json()) == reply
    assert not re.search(r"(?<!\\)\\u0000", reply.model_dump_json())
    assert len({call.id for call in reply.calls}) == len(reply.calls)


@given(st.fixed_dictionaries({"message": MESSAGES, "finish_reason": JSON}) | JSON)
def test_any_json_value_gives_a_reply_that_can_be_stored(choice: Any):
    kept(read_reply(choice))


@given(st.lists(PIECES | st.text(st.characters()), max_size=12).map("".join))
def test_any_text_gives_a_reply_that_can_be_stored(content: str):
    kept(read(content))


@given(st.text(st.characters(exclude_categories=["Cs"]).filter(lambda c: c not in "<\x00")))
def test_plain_text_is_kept_to_the_letter(content: str):
    assert read(content) == Reply(text=content.strip())


@pytest.mark.parametrize(
    ("content", "text", "reasoning"),
    [
        ("four", "four", ""),
        ("<think>two</think>\n\nfour", "four", "two"),
        ("<think>two and", "", "two and"),
        ("two</think>four", "four", "two"),
        ("<think></think>four", "four", ""),
        ("so <think>a</think>it is <think>b</think>four", "so it is four", "a\n\nb"),
        ("<think>a<think>b</think>c</think>four", "four", "a<think>b\n\nc"),
        ("<think>a</think><think>b", "", "a\n\nb"),
        ("<THINK>a</Think>b", "b", "a"),
        ("The tag is <think>, and it", "The tag is <think>, and it", ""),
        ("<think>a</think>The tag <think> begins it", "The tag <think> begins it", "a"),
    ],
)
def test_reasoning_in_tags_is_taken_out_of_the_text(content: str, text: str, reasoning: str):
    found = split_reasoning(content)
    assert (found[0].strip(), found[1]) == (text, reasoning)


@pytest.mark.parametrize(
    ("message", "text", "reasoning"),
    [
        ({"content": "four", "reasoning": " two "}, "four", "two"),
        ({"content": "four", "reasoning_content": "two"}, "four", "two"),
        ({"content": None, "reasoning": "two"}, "", "two"),
        ({"content": [{"type": "text", "text": "fo"}, {"type": "image"}, {"text": "ur"}]}, "four", ""),
        ({"content": None, "refusal": "no"}, "no", ""),
        ({"content": "<think>b</think>four", "reasoning": "a"}, "four", "a\n\nb"),
    ],
)
def test_reasoning_is_read_from_every_usual_field(message: dict[str, Any], text: str, reasoning: str):
    reply = read_reply({"message": message})
    assert (reply.text, reply.reasoning) == (text, reasoning)


ONE = '{"name": "search", "arguments": {"model": "search-1"}}'
BLOCKS: dict[str, tuple[str, list[tuple[str, Any]]]] = {
    "plain": (f"<tool_call>\n{ONE}\n</tool_call>", [SEARCH]),
    "two": (f"<tool_call>{ONE}</tool_call>\n<tool_call>{ONE}</tool_call>", [SEARCH, SEARCH]),
    "not closed": (f"<tool_call>{ONE}", [SEARCH]),
    "first not closed": (f"<tool_call>{ONE}\n<tool_call>{ONE}</tool_call>", [SEARCH, SEARCH]),
    "fenced": (f"<tool_call>```json\n{ONE}\n```</tool_call>", [SEARCH]),
    "a list": (f"<tool_call>[{ONE}, {ONE}]</tool_call>", [SEARCH, SEARCH]),
    "a brace too many": (f"<tool_call>{ONE}}}</tool_call>", [SEARCH]),
    "parameters": (ONE.replace("arguments", "parameters"), [SEARCH]),
    "arguments as text": ('{"name": "search", "arguments": "{\\"model\\": \\"search-1\\"}"}', [SEARCH]),
    "flat arguments": ('{"name": "search", "model": "search-1"}', [SEARCH]),
    "by its name": ('{"search": {"model": "search-1"}}', [SEARCH]),
    "a function inside": ('{"type": "function", "function": ' + ONE + "}", [SEARCH]),
    "a name that is a call": ('{"name": ' + ONE + "}", [SEARCH]),
    "a name that is an object": ('{"name": {"search": {"model": "search-1"}}}', [SEARCH]),
    "no arguments": ('{"name": "search"}', [("search", {})]),
    "empty arguments": ('{"name": "search", "arguments": null}', [("search", {})]),
    "text as arguments": ('{"name": "search", "arguments": "search-1"}', [("search", "search-1")]),
    "a list as arguments": ('{"name": "search", "arguments": [1]}', [("search", "[1]")]),
    "truncated": ('<tool_call>{"name": "search", "argum', [("search", '{"name": "search", "argum')]),
    "no JSON": ("<tool_call>search please</tool_call>", [("", "search please")]),
    "a number": ("<tool_call>[7]</tool_call>", [("", "[7]")]),
    "nothing": ("<tool_call></tool_call>", [("", "")]),
    "an empty list": ("<tool_call>[]</tool_call>", [("", "[]")]),
    "not finite": (
        '{"name": "a", "arguments": {"x": NaN}}',
        [("a", '{"name": "a", "arguments": {"x": NaN}}')],
    ),
    "too large": (
        '{"name": "a", "arguments": {"x": 1e999}}',
        [("a", '{"name": "a", "arguments": {"x": 1e999}}')],
    ),
}


def function(*parameters: tuple[str, str], end: str = "</function>") -> str:
    """A call as Qwen3.5 and Qwen3-Coder write it."""
    return "".join(
        ["<function=search>\n", *(f"<parameter={k}>\n{v}\n</parameter>\n" for k, v in parameters), end]
    )


def pairs(*parameters: tuple[str, str], end: str = "</arg_value>\n") -> str:
    """A call as GLM writes it."""
    return "search\n" + "".join(f"<arg_key>{k}</arg_key>\n<arg_value>{v}{end}" for k, v in parameters)


MODEL = ("model", "search-1")
BLOCKS |= {
    "a function": (function(MODEL), [SEARCH]),
    "a function without arguments": (function(), [("search", {})]),
    "numbers and texts": (
        function(("model", "7"), ("top", "7"), ("x", "[1]"), ("y", "7")),
        [("search", {"model": "7", "top": 7, "x": [1], "y": "7"})],
    ),
    "a number that is none": (function(("top", "many")), [("search", {"top": "many"})]),
    "lines and tags in a value": (
        function(("model", "\na <b>\n")),
        [("search", {"model": "\na <b>\n"})],
    ),
    "JSON in a value": (function(("model", ONE)), [("search", {"model": ONE})]),
    "an end that is missing": (
        function(MODEL).replace("</parameter>\n", ""),
        [SEARCH],
    ),
    "a cut function": (function(MODEL, end=""), [("search", function(MODEL, end="").strip())]),
    "a cut value": (
        "<tool_call><function=search><parameter=model>sea",
        [("search", "<function=search><parameter=model>sea")],
    ),
    "words in a function": (
        "<function=search>please</function>",
        [("search", "<function=search>please</function>")],
    ),
    "pairs": (pairs(MODEL, ("top", "7")), [("search", {"model": "search-1", "top": 7})]),
    "a cut pair": (pairs(MODEL, end=""), [("search", pairs(MODEL, end=""))]),
    "Mistral's list": (f"[TOOL_CALLS] [{ONE}, {ONE}]", [SEARCH, SEARCH]),
    "Mistral's names": ('[TOOL_CALLS]search[ARGS]{"model": "search-1"}' * 2, [SEARCH, SEARCH]),
    "Mistral's ids": ('[TOOL_CALLS]search[CALL_ID]a1[ARGS]{"model": "search-1"}', [SEARCH]),
    "a cut list": ('[TOOL_CALLS][{"name": "search", "arg', [("search", '[{"name": "search", "arg')]),
}


@pytest.mark.parametrize("case", BLOCKS)
def test_calls_in_the_content_are_read_in_every_usual_shape(case: str):
    content, wanted = BLOCKS[case]
    if not content.startswith(("<tool_call>", "[TOOL_CALLS]")):
        content = f"<tool_call>{content}</tool_call>"
    reply = read(f"I will search.\n{content}", TOOLS)
    assert told(reply) == wanted and reply.text == "I will search."


PARAMETERS = ONE.replace("arguments", "parameters")


@pytest.mark.parametrize(
    "content", [ONE, PARAMETERS, f"\n{ONE}\n", f"<|python_tag|>{ONE}", f"<think>?</think>{ONE}"]
)
def test_json_that_is_a_whole_reply_and_names_a_tool_on_offer_is_a_call(content: str):
    reply = read(content, TOOLS)
    assert told(reply) == [SEARCH] and reply.text == ""


def test_a_list_of_calls_as_a_whole_reply_is_read():
    assert told(read(f"[{ONE}, {PARAMETERS}]", TOOLS)) == [SEARCH, SEARCH]


@pytest.mark.parametrize(
    "content",
    [
        f"It is {ONE}",
        f"{ONE} it is",
        ONE.replace("search", "lookup"),
        f'[{ONE}, {{"name": "lookup", "arguments": {{}}}}]',
        '{"name": "search"}',
        '{"name": "search", "arguments": "search-1"}',
        '{"name": ["search"], "arguments": {}}',
        '{"search": {"model": "search-1"}}',
        "[]",
        "[1, 2]",
        "{",
        "42",
        "Mistral begins calls with [TOOL_CALLS] and then a list.",
        "[TOOL_CALLS][...]",
        "<function=search> is how a call begins.",
    ],
)
def test_an_answer_is_not_taken_for_a_call(content: str):
    reply = read(content, TOOLS)
    assert not reply.calls and reply.text == content


def test_json_is_an_answer_where_no_tool_is_on_offer():
    assert read(ONE).text == ONE and not read(ONE).calls


def test_calls_after_the_thoughts_count_and_those_inside_do_not():
    reply = read(f"<think>I could <tool_call>{ONE}</tool_call></think><tool_call>{ONE}</tool_call>")
    assert told(reply) == [SEARCH] and "<tool_call>" in reply.reasoning


def native(*functions: Any, ids: tuple[Any, ...] = ()) -> list[dict[str, Any]]:
    given = (*ids, *[None] * len(functions))
    return [{"id": i, "type": "function", "function": f} for i, f in zip(given, functions, strict=False)]


@pytest.mark.parametrize(
    ("function", "wanted"),
    [
        ({"name": "search", "arguments": '{"model": "search-1"}'}, SEARCH),
        ({"name": "search", "arguments": {"model": "search-1"}}, SEARCH),
        ({"name": "search", "arguments": '"{\\"model\\": \\"search-1\\"}"'}, SEARCH),
        ({"name": "search", "arguments": ""}, ("search", {})),
        ({"name": "search"}, ("search", {})),
        ({"name": "search", "arguments": '{"model": "sea'}, ("search", '{"model": "sea')),
        ({"name": "search", "arguments": 7}, ("search", "7")),
        ({"name": "s", "arguments": '{"x": "\\ud800\\u0000"}'}, ("s", {"x": "\ufffd\ufffd"})),
        (
            {"name": "s", "arguments": '{"x": ' * 100 + "1" + "}" * 100},
            ("s", '{"x": ' * 100 + "1" + "}" * 100),
        ),
    ],
)
def test_native_calls_are_read_whatever_their_arguments(function: Any, wanted: tuple[str, Any]):
    reply = read_reply({"message": {"content": None, "tool_calls": native(function)}})
    assert told(reply) == [wanted]
    kept(reply)


@pytest.mark.parametrize("entry", [None, 3, "x", [], {}, {"function": None}, {"function": {"name": None}}])
def test_an_unreadable_native_call_is_quoted(entry: Any):
    (call,) = read_reply({"message": {"tool_calls": [entry]}}).calls
    assert call.name == "" and call.arguments == json.dumps(entry)


def test_native_calls_win_over_calls_in_the_content():
    message = {"content": f"<tool_call>{ONE}</tool_call>", "tool_calls": native({"name": "answer"})}
    assert told(read_reply({"message": message})) == [("answer", {})]


def test_missing_and_repeated_ids_are_replaced_and_others_kept():
    function = {"name": "search"}
    calls = native(function, function, function, function, ids=("a", "a", "b", ""))
    ids = [call.id for call in read_reply({"message": {"tool_calls": calls}}, taken={"b"}).calls]
    assert ids[0] == "a" and len({*ids, "b"}) == 5


def test_a_reply_that_repeats_itself_gives_a_bounded_number_of_calls():
    assert len(read(f"<tool_call>{ONE}" * 10_000).calls) == 64


@pytest.mark.parametrize(
    ("finish", "reasons"),
    [
        ("length", ["length", "content_filter", "error", "model_length", "MAX_TOKENS", "SAFETY", "abort"]),
        ("stop", ["stop", "STOP", "tool_calls", "function_call", "eos", "eos_token", "end_turn", None, ""]),
    ],
)
def test_whatever_ends_a_reply_but_its_own_end_cuts_it(finish: str, reasons: list[Any]):
    for reason in reasons:
        assert read_reply({"message": {}, "finish_reason": reason}).finish == finish, reason


def test_halves_of_a_character_that_come_apart_are_joined():
    assert clean("\ud83d" + "\ude00") == "😀"


def test_a_call_that_is_never_closed_is_read_in_time_that_grows_with_its_length():
    begun = "<parameter=a" * 200_000
    reply = read(f"<tool_call><function=x>{begun}</function></tool_call>")
    assert [name for name, _ in told(reply)] == ["x"]


def test_an_object_in_objects_without_end_is_a_call_of_no_tool():
    call: dict[str, Any] = {"name": "x"}
    for _ in range(100):
        call = {"function": call}
    reply = read_reply({"message": {"tool_calls": [{"function": call}]}})
    assert [name for name, _ in told(reply)] == ["function"]
