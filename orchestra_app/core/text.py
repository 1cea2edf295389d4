"""Counting and cutting text in tokens, with or without the model's own tokenizer."""

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


class EstimatedTokens:
    """Counts three UTF-8 bytes as one token: more than common tokenizers count on ordinary text."""

    def count(self, text: str) -> int:
        return -(-byte_length(text) // BYTES_PER_TOKEN)

    def tail(self, text: str, limit: int) -> str:
        room = limit * BYTES_PER_TOKEN
        if limit <= 0:
            return ""
        if byte_length(text) <= room:
            return text
        return text.encode()[-room:].decode(errors="ignore")


def byte_length(text: str) -> int:
    """Return the UTF-8 bytes of `text`: an upper bound of its tokens in any byte-level vocabulary."""
    return len(text) if text.isascii() else len(text.encode())
