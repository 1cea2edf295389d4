"""Draws what each step of training asks: questions, sliders, and variations of the catalogue."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from orchestra_app.core.catalog import Catalog, ToolSpec
from orchestra_app.core.task import Preference, Task
from orchestra_app.core.usage import Price
from orchestra_app.orchestrator.questions import Question
from orchestra_app.training.definition import Definition
from orchestra_app.training.wishes import draw_preference

FACTOR = 3.0
"""Varied prices and latencies lie within this factor of the catalogue's, evenly on a logarithmic scale."""
MISSING = 0.25
"""Share of aliases that a varied set of tools lacks."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question of a step with the tools it is asked under."""

    task: Task
    catalog: Catalog
    number: int
    """Its place in the step."""


def drawn(definition: Definition, questions: Sequence[Question], catalog: Catalog, step: int) -> list[Asked]:
    """Return what a step asks: each question once before any comes again; the same for the same seed."""
    found = []
    for number in range(definition.groups):
        place = shuffled(definition.seed, step * definition.groups + number, len(questions))
        found.append(_asked(definition, questions[place], catalog, step, number))
    return found


def shuffled(seed: int, number: int, count: int) -> int:
    """Return which of `count` things is the `number`th to be taken: each once before any comes again."""
    epoch, place = divmod(number, count)
    return _order(seed, epoch, count)[place]


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, count: int) -> list[int]:
    order = list(range(count))
    Random(f"{seed} {epoch}").shuffle(order)
    return order


def fixed(definition: Definition, questions: Sequence[Question], catalog: Catalog) -> list[Asked]:
    """Return what an evaluation asks: the same every time, spread over the whole set."""
    stride = max(1, len(questions) // definition.evaluate_count)
    # A stride that shares a factor with the number of kinds would miss some of them.
    while math.gcd(stride, 6) > 1 and stride > 1:
        stride -= 1
    chosen = questions[::stride][: definition.evaluate_count]
    return [_asked(definition, question, catalog, -1, number) for number, question in enumerate(chosen)]


def wisher(definition: Definition, catalog: Catalog) -> Callable[[Question], Preference]:
    """Return what gives each question its sliders, for rows that are written once and for all."""
    return lambda question: _wish(definition, catalog, Random(f"{definition.seed} {question.id}"))


def _wish(definition: Definition, catalog: Catalog, random: Random) -> Preference:
    if definition.sliders == "fixed":
        return definition.preference
    return draw_preference(random, catalog, [(Preference(), 1)])


def _asked(definition: Definition, question: Question, catalog: Catalog, step: int, number: int) -> Asked:
    random = Random(f"{definition.seed} {step} {number}")
    wish = _wish(definition, catalog, random)
    task = Task(
        id=question.id,
        question=question.text,
        answer=question.answer,
        preference=wish,
        budget=definition.budget,
        source=question.source,
    )
    return Asked(task, varied(definition, catalog, random), number)


def varied(definition: Definition, catalog: Catalog, random: Random) -> Catalog:
    """Return the catalogue with what the definition varies drawn anew."""
    if definition.vary_prices:
        catalog = _other_prices(catalog, random)
    if definition.vary_aliases or definition.vary_tools:
        tools = {}
        for name, tool in catalog.tools.items():
            shuffled = _shuffled(tool, random) if definition.vary_aliases else tool
            tools[name] = _fewer(shuffled, random) if definition.vary_tools else shuffled
        catalog = catalog.model_copy(update={"tools": tools})
    # Copies keep what was worked out for the original, such as its hash.
    return Catalog.model_validate(catalog.model_dump()) if _is_varied(definition) else catalog


def _is_varied(definition: Definition) -> bool:
    return definition.vary_prices or definition.vary_aliases or definition.vary_tools


def _other_prices(catalog: Catalog, random: Random) -> Catalog:
    models = {
        name: model.model_copy(update={"price": _other_price(model.price, _factor(random))})
        for name, model in catalog.models.items()
    }
    tools = {}
    for name, tool in catalog.tools.items():
        choices = {
            alias: choice.model_copy(update={"latency": float(f"{choice.latency * _factor(random):.2g}")})
            for alias, choice in tool.choices.items()
        }
        tools[name] = tool.model_copy(update={"choices": choices})
    return catalog.model_copy(update={"models": models, "tools": tools})


def _factor(random: Random) -> float:
    return math.exp(random.uniform(-1, 1) * math.log(FACTOR))


def _other_price(price: Price | None, factor: float) -> Price | None:
    if price is None:
        return None
    rates = {name: float(f"{getattr(price, name) * factor:.2g}") for name in ("input", "output")}
    return price.model_copy(update={**rates, "source": "drawn at random for training"})


def _shuffled(tool: ToolSpec, random: Random) -> ToolSpec:
    choices = list(tool.choices.values())
    random.shuffle(choices)
    return tool.model_copy(update={"choices": dict(zip(tool.choices, choices, strict=True))})


def _fewer(tool: ToolSpec, random: Random) -> ToolSpec:
    kept = {alias: choice for alias, choice in tool.choices.items() if random.random() >= MISSING}
    if not kept:
        alias = random.choice(list(tool.choices))
        kept = {alias: tool.choices[alias]}
    return tool.model_copy(update={"choices": kept})
