import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from orchestra_app.core.errors import ConfigError, ToolError
from orchestra_app.tools.search import Refused
from orchestra_app.tools.tavily import TavilySearch

KEY = "tvly-a-planted-key"
RESULT = {"title": "Velm", "url": "https://velm.example/tower", "content": " 48 metres. ", "score": 0.9}


@asynccontextmanager
async def serving(body: bytes, *, status: int = 200, pause: float = 0) -> AsyncIterator[tuple[str, list]]:
    """Yield the address of a server that gives one reply to everything, and the requests it got."""
    asked: list[tuple[str, dict]] = []
    over, replies = asyncio.Event(), set()

    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        replies.add(asyncio.current_task())
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(
            int(row.split(":")[1]) for row in head.split("\r\n") if row.lower().startswith("content-l")
        )
        asked.append((head, json.loads(await reader.readexactly(length))))
        if pause:
            await asyncio.wait_for(over.wait(), pause)
        header = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
        writer.write(f"{header}Content-Type: application/json\r\n\r\n".encode() + body)
        writer.close()
        await asyncio.wait([asyncio.ensure_future(writer.wait_closed())])

    server = await asyncio.start_server(reply, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked
        over.set()
        await asyncio.gather(*replies, return_exceptions=True)


async def ask(url: str, *, seconds: float | None = None, top: int = 2):
    web = TavilySearch("web", KEY, url=url)
    try:
        return await web.search("tower of Velm", top, seconds=seconds)
    finally:
        await web.aclose()


async def test_results_become_documents_with_their_address():
    results = [
        RESULT,
        {"content": "", "title": "empty"},
        {"content": None},
        "junk",
        RESULT,
        RESULT,
    ]
    async with serving(json.dumps({"results": results}).encode()) as (url, asked):
        documents = await ask(url)
    head, body = asked[0]
    assert (body["query"], body["max_results"]) == ("tower of Velm", 2)
    assert f"Bearer {KEY}" in head
    assert [document.model_dump() for document in documents] == [
        {"text": "48 metres.", "title": "Velm", "source": "web", "url": "https://velm.example/tower"}
    ] * 2


async def test_no_text_comes_in_that_utf_8_or_a_database_refuses():
    hostile = {"title": "a\0", "url": "b\ud800", "content": "c\udfff\0"}
    async with serving(json.dumps({"results": [hostile]}).encode()) as (url, _):
        (document,) = await ask(url)
    text = document.title + document.url + document.text
    assert text.encode() and "\0" not in text


@pytest.mark.parametrize(
    ("status", "body", "error", "said"),
    [
        (401, {"detail": {"error": f"bad key {KEY}"}}, Refused, "does not accept the API key"),
        (429, {"detail": {"error": "slow down"}}, Refused, "limit for this key"),
        (432, {"detail": {"error": "plan"}}, Refused, "limit for this key"),
        (400, {"detail": {"error": "query"}}, Refused, "word it differently"),
        (500, {"detail": {"error": KEY}}, ToolError, "status 500"),
        (302, {}, ToolError, "status 302"),
        (429, "plain", Refused, "limit for this key"),
        (401, [KEY], Refused, "does not accept the API key"),
        (200, [], ToolError, "cannot be read"),
        (200, {"results": None}, ToolError, "cannot be read"),
        (200, {"results": "x"}, ToolError, "cannot be read"),
        (200, b"\xff\xfe not json", ToolError, "cannot be read"),
        (200, b"", ToolError, "cannot be read"),
    ],
)
async def test_bad_replies_become_sentences_without_the_key(status, body, error, said):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with serving(content, status=status) as (url, _):
        with pytest.raises(ToolError, match=said) as raised:
            await ask(url)
    assert type(raised.value) is error
    assert KEY not in str(raised.value)


async def test_a_slow_reply_is_given_up_in_time():
    async with serving(b"{}", pause=5) as (url, _):
        with pytest.raises(ToolError, match="no reply within") as raised:
            await ask(url, seconds=0.05)
    assert not isinstance(raised.value, Refused)


async def test_an_unreachable_server_is_told_and_owed_nothing():
    async with serving(b"{}") as (url, _):
        pass
    with pytest.raises(Refused, match="cannot be reached"):
        await ask(url)


def test_no_key_is_told_before_anything_starts():
    with pytest.raises(ConfigError, match="TAVILY_API_KEY"):
        TavilySearch("web", "")


def test_the_key_is_not_in_the_repr():
    web = TavilySearch("web", KEY)
    assert KEY not in repr(web) + repr(vars(web))
    asyncio.run(web.aclose())
