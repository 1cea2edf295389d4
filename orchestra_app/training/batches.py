"""Samples as tensors: packed by length, equal ones sharing a row."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from orchestra_app.training.samples import Candidates, Sample


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples of one forward pass. Equal samples share a row, since a group often says the same."""

    ids: Tensor
    """[rows, width]: prompts padded on the left, completions on the right."""
    mask: Tensor
    """[rows, width]: 1 where there is a token."""
    said: Tensor
    """[rows, longest]: 1 where there is a token of the completion."""
    row: Tensor
    """[samples]: the row of each sample."""
    advantage: Tensor
    """[samples, 1]"""
    old: Tensor
    """[samples, longest]: log-probabilities when the completion was said; NaN where not known."""
    among: Tensor | None = None
    """[rows, longest, most]: the tokens that each one was chosen from, -1 where there are fewer; None: the
    whole vocabulary."""


def packs(samples: Sequence[Sample], most: int) -> Iterator[list[Sample]]:
    """Yield samples of similar length together: `most` tokens with padding, equal samples counted once."""
    pack: list[Sample] = []
    rows: set[tuple[tuple[int, ...], tuple[int, ...]]] = set()
    longest_prompt = longest = 0
    for sample in sorted(samples, key=lambda each: (each.length, each.prompt, each.completion)):
        key = (sample.prompt, sample.completion)
        prompt = max(longest_prompt, len(sample.prompt))
        completion = max(longest, len(sample.completion))
        if pack and len(rows | {key}) * (prompt + completion) > most:
            yield pack
            pack, rows = [], set()
            prompt, completion = len(sample.prompt), len(sample.completion)
        pack.append(sample)
        rows.add(key)
        longest_prompt, longest = prompt, completion
    if pack:
        yield pack


def batch_of(pack: Sequence[Sample], pad: int, device: Any) -> Batch:
    """Return samples as tensors on a device."""
    # The tools stand in the prompt, so that equal prompts leave the same choice.
    chosen = {(sample.prompt, sample.completion): sample.among for sample in pack}
    keys = list(chosen)
    place = {key: index for index, key in enumerate(keys)}
    left = max(len(prompt) for prompt, _ in keys)
    right = max(len(completion) for _, completion in keys)
    ids, mask, said = [], [], []
    for prompt, completion in keys:
        before, after = left - len(prompt), right - len(completion)
        ids.append([pad] * before + list(prompt) + list(completion) + [pad] * after)
        mask.append([0] * before + [1] * (len(prompt) + len(completion)) + [0] * after)
        said.append([1.0] * len(completion) + [0.0] * after)
    old = [
        [*(sample.logprobs or [math.nan] * len(sample.completion)), *[0.0] * (right - len(sample.completion))]
        for sample in pack
    ]
    return Batch(
        ids=torch.tensor(ids, device=device),
        mask=torch.tensor(mask, device=device),
        said=torch.tensor(said, device=device),
        row=torch.tensor([place[sample.prompt, sample.completion] for sample in pack], device=device),
        advantage=torch.tensor([[sample.advantage] for sample in pack], device=device),
        old=torch.tensor(old, device=device),
        among=_among([chosen[key] for key in keys], right, device),
    )


def _among(chosen: Sequence[Candidates | None], longest: int, device: Any) -> Tensor | None:
    if None in chosen:
        return None
    most = max(len(each) for row in chosen for each in row or ())
    rows = [[[*each, *[-1] * (most - len(each))] for each in row or ()] for row in chosen]
    return torch.tensor([[*row, *[[0] * most] * (longest - len(row))] for row in rows], device=device)
