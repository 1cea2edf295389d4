"""Reads what was typed after `orchestra ask`: the question, the sliders, the exclusions and the budget."""

import math
import sys
from collections.abc import Iterable

from orchestra_app.core.catalog import Catalog
from orchestra_app.core.errors import ConfigError
from orchestra_app.core.task import MAX_QUESTION

UNLIMITED = ("none", "unlimited")
MOST_BYTES = 5 * MAX_QUESTION
"""Bytes of standard input that are read: more than the longest question can have."""


def question(text: str) -> str:
    """Return the question as it was typed, or what standard input holds for `-`; raises ConfigError."""
    if text == "-":
        if sys.stdin is None:
            raise ConfigError("Standard input is closed; type the question after `ask`.")
        content = sys.stdin.buffer.read(MOST_BYTES)
        text = content.decode("utf-8", "ignore" if len(content) == MOST_BYTES else "surrogateescape")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ConfigError("The question is no UTF-8 text; save it as UTF-8 and ask again.") from None
    return text


def weights(texts: Iterable[str], catalog: Catalog) -> dict[str, float]:
    """Return the sliders of `--prefer NAME=VALUE`; raises ConfigError for what is not one."""
    known = catalog.sliders
    found: dict[str, float] = {}
    for text in texts:
        name, _, value = text.rpartition("=")
        if name not in known:
            names = ", ".join(known)
            raise ConfigError(f"--prefer {text[:80]!r} is not NAME=VALUE with a NAME of: {names}.")
        found[name] = slider(f"--prefer {name}", value)
    return found


def exclusions(texts: Iterable[str], catalog: Catalog) -> tuple[str, ...]:
    """Return the names of `--exclude`; raises ConfigError for one that the catalogue does not have."""
    vendors = sorted({model.vendor for model in catalog.models.values() if model.vendor})
    aliases = [alias for tool in catalog.tools.values() for alias in tool.choices]
    known = list(dict.fromkeys([*catalog.sliders, *aliases, *(f"vendor:{vendor}" for vendor in vendors)]))
    for text in texts:
        if text not in known:
            raise ConfigError(
                f"--exclude {text[:80]!r} names nothing in the catalogue {catalog.name}; "
                f"choose one of: {', '.join(known)}."
            )
    return tuple(texts)


def slider(option: str, text: str) -> float:
    """Return a slider in [0, 1]; raises ConfigError for anything else."""
    value = _number(text)
    if not 0 <= value <= 1:
        raise ConfigError(f"{option} needs a number from 0 to 1, not {text[:80]!r}.")
    return value


def limit(option: str, text: str, unit: str, *, zero: bool = False) -> float | None:
    """Return a limit in `unit`, or None for `none`; raises ConfigError for anything else.

    zero: whether 0 is a limit.
    """
    if text.strip().lower() in UNLIMITED:
        return None
    value = _number(text)
    if not (0 < value < math.inf or (zero and value == 0)):
        least = "0 or more" if zero else "more than 0"
        raise ConfigError(f"{option} needs {least} {unit}, or `none`, not {text[:80]!r}.")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
