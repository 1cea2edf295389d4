"""Putting a streamed reply together from its events."""

import json
from collections.abc import Callable
from typing import Any

from orchestra_app.backends.reading import clean, text_of, thought_of

TEXTS = ("content", "reasoning", "reasoning_content", "refusal")


class Gathered:
    """A reply as it streams in, in the shape of an unstreamed one."""

    def __init__(self, on_text: Callable[[str], None]):
        self._on_text = on_text
        self._texts: dict[str, list[str]] = {name: [] for name in TEXTS}
        self._calls: list[dict[str, Any]] = []
        self._slots: dict[Any, dict[str, Any]] = {}
        self._finish: Any = None
        self._error: Any = None
        self.complete = False
        """True once the server has said that the reply is whole."""
        self.usage: Any = None

    @property
    def begun(self) -> bool:
        """True once a part of the reply has come."""
        return bool(self._calls or any(self._texts.values()))

    @property
    def body(self) -> dict[str, Any]:
        """What has come so far, as the body of an unstreamed reply."""
        message: dict[str, Any] = {name: "".join(pieces) for name, pieces in self._texts.items()}
        message["tool_calls"] = [
            {**call, "function": {**call["function"], "arguments": "".join(call["function"]["arguments"])}}
            for call in self._calls
        ]
        choice = {"message": message, "finish_reason": self._finish, "error": self._error}
        return {"choices": [choice], "usage": self.usage}

    def add(self, event: Any) -> None:
        """Take the next event in; parts of another shape than the API's are passed over."""
        if not isinstance(event, dict):
            return
        if event.get("usage"):
            self.usage = event["usage"]
        choices = event.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict):
            # The event that states only the usage comes last.
            self.complete = self.complete or self.usage is not None
            return
        if choice.get("finish_reason"):
            self._finish, self.complete = choice["finish_reason"], True
        self._error = self._error or choice.get("error")
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            return
        for name in TEXTS:
            if piece := text_of(delta.get(name)):
                self._texts[name].append(piece)
                if name == "content":
                    self._on_text(clean(piece))
        if thought := thought_of(delta.get("content")):
            self._texts["reasoning"].append(thought)
        calls = delta.get("tool_calls")
        for place, piece in enumerate(calls if isinstance(calls, list) else ()):
            if isinstance(piece, dict):
                self._add_call(piece, place)

    def _add_call(self, piece: dict[str, Any], place: int) -> None:
        function = piece.get("function")
        if not isinstance(function, dict):
            function = {}
        slot = self._slot(piece, function, place)
        slot["id"] = slot["id"] or piece.get("id")
        slot["extra_content"] = slot.get("extra_content") or piece.get("extra_content")
        if not slot["function"]["name"]:
            slot["function"]["name"] = function.get("name") or ""
        given = function.get("arguments")
        if isinstance(given, dict | list):
            given = json.dumps(given)
        if isinstance(given, str):
            slot["function"]["arguments"].append(given)

    def _slot(self, piece: dict[str, Any], function: dict[str, Any], place: int) -> dict[str, Any]:
        """Return the call that a piece belongs to, by its index or, where all are numbered alike, its id.

        Without either, a further entry of one event begins a call, and so does a name after whole arguments.
        """
        index, identity = piece.get("index"), piece.get("id")
        if not isinstance(index, int):
            index = None
        slot = self._slots.get(index)
        if identity and slot and slot["id"]:
            begins = identity != slot["id"]
        else:
            begins = bool(function.get("name")) and (
                (index is None and place > 0) or _whole(slot["function"]["arguments"] if slot else [])
            )
        if slot is None or begins:
            slot = {"id": identity, "function": {"name": "", "arguments": []}}
            self._slots[index] = slot
            self._calls.append(slot)
        return slot


def _whole(pieces: list[str]) -> bool:
    """Return whether these are all the arguments of a call: an object that can be read."""
    try:
        return isinstance(json.loads("".join(pieces)), dict)
    except (ValueError, RecursionError):
        return False
