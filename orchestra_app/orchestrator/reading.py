"""Checking a policy's calls: each is valid under what was offered or has a sentence that says why not."""

from orchestra_app.core.message import Offer, ToolCall


def problem_with(call: ToolCall, offered: tuple[Offer, ...]) -> str | None:
    """Return why `call` cannot run, as a sentence for the policy; None where it can."""
    offer = next((each for each in offered if each.name == call.name), None)
    if offer is None:
        if not offered:
            return f"There is no tool {call.name[:80]!r} now, nor any other; reply with the final answer."
        names = ", ".join(each.name for each in offered)
        return f"There is no tool {call.name[:80]!r} now; choose one of: {names}."
    if not isinstance(call.arguments, dict):
        return f"The arguments of {call.name} are not a JSON object."
    if not offer.choices:
        return None
    choices = ", ".join(offer.choices)
    if "model" not in call.arguments:
        return f"{call.name} needs the argument 'model', one of: {choices}."
    alias = call.arguments["model"]
    if not isinstance(alias, str) or alias not in offer.choices:
        return f"{str(alias)[:80]!r} is not on offer for {call.name} now; choose one of: {choices}."
    return None
