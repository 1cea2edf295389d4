"""Finds the line of a TOML text on which a key stands."""

import tomllib
from collections.abc import Iterator, Sequence
from typing import Any

LONGEST = 500
"""Lines of the longest statement that is followed; behind a longer one nothing is searched."""


def line_of(text: str, location: Sequence[object]) -> int:
    """Return the number of the line where the key at `location` stands, or its nearest parent that is there.

    text: valid TOML. location: the keys from the top downwards, such as ("models", "gpt-5", "price").
    """
    # TOML counts a Windows line end as one, yet refuses half of it.
    text = text.replace("\r\n", "\n")
    table: list[str] = []
    deepest, line = 0, 1
    for number, first, tree in _statements(text):
        if first.startswith("["):
            table, tree = _only_path(tree), {}
        for part in reversed(table):
            tree = {part: tree}
        depth = _depth(tree, location)
        if depth > deepest:
            deepest, line = depth, number
    return line


def _statements(text: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Yield each table header and each `key = value`: its first line's number and text, and its content."""
    lines = text.split("\n")
    start = 0
    while start < len(lines):
        end, tree = _statement(lines, start)
        if tree is None:
            return
        if tree:
            yield start + 1, lines[start].strip(), tree
        start = end


def _statement(lines: list[str], start: int) -> tuple[int, dict[str, Any] | None]:
    """Return the shortest run of lines from `start` that is TOML by itself, as its end and its content."""
    for end in range(start + 1, min(start + LONGEST, len(lines)) + 1):
        last = lines[end - 1]
        if end > start + 1 and not any(mark in last for mark in ('"""', "'''", "]", "}")):
            continue
        try:
            return end, tomllib.loads("\n".join(lines[start:end]))
        except tomllib.TOMLDecodeError:
            continue
    return start, None


def _only_path(tree: Any) -> list[str]:
    path = []
    while tree:
        key, tree = next(iter(tree.items()))
        path.append(key)
        if isinstance(tree, list):
            tree = tree[0]
    return path


def _depth(tree: Any, location: Sequence[object]) -> int:
    for depth, part in enumerate(location):
        if not isinstance(tree, dict) or part not in tree:
            return depth
        tree = tree[part]
    return len(location)
