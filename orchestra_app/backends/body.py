"""What is sent: a request as the body of a chat completions call."""

import json
import re
from typing import Any

from orchestra_app.backends.base import Request
from orchestra_app.core.message import Message, ToolCall

RESERVED = frozenset({"max_tokens", "max_completion_tokens", "n", "best_of", "stream", "stream_options"})
"""Fields that `Model.options` cannot set: the reservation or the reading of the reply depends on them."""
NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")
LONGEST_NAME = 64


def body_of(request: Request, max_tokens: int) -> dict[str, Any]:
    """Return the JSON body of a request whose reply is held to `max_tokens`."""
    model = request.model
    body = {key: value for key, value in model.options.items() if key not in RESERVED}
    body["model"] = model.id or request.name
    ids: dict[str, str] = {}
    said = filter(_says_something, request.messages)
    body["messages"] = [message_of(message, ids, request.name) for message in said]
    body["max_completion_tokens" if model.reasoning else "max_tokens"] = max_tokens
    temperature = model.temperature if request.temperature is None else request.temperature
    if temperature is not None:
        body["temperature"] = temperature
    if request.tools:
        body["tools"] = request.tools
    if request.on_text is not None:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    return body


def _says_something(message: Message) -> bool:
    """Tell whether servers take a message: some refuse a whole conversation for an empty reply in it."""
    return message.role != "assistant" or bool(message.calls or message.content.strip())


def message_of(message: Message, ids: dict[str, str], model: str = "") -> dict[str, Any]:
    """Return one message in the API's shape.

    ids: what stands for each id of a call so far in the conversation; new ones are added.
    model: who is asked, and gets back what it gave beside its calls.
    """
    shaped: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.calls:
        shaped["content"] = message.content if message.content.strip() else None
        shaped["tool_calls"] = [call_of(call, _numbered(call.id, ids)) for call in message.calls]
        if (returned := message.returned) and returned.model == model:
            if returned.reasoning:
                shaped["reasoning_content"] = message.reasoning
            for call, extra in zip(shaped["tool_calls"], returned.extras, strict=False):
                call |= {"extra_content": extra} if extra else {}
    if message.call_id is not None:
        shaped["tool_call_id"] = _numbered(message.call_id, ids)
    return shaped


def _numbered(identity: str, ids: dict[str, str]) -> str:
    """Return an id of nine letters and digits, which Mistral wants; Claude's servers refuse dots."""
    return ids.setdefault(identity, f"call{len(ids) + 1:05}")


def call_of(call: ToolCall, identity: str) -> dict[str, Any]:
    """Return one earlier call in the API's shape, under the given id.

    Servers refuse a whole conversation for one bad name or for arguments that are no JSON object, so what the
    policy wrote wrongly is wrapped.
    """
    name = NOT_IN_NAMES.sub("_", call.name)[:LONGEST_NAME] or "unreadable"
    arguments = call.arguments if isinstance(call.arguments, dict) else {"unreadable": call.arguments}
    return {
        "id": identity,
        "type": "function",
        "function": {"name": name, "arguments": json.dumps(arguments)},
    }
