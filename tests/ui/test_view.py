"""The view of a kept trace: what a long one shows at once and what follows is the whole, nothing else."""

import gradio as gr
import pytest

from orchestra_app.core.trace import Label, Trace
from orchestra_app.ui.texts import TEXTS
from orchestra_app.ui.view import FIRST, View, long, view
from tests.storage.storage_rollouts import START, fold, rollout

EN = TEXTS["en"]


def laid_out() -> View:
    with gr.Blocks():
        return view()


def of(turns: int) -> Trace:
    trace = fold(rollout("long", turns=turns))
    mark = Label(source="human", by=trace.owner, correct=True, call_id="call 0", at=START)
    return trace.model_copy(update={"labels": [mark]})


@pytest.mark.parametrize("turns", [1, FIRST])
async def test_a_short_trace_is_shown_whole_at_once(turns: int):
    shown, trace = laid_out(), of(turns)
    brief, whole = shown.kept_trace(trace, EN, None, brief=True), shown.kept_trace(trace, EN, None)
    assert not long(trace) and brief == whole


async def test_a_run_without_any_turn_has_no_card_for_its_transcript():
    shown, trace = laid_out(), of(1)
    trace.turns = []
    assert shown.kept_trace(trace, EN, None)[shown.transcript]["parts"] == []


async def test_what_a_long_trace_shows_first_and_what_follows_is_the_whole():
    shown, trace = laid_out(), of(FIRST + 3)
    whole = shown.kept_trace(trace, EN, None)
    first, later = shown.kept_trace(trace, EN, None, brief=True), shown.rest(trace, EN, None)
    assert long(trace) and first | later == whole
    # The title and the first turns: what is drawn once need not be drawn again.
    drawn, every = (each[shown.transcript]["parts"] for each in (first, whole))
    assert drawn == every[: FIRST + 1] and len(every) == FIRST + 4
    marks = [each[shown.details.labels]["parts"][-1] for each in (first, later)]
    assert [said.count('aria-pressed="true"') for said in marks] == [0, 1]
    assert [said.count("<li") for said in marks] == [0, FIRST + 3]
