"""Reads ToolOrchestra's `tools.json`: functions whose only argument is an alias, described in prose."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestra_app.catalogs.files import read_text
from orchestra_app.core.catalog import ToolKind
from orchestra_app.core.errors import ConfigError

MOST_BYTES = 1_048_576
KINDS: dict[str, ToolKind] = {"search": "search", "enhance_reasoning": "reason", "answer": "answer"}
"""The kind of tool that each function stands for, of those that are read."""


@dataclass(frozen=True, slots=True)
class Row:
    """What a description says of one alias; None where it says nothing."""

    ability: str = ""
    input: float | None = None
    """USD per million prompt tokens."""
    output: float | None = None
    """USD per million reply tokens."""
    latency: float | None = None
    """Seconds."""


@dataclass(frozen=True, slots=True)
class Function:
    """One function, with its aliases in the order in which they are listed; none if it is not read."""

    name: str
    description: str
    rows: dict[str, Row]


def read_functions(path: Path) -> list[Function]:
    """Return the functions of a tools.json; raises ConfigError that says where what was expected."""
    tools = read_json(path, "a tools.json")
    if not isinstance(tools, list) or not tools:
        raise ConfigError(f'{path} is not a tools.json: it should be a list of {{"type": "function", ...}}.')
    return [_function(path, place, tool) for place, tool in enumerate(tools, 1)]


def read_mapping(path: Path) -> dict[str, str]:
    """Return the model ids by alias that a JSON file holds; raises ConfigError."""
    mapping = read_json(path, "a mapping of aliases")
    if isinstance(mapping, dict) and all(isinstance(value, str) and value for value in mapping.values()):
        return mapping
    raise ConfigError(f'{path} is not a mapping of aliases; it looks like {{"answer-1": "gpt-5"}}.')


def read_json(path: Path, what: str) -> Any:
    """Return what a JSON file holds; raises ConfigError with line and column."""
    try:
        return json.loads(read_text(path, MOST_BYTES, what))
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ConfigError(f"{path}, {place}: this is not JSON: {error.msg}.") from None
    except (RecursionError, ValueError):
        raise ConfigError(f"{path} has a number that is too long or brackets nested too deeply.") from None


def _function(path: Path, place: int, tool: Any) -> Function:
    try:
        function = tool["function"]
        name = function["name"]
        if isinstance(name, str) and name not in KINDS:
            return Function(name, "", {})
        text = function["parameters"]["properties"]["model"]["description"]
        description = function.get("description", "")
    except (KeyError, TypeError, AttributeError):
        name = text = description = None
    if not (isinstance(name, str) and isinstance(text, str) and isinstance(description, str)):
        raise ConfigError(
            f"{path}: entry {place} is not as expected; it should have function.name and "
            "function.parameters.properties.model.description, both text."
        )
    listed = re.search(r"Choices:\s*\[([^\]]*)\]", text)
    aliases = re.findall(r"""['"]([^'"]+)['"]""", listed[1]) if listed else []
    if listed is None or not aliases:
        raise ConfigError(
            f"{path}: the model of {name} lists no aliases; expected `Choices: ['{name}-1', ...]`."
        )
    return Function(name, description.strip(), _rows(aliases, text[listed.end() :]))


_SENTENCE_START = r"(?:^[\s.:;]*|(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.)\s+|\n\s*(?:[-*•]\s*)?)"


def _rows(aliases: list[str], text: str) -> dict[str, Row]:
    """Read a row per alias from `alias-1 does this. alias-2 does that. Model | ... alias-1 | $1 | $2 | 3s`"""
    prose = re.split(r"The table below|Model\s*\|", text)[0]
    either = "|".join(re.escape(alias) for alias in sorted(aliases, key=len, reverse=True))
    # Inside a sentence an alias is only mentioned: `alias-2 is close to alias-1 but cheaper`.
    parts = re.split(rf"{_SENTENCE_START}({either})(?![\w-])[:\s]+", prose)
    told: dict[str, str] = {}
    for alias, part in zip(parts[1::2], parts[2::2], strict=True):
        told[alias] = f"{told.get(alias, '')} {part.strip()}".strip()
    return {alias: _row(alias, told.get(alias, ""), text) for alias in dict.fromkeys(aliases)}


def _row(alias: str, ability: str, text: str) -> Row:
    number = r"\s*\|\s*\$*\s*(\d{1,9}(?:\.\d+)?|\.\d+)"
    found = re.search(rf"(?<![\w-]){re.escape(alias)}{number}{number}(?:{number}\s*(ms|min|s)?)?", text)
    if found is None:
        return Row(ability)
    latency = float(found[3]) * {"ms": 0.001, "min": 60.0}.get(found[4], 1.0) if found[3] else None
    return Row(ability, float(found[1]), float(found[2]), latency)
