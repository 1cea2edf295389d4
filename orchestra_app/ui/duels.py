"""Blind duels: one question under two settings, whose names the server keeps until there is a vote."""

import asyncio
import random
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, get_args

from orchestra_app.core.catalog import Catalog
from orchestra_app.core.errors import ConfigError, OrchestraError
from orchestra_app.core.trace import Trace
from orchestra_app.core.vote import Choice, Vote
from orchestra_app.frontier.duels import Duel as Compared
from orchestra_app.frontier.duels import Side, Standing, standings
from orchestra_app.ui.asking import MOST_RUNS, Desk, begin
from orchestra_app.ui.presets import NAMES, preset
from orchestra_app.ui.texts import TEXTS
from orchestra_app.ui.visitor import Visitor
from orchestra_app.ui.wish import MAX_SEED, Wish

CHOICES: tuple[Choice, ...] = get_args(Choice)
IDLE = "do-nothing"
"""A policy that gives no answer, so that nobody is surprised by it."""
KEPT, KEPT_EACH = 1_000, 20
"""Duels that are remembered, of all visitors and of one; older ones can no longer be voted on."""
READ = 2_000
"""Latest votes that the table is made of."""
OWN = ""
"""The preset of a trace whose sliders or budget are those of none."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A policy with a preset of sliders and budget."""

    policy: str
    preset: str

    def said(self, texts: Mapping[str, str]) -> str:
        """Return the setting as it is shown."""
        return f"{self.policy} · {texts[self.preset] if self.preset else texts['blind_own']}"


Known = tuple[Setting, str, float, float]
"""A trace's setting, the name of its catalogue, its USD and its seconds."""


@dataclass
class Duel:
    """One question under two settings, from asking to the vote."""

    id: str
    owner: str
    runs: tuple[str, str]
    """The traces in the order in which they are shown."""
    settings: tuple[Setting, Setting]
    """What gave them, in the same order."""
    vote: int | None = None
    revealed: bool = False
    """Whether the settings were told, after which no vote is blind."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants to compare, as the page sent it."""

    question: Any
    catalog: str
    settings: tuple[Setting, Setting] | None = None
    """None: two that are drawn."""
    consent: bool = False


class Duels:
    """The duels of one installation, in memory: the coin of each must not be found in what is kept."""

    def __init__(self, chance: random.Random | None = None):
        self.chance = chance or random.SystemRandom()
        self.voting = asyncio.Lock()
        """Held while a vote is kept, so that a duel has one at most."""
        self.sides: dict[str, Known] = {}
        """What the table needs of traces that were read already."""
        self._duels: dict[str, Duel] = {}

    def add(self, duel: Duel) -> None:
        """Remember a duel; forget the visitor's oldest beyond `KEPT_EACH`, then others, told ones first."""
        self._duels[duel.id] = duel
        mine = [each.id for each in self._duels.values() if each.owner == duel.owner]
        for old in mine[:-KEPT_EACH]:
            del self._duels[old]
        if len(self._duels) > KEPT:
            told = (each.id for each in self._duels.values() if each.revealed)
            del self._duels[next(told, next(iter(self._duels)))]

    def find(self, visitor: Visitor, duel_id: Any) -> Duel:
        """Return a visitor's duel; raises ConfigError for any other."""
        duel = self._duels.get(duel_id) if isinstance(duel_id, str) else None
        if duel is None or duel.owner != visitor.owner:
            raise ConfigError(TEXTS[visitor.language]["blind_no_duel"])
        return duel

    def open(self, visitor: Visitor) -> Duel | None:
        """Return the latest duel on which a visitor has not voted yet."""
        mine = [duel for duel in self._duels.values() if duel.owner == visitor.owner and not duel.revealed]
        return mine[-1] if mine else None


async def start(desk: Desk, duels: Duels, visitor: Visitor, asked: Asked) -> Duel:
    """Ask under both settings at once, in an order that is drawn; raises ConfigError before anything runs."""
    texts, workspace = TEXTS[visitor.language], desk.workspace
    catalog = workspace.catalog(asked.catalog)
    one, other = asked.settings or await _drawn(desk, duels, asked.catalog)
    if one == other:
        raise ConfigError(texts["blind_same"])
    if one.preset not in NAMES or other.preset not in NAMES:
        raise ConfigError(texts["blind_no_preset"])
    if workspace.runs.active(visitor.owner) + 2 > MOST_RUNS:
        raise ConfigError(texts["blind_too_many"].format(number=MOST_RUNS))
    for each in (one, other):
        await workspace.orchestrator(asked.catalog, each.policy)
    order = (one, other) if duels.chance.random() < 0.5 else (other, one)
    seed, runs = duels.chance.randrange(MAX_SEED), []
    try:
        for each in order:
            wish = _wish(asked.question, each.preset, catalog, seed=seed)
            told: dict[str, Any] = {"catalog": asked.catalog, "policy": each.policy}
            run = await begin(desk, visitor, wish, played=False, consent=asked.consent, **told)
            runs.append(run)
    except OrchestraError:
        for run in runs:
            run.halt()
        raise
    duel = Duel(secrets.token_urlsafe(16), visitor.owner, (runs[0].id, runs[1].id), order)
    duels.add(duel)
    return duel


async def finished(desk: Desk, visitor: Visitor, duel: Duel) -> tuple[Trace, Trace]:
    """Return both traces once both are over; raises ConfigError where one is gone."""
    for name in duel.runs:
        run = desk.workspace.runs.get(name, duel.owner)
        while run is not None and not run.done:
            await run.wait(run.version)
    found = await desk.workspace.store.traces(duel.runs)
    if len(found) < 2:
        raise ConfigError(TEXTS[visitor.language]["blind_gone"])
    return found[duel.runs[0]], found[duel.runs[1]]


def running(desk: Desk, duel: Duel) -> bool:
    """Return whether one of the two runs is still under way."""
    runs = (desk.workspace.runs.get(name, duel.owner) for name in duel.runs)
    return any(run is not None and not run.done for run in runs)


def halt(desk: Desk, duel: Duel) -> None:
    """Stop both runs."""
    for name in duel.runs:
        if run := desk.workspace.runs.get(name, duel.owner):
            run.halt()


async def say(desk: Desk, duels: Duels, visitor: Visitor, duel_id: Any, choice: Any) -> Duel:
    """Keep a visitor's vote; raises ConfigError for a forged or a second one, or while an answer is due."""
    texts, duel = TEXTS[visitor.language], duels.find(visitor, duel_id)
    if choice not in CHOICES:
        raise ConfigError(texts["blind_no_choice"])
    if running(desk, duel):
        raise ConfigError(texts["blind_early"])
    async with duels.voting:
        if duel.revealed:
            raise ConfigError(texts["blind_twice"])
        a, b = duel.runs
        vote = Vote(a=a, b=b, choice=choice, by=visitor.owner, at=datetime.now(UTC))
        duel.vote = await desk.workspace.store.add_vote(vote)
        duel.revealed = True
    return duel


async def take_back(desk: Desk, duels: Duels, visitor: Visitor, duel_id: Any) -> Duel:
    """Remove the vote on a visitor's duel; it stays told, so it takes another question to vote again."""
    duel = duels.find(visitor, duel_id)
    async with duels.voting:
        if duel.vote is None:
            raise ConfigError(TEXTS[visitor.language]["blind_no_vote"])
        await desk.workspace.store.remove_vote(duel.vote, duel.runs, visitor.owner)
        duel.vote = None
    return duel


async def table(desk: Desk, duels: Duels, visitor: Visitor) -> list[Standing]:
    """Return how settings stand to each other after a visitor's votes, an admin's after everybody's."""
    votes = list((await desk.workspace.store.votes(visitor.sees)).values())[-READ:]
    wanted = {name for vote in votes for name in (vote.a, vote.b)}
    duels.sides = {name: known for name, known in duels.sides.items() if name in wanted or visitor.sees}
    names = wanted - duels.sides.keys()
    known: dict[str, Catalog | None] = {}
    found = await desk.workspace.store.traces(sorted(names))
    for trace in found.values():
        digest = trace.catalog.hash
        if digest not in known:
            known[digest] = await desk.workspace.store.catalog(digest)
        where = (setting_of(trace, known[digest]), trace.catalog.name)
        duels.sides[trace.id] = (*where, trace.cost, trace.seconds)
    sides = {name: _side(known_, TEXTS[visitor.language]) for name, known_ in duels.sides.items()}
    return standings(
        Compared(sides[vote.a], sides[vote.b], vote.choice)
        for vote in votes
        if vote.a in sides and vote.b in sides
    )


def setting_of(trace: Trace, catalog: Catalog | None) -> Setting:
    """Return the setting of a trace; its preset is "" where sliders or budget are those of none."""
    for name in NAMES if catalog else ():
        assert catalog
        wish = _wish(trace.task.question, name, catalog)
        if wish.preference == trace.task.preference and wish.budget == trace.task.budget:
            return Setting(trace.policy, name)
    return Setting(trace.policy, OWN)


def _side(known: Known, texts: Mapping[str, str]) -> Side:
    # With the catalogue, since the same names are other models, and simulated ones, in another.
    setting, catalog, usd, seconds = known
    return Side(f"{setting.said(texts)} · {catalog}", usd, seconds)


def _wish(question: Any, name: str, catalog: Catalog, *, seed: int = 0) -> Wish:
    chosen = preset(name, catalog)
    usd, seconds, turns = chosen.budget
    return Wish(
        question=question,
        weights={each: value for each, value in chosen.weights.items() if each in catalog.sliders},
        cost=chosen.cost,
        latency=chosen.latency,
        budget_cost=usd,
        budget_seconds=seconds,
        budget_turns=turns,
        seed=seed,
    )


async def _drawn(desk: Desk, duels: Duels, catalog: str) -> tuple[Setting, Setting]:
    entries = await desk.workspace.policies(catalog)
    usable = [entry.name for entry in entries if entry.reason is None and entry.name != IDLE]
    one, other = duels.chance.sample([Setting(name, each) for name in usable for each in NAMES], 2)
    return one, other
