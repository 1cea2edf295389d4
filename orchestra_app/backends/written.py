"""Calls that a model writes into its text, in the forms that the usual chat templates teach."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

BLOCK = re.compile(r"<tool_call>(.*?)(?:</tool_call>|(?=<tool_call>)|\Z)", re.DOTALL)
MARKED = re.compile(
    r"\[TOOL_CALLS\]\s*((?:\[\s*\{|\{|[\w.-]+(?:\[CALL_ID\]\w*)?\[ARGS\]).*?)(?=\[TOOL_CALLS\]|\Z)", re.DOTALL
)
"""Mistral: a list, or a name and its arguments, behind a token of its own."""
NAMED = re.compile(r"([\w.-]+)(?:\[CALL_ID\]\w*)?\[ARGS\](.*)", re.DOTALL)
FUNCTION = re.compile(r"<function=([^<>\n]+)>(.*)</function>", re.DOTALL)
PARAMETER = re.compile(r"<parameter=([^<>\n]+)>\n?(.*?)\n?(?:</parameter>|(?=<parameter=)|\Z)\s*", re.DOTALL)
PAIRS = re.compile(r"([^\s<{\[]+)\s*(<arg_key>.*)", re.DOTALL)
PAIR = re.compile(
    r"<arg_key>([^<]*)</arg_key>\s*<arg_value>(.*?)(?:</arg_value>|(?=<arg_key>))\s*", re.DOTALL
)
BEGUN = re.compile(r"<function=([^<>\n]+)>")
PYTHON = "<|python_tag|>"
"""What Llama may write before a call."""

Tools = Sequence[Mapping[str, Any]]
"""Function schemas on offer."""


def blocks_in(text: str, tools: Tools) -> tuple[str, list[str]]:
    """Return a reply's text without the calls in it, and what each of these is written as.

    JSON without any mark is a call only where it is the whole reply and names a tool on offer.
    """
    if "<tool_call>" in text:
        return BLOCK.sub("", text), BLOCK.findall(text)
    if "[TOOL_CALLS]" in text:
        return MARKED.sub("", text), MARKED.findall(text)
    whole = text.strip().removeprefix(PYTHON).strip()
    return ("", [whole]) if tools and whole[:1] in ("{", "[") and _bare(whole, tools) else (text, [])


def call_in(block: str, tools: Tools) -> dict[str, Any] | None:
    """Return the call of a block that is no JSON, in the shape of one that is; None: it is in no known form.

    Where its arguments cannot be read, they are the block itself.
    """
    text = block.strip()
    if found := NAMED.fullmatch(text):
        return {"name": found[1], "arguments": found[2]}
    if found := FUNCTION.match(text):
        return _call(found[1], _arguments(PARAMETER, found[2]), tools, text)
    if found := PAIRS.fullmatch(text):
        return _call(found[1], _arguments(PAIR, found[2]), tools, text)
    begun = BEGUN.match(text)
    return {"name": begun[1], "arguments": text} if begun else None


def _bare(text: str, tools: Tools) -> bool:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    names = {tool["function"]["name"] for tool in tools}
    calls = value if isinstance(value, list) else [value]
    return bool(calls) and all(
        isinstance(call, dict)
        and isinstance(call.get("name"), str)
        and call["name"] in names
        and isinstance(call.get("arguments", call.get("parameters")), dict)
        for call in calls
    )


def _arguments(pattern: re.Pattern[str], text: str) -> dict[str, str] | None:
    """Return the keys and values of a call's body; None where it holds anything else."""
    return None if pattern.sub("", text).strip() else dict(pattern.findall(text))


def _call(name: str, arguments: dict[str, str] | None, tools: Tools, text: str) -> dict[str, Any]:
    if arguments is None:
        return {"name": name, "arguments": text}
    functions = (tool["function"] for tool in tools if tool["function"]["name"] == name)
    known = next(functions, {}).get("parameters", {}).get("properties", {})
    return {"name": name, "arguments": {key: _value(each, known.get(key)) for key, each in arguments.items()}}


def _value(text: str, schema: Any) -> Any:
    """Return a value that stands bare between its tags: text, unless its schema says that it is JSON."""
    if not isinstance(schema, dict) or schema.get("type") == "string":
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
