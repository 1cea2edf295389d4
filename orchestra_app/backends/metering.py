"""Reading what a server says that a reply used: figures that can be booked, or None."""

from typing import Any

from orchestra_app.core.usage import Usage

MOST_TOKENS = 10**9
"""Tokens of one reply beyond which a figure is nonsense."""
MOST_COST = 1e6
"""USD of one reply beyond which a figure is nonsense."""


def read_usage(stated: Any, seconds: float, granted: int = 0) -> Usage | None:
    """Return the usage that a server stated; None where its count of prompt or reply is missing or nonsense.

    More output than was granted is passed on: the provider bills it. Reasoning that a server counts beside
    the reply (its total is then larger than prompt and reply) is added to the reply's tokens; where nothing
    else says that there was any, up to the `granted` tokens, which it is held to as well.
    """
    if not isinstance(stated, dict):
        return None
    prompt = _count(stated.get("prompt_tokens"))
    output = _count(stated.get("completion_tokens"))
    if prompt is None or output is None:
        return None
    reasoning = _count(_inner(stated, "completion_tokens_details", "reasoning_tokens")) or 0
    beside = max(0, (_count(stated.get("total_tokens")) or 0) - prompt - output)
    if beside != reasoning:
        beside = min(beside, max(0, granted - output))
    output, reasoning = output + beside, max(reasoning, beside)
    cached = _count(_inner(stated, "prompt_tokens_details", "cached_tokens"))
    if cached is None:
        cached = _count(stated.get("prompt_cache_hit_tokens")) or 0
    return Usage(
        input_tokens=prompt,
        cached_tokens=min(cached, prompt),
        output_tokens=output,
        reasoning_tokens=min(reasoning, output),
        seconds=seconds,
    )


def read_cost(stated: Any) -> float | None:
    """Return the USD that a server stated (OpenRouter, the Hugging Face router), or None.

    Where the account brings its own key, the figure is only the router's fee, so it is left out.
    """
    if not isinstance(stated, dict) or stated.get("is_byok") is True:
        return None
    cost = stated.get("cost")
    if isinstance(cost, bool) or not isinstance(cost, int | float):
        return None
    return float(cost) if 0 <= cost <= MOST_COST else None


def _inner(stated: dict[str, Any], outer: str, name: str) -> Any:
    details = stated.get(outer)
    return details.get(name) if isinstance(details, dict) else None


def _count(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 <= value <= MOST_TOKENS:
        return None
    return int(value)
