"""Prints what a policy of Orchestrator-8B's size does on a GPU: decoding, memory and a GRPO step.

Run: python -m tests.benchmarks.gpu [LAYERS]. The weights are random, so a step's replies are held to the
calls on offer. The limit of decoding is the time in which the memory gives every weight once, as measured by
copying; `outside` is what the process holds beyond PyTorch's own allocator.
"""

import asyncio
import gc
import sys
import tempfile
import time
from contextlib import aclosing
from pathlib import Path
from typing import Any

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from orchestra_app import Settings, Workspace
from orchestra_app.backends.local import LocalModel
from orchestra_app.backends.local.model import Quantize
from orchestra_app.core.errors import OrchestraError
from orchestra_app.core.message import ToolCall
from orchestra_app.training.definition import Definition
from orchestra_app.training.progress import Stepped
from orchestra_app.training.train import train
from tests.benchmarks.policy import conversations
from tests.tiny_qwen3 import tiny_model, tiny_tokenizer

LAYERS = 36
SMALL: Any = {"hidden_size": 256, "intermediate_size": 512, "vocab_size": 8_192}
"""The shape that is taken where there is no GPU, to try the script."""
SAID = 64
"""Tokens of a reply whose decoding is timed."""
GIGABYTE = 1e9
GPU = torch.cuda.is_available()


def random_model(layers: int, texts: list[tuple]) -> LocalModel:
    """Return a model of Qwen3-8B's shape with random weights in bfloat16."""
    plain = tiny_model()
    tokenizer: Any = tiny_tokenizer([plain.render(*each) for each in texts], 8_192)
    shape: Any = {"hidden_size": 4_096, "intermediate_size": 12_288, "vocab_size": 151_936} if GPU else SMALL
    config = Qwen3Config(
        **shape,
        num_hidden_layers=layers,
        num_attention_heads=32 if GPU else 4,
        num_key_value_heads=8 if GPU else 2,
        head_dim=128 if GPU else 32,
        max_position_embeddings=40_960,
        tie_word_embeddings=False,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        rope_parameters={"rope_type": "default", "rope_theta": 1_000_000.0},
        dtype="bfloat16",
    )
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda" if GPU else "cpu"):
        model = Qwen3ForCausalLM(config)
    torch.set_default_dtype(torch.float32)
    return LocalModel(model.eval(), tokenizer, "random")


def bandwidth() -> float:
    """Return the bytes per second that a copy reads and writes."""
    source = torch.empty(2**30 if GPU else 2**26, dtype=torch.float32, device="cuda" if GPU else "cpu")
    target = torch.empty_like(source)
    target.copy_(source)
    began = ended()
    for _ in range(10):
        target.copy_(source)
    return 10 * 2 * source.nbytes / (ended() - began)


def ended() -> float:
    if GPU:
        torch.cuda.synchronize()
    return time.perf_counter()


def memory() -> str:
    if not GPU:
        return "no GPU"
    most = torch.cuda.max_memory_allocated() / GIGABYTE
    torch.cuda.reset_peak_memory_stats()
    free, whole = torch.cuda.mem_get_info()
    outside = (whole - free - torch.cuda.memory_reserved()) / GIGABYTE
    held = torch.cuda.memory_allocated() / GIGABYTE
    return f"{held:.1f} GB held, {most:.1f} GB at most, {outside:.1f} GB outside"


def decoding(
    name: str, model: LocalModel, texts: list[tuple], limit: float, at_once: tuple[int, ...]
) -> None:
    """Print the tokens a second of free replies; a token is timed as the difference of two lengths."""
    prompts = [model.prompt_ids(*each) for each in texts]
    for count in at_once:
        asked = (prompts * (count // len(prompts) + 1))[:count]
        # The last prompt's last token differs, so that no whole prompt is seen once for all.
        taken = {most: timed(model, asked, most) for most in (1, SAID + 1)}
        token = (taken[SAID + 1] - taken[1]) / SAID
        print(
            f"{name}, {count:3} at once: {count / token:8.0f} tokens/s, {token * 1e3:6.1f} ms a token, "
            f"{limit / token:5.1%} of the limit; prompts of {sum(map(len, asked)) // count} tokens seen in "
            f"{taken[1]:.2f} s; {memory()}",
            flush=True,
        )


def timed(model: LocalModel, asked: list[list[int]], most: int) -> float:
    best = float("inf")
    for _ in range(2):
        began, count = ended(), len(asked)
        said = model.generate(
            asked,
            most=[most] * count,
            temperatures=[1.0] * count,
            seeds=list(range(count)),
            legal=[None] * count,
        )
        best = min(best, ended() - began)
        assert sum(len(each.ids) for each in said) > 0.9 * most * count
    return best


def alike(texts: list[tuple], calls: list[ToolCall]) -> None:
    """Print on how many prompts the shipped policy replies here as it does on a CPU."""
    said = []
    for device in ("cpu", "auto"):
        model = LocalModel.load("assets:policy", device=device, dtype="float32")
        prompts, legal = [model.prompt_ids(*each) for each in texts], [model.spell(call) for call in calls]
        count = len(prompts)
        said.append(
            model.generate(
                prompts,
                most=[64] * count,
                temperatures=[1.0] * count,
                seeds=list(range(count)),
                legal=[legal] * count,
            )
        )
    same = sum(one.ids == other.ids for one, other in zip(*said, strict=True))
    apart = max(
        abs(x - y)
        for one, other in zip(*said, strict=True)
        if one.ids == other.ids
        for x, y in zip(one.logprobs, other.logprobs, strict=True)
    )
    print(f"the shipped policy: {same} of {len(texts)} replies as on the CPU, log-probs within {apart:.1e}")


async def grpo(name: str, base: Path, home: Path, **settings: Any) -> None:
    """Print what one step costs; nothing is saved."""
    definition = Definition(
        base=str(base), steps=3, groups=8, group_size=8, held=True, learning_rate=1e-6, **settings
    )
    world = await Workspace.open(Settings(home=home))
    try:
        async with aclosing(train(world, definition, home / name.replace(" ", "-"))) as events:
            async for event in events:
                if isinstance(event, Stepped):
                    spent = event.seconds
                    parts = ("generation", "tools", "forward", "backward", "other")
                    shares = ", ".join(f"{part} {getattr(spent, part):.1f}" for part in parts)
                    print(
                        f"GRPO, {name}, step {event.step}: {spent.total:.1f} s ({shares}), "
                        f"{event.rollouts.count} rollouts, {event.rollouts.failed} without an answer, "
                        f"{event.tally.samples} samples, {event.learned.tokens} tokens; {memory()}",
                        flush=True,
                    )
                    if event.step == 2:
                        break
                elif event.type == "finished":
                    print(f"GRPO, {name}: {event.status}: {event.reason}", flush=True)
    except OrchestraError as error:
        print(f"GRPO, {name}: {error}", flush=True)
    await world.aclose()


def main(layers: int) -> None:
    began = time.perf_counter()
    folder = Path(tempfile.mkdtemp())
    texts, calls = conversations(str(folder))
    alike(texts, calls)
    model = random_model(layers, texts)
    if GPU:
        print(torch.cuda.get_device_name(), "torch", torch.__version__)
    rate = bandwidth()
    weights = sum(each.numel() for each in model.model.parameters())
    read = 2 * (weights - model.model.get_input_embeddings().weight.numel())
    print(
        f"{weights / 1e9:.2f} billion weights; copying moves {rate / 1e12:.2f} TB/s, so a token takes "
        f"{read / rate * 1e3:.1f} ms at least in bfloat16; {memory()}",
        flush=True,
    )
    decoding("bfloat16", model, texts, read / rate, (1, 8, 64) if GPU else (1, 2))
    base = folder / "base"
    model.model.save_pretrained(base)
    model.tokenizer.save_pretrained(base)
    del model
    print(f"made and saved after {time.perf_counter() - began:.0f} s", flush=True)
    shares: dict[Quantize, float] = {"8bit": 0.5, "4bit": 0.25}
    for quantize, share in shares.items():
        gc.collect()
        if GPU:
            torch.cuda.empty_cache()
        try:
            small = LocalModel.load(str(base), dtype="bfloat16", quantize=quantize)
            decoding(quantize, small, texts, share * read / rate, (1, 8))
            del small
        except OrchestraError as error:
            print(f"{quantize}: {error}", flush=True)
    jobs: dict[str, Any] = {"an adapter of rank 16": {"rank": 16}, "every weight": {"tokens_at_once": 8_192}}
    for name, settings in jobs.items():
        gc.collect()
        if GPU:
            torch.cuda.empty_cache()
        asyncio.run(grpo(name, base, folder, **settings))
    print(f"all after {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else LAYERS)
