"""A small Qwen3's forward pass for training on a CPU: only what is asked for, in few large operations.

It computes what the model's own forward pass computes (a test compares them), in about half of the time.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional
from transformers import Qwen3ForCausalLM


class Read(NamedTuple):
    """What a forward pass gives."""

    marks: Tensor
    """The states before the last layer, [rows, length, hidden]."""
    states: Tensor
    """The last states at the places that were asked for, [rows, places, hidden]."""


def read(model: Qwen3ForCausalLM, ids: Tensor, places: Tensor) -> Read:
    """Return the states of `ids` [rows, length]; `places` [rows, count] are those whose last one is wanted.

    Causal, without a mask: padding must stand at the end.
    """
    config, layers = model.config, list[Any](model.model.layers)
    eps = config.rms_norm_eps
    states = functional.embedding(ids, model.model.embed_tokens.weight)
    turns = _turns(model, ids.shape[1])
    for layer in layers[:-1]:
        mixed = functional.rms_norm(states, states.shape[-1:], layer.input_layernorm.weight, eps)
        heads = _turned(_projected(layer, mixed), layer, turns, eps)
        states = states + _attended(*heads, layer)
        states = states + _fed(layer, states, eps)
    last, rows = layers[-1], torch.arange(len(ids))[:, None]
    mixed = functional.rms_norm(states, states.shape[-1:], last.input_layernorm.weight, eps)
    queries, keys, values = _turned(_projected(last, mixed), last, turns, eps)
    # Only the places that are asked for look back, and only at what stands before them.
    queries = queries.transpose(1, 2)[rows, places].transpose(1, 2)
    behind = torch.arange(ids.shape[1]) <= places[:, None, :, None]
    found = states[rows, places] + _attended(queries, keys, values, last, behind)
    found = found + _fed(last, found, eps)
    return Read(states, functional.rms_norm(found, found.shape[-1:], model.model.norm.weight, eps))


def _turns(model: Qwen3ForCausalLM, length: int) -> tuple[Tensor, Tensor]:
    """Return the cosines and sines of the rotary positions, [length, head size] each."""
    angles = torch.arange(length)[:, None] * model.model.rotary_emb.inv_freq[None]
    both = torch.cat((angles, angles), dim=-1)
    return both.cos(), both.sin()


def _projected(layer: Any, mixed: Tensor) -> Tensor:
    """Return queries, keys and values, [rows, length, heads, head size] with all heads in one."""
    attention = layer.self_attn
    weights = torch.cat((attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight))
    return functional.linear(mixed, weights).unflatten(-1, (-1, attention.head_dim))


def _turned(
    heads: Tensor, layer: Any, turns: tuple[Tensor, Tensor], eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return normalised and rotated queries and keys, and the values, [rows, heads, length, head size]."""
    attention = layer.self_attn
    size = attention.head_dim
    groups = attention.num_key_value_groups
    few = heads.shape[2] // (groups + 2)
    cosines, sines = turns
    count = groups * few
    weights = torch.cat((attention.q_norm.weight.expand(count, -1), attention.k_norm.weight.expand(few, -1)))
    # The norms' weights go into the rotation, whose tables are small.
    half = size // 2
    straight = cosines[:, None] * weights
    across = sines[:, None] * torch.cat((-weights[:, half:], weights[:, :half]), dim=-1)
    both, values = heads.split((count + few, few), dim=2)
    both = functional.rms_norm(both, (size,), None, eps)
    both = both * straight + torch.cat((both[..., half:], both[..., :half]), dim=-1) * across
    queries, keys = both.transpose(1, 2).split((count, few), dim=1)
    return queries, keys, values.transpose(1, 2)


def _attended(
    queries: Tensor, keys: Tensor, values: Tensor, layer: Any, behind: Tensor | None = None
) -> Tensor:
    found = functional.scaled_dot_product_attention(
        queries,
        keys.repeat_interleave(layer.self_attn.num_key_value_groups, 1),
        values.repeat_interleave(layer.self_attn.num_key_value_groups, 1),
        attn_mask=behind,
        is_causal=behind is None,
    )
    return functional.linear(found.transpose(1, 2).flatten(2), layer.self_attn.o_proj.weight)


def _fed(layer: Any, states: Tensor, eps: float) -> Tensor:
    mixed = functional.rms_norm(states, states.shape[-1:], layer.post_attention_layernorm.weight, eps)
    both = functional.linear(mixed, torch.cat((layer.mlp.gate_proj.weight, layer.mlp.up_proj.weight)))
    gate, up = both.chunk(2, dim=-1)
    return functional.linear(functional.silu(gate) * up, layer.mlp.down_proj.weight)
