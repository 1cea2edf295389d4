"""What the owner of an installation decides about labelling, as two files in the data folder."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from orchestra_app.core.errors import StorageError

TEXT, RULES = "guidelines.md", "labelling.json"
LONGEST = 50_000
"""Characters of the longest guidelines."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How traces are served to those who label."""

    twice: float = 0.2
    """Share of the traces that two people are to label, from 0 to 1."""
    anybody: bool = False
    """True where people who are not signed in may label what others consented to share."""


def read_guidelines(home: Path) -> str | None:
    """Return the owner's guidelines as Markdown, or None; raises StorageError."""
    return _read(home / TEXT)


def write_guidelines(home: Path, text: str) -> None:
    """Keep the guidelines; an empty text brings the usual ones back. Raises StorageError."""
    _write(home / TEXT, text)


def read_rules(home: Path) -> Rules:
    """Return the rules, the usual ones where none were set; raises StorageError for a file that is broken."""
    text = _read(home / RULES)
    if text is None:
        return Rules()
    try:
        known = json.loads(text)
        rules = Rules(float(known["twice"]), known["anybody"] is True)
    except (ValueError, TypeError, KeyError):
        raise StorageError(f"{home / RULES} cannot be read; repair or delete it.") from None
    if not 0 <= rules.twice <= 1:
        raise StorageError(f"{home / RULES} has a share outside 0 to 1; repair or delete it.")
    return rules


def write_rules(home: Path, rules: Rules) -> None:
    """Keep the rules; raises StorageError."""
    _write(home / RULES, json.dumps(asdict(rules)))


def _read(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8") or None
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        raise StorageError(f"{file} cannot be read; repair or delete it.") from None


def _write(file: Path, text: str) -> None:
    beside = file.with_suffix(".new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(text, encoding="utf-8")
        beside.replace(file)
    except (OSError, ValueError):
        raise StorageError(f"{file} cannot be written; make its folder writable.") from None
