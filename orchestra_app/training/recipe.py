"""The recipe of the shipped small policy: from nothing to a checkpoint on the rehearsal's train questions."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from orchestra_app.backends.local.places import SHIPPED
from orchestra_app.catalogs import load_catalog
from orchestra_app.core.catalog import Catalog
from orchestra_app.core.value import Value
from orchestra_app.training import checkpoint
from orchestra_app.training.rows import distant_pools

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

NAME = "small-policy"
STEPS = 2_048
MADE = (
    "A Qwen3 architecture with random weights, taught on visited states by a planner that knows the table of "
    "the rehearsal's simulated experts, with sliders, exclusions and budgets drawn at random; the tokenizer "
    "is its own. No weights, data or text of any other model went into it."
)
LIMITS = (
    "It knows the tools, prices and question kinds of the rehearsal and nothing else: it reads no prices, "
    "and under other tools it is out of place. Wordings that it never saw lower its accuracy. Its "
    "figures say nothing about real models. Budgets and exclusions are kept by the program, not by it."
)
TEMPLATE = "The chat template is Qwen3's (Apache-2.0), as TRL carries it."


class Progress(Value):
    """How far the recipe is."""

    step: int
    steps: int
    loss: float
    accuracy: float
    """Share of this step's turns on which its likeliest reply was the planner's."""
    seconds: float
    """Real time since the start."""


async def rehearsal(
    folder: Path,
    *,
    seed: int = 0,
    threads: int = 1,
    minutes: float | None = None,
    steps: int = STEPS,
) -> AsyncGenerator[Progress]:
    """Train a small policy from nothing, yield every step, and leave a checkpoint in `folder` at the end.

    Equal seed, steps and threads give equal weights on one machine. minutes: after these it ends early, with
    a checkpoint. Closing the generator stops it and writes nothing; consume it with `aclosing`. Raises
    TrainingError where the checkpoint cannot be written.
    """
    # Loaded only where something is trained: together they take seconds.
    import torch

    from orchestra_app.training import small, warm
    from orchestra_app.training.tokenizer import make_tokenizer

    torch.set_num_threads(threads)
    catalog = load_catalog("rehearsal")
    tokenizer = await asyncio.to_thread(make_tokenizer, catalog)
    model = small.make_model(tokenizer, seed=seed)
    schedule = warm.Schedule(steps=steps)
    began = time.monotonic()
    done = 0
    async with (
        aclosing(distant_pools(schedule.order(seed))) as pools,
        aclosing(warm.warm_up(model, pools, schedule, seed=seed)) as learning,
    ):
        async for learned in learning:
            done = learned.step + 1
            seconds = time.monotonic() - began
            yield Progress(
                step=done, steps=steps, loss=learned.loss, accuracy=learned.accuracy, seconds=seconds
            )
            if minutes is not None and seconds > 60 * minutes:
                break
    model.eval()
    await asyncio.to_thread(_write, folder, catalog, model, tokenizer, _notes(seed, done))


def _notes(seed: int, steps: int) -> dict[str, str]:
    return {
        "how it was made": f"{MADE} Recipe rehearsal, seed {seed}, {steps:,} steps.",
        "limits": LIMITS,
        "licence": f"Apache-2.0. {TEMPLATE}",
    }


def _write(
    folder: Path,
    catalog: Catalog,
    model: "Qwen3ForCausalLM",
    tokenizer: "PreTrainedTokenizerFast",
    notes: dict[str, str],
) -> None:
    from orchestra_app.training.small import save

    def fill(draft: Path) -> None:
        save(model, tokenizer, draft)
        (draft / "README.md").write_text(_readme(notes), encoding="utf-8")

    card = checkpoint.Card(
        name=NAME,
        root=SHIPPED,
        catalog=catalog.ref,
        schemas=checkpoint.digest(catalog),
        parameters=sum(each.numel() for each in model.parameters()),
        notes=notes,
        made_at=datetime.now(UTC),
    )
    checkpoint.write(folder, card, fill)


def _readme(notes: dict[str, str]) -> str:
    sections = "".join(f"\n## {title[0].upper()}{title[1:]}\n\n{text}\n" for title, text in notes.items())
    return f"# The small policy of the rehearsal\n{sections}"
