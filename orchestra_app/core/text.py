"""Counting and cutting text in tokens, with or without the model's own tokenizer."""

from bisect import bisect_left
from typing import Protocol


class TokenCounter(Protocol):
    """Counts and cuts text as one model's tokenizer would."""

    def count(self, text: str) -> int:
        """Return the number of tokens of `text`."""
        ...

    def tail(self, text: str, limit: int) -> str:
        """Return the longest end of `text` of at most `limit` tokens, characters kept whole."""
        ...


BYTES_PER_TOKEN = 3
"""Bytes that an ordinary token of English, code or Chinese text has at least, on average."""
_DIGITS = b"0123456789"


class EstimatedTokens:
    """Counts a digit or three other UTF-8 bytes as one token: more than common tokenizers on ordinary text.

    Qwen's tokenizers, Orchestrator-8B's among them, spell every number digit by digit.
    """

    def count(self, text: str) -> int:
        return _estimated(text.encode())

    def tail(self, text: str, limit: int) -> str:
        data = text.encode()
        if _estimated(data) <= limit:
            return text
        start = bisect_left(range(len(data)), -limit, key=lambda index: -_estimated(data[index:]))
        return data[start:].decode(errors="ignore")


def _estimated(data: bytes) -> int:
    others = len(data.translate(None, _DIGITS))
    return len(data) - others - (-others // BYTES_PER_TOKEN)


def byte_length(text: str) -> int:
    """Return the UTF-8 bytes of `text`: an upper bound of its tokens in any byte-level vocabulary."""
    return len(text) if text.isascii() else len(text.encode())
