"""Two traces side by side as HTML: what differs stands there in words, and turns beside their like."""

import math
from collections.abc import Mapping

from markupsafe import Markup

from orchestra_app.core.message import ToolResult
from orchestra_app.core.task import Budget, Preference
from orchestra_app.core.trace import Trace, called
from orchestra_app.frontier.pairing import Pair, pair
from orchestra_app.scoring.match import matches
from orchestra_app.ui.markup import Child, dollars, moment, seconds, tag
from orchestra_app.ui.transcript import lasted
from orchestra_app.ui.whatif import change

Texts = Mapping[str, str]
SHOWN = 400
"""Characters of a turn's outcome that are shown."""
NAMES = ("A", "B")


def comparison(left: Trace, right: Trace, texts: Texts) -> Markup:
    """Return both traces: their facts, each with how they differ, then their turns in rows."""
    facts = [_fact(name, values, said, texts) for name, values, said in _facts(left, right, texts)]
    titles = [
        tag("p", tag("b", f"{name} · {texts[f'study_side_{name.lower()}']}"), tag("small", _which(trace)))
        for name, trace in zip(NAMES, (left, right), strict=True)
    ]
    turns = [_row(row, left, right, texts) for row in pair(left, right)]
    return tag(
        "div",
        tag("div", *titles, class_="sides"),
        tag("dl", *facts, class_="differences"),
        tag("h4", texts["study_turns"]),
        tag("ol", *turns, class_="pairs"),
        class_="comparison",
    )


def _which(trace: Trace) -> str:
    return f"{moment(trace.started_at)} · {trace.id[:8]}"


def _facts(left: Trace, right: Trace, texts: Texts) -> list[tuple[str, tuple[str, str], str | None]]:
    """Return the name of each fact, its two values, and how they differ; None: they do not."""

    def both(name: str, one: str, other: str, said: str = "study_differs") -> None:
        found.append((name, (one, other), texts[said] if one != other else None))

    found: list[tuple[str, tuple[str, str], str | None]] = []
    a, b = left.task, right.task
    if a.question != b.question:
        both("question", a.question, b.question)
    both("policy", left.policy, right.policy)
    if left.catalog != right.catalog:
        both(
            "catalog",
            f"{left.catalog.name} {left.catalog.hash}",
            f"{right.catalog.name} {right.catalog.hash}",
        )
    both("wish", _wish(a.preference, texts), _wish(b.preference, texts))
    both("budget", _budget(a.budget, texts), _budget(b.budget, texts))
    both("status", texts[f"status_{left.status}"], texts[f"status_{right.status}"])
    one, other = left.answer or "–", right.answer or "–"
    alike = one == other or matches(one, other)
    found.append(("answer", (one, other), None if alike else texts["study_another_answer"]))
    both("verdict", _verdict(left, texts), _verdict(right, texts), "study_another_verdict")
    cost = None if left.cost == right.cost else change(left.cost, right.cost, texts)
    found.append(("cost", (dollars(left.cost, 6), dollars(right.cost, 6)), cost))
    took = None if left.seconds == right.seconds else _longer(left.seconds, right.seconds, texts)
    found.append(("seconds", (seconds(left.seconds), seconds(right.seconds)), took))
    both("tools", _tools(left), _tools(right), "study_other_tools")
    return found


def _fact(name: str, values: tuple[str, str], said: str | None, texts: Texts) -> Markup:
    sides = [
        tag("span", tag("i", side), tag("bdi", value), class_="value", dir="auto")
        for side, value in zip(NAMES, values, strict=True)
    ]
    word = tag("em", f"B: {said}" if said else texts["study_same"], class_="word")
    return tag(
        "div",
        tag("dt", texts[f"study_fact_{name}"], word),
        tag("dd", *sides),
        data_fact=name,
        data_differs=said is not None,
    )


def _wish(preference: Preference, texts: Texts) -> str:
    changed = preference.model_dump(exclude_defaults=True)
    said = [f"{name} {value:g}" for name, value in sorted(changed.pop("weights", {}).items())]
    said += [texts["study_without"].format(name=name) for name in sorted(changed.pop("excluded", ()))]
    said += [f"{texts[f'study_wish_{name}']} {value:g}" for name, value in changed.items()]
    return ", ".join(said) or texts["study_neutral"]


def _budget(budget: Budget, texts: Texts) -> str:
    cost = texts["study_no_limit"] if budget.cost is None else f"${budget.cost:g}"
    limit = [] if budget.seconds is None else [f"{budget.seconds:g} s"]
    return " · ".join([cost, *limit, texts["turns"].format(number=budget.turns)])


def _verdict(trace: Trace, texts: Texts) -> str:
    if all(label.call_id for label in trace.labels):
        return texts["verdict_unlabelled"]
    return texts[{True: "verdict_correct", False: "verdict_incorrect", None: "verdict_unsure"}[trace.correct]]


def _longer(one: float, other: float, texts: Texts) -> str:
    return texts["study_more" if other > one else "study_less"].format(amount=seconds(abs(other - one)))


def _tools(trace: Trace) -> str:
    return ", ".join(f"{name} {count}×" for name, count in sorted(trace.tool_counts.items())) or "–"


def _row(row: Pair, left: Trace, right: Trace, texts: Texts) -> Markup:
    taken = row.right is not None and right.parent == left.id and row.right < right.reused
    taken |= row.left is not None and left.parent == right.id and row.left < left.reused
    said = "reused" if taken else row.relation
    return tag(
        "li",
        tag("em", texts[f"study_turn_{said}"], class_="word"),
        _turn(left, row.left, "A", texts),
        _turn(right, row.right, "B", texts),
        data_relation=said,
    )


def _turn(trace: Trace, place: int | None, side: str, texts: Texts) -> Markup:
    if place is None:
        return tag("div", tag("i", side), tag("span", "–", class_="quiet"), class_="half none")
    turn = trace.turns[place]
    asked = [called(call) for call in turn.reply.calls]
    paid = [*turn.reply.charges, *(charge for result in turn.results for charge in result.charges)]
    figures = f"{dollars(math.fsum(c.cost for c in paid), 6)} · {seconds(lasted(trace, place))}"
    came: list[Child] = [_outcome(result, texts) for result in turn.results]
    if not turn.reply.calls and turn.reply.text.strip():
        came.append(_cut(turn.reply.text))
    return tag(
        "div",
        tag("i", side),
        tag("b", texts["turn"].format(number=place + 1)),
        tag("bdi", ", ".join(asked) or texts["no_call"], class_="asked"),
        tag("span", figures, class_="figures"),
        *came,
        class_="half",
    )


def _outcome(result: ToolResult, texts: Texts) -> Markup | None:
    if result.error:
        return tag("p", tag("b", texts["error"]), " ", tag("bdi", result.error[:SHOWN]), class_="trouble")
    said = [document.title or document.text for document in result.documents]
    said += [run.stdout or run.stderr for run in result.executions]
    said += [text for text in (result.output, result.answer) if text]
    return _cut("\n".join(text.strip() for text in said if text.strip())) if said else None


def _cut(text: str) -> Markup:
    return tag("p", text if len(text) <= SHOWN else f"{text[:SHOWN]}…", class_="came", dir="auto")
