"""A tiny random policy with the small policy's tokenizer, and a process that trains it until it is killed."""

import asyncio
import sys
from contextlib import aclosing
from pathlib import Path
from random import Random
from typing import Any

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM
from transformers.utils.logging import disable_progress_bar

from orchestra_app import Settings, Workspace
from orchestra_app.backends.local import LocalModel
from orchestra_app.catalogs import load_catalog
from orchestra_app.core.message import ToolCall
from orchestra_app.core.text import EstimatedTokens
from orchestra_app.orchestrator.packed import pack
from orchestra_app.orchestrator.stop import Stop
from orchestra_app.rehearsal.questions import questions
from orchestra_app.training.batches import batch_of
from orchestra_app.training.definition import Definition, load_definition
from orchestra_app.training.grpo import log_probabilities
from orchestra_app.training.samples import Sample
from orchestra_app.training.tokenizer import END, PAD, make_tokenizer, schemas
from orchestra_app.training.train import train

THREADS = 1
"""The last digits of a sum depend on how many threads share it, and two processes must agree."""


def write_tiny(folder: Path, *, seed: int = 0, hidden: int = 32) -> Path:
    """Make a policy of one layer in a folder, unless it is there."""
    if folder.is_dir():
        return folder
    tokenizer = make_tokenizer(load_catalog("rehearsal"))
    torch.manual_seed(seed)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        intermediate_size=2 * hidden,
        max_position_embeddings=2_048,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.get_vocab()[END],
        pad_token_id=tokenizer.get_vocab()[PAD],
        bos_token_id=None,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        dtype="float32",
    )
    local = LocalModel(Qwen3ForCausalLM(config), tokenizer)
    _teach_calls(local, seed)
    disable_progress_bar()
    local.model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _teach_calls(local: LocalModel, seed: int) -> None:
    """Let the policy answer any prompt with one of the calls on offer, each as often."""
    catalog = load_catalog("rehearsal")
    calls = [
        ToolCall(id="", name=name, arguments={"model": alias})
        for name, tool in catalog.tools.items()
        for alias in tool.choices
    ]
    random = Random(seed)
    optimizer = torch.optim.AdamW(local.model.parameters(), lr=1e-2)
    shown = schemas(catalog)
    asked = [question.text for question in questions("train")[:60]]
    prompts = [tuple(local.prompt_ids(pack(text, (), (), tokens=EstimatedTokens()), shown)) for text in asked]
    spelt = [(*local.encode(local.spell(call)), local.end) for call in calls]
    for _ in range(60):
        said = [Sample(random.choice(prompts), random.choice(spelt), 1.0) for _ in range(32)]
        batch = batch_of(said, local.end, "cpu")
        loss = -(log_probabilities(local.model, batch, 1.0) * batch.said).sum() / batch.said.sum()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()


async def follow(
    world: Workspace, definition: Definition, folder: Path, stop: Stop | None = None
) -> list[Any]:
    """Train to the end and return the events."""
    torch.set_num_threads(THREADS)
    async with aclosing(train(world, definition, folder, stop=stop)) as progress:
        return [event async for event in progress]


async def main(home: Path, folder: Path) -> None:
    torch.set_num_threads(THREADS)
    world = await Workspace.open(Settings(home=home))
    async with aclosing(train(world, load_definition(folder / "job.toml"), folder)) as progress:
        async for event in progress:
            print(event.type, getattr(event, "step", 0), flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
