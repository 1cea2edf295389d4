"""Curves of a training job as small drawings: pure functions of its events."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from orchestra_app.training.progress import Evaluated, Progress, Stepped
from orchestra_app.ui.markup import dollars, seconds, tag

WIDTH, HEIGHT = 240, 84
LEFT, TOP, BOTTOM = 4.0, 8.0, 6.0
MOST_POINTS = 240
"""Steps that a curve draws; longer jobs are thinned out evenly."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One quantity over the steps of a job."""

    name: str
    """The key of its title, without `train_` and `_curve`."""
    of: Callable[[Stepped], float]
    shown: Callable[[float], str]
    evaluated: Callable[[Evaluated], tuple[float, float]] | None = None
    """Its value on held-out questions, with the half width of its 95 % interval."""


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"


CURVES = (
    Curve("reward", lambda e: e.rollouts.reward, "{:.3f}".format),
    Curve(
        "accuracy",
        lambda e: e.rollouts.accuracy,
        _share,
        lambda e: (e.rollouts.accuracy, 1.96 * e.rollouts.error),
    ),
    Curve("cost", lambda e: e.rollouts.cost, dollars, lambda e: (e.rollouts.cost, 0.0)),
    Curve("seconds", lambda e: e.rollouts.seconds, seconds, lambda e: (e.rollouts.seconds, 0.0)),
    Curve("kl", lambda e: e.learned.kl, "{:.4f}".format),
    Curve("clip", lambda e: e.learned.clipped, _share),
    Curve("length", lambda e: e.learned.length, "{:.1f}".format),
    Curve("entropy", lambda e: e.learned.entropy, "{:.3f}".format),
)


def curves(events: Sequence[Progress], texts: Mapping[str, str]) -> Markup:
    """Return every curve of a job as small multiples; empty before the first step."""
    stepped = _thinned([event for event in events if isinstance(event, Stepped)])
    evaluated = [event for event in events if isinstance(event, Evaluated)]
    if not stepped and not evaluated:
        return Markup("")
    drawn = [_figure(curve, stepped, evaluated, texts) for curve in CURVES if stepped or curve.evaluated]
    return tag("div", *drawn, class_="curves")


def _thinned(stepped: list[Stepped]) -> list[Stepped]:
    every = -(-len(stepped) // MOST_POINTS) or 1
    return stepped[::-every][::-1]


def _figure(
    curve: Curve, stepped: Sequence[Stepped], evaluated: Sequence[Evaluated], texts: Mapping[str, str]
) -> Markup:
    points = [(event.step, curve.of(event)) for event in stepped]
    measured = [(event.step, *curve.evaluated(event)) for event in evaluated] if curve.evaluated else []
    title = texts[f"train_{curve.name}_curve"]
    last = points[-1][1] if points else measured[-1][1]
    first = points[0][1] if points else measured[0][1]
    said = f"{title}: {curve.shown(first)} → {curve.shown(last)}"
    return tag(
        "figure",
        tag("figcaption", tag("span", title), tag("b", curve.shown(last))),
        _drawing(points, measured, said),
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
