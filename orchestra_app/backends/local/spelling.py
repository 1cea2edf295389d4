"""How messages and calls are given to a chat template, and whether calls as it writes them can be read."""

from collections.abc import Callable
from typing import Any

from orchestra_app.backends.reading import read_reply
from orchestra_app.core.errors import ConfigError
from orchestra_app.core.message import Message, ToolCall

Render = Callable[..., str]
"""`LocalModel.render`."""
CALL_ID = "call00000"
"""Some templates want an id of nine letters or digits."""
ASKED = Message(role="user", content="?")
PROBE = ToolCall(id=CALL_ID, name="look_up", arguments={"model": "finder-1"})
PROBED: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": PROBE.name,
        "description": "Finds it.",
        "parameters": {
            "type": "object",
            "properties": {"model": {"type": "string", "enum": ["finder-1"]}},
            "required": ["model"],
        },
    },
}


def spelt(render: Render, call: ToolCall, *, name: str, end: str) -> str:
    """Return the reply that makes one call, without its end; raises ConfigError.

    name: what sentences call the model. end: the text that ends a turn.
    """
    before, whole = render([ASKED], reply=True), render([ASKED, _making(call)])
    if not whole.startswith(before):
        raise ConfigError(
            f"The chat template of {name} does not spell replies as it prompts for them, so its replies "
            "cannot be held to the calls on offer: set constrained = false in its options."
        )
    text = whole[len(before) :].rstrip().removesuffix(end)
    if call.name not in text:
        raise ConfigError(_without(name, "write calls"))
    return text


def unreadable(render: Render, *, name: str, end: str) -> str | None:
    """Return why a free reply of the model would not be understood as a call, as a sentence; None: it would.

    Raises ConfigError where the template refuses a call.
    """
    if PROBE.name not in render([ASKED], [PROBED], reply=True):
        return _without(name, "show tools to the model")
    whole = render([ASKED, _making(PROBE)])
    # A prompt may open the thoughts, which a finished reply then lacks.
    starts = (render([ASKED], reply=True), render([ASKED]), "")
    before = next(each for each in starts if whole.startswith(each))
    text = whole[len(before) :].rstrip().removesuffix(end)
    if PROBE.name not in text:
        return _without(name, "write calls")
    reply = read_reply({"message": {"content": text}}, tools=[PROBED])
    if [(call.name, call.arguments) for call in reply.calls] == [(PROBE.name, PROBE.arguments)]:
        return None
    return (
        f"{name} writes calls in a form that is not read here: set constrained = true in its options (held "
        "in a training job), serve it with vLLM, or choose another model."
    )


def _without(name: str, what: str) -> str:
    return (
        f"The chat template of {name} does not {what}, so it cannot conduct: choose a model whose template "
        "takes tools, or put such a chat_template.jinja into its folder."
    )


def _making(call: ToolCall) -> Message:
    return Message(role="assistant", content="", calls=(call.model_copy(update={"id": CALL_ID}),))


def shaped(message: Message) -> dict[str, Any]:
    """Return a message as chat templates read it: arguments are objects, and no content is empty text."""
    found: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.calls:
        found["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.calls
        ]
    if message.call_id is not None:
        found["tool_call_id"] = message.call_id
    return found
