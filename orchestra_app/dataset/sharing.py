"""What must not leave with a trace: keys and passwords always, and people's names where it is shared."""

from collections.abc import Callable
from functools import cache
from typing import Any

from orchestra_app.config import redact
from orchestra_app.core.trace import Trace
from orchestra_app.core.vote import Vote
from orchestra_app.dataset.rows import Row, row_schema

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


def without_secrets(row: Row, clean: Callable[[str], str] = redact) -> Row:
    """Return a row with every known secret in its texts and keys replaced, but for the fields' own names."""
    # Looking for secrets reads the environment, so it is done once for all texts of a row.
    texts = "\n".join(_texts(row))
    return row if clean(texts) == texts else _cleaned(row, clean, _schema())


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


def _cleaned(value: Any, clean: Callable[[str], str], schema: Row) -> Any:
    """Return `value` cleaned, but for the names and the choices of text that its schema fixes."""
    schema = _of(value, schema)
    match value:
        case str():
            return value if schema.keys() & {"enum", "const"} else clean(value)
        case dict():
            fixed = schema.get("properties", {})
            return {
                name if name in fixed else clean(name): _cleaned(each, clean, fixed.get(name, {}))
                for name, each in value.items()
            }
        case list():
            return [_cleaned(each, clean, schema.get("items", {})) for each in value]
    return value


def _of(value: Any, schema: Row) -> Row:
    """Return the schema that counts for `value`: what a reference means, and of several that of its type."""
    if "$ref" in schema:
        return _schema()["$defs"][schema["$ref"].rpartition("/")[2]]
    found = (_of(value, each) for each in schema.get("anyOf", ()))
    return next((each for each in found if each.get("type") == _TYPES.get(type(value))), schema)


_TYPES = {str: "string", dict: "object", list: "array"}


@cache
def _schema() -> Row:
    """Return the schema of every row of a file, whose names do not contradict each other."""
    rows = row_schema()
    others = Vote.model_json_schema()["properties"] | {"hash": {}, "name": {}}
    return rows | {"properties": others | rows["properties"]}
