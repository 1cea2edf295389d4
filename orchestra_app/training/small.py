"""The small policy's architecture: Qwen3, made small, so that it loads wherever a Qwen3 does."""

from pathlib import Path

import torch
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM
from transformers.utils.logging import disable_progress_bar

from orchestra_app.training.tokenizer import END, PAD

HIDDEN, LAYERS, HEADS, KV_HEADS, HEAD, INNER = 96, 3, 4, 2, 24, 288


def make_model(tokenizer: PreTrainedTokenizerFast, *, seed: int) -> Qwen3ForCausalLM:
    """Return an untrained model of about half a million parameters for a tokenizer."""
    torch.manual_seed(seed)
    end, pad = _ends(tokenizer)
    config = Qwen3Config(
        vocab_size=-(-len(tokenizer) // 8) * 8,
        hidden_size=HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        head_dim=HEAD,
        intermediate_size=INNER,
        max_position_embeddings=tokenizer.model_max_length,
        tie_word_embeddings=True,
        eos_token_id=end,
        pad_token_id=pad,
        bos_token_id=None,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        dtype="float32",
    )
    return Qwen3ForCausalLM(config)


def _ends(tokenizer: PreTrainedTokenizerFast) -> tuple[int, int]:
    """Return the tokens that end a reply and that fill a batch."""
    vocabulary = tokenizer.get_vocab()
    return vocabulary[END], vocabulary[PAD]


def save(model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write weights, tokenizer and settings into a folder, as the Auto classes of transformers read them."""
    end, pad = _ends(tokenizer)
    disable_progress_bar()
    model.generation_config = GenerationConfig(do_sample=False, eos_token_id=end, pad_token_id=pad)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    for file in folder.iterdir():
        # safetensors leaves its file readable by its owner alone.
        file.chmod(0o644)
