"""The OpenAI-compatible backend against a server that misbehaves in every way that servers do."""

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any

import pytest

from orchestra_app.backends.base import Request, input_bound
from orchestra_app.backends.openai import OpenAIBackend
from orchestra_app.core.errors import BackendError, BudgetError, ContextError
from orchestra_app.core.message import Message, ToolCall, ToolResult
from orchestra_app.core.text import EstimatedTokens
from orchestra_app.core.trace import Turn
from orchestra_app.core.usage import Usage
from orchestra_app.orchestrator.chat import converse
from tests.backends.conftest import KEYS, RecordingPurse
from tests.fake_openai import CALL, FakeOpenAI

Ask = Callable[..., Request]
OK = {"message": {"content": "four"}}
SECRET = KEYS["TEST_KEY"]


def status(code: int, message: str = "no", **headers: str) -> dict[str, Any]:
    return {"status": code, "headers": headers, "body": {"error": {"message": message}}}


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - the server is another process
            await asyncio.sleep(0.01)


async def test_sends_what_was_granted_and_reads_text_usage_and_cost(
    ask: Ask, backend: OpenAIBackend, fake: FakeOpenAI
):
    usage = {
        "prompt_tokens": 30,
        "completion_tokens": 9,
        "prompt_tokens_details": {"cached_tokens": 10},
        "completion_tokens_details": {"reasoning_tokens": 5},
        "cost": 0.5,
    }
    purse = RecordingPurse(granted=77)
    asked = ask(
        {"message": {"content": " four "}, "usage": usage, "finish": "length"},
        model={"key": "TEST_KEY", "options": {"top_k": 3, "max_tokens": 10**6, "n": 9}, "temperature": 0.2},
        tools=({"type": "function", "function": {"name": "search"}},),
        max_output=100,
    )
    reply = await backend.complete(asked, purse)
    assert (reply.text, reply.finish) == ("four", "length")
    (sent,) = fake.log(asked.name)
    assert sent["authorization"] == f"Bearer {SECRET}"
    assert sent["body"] == {
        "model": asked.name,
        "messages": [{"role": "user", "content": "What is 2 + 2?"}],
        "max_tokens": 77,
        "temperature": 0.2,
        "top_k": 3,
        "tools": list(asked.tools),
    }
    (use,), (charge,) = purse.uses, purse.charges
    assert use.most == Usage(input_tokens=input_bound(asked), output_tokens=100)
    assert (use.who, use.kind, use.price) == (asked.name, asked.kind, asked.model.price)
    counted = charge.usage.model_dump(exclude={"seconds", "units"})
    assert counted == {"input_tokens": 30, "cached_tokens": 10, "output_tokens": 9, "reasoning_tokens": 5}
    assert charge.reported == 0.5 and not charge.estimated and charge.usage.seconds > 0


async def test_a_reasoning_model_is_limited_by_max_completion_tokens(
    ask: Ask, backend: OpenAIBackend, fake: FakeOpenAI, purse: RecordingPurse
):
    asked = ask(OK, model={"reasoning": True}, temperature=1.0, max_output=50)
    await backend.complete(asked, purse)
    body = fake.log(asked.name)[0]["body"]
    assert body["max_completion_tokens"] == 50 and "max_tokens" not in body and body["temperature"] == 1.0


async def test_a_model_without_a_key_is_sent_nobody_elses(
    ask: Ask, backend: OpenAIBackend, fake: FakeOpenAI, purse: RecordingPurse
):
    asked = ask(OK, model={"id": "served-under-this-id"})
    fake.script("served-under-this-id", OK)
    await backend.complete(asked, purse)
    assert fake.log("served-under-this-id")[-1]["authorization"] == "Bearer none"


async def test_a_whole_conversation_goes_out_with_bad_calls_wrapped(
    ask: Ask, backend: OpenAIBackend, fake: FakeOpenAI, purse: RecordingPurse
):
    calls = (
        ToolCall(id="1.1", name="search", arguments={"model": "é"}),
        ToolCall(id="1.2", name="no such tool!", arguments="{oops"),
    )
    messages = (
        Message(role="system", content="s"),
        Message(role="assistant", content=" ", calls=calls),
        Message(role="tool", content="found", call_id="1.1"),
        Message(role="assistant", content=" "),
    )
    asked = ask(OK, messages=messages)
    await backend.complete(asked, purse)
    assert fake.log(asked.name)[0]["body"]["messages"] == [
        {"role": "system", "content": "s"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call00001",
                    "type": "function",
                    "function": {"name": "search", "arguments": '{"model": "\\u00e9"}'},
                },
                {
                    "id": "call00002",
                    "type": "function",
                    "function": {"name": "no_such_tool_", "arguments": '{"unreadable": "{oops"}'},
                },
            ],
        },
        {"role": "tool", "content": "found", "tool_call_id": "call00001"},
    ]


RETRIED = {
    "429 with Retry-After": (status(429, **{"retry-after": "0.05"}), "zero"),
    "429 without": (status(429), "zero"),
    "500": (status(500), "estimated"),
    "429 with a date beyond all dates": (
        status(429, **{"retry-after": "Wed, 21 Oct 99999999999999999999 07:28:00 GMT"}),
        "zero",
    ),
    "503 with a date": (status(503, **{"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}), "estimated"),
    "408": (status(408), "estimated"),
    "malformed": ({"raw": '{"choices": [{'}, "estimated"),
    "not an object": ({"raw": "[1]"}, "estimated"),
    "too deep": ({"raw": "[" * 100_000}, "estimated"),
    "wrong UTF-8": ({"raw": '{"choices": [{"message": {"content": "\xff"}}]}'}, "estimated"),
    "no choices": ({"raw": '{"choices": []}'}, "estimated"),
    "an error inside 200": ({"raw": '{"error": {"code": 502, "message": "upstream"}}'}, "estimated"),
    "a limit inside 200, as text": ({"raw": '{"error": {"code": "429", "message": "upstream"}}'}, "zero"),
    "a limit inside 200, as a word": ({"raw": '{"error": {"code": "rate_limit_exceeded"}}'}, "zero"),
    "an error in a choice": (
        {"body": {"choices": [{"message": {"content": "The"}, "error": {"code": 502, "message": "x"}}]}},
        "estimated",
    ),
    "a limit in a choice, after a part of it": (
        {"body": {"choices": [{"message": {"content": "The"}, "error": {"code": "429"}}]}},
        "estimated",
    ),
    "a limit inside 200": ({"raw": '{"error": {"code": 429, "message": "upstream"}}'}, "zero"),
    "cut": ({"cut": True}, "estimated"),
}


@pytest.mark.parametrize("case", RETRIED)
async def test_a_passing_failure_is_tried_again_and_each_attempt_is_settled(
    case: str, ask: Ask, backend: OpenAIBackend, purse: RecordingPurse
):
    step, booked = RETRIED[case]
    reply = await backend.complete(ask(step, OK), purse)
    assert reply.text == "four"
    first, second = purse.charges
    assert not purse.open and not second.estimated
    assert first.estimated == (booked == "estimated")
    assert (first.cost == 0) == (booked == "zero")


REFUSED = {
    400: "refused the request",
    401: "check that it is valid",
    402: "topped up",
    403: "check that it is valid",
    404: "does not know",
    422: "refused the request",
}


@pytest.mark.parametrize("code", REFUSED)
async def test_a_refusal_is_not_tried_again_costs_nothing_and_keeps_the_key(
    code: int, ask: Ask, backend: OpenAIBackend, fake: FakeOpenAI, purse: RecordingPurse
):
    asked = ask(status(code, f"bad key {SECRET}\nline"), OK, model={"key": "TEST_KEY"})
    with pytest.raises(BackendError, match=REFUSED[code]) as raised:
        await backend.complete(asked, purse)
    assert len(fake.log(asked.name)) == 1
    assert [charge.cost for charge in purse.charges] == [0] and not purse.charges[0].estimated
    assert SECRET not in str(raised.value) and "\n" not in str(raised.value)
    assert asked.model.url.split("/")[2] in str(raised.value)


@pytest.mark.parametrize(
    "error",
    [
        {"message": "This model's maximum context length is 40960 tokens, but 42018 were asked for."},
        {"message": "x", "code": "context_length_exceeded"},
        {"message": "the request exceeds the available context size", "type": "exceed_context_size_error"},
        {"message": "prompt is too long: 210000 tokens > 200000 maximum"},
    ],
)
async def test_a_prompt_that_the_server_finds_too_long_is_told_apart(
    error: dict[str, str], ask: Ask, backend: OpenAIBackend, purse: RecordingPurse
):
    asked = ask({"status": 400, "body": {"error": error}}, OK)
    with pytest.raises(ContextError, match="the prompt is too long for"):
        await backend.complete(asked, purse)
    assert [charge.cost for charge in purse.charges] == [0]


async def test_a_refusal_that_comes_as_a_list_is_quoted(
    ask: Ask, backend: OpenAIBackend, purse: RecordingPurse
):
    asked = ask({"status": 400, "body": [{"error": {"code": 400, "message": "no such field"}}]})
    with pytest.raises(BackendError, match="no such field"):
        await backend.complete(asked, purse)


async def test_no_more_attempts_are_made_than_allowed(
    ask: Ask, backend: OpenAIBackend, fake: FakeOpenAI, purse: RecordingPurse
):
    asked = ask(*[status(500, "out of memory")] * 5)
    with pytest.raises(BackendError, match="status 500.*out of memory"):
        await backend.complete(asked, purse)
    assert len(fake.log(asked.name)) == len(purse.charges) == 3


@pytest.mark.parametrize(
    ("seconds", "wait", "sent"),
    [(None, "0.02", 2), (None, "31", 1), (0.5, "0.02", 2), (0.5, "5", 1), (None, "later", 2)],
)
async def test_a_retry_waits_neither_too_long_nor_past_the_seconds_left(
    seconds: float | None, wait: str, sent: int, ask: Ask, backend: OpenAIBackend, fake: FakeOpenAI
):
    purse = RecordingPurse(seconds=seconds)
    asked = ask(*[status(429, **{"retry-after": wait})] * 3)
    if sent == 2:
        fake.script(asked.name, status(429, **{"retry-after": wait}), OK)
        assert (await backend.complete(asked, purse)).text == "four"
    else:
        with pytest.raises(BackendError, match="is limiting the calls"):
            await backend.complete(asked, purse)
    assert len(fake.log(asked.name)) == sent


async def test_a_used_up_quota_is_not_tried_again(
    ask: Ask, backend: OpenAIBackend, fake: FakeOpenAI, purse: RecordingPurse
):
    asked = ask({"status": 429, "body": {"error": {"message": "x", "code": "insufficient_quota"}}}, OK)
    with pytest.raises(BackendError, match="quota is used up"):
        await backend.complete(asked, purse)
    assert len(fake.log(asked.name)) == 1


@pytest.mark.parametrize("step", [{"stall": True}, {"pause": 0.2, "message": {"content": "x" * 400}}])
async def test_an_attempt_ends_with_the_seconds_left_and_is_booked_in_full(
    step: dict[str, Any], ask: Ask, backend: OpenAIBackend
):
    purse = RecordingPurse(seconds=0.3)
    with pytest.raises(BackendError, match="no complete reply"):
        await backend.complete(ask(step, OK, on_text=lambda _: None), purse)
    assert [charge.estimated for charge in purse.charges] == [True]


async def test_a_stalled_server_is_given_up_at_the_ceiling_and_tried_again(ask: Ask, purse: RecordingPurse):
    backend = OpenAIBackend(KEYS.get, ceiling=0.2, first_pause=0.01)
    assert (await backend.complete(ask({"stall": True}, OK), purse)).text == "four"
    assert [charge.estimated for charge in purse.charges] == [True, False]
    await backend.close()


async def test_an_unreachable_server_is_named_and_costs_nothing(
    ask: Ask, backend: OpenAIBackend, purse: RecordingPurse
):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    asked = ask(model={"url": f"http://{host}/v1", "key": "TEST_KEY"})
    with pytest.raises(BackendError, match=f"{host} cannot be reached") as raised:
        await backend.complete(asked, purse)
    assert SECRET not in str(raised.value)
    assert [charge.cost for charge in purse.charges] == [0, 0, 0]


BAD = ["", "localhost:8000", "ftp://host/v1", "http://", "http://[::1", "http://a:b/v1", "http://a b/v1"]


@pytest.mark.parametrize("url", [*BAD, f"http://user:{SECRET}@host/v1"])
async def test_a_bad_address_costs_nothing_and_is_told(
    url: str, ask: Ask, backend: OpenAIBackend, purse: RecordingPurse
):
    with pytest.raises(BackendError, match="in the catalogue") as raised:
        await backend.complete(ask(model={"url": url}), purse)
    assert SECRET not in str(raised.value)
    assert all(charge.cost == 0 for charge in purse.charges) and not purse.open


@pytest.mark.parametrize("key", [None, "", "  ", "sk-é", "sk-a\nb"])
async def test_a_missing_or_broken_key_is_told_by_its_name_before_anything_is_reserved(
    key: str | None, ask: Ask, purse: RecordingPurse
):
    backend = OpenAIBackend({"OTHER_KEY": key}.get)
    with pytest.raises(BackendError, match="OTHER_KEY") as raised:
        await backend.complete(ask(model={"key": "OTHER_KEY"}), purse)
    assert not purse.uses and "sk-" not in str(raised.value)


async def test_a_budget_that_is_too_small_at_first_is_a_budget_error_and_later_a_backend_error(
    ask: Ask, backend: OpenAIBackend
):
    with pytest.raises(BudgetError):
        await backend.complete(ask(OK), RecordingPurse(most=0))
    with pytest.raises(BackendError, match="failed at .* leaves no room"):
        await backend.complete(ask(status(500), OK), RecordingPurse(most=1))


@pytest.mark.parametrize("streamed", [False, True])
async def test_cancelling_closes_the_connection_and_settles(
    streamed: bool, ask: Ask, backend: OpenAIBackend, fake: FakeOpenAI, purse: RecordingPurse
):
    asked = ask({"stall": True}, on_text=(lambda _: None) if streamed else None)
    task = asyncio.create_task(backend.complete(asked, purse))
    await until(lambda: fake.log(asked.name))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [charge.estimated for charge in purse.charges] == [True] and not purse.open
    await until(lambda: fake.log(asked.name)[0]["closed"])


async def test_streaming_gives_the_same_reply_and_the_text_in_pieces(
    ask: Ask, backend: OpenAIBackend, fake: FakeOpenAI, purse: RecordingPurse
):
    message = {"content": "the answer is four 四" * 3, "reasoning": "two and two", "tool_calls": [CALL]}
    pieces: list[str] = []
    asked = ask(*[{"message": message}] * 2, on_text=pieces.append)
    streamed = await backend.complete(asked, purse)
    whole = await backend.complete(asked._replace(on_text=None), purse)
    assert streamed == whole and whole.calls[0].arguments == {"model": "search-1"}
    assert "".join(pieces) == message["content"] and len(pieces) > 3
    assert fake.log(asked.name)[0]["body"]["stream_options"] == {"include_usage": True}
    first, second = purse.charges
    assert not first.estimated and first.cost == second.cost


@pytest.mark.parametrize("on_text", [None, lambda _: None], ids=["whole", "streamed"])
async def test_what_a_server_gave_beside_a_call_goes_back_to_it_alone(
    on_text: Any, ask: Ask, backend: OpenAIBackend, fake: FakeOpenAI, purse: RecordingPurse
):
    extra = {"google": {"thought_signature": "c2ln"}}
    odd = {"extra_content": {**extra, "google2": 3, "other": {"n": 1}}}
    message = {"content": None, "reasoning_content": "two and two", "tool_calls": [CALL, {**CALL, **odd}]}
    first = ask({"message": message}, OK, on_text=on_text)
    reply = await backend.complete(first, purse)
    assert reply.returned and reply.returned.extras == ({}, extra)
    results = tuple(ToolResult(call_id=call.id, output="found") for call in reply.calls)
    turn = Turn(offered=(), instruction="", reply=reply, results=results)
    state = first.state._replace(turns=(turn,))
    messages = converse(state, tokens=EstimatedTokens(), room=10**6)
    assert input_bound(first._replace(messages=messages)) > input_bound(first) + len("two and two" + "c2ln")
    await backend.complete(first._replace(messages=messages), purse)
    other = ask(OK, messages=messages)
    await backend.complete(other, purse)
    (mine,), (foreign,) = (
        [each for each in fake.log(name)[-1]["body"]["messages"] if each["role"] == "assistant"]
        for name in (first.name, other.name)
    )
    assert mine["reasoning_content"] == "two and two"
    assert [call.get("extra_content") for call in mine["tool_calls"]] == [None, extra]
    assert "reasoning_content" not in foreign
    assert not [call for call in foreign["tool_calls"] if "extra_content" in call]


STREAMS = {
    "usage left out": ({"message": {"content": "four"}, "usage": None}, [True]),
    "cut": ({"message": {"content": "a text of some length"}, "cut": True}, [True, False]),
    "an error event": ({"message": {"content": "a text"}, "error": {"message": "x"}}, [True, False]),
    "a limit event": ({"message": {"content": ""}, "error": {"message": "x", "code": 429}}, [False, False]),
    "a limit event, after a part of it": (
        {"message": {"content": "a text"}, "error": {"message": "x", "code": 429}},
        [True, False],
    ),
    "an error in a choice": (
        {
            "chunks": [
                {"choices": [{"delta": {"content": "a"}, "finish_reason": "error", "error": {"code": 502}}]}
            ]
        },
        [True, False],
    ),
    "malformed": ({"chunks": ['{"choices": [']}, [True, False]),
    "wrong UTF-8": ({"chunks": ['{"choices": "\xff"}']}, [True, False]),
    "nothing": ({"chunks": []}, [True, False]),
    "no stream at all": ({"raw": '{"choices": [{"message": {"content": "4"}}]}'}, [True, False]),
}


@pytest.mark.parametrize("case", STREAMS)
async def test_a_broken_stream_is_booked_in_full_and_the_next_attempt_comes_whole(
    case: str, ask: Ask, backend: OpenAIBackend, fake: FakeOpenAI, purse: RecordingPurse
):
    step, estimated = STREAMS[case]
    asked = ask(step, OK, on_text=lambda _: None)
    assert (await backend.complete(asked, purse)).text == "four"
    assert [charge.estimated for charge in purse.charges] == estimated
    if estimated == [True, False]:
        assert "stream" not in fake.log(asked.name)[1]["body"]


async def test_an_error_while_showing_text_travels_up_with_the_reservation_settled(
    ask: Ask, backend: OpenAIBackend, purse: RecordingPurse
):
    def broken(_: str) -> None:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        await backend.complete(ask(OK, on_text=broken), purse)
    assert len(purse.charges) == 1 and not purse.open


async def test_ids_of_earlier_turns_are_not_used_again(
    ask: Ask, backend: OpenAIBackend, purse: RecordingPurse
):
    step = {"message": {"content": None, "tool_calls": [CALL]}}
    asked = ask(step, step)
    first = await backend.complete(asked, purse)
    turn = Turn(offered=(), instruction="", reply=first)
    second = await backend.complete(asked._replace(state=asked.state._replace(turns=(turn,))), purse)
    assert first.calls[0].id != second.calls[0].id


async def test_a_reply_is_kept_within_the_models_context(
    ask: Ask, backend: OpenAIBackend, fake: FakeOpenAI, purse: RecordingPurse
):
    long = (Message(role="user", content="word " * 1_000),)
    asked = ask(OK, OK, model={"context": 4_000}, messages=long, max_output=4_000)
    await backend.complete(asked, purse)
    await backend.complete(asked._replace(model=asked.model.model_copy(update={"context": 100})), purse)
    roomy, tight = (each["body"]["max_tokens"] for each in fake.log(asked.name))
    assert 2_000 < roomy < 3_000 and tight == asked.min_output


async def test_many_calls_at_once_share_one_client(ask: Ask, backend: OpenAIBackend, purse: RecordingPurse):
    asked = ask()
    replies = await asyncio.gather(*(backend.complete(asked, purse) for _ in range(64)))
    assert len(replies) == len(purse.charges) == 64


async def test_no_key_is_logged_or_shown(
    ask: Ask, backend: OpenAIBackend, purse: RecordingPurse, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    asked = ask(status(500), status(429), OK, model={"key": "TEST_KEY"}, on_text=lambda _: None)
    await backend.complete(asked, purse)
    assert SECRET not in caplog.text and SECRET not in repr(backend) + repr(vars(backend).get("_keys", ""))
