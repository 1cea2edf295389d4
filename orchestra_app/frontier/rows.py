"""What one run adds to a comparison, read off its trace, and the table of settings by questions."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from pydantic import Field

from orchestra_app.core.events import Status
from orchestra_app.core.message import ToolResult
from orchestra_app.core.trace import Trace, alias_of
from orchestra_app.core.value import Value
from orchestra_app.frontier.bootstrap import Samples

ASKED = ("expert", "search")
"""Kinds of charge that say which model a call asked."""


class Row(Value):
    """One run as a comparison needs it."""

    trace_id: str
    setting: str
    question: str
    repeat: int = 0
    status: Status
    correct: bool | None
    """None: nobody can say, so it is left out."""
    undecided: bool = False
    """True where the answer counts as wrong only because it is written otherwise than the right one."""
    cost: float
    """USD."""
    seconds: float
    adherence: float | None = None
    """None: not read."""
    violations: int = 0
    """Calls of what was not on offer."""
    models: dict[str, int] = Field(default_factory=dict)
    """Calls by the model that was asked, or by the tool where no model was."""
    tools: dict[str, int] = Field(default_factory=dict)
    simulated: bool
    """True where no real money was spent, and where a free run belongs to a simulated catalogue."""
    prices: tuple[str, ...] = ()
    """The days on which the prices of its charges were read."""


def row_of(trace: Trace, *, setting: str, question: str, repeat: int = 0, simulated: bool = False) -> Row:
    """Return what a finished trace adds; `simulated`: whether its catalogue is."""
    called: Counter[str] = Counter()
    for _, call, result in trace.calls:
        called[_asked(result) or alias_of(call) or call.name] += 1
    charges = trace.charges
    # Left out, they would leave only right answers where nobody judges the others.
    undecided = trace.task.answer is not None and all(label.call_id for label in trace.labels)
    return Row(
        trace_id=trace.id,
        setting=setting,
        question=question,
        repeat=repeat,
        status=trace.status,
        correct=False if undecided else trace.correct,
        undecided=undecided,
        cost=trace.cost,
        seconds=trace.seconds,
        adherence=trace.adherence,
        violations=trace.violations,
        models=dict(called),
        tools=trace.tool_counts,
        simulated=all(charge.simulated for charge in charges) if charges else simulated,
        prices=tuple(sorted({charge.price.date for charge in charges if charge.price.date})),
    )


def _asked(result: ToolResult) -> str | None:
    return next((charge.who for charge in result.charges if charge.kind in ASKED), None)


class Cell(NamedTuple):
    """The mean of one setting's runs on one question."""

    correct: float
    cost: float
    seconds: float


def table(rows: Iterable[Row], settings: Sequence[str], *, judged: bool = True) -> Samples:
    """Return settings by questions, averaged over repeats; NaN where a setting has no verdict on a question.

    judged: False takes runs without a verdict too and counts every answer as wrong, for their cost alone.
    """
    taken = [row for row in rows if not judged or row.correct is not None]
    cells: dict[tuple[str, str], list[Row]] = {}
    for row in taken:
        cells.setdefault((row.setting, row.question), []).append(row)
    questions = tuple(dict.fromkeys(row.question for row in taken))
    place = {question: index for index, question in enumerate(questions)}
    figures = np.full((3, len(settings), len(questions)), np.nan)
    for line, setting in enumerate(settings):
        for question in questions:
            if runs := cells.get((setting, question)):
                figures[:, line, place[question]] = _mean(runs)
    return Samples(tuple(settings), questions, *figures)


def _mean(runs: Sequence[Row]) -> Cell:
    count = len(runs)
    return Cell(
        sum(run.correct is True for run in runs) / count,
        math.fsum(run.cost for run in runs) / count,
        math.fsum(run.seconds for run in runs) / count,
    )


ORACLE = "oracle"


def oracle(rows: Iterable[Row], settings: Iterable[str]) -> list[Row]:
    """Return the runs of a setting that nobody can run: per question and repeat the cheapest right run.

    Where no setting was right it is the cheapest wrong one. Only questions on which every setting has a
    verdict count, so that more settings on some questions do not make them look easier; of a setting with
    fewer runs than another they count in turn.
    """
    wanted = set(settings)
    by_question: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        if row.setting in wanted and row.correct is not None:
            by_question.setdefault(row.question, {}).setdefault(row.setting, []).append(row)
    return [
        _cheapest_right(runs[repeat % len(runs)] for runs in each.values()).model_copy(
            update={"setting": ORACLE, "repeat": repeat}
        )
        for each in by_question.values()
        if len(each) == len(wanted)
        for repeat in range(max(map(len, each.values())))
    ]


def _cheapest_right(runs: Iterable[Row]) -> Row:
    return min(runs, key=lambda run: (run.correct is not True, run.cost, run.seconds))
