"""A small sweep of the rehearsal, and a process that runs it until it is killed."""

import asyncio
import sys
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestra_app import Settings, Workspace
from orchestra_app.core.task import Budget, Preference
from orchestra_app.frontier.definition import Sweep, save, settings_of
from orchestra_app.frontier.sweep import RunFinished, sweep
from orchestra_app.orchestrator.questions import from_rehearsal

KILLED = "0123456789ab"


def define(world: Workspace, count: int = 4, **fields: Any) -> Sweep:
    catalog = world.catalog()
    known: dict[str, Any] = {
        "title": "rehearsal:heldout",
        "catalog": catalog.ref,
        "simulated": True,
        "questions": from_rehearsal("heldout").first(count).questions,
        "settings": settings_of(["rules"], {"balanced": Preference()}, [Budget()]),
        "created_at": datetime.now(UTC),
    }
    return Sweep(**{**known, **fields})


async def follow(world: Workspace, made: Sweep, stop: Any = None) -> list[Any]:
    """Run a sweep to its end and return its events, the first a start and the last an end."""
    found = []
    async with aclosing(sweep(world, made, stop=stop)) as progress:
        async for event in progress:
            found.append(event)
    return found


async def main(home: Path) -> None:
    world = await Workspace.open(Settings(home=home))
    made = define(world, 200, id=KILLED)
    save(made, home / "sweeps")
    async with aclosing(sweep(world, made)) as progress:
        async for event in progress:
            if isinstance(event, RunFinished):
                print(event.row.trace_id, flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
