"""Steps that several processes make together are those of a single process, and end where one is gone."""

from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
import torch
from safetensors.torch import load_file
from torch import distributed

from orchestra_app import Settings, Workspace
from orchestra_app.core.errors import TrainingError
from orchestra_app.training.definition import Definition
from orchestra_app.training.grpo import Clock
from orchestra_app.training.learner import Learner
from orchestra_app.training.progress import Learned
from orchestra_app.training.samples import Sample
from orchestra_app.training.team import Team, deal
from tests.training.test_grpo_loss import ADVANTAGES, SAID
from tests.training.test_train import quick
from tests.training.tiny_policy import follow

SAMPLES = [Sample(prompt, said, a) for (prompt, said), a in zip(SAID, ADVANTAGES, strict=True)]


def steps(base: Path, folder: Path, **changed) -> tuple[list[torch.Tensor], list[Learned]]:
    """Make a step, go back to it after another one, and make that anew; return weights and figures."""
    definition = Definition(base=str(base), device="cpu", learning_rate=1e-2, **changed)
    learner = Learner.open(definition, str(base))
    try:
        known = learner.known(SAMPLES)
        told = [learner.learn(known, 1, Clock())]
        learner.save(folder, {"step": 1})
        learner.learn(known, 2, Clock())
        assert learner.restore(folder) == {"step": 1}
        told.append(learner.learn(known, 2, Clock()))
    finally:
        learner.close()
    return [weight.detach() for weight in learner.local.model.parameters()], told


@pytest.mark.parametrize("changed", [{"kl": 0.1}, {"rank": 4}])
def test_two_processes_make_the_steps_of_one(base, tmp_path, changed):
    alone, said = steps(base, tmp_path / "one", **changed)
    together, told = steps(base, tmp_path / "two", processes=2, **changed)
    # Adam makes a rounding of a small gradient a share of the learning rate.
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(alone, together, strict=True))
    for one, two in zip(said, told, strict=True):
        assert two.model_dump() == pytest.approx(one.model_dump(), rel=1e-4, abs=1e-6)


def test_every_sample_is_dealt_once_and_equal_ones_stay_together():
    shares = deal(SAMPLES * 3, 2)
    assert sorted(map(repr, sum(shares, []))) == sorted(map(repr, SAMPLES * 3))
    said = [{(sample.prompt, sample.completion) for sample in share} for share in shares]
    assert not said[0] & said[1] and all(said)
    assert deal(SAMPLES[:1], 3) == [SAMPLES[:1], [], []]


async def test_a_job_of_two_processes_learns_what_one_learns(home, base, tmp_path):
    weights = []
    for name, processes in (("one", 1), ("two", 2)):
        world = await Workspace.open(Settings(home=home / name))
        job = quick(base, device="cpu", processes=processes, steps=2)
        events = await follow(world, job, tmp_path / name)
        await world.aclose()
        assert events[-1].status == "done"
        weights.append(load_file(f"{events[-1].checkpoint}/model.safetensors"))
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.allclose(each, weights[1][name], atol=1e-3) for name, each in weights[0].items())


def test_who_waits_for_a_process_that_is_gone_does_not_wait_for_ever(base, monkeypatch):
    team = Team(Definition(base=str(base), device="cpu", processes=2), str(base))
    never = Event()
    try:
        team.others[0].kill()
        # What the library under it does now and then.
        monkeypatch.setattr(distributed, "broadcast_object_list", lambda *_, **__: never.wait())
        monkeypatch.setattr("orchestra_app.training.team.GRACE", 0.1)
        with pytest.raises(TrainingError, match="has ended.*Resume from the last checkpoint"):
            team.tell("restore", "nowhere")
    finally:
        never.set()
        team.close()


def test_nonsense_in_one_share_changes_nothing_and_a_process_that_is_gone_ends_the_step(base):
    definition = Definition(base=str(base), device="cpu", processes=2)
    learner = Learner.open(definition, str(base))
    try:
        before = [weight.detach().clone() for weight in learner.local.model.parameters()]
        known = learner.known(SAMPLES)
        bad = [replace(known[0], advantage=float("nan")), *known[1:]]
        with pytest.raises(TrainingError, match="no number any more: lower learning_rate"):
            learner.learn(bad, 1, Clock())
        after = list(learner.local.model.parameters())
        assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
        assert learner.learn(known, 1, Clock()).gradient > 0

        assert learner.team is not None
        learner.team.others[0].kill()
        learner.team.others[0].wait()
        with pytest.raises(TrainingError, match="has ended.*Resume from the last checkpoint"):
            learner.learn(known, 1, Clock())
    finally:
        learner.close()
