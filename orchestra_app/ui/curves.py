"""Curves of a training job as small drawings: pure functions of its events."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from orchestra_app.training.progress import Evaluated, Progress, Started, Stepped
from orchestra_app.ui.markup import dollars, seconds, tag

WIDTH, HEIGHT = 240, 84
LEFT, TOP, BOTTOM = 4.0, 8.0, 6.0
MOST_POINTS = 240
"""Steps that a curve draws; longer jobs are thinned out evenly."""


def _learned(event: Stepped) -> bool:
    return event.learned.tokens > 0


def _played(event: Stepped) -> bool:
    return event.rollouts.count > 0


@dataclass(frozen=True, slots=True)
class Curve:
    """One quantity over the steps of a job."""

    name: str
    """The key of its title, without `train_` and `_curve`."""
    of: Callable[[Stepped], float]
    shown: Callable[[float], str]
    evaluated: Callable[[Evaluated], tuple[float, float]] | None = None
    """Its value on held-out questions, with the half width of its 95 % interval."""
    known: Callable[[Stepped], bool] = _learned
    """Whether a step measured it: one that only collects learns no tokens."""
    nought: bool = True
    """Whether nothing but 0 is a figure; False where that means that nobody measured."""


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"


CURVES = (
    Curve("reward", lambda e: e.rollouts.reward, "{:.3f}".format, known=_played),
    Curve(
        "accuracy",
        lambda e: e.rollouts.accuracy,
        _share,
        lambda e: (e.rollouts.accuracy, 1.96 * e.rollouts.error),
        lambda e: _played(e) or e.rollouts.accuracy > 0,
    ),
    Curve("cost", lambda e: e.rollouts.cost, dollars, lambda e: (e.rollouts.cost, 0.0), _played),
    Curve("seconds", lambda e: e.rollouts.seconds, seconds, lambda e: (e.rollouts.seconds, 0.0), _played),
    Curve("kl", lambda e: e.learned.kl, "{:.4f}".format, nought=False),
    Curve("clip", lambda e: e.learned.clipped, _share),
    Curve("length", lambda e: e.learned.length, "{:.1f}".format),
    Curve("entropy", lambda e: e.learned.entropy, "{:.3f}".format),
)


def curves(events: Sequence[Progress], texts: Mapping[str, str]) -> Markup:
    """Return the curves of what a job measured as small multiples; empty before the first step.

    Where saved traces are learned from, those that describe these and not the policy say so.
    """
    stepped = [event for event in events if isinstance(event, Stepped)]
    evaluated = [event for event in events if isinstance(event, Evaluated)]
    drawn = [
        _figure(_titled(curve, events, texts), curve, measured, tried)
        for curve in CURVES
        for measured, tried in [(_measured(curve, stepped), _tried(curve, evaluated))]
        if measured or tried
    ]
    return tag("div", *drawn, class_="curves") if drawn else Markup("")


def of_traces(events: Sequence[Progress]) -> bool:
    """Return whether a job learns from saved traces, so that its figures of rollouts are theirs."""
    return any(isinstance(event, Started) and event.mode == "traces" for event in events)


def _titled(curve: Curve, events: Sequence[Progress], texts: Mapping[str, str]) -> str:
    title = texts[f"train_{curve.name}_curve"]
    told = curve.known is not _learned and of_traces(events)
    return texts["train_of_traces"].format(title=title) if told else title


def _measured(curve: Curve, stepped: Sequence[Stepped]) -> list[tuple[int, float]]:
    """Return a curve's value at each step that measured it, thinned out where there are many."""
    found = [(event.step, curve.of(event)) for event in stepped if curve.known(event)]
    if not curve.nought and not any(value for _, value in found):
        return []
    every = -(-len(found) // MOST_POINTS) or 1
    return found[::-every][::-1]


def _tried(curve: Curve, evaluated: Sequence[Evaluated]) -> list[tuple[int, float, float]]:
    return [(event.step, *curve.evaluated(event)) for event in evaluated] if curve.evaluated else []


def _figure(
    title: str, curve: Curve, points: Sequence[tuple[int, float]], tried: Sequence[tuple[int, float, float]]
) -> Markup:
    values = [value for _, value in points] or [value for _, value, _ in tried]
    last = curve.shown(values[-1])
    return tag(
        "figure",
        tag("figcaption", tag("span", title), tag("b", last.replace(" ", "\N{NO-BREAK SPACE}"))),
        _drawing(points, tried, f"{title}: {curve.shown(values[0])} → {last}"),
        class_="curve",
        data_curve=curve.name,
    )


def _drawing(
    points: Sequence[tuple[int, float]], measured: Sequence[tuple[int, float, float]], said: str
) -> Markup:
    values = [value for _, value in points]
    values += [value + side for _, value, half in measured for side in (-half, half)]
    low, high = min(values), max(values)
    room = (high - low) or abs(high) or 1.0
    steps = [step for step, _ in points] + [step for step, *_ in measured]
    begin, end = min(steps), max(max(steps), min(steps) + 1)

    def x(step: int) -> float:
        return round(LEFT + (WIDTH - 2 * LEFT) * (step - begin) / (end - begin), 1)

    def y(value: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - low) / room), 1)

    line = " ".join(f"{x(step)},{y(value)}" for step, value in points)
    dots: list[Markup] = []
    for step, value, half in measured:
        if half:
            ends = {"y1": y(value - half), "y2": y(value + half)}
            dots.append(tag("line", x1=x(step), x2=x(step), class_="whisker", **ends))
        # A line without length and with round ends stays a dot however the drawing is stretched.
        dots.append(tag("line", x1=x(step), x2=x(step), y1=y(value), y2=y(value), class_="dot"))
    return tag(
        "svg",
        tag("polyline", points=line) if points else None,
        *dots,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=said,
        preserveAspectRatio="none",
    )
