"""Seeded draws of numbers and invented words, of which every split has a share of its own."""

import hashlib
import json
from collections.abc import Sequence
from random import Random
from typing import Literal, TypeVar
from zlib import crc32

Split = Literal["train", "heldout", "reworded"]
SPLITS: tuple[Split, ...] = ("train", "heldout", "reworded")

# Number sums and word checksums modulo 4: no computation and no name can stand in two splits.
_SHARES: dict[Split, tuple[int, ...]] = {"train": (0, 1), "heldout": (2,), "reworded": (3,)}
_CONSONANTS = "bdfgklmnprstvz"
_VOWELS = "aeo"
_ENDS = ("n", "r", "s", "l", "th", "ck", "nd", "rn", "x", "m")

T = TypeVar("T")


class Draw:
    """One seeded stream of draws for one subject of one split; words never repeat within it."""

    def __init__(self, split: Split, subject: str):
        self.split: Split = split
        self.random = Random(f"orchestra rehearsal:{split}:{subject}")
        self._taken: set[str] = set()

    def pick(self, options: Sequence[T]) -> T:
        """Return one of the options."""
        return self.random.choice(options)

    def numbers(self, ranges: Sequence[tuple[int, int]]) -> tuple[int, ...]:
        """Return one number from each range, ends included, that together belong to this split."""
        while True:
            found = tuple(self.random.randint(low, high) for low, high in ranges)
            if sum(found) % 4 in _SHARES[self.split]:
                return found

    def word(self, syllables: int = 2) -> str:
        """Return a new invented word with a capital that belongs to this split."""
        while True:
            found = invented(self.random, syllables)
            if found not in self._taken and crc32(found.encode()) % 4 in _SHARES[self.split]:
                self._taken.add(found)
                return found


def invented(random: Random, syllables: int = 2) -> str:
    """Return an invented word with a capital."""
    stem = "".join(random.choice(_CONSONANTS) + random.choice(_VOWELS) for _ in range(syllables))
    return (stem + random.choice(_ENDS)).capitalize()


def luck(*key: str | int) -> float:
    """Return a number in [0, 1) that depends on `key` alone, in every process alike."""
    digest = hashlib.blake2b(json.dumps(key).encode(), digest_size=7).digest()
    return int.from_bytes(digest, "big") / 2**56
