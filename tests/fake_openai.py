"""A small OpenAI-compatible server for tests, run as `python -m tests.fake_openai` in a process of its own.

It prints its base address and answers `POST /v1/chat/completions`, `GET /v1/models`, `POST /script` and
`GET /log`. A script is a list of steps for one model name, used up in order; without one, a name in SCENARIOS
plays that step for ever and any other name gets a plain reply. Keys of a step: `message`, `finish`, `usage`
(null: none), `delay` (seconds), `status` and `headers` and `body`, `raw` (latin-1 text sent as the body),
`stall` (never answers), `cut` (closes half-way), `pause` (seconds between streamed events), `chunks` (the
stream's own events), `error` (an event in the stream).
A script with `per`, a regular expression, is counted for each first group it finds in the last message.
"""

import asyncio
import contextlib
import json
import re
import subprocess
import sys
from collections import deque
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

CALL = {
    "id": "call_a",
    "type": "function",
    "function": {"name": "search", "arguments": '{"model": "search-1"}'},
}
SCENARIOS: dict[str, dict[str, Any]] = {
    "stall": {"stall": True},
    "cut": {"cut": True},
    "rate-limited": {
        "status": 429,
        "headers": {"retry-after": "1"},
        "body": {"error": {"message": "slow down"}},
    },
    "broken": {"status": 500, "body": {"error": {"message": "out of memory"}}},
    "malformed": {"raw": '{"choices": [{"message": {"content": "4'},
    "wrong-utf8": {"raw": '{"choices": [{"message": {"content": "\xff\xfe"}}]}'},
    "no-usage": {"message": {"content": "four"}, "usage": None},
    "hostile-usage": {
        "message": {"content": "four"},
        "usage": {"prompt_tokens": -1, "completion_tokens": "many"},
    },
    "dear": {
        "message": {"content": "four"},
        "usage": {"prompt_tokens": 100, "completion_tokens": 1_500},
    },
    "reasoning": {"message": {"content": "four", "reasoning": "two and two"}},
    "thinking": {"message": {"content": "<think>two and two</think>\n\nfour"}},
    "tool-call": {"message": {"content": None, "tool_calls": [CALL]}},
    "tool-call-text": {
        "message": {
            "content": '<tool_call>\n{"name": "search", "arguments": {"model": "search-1"}}\n</tool_call>'
        }
    },
}
FIVE_TURNS = "five-turns"
"""A model that calls the tool `look` until there are five results, and then answers."""
LOOK = {"id": "call_l", "type": "function", "function": {"name": "look", "arguments": '{"word": "tower"}'}}
PIECE = 8
"""Characters of one streamed piece of text."""


class Server:
    """What was scripted and what came in."""

    def __init__(self) -> None:
        self.scripts: dict[str, dict[str, Any]] = {}
        self.counts: dict[tuple[str, str], int] = {}
        self.log: deque[dict[str, Any]] = deque(maxlen=2_000)

    def step(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return what to do with a request: the next step of its model's script."""
        model = body.get("model", "")
        if model == FIVE_TURNS:
            called = sum(message["role"] == "tool" for message in body["messages"])
            return {"message": {"content": None, "tool_calls": [LOOK]}} if called < 5 else {}
        script = self.scripts.get(model)
        if script is None:
            return SCENARIOS.get(model, {})
        key = ""
        if script.get("per"):
            found = re.search(script["per"], body["messages"][-1]["content"])
            key = found.group(1) if found else ""
        at = self.counts.get((model, key), 0)
        self.counts[model, key] = at + 1
        steps = script["steps"]
        if script.get("per"):
            return steps[at % len(steps)]
        return steps[at] if at < len(steps) else {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection until it ends."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await self.answer(reader, writer):
                pass
        writer.close()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False where the connection is to be closed."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        method, target, _ = first.split(" ", 2)
        sent = await reader.readexactly(int(headers.get("content-length", 0)))
        address = urlsplit(target)
        match method, address.path:
            case "POST", "/v1/chat/completions":
                return await self.complete(json.loads(sent), headers, reader, writer)
            case "POST", "/script":
                script = json.loads(sent)
                self.scripts[script["model"]] = script
                self.counts = {key: n for key, n in self.counts.items() if key[0] != script["model"]}
                writer.write(http(200, b"{}"))
            case "GET", "/log":
                model = parse_qs(address.query).get("model", [""])[0]
                writer.write(http(200, dumps([each for each in self.log if each["body"]["model"] == model])))
            case "GET", "/v1/models":
                models = [{"id": name, "object": "model"} for name in ("plain", *SCENARIOS)]
                writer.write(http(200, dumps({"object": "list", "data": models})))
            case _:
                writer.write(http(404, dumps({"error": {"message": f"no {target} here"}})))
        return True

    async def complete(
        self, body: dict[str, Any], headers: dict[str, str], reader: Any, writer: asyncio.StreamWriter
    ) -> bool:
        entry = {
            "body": body,
            "authorization": headers.get("authorization"),
            "headers": headers,
            "closed": False,
        }
        self.log.append(entry)
        step = self.step(body)
        if step.get("delay") or step.get("stall"):
            gone = asyncio.ensure_future(reader.read(1))
            await asyncio.wait([gone], timeout=step.get("delay"))
            if gone.done():
                entry["closed"] = True
                return False
            gone.cancel()
        if "raw" in step:
            writer.write(http(step.get("status", 200), step["raw"].encode("latin-1")))
            return True
        if "status" in step or "body" in step:
            content = dumps(step.get("body", {}))
            writer.write(http(step.get("status", 200), content, step.get("headers", {})))
            return True
        if body.get("stream"):
            return await stream(step, body, writer)
        content = dumps(completion(step, body))
        if step.get("cut"):
            writer.write(http(200, content)[: -len(content) // 2])
            return False
        writer.write(http(200, content))
        return True


def completion(step: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """Return the whole reply of a step."""
    message = {"role": "assistant", "content": "ok", **step.get("message", {})}
    finish = step.get("finish", "tool_calls" if message.get("tool_calls") else "stop")
    reply = {
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "created": 0,
        "model": body.get("model"),
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
    }
    usage = step.get("usage", {"prompt_tokens": 20, "completion_tokens": 4, "total_tokens": 24})
    return reply if usage is None else {**reply, "usage": usage}


async def stream(step: dict[str, Any], body: dict[str, Any], writer: asyncio.StreamWriter) -> bool:
    """Send the reply of a step as server-sent events, half of them where it is to be cut."""
    whole = completion(step, body)
    choice = whole["choices"][0]
    events = step.get("chunks")
    if events is None:
        events = [
            {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
            for delta in deltas(choice["message"])
        ]
        events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]})
        if "usage" in whole and body.get("stream_options", {}).get("include_usage"):
            events.append({"choices": [], "usage": whole["usage"]})
    if step.get("error"):
        events = [*events[: len(events) // 2], {"error": step["error"]}]
    elif step.get("cut"):
        events = events[: len(events) // 2]
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    for event in events:
        writer.write(chunk(b"data: " + (event.encode("latin-1") if isinstance(event, str) else dumps(event))))
        await writer.drain()
        await asyncio.sleep(step.get("pause", 0))
    if step.get("cut"):
        return False
    writer.write(chunk(b"data: [DONE]") + b"0\r\n\r\n")
    return True


def deltas(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the pieces that a message streams in."""
    found: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    for field in ("reasoning", "reasoning_content", "content"):
        text = message.get(field) or ""
        found.extend({field: text[at : at + PIECE]} for at in range(0, len(text), PIECE))
    for index, call in enumerate(message.get("tool_calls") or []):
        function = call["function"]
        opening = {**call, "index": index, "function": {"name": function["name"], "arguments": ""}}
        found.append({"tool_calls": [opening]})
        text = function["arguments"]
        for at in range(0, len(text), PIECE):
            piece = {"index": index, "function": {"arguments": text[at : at + PIECE]}}
            found.append({"tool_calls": [piece]})
    return found


def dumps(value: Any) -> bytes:
    return json.dumps(value).encode()


def chunk(event: bytes) -> bytes:
    return b"%x\r\n%s\n\n\r\n" % (len(event) + 2, event)


def http(status: int, content: bytes, headers: dict[str, str] | None = None) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    start = f"HTTP/1.1 {status} Fake\r\ncontent-type: application/json\r\n{lines}"
    return f"{start}content-length: {len(content)}\r\n\r\n".encode() + content


class FakeOpenAI:
    """The server's process, as tests and benchmarks use it."""

    def __enter__(self) -> Self:
        command = [sys.executable, __file__]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.url = self.process.stdout.readline().strip()
        return self

    def __exit__(self, *_: object) -> None:
        with self.process:
            self.process.kill()

    def script(self, model: str, *steps: dict[str, Any], per: str | None = None) -> str:
        """Set what `model` answers next, and return its name."""
        self._ask("/script", {"model": model, "steps": steps, "per": per})
        return model

    def log(self, model: str) -> list[dict[str, Any]]:
        """Return the requests that asked for `model`: body, authorization, headers and closed."""
        return self._ask(f"/log?model={model}")

    def _ask(self, path: str, body: Any = None) -> Any:
        sent = None if body is None else dumps(body)
        with urlopen(Request(self.url.removesuffix("/v1") + path, data=sent), timeout=10) as reply:
            return json.loads(reply.read())


async def main() -> None:
    """Serve on a free loopback port until standard input ends."""
    server = await asyncio.start_server(Server().serve, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
