"""What stands beside the bill of a finished trace: how far it followed the wishes, and what it earns."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from orchestra_app.core.trace import Trace
from orchestra_app.scoring.reward import Form, rewards
from orchestra_app.ui.links import link
from orchestra_app.ui.markup import dollars, per_cent, seconds, tag

Texts = Mapping[str, str]
FORMS: tuple[Form, ...] = ("product", "paper")
COLUMNS = ("which", "cost", "seconds", "verdict", "reward", "followed")
Earned = Mapping[str, tuple[float, ...]]
"""The reward under each of `FORMS`, by the id of the trace; NaN without a verdict."""


def facts(trace: Trace, siblings: Sequence[Trace], texts: Texts, *, count: int = 0) -> Markup:
    """Return adherence, violations and rewards of a trace, with the traces of its group.

    siblings: finished traces of its group, with or without itself. count: how many its group has where not
    all of them are given.
    """
    group = [trace, *(each for each in siblings if each.id != trace.id)]
    earned = earn(group)
    kept, broken = ("facts_no_violation", "") if not trace.violations else ("facts_violations", "problem")
    lines = [
        _fact("adherence", texts["facts_adherence"], per_cent(trace.adherence)),
        _fact("violations", texts["facts_rules"], texts[kept].format(count=trace.violations), broken),
    ]
    if len(group) > 1:
        lines += [
            _fact(form, texts[f"facts_reward_{form}"], reward(value, texts))
            for form, value in zip(FORMS, earned[trace.id], strict=True)
        ]
    return tag(
        "section",
        tag("h3", texts["facts_title"]),
        tag("dl", *lines),
        _group(group, earned, texts, count) if len(group) > 1 else _alone(trace, texts),
        class_="facts-of-trace",
    )


def earn(group: Sequence[Trace]) -> Earned:
    """Return what each trace of one group earns, compared with the others of it."""
    columns = [rewards(group, form=form) for form in FORMS]
    return {each.id: tuple(float(column[place]) for column in columns) for place, each in enumerate(group)}


def reward(value: float, texts: Texts) -> str:
    """Return a reward as it is shown: three digits, or words where there is none."""
    return texts["facts_no_reward"] if value != value else f"{value:.3f}"


def _fact(name: str, said: str, value: str, kind: str = "") -> Markup:
    return tag("div", tag("dt", said), tag("dd", value, class_=kind or None), data_fact=name)


def _alone(trace: Trace, texts: Texts) -> Markup:
    return tag("p", texts["facts_only_one" if trace.group else "facts_no_group"], class_="quiet")


def _group(group: Sequence[Trace], earned: Earned, texts: Texts, count: int) -> Markup:
    head = tag("tr", *(tag("th", texts[f"facts_{name}"], scope="col", class_=name) for name in COLUMNS))
    # The best first; without a reward last.
    order = sorted(group, key=lambda each: (earned[each.id][0] != earned[each.id][0], -earned[each.id][0]))
    rows = [_row(each, each is group[0], earned[each.id][0], texts) for each in order]
    table = tag(
        "table",
        tag("caption", texts["facts_group"].format(count=max(count, len(group)))),
        tag("thead", head),
        tag("tbody", *rows),
    )
    scroll = tag("div", table, class_="scroller", tabindex=0, role="region", aria_label=texts["facts_title"])
    cut = texts["facts_cut"].format(shown=len(group), count=count) if count > len(group) else ""
    said = [texts["facts_compared"], cut, "" if _judged(group) else texts["facts_label_first"]]
    return tag("div", scroll, tag("p", " ".join(each for each in said if each), class_="quiet"))


def _judged(group: Sequence[Trace]) -> bool:
    return any(each.correct is not None for each in group)


def _row(each: Trace, itself: bool, earned: float, texts: Texts) -> Markup:
    name = f"{each.policy} · {each.id[:6]}"
    verdict = {True: "correct", False: "incorrect", None: "unsure"}[each.correct]
    if each.correct is None and not any(label.call_id is None for label in each.labels):
        verdict = "unlabelled"
    shown = tag("b", name) if itself else tag("a", name, href=link(trace=each.id))
    note = tag("small", texts["facts_this"]) if itself else None
    return tag(
        "tr",
        tag("th", shown, note, scope="row", class_="which"),
        tag("td", dollars(each.cost), class_="cost"),
        tag("td", seconds(each.seconds), class_="seconds"),
        tag("td", texts[f"verdict_{verdict}"], class_="verdict"),
        tag("td", reward(earned, texts), class_="reward"),
        tag("td", per_cent(each.adherence), class_="followed"),
        data_itself="" if itself else None,
    )
