"""Prints how long a frontier, re-pricing, a forecast and reading a sweep's runs back take.

Run it with `python tests/benchmarks/frontier.py`.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np

from orchestra_app.core.task import Budget, Preference, Task
from orchestra_app.core.usage import Charge, Price, Usage
from orchestra_app.frontier.bootstrap import Samples, bootstrap
from orchestra_app.frontier.compare import compare
from orchestra_app.frontier.forecast import learn
from orchestra_app.frontier.repricing import columns, reprice
from orchestra_app.storage.outcomes import Outcome

SETTINGS, QUESTIONS, CHARGES, TRACES = 12, 500, 100_000, 5_000


def timed(title: str, work: Callable[[], Any], *, goal: float | None = None, times: int = 9) -> None:
    took = []
    for _ in range(times):
        began, cpu = time.perf_counter(), time.process_time()
        work()
        took.append(((time.perf_counter() - began) * 1e3, (time.process_time() - cpu) * 1e3))
    middle, cpu = sorted(took)[times // 2][0], sorted(each for _, each in took)[times // 2]
    ratio = f", {middle / goal:.2f} × the goal of {goal:.0f} ms" if goal else ""
    print(f"{title}: {middle:.1f} ms ({cpu:.1f} ms CPU){ratio}")


def samples() -> Samples:
    rng = np.random.default_rng(1)
    chance = np.linspace(0.3, 0.9, SETTINGS)[:, None]
    correct = (rng.random((SETTINGS, QUESTIONS)) < chance).astype(float)
    cost = rng.lognormal(-4, 1, (SETTINGS, QUESTIONS)) * np.linspace(0.1, 3, SETTINGS)[:, None]
    names = tuple(f"setting {n}" for n in range(SETTINGS))
    return Samples(names, tuple(str(n) for n in range(QUESTIONS)), correct, cost, cost * 1e3)


def charges() -> list[Charge]:
    rng = np.random.default_rng(2)
    names = [f"model {n}" for n in range(12)]
    prices = [Price(input=n / 4, cached=n / 40, output=float(n), source="a table") for n in range(12)]
    tokens = rng.integers(0, 20_000, (CHARGES, 3)).tolist()
    found = []
    for number, (prompt, cached, output) in enumerate(tokens):
        usage = Usage(input_tokens=prompt, cached_tokens=min(cached, prompt), output_tokens=output)
        price = prices[number % 12]
        found.append(
            Charge(who=names[number % 12], kind="expert", usage=usage, price=price, cost=price.cost(usage))
        )
    return found


def outcomes() -> list[Outcome]:
    rng = np.random.default_rng(3)
    return [
        Outcome(
            id=str(number),
            task=Task(
                id="", question="x" * int(rng.integers(10, 400)), preference=Preference(), budget=Budget()
            ),
            policy="rules",
            catalog="rehearsal",
            catalog_hash="0",
            group=None,
            wish="",
            status="answered",
            verdict="unlabelled",
            cost=float(rng.lognormal(-5, 1)),
            seconds=float(rng.lognormal(3, 1)),
            simulated=True,
            seed=0,
            parent=None,
            error=None,
            started_at=datetime.now(UTC),
        )
        for number in range(TRACES)
    ]


def main() -> None:
    table, booked, saved = samples(), charges(), outcomes()
    timed(f"{SETTINGS} settings × {QUESTIONS} questions × 2,000 replicates alone", lambda: bootstrap(table))
    timed(
        "the same with intervals, frontier, band and all paired differences", lambda: compare(table), goal=100
    )
    flat = columns(booked)
    dearer = {name: Price(input=9.0, output=9.0) for name in flat.names}
    same = {charge.who: charge.price for charge in booked[:12]}
    timed(f"{CHARGES:,} charges as columns", lambda: columns(booked), times=5)
    timed(f"re-pricing {CHARGES:,} charges", lambda: reprice(flat, dearer), goal=200)
    timed("both together", lambda: reprice(columns(booked), dearer).total, goal=200, times=5)
    assert reprice(flat, same).total == reprice(flat, same).original
    learned = learn(saved)
    timed(f"learning a forecast from {TRACES:,} traces", lambda: learn(saved), times=3)
    timed("one forecast", lambda: learned.forecast("rules", "What is 6 * 7?", Preference(), Budget()))


if __name__ == "__main__":
    main()
