"""Prints where the time of a GRPO step goes, for the shipped policy, another, or random weights.

Run: python -m tests.benchmarks.training [BASE or HIDDEN], such as 96
"""

import asyncio
import sys
import tempfile
from contextlib import aclosing
from pathlib import Path

from orchestra_app import Settings, Workspace
from orchestra_app.training.definition import Definition
from orchestra_app.training.progress import Stepped
from orchestra_app.training.train import train
from tests.training.tiny_policy import write_tiny

STEPS, FIRST = 8, 2
"""The first steps load indexes and warm caches, and are left out."""


async def main(given: str) -> None:
    """Train for some steps and print each part's share."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        base = write_tiny(folder / "base", hidden=int(given)) if given.isdigit() else given
        world = await Workspace.open(Settings(home=folder / "home"))
        definition = Definition(base=str(base), steps=STEPS, learning_rate=1e-5, checkpoint_every=STEPS)
        steps: list[Stepped] = []
        async with aclosing(train(world, definition, folder / "job")) as events:
            async for event in events:
                if isinstance(event, Stepped):
                    steps.append(event)
        await world.aclose()
    steps = steps[FIRST:]
    total = sum(step.seconds.total for step in steps)
    for part in ("generation", "tools", "forward", "backward", "other"):
        print(f"{part:<12}{sum(getattr(step.seconds, part) for step in steps) / total:6.1%}")
    outside = sum(step.seconds.tools + step.seconds.other for step in steps) / total
    print(f"outside generation, forward and backward {outside:.1%}; the goal is 15 %")
    rollouts = sum(step.rollouts.count for step in steps) / len(steps)
    learned = sum(step.tally.samples for step in steps) / len(steps)
    print(f"{total / len(steps):.2f} s a step of {rollouts:.0f} rollouts and {learned:.0f} samples")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "assets:policy"))
