"""What blind votes say of settings: how often one is preferred to another, and what it saves."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestra_app.core.vote import Choice
from orchestra_app.frontier.bootstrap import Estimate
from orchestra_app.scoring.agreement import wilson

Z = 1.959964


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two answers that were compared."""

    setting: str
    """What gave the answer: a policy with its preset."""
    cost: float
    """USD."""
    seconds: float


@dataclass(frozen=True, slots=True)
class Duel:
    """Two answers to one question, and which of them a person preferred unseen."""

    a: Side
    b: Side
    choice: Choice


@dataclass(frozen=True, slots=True)
class Standing:
    """How two settings stand to each other after all their duels."""

    first: str
    second: str
    wins: int
    """Duels in which the first was preferred."""
    losses: int
    ties: int
    bad: int
    """Duels in which neither was good."""
    rate: Estimate
    """Share of duels that the first won, a tie and `both bad` as half, with Wilson's 95 % interval."""
    cost: Estimate | None
    """USD by which the first is cheaper a question, with the paired 95 % t interval; None for one duel."""
    seconds: Estimate | None
    """Seconds by which the first is quicker, likewise."""

    @property
    def count(self) -> int:
        return self.wins + self.losses + self.ties + self.bad


def standings(duels: Iterable[Duel]) -> list[Standing]:
    """Return a standing per pair of settings, those with the most duels first.

    Duels of a setting with itself compare nothing and are left out.
    """
    pairs: dict[tuple[str, str], list[Duel]] = {}
    for duel in duels:
        if duel.a.setting != duel.b.setting:
            turned = duel if duel.a.setting < duel.b.setting else _turned(duel)
            pairs.setdefault((turned.a.setting, turned.b.setting), []).append(turned)
    found = [_standing(names, each) for names, each in pairs.items()]
    return sorted(found, key=lambda each: (-each.count, each.first, each.second))


def mean_interval(values: Sequence[float]) -> Estimate | None:
    """Return the mean of a sample with Student's 95 % interval; None for fewer than two values."""
    count = len(values)
    if count < 2:
        return None
    mean = math.fsum(values) / count
    spread = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    half = student(count - 1) * math.sqrt(spread / count)
    return Estimate(mean, mean - half, mean + half)


def student(freedom: int) -> float:
    """Return the 97.5 % quantile of Student's t for 1 or more degrees of freedom, within 0.2 %.

    From three degrees on the expansion in powers of 1 / freedom (Abramowitz and Stegun 26.7.5).
    """
    if freedom < 3:
        return (12.706205, 4.302653)[freedom - 1]
    terms = (
        (Z**3 + Z) / 4,
        (5 * Z**5 + 16 * Z**3 + 3 * Z) / 96,
        (3 * Z**7 + 19 * Z**5 + 17 * Z**3 - 15 * Z) / 384,
        (79 * Z**9 + 776 * Z**7 + 1482 * Z**5 - 1920 * Z**3 - 945 * Z) / 92_160,
    )
    return Z + math.fsum(term / freedom**power for power, term in enumerate(terms, 1))


def _turned(duel: Duel) -> Duel:
    turned: dict[Choice, Choice] = {"a": "b", "b": "a"}
    return Duel(duel.b, duel.a, turned.get(duel.choice, duel.choice))


def _standing(names: tuple[str, str], duels: Sequence[Duel]) -> Standing:
    count = {name: sum(duel.choice == name for duel in duels) for name in ("a", "b", "tie", "both bad")}
    share = (count["a"] + (count["tie"] + count["both bad"]) / 2) / len(duels)
    return Standing(
        *names,
        wins=count["a"],
        losses=count["b"],
        ties=count["tie"],
        bad=count["both bad"],
        rate=Estimate(share, *wilson(share, len(duels))),
        cost=mean_interval([duel.b.cost - duel.a.cost for duel in duels]),
        seconds=mean_interval([duel.b.seconds - duel.a.seconds for duel in duels]),
    )
