"""Policies that people bring: other models and settings are trained, resumed, chained and asked rightly."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

from orchestra_app import Workspace
from orchestra_app.backends.base import Request
from orchestra_app.backends.local import LocalBackend, LocalModel
from orchestra_app.catalogs import load_catalog
from orchestra_app.core.errors import BackendError, ConfigError, TrainingError
from orchestra_app.core.job import Checkpoint
from orchestra_app.core.message import Reply
from orchestra_app.core.purse import Purse
from orchestra_app.storage.outcomes import Wanted
from orchestra_app.training import checkpoint
from orchestra_app.training.definition import Definition
from orchestra_app.training.learner import Learner
from orchestra_app.training.progress import Finished
from orchestra_app.training.publish import publish
from orchestra_app.training.tokenizer import make_tokenizer
from tests.training.tiny_policy import follow, write_tiny

PROMPT = torch.arange(5, 40)[None]


def quick(base: Any, **fields: Any) -> Definition:
    known = {"base": str(base), "groups": 2, "group_size": 4, "steps": 1, "warmup": 0, "learning_rate": 5e-3}
    return Definition(**{**known, **fields})


@pytest.fixture
def mixture(tmp_path: Path) -> Path:
    """A random policy whose experts are saved apart and kept together in memory."""
    tokenizer = make_tokenizer(load_catalog("rehearsal"))
    sizes: dict[str, Any] = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "moe_intermediate_size": 16,
        "head_dim": 8,
    }
    heads: dict[str, Any] = {"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    experts: dict[str, Any] = {"num_experts": 4, "num_experts_per_tok": 2, "vocab_size": len(tokenizer)}
    torch.manual_seed(0)
    Qwen3MoeForCausalLM(Qwen3MoeConfig(**sizes, **heads, **experts)).save_pretrained(tmp_path / "mixture")
    tokenizer.save_pretrained(tmp_path / "mixture")
    return tmp_path / "mixture"


@pytest.fixture
def own(base: Path, tmp_path: Path) -> Path:
    """A policy of somebody's own."""
    return write_tiny(tmp_path / "own", seed=3)


def test_a_mixture_of_experts_goes_on_from_its_checkpoint(mixture, tmp_path):
    first = Learner.load(Definition(), str(mixture), "cpu")
    for weight in first.local.model.parameters():
        weight.grad = torch.ones_like(weight)
    first.optimizer.step()
    first.save(tmp_path / "saved", {"step": 1})
    again = Learner.load(Definition(), str(mixture), "cpu")
    assert again.restore(tmp_path / "saved") == {"step": 1}
    with torch.no_grad():
        torch.testing.assert_close(again.local.model(PROMPT).logits, first.local.model(PROMPT).logits)


async def test_what_a_model_says_of_sampling_costs_no_checkpoint(world, own, tmp_path):
    told = own / "generation_config.json"
    told.write_text(json.dumps(json.loads(told.read_text()) | {"temperature": 0.9, "top_p": 0.6}))
    events = await follow(world, quick(own), tmp_path / "job")
    assert events[-1].status == "done", events[-1].reason
    trained = LocalModel.load(events[-1].checkpoint)
    assert trained.stops == LocalModel.load(str(own)).stops


async def test_a_checkpoint_that_came_back_from_the_hub_is_trained_further_but_not_resumed(
    world, own, tmp_path
):
    events = await follow(world, quick(own), tmp_path / "job")
    fetched = Path(events[-1].checkpoint)
    # A push leaves it out.
    (fetched / checkpoint.STATE).unlink()
    assert (await follow(world, quick(fetched), tmp_path / "next"))[-1].status == "done"
    with pytest.raises(TrainingError, match="lacks its file resume.pt"):
        await follow(world, quick(own, steps=2), tmp_path / "job")


async def _policy(world: Workspace, folder: Path) -> Any:
    job = await world.jobs.taken_on(quick("x"), folder)
    await world.jobs.settle(job)
    (found,) = [each for each in await world.store.checkpoints() if each.job == job.id]
    return (await world.orchestrator("rehearsal", found.name)).policy, found


async def test_a_checkpoint_is_asked_like_what_it_was_trained_from_and_else_as_in_its_training(
    world, own, tmp_path
):
    await follow(world, quick(own, max_output=200), tmp_path / "mine")
    policy, found = await _policy(world, tmp_path / "mine")
    assert policy.max_output == 200 and policy.model.context == 2_048
    assert policy.model.options == {"constrained": False}
    assert checkpoint.read_card(Path(found.path)).root == str(own)
    await follow(world, quick("assets:policy"), tmp_path / "shipped")
    first, found = await _policy(world, tmp_path / "shipped")
    await follow(world, quick(found.id), tmp_path / "chained")
    chained, later = await _policy(world, tmp_path / "chained")
    shipped = (await world.orchestrator("rehearsal")).policy
    for each in (first, chained):
        assert each.model.options == shipped.model.options and each.max_output == shipped.max_output
    assert later.card["root"] == "assets:policy" and later.card["base"] == found.id


async def test_a_starting_policy_is_found_from_wherever_the_job_goes_on(world, own, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    events = await follow(world, quick("own", rank=4), tmp_path / "job")
    monkeypatch.chdir("/")
    assert LocalModel.load(events[-1].checkpoint).name.endswith("step-000001")


@pytest.mark.parametrize("broken_from", [0, 1])
async def test_a_policy_that_cannot_reply_ends_the_job_and_is_not_taken_for_wrong(
    world, own, tmp_path, monkeypatch, broken_from
):
    class Breaks(LocalBackend):
        asked = 0

        async def complete(self, request: Request, purse: Purse) -> Reply:
            self.asked += 1
            if self.asked > 60 * broken_from and self.asked % 3 == 0:
                raise BackendError("The memory does not hold so many replies.")
            return await super().complete(request, purse)

    monkeypatch.setattr("orchestra_app.backends.local.LocalBackend", Breaks)
    events = await follow(world, quick(own, steps=30), tmp_path / "job")
    assert isinstance(events[-1], Finished) and events[-1].status == "failed"
    assert events[-1].reason == "The memory does not hold so many replies."
    kept = await world.store.outcomes(Wanted(group="train-job/"))
    assert len(kept) == 8 * events[-1].step and (events[-1].step > 0) == bool(broken_from)
    traces = await world.store.traces([each.id for each in kept])
    assert all("memory" not in (trace.error or "") for trace in traces.values())


async def test_the_hub_is_sent_no_job_whose_policy_lies_here(world, own, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_planted")
    await follow(world, quick("assets:policy"), tmp_path / "shipped")
    _, found = await _policy(world, tmp_path / "shipped")
    for base, said in ((found.id, "push it to the Hub"), (str(own), "a base on the Hub")):
        before = len(await world.jobs.all())
        with pytest.raises(TrainingError, match=said):
            await world.train(quick(base), launcher="hub")
        assert len(await world.jobs.all()) == before


@pytest.mark.parametrize("name", ["ann/my--policy", "ann/x.git", "ann/a..b", "policy", "ann/ü", "a/b/c"])
async def test_what_is_no_name_of_a_model_is_refused_in_a_sentence(name, tmp_path):
    fields = {"id": "c", "job": None, "name": "c", "path": str(tmp_path), "catalog": "rehearsal"}
    made = Checkpoint.model_validate(fields | {"at": "2026-11-28T00:00:00Z"})
    with pytest.raises(ConfigError, match="as user/name"):
        publish(made, name, "hf_planted")
