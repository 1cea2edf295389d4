"""What training on traces is for: how much of a change behind the aliases the small policy learns.

The world is the catalogue `changed`; the jobs are those of `orchestra_app.training.story`, which the Train
tab offers. The primary figure, fixed before any result was seen: the share of the gap in reward between the
policy as shipped and a planner that knows the new table which training closes on held-out questions, with
neutral sliders, $0.10 and 240 s. The reward is an evaluation's (`figures.worth_of`), paired by question.

Run: python -m tests.benchmarks.story FOLDER [N], which trains what FOLDER does not hold yet and asks the
first N of the 2,400 held-out questions; with `choose` behind it the last 600 train questions, which no job
meets. Settings are chosen on those alone. `unchanged` trains and asks in the rehearsal itself, where the
policy was taught by the planner already. All figures are simulated.
"""

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

import numpy as np

from orchestra_app import Settings, Workspace
from orchestra_app.backends.base import Backend, Request
from orchestra_app.backends.local import LocalBackend, LocalModel
from orchestra_app.backends.scripted import Scripted, calling
from orchestra_app.catalogs import load_catalog
from orchestra_app.core.catalog import Catalog
from orchestra_app.core.message import Reply
from orchestra_app.core.trace import Trace
from orchestra_app.rehearsal.questions import Question, as_task, questions
from orchestra_app.scoring.verdict import exact
from orchestra_app.training import story
from orchestra_app.training.checkpoint import all_of
from orchestra_app.training.definition import Definition
from orchestra_app.training.figures import worth_of
from orchestra_app.training.planner import Planner
from orchestra_app.training.stage import Stage, open_stage, roll
from orchestra_app.training.train import train

AT_ONCE = 96
REPLICATES = 4_000
JOBS = {"rollout": story.from_rollouts, "traces": story.from_traces}


def planner(catalog: Catalog, chosen: Sequence[Question]) -> Backend:
    """Return a policy that calls what the planner says, which knows the catalogue's table."""
    knowing, known = Planner(catalog), {question.text: question for question in chosen}

    def decide(request: Request) -> Reply:
        alias = knowing.best(request.state, known[request.state.task.question])
        found = catalog.choice(alias)
        return Reply() if found is None else calling(found[0], {"model": alias})

    return Scripted(decide, simulated=True)


async def asked(stage: Stage, backend: Backend, chosen: Sequence[Question]) -> list[Trace]:
    """Return a judged trace of each question, the likeliest reply taken in every turn."""
    orchestrator, gate = stage.orchestrator(stage.policy("asked", backend)), asyncio.Semaphore(AT_ONCE)
    budget = story.from_rollouts().budget

    async def one(question: Question) -> Trace:
        async with gate:
            trace = await roll(orchestrator, as_task(question, budget=budget), seed=0)
        if label := exact(trace):
            trace.labels.append(label)
        return trace

    return list(await asyncio.gather(*map(one, chosen)))


async def trained(definition: Definition, folder: Path, home: Path) -> Path:
    """Run a job unless it has been, and return its last checkpoint's folder."""
    if not (folder / "done").exists():
        world = await Workspace.open(Settings(home=home))
        began, busy = time.perf_counter(), _cpu()
        async with aclosing(train(world, definition, folder)) as events:
            async for event in events:
                if event.type == "finished":
                    assert event.status == "done", event.reason
        await world.aclose()
        taken = f"{time.perf_counter() - began:.0f} s, {_cpu() - busy:.0f} CPU s"
        (folder / "done").write_text(taken)
    print(f"{folder.name}: {(folder / 'done').read_text()}", flush=True)
    return next(iter(all_of(folder)), folder)


def _cpu() -> float:
    found = os.times()
    return found.user + found.system + found.children_user + found.children_system


class Figures:
    """What a policy came to, one number per question."""

    def __init__(self, traces: Sequence[Trace], definition: Definition):
        self.right = np.array([bool(trace.correct) for trace in traces], float)
        self.reward = np.array([worth_of(trace, definition) for trace in traces])
        self.cost = np.array([trace.cost for trace in traces])
        self.seconds = np.array([trace.seconds for trace in traces])

    def __str__(self) -> str:
        return (
            f"n = {len(self.right)}  {100 * self.right.mean():5.1f} % (± {_error(100 * self.right):.1f})  "
            f"reward {self.reward.mean():.4f} (± {_error(self.reward):.4f})  ${self.cost.mean():.5f}  "
            f"{self.seconds.mean():5.1f} s"
        )


def _error(values: np.ndarray) -> float:
    return float(1.96 * values.std() / len(values) ** 0.5)


def closed(before: Figures, after: Figures, best: Figures) -> str:
    """Return the gain in reward and the share of the gap that it closes, with 95 % bootstrap intervals."""
    count = len(before.reward)
    drawn = np.random.default_rng(0).integers(0, count, (REPLICATES, count))
    gains = (after.reward - before.reward)[drawn].mean(axis=1)
    shares = 100 * gains / (best.reward - before.reward)[drawn].mean(axis=1)
    gain = float((after.reward - before.reward).mean())
    share = 100 * gain / float((best.reward - before.reward).mean())
    low, high = np.percentile(gains, [2.5, 97.5])
    least, most = np.percentile(shares, [2.5, 97.5])
    return (
        f"reward {gain:+.4f} [{low:+.4f}, {high:+.4f}], {gain / gains.std():.1f} standard errors; "
        f"{share:.0f} % [{least:.0f}, {most:.0f}] of the gap closed"
    )


async def main(folder: Path, count: int, *, choosing: bool, catalog: str) -> None:
    where = {"catalog": catalog}
    collecting = story.collecting().model_copy(update=where)
    collected = await trained(collecting, folder / "collect", folder / "home")
    assert collected == folder / "collect", "collecting leaves no checkpoint"
    places = {"as shipped": "assets:policy"}
    for name, made in JOBS.items():
        definition = made().model_copy(update=where)
        places[name] = str(await trained(definition, folder / name, folder / "home"))
    chosen = questions("train")[story.QUESTIONS :] if choosing else questions("heldout")[:count]
    definition, found = story.from_rollouts(), {}
    async with open_stage(load_catalog(catalog)) as stage:
        best = planner(stage.catalog, chosen)
        found["planner"] = Figures(await asked(stage, best, chosen), definition)
        print(f"{'planner that knows':20} {found['planner']}", flush=True)
        for name, place in places.items():
            backend = LocalBackend(lambda at=place: LocalModel.load(at), constrained=True, batch=AT_ONCE)
            found[name] = Figures(await asked(stage, backend, chosen), definition)
            await backend.close()
            print(f"{name:20} {found[name]}", flush=True)
    for name in JOBS:
        print(f"{name}: {closed(found['as shipped'], found[name], found['planner'])}")


if __name__ == "__main__":
    given = sys.argv[1:]
    count = next((int(each) for each in given[1:] if each.isdigit()), 2_400)
    world = "rehearsal" if "unchanged" in given else story.CATALOG
    asyncio.run(main(Path(given[0]), count, choosing="choose" in given, catalog=world))
