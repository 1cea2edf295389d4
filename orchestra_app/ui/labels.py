"""What a person says about a trace, as labels: a verdict with its details, and marks on single calls."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from orchestra_app.core.errors import ConfigError
from orchestra_app.core.message import ToolCall
from orchestra_app.core.trace import Label, Trace
from orchestra_app.scoring.verdict import MATCH, MATHS, NO_ANSWER

MAX_GOLD = 20_000
MAX_NOTE = 4_000
BIGGEST = 1e300
"""Size of the largest number that is taken for a right answer."""
VERDICTS: Mapping[str, bool | None] = {"correct": True, "incorrect": False, "unsure": None}
MARKS: Mapping[str, bool | None] = {"useful": True, "wasteful": None, "wrong": False}
"""What a mark on a call stands for in its label's `correct`."""
Texts = Mapping[str, str]
_COMPARED = {MATCH: "labels_how_match", MATHS: "labels_how_maths", NO_ANSWER: "labels_how_none"}


@dataclass(frozen=True, slots=True)
class Details:
    """What the page sent beside a verdict, of any kind whatever."""

    gold: Any = None
    rating: Any = None
    note: Any = None

    def fields(self, texts: Texts) -> dict[str, Any]:
        """Return the label's fields that were filled in; raises ConfigError for one that cannot be kept."""
        gold, note = _typed(self.gold, texts), self.note.strip() if isinstance(self.note, str) else ""
        if len(gold) > MAX_GOLD:
            raise ConfigError(texts["long_gold"].format(limit=f"{MAX_GOLD:,}"))
        if len(note) > MAX_NOTE:
            raise ConfigError(texts["labels_long_note"].format(limit=f"{MAX_NOTE:,}"))
        given = {"gold": gold, "note": note, "rating": self.rating}
        if self.rating not in (None, "") and self.rating not in (1, 2, 3, 4, 5):
            raise ConfigError(texts["labels_bad_rating"])
        return {name: value for name, value in given.items() if value}


def _typed(gold: Any, texts: Texts) -> str:
    """Return a right answer as text, which a program may send as a number; raises ConfigError."""
    if isinstance(gold, str):
        return gold.strip()
    if gold is None:
        return ""
    if isinstance(gold, int | float) and not isinstance(gold, bool) and abs(gold) <= BIGGEST:
        return str(gold)
    raise ConfigError(texts["labels_bad_gold"])


def whole(owner: str, verdict: Any, details: Details, texts: Texts) -> Label:
    """Return a verdict on a whole trace; raises ConfigError."""
    if not isinstance(verdict, str) or verdict not in VERDICTS:
        raise ConfigError(texts["labels_bad_verdict"].format(known=", ".join(VERDICTS)))
    return made(texts, correct=VERDICTS[verdict], by=owner, **details.fields(texts))


def made(texts: Texts, **fields: Any) -> Label:
    """Return a person's label of now; raises ConfigError for text that cannot be stored."""
    try:
        return Label(source="human", at=datetime.now(UTC), **fields)
    except ValidationError:
        raise ConfigError(texts["odd_question"]) from None


def latest(labels: Mapping[int, Label], owner: str, call_id: str | None = None) -> tuple[int, Label] | None:
    """Return a person's latest label on the whole trace or on one call, with its id; None without one."""
    mine = [
        (label.at, number, label)
        for number, label in labels.items()
        if label.source == "human" and label.by == owner and label.call_id == call_id
    ]
    _, number, label = max(mine, default=(None, 0, None), key=lambda each: each[:2])
    return (number, label) if label else None


def standing(trace: Trace) -> list[Label]:
    """Return the labels on the whole trace that nobody has replaced: the latest of each source and person."""
    whole = sorted((label for label in trace.labels if label.call_id is None), key=lambda label: label.at)
    return list({(label.source, label.by): label for label in whole}.values())


def calls(trace: Trace) -> list[tuple[int, ToolCall]]:
    """Return every call of a trace with the number of its turn, from 1; marks name their place in it."""
    return [(number, call) for number, turn in enumerate(trace.turns, 1) for call in turn.reply.calls]


def note_of(label: Label, texts: Texts) -> str:
    """Return a label's note in the reader's language where the comparison wrote it."""
    key = _COMPARED.get(label.note or "") if label.source == "benchmark" else None
    return texts[key] if key else label.note or ""


def mark_of(label: Label) -> str:
    """Return the name of what a label on a call stands for."""
    return next(name for name, value in MARKS.items() if value is label.correct)
