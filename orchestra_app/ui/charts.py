"""The frontier as a plotly figure: accuracy against cost or against seconds, a pure function of a report."""

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from orchestra_app.frontier.bootstrap import Cloud, Estimate, by_seconds, covariance, ellipse
from orchestra_app.frontier.compare import Point
from orchestra_app.frontier.report import Report
from orchestra_app.frontier.staircase import Band, band, on_frontier
from orchestra_app.ui.comparison import each_cost, percent
from orchestra_app.ui.markup import per_cent, seconds

Axis = Literal["cost", "seconds"]
Texts = Mapping[str, str]

# These stand out on paper and on the dark ground alike; frontier.css colours what depends on the theme.
KEPT, GREYED, COMPUTED = "#5257e0", "#7b8496", "#b7791f"
WASH = {KEPT: "rgba(82,87,224,0.13)", GREYED: "rgba(123,132,150,0.10)"}
FREE = 4.0
"""By how much what costs nothing is drawn left of the cheapest, since a log axis has no zero."""

WRITTEN = {f"{share}%": per_cent(share / 100) for share in range(101)}
"""Shares as plotly writes them, and as they are written everywhere else."""


@dataclass(frozen=True, slots=True)
class _Mark:
    """One setting as it is drawn."""

    number: str
    point: Point
    along: Estimate
    """The figure of the axis."""
    x: float
    share: float
    """The chance of being on the frontier of this axis."""
    outline: np.ndarray | None
    """[2, corners] in the axis' units and accuracy."""


def drawable(found: Report) -> bool:
    """Return whether a report has enough for a figure."""
    return found.frontier.cloud is not None and bool(found.judged)


def frontier_chart(found: Report, axis: Axis, texts: Texts) -> Any:
    """Return the figure of a report, or None where it has nothing to draw.

    Each point's customdata is its setting; `layout.meta.provenance` is what goes with the figure.
    """
    cloud = found.frontier.cloud
    if cloud is None or not drawable(found):
        return None
    # Loaded only here: the page starts without it.
    from plotly import graph_objects as go

    turned = by_seconds(cloud) if axis == "seconds" else cloud
    steps = band(turned) if axis == "seconds" else found.frontier.band
    marks, free = _marks(found, turned, axis)
    kept = [mark for mark in marks if not mark.point.greyed]
    greyed = [mark for mark in marks if mark.point.greyed]
    figure = go.Figure(_band(steps) if steps is not None else [])
    figure.add_traces([_outlines(greyed, GREYED), _outlines(kept, KEPT)])
    figure.add_traces([_points(greyed, GREYED, texts, "greyed"), _points(kept, KEPT, texts, "kept")])
    if found.oracle is not None:
        figure.add_trace(_oracle(found.oracle, axis, free, texts))
    figure.update_layout(_layout(marks, axis, free if any(mark.x == free for mark in marks) else None, texts))
    figure.update_layout(meta={"provenance": found.provenance(texts)})
    return figure


def _marks(found: Report, cloud: Cloud, axis: Axis) -> tuple[list[_Mark], float]:
    """Return the marks, and where on the axis stands what is free."""
    shares = dict(zip(cloud.samples.settings, on_frontier(cloud), strict=True))
    points = [(str(number), line.point) for number, line in enumerate(found.ordered, 1) if line.point.count]
    paid = [value for _, point in points if (value := getattr(point, axis).mean) > 0]
    free = min(paid, default=1.0) / FREE
    marks = []
    for number, point in points:
        along: Estimate = getattr(point, axis)
        outline = None
        if point.setting in shares and along.mean > 0:
            outline = _outline(cloud, cloud.samples.settings.index(point.setting))
        share = float(shares.get(point.setting, 0.0))
        marks.append(_Mark(number, point, along, along.mean or free, share, outline))
    return marks, free


def _outline(cloud: Cloud, place: int) -> np.ndarray | None:
    known = covariance(cloud, place)
    if known is None:
        return None
    outline = ellipse(*known, corners=48)
    return np.stack([10 ** outline[0], outline[1].clip(0.0, 1.0)])


def _band(steps: Band) -> list[Any]:
    from plotly import graph_objects as go

    shown = steps.cost > 0
    x = steps.cost[shown].tolist()
    line = {"shape": "hv", "width": 0}
    common: dict[str, Any] = {"x": x, "mode": "lines", "hoverinfo": "skip"}
    low = go.Scatter(y=steps.low[shown].tolist(), line=line, name="low", **common)
    high = go.Scatter(
        y=steps.high[shown].tolist(), line=line, fill="tonexty", fillcolor=WASH[KEPT], name="band", **common
    )
    middle = go.Scatter(
        y=steps.accuracy[shown].tolist(),
        line={"shape": "hv", "width": 2, "color": KEPT},
        name="frontier",
        **common,
    )
    return [low, high, middle]


def _outlines(marks: Sequence[_Mark], colour: str) -> Any:
    from plotly import graph_objects as go

    x: list[float | None] = []
    y: list[float | None] = []
    for mark in marks:
        if mark.outline is not None:
            x += [*mark.outline[0].tolist(), None]
            y += [*mark.outline[1].tolist(), None]
    line = {"width": 1, "color": colour}
    return go.Scatter(
        x=x,
        y=y,
        mode="lines",
        line=line,
        fill="toself",
        fillcolor=WASH[colour],
        opacity=0.7,
        hoverinfo="skip",
        name="ellipses",
    )


def _points(marks: Sequence[_Mark], colour: str, texts: Texts, name: str) -> Any:
    from plotly import graph_objects as go

    return go.Scatter(
        x=[mark.x for mark in marks],
        y=[mark.point.accuracy.mean for mark in marks],
        mode="markers+text",
        text=[mark.number for mark in marks],
        textfont={"size": 11, "color": "#ffffff" if colour == KEPT else "#0c0e13"},
        marker={"size": 20, "color": colour, "opacity": 1},
        error_x=_cross([_along(mark) for mark in marks], colour),
        error_y=_cross([_upright(mark) for mark in marks], colour),
        customdata=[mark.point.setting for mark in marks],
        hovertext=[_hover(mark, texts) for mark in marks],
        hovertemplate="%{hovertext}<extra></extra>",
        name=name,
    )


def _along(mark: _Mark) -> Estimate:
    crossed = mark.outline is None and mark.along.mean > 0
    return mark.along if crossed else Estimate(*(mark.along.mean,) * 3)


def _upright(mark: _Mark) -> Estimate:
    known = mark.point.accuracy
    return known if mark.outline is None else Estimate(*(known.mean,) * 3)


def _cross(estimates: Sequence[Estimate], colour: str) -> dict[str, Any]:
    """Return error bars; an interval that is not known has none."""
    high = [value.high - value.mean if math.isfinite(value.high) else 0.0 for value in estimates]
    low = [value.mean - value.low if math.isfinite(value.low) else 0.0 for value in estimates]
    return {"type": "data", "symmetric": False, "array": high, "arrayminus": low, "color": colour, "width": 4,
            "thickness": 1.2}  # fmt: skip


def _oracle(point: Point, axis: Axis, free: float, texts: Texts) -> Any:
    from plotly import graph_objects as go

    along: Estimate = getattr(point, axis)
    mark = _Mark("", replace(point, setting=texts["frontier_oracle"]), along, along.mean or free, 1.0, None)
    return go.Scatter(
        x=[mark.x],
        y=[point.accuracy.mean],
        mode="markers",
        marker={"size": 17, "symbol": "star", "color": COMPUTED},
        error_x=_cross([along], COMPUTED),
        error_y=_cross([point.accuracy], COMPUTED),
        hovertext=[_hover(mark, texts)],
        hovertemplate="%{hovertext}<extra></extra>",
        name="oracle",
    )


def _hover(mark: _Mark, texts: Texts) -> str:
    """Return what stands beside a point that is pointed at; plotly reads tags in it, so names are escaped."""
    point = mark.point
    said = [
        f"<b>{html.escape(point.setting)}</b>",
        f"{texts['frontier_accuracy']} {percent(point.accuracy)}",
        f"{each_cost(point.cost)} · {seconds(point.seconds.mean)}",
    ]
    if mark.number and math.isfinite(point.cost.high):
        said.append(texts["frontier_chance"].format(share=per_cent(mark.share)))
    return "<br>".join(said)


def _layout(marks: Sequence[_Mark], axis: Axis, free: float | None, texts: Texts) -> dict[str, Any]:
    x = [mark.x for mark in marks]
    ends = [math.log10(min(x) / 1.8), math.log10(max(x) * 1.9)]
    heights = [value for mark in marks for value in mark.point.accuracy if math.isfinite(value)]
    y = [max(0.0, min(heights) - 0.06) - 0.04, min(1.0, max(heights) + 0.06) + 0.04]
    line = {"showgrid": True, "zeroline": False, "gridcolor": "#e4e7ec", "gridwidth": 1, "fixedrange": True}
    unit = {"tickprefix": "$"} if axis == "cost" else {"ticksuffix": " s"}
    along = {
        "type": "log",
        "range": ends,
        "dtick": "D2" if ends[1] - ends[0] < 1.6 else 1,
        "tickformat": "~g",
    }
    layout: dict[str, Any] = {
        "template": {},
        "height": 440,
        "margin": {"l": 52, "r": 12, "t": 12, "b": 48},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "IBM Plex Sans, system-ui, sans-serif", "size": 12, "color": "#5a6374"},
        "showlegend": False,
        "hovermode": "closest",
        "hoverlabel": {"bgcolor": "#1e2430", "bordercolor": "#1e2430", "font": {"color": "#ffffff"}},
        "dragmode": False,
        "xaxis": line | along | unit | {"title": {"text": texts[f"frontier_axis_{axis}"]}},
        "yaxis": line
        | {
            "range": y,
            "tickformat": ".0%",
            "labelalias": WRITTEN,
            "title": {"text": texts["frontier_axis_right"]},
        },
    }
    if free is not None:
        zero = "$0" if axis == "cost" else "0 s"
        edge = {"xref": "x", "yref": "paper", "x0": free, "x1": free, "y0": 0, "y1": 1}
        layout["shapes"] = [
            {"type": "line", "layer": "below", "line": {"width": 1, "dash": "dot", "color": GREYED}} | edge
        ]
        layout["annotations"] = [{"text": zero, "x": math.log10(free), "y": 1, "xref": "x", "yref": "paper",
                                  "showarrow": False, "yanchor": "bottom", "font": {"size": 11}}]  # fmt: skip
        layout["margin"]["t"] = 22
    return layout
