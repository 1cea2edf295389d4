"""Samples: who is learned from, what is left out and counted, and whose advantage a turn carries."""

import numpy as np
import pytest

from orchestra_app import Workspace
from orchestra_app.backends.local import LocalModel
from orchestra_app.catalogs import load_catalog
from orchestra_app.core.events import CatalogRef
from orchestra_app.core.task import Task
from orchestra_app.core.trace import Label
from orchestra_app.training.definition import Definition, TraceChoice
from orchestra_app.training.rollouts import paid
from orchestra_app.training.samples import learnable, samples
from tests.training.made_traces import NOW, trace, turn

JOB = Definition()
OTHER = CatalogRef(name="rehearsal", hash="other")


@pytest.fixture(scope="module")
def local(base) -> LocalModel:
    return LocalModel.load(str(base))


@pytest.mark.parametrize(
    ("members", "left_out"),
    [
        ([trace("a", True), trace("b", True)], "no_spread"),
        ([trace("a", True)], "too_small"),
        ([trace("a", True), trace("b", False), trace("c", None)], "unsure"),
        ([trace("a", True), trace("b", False), trace("c", True, status="stopped")], "unfinished"),
        ([trace("a", True), trace("b", False, catalog=OTHER)], "mixed_catalogs"),
        ([trace("a", True, catalog=OTHER), trace("b", False, catalog=OTHER)], "other_catalog"),
        (
            [
                trace("a", True),
                trace("b", False),
                trace("c", False, answer="42", task=Task(id="q", question="?", answer="42")),
            ],
            "contradictory",
        ),
        (
            [trace("a", True), trace("b", False), trace("c", True, answer="B"), trace("d", False)],
            "contradictory",
        ),
    ],
)
def test_each_filter_of_groups_and_traces_is_counted(members, left_out):
    _, tally = learnable({"g": members}, JOB, ["h"])
    assert getattr(tally, left_out) >= 1
    assert tally.groups == 1 and tally.traces == len(members)


def test_only_the_verdicts_of_chosen_sources_count():
    human = Label(source="human", correct=False, at=NOW)
    members = [
        trace("a", True, labels=[Label(source="judge", correct=True, at=NOW), human]),
        trace("b", False),
    ]
    job = Definition(traces=TraceChoice(sources=("judge",)))
    _, tally = learnable({"g": members}, job, ["h"])
    assert (tally.judge, tally.unsure) == (1, 1)


def test_group_statistics_are_those_of_trajectories_however_many_turns_each_has():
    one = [trace("a", True), trace("b", False)]
    many = [
        trace("a", True, *[turn("search", "search-1")] * 7, turn("answer", "answer-1")),
        trace("b", False),
    ]
    (short,), _ = learnable({"g": one}, JOB, ["h"])
    (long,), _ = learnable({"g": many}, JOB, ["h"])
    assert np.allclose(short.advantages, [1, -1]) and np.allclose(long.advantages, [1, -1])


def test_advantages_are_clipped_at_three():
    members = [trace("right", True), *(trace(f"w{n}", False) for n in range(30))]
    (group,), _ = learnable({"g": members}, JOB, ["h"])
    assert group.advantages[0] == 3.0


async def test_every_free_and_well_formed_turn_is_one_sample_with_its_traces_advantage(
    local, world: Workspace
):
    members = [
        trace("a", True, turn("search", "search-1"), turn("answer", "answer-1", forced="turns")),
        trace("b", False, turn("answer", "answer-9"), turn("answer", "answer-2")),
        trace("c", False, status="exhausted", answer=None),
        trace("d", False, turn("search", "search-1"), turn("answer", "answer-1"), reused=1),
    ]
    groups, tally = learnable({"g": members}, JOB, ["h"])
    found, left_out = samples(groups, local, JOB, {"h": world.catalog()})
    (advantages,) = [group.advantages for group in groups]
    assert [(each.trace, each.turn) for each in found] == [("a", 0), ("b", 1), ("d", 1)]
    assert [each.advantage for each in found] == [advantages[0], advantages[1], advantages[3]]
    assert (left_out.forced, left_out.malformed, left_out.unanswered, left_out.foreign) == (2, 1, 1, 3)
    assert local.text(found[0].completion).endswith(
        '{"name": "search", "arguments": {"model": "search-1"}}\n</tool_call>'
    )
    assert found[0].logprobs is None and (tally + left_out).samples == 3


async def test_samples_that_are_too_long_are_counted(local, world: Workspace):
    groups, _ = learnable({"g": [trace("a", True), trace("b", False)]}, JOB, ["h"])
    short = Definition(max_tokens=64)
    longer = [
        trace("a", True, task=Task(id="q", question="why " * 200)),
        trace("b", False, task=Task(id="q", question="why " * 200)),
    ]
    groups, _ = learnable({"g": longer}, short, ["h"])
    found, left_out = samples(groups, local, short, {"h": world.catalog()})
    assert found == [] and left_out.too_long == 2


def test_what_was_replayed_of_real_models_cost_nothing_and_a_judge_did():
    real, rehearsal = load_catalog("live"), load_catalog("rehearsal")
    again, fresh = turn("search", "search-1", cost=0.5), turn("answer", "answer-1", cost=0.02)
    bought = fresh.results[0].charges[0].model_copy(update={"simulated": False})
    result = fresh.results[0].model_copy(update={"charges": (bought,)})
    made = trace("a", True, again, fresh.model_copy(update={"results": (result,)}))
    made.labels.append(Label(source="judge", correct=True, at=NOW, charge=bought))
    assert paid(made, real) == pytest.approx(0.04) and paid(made, rehearsal) == pytest.approx(0.54)
