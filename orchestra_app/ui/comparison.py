"""The frontier as HTML: the table of settings, how each policy routes, and one setting beside all others."""

import base64
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from markupsafe import Markup

from orchestra_app.frontier.bootstrap import Estimate
from orchestra_app.frontier.compare import Point
from orchestra_app.frontier.health import Health
from orchestra_app.frontier.report import Line, Report, csv_text
from orchestra_app.frontier.rows import Row
from orchestra_app.ui.links import link as trace_link
from orchestra_app.ui.markup import dollars, per_cent, seconds, tag

Texts = Mapping[str, str]
FIGURES = ("accuracy", "cost", "seconds", "per_correct", "on_frontier", "adherence")
MARKS = {True: "✓", False: "✗", None: "?"}
LISTED = 30
"""Traces that are linked one by one."""


def table(found: Report, texts: Texts, *, picked: str = "") -> Markup:
    """Return a row per setting; a click on its name shows it beside the others."""
    head = ("number", "setting", "n", *FIGURES)
    rows = [_row(str(number), line, found, texts, picked) for number, line in enumerate(found.ordered, 1)]
    if found.oracle:
        rows.append(_computed(found.oracle, texts))
    titles = (tag("th", texts[f"frontier_{name}"], scope="col", class_=name) for name in head)
    drawn = tag(
        "table",
        tag("caption", texts["frontier_table"], class_="unseen"),
        tag("thead", tag("tr", *titles)),
        tag("tbody", *rows),
        class_="settings",
    )
    return tag(
        "div", drawn, class_="scroller", tabindex="0", role="region", aria_label=texts["frontier_table"]
    )


def _row(number: str, line: Line, found: Report, texts: Texts, picked: str) -> Markup:
    point = line.point
    chosen = line.setting == picked
    name = tag(
        "button",
        tag("bdi", line.setting),
        type="button",
        class_="pick",
        data_action="pick",
        data_id=line.setting,
        aria_pressed=str(chosen).lower(),
    )
    why = tag("small", point.reason.said(texts)) if point.reason else None
    state = "greyed" if point.greyed else "step" if point.on_staircase and found.judged else "off"
    compared = found.judged and math.isfinite(point.cost.high)
    cells = (
        _stacked(percent(point.accuracy)) if found.judged else "–",
        _stacked(each_cost(point.cost)),
        seconds(point.seconds.mean) if point.count else "–",
        _stacked(_ratio(point)) if found.judged else "–",
        per_cent(point.on_frontier) if compared else "–",
        "–" if line.adherence is None else per_cent(line.adherence),
    )
    return tag(
        "tr",
        tag("td", tag("span", number, class_="badge-number"), class_="number"),
        tag("th", name, why, scope="row", class_="setting"),
        tag("td", str(point.count), class_="n"),
        *(tag("td", cell, class_=figure) for figure, cell in zip(FIGURES, cells, strict=True)),
        data_state=state,
        data_picked=chosen,
    )


def _computed(point: Point, texts: Texts) -> Markup:
    cells = (
        _stacked(percent(point.accuracy)),
        _stacked(each_cost(point.cost)),
        seconds(point.seconds.mean),
        _stacked(_ratio(point)),
        "–",
        "–",
    )
    return tag(
        "tr",
        tag("td", tag("span", "★", class_="star"), class_="number"),
        tag("th", texts["frontier_oracle"], tag("small", texts["frontier_oracle_how"]), scope="row"),
        tag("td", str(point.count), class_="n"),
        *(tag("td", cell, class_=figure) for figure, cell in zip(FIGURES, cells, strict=True)),
        data_state="computed",
    )


def _stacked(figure: str) -> Markup:
    """Return a figure with its interval in a line of its own."""
    mean, _, interval = figure.partition(" [")
    return tag("span", mean, tag("small", f"[{interval}") if interval else None)


def health_table(found: Report, texts: Texts) -> Markup:
    """Return how each policy spreads its calls over models and tools, the alarms first."""
    alarms = [
        tag("p", tag("b", line.setting), " ", each.alarm.said(texts), class_="alarm", role="status")
        for line in found.ordered
        for each in (line.models, line.routing)
        if each.alarm
    ]
    head = ("setting", "calls", "model_entropy", "tool_entropy", "favourite", "own")
    rows = [_health(line, texts) for line in found.ordered if line.models.calls]
    if not rows:
        return tag("p", texts["frontier_no_calls"], class_="quiet")
    titles = (tag("th", texts[f"frontier_{name}"], scope="col") for name in head)
    drawn = tag("table", tag("thead", tag("tr", *titles)), tag("tbody", *rows), class_="health")
    box = tag(
        "div", drawn, class_="scroller", tabindex="0", role="region", aria_label=texts["frontier_health"]
    )
    return tag("div", *alarms, box, tag("p", texts["frontier_health_said"], class_="quiet"))


def _health(line: Line, texts: Texts) -> Markup:
    models = line.models
    own = "–"
    if models.own_share is not None and models.own_offered is not None:
        own = texts["frontier_own_of"].format(
            share=per_cent(models.own_share), offered=per_cent(models.own_offered)
        )
    favourite = f"{models.favourite} {per_cent(models.share)}" if models.favourite else "–"
    return tag(
        "tr",
        tag("th", tag("bdi", line.setting), scope="row"),
        tag("td", f"{models.calls:,}"),
        tag("td", _bits(models, texts)),
        tag("td", _bits(line.routing, texts)),
        tag("td", favourite),
        tag("td", own),
        data_alarm=bool(models.alarm or line.routing.alarm),
    )


def _bits(known: Health, texts: Texts) -> str:
    if not known.calls:
        return "–"
    return texts["frontier_bits"].format(bits=f"{known.entropy:.2f}", among=f"{known.effective:.1f}")


def details(
    found: Report, setting: str, rows: Sequence[Row], texts: Texts, *, link: str = ""
) -> Markup | None:
    """Return one setting: its figures, tool mix, differences from every other, and its traces.

    rows: the runs of the report. link: where all traces of the setting are listed. None where there is no
    such setting.
    """
    line = next((each for each in found.lines if each.setting == setting), None)
    if line is None:
        return None
    mine = [row for row in rows if row.setting == setting]
    return tag(
        "section",
        tag("h3", tag("bdi", setting)),
        tag("p", *_facts(line, found, texts), class_="figures"),
        tag("p", line.point.reason.said(texts), class_="notice") if line.point.reason else None,
        tag("div", _mix(line, texts), _traces(mine, link, texts), class_="halves"),
        _differences(found, setting, texts),
        class_="details",
    )


def _facts(line: Line, found: Report, texts: Texts) -> list[Markup]:
    point = line.point
    said = [
        (texts["frontier_policy"], line.policy),
        (texts["frontier_runs"], f"{line.runs:,}"),
        (texts["frontier_accuracy"], percent(point.accuracy) if found.judged else "–"),
        (texts["frontier_cost"], each_cost(point.cost)),
        (texts["frontier_per_correct"], _ratio(point) if found.judged else "–"),
        (texts["frontier_adherence"], "–" if line.adherence is None else per_cent(line.adherence)),
        (texts["frontier_violations"], str(line.violations)),
    ]
    return [tag("span", name, " ", tag("b", tag("bdi", value))) for name, value in said]


def _mix(line: Line, texts: Texts) -> Markup:
    total = sum(line.tools.values())
    bars = [
        tag(
            "li",
            tag("span", name),
            tag("meter", value=f"{count / total:.4f}", min="0", max="1", aria_label=name),
            tag("span", f"{count:,} · {per_cent(count / total)}", class_="amount"),
        )
        for name, count in sorted(line.tools.items(), key=lambda item: -item[1])
    ]
    shown = (
        tag("ul", *bars, class_="tool-mix") if bars else tag("p", texts["frontier_no_calls"], class_="quiet")
    )
    alarms = [
        tag("p", each.alarm.said(texts), class_="alarm") for each in (line.models, line.routing) if each.alarm
    ]
    return tag("div", tag("h4", texts["frontier_mix"]), shown, *alarms)


def _traces(rows: Sequence[Row], link: str, texts: Texts) -> Markup:
    items = [
        tag(
            "li",
            tag("span", MARKS[row.correct], class_="judged", data_correct=str(row.correct)),
            tag("a", tag("bdi", row.question[:90]), href=trace_link(trace=row.trace_id)),
            tag("span", dollars(row.cost), class_="amount"),
        )
        for row in rows[:LISTED]
    ]  # fmt: skip
    every = texts["frontier_every_trace"].format(count=f"{len(rows):,}")
    whole = tag("p", tag("a", every, href=link, id="frontier-traces")) if link else None
    return tag("div", tag("h4", texts["frontier_its_traces"]), tag("ol", *items, class_="runs"), whole)


def _differences(found: Report, setting: str, texts: Texts) -> Markup | None:
    rows = []
    for number, line in enumerate(found.ordered, 1):
        apart = found.frontier.difference(setting, line.setting) if line.setting != setting else None
        if apart is None:
            continue
        rows.append(
            tag(
                "tr",
                tag("td", tag("span", str(number), class_="badge-number"), class_="number"),
                tag("th", tag("bdi", line.setting), scope="row"),
                tag(
                    "td",
                    _signed(apart.accuracy, partial(per_cent, digits=1)),
                    data_apart=not apart.accuracy.includes_zero,
                ),
                tag(
                    "td",
                    _signed(apart.cost, partial(dollars, digits=5)),
                    data_apart=not apart.cost.includes_zero,
                ),
                tag("td", _signed(apart.seconds, seconds), data_apart=not apart.seconds.includes_zero),
                tag("td", str(apart.count)),
            )
        )
    if not rows:
        return None
    head = ("number", "minus", "accuracy", "cost", "seconds", "n")
    titles = (tag("th", texts[f"frontier_{name}"], scope="col") for name in head)
    drawn = tag("table", tag("thead", tag("tr", *titles)), tag("tbody", *rows), class_="apart")
    title = texts["frontier_differences"]
    box = tag("div", drawn, class_="scroller", tabindex="0", role="region", aria_label=title)
    return tag("div", tag("h4", title), box)


def csv_link(found: Report, texts: Texts, *, said: str) -> Markup:
    """Return a link that saves the table as a CSV file, without asking the server again.

    said: the sentence that goes with every figure, in a column of its own.
    """
    body = base64.b64encode(csv_text(found, said).encode()).decode()
    href = f"data:text/csv;charset=utf-8;base64,{body}"
    return tag(
        "a", texts["frontier_csv"], href=href, download="frontier.csv", class_="save", id="frontier-csv"
    )


def percent(estimate: Estimate) -> str:
    """Return an accuracy with its interval, in per cent."""
    if math.isnan(estimate.mean):
        return "–"
    mean = per_cent(estimate.mean, 1)
    if not math.isfinite(estimate.high):
        return mean
    return f"{mean} [{100 * estimate.low:.1f}–{100 * estimate.high:.1f}]"


def each_cost(estimate: Estimate) -> str:
    """Return USD per question with the interval."""
    if math.isnan(estimate.mean):
        return "–"
    if not math.isfinite(estimate.high):
        return dollars(estimate.mean, 5)
    return f"{dollars(estimate.mean, 5)} [{estimate.low:.5f}–{estimate.high:.5f}]"


def _ratio(point: Point) -> str:
    known = point.per_correct
    if known is None:
        return "–"
    high = f"{known.high:.5f}" if math.isfinite(known.high) else "∞"
    return f"{dollars(known.mean, 5)} [{known.low:.5f}–{high}]"


def _signed(estimate: Estimate, shown: Callable[..., str]) -> str:
    mean, low, high = (shown(value, sign=True) for value in estimate)
    return f"{mean} [{low}, {high}]"
