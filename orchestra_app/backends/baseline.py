"""Policies without a model, which every chart compares with; they read the state and spend nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b

from orchestra_app.backends.base import Backend, Request, State
from orchestra_app.backends.choosing import Option, called, cheapest, dearest, middle, options
from orchestra_app.backends.rules import follow_rules
from orchestra_app.backends.scripted import calling
from orchestra_app.core.catalog import ToolKind
from orchestra_app.core.errors import ConfigError
from orchestra_app.core.message import Reply
from orchestra_app.core.purse import Purse

Pick = Callable[[list[Option]], Option | None]
STAGES: tuple[ToolKind, ...] = ("search", "reason", "answer")


@dataclass(frozen=True, slots=True)
class Baseline:
    """A policy that needs no model."""

    name: str
    title: str
    """As it is shown, such as `rules (baseline)`."""
    description: str
    decide: Callable[[State], Reply]

    async def complete(self, request: Request, purse: Purse) -> Reply:
        """Return the reply to the state of the request; `purse` is not used."""
        return self.decide(request.state)


def baseline(name: str) -> Backend:
    """Return a baseline policy as a backend; raises ConfigError for an unknown name."""
    found = BASELINES.get(name)
    if found is None:
        raise ConfigError(f"There is no baseline {name!r}; choose one of: {', '.join(BASELINES)}.")
    return found


def _at_once(pick: Pick, state: State) -> Reply:
    return _call(pick(options(state, "answer")), state)


def _pipeline(pick: Pick, state: State) -> Reply:
    """Call each stage once with one way to pick, passing over a stage that is not on offer."""
    for stage in STAGES:
        found = pick(options(state, stage))
        if found is not None and (stage == "answer" or not called(state, stage)):
            return _call(found, state)
    return Reply()


def _random(state: State) -> Reply:
    """Call any alias on offer, all alike, the same one for equal seed, question and turn."""
    found = [option for stage in STAGES for option in options(state, stage)]
    if not found:
        return Reply()
    key = f"{state.seed}\n{len(state.turns)}\n{state.task.question}"
    drawn = int.from_bytes(blake2b(key.encode(), digest_size=8).digest())
    return _call(found[drawn % len(found)], state)


def _nothing(_: State) -> Reply:
    return Reply()


def _rules(state: State) -> Reply:
    found, why = follow_rules(state)
    return _call(found, state, why)


def _call(option: Option | None, state: State, why: str = "") -> Reply:
    if option is None:
        return Reply()
    return calling(option.tool, {"model": option.alias}, call_id=f"call_{len(state.turns) + 1}", why=why)


def _named(name: str, description: str, decide: Callable[[State], Reply]) -> Baseline:
    return Baseline(name, f"{name} (baseline)", description, decide)


_ALL = (
    _named("rules", "Hand-written rules that read the question, the sliders and the budget.", _rules),
    _named("best-expert", "The dearest answer at once.", partial(_at_once, dearest)),
    _named("best-pipeline", "Search, reason and answer, each with the dearest.", partial(_pipeline, dearest)),
    _named("mid-pipeline", "Search, reason and answer, each in the middle.", partial(_pipeline, middle)),
    _named("cheapest", "The cheapest answer at once.", partial(_at_once, cheapest)),
    _named("random", "Any alias on offer, all alike.", _random),
    _named("do-nothing", "An empty reply.", _nothing),
)
BASELINES: dict[str, Baseline] = {each.name: each for each in _ALL}
"""The baseline policies by name."""
