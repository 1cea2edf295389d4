"""Putting a streamed reply together from its events."""

from collections.abc import Callable
from typing import Any

from orchestra_app.backends.reading import clean

TEXTS = ("content", "reasoning", "reasoning_content", "refusal")


class Gathered:
    """A reply as it streams in, in the shape of an unstreamed one."""

    def __init__(self, on_text: Callable[[str], None]):
        self._on_text = on_text
        self._texts: dict[str, list[str]] = {name: [] for name in TEXTS}
        self._calls: list[dict[str, Any]] = []
        self._slots: dict[Any, dict[str, Any]] = {}
        self._finish: Any = None
        self.complete = False
        """True once the server has said that the reply is whole."""
        self.usage: Any = None

    @property
    def body(self) -> dict[str, Any]:
        """What has come so far, as the body of an unstreamed reply."""
        message: dict[str, Any] = {name: "".join(pieces) for name, pieces in self._texts.items()}
        message["tool_calls"] = [
            {**call, "function": {**call["function"], "arguments": "".join(call["function"]["arguments"])}}
            for call in self._calls
        ]
        return {"choices": [{"message": message, "finish_reason": self._finish}], "usage": self.usage}

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
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            return
        for name in TEXTS:
            piece = delta.get(name)
            if isinstance(piece, str) and piece:
                self._texts[name].append(piece)
                if name == "content":
                    self._on_text(clean(piece))
        calls = delta.get("tool_calls")
        for piece in calls if isinstance(calls, list) else ():
            if isinstance(piece, dict):
                self._add_call(piece)

    def _add_call(self, piece: dict[str, Any]) -> None:
        slot = self._slot(piece)
        slot["id"] = slot["id"] or piece.get("id")
        function = piece.get("function")
        if not isinstance(function, dict):
            return
        if not slot["function"]["name"]:
            slot["function"]["name"] = function.get("name") or ""
        if isinstance(function.get("arguments"), str):
            slot["function"]["arguments"].append(function["arguments"])

    def _slot(self, piece: dict[str, Any]) -> dict[str, Any]:
        """Return the call that a piece belongs to, by its index or, where all are numbered alike, its id."""
        index, identity = piece.get("index"), piece.get("id")
        if not isinstance(index, int):
            index = None
        slot = self._slots.get(index)
        if slot is None or (identity and slot["id"] and identity != slot["id"]):
            slot = {"id": identity, "function": {"name": "", "arguments": []}}
            self._slots[index] = slot
            self._calls.append(slot)
        return slot
