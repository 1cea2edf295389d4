"""The policy that is trained: its weights, its optimiser, and the starting policy where the loss needs it."""

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

import torch
from transformers import GenerationConfig
from transformers.utils.logging import disable_progress_bar

from orchestra_app.backends.local import LocalModel
from orchestra_app.backends.local.places import located
from orchestra_app.core.errors import TrainingError
from orchestra_app.training.checkpoint import CARD, STATE, verify
from orchestra_app.training.definition import Definition
from orchestra_app.training.grpo import Clock, update, with_logprobs
from orchestra_app.training.progress import Learned
from orchestra_app.training.samples import Sample
from orchestra_app.training.team import Team, deal, device_of

LARGE = 1_000_000_000
"""Weights from which on the backward pass works activations out again instead of keeping them."""
HALF = (torch.bfloat16, torch.float16)


@dataclass
class Learner:
    """A model with its optimiser."""

    local: LocalModel
    optimizer: torch.optim.Optimizer
    definition: Definition
    reference: Any = None
    """The starting policy; None where it is not needed, or is the model without its adapter."""
    team: Team | None = None
    """The processes that learn beside this one."""
    gone: Callable[[], bool] | None = None
    """Says whether one of those it learns together with has ended; None where it learns alone."""

    @classmethod
    def open(cls, definition: Definition, place: str) -> Self:
        """Load the starting policy, in as many processes as are wanted; raises as `load` does."""
        if definition.processes == 1:
            return cls.load(definition, place, definition.device)
        learner = cls.load(definition, place, device_of(definition, 0))
        learner.team = Team(definition, place)
        learner.gone = learner.team.gone
        return learner

    @classmethod
    def load(cls, definition: Definition, place: str, device: str) -> Self:
        """Load the starting policy from a place; raises ConfigError, BackendError or TrainingError.

        A checkpoint is verified first.
        """
        found = located(place)
        if isinstance(found, Path) and (found / CARD).is_file():
            verify(found, to_go_on=False)
        torch.manual_seed(definition.seed)
        disable_progress_bar()
        # An adapter's weights are whole on their own.
        dtype = definition.dtype if definition.rank or definition.dtype != "auto" else "float32"
        local = LocalModel.load(place, device=device, dtype=dtype)
        local.model.generation_config = _without_sampling(local.model.generation_config)
        reference = None
        if not definition.rank and any(weight.dtype in HALF for weight in local.model.parameters()):
            raise TrainingError(
                "Steps as small as learning_rate are lost in weights of half precision: "
                "set dtype = 'float32', or rank = 16 to train an adapter."
            )
        if definition.rank:
            local.model = _adapted(local.model, definition.rank)
        elif definition.kl:
            reference = copy.deepcopy(local.model).requires_grad_(False)
        if sum(weight.numel() for weight in local.model.parameters()) > LARGE:
            local.model.gradient_checkpointing_enable()
            local.model.enable_input_require_grads()
        trained = [weight for weight in local.model.parameters() if weight.requires_grad]
        optimizer = torch.optim.AdamW(
            trained, lr=definition.learning_rate, betas=(0.9, 0.95), weight_decay=0.0
        )
        return cls(local, optimizer, definition, reference)

    @property
    def parameters(self) -> tuple[int, int]:
        """Weights of the model, and those that are trained."""
        weights = list(self.local.model.parameters())
        return sum(each.numel() for each in weights), sum(
            each.numel() for each in weights if each.requires_grad
        )

    @property
    def pad(self) -> int:
        found = self.local.tokenizer.pad_token_id
        return self.local.end if found is None else found

    def known(self, samples: list[Sample]) -> list[Sample]:
        """Return the samples with this policy's log-probabilities where none are kept."""
        return with_logprobs(self.local.model, samples, self.definition, self.pad)

    def learn(self, samples: list[Sample], step: int, clock: Clock) -> Learned:
        """Make one optimiser step, the `step`th from 1; raises TrainingError."""
        tokens = sum(len(sample.completion) for sample in samples)
        if self.team is None:
            return self.take(samples, step, tokens, clock)
        shares = deal(samples, self.team.size)
        self.team.tell("learn", shares, step, tokens)
        learned = self.take(shares[0], step, tokens, clock)
        return learned.model_copy(update={"length": tokens / max(1, len(samples))})

    def take(self, samples: list[Sample], step: int, tokens: int, clock: Clock | None = None) -> Learned:
        """Make a step of which these samples are this process's share; `tokens` is said in all of them."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(step)
        torch.manual_seed(self.definition.seed + step)
        return update(
            self.local.model,
            self.optimizer,
            samples,
            self.definition,
            pad=self.pad,
            reference=self.reference,
            clock=clock,
            tokens=tokens,
            gone=self.gone,
        )

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, which rises over the first ones."""
        return self.definition.learning_rate * min(1.0, step / max(1, self.definition.warmup))

    def save(self, folder: Path, position: dict[str, Any]) -> None:
        """Write weights, tokenizer and what it takes to go on into a folder."""
        self.local.model.save_pretrained(folder)
        self.local.tokenizer.save_pretrained(folder)
        if self.definition.rank:
            # With it an adapter's folder is known as a model's; the weights come from its base.
            self.local.model.config.save_pretrained(folder)
        state = {"optimizer": self.optimizer.state_dict(), "position": json.dumps(position)}
        torch.save(state, folder / STATE)

    def restore(self, folder: Path) -> dict[str, Any]:
        """Take weights and optimiser from a verified checkpoint; return the position that was saved."""
        if self.team is not None:
            self.team.tell("restore", str(folder))
        try:
            if self.definition.rank:
                from peft import set_peft_model_state_dict
                from peft.utils import load_peft_weights

                set_peft_model_state_dict(self.local.model, load_peft_weights(str(folder), device="cpu"))
            else:
                # A file of weights may name them otherwise than the model in memory does.
                whole = LocalModel.load(str(folder), device="cpu", dtype="float32")
                self.local.model.load_state_dict(whole.model.state_dict())
            state = torch.load(folder / STATE, map_location=self.local.model.device, weights_only=True)
            self.optimizer.load_state_dict(state["optimizer"])
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            raise TrainingError(
                f"The job cannot go on from {folder} ({str(error)[:160]}): its definition has changed, or "
                "the checkpoint is of another model; start a new job."
            ) from error
        return cast(dict[str, Any], json.loads(state["position"]))

    def close(self) -> None:
        """End the processes that learn beside this one."""
        if self.team is not None:
            self.team.close()


def _without_sampling(config: Any) -> GenerationConfig:
    """Return what a model's settings say about its tokens; what they say of sampling may not be valid."""
    names = ("bos_token_id", "eos_token_id", "pad_token_id")
    return GenerationConfig(**{name: getattr(config, name, None) for name in names})


def _adapted(model: Any, rank: int) -> Any:
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    return get_peft_model(model, config)
