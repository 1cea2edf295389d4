"""Finds where the verdicts on a trace and the right answers that were given do not go together."""

from dataclasses import dataclass
from typing import Literal

from orchestra_app.core.trace import Label, Trace
from orchestra_app.scoring.match import matches
from orchestra_app.scoring.verdict import gold_of


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two things said about one trace of which one must be wrong."""

    kind: Literal["equal", "different", "golds"]
    """The answer equals the right one, yet the verdict is incorrect; the verdict is correct, yet comparing
    says otherwise; two right answers differ."""
    gold: str
    other: str = ""
    """The other right answer, or the judge that says otherwise, empty where it was no model."""


def contradictions(trace: Trace) -> list[Contradiction]:
    """Return what a person should look at again; golds that differ only in writing are the same."""
    gold = gold_of(trace)
    if gold is None:
        return []
    whole = sorted((label for label in trace.labels if label.call_id is None), key=lambda label: label.at)
    found = []
    if whole and trace.correct is False and trace.answer and matches(trace.answer, gold):
        found.append(Contradiction("equal", gold))
    if trace.correct is True and (against := _against(whole, gold)):
        found.append(Contradiction("different", gold, against.by if against.source == "judge" else ""))
    known = [trace.task.answer, *(label.gold for label in whole)]
    if other := next((each for each in known if each and each != gold and not matches(each, gold)), None):
        found.append(Contradiction("golds", gold, other))
    return found


def _against(whole: list[Label], gold: str) -> Label | None:
    """Return the latest automatic label that compared with this very gold answer and says incorrect."""
    latest = {label.by: label for label in whole if label.source != "human" and label.gold == gold}
    return next((label for label in latest.values() if label.correct is False), None)
