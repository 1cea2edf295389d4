"""The list of traces as a link: its filters, its order and its page, to the query of an address and back."""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, cast, get_args
from urllib.parse import urlencode

from orchestra_app.core.events import Status
from orchestra_app.storage.queries import Filter, Sort, Verdict
from orchestra_app.ui.visitor import Visitor

VERDICTS = (*get_args(Verdict), "decided")
STATUSES = (*get_args(Status), "finished")
SORTS: tuple[Sort, ...] = get_args(Sort)
LONGEST = 200
"""Characters of a filter that are read."""
LAST_PAGE = 999_999
_LAST_DAY = date(9998, 12, 31)

Fields = dict[str, str]
"""Filters, `sort` and page `number` by name, as texts; what is not there is any, the newest and the first."""


def link(*, trace: str = "", **filters: Any) -> str:
    """Return the query of the address at which the Traces tab shows just these traces.

    filters: `text`, `catalog`, `policy`, `status` (also `finished`: neither running nor cut off), `verdict`
    (also `decided`: correct or incorrect), `tool`, `who`, `source`, `setting` (a key of sliders and budget),
    `group` (its first `*` stands for anything), `parent`, `cost_from` and `cost_to` in USD, `seconds_from`,
    `seconds_to`, `since` and `until` as days in UTC, both inclusive, `sort`, and `number` of the page, from
    1, which is not called `page` because Gradio takes that for one of its routes.
    trace: the id of one that is opened over the list.
    """
    opened = {"trace": _name(trace)} if trace else {}
    return "?" + urlencode({"tab": "traces", **clean(filters), **opened})


def clean(values: Mapping[str, Any]) -> Fields:
    """Return what a form or the query of a link means; whatever means nothing is left out."""
    read = {name: reader(values.get(name)) for name, reader in _READERS.items()}
    return {name: value for name, value in read.items() if value}


def unread(values: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the amounts and days that stand in a form and mean nothing."""
    said = {name: values.get(name) for name, reader in _READERS.items() if reader in (_amount, _day)}
    return tuple(
        name for name, value in said.items() if str(value or "").strip() and not _READERS[name](value)
    )


def misread(values: Mapping[str, Any]) -> dict[str, str]:
    """Return what can stand in a filter or `sort`, by the name of each that is given and not read whole."""
    # The newest is what a link leaves out.
    kept = clean(values) | {"sort": SORTS[0]} if values.get("sort") == SORTS[0] else clean(values)
    texts = {name: value.strip() for name, value in values.items() if isinstance(value, str)}
    return {
        name: expected
        for name, expected in _EXPECTED.items()
        if texts.get(name, values.get(name)) not in (None, "")
        and (name not in kept or len(texts.get(name, "")) > LONGEST)
    }


def wanted(fields: Fields, visitor: Visitor) -> Filter:
    """Return the filter that cleaned fields make; only an admin sees the traces of others."""
    amounts = {name: float(value) for name, value in fields.items() if _READERS[name] is _amount}
    return Filter(
        text=fields.get("text", ""),
        catalog=fields.get("catalog"),
        policy=fields.get("policy"),
        status=cast(Any, fields.get("status")),
        verdict=cast(Verdict | None, fields.get("verdict")),
        tool=fields.get("tool"),
        owner=fields.get("who") if visitor.admin else visitor.owner,
        source=fields.get("source"),
        wish=fields.get("setting"),
        group=fields.get("group"),
        parent=fields.get("parent"),
        cost_from=amounts.get("cost_from"),
        cost_to=amounts.get("cost_to"),
        seconds_from=amounts.get("seconds_from"),
        seconds_to=amounts.get("seconds_to"),
        since=_midnight(fields.get("since")),
        until=_midnight(fields.get("until"), timedelta(days=1)),
    )


def _name(value: Any) -> str:
    # Half a character, which forged JSON may bring, stands in no address.
    return value[:LONGEST].encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _words(value: Any) -> str:
    return _name(value.strip()).strip() if isinstance(value, str) else ""


def _amount(value: Any) -> str:
    try:
        number = float(value) if isinstance(value, int | float | str) else math.nan
    except (ValueError, OverflowError):
        return ""
    return repr(number).removesuffix(".0") if 0 <= number < math.inf else ""


def _day(value: Any) -> str:
    try:
        day = date.fromisoformat(str(value).strip())
    except ValueError:
        return ""
    return day.isoformat() if day <= _LAST_DAY else ""


def _number(value: Any) -> str:
    try:
        number = int(value) if isinstance(value, int | str) else 1
    except ValueError:
        return ""
    return str(number) if 1 < number <= LAST_PAGE else ""


def _one_of(*names: str) -> Callable[[Any], str]:
    return lambda value: value if isinstance(value, str) and value in names else ""


_READERS: Mapping[str, Callable[[Any], str]] = {
    "text": _words,
    "catalog": _name,
    "policy": _name,
    "status": _one_of(*STATUSES),
    "verdict": _one_of(*VERDICTS),
    "tool": _name,
    "who": _name,
    "source": _name,
    "setting": _name,
    "group": _name,
    "parent": _name,
    "cost_from": _amount,
    "cost_to": _amount,
    "seconds_from": _amount,
    "seconds_to": _amount,
    "since": _day,
    "until": _day,
    "sort": _one_of(*SORTS[1:]),
    "number": _number,
}
_TOLD: Mapping[Callable[[Any], str], str] = {_amount: "a number from 0", _day: "a day such as 2026-01-31"}
_EXPECTED = {
    name: _TOLD.get(reader, f"a text of at most {LONGEST} characters")
    for name, reader in _READERS.items()
    if reader is not _number
} | {
    name: f"one of {', '.join(choices)}"
    for name, choices in (("status", STATUSES), ("verdict", VERDICTS), ("sort", SORTS))
}


def _midnight(day: str | None, later: timedelta = timedelta()) -> datetime | None:
    return None if day is None else datetime.combine(date.fromisoformat(day), time(), UTC) + later
