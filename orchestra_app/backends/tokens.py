"""Counting prompts with a model's own tokenizer, where the catalogue names one."""

import asyncio
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from orchestra_app.backends.base import Request, input_bound
from orchestra_app.backends.local.places import tokenizer_file
from orchestra_app.core.catalog import Model
from orchestra_app.core.errors import BackendError, ConfigError
from orchestra_app.core.text import EstimatedTokens, TokenCounter

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class ExactTokens:
    """Counts and cuts text with the tokenizer of one `tokenizer.json`."""

    def __init__(self, tokenizer: "Tokenizer"):
        self._tokenizer = tokenizer

    def count(self, text: str) -> int:
        return len(self._tokenizer.encode(text, add_special_tokens=False))

    def tail(self, text: str, limit: int) -> str:
        if limit <= 0:
            return ""
        offsets = self._tokenizer.encode(text, add_special_tokens=False).offsets
        # The rest alone may be split otherwise than inside the whole text, so it is counted again.
        while len(offsets) > limit:
            start = offsets[-limit][0]
            if start < offsets[-limit - 1][1]:
                start = offsets[-limit][1]
            text = text[max(start, 1) :]
            offsets = self._tokenizer.encode(text, add_special_tokens=False).offsets
        return text


def counter(model: Model) -> TokenCounter:
    """Return how to count and cut text for `model`: exactly with its tokenizer, else by estimate.

    Raises ConfigError where its `tokenizer.json` cannot be read.
    """
    path = tokenizer_file(model)
    return EstimatedTokens() if path is None else _load(path)


async def prompt_tokens(request: Request) -> int:
    """Return an upper bound of the prompt's tokens, close where the model's tokenizer is here.

    Raises BackendError where its `tokenizer.json` cannot be read, since a run is under way by then.
    """
    if request.model.tokenizer is None:
        return input_bound(request)
    try:
        exact = counter(request.model)
    except ConfigError as error:
        raise BackendError(str(error)) from error
    return await asyncio.to_thread(input_bound, request, exact.count)


@lru_cache(maxsize=16)
def _load(path: str) -> ExactTokens:
    try:
        tokenizer = _parsed(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no tokenizer.json"
        raise ConfigError(
            f"The tokenizer {path} cannot be read ({reason}); name another file in the catalogue."
        ) from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    # Some servers read the control tokens that a text spells out as text, which takes more tokens.
    tokenizer.encode_special_tokens = True
    return ExactTokens(tokenizer)


def _parsed(text: str) -> "Tokenizer":
    """Return the tokenizer that a text describes; raises ValueError where it is none."""
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_str(text)
    except BaseException as error:
        # The library raises nothing more special than an Exception.
        if type(error) is not Exception:
            raise
        raise ValueError(str(error)) from error
