"""The automatic verdict: the cheapest comparison that decides, and none where nothing can be said."""

import pytest

from orchestra_app.backends.scripted import Scripted
from orchestra_app.core.catalog import Model
from orchestra_app.core.message import Execution
from orchestra_app.scoring.judge import Judge
from orchestra_app.scoring.verdict import exact, gold_of, verdict
from tests.backends.conftest import PRICE, RecordingPurse, catalog
from tests.scoring.scored_traces import label, made


class Says:
    """A sandbox whose every program prints the same."""

    rung, reason = "landlock", ""

    def __init__(self, said: str):
        self.said = said

    async def run(self, code: str, *, seconds: float = 10.0) -> Execution:
        return Execution(code=code, stdout=self.said, status=0)

    async def aclose(self) -> None: ...


async def judged(
    answer: str | None, gold: str | None, *, said: str = "null", reply: str | None = None, **fields
):
    trace = made(correct="unlabelled", answer=answer, gold=gold, **fields)
    asked = Judge("gpt-5", Model(price=PRICE), Scripted([reply]), catalog()) if reply else None
    return await verdict(trace, Says(said), judge=asked, purse=RecordingPurse())


@pytest.mark.parametrize(
    ("answer", "gold", "said", "correct", "note"),
    [
        ("42.", "42", "false", True, "normalised exact match"),
        ("2^3+34", "42", "true", True, "maths equivalence"),
        ("43", "42", "false", False, "maths equivalence"),
        (None, "42", "true", False, "no answer was given"),
    ],
)
async def test_the_first_comparison_that_decides_is_free_and_names_itself(answer, gold, said, correct, note):
    label = await judged(answer, gold, said=said, reply='{"correct": "no"}')
    assert label is not None and (label.correct, label.note, label.source) == (correct, note, "benchmark")
    assert label.gold == gold and label.charge is None


async def test_what_comparing_leaves_open_is_for_the_judge():
    label = await judged("Ludwig", "Beethoven", reply='{"correct": "yes"}')
    assert label is not None and (label.source, label.correct) == ("judge", True) and label.charge
    assert await judged("Ludwig", "Beethoven") is None


@pytest.mark.parametrize(
    "fields",
    [{"gold": None}, {"gold": ""}, {"status": "stopped"}, {"status": "interrupted"}, {"status": "running"}],
)
async def test_without_a_gold_answer_or_an_end_of_its_own_a_trace_is_not_judged(fields):
    assert await judged("42", **({"gold": "42"} | fields), reply='{"correct": "yes"}') is None


def test_the_gold_answer_is_what_a_person_said_last_else_the_tasks_else_a_labels():
    said = [label(True, gold="a", minute=1), label(False, gold="b", minute=5), label(None, minute=9)]
    benchmark = label(True, gold="c", source="benchmark", by="orchestra", minute=7)
    assert gold_of(made(labels=[*said, benchmark], gold="task")) == "b"
    assert gold_of(made(labels=[benchmark], gold="task")) == "task"
    assert gold_of(made(labels=[benchmark])) == "c" and gold_of(made()) is None


@pytest.mark.parametrize(
    ("fields", "correct", "note"),
    [
        ({"answer": "42."}, True, "normalised exact match"),
        ({"answer": None, "status": "exhausted"}, False, "no answer was given"),
        ({"answer": None, "status": "stopped"}, None, ""),
        ({"answer": None, "status": "interrupted"}, None, ""),
    ],
)
def test_a_rehearsal_question_is_judged_where_the_run_came_to_an_end_of_its_own(fields, correct, note):
    trace = made(correct="unlabelled", gold="42", **fields)
    task = trace.task.model_copy(update={"source": "rehearsal:train"})
    found = exact(trace.model_copy(update={"task": task}))
    assert (found.correct if found else None, found.note if found else "") == (correct, note)
