import pytest
from orchestra_fakes import make_catalog

from orchestra_app.core.message import Offer, ToolCall
from orchestra_app.orchestrator.reading import problem_with


def offer(name: str, *aliases: str) -> Offer:
    schema = {"type": "function", "function": {"name": name, "parameters": {}}}
    return Offer(tool_schema=schema, choices=dict.fromkeys(aliases, 0.5))


OFFERED = (offer("search"), offer("answer", "answer-1", "answer-2"))


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("answer", {"model": "answer-1"}, None),
        ("answer", {"model": "answer-2", "why": "because"}, None),
        ("search", {}, None),
        ("search", {"query": "Velm"}, None),
        ("serach", {}, "There is no tool 'serach' now; choose one of: search, answer."),
        ("", {}, "There is no tool '' now; choose one of: search, answer."),
        ("x" * 500, {}, f"There is no tool '{'x' * 80}' now; choose one of: search, answer."),
        ("answer", {}, "answer needs the argument 'model', one of: answer-1, answer-2."),
        ("answer", "answer-1", "The arguments of answer are not a JSON object."),
        ("search", '{"query": ', "The arguments of search are not a JSON object."),
        (
            "answer",
            {"model": "gpt-9"},
            "'gpt-9' is not on offer for answer now; choose one of: answer-1, answer-2.",
        ),
        (
            "answer",
            {"model": None},
            "'None' is not on offer for answer now; choose one of: answer-1, answer-2.",
        ),
        (
            "answer",
            {"model": ["answer-1"]},
            "\"['answer-1']\" is not on offer for answer now; choose one of: answer-1, answer-2.",
        ),
    ],
)
def test_a_call_is_valid_or_has_a_sentence_that_says_why_not(name, arguments, expected):
    assert problem_with(ToolCall(id="1", name=name, arguments=arguments), OFFERED) == expected


def test_where_nothing_is_on_offer_the_sentence_says_what_is_left_to_do():
    call = ToolCall(id="1", name="search", arguments={})
    assert problem_with(call, ()) == (
        "There is no tool 'search' now, nor any other; reply with the final answer."
    )


def test_an_alias_of_another_tool_is_not_on_offer():
    catalog = make_catalog()
    offered = tuple(offer(name, *spec.choices) for name, spec in catalog.tools.items())
    for name in catalog.tools:
        for other, spec in catalog.tools.items():
            for alias in spec.choices:
                call = ToolCall(id="1", name=name, arguments={"model": alias})
                assert (problem_with(call, offered) is None) == (name == other)
