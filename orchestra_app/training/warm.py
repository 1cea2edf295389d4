"""The warm start: learning from rows that the planner has labelled."""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

import torch
from torch.nn import functional
from transformers import Qwen3ForCausalLM

from orchestra_app.training.lean import read
from orchestra_app.training.planner import KINDS
from orchestra_app.training.rows import Order
from orchestra_app.training.teacher import Row

ASIDE = (len(KINDS), 3, 3)
"""Sizes of what is learned beside the reply: the kind of question, documents missing, outputs there."""
POOL = 64
"""Batches that are drawn at once, so that rows of like length stand together."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast the warm start learns."""

    steps: int
    batch: int = 16
    rate: float = 5e-3
    """Of the embeddings, norms and heads, which AdamW moves."""
    matrix_rate: float = 7e-3
    """Of the layers' matrices, which Muon moves: it needs a third of the rows that AdamW needs."""
    first_turns: float = 0.2
    """Share of the steps that see first turns only, which are short."""
    aside: float = 0.3
    """Weight of what is learned beside the reply."""

    def order(self, seed: int) -> Order:
        """Return the rows that it wants."""
        return Order(
            seed=seed,
            pools=-(-self.steps // POOL),
            first=round(self.first_turns * self.steps / POOL),
            size=POOL * self.batch,
        )


class Learned(NamedTuple):
    """What one step of the warm start came to."""

    step: int
    loss: float
    accuracy: float
    """Share of the rows whose whole reply is the likeliest."""


async def warm_up(
    model: Qwen3ForCausalLM, pools: AsyncIterator[list[Row]], schedule: Schedule, *, seed: int
) -> AsyncGenerator[Learned]:
    """Train the model in place on one pool of rows after another and yield every step."""
    random = Random(seed)
    torch.manual_seed(seed)
    heads = torch.nn.Linear(model.config.hidden_size, sum(ASIDE) + 1)
    learners = _learners(model, heads, schedule)
    model.train()
    step = 0
    async for rows in pools:
        rows.sort(key=lambda row: len(row.prompt))
        batches = [rows[start : start + schedule.batch] for start in range(0, len(rows), schedule.batch)]
        random.shuffle(batches)
        for batch in batches[: schedule.steps - step]:
            loss, accuracy = _learn(model, heads, batch, schedule.aside)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for learner, rate in learners:
                learner.param_groups[0]["lr"] = rate * _pace(step / schedule.steps)
                learner.step()
                learner.zero_grad(set_to_none=True)
            yield Learned(step, loss.item(), accuracy)
            step += 1
    model.eval()


def _learners(
    model: Qwen3ForCausalLM, heads: torch.nn.Linear, schedule: Schedule
) -> list[tuple[torch.optim.Optimizer, float]]:
    """Return what moves the weights, each with its highest rate."""
    matrices = [weight for weight in model.model.layers.parameters() if weight.ndim == 2]
    others = [weight for weight in model.parameters() if not any(weight is each for each in matrices)]
    return [
        (
            torch.optim.Muon(
                matrices, schedule.matrix_rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"
            ),
            schedule.matrix_rate,
        ),
        (
            torch.optim.AdamW(
                [*others, *heads.parameters()], schedule.rate, weight_decay=0.01, betas=(0.9, 0.98)
            ),
            schedule.rate,
        ),
    ]


def _pace(share: float) -> float:
    """Return the learning rate's factor: a short way up, then down to nothing."""
    return min(1.0, share / 0.03) * (1.0 - share)


def _learn(
    model: Qwen3ForCausalLM, heads: torch.nn.Linear, rows: list[Row], weight: float
) -> tuple[torch.Tensor, float]:
    """Return the loss of a batch and the share of replies that are the likeliest."""
    longest = max(len(row.prompt) + len(row.reply) for row in rows)
    # Padding stands at the end, where causal attention never looks back from.
    ids = torch.tensor([_padded(row.prompt + row.reply, longest) for row in rows])
    replies = torch.tensor([row.reply for row in rows])
    starts = torch.tensor([len(row.prompt) - 1 for row in rows])
    found = read(model, ids, starts[:, None] + torch.arange(replies.shape[1]))
    logits = model.lm_head(found.states)
    loss = functional.cross_entropy(logits.flatten(0, 1), _shares(rows, logits.shape[-1]))
    right = (logits.argmax(-1) == replies).all(1).float().mean().item()
    guesses = heads(found.states[:, 0])[:, :-1].split(ASIDE, dim=1)
    for guess, truth in zip(guesses, torch.tensor([row.aside for row in rows]).T, strict=True):
        loss = loss + weight * functional.cross_entropy(guess, truth)
    titles = [(line, place, needed) for line, row in enumerate(rows) for place, needed in row.titles]
    if titles:
        lines, where, needed = (torch.tensor(each) for each in zip(*titles, strict=True))
        # The layer before the last marks the documents, for the last one to count.
        marked = heads(found.marks[lines, where])[:, -1]
        loss = loss + weight * functional.binary_cross_entropy_with_logits(marked, needed.float())
    return loss, right


def _padded(ids: list[int], length: int) -> list[int]:
    return ids + [0] * (length - len(ids))


def _shares(rows: list[Row], vocabulary: int) -> torch.Tensor:
    """Return how often each token of the vocabulary is taught at each place of the replies."""
    found = torch.zeros(sum(len(row.reply) for row in rows), vocabulary)
    place = 0
    for row in rows:
        for shares in row.shares:
            for token, share in shares:
                found[place, token] = share
            place += 1
    return found
