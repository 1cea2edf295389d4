"""The automatic verdict on a finished trace: equal in writing, equal as mathematics, or what a judge says."""

from datetime import UTC, datetime

from orchestra_app.core.events import FINISHED
from orchestra_app.core.purse import Purse
from orchestra_app.core.trace import Label, Trace
from orchestra_app.sandbox.base import Sandbox
from orchestra_app.scoring.judge import Judge
from orchestra_app.scoring.match import matches
from orchestra_app.scoring.maths import equal

MATCH = "normalised exact match"
MATHS = "maths equivalence"
NO_ANSWER = "no answer was given"


def gold_of(trace: Trace) -> str | None:
    """Return the right answer as far as it is known: what a person said last, else the task, else a label."""
    known = sorted((label for label in trace.labels if label.gold), key=lambda label: label.at)
    said = [label.gold for label in known if label.source == "human"]
    others = [label.gold for label in known]
    return next((gold for gold in (*said[-1:], trace.task.answer, *others[-1:]) if gold), None)


def exact(trace: Trace) -> Label | None:
    """Return the label of a rehearsal question, whose answers have one writing; None for any other trace."""
    gold = trace.task.answer
    if gold is None or trace.status not in FINISHED or not trace.task.source.startswith("rehearsal:"):
        return None
    if trace.answer is None:
        return _benchmark(False, gold, NO_ANSWER)
    return _benchmark(matches(trace.answer, gold), gold, MATCH)


async def verdict(
    trace: Trace,
    sandbox: Sandbox | None = None,
    *,
    gold: str | None = None,
    judge: Judge | None = None,
    purse: Purse | None = None,
) -> Label | None:
    """Return an automatic label for a finished trace; None where nothing can be said.

    A trace that a person stopped or a dead process left is not judged. Without a judge, an answer that is
    written differently and no number stays open. gold: the right answer, where the trace does not know it.
    judge, purse: go together; raises as `Judge.label` does.
    """
    gold = gold or gold_of(trace)
    if not gold or trace.status not in FINISHED:
        return None
    if not trace.answer:
        return _benchmark(False, gold, NO_ANSWER)
    if matches(trace.answer, gold):
        return _benchmark(True, gold, MATCH)
    same = await equal(trace.answer, gold, sandbox) if sandbox else None
    if same is not None:
        return _benchmark(same, gold, MATHS)
    if judge is None or purse is None:
        return None
    return await judge.label(trace.task, trace.answer, gold, purse)


def judged(trace: Trace, name: str, gold: str | None) -> bool:
    """Return whether a judge has said already how the answer compares with this gold answer."""
    mine = [label for label in trace.labels if label.source == "judge" and label.by == name]
    return any(label.gold == gold and label.correct is not None for label in mine)


def is_new(trace: Trace, label: Label) -> bool:
    """Return whether a label says what no label of the trace says already, whenever and at whatever cost."""
    same = {"at", "charge"}
    return all(label.model_dump(exclude=same) != each.model_dump(exclude=same) for each in trace.labels)


def _benchmark(correct: bool, gold: str, note: str) -> Label:
    return Label(
        source="benchmark", correct=correct, gold=gold, note=note, by="orchestra", at=datetime.now(UTC)
    )
