"""What is said of a sweep: before it is launched, while it goes, and at its end."""

from collections.abc import Mapping
from typing import Any

from orchestra_app.frontier.sweep import RunFinished, SweepFinished, SweepStarted
from orchestra_app.ui.markup import dollars, seconds, tag
from orchestra_app.ui.pages.ask import said
from orchestra_app.ui.sheet import parts
from orchestra_app.ui.sweeping import Planned
from orchestra_app.ui.sweeps import Underway

Texts = Mapping[str, str]


def plan_shown(plan: Planned, texts: Texts) -> dict[str, Any]:
    """Return what is said of a sweep before it is launched."""
    made, outlook = plan.sweep, plan.outlook
    line = texts["frontier_plan"].format(
        runs=f"{outlook.runs:,}",
        questions=f"{len(made.questions):,}",
        settings=len(made.settings),
        repeats=made.repeats,
        likely=dollars(outlook.likely, 2),
        most=dollars(outlook.most, 2),
        time=texts["frontier_about"].format(time=clock(outlook.seconds)),
        cap="–" if made.cap is None else dollars(made.cap, 2),
        money=texts["frontier_no_money" if made.simulated else "frontier_real_money"],
    )
    open_ones = len(made.questions) - plan.answered
    notes = [] if outlook.known else [texts["frontier_plan_unknown"]]
    notes += [texts["frontier_plan_unanswered"].format(count=open_ones)] if open_ones else []
    refused = None
    if plan.refused:
        rows = [tag("li", tag("bdi", sentence)) for sentence in plan.refused[:8]]
        title = texts["frontier_plan_refused"].format(count=len(plan.refused))
        refused = tag("div", title, tag("ul", *rows), class_="notice refused")
    return parts(
        "plan",
        tag("p", line, class_="plan", data_runs=outlook.runs),
        *(tag("p", note, class_="notice") for note in notes),
        *([refused] if refused else []),
    )


def clock(value: float) -> str:
    """Return a duration in seconds, or in hours and minutes where it is long."""
    if value < 100:
        return seconds(value)
    minutes = round(value / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"


def going(one: Underway, texts: Texts) -> dict[str, Any]:
    match one.progress:
        case RunFinished(done=done, total=total, spent=spent, seconds_left=rest):
            time = clock(rest)
        case SweepStarted(done=done, total=total, spent=spent):
            time = "…"
        case _:
            return preparing(texts)
    cap = one.definition.cap
    line = texts["frontier_progress"].format(
        done=f"{done:,}",
        total=f"{total:,}",
        spent=dollars(spent),
        cap="–" if cap is None else dollars(cap, 2),
        time=time,
    )
    bar = tag("progress", value=done, max=total, aria_label=line)
    return parts("progress", bar, tag("p", line, class_="told", data_done=done))


def preparing(texts: Texts) -> dict[str, Any]:
    """Return what is said of a sweep that has just been launched."""
    return told(texts["frontier_preparing"])


def ended(one: Underway, texts: Texts) -> dict[str, Any]:
    match one.ended:
        case SweepFinished(status=status, done=done, total=total, spent=spent):
            line = texts[f"frontier_{status}"].format(
                done=f"{done:,}", total=f"{total:,}", spent=dollars(spent)
            )
            return told(line, done=done, status=status)
        case None:
            return said(one.error or "")


def told(line: str, **facts: Any) -> dict[str, Any]:
    named = {f"data_{name}": value for name, value in facts.items()}
    return parts("told", tag("p", line, class_="told", role="status", **named))
