"""Random Qwen3 models of a few thousand weights with a tokenizer of their own and the real chat template."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from orchestra_app.backends.local import LocalModel
from orchestra_app.training.tokenizer import chat_template

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
ADDED = ["<tool_call>", "</tool_call>", "<think>", "</think>"]
SPLIT = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CORPUS = (
    'Problem: what is 6 * 7? Choose an appropriate tool. {"name": "enhance_reasoning", "arguments": {"model"'
    ': "reasoner-1"}} search search-1 search-2 answer answer-1 answer-math-1 Documents: Doc 1: the river',
)


def tiny_tokenizer(corpus: Iterable[str] = CORPUS, size: int = 420) -> PreTrainedTokenizerFast:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(ADDED),
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(corpus, trainer)
    made.add_tokens([AddedToken(token, normalized=False, special=False) for token in ADDED])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<|im_end|>", pad_token="<|endoftext|>", padding_side="left"
    )
    tokenizer.chat_template = chat_template()
    return tokenizer


def tiny_model(
    *, seed: int = 0, hidden: int = 32, layers: int = 2, context: int = 16_384, tokenizer: Any = None
) -> LocalModel:
    tokenizer = tokenizer or tiny_tokenizer()
    torch.manual_seed(seed)
    config = Qwen3Config(
        vocab_size=(len(tokenizer) + 7) // 8 * 8,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        intermediate_size=hidden * 2,
        max_position_embeddings=context,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        dtype="float32",
        # Larger than usual, so that a random model has opinions worth testing.
        initializer_range=0.2,
    )
    return LocalModel(Qwen3ForCausalLM(config).eval(), tokenizer, "tiny")


def save(model: LocalModel, folder: Path) -> Path:
    model.model.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    return folder
