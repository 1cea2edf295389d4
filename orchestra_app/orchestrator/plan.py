"""What may be offered now: tools drop out as money and time shrink, and a final answer stays affordable."""

from dataclasses import dataclass

from orchestra_app.backends.base import State
from orchestra_app.core.message import Message, Offer
from orchestra_app.core.task import Preference
from orchestra_app.orchestrator.ledger import Hold, RunPurse
from orchestra_app.orchestrator.policy import Policy
from orchestra_app.tools.base import Floor, Tool, Toolbox, permitted

SLACK = 1.2
"""Latencies vary: a call is offered only if this many times its usual seconds are left."""
GROWTH = 4_000
"""Bytes by which the final answer's prompt may grow before it is cut to what the money buys."""


@dataclass(frozen=True, slots=True)
class Ending:
    """A final answer that the loop can take by itself."""

    tool: Tool
    alias: str
    floor: Floor


@dataclass(frozen=True, slots=True)
class Plan:
    """What the next turn may do."""

    offered: tuple[Offer, ...] = ()
    ending: Ending | None = None
    hold: Hold = Hold()
    """What every use but the final answer must leave untouched."""
    refusal: str = ""
    """Why not even a final answer can be had; the run ends with this sentence."""
    excluded: bool = False
    """True where the preferences, not the budget, leave no answer."""


@dataclass(frozen=True, slots=True)
class _Means:
    """The floors of all that is permitted, and what is left to pay them."""

    floors: list[tuple[Tool, str | None, Floor]]
    cost: float | None
    seconds: float | None

    def fits(self, floor: Floor, hold: Hold, slack: float = SLACK) -> bool:
        if self.cost is not None and (floor.cost is None or floor.cost + hold.cost > self.cost):
            return False
        return self.seconds is None or floor.seconds * slack + hold.seconds <= self.seconds


async def plan_packed(toolbox: Toolbox, state: State, purse: RunPurse, *, last: bool = False) -> Plan:
    """Return what the next turn of the packed protocol may do.

    last: whether only tools that end the run are offered. The repeat filter of the reference works here: a
    tool that was called in the last two turns is not offered a third time running.
    """
    preference = state.task.preference
    means = await _means(toolbox, state, purse)
    endings = [Ending(tool, alias, floor) for tool, alias, floor in means.floors if tool.ends and alias]
    if not endings:
        sentence = "The sliders and exclusions leave no model that could give the final answer: allow one."
        return Plan(refusal=sentence, excluded=True)
    affordable = [ending for ending in endings if means.fits(ending.floor, Hold(), slack=1.0)]
    if not affordable:
        return Plan(refusal=_refusal(endings, means))
    cheapest = min(affordable, key=lambda ending: (ending.floor.cost or 0.0, ending.floor.seconds))
    hold = _hold(cheapest, state)
    repeated = _repeated(state)
    fitting = {
        (tool.name, alias)
        for tool, alias, floor in means.floors
        if (tool.ends or not (last or tool.name == repeated))
        and means.fits(floor, Hold() if tool.ends else hold)
    }
    offered = toolbox.offer(preference, lambda tool, alias: (tool.name, alias) in fitting)
    return Plan(offered=offered, ending=_taken(affordable, preference), hold=hold)


async def plan_chat(
    toolbox: Toolbox, state: State, purse: RunPurse, policy: Policy, final: tuple[Message, ...]
) -> Plan:
    """Return what the next turn of the chat protocol may do; `final` is the prompt for answering now."""
    means = await _means(toolbox, state, purse)
    cost = policy.floor(final, state)
    if not means.fits(Floor(cost, policy.latency), Hold(), slack=1.0):
        return Plan(refusal=_cannot_reply(policy, cost, means))
    hold = Hold(cost=(cost or 0.0) + GROWTH * policy.input_rate, seconds=policy.latency * SLACK)
    fitting = {(tool.name, alias) for tool, alias, floor in means.floors if means.fits(floor, hold)}
    offered = toolbox.offer(state.task.preference, lambda tool, alias: (tool.name, alias) in fitting)
    return Plan(offered=offered, hold=hold)


async def _means(toolbox: Toolbox, state: State, purse: RunPurse) -> _Means:
    floors = _floors(toolbox, state, state.task.preference)
    most = 2 * max((floor.cost or 0.0 for _, _, floor in floors), default=0.0) + 0.01
    left = await purse.available(most) if purse.budgeted else None
    return _Means(floors, left, purse.seconds_left)


def _floors(toolbox: Toolbox, state: State, preference: Preference) -> list[tuple[Tool, str | None, Floor]]:
    found = []
    for tool in toolbox.tools.values():
        if not permitted(tool.name, preference.of(tool.name), (), preference):
            continue
        for alias in tool.aliases or (None,):
            if permitted(tool.name, tool.preference(alias, preference), tool.names(alias), preference):
                found.append((tool, alias, tool.floor(alias, state)))
    return found


def _hold(cheapest: Ending, state: State) -> Hold:
    """Return the cost of the cheapest answer after one more call has lengthened its prompt."""
    found = state.catalog.choice(cheapest.alias)
    price = state.catalog.models[found[1].model].price if found else None
    growth = GROWTH * price.highest_input / 1e6 if price else 0.0
    return Hold(cost=(cheapest.floor.cost or 0.0) + growth, seconds=cheapest.floor.seconds * SLACK)


def _taken(affordable: list[Ending], preference: Preference) -> Ending:
    """Return the answer that the loop takes by itself: the best liked, and the cheapest of these."""
    return min(
        affordable,
        key=lambda e: (-e.tool.preference(e.alias, preference), e.floor.cost or 0.0, e.floor.seconds),
    )


def _repeated(state: State) -> str | None:
    last = [{call.name for call in turn.reply.calls} for turn in state.turns[-2:]]
    both = last[0] & last[1] if len(last) == 2 else set()
    return min(both, default=None)


def _refusal(endings: list[Ending], means: _Means) -> str:
    priced = [ending for ending in endings if ending.floor.cost is not None]
    if means.cost is not None and not priced:
        return (
            "No model that could answer has a known price, so a budgeted run cannot use one: "
            "add prices to the catalogue or lift the budget in dollars."
        )
    cheapest = min(priced or endings, key=lambda ending: ending.floor.cost or 0.0)
    cost = cheapest.floor.cost or 0.0
    if means.cost is not None and cost > means.cost:
        return _too_dear(f"The cheapest final answer, {cheapest.alias},", cost, means.cost)
    quickest = min(endings, key=lambda ending: ending.floor.seconds)
    return (
        f"The quickest final answer, {quickest.alias}, takes about {quickest.floor.seconds:.0f} s, but only "
        f"{means.seconds or 0.0:.0f} s are left: raise the budget in seconds."
    )


def _cannot_reply(policy: Policy, cost: float | None, means: _Means) -> str:
    if cost is None:
        return (
            f"The price of {policy.name} is unknown, so a budgeted run cannot use it: add a price to the "
            "catalogue or lift the budget in dollars."
        )
    if means.cost is not None and cost > means.cost:
        return _too_dear(f"A final reply of {policy.name}", cost, means.cost)
    return f"No time is left for a final reply of {policy.name}: raise the budget in seconds."


def _too_dear(what: str, cost: float, left: float) -> str:
    return f"{what} could cost ${cost:.4f}, but only ${left:.4f} are left: raise the budget in dollars."
