"""The view of a kept trace: what is shown at once and what follows are the whole."""

import gradio as gr
import pytest

from orchestra_app.core.trace import Label, Trace
from orchestra_app.ui.texts import TEXTS
from orchestra_app.ui.transcript import transcript
from orchestra_app.ui.view import View, view
from tests.storage.storage_rollouts import START, fold, rollout

EN = TEXTS["en"]


def laid_out() -> View:
    with gr.Blocks():
        return view()


def of(turns: int) -> Trace:
    trace = fold(rollout("long", turns=turns))
    mark = Label(source="human", by=trace.owner, correct=True, call_id="call 0", at=START)
    return trace.model_copy(update={"labels": [mark]})


async def test_a_run_without_any_turn_has_no_card_for_its_transcript():
    shown, trace = laid_out(), of(1)
    trace.turns = []
    assert shown.below(trace, EN, pieces=transcript(trace, None, EN))[shown.transcript]["parts"] == []


@pytest.mark.parametrize("turns", [1, 9])
async def test_what_a_trace_shows_first_and_what_follows_is_the_whole(turns: int):
    shown, trace = laid_out(), of(turns)
    pieces = transcript(trace, None, EN)
    first, later = shown.first_screen(trace, EN, catalog=None), shown.below(trace, EN, pieces=pieces)
    assert [set(first), set(later)] == [set(shown.first), set(shown.rest)]
    assert set(first) | set(later) == set(shown.outputs) == set(shown.first) | {shown.bill, shown.transcript}
    marks = [each[shown.details.labels]["parts"][-1] for each in (first, later)]
    assert [said.count('aria-pressed="true"') for said in marks] == [0, 1]
    assert [said.count("<li") for said in marks] == [0, turns]
