"""What may be offered now: tools drop out as money and time shrink, and a final answer stays affordable."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from orchestra_app.backends.base import State
from orchestra_app.core.message import Message, Offer, ToolCall
from orchestra_app.core.trace import alias_of
from orchestra_app.orchestrator.accounts import PICO, pico
from orchestra_app.orchestrator.ledger import OVERRUN, Hold, RunPurse
from orchestra_app.orchestrator.policy import Policy
from orchestra_app.tools.base import Floor, Toolbox, Wanted

SLACK = 1.2
"""Latencies vary: a call is offered only if this many times its usual seconds are left."""
GROWTH = 3_000
"""Bytes by which the final answer's prompt may grow before it is cut to what the money buys."""
SHORTER = "budget: older findings left out"
FREE = Floor(0.0, 0.0)
NOTHING = Hold()


class Candidate(NamedTuple):
    """What may be called, with the least that this takes."""

    wanted: Wanted
    floor: Floor


@dataclass(frozen=True, slots=True)
class Plan:
    """What the next turn may do."""

    offered: tuple[Offer, ...] = ()
    endings: tuple[Candidate, ...] = ()
    """The final answers of which the loop can take one by itself."""
    hold: Hold = Hold()
    """What the policy's reply must leave untouched, so that an answer stays affordable."""
    holds: dict[tuple[str, str | None], Hold] = field(default_factory=dict)
    """What a call of a tool and alias must leave, where it is another answer that stays affordable."""
    short: str = ""
    """How the answer's prompt is shortened, where only a shortened one can be paid; it is then taken now."""
    shown: State | None = None
    """What such an answer of the packed protocol may see."""
    final: tuple[Message, ...] = ()
    """The prompt for answering now, in the chat protocol."""
    refusal: str = ""
    """Why not even a final answer can be had; the run ends with this sentence."""
    excluded: bool = False
    """True where the preferences, not the budget, leave no answer."""

    def hold_of(self, call: ToolCall) -> Hold:
        """Return what a call that does not end the run must leave untouched."""
        by_tool = self.holds.get((call.name, None), self.hold)
        return self.holds.get((call.name, alias_of(call)), by_tool)


@dataclass(frozen=True, slots=True)
class _Means:
    """All that is permitted, and what is left to pay it."""

    candidates: list[Candidate]
    cost: int | None
    """Pico-dollars."""
    seconds: float | None
    overrun: str | None
    scarce: str | None
    """The shared cap that leaves so little, where it is not the run's own budget."""

    def fits(self, floor: Floor, hold: Hold, slack: float = SLACK) -> bool:
        if not self.pays(floor, hold):
            return False
        if self.seconds is None:
            return True
        return hold.seconds < self.seconds and floor.seconds * slack + hold.seconds <= self.seconds

    def pays(self, floor: Floor, hold: Hold) -> bool:
        if self.cost is None:
            return True
        if floor.cost is None:
            return False
        # Far from the limit the float decides; near it whole pico-dollars do.
        if (floor.cost + hold.cost) * PICO < 0.999 * self.cost:
            return True
        return pico(floor.cost) + pico(hold.cost) <= self.cost

    @property
    def dollars(self) -> float:
        return (self.cost or 0) / pico(1)


async def plan_packed(toolbox: Toolbox, state: State, purse: RunPurse, *, last: bool = False) -> Plan:
    """Return what the next turn of the packed protocol may do.

    last: whether only tools that end the run are offered. The repeat filter of the reference works here: a
    tool that was called in the last two turns is not offered a third time running.
    """
    preference = state.task.preference
    means = await _means(toolbox, state, purse)
    endings = [each for each in means.candidates if each.wanted.tool.ends and each.wanted.alias]
    if not endings:
        sentence = "The sliders and exclusions leave no model that could give the final answer: allow one."
        return Plan(refusal=sentence, excluded=True)
    affordable, shown = _affordable(endings, means, state)
    if not affordable:
        return Plan(refusal=_refusal(endings, means))
    if shown is not state:
        return Plan(endings=tuple(affordable), short=SHORTER, shown=shown)
    holds = [_hold(each.floor) for each in affordable]
    repeated = _repeated(state)
    fitting: list[Candidate] = []
    kept: dict[tuple[str, str | None], Hold] = {}
    for each in means.candidates:
        tool = each.wanted.tool
        if tool.ends:
            if means.fits(each.floor, NOTHING):
                fitting.append(each)
        elif not last and tool.name != repeated:
            # Any affordable answer will do, so that less time or money never opens another way.
            hold = next((hold for hold in holds if means.fits(each.floor, hold)), None)
            if hold is not None:
                fitting.append(each)
                kept[tool.name, each.wanted.alias] = hold
    offered = toolbox.offer(preference, [each.wanted for each in fitting])
    open_endings = [each for each in fitting if each.wanted.tool.ends and each.wanted.alias]
    hold = next((each for each in holds if means.fits(FREE, each)), holds[0])
    return Plan(offered, tuple(open_endings or affordable), hold, kept)


async def plan_chat(
    toolbox: Toolbox,
    state: State,
    purse: RunPurse,
    policy: Policy,
    finals: Iterator[tuple[str, tuple[Message, ...]]],
) -> Plan:
    """Return what the next turn of the chat protocol may do.

    finals: the prompts for answering now with how each is shortened, the whole one first.
    """
    short, final = next(finals)
    cost = policy.floor(final, state)
    hold = Hold(cost=(cost or 0.0) + GROWTH * policy.input_rate, seconds=policy.latency * SLACK)
    means = await _means(toolbox, state, purse, hold.cost)
    if not means.fits(Floor(cost, policy.latency), NOTHING, slack=1.0):
        for short, final in finals:
            cost = policy.floor(final, state)
            if means.fits(Floor(cost, policy.latency), NOTHING, slack=1.0):
                return Plan(short=short, final=final)
        return Plan(refusal=_cannot_reply(policy, cost, means))
    fitting = [each.wanted for each in means.candidates if means.fits(each.floor, hold)]
    offered = toolbox.offer(state.task.preference, fitting)
    return Plan(offered=offered, hold=hold, final=final)


async def _means(toolbox: Toolbox, state: State, purse: RunPurse, held: float = 0.0) -> _Means:
    wanted = toolbox.wanted(state.task.preference)
    candidates = [Candidate(each, each.tool.floor(each.alias, state)) for each in wanted]
    left = None
    if purse.budgeted or purse.overrun:
        # All that a call and its hold can come to: no shared account has to lease more than that.
        cost = max([each.floor.cost or 0.0 for each in candidates], default=0.0)
        rate = max([each.floor.rate for each in candidates], default=0.0)
        # The margin is for what rounding up to whole pico-dollars adds.
        most = 1.001 * (2 * cost + GROWTH * rate + held) + 10 / PICO
        left = round(await purse.available(most) * pico(1))
    return _Means(candidates, left, purse.seconds_left, purse.overrun, purse.scarce)


def _affordable(endings: list[Candidate], means: _Means, state: State) -> tuple[list[Candidate], State]:
    """Return the answers that can be had, the cheapest first, and the state that they may see.

    Where none can be had, older findings are left out until one can: what is held back covers an answer
    with what was known before the last call.
    """
    shown = state
    while True:
        found = [ending for ending in endings if means.fits(ending.floor, NOTHING, slack=1.0)]
        if found or not (shown.documents or shown.executions):
            found.sort(key=lambda ending: (ending.floor.cost or 0.0, ending.floor.seconds))
            return found, shown
        shown = shown._replace(
            documents=shown.documents[(len(shown.documents) + 1) // 2 :],
            executions=shown.executions[(len(shown.executions) + 1) // 2 :],
        )
        endings = [Candidate(each, each.tool.floor(each.alias, shown)) for each, _ in endings]


def _hold(floor: Floor) -> Hold:
    """Return what an answer needs kept after one more call has lengthened its prompt."""
    return Hold(cost=(floor.cost or 0.0) + GROWTH * floor.rate, seconds=floor.seconds * SLACK)


def best_liked(endings: Sequence[Candidate], state: State) -> Candidate:
    """Return the answer that the loop takes by itself: the best liked, and the cheapest of these.

    One that was asked before and gave none comes after the others.
    """
    asked = Counter(alias_of(call) for turn in state.turns for call in turn.reply.calls)
    return min(
        endings,
        key=lambda e: (
            asked[e.wanted.alias],
            -e.wanted.preference,
            e.floor.cost or 0.0,
            e.floor.seconds,
        ),
    )


def _repeated(state: State) -> str | None:
    last = [
        {
            call.name
            for call in turn.reply.calls
            if (ran := turn.result(call.id)) and (ran.charges or not ran.error)
        }
        for turn in state.turns[-2:]
    ]
    both = last[0] & last[1] if len(last) == 2 else set()
    return min(both, default=None)


def _refusal(endings: list[Candidate], means: _Means) -> str:
    priced = [ending for ending in endings if ending.floor.cost is not None]
    if means.cost is not None and not priced:
        return (
            "No model that could answer has a known price, so a budgeted run cannot use one: "
            "add prices to the catalogue or lift the budget in dollars."
        )
    paid = [ending for ending in endings if means.pays(ending.floor, NOTHING)]
    if not paid:
        cheapest = min(priced, key=lambda ending: ending.floor.cost or 0.0)
        return _too_dear(f"The cheapest final answer, {cheapest.wanted.alias},", cheapest.floor.cost, means)
    quickest = min(paid, key=lambda ending: ending.floor.seconds)
    takes, left = _apart(quickest.floor.seconds, means.seconds or 0.0, digits=1)
    return (
        f"The quickest final answer that can be paid, {quickest.wanted.alias}, takes about "
        f"{takes.removesuffix('.0')} s, but only {left.removesuffix('.0')} s are left: "
        "raise the budget in seconds."
    )


def _cannot_reply(policy: Policy, cost: float | None, means: _Means) -> str:
    if cost is None:
        return (
            f"The price of {policy.name} is unknown, so a budgeted run cannot use it: add a price to the "
            "catalogue or lift the budget in dollars."
        )
    if not means.pays(Floor(cost, 0.0), NOTHING):
        return _too_dear(f"A final reply of {policy.name}", cost, means)
    return f"No time is left for a final reply of {policy.name}: raise the budget in seconds."


def _too_dear(what: str, cost: float | None, means: _Means) -> str:
    if means.overrun:
        return f"{means.overrun} {OVERRUN}"
    most, left = _apart(cost or 0.0, means.dollars, digits=4)
    short = f"{what} could cost ${most}, but only ${left} are left"
    if means.scarce:
        return f"{short} of {means.scarce}: raise that cap, or ask again when there is more."
    return f"{short}: raise the budget in dollars."


def _apart(needed: float, left: float, *, digits: int) -> tuple[str, str]:
    """Return two figures with `digits` after the point, or with more where those would be the same."""
    while f"{needed:.{digits}f}" == f"{left:.{digits}f}" and digits < 12:
        digits += 2
    return f"{needed:.{digits}f}", f"{left:.{digits}f}"
