"""Which calls a reply may make: every tool that is on offer with every one of its aliases."""

from collections.abc import Sequence

from orchestra_app.core.message import Offer, ToolCall


def legal_calls(offered: Sequence[Offer]) -> list[ToolCall] | None:
    """Return every call on offer; None where nothing is, or a tool takes more than the alias of a model."""
    calls = []
    for offer in offered:
        parameters = offer.tool_schema["function"].get("parameters", {})
        if not offer.choices or set(parameters.get("properties", {})) != {"model"}:
            return None
        calls += [ToolCall(id="", name=offer.name, arguments={"model": alias}) for alias in offer.choices]
    return calls or None
