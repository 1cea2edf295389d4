"""GRPO, read from top to bottom: samples are packed, their log-probabilities found, the loss taken, and one
optimiser step made. Every turn is a sample of its own that carries its trajectory's advantage."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from inspect import signature
from typing import Any

import torch
from torch import Tensor

from orchestra_app.backends.local.loading import is_out_of_memory
from orchestra_app.core.errors import TrainingError
from orchestra_app.training.batches import Batch, batch_of, packs
from orchestra_app.training.definition import Definition
from orchestra_app.training.progress import Learned
from orchestra_app.training.samples import Sample
from orchestra_app.training.team import add_up, agree


def log_probabilities(model: Any, batch: Batch, temperature: float) -> Tensor:
    """Return the log-probability of each token of each row's completion, [rows, longest], in float32.

    Where replies were held to the calls on offer it is that among these.
    """
    longest = batch.said.shape[1]
    options: dict[str, Any] = {"logits_to_keep": longest + 1, "use_cache": False}
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    if "position_ids" in signature(inner.forward).parameters:
        options["position_ids"] = (batch.mask.cumsum(1) - 1).clamp(min=0)
    logits = model(input_ids=batch.ids, attention_mask=batch.mask, **options).logits
    logits = logits[:, -longest - 1 : -1].float() / temperature
    chosen = logits.gather(2, batch.ids[:, -longest:].unsqueeze(2)).squeeze(2)
    if batch.among is None:
        return chosen - logits.logsumexp(2)
    held = logits.gather(2, batch.among.clamp(min=0)).masked_fill(batch.among < 0, -torch.inf)
    return chosen - held.logsumexp(2)


@dataclass(frozen=True, slots=True)
class Parts:
    """The loss of one batch, summed over its tokens, with what it consists of."""

    loss: Tensor
    divergence: Tensor
    clipped: Tensor
    """Tokens whose ratio was clipped."""


def objective(
    new: Tensor,
    old: Tensor,
    advantage: Tensor,
    said: Tensor,
    definition: Definition,
    reference: Tensor | None = None,
) -> Parts:
    """Return the loss, summed over tokens; the step divides it by all its tokens.

        r = exp(new − old)
        grpo   −min(r A, clip(r, 1 − low, 1 + high) A)        clip-higher
        cispo  −stop(min(r, highest)) A new
        + kl × (exp(ref − new) − (ref − new) − 1)             the estimator k3

    new, old, reference: log-probabilities [samples, longest]. advantage: [samples, 1]. said: 1 at tokens.
    Dividing by the tokens of the whole step is what TRL calls `dapo` (and does for its `cispo`): each token
    weighs the same, however the step is cut into batches.
    """
    # What is no token counts nothing, however far apart the two are there.
    unsaid = said == 0
    ratio = torch.exp((new - old).masked_fill(unsaid, 0.0))
    if definition.loss == "cispo":
        weight = ratio.clamp(max=definition.highest).detach()
        loss = -weight * advantage * new
        clipped = ratio > definition.highest
    else:
        held = ratio.clamp(1 - definition.clip_low, definition.highest)
        loss = -torch.minimum(ratio * advantage, held * advantage)
        clipped = ((ratio > definition.highest) & (advantage > 0)) | (
            (ratio < 1 - definition.clip_low) & (advantage < 0)
        )
    divergence = torch.zeros_like(new)
    if reference is not None:
        apart = (reference - new).masked_fill(unsaid, 0.0)
        divergence = torch.exp(apart) - apart - 1
        loss = loss + definition.kl * divergence
    return Parts((loss * said).sum(), (divergence * said).sum().detach(), (clipped * said).sum())


@dataclass
class Clock:
    """Seconds of a step spent in the forward and in the backward pass, the update included."""

    forward: float = 0.0
    backward: float = 0.0

    @contextmanager
    def running(self, name: str, device: Any) -> Iterator[None]:
        """Add the time of what happens inside to `name`."""
        began = time.perf_counter()
        yield
        if torch.device(device).type == "cuda":
            torch.cuda.synchronize(device)
        setattr(self, name, getattr(self, name) + time.perf_counter() - began)


@torch.no_grad()
def with_logprobs(
    model: Any, samples: Sequence[Sample], definition: Definition, pad: int, clock: Clock | None = None
) -> list[Sample]:
    """Return the samples with the log-probabilities of this model where none are kept."""
    missing = [sample for sample in samples if sample.logprobs is None]
    found: dict[tuple[tuple[int, ...], tuple[int, ...]], tuple[float, ...]] = {}
    with _memory(definition), (clock or Clock()).running("forward", model.device):
        for pack in packs(missing, definition.tokens_at_once):
            batch = batch_of(pack, pad, model.device)
            rows = log_probabilities(model, batch, definition.temperature)[batch.row].tolist()
            for sample, row in zip(pack, rows, strict=True):
                found[sample.prompt, sample.completion] = tuple(row[: len(sample.completion)])
    return [
        sample if sample.logprobs else replace(sample, logprobs=found[sample.prompt, sample.completion])
        for sample in samples
    ]


def update(
    model: Any,
    optimizer: torch.optim.Optimizer,
    samples: Sequence[Sample],
    definition: Definition,
    *,
    pad: int,
    reference: Any = None,
    clock: Clock | None = None,
    tokens: int | None = None,
    gone: Callable[[], bool] | None = None,
) -> Learned:
    """Make one optimiser step on samples that have log-probabilities, and return its figures.

    reference: the starting policy, where the divergence from it counts. gone: given where the samples are a
    share of a step that several processes make together, it says whether one of them has ended; tokens: what
    is said in the whole step. Raises TrainingError, and leaves the weights as they were, where the loss is no
    number or the memory runs out.
    """
    clock = clock or Clock()
    if tokens is None:
        tokens = sum(len(sample.completion) for sample in samples)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    model.train()
    optimizer.zero_grad(set_to_none=True)
    total, failed = _gradient(model, samples, definition, pad, reference, clock, tokens)
    if gone:
        agree(failed, gone)
        add_up(trained, total, gone)
    elif failed:
        raise failed
    with _memory(definition), clock.running("backward", model.device):
        norm = float(torch.nn.utils.clip_grad_norm_(trained, definition.clip_gradient))
        if not math.isfinite(total["loss"]) or not math.isfinite(norm):
            optimizer.zero_grad(set_to_none=True)
            raise TrainingError(
                "The loss is no number any more: lower learning_rate, or set dtype to float32; resume "
                "from the last checkpoint."
            )
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    model.eval()
    length = tokens / max(1, len(samples))
    return Learned(gradient=norm, tokens=tokens, length=length, **total)


def _gradient(
    model: Any,
    samples: Sequence[Sample],
    definition: Definition,
    pad: int,
    reference: Any,
    clock: Clock,
    tokens: int,
) -> tuple[dict[str, float], TrainingError | None]:
    """Gather the gradient of the samples in the weights; return their figures, and what went wrong."""
    total = {"loss": 0.0, "kl": 0.0, "clipped": 0.0, "entropy": 0.0}
    try:
        with _memory(definition):
            for pack in packs(samples, definition.tokens_at_once):
                batch = batch_of(pack, pad, model.device)
                with clock.running("forward", model.device):
                    new = log_probabilities(model, batch, definition.temperature)[batch.row]
                    said = batch.said[batch.row]
                    starting = _starting(model, reference, batch, definition)
                    parts = objective(new, batch.old, batch.advantage, said, definition, starting)
                with clock.running("backward", model.device):
                    (parts.loss / tokens).backward()
                total["loss"] += parts.loss.item() / tokens
                total["kl"] += parts.divergence.item() / tokens
                total["clipped"] += parts.clipped.item() / tokens
                total["entropy"] -= (new.detach() * said).sum().item() / tokens
    except TrainingError as error:
        return total, error
    return total, None


@torch.no_grad()
def _starting(model: Any, reference: Any, batch: Batch, definition: Definition) -> Tensor | None:
    """Return the starting policy's log-probabilities; with an adapter it is the model without it."""
    if not definition.kl:
        return None
    starting = model if reference is None else reference
    with model.disable_adapter() if reference is None else nullcontext():
        return log_probabilities(starting, batch, definition.temperature)[batch.row]


@contextmanager
def _memory(definition: Definition) -> Iterator[None]:
    """Turn running out of memory, or a GPU that is gone, into a sentence."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        text = str(error).lower()
        if is_out_of_memory(error):
            adapter = "" if definition.rank else ", or train an adapter with rank = 16"
            raise TrainingError(
                f"The memory does not hold {definition.tokens_at_once:,} tokens at once: lower tokens_at_once"
                f"{adapter}, and resume from the last checkpoint."
            ) from error
        if "cuda error" in text or isinstance(error, getattr(torch, "AcceleratorError", ())):
            raise TrainingError(
                "The GPU does not answer any more: check nvidia-smi, then resume from the last checkpoint"
            ) from error
        raise
