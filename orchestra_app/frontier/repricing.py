"""What would it have cost at other prices? Read off the stored charges alone, for nothing."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from orchestra_app.core.catalog import Catalog
from orchestra_app.core.usage import Charge, Price

Prices = Mapping[str, Price]
"""A price by the name that its charges carry."""

Rates = tuple[float, float | None, float, float]


def price_table(catalog: Catalog, edited: Prices | None = None) -> dict[str, Price]:
    """Return the prices of a catalogue by the names that charges carry; `edited` replaces some of them.

    A policy is charged under its own name at the price of its model, so editing a model edits its policies.
    """
    edited = dict(edited or {})
    models = {name: model.price for name, model in catalog.models.items()} | edited
    policies = {name: models.get(spec.model) for name, spec in catalog.policies.items()}
    sources = {name: source.price for name, source in catalog.sources.items()}
    table = {**policies, **models, **sources, "python": catalog.python.price, **edited}
    return {name: price for name, price in table.items() if price is not None}


@dataclass(frozen=True, slots=True)
class Charges:
    """Many charges as columns, so that one set of prices after another can be tried on them at once."""

    names: tuple[str, ...]
    """The distinct names, and `who` says which of them each charge carries."""
    rates: tuple[Rates, ...]
    """The distinct rates at which they were booked, and `booked_at` says which of them each charge has."""
    who: NDArray[np.intp]
    booked_at: NDArray[np.intp]
    fresh: NDArray[np.float64]
    """Prompt tokens that were not cached."""
    cached: NDArray[np.float64]
    output: NDArray[np.float64]
    units: NDArray[np.float64]
    cost: NDArray[np.float64]
    """USD as they were booked."""
    reported: NDArray[np.bool_]
    """Where the provider itself said the cost."""
    estimated: NDArray[np.bool_]
    """Where the usage is a reservation, since nobody told the real one."""


_RATES = itemgetter("input", "cached", "output", "unit")
_USAGE = itemgetter("input_tokens", "cached_tokens", "output_tokens", "units")


def columns(charges: Sequence[Charge]) -> Charges:
    """Return charges as columns."""
    # A pydantic value looks its attributes up in Python, which takes most of the time for many of them.
    booked = [vars(charge) for charge in charges]
    usages = (_USAGE(vars(each["usage"])) for each in booked)
    known = (_RATES(vars(each["price"])) for each in booked)
    names: dict[str, int] = {}
    rates: dict[Rates, int] = {}
    count = len(booked)
    figures = np.fromiter(chain.from_iterable(usages), float, 4 * count)
    prompt, cached, output, units = figures.reshape(count, 4).T
    cached = np.minimum(cached, prompt)
    return Charges(
        who=np.fromiter((names.setdefault(each["who"], len(names)) for each in booked), np.intp, count),
        booked_at=np.fromiter((rates.setdefault(each, len(rates)) for each in known), np.intp, count),
        names=tuple(names),
        rates=tuple(rates),
        fresh=prompt - cached,
        cached=cached,
        output=output,
        units=units,
        cost=np.fromiter((each["cost"] for each in booked), float, count),
        reported=np.fromiter((each["reported"] is not None for each in booked), bool, count),
        estimated=np.fromiter((each["estimated"] for each in booked), bool, count),
    )


@dataclass(frozen=True, slots=True)
class Repriced:
    """What charges cost under other prices."""

    cost: NDArray[np.float64]
    """USD of each charge."""
    original: float
    """USD of all, as they were booked."""
    changed: NDArray[np.bool_]
    """Which charges have another rate now."""
    inexact: NDArray[np.bool_]
    """Which changed ones are not exact: the provider had reported the cost, or the usage is a reservation."""
    unpriced: tuple[str, ...]
    """Names without a price in the table; their charges keep what was booked."""

    @property
    def total(self) -> float:
        """USD of all."""
        return math.fsum(self.cost)


def reprice(charges: Charges, prices: Prices) -> Repriced:
    """Return what the charges cost at `prices`.

    A charge whose rates are the same as when it was booked keeps its cost to the last digit, whatever the
    provider reported; any other costs its usage at the new rates.
    """
    unpriced = [name for name in charges.names if name not in prices]
    none = Price()
    table = np.array([_rates(prices.get(name, none)) for name in charges.names]).reshape(-1, 4)
    input_rate, cached_rate, output_rate, unit = table[charges.who].T
    # In the order of `Price.cost`, so that both give the same figure to the last digit.
    tokens = charges.fresh * input_rate + charges.cached * cached_rate
    tokens = tokens + charges.output * output_rate
    listed = tokens / 1e6 + charges.units * unit
    before = np.array([_effective(rates) for rates in charges.rates]).reshape(-1, 4)
    changed = (table[charges.who] != before[charges.booked_at]).any(1)
    changed &= ~np.isin(charges.who, [charges.names.index(name) for name in unpriced])
    return Repriced(
        cost=np.where(changed, listed, charges.cost),
        original=math.fsum(charges.cost),
        changed=changed,
        inexact=changed & (charges.reported | charges.estimated),
        unpriced=tuple(unpriced),
    )


def _rates(price: Price) -> tuple[float, ...]:
    return _effective((price.input, price.cached, price.output, price.unit))


def _effective(rates: Rates) -> tuple[float, ...]:
    """Return the rates with that of cached tokens spelt out."""
    prompt, cached, output, unit = rates
    return prompt, prompt if cached is None else cached, output, unit


def by_name(charges: Charges, repriced: Repriced) -> dict[str, tuple[float, float]]:
    """Return USD before and after by the name that charges carry."""
    size = len(charges.names)
    before = np.bincount(charges.who, charges.cost, size)
    after = np.bincount(charges.who, repriced.cost, size)
    return {name: (float(before[i]), float(after[i])) for i, name in enumerate(charges.names)}


def reprice_traces(costs: Iterable[Sequence[Charge]], prices: Prices) -> list[float]:
    """Return the USD of each trace's charges at `prices`, all priced at once."""
    each = [list(charges) for charges in costs]
    flat = columns([charge for charges in each for charge in charges])
    priced = reprice(flat, prices).cost
    ends = np.cumsum([len(charges) for charges in each])
    return [math.fsum(priced[end - len(charges) : end]) for end, charges in zip(ends, each, strict=True)]
