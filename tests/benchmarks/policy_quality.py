"""What the small policy reaches beside the baselines, paired by question.

Run as `python -m tests.benchmarks.policy_quality [-n N] [--luck SEEDS] [FOLDER ...]`: N questions of every
set, and folders of policies (each trained from another seed); without any, the shipped one. Every figure is
simulated; those that are compared are means over so many seeds of the simulated luck, two if left out, with
intervals over questions.
"""

import argparse
import asyncio
import contextlib
import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from orchestra_app.backends.baseline import BASELINES
from orchestra_app.backends.local.options import local_backend
from orchestra_app.core.catalog import Model
from orchestra_app.core.task import Budget, Preference, Task
from orchestra_app.core.trace import Trace, alias_of
from orchestra_app.orchestrator.policy import Policy
from orchestra_app.orchestrator.presets import preset
from orchestra_app.rehearsal.draws import Split
from orchestra_app.rehearsal.free import arithmetic_program
from orchestra_app.rehearsal.questions import Question, questions
from orchestra_app.rehearsal.typed import Typed, typed
from orchestra_app.scoring.match import matches
from orchestra_app.training.stage import Stage, open_stage, roll

AT_ONCE = 96
FREE = Budget(cost=None, seconds=None)
COMPARED = ("balanced", "best")
"""Presets that are compared with the baselines."""
REPLICATES = 2_000
FLIPS = ("gpt-5", "gpt-5-mini", "qwen3-32b", "llama-70b")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a setting came to, one number per question."""

    right: np.ndarray
    cost: np.ndarray
    seconds: np.ndarray
    calls: dict[str, int]
    overshoots: int
    violations: int

    @property
    def line(self) -> str:
        error = self.right.std() / len(self.right) ** 0.5
        return (
            f"{100 * self.right.mean():5.1f} % (± {196 * error:.1f})  ${self.cost.mean():.5f}  "
            f"{self.seconds.mean():5.1f} s  overshoots {self.overshoots}  violations {self.violations}"
        )


def outcome(stage: Stage, asked: Sequence[Question], traces: Sequence[Trace]) -> Outcome:
    """Return what the traces of these questions came to."""
    models = Counter(
        found[1].model
        for trace in traces
        for _, call, _ in trace.calls
        if (found := stage.catalog.choice(alias_of(call) or ""))
    )
    over = sum(trace.task.budget.cost is not None and trace.cost > trace.task.budget.cost for trace in traces)
    return Outcome(
        right=np.array(
            [
                trace.answer is not None and matches(trace.answer, question.gold)
                for question, trace in zip(asked, traces, strict=True)
            ],
            float,
        ),
        cost=np.array([trace.cost for trace in traces]),
        seconds=np.array([trace.seconds for trace in traces]),
        calls=dict(models),
        overshoots=over,
        violations=sum(trace.violations for trace in traces),
    )


async def run(
    stage: Stage,
    policy: Policy,
    asked: Sequence[Question],
    wish: Preference,
    budget: Budget = FREE,
    seed: int = 0,
) -> Outcome:
    """Ask every question once and return what came of it."""
    gate, orchestrator = asyncio.Semaphore(AT_ONCE), stage.orchestrator(policy)

    async def one(number: int, question: Question) -> Trace:
        task = Task(id=str(number), question=question.text, preference=wish, budget=budget)
        async with gate:
            return await roll(orchestrator, task, seed=seed)

    traces = await asyncio.gather(*(one(number, question) for number, question in enumerate(asked)))
    return outcome(stage, asked, traces)


async def repeated(
    stage: Stage, policy: Policy, asked: Sequence[Question], wish: Preference, luck: int
) -> Outcome:
    """Ask every question under so many seeds, without a budget; return the means by question."""
    found = [await run(stage, policy, asked, wish, seed=seed) for seed in range(luck)]
    return Outcome(
        right=np.mean([each.right for each in found], axis=0),
        cost=np.mean([each.cost for each in found], axis=0),
        seconds=np.mean([each.seconds for each in found], axis=0),
        calls=dict(sum((Counter(each.calls) for each in found), Counter())),
        overshoots=sum(each.overshoots for each in found),
        violations=sum(each.violations for each in found),
    )


def paired(a: Outcome, b: Outcome) -> str:
    """Return the difference in accuracy with its paired 95 % interval, and the ratios of cost and time."""
    random, count = np.random.default_rng(0), len(a.right)
    gap = a.right - b.right
    drawn = gap[random.integers(0, count, (REPLICATES, count))].mean(axis=1)
    low, high = np.percentile(100 * drawn, [2.5, 97.5])
    return (
        f"{100 * gap.mean():+5.1f} points [{low:+.1f}, {high:+.1f}], "
        f"{a.cost.mean() / max(b.cost.mean(), 1e-12):.2f} x its cost, "
        f"{b.seconds.mean() / max(a.seconds.mean(), 1e-9):.2f} x as fast"
    )


def baseline(stage: Stage, name: str) -> Policy:
    return stage.policy(name, BASELINES[name])


async def small(
    stage: Stage, name: str, folder: Path, asked: Sequence[Question], luck: int
) -> dict[str, Outcome]:
    """Return what one policy reaches under each preset, and with sliders flipped."""
    backend = local_backend(str(folder), Model(backend="local", options={"constrained": True}))
    policy = stage.policy(name, backend)
    found: dict[str, Outcome] = {}
    for wish in ("balanced", "best", "frugal", "quick"):
        seeds = luck if wish in COMPARED else 1
        found[wish] = await repeated(stage, policy, asked, preset(wish, stage.catalog), seeds)
        print(f"{name:10} {wish:22} {found[wish].line}", flush=True)
    for budget in (Budget(), Budget(cost=0.01, seconds=120), Budget(cost=0.003, seconds=60)):
        name_of = f"balanced, ${budget.cost}, {budget.seconds:g} s"
        found[name_of] = await run(stage, policy, asked, Preference(), budget)
        print(f"{name:10} {name_of:22} {found[name_of].line}", flush=True)
    neutral = found["balanced"].calls
    for model in FLIPS:
        for side, slider in (("preferred", 0.9), ("avoided", 0.1)):
            wish = Preference(weights={model: slider})
            flipped = (await run(stage, policy, asked[:300], wish)).calls
            print(
                f"{name:10} {model} {side}: {share(flipped, model)} of the calls; "
                f"{share(neutral, model)} neutral"
            )
    await backend.close()
    return found


def share(calls: dict[str, int], model: str) -> str:
    return f"{100 * calls.get(model, 0) / max(1, sum(calls.values())):.1f} %"


def gold(question: Typed) -> str:
    """Return what a good answer to a typed question contains."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(arithmetic_program(question.text) or "", {})  # noqa: S102
    return question.gold or printed.getvalue().strip()


async def type_in(stage: Stage, policy: Policy, split: Split) -> str:
    """Return how a policy does on questions as people type them."""
    orchestrator, gate = stage.orchestrator(policy), asyncio.Semaphore(AT_ONCE)

    async def one(question: Typed) -> Trace:
        async with gate:
            return await roll(orchestrator, Task(id="t", question=question.text), seed=0)

    asked = typed(split)
    traces = await asyncio.gather(*map(one, asked))
    said = []
    for kind in ("sum", "lookup", "talk"):
        chosen = [(each, trace) for each, trace in zip(asked, traces, strict=True) if each.kind == kind]
        wanted = [(gold(each), trace.answer or "") for each, trace in chosen if gold(each)]
        right = sum(text in answer for text, answer in wanted)
        costs = [trace.cost for _, trace in chosen]
        took = [trace.seconds for _, trace in chosen]
        said.append(
            f"{kind}: {right} of {len(wanted)} right, ${np.mean(costs):.5f}, {np.mean(took):.1f} s each"
        )
    return "; ".join(said)


async def main(count: int, folders: Sequence[Path], luck: int) -> None:
    async with open_stage() as stage:
        for split in ("heldout", "reworded"):
            policies = {"rules": baseline(stage, "rules")}
            for folder in folders:
                backend = local_backend(str(folder), Model(backend="local", options={"constrained": True}))
                policies[folder.name] = stage.policy(folder.name, backend)
            for name, policy in policies.items():
                print(f"typed, {split}, {name}: {await type_in(stage, policy, split)}", flush=True)
            asked = questions(split)[:count]
            print(f"{split}: n = {len(asked)}, all simulated")
            others: dict[str, Outcome] = {}
            if split == "heldout":
                for name in BASELINES:
                    others[name] = await repeated(stage, baseline(stage, name), asked, Preference(), luck)
                    print(f"{name:33} {others[name].line}", flush=True)
                others["search + best expert"] = await repeated(
                    stage,
                    baseline(stage, "best-pipeline"),
                    asked,
                    Preference(excluded=("enhance_reasoning",)),
                    luck,
                )
                print(f"{'search + best expert':33} {others['search + best expert'].line}", flush=True)
            for folder in folders:
                found = await small(stage, folder.name, folder, asked, luck)
                for wish in COMPARED if others else ():
                    for name, other in others.items():
                        print(f"  {folder.name}, {wish} against {name}: {paired(found[wish], other)}")
                totals = {
                    key: [each.right.mean(), each.cost.mean(), each.seconds.mean()]
                    for key, each in found.items()
                }
                print(json.dumps({"policy": folder.name, "split": split, **totals}))


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("folders", nargs="*", type=Path, default=[Path("assets/policy")])
    options.add_argument("-n", type=int, default=2_400)
    options.add_argument("--luck", type=int, default=2)
    given = options.parse_args()
    asyncio.run(main(given.n, given.folders, given.luck))
