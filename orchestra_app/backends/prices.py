"""What a call may cost: the price of a model and the worst case of a request."""

import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from orchestra_app.backends.base import Request
from orchestra_app.core.catalog import Model
from orchestra_app.core.purse import Use
from orchestra_app.core.text import BYTES_PER_TOKEN
from orchestra_app.core.usage import Price, Usage

QUARTER = 900
"""Seconds for which a looked-up price is kept: some providers' prices change with the time of day."""


def price_of(name: str, model: Model) -> Price | None:
    """Return the price of a model: the catalogue's, else what genai-prices lists for its server, else None.

    A price is looked up by server, never by name alone: the same model costs nothing where it is self-hosted.
    """
    if model.price is not None:
        return model.price
    return _listed(model.id or name, model.url, model.context, int(time.time() // QUARTER))


def use_of(request: Request, input_tokens: int, *, simulated: bool = False) -> Use:
    """Return the worst case of a request, its reply held within the model's context.

    input_tokens: an upper bound of the prompt's tokens. It is usually far above the real figure, so the room
    that is left in the context is judged by an ordinary text's tokens.
    """
    likely = input_tokens if request.model.tokenizer else input_tokens // BYTES_PER_TOKEN
    room = max(request.model.context - likely, request.min_output)
    most = min(request.max_output, room)
    return Use(
        who=request.name,
        kind=request.kind,
        price=price_of(request.name, request.model),
        most=Usage(input_tokens=input_tokens, output_tokens=most),
        least=Usage(input_tokens=input_tokens, output_tokens=min(request.min_output, most)),
        simulated=simulated,
    )


@lru_cache(maxsize=256)
def _listed(model: str, url: str, context: int, quarter: int) -> Price | None:
    # Half a megabyte of tables, not needed where the catalogue names its prices.
    import genai_prices
    from genai_prices.data_snapshot import get_snapshot

    name, _, provider = model.partition(":") if _is_router(url) else (model, "", "")
    try:
        _, listed = get_snapshot().find_provider_model(
            name, None, f"huggingface_{provider}" if provider else None, None if provider else url
        )
    except LookupError:
        return None
    rates = listed.get_prices(datetime.fromtimestamp(quarter * QUARTER, UTC))
    if rates.input_mtok is None or rates.output_mtok is None:
        return None
    cached = rates.cache_read_mtok
    return Price(
        input=_rate(rates.input_mtok, context),
        cached=None if cached is None else _rate(cached, context),
        output=_rate(rates.output_mtok, context),
        source=f"genai-prices {genai_prices.__version__}",
    )


def _is_router(url: str) -> bool:
    """Return whether a model's id ends in the provider that the Hugging Face router is to use."""
    return urlsplit(url).hostname == "router.huggingface.co"


def _rate(rate: Any, context: int) -> float:
    """Return USD per million tokens: of the dearest tier that a prompt within `context` can reach."""
    tiers = getattr(rate, "tiers", ())
    reached = [tier.price for tier in tiers if tier.start < context]
    return float(max([getattr(rate, "base", rate), *reached]))
