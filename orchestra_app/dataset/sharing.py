"""What must not leave with a trace: keys and passwords always, and people's names where it is shared."""

from collections.abc import Callable
from typing import Any

from orchestra_app.config import redact
from orchestra_app.core.trace import Trace

NOBODY = "local"
"""The owner on one's own machine, which names no one."""


class Pseudonyms:
    """Gives each person of one export a number, in the order in which they appear.

    reader: who keeps their name, since it is they who read it.
    """

    def __init__(self, reader: str | None = None):
        self._names: dict[str, str] = {NOBODY: NOBODY} | ({reader: reader} if reader else {})

    def of(self, person: str) -> str:
        """Return what stands in the files for a person."""
        return self._names.setdefault(person, f"person-{len(self._names)}")

    def applied(self, trace: Trace) -> Trace:
        """Return the trace with its owner and the people who labelled it under their pseudonyms."""
        labels = [
            label.model_copy(update={"by": self.of(label.by)}) if label.source == "human" else label
            for label in trace.labels
        ]
        return trace.model_copy(update={"owner": self.of(trace.owner), "labels": labels})


def without_secrets(row: Any, clean: Callable[[str], str] = redact) -> Any:
    """Return JSON values with every known secret in their texts and keys replaced."""
    # Looking for secrets reads the environment, so it is done once for all texts of a row.
    texts = "\n".join(_texts(row))
    return row if clean(texts) == texts else _cleaned(row, clean)


def _texts(value: Any) -> list[str]:
    found, open_values = [], [value]
    while open_values:
        match open_values.pop():
            case str() as text:
                found.append(text)
            case dict() as fields:
                found.extend(fields)
                open_values.extend(fields.values())
            case list() as items:
                open_values.extend(items)
    return found


def _cleaned(value: Any, clean: Callable[[str], str]) -> Any:
    match value:
        case str():
            return clean(value)
        case dict():
            return {clean(name): _cleaned(each, clean) for name, each in value.items()}
        case list():
            return [_cleaned(each, clean) for each in value]
    return value
