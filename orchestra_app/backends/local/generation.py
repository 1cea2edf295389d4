"""Batched decoding with a key-value cache: every row draws with its own noise and may be held to a tree."""

import math
from collections.abc import Sequence
from inspect import signature
from os.path import commonprefix
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from orchestra_app.backends.local.row import NOT_NUMBERS, Row, Watch
from orchestra_app.core.errors import BackendError

ROWS_AT_ONCE = 8
"""Rows whose whole stretches are turned into log-probabilities together: it bounds their memory."""
WORTH_SHARING = 16
"""Tokens that prompts have in common from which on these are seen once for all."""
KEPT_SHARE = 0.75
"""Finished rows leave the batch once no more than this share of it is left."""


@torch.no_grad()
def decode(
    model: Any, rows: Sequence[Row], *, stops: frozenset[int], pad: int, watch: Watch | None = None
) -> None:
    """Complete every row in place, as one left-padded batch.

    Raises BackendError where the model's figures are not numbers.
    """
    batch = _Batch(model, rows, pad)
    batch.share()
    while batch.rows:
        logits = batch.forward()
        _settle_stretches(batch.rows, logits)
        _draw(batch.rows, logits[:, -1], stops)
        for number, row in zip(batch.numbers, batch.rows, strict=True):
            if watch is not None and not row.done and not watch(number, row.ids):
                row.done = row.cut = True
        batch.shrink()


class _Batch:
    """The rows under way, with the cache of what the model has seen of them."""

    def __init__(self, model: Any, rows: Sequence[Row], pad: int):
        self.rows = list(rows)
        self.numbers = list(range(len(rows)))
        self._model = model
        self._pad = pad
        self._device = model.device
        self._mask = torch.zeros((len(rows), 0), dtype=torch.long, device=self._device)
        self._cache: Any = None
        inner = model.get_base_model() if hasattr(model, "get_base_model") else model
        self._takes = frozenset(signature(inner.forward).parameters)
        self._plain = attends_to_all(inner.config)
        for row in self.rows:
            row.stretches = self._plain

    def share(self) -> None:
        """Let the model see once what all prompts begin with: the tools, or one whole prompt of a group."""
        if not self._plain:
            return
        common = len(commonprefix([row.pending for row in self.rows]))
        # The last token of each prompt stays: its logits are what the reply is drawn from.
        common = min([common, *(len(row.pending) - row.forced - 1 for row in self.rows)])
        if len(self.rows) < 2 or common < WORTH_SHARING:
            return
        ids = torch.tensor([self.rows[0].pending[:common]], device=self._device)
        cache = self._model(input_ids=ids, use_cache=True, **self._known(logits_to_keep=1)).past_key_values
        cache.batch_repeat_interleave(len(self.rows))
        self._cache = cache
        self._mask = torch.ones((len(self.rows), common), dtype=torch.long, device=self._device)
        for row in self.rows:
            row.pending, row.seen = row.pending[common:], common

    def _known(self, **options: Any) -> dict[str, Any]:
        """Return the options that this kind of model takes."""
        return {name: value for name, value in options.items() if name in self._takes}

    def forward(self) -> torch.Tensor:
        """Return the logits of what is pending: (rows, positions, vocabulary), the last for what is next."""
        fed = [[] if row.done else row.pending for row in self.rows]
        width = max(map(len, fed))
        ids = torch.tensor([[self._pad] * (width - len(each)) + each for each in fed], device=self._device)
        mask = torch.tensor(
            [[0] * (width - len(each)) + [1] * len(each) for each in fed], device=self._device
        )
        self._mask = torch.cat([self._mask, mask], dim=1)
        seen = torch.tensor([[row.seen] for row in self.rows], device=self._device)
        kept = 1 + max(row.forced for row in self.rows)
        positions = (mask.cumsum(1) - 1).clamp(min=0) + seen
        out = self._model(
            input_ids=ids,
            attention_mask=self._mask,
            past_key_values=self._cache,
            use_cache=True,
            **self._known(position_ids=positions, logits_to_keep=kept),
        )
        self._cache = out.past_key_values
        for row, each in zip(self.rows, fed, strict=True):
            row.seen += len(each)
        return out.logits[:, -kept:]

    def shrink(self) -> None:
        """Let finished rows go once they are many."""
        alive = [index for index, row in enumerate(self.rows) if not row.done]
        # What a cache of another class holds beside its layers would stay behind.
        movable = type(self._cache) is DynamicCache
        if alive and not movable or len(alive) > KEPT_SHARE * len(self.rows):
            return
        self.rows = [self.rows[index] for index in alive]
        self.numbers = [self.numbers[index] for index in alive]
        if alive:
            kept = torch.tensor(alive, device=self._device)
            self._mask = self._mask[kept]
            self._cache.reorder_cache(kept)


def attends_to_all(config: Any) -> bool:
    """Return whether every layer of a model looks at all tokens by their keys and values alone.

    Only then may a prompt be continued after a shared beginning, and rows be fed stretches of unequal length:
    both leave padding inside a row, which a sliding window counts and a running state takes in.
    """
    return all(type(layer) is DynamicLayer for layer in DynamicCache(config=config).layers)


def exact(device: torch.device) -> torch.device:
    """Return where float64 figures of a device are computed: on itself, but on the CPU for Apple's GPUs."""
    return torch.device("cpu") if device.type == "mps" else device


def _settle_stretches(rows: Sequence[Row], logits: torch.Tensor) -> None:
    """Give the tokens that came without a choice the log-probabilities they have in the whole vocabulary."""
    held = [index for index, row in enumerate(rows) if row.forced and not row.done]
    width = logits.shape[1] - 1
    for start in range(0, len(held), ROWS_AT_ONCE):
        chosen = held[start : start + ROWS_AT_ONCE]
        fed = [rows[index].pending[-rows[index].forced :] for index in chosen]
        tokens = torch.tensor([[0] * (width - len(each)) + each for each in fed], device=logits.device)
        scaled = _scaled(logits[chosen, :-1], [rows[index] for index in chosen])
        logprobs = scaled.gather(2, tokens.unsqueeze(2)).squeeze(2) - scaled.logsumexp(2)
        for index, each in zip(chosen, logprobs.tolist(), strict=True):
            rows[index].settle(each)


def _draw(rows: Sequence[Row], last: torch.Tensor, stops: frozenset[int]) -> None:
    """Draw the next token of every row that is not done."""
    wanted = [index for index, row in enumerate(rows) if not row.done]
    if not wanted:
        return
    chosen = [rows[index] for index in wanted]
    whole = _scaled(last[wanted], chosen)
    allowed = _held(whole, chosen)
    total = allowed.logsumexp(1, keepdim=True)
    # One uniform figure per token and row: what is drawn depends on nothing else in the batch.
    place = exact(last.device)
    shares = (allowed - total).to(place).double().exp().cumsum(1)
    luck = torch.tensor([[row.luck()] for row in chosen], device=place, dtype=torch.float64)
    token = torch.searchsorted(shares, luck * shares[:, -1:], right=True).clamp(max=last.shape[1] - 1)
    token = token.to(last.device)
    greedy = torch.tensor([[row.temperature == 0] for row in chosen], device=last.device)
    token = torch.where(greedy, allowed.argmax(1, keepdim=True), token)
    logprob = whole.gather(1, token) - whole.logsumexp(1, keepdim=True)
    drawn = allowed.gather(1, token) - total
    figures = torch.cat([each.to(place).double() for each in (token, logprob, drawn)], dim=1).tolist()
    for row, (number, one, other) in zip(chosen, figures, strict=True):
        if not math.isfinite(one):
            raise BackendError(NOT_NUMBERS)
        row.take(int(number), one, other, stops)


def _scaled(logits: torch.Tensor, rows: Sequence[Row]) -> torch.Tensor:
    """Return logits at each row's temperature; at 1 for a greedy one."""
    heat = torch.tensor([row.temperature or 1.0 for row in rows], device=logits.device)
    return logits.float() / heat.view(-1, *[1] * (logits.dim() - 1))


def _held(logits: torch.Tensor, rows: Sequence[Row]) -> torch.Tensor:
    """Return logits in which a held row has only the tokens that its tree allows next."""
    held = [(index, row.node) for index, row in enumerate(rows) if row.node is not None]
    if not held:
        return logits
    across = [index for index, node in held for _ in node.children]
    down = [token for _, node in held for token in node.children]
    masked = logits.clone()
    masked[[index for index, _ in held]] = -torch.inf
    masked[across, down] = logits[across, down]
    return masked
