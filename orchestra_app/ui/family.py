"""The relatives of an opened trace as HTML: what it was forked from, and what was forked from it."""

import math
from collections.abc import Mapping

from markupsafe import Markup

from orchestra_app.core.trace import Trace
from orchestra_app.storage.kin import Kin, Relative
from orchestra_app.ui.markup import dollars, tag

Texts = Mapping[str, str]


def family(trace: Trace, kin: Kin, texts: Texts) -> Markup | None:
    """Return links to the parent and to the forks of a trace; None where it has neither."""
    lines = [line for line in (_parent(trace, kin.parent, texts), _children(kin, texts)) if line]
    return tag("div", *lines, class_="family") if lines else None


def told(each: Relative, texts: Texts) -> str:
    """Return what a relative is, in one line of text."""
    verdict = "" if each.verdict == "unlabelled" else f" · {texts[f'verdict_{each.verdict}']}"
    status = "" if each.status == "answered" else f" · {texts[f'status_{each.status}']}"
    began = f"{each.started_at:%m-%d %H:%M}"
    return f"{each.policy} · {dollars(each.cost)} · {began}{status}{verdict} · {each.id[:6]}"


def choices(kin: Kin, texts: Texts) -> list[tuple[str, str]]:
    """Return the relatives as what a trace may be compared with, the closest first."""
    kinds = {"child": kin.children, "other": kin.others}
    if kin.parent:
        kinds = {"parent": (kin.parent,)} | kinds
    return [
        (f"{texts[f'study_kin_{kind}']} · {told(each, texts)}", each.id)
        for kind, group in kinds.items()
        for each in group
    ]


def _parent(trace: Trace, parent: Relative | None, texts: Texts) -> Markup | None:
    if trace.parent is None:
        return None
    if parent is None:
        return tag("p", texts["study_parent_gone"])
    before = trace.turns[: trace.reused]
    paid = math.fsum(
        charge.cost
        for turn in before
        for charge in (*turn.reply.charges, *(charge for result in turn.results for charge in result.charges))
    )
    said = "study_parent" if trace.reused else "study_parent_whole"
    taken = texts["study_reused"].format(count=trace.reused, cost=dollars(paid)) if trace.reused else None
    begun = texts[said].format(turn=trace.reused + 1)
    return tag("p", begun, " ", _link(parent, texts, "parent"), " · " if taken else None, taken)


def _children(kin: Kin, texts: Texts) -> Markup | None:
    if not kin.children:
        return None
    links = [tag("li", _link(each, texts, "child")) for each in kin.children]
    return tag("div", tag("p", texts["study_children"]), tag("ul", *links))


def _link(each: Relative, texts: Texts, kind: str) -> Markup:
    return tag(
        "button", told(each, texts), type="button", class_=f"kin {kind}", data_action="open", data_id=each.id
    )
