"""The walk through the whole house: each step hands a value to the next, and nobody reaches back."""

from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from orchestra_app import Label, Options, Preference, Settings, Task, Trace, Workspace
from orchestra_app.backends.local import LocalBackend, LocalModel
from orchestra_app.core.catalog import Model
from orchestra_app.core.events import RolloutFinished, RolloutStarted
from orchestra_app.core.usage import Price
from orchestra_app.orchestrator.policy import Policy
from orchestra_app.rehearsal.questions import questions
from orchestra_app.scoring.reward import advantages, rewards
from orchestra_app.storage.queries import Filter
from orchestra_app.training.checkpoint import read_card
from orchestra_app.training.definition import Definition
from orchestra_app.training.gather import harvest
from orchestra_app.training.progress import Finished
from orchestra_app.training.samples import samples
from orchestra_app.training.train import train
from orchestra_app.ui.bill import bill
from orchestra_app.ui.graph import score
from tests.training.tiny_policy import write_tiny

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


async def test_labelled_traces_become_a_checkpoint_that_answers_the_next_question(home, tmp_path):
    workspace = await Workspace.open(Settings(home=home))
    try:
        # The small policy answers one question several times; nobody has said yet what is right.
        local = LocalModel.load(str(write_tiny(tmp_path / "base")))
        policy = _policy(local, "before")
        orchestrator = await workspace.conduct(policy, workspace.catalog())
        hard = next(question for question in questions("train") if question.kind == "specialist")
        traces = []
        for seed in range(8):
            task = Task(id="walk", question=hard.text, source="page")
            options = Options(seed=seed, group="walk/1")
            traces.append([step async for step in workspace.rollout(orchestrator, task, options)][-1][1])

        # A person's verdicts become labels, with which the store gives the group back.
        for trace in traces:
            right = trace.answer == hard.gold
            label = Label(source="human", correct=right, gold=hard.gold, at=datetime.now(UTC))
            await workspace.store.add_label(trace.id, label)
            trace.labels.append(label)
        job = Definition(base=str(tmp_path / "base"), mode="traces", steps=2, spread=0.0)
        found = await harvest(workspace.store, job, workspace.catalog())
        (group,) = found.groups
        assert list(group.traces) == traces and group.name == "walk/1"
        earned = rewards(traces)
        assert (group.rewards == earned).all() and np.allclose(group.advantages, advantages(earned))

        # Each free turn is a sample in the very tokens that were said; steps on them leave a checkpoint.
        learned, _ = samples([group], local, job, found.catalogs)
        said = {trace.id: [turn.reply.tokens for turn in trace.turns] for trace in traces}
        for sample in learned:
            tokens = said[sample.trace][sample.turn]
            assert tokens is not None and sample.completion == tokens.completion_ids
        async with aclosing(train(workspace, job, tmp_path / "job")) as progress:
            ended = [event async for event in progress][-1]
        assert isinstance(ended, Finished) and ended.status == "done" and ended.checkpoint

        # The checkpoint is a policy like any other, and answers the next question.
        after = LocalModel.load(ended.checkpoint)
        assert read_card(Path(ended.checkpoint)).lineage.learned.human == len(traces)
        orchestrator = await workspace.conduct(_policy(after, "after"), workspace.catalog())
        task = workspace.task("What is 7 * 8?")
        *_, (_, answer) = [step async for step in workspace.rollout(orchestrator, task, Options(seed=1))]
        assert answer.status == "answered" and answer.policy == "after"
        assert answer.turns[0].reply.tokens is not None
    finally:
        await workspace.aclose()


def _policy(local: LocalModel, name: str) -> Policy:
    model = Model(backend="local", price=Price(source="this computer"), context=2_048)
    backend = LocalBackend(lambda: local)
    return Policy(name, name, backend, model, max_output=64, min_output=8, temperature=1.0, latency=1.0)
