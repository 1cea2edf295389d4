"""What a kept run would have cost at other prices, and how it looks under other settings; nothing is run."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from orchestra_app.core.catalog import Catalog
from orchestra_app.core.task import Budget, Preference
from orchestra_app.core.trace import Trace, called
from orchestra_app.core.usage import Price
from orchestra_app.frontier.rejudging import Break, first_break, follow
from orchestra_app.frontier.repricing import Repriced, by_name, columns, reprice
from orchestra_app.ui.markup import dollars, per_cent, seconds, tag

Texts = Mapping[str, str]
Cell = str | float | None
RATES = ("input", "cached", "output", "unit")
MOST_RATE = 1e6
"""USD of the highest rate that is taken."""


@dataclass(frozen=True, slots=True)
class BadRate(Exception):
    """A cell of the price table that is no price."""

    name: str
    rate: str
    value: str


def names(trace: Trace) -> list[str]:
    """Return everybody who charged something, in the order of first use."""
    return list(dict.fromkeys(charge.who for charge in trace.charges))


def booked(trace: Trace) -> dict[str, Price]:
    """Return the price at which each name was booked; a name that was booked at several is left out."""
    found: dict[str, dict[tuple[Any, ...], Price]] = {}
    for charge in trace.charges:
        found.setdefault(charge.who, {}).setdefault(_rates(charge.price), charge.price)
    return {name: next(iter(prices.values())) for name, prices in found.items() if len(prices) == 1}


def rows(trace: Trace, prices: Mapping[str, Price]) -> list[list[Cell]]:
    """Return the editable price table of a trace: a name and four rates, empty where `prices` has none."""
    return [[name, *(_rates(prices[name]) if name in prices else (None,) * 4)] for name in names(trace)]


def read(trace: Trace, cells: Any) -> dict[str, Price]:
    """Return the prices of an edited table; raises BadRate. Rows that are empty or foreign are left out."""
    known, found = set(names(trace)), {}
    for row in cells if isinstance(cells, list) else []:
        if not isinstance(row, list) or len(row) != 1 + len(RATES):
            continue
        name, *rates = row
        if not isinstance(name, str) or name not in known:
            continue
        typed = {rate: _rate(name, rate, cell) for rate, cell in zip(RATES, rates, strict=True)}
        given = {rate: value for rate, value in typed.items() if value is not None}
        if given:
            found[name] = Price.model_validate({"source": "typed", **given})
    return found


def _rate(name: str, rate: str, cell: Any) -> float | None:
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    try:
        value = math.nan if isinstance(cell, bool) else float(cell)
    except (TypeError, ValueError):
        value = math.nan
    # A grid shows a cell without a number as NaN, which nobody types.
    if isinstance(cell, float) and math.isnan(cell):
        return None
    if not 0 <= value <= MOST_RATE:
        raise BadRate(name, rate, str(cell)[:40])
    return value


def _rates(price: Price) -> tuple[float | None, ...]:
    return price.input, price.cached, price.output, price.unit


def bill(trace: Trace, prices: Mapping[str, Price], texts: Texts) -> tuple[Markup, list[float]]:
    """Return what a trace would have cost at `prices` beside what it did, and the USD of each charge."""
    charges = columns(trace.charges)
    found = reprice(charges, prices)
    changes = by_name(charges, found)
    head = [tag("th", texts[f"study_bill_{name}"], scope="col") for name in ("who", "was", "now", "change")]
    marks = _marks(trace, found, texts)
    lines = [_line(name, *both, texts, marks.get(name)) for name, both in changes.items()]
    total = _line(texts["bill_total"], found.original, found.total, texts)
    table = tag(
        "table",
        tag("caption", texts["study_bill"], class_="unseen"),
        tag("thead", tag("tr", *head)),
        tag("tbody", *lines),
        tag("tfoot", total),
    )
    notes = [texts["study_free"]]
    if found.inexact.any():
        notes.append(texts["study_inexact"].format(count=int(found.inexact.sum())))
    missing = [name for name in found.unpriced if changes[name][0]]
    if missing:
        notes.append(texts["study_unpriced"].format(names=", ".join(missing)))
    drawn = tag("div", table, class_="scroller", tabindex=0, role="region", aria_label=texts["study_bill"])
    return tag(
        "div", drawn, tag("p", " ".join(notes), class_="quiet"), class_="study-bill"
    ), found.cost.tolist()


def _marks(trace: Trace, found: Repriced, texts: Texts) -> dict[str, str]:
    """Return what is to be said of names whose charges are not what a price times a usage says."""
    said: dict[str, list[str]] = {}
    for charge, changed in zip(trace.charges, found.changed, strict=True):
        if charge.reported is not None:
            said.setdefault(charge.who, []).append("study_reported_new" if changed else "study_reported")
        elif charge.estimated:
            said.setdefault(charge.who, []).append("study_estimated")
    return {
        name: " ".join(texts[key].format(count=count) for key, count in Counter(keys).items())
        for name, keys in said.items()
    }


def _line(name: str, was: float, now: float, texts: Texts, mark: str | None = None) -> Markup:
    who = tag("th", tag("bdi", name), tag("small", mark) if mark else None, scope="row", class_="who")
    cells = [tag("td", dollars(was, 6)), tag("td", dollars(now, 6)), tag("td", change(was, now, texts))]
    return tag("tr", who, *cells, class_=None if was == now else "changed")


def change(was: float, now: float, texts: Texts) -> str:
    """Return how an amount of USD changed, in words."""
    if was == now:
        return texts["study_unchanged"]
    share = f" ({per_cent(abs(now - was) / was)})" if was else ""
    return texts["study_more" if now > was else "study_less"].format(
        amount=dollars(abs(now - was), 6) + share
    )


def judged(
    trace: Trace,
    preference: Preference,
    budget: Budget,
    catalog: Catalog,
    texts: Texts,
    *,
    costs: Sequence[float] | None = None,
) -> Markup:
    """Return how a run looks under other settings: where it would have stopped, and what they forbid.

    costs: USD of each charge, where other prices are assumed too.
    """
    stopped = first_break(trace, budget, costs)
    seen = follow(trace, preference, catalog)
    facts = [tag("li", _stopped(stopped, trace, texts), data_stopped=bool(stopped))]
    facts.append(
        tag(
            "li", texts["study_adherence"].format(now=per_cent(seen.adherence), was=per_cent(trace.adherence))
        )
    )
    if seen.forbidden:
        listed = ", ".join(_called(trace, call_id) for call_id in seen.forbidden)
        facts.append(tag("li", texts["study_forbidden"].format(calls=listed), data_forbidden=True))
    return tag("ul", *facts, class_="study-judged", role="status")


def _stopped(found: Break | None, trace: Trace, texts: Texts) -> str:
    if found is None:
        return texts["study_fits"]
    return texts[f"study_stop_{found.limit}"].format(
        turn=found.turn, who=found.who, spent=dollars(found.spent, 6), seconds=seconds(found.seconds)
    )


def _called(trace: Trace, call_id: str) -> str:
    for number, turn in enumerate(trace.turns, 1):
        for call in turn.reply.calls:
            if call.id == call_id:
                return f"{number} · {called(call)}"
    return call_id
