"""A language model as a judge of one trace: which can be asked, what it costs at most, and the asking."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from orchestra_app.core.errors import ConfigError, OrchestraError
from orchestra_app.core.task import Budget
from orchestra_app.core.trace import Label, Trace
from orchestra_app.orchestrator.accounts import PICO
from orchestra_app.orchestrator.ledger import CallPurse, worst
from orchestra_app.scoring.judge import Judge, can_judge
from orchestra_app.scoring.verdict import gold_of, judged
from orchestra_app.ui.asking import Desk, find
from orchestra_app.ui.texts import TEXTS
from orchestra_app.ui.visitor import Visitor
from orchestra_app.wiring import Parts

MOST_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Quote:
    """A model that can be asked for a verdict on one trace."""

    judge: Judge
    most: float
    """USD that the verdict costs at most."""

    @property
    def id(self) -> str:
        """What the page names it by."""
        return f"{self.judge.catalog.name}/{self.judge.name}"


async def quotes(desk: Desk, visitor: Visitor, trace_id: Any) -> list[Quote]:
    """Return the models that can judge a visitor's trace, the cheapest first.

    Raises ConfigError, in one sentence, where nothing can be judged or no model can be asked.
    """
    texts = TEXTS[visitor.language]
    trace, gold = await _judgeable(desk, visitor, trace_id)
    if not (desk.door.local or desk.workspace.settings.daily_cap):
        raise ConfigError(texts["no_cap"])
    found: dict[str, Quote] = {}
    reasons: list[str] = []
    # The catalogue that the trace was made with names the models that its owner meant to pay for.
    for name in dict.fromkeys([trace.catalog.name, *desk.workspace.catalogs]):
        async for each in _of_catalog(desk, name, trace, gold):
            if isinstance(each, Quote):
                found.setdefault(each.judge.name, each)
            else:
                reasons.append(each)
    if not found:
        raise ConfigError(texts["labels_no_judge"].format(reason=(reasons or [""])[0]).strip())
    return sorted(found.values(), key=lambda each: (each.most, each.judge.name))[:MOST_SHOWN]


async def ask(desk: Desk, visitor: Visitor, trace_id: Any, quote_id: str) -> Label:
    """Ask a judge, keep its verdict and return it; it costs no more than its quote says.

    Raises ConfigError as `quotes` does, BudgetError where a day's cap is reached, BackendError.
    """
    texts = TEXTS[visitor.language]
    quote = next((each for each in await quotes(desk, visitor, trace_id) if each.id == quote_id), None)
    trace, gold = await _judgeable(desk, visitor, trace_id)
    if quote is None:
        raise ConfigError(texts["labels_no_judge"].format(reason="").strip())
    if judged(trace, quote.judge.name, gold):
        raise ConfigError(texts["labels_judged"].format(who=quote.judge.name))
    if visitor.owner in desk.judging:
        raise ConfigError(texts["labels_judging"])
    desk.judging.add(visitor.owner)
    # A pico-dollar more, since the quote is a rounded float.
    budget = Budget(cost=quote.most + 1 / PICO, seconds=None)
    run = desk.workspace.ledger.open(budget, owner=visitor.owner, simulated=False)
    purse = CallPurse(run)
    try:
        label = await quote.judge.label(trace.task, trace.answer or "", gold, purse)
        await desk.workspace.store.add_label(trace.id, label)
    finally:
        purse.close()
        desk.judging.discard(visitor.owner)
    return label


async def _judgeable(desk: Desk, visitor: Visitor, trace_id: Any) -> tuple[Trace, str]:
    texts = TEXTS[visitor.language]
    trace = await find(desk, visitor, trace_id)
    gold = gold_of(trace)
    if not trace.answer or trace.status != "answered":
        raise ConfigError(texts["labels_no_answer"])
    if gold is None:
        raise ConfigError(texts["labels_no_gold"])
    return trace, gold


async def _of_catalog(desk: Desk, name: str, trace: Trace, gold: str) -> AsyncGenerator[Quote | str]:
    """Yield a catalogue's models as quotes, and for those that cannot be asked the reason."""
    try:
        parts = desk.workspace.parts(name)
        obstacles = await parts.obstacles()
    except OrchestraError as error:
        yield str(error)
        return
    for model_name, model in parts.catalog.models.items():
        if not can_judge(model):
            continue
        if reason := obstacles.get(model_name):
            yield reason
        elif model.price is not None and (quote := _quote(parts, model_name, trace, gold)):
            yield quote


def _quote(parts: Parts, name: str, trace: Trace, gold: str) -> Quote | None:
    model = parts.catalog.models[name]
    try:
        judge = Judge(name, model, parts.backend(name), parts.catalog)
    except ConfigError:
        return None
    usage = judge.most(trace.task, trace.answer or "", gold)
    if model.price is None or usage.input_tokens + usage.output_tokens > model.context:
        return None
    return Quote(judge, worst(model.price, usage) / PICO)
