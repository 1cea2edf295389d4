"""Verdicts with their details, marks on calls and automatic verdicts, as the page keeps them."""

from collections.abc import AsyncIterator

import pytest
from markupsafe import Markup

from orchestra_app.core.errors import ConfigError, OrchestraError
from orchestra_app.core.task import Budget
from orchestra_app.core.trace import Trace
from orchestra_app.orchestrator.loop import Options
from orchestra_app.scoring.verdict import MATCH, MATHS, NO_ANSWER
from orchestra_app.ui import judging, labelling
from orchestra_app.ui.asking import Desk, find, judge, take_back
from orchestra_app.ui.labels import MARKS, Details, note_of
from orchestra_app.ui.labels_view import said, who
from orchestra_app.ui.outcome import outcome
from orchestra_app.ui.texts import TEXTS
from orchestra_app.ui.visitor import Door, Visitor
from orchestra_app.workspace import Workspace
from tests.cli.fake_catalog import write_catalog
from tests.fake_openai import FakeOpenAI
from tests.scoring.scored_traces import label, made

ANN, EVE = Visitor("visitor:ann", False, "en"), Visitor("visitor:eve", False, "en")
NASTY = "<script>x</script> ${x}"


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    workspace = await Workspace.open()
    yield Desk(workspace, Door(local=True))
    await workspace.aclose()


async def asked(desk: Desk, question: str = "What is 6 * 7?", *, cost: float | None = 0.1) -> Trace:
    orchestrator = await desk.workspace.orchestrator("rehearsal")
    task = desk.workspace.task(question, "rehearsal", budget=Budget(cost=cost))
    rollout = desk.workspace.rollout(orchestrator, task, Options(owner=ANN.owner))
    return [trace async for _, trace in rollout][-1]


async def test_marks_toggle_replace_each_other_and_leave_the_verdict_alone(desk: Desk):
    trace = await asked(desk)
    await judge(desk, ANN, trace.id, "correct", Details())
    made_id = None
    for name in (*MARKS, "useful"):
        made_id = await labelling.mark(desk, ANN, trace.id, name, "0")
        marked = [each for each in (await find(desk, ANN, trace.id)).labels if each.call_id]
        assert marked[-1].correct is MARKS[name] and len(marked) <= 2
        assert (await find(desk, ANN, trace.id)).correct is True
    assert made_id is not None
    assert await labelling.mark(desk, ANN, trace.id, "useful", "0") is None
    assert not [each for each in (await find(desk, ANN, trace.id)).labels if each.call_id]


@pytest.mark.parametrize(("gold", "kept"), [(5, "5"), (0, "0"), (4.5, "4.5"), (" 42 ", "42"), (None, None)])
async def test_a_right_answer_may_be_a_number(desk: Desk, gold: object, kept: str | None):
    trace = await asked(desk)
    await judge(desk, ANN, trace.id, "unsure", Details(gold=gold))
    assert (await find(desk, ANN, trace.id)).labels[-1].gold == kept


@pytest.mark.parametrize("gold", [["42"], {}, True, float("nan"), pytest.param(10**400, id="huge")])
async def test_a_right_answer_that_is_neither_text_nor_a_number_is_refused(desk: Desk, gold: object):
    trace = await asked(desk)
    with pytest.raises(ConfigError, match="as text or as a number"):
        await judge(desk, ANN, trace.id, "unsure", Details(gold=gold))
    with pytest.raises(ConfigError, match="correct, incorrect, unsure"):
        await judge(desk, ANN, trace.id, "right", Details())
    assert (await find(desk, ANN, trace.id)).labels == trace.labels


async def test_a_mark_that_replaced_another_gives_its_place_back_when_it_is_taken_back(desk: Desk):
    trace = await asked(desk)
    await labelling.mark(desk, ANN, trace.id, "useful", "0")
    replaced = await labelling.mark(desk, ANN, trace.id, "wrong", "0")
    assert await take_back(desk, ANN, trace.id, replaced)
    marked = [each for each in (await find(desk, ANN, trace.id)).labels if each.call_id]
    assert [each.correct for each in marked] == [MARKS["useful"]]


async def test_a_run_without_an_answer_is_never_correct_and_says_that_there_is_nothing_to_judge(desk: Desk):
    trace = await asked(desk, "What is 6 * 7?", cost=0.0)
    assert trace.answer is None
    with pytest.raises(ConfigError, match="no answer that could be correct"):
        await judge(desk, ANN, trace.id, "correct", Details())
    for attempt in (labelling.check(desk, ANN, trace.id), judging.quotes(desk, ANN, trace.id)):
        with pytest.raises(ConfigError, match="There is no answer to judge"):
            await attempt
    await judge(desk, ANN, trace.id, "incorrect", Details())
    assert (await find(desk, ANN, trace.id)).correct is False
    for each in (trace, await asked(desk)):
        assert ("data-answered" in outcome(each, TEXTS["en"])) is (each.answer is not None)


async def test_details_are_added_to_the_verdict_and_taken_back(desk: Desk):
    trace = await asked(desk)
    with pytest.raises(ConfigError, match="Say first"):
        await labelling.amend(desk, ANN, trace.id, Details(rating=4))
    await judge(desk, ANN, trace.id, "incorrect", Details(note="first"))
    added = await labelling.amend(desk, ANN, trace.id, Details(rating=4, gold="42"))
    latest = (await find(desk, ANN, trace.id)).labels[-1]
    assert (latest.correct, latest.rating, latest.gold, latest.note) == (False, 4, "42", "first")
    assert await take_back(desk, ANN, trace.id, added)
    assert (await find(desk, ANN, trace.id)).labels[-1].rating is None


@pytest.mark.parametrize("details", [Details(rating=6), Details(rating="x"), Details(note="x" * 4_001)])
async def test_what_a_label_does_not_take_is_refused_and_nothing_kept(desk: Desk, details: Details):
    trace = await asked(desk)
    with pytest.raises(ConfigError):
        await judge(desk, ANN, trace.id, "correct", details)
    assert not [each for each in (await find(desk, ANN, trace.id)).labels if each.source == "human"]


async def test_nobody_marks_amends_compares_or_judges_a_trace_of_others(desk: Desk):
    trace = await asked(desk)
    label_id = await judge(desk, ANN, trace.id, "correct", Details(gold="42"))
    for attempt in (
        labelling.mark(desk, EVE, trace.id, "useful", "0"),
        labelling.amend(desk, EVE, trace.id, Details(rating=1)),
        labelling.check(desk, EVE, trace.id),
        judging.quotes(desk, EVE, trace.id),
        judging.ask(desk, EVE, trace.id, "live/gpt-5"),
        take_back(desk, EVE, trace.id, label_id),
    ):
        with pytest.raises(ConfigError, match="There is no trace"):
            await attempt
    for name, place in (("useful", "99"), ("useful", "-1"), ("best", "0"), ("useful", "")):
        with pytest.raises(ConfigError, match="no such call"):
            await labelling.mark(desk, ANN, trace.id, name, place)


async def test_an_answer_is_compared_for_nothing_and_said_only_once(desk: Desk):
    trace = await asked(desk)
    with pytest.raises(ConfigError, match="No right answer is known"):
        await labelling.check(desk, ANN, trace.id)
    await judge(desk, ANN, trace.id, "correct", Details(gold="42"))
    for _ in range(2):
        assert (await labelling.check(desk, ANN, trace.id)).source == "benchmark"
    assert [each.source for each in (await find(desk, ANN, trace.id)).labels] == ["human", "benchmark"]


async def test_without_a_model_the_judge_is_refused_in_a_sentence(desk: Desk):
    trace = await asked(desk)
    await judge(desk, ANN, trace.id, "correct", Details(gold="42"))
    with pytest.raises(
        ConfigError, match=r"No model can judge now\. \S+ needs an API key: set OPENAI_API_KEY"
    ):
        await judging.quotes(desk, ANN, trace.id)


async def test_a_judge_costs_no_more_than_it_said_and_is_asked_once(desk: Desk, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-of-the-judge")
    trace = await asked(desk)
    await judge(desk, ANN, trace.id, "incorrect", Details(gold="42"))
    with FakeOpenAI() as server:
        said = '{"extracted_answer": "42", "reasoning": "Same.", "correct": "yes", "confidence": 90}'
        server.script("judge", {"message": {"content": said}})
        desk.workspace.add_catalog(write_catalog(tmp_path, server.url, "judge"))
        quote = next(
            each for each in await judging.quotes(desk, ANN, trace.id) if each.judge.name == "expert"
        )
        label = await judging.ask(desk, ANN, trace.id, quote.id)
        assert label.source == "judge" and label.correct is True and label.charge
        assert 0 < label.charge.cost <= quote.most
        with pytest.raises(OrchestraError, match="already"):
            await judging.ask(desk, ANN, trace.id, quote.id)
    # a person stands over the judge
    assert (await find(desk, ANN, trace.id)).correct is False
    assert not desk.judging


def test_names_are_told_only_as_far_as_privacy_allows():
    texts = TEXTS["en"]
    for by, owner, shown in (
        ("visitor:ann", "visitor:ann", "you"),
        ("hf:bob", "visitor:ann", "someone"),
        ("hf:bob", "local", "bob"),
        ("visitor:1", "local", "someone"),
    ):
        assert who(label(True, by=by), owner, texts) == shown


def test_what_the_comparison_notes_is_read_in_the_readers_language_and_a_persons_note_as_it_was_written():
    for note in (MATCH, MATHS, NO_ANSWER):
        compared = label(True, source="benchmark", note=note)
        assert note_of(compared, TEXTS["en"]) == note != note_of(compared, TEXTS["zh"])
        assert note_of(label(True, note=note), TEXTS["zh"]) == note


@pytest.mark.parametrize("language", TEXTS)
def test_everything_said_is_shown_as_text(language: str):
    labels = [label(True, by="local", gold=NASTY, note=NASTY, rating=5), label(None, call_id="0", by="local")]
    trace = made(labels=labels, owner="local", calls=(NASTY,))
    shown = "".join(str(each) for each in said(trace, TEXTS[language]) if each)
    assert "<script>" not in shown and "&lt;script&gt;" in shown
    assert 'aria-pressed="true"' in shown and "★ 5" in Markup(shown).striptags()
