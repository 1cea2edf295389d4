"""The walk through the whole house: each step hands a value to the next, and nobody reaches back."""

from datetime import UTC, datetime

from orchestra_app import Label, Options, Preference, Settings, Trace, Workspace
from orchestra_app.core.events import RolloutFinished, RolloutStarted
from orchestra_app.storage.queries import Filter
from orchestra_app.ui.bill import bill
from orchestra_app.ui.graph import score

QUESTION = "What is 6 * 7?"


async def test_a_typed_question_becomes_a_labelled_trace(home):
    workspace = await Workspace.open(Settings(home=home))
    try:
        preference = Preference(weights={"gpt-5-mini": 0.9})
        task = workspace.task(QUESTION, preference=preference, source="page")
        orchestrator = await workspace.orchestrator()
        steps = [step async for step in workspace.rollout(orchestrator, task, Options(seed=3))]
        events, trace = [event for event, _ in steps], steps[-1][1]
        assert trace.status == "answered" and trace.answer == "42"

        # The trace is the fold of its events, and its row is that trace.
        first, *rest = events
        assert isinstance(first, RolloutStarted) and isinstance(rest[-1], RolloutFinished)
        folded = Trace.start(first)
        for event in rest:
            folded.apply(event)
        assert folded == trace == await workspace.store.get(trace.id)

        # One trace draws the score and the bill, whether it has just run or comes from its row.
        drawn, billed = score(trace), bill(trace)
        assert drawn["status"] == "answered" and drawn["simulated"] and drawn["cost"] == round(trace.cost, 9)
        assert len(drawn["notes"]) >= len(trace.turns) + len([call for _, call, _ in trace.calls])
        assert billed.total == trace.cost <= (task.budget.cost or 0)
        assert {row.who for row in billed.rows} == {charge.who for charge in trace.charges}

        # A person's verdict becomes a label, with which the store gives the trace back.
        label = Label(source="human", correct=True, gold="42", at=datetime.now(UTC))
        await workspace.store.add_label(trace.id, label)
        (listed,) = await workspace.store.list(Filter(verdict="correct"))
        kept = await workspace.store.get(listed.id)
        assert kept is not None and kept.labels == [label] and kept.correct is True
        assert kept.task == task and kept.turns == trace.turns

        # The snapshot that the trace names says what everything cost then.
        catalog = await workspace.store.catalog(kept.catalog.hash)
        assert catalog is not None and catalog == orchestrator.catalog and catalog.hash == kept.catalog.hash
    finally:
        await workspace.aclose()
