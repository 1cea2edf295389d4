"""Random models of a few thousand weights of other kinds: with sliding windows, running states, or both."""

import torch
import transformers
from transformers import AutoModelForCausalLM

from orchestra_app.backends.local import LocalModel
from tests.tiny_qwen3 import tiny_tokenizer

LINEAR = {
    "linear_num_value_heads": 4,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
}
KINDS = {
    "sliding windows": ("MistralConfig", {"sliding_window": 32}),
    "sliding and full": (
        "Gemma3TextConfig",
        {"sliding_window": 32, "num_hidden_layers": 6, "query_pre_attn_scalar": 8},
    ),
    "linear and full": ("Qwen3_5TextConfig", LINEAR),
    "convolutions and full": ("Lfm2Config", {"layer_types": ["conv", "full_attention"] * 2}),
    "states beside keys": (
        "FalconH1Config",
        {"mamba_d_ssm": 32, "mamba_n_heads": 4, "mamba_d_head": 8, "mamba_d_state": 8, "mamba_chunk_size": 8},
    ),
}
"""A kind's configuration, and what it states beyond the usual."""


def tiny_kind(kind: str) -> LocalModel:
    tokenizer = tiny_tokenizer()
    config, fields = KINDS[kind]
    usual = {
        "vocab_size": (len(tokenizer) + 7) // 8 * 8,
        "hidden_size": 32,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "intermediate_size": 64,
        "max_position_embeddings": 16_384,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": None,
        "dtype": "float32",
        # Larger than usual, so that a random model has opinions worth testing.
        "initializer_range": 0.1,
    }
    torch.manual_seed(0)
    made = getattr(transformers, config)(**{**usual, **fields})
    return LocalModel(AutoModelForCausalLM.from_config(made).eval(), tokenizer, kind)
