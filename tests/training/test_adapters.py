"""What an adapter learned is there wherever its checkpoint is loaded, and in what is trained on top of it."""

from pathlib import Path

import pytest
import torch

from orchestra_app.backends.local import LocalModel
from orchestra_app.core.errors import TrainingError
from orchestra_app.training.definition import Definition
from orchestra_app.training.learner import Learner

PROMPT = torch.tensor([[3, 5, 7, 11]])


def taught(place: Path | str, rank: int, seed: int) -> Learner:
    """Return a learner whose trained weights have moved."""
    learner = Learner.load(Definition(rank=rank, dtype="float32"), str(place), "cpu")
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in learner.local.model.parameters():
            if weight.requires_grad:
                weight += 0.05 * torch.randn(weight.shape, generator=random)
    return learner


@torch.no_grad()
def logits(model) -> torch.Tensor:
    return model(PROMPT).logits


def test_a_checkpoint_of_an_adapter_answers_as_the_model_that_was_trained(base, tmp_path):
    first = taught(base, 4, seed=1)
    first.save(tmp_path / "first", {})
    loaded = LocalModel.load(str(tmp_path / "first"), device="cpu", dtype="float32")
    assert not torch.allclose(logits(loaded.model), logits(LocalModel.load(str(base)).model), atol=1e-3)
    torch.testing.assert_close(logits(loaded.model), logits(first.local.model), atol=1e-4, rtol=1e-4)


def test_what_is_trained_on_top_of_an_adapter_keeps_what_it_learned(base, tmp_path):
    taught(base, 4, seed=1).save(tmp_path / "first", {})
    for rank in (4, 0):
        later = taught(tmp_path / "first", rank, seed=2)
        later.save(tmp_path / f"then-{rank}", {})
        again = LocalModel.load(str(tmp_path / f"then-{rank}"), device="cpu", dtype="float32")
        torch.testing.assert_close(logits(again.model), logits(later.local.model), atol=1e-4, rtol=1e-4)


def test_whole_weights_are_trained_in_full_precision_only(base):
    assert Learner.load(Definition(), str(base), "cpu").local.model.dtype == torch.float32
    with pytest.raises(TrainingError, match="set dtype = 'float32'"):
        Learner.load(Definition(dtype="bfloat16"), str(base), "cpu")
    assert Learner.load(Definition(dtype="bfloat16", rank=4), str(base), "cpu").parameters[1]
