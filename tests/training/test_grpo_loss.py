"""The loss: equal to TRL's on one batch, independent of how it is cut, and never a step on nonsense."""

import math
import warnings

import pytest
import torch

from orchestra_app.backends.local import LocalModel
from orchestra_app.core.errors import TrainingError
from orchestra_app.core.message import ToolCall
from orchestra_app.training.batches import batch_of, packs
from orchestra_app.training.definition import Definition
from orchestra_app.training.grpo import log_probabilities, objective, update, with_logprobs
from orchestra_app.training.samples import Sample

SAID = [
    ((5, 6, 7, 8), (9, 10, 11)),
    ((12, 13), (14, 15, 16, 17, 18)),
    ((5, 6, 7, 8), (9, 10, 11)),
    ((3,), (4,)),
]
ADVANTAGES = (1.5, -0.7, -1.2, 0.4)


@pytest.fixture
def local(base) -> LocalModel:
    return LocalModel.load(str(base))


def made(local: LocalModel, definition: Definition, shift: float = 0.3) -> list[Sample]:
    """Samples whose old log-probabilities differ from the present ones by up to `shift`."""
    bare = [Sample(prompt, said, a) for (prompt, said), a in zip(SAID, ADVANTAGES, strict=True)]
    random = torch.Generator().manual_seed(3)
    found = []
    for sample in with_logprobs(local.model, bare, definition, local.end):
        noise = (torch.rand(len(sample.completion), generator=random) - 0.5) * 4 * shift
        known = tuple((torch.tensor(sample.logprobs) + noise).tolist())
        found.append(Sample(sample.prompt, sample.completion, sample.advantage, known))
    return found


def ours(
    local: LocalModel, found: list[Sample], definition: Definition, reference: torch.Tensor | None
) -> float:
    batch = batch_of(found, local.end, "cpu")
    new = log_probabilities(local.model, batch, definition.temperature)[batch.row]
    parts = objective(new, batch.old, batch.advantage, batch.said[batch.row], definition, reference)
    return float(parts.loss.detach()) / sum(len(sample.completion) for sample in found)


@pytest.mark.parametrize(
    ("changed", "trl"),
    [
        ({}, {"loss_type": "dapo", "epsilon": 0.2, "epsilon_high": 0.28}),
        ({"kl": 0.1}, {"loss_type": "dapo", "epsilon": 0.2, "epsilon_high": 0.28, "beta": 0.1}),
        ({"loss": "cispo", "clip_high": 1.1}, {"loss_type": "cispo", "epsilon_high": 1.1}),
    ],
)
def test_the_loss_is_that_of_trl_on_one_batch(local, base, tmp_path, changed, trl):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from datasets import Dataset
        from trl.trainer.grpo_config import GRPOConfig
        from trl.trainer.grpo_trainer import GRPOTrainer

        config = GRPOConfig(
            output_dir=str(tmp_path),
            use_cpu=True,
            bf16=False,
            report_to="none",
            num_generations=4,
            per_device_train_batch_size=4,
            gradient_checkpointing=False,
            use_bias_correction_kl=False,
            **trl,
        )
        trainer = GRPOTrainer(
            model=local.model,
            reward_funcs=lambda **_: [0.0],
            args=config,
            train_dataset=Dataset.from_list([{"prompt": "?"}]),
            processing_class=local.tokenizer,
        )
    definition = Definition(**changed)
    found = made(local, definition)
    batch = batch_of(found, local.end, "cpu")
    said, rows = batch.said[batch.row], batch.row
    right = said.shape[1]
    generator = torch.Generator().manual_seed(5)
    starting = batch.old + 0.1 * torch.randn(batch.old.shape, generator=generator)
    inputs = {
        "prompt_ids": batch.ids[rows, :-right],
        "prompt_mask": batch.mask[rows, :-right],
        "completion_ids": batch.ids[rows, -right:],
        "completion_mask": said.long(),
        "advantages": batch.advantage[:, 0],
        "old_per_token_logps": batch.old,
        "ref_per_token_logps": starting,
        "num_items_in_batch": said.sum(),
    }
    local.model.eval()
    theirs = trainer._compute_loss(local.model, inputs)
    mine = ours(local, found, definition, starting if definition.kl else None)
    assert mine == pytest.approx(float(theirs.detach()), rel=1e-4, abs=1e-6)
    assert abs(mine) > 1e-3


@pytest.mark.parametrize("loss", ["grpo", "cispo"])
def test_a_step_does_not_depend_on_how_it_is_cut_into_batches(base, loss):
    weights = []
    for most in (256, 16_384):
        local = LocalModel.load(str(base))
        definition = Definition(loss=loss, tokens_at_once=most)
        found = made(local, definition) * 40
        optimizer = torch.optim.SGD(local.model.parameters(), lr=0.1)
        update(local.model, optimizer, found, definition, pad=local.end)
        weights.append([weight.detach().clone() for weight in local.model.parameters()])
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(*weights, strict=True))


def test_packs_hold_every_sample_once_and_no_more_tokens_than_allowed(local):
    found = made(local, Definition()) * 5
    packed = list(packs(found, 20))
    assert sorted(map(repr, found)) == sorted(repr(sample) for pack in packed for sample in pack)
    for pack in packed:
        assert (
            batch_of(pack, 0, "cpu").ids.numel() <= 20 or len({(s.prompt, s.completion) for s in pack}) == 1
        )


def test_a_reply_that_did_well_becomes_likelier_and_gains_on_one_that_did_badly(local):
    definition = Definition()
    bare = [Sample((5, 6), (7, 8), 1.0), Sample((5, 6), (9, 10), -1.0)]
    before = with_logprobs(local.model, bare, definition, local.end)
    optimizer = torch.optim.AdamW(local.model.parameters(), lr=1e-3)
    update(local.model, optimizer, before, definition, pad=local.end)
    after = with_logprobs(local.model, bare, definition, local.end)
    gains = [sum(b.logprobs or ()) - sum(a.logprobs or ()) for a, b in zip(before, after, strict=True)]
    assert gains[0] > 0 and gains[0] > gains[1]


def test_a_held_reply_has_the_log_probability_that_it_was_drawn_with(local):
    calls = [ToolCall(id="", name="answer", arguments={"model": f"answer-{n}"}) for n in (1, 2, 3)]
    texts, definition = [local.spell(call) for call in calls], Definition(held=True, temperature=2.5)
    prompts = [list(range(5, 12)), list(range(5, 30)), list(range(5, 12))]
    drawn = local.generate(prompts, most=[20] * 3, temperatures=[2.5] * 3, seeds=[1, 2, 3], legal=[texts] * 3)
    bare = [
        Sample(tuple(prompt), reply.ids, 1.0, among=local.candidates(texts, reply.ids))
        for prompt, reply in zip(prompts, drawn, strict=True)
    ]
    found = with_logprobs(local.model, bare, definition, local.end)
    for sample, reply in zip(found, drawn, strict=True):
        assert sample.logprobs == pytest.approx(reply.drawn, abs=1e-5)
        assert sum(sample.logprobs or ()) < -0.1


@pytest.mark.parametrize("loss", ["grpo", "cispo"])
def test_what_is_no_token_counts_nothing_however_far_apart_the_two_are_there(loss):
    new, said = torch.tensor([[-1.0, -500.0]]), torch.tensor([[1.0, 0.0]])
    old, advantage = torch.tensor([[-1.2, 0.0]]), torch.tensor([[1.0]])
    definition = Definition(loss=loss, kl=0.1)
    whole = objective(new, -old.flip(1) * 500, advantage, said, definition, old)
    alone = objective(new[:, :1], (-old.flip(1) * 500)[:, :1], advantage, said[:, :1], definition, old[:, :1])
    assert math.isfinite(float(whole.loss)) and float(whole.loss) == float(alone.loss)


def test_a_loss_that_is_no_number_changes_no_weight(local):
    before = [weight.detach().clone() for weight in local.model.parameters()]
    broken = [Sample((5, 6), (7, 8), 1.0, (math.nan, 0.0))]
    optimizer = torch.optim.AdamW(local.model.parameters(), lr=1e-3)
    with pytest.raises(TrainingError, match="no number any more: lower learning_rate"):
        update(local.model, optimizer, broken, Definition(), pad=local.end)
    assert all(torch.equal(a, b) for a, b in zip(before, local.model.parameters(), strict=True))
