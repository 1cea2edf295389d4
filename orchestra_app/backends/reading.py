"""Reading what a server sent: any JSON value gives a Reply, whatever its shape."""

import json
import math
import re
from collections.abc import Collection, Iterable
from typing import Any, Literal

from orchestra_app.backends.written import Tools, blocks_in, call_in
from orchestra_app.core.message import Reply, Returned, ToolCall

Named = tuple[str, dict[str, Any] | str]
"""A call's name and its arguments, the raw text where they could not be read."""

THINK = re.compile(r"<(/)?think>", re.IGNORECASE)
WRITTEN_NAME = re.compile(r'"name"\s*:\s*"([^"\\]+)"')
WHOLE = frozenset(
    ("stop", "tool_calls", "tool_call", "function_call", "tool_use", "eos", "eos_token", "end_turn")
    + ("stop_sequence", "complete", "")
)
"""Finish reasons of replies that were not cut, in small letters; a filter or a failure cuts like a limit."""
DEEPEST = 64
"""Levels of arguments that are taken; serialisers give up on deeper ones."""
MOST_CALLS = 64
"""Calls of one reply that are taken."""
BESIDE_ARGUMENTS = frozenset({"name", "id", "type", "index"})


def read_reply(choice: Any, taken: Collection[str] = (), tools: Tools = ()) -> Reply:
    """Return the reply that one entry of `choices` holds.

    Reasoning is taken from `reasoning`, `reasoning_content` or <think> in the content, calls from
    `tool_calls` or from the content, see `blocks_in`. What cannot be read becomes a call with raw text as
    its arguments.
    taken: ids of earlier calls; missing and repeated ids are replaced. tools: the function schemas on offer.
    """
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        return Reply()
    text, thoughts = split_reasoning(_text(message.get("content")) or _text(message.get("refusal")))
    stated = _text(message.get("reasoning")) or _text(message.get("reasoning_content"))
    stated = stated or clean(thought_of(message.get("content")))
    native = message.get("tool_calls")
    if isinstance(native, list) and native:
        found = [_native(call) for call in native]
    else:
        text, blocks = blocks_in(text, tools)
        found = [(None, named) for block in blocks[:MOST_CALLS] for named in _written(block, tools)]
    return Reply(
        text=text.strip(),
        reasoning="\n\n".join(part for part in (stated.strip(), thoughts) if part),
        calls=_numbered(found[:MOST_CALLS], taken),
        finish=_finish(choice.get("finish_reason")),
    )


def returned_with(choice: Any, reply: Reply, model: str) -> Returned | None:
    """Return what a reply's server wants back with the calls in one entry of `choices`, if anything."""
    message = choice.get("message") if isinstance(choice, dict) else None
    native = message.get("tool_calls") if isinstance(message, dict) else None
    if not isinstance(message, dict) or not isinstance(native, list) or not reply.calls:
        return None
    extras = tuple(_extra(call) for call in native[: len(reply.calls)])
    reasoning = bool(_text(message.get("reasoning_content")))
    if not reasoning and not any(extras):
        return None
    return Returned(model=model, reasoning=reasoning, extras=extras if any(extras) else ())


def _extra(call: Any) -> dict[str, dict[str, str]]:
    """Return a call's `extra_content`, texts by vendor and name, without anything of another shape."""
    extra = call.get("extra_content") if isinstance(call, dict) else None
    vendors = extra.items() if isinstance(extra, dict) else ()
    found = {
        clean(vendor): {clean(name): clean(text) for name, text in fields.items() if isinstance(text, str)}
        for vendor, fields in vendors
        if isinstance(fields, dict)
    }
    return {vendor: fields for vendor, fields in found.items() if fields}


def _finish(reason: Any) -> Literal["stop", "length"]:
    return "length" if isinstance(reason, str) and reason.lower() not in WHOLE else "stop"


def split_reasoning(content: str) -> tuple[str, str]:
    """Return the text and the reasoning of a reply that holds its reasoning in <think> tags.

    The closing tag may be missing (the reply was cut), and so may the opening one (the template wrote it).
    An opening tag that follows text and is never closed is part of that text.
    """
    texts: list[str] = []
    thoughts: list[str] = []
    at, opened = 0, None
    for tag in THINK.finditer(content):
        if tag[1]:
            before = "".join([*texts, content[at : tag.start()]])
            thoughts.append(content[opened.end() : tag.start()] if opened else before)
            texts = texts if opened else []
            at, opened = tag.end(), None
        elif opened is None:
            texts.append(content[at : tag.start()])
            at, opened = tag.start(), tag
    if opened and not "".join(texts).strip():
        thoughts.append(content[opened.end() :])
    else:
        texts.append(content[at:])
    return "".join(texts), "\n\n".join(thought.strip() for thought in thoughts if thought.strip())


def clean(text: str) -> str:
    """Return `text` without what neither UTF-8 nor a database can hold: lone surrogates and NUL."""
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def text_of(value: Any) -> str:
    """Return the text of a content field as it came: a string, or a list of parts."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        parts = [each.get("text") for each in value if isinstance(each, dict)]
        return "".join(each for each in parts if isinstance(each, str))
    return ""


def thought_of(content: Any) -> str:
    """Return the reasoning among the parts of a content field, as it came."""
    parts = content if isinstance(content, list) else []
    return "".join(text_of(part.get("thinking")) for part in parts if isinstance(part, dict))


def _text(value: Any) -> str:
    return clean(text_of(value))


def _native(call: Any) -> tuple[Any, Named]:
    """Return the id and the named arguments of one entry of `tool_calls`."""
    if not isinstance(call, dict):
        return None, ("", clean(json.dumps(call)))
    named = _shape(call.get("function"))
    return call.get("id"), named or ("", clean(json.dumps(call)))


def _written(block: str, tools: Tools) -> list[Named]:
    """Return the calls in a block: at least one, which quotes the block if it cannot be read."""
    if (told := _shape(call_in(block, tools))) is not None:
        return [told]
    starts = [at for at in (block.find("{"), block.find("[")) if at >= 0]
    try:
        value = _load(block, min(starts, default=len(block)))
    except ValueError:
        value = None
    shaped = [_shape(each) for each in value] if isinstance(value, list) else [_shape(value)]
    if shaped and None not in shaped:
        return [named for named in shaped if named is not None]
    name = WRITTEN_NAME.search(block)
    return [(clean(name.group(1)) if name else "", block.strip())]


def _shape(value: Any) -> Named | None:
    """Return the name and the arguments that a call's object holds in one of the usual shapes, or None."""
    for _ in range(DEEPEST):
        match value:
            case {"name": str()}:
                break
            case {"name": dict(inner)} | {"function": dict(inner)}:
                value = inner
    match value:
        case {"name": str(name)}:
            given = next((value[key] for key in ("arguments", "parameters") if key in value), None)
            if given is None:
                given = {key: each for key, each in value.items() if key not in BESIDE_ARGUMENTS}
                given.pop("arguments", None)
            return clean(name.strip()), _arguments(given)
        case dict() if len(value) == 1:
            ((name, given),) = value.items()
            return (clean(name), _arguments(given)) if isinstance(given, dict) else None
    return None


def _arguments(given: Any, *, nested: bool = False) -> dict[str, Any] | str:
    """Return a call's arguments as an object, or as raw text."""
    if given is None or given == {}:
        return {}
    text = given if isinstance(given, str) else json.dumps(given)
    if not text.strip():
        return {}
    try:
        value = _load(text)
    except ValueError:
        return clean(text)
    if isinstance(value, str) and not nested:
        return _arguments(value, nested=True)
    if not isinstance(value, dict):
        return clean(text)
    return _cleaned(value) if "\\u" in text or not text.isascii() else value


def _load(text: str, start: int | None = None) -> Any:
    """Return the JSON value of `text`, or of its part from `start`; raises ValueError for one not to keep."""
    try:
        value = STRICT.decode(text) if start is None else STRICT.raw_decode(text, start)[0]
    except RecursionError as error:
        raise ValueError("too deep") from error
    if text.count("{") + text.count("[") > DEEPEST and _deep(value):
        raise ValueError("too deep")
    return value


def _deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        inner = (each.values() if isinstance(each, dict) else each for each in level)
        level = [child for children in inner for child in children if isinstance(child, dict | list)]
        if not level:
            return False
    return True


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("not finite")
    return value


def _refuse(name: str) -> Any:
    raise ValueError(name)


STRICT = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse)


def _cleaned(value: Any) -> Any:
    match value:
        case str():
            return clean(value)
        case dict():
            return {clean(key): _cleaned(each) for key, each in value.items()}
        case list():
            return [_cleaned(each) for each in value]
    return value


def _numbered(found: Iterable[tuple[Any, Named]], taken: Collection[str]) -> tuple[ToolCall, ...]:
    """Return the calls, each with an id of its own."""
    used = set(taken)
    calls = []
    for given, (name, arguments) in found:
        identity = clean(given) if isinstance(given, str) else ""
        number = len(used)
        while not identity or identity in used:
            number += 1
            identity = f"call_{number}"
        used.add(identity)
        calls.append(ToolCall(id=identity, name=name, arguments=arguments))
    return tuple(calls)
