import json

from hypothesis import given, settings
from hypothesis import strategies as st
from orchestra_fakes import make_catalog, make_task

from orchestra_app.backends.base import State
from orchestra_app.core.message import Document, Execution, Message, Reply, ToolCall, ToolResult
from orchestra_app.core.text import EstimatedTokens
from orchestra_app.core.trace import Turn
from orchestra_app.orchestrator.chat import CUT, CUT_ARGUMENT, FINAL, SYSTEM, WAS_CUT, converse, render

TOKENS = EstimatedTokens()
CATALOG = make_catalog()
PLENTY = 10**9


def state(turns: list[Turn], instruction: str = "") -> State:
    return State(task=make_task(), catalog=CATALOG, turns=tuple(turns), instruction=instruction)


def said(turns: list[Turn], instruction: str = "", *, room: int = PLENTY, final: bool = False):
    return converse(state(turns, instruction), tokens=TOKENS, room=room, final=final)


def turn(*outputs: str | None, text: str = "", instruction: str = "", number: int = 1) -> Turn:
    """A turn with a call for each output; None: the call did not run."""
    calls = tuple(
        ToolCall(id=f"{number}.{index}", name="search", arguments={"query": "q"})
        for index, _ in enumerate(outputs, 1)
    )
    results = tuple(
        ToolResult(call_id=call.id, output=output)
        for call, output in zip(calls, outputs, strict=True)
        if output is not None
    )
    return Turn(offered=(), instruction=instruction, reply=Reply(text=text, calls=calls), results=results)


def shown(messages: tuple[Message, ...]) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in messages]


def test_the_conversation_reads_question_calls_results_and_the_request_for_an_answer():
    turns = [turn("found", None, text="Let me see.", instruction="Prefer cheap."), turn(text=" ")]
    turns[1] = turns[1].model_copy(update={"instruction": "Prefer cheap."})
    messages = said(turns, "Prefer cheap. Spend at most $0.1.", final=True)
    assert shown(messages) == [
        ("system", SYSTEM),
        ("user", "How tall is the tower of Velm?\n\nPrefer cheap."),
        ("assistant", "Let me see."),
        ("tool", "found"),
        ("tool", "(not run)"),
        ("assistant", " "),
        (
            "user",
            "That was neither a call nor an answer; go on.\n\n[Prefer cheap. Spend at most $0.1.]",
        ),
        ("user", FINAL),
    ]
    assert [message.call_id for message in messages if message.role == "tool"] == ["1.1", "1.2"]
    assert messages[2].calls == turns[0].reply.calls


def test_without_wishes_the_question_stands_alone():
    assert said([])[1].content == "How tall is the tower of Velm?"


SENTENCES = st.sampled_from(["", "Spend at most $0.1.", "Spend at most $0.05."])
TURNS = st.lists(
    st.tuples(
        st.lists(st.none() | st.text("ab塔", max_size=20), max_size=3), st.text("xy", max_size=9), SENTENCES
    ),
    max_size=6,
)


@settings(deadline=None)
@given(TURNS)
def test_the_conversation_only_grows_at_its_end(parts):
    turns = [
        turn(*outputs, text=text, instruction=sentence, number=number)
        for number, (outputs, text, sentence) in enumerate(parts, 1)
    ]
    before: tuple[Message, ...] = ()
    for count in range(len(turns)):
        # The sentence of a turn is the one that stood in its prompt.
        now = said(turns[:count], turns[count].instruction)
        assert now[: len(before)] == before
        before = now


@settings(deadline=None)
@given(TURNS, SENTENCES)
def test_the_latest_wishes_are_the_last_that_are_said(parts, sentence: str):
    turns = [
        turn(*outputs, instruction=wish, number=number) for number, (outputs, _, wish) in enumerate(parts, 1)
    ]
    if not sentence:
        return
    texts = " ".join(message.content for message in said(turns, sentence) if message.role != "system")
    others = [
        texts.rfind(each) for each in ("Spend at most $0.1.", "Spend at most $0.05.") if each != sentence
    ]
    assert texts.rfind(sentence) > max(others)


def test_a_long_result_keeps_its_end():
    messages = said([turn("a" * 50_000 + "the end")])
    content = messages[-1].content
    assert content.endswith("the end") and TOKENS.count(content) == 8_000


def test_the_oldest_results_make_room_first():
    turns = [turn(letter * 3_000, number=number) for number, letter in enumerate("abc", 1)]
    results = [message.content[:1] for message in said(turns, room=2_500) if message.role == "tool"]
    assert results == [CUT[0], "b", "c"]
    assert [m.content for m in said(turns, room=0) if m.role == "tool"] == [CUT] * 3


def test_a_result_shorter_than_the_remark_is_not_left_out():
    turns = [turn("7"), turn("a" * 9_000, number=2)]
    assert [m.content for m in said(turns, room=100) if m.role == "tool"] == ["7", CUT]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 4000), max_size=6), st.integers(0, 4000))
def test_what_can_be_left_out_is_left_out_until_it_fits(sizes: list[int], room: int):
    turns = [turn("a" * size, number=number) for number, size in enumerate(sizes, 1)]
    messages = said(turns, room=room)
    rest = said(turns, room=0)
    total = sum(TOKENS.count(message.content) for message in messages)
    assert total <= max(room, sum(TOKENS.count(message.content) for message in rest))
    assert len(messages) == len(rest)


def test_the_code_of_old_calls_makes_room_where_the_results_do_not_suffice():
    code = "print(1)\n" * 400
    turns = [
        turn("ok" * 200, number=number).model_copy(
            update={
                "reply": Reply(calls=(ToolCall(id=f"{number}.1", name="python", arguments={"code": code}),))
            }
        )
        for number in range(1, 5)
    ]
    size = TOKENS.count(json.dumps({"code": code}))
    whole = said(turns, room=5 * size)
    assert [m.calls[0].arguments for m in whole if m.calls] == [{"code": code}] * 4
    assert [m.content for m in said(turns, room=4 * size + 300) if m.role == "tool"][0] == CUT
    messages = said(turns, room=2 * size + 400)
    assert [m.content for m in messages if m.role == "tool"] == [CUT] * 4
    shortened = {"code": CUT_ARGUMENT}
    kept = [shortened] * 2 + [{"code": code}] * 2
    assert [m.calls[0].arguments for m in messages if m.calls] == kept
    assert [m.call_id for m in messages if m.role == "tool"] == [m.calls[0].id for m in messages if m.calls]


def test_a_policy_whose_reply_was_cut_is_told_so():
    cut = Turn(offered=(), instruction="", reply=Reply(text="To answer this", finish="length"))
    assert shown(said([cut]))[2:] == [("assistant", "To answer this"), ("user", WAS_CUT)]


def test_every_part_of_a_result_is_shown():
    result = ToolResult(
        call_id="1",
        documents=(Document(text="Velm.", title="Towns", url="a.txt"), Document(text="Tower.")),
        executions=(
            Execution(code="x", stdout="6", stderr="warned", status=0),
            Execution(code="x", timed_out=True),
        ),
        output="And this.",
        error="It broke.",
    )
    assert render(result) == (
        "[1] Towns a.txt\nVelm.\n\n[2] \nTower.\n\nExit status 0.\nstdout:\n6\nstderr:\nwarned\n\n"
        "It ran out of time.\nIt printed nothing.\n\nAnd this.\n\nError: It broke."
    )
    assert render(ToolResult(call_id="1")) == "(nothing)"
    assert render(ToolResult(call_id="1", answer="42 m")) == "42 m"
